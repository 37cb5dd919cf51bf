// What the medium did not take is taken back.

import t from 'tap';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { RevertingStorage } from '../../lib/storage/reverting.js';
import { FaultyStorage } from '../builders/faulty.js';

function setUp(): { bytes: Uint8Array; faulty: FaultyStorage; storage: RevertingStorage } {
  const bytes = new Uint8Array(64).fill(1);
  const faulty = new FaultyStorage(new MemoryStorage(bytes));
  return { bytes, faulty, storage: new RevertingStorage(faulty) };
}

t.test('a sync that fails takes back all writes since the last one, in their order', async (t) => {
  const { bytes, faulty, storage } = setUp();
  storage.write(Uint8Array.of(2, 2), 0);
  storage.sync();
  storage.write(Uint8Array.of(3, 3), 0);
  storage.write(Uint8Array.of(4), 1);
  faulty.failingSyncs = 1;
  t.throws(() => storage.sync(), { code: 'EIO' });
  t.same([...bytes.subarray(0, 4)], [2, 2, 1, 1]);
  storage.sync();
  t.same([...bytes.subarray(0, 4)], [2, 2, 1, 1], 'and nothing is taken back twice');
});

t.test('a write that fails takes back those before it, and its own first part', async (t) => {
  const { bytes, faulty, storage } = setUp();
  storage.write(Uint8Array.of(2, 2), 0);
  faulty.broken = [{ offset: 10, length: 1, code: 'EIO', on: 'write' }];
  t.throws(() => storage.write(Uint8Array.of(9), 10), { code: 'EIO' });
  t.ok(bytes.every((byte) => byte === 1));
});

t.test('a place that cannot be read is written all the same', async (t) => {
  const { bytes, faulty, storage } = setUp();
  faulty.broken = [{ offset: 0, length: 64, code: 'EIO', on: 'read' }];
  storage.write(Uint8Array.of(5), 3);
  faulty.failingSyncs = 1;
  t.throws(() => storage.sync(), { code: 'EIO' });
  t.equal(bytes[3], 5, 'what stood there is not known');
});

t.test('a whole image is not kept', async (t) => {
  const size = 9 << 20;
  const bytes = new Uint8Array(size);
  const faulty = new FaultyStorage(new MemoryStorage(bytes));
  const storage = new RevertingStorage(faulty);
  storage.write(new Uint8Array(size).fill(1), 0);
  faulty.failingSyncs = 1;
  t.throws(() => storage.sync(), { code: 'EIO' });
  t.equal(bytes[0], 1);
});
