// The npm package, as npm packs it: what is inside, that it installs without scripts and without anything else, and that
// a program's compiler finds no fault in its declarations.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { smokeFailures } from '../builders/smoke.js';
import { golden, goldenImage, ROOT } from '../fixture-path.js';

/** Of what is downloaded. */
const MAX_PACKED = 1_000_000;

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly files: readonly { readonly path: string }[];
}

t.setTimeout(300_000);
/** Not inside of the clone, whose node_modules would be found from there. */
const folder = mkdtempSync(join(tmpdir(), 'pstorefuse-npm-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

function run(command: string, args: readonly string[], cwd = folder) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 240_000 });
  return { status, stdout, stderr };
}

const packing = run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], ROOT);
const [packed] = JSON.parse(packing.stdout) as [Packed];
const tarball = join(folder, packed.filename);
const paths = packed.files.map(({ path }) => path);

t.test('it has what runs, and nothing that only we need', async (t) => {
  t.ok(packed.size <= MAX_PACKED, `${packed.size} bytes`);
  for (const path of ['dist/bin/pstorefuse', 'dist/lib/index.d.ts', 'dist/lib/core.js', 'LICENSE', 'dist/LICENCES']) {
    t.ok(paths.includes(path), path);
  }
  t.same(
    paths.filter((path) => /\.map$|\.tsbuildinfo$|\.ts$/.test(path) && !path.endsWith('.d.ts')),
    [],
    'no source maps, no sources',
  );
  t.same(
    paths.filter((path) => /^(test|scripts|dist\/test|dist\/scripts|dist\/lib\/cli)\//.test(path)),
    [],
    'no tests',
  );
});

/** The modules of ours that one imports, and those that these import. @param ending `.js` or `.d.ts` */
function reached(path: string, ending: string, found = new Set<string>()): Set<string> {
  if (found.has(path)) return found;
  found.add(path);
  const text = readFileSync(join(ROOT, path), 'utf8');
  for (const [, name] of text.matchAll(/\b(?:from|import)\s*\(?\s*["'](\.[^"']+)\.js["']/g)) {
    reached(join(dirname(path), `${name}${ending}`), ending, found);
  }
  return found;
}

t.test('it has every module that the exported ones import', async (t) => {
  for (const entry of ['index', 'core', 'platform/node', 'platform/browser']) {
    for (const ending of ['.js', '.d.ts']) {
      const modules = [...reached(`dist/lib/${entry}${ending}`, ending)];
      t.same(
        modules.filter((path) => !paths.includes(path)),
        [],
        `${entry}${ending}`,
      );
    }
  }
});

t.test('Node keeps its scripts in one byte a character', async (t) => {
  for (const path of paths.filter((name) => /^dist\/bin\/.*\.js$/.test(name))) {
    // esbuild escapes other characters in texts, but not in regular expressions: one there would double all.
    const first = readFileSync(join(ROOT, path)).findIndex((byte) => byte > 0x7f);
    t.equal(first, -1, path);
  }
});

t.test('its package.json tells people where to go, and asks npm for nothing that must be there', async (t) => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<string, unknown>;
  for (const field of ['repository', 'bugs', 'author', 'funding', 'homepage']) t.ok(manifest[field], field);
  t.equal(manifest.dependencies, undefined);
  t.same(Object.keys(manifest.optionalDependencies as object), ['fuse-native', 'koffi']);
  for (const page of manifest.man as string[]) t.ok(paths.includes(page), page);
});

t.test('its declarations are such as TypeScript 5.4 understands', async (t) => {
  // Arrays of bytes have a type parameter from 5.7 on only.
  const generic = /\b(?:(?:Uint8|Uint16|Int32|BigInt64)Array|DataView|Buffer)</;
  const wrong = paths.filter((path) => path.endsWith('.d.ts') && generic.test(readFileSync(join(ROOT, path), 'utf8')));
  t.same(wrong, []);
});

t.test('npm install --global takes it without scripts, optional packages and a network', async (t) => {
  const prefix = join(folder, 'prefix');
  // Neither a network nor a cache has koffi.
  const flags = ['--global', '--prefix', prefix, '--cache', join(folder, 'cache'), '--ignore-scripts', '--offline'];
  const installed = run('npm', ['install', ...flags, tarball]);
  t.equal(installed.status, 0, installed.stderr);
  const command = join(prefix, 'bin', 'pstorefuse');
  const listed = run(command, ['ls', golden('v1', 'image.raw.gz')]);
  t.same(listed, { status: 0, stdout: 'dmesg-blkoops-0\ndmesg-blkoops-1\ndmesg-blkoops-2\n', stderr: '' });
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  t.equal(run(command, ['--version']).stdout, `${version}\n`);
  mkdirSync(join(folder, 'mnt'));
  writeFileSync(join(folder, 'v1.raw'), goldenImage('v1'));
  const mounted = run(command, ['v1.raw', 'mnt']);
  t.match(mounted.stderr, /^pstorefuse: a mount needs the npm package koffi, .*npm install/);
  t.equal(mounted.status, 69);
  const modules = join(prefix, 'lib/node_modules/pstorefuse/node_modules');
  mkdirSync(modules);
  for (const name of ['koffi', '@koromix']) symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  t.equal(smokeFailures(command), '', 'with koffi, which npm would have brought');
});

const PROGRAM = `
import { open, type Pstore, PstoreError, Reason } from 'pstorefuse';
import { open as openBytes, recognise } from 'pstorefuse/core';
const pstore: Pstore = open(process.argv[2]!);
console.log(pstore.kind, [...pstore].length, recognise(new Uint8Array(8192)));
try {
  openBytes(new Uint8Array(8192));
} catch (error) {
  console.log(error instanceof PstoreError && error.code, Reason.Oops);
}
`;

for (const [module, moduleResolution] of [
  ['nodenext', 'nodenext'],
  ['esnext', 'bundler'],
]) {
  t.test(`a program compiles against it strictly, its declarations checked, with ${moduleResolution}`, async (t) => {
    const project = join(folder, `with-${moduleResolution}`);
    const modules = join(project, 'node_modules');
    mkdirSync(join(modules, '@types'), { recursive: true });
    const compilerOptions = {
      ...{ module, moduleResolution, target: 'es2022', lib: ['es2022'], types: ['node'] },
      ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false },
    };
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(project, 'program.ts'), PROGRAM);
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
    for (const name of ['node', 'undici-types']) {
      const place = name === 'node' ? '@types/node' : name;
      symlinkSync(join(ROOT, 'node_modules', place), join(modules, place));
    }
    t.equal(run('tar', ['xzf', tarball, '-C', modules]).status, 0);
    symlinkSync('package', join(modules, 'pstorefuse'));
    const compiled = run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', project]);
    t.equal(compiled.stdout, '');
    t.equal(compiled.status, 0);
    const ran = run(process.execPath, [join(project, 'program.js'), golden('v1', 'image.raw.gz')]);
    t.same(ran, { status: 0, stdout: 'blkoops 3 undefined\nEBADMSG 2\n', stderr: '' });
  });
}
