import t from 'tap';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { SliceStorage } from '../../lib/storage/slice.js';

t.test('a part of a storage', async (t) => {
  const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
  const below = new MemoryStorage(bytes, { path: 'disk.raw' });
  const slice = new SliceStorage(below, 30, 20);
  t.match(slice, { path: 'disk.raw', size: 20, base: 30, writable: true, erase: undefined });
  const target = new Uint8Array(8).fill(0xee);
  t.equal(slice.read(target, 15), 5, 'ends where the part ends');
  t.same([...target], [45, 46, 47, 48, 49, 0xee, 0xee, 0xee]);
  t.equal(slice.read(target, 20), 0);
  t.equal(slice.read(target, 99), 0);
  slice.write(new Uint8Array([7, 8]), 18);
  t.same([...bytes.subarray(47, 52)], [47, 7, 8, 50, 51]);
  for (const offset of [19, 20, -1]) {
    t.throws(() => slice.write(new Uint8Array(2), offset), { code: 'EIO', message: /leaves the part/ });
  }
  t.equal(new SliceStorage(below, 90).size, 10, 'to the end');
  t.equal(new SliceStorage(below, 100).size, 0);
});

t.test('a part that does not lie inside is refused', async (t) => {
  const below = new MemoryStorage(new Uint8Array(100), { path: 'disk.raw' });
  for (const [base, size] of [
    [101, undefined],
    [0, 101],
    [60, 41],
    [0, -1],
  ] as const) {
    t.throws(() => new SliceStorage(below, base, size), {
      code: 'EINVAL',
      message: /^disk\.raw has 100 bytes: offset=/,
    });
  }
});

t.test('what the storage below can do, the part can', async (t) => {
  const calls: unknown[] = [];
  const below = Object.assign(new MemoryStorage(new Uint8Array(100), { writable: false }), {
    erase: (offset: number, length: number) => calls.push(['erase', offset, length]),
    sync: () => calls.push('sync'),
    close: () => calls.push('close'),
  });
  const slice = new SliceStorage(below, 10, 50);
  t.equal(slice.writable, false);
  t.throws(() => slice.write(new Uint8Array(1), 0), { code: 'EROFS' });
  slice.erase!(5, 7);
  slice.sync();
  slice.close();
  t.same(calls, [['erase', 15, 7], 'sync', 'close']);
});
