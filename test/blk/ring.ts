import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Ring } from '../../lib/blk/ring.js';
import { parseAbi } from '../../lib/pstore/abi.js';
import { contentBytes, PiecesContent } from '../../lib/pstore/content.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { Warnings } from '../../lib/warnings.js';
import { FaultyStorage } from '../builders/faulty.js';
import {
  latin1,
  MACHINE_NAMES,
  type MachineName,
  PlainRing,
  partition,
  type RingSpec,
  type ZonePartition,
} from '../builders/zone.js';

const KINDS = ['pmsg', 'console', 'tty', 'ftrace'] as const;
type RingKind = (typeof KINDS)[number];

/** A partition whose only zone of this kind holds the ring. */
function holding(kind: RingKind, size: number, ring?: RingSpec, abi: MachineName = 'le64'): ZonePartition {
  const image = partition(8192, { abi });
  return kind === 'ftrace' ? image.ftrace(size, 1, [ring]) : image[kind](size, ring);
}

function load(image: ZonePartition, bytes = image.bytes) {
  const { kind, index, offset, size } = image.places[0]!;
  const storage = new FaultyStorage(new MemoryStorage(bytes, { path: 'image.raw' }));
  const warnings = new Warnings();
  assert(kind !== 'dmesg');
  const ring = new Ring({ type: kind, index, offset, size }, storage, parseAbi(image.abi));
  return { ring, storage, warnings };
}

function open(image: ZonePartition, bytes = image.bytes) {
  const opened = load(image, bytes);
  opened.ring.recover(opened.warnings);
  return opened;
}

function text(ring: Ring): Uint8Array {
  return contentBytes(new PiecesContent(ring.extents()));
}

t.test('recovery and reading', async (t) => {
  const area = 1024 - 12;
  const data = Uint8Array.from({ length: area }, (_, i) => (i * 7) % 256);
  const table: [string, RingSpec | undefined, string, Uint8Array | undefined, string?][] = [
    ['never written', undefined, 'unsigned', undefined],
    ['a wrong signature', { data, datalen: 10, start: 10, sig: 0x43474241 }, 'unsigned', undefined, 'zone-invalid'],
    ['no header at all', { data, datalen: 0x646f6f67, start: 10, sig: 0x72756f79 }, 'unsigned', undefined],
    ['nor with these lengths', { data, datalen: 10, start: 11, sig: 0x43474241 }, 'unsigned', undefined],
    ['empty', { data, datalen: 0, start: 0 }, 'erased', undefined],
    ['empty, with a start', { data, datalen: 0, start: 9 }, 'erased', undefined],
    ['not full', { data, datalen: 100, start: 100 }, 'live', data.slice(0, 100)],
    ['just full', { data, datalen: area, start: area }, 'live', data],
    [
      'wrapped',
      { data, datalen: area, start: 300 },
      'live',
      new Uint8Array([...data.slice(300), ...data.slice(0, 300)]),
    ],
    ['begins at 0 again', { data, datalen: area, start: 0 }, 'live', data],
    [
      'short and wrapped',
      { data, datalen: 50, start: 20 },
      'live',
      new Uint8Array([...data.slice(20, 50), ...data.slice(0, 20)]),
    ],
    ['start behind datalen', { data, datalen: 50, start: 60 }, 'live', data.slice(0, 50), 'zone-start-beyond-datalen'],
    ['datalen beyond the zone', { data, datalen: area + 1, start: 0 }, 'overtop', undefined, 'zone-overtop'],
    ['start beyond the zone', { data, datalen: 5, start: area + 1 }, 'overtop', undefined, 'zone-overtop'],
    ['a negative datalen', { data, datalen: -1, start: 0 }, 'overtop', undefined, 'zone-overtop'],
    ['a negative start', { data, datalen: 5, start: -5 }, 'overtop', undefined, 'zone-overtop'],
  ];
  for (const abi of ['le64', 'be32'] as const) {
    for (const kind of KINDS) {
      for (const [name, spec, state, expected, warning] of table) {
        const { ring, storage, warnings } = open(holding(kind, 1024, spec, abi));
        t.equal(ring.state, state, `${abi} ${kind}: ${name}`);
        t.ok(Buffer.from(text(ring)).equals(expected ?? new Uint8Array(0)), `${name}: text`);
        t.same(
          warnings.list.map(({ code }) => code),
          warning ? [warning] : [],
        );
        t.same(storage.writes, []);
      }
    }
  }
});

