import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { dialectsOf } from '../../lib/blk/dialects.js';
import { ZoneState } from '../../lib/blk/dmesg-table.js';
import type { EngineOptions } from '../../lib/blk/dump.js';
import { ZoneEngine } from '../../lib/blk/engine.js';
import { layOut } from '../../lib/blk/geometry.js';
import { parseAbi } from '../../lib/pstore/abi.js';
import { contentBytes, PiecesContent } from '../../lib/pstore/content.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { Warnings } from '../../lib/warnings.js';
import { FaultyStorage } from '../builders/faulty.js';
import { FORMATS, latin1, MACHINE_NAMES, partition, type RecordSpec, type ZonePartition } from '../builders/zone.js';

// ── the engine on an image ──

interface Opened {
  readonly engine: ZoneEngine;
  readonly storage: FaultyStorage;
  readonly warnings: Warnings;
}

/** Not recovered yet. */
function load(image: ZonePartition, options: EngineOptions = {}, bytes = image.bytes): Opened {
  const storage = new FaultyStorage(new MemoryStorage(bytes, { path: 'image.raw' }));
  const size = (key: string) => Number(image.keys[key] ?? 0);
  const sizes = {
    kmsgSize: size('kmsg_size'),
    pmsgSize: size('pmsg_size'),
    consoleSize: size('console_size'),
    ttySize: size('tty_size'),
    ftraceSize: size('ftrace_size'),
    cpus: Number(image.keys.cpus ?? 1),
  };
  const warnings = new Warnings();
  const geometry = layOut(dialectsOf(image.format)[0]!, bytes.length, sizes, storage.path);
  return { engine: new ZoneEngine(storage, geometry, parseAbi(image.abi), warnings, options), storage, warnings };
}

function open(image: ZonePartition, options: EngineOptions = {}, bytes = image.bytes): Opened {
  const opened = load(image, options, bytes);
  opened.engine.recover();
  return opened;
}

interface Shown {
  readonly index: number;
  readonly counter: number;
  readonly reason: number;
  readonly seconds: bigint;
  readonly body: string;
}

function shown(engine: ZoneEngine, image: ZonePartition): Shown[] {
  const records: Shown[] = [];
  for (let index = 0; index < engine.dmesg.length; index++) {
    const { state, datalen, counter, reason, seconds } = engine.dmesg.row(index);
    if (state !== ZoneState.Live) continue;
    const piece = engine.data(index, image.recordHeaderSize, datalen - image.recordHeaderSize);
    const body = Buffer.from(contentBytes(new PiecesContent([piece]))).toString('latin1');
    records.push({ index, counter, reason, seconds, body });
  }
  return records;
}

function ringText(engine: ZoneEngine, type: string, index = 0): string {
  const ring = engine.rings.find(({ zone }) => zone.type === type && zone.index === index)!;
  return Buffer.from(contentBytes(new PiecesContent(ring.extents()))).toString('latin1');
}

function dump(reason: number, seconds: number, body: string | Uint8Array) {
  const timeNs = BigInt(seconds) * 1_000_000_000n + 123_456_789n;
  return { reason, timeNs, compressed: false, bytes: latin1(body) };
}

// ── a simple model of the ring of dmesg zones ──

/** What the zones hold, by the rules of recovery and writing; the bytes are the builder's. */
class PlainZones {
  readonly image: ZonePartition;
  /** Newest content of each zone on the medium. */
  readonly zones: (RecordSpec | undefined)[];
  /** Newest content that is only in memory. */
  held = new Map<number, RecordSpec>();
  /** Zones behind the first one that was never used: RFC v5 does not look at them. */
  hidden = new Set<number>();
  next = 0;
  oops = 0;
  panics = 0;

  constructor(image: ZonePartition) {
    this.image = image;
    this.zones = image.kmsgZones.map(() => undefined);
  }

  recover(): void {
    this.held.clear();
    this.hidden.clear();
    this.next = 0;
    this.oops = 0;
    this.panics = 0;
    let newest = 0;
    for (const [i, zone] of this.zones.entries()) {
      if (!zone) {
        if (this.image.format === 'pstore_blk') continue;
        this.next = i;
        for (let behind = i; behind < this.zones.length; behind++) this.hidden.add(behind);
        break;
      }
      if (Number(zone.seconds) >= newest) {
        newest = Number(zone.seconds);
        this.next = (i + 1) % this.zones.length;
      }
      if (zone.reason === 2) this.oops = Math.max(this.oops, zone.counter!);
      else if (zone.reason === 1) this.panics = Math.max(this.panics, zone.counter!);
    }
  }

  /** @param where what becomes of a write to a zone */
  write(reason: number, seconds: number, body: string, where: (index: number) => 'medium' | 'memory' | 'next') {
    for (let i = 0; i < this.zones.length; i++) {
      const index = (this.next + i) % this.zones.length;
      const counter = reason === 2 ? ++this.oops : reason === 1 ? ++this.panics : 0;
      const spec = { reason, seconds, counter, nanoseconds: 123_456_789, body: body.slice(0, this.image.room) };
      const to = where(index);
      if (to === 'next') continue;
      this.hidden.delete(index);
      this.held.delete(index);
      if (to === 'memory') this.held.set(index, spec);
      else this.flush(index, spec);
      this.next = (index + 1) % this.zones.length;
      return index;
    }
    return undefined;
  }

