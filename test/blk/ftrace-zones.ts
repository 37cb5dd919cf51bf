// Where ftrace zones lie, how large and how many they are: from headers, records, and nothing but the gap they fill.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { type FtraceEvidence, findFtrace, ftraceSizeOf, hiddenFtrace } from '../../lib/blk/ftrace-zones.js';
import { findMarks } from '../../lib/blk/marks.js';
import { parseAbi } from '../../lib/pstore/abi.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { ftraceBytes, type Machine } from '../builders/ftrace.js';
import { MACHINES, type MachineName, partition, type RingSpec, type ZonePartition } from '../builders/zone.js';

const FRONT = 4096;

/** As many records as make a ring wrap; and a ring that was erased. */
const FULL = -1;
const GONE = -2;

interface Built {
  readonly abi?: MachineName;
  readonly machine?: Machine;
  /** CPUs that the records name, if not those of their zones. */
  readonly names?: readonly number[];
}

/** How many records were written to each CPU's ring; none, and it was never used. */
function image(counts: readonly number[], size: number, { abi = 'le64', machine, names }: Built = {}): ZonePartition {
  const { word, little } = MACHINES[abi];
  const most = Math.floor(size / counts.length / (2 * word + 8)) + 20;
  const ring = (count: number, index: number): RingSpec | undefined => {
    if (count === 0) return undefined;
    if (count === GONE) return { data: '', datalen: 0, start: 0 };
    const cpu = names?.[index] ?? index;
    return Array.from({ length: count === FULL ? most : count }, (_, n) => {
      const record = { cpu, ts: 100n + BigInt(n), ip: 0x81000000n + BigInt(4 * n), parent: 0x82000000n };
      return ftraceBytes(record, machine ?? (word === 8 ? '64' : '32'), little);
    });
  };
  return partition(65536 + FRONT + size, { abi })
    .console(FRONT)
    .ftrace(size, counts.length, counts.map(ring))
    .kmsg(4096);
}

function find(made: ZonePartition, more: Partial<FtraceEvidence> = {}) {
  const storage = new MemoryStorage(made.bytes);
  const total = made.bytes.length;
  const marks = findMarks(storage, total).filter(({ type }) => type === 'ftrace');
  const known = { least: FRONT, start: undefined, kmsgOffset: made.kmsgZones[0]!.offset, total, formatted: false };
  return findFtrace(marks, { ...known, given: {}, storage, abi: parseAbi(made.abi), wordBitsProven: false, ...more });
}

