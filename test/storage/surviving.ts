import t from 'tap';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { Warnings } from '../../lib/warnings.js';
import { FaultyStorage } from '../builders/faulty.js';

function broken(...places: [offset: number, length: number][]) {
  const bytes = new Uint8Array(10 * 4096 + 100).fill(7);
  const medium = new FaultyStorage(new MemoryStorage(bytes, { path: 'x.raw' }));
  medium.broken = places.map(([offset, length]) => ({ offset, length, code: 'EIO' as const }));
  const warnings = new Warnings();
  return { medium, warnings, storage: new SurvivingStorage(medium, warnings) };
}

t.test('a block that cannot be read is zeros, is remembered, and is told once', async (t) => {
  const { storage, warnings } = broken([4096 + 5, 1], [2 * 4096 + 1, 4096], [9 * 4096, 1]);
  const target = new Uint8Array(storage.size);
  for (let again = 0; again < 2; again++) {
    t.equal(storage.read(target.fill(1), 0), storage.size);
    for (let block = 0; block < 11; block++) {
      const isLost = [1, 2, 3, 9].includes(block);
      t.equal(target[block * 4096], isLost ? 0 : 7, `block ${block}`);
      t.equal(storage.isLost(block * 4096, 1), isLost);
    }
  }
  t.match(warnings.list, [
    { code: 'block-unreadable', offset: 4096, message: /12288 bytes at offset 4096 cannot be read/ },
    { code: 'block-unreadable', offset: 9 * 4096, message: /4096 bytes at offset 36864/ },
  ]);
  t.equal(warnings.list.length, 2);
});

t.test('reads that do not touch the block are as ever; the medium itself fails', async (t) => {
  const { storage, warnings, medium } = broken([4096, 4096]);
  t.equal(storage.read(new Uint8Array(4096), 0), 4096);
  t.same(warnings.list, []);
  t.throws(() => storage.medium.read(new Uint8Array(1), 5000), { code: 'EIO' });
  t.equal(storage.read(new Uint8Array(10), 5000), 10);
  medium.broken = [];
  t.equal(storage.isLost(5000, 1), true);
  storage.forget();
  const one = new Uint8Array(1);
  storage.read(one, 5000);
  t.equal(one[0], 7, 'read again once it has forgotten');
});

t.test('impossible places give nothing', async (t) => {
  const { storage } = broken();
  for (const offset of [-1, -4096, Number.NaN, storage.size, storage.size + 5, Number.POSITIVE_INFINITY]) {
    t.equal(storage.read(new Uint8Array(10), offset), 0, String(offset));
  }
  t.equal(storage.read(new Uint8Array(10), storage.size - 3), 3);
});

t.test('a medium that is not there is no bad block', async (t) => {
  const { storage, medium } = broken();
  medium.there = false;
  t.throws(() => storage.read(new Uint8Array(1), 0), { code: 'EAGAIN' });
});

t.test('parts, and what is looked up only once', async (t) => {
  const { storage, warnings } = broken([4096, 4096]);
  const part = storage.part(4000, 200);
  const target = new Uint8Array(200);
  t.equal(part.read(target, 0), 200);
  t.same([target[95], target[96]], [0, 0], 'blocks of the part are its own');
  t.match(warnings.list, [{ code: 'block-unreadable', offset: 0 }]);
  t.equal(storage.part(0), storage);
  const opening = SurvivingStorage.opening(new MemoryStorage(new Uint8Array(10)));
  let looked = 0;
  const look = () => opening.once('it', () => ++looked);
  t.same([look(), look()], [1, 1]);
  opening.settle();
  t.same([look(), look()], [2, 3]);
});