  flush(index: number, spec: RecordSpec): void {
    this.zones[index] = spec;
    this.image.dmesg(index, spec);
  }

  flushHeld(isBroken: (index: number) => boolean): void {
    for (const [index, spec] of this.held) {
      if (isBroken(index)) continue;
      this.flush(index, spec);
      this.held.delete(index);
    }
  }

  erase(index: number): boolean {
    const held = this.held.get(index);
    if (held) {
      this.held.set(index, { ...held, erased: true, body: this.image.format === 'blkoops' ? '' : held.body });
      return !held.erased;
    }
    const zone = this.zones[index];
    if (!zone || zone.erased || this.hidden.has(index)) return false;
    this.zones[index] = { ...zone, erased: true };
    this.image.erase(this.image.kmsgZones[index]!);
    return true;
  }

  shown(): Shown[] {
    const records: Shown[] = [];
    for (const [index, onMedium] of this.zones.entries()) {
      const zone = this.held.get(index) ?? onMedium;
      if (!zone || zone.erased || this.hidden.has(index)) continue;
      const { counter, reason, seconds, body } = zone;
      records.push({ index, counter: counter!, reason: reason!, seconds: BigInt(seconds!), body: body as string });
    }
    return records;
  }
}

type Step =
  | { readonly do: 'write'; readonly reason: number; readonly pause: number; readonly length: number }
  | { readonly do: 'erase'; readonly zone: number }
  | { readonly do: 'break'; readonly zone: number; readonly code: 'EIO' | 'ENOMSG' }
  | { readonly do: (typeof PLAIN_STEPS)[number] };

const PLAIN_STEPS = ['reopen', 'refresh', 'mend', 'leave', 'return', 'reopen'] as const;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      reason: fc.constantFrom(1, 2, 2, 3, 4),
      pause: fc.constantFrom(0, 1, 1, 2, 5, -3),
      length: fc.nat({ max: 700 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('erase' as const), zone: fc.nat({ max: 5 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('break' as const),
      zone: fc.nat({ max: 5 }),
      code: fc.constantFrom('EIO' as const, 'ENOMSG' as const),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom(...PLAIN_STEPS) }) },
);

t.test('any sequence of writes, erases and re-opens agrees with a simple model of the ring', async () => {
  const setting = fc.record({
    format: fc.constantFrom(...FORMATS),
    abi: fc.constantFrom(...MACHINE_NAMES),
    zones: fc.integer({ min: 1, max: 6 }),
    steps: fc.array(step, { maxLength: 40 }),
  });
  fc.assert(
    fc.property(setting, ({ format, abi, zones, steps }) => {
      const size = Math.ceil((zones * 512) / 4096) * 4096;
      const built = partition(size, { format, abi }).kmsg(Math.floor(size / zones / 512) * 512);
      const model = new PlainZones(built);
      const bytes = built.bytes.slice();
      let { engine, storage } = open(built, {}, bytes);
      let [now, there] = [1_700_000_000, true];
      const broken = new Map<number, 'EIO' | 'ENOMSG'>();
      const where = (index: number) => {
        if (!there) return 'memory';
        const code = broken.get(index);
        if (!code) return 'medium';
        return code === 'ENOMSG' && format === 'pstore_blk' ? 'next' : 'memory';
      };
      for (const each of steps) {
        switch (each.do) {
          case 'write': {
            now += each.pause;
            if (format === 'blkoops' && each.reason > 2) break;
            const body = `${each.reason} at ${now} `.padEnd(each.length, 'x');
            const zone = model.write(each.reason, now, body, where);
            if (zone === undefined) {
              assert.throws(() => engine.write(dump(each.reason, now, body)), { code: 'EBUSY' });
            } else {
              const written = engine.write(dump(each.reason, now, body));
              // In a panic all that is held is tried again.
              if (each.reason === 1 || onPanic(engine)) model.flushHeld((index) => where(index) !== 'medium');
              assert.deepEqual(written, { zone, flushed: where(zone) === 'medium' });
            }
            break;
          }
          case 'erase':
            if (each.zone >= built.kmsgZones.length) break;
            if (model.held.has(each.zone) || (there && !broken.has(each.zone))) {
              assert.equal(engine.erase(each.zone), model.erase(each.zone));
            }
            break;
          case 'break':
            if (each.zone < built.kmsgZones.length) broken.set(each.zone, each.code);
            break;
          case 'mend':
            broken.clear();
            break;
          case 'leave':
            there = false;
            break;
          case 'return':
            there = true;
            model.flushHeld((index) => where(index) !== 'medium');
            break;
          default:
            // Reading is another matter: here a zone is broken for writes only.
            if (!there) break;
            if (each.do === 'refresh') engine.refresh(() => {});
            else {
              ({ engine, storage } = open(built, {}, bytes));
              model.recover();
            }
        }
        storage.there = there;
        storage.broken = [...broken].map(([index, code]) => {
          const { offset, size: length } = built.kmsgZones[index]!;
          return { offset, length, code, on: 'write' as const };
        });
        if (each.do === 'return') engine.flushDirty();
        assert.deepEqual(bytes, built.bytes, 'bytes on the medium');
        assert.deepEqual(engine.dirtyZones.sort(), [...model.held.keys()].sort(), 'zones in memory only');
        if (there) assert.deepEqual(shown(engine, built), model.shown());
        assert.equal(engine.nextZone, model.next);
        assert.deepEqual(engine.counters, { oops: model.oops, panic: model.panics });
      }
    }),
    { numRuns: 300 },
  );
});

