import fc from 'fast-check';
import t from 'tap';
import { findSpare } from '../../lib/source/find-spare.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { nandDump } from '../builders/disk.js';
import { logText, MtdDevice } from '../builders/mtdoops.js';
import { goldenImage } from '../fixture-path.js';

const SHAPES = [
  [512, 16],
  [1024, 32],
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

t.test('one record of text, in a file that has the size of a partition', async (t) => {
  for (const [data, spare] of [
    [1024, 32],
    [2048, 64],
    [2048, 128],
  ] as const) {
    const device = new MtdDevice({ size: 4 << 20, recordSize: 4096 });
    device.oops(logText(4059, 1), null);
    const dump = nandDump(device.bytes, data, spare);
    t.equal(dump.length % 4096, 0);
    t.same(found(dump), { data, spare }, `${data}+${spare}`);
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

/** A full dmesg zone of vendors' kernels at the beginning of flash that is erased otherwise. */
function oneFullZone(zone: number, size: number): Buffer {
  const image = Buffer.alloc(size, 0xff);
  image.fill('<6>[    1.000000] a line of the kernel log\n', 0, zone);
  for (const [word, at] of [[0x43474244, 0] as const, [zone - 12, 4] as const, [0x4dfc3ae5, 12] as const]) {
    image.writeUInt32LE(word, at);
  }
  return image;
}

t.test('a zone that is full to its end is no page with a mark after it', async (t) => {
  t.equal(found(oneFullZone(8192, 73728)), undefined);
  for (const zone of [4096, 8192, 16384]) {
    for (const stride of [528, 2112, 2176, 4224, 4320, 9216]) {
      t.equal(found(oneFullZone(zone, stride * 32)), undefined, `${zone}, ${stride}`);
      t.equal(found(oneFullZone(zone, stride * Math.ceil(zone / stride + 1))), undefined, `${zone}, ${stride}, short`);
    }
  }
});

t.test('headers that stand alike everywhere are of an image at an offset', async (t) => {
  const image = Buffer.alloc(45056, 0xff);
  for (let at = 33792; at + 4096 <= 45056; at += 4096) oneFullZone(300, 300).copy(image, at);
  t.equal(found(image), undefined);
  t.equal(findSpare(new MemoryStorage(image), true), undefined);
});

t.test('records that fall into the places of spare areas are no ECC', async (t) => {
  const image = Buffer.alloc(416870, 0xff);
  oneFullZone(12, 16).copy(image);
  for (let page = 0; page < 47; page++) image.fill('a short text', page * 9024 + 100, page * 9024 + 400);
  for (const page of [3, 9, 20, 31, 44]) image.fill(0x41, page * 9024 + 8192 + 40, page * 9024 + 8192 + 90);
  t.equal(found(image), undefined);
});

t.test('a table of addresses has 0xFF where marks would be', async (t) => {
  const image = Buffer.alloc(2112 * 64, 0xff);
  for (let at = 0; at < image.length; at += 24) {
    for (const [address, place] of [[0xffffffff81000000n, 0] as const, [0xffffffff82000000n, 8] as const]) {
      image.writeBigUInt64LE(address + BigInt(at), at + place);
    }
    image.writeBigUInt64LE(BigInt(at), at + 16);
  }
  for (let phase = 0; phase < 24; phase += 4) t.equal(found(image.subarray(phase, 2112 * 63 + phase)), undefined);
});

t.test('spare areas without ECC are told by the headers that they move', async (t) => {
  const device = new MtdDevice({ size: 262144, recordSize: 4096 });
  for (let i = 0; i < 40; i++) device.oops(logText(300 + 80 * i, i), 1_600_000_000_000_000_000n + BigInt(i));
  const dump = nandDump(device.bytes, 4096, 208);
  for (let page = 0; page < 64; page++) dump.fill(0xff, page * 4304 + 4096, (page + 1) * 4304);
  t.same(found(dump), { data: 4096, spare: 208 }, 'no ECC in the spare areas');
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
