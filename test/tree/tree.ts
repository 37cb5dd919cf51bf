import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { blkoops } from '../../lib/blk/blkoops.js';
import { pstoreBlk } from '../../lib/blk/pstore_blk.js';
import { CODES, type ErrorCode, PstoreError } from '../../lib/errors.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { REFUSALS, type Refused, refusal } from '../../lib/tree/refusals.js';
import { type Entry, type Layout, ROOT_INO, Tree, type TreeOptions } from '../../lib/tree/tree.js';
import { recordXattrs } from '../../lib/tree/xattr.js';
import { Warnings } from '../../lib/warnings.js';
import { FakeBackend } from '../builders/fake-backend.js';
import { goldenImage } from '../fixture-path.js';
import { goldenBytes, goldenCases, withoutSymbols } from '../golden.js';

const LAYOUTS: readonly Layout[] = ['both', 'flat', 'subdirs'];
const OPTIONS: TreeOptions = {
  layout: 'both',
  readOnly: false,
  uid: 0,
  gid: 0,
  umask: null,
  mountTimeNs: 1_700_000_000_123_456_789n,
};

/** @param labels of the backends, by default their names */
function treeOf(backends: readonly FakeBackend[], options: Partial<TreeOptions> = {}, labels: readonly string[] = []) {
  const mounted = backends.map((backend, at) => ({ backend, label: labels[at] ?? backend.name }));
  return new Tree(mounted, { ...OPTIONS, ...options });
}

/** Every path of a tree but `.` and `..`, directories with a slash behind. */
function paths(tree: Tree): string[] {
  const found: string[] = [];
  for (const { name, ino, isDirectory } of tree.entries(ROOT_INO)) {
    if (name.startsWith('.')) continue;
    found.push(isDirectory ? `${name}/` : name);
    if (isDirectory) {
      for (const below of tree.entries(ino)) if (!below.name.startsWith('.')) found.push(`${name}/${below.name}`);
    }
  }
  return found;
}

function text(tree: Tree, path: string): string {
  return Buffer.from(contentBytes(tree.open(tree.resolve(path)))).toString();
}

function codeOf(act: () => unknown): ErrorCode | 'no error' {
  try {
    act();
    return 'no error';
  } catch (error) {
    if (error instanceof PstoreError) return error.code;
    throw error;
  }
}

// ── names ──

t.test('layouts', (t) => {
  const backends = [new FakeBackend('blkoops', ['a', 'b']), new FakeBackend('ramoops', ['c', null, 'd'])];
  const both = [
    'blkoops/',
    'blkoops/dmesg-blkoops-0',
    'blkoops/dmesg-blkoops-1',
    'ramoops/',
    'ramoops/dmesg-ramoops-0',
    'ramoops/dmesg-ramoops-2',
  ];
  const roots = ['dmesg-blkoops-0', 'dmesg-blkoops-1'];
  t.same(paths(treeOf(backends)), [...both, ...roots], 'both: the first backend is in the root, too');
  t.same(paths(treeOf(backends, { layout: 'subdirs' })), both, 'subdirs: no links in the root');
  t.same(
    paths(treeOf(backends, { layout: 'flat' })),
    [...roots, 'dmesg-ramoops-0', 'dmesg-ramoops-2'],
    'flat: all in the root, no directories',
  );
  t.same(paths(treeOf([])), [], 'nothing is mounted: an empty root');
  t.end();
});

t.test('labels name directories; file names keep the name of the backend', (t) => {
  const backends = [new FakeBackend('pstore_blk', ['a']), new FakeBackend('pstore_blk', ['b'])];
  const labels = ['pstore_blk', 'pstore_blk.2'];
  t.same(paths(treeOf(backends, {}, labels)), [
    'pstore_blk/',
    'pstore_blk/dmesg-pstore_blk-0',
    'pstore_blk.2/',
    'pstore_blk.2/dmesg-pstore_blk-0',
    'dmesg-pstore_blk-0',
  ]);
  t.same(paths(treeOf(backends, { layout: 'flat' }, labels)), ['dmesg-pstore_blk-0', 'dmesg-pstore_blk.2-0']);
  t.end();
});