/** The engine takes no other front-end any more. */
function onPanic(engine: ZoneEngine): boolean {
  try {
    engine.writeRing('pmsg', new Uint8Array(0));
  } catch (error) {
    return (error as { code?: string }).code === 'EBUSY';
  }
  return false;
}

// ── recovery, rule by rule ──

const T = 1_700_000_000;

function oops(n: number, more: RecordSpec = {}): RecordSpec {
  return { body: `Oops#${n} Part1\ntext of ${n}\n`, seconds: T + n, counter: n, reason: 2, ...more };
}

interface RecoveryCase {
  readonly name: string;
  readonly zones: readonly (RecordSpec | undefined)[];
  readonly shown: readonly number[];
  readonly next: number;
  readonly oops?: number;
  readonly panic?: number;
  readonly warnings?: readonly string[];
  /** What differs in RFC v5. */
  readonly blkoops?: Partial<Omit<RecoveryCase, 'name' | 'zones'>>;
}

const RECOVERY: readonly RecoveryCase[] = [
  { name: 'nothing written', zones: [], shown: [], next: 0 },
  { name: 'three records', zones: [oops(1), oops(2), oops(3)], shown: [0, 1, 2], next: 3, oops: 3 },
  {
    name: 'a zone that was never used between others',
    zones: [oops(1), undefined, oops(2)],
    shown: [0, 2],
    next: 3,
    oops: 2,
    blkoops: { shown: [0], next: 1, oops: 1 },
  },
  {
    name: 'a damaged signature',
    zones: [oops(1), oops(2, { sig: 0x43474245 }), oops(3)],
    shown: [0, 2],
    next: 3,
    oops: 3,
    warnings: ['zone-invalid'],
    blkoops: { shown: [0], next: 1, oops: 1 },
  },
  {
    name: 'a datalen beyond the zone',
    zones: [oops(1), oops(2), oops(9, { datalen: 5000 })],
    shown: [0, 1],
    next: 2,
    oops: 2,
    warnings: ['zone-overtop'],
    blkoops: { next: 3 },
  },
  {
    name: 'a negative datalen',
    zones: [oops(9, { datalen: -5 }), oops(2)],
    shown: [1],
    next: 2,
    oops: 2,
    warnings: ['zone-overtop'],
  },
  {
    name: 'a wrong magic',
    zones: [oops(1), oops(9, { magic: 0x4dfc3ae4 })],
    shown: [0],
    next: 1,
    oops: 1,
    warnings: ['zone-invalid'],
    blkoops: { next: 2 },
  },
  {
    name: 'erased zones count for the ring and the counters',
    zones: [oops(1), oops(2), oops(7, { erased: true })],
    shown: [0, 1],
    next: 3,
    oops: 7,
  },
  {
    name: 'the newest in the middle',
    zones: [oops(4), oops(5), oops(2), oops(3)],
    shown: [0, 1, 2, 3],
    next: 2,
    oops: 5,
  },
  {
    name: 'equal seconds: the later zone wins',
    zones: [oops(1), oops(1, { nanoseconds: 0 }), oops(1, { nanoseconds: 5 }), oops(0)],
    shown: [0, 1, 2, 3],
    next: 3,
    oops: 1,
  },
  {
    name: 'the last zone is the newest',
    zones: [oops(1), oops(2), oops(3), oops(4)],
    shown: [0, 1, 2, 3],
    next: 0,
    oops: 4,
  },
  {
    name: 'seconds before 1970 are never the newest',
    zones: [oops(1, { seconds: -5 }), oops(2, { seconds: -1 })],
    shown: [0, 1],
    next: 0,
    oops: 2,
    blkoops: { next: 2 },
  },
  { name: 'no time at all', zones: [oops(1, { seconds: 0 })], shown: [0], next: 1, oops: 1 },
  {
    name: 'a counter for each reason',
    zones: [oops(3), oops(5, { reason: 1 }), oops(8, { reason: 3 }), oops(9, { reason: 4 })],
    shown: [0, 1, 2, 3],
    next: 0,
    oops: 3,
    panic: 5,
    blkoops: { panic: 9 },
  },
  {
    name: 'counters are unsigned',
    zones: [oops(1), oops(2, { counter: 0x80000001 }), oops(3, { counter: 0x7fffffff })],
    shown: [0, 1, 2],
    next: 3,
    oops: 0x80000001,
  },
];

