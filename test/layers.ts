// The arrows of docs/architecture.md: who may import whom in lib/. Types count: what a type needs, a reader needs, too.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { ROOT } from './fixture-path.js';

const LIB = join(ROOT, 'lib');

/** From the bytes up: a room may import its own files and those of the rooms before it. `families` is all of them. */
const ORDER: readonly (readonly string[])[] = [
  ['bytes.ts', 'crc32.ts', 'errors.ts', 'guid.ts', 'printable.ts', 'warnings.ts'],
  ['platform'],
  ['compress'],
  ['storage'],
  ['pstore'],
  ['elf.ts'],
  ['families'],
  ['source'],
  ['tree', 'triage'],
  ['core.ts'],
  ['page'],
  ['mount', 'cli', 'index.ts'],
];

/** The rooms that are named above; every other folder of lib/ is a family. */
const NAMED = new Set(ORDER.flat());

/** The Node halves of rooms that a browser has, too; all else without a mount or a terminal imports nothing of Node. */
const NODE_HALVES = new Set([
  'platform/node.ts',
  'storage/file.ts',
  'storage/firmware-folder.ts',
  'storage/node-folder.ts',
  'storage/immutable.ts',
  'storage/lock.ts',
  'storage/lockdown.ts',
  'storage/mountinfo.ts',
  'storage/new-file.ts',
  'storage/overlay-file.ts',
  'storage/papr.ts',
  'storage/path.ts',
  'storage/qemu.ts',
  'storage/scratch.ts',
  'storage/unpack.ts',
  'storage/virtual-disk.ts',
  'storage/waiting.ts',
]);
const NODE_ROOMS = new Set(['mount', 'cli']);

interface Import {
  readonly from: string;
  readonly to: string;
}

const files = readdirSync(LIB, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

/** What stands in `import`, `export … from`, `import()` and `import('…').Type`. */
function specifiers(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(join(LIB, file), 'utf8'), ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const named =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
            ? node.argument.literal
            : undefined;
    if (named && ts.isStringLiteral(named)) found.push(named.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const allSpecifiers = new Map(files.map((file) => [file, specifiers(file)]));

function target(file: string, specifier: string): string[] {
  if (specifier === '#platform') return ['platform/node.ts', 'platform/browser.ts'];
  if (!specifier.startsWith('.')) return [];
  const to = relative(LIB, join(LIB, dirname(file), specifier.replace(/\.js$/, '.ts')));
  return existsSync(join(LIB, to)) || existsSync(join(LIB, to.replace(/\.ts$/, '.d.ts'))) ? [to] : [`missing ${to}`];
}

const imports: Import[] = files.flatMap((from) =>
  allSpecifiers.get(from)!.flatMap((specifier) => target(from, specifier).map((to) => ({ from, to }))),
);

function room(file: string): string {
  return file.split('/')[0]!;
}

function layer(file: string): number {
  const name = room(file);
  const place = NAMED.has(name) ? name : 'families';
  return ORDER.findIndex((rooms) => rooms.includes(place));
}

const arrows = ({ from, to }: Import) => `${from} → ${to}`;

t.test('there is something to check', async (t) => {
  t.ok(imports.length > 500, `${imports.length} imports of ${files.length} files`);
  for (const name of ['blk', 'ramoops', 'vmcore']) t.equal(layer(`${name}/x.ts`), layer('mtdoops/x.ts'));
  t.same(imports.filter(({ to }) => to.startsWith('missing')).map(arrows), []);
});

t.test('no arrow points up, and none from one room to another of the same height', async (t) => {
  const wrong = imports.filter((one) => {
    if (room(one.from) === room(one.to)) return false;
    const [from, to] = [layer(one.from), layer(one.to)];
    // What stands in no folder is small and shared: bytes, errors, printable, warnings.
    return from < to || (from === to && from > 0 && !isFace(one));
  });
  t.same(wrong.map(arrows), []);
});

/** The command line starts mounts, and the library's entry exports them. */
function isFace({ from, to }: Import): boolean {
  return (room(from) === 'cli' || room(from) === 'index.ts') && room(to) === 'mount';
}

t.test('only the rooms of mounts and of the terminal, and the Node halves of others, import from Node', async (t) => {
  const wrong = files.filter(
    (file) =>
      !NODE_ROOMS.has(room(file)) &&
      !NODE_HALVES.has(file) &&
      allSpecifiers.get(file)!.some((specifier) => !specifier.startsWith('.') && specifier !== '#platform'),
  );
  t.same(wrong, []);
});

t.test('nothing that the core needs is a Node half', async (t) => {
  const needed = new Set(['core.ts']);
  for (const file of needed) for (const { from, to } of imports) if (from === file) needed.add(to);
  // Of the platform there is another half.
  t.same(
    [...needed].filter((file) => NODE_HALVES.has(file) || NODE_ROOMS.has(room(file))),
    ['platform/node.ts'],
  );
});

t.test('no import leads back to where it began', async (t) => {
  t.same(circles(), []);
});

/** Files that import each other, directly or not: one line for each such group. */
function circles(): string[] {
  const next = new Map(files.map((file) => [file, imports.filter(({ from }) => from === file).map(({ to }) => to)]));
  const reaches = new Map(
    files.map((file) => {
      const seen = new Set<string>();
      const open = [...next.get(file)!];
      for (let at = open.pop(); at !== undefined; at = open.pop()) {
        if (seen.has(at)) continue;
        seen.add(at);
        open.push(...(next.get(at) ?? []));
      }
      return [file, seen];
    }),
  );
  const groups = files
    .filter((file) => reaches.get(file)!.has(file))
    .map((file) => files.filter((other) => reaches.get(file)!.has(other) && reaches.get(other)?.has(file)));
  return [...new Set(groups.map((group) => group.sort().join(', ')))];
}