t.test('what tells the division', async (t) => {
  const size = 8192;
  const few = 10;
  const end = FRONT + size;
  const at = (cpus: number, more: object = {}) => ({
    offset: FRONT,
    size: Math.floor(size / cpus),
    cpus,
    misfit: 0,
    ...more,
  });
  const known = (counts: readonly number[], ftraceSize: number, cpus?: number, more: Partial<FtraceEvidence> = {}) =>
    find(image(counts, size), { given: { ftraceSize, ...(cpus ? { cpus } : {}) }, ...more });
  const first = image([0, 0], size).places[1]!;
  const sure = { certain: true };
  const guess = { certain: false };
  const table: [string, ReturnType<typeof find>, object | undefined][] = [
    ['two rings', find(image([few, few], size)), at(2, sure)],
    ['two of four', find(image([0, few, 0, few], size)), at(4, sure)],
    ['a full one', find(image([0, FULL, 0], 12288)), at(3, { size: 4096, ...sure })],
    [
      'a full one that names no CPU',
      find(image([0, 0], size).ring(first, Array(500).fill('0123456789'))),
      at(2, guess),
    ],
    ['one, and the beginning', find(image([0, 0, few, 0], size), { start: FRONT }), at(4, sure)],
    ['one, and no beginning', find(image([0, 0, few, 0], size)), at(4, guess)],
    ['the first of several', find(image([few, 0], size)), at(1, guess)],
    ['an empty one, and the beginning', find(image([0, GONE], size), { start: FRONT }), at(2, guess)],
    ['an empty one at an odd place', find(image([0, GONE, 0, 0, 0], size)), at(5, guess)],
    ['an empty one of CPU 1 before another', find(image([0, GONE, 0, few], size)), at(4, guess)],
    ['a formatted image', find(image([0, 0, 0, 0], size).formatted(), { formatted: true }), at(4, sure)],
    ['no end', find(image([0, few, few, 0], size), { kmsgOffset: undefined }), at(3, { size: 2048, ...guess })],
    ['sizes that are given', known([few, 0, 0, 0], size, 4), at(4, sure)],
    ['the whole size', known([0, few, few, 0], size), at(4, guess)],
    ['too small for two rings', known([few, few], 4096, 1), at(1, { size: 4096, misfit: 2.5, ...guess })],
    ['too small for what a ring holds', known([30, 0], 512, 1), at(1, { size: 512, misfit: 1.5 })],
    [
      'too large for the image',
      known([few, 0], 1 << 20, 1, { kmsgOffset: undefined }),
      at(1, { size: 1 << 20, misfit: 2 }),
    ],
    [
      'the CPUs the other way round',
      find(image([few, few], size, { names: [1, 0] }), { given: { ftraceSize: size, cpus: 2 } }),
      at(2, { misfit: 2 }),
    ],
    ['another beginning than was thought', find(image([few, few], size), { start: 0 }), at(2, { misfit: 0.5 })],
  ];
  for (const [name, found, expected] of table) t.match(found, expected as object, name);
  t.equal(find(image([0, 0], size)), undefined, 'no header');
  for (const least of [FRONT + 1, end]) {
    const found = find(image([0, few, few], 12288), { least });
    t.ok(!found || (found.offset >= least && found.offset % 512 === 0), 'never before, and at a multiple of 512');
  }
});

t.test('what does not fit', async (t) => {
  const made = image([10, FULL, 10], 12288);
  new DataView(made.bytes.buffer).setUint32(FRONT + 4, 5000, true);
  t.match(
    find(made),
    { offset: FRONT, size: 4096, cpus: 3, misfit: 1, certain: false },
    'one damaged length is one thing',
  );
  const odd = image([10], 8192);
  const { places } = image([10, 10], 8192);
  odd.ring({ ...places[2]!, offset: FRONT + 1000, size: 1000 }, [new Uint8Array(24).fill(1)]);
  t.match(find(odd, { kmsgOffset: FRONT + 2000 }), { size: 1000, cpus: 2, misfit: 1 }, 'no kernel divides so');
});

t.test('records tell the word size', async (t) => {
  const bits = (abi: MachineName, machine?: Machine, more: Partial<FtraceEvidence> = {}) =>
    find(image([9, 9, 9], 12288, { abi, ...(machine ? { machine } : {}) }), more)?.wordBits;
  t.equal(bits('le64'), 64);
  t.equal(bits('be64'), 64);
  t.equal(bits('le32'), 32);
  t.equal(bits('be32'), 32);
  t.equal(bits('le32', 'arm'), 32);
  t.equal(bits('be32', 'arm'), undefined, 'a way of little-endian machines only');
  t.equal(bits('le64', '32', { wordBitsProven: true }), undefined, 'not against what is known');
  t.equal(find(image([0, 0], 8192).formatted(), { formatted: true })?.wordBits, undefined, 'none, none');
});