t.test('recovery', async (t) => {
  for (const format of FORMATS) {
    for (const abi of MACHINE_NAMES) {
      for (const { blkoops, ...each } of RECOVERY) {
        const expected = { oops: 0, panic: 0, warnings: [], ...each, ...(format === 'blkoops' ? blkoops : {}) };
        const image = partition(16384, { format, abi }).kmsg(4096);
        for (const [i, spec] of each.zones.entries()) if (spec) image.dmesg(i, spec);
        const before = image.bytes.slice();
        const { engine, warnings } = open(image);
        t.same(
          {
            shown: shown(engine, image).map(({ index }) => index),
            next: engine.nextZone,
            counters: engine.counters,
            warnings: warnings.list.map(({ code }) => code),
          },
          {
            shown: expected.shown,
            next: expected.next,
            counters: { oops: expected.oops, panic: expected.panic },
            warnings: expected.warnings,
          },
          `${format} ${abi}: ${each.name}`,
        );
        assert.deepEqual(image.bytes, before);
      }
    }
  }
});

t.test('the next counter behind the highest one goes on at 0', async (t) => {
  const image = partition(16384)
    .kmsg(4096)
    .dmesg(0, oops(1, { counter: 0xffffffff }));
  const { engine } = open(image);
  t.same(engine.counters, { oops: 0xffffffff, panic: 0 });
  engine.write(dump(2, T + 9, 'text'));
  t.same(engine.counters, { oops: 0, panic: 0 });
  t.equal(engine.dmesg.row(1).counter, 0);
});

// ── broken and missing media ──

t.test('a broken place hides its own zone only', async (t) => {
  for (const code of ['EIO', 'ENOMSG'] as const) {
    for (const kmsg of [512, 4096]) {
      const image = partition(32768).pmsg(4096, ['pmsg text']).console(4096, ['console text']).ftrace(0, 1).kmsg(kmsg);
      for (let i = 0; i < 4; i++) image.dmesg(i, { body: `text ${i}`, seconds: T + i, counter: i + 1 });
      const { engine, storage, warnings } = load(image);
      const { offset } = image.kmsgZones[1]!;
      storage.broken = [
        { offset: offset + 20, length: 1, code, on: 'read' },
        { offset: 0, length: 1, code },
      ];
      engine.recover();
      t.same(
        shown(engine, image).map(({ index }) => index),
        [0, 2, 3],
        `${code}, zones of ${kmsg}`,
      );
      t.equal(engine.nextZone, 4);
      t.equal(ringText(engine, 'console'), 'console text');
      t.same(
        engine.rings.map(({ state }) => state),
        ['unreadable', 'live'],
      );
      t.same(
        warnings.list.map((warning) => [warning.code, warning.offset]),
        [
          ['zone-truncated', offset],
          ['zone-truncated', 0],
        ],
      );
    }
  }
});

t.test('an image that ends too early', async (t) => {
  const image = partition(16384).kmsg(4096);
  for (let i = 0; i < 4; i++) image.dmesg(i, oops(i));
  const { engine, storage, warnings } = load(image);
  storage.end = 8192 + 30;
  engine.recover();
  t.same(
    shown(engine, image).map(({ index }) => index),
    [0, 1],
  );
  t.same(
    warnings.list.map(({ code }) => code),
    ['zone-truncated', 'zone-truncated'],
  );
});

t.test('a medium that gives nothing at all is an error, and may be asked again', async (t) => {
  const image = partition(16384).kmsg(4096).dmesg(0, oops(1));
  const { engine, storage } = load(image);
  storage.broken = [{ offset: 0, length: image.bytes.length, code: 'EIO' }];
  t.throws(() => engine.recover(), { code: 'EIO' });
  t.equal(engine.recovered, false);
  storage.broken = [];
  engine.recover();
  t.equal(shown(engine, image).length, 1);
});

