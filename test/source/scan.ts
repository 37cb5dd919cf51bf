// Images of every family, put at odd places of a larger file, are found there, and nothing else is.

import t from 'tap';
import { Scan } from '../../lib/source/scan.js';
import { WordSweep } from '../../lib/source/word-sweep.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { buildFadump } from '../builders/fadump.js';
import { FaultyStorage } from '../builders/faulty.js';
import { type HugePart, HugeStorage } from '../builders/huge.js';
import { dice } from '../builders/ramoops-dialects.js';
import { partition } from '../builders/zone.js';
import { goldenImage } from '../fixture-path.js';

function noise(size: number, seed: number): Uint8Array {
  const roll = dice(seed);
  return Uint8Array.from({ length: size }, () => roll(256));
}

const scan = (bytes: Uint8Array, align: 512 | 4 = 512) =>
  new Scan(new MemoryStorage(bytes, { path: 'disk.img', writable: false }), { align }).regions();

const IMAGES: readonly (readonly [kind: string, bytes: () => Uint8Array])[] = [
  ['pstore_blk', () => goldenImage('s1')],
  ['pstore_blk', () => goldenImage('be-s2')],
  ['blkoops', () => goldenImage('v2')],
  ['ramoops', () => goldenImage('r2')],
  ['mtdoops', () => goldenImage('mtdoops-1')],
  ['efi', () => goldenImage('efi-oops3')],
  ['erst', () => goldenImage('erst-oops3')],
  ['vmcoredd', () => goldenImage('vmcoredd-1', 'vmcore-head.raw')],
  ['fadump', () => buildFadump({ endian: 'big', layout: 'new' })],
];

for (const [kind, image] of IMAGES) {
  t.test(`${kind} is found between other bytes, at multiples of 512 and, when asked, of 4`, async (t) => {
    const bytes = image();
    for (const [at, align] of [
      [512 * 77, 512],
      [512 * 77 + 4, 4],
    ] as const) {
      for (const around of [noise(bytes.length + 200_000, 3), new Uint8Array(bytes.length + 200_000)]) {
        around.set(bytes, at);
        const found = scan(around, align).filter(({ sure }) => sure > 0.5);
        t.match(found, [{ kind: { name: kind }, offset: at }], `${found.length} at ${at}`);
        t.equal(found.length, 1);
        if (kind !== 'fadump') t.ok((found[0]?.size ?? 0) <= bytes.length);
      }
    }
  });
}

t.test('what stands at an odd place is not looked for by default', async (t) => {
  const around = new Uint8Array(1 << 20);
  around.set(goldenImage('s1'), 516);
  t.same(scan(around), []);
});

t.test('nothing is found in noise, text, or our own source', async (t) => {
  t.same(scan(noise(4 << 20, 5), 4), []);
  t.same(scan(new TextEncoder().encode('==== 1.2\nDBGC CPER\nERST KDUMP MRVN\n'.repeat(10_000)), 4), []);
});

t.test('the empty zones of a partition are no region of another kind', async (t) => {
  const image = partition(1 << 20)
    .kmsg(65536)
    .formatted()
    .dmesg(0, { body: 'Oops#1 Part1\n<4>[    1.000000] a log\n' });
  const found = scan(image.bytes).filter(({ sure }) => sure > 0.5);
  t.same(
    found.map(({ kind, offset }) => [kind.name, offset]),
    [['pstore_blk', 0]],
  );
});

t.test('a region that was never used is not told with certainty: two kinds have the same empty zones', async (t) => {
  for (const image of [
    partition(1 << 20).kmsg(16384),
    partition(1 << 20)
      .console(65536)
      .pmsg(65536)
      .kmsg(65536),
  ]) {
    t.same(
      scan(image.formatted().bytes).filter(({ sure }) => sure > 0.5),
      [],
    );
  }
});

t.test('two images of one kind that stand side by side are two', async (t) => {
  const [first, second] = [goldenImage('s1'), goldenImage('be-s2')];
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  t.same(
    scan(both).map(({ kind, offset }) => `${kind.name} ${offset}`),
    ['pstore_blk 0', `pstore_blk ${first.length}`],
  );
});

t.test('a block that cannot be read costs what is in it, and no more', async (t) => {
  const bytes = new Uint8Array(2 << 20);
  bytes.set(goldenImage('s1'), 1 << 20);
  const faulty = new FaultyStorage(new MemoryStorage(bytes, { path: 'disk.img', writable: false }));
  faulty.broken = [{ offset: 4096, length: 4096, code: 'EIO' }];
  const found = new Scan(faulty, { align: 512 }).regions();
  t.match(found, [{ kind: { name: 'pstore_blk' }, offset: 1 << 20 }]);
});

t.test('holes are not read', async (t) => {
  const bytes = new Uint8Array(8 << 20);
  const at = 5 << 20;
  bytes.set(goldenImage('v2'), at);
  const read: number[] = [];
  const below = new MemoryStorage(bytes, { path: 'sparse', writable: false });
  const storage = {
    path: below.path,
    size: below.size,
    writable: false,
    read: (target: Uint8Array, offset: number) => {
      read.push(offset);
      return below.read(target, offset);
    },
    write: () => {},
    sync: () => {},
    close: () => {},
    nextRun: (offset: number) => (offset <= at ? { from: at, to: at + (1 << 20) } : undefined),
  };
  const found = new Scan(storage, { align: 512 }).regions();
  t.match(found, [{ kind: { name: 'blkoops' }, offset: at }]);
  t.ok(read.every((offset) => offset >= at));
});

t.test(
  'a flood of headers apart from each other is not searched one by one, and does not hide another kind',
  async (t) => {
    const header = (i: number) => {
      const bytes = new Uint8Array(12);
      bytes.set(new TextEncoder().encode('DBGC'));
      return { offset: i * 2 ** 32, bytes };
    };
    const few = Array.from({ length: 50 }, (_, i) => header(i));
    const many = Array.from({ length: 3000 }, (_, i) => header(i));
    const other = { offset: 3001 * 2 ** 32, bytes: goldenImage('mtdoops-1') };
    const scanned = (parts: readonly HugePart[]) => {
      const scanner = new Scan(new HugeStorage(2 ** 44, parts), { align: 512 });
      return { regions: scanner.regions(), isIncomplete: scanner.isIncomplete };
    };
    t.match(scanned(few), { isIncomplete: false });
    t.equal(scanned(few).regions.length, 50);
    const flood = scanned([...many, other]);
    t.equal(flood.isIncomplete, true);
    t.ok(flood.regions.length < 500, `${flood.regions.length} regions`);
    t.match(flood.regions.at(-1), { kind: { name: 'mtdoops' }, offset: other.offset });
  },
);

t.test('a word is found by whoever looks for it, where it stands in a header', async (t) => {
  const word = new TextEncoder().encode('ABCD');
  const sweep = new WordSweep([
    { bytes: word, at: 0, owner: 'first' },
    { bytes: word, at: 8, owner: 'third' },
  ]);
  const bytes = new Uint8Array(2048);
  bytes.set(word, 520);
  const found = (align: number) => {
    const all: string[] = [];
    sweep.sweep(new Uint32Array(bytes.buffer), align, (begin, owner) => all.push(`${owner} ${begin}`));
    return all.sort();
  };
  t.same(found(512), ['third 512']);
  t.same(found(4), ['first 520', 'third 512']);
});
