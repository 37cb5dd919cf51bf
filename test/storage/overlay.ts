// Copy on write: reads give what was written, and nothing is written below.

import fc from 'fast-check';
import t from 'tap';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { OVERLAY_BLOCK, OverlayStorage } from '../../lib/storage/overlay.js';
import { readRange } from '../../lib/storage/storage.js';

const SIZE = 5 * OVERLAY_BLOCK + 123;

const writes = fc.array(
  fc.record({
    offset: fc.nat(SIZE - 1),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 3 * OVERLAY_BLOCK }),
  }),
  { maxLength: 8 },
);

t.test('it is as a copy is that was written to, and the bytes below stay', async () => {
  fc.assert(
    fc.property(writes, fc.nat(SIZE), fc.nat(3 * OVERLAY_BLOCK), (all, from, length) => {
      const original = Uint8Array.from({ length: SIZE }, (_, i) => (i * 7) % 251);
      const below = new MemoryStorage(original.slice(), { writable: false });
      const overlay = new OverlayStorage(below);
      const model = original.slice();
      for (const { offset, bytes } of all) {
        const part = bytes.subarray(0, SIZE - offset);
        overlay.write(part, offset);
        model.set(part, offset);
      }
      const got = Buffer.from(readRange(overlay, from, length));
      if (!got.equals(model.subarray(from, from + length))) return false;
      const patched = original.slice();
      for (const { offset, from: old, to } of overlay.changes()) {
        if (!Buffer.from(old).equals(original.subarray(offset, offset + old.length))) return false;
        patched.set(to, offset);
      }
      return Buffer.from(patched).equals(model) && Buffer.from(below.bytes).equals(original);
    }),
  );
});

t.test('a write beyond the end is refused as by every storage', async (t) => {
  const overlay = new OverlayStorage(new MemoryStorage(new Uint8Array(100), { writable: false }));
  t.throws(() => overlay.write(new Uint8Array(2), 99), { code: 'EIO' });
  t.throws(() => overlay.write(new Uint8Array(1), -1), { code: 'EIO' });
  t.equal(overlay.read(new Uint8Array(10), 95), 5);
  t.equal(overlay.read(new Uint8Array(10), 100), 0);
});