type Step =
  | { readonly do: 'write'; readonly length: number; readonly byte: number }
  | { readonly do: 'erase' | 'reopen' | 'leave' | 'return' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      length: fc.oneof(fc.nat({ max: 60 }), fc.nat({ max: 1500 }), fc.constantFrom(500, 499, 501, 1000)),
      byte: fc.nat({ max: 255 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('erase', 'reopen', 'leave', 'return') }) },
);

t.test('any sequence of writes agrees with a ring that is written byte by byte', async () => {
  const setting = fc.record({
    abi: fc.constantFrom(...MACHINE_NAMES),
    kind: fc.constantFrom(...KINDS),
    steps: fc.array(step, { maxLength: 40 }),
  });
  fc.assert(
    fc.property(setting, ({ abi, kind, steps }) => {
      const image = holding(kind, 512, undefined, abi);
      const bytes = image.bytes.slice();
      const area = 500;
      let plain: PlainRing | undefined;
      let held = new Uint8Array(0);
      let { ring, storage } = open(image, bytes);
      const land = () => {
        if (held.length === 0) return;
        plain ??= new PlainRing(area);
        plain.write(held);
        held = new Uint8Array(0);
      };
      for (const each of steps) {
        const { there } = storage;
        if (each.do === 'write') {
          const chunk = Uint8Array.from({ length: each.length }, (_, i) => (each.byte + i) % 256);
          ring.hold(chunk);
          held = new Uint8Array([...held, ...chunk]).slice(-area);
          if (there) land();
          if (there) ring.flushHeld();
          else if (held.length > 0) assert.throws(() => ring.flushHeld(), { code: 'EAGAIN' });
        } else if (each.do === 'leave') storage.there = false;
        else if (each.do === 'return') {
          storage.there = true;
          land();
          ring.flushHeld();
        } else if (there && each.do === 'erase') {
          const live = plain !== undefined && plain.datalen > 0;
          assert.equal(ring.erase(), live);
          if (live) {
            plain!.datalen = 0;
            plain!.start = 0;
          }
        } else if (there) ({ ring, storage } = open(image, bytes));
        if (plain) image.ring(image.places[0]!, { data: plain.data, datalen: plain.datalen, start: plain.start });
        assert.equal(ring.dirty, held.length > 0);
        assert.deepEqual(bytes, image.bytes);
        if (storage.there) assert.deepEqual(text(ring), plain && plain.datalen > 0 ? plain.text() : new Uint8Array(0));
      }
    }),
    { numRuns: 250 },
  );
});

t.test('a ring that another system has left goes on where it ends', async (t) => {
  const table: [string, RingSpec, string][] = [
    ['not full', ['first '], 'first and more'],
    [
      'start behind datalen: what is behind datalen was never shown',
      { data: 'first XXXX', datalen: 6, start: 9 },
      'first and more',
    ],
    ['damaged lengths', { data: 'first ', datalen: 9999, start: 6 }, 'and more'],
    ['a wrong signature', { data: 'first ', datalen: 6, start: 6, sig: 1 }, 'and more'],
  ];
  for (const [name, spec, expected] of table) {
    const image = holding('pmsg', 512, spec);
    const { ring } = open(image);
    ring.append(latin1('and more'));
    t.equal(Buffer.from(text(open(image).ring)).toString(), expected, name);
  }
});

t.test('erasing', async (t) => {
  await t.test('a ring that was written in the meantime is left alone', async (t) => {
    const image = holding('console', 512, ['old']);
    const { ring, storage } = open(image);
    open(image).ring.append(latin1(' and new'));
    t.equal(ring.erase(), false);
    t.same(storage.writes, []);
  });
  await t.test('sets lengths to 0 and nothing else', async (t) => {
    const image = holding('console', 512, ['old']);
    const before = image.bytes.slice();
    const { ring, storage } = open(image);
    t.equal(ring.erase(), true);
    t.same(storage.writes, [{ offset: 0, length: 12 }]);
    t.equal(ring.erase(), false, 'once');
    before.fill(0, 4, 12);
    t.same(image.bytes, before);
  });
});

t.test('a place that is broken', async (t) => {
  for (const code of ['EIO', 'ENOMSG'] as const) {
    const { ring, storage, warnings } = load(holding('pmsg', 512, ['text']));
    storage.broken = [{ offset: 4, length: 1, code }];
    ring.recover(warnings);
    t.equal(ring.state, 'unreadable');
    t.same(
      warnings.list.map((warning) => warning.code),
      ['zone-truncated'],
    );
    ring.hold(latin1('x'));
    t.throws(() => ring.flushHeld(), { code });
    t.equal(ring.dirty, code === 'EIO', 'what can never be written is not kept');
  }
});
