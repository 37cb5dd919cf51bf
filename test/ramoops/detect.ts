import fc from 'fast-check';
import t from 'tap';
import { looksLikeConsole } from '../../lib/ramoops/contents.js';
import { detectRam } from '../../lib/ramoops/detect.js';
import { layOutRam, type RamSizes, ramZones } from '../../lib/ramoops/geometry.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { ftraceBytes } from '../builders/ftrace.js';
import { type BuiltZone, Region, type RegionSizes } from '../builders/ramoops.js';
import { goldenImage } from '../fixture-path.js';

const K = 1024;
const ascii = (text: string) => new TextEncoder().encode(text);
const consoleText = (lines: number) =>
  ascii(
    Array.from({ length: lines }, (_, i) => `[    ${i % 9}.${String(i).padStart(6, '0')}] usb ${i}: new device\n`).join(
      '',
    ),
  );
const pmsgText = (lines: number) => ascii(Array.from({ length: lines }, (_, i) => `user space says ${i}\n`).join(''));

const detect = (bytes: Uint8Array, given = {}) => detectRam(new MemoryStorage(bytes), given);

for (const [folder, expected] of [
  ['r1', { recordSize: 32 * K, consoleSize: 32 * K, pmsgSize: 32 * K, ftraceSize: 0, ecc: 0 }],
  ['r2', { recordSize: 32 * K, consoleSize: 32 * K, pmsgSize: 16 * K, ftraceSize: 0, ecc: 16 }],
  ['r3', { recordSize: 32 * K, consoleSize: 32 * K, pmsgSize: 16 * K, ftraceSize: 0, ecc: 16 }],
  ['r4-none', { recordSize: 32 * K, consoleSize: 32 * K, pmsgSize: 32 * K, ftraceSize: 0, ecc: 16 }],
  [
    'r1-ftrace',
    { recordSize: 32 * K, consoleSize: 32 * K, pmsgSize: 16 * K, ftraceSize: 16 * K, cpus: 2, order: 'ftrace-pmsg' },
  ],
] as const) {
  t.test(`${folder}: found, and proven`, async (t) => {
    const found = detect(goldenImage(folder))!;
    t.match(found.sizes, { memSize: 256 * K, ...expected });
    t.equal(found.endian, 'little');
    t.same(new Set(Object.values(found.confidence)), new Set([1]));
    t.same(found.certain, new Set(layOutRam(found.sizes, folder).runs.map((run) => run.type)));
  });
}

const power = (from: number, to: number) => fc.integer({ min: from, max: to }).map((n) => 2 ** n);
const orNone = (size: fc.Arbitrary<number>) => fc.oneof(fc.constant(0), size);

const anyRegion = fc
  .record({
    mem: fc.oneof(power(14, 16), fc.integer({ min: 10_000, max: 100_000 })),
    record: power(9, 13),
    console: orNone(power(10, 13)),
    pmsg: orNone(power(10, 13)),
    ftrace: orNone(power(11, 13)),
    cpus: fc.integer({ min: 1, max: 6 }),
    ecc: fc.constantFrom(0, 0, 4, 16, 33),
    pmsgFirst: fc.boolean(),
    big: fc.boolean(),
    version: fc.constantFrom(0x601c0, 0x30a31, 0x50f00),
  })
  .filter(({ mem, record, console, pmsg, ftrace }) => mem - console - pmsg - ftrace >= record);

/** Puts something into a random half of the zones. */
function fill(region: Region, sizes: RegionSizes, dice: () => number): void {
  for (const zone of region.zones) {
    if (dice() % 2 === 0) continue;
    const fraction = 1 + (dice() % 40);
    if (zone.type === 'dmesg')
      region.dump(zone.id, `====16409951${10 + (zone.id % 80)}.000123-D\n`, ascii(`Oops#${zone.id} Part1\n`));
    if (zone.type === 'console') region.ring('console', consoleText(fraction));
    if (zone.type === 'pmsg') region.ring('pmsg', pmsgText(fraction));
    if (zone.type === 'ftrace') {
      const records = Array.from({ length: fraction }, (_, i) =>
        ftraceBytes(
          { cpu: zone.id, ts: BigInt(i), ip: 0xffffffff81000000n, parent: 0xffffffff81000100n },
          '64',
          !sizes.big,
        ),
      );
      region.ring('ftrace', Uint8Array.from(records.flatMap((record) => [...record])), zone.id);
    }
  }
}

