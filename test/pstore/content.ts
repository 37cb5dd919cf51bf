import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { contentBytes, LazyContent, PiecesContent } from '../../lib/pstore/content.js';
import { Extent } from '../../lib/storage/extent.js';
import { MemoryStorage } from '../../lib/storage/memory.js';

const medium = new MemoryStorage(
  Uint8Array.from({ length: 1000 }, (_, i) => (i * 13) % 251),
  { path: 'image.raw' },
);

t.test('pieces of memory and of a medium read as one text, from anywhere', async () => {
  const inMemory = fc.uint8Array({ maxLength: 30 });
  const onMedium = fc
    .tuple(fc.nat({ max: 900 }), fc.nat({ max: 100 }))
    .map(([offset, length]) => Extent.at(medium, offset, length));
  const pieces = fc.array(fc.oneof(inMemory, onMedium), { maxLength: 6 });
  fc.assert(
    fc.property(pieces, fc.nat({ max: 300 }), fc.nat({ max: 200 }), (parts, position, length) => {
      const all = Buffer.concat(
        parts.map((part) =>
          part instanceof Uint8Array ? part : medium.bytes.slice(part.offset, part.offset + part.length),
        ),
      );
      const content = new PiecesContent(parts);
      assert.equal(content.size, all.length);
      assert.deepEqual(Buffer.from(contentBytes(content)), all);
      const target = new Uint8Array(length).fill(0xee);
      const expected = all.subarray(position, position + length);
      assert.equal(content.read(target, position), expected.length);
      assert.deepEqual(Buffer.from(target.subarray(0, expected.length)), expected);
      assert(
        target.subarray(expected.length).every((byte) => byte === 0xee),
        'nothing behind what was read',
      );
    }),
    { numRuns: 400 },
  );
});

t.test('a medium that gives less than it had is an error that names the place', async (t) => {
  const content = new PiecesContent([new Uint8Array(3), Extent.at(medium, 990, 20)]);
  t.equal(content.read(new Uint8Array(10), 0), 10);
  t.throws(() => content.read(new Uint8Array(23), 0), {
    code: 'EIO',
    message: /^image\.raw: the image ends at 1000, but/,
  });
  t.throws(() => contentBytes(content), { code: 'EIO' });
});

t.test('a text that is made when it is read', async (t) => {
  let made = 0;
  const content = new LazyContent(5, () => {
    made++;
    return new Uint8Array([1, 2, 3, 4, 5]);
  });
  t.equal(made, 0);
  const target = new Uint8Array(3);
  t.equal(content.read(target, 3), 2);
  t.same([...target], [4, 5, 0]);
  t.equal(content.read(target, 5), 0);
  t.equal(content.read(target, 99), 0);
  t.same([...contentBytes(content)], [1, 2, 3, 4, 5]);
});
