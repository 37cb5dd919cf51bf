import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { ZonePlaces } from '../../lib/blk/backend.js';
import { blkoops } from '../../lib/blk/blkoops.js';
import { detectZones } from '../../lib/blk/detect.js';
import { pstoreBlk } from '../../lib/blk/pstore_blk.js';
import { PstoreError } from '../../lib/errors.js';
import type { NewRecord } from '../../lib/pstore/backend.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import type { Records } from '../../lib/pstore/records.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { Warnings } from '../../lib/warnings.js';
import { ftraceBytes, join } from '../builders/ftrace.js';
import { MACHINE_NAMES, MACHINES, partition, type RingSpec, type ZonePartition } from '../builders/zone.js';
import { goldenImage } from '../fixture-path.js';

type Zones = Records<ZonePlaces>;

function open(image: ZonePartition, keys: Readonly<Record<string, string>>, bytes = image.bytes): Zones {
  return (image.format === 'blkoops' ? blkoops : pstoreBlk).open({
    path: 'image.raw',
    storage: SurvivingStorage.over(new MemoryStorage(bytes, { path: 'image.raw' })),
    keys: SourceKeys.of(keys),
    warnings: new Warnings('strict' in keys),
    cache: new TextCache(),
    readFile: () => new Uint8Array(0),
  }) as Zones;
}

function files(backend: Zones): Record<string, string> {
  const shown: Record<string, string> = {};
  for (let slot = 0; slot < backend.slots; slot++) {
    const record = backend.record(slot);
    if (!record) continue;
    const text = Buffer.from(contentBytes(backend.open(slot))).toString('latin1');
    shown[record.name] = `${record.mtimeNs} ${record.reason} ${record.count} ${text}`;
  }
  return shown;
}

// ── random partitions ──

type RingShape = 'never' | 'empty' | 'short' | 'exact' | 'wrapped';

interface Shape {
  readonly abi: (typeof MACHINE_NAMES)[number];
  readonly blkoops: boolean;
  readonly fill: number;
  /** In units of 512 bytes. */
  readonly pmsg: number;
  readonly console: number;
  readonly tty: number;
  readonly ftrace: number;
  readonly cpus: number;
  readonly kmsg: number;
  readonly kmsgZones: number;
  /** Spare units behind the last zone. */
  readonly rest: number;
  readonly rings: readonly RingShape[];
  /** How many records were written, one zone after the other, round the ring. */
  readonly records: number;
  /** Zones that were emptied again. */
  readonly erased: readonly number[];
  readonly formatted: boolean;
  readonly lengths: readonly number[];
  readonly nanoseconds: number;
}

const ringShape = fc.constantFrom<RingShape>('never', 'empty', 'short', 'exact', 'wrapped', 'short', 'wrapped');

const shape: fc.Arbitrary<Shape> = fc
  .record({
    abi: fc.constantFrom(...MACHINE_NAMES),
    blkoops: fc.boolean(),
    fill: fc.constantFrom(0xff, 0, 0xff),
    pmsg: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 20 }), fc.constantFrom(8, 16, 32)),
    console: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 20 }), fc.constantFrom(8, 16, 32)),
    tty: fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: 1, max: 9 })),
    ftrace: fc.oneof(fc.constant(0), fc.integer({ min: 4, max: 40 }), fc.constantFrom(8, 16, 32)),
    cpus: fc.integer({ min: 1, max: 9 }),
    kmsg: fc.oneof(fc.integer({ min: 1, max: 24 }), fc.constantFrom(8, 16, 32, 64)),
    kmsgZones: fc.integer({ min: 1, max: 9 }),
    rest: fc.nat({ max: 7 }),
    rings: fc.array(ringShape, { minLength: 12, maxLength: 12 }),
    records: fc.nat({ max: 14 }),
    erased: fc.uniqueArray(fc.nat({ max: 8 }), { maxLength: 3 }),
    formatted: fc.boolean(),
    lengths: fc.array(fc.nat({ max: 1000 }), { minLength: 14, maxLength: 14 }),
    nanoseconds: fc.integer({ min: 1, max: 999_999_999 }),
  })
  .map((made) => (made.blkoops ? { ...made, pmsg: 0, console: 0, tty: 0, ftrace: 0 } : made))
  .map((made) => (made.formatted ? { ...made, fill: 0xff } : made));