t.test('what is written before recovery is held, and moved so that no old record is written over', async () => {
  const records = fc.array(fc.record({ reason: fc.constantFrom(1, 2, 3), length: fc.nat({ max: 900 }) }), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(
      fc.record({
        format: fc.constantFrom(...FORMATS),
        zones: fc.integer({ min: 2, max: 6 }),
        old: fc.nat({ max: 9 }),
        records,
      }),
      ({ format, zones, old, records }) => {
        const image = partition(zones * 4096, { format }).kmsg(4096);
        const model = new PlainZones(image);
        for (let n = 1; n <= old; n++) model.write(2, T + n, `old ${n}`, () => 'medium');
        model.recover();
        const bytes = image.bytes.slice();
        const { engine, storage } = load(image, { panic: null }, bytes);
        storage.there = false;
        const early = records.filter(({ reason }) => reason === 2 || (format === 'pstore_blk' && reason === 3));
        const texts = early.map(({ length }, i) => `early ${i} `.padEnd(length, '.'));
        for (const [i, { reason }] of early.entries()) {
          assert.equal(engine.write(dump(reason, T + 100 + i, texts[i]!)).flushed, false);
          assert.throws(() => engine.recover(), { code: 'EAGAIN' });
        }
        assert.equal(engine.dirtyZones.length, Math.min(early.length, zones));
        assert.deepEqual(
          shown(engine, image)
            .map(({ body }) => body)
            .sort(),
          texts.slice(-zones).sort(),
          'they can be read while they are held',
        );
        assert.deepEqual(storage.writes, []);
        storage.there = true;
        engine.recover();
        assert.deepEqual(engine.dirtyZones, []);
        const kept = early.map((record, i) => ({ ...record, i })).slice(-zones);
        for (const { reason, i } of kept) model.write(reason, T + 100 + i, texts[i]!, () => 'medium');
        assert.deepEqual(bytes, image.bytes);
        assert.deepEqual(shown(engine, image), model.shown());
      },
    ),
    { numRuns: 200 },
  );
});

t.test('records that cannot be moved stay in memory', async (t) => {
  const image = partition(16384).kmsg(4096).dmesg(0, oops(1));
  const { engine, storage } = load(image);
  engine.write(dump(2, T + 5, 'early'));
  storage.broken = [{ offset: 0, length: image.bytes.length, code: 'ENOMSG', on: 'write' }];
  engine.recover();
  t.same(engine.dirtyZones, [0]);
  t.match(shown(engine, image), [{ body: 'early' }]);
  storage.broken = [];
  t.equal(engine.flushDirty(), 0);
});

t.test('a broken zone: mainline tries the next one, and each try takes a counter', async (t) => {
  // So did Linux 6.1.192 with a driver that gives ENOMSG for zone 1.
  const image = partition(32768).kmsg(4096);
  const { engine, storage } = open(image);
  storage.broken = [{ offset: 4096, length: 100, code: 'ENOMSG' }];
  for (let n = 0; n < 3; n++) engine.write(dump(2, T + n, 'text'));
  t.same(
    shown(engine, image).map(({ index, counter }) => [index, counter]),
    [
      [0, 1],
      [2, 3],
      [3, 4],
    ],
  );
  storage.broken = [{ offset: 0, length: 32768, code: 'ENOMSG' }];
  t.throws(() => engine.write(dump(2, T, 'text')), { code: 'EBUSY' });
  await t.test('RFC v5 keeps it in memory: it would not look behind a zone that was left out', async (t) => {
    const old = partition(32768, { format: 'blkoops' }).kmsg(4096);
    const { engine, storage } = open(old);
    storage.broken = [{ offset: 0, length: 100, code: 'ENOMSG' }];
    t.same(engine.write(dump(2, T, 'text')), { zone: 0, flushed: false });
    t.same(engine.dirtyZones, [0]);
  });
});

t.test('a read-only medium', async (t) => {
  const image = partition(16384).pmsg(4096, ['x']).console(0).ftrace(0, 1).kmsg(4096).dmesg(0, oops(1));
  const storage = new MemoryStorage(image.bytes, { writable: false });
  const sizes = { kmsgSize: 4096, pmsgSize: 4096, consoleSize: 0, ttySize: 0, ftraceSize: 0, cpus: 1 };
  const engine = new ZoneEngine(
    storage,
    layOut(dialectsOf('pstore_blk')[0]!, 16384, sizes, 'x'),
    parseAbi('le64'),
    new Warnings(),
  );
  engine.recover();
  t.throws(() => engine.write(dump(2, T, 'text')), { code: 'EROFS' });
  t.throws(() => engine.erase(0), { code: 'EROFS' });
  t.throws(() => engine.writeRing('pmsg', latin1('y')), { code: 'EROFS' });
  t.throws(() => engine.eraseRing(engine.rings[0]!), { code: 'EROFS' });
  t.same(engine.dirtyZones, []);
  t.same(engine.counters, { oops: 1, panic: 0 }, 'nothing was counted');
  t.equal(engine.flushDirty(), 0, 'nothing is held');
});

// ── what reaches the medium, and in which order ──

t.test('flush modes', async (t) => {
  for (const [format, header, whole] of [
    ['pstore_blk', 12, 4096],
    ['blkoops', 8, 8 + 40 + 4],
  ] as const) {
    const image = partition(16384, { format }).kmsg(4096);
    const { engine, storage } = open(image);
    engine.write(dump(2, T, 'text'));
    t.same(storage.writes, [{ offset: 0, length: whole }], `${format}: ALL`);
    t.equal(storage.syncs, 1);
    engine.erase(0);
    t.same(storage.writes[1], { offset: 0, length: header }, `${format}: META`);
    t.equal(storage.syncs, 2);
  }
  const image = partition(16384).pmsg(4096).console(0).ftrace(0, 1).kmsg(4096);
  const { engine, storage } = open(image);
  engine.writeRing('pmsg', new Uint8Array(4000));
  engine.writeRing('pmsg', new Uint8Array(100));
  t.same(
    storage.writes,
    [
      { offset: 12, length: 4000 },
      { offset: 0, length: 12 },
      { offset: 4012, length: 84 },
      { offset: 12, length: 16 },
      { offset: 0, length: 12 },
    ],
    'PART: the data, then the header',
  );
  t.equal(storage.syncs, 2);
  const early = load(partition(16384).kmsg(4096));
  early.engine.write(dump(2, T, 'text'));
  t.same(early.storage.writes, [], 'NONE');
});

