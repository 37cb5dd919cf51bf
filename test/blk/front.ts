// The sizes of the zones in front of the dmesg zones, and which of them the image proves.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { type FrontEvidence, findFront } from '../../lib/blk/front.js';
import { findMarks } from '../../lib/blk/marks.js';
import { parseAbi } from '../../lib/pstore/abi.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { ftraceBytes } from '../builders/ftrace.js';
import {
  MACHINE_NAMES,
  MACHINES,
  type MachineName,
  partition,
  type RingSpec,
  type ZonePartition,
} from '../builders/zone.js';

const SIZES = ['pmsgSize', 'consoleSize', 'ttySize', 'ftraceSize', 'cpus'] as const;

function find(image: ZonePartition, more: Partial<FrontEvidence> = {}) {
  const storage = new MemoryStorage(image.bytes);
  const [total, abi] = [storage.size, parseAbi(image.abi)];
  const [marks, kmsgOffset] = [findMarks(storage, total), image.kmsgZones[0]!.offset];
  return findFront({
    marks,
    kmsgOffset,
    total,
    formatted: false,
    given: {},
    storage,
    abi,
    wordBitsProven: false,
    ...more,
  });
}

/** Sizes in units of 512 bytes, those that are proven with a `!`: pmsg, console, tty, ftrace, CPUs. */
function shown(image: ZonePartition, more: Partial<FrontEvidence> = {}): string {
  const { sizes, confidence } = find(image, more);
  const text = (name: (typeof SIZES)[number]) => sizes[name] / (name === 'cpus' ? 1 : 512);
  return SIZES.map((name) => `${text(name)}${confidence[name] === 1 ? '!' : ''}`).join(' ');
}

const U = 512;
const line = ['[    1.000000] a line\n'];
const full = Array(2000).fill(line[0]);

function trace(cpu: number, abi: MachineName = 'le64', count = 12): RingSpec {
  const { word, little } = MACHINES[abi];
  const record = (n: number) => ({ cpu, ts: 100n + BigInt(n), ip: 0x81000000n + BigInt(4 * n), parent: 0x82000000n });
  return Array.from({ length: count }, (_, n) => ftraceBytes(record(n), word === 8 ? '64' : '32', little));
}

/** Sizes in units of 512 bytes, and what the rings hold. */
interface Zones {
  readonly pmsg?: readonly [number, RingSpec?];
  readonly console?: readonly [number, RingSpec?];
  readonly tty?: readonly [number, RingSpec?];
  readonly ftrace?: readonly [size: number, cpus: number, rings?: readonly (RingSpec | undefined)[]];
  readonly abi?: MachineName;
}

function image({ pmsg = [0], console = [0], tty = [0], ftrace = [0, 1], abi = 'le64' }: Zones): ZonePartition {
  const made = partition(256 * U, { abi });
  made
    .pmsg(pmsg[0] * U, pmsg[1])
    .console(console[0] * U, console[1])
    .tty(tty[0] * U, tty[1]);
  return made.ftrace(ftrace[0] * U, ftrace[1], ftrace[2]).kmsg(8 * U);
}

t.test('a zone goes on to where the next one with a header begins, unless it is full', async (t) => {
  const two = { pmsg: [8, line], console: [16, line] } as const;
  const [pmsg, console] = [
    [8, full],
    [16, full],
  ] as const;
  const damaged = (datalen: number): RingSpec => ({ data: '', datalen, start: 5 });
  const table: [name: string, zones: Zones, expected: string, more?: Partial<FrontEvidence>][] = [
    ['none in front', {}, '0! 0! 0! 0! 1!'],
    ['nothing but room', { pmsg: [8], console: [8] }, '16 0 0 0 1'],
    ['pmsg and console', two, '8! 16 0 0 1'],
    ['console alone', { ...two, pmsg: [8] }, '8! 16 0 0 1'],
    ['console alone, at the beginning', { ...two, pmsg: [0] }, '0! 16 0 0 1'],
    ['pmsg alone', { ...two, console: [16] }, '24 0 0 0 1'],
    ['a full pmsg', { pmsg, console: [16] }, '8! 16 0 0 1'],
    ['both full', { pmsg, console }, '8! 16! 0! 0! 1!'],
    ['both full, and room', { pmsg, console, ftrace: [8, 1] }, '8! 16! 0! 8 1'],
    ['a length of no zone', { ...two, console: [16, damaged(1000)] }, '8! 16 0 0 1'],
    ['a length beyond the next header', { ...two, pmsg: [8, damaged(16 * U - 12)] }, '8! 16 0 0 1'],
    ['a length short of the next header', { ...two, pmsg: [8, damaged(4 * U - 12)] }, '8! 16 0 0 1'],
    ['a length beyond the image', { pmsg, console: [16, damaged(1e6)], ftrace: [8, 3] }, '8! 1 0 23 3'],
    ['a tty zone', { ...two, tty: [4, line] }, '8! 16! 4 0 1'],
    ['room for one', { pmsg, console, tty: [4], ftrace: [8, 2, [trace(0)]] }, '8! 16! 4 8 1'],
    ['two CPUs', { ...two, ftrace: [8, 2, [trace(0), trace(1)]] }, '8! 16! 0! 8! 2!'],
    ['a CPU of more', { ...two, ftrace: [8, 2, [trace(0)]] }, '8! 16 0 8 1'],
    ['the last one', { pmsg, console: [16], ftrace: [8, 2, [undefined, trace(1)]] }, '8! 16 0 8 2'],
    ['an odd place', { pmsg, console, ftrace: [8, 3] }, '8! 16! 0! 8 3'],
    ['no dmesg header', two, '8! 248 0 0 1', { kmsgOffset: undefined }],
  ];
  for (const [name, zones, expected, more] of table) t.equal(shown(image(zones), more), expected, name);
  const every = image({ pmsg: [8], console: [16], tty: [4], ftrace: [16, 3] }).formatted();
  t.equal(shown(every, { formatted: true }), '8! 16! 4! 16! 3!', 'each has a header');
  t.equal(
    shown(image({ pmsg: [8], console: [16] }).formatted(), { formatted: true }),
    '8! 16! 0! 0! 1!',
    'no room is left',
  );
});

