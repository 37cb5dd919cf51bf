import fc from 'fast-check';
import t from 'tap';
import { findSpare } from '../../lib/source/find-spare.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { nandDump } from '../builders/disk.js';
import { logText, MtdDevice } from '../builders/mtdoops.js';
import { goldenImage } from '../fixture-path.js';

const SHAPES = [
  [512, 16],
  [2048, 64],
  [2048, 128],
  [4096, 128],
  [4096, 224],
  [4096, 256],
  [8192, 448],
] as const;

const found = (bytes: Uint8Array) => findSpare(new MemoryStorage(bytes));

t.test('the pages of a dump of mtdoops', async (t) => {
  for (const [data, spare] of SHAPES) {
    for (const records of [1, 2, 6]) {
      const device = new MtdDevice({ size: 262144, recordSize: 8192 });
      for (let i = 0; i < records; i++) device.oops(logText(8000, i), 1_600_000_000_000_000_000n + BigInt(i));
      t.same(found(nandDump(device.bytes, data, spare)), { data, spare }, `${records} records, ${data}+${spare}`);
    }
  }
});

t.test('the pages of a dump of pstore_blk, with texts that are compressed', async (t) => {
  for (const folder of ['s1', 's2', 's3', 'v1']) {
    for (const [data, spare] of SHAPES) {
      t.same(found(nandDump(goldenImage(folder), data, spare)), { data, spare }, `${folder}, ${data}+${spare}`);
    }
  }
});

t.test('records that were erased leave the ECC of what they held', async (t) => {
  const device = new MtdDevice({ size: 262144, recordSize: 4096 });
  for (let i = 0; i < 6; i++) device.oops(logText(4000, i), 1_600_000_000_000_000_000n + BigInt(i));
  const dump = nandDump(device.bytes, 2048, 64);
  for (const page of [0, 1, 4, 5]) dump.fill(0xff, page * 2112, page * 2112 + 2048);
  t.same(found(dump), { data: 2048, spare: 64 });
});

t.test('a cut dump, whose size tells nothing: the headers tell pages that are nearly the same apart', async (t) => {
  const device = new MtdDevice({ size: 262144, recordSize: 4096 });
  for (let i = 0; i < 12; i++) device.oops(logText(4000, i), 1_600_000_000_000_000_000n + BigInt(i));
  for (const spare of [208, 216, 218, 224, 232]) {
    const dump = nandDump(device.bytes, 4096, spare);
    t.same(found(dump.subarray(0, dump.length - 1001)), { data: 4096, spare });
  }
});

t.test('a file without spare bytes has none', async (t) => {
  for (const folder of ['s1', 's2', 's3', 'v1', 'r1', 'r2']) {
    const image = goldenImage(folder);
    t.equal(found(image), undefined, folder);
    const odd = Buffer.alloc(2112 * 256);
    odd.set(image.subarray(0, odd.length));
    t.equal(found(odd), undefined, `${folder}, of a size that such a dump could have`);
    t.equal(found(image.subarray(0, 100_001)), undefined, `${folder}, cut`);
  }
  t.equal(found(new Uint8Array(0)), undefined);
  t.equal(found(new Uint8Array(2112 * 64).fill(0xff)), undefined, 'erased flash tells nothing');
});

t.test('random bytes have none', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 2112, maxLength: 2112 }), fc.integer({ min: 4, max: 40 }), (page, times) => {
      const bytes = Buffer.concat(
        Array.from({ length: times }, (_, i) => page.map((byte) => (byte * (2 * i + 3)) & 255)),
      );
      return found(bytes) === undefined || page[2048] === 0xff || page[512] === 0xff || page[517] === 0xff;
    }),
  );
});