t.test('layout flat: where two would look the same, a label stands in the name', (t) => {
  const cases: { names: string[]; labels: string[]; shown: string[] }[] = [
    { names: ['a', 'b', 'a'], labels: ['a', 'b', 'a.2'], shown: ['dmesg-a-0', 'dmesg-b-0', 'dmesg-a.2-0'] },
    { names: ['a', 'a'], labels: ['x', 'a'], shown: ['dmesg-a-0', 'dmesg-a.2-0'] },
    { names: ['a', 'a', 'b'], labels: ['a', 'b', 'b.2'], shown: ['dmesg-a-0', 'dmesg-b-0', 'dmesg-b.2-0'] },
    { names: ['a', 'a', 'a'], labels: ['a', 'a.2', 'left-0'], shown: ['dmesg-a-0', 'dmesg-a.2-0', 'dmesg-left-0-0'] },
  ];
  for (const { names, labels, shown } of cases) {
    const backends = names.map((name, at) => new FakeBackend(name, [`text ${at}`]));
    const tree = treeOf(backends, { layout: 'flat' }, labels);
    t.same(paths(tree), shown, `${names} as ${labels}`);
    for (const [at, name] of shown.entries()) t.equal(text(tree, `/${name}`), `text ${at}`, name);
  }
  t.end();
});

t.test('a name that is not listed finds nothing', (t) => {
  const first = new FakeBackend('a', ['first 0', 'first 1']);
  const second = new FakeBackend('a', ['second 0', 'second 1', 'second 2']);
  const tree = treeOf([first, second], { layout: 'flat' }, ['a', 'a.2']);
  t.equal(tree.lookup(ROOT_INO, 'dmesg-a-2'), 0, 'the second one is shown by its label only');
  tree.unlink(ROOT_INO, 'dmesg-a-1');
  t.equal(tree.lookup(ROOT_INO, 'dmesg-a-1'), 0, 'an erased name does not become that of another record');
  t.equal(text(tree, '/dmesg-a.2-1'), 'second 1');
  t.equal(tree.lookup(ROOT_INO, 'a'.repeat(255)), 0);
  t.throws(() => tree.lookup(ROOT_INO, 'a'.repeat(256)), { code: 'ENAMETOOLONG' });
  const both = treeOf([first, second], {}, ['a', 'a.2']);
  for (const path of [
    '/nothing',
    '/a.3',
    '/a/dmesg-a-1',
    '/a/a',
    '/dmesg-a-0/x',
    '/a.2/dmesg-a.2-0',
    '/a/../dmesg-a-9',
  ]) {
    t.equal(both.resolve(path), 0, path);
  }
  t.equal(both.resolve('/'), ROOT_INO);
  t.equal(both.resolve('//a//dmesg-a-0/'), both.resolve('/dmesg-a-0'), 'empty parts of a path say nothing');
  t.end();
});

t.test('records with names of their own', (t) => {
  const dumps = new FakeBackend('platform-dump');
  dumps.add('dump', 'SYSDUMP.1');
  dumps.add('a name of another', 'dmesg-ramoops-0');
  dumps.add('the name of a directory', 'ramoops');
  const ramoops = new FakeBackend('ramoops', ['oops']);

  const flat = treeOf([ramoops, dumps], { layout: 'flat' });
  const expected = { 'dmesg-ramoops-0': 'oops', 'SYSDUMP.1': 'dump', ramoops: 'the name of a directory' };
  t.same(paths(flat).sort(), [...Object.keys(expected), 'platform-dump-dmesg-ramoops-0'].sort());
  for (const [name, said] of Object.entries(expected)) t.equal(text(flat, `/${name}`), said);
  t.equal(text(flat, '/platform-dump-dmesg-ramoops-0'), 'a name of another');

  const both = treeOf([dumps, ramoops]);
  t.ok(both.isDirectory(both.resolve('/ramoops')), 'in the root the directory has the name');
  t.equal(text(both, '/platform-dump/ramoops'), 'the name of a directory', 'the dump is found in its own directory');
  const root = [...both.entries(ROOT_INO)].map(({ name }) => name);
  t.equal(new Set(root).size, root.length, 'no name stands twice in the root');
  t.end();
});

