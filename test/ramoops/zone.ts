import fc from 'fast-check';
import t from 'tap';
import { layOutRam, NO_RAM_ZONES, type RamZone, ramZone, runOf } from '../../lib/ramoops/geometry.js';
import { PersistentRamZone } from '../../lib/ramoops/zone.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { Region, type RegionSizes } from '../builders/ramoops.js';

const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

function placeOf(sizes: RegionSizes, type: RamZone['type'], id = 0): RamZone {
  const geometry = layOutRam(
    {
      ...NO_RAM_ZONES,
      memSize: sizes.mem,
      recordSize: sizes.record,
      consoleSize: sizes.console ?? 0,
      ftraceSize: sizes.ftrace ?? 0,
      pmsgSize: sizes.pmsg ?? 0,
      cpus: sizes.cpus ?? 1,
      ecc: sizes.ecc ?? 0,
    },
    'image',
  );
  return ramZone(runOf(geometry, type)!, id, geometry.ecc);
}

function zoneIn(region: Region, sizes: RegionSizes, type: RamZone['type'], id = 0): PersistentRamZone {
  const storage = new MemoryStorage(region.bytes);
  return new PersistentRamZone(storage, placeOf(sizes, type, id), sizes.big ? 'big' : 'little');
}

const anySizes = fc.record({
  mem: fc.constantFrom(4096, 6000, 8192),
  ecc: fc.constantFrom(0, 0, 2, 7, 16, 32, 127),
  big: fc.boolean(),
});
const stream = fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 8 });

t.test('appending leaves the bytes that a kernel leaves, and reads back', async (t) => {
  fc.assert(
    fc.property(anySizes, stream, ({ mem, ecc, big }, parts) => {
      const sizes: RegionSizes = { mem, record: 2048, pmsg: 2048, ecc, big };
      const [model, region] = [new Region(sizes, 0x55), new Region(sizes, 0x55)];
      const zone = zoneIn(region, sizes, 'pmsg');
      const all = Uint8Array.from(parts.flatMap((part) => [...part]));
      for (const part of parts) zone.append(part);
      if (all.length > 0) model.ring('pmsg', all);
      const header = zone.header();
      return (
        same(region.bytes, model.bytes) &&
        header.state === (all.length > 0 ? 'live' : 'empty') &&
        same(zone.data(header).bytes, model.kept('pmsg', all)) &&
        zone.data(header).ecc.corrected + zone.data(header).ecc.lost + header.ecc.corrected + header.ecc.lost === 0
      );
    }),
    { numRuns: 120, seed: 3 },
  );
  t.pass('byte for byte');
});

t.test('a dump begins afresh and is cut off at the end', async (t) => {
  for (const ecc of [0, 16]) {
    const sizes: RegionSizes = { mem: 8192, record: 2048, ecc };
    const [model, region] = [new Region(sizes), new Region(sizes)];
    const zone = zoneIn(region, sizes, 'dmesg', 2);
    for (const length of [100, 2000, 5]) {
      const record = Uint8Array.from({ length }, (_, i) => 33 + (i % 90));
      model.dump(2, '====1.000002-D\n', record);
      zone.rewrite(
        Uint8Array.from([...Buffer.from('====1.000002-D\n'), ...record]).subarray(0, model.zone('dmesg').area),
      );
      t.ok(same(region.bytes, model.bytes), `${length} bytes, ecc ${ecc}`);
    }
    model.erase('dmesg', 2);
    zone.erase();
    t.ok(same(region.bytes, model.bytes), 'erased: the data stay');
  }
});

t.test('a zone that is not usable begins afresh', async (t) => {
  const sizes: RegionSizes = { mem: 8192, record: 2048, pmsg: 2048, ftrace: 2048, cpus: 2, ecc: 16 };
  for (const [type, damage] of [
    ['pmsg', (bytes: Uint8Array) => bytes.fill(0xaa, 0, 12)],
    ['pmsg', (bytes: Uint8Array) => bytes.fill(0, 4, 12)],
    ['ftrace', (bytes: Uint8Array) => bytes.fill(0xaa, 0, 12)],
  ] as const) {
    const region = new Region(sizes);
    region.ring(type, Uint8Array.of(1, 2, 3));
    damage(region.bytes.subarray(region.zone(type).offset));
    const zone = zoneIn(region, sizes, type);
    zone.append(Uint8Array.of(7, 8));
    const header = zone.header();
    t.equal(header.state, 'live');
    t.same([...zone.data(header).bytes].slice(-2), [7, 8]);
  }
});

