// From where dmesg headers stand: the zones' size and beginning, and how sure that is.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { detectZones } from '../../lib/blk/detect.js';
import { dialectsOf, MAINLINE } from '../../lib/blk/dialects.js';
import type { Generation } from '../../lib/blk/format.js';
import type { Mark } from '../../lib/blk/marks.js';
import { findStride, type Stride } from '../../lib/blk/stride.js';
import { DEFAULT_ABI } from '../../lib/pstore/abi.js';
import { BY_FILL, GUESS, LIKELY, PROVEN } from '../../lib/pstore/geometry.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { FaultyStorage } from '../builders/faulty.js';
import { partition } from '../builders/zone.js';

const K = 1024;
/** A record that is too long for half of the zones of 8 KiB that most tests have. */
const LONG = 5000;

function mark(offset: number, more: Partial<Mark> = {}): Mark {
  const common = { type: 'dmesg', endian: 'little', generation: 'pstore_blk', signed: true, magic: true } as const;
  return { ...common, offset, datalen: LONG, start: 0, formatted: false, doubtful: false, ...more };
}

interface Case {
  /** Offsets of headers, or headers. */
  readonly at: readonly (number | Mark)[];
  readonly of?: Generation;
  readonly given?: number;
  readonly formatted?: boolean;
  /** Bytes of the image; zeros end at `data`. */
  readonly total?: number;
  readonly data?: number;
}

function stride({ at, of = 'pstore_blk', given, formatted = false, total = 1 << 20, data = total }: Case) {
  const bytes = new Uint8Array(total).fill(0xff, data);
  const marks = at.map((each) => (typeof each === 'number' ? mark(each) : each));
  return findStride(
    { own: marks, dmesg: marks, abi: DEFAULT_ABI },
    dialectsOf(of)[0]!,
    new MemoryStorage(bytes),
    given,
    formatted,
  );
}

t.test('no zones, or none that are wanted', async (t) => {
  t.equal(stride({ at: [] }), undefined);
  t.equal(stride({ at: [], given: 8 * K }), undefined);
  t.equal(stride({ at: [0, 8 * K], given: 0 }), undefined);
});

type Answer = readonly [base: number, size: number, confidence: number];

function all(t: Test, table: readonly (readonly [name: string, of: Case, answer: Answer])[]): void {
  for (const [name, each, [base, size, confidence]] of table) t.same(stride(each), { base, size, confidence }, name);
}

t.test('several headers', async (t) => {
  const short = { datalen: 100 };
  const row = Array.from({ length: 12 }, (_, i) => i * 8 * K);
  const strays = Array.from({ length: 9 }, (_, i) => 96 * K + 512 * (i * (20 + i) + 1));
  all(t, [
    ['three in a row', { at: [4 * K, 12 * K, 20 * K] }, [4 * K, 8 * K, PROVEN]],
    ['two of many', { at: [4 * K, 12 * K] }, [4 * K, 8 * K, LIKELY]],
    ['two, and no room for a third', { at: [4 * K, 12 * K], total: 28 * K - 1 }, [4 * K, 8 * K, PROVEN]],
    ['two, and just room for a third', { at: [4 * K, 12 * K], total: 28 * K }, [4 * K, 8 * K, LIKELY]],
    ['what divides all distances', { at: [0, 16 * K, 40 * K].map((at) => mark(at)) }, [0, 8 * K, PROVEN]],
    ['no distance is the size', { at: [0, 1024, 2560].map((at) => mark(at, short)) }, [0, 512, PROVEN]],
    ['many stray headers behind', { at: [...row, ...strays] }, [0, 8 * K, PROVEN]],
    ['a stray header before', { at: [K, 8 * K, 16 * K, 24 * K] }, [8 * K, 8 * K, PROVEN]],
    ['a stray header between', { at: [0, 8 * K, 16 * K, 19 * K, 24 * K] }, [0, 8 * K, PROVEN]],
    [
      'records that fill their zones',
      { at: [0, 8 * K, 24 * K].map((at) => mark(at, { datalen: 8180 })) },
      [0, 8 * K, PROVEN],
    ],
    // Four begin at multiples of 4 KiB, two at those of 12: as long as this, the four count as two.
    ['of two equally good the larger', { at: [0, 4 * K, 8 * K, 20 * K] }, [8 * K, 12 * K, LIKELY]],
    ['odd distances are none', { at: [0, 1000, 1900] }, [0, 64 * K, GUESS]],
    ['a size that is given', { at: [4 * K, 12 * K, 20 * K], given: 16 * K }, [4 * K, 16 * K, PROVEN]],
    ['the same, of equally many the first', { at: [4 * K, 12 * K], given: 16 * K }, [4 * K, 16 * K, PROVEN]],
    ['one header, the size given', { at: [4 * K], given: 512 }, [4 * K, 512, PROVEN]],
    ['RFC v5 begins at 0', { at: [16 * K, 24 * K], of: 'blkoops' }, [0, 8 * K, LIKELY]],
    ['and goes by the first distance, too', { at: [8 * K, 40 * K], of: 'blkoops' }, [0, 8 * K, LIKELY]],
    ['and by what is given', { at: [16 * K, 24 * K], of: 'blkoops', given: 4 * K }, [0, 4 * K, PROVEN]],
  ]);
});

