// What recovery reads of each dmesg zone, what it takes from before, and what it says; the rules of the ring and of the
// counters are in engine.ts.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { dialectsOf } from '../../lib/blk/dialects.js';
import { type DmesgRow, DmesgTable, ZoneState } from '../../lib/blk/dmesg-table.js';
import { layOut, NO_ZONES, type ZoneGeometry } from '../../lib/blk/geometry.js';
import { countHidden, followsTimes, type Recovered, recoverDmesg } from '../../lib/blk/recovery.js';
import { parseAbi } from '../../lib/pstore/abi.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import type { Warning } from '../../lib/warnings.js';
import { FaultyStorage } from '../builders/faulty.js';
import { FORMATS, MACHINE_NAMES, partition, type RecordSpec, type ZonePartition } from '../builders/zone.js';

const EMPTY = { datalen: 0, counter: 0, reason: 0, compressed: 0, seconds: 0n, nanoseconds: 0n };
const MAGIC = 0x4dfc3ae5;
const SIGNATURE = 0x43474244;

function geometryOf({ format, bytes, kmsgSize }: ZonePartition): ZoneGeometry {
  return layOut(dialectsOf(format)[0]!, bytes.length, { ...NO_ZONES, kmsgSize }, 'image.raw');
}

function storageOf(image: ZonePartition): FaultyStorage {
  return new FaultyStorage(new MemoryStorage(image.bytes, { path: 'image.raw' }));
}

function recover(image: ZonePartition, storage = storageOf(image), known?: DmesgTable, held: readonly number[] = []) {
  const geometry = geometryOf(image);
  const before = known ?? new DmesgTable(geometry.kmsgCount);
  return recoverDmesg(storage, geometry, parseAbi(image.abi), before, (index) => held.includes(index));
}

const said = <T>(found: Recovered, what: (warning: Warning) => T) => found.warnings.list.map(what);
const rows = (table: DmesgTable) => Array.from({ length: table.length }, (_, index) => table.row(index));

const header = fc.record({
  seconds: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  nanoseconds: fc.bigInt({ min: 0n, max: 999_999_999n }),
  counter: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  reason: fc.integer({ min: 0, max: 0xffff_ffff }),
  compressed: fc.integer({ min: 0, max: 255 }),
});
const KINDS = ['never', 'unused', 'live', 'erased', 'overtop', 'unmagic', 'blank', 'unsigned'] as const;

/** What is written otherwise than in a good record, the row that it makes, and the warning. */
function damage(kind: (typeof KINDS)[number], by: number, whole: number, area: number) {
  const { Live, Erased, Overtop, Invalid, Unsigned } = ZoneState;
  const kinds: Record<string, [spec: RecordSpec, row: Partial<DmesgRow>, code?: string]> = {
    live: [{}, { state: Live, datalen: whole }],
    erased: [{ erased: true }, { state: Erased, datalen: 0 }],
    overtop: [{ datalen: area + by }, { ...EMPTY, state: Overtop, datalen: area + by }, 'zone-overtop'],
    unmagic: [{ magic: MAGIC ^ by }, { ...EMPTY, state: Invalid, datalen: whole }, 'zone-invalid'],
    blank: [
      { magic: MAGIC ^ by, erased: true },
      { ...EMPTY, state: Invalid },
    ],
    unused: [
      { sig: SIGNATURE ^ by, erased: true },
      { ...EMPTY, state: Unsigned },
    ],
    unsigned: [{ sig: SIGNATURE ^ by }, { ...EMPTY, state: Unsigned, datalen: whole }, 'zone-invalid'],
  };
  return kinds[kind];
}