t.test('every entry that is listed is what its name finds', (t) => {
  for (const layout of LAYOUTS) {
    const tree = treeOf(
      [new FakeBackend('a', ['x', null, 'y']), new FakeBackend('a', ['z']), new FakeBackend('b', ['w'])],
      { layout },
      ['a', 'a.2', 'b'],
    );
    for (const directory of [ROOT_INO, ...directories(tree)]) {
      for (const entry of tree.entries(directory)) {
        t.same(entry.attr, tree.attr(entry.ino), `${layout} ${entry.name}: attributes`);
        t.equal(entry.isDirectory, tree.isDirectory(entry.ino));
        if (entry.name === '.') t.equal(entry.ino, directory);
        else if (entry.name === '..') t.equal(entry.ino, ROOT_INO);
        else t.equal(tree.lookup(directory, entry.name), entry.ino, `${layout} ${entry.name}: lookup`);
      }
    }
  }
  t.end();
});

function directories(tree: Tree): number[] {
  return [...tree.entries(ROOT_INO)]
    .filter((entry) => entry.isDirectory && !entry.name.startsWith('.'))
    .map(({ ino }) => ino);
}

// ── listing in pieces ──

t.test('a listing that was cut off behind any entry goes on with the next one', (t) => {
  for (const layout of LAYOUTS) {
    const first = new FakeBackend('a', ['x', null, null, 'y', 'z', null]);
    const tree = treeOf([first, new FakeBackend('b', [null, 'w']), new FakeBackend('c')], { layout });
    for (const directory of [ROOT_INO, ...directories(tree)]) {
      const whole = [...tree.entries(directory)];
      for (const [at, { next }] of whole.entries()) {
        t.same([...tree.entries(directory, next)], whole.slice(at + 1), `${layout}: behind ${whole[at]!.name}`);
      }
      t.equal(new Set(whole.map(({ next }) => next)).size, whole.length, 'every position is another one');
      t.ok(whole.every(({ next }) => Number.isSafeInteger(next) && next > 0));
    }
  }
  t.end();
});

t.test('a listing in pieces misses nothing and repeats nothing, whatever comes and goes meanwhile', (t) => {
  const first = new FakeBackend('a', ['1', '2', '3', '4']);
  const second = new FakeBackend('b', ['5', '6', '7']);
  const tree = treeOf([first, second], { layout: 'flat' });
  const seen: string[] = [];
  let from = 0;
  for (let step = 0; ; step++) {
    const entry: Entry | undefined = tree.entries(ROOT_INO, from).next().value;
    if (!entry) break;
    seen.push(entry.name);
    from = entry.next;
    if (step === 3) first.add('new');
    if (step === 4) tree.unlink(ROOT_INO, 'dmesg-a-0');
  }
  t.same(seen, ['.', '..', ...[0, 1, 2, 3, 4].map((n) => `dmesg-a-${n}`), ...[0, 1, 2].map((n) => `dmesg-b-${n}`)]);
  t.end();
});

// ── inodes ──

t.test('a record is one inode with two names', (t) => {
  const tree = treeOf([new FakeBackend('a', ['x']), new FakeBackend('b', ['y'])]);
  const ino = tree.resolve('/dmesg-a-0');
  t.equal(tree.resolve('/a/dmesg-a-0'), ino);
  t.equal(tree.attr(ino)!.nlink, 2);
  t.equal(tree.attr(tree.resolve('/b/dmesg-b-0'))!.nlink, 1, 'only the first backend is linked into the root');
  for (const layout of ['flat', 'subdirs'] as const) {
    const other = treeOf([new FakeBackend('a', ['x'])], { layout });
    const path = layout === 'flat' ? '/dmesg-a-0' : '/a/dmesg-a-0';
    t.equal(other.attr(other.resolve(path))!.nlink, 1, layout);
  }
  t.equal(tree.attr(ROOT_INO)!.nlink, 4, 'the root has two subdirectories');
  t.equal(tree.attr(tree.resolve('/a'))!.nlink, 2);
  t.equal(treeOf([new FakeBackend('a')], { layout: 'flat' }).attr(ROOT_INO)!.nlink, 2);
  t.end();
});