t.test('what a header says of its zone', async (t) => {
  const sizes: RegionSizes = { mem: 8192, record: 2048, console: 2048 };
  const table: [number, number, string][] = [
    [0, 0, 'empty'],
    [10, 10, 'live'],
    [0, 2036, 'live'],
    [2036, 2036, 'live'],
    [0, 2037, 'overtop'],
    [0, 0xfffffffb, 'overtop'],
    [11, 10, 'start-beyond-size'],
    [5, 0, 'start-beyond-size'],
    [0xffffffff, 10, 'start-beyond-size'],
  ];
  for (const [start, size, state] of table) {
    const region = new Region(sizes);
    region.header('console', 0, start, size);
    t.equal(zoneIn(region, sizes, 'console').header().state, state, `start ${start}, size ${size}`);
  }
  const region = new Region(sizes);
  t.equal(zoneIn(region, { ...sizes, big: true }, 'console').header().state, 'bad-signature');
  const cut = new MemoryStorage(region.bytes.subarray(0, 8000));
  const zone = new PersistentRamZone(cut, placeOf(sizes, 'console'), 'little');
  t.equal(zone.header().state, 'truncated');
  t.equal(
    new PersistentRamZone(new MemoryStorage(region.bytes.subarray(0, 10)), placeOf(sizes, 'dmesg'), 'little').header()
      .state,
    'truncated',
  );
});

t.test('up to floor(ecc / 2) wrong bytes in any block are repaired, and repair() puts the image right', async (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom(2, 5, 16, 31),
      fc.integer({ min: 1, max: 5000 }),
      fc.array(fc.record({ block: fc.nat(20), at: fc.nat(300), xor: fc.integer({ min: 1, max: 255 }) }), {
        maxLength: 40,
      }),
      (ecc, length, errors) => {
        const sizes: RegionSizes = { mem: 4096, record: 2048, pmsg: 2048, ecc };
        const region = new Region(sizes);
        const text = Uint8Array.from({ length }, (_, i) => 32 + (i % 95));
        region.ring('pmsg', text);
        const good = region.bytes.slice();
        const built = region.zone('pmsg');
        const used = Math.min(length, built.area);
        // Block 0 is the header, the others are the data's; each error once, and no more than the limit in a block.
        const places = new Map<number, number>();
        const each = new Map<number, number>();
        for (const { block, at, xor } of errors) {
          const data = block - 1;
          if (data * 128 >= used) continue;
          const size = block === 0 ? 12 : Math.min(128, built.area - data * 128);
          const within = at % (size + ecc);
          const [first, parity] =
            block === 0
              ? [built.offset, built.offset + built.size - ecc]
              : [built.offset + 12 + data * 128, built.offset + 12 + built.area + data * ecc];
          const place = within < size ? first + within : parity + within - size;
          if (places.has(place) || (each.get(block) ?? 0) >= ecc >> 1) continue;
          each.set(block, (each.get(block) ?? 0) + 1);
          places.set(place, xor);
        }
        for (const [place, xor] of places) region.bytes[place]! ^= xor;
        const zone = zoneIn(region, sizes, 'pmsg');
        const header = zone.header();
        const data = zone.data(header);
        const shown =
          same(data.bytes, region.kept('pmsg', text)) &&
          data.ecc.lost + header.ecc.lost === 0 &&
          data.ecc.corrected + header.ecc.corrected === places.size;
        const { changes, lost } = zone.repair();
        return (
          shown &&
          same(region.bytes, good) &&
          lost.length === 0 &&
          changes.length === places.size &&
          changes.every(({ offset, from, to }) => good[offset] === to && (from ^ to) === places.get(offset))
        );
      },
    ),
    { numRuns: 150, seed: 4 },
  );
  t.pass('repaired');
});

t.test('blocks beyond repair are counted and left as they are', async (t) => {
  const sizes: RegionSizes = { mem: 4096, record: 2048, pmsg: 2048, ecc: 16 };
  const region = new Region(sizes);
  region.ring('pmsg', new Uint8Array(1000).fill(65));
  const { offset } = region.zone('pmsg');
  for (let i = 0; i < 30; i++) region.bytes[offset + 12 + 128 + i * 3]! ^= i + 1;
  region.bytes[offset + 12 + 300]! ^= 1;
  const before = region.bytes.slice();
  const zone = zoneIn(region, sizes, 'pmsg');
  const { ecc, bytes } = zone.data(zone.header());
  t.same(ecc, { corrected: 1, lost: 1 });
  t.same(zone.verify(zone.header()), ecc);
  t.same(bytes.subarray(128, 256), before.subarray(offset + 140, offset + 268));
  const { changes, lost } = zone.repair();
  t.equal(changes.length, 1);
  t.same(lost, [{ offset: offset + 12 + 128, length: 128 }], 'and it is told which');
  before[offset + 312]! ^= 1;
  t.ok(same(region.bytes, before), 'only what can be repaired was changed');
});

t.test('an error in a block that is written to does not become valid', async (t) => {
  const sizes: RegionSizes = { mem: 4096, record: 2048, pmsg: 2048, ecc: 16 };
  const [model, region] = [new Region(sizes), new Region(sizes)];
  region.ring('pmsg', new Uint8Array(200).fill(65));
  region.bytes[region.zone('pmsg').offset + 12 + 130] = 66;
  const zone = zoneIn(region, sizes, 'pmsg');
  zone.append(new Uint8Array(10).fill(67));
  model.ring('pmsg', Uint8Array.from([...new Array(200).fill(65), ...new Array(10).fill(67)]));
  t.ok(same(region.bytes, model.bytes));
});
