import fc from 'fast-check';
import t from 'tap';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { Window } from '../../lib/storage/window.js';

class CountingStorage extends MemoryStorage {
  readonly lengths: number[] = [];
  override read(target: Uint8Array, offset: number): number {
    this.lengths.push(target.length);
    return super.read(target, offset);
  }
}

t.test('it gives what the storage has, wherever it is asked', (t) => {
  const bytes = Uint8Array.from({ length: 5000 }, (_, index) => (index * 31) & 0xff);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(6000), fc.nat(700)), { maxLength: 20 }), (reads) => {
      const window = new Window(new MemoryStorage(bytes));
      for (const [offset, length] of reads) {
        const got = window.bytes(offset, length);
        if (Buffer.compare(got, bytes.subarray(offset, offset + length)) !== 0)
          throw new Error(`${length} at ${offset}`);
      }
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('reads one behind the other fetch more and more; a read far away fetches little', (t) => {
  const storage = new CountingStorage(new Uint8Array(1 << 20));
  const window = new Window(storage);
  for (let offset = 0; offset < 1 << 19; offset += 32) window.bytes(offset, 76);
  t.ok(storage.lengths.length < 20, `${storage.lengths.length} reads`);
  t.ok(Math.max(...storage.lengths) <= 64 << 10);
  storage.lengths.length = 0;
  for (let offset = 0; offset < 1 << 20; offset += 1 << 17) window.bytes(offset, 76);
  t.same(storage.lengths, Array(8).fill(256));
  t.end();
});
