import t from 'tap';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { readRange } from '../../lib/storage/storage.js';

t.test('reads and writes inside the image, and never beyond', async (t) => {
  const bytes = Uint8Array.from({ length: 10 }, (_, i) => i);
  const storage = new MemoryStorage(bytes, { path: 'x.raw' });
  t.match(storage, { path: 'x.raw', size: 10, writable: true });
  const target = new Uint8Array(4);
  t.equal(storage.read(target, 3), 4);
  t.same([...target], [3, 4, 5, 6]);
  t.equal(storage.read(target, 8), 2);
  t.same([...target], [8, 9, 5, 6]);
  t.equal(storage.read(target, 10), 0);
  t.equal(storage.read(target, 1000), 0);
  storage.write(new Uint8Array([77, 78]), 8);
  storage.sync();
  t.same([...bytes.subarray(7)], [7, 77, 78]);
  for (const offset of [9, 10, 11, -1]) {
    t.throws(() => storage.write(new Uint8Array([1, 2]), offset), { code: 'EIO', message: /leaves the image/ });
  }
  t.same([...bytes.subarray(7)], [7, 77, 78]);
  storage.close();
});

t.test('read-only', async (t) => {
  const storage = new MemoryStorage(new Uint8Array(4), { path: 'x.raw', writable: false });
  t.throws(() => storage.write(new Uint8Array(1), 0), { code: 'EROFS', message: 'x.raw is read-only' });
});

t.test('ranges end where the medium does', async (t) => {
  const storage = new MemoryStorage(Uint8Array.from({ length: 10 }, (_, i) => i));
  const table: [number, number, number[]][] = [
    [0, 3, [0, 1, 2]],
    [8, 5, [8, 9]],
    [10, 5, []],
    [99, 5, []],
    [4, 0, []],
    [4, -3, []],
  ];
  for (const [offset, length, expected] of table) t.same([...readRange(storage, offset, length)], expected);
});