t.test('where the zeros behind the last record end', async (t) => {
  const last = 40 * K;
  all(t, [
    ['a part of the distance', { at: [8 * K, 24 * K, last], data: last + 8 * K }, [8 * K, 8 * K, PROVEN]],
    ['one, between two', { at: [8 * K, last], data: last + 16 * K }, [8 * K, 16 * K, PROVEN]],
    ['no part of the distance', { at: [8 * K, last], data: last + 12 * K }, [8 * K, 32 * K, LIKELY]],
    ['at no multiple of 512', { at: [last], data: last + 8 * K + 4, total: 128 * K }, [last, 64 * K, GUESS]],
    ['one header', { at: [last], data: last + 12 * K }, [last, 12 * K, BY_FILL]],
    ['far behind it', { at: [last], data: last + 320 * K }, [last, 320 * K, BY_FILL]],
    ['at the first byte that is read', { at: [mark(last, { datalen: 500 })], data: last + 512 }, [last, 512, BY_FILL]],
    ['at the end of what is read', { at: [mark(0, { datalen: 500 })], data: 66_048 }, [0, 66_048, BY_FILL]],
    ['nowhere', { at: [last] }, [last, 64 * K, GUESS]],
    ['nothing is known of RFC v5', { at: [0], of: 'blkoops', data: 12 * K }, [0, 64 * K, GUESS]],
    ['nor of two', { at: [0, 16 * K], of: 'blkoops', data: 24 * K }, [0, 16 * K, LIKELY]],
    ['nor without a magic', { at: [mark(0, { magic: false })], data: 12 * K }, [0, 64 * K, GUESS]],
    ['nor without data', { at: [mark(0, { datalen: 0 })], data: 12 * K }, [0, 64 * K, GUESS]],
    ['nor behind the end', { at: [mark(0, { datalen: 2 ** 32 - 1 })], total: 64 * K }, [0, 64 * K, GUESS]],
  ]);
});

t.test('a single header', async (t) => {
  const long = (datalen: number, offset = 0) => [mark(offset, { datalen })];
  const blkoops = { of: 'blkoops' } as const;
  all(t, [
    ['all the room, where each zone has one', { at: [512], formatted: true, total: 9999 }, [512, 9216, GUESS]],
    ['none, without any', { at: [9728], formatted: true, total: 9999 }, [9728, 512, GUESS]],
    ['as much as fits', { at: long(65524) }, [0, 64 * K, GUESS]],
    ['a byte more', { at: long(65525) }, [0, 128 * K, GUESS]],
    ['less room', { at: [0], total: 20_000 }, [0, 16 * K, GUESS]],
    ['no more room than it needs', { at: long(10_000), total: 10_240 }, [0, 10_240, GUESS]],
    ['longer than the image', { at: long(99_999), total: 10_240 }, [0, 8 * K, GUESS]],
    ['RFC v5: its place is a multiple', { at: [mark(24 * K)], ...blkoops }, [0, 24 * K, GUESS]],
    ['of the usual size, perhaps', { at: [mark(128 * K)], ...blkoops }, [0, 64 * K, GUESS]],
    ['just long enough', { at: long(8184, 8 * K), ...blkoops }, [0, 8 * K, GUESS]],
    ['too short for the record', { at: long(8185, 8 * K), ...blkoops }, [0, 512, GUESS]],
    ['at no multiple of 512', { at: long(100, 1000), ...blkoops }, [0, 512, GUESS]],
  ]);
});