for (const path of ['/dmesg-a-0', '/a/dmesg-a-0']) {
  t.test(`unlinking ${path} takes both names away`, (t) => {
    const backend = new FakeBackend('a', ['x', 'y']);
    const tree = treeOf([backend]);
    const ino = tree.resolve(path);
    const content = tree.open(ino);
    const directory = path.startsWith('/a/') ? tree.resolve('/a') : ROOT_INO;
    t.equal(tree.unlink(directory, 'dmesg-a-0'), ino);
    t.same(paths(tree), ['a/', 'a/dmesg-a-1', 'dmesg-a-1']);
    t.equal(tree.resolve('/dmesg-a-0'), 0);
    t.equal(tree.resolve('/a/dmesg-a-0'), 0);
    t.equal(tree.attr(ino), undefined);
    t.equal(tree.xattrs(ino).size, 0);
    t.equal(
      codeOf(() => tree.open(ino)),
      'ENOENT',
    );
    t.equal(
      codeOf(() => tree.read(ino, new Uint8Array(1), 0)),
      'ENOENT',
    );
    t.equal(
      codeOf(() => tree.unlink(directory, 'dmesg-a-0')),
      'ENOENT',
    );
    t.equal(Buffer.from(contentBytes(content)).toString(), 'x', 'who has it open reads on');
    t.end();
  });
}

t.test('a slot that is used again is another inode', (t) => {
  const backend = new FakeBackend('a', ['x', 'y']);
  const tree = treeOf([backend]);
  const inos = [tree.resolve('/dmesg-a-0'), tree.resolve('/dmesg-a-1')];
  for (let n = 0; n < 5; n++) {
    backend.reuse(0, `again ${n}`);
    const ino = tree.resolve('/dmesg-a-0');
    t.notOk(inos.includes(ino), 'a number that was never used');
    t.equal(tree.resolve('/a/dmesg-a-0'), ino, 'both names agree');
    t.equal(text(tree, '/dmesg-a-0'), `again ${n}`);
    for (const old of inos.filter((candidate) => candidate !== inos[1])) t.equal(tree.attr(old), undefined);
    inos.push(ino);
  }
  t.equal(tree.resolve('/dmesg-a-1'), inos[1], 'the others stay');
  const later = backend.add('later');
  t.notOk(inos.includes(tree.resolve(`/dmesg-a-${later}`)), 'so does one that came later');
  t.equal(tree.attr(ROOT_INO - 1), undefined);
  t.equal(tree.attr(Number.MAX_SAFE_INTEGER), undefined);
  t.end();
});

t.test('reading by inode, and what stays open', (t) => {
  const backend = new FakeBackend(
    'a',
    Array.from({ length: 200 }, (_, n) => `text ${n}`),
  );
  const tree = treeOf([backend]);
  const buffer = new Uint8Array(3);
  for (let slot = 0; slot < 200; slot++) {
    t.equal(tree.read(tree.resolve(`/dmesg-a-${slot}`), buffer, 5), String(slot).length);
    t.equal(Buffer.from(buffer.subarray(0, String(slot).length)).toString(), String(slot));
  }
  t.ok(backend.opened <= 64, `${backend.opened} contents are open`);
  const ino = tree.resolve('/dmesg-a-199');
  backend.reuse(199, 'text new');
  t.equal(
    codeOf(() => tree.read(ino, buffer, 5)),
    'ENOENT',
    'not the bytes of another record',
  );
  tree.close();
  t.equal(backend.opened, 0, 'all are closed in the end');
  t.ok(backend.isClosed);
  t.end();
});

// ── attributes ──

t.test('modes, owner, times', (t) => {
  const backend = new FakeBackend('a', ['x', 'longer text']);
  const kernel = treeOf([backend]);
  t.match(kernel.attr(ROOT_INO), { mode: 0o40750, uid: 0, gid: 0, timeNs: OPTIONS.mountTimeNs });
  t.match(kernel.attr(kernel.resolve('/a')), { mode: 0o40750 });
  t.match(kernel.attr(kernel.resolve('/dmesg-a-0')), { mode: 0o100444, size: 1, timeNs: 0n });
  const noTime = { size: 11, timeNs: OPTIONS.mountTimeNs };
  t.match(kernel.attr(kernel.resolve('/dmesg-a-1')), noTime, 'no time of its own: that of the mount');
  for (const [umask, directory, file] of [
    [0o000, 0o40777, 0o100444],
    [0o022, 0o40755, 0o100444],
    [0o077, 0o40700, 0o100400],
    [0o777, 0o40000, 0o100000],
  ] as const) {
    const tree = treeOf([backend], { umask, uid: 1000, gid: 4_294_967_294 });
    t.match(tree.attr(ROOT_INO), { mode: directory, uid: 1000, gid: 4_294_967_294 }, `umask ${umask.toString(8)}`);
    t.match(tree.attr(tree.resolve('/dmesg-a-0')), { mode: file, uid: 1000, gid: 4_294_967_294 });
  }
  t.end();
});