function textRing(kind: RingShape, area: number): RingSpec | undefined {
  const line = (n: number) => `[    ${n}.000001] line ${n} of a console\n`;
  const lines = Array.from({ length: Math.ceil(area / 20) }, (_, n) => line(n));
  switch (kind) {
    case 'never':
      return undefined;
    // Erased: what it held stays, as a kernel leaves it.
    case 'empty':
      return { data: lines[0]!.slice(0, area), datalen: 0, start: 0 };
    case 'short':
      return [
        lines
          .slice(0, Math.max(1, lines.length >> 2))
          .join('')
          .slice(0, Math.max(1, area >> 1)),
      ];
    case 'exact':
      return [lines.join('').slice(0, area)];
    case 'wrapped':
      return lines;
  }
}

function traceRing(kind: RingShape, area: number, cpu: number, abi: Shape['abi']): RingSpec | undefined {
  const { word, little } = MACHINES[abi];
  const record = (n: number) =>
    ftraceBytes(
      { cpu, ts: BigInt(1000 + 10 * n + cpu), ip: 0x81000000n + BigInt(n), parent: 0x81200000n },
      word === 8 ? '64' : '32',
      little,
    );
  const size = 2 * word + 8;
  const many = (count: number) => Array.from({ length: count }, (_, n) => record(n));
  if (kind === 'never') return undefined;
  if (area < size) return undefined;
  if (kind === 'empty') return { data: record(0), datalen: 0, start: 0 };
  const full = Math.floor(area / size);
  if (kind === 'short') return [join(many(Math.max(1, full >> 1)))];
  return kind === 'exact' ? [join(many(full))] : many(full + 3);
}

function build(made: Shape): ZonePartition {
  const front = made.pmsg + made.console + made.tty + made.ftrace;
  const units = front + made.kmsg * made.kmsgZones + Math.min(made.rest, made.kmsg - 1);
  const size = Math.max(4096, Math.ceil((units * 512) / 4096) * 4096);
  const image = partition(size, { format: made.blkoops ? 'blkoops' : 'pstore_blk', abi: made.abi, fill: made.fill });
  if (!made.blkoops) {
    image.pmsg(made.pmsg * 512).console(made.console * 512);
    if (made.tty > 0) image.tty(made.tty * 512);
    image.ftrace(made.ftrace * 512, made.cpus);
  }
  image.kmsg(made.kmsg * 512);
  if (made.formatted) image.formatted();
  let ring = 0;
  for (const place of image.places) {
    if (place.kind === 'dmesg') continue;
    const shape = made.rings[ring++ % made.rings.length]!;
    // Only our own format makes tty zones, and gives each a header.
    const kind = place.kind === 'tty' && shape === 'never' ? 'empty' : shape;
    const area = place.size - 12;
    image.ring(place, place.kind === 'ftrace' ? traceRing(kind, area, place.index, made.abi) : textRing(kind, area));
  }
  const zones = image.kmsgZones.length;
  let last = -1;
  for (let n = 0; n < made.records && n < 14; n++) {
    const text = `Oops#${n + 1} Part1\n<6>[    1.0] ${'x'.repeat(Math.floor((made.lengths[n]! * image.room) / 1000))}`;
    image.dmesg(n % zones, {
      body: text.slice(0, image.room),
      seconds: 1_700_000_000 + 2 * n,
      nanoseconds: made.nanoseconds,
      counter: n + 1,
      reason: 2,
    });
    last = n;
  }
  for (const index of made.erased) {
    if (index <= last && index < zones && image.kmsgZones[index]) image.erase(image.kmsgZones[index]!);
  }
  return image;
}

const KINDS = ['dmesg', 'console', 'pmsg', 'tty', 'ftrace'] as const;

/** Whether anything in the image has a signature. */
function isSigned(image: ZonePartition): boolean {
  return image.places.some(({ offset }) => hasSignature(image, offset));
}

