import fc from 'fast-check';
import t from 'tap';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { parsePageShape, SpareStorage } from '../../lib/storage/spare.js';
import { readRange } from '../../lib/storage/storage.js';
import { nandDump } from '../builders/disk.js';

t.test('the key oob', async (t) => {
  t.same(parsePageShape('2048+64'), { data: 2048, spare: 64 });
  t.equal(parsePageShape('none'), undefined);
  for (const text of ['', '2048', '2048+', '64+2048', '0+0', '2048+0', '-1+2', '99999+64', '2K+64']) {
    t.throws(() => parsePageShape(text), { code: 'EINVAL', message: /as in oob=2048\+64/ }, text);
  }
});

t.test('reads and writes the data, and never a spare byte', async () => {
  const shape = fc.constantFrom({ data: 512, spare: 16 }, { data: 2048, spare: 64 }, { data: 4096, spare: 224 });
  fc.assert(
    fc.property(
      shape,
      fc.nat(20_000),
      fc.nat(22_000),
      fc.uint8Array({ maxLength: 9000 }),
      (pages, length, at, news) => {
        const image = Uint8Array.from({ length }, (_, i) => (i * 7) % 251);
        const dump = new Uint8Array(nandDump(image, pages.data, pages.spare)).subarray(
          0,
          length + Math.floor(length / pages.data) * pages.spare,
        );
        const storage = new SpareStorage(new MemoryStorage(dump), pages);
        const isSame = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
        if (storage.size !== length || !isSame(readRange(storage, at, 5000), image.subarray(at, at + 5000)))
          return false;
        const spare = () => dump.filter((_, i) => i % (pages.data + pages.spare) >= pages.data);
        const before = spare();
        if (at + news.length > length) return true;
        storage.write(news, at);
        image.set(news, at);
        return isSame(readRange(storage, 0, length), image) && isSame(spare(), before);
      },
    ),
  );
});

t.test('a write outside is refused', async (t) => {
  const storage = new SpareStorage(new MemoryStorage(new Uint8Array(2112)), { data: 2048, spare: 64 });
  t.equal(storage.size, 2048);
  t.throws(() => storage.write(new Uint8Array(2), 2047), { code: 'EIO', message: /leaves the image/ });
});
