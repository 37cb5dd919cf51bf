// The examples of docs/library.md: as a program's own code they compile, strictly and against our declarations as they
// are published, and run.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { open } from '../lib/index.js';
import { goldenImage, ROOT } from './fixture-path.js';

/** Inside of the package, so that it finds itself by its name, through the `exports` that others see. */
const FOLDER = join(ROOT, 'dist', 'library-examples');

interface Example {
  readonly name: string;
  readonly code: string;
  readonly runs: boolean;
}

function examples(): Example[] {
  const text = readFileSync(join(ROOT, 'docs', 'library.md'), 'utf8');
  return [...text.matchAll(/^```ts( no-run)?\n([\s\S]*?)^```$/gm)].map(([, noRun, code], i) => ({
    name: `example-${i + 1}`,
    code: code!,
    runs: noRun === undefined,
  }));
}

// To check all declarations takes as long as a build.
t.setTimeout(300_000);
const all = examples();
rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(FOLDER, { recursive: true });
t.teardown(() => rmSync(FOLDER, { recursive: true, force: true }));
for (const { name, code } of all) writeFileSync(join(FOLDER, `${name}.ts`), code);

/** What the compiler says. */
function problems(files: readonly string[], options: ts.CompilerOptions): string[] {
  const program = ts.createProgram(files, {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    ...options,
  });
  const emitted = options.noEmit ? [] : program.emit().diagnostics;
  return [...ts.getPreEmitDiagnostics(program), ...emitted].map((diagnostic) => {
    const where = diagnostic.file ? `${diagnostic.file.fileName}:${diagnostic.start}: ` : '';
    return where + ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n');
  });
}

t.test('they compile in strict TypeScript, our declarations checked as well', async (t) => {
  t.ok(all.length >= 10, `${all.length} examples`);
  const files = all.map(({ name }) => join(FOLDER, `${name}.ts`));
  t.same(problems(files, { lib: ['lib.es2023.d.ts'], types: ['node'] }), []);
});

/** What the examples of the core use of a page. (To check all that a page has takes half a minute.) */
const PAGE = `
declare const console: { log(...values: unknown[]): void };
declare class TextEncoder { encode(text: string): Uint8Array<ArrayBuffer> }
declare class TextDecoder { decode(bytes: Uint8Array): string }
`;

t.test('those of the core compile without the declarations of Node', async (t) => {
  const ofCore = all.filter(({ code }) => code.includes("'pstorefuse/core'"));
  t.ok(ofCore.length > 3, `${ofCore.length} examples`);
  const page = join(FOLDER, 'page.d.ts');
  writeFileSync(page, PAGE);
  const files = [page, ...ofCore.map(({ name }) => join(FOLDER, `${name}.ts`))];
  t.same(problems(files, { lib: ['lib.es2023.d.ts'], types: [], noEmit: true }), []);
});

for (const { name, runs } of all) {
  if (!runs) continue;
  t.test(`${name} runs`, async (t) => {
    const folder = t.testdir();
    writeFileSync(join(folder, 'part.raw'), goldenImage('s1'));
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(FOLDER, `${name}.js`)], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 60_000,
    });
    t.equal(status, 0, stderr);
    t.equal(stderr, '');
    t.notOk(/undefined|\[object/.test(stdout), stdout);
  });
}

t.test('what is used wrongly is told by a code', async (t) => {
  const wrong = { code: 'EINVAL', message: /^an image is given as its bytes/ };
  for (const image of [undefined, null, 5, {}, [], new ArrayBuffer(8192)]) t.throws(() => open(image as never), wrong);
  const store = open(goldenImage('s1'), { write: true });
  const dump = { type: 'dmesg', reason: 2, timeNs: 0n, data: new Uint8Array(3) } as const;
  for (const compress of ['brotli', undefined as never]) {
    t.throws(() => store.backend.write?.({ ...dump, compress }), {
      code: 'EINVAL',
      message: /: known are none, deflate/,
    });
  }
});