/** The zones that hold something, as a listing numbers them. */
function liveZones(
  zones: Iterable<{ type: string; id: number; offset: number }>,
  bytes: Uint8Array,
  big: boolean,
): string[] {
  const view = new DataView(bytes.buffer);
  return [...zones]
    .filter(({ offset }) => view.getUint32(offset + 8, !big) > 0)
    .map(({ type, id, offset }) => `${type} ${id} at ${offset}`)
    .sort();
}

t.test('any layout: the same records are found, with the same ECC', async (t) => {
  fc.assert(
    fc.property(anyRegion, fc.infiniteStream(fc.nat(1000)), (sizes, stream) => {
      const region = new Region(sizes);
      fill(region, sizes, () => stream.next().value as number);
      const truth = liveZones(region.zones, region.bytes, sizes.big);
      const found = detect(region.bytes);
      if (!found || found.endian !== (sizes.big ? 'big' : 'little')) return false;
      const shown = liveZones(ramZones(layOutRam(found.sizes, '')), region.bytes, sizes.big);
      return shown.join() === truth.join() && found.sizes.ecc === sizes.ecc && found.misfit === 0;
    }),
    { numRuns: 150, seed: 5 },
  );
  t.pass('found');
});

t.test('what is proven is true', async (t) => {
  const names: Record<BuiltZone['type'], keyof RamSizes> = {
    dmesg: 'recordSize',
    console: 'consoleSize',
    ftrace: 'ftraceSize',
    pmsg: 'pmsgSize',
    tty: 'ttySize',
  };
  let proven = 0;
  fc.assert(
    fc.property(anyRegion, fc.infiniteStream(fc.nat(1000)), (sizes, stream) => {
      const region = new Region(sizes);
      fill(region, sizes, () => stream.next().value as number);
      const found = detect(region.bytes)!;
      const zones = [...ramZones(layOutRam(found.sizes, ''))];
      for (const type of found.certain) {
        proven++;
        const place = (list: readonly { type: string; offset: number; size: number }[]) =>
          list
            .filter((zone) => zone.type === type)
            .map(({ offset, size }) => `${offset} ${size}`)
            .join();
        if (place(zones) !== place(region.zones)) return false;
      }
      return Object.values(names).every((name) => {
        const wanted = {
          recordSize: sizes.record,
          consoleSize: sizes.console,
          ftraceSize: sizes.ftrace,
          pmsgSize: sizes.pmsg,
        }[name as string];
        return wanted === undefined || found.confidence[name] < 1 || found.sizes[name] === wanted;
      });
    }),
    { numRuns: 150, seed: 6 },
  );
  t.ok(proven > 200, `${proven} kinds of zones proven`);
});

t.test('damaged headers: ECC reads them, and without ECC the others outvote them', async (t) => {
  for (const ecc of [0, 16]) {
    const sizes: RegionSizes = { mem: 64 * K, record: 8 * K, console: 8 * K, pmsg: 8 * K, ecc };
    const region = new Region(sizes);
    for (const id of [0, 1, 2]) region.dump(id, `====164099519${id}.000123-D\n`, ascii('Oops#1 Part1\nx\n'));
    region.ring('console', consoleText(20));
    region.ring('pmsg', pmsgText(20));
    region.bytes.fill(0x5a, region.zone('dmesg', 1).offset, region.zone('dmesg', 1).offset + 4);
    const found = detect(region.bytes)!;
    t.match(found.sizes, { recordSize: 8 * K, consoleSize: 8 * K, pmsgSize: 8 * K, ecc }, `ecc ${ecc}`);
    t.ok(found.misfit < 1);
  }
});

