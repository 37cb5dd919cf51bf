// Partitions that kernels with several sizes have used: the listing is the last kernel's.

import t from 'tap';
import { blkoops } from '../../lib/blk/blkoops.js';
import { pstoreBlk } from '../../lib/blk/pstore_blk.js';
import { open } from '../../lib/core.js';
import type { Backend } from '../../lib/pstore/backend.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { Warnings } from '../../lib/warnings.js';
import { type Boot, ReusedPartition } from '../builders/reused.js';
import { goldenImage } from '../fixture-path.js';

const K = 1024;
type Dialect = ConstructorParameters<typeof ReusedPartition>[1];

function openAs(image: Uint8Array, dialect: Dialect): Backend {
  const storage = SurvivingStorage.opening(new MemoryStorage(image, { path: 'image' }));
  const all = { keys: SourceKeys.of({}), warnings: new Warnings(), cache: new TextCache() };
  const kind = dialect === 'rfc5' ? blkoops : pstoreBlk;
  return kind.open({ path: 'image', storage, ...all, readFile: () => new Uint8Array(0) });
}

/** Seconds of so many dumps. */
const row = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + 10 * i);
/** A clock that went back: the newer boot believes to be before the older one. */
const [OLD, NEW, BEFORE] = [100_000, 200_000, 50_000];

function found(image: ReusedPartition, dialect: Dialect) {
  return openAs(image.bytes, dialect).info().geometry;
}

for (const dialect of ['rfc5', 'vendor'] as const) {
  t.test(`dmesg zones of ${dialect}, which begin where the partition does`, async (t) => {
    const table: readonly (readonly [what: string, total: number, boots: readonly Boot[]])[] = [
      [
        'larger zones, one dump',
        256,
        [
          { size: 4, at: row(OLD, 40) },
          { size: 48, at: [NEW] },
        ],
      ],
      [
        'larger zones of a multiple, three dumps',
        192,
        [
          { size: 16, at: row(OLD, 9) },
          { size: 48, at: row(NEW, 3) },
        ],
      ],
      [
        'short dumps in zones of a multiple',
        512,
        [
          { size: 8, at: row(OLD, 60) },
          { size: 64, at: row(NEW, 3), fill: 0.1 },
        ],
      ],
      [
        'no multiple',
        192,
        [
          { size: 8, at: row(OLD, 14) },
          { size: 12, at: row(NEW, 3), fill: 0.4 },
        ],
      ],
      [
        'smaller zones',
        192,
        [
          { size: 32, at: row(OLD, 8), fill: 0.5 },
          { size: 12, at: row(NEW, 2) },
        ],
      ],
      [
        'the ring came round',
        96,
        [
          { size: 8, at: row(OLD, 20) },
          { size: 24, at: row(NEW, 6), fill: 0.5 },
        ],
      ],
      [
        'a clock that went back',
        256,
        [
          { size: 12, at: row(OLD, 19) },
          { size: 32, at: row(BEFORE, 3) },
        ],
      ],
      [
        'and one dump only',
        256,
        [
          { size: 4, at: row(OLD, 60) },
          { size: 48, at: [BEFORE] },
        ],
      ],
    ];
    for (const [what, total, boots] of table) {
      const image = new ReusedPartition(total * K, dialect);
      for (const boot of boots) image.boot({ ...boot, size: boot.size * K });
      const last = boots.at(-1)!.size;
      t.match(found(image, dialect), { kmsg_size: last * K, kmsg_zones: Math.floor(total / last) }, what);
    }
  });
}

t.test("the pmsg ring of a vendor's partition is the last kernel's", async (t) => {
  const image = new ReusedPartition(256 * K, 'vendor');
  image.boot({ size: 16 * K, end: 192 * K, at: row(OLD, 14) }).ring('pmsg', 192 * K, 64 * K, 3000);
  image.boot({ size: 24 * K, end: 240 * K, at: row(NEW, 2) }).ring('pmsg', 240 * K, 16 * K);
  t.match(found(image, 'vendor'), { kmsg_size: 24 * K, kmsg_zones: 10, pmsg_size: 16 * K });
  const single = new ReusedPartition(144 * K, 'vendor');
  single.boot({ size: 16 * K, end: 128 * K, at: row(OLD, 8) }).ring('pmsg', 128 * K, 12 * K);
  single.boot({ size: 64 * K, end: 64 * K, at: [NEW], fill: 0.5 }).ring('pmsg', 64 * K, 64 * K, 97);
  t.match(found(single, 'vendor'), { kmsg_size: 64 * K, kmsg_zones: 1 }, 'one zone only, which the ring follows');
});