t.test('every zone becomes the row that its headers tell, and a damaged one is warned of', async () => {
  const zone = fc.tuple(fc.constantFrom(...KINDS), fc.integer({ min: 1, max: 400 }), header);
  const images = fc.tuple(
    fc.constantFrom(...FORMATS),
    fc.constantFrom(...MACHINE_NAMES),
    fc.constantFrom(0, 0xff),
    fc.constantFrom(512, 1536, 2048, 4096),
    fc.array(zone, { minLength: 1, maxLength: 8 }),
  );
  fc.assert(
    fc.property(images, ([format, abi, fill, kmsg, zones]) => {
      const image = partition(32768, { format, abi, fill }).kmsg(kmsg);
      const expected: DmesgRow[] = image.kmsgZones.map(() => ({ state: ZoneState.Unsigned, ...EMPTY }));
      const warnings: [string, number][] = [];
      for (const [index, [kind, by, fields]] of zones.entries()) {
        const [spec, row, code] = damage(kind, by, image.recordHeaderSize + by, kmsg - image.bufferHeaderSize) ?? [];
        if (!row) continue;
        image.dmesg(index, { ...fields, body: 'x'.repeat(by), ...spec });
        expected[index] = { ...expected[index]!, ...fields, ...row };
        if (code) warnings.push([code, index * kmsg]);
      }
      const end = format === 'blkoops' ? expected.findIndex(({ state }) => state === ZoneState.Unsigned) : -1;
      if (end >= 0) expected.fill({ state: ZoneState.NotLookedAt, ...EMPTY }, end + 1);
      const seen = warnings.filter(([, offset]) => end < 0 || offset <= end * kmsg);
      const before = image.bytes.slice();
      const found = recover(image);
      assert.deepEqual(rows(found.table), expected);
      const codes = said(found, ({ code, offset }) => [code, offset]);
      assert.deepEqual(codes, seen);
      if (end >= 0) assert.equal(found.next, end);
      assert.deepEqual(image.bytes, before);
      assert.deepEqual(recover(image, undefined, found.table).warnings.list, [], 'nothing new');
    }),
    { numRuns: 300 },
  );
});

const oops = (n: number, more: RecordSpec = {}): RecordSpec => ({ body: 'text', seconds: n, counter: n, ...more });

t.test('warnings tell what was found, once', async (t) => {
  const image = partition(16384).kmsg(4096);
  const specs = [{ sig: 0x12 }, { datalen: 4085 }, { magic: 0xabc }, {}];
  for (const [index, spec] of specs.entries()) image.dmesg(index, oops(index, spec));
  const found = recover(image);
  const behind = '; a kernel skips it, and salvage shows what can be read of it';
  const expected = [
    `image.raw: dmesg zone 0 at offset 0 has the signature 0x00000012 where 0x43474244 should be${behind}`,
    `image.raw: dmesg zone 1 at offset 4096 says that it holds 4085 bytes, but has room for 4084${behind}`,
    `image.raw: dmesg zone 2 at offset 8192 has the magic 0x00000abc where 0x4dfc3ae5 should be${behind}`,
  ];
  const messages = said(found, ({ message }) => message);
  t.same(messages, expected);
  image.dmesg(1, oops(2, { datalen: 5000 })).dmesg(3, { sig: 0, erased: true });
  const again = recover(image, undefined, found.table).warnings.list;
  t.match(again, [{ code: 'zone-overtop', offset: 4096, message: /holds 5000 bytes/ }], 'only what differs');
  t.equal(again.length, 1);
  t.equal(recover(image.dmesg(1, oops(2, { datalen: 4084 }))).table.state(1), ZoneState.Live, 'just full');
});

t.test('a zone whose newest content is in memory stays as it is known, and counts', async (t) => {
  const image = partition(16384).kmsg(4096).dmesg(0, oops(5)).dmesg(2, oops(7));
  const known = new DmesgTable(4);
  const row = { ...EMPTY, state: ZoneState.Live, datalen: 99, counter: -2, reason: 2, seconds: 6n };
  known.set(1, row);
  const storage = storageOf(image);
  storage.broken = [{ offset: 4096, length: 4096, code: 'EIO' }];
  const { table, next, counters, warnings } = recover(image, storage, known, [1]);
  t.same(table.row(1), row);
  t.same([next, counters.counted.oops, warnings.list], [3, 0xfffffffe, []]);
  t.equal(recover(image, storage, known).table.state(1), ZoneState.Unreadable, 'otherwise it is');
});