function hasSignature(image: ZonePartition, offset: number): boolean {
  const view = new DataView(image.bytes.buffer);
  return (view.getUint32(offset, MACHINES[image.abi].little) ^ 0x43474244) >>> 0 < 16;
}

function newRecord(type: NewRecord['type']): NewRecord {
  return {
    type,
    reason: 2,
    timeNs: 1_800_000_000_000_000_005n,
    compress: 'none',
    data: new TextEncoder().encode('[ 1.0] a new line\n'),
  };
}

/** What a write leaves, or undefined when it is refused as a guess. */
function afterWrite(image: ZonePartition, keys: Readonly<Record<string, string>>, type: NewRecord['type']) {
  const bytes = image.bytes.slice();
  try {
    open(image, keys, bytes).write!(newRecord(type));
    return Buffer.from(bytes).toString('latin1');
  } catch (error) {
    if (!(error instanceof PstoreError) || error.code !== 'EINVAL') throw error;
    assert.deepEqual(bytes, image.bytes);
    return undefined;
  }
}

t.test('unknown geometry shows the files of the given one, and what it prints opens the same way', async () => {
  fc.assert(
    fc.property(shape, (made) => {
      const image = build(made);
      if (!isSigned(image)) return;
      const before = image.bytes.slice();
      const given = files(open(image, { ...image.keys, abi: image.abi }));
      const found = open(image, {});
      assert.deepEqual(files(found), given);
      const again = open(
        image,
        Object.fromEntries(
          found
            .info()
            .sourceKeys.split(',')
            .map((key) => key.split('=')),
        ),
      );
      assert.deepEqual(files(again), given);
      assert.deepEqual(again.places.engine.geometry, found.places.engine.geometry);
      assert.deepEqual(image.bytes, before);
    }),
    { numRuns: 250 },
  );
});

t.test('a guess never places a write: where one is allowed, it goes where the given geometry puts it', async (t) => {
  const allowed: Record<string, number> = {};
  fc.assert(
    fc.property(shape, (made) => {
      const image = build(made);
      if (!isSigned(image)) return;
      for (const type of KINDS) {
        if (!image.places.some(({ kind }) => kind === type)) continue;
        const found = afterWrite(image, { abi: image.abi }, type);
        if (found === undefined) continue;
        allowed[type] = (allowed[type] ?? 0) + 1;
        assert.equal(found, afterWrite(image, { ...image.keys, abi: image.abi }, type), type);
      }
    }),
    { numRuns: 200 },
  );
  for (const type of KINDS) t.ok(allowed[type]! > 0, `${type} was written`);
});

t.test('one flipped bit in a header does not change how the others are read', async () => {
  fc.assert(
    fc.property(shape, fc.nat(), fc.nat(), (made, which, bit) => {
      const image = build({ ...made, records: Math.max(3, made.records) });
      const used = image.places.filter(({ offset }) => hasSignature(image, offset));
      const { kind, index, offset } = used[which % used.length]!;
      // A ring's signature may become another kind's, and nanoseconds those of another machine: nothing can tell.
      const time = image.bufferHeaderSize + (image.abi.endsWith('align4') ? 12 : 16);
      const bits =
        kind !== 'dmesg'
          ? range(32, 96)
          : range(0, 8 * (image.bufferHeaderSize + image.recordHeaderSize)).filter(
              (at) => at < 8 * time || at >= 8 * (time + 8),
            );
      const at = bits[bit % bits.length]!;
      image.bytes[offset + (at >> 3)]! ^= 1 << (at & 7);
      // The damaged zone itself: a length beyond its zone is not one beyond the room that it might have.
      const others = (keys: Readonly<Record<string, string>>) => {
        const { [`${kind}-${image.format}-${index}`]: _, ...rest } = files(open(image, keys));
        return kind === 'ftrace' ? Object.keys(rest).filter((name) => !name.startsWith('ftrace')) : rest;
      };
      assert.deepEqual(others({}), others({ ...image.keys, abi: image.abi }));
    }),
    { numRuns: 250 },
  );
});