t.test('zones before the first header that cannot be read', async (t) => {
  const zone = 8 * K;
  const dmesg = [2, 3, 4].map((at) => mark(at * zone));
  /** @param text what zones hold behind their first blocks: all of them, or the lost one alone */
  const base = (own: Mark[], text: 'everywhere' | 'in the lost one' | 'nowhere'): number | undefined => {
    const bytes = new Uint8Array(64 * K).fill(text === 'everywhere' ? 0x41 : 0xc3);
    if (text === 'in the lost one') bytes.fill(0x41, zone, 2 * zone);
    const medium = new FaultyStorage(new MemoryStorage(bytes));
    medium.broken = [{ offset: zone, length: 4 * K, code: 'EIO' }];
    const storage = new SurvivingStorage(medium);
    storage.read(new Uint8Array(bytes.length), 0);
    return findStride({ own, dmesg, abi: DEFAULT_ABI }, MAINLINE, storage, undefined, false)?.base;
  };
  const ring = mark(zone + 4 * K, { type: 'console' });
  t.equal(base(dmesg, 'everywhere'), zone, 'it was a dmesg zone: the others keep their numbers');
  t.equal(base(dmesg, 'nowhere'), zone);
  t.equal(base(dmesg, 'in the lost one'), 2 * zone, 'the others are compressed, this is a console');
  t.equal(base([ring, ...dmesg], 'everywhere'), 2 * zone, 'the header of a ring stands in it');
});

t.test('any zones are found that have neighbours, with a stray header, too', async () => {
  const zones = fc.record({
    units: fc.integer({ min: 2, max: 40 }),
    base: fc.nat(60),
    first: fc.nat(5),
    count: fc.integer({ min: 4, max: 12 }),
    fill: fc.double({ min: 0.6, max: 1, noNaN: true }),
    stray: fc.option(fc.nat(700), { nil: undefined }),
  });
  fc.assert(
    fc.property(zones, ({ units, base, first, count, fill, stray }) => {
      const size = units * 512;
      const datalen = Math.floor(fill * (size - 12));
      const offsets = Array.from({ length: count }, (_, i) => base * 512 + (first + i) * size);
      if (stray !== undefined && (stray - base) % units !== 0) offsets.push(stray * 512);
      const marks = offsets.sort((a, b) => a - b).map((offset) => mark(offset, { datalen }));
      const expected: Stride = { base: base * 512 + first * size, size, confidence: PROVEN };
      assert.deepEqual(stride({ at: marks, total: offsets.at(-1)! + 512 }), expected);
    }),
    { numRuns: 300 },
  );
});

t.test('a write that was cut off at any sector does not make the zones smaller', async (t) => {
  const [size, zones] = [8 * K, 4];
  const body = (id: number, length: number) => `Oops#1 Part1\n${`record ${id} `.repeat(length / 9)}`;
  const ring = partition(zones * size, { fill: 0 }).kmsg(size);
  for (let id = 0; id < zones; id++)
    ring.dmesg(id, { body: body(id, 5000), counter: id + 1, seconds: 1_600_000_000 + id });
  const next = partition(size, { fill: 0 })
    .kmsg(size)
    .dmesg(0, { body: body(9, 500), counter: 9, seconds: 1_700_000_000 });
  for (let id = 0; id < zones; id++) {
    for (let cut = 512; cut < size; cut += 512) {
      const bytes = ring.bytes.slice();
      bytes.set(next.bytes.subarray(0, cut), id * size);
      const found = detectZones(new MemoryStorage(bytes));
      t.equal(found?.sizes.kmsgSize, size, `zone ${id}, cut after ${cut} bytes`);
    }
  }
});