t.test('erasing', async (t) => {
  const image = partition(16384).kmsg(4096);
  for (let i = 0; i < 4; i++) image.dmesg(i, oops(i + 1));
  await t.test('an empty or unused zone: success, nothing written', async (t) => {
    const { engine, storage } = open(
      partition(16384)
        .kmsg(4096)
        .dmesg(0, oops(1, { erased: true })),
    );
    t.equal(engine.erase(0), false);
    t.equal(engine.erase(1), false);
    t.same(storage.writes, []);
  });
  await t.test('a zone that another writer has reused or emptied is left alone', async (t) => {
    const changes: [string, (z: ZonePartition) => void, boolean][] = [
      ['another counter', (z) => z.dmesg(1, oops(2, { counter: 77 })), false],
      ['another time', (z) => z.dmesg(1, oops(2, { seconds: T + 77 })), false],
      ['emptied', (z) => z.erase(z.kmsgZones[1]!), false],
      ['overwritten by something else', (z) => z.bytes.fill(0, 4096, 8192), false],
      ['longer text of the same record', (z) => z.dmesg(1, oops(2, { body: 'more' })), true],
    ];
    for (const [name, change, erased] of changes) {
      const copy = partition(16384).kmsg(4096);
      for (let i = 0; i < 4; i++) copy.dmesg(i, oops(i + 1));
      const { engine, storage } = open(copy);
      change(copy);
      t.equal(engine.erase(1), erased, name);
      t.equal(storage.writes.length, erased ? 1 : 0, name);
    }
  });
  await t.test("the device's own erase is used where there is one", async (t) => {
    const bytes = image.bytes.slice();
    const memory = new MemoryStorage(bytes);
    const erased: number[][] = [];
    const flash = Object.assign(memory, {
      erase: (offset: number, length: number) => {
        erased.push([offset, length]);
        bytes.fill(0xff, offset, offset + length);
      },
    });
    const sizes = { kmsgSize: 4096, pmsgSize: 0, consoleSize: 0, ttySize: 0, ftraceSize: 0, cpus: 1 };
    const engine = new ZoneEngine(
      flash,
      layOut(dialectsOf('pstore_blk')[0]!, 16384, sizes, 'x'),
      parseAbi('le64'),
      new Warnings(),
    );
    engine.recover();
    t.equal(engine.erase(2), true);
    t.same(erased, [[8192, 12 + 40 + 'Oops#3 Part1\ntext of 3\n'.length]]);
    t.same(bytes.subarray(8192, 8196), [255, 255, 255, 255], 'no header is written');
    t.same(
      shown(engine, image).map(({ index }) => index),
      [0, 1, 3],
    );
  });
});

// ── what is taken ──

t.test('dumps that are refused', async (t) => {
  const table: [string, ZonePartition['format'], EngineOptions, Parameters<typeof dump>, string | undefined][] = [
    ['no reason', 'pstore_blk', {}, [0, T, 'x'], 'EINVAL'],
    ['an unknown reason', 'pstore_blk', {}, [5, T, 'x'], 'EINVAL'],
    ['shutdown', 'pstore_blk', {}, [4, T, 'x'], undefined],
    ['emergency beyond max_reason', 'pstore_blk', { maxReason: 2 }, [3, T, 'x'], 'EINVAL'],
    ['oops at max_reason', 'pstore_blk', { maxReason: 2 }, [2, T, 'x'], undefined],
    ['oops beyond max_reason', 'pstore_blk', { maxReason: 1 }, [2, T, 'x'], 'EINVAL'],
    ['emergency', 'blkoops', {}, [3, T, 'x'], 'EINVAL'],
    ['oops with dump_oops', 'blkoops', { dumpOops: true }, [2, T, 'x'], undefined],
    ['oops without dump_oops', 'blkoops', { dumpOops: false }, [2, T, 'x'], 'EINVAL'],
    ['panic without dump_oops', 'blkoops', { dumpOops: false }, [1, T, 'x'], undefined],
    ['oops without dump_oops, mainline', 'pstore_blk', { dumpOops: false }, [2, T, 'x'], 'EINVAL'],
    ['panic without a panic path', 'pstore_blk', { panic: null }, [1, T, 'x'], 'EPERM'],
    ['panic without a panic path, v5', 'blkoops', { panic: null }, [1, T, 'x'], 'EPERM'],
  ];
  for (const [name, format, options, args, code] of table) {
    const image = partition(16384, { format }).kmsg(4096);
    const before = image.bytes.slice();
    const { engine } = open(image, options);
    if (code) {
      t.throws(() => engine.write(dump(...args)), { code }, name);
      t.same(image.bytes, before, `${name}: nothing is written`);
    } else t.same(engine.write(dump(...args)), { zone: 0, flushed: true }, name);
  }
  const rings = partition(16384).pmsg(4096).console(0).ftrace(0, 1);
  t.throws(() => open(rings).engine.write(dump(2, T, 'x')), { code: 'ENOSPC' }, 'no dmesg zones');
  t.throws(() => open(rings).engine.writeRing('console', latin1('x')), { code: 'ENOSPC' }, 'no console zone');
  t.throws(() => open(rings).engine.writeRing('pmsg', latin1('x'), 1), { code: 'ENOSPC' }, 'no second pmsg zone');
});