t.test('dmesg zones of mainline, after its rings', async (t) => {
  const image = new ReusedPartition(336 * K, 'mainline').ring('pmsg', 0, 32 * K);
  image.boot({ base: 32 * K, size: 12 * K, at: row(OLD, 40), fill: 0.9 });
  image.ring('pmsg', 0, 8 * K).boot({ base: 8 * K, size: 32 * K, at: row(NEW, 3) });
  t.match(found(image, 'mainline'), { kmsg_size: 32 * K }, 'other rings');

  const same = new ReusedPartition(256 * K, 'mainline').ring('console', 0, 16 * K);
  same.boot({ base: 16 * K, size: 8 * K, at: row(OLD, 40), fill: 0.3 });
  same.boot({ base: 16 * K, size: 48 * K, at: row(NEW, 1) });
  t.match(found(same, 'mainline'), { kmsg_size: 48 * K, kmsg_offset: 16 * K, console_size: 16 * K }, 'the same rings');

  const moved = new ReusedPartition(452 * K, 'mainline').ring('pmsg', 0, 12 * K).ring('console', 12 * K, 8 * K);
  moved.boot({ base: 20 * K, size: 96 * K, at: row(OLD, 1) });
  moved.ring('pmsg', 0, 64 * K, 5000).ring('console', 64 * K, 4 * K);
  moved.boot({ base: 68 * K, size: 64 * K, at: row(NEW, 3) });
  const sizes = { kmsg_size: 64 * K, kmsg_offset: 68 * K, pmsg_size: 64 * K, console_size: 4 * K };
  t.match(found(moved, 'mainline'), sizes, 'the console is the one that ends where the dumps begin');
});

t.test('one dump in a larger zone, where the older ones fit their ring with it', async (t) => {
  const doubts = (image: ReusedPartition, dialect: Dialect) =>
    openAs(image.bytes, dialect).warnings.list.filter(({ code }) => code === 'geometry-guess');
  for (const dialect of ['rfc5', 'vendor', 'mainline'] as const) {
    const image = new ReusedPartition(256 * K, dialect).boot({ size: 16 * K, at: row(OLD, 16) });
    t.same(doubts(image, dialect), [], `${dialect}: before that`);
    const [doubt] = doubts(image.boot({ size: 48 * K, at: [BEFORE], fill: 0.05 }), dialect);
    const what =
      'the dumps at 0 and 212992 both have the counter 14: kmsg_size=16K may be wrong, or one of these counters';
    t.match(doubt?.message, what, dialect);
  }
});

t.test('what is found so is no place for a write, and what is left over is told of', async (t) => {
  const image = new ReusedPartition(256 * K, 'rfc5').boot({ size: 4 * K, at: row(OLD, 40) });
  const backend = openAs(image.boot({ size: 48 * K, at: [NEW] }).bytes, 'rfc5');
  t.ok(Number(backend.info().confidence.kmsg_size) < 1);
  t.ok(backend.warnings.list.some(({ code }) => code === 'header-stray'));
});

t.test('a clock that went back is no other size', async (t) => {
  const image = new ReusedPartition(96 * K, 'vendor').boot({ size: 8 * K, at: row(OLD, 17) });
  t.match(found(image.boot({ size: 8 * K, at: row(BEFORE, 4) }), 'vendor'), { kmsg_size: 8 * K });
});

t.test('a counter that does not go on tells of other zones, though the times go up', async (t) => {
  const image = new ReusedPartition(128 * K, 'vendor').ring('pmsg', 112 * K, 16 * K, 222);
  const text = (reason: number) => `${reason === 2 ? 'Panic' : 'Oops'}#1 Part1\n${'a line of the log\n'.repeat(300)}`;
  const dump = (at: number, seconds: number, reason: number) =>
    image.place(at, { seconds, reason, counter: 1 }, text(reason));
  dump(0, OLD, 3);
  dump(8 * K, OLD + 100, 2);
  dump(16 * K, NEW, 2);
  t.match(found(image, 'vendor'), { kmsg_size: 16 * K }, 'its kernel has not seen the panic at 8 KiB');
});

t.test('counters go on along the zones of a board whose clock begins anew at each boot', async (t) => {
  const image = new ReusedPartition(30 * 8 * K, 'rfc5');
  const epoch = 1_600_000_000;
  const times = [170, 521, 0, 34, 104, 6, 4676, 1, 5007, 399];
  const oopses = [3, 5];
  for (const [i, seconds] of times.entries()) {
    const before = oopses.filter((one) => one < i).length;
    const isOops = oopses.includes(i);
    image.append(8 * K, {
      seconds: epoch + seconds,
      reason: isOops ? 2 : 1,
      counter: (isOops ? before : i - before) + 1,
    });
  }
  for (const erased of [1, 3, 4, 5, 6, 7, 8]) image.bytes.fill(0, erased * 8 * K + 4, erased * 8 * K + 8);
  t.match(found(image, 'rfc5'), { kmsg_size: 8 * K, kmsg_zones: 30 });
});

t.test('a length of which a bit is wrong tells of no other size', async (t) => {
  const sizeOf = (image: Uint8Array) => open(image).info().geometry.kmsg_size;
  for (const folder of ['a64-s3', 'be-s2', 's1'] as const) {
    const image = goldenImage(folder);
    const expected = sizeOf(image);
    const zones = [...(open(image).info().zones ?? [])];
    for (const { offset } of zones.filter(({ type, state }) => type === 'dmesg' && state === 'live')) {
      for (let bit = 8; bit < 32; bit++) {
        const damaged = image.slice();
        damaged[offset + 4 + (bit >> 3)]! ^= 1 << (bit & 7);
        if (sizeOf(damaged) !== expected) t.fail(`${folder}, the header at ${offset}, bit ${bit}`);
      }
    }
    t.ok(zones.length > 1, folder);
  }
});
