import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { blkoops } from '../../lib/blk/blkoops.js';
import { pstoreBlk } from '../../lib/blk/pstore_blk.js';
import { PstoreError } from '../../lib/errors.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { Warnings } from '../../lib/warnings.js';
import { asShown } from '../builders/as-shown.js';
import { howSure } from '../builders/how-sure.js';
import { goldenImage } from '../fixture-path.js';
import { goldenCases } from '../golden.js';

/** Looking must not even try to write. */
class Untouchable extends MemoryStorage {
  override write(): void {
    throw new Error('something is written');
  }

  override read(target: Uint8Array, offset: number): number {
    assert(offset >= 0 && offset <= this.size, `a read at ${offset}`);
    assert(target.length <= this.size + 4096, `a buffer of ${target.length} bytes`);
    return super.read(target, offset);
  }
}

const CASES = goldenCases('zone', 'rfc5').map(({ folder, keys }) => ({ keys, image: goldenImage(folder) }));

/** Where headers are, so that damage often meets one. */
const HEADERS = CASES.map(({ image }) => {
  const found: number[] = [];
  for (let at = 0; at + 16 < image.length; at += 512) {
    if (image[at + 1] === 0x42 || image[at + 2] === 0x42) found.push(at);
  }
  return found;
});

type Damage =
  | { readonly do: 'header'; readonly which: number; readonly offset: number; readonly value: number }
  | { readonly do: 'word'; readonly at: number; readonly value: number }
  | { readonly do: 'bit'; readonly at: number; readonly bit: number }
  | { readonly do: 'copy'; readonly from: number; readonly to: number; readonly length: number }
  | { readonly do: 'fill'; readonly at: number; readonly length: number; readonly value: number };

const place = fc.nat({ max: (1 << 19) - 1 });
const value = fc.oneof(
  fc.constantFrom(
    0,
    1,
    12,
    39,
    40,
    41,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0xfffffffb,
    0x43474244,
    0x4dfc3ae5,
    0x44424743,
  ),
  fc.nat({ max: 0xffffffff }),
  fc.nat({ max: 1 << 17 }),
);
const damage: fc.Arbitrary<Damage> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('header' as const),
      which: fc.nat(),
      offset: fc.nat({ max: 13 }).map((n) => n * 4),
      value,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('word' as const), at: place, value }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('bit' as const), at: place, bit: fc.nat({ max: 7 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('copy' as const), from: place, to: place, length: fc.nat({ max: 70000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('fill' as const),
      at: place,
      length: fc.nat({ max: 70000 }),
      value: fc.nat({ max: 255 }),
    }),
  },
);

function apply(bytes: Uint8Array, headers: readonly number[], each: Damage, little: boolean): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const put = (at: number, word: number) => {
    if (at + 4 <= bytes.length) view.setUint32(at, word >>> 0, little);
  };
  switch (each.do) {
    case 'header':
      if (headers.length > 0) put(headers[each.which % headers.length]! + each.offset, each.value);
      break;
    case 'word':
      put(each.at, each.value);
      break;
    case 'bit':
      if (each.at < bytes.length) bytes[each.at]! ^= 1 << each.bit;
      break;
    case 'copy':
      if (each.from < bytes.length && each.to < bytes.length)
        bytes.copyWithin(each.to, each.from, each.from + each.length);
      break;
    case 'fill':
      bytes.fill(each.value, each.at, each.at + each.length);
      break;
  }
}

const setting = fc.record({
  which: fc.nat({ max: CASES.length - 1 }),
  damages: fc.array(damage, { minLength: 1, maxLength: 12 }),
  little: fc.boolean(),
  /** Bytes that are left, in pages; most images are whole. */
  pages: fc.oneof(fc.constant(1000), fc.constant(1000), fc.integer({ min: 1, max: 128 })),
  odd: fc.constantFrom(0, 0, 0, 1, 511, 4095),
  given: fc.boolean(),
  other: fc.boolean(),
  salvage: fc.boolean(),
});

t.test('damaged images of real kernels: no crash, no hang, no byte changed', async () => {
  fc.assert(
    fc.property(setting, ({ which, damages, little, pages, odd, given, other, salvage }) => {
      const { image, keys } = CASES[which]!;
      const bytes = image.slice(0, Math.max(0, Math.min(image.length, pages * 4096) - odd));
      for (const each of damages) apply(bytes, HEADERS[which]!, each, little);
      const before = bytes.slice();
      const old = HEADERS[which]!.length > 0 && keys.pmsg_size === undefined;
      const kind = old !== other ? blkoops : pstoreBlk;
      const storage = new Untouchable(bytes, { path: 'image.raw' });
      const all = { ...(given ? keys : {}), ...(salvage ? { salvage: '' } : {}) };
      const known = Object.fromEntries(
        Object.entries(all).filter(([key]) => kind === pstoreBlk || !/^(pmsg|console|ftrace)|cpus/.test(key)),
      );
      try {
        assert(howSure(kind, storage) <= 1);
        const opened = kind.open({
          path: 'image.raw',
          storage: SurvivingStorage.over(storage),
          keys: SourceKeys.of(known),
          warnings: new Warnings(),
          cache: new TextCache(1 << 20),
          readFile: () => new Uint8Array(0),
        });
        const backend = asShown(opened, known);
        for (let slot = 0; slot < backend.slots; slot++) {
          const record = backend.record(slot);
          if (!record) continue;
          assert.equal(backend.find(record.name), slot);
          // 16 bytes of ftrace give a line of up to 130.
          assert(record.size <= 9 * bytes.length + 100, `${record.name} of ${record.size} bytes`);
          try {
            assert.equal(contentBytes(backend.open(slot)).length, record.size, record.name);
          } catch (error) {
            if (!(error instanceof PstoreError)) throw error;
          }
        }
        const info = backend.info();
        const zoneSlots = opened.slots - rings(info.geometry) + frontZones(info.geometry);
        const strays = zoneSlots - [...info.zones].length;
        assert(strays >= 0 && strays <= otherHeaders(info.details), `${strays} slots more than zones`);
        backend.refresh!();
        const { freeBytes, bytes: zones } = backend.space();
        assert(freeBytes <= zones);
      } catch (error) {
        if (!(error instanceof PstoreError)) throw error;
        assert.match(error.message, /image\.raw/, 'names the file');
      }
      assert(Buffer.from(bytes).equals(before));
    }),
    { numRuns: 250 },
  );
});

type Geometry = Readonly<Record<string, number | string>>;

/** Slots of rings: all ftrace zones have one. */
function rings(geometry: Geometry): number {
  return ['pmsg_size', 'console_size', 'tty_size', 'ftrace_size'].filter((key) => Number(geometry[key] ?? 0) > 0)
    .length;
}

function frontZones(geometry: Geometry): number {
  const size = Number(geometry.ftrace_size ?? 0);
  const each = size > 0 ? Math.floor(size / Number(geometry.cpus)) : 0;
  return rings(geometry) - (size > 0 ? 1 : 0) + (each > 0 ? Math.floor(size / each) : 0);
}

/** Headers outside of all zones: what they hold has slots of its own, shown by salvage. */
function otherHeaders(details: Readonly<Record<string, string>>): number {
  const text = details['other headers'] ?? '';
  return (text.match(/0x/g) ?? []).length + Number(/and (\d+) more/.exec(text)?.[1] ?? 0);
}