t.test('a damaged length that looks like a full ring does not hide the next zone', async (t) => {
  const image = partition(16384).pmsg(8192, 'p'.repeat(9000).split('')).console(512, ['last words\n']).kmsg(512);
  image.dmesg(0, oops(1));
  const sizes = () => open(image, {}).places.engine.geometry.rings.map(({ type, size }) => [type, size]);
  const expected = [
    ['pmsg', 8192],
    ['console', 512],
  ];
  t.same(sizes(), expected);
  image.bytes[5]! ^= 2;
  t.same(sizes(), expected, 'eight sectors less one');
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

function oops(n: number) {
  return { body: `Oops#${n} Part1\nline ${n}\n`, seconds: 1_700_000_000 + n, counter: n, reason: 2 };
}

t.test('which images prove the place of a dmesg record', async (t) => {
  const plain = (size: number, zone: number, zones: readonly number[], fill = 0xff) => {
    const image = partition(size, { fill }).kmsg(zone);
    zones.forEach((index, i) => {
      image.dmesg(index, oops(i + 1));
    });
    return image;
  };
  const table: [string, ZonePartition, Record<string, string>, boolean][] = [
    ['three zones one after the other', plain(65536, 8192, [0, 1, 2]), {}, true],
    ['one zone', plain(65536, 8192, [0]), {}, false],
    ['one zone, with its size given', plain(65536, 8192, [0]), { kmsg_size: '8K' }, true],
    ['two zones in zeros', plain(65536, 8192, [0, 1], 0), {}, false],
    ['two zones, and the fill behind the second', plain(65536, 8192, [0, 1]), {}, true],
    ['two zones, and no room for more', plain(16384, 8192, [0, 1], 0), {}, true],
    ['zones with a gap', plain(131072, 8192, [0, 1, 7]), {}, true],
    ['formatted', partition(65536).kmsg(8192).formatted(), {}, true],
    ['formatted, with one record', partition(65536).kmsg(8192).formatted().dmesg(0, oops(1)), {}, true],
    ['formatted, all kinds', allKinds().formatted(), {}, true],
    ['formatted, one zone: it may be smaller than the room for it', partition(8192).kmsg(8192).formatted(), {}, false],
    ['blkoops, three zones', blkoopsZones(3), {}, true],
    ['blkoops, two zones', blkoopsZones(2), {}, false],
    ['blkoops, formatted', partition(65536, { format: 'blkoops' }).kmsg(4096).formatted(), {}, true],
    ['something unsigned before three zones', unsignedFront(), {}, false],
    [
      'the same, with the sizes given',
      unsignedFront(),
      { pmsg_size: '16K', console_size: '0', ftrace_size: '0' },
      true,
    ],
  ];
  for (const [name, image, keys, allowed] of table) {
    const found = afterWrite(image, keys, 'dmesg');
    t.equal(found !== undefined, allowed, name);
    if (allowed) t.equal(found, afterWrite(image, image.keys, 'dmesg'), `${name}: the place`);
  }
});

function allKinds(abi: ZonePartition['abi'] = 'le64'): ZonePartition {
  return partition(131072, { abi }).pmsg(8192).console(4096).tty(4096).ftrace(16384, 3).kmsg(16384);
}

function unsignedFront(): ZonePartition {
  const image = partition(131072).pmsg(16384).console(0).ftrace(0, 1).kmsg(8192);
  for (let i = 0; i < 3; i++) image.dmesg(i, oops(i + 1));
  return image;
}

function blkoopsZones(count: number): ZonePartition {
  const image = partition(65536, { format: 'blkoops' }).kmsg(8192);
  for (let i = 0; i < count; i++) image.dmesg(i, oops(i + 1));
  return image;
}

t.test('a formatted image tells its own geometry, for writes of every kind, on every machine', async (t) => {
  for (const abi of MACHINE_NAMES) {
    const image = allKinds(abi).formatted();
    for (const type of KINDS) t.ok(afterWrite(image, { abi }, type) !== undefined, `${abi} ${type}`);
    const { geometry, abi: found } = open(image, {}).places.engine;
    t.equal(found.endian, MACHINES[abi].little ? 'little' : 'big');
    t.match(geometry, {
      pmsgSize: 8192,
      consoleSize: 4096,
      ttySize: 4096,
      ftraceSize: 16384,
      cpus: 3,
      kmsgSize: 16384,
    });
  }
});

t.test('a formatted ring proves the geometry when all dmesg zones were written; an erased one does not', async (t) => {
  const image = (isFormatted: boolean, ring?: RingSpec) => {
    const made = partition(65536).console(8192, ring).kmsg(8192);
    if (isFormatted) made.formatted();
    for (let i = 0; i < 7; i++) made.dmesg(i, oops(i + 1));
    return made;
  };
  const formatted = image(true);
  const place = afterWrite(formatted, {}, 'console');
  t.ok(place !== undefined);
  t.equal(place, afterWrite(formatted, formatted.keys, 'console'));
  // Its text is still there, though its first bytes were never written.
  const erased = image(false, { data: `${'\xff'.repeat(100)}text`, datalen: 0, start: 0 });
  t.equal(afterWrite(erased, {}, 'console'), undefined);
});

t.test('an empty image of dmesg zones: what is to be given for another kind', async (t) => {
  const refused = (image: ZonePartition, message: RegExp) =>
    t.throws(() => open(image, {}).write!(newRecord('console')), { code: 'EINVAL', message });
  const bare = partition(65536).kmsg(8192).formatted();
  refused(
    bare,
    /give console_size= as the kernel had it; or take ramoops:image\.raw, if it is an empty image of ramoops/,
  );
  refused(bare.dmesg(0, oops(1)), /give console_size= as the kernel had it$/);
});

t.test('zones far apart: the fill between them tells the size', async (t) => {
  const image = partition(131072).kmsg(8192).dmesg(0, oops(1)).dmesg(7, oops(2));
  t.same(Object.keys(files(open(image, {}))), ['dmesg-pstore_blk-0', 'dmesg-pstore_blk-7']);
});

t.test('front zones that were never written', async (t) => {
  const line = '[    0.000001] a line\n';
  const table: [string, ZonePartition][] = [
    ['pmsg before console', partition(65536).pmsg(8192).console(4096, [line]).ftrace(0, 1).kmsg(8192)],
    [
      'console behind a full pmsg',
      partition(65536)
        .pmsg(4096, [line.repeat(300)])
        .console(8192)
        .ftrace(0, 1)
        .kmsg(8192),
    ],
    [
      'tty between console and ftrace',
      partition(65536)
        .console(4096, [line])
        .tty(4096)
        .ftrace(8192, 2, [trace(0)])
        .kmsg(8192),
    ],
    [
      'the first CPU',
      partition(65536)
        .console(4096, [line])
        .ftrace(12288, 3, [undefined, trace(1), trace(2)])
        .kmsg(8192),
    ],
    [
      'the last CPU',
      partition(65536)
        .console(4096, [line])
        .ftrace(12288, 3, [trace(0), trace(1)])
        .kmsg(8192),
    ],
    [
      'the CPU between',
      partition(65536)
        .pmsg(4096)
        .console(4096, [line])
        .ftrace(12288, 3, [trace(0), undefined, trace(2)])
        .kmsg(8192),
    ],
    ['all, and ftrace ends at an odd place', partition(65536).pmsg(4096).console(4096).ftrace(8192, 5).kmsg(8192)],
  ];
  for (const [name, image] of table) {
    for (let i = 0; i < 3; i++) image.dmesg(i, oops(i + 1));
    const expected = files(open(image, image.keys));
    t.ok(Object.keys(expected).length >= 3);
    const found = open(image, {});
    t.same(files(found), expected, name);
    const keys = Object.fromEntries(
      found
        .info()
        .sourceKeys.split(',')
        .map((key) => key.split('=')),
    );
    t.same(files(open(image, keys)), expected, `${name}: the keys that info prints`);
  }
});

function trace(cpu: number): RingSpec {
  return [
    join(
      range(0, 20).map((n) =>
        ftraceBytes({ cpu, ts: 100n + BigInt(n), ip: 0x81000000n + BigInt(n), parent: 0x82000000n }, '64'),
      ),
    ),
  ];
}

t.test('the machine', async (t) => {
  await t.test('is told by padding that is not zero, in however few records', async (t) => {
    const made = partition(65536, { format: 'blkoops', abi: 'le32' }).kmsg(8192);
    const at = (index: number) => made.kmsgZones[index]!.offset + 8 + 20;
    for (let i = 0; i < 4; i++) made.dmesg(i, oops(i + 1));
    for (let i = 1; i < 4; i++) made.bytes.fill(0, at(i), at(i) + 4);
    t.match(open(made, {}).places.engine.abi, { wordBits: 32, align: 8 });
    made.bytes[at(0)]! = 0x10;
    t.match(open(made, {}).places.engine.abi, { wordBits: 64, align: 8 }, 'one with another value is damaged');
    const big = partition(65536, { format: 'blkoops', abi: 'be64' }).kmsg(8192);
    for (let i = 0; i < 4; i++) big.dmesg(i, oops(i + 1));
    big.bytes.copyWithin(8 + 16, 8 + 20, 8 + 24).fill(0xff, 8 + 20, 8 + 24);
    t.match(open(big, {}).places.engine.abi, { endian: 'big', wordBits: 64 }, 'the others are of another machine');
  });
  await t.test('is not changed by one damaged header', async (t) => {
    for (const abi of MACHINE_NAMES) {
      const image = partition(65536, { abi }).kmsg(8192);
      for (let i = 0; i < 4; i++) image.dmesg(i, { ...oops(i), nanoseconds: i === 1 ? 0xfffffff0 : 500_000_000 + i });
      const { endian, align } = open(image, {}).places.engine.abi;
      t.same({ endian, align }, { endian: MACHINES[abi].little ? 'little' : 'big', align: MACHINES[abi].align }, abi);
      t.match(open(image, {}).record(3), { mtimeNs: 1_700_000_003_500_000_003n });
    }
  });
  await t.test('is not changed by damage to half of the nanoseconds, but for a warning', async (t) => {
    for (const [abi, half] of [
      ['be64', 16],
      ['le64', 20],
      ['be32', 20],
    ] as const) {
      for (const count of [1, 2, 3]) {
        const image = partition(65536, { abi, fill: 0 }).pmsg(0).console(0).ftrace(0, 1).kmsg(8192);
        for (let i = 0; i < count; i++) image.dmesg(i, oops(i + 1));
        image.bytes.set([0, 0, 5, 0], image.kmsgZones[0]!.offset + 12 + half);
        const backend = open(image, {});
        const what = `${abi}, one of ${count}`;
        const isTold = abi !== 'be32' || count > 1;
        if (isTold) t.match(backend.places.engine.abi, { wordBits: MACHINES[abi].word * 8, align: 8 }, what);
        const codes = backend.warnings.list.map(({ code }) => code);
        t.equal(codes.includes('record-time'), abi !== 'be32' || count === 1, what);
      }
    }
  });
  await t.test('is told by ftrace records where nanoseconds do not', async (t) => {
    const image = partition(65536, { abi: 'le32' })
      .ftrace(8192, 2, [short(0), short(1)])
      .kmsg(8192)
      .dmesg(0, oops(1));
    t.match(open(image, {}).places.engine.abi, { endian: 'little', wordBits: 32, align: 8 });
    function short(cpu: number): RingSpec {
      return range(0, 30).map((n) =>
        ftraceBytes({ cpu, ts: 100n + BigInt(n), ip: 0xc0100000n + BigInt(n), parent: 0xc0200000n }, '32'),
      );
    }
  });
  await t.test('is found in records far behind the beginning, with the zone size given', async (t) => {
    const image = partition(16 << 20, { abi: 'be32' })
      .pmsg(9 << 20, ['text'])
      .console(0)
      .ftrace(0, 1)
      .kmsg(65536)
      .dmesg(0, oops(1));
    t.match(open(image, { kmsg_size: '64K', pmsg_size: '9M' }).record(0), {
      name: 'dmesg-pstore_blk-0',
      mtimeNs: 1_700_000_001_123_456_789n,
    });
  });
});

t.test('a machine that is given and that the headers contradict', (t) => {
  for (const abi of MACHINE_NAMES) {
    const image = partition(65536, { abi }).pmsg(4096, ['text']).console(0).ftrace(0, 1).kmsg(8192);
    for (let i = 0; i < 3; i++) image.dmesg(i, oops(i + 1));
    for (const given of MACHINE_NAMES) {
      const [own, other] = [MACHINES[abi], MACHINES[given]];
      // How long `long` is, the padding of a little-endian machine may hide.
      const isOther = own.little !== other.little || own.align !== other.align;
      const backend = open(image, { abi: given });
      const said = backend.warnings.list.filter(({ code }) => code === 'geometry-mismatch');
      t.equal(said.length, isOther ? 1 : 0, `${abi} given as ${given}`);
      if (!isOther) continue;
      const endian = `headers of this image are ${own.little ? 'little' : 'big'}-endian, abi=${given} is given`;
      t.match(said[0]!.message, own.little === other.little ? `abi=${given} is given` : endian);
      t.throws(() => open(image, { abi: given, strict: '' }), { code: 'EINVAL', message: /headers of this image are/ });
      t.throws(() => backend.write!(newRecord('dmesg')), { code: 'EINVAL', message: /do not fit this image/ });
    }
  }
  // All times 0: no header tells the alignment.
  const silent = partition(65536, { abi: 'le32-align4' }).kmsg(8192);
  for (let i = 0; i < 3; i++) silent.dmesg(i, { body: '', seconds: 0, nanoseconds: 0, counter: 0, reason: 0 });
  t.notOk(open(silent, silent.keys).warnings.list.some(({ code }) => code === 'geometry-mismatch'));
  t.end();
});

t.test('sizes that are given', async (t) => {
  const image = blkoopsZones(4);
  await t.test('are obeyed with a warning that says what fits', async (t) => {
    const backend = open(image, { kmsg_size: '16K' });
    t.match(backend.warnings.list, [
      {
        code: 'geometry-mismatch',
        message: /zones of 8 KiB fit this image \(4 of 4 .* 16 KiB do not \(2 of 4\); give kmsg_size=8K/,
      },
    ]);
    t.same(Object.keys(files(backend)), ['dmesg-blkoops-0', 'dmesg-blkoops-1']);
    t.throws(() => open(image, { kmsg_size: '16K', strict: '' }), { code: 'EINVAL', message: /zones of 8 KiB fit/ });
  });
  await t.test('leave the others to be found', async (t) => {
    const line = '[    0.000001] a line\n';
    const built = partition(65536)
      .pmsg(4096, [line])
      .console(4096, [line])
      .ftrace(8192, 3, [trace(0), trace(1), trace(2)])
      .kmsg(8192);
    for (let i = 0; i < 3; i++) built.dmesg(i, oops(i + 1));
    const expected = open(built, built.keys).places.engine.geometry;
    for (const key of Object.keys(built.keys)) {
      t.same(open(built, { [key]: built.keys[key]! }).places.engine.geometry, expected, key);
      const { [key]: _, ...others } = built.keys;
      t.same(open(built, others).places.engine.geometry, expected, `all but ${key}`);
    }
  });
});

t.test('a ring whose damaged signature is that of a dmesg zone, and a dmesg zone with a damaged magic', async (t) => {
  for (const folder of ['s3', 's16-smp4']) {
    const intact = goldenImage(folder);
    const find = (bytes: Uint8Array) =>
      detectZones(new MemoryStorage(bytes, { path: 'image.raw' }), { generation: 'pstore_blk' });
    const { kmsgOffset, sizes } = find(intact)!;
    // Bytes at 16384, the console zone, and at dmesg zone 0's magic.
    for (const [at, bit] of [
      [16384, 2],
      [kmsgOffset! + 12, 1],
      [kmsgOffset! + 15, 0x40],
    ] as const) {
      const bytes = intact.slice();
      bytes[at]! ^= bit;
      t.match(find(bytes), { kmsgOffset, sizes: { kmsgSize: sizes.kmsgSize } }, `${folder}, byte ${at}`);
    }
  }
});

t.test('dmesg zone 0 keeps its place when its signature or magic is lost as a whole', async (t) => {
  for (const [folder, base, magic] of [
    ['s1', 0, 12],
    ['s3', 65536, 12],
    ['v1', 0, 8],
  ] as const) {
    for (const at of folder === 'v1' ? [magic] : [0, magic]) {
      for (const byte of [0x00, 0x11, 0xff]) {
        const bytes = goldenImage(folder).fill(byte, base + at, base + at + 4);
        const found = detectZones(new MemoryStorage(bytes, { path: 'image.raw' }));
        const kmsgSize = folder === 's3' ? 32768 : 65536;
        t.match(found, { kmsgOffset: base, sizes: { kmsgSize } }, `${folder}, byte ${at} ${byte}`);
      }
    }
  }
});

t.test('ftrace_size alone tells the CPUs of signed zones, where zone 0 of dmesg is lost', async (t) => {
  const bytes = goldenImage('s3').fill(0, 65536, 65536 + 32768);
  const sizes = { kmsgSize: 32768, pmsgSize: 16384, consoleSize: 32768, ftraceSize: 16384 };
  const found = detectZones(new MemoryStorage(bytes, { path: 'image.raw' }), { generation: 'pstore_blk', sizes });
  t.match(found?.sizes, { ...sizes, cpus: 2 });
});

t.test('an ftrace ring whose damaged length is that of a zone twice as large', async (t) => {
  const bytes = goldenImage('s3').slice();
  // CPU 0's zone of 8 KiB begins at 49152, its datalen of 8180 at byte 4.
  bytes[49152 + 5]! ^= 0x20;
  const found = detectZones(new MemoryStorage(bytes, { path: 'image.raw' }), { generation: 'pstore_blk' });
  t.match(found?.sizes, { pmsgSize: 16384, consoleSize: 32768, ftraceSize: 16384, cpus: 2, kmsgSize: 32768 });
});

/** A medium with a block that cannot be read. */
class BrokenBlock extends MemoryStorage {
  broken = 0;

  override read(target: Uint8Array, offset: number): number {
    if (offset < this.broken + 4096 && offset + target.length > this.broken) {
      throw new PstoreError('EIO', 'image.raw: a bad block', { path: 'image.raw' });
    }
    return super.read(target, offset);
  }
}

t.test('a block that cannot be read, wherever it is, does not take the rest with it', async (t) => {
  for (const folder of ['s1', 's3', 's9-ff', 'v1']) {
    const bytes = goldenImage(folder);
    for (let broken = 0; broken < bytes.length; broken += 4096) {
      const storage = new BrokenBlock(bytes, { path: 'image.raw' });
      storage.broken = broken;
      const kind = folder === 'v1' ? blkoops : pstoreBlk;
      const context = {
        path: 'image.raw',
        storage: SurvivingStorage.over(storage),
        keys: SourceKeys.of({}),
        warnings: new Warnings(),
      };
      const backend = kind.open({ ...context, cache: new TextCache(), readFile: () => new Uint8Array(0) });
      if (broken > 0) t.ok(Array.from({ length: backend.slots }, (_, slot) => backend.record(slot)).some(Boolean));
    }
  }
});

t.test('hostile images', async (t) => {
  const time = (name: string, bytes: Uint8Array) => {
    const storage = new MemoryStorage(bytes, { path: 'image.raw' });
    for (const generation of ['pstore_blk', 'blkoops'] as const) detectZones(storage, { generation });
    t.pass(`${name}: ends`);
  };
  const repeated = (words: readonly number[], size: number) => {
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at + 4 <= size; at += 4) view.setUint32(at, words[(at / 4) % words.length]!, true);
    return bytes;
  };
  const size = 8 << 20;
  time('nothing but signatures', repeated([0x43474244], size));
  time('dmesg headers all over', repeated([0x43474244, 0, 0, 0x4dfc3ae5], size));
  time('ftrace headers all over', repeated([0x43474247, 5, 3], size));
  time('headers at ever other distances', distances(size));
  function distances(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    for (let at = 0, step = 512; at + 512 < length; at += step, step = (step % 65536) + 512) {
      view.setUint32(at, 0x43474244, true);
      view.setUint32(at + 12, 0x4dfc3ae5, true);
    }
    return bytes;
  }
});