t.test('what cannot be read', async (t) => {
  for (const kmsg of [512, 4096]) {
    const image = partition(16384).kmsg(kmsg);
    for (let i = 0; i < 4; i++) image.dmesg(i, oops(i));
    const states = (end: number, code?: 'EIO' | 'ENOMSG') => {
      const storage = storageOf(image);
      storage.end = end;
      if (code) storage.broken = [{ offset: 2 * kmsg - 1, length: 2, code }];
      return rows(recover(image, storage).table)
        .slice(0, 4)
        .map(({ state }) => state);
    };
    const { Live, Unreadable } = ZoneState;
    t.same(states(2 * kmsg + 52), [Live, Live, Live, Unreadable], 'both headers are enough');
    t.same(states(2 * kmsg + 51), [Live, Live, Unreadable, Unreadable]);
    t.same(states(1e6, 'EIO'), [Live, Live, Unreadable, Live], 'a broken place between two zones');
    t.same(states(1e6, 'ENOMSG'), [Live, Live, Unreadable, Live]);
    const storage = storageOf(image);
    storage.there = false;
    t.throws(() => recover(image, storage), { code: 'EAGAIN' });
    storage.there = true;
    storage.broken = [{ offset: 0, length: 16384, code: 'EIO' }];
    t.throws(() => recover(image, storage), { code: 'EIO' });
  }
});

t.test('whether the times go on along the ring', async (t) => {
  const states = { L: ZoneState.Live, E: ZoneState.Erased, I: ZoneState.Invalid, U: ZoneState.Unsigned };
  const follow = 'U0 U0:0, L5:0, L1 L2 L3:0, L3 L1 L2:1, L2 I1 L2 U0:3, L-2 L-1:0, L1 L1 U0:2, L0 L0 U0:2, L1 L1 L2:0';
  const doNot = 'L3 L1 L2:0, L2 L1 U0:2, L2 E1 U0:2, L1 E1:0, E1 L1:0';
  // Each zone's state and seconds, then the next zone.
  for (const text of `${follow}, ${doNot}`.split(', ')) {
    const [zones, next] = text.split(':') as [string, string];
    const list = zones.split(' ');
    const table = new DmesgTable(list.length);
    for (const [index, text] of list.entries()) {
      const state = states[text[0] as keyof typeof states];
      table.set(index, { ...EMPTY, state, seconds: BigInt(text.slice(1)) });
    }
    t.equal(followsTimes(table, Number(next)), follow.includes(text), text);
  }
});

t.test('records behind the zone at which RFC v5 stops', async (t) => {
  const image = partition(65536, { format: 'blkoops' }).kmsg(4096).dmesg(0, oops(1)).dmesg(2, oops(2));
  const others = { 4: { erased: true }, 5: { datalen: 9999 }, 15: { sig: 0 } };
  for (const [index, spec] of Object.entries(others)) image.dmesg(Number(index), oops(3, spec));
  const count = (stop: number) => countHidden(storageOf(image), geometryOf(image), parseAbi('le64'), stop);
  t.same(
    [0, 1, 2, 4, 5, 14, 15].map((stop) => Object.values(count(stop))),
    [
      [3, 1],
      [3, 1],
      [2, 1],
      [2, 0],
      [1, 0],
      [1, 0],
      [0, 0],
    ],
    'erased ones are counted by themselves',
  );
  // Every zone of this medium holds the same record.
  const { bytes } = partition(4096, { format: 'blkoops' }).kmsg(4096).dmesg(0, oops(1));
  const endless = new MemoryStorage(bytes);
  const storage = Object.assign(Object.create(endless), { read: (to: Uint8Array) => endless.read(to, 0) });
  const geometry = layOut(dialectsOf('blkoops')[0]!, 256 << 20, { ...NO_ZONES, kmsgSize: 32 << 20 }, 'image.raw');
  t.same(countHidden(storage, geometry, parseAbi('le64'), 0), { records: 3, erased: 0 }, 'within 128 MiB');
});