t.test('statfs counts all backends together', (t) => {
  const tree = treeOf([new FakeBackend('a', ['x', null]), new FakeBackend('b', ['y', 'z', null])]);
  // 5 zones of 4096 bytes and twice 100 bytes more; two of the zones are free.
  const expected = { blockSize: 512, blocks: 40, freeBlocks: 16, files: 3, freeFiles: 2 };
  t.same(tree.statfs(), expected);
  tree.unlink(ROOT_INO, 'dmesg-a-0');
  t.same(tree.statfs(), { ...expected, freeBlocks: 24, files: 2, freeFiles: 3 });
  t.end();
});

t.test('extended attributes: what is known of a record, and nothing else', (t) => {
  const tree = treeOf([new FakeBackend('a', ['x', 'y'])]);
  t.same(Object.fromEntries(tree.xattrs(tree.resolve('/a/dmesg-a-0'))), {
    'user.pstore.backend': 'a',
    'user.pstore.type': 'dmesg',
    'user.pstore.reason': 'Oops',
    'user.pstore.count': '7',
    'user.pstore.offset': '0',
    'user.pstore.state': 'live',
    'user.pstore.title': 'eth0',
  });
  t.notOk(tree.xattrs(tree.resolve('/dmesg-a-1')).has('user.pstore.reason'), 'no attribute where nothing is known');
  const backend = new FakeBackend('a', ['x']);
  const part = recordXattrs({ backend, base: 4096 }, backend.record(0)!);
  t.equal(part.get('user.pstore.offset'), '4096', 'in the file, not in the part of it');
  t.equal(tree.xattrs(ROOT_INO).size, 0);
  t.end();
});

// ── what is refused ──

t.test('refusals, as the kernel words them and ours in addition', (t) => {
  const expected: Record<Refused, ErrorCode> = {
    create: 'EACCES',
    mknod: 'EACCES',
    mkdir: 'EPERM',
    symlink: 'EPERM',
    link: 'EPERM',
    rename: 'EPERM',
    setxattr: 'ENOTSUP',
    removexattr: 'ENOTSUP',
    openForWriting: 'EACCES',
    truncate: 'EACCES',
    chmod: 'EPERM',
    chown: 'EPERM',
    utimens: 'EPERM',
    rmdir: 'EBUSY',
  };
  t.same(REFUSALS, expected);
  for (const what of Object.keys(expected) as Refused[]) {
    t.equal(refusal(what, false), expected[what], what);
    t.equal(refusal(what, true), 'EROFS', `${what} on a read-only mount`);
    t.ok(CODES[expected[what]].errno > 0);
  }
  t.end();
});

t.test('unlinks that fail change nothing', (t) => {
  const backend = new FakeBackend('a', ['x']);
  const tree = treeOf([backend]);
  t.equal(
    codeOf(() => tree.unlink(ROOT_INO, 'nothing')),
    'ENOENT',
  );
  t.equal(
    codeOf(() => tree.unlink(ROOT_INO, 'a')),
    'EISDIR',
    'the directory of a backend',
  );
  t.equal(
    codeOf(() => tree.unlink(tree.resolve('/dmesg-a-0'), 'x')),
    'ENOENT',
    'a record is no directory',
  );
  for (const code of ['EROFS', 'EPERM', 'EBUSY', 'EIO'] as const) {
    backend.failsWith = code;
    t.equal(
      codeOf(() => tree.unlink(ROOT_INO, 'dmesg-a-0')),
      code,
      'the backend says why',
    );
    t.equal(text(tree, '/dmesg-a-0'), 'x');
  }
  backend.failsWith = undefined;
  const readOnly = treeOf([backend], { readOnly: true });
  t.equal(
    codeOf(() => readOnly.unlink(ROOT_INO, 'dmesg-a-0')),
    'EROFS',
  );
  t.equal(
    codeOf(() => readOnly.unlink(ROOT_INO, 'nothing')),
    'ENOENT',
  );
  t.equal(text(readOnly, '/a/dmesg-a-0'), 'x');
  t.end();
});

