import fc from 'fast-check';
import t from 'tap';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { ReadAheadStorage } from '../../lib/storage/read-ahead.js';
import { FaultyStorage } from '../builders/faulty.js';

class Counting extends MemoryStorage {
  reads = 0;
  override read(target: Uint8Array, offset: number): number {
    this.reads++;
    return super.read(target, offset);
  }
}

const pattern = (size: number) => Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) & 0xff);

t.test('what it gives is what the medium has, read once', async (t) => {
  const bytes = pattern(300_000);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(310_000), fc.nat(150_000)), { maxLength: 20 }), (reads) => {
      const medium = new Counting(bytes);
      const storage = new ReadAheadStorage(medium);
      for (const [offset, length] of reads) {
        const target = new Uint8Array(length);
        const got = storage.read(target, offset);
        const wanted = bytes.subarray(offset, offset + length);
        if (got !== wanted.length || Buffer.compare(target.subarray(0, got), wanted) !== 0) return false;
      }
      return medium.reads <= 5;
    }),
  );
  t.pass('any reads');
});

t.test('a large medium: a small read is no larger', async (t) => {
  const medium = new FaultyStorage(new MemoryStorage(new Uint8Array(32 << 20)));
  const storage = new ReadAheadStorage(medium);
  medium.broken = [{ offset: 4096, length: 1, code: 'EIO' }];
  t.equal(storage.read(new Uint8Array(4096), 0), 4096, 'the block behind it is not asked for');
});

t.test('a broken place: what was asked for is given where it can be', async (t) => {
  const medium = new FaultyStorage(new MemoryStorage(pattern(200_000)));
  const storage = new ReadAheadStorage(medium);
  medium.broken = [{ offset: 5000, length: 1, code: 'EIO' }];
  t.equal(storage.read(new Uint8Array(100), 0), 100);
  t.throws(() => storage.read(new Uint8Array(100), 4950), { code: 'EIO' });
});

t.test('once settled, and after a write, the medium itself is asked', async (t) => {
  for (const act of [
    (storage: ReadAheadStorage) => storage.settle(),
    (storage: ReadAheadStorage) => storage.write(new Uint8Array([1]), 9),
  ]) {
    const bytes = new Uint8Array(100);
    const storage = new ReadAheadStorage(new MemoryStorage(bytes));
    const one = new Uint8Array(1);
    storage.read(one, 5);
    bytes[5] = 42;
    storage.read(one, 5);
    t.equal(one[0], 0, 'read before');
    act(storage);
    storage.read(one, 5);
    t.equal(one[0], 42);
  }
});
