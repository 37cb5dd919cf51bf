import t from 'tap';
import { dialectsOf } from '../../lib/blk/dialects.js';
import { ZoneEngine } from '../../lib/blk/engine.js';
import { layOut, NO_ZONES } from '../../lib/blk/geometry.js';
import { ZoneRegistry } from '../../lib/blk/registration.js';
import { DEFAULT_ABI } from '../../lib/pstore/abi.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { Warnings } from '../../lib/warnings.js';
import { FaultyStorage } from '../builders/faulty.js';

function engine() {
  const storage = new FaultyStorage(new MemoryStorage(new Uint8Array(65536).fill(0xff)));
  const geometry = layOut(dialectsOf('pstore_blk')[0]!, storage.size, { ...NO_ZONES, kmsgSize: 8192 }, storage.path);
  return { storage, engine: new ZoneEngine(storage, geometry, DEFAULT_ABI, new Warnings()) };
}

t.test('one backend of each name', async (t) => {
  const registry = new ZoneRegistry();
  const first = engine().engine;
  registry.register('pstore_blk', first);
  t.throws(() => registry.register('pstore_blk', engine().engine), { code: 'EBUSY', message: /pstore_blk/ });
  t.throws(() => registry.register('another', first), { code: 'EBUSY', message: /pstore_blk/ });
  t.throws(() => registry.register('', engine().engine), { code: 'EINVAL' });
  t.equal(registry.get('pstore_blk'), first, 'the first one stays');
  registry.register('blkoops', engine().engine);
  t.same(registry.names(), ['pstore_blk', 'blkoops']);
  t.equal(registry.unregister('pstore_blk'), 0);
  t.equal(registry.get('pstore_blk'), undefined);
  t.equal(registry.unregister('pstore_blk'), 0, 'not registered: nothing happens');
  const second = engine().engine;
  registry.register('pstore_blk', second);
  t.equal(registry.get('pstore_blk'), second);
});

t.test('what is held is brought to the storage when a backend goes', async (t) => {
  const dump = { reason: 2, timeNs: 0n, compressed: false, bytes: new Uint8Array(10) };
  for (const comesBack of [true, false]) {
    const registry = new ZoneRegistry();
    const { storage, engine: held } = engine();
    held.recover();
    registry.register('pstore_blk', held);
    storage.there = false;
    t.same(held.write(dump), { zone: 0, flushed: false });
    storage.there = comesBack;
    t.equal(registry.unregister('pstore_blk'), comesBack ? 0 : 1);
    t.same(storage.writes, comesBack ? [{ offset: 0, length: 8192 }] : []);
  }
});