t.test('any division is found where two rings have records, and is the one that was', async () => {
  const shape = fc.record({
    machine: fc.constantFrom('le64', 'be64', 'le32', 'be32', 'le32-align4', 'arm'),
    units: fc.integer({ min: 8, max: 40 }),
    counts: fc.array(fc.constantFrom(0, 1, 3, FULL), { minLength: 2, maxLength: 9 }),
    ends: fc.boolean(),
    start: fc.boolean(),
  });
  fc.assert(
    fc.property(shape, ({ machine, units, counts, ends, start }) => {
      // On ARM two bits of an address hold the CPU, which a single record does not tell from a time.
      const used = machine === 'arm' ? counts.slice(0, 4).map((count) => (count > 0 ? 3 * count : count)) : counts;
      fc.pre(used.filter(Boolean).length >= 2);
      const made = image(used, units * 512, machine === 'arm' ? { abi: 'le32', machine } : { abi: machine });
      const [first] = made.places.filter(({ kind }) => kind === 'ftrace');
      const found = find(made, { ...(start ? { start: FRONT } : {}), ...(ends ? {} : { kmsgOffset: undefined }) })!;
      assert.deepEqual([found.offset, found.size, found.misfit], [FRONT, first!.size, 0]);
      assert.equal(found.certain, ends);
      assert.equal(found.wordBits, MACHINES[made.abi].word * 8);
      if (ends) assert.equal(found.cpus, made.places.filter(({ kind }) => kind === 'ftrace').length);
      else assert.ok(found.cpus > used.findLastIndex(Boolean));
    }),
    { numRuns: 200 },
  );
});

t.test('the size that was divided', async () => {
  for (const [size, cpus, whole] of [
    [512, 1, 512],
    [511, 1, 512],
    [513, 1, 1024],
    [1638, 5, 8192],
    [4096, 3, 12288],
  ]) {
    assert.equal(ftraceSizeOf(size!, cpus!), whole);
  }
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4096 }), fc.integer({ min: 1, max: 512 }), (units, cpus) => {
      assert.equal(ftraceSizeOf(Math.floor((units * 512) / cpus), cpus), units * 512);
    }),
    { numRuns: 500 },
  );
});

t.test('zones without a header', async (t) => {
  const guess = { certain: false, wordBits: undefined, misfit: 0 };
  t.equal(hiddenFtrace(4096, 8190, { ftraceSize: 8192 }), undefined, 'a size is given');
  t.equal(hiddenFtrace(8190, 8190, {}), undefined, 'no room');
  t.equal(hiddenFtrace(0, 8192, {}), undefined, 'nothing must be there');
  t.same(hiddenFtrace(0, 8192, {}, true), { offset: 0, size: 8192, cpus: 1, ...guess });
  t.same(hiddenFtrace(100, 8192, { cpus: 2 }, true), { offset: 512, size: 3840, cpus: 2, ...guess });
  t.equal(hiddenFtrace(0, 8190, { cpus: 2 }), undefined, 'two CPUs leave one byte at most');
  t.equal(hiddenFtrace(0, 13, {}), undefined, 'no room for a header each');
  t.equal(hiddenFtrace(0, 2560, { cpus: 3 }, true), undefined, 'where the others end, nowhere else');
  const shape = fc.record({
    earlier: fc.nat(63),
    least: fc.integer({ min: 63, max: 99 }),
    units: fc.integer({ min: 8, max: 200 }),
    cpus: fc.integer({ min: 1, max: 64 }),
  });
  fc.assert(
    fc.property(shape, ({ earlier, least, units, cpus }) => {
      const size = Math.floor((units * 512) / cpus);
      const end = least * 512 + size * cpus;
      const odd = end % 512 !== 0;
      const found = hiddenFtrace(least * 512, end, {});
      assert.equal(found !== undefined, odd, 'there must be some, and are');
      assert.deepEqual(hiddenFtrace(least * 512, end, { cpus }, !odd), {
        offset: least * 512,
        size,
        cpus,
        ...guess,
      });
      if (!found) return;
      const before = (least - (earlier % cpus)) * 512;
      assert.ok(hiddenFtrace(before, end, { cpus })!.offset >= before, 'there, or later');
      assert.equal(found.offset + found.size * found.cpus, end);
      assert.ok(found.offset >= least * 512 && found.offset % 512 === 0 && found.size > 12);
      assert.equal(Math.floor(ftraceSizeOf(found.size, found.cpus) / found.cpus), found.size, 'a kernel divides so');
    }),
    { numRuns: 300 },
  );
});