t.test('single wrong bits in headers: zones keep their places, which the parity of their data confirms', async (t) => {
  const SIG = 0;
  const SIZE = 8;
  // Bytes of the header, in big-endian order, and the bit that is wrong in it.
  const damages: Record<string, readonly { type: BuiltZone['type']; id: number; byte: number; bit: number }[]> = {
    'the length of the ring behind an empty dump zone': [{ type: 'console', id: 0, byte: SIZE, bit: 6 }],
    'signatures of neighbours': [
      { type: 'dmesg', id: 1, byte: SIG + 3, bit: 4 },
      { type: 'dmesg', id: 2, byte: SIG, bit: 7 },
    ],
    'a signature that becomes that of an ftrace zone': [{ type: 'dmesg', id: 1, byte: SIG + 1, bit: 3 }],
    'a signature that becomes that of an ftrace zone of Linux 4.0.0': [
      { type: 'console', id: 0, byte: SIG + 1, bit: 2 },
    ],
    'all that is used but a ring': [
      { type: 'dmesg', id: 0, byte: SIZE, bit: 7 },
      { type: 'dmesg', id: 1, byte: SIG + 2, bit: 5 },
      { type: 'dmesg', id: 2, byte: SIZE + 1, bit: 7 },
    ],
  };
  for (const ecc of [0, 2, 16, 64]) {
    for (const big of ecc === 16 ? [false, true] : [ecc === 2]) {
      for (const [what, bits] of Object.entries(damages)) {
        // A ring that nothing repairs may be anything.
        if (ecc === 0 && bits.some(({ type }) => type === 'console')) continue;
        const region = new Region({ mem: 112 * K, record: 16 * K, console: 16 * K, pmsg: 16 * K, ecc, big });
        for (const id of [0, 1, 2]) region.dump(id, `====164099519${id}.000123-D\n`, pmsgText(100 + id));
        region.ring('console', consoleText(40));
        region.ring('pmsg', pmsgText(20));
        for (const { type, id, byte, bit } of bits) {
          region.bytes[region.zone(type, id).offset + (big ? byte : (byte & ~3) + 3 - (byte & 3))]! ^= 1 << bit;
        }
        const sizes = { recordSize: 16 * K, consoleSize: 16 * K, pmsgSize: 16 * K, ftraceSize: 0, ecc };
        t.match(detect(region.bytes)?.sizes, sizes, `${what}, ecc ${ecc}, ${big ? 'big' : 'little'}`);
      }
    }
  }
});

t.test('a console ring whose oldest line begins just before the end of its area', async (t) => {
  for (const tail of [1, 5, 70]) {
    const region = new Region({ mem: 64 * K, record: 16 * K, console: 8 * K, ftrace: 8 * K, cpus: 2 });
    region.dump(0, '====1640995190.000123-D\n', ascii('Oops#1 Part1\n'));
    const { area } = region.zone('console');
    const text = new Uint8Array(2 * area - tail);
    for (let at = 0, lines = consoleText(200); at < text.length; at += lines.length) {
      text.set(lines.subarray(0, text.length - at), at);
    }
    region.ring('console', text);
    t.match(detect(region.bytes)?.sizes, { consoleSize: 8 * K, pmsgSize: 0 }, `${tail} bytes before it`);
  }
});

t.test('r1-ftrace with a wrong bit in a header: the zones that nothing repairs are missing, no others', async (t) => {
  const image = goldenImage('r1-ftrace');
  const expected = detect(image)!.sizes;
  const zones = [...ramZones(layOutRam(expected, ''))];
  for (const { type, id, offset } of zones) {
    for (const bit of [1, 13, 18, 30, 95]) {
      const bytes = image.slice();
      bytes[offset + (bit >> 3)]! ^= 1 << (bit & 7);
      const seen = detect(bytes);
      const places = seen ? [...ramZones(layOutRam(seen.sizes, ''))].map((zone) => `${zone.type} ${zone.offset}`) : [];
      const others = zones.filter((zone) => zone.offset !== offset).map((zone) => `${zone.type} ${zone.offset}`);
      t.same(
        others.filter((place) => !places.includes(place)),
        [],
        `${type} ${id}, bit ${bit}`,
      );
    }
  }
});

t.test('ftrace zones whose parity a traced kernel left wrong', async (t) => {
  const sizes: RegionSizes = { mem: 64 * K, record: 16 * K, console: 8 * K, ftrace: 8 * K, cpus: 4, ecc: 32 };
  const region = new Region(sizes);
  region.dump(0, '====1640995190.000123-D\n', ascii('Oops#1 Part1\n'));
  region.ring('console', consoleText(20));
  for (const zone of region.zones.filter(({ type }) => type === 'ftrace')) {
    region.ring('ftrace', new Uint8Array(240).fill(zone.id), zone.id);
    region.bytes.fill(0x11, zone.offset + zone.size - 32, zone.offset + zone.size);
  }
  const found = detect(region.bytes)!;
  t.match(found.sizes, {
    memSize: 64 * K,
    recordSize: 16 * K,
    consoleSize: 8 * K,
    ftraceSize: 8 * K,
    cpus: 4,
    ecc: 32,
  });
  t.ok(found.misfit < 1);
});