t.test('more backends than inode numbers are set aside for', (t) => {
  const many = Array.from({ length: 1023 }, (_, n) => new FakeBackend(`b${n}`));
  t.equal(
    codeOf(() => treeOf(many)),
    'EINVAL',
  );
  const most = treeOf(many.slice(1), {});
  t.equal(new Set([...most.entries(ROOT_INO)].map(({ ino }) => ino)).size, 1023, 'root and 1022 directories');
  t.end();
});

// ── all of it together ──

interface Step {
  readonly what: 'unlink' | 'unlinkBelow' | 'reuse' | 'add';
  readonly backend: number;
  readonly slot: number;
}

t.test('any sequence of erasing and reusing agrees with a simple model', (t) => {
  const steps = fc.array(
    fc.record<Step>({
      what: fc.constantFrom('unlink', 'unlinkBelow', 'reuse', 'add'),
      backend: fc.integer({ min: 0, max: 2 }),
      slot: fc.integer({ min: 0, max: 5 }),
    }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(fc.constantFrom(...LAYOUTS), steps, (layout, sequence) => {
      const names = ['a', 'b', 'a'];
      const labels = ['a', 'b', 'a.2'];
      const backends = names.map((name, at) => new FakeBackend(name, [`${at}.0`, `${at}.1`, `${at}.2`]));
      const tree = treeOf(backends, { layout }, labels);
      const model = backends.map(() => new Map([0, 1, 2].map((slot) => [slot, 'old'])));
      const allInos = new Map<string, number>();
      for (const [n, { what, backend: at, slot }] of sequence.entries()) {
        const shown = `dmesg-${layout === 'flat' ? labels[at] : names[at]}-${slot}`;
        const isBelow = layout === 'subdirs' || (layout === 'both' && (what === 'unlinkBelow' || at > 0));
        const directory = isBelow ? tree.resolve(`/${labels[at]}`) : ROOT_INO;
        if (what === 'reuse' && slot < backends[at]!.slots) {
          backends[at]!.reuse(slot, `new ${n}`);
          model[at]!.set(slot, `new ${n}`);
        } else if (what === 'add') model[at]!.set(backends[at]!.add(`add ${n}`), `add ${n}`);
        else if (what !== 'reuse') {
          const isThere = model[at]!.delete(slot);
          assert.equal(
            codeOf(() => tree.unlink(directory, shown)),
            isThere ? 'no error' : 'ENOENT',
          );
        }
      }
      const expected = new Set<string>();
      for (const [at, records] of model.entries()) {
        const isInRoot = layout === 'flat' || (layout === 'both' && at === 0);
        if (layout !== 'flat') expected.add(`${labels[at]}/`);
        for (const slot of records.keys()) {
          if (isInRoot) expected.add(`dmesg-${layout === 'flat' ? labels[at] : names[at]}-${slot}`);
          if (layout !== 'flat') expected.add(`${labels[at]}/dmesg-${names[at]}-${slot}`);
        }
      }
      assert.deepEqual(new Set(paths(tree)), expected);
      for (const path of expected) {
        const ino = tree.resolve(`/${path}`);
        const record = `${path.split('/').at(-1)} ${path.includes('/') ? path.split('/')[0] : layout === 'both' ? 'a' : ''}`;
        const twin = allInos.get(record);
        if (layout === 'both' && twin !== undefined) assert.equal(ino, twin, 'two names, one inode');
        allInos.set(record, ino);
      }
    }),
    { numRuns: 200 },
  );
  t.end();
});

for (const golden of goldenCases('zone', 'rfc5')) {
  t.test(`golden image ${golden.folder} as a tree`, (t) => {
    const bytes = goldenImage(golden.folder);
    const backend = (golden.backend === 'blkoops' ? blkoops : pstoreBlk).open({
      path: 'image.raw',
      storage: SurvivingStorage.over(new MemoryStorage(bytes, { path: 'image.raw' })),
      keys: SourceKeys.of(golden.keys),
      warnings: new Warnings(),
      cache: new TextCache(),
      readFile: () => new Uint8Array(0),
    });
    const tree = new Tree([{ backend, label: golden.backend }], OPTIONS);
    const names = golden.files.map(({ name }) => name).sort();
    const below = names.map((name) => `${golden.backend}/${name}`);
    t.same(paths(tree), [`${golden.backend}/`, ...below, ...names]);
    for (const file of golden.files) {
      const ino = tree.resolve(`/${file.name}`);
      const attr = tree.attr(ino)!;
      const content = contentBytes(tree.open(ino));
      const expected = goldenBytes(golden.folder, file.name);
      t.equal(attr.size, content.length);
      t.equal(attr.mode, 0o100444);
      if (file.name.startsWith('ftrace')) t.equal(withoutSymbols(content), withoutSymbols(expected), file.name);
      else t.ok(Buffer.from(content).equals(expected), file.name);
      const own = BigInt(file.mtime_sec) * 1_000_000_000n + BigInt(file.mtime_nsec);
      t.equal(attr.timeNs, file.name.startsWith('dmesg') ? own : OPTIONS.mountTimeNs);
      // What comes in pieces is the same.
      const pieces: Buffer[] = [];
      const buffer = new Uint8Array(1021);
      for (let position = 0, got = 1; got > 0; position += got) {
        got = tree.read(ino, buffer, position);
        pieces.push(Buffer.from(buffer.subarray(0, got)));
      }
      t.ok(Buffer.concat(pieces).equals(content), `${file.name} in pieces`);
    }
    const { files, freeFiles, blocks, freeBlocks } = tree.statfs();
    t.equal(files, golden.files.length);
    t.ok(blocks > 0 && freeBlocks <= blocks && freeFiles >= 0);
    tree.close();
    t.end();
  });
}

t.test('refresh: live sources only, and each whatever becomes of the others', (t) => {
  const refreshed: string[] = [];
  class Refreshing extends FakeBackend {
    constructor(
      name: string,
      readonly outcome: boolean | Error,
    ) {
      super(name);
    }

    refresh(): boolean {
      refreshed.push(this.name);
      if (this.outcome instanceof Error) throw this.outcome;
      return this.outcome;
    }
  }
  const refresh = (outcomes: readonly (boolean | Error)[], isLive?: boolean) => {
    const tree = new Tree(
      outcomes.map((outcome, i) => ({
        backend: new Refreshing(`b${i}`, outcome),
        label: `b${i}`,
        ...(isLive !== undefined && i === 0 && { isLive }),
      })),
      OPTIONS,
    );
    refreshed.length = 0;
    const failed: string[] = [];
    return { changed: tree.refresh(({ code }) => failed.push(code)), failed, refreshed: [...refreshed] };
  };
  const gone = new PstoreError('EAGAIN', 'not there for now');
  t.same(refresh([false, false]), { changed: false, failed: [], refreshed: ['b0', 'b1'] });
  t.same(refresh([true, false]), { changed: true, failed: [], refreshed: ['b0', 'b1'] });
  t.same(refresh([gone, true]), { changed: true, failed: ['EAGAIN'], refreshed: ['b0', 'b1'] });
  t.same(refresh([true, gone]), { changed: true, failed: ['EAGAIN'], refreshed: ['b0', 'b1'] });
  t.same(refresh([true, false], false), { changed: false, failed: [], refreshed: ['b1'] }, 'its state at mount stays');
  t.same(refresh([true, false], true), { changed: true, failed: [], refreshed: ['b0', 'b1'] });
  t.throws(() => refresh([new TypeError('a bug')]), TypeError);
  t.end();
});

// ── joined ──

t.test('joined: a directory with each dump as one text', (t) => {
  const parts = ['Oops#1 Part1\nthe end\n', 'Oops#1 Part2\nthe beginning\n', 'no dump\n'];
  const [one, two] = [
    new FakeBackend('fake', parts),
    new FakeBackend('fake', [...parts, 'Panic#2 Part1\nlast words\n']),
  ];
  for (const layout of ['both', 'flat', 'subdirs'] as const) {
    const mounted = [
      { backend: one, label: 'fake' },
      { backend: two, label: 'fake.2' },
    ];
    const tree = new Tree(mounted, { ...OPTIONS, layout, joined: true });
    const joined = tree.resolve('/.joined');
    t.ok(tree.isDirectory(joined), layout);
    const root = [...tree.entries(ROOT_INO)];
    t.equal(root.filter(({ name }) => name === '.joined').length, 1);
    for (const [i, { next }] of root.entries()) {
      t.same(
        [...tree.entries(ROOT_INO, next)].map(({ name }) => name),
        root.slice(i + 1).map(({ name }) => name),
        'a listing goes on after each entry',
      );
    }
    t.equal(tree.attr(ROOT_INO)?.nlink, layout === 'flat' ? 3 : 5);
    const files = [...tree.entries(joined)].slice(2);
    t.same(
      files.map(({ name }) => name),
      ['dmesg-fake-0.joined', 'fake.2-dmesg-fake-0.joined', 'fake.2-dmesg-fake-3.joined'],
      'no two of them have the same name',
    );
    for (const { name, ino, attr } of files) {
      t.equal(tree.lookup(joined, name), ino);
      t.equal(tree.attr(ino)?.size, attr.size);
      t.equal(attr.nlink, 1);
      const text = Buffer.alloc(100);
      const length = tree.read(ino, text, 0);
      t.equal(length, attr.size);
      if (!name.includes('3')) t.equal(text.toString('latin1', 0, length), 'the beginning\nthe end\n');
    }
    t.equal(tree.lookup(joined, 'dmesg-fake-1'), 0, 'a part is not there');
    t.throws(() => tree.unlink(joined, 'dmesg-fake-0.joined'), { code: 'EPERM' });
  }
  t.equal(new Tree([{ backend: one, label: 'fake' }], OPTIONS).resolve('/.joined'), 0, 'only where it is asked for');

  const tree = new Tree([{ backend: one, label: 'fake' }], { ...OPTIONS, joined: true });
  const ino = tree.resolve('/.joined/dmesg-fake-0.joined');
  tree.unlink(ROOT_INO, 'dmesg-fake-1');
  const now = tree.resolve('/.joined/dmesg-fake-0.joined');
  t.not(now, ino, 'a dump that has lost a part is another one');
  t.equal(tree.attr(now)?.size, 'the end\n'.length);
  t.end();
});

t.test('layout flat: no two entries of one name, and a name always means its own record', async () => {
  const name = fc.constantFrom(
    ...['a', 'b', 'b.2'].flatMap((own) => [own, `dmesg-${own}-0`, `b-dmesg-${own}-0`, `b.2-${own}`]),
  );
  const source = fc.record({ own: fc.constantFrom('a', 'b'), names: fc.uniqueArray(name, { maxLength: 6 }) });
  fc.assert(
    fc.property(fc.array(source, { minLength: 1, maxLength: 4 }), (sources) => {
      const backends = sources.map(({ own, names }, at) => {
        const backend = new FakeBackend(own);
        for (const each of names) backend.add(`${at} ${each}`, each);
        return backend;
      });
      const labels = sources.map((_, at) => ['a', 'b', 'b.2', 'c'][at]!);
      const tree = treeOf(backends, { layout: 'flat' }, labels);
      const entries = [...tree.entries(ROOT_INO)].filter(({ isDirectory }) => !isDirectory);
      assert.equal(
        entries.length,
        sources.reduce((sum, { names }) => sum + names.length, 0),
      );
      assert.equal(new Set(entries.map((entry) => entry.name)).size, entries.length);
      for (const entry of entries) assert.equal(tree.lookup(ROOT_INO, entry.name), entry.ino, entry.name);
      for (const { name } of entries) {
        tree.unlink(ROOT_INO, name);
        assert.equal(tree.lookup(ROOT_INO, name), 0, `${name} does not become the name of another record`);
      }
    }),
    { numRuns: 500 },
  );
});

t.test('a slot that is used again and again costs nothing more', async (t) => {
  const backend = new FakeBackend('a', ['x']);
  const tree = treeOf([backend], { layout: 'subdirs' });
  const seen = new Set<number>();
  for (let round = 0; round < 100; round++) {
    backend.reuse(0, `text ${round}`);
    const ino = tree.resolve('/a/dmesg-a-0');
    for (const old of seen) t.equal(tree.attr(old), undefined);
    seen.add(ino);
  }
  t.equal(seen.size, 100, 'each record has a number of its own');
});