t.test('a record larger than its zone is cut off', async (t) => {
  for (const format of FORMATS) {
    for (const abi of MACHINE_NAMES) {
      const image = partition(16384, { format, abi }).kmsg(4096);
      const { engine } = open(image);
      const body = 'y'.repeat(5000);
      engine.write(dump(2, T, body));
      t.same(
        shown(engine, image).map((record) => record.body.length),
        [image.room],
      );
      const expected = partition(16384, { format, abi }).kmsg(4096);
      expected.dmesg(0, { body: body.slice(0, image.room), seconds: T, counter: 1, reason: 2 });
      t.same(image.bytes, expected.bytes);
    }
  }
});

// ── panics ──

t.test('a panic uses the panic path only', async (t) => {
  const image = partition(32768).pmsg(4096).console(0).ftrace(0, 1).kmsg(4096).dmesg(0, oops(4));
  const panic = new FaultyStorage(new MemoryStorage(image.bytes, { path: 'panic' }));
  const { engine, storage } = open(image, { panic });
  storage.there = false;
  t.same(engine.write(dump(2, T + 5, 'held')), { zone: 1, flushed: false });
  t.equal(engine.writeRing('pmsg', latin1('held too')), false);
  t.same(engine.write(dump(1, T + 6, 'the panic')), { zone: 2, flushed: true });
  t.same(storage.writes, []);
  t.same(engine.dirtyZones, [], 'what was held goes the same way');
  t.equal(engine.flushDirty(), 0);
  t.throws(() => engine.writeRing('pmsg', latin1('x')), { code: 'EBUSY' });
  t.same(engine.write(dump(2, T + 7, 'an oops in the panic')), { zone: 3, flushed: true });
  t.equal(engine.erase(0), true);
  t.same(storage.writes, []);
  const { engine: later } = open(image);
  t.same(
    shown(later, image).map(({ index, body, counter }) => [index, body, counter]),
    [
      [1, 'held', 5],
      [2, 'the panic', 1],
      [3, 'an oops in the panic', 6],
    ],
  );
  t.equal(ringText(later, 'pmsg'), 'held too');
});

t.test('a panic before the recovery recovers first, through the panic path', async (t) => {
  const image = partition(32768).pmsg(4096, ['old pmsg, ']).console(0).ftrace(0, 1).kmsg(4096);
  image.dmesg(0, oops(8)).dmesg(1, { ...oops(3), reason: 1, seconds: T + 9 });
  const panic = new FaultyStorage(new MemoryStorage(image.bytes, { path: 'panic' }));
  const { engine, storage } = load(image, { panic });
  storage.there = false;
  engine.write(dump(2, T + 20, 'early oops'));
  engine.writeRing('pmsg', latin1('new pmsg'));
  t.same(engine.write(dump(1, T + 21, 'early panic')), { zone: 3, flushed: true });
  const { engine: later } = open(image);
  t.same(
    shown(later, image).map(({ index, counter, reason }) => [index, counter, reason]),
    [
      [0, 8, 2],
      [1, 3, 1],
      [2, 9, 2],
      [3, 4, 1],
    ],
  );
  t.equal(ringText(later, 'pmsg'), 'old pmsg, new pmsg');
});

t.test('a panic before the recovery on a path that does not work writes over nothing', async (t) => {
  const image = partition(16384).kmsg(4096).dmesg(0, oops(8));
  const panic = new FaultyStorage(new MemoryStorage(image.bytes));
  panic.there = false;
  const { engine } = load(image, { panic });
  t.same(engine.write(dump(1, T + 20, 'panic')), { zone: 0, flushed: false });
  t.same(panic.writes, []);
});

t.test('without a panic path a panic is not stored, and still ends all other writing', async (t) => {
  const image = partition(16384).pmsg(4096).console(0).ftrace(0, 1).kmsg(4096);
  const { engine, storage } = open(image, { panic: null });
  t.throws(() => engine.write(dump(1, T, 'panic')), { code: 'EPERM' });
  t.throws(() => engine.writeRing('pmsg', latin1('x')), { code: 'EBUSY' });
  t.throws(() => engine.write(dump(2, T, 'oops')), { code: 'EPERM' });
  t.same(storage.writes, []);
});