t.test('what is given is obeyed, and tells the others', async (t) => {
  const two = { pmsg: [8, line], console: [16, line] } as const;
  const given = (sizes: FrontEvidence['given'], more: Zones = {}) =>
    shown(image({ ...two, ftrace: [8, 2], ...more }), { given: sizes });
  t.equal(given({}), '8! 24 0 0 1');
  t.equal(given({ consoleSize: 16 * U }), '8! 16! 0! 8 1');
  t.equal(given({ consoleSize: 16 * U, cpus: 2 }), '8! 16! 0! 8 2!');
  t.equal(given({ ftraceSize: 0 }), '8! 24! 0! 0! 1!');
  t.equal(given({ ftraceSize: 8 * U, cpus: 2 }), '8! 24! 0! 8! 2!', 'where its zones are not seen');
  t.equal(given({ pmsgSize: 4 * U }), '4! 28 0 0 1', 'whatever the headers say');
  t.equal(given({ pmsgSize: 0 }), '0! 32 0 0 1');
  t.match(given({ consoleSize: 0 }), /^32 0/);
  const before = { pmsgSize: 8 * U, consoleSize: 16 * U, ttySize: 4 * U };
  const second = { tty: [4, line], ftrace: [8, 2, [undefined, trace(1)]] } as const;
  t.equal(given(before, second), '8! 16! 4! 8! 2!', 'one CPU is enough then');
});

t.test('headers that are none of the zones in front', async (t) => {
  const made = () => image({ console: [16, line] });
  const place = made().places[0]!;
  const stray = (kind: 'pmsg' | 'console' | 'tty' | 'ftrace', offset: number) =>
    shown(made().ring({ ...place, kind, offset, size: U }, line));
  const expected = shown(made());
  t.equal(stray('pmsg', 8 * U), expected, 'pmsg is the first zone');
  t.equal(stray('tty', 8 * U + 4), expected, 'a zone begins at a multiple of 512');
  t.equal(stray('console', 8 * U), expected, 'there is one console');
  t.equal(stray('tty', 20 * U), expected, 'behind the first dmesg zone');
  const tty = { ...place, kind: 'tty' as const, offset: 4 * U, size: U };
  const both = { pmsg: [8, line], console: [16, line] } as const;
  t.equal(shown(image(both).ring(tty, line)), shown(image(both)), 'tty stands behind console');
  t.not(stray('tty', 8 * U), expected, 'but this may be one');
  const unsigned = findMarks(new MemoryStorage(made().bytes), 256 * U).map((mark) => ({ ...mark, signed: false }));
  t.equal(shown(made(), { marks: unsigned }), '16 0 0 0 1');
});

t.test('records of ftrace tell the word size', async (t) => {
  for (const abi of MACHINE_NAMES) {
    const traced = image({ abi, ftrace: [8, 2, [trace(0, abi), trace(1, abi)]] });
    t.equal(find(traced).wordBits, MACHINES[abi].word * 8, abi);
    t.equal(find(traced, { given: { ftraceSize: 0 } }).wordBits, undefined, 'none where there is none');
  }
  t.equal(find(image({ ftrace: [8, 2] })).wordBits, undefined);
});

t.test('what is proven is so, and nothing overlaps', async () => {
  const text = fc.tuple(
    fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 20 })),
    fc.constantFrom(undefined, line, full),
  );
  const traces = fc.array(fc.boolean(), { minLength: 1, maxLength: 5 });
  let proven = 0;
  fc.assert(
    fc.property(text, text, fc.integer({ min: 5, max: 30 }), traces, (pmsg, console, units, traces) => {
      const cpus = traces.length;
      const rings = traces.map((used, cpu) => (used ? trace(cpu) : undefined));
      const built = image({ pmsg, console, ftrace: [units, cpus, rings] });
      const { offset } = built.kmsgZones[0]!;
      const { sizes, confidence } = find(built);
      const end = sizes.pmsgSize + sizes.consoleSize + sizes.ttySize;
      const behind = end + Math.floor(sizes.ftraceSize / sizes.cpus) * sizes.cpus;
      assert.ok(behind === offset || (behind < offset && sizes.ftraceSize === 0), 'they end where dmesg begins');
      // Fewer rings may leave several places where the zones begin.
      const used = traces.filter(Boolean).length;
      if (used === 1 || (used === 0 && offset % U !== 0)) return;
      const truth = { pmsgSize: pmsg[0] * U, consoleSize: console[0] * U, ttySize: 0, ftraceSize: units * U, cpus };
      for (const name of SIZES.filter((name) => confidence[name] === 1)) {
        assert.equal(sizes[name], truth[name], name);
        proven++;
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(proven > 300);
});