t.test('the lengths of the only ftrace zone are damaged', async (t) => {
  for (const ecc of [0, 16]) {
    const sizes: RegionSizes = { mem: 64 * K, record: 16 * K, console: 8 * K, ftrace: 8 * K, pmsg: 8 * K, ecc };
    for (const bit of [14, 18, 24, 31, 32 + 17, 32 + 30]) {
      const region = new Region(sizes);
      region.ring('console', consoleText(20));
      const { offset } = region.zone('ftrace');
      // The start, then the size; low bits come first.
      region.bytes[offset + 4 + (bit >> 3)]! ^= 1 << (bit & 7);
      const { recordSize, consoleSize, ftraceSize, pmsgSize } = detect(region.bytes)!.sizes;
      const found = { recordSize, consoleSize, ftraceSize, pmsgSize };
      const expected = { recordSize: 16 * K, consoleSize: 8 * K, ftraceSize: 8 * K, pmsgSize: 8 * K };
      t.same(found, expected, `ecc=${ecc}, bit ${bit}`);
    }
  }
});

t.test('what is ambiguous is a guess', async (t) => {
  const empty = detect(new Region({ mem: 64 * K, record: 8 * K }).bytes)!;
  t.ok(empty.confidence.consoleSize < 1 && empty.confidence.pmsgSize < 1);
  t.notOk(empty.certain.has('dmesg'), 'the last of eight equal zones may be a console');
  const sizes: RegionSizes = { mem: 64 * K, record: 16 * K, pmsg: 8 * K };
  const ring = new Region(sizes);
  ring.ring('pmsg', consoleText(9));
  const found = detect(ring.bytes)!;
  t.equal(found.sizes.consoleSize, 8 * K, 'a single ring of console lines is taken for a console');
  t.ok(found.confidence.consoleSize < 1 && found.confidence.pmsgSize < 1, 'which is a guess');
  t.ok(found.certain.has('dmesg'), 'but the dmesg zones are where they are');
  t.match(
    detect(ring.bytes, { consoleSize: 0 })!.confidence,
    { pmsgSize: 1, consoleSize: 1 },
    'a given size settles it',
  );
});

t.test('given sizes are kept', async (t) => {
  const region = new Region({ mem: 64 * K, record: 8 * K, console: 8 * K, pmsg: 8 * K });
  t.match(detect(region.bytes, { recordSize: 16 * K })!.sizes, { recordSize: 16 * K });
  t.ok(detect(region.bytes, { recordSize: 16 * K })!.misfit >= 1);
  t.match(detect(region.bytes, { ttySize: 8 * K, consoleSize: 8 * K, pmsgSize: 8 * K })!.sizes, {
    recordSize: 8 * K,
    ttySize: 8 * K,
    order: 'pmsg-ftrace',
  });
});

t.test('a cut image, and one with something behind the region', async (t) => {
  const region = new Region({ mem: 64 * K, record: 8 * K, console: 8 * K, pmsg: 8 * K });
  for (const id of [0, 1]) region.dump(id, `====164099519${id}.000123-D\n`, ascii('Oops#1 Part1\nx\n'));
  region.ring('console', consoleText(20));
  region.ring('pmsg', pmsgText(300));
  t.match(detect(region.bytes.slice(0, 53 * K))!.sizes, { recordSize: 8 * K }, 'any end that keeps the console whole');
  const cut = detect(region.bytes.slice(0, 60 * K))!;
  t.match(cut.sizes, { memSize: 64 * K, recordSize: 8 * K, consoleSize: 8 * K, pmsgSize: 8 * K });
  t.ok(cut.confidence.memSize < 1);
  const more = new Uint8Array(100 * K);
  more.set(region.bytes);
  t.match(detect(more)!.sizes, { memSize: 64 * K, recordSize: 8 * K });
});

t.test('nothing to find, and too much of it', async (t) => {
  t.equal(detect(new Uint8Array(8192)), undefined);
  t.equal(detect(new Uint8Array(8192).fill(0xff)), undefined);
  const many = new Uint8Array(1 << 20);
  const view = new DataView(many.buffer);
  for (let at = 0; at + 12 <= many.length; at += 14) view.setUint32(at, 0x43474244, true);
  // Without a bound of the search, the time that a test has would run out here.
  t.doesNotThrow(() => detect(many));
  for (let at = 0; at + 12 <= many.length; at += 16)
    view.setUint32(at, 0x43474244 ^ (at % 3 === 0 ? 0x60100 : 0), true);
  t.doesNotThrow(() => detect(many));
});

t.test('console lines', async (t) => {
  t.ok(looksLikeConsole(consoleText(5)));
  t.ok(looksLikeConsole(ascii('x\n<6>[    1.000000] a\n<4>[ 12.1] b\n')));
  t.notOk(looksLikeConsole(pmsgText(5)));
  t.notOk(looksLikeConsole(new Uint8Array(0)));
});