// ── another writer ──

t.test('refresh shows what another writer has done, and goes on where it has got to', async (t) => {
  const image = partition(16384).pmsg(4096).console(0).ftrace(0, 1).kmsg(4096);
  const { engine } = open(image);
  const { engine: other } = open(image);
  const changed: number[] = [];
  const refresh = () => engine.refresh((index) => changed.push(index));
  t.equal(refresh(), false);
  other.write(dump(2, T, 'one'));
  t.equal(refresh(), true);
  t.same(changed, [0]);
  t.equal(engine.nextZone, 1);
  t.same(engine.counters, { oops: 1, panic: 0 });
  other.writeRing('pmsg', latin1('text'));
  t.equal(refresh(), true);
  t.same(changed, [0]);
  t.equal(ringText(engine, 'pmsg'), 'text');
  other.erase(0);
  t.equal(refresh(), true);
  t.same(shown(engine, image), []);
});

t.test('refresh warns of a damaged zone once', async (t) => {
  const image = partition(16384).console(4096, ['text']).ftrace(0, 1).kmsg(4096);
  const { engine, warnings } = open(image);
  image.dmesg(0, oops(1, { datalen: 100000 }));
  image.ring(image.places[0]!, { data: '', datalen: 99999, start: 0 });
  for (let i = 0; i < 3; i++) engine.refresh(() => {});
  t.same(
    warnings.list.map(({ code }) => code),
    ['zone-overtop', 'zone-overtop'],
  );
});

t.test('a refresh that fails changes nothing', async (t) => {
  const image = partition(16384).kmsg(4096).dmesg(0, oops(1)).dmesg(1, oops(2));
  const { engine, storage } = open(image);
  image.dmesg(0, oops(9));
  storage.there = false;
  t.throws(() => engine.refresh(() => t.fail('nothing changes')), { code: 'EAGAIN' });
  t.equal(engine.nextZone, 2);
  t.same(engine.counters, { oops: 2, panic: 0 });
});

// ── power cuts ──

interface CutCase {
  readonly name: string;
  readonly act: (engine: ZoneEngine) => void;
  /** What may be lost: the record that is written over or erased. */
  readonly zone?: number;
  readonly ring?: string;
}

const CUTS: readonly CutCase[] = [
  { name: 'a record in a new zone', act: (engine) => engine.write(dump(2, T + 50, 'new')), zone: 5 },
  { name: 'an erase', act: (engine) => engine.erase(3), zone: 3 },
  { name: 'an append', act: (engine) => engine.writeRing('pmsg', latin1('more\n')), ring: 'pmsg' },
  {
    name: 'an append that wraps',
    act: (engine) => engine.writeRing('pmsg', new Uint8Array(3000).fill(66)),
    ring: 'pmsg',
  },
  { name: "a ring's erase", act: (engine) => engine.eraseRing(engine.rings[1]!), ring: 'console' },
];

t.test('a power cut at any write loses nothing else', async (t) => {
  const build = (format: ZonePartition['format']) => {
    const image = partition(65536, { format });
    if (format === 'pstore_blk')
      image
        .pmsg(4096, ['x'.repeat(2000)])
        .console(4096, ['console\n'])
        .ftrace(0, 1);
    image.kmsg(4096);
    for (let i = 0; i < 5; i++) image.dmesg(i, oops(i + 1));
    return image;
  };
  for (const format of FORMATS) {
    for (const { name, act, zone, ring } of CUTS) {
      if (ring && format === 'blkoops') continue;
      const whole = open(build(format));
      act(whole.engine);
      const { writes } = whole.storage;
      t.ok(writes.length > 0);
      for (const [n, { length }] of writes.entries()) {
        for (const torn of new Set([0, 1, 4, 6, 8, 11, length >> 1, length - 1])) {
          const image = build(format);
          const before = shown(open(image).engine, image);
          const { engine, storage } = open(image);
          storage.cutPowerAfter(n, Math.min(torn, length));
          try {
            act(engine);
          } catch (error) {
            assert.equal((error as { code?: string }).code, 'EIO');
          }
          const { engine: after } = open(image);
          const others = (records: readonly Shown[]) => records.filter(({ index }) => index !== zone);
          assert.deepEqual(
            others(shown(after, image)),
            others(before),
            `${format}: ${name}, write ${n}, ${torn} bytes`,
          );
          for (const kind of format === 'pstore_blk' ? ['pmsg', 'console'] : []) {
            if (kind === ring && torn > 0) continue;
            const text = ringText(after, kind);
            if (kind !== ring) assert.equal(text, kind === 'pmsg' ? 'x'.repeat(2000) : 'console\n');
            // Before the header is written the ring tells of its old bytes, some of which may be overwritten.
            else assert.equal(text.length, kind === 'pmsg' ? 2000 : 8);
          }
        }
      }
      t.pass(`${format}: ${name}, ${writes.length} writes`);
    }
  }
});
