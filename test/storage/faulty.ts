import t from 'tap';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { isBrokenPlace, isHoldable } from '../../lib/storage/storage.js';
import { FaultyStorage } from '../builders/faulty.js';

function faulty(size = 100) {
  const bytes = new Uint8Array(size);
  return { bytes, storage: new FaultyStorage(new MemoryStorage(bytes, { path: 'x.raw' })) };
}

function codeOf(act: () => void): string {
  try {
    act();
  } catch (error) {
    return `${(error as { code: string }).code}${isBrokenPlace(error) ? ', this place' : ''}${isHoldable(error) ? ', may be kept' : ''}`;
  }
  return 'fine';
}

t.test('without faults it does what the storage below does', async (t) => {
  const { bytes, storage } = faulty();
  t.match(storage, { path: 'x.raw', size: 100, writable: true, erase: undefined });
  storage.write(new Uint8Array([1, 2, 3]), 50);
  storage.sync();
  t.same([...bytes.subarray(50, 53)], [1, 2, 3]);
  const target = new Uint8Array(2);
  t.equal(storage.read(target, 51), 2);
  t.same([...target], [2, 3]);
  t.same(storage.writes, [{ offset: 50, length: 3 }]);
  t.equal(storage.syncs, 1);
});

t.test('broken places', async (t) => {
  const { storage } = faulty();
  storage.broken = [
    { offset: 10, length: 5, code: 'EIO' },
    { offset: 50, length: 1, code: 'ENOMSG', on: 'write' },
  ];
  const read = (offset: number, length: number) => codeOf(() => storage.read(new Uint8Array(length), offset));
  const write = (offset: number, length: number) => codeOf(() => storage.write(new Uint8Array(length), offset));
  t.equal(read(0, 10), 'fine');
  t.equal(read(0, 11), 'EIO, this place, may be kept');
  t.equal(read(14, 1), 'EIO, this place, may be kept');
  t.equal(read(15, 5), 'fine');
  t.equal(write(9, 2), 'EIO, this place, may be kept');
  t.equal(write(45, 10), 'ENOMSG, this place');
  t.equal(read(45, 10), 'fine');
});

t.test('a medium that is not there', async (t) => {
  const { storage } = faulty();
  storage.there = false;
  for (const act of [
    () => storage.read(new Uint8Array(1), 0),
    () => storage.write(new Uint8Array(1), 0),
    () => storage.sync(),
  ]) {
    t.equal(codeOf(act), 'EAGAIN, may be kept');
  }
  storage.there = true;
  t.equal(
    codeOf(() => storage.sync()),
    'fine',
  );
});

t.test('a file that was cut', async (t) => {
  const { storage } = faulty();
  storage.end = 20;
  t.equal(storage.read(new Uint8Array(10), 15), 5);
  t.equal(storage.read(new Uint8Array(10), 20), 0);
  t.equal(storage.read(new Uint8Array(10), 50), 0);
});

t.test('a power cut', async (t) => {
  const { bytes, storage } = faulty();
  storage.cutPowerAfter(1, 2);
  storage.write(new Uint8Array([1, 1, 1]), 0);
  t.equal(storage.powered, true);
  t.equal(
    codeOf(() => storage.write(new Uint8Array([2, 2, 2]), 10)),
    'EIO, this place, may be kept',
  );
  t.equal(storage.powered, false);
  t.same([...bytes.subarray(0, 14)], [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 2, 2, 0, 0]);
  t.equal(
    codeOf(() => storage.read(new Uint8Array(1), 0)),
    'EIO, this place, may be kept',
  );
  t.equal(
    codeOf(() => storage.write(new Uint8Array(1), 0)),
    'EIO, this place, may be kept',
  );
  t.same(storage.writes, [{ offset: 0, length: 3 }]);
});

t.test('a device that erases its own way still does', async (t) => {
  const calls: number[][] = [];
  const flash = Object.assign(new MemoryStorage(new Uint8Array(10)), {
    erase: (offset: number, length: number) => calls.push([offset, length]),
  });
  new FaultyStorage(flash).erase!(3, 4);
  t.same(calls, [[3, 4]]);
});
