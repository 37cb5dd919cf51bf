import fc from 'fast-check';
import t from 'tap';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { occurrences } from '../../lib/storage/occurrences.js';
import { HugeStorage } from '../builders/huge.js';

const NEEDLE = new Uint8Array([1, 2, 1]);

t.test('all places, those across the border of two pieces too', (t) => {
  const places = fc.uniqueArray(fc.constantFrom(0, 2, 251, 253, 254, 255, 256, 257, 65_788, 65_791, 65_792, 70_000));
  const ranges = fc.tuple(fc.constantFrom(0, 1, 254), fc.constantFrom(0, 2, 258, 65_794, 100_000));
  fc.assert(
    fc.property(places, ranges, (planned, [from, end]) => {
      const bytes = new Uint8Array(70_003);
      for (const at of planned) bytes.set(NEEDLE, at);
      const expected: number[] = [];
      const last = Math.min(end, bytes.length) - NEEDLE.length;
      for (let at = from; at <= last; at++) {
        if (NEEDLE.every((byte, i) => bytes[at + i] === byte)) expected.push(at);
      }
      t.same([...occurrences(new MemoryStorage(bytes), NEEDLE, from, end)], expected);
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('a place close by costs a small read', (t) => {
  const storage = new HugeStorage(1 << 20, [
    { offset: 0, bytes: new Uint8Array(1 << 20).fill(1, 5000, 5003).fill(2, 5001, 5002) },
  ]);
  t.equal(occurrences(storage, NEEDLE, 4990, 1 << 20).next().value, 5000);
  t.ok(storage.bytesRead < 1024, `${storage.bytesRead} bytes read`);
  t.end();
});

t.test('an image that is full of it is not looked through', (t) => {
  const bytes = new Uint8Array(1 << 16).fill(7);
  t.equal([...occurrences(new MemoryStorage(bytes), new Uint8Array([7]), 0, bytes.length)].length, 16_384);
  t.end();
});
