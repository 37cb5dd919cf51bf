import fc from 'fast-check';
import t from 'tap';
import { PstoreError } from '../../lib/errors.js';
import { AndroidSparseStorage, isAndroidSparse } from '../../lib/storage/android-sparse.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { readRange } from '../../lib/storage/storage.js';
import { androidSparse, type SparseChunk } from '../builders/disk.js';

const BLOCK = 16;
const chunk: fc.Arbitrary<SparseChunk> = fc.oneof(
  fc.nat(3).chain((n) => fc.uint8Array({ minLength: n * BLOCK, maxLength: n * BLOCK }).map((raw) => ({ raw }))),
  fc.record({ fill: fc.nat(0xffffffff), blocks: fc.nat(4) }),
  fc.record({ skip: fc.nat(4) }),
);

function plain(chunks: readonly SparseChunk[]): Buffer {
  return Buffer.concat(
    chunks.map((each) => {
      if ('raw' in each) return Buffer.from(each.raw);
      if ('skip' in each) return Buffer.alloc(each.skip * BLOCK);
      const word = Buffer.alloc(4);
      word.writeUInt32LE(each.fill);
      return Buffer.alloc(each.blocks * BLOCK, word);
    }),
  );
}

t.test('gives the image that the chunks describe', async () => {
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 12 }), fc.nat(300), fc.nat(300), (chunks, at, length) => {
      const storage = new AndroidSparseStorage(new MemoryStorage(androidSparse(BLOCK, chunks)));
      const image = plain(chunks);
      const isWhole = storage.damage === undefined && storage.size === image.length;
      return isWhole && Buffer.compare(readRange(storage, at, length), image.subarray(at, at + length)) === 0;
    }),
  );
});

t.test('a cut file gives what it has', async (t) => {
  const chunks = [{ raw: new Uint8Array(BLOCK).fill(1) }, { skip: 2 }, { raw: new Uint8Array(BLOCK).fill(2) }];
  const file = androidSparse(BLOCK, chunks);
  const storage = new AndroidSparseStorage(new MemoryStorage(file.subarray(0, file.length - 4)));
  t.match(storage.damage, /in its chunk 2$/);
  t.same([...readRange(storage, 0, 4 * BLOCK)], [...plain(chunks).fill(0, 4 * BLOCK - 4)]);
  t.throws(() => storage.write(), { code: 'EROFS' });
});

t.test('where nothing stands before what is damaged, it is refused under its name', async (t) => {
  const head = androidSparse(BLOCK, [{ raw: new Uint8Array(BLOCK).fill(1) }]);
  head.fill(0x5a, 28);
  t.throws(() => new AndroidSparseStorage(new MemoryStorage(head)), {
    code: 'EBADMSG',
    message: /begins as an Android sparse image, but its chunk 0, at offset 28, cannot be/,
  });
});

t.test('damage never costs more than an error', async () => {
  const file = androidSparse(BLOCK, [{ raw: new Uint8Array(32).fill(1) }, { fill: 7, blocks: 3 }]);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { maxLength: 6 }), (places) => {
      const bytes = new Uint8Array(file);
      for (const [at, value] of places) bytes[at] = value;
      if (!isAndroidSparse(bytes)) return true;
      try {
        return readRange(new AndroidSparseStorage(new MemoryStorage(bytes)), 0, 200).length <= 200;
      } catch (error) {
        return error instanceof PstoreError && error.code === 'EBADMSG';
      }
    }),
  );
});

t.test('the headers of many chunks cost few reads', async (t) => {
  const file = androidSparse(
    BLOCK,
    Array.from({ length: 5000 }, (_, i) => ({ fill: i, blocks: 1 })),
  );
  const below = new MemoryStorage(file);
  let reads = 0;
  const read = below.read.bind(below);
  below.read = (target, offset) => {
    reads++;
    return read(target, offset);
  };
  const storage = new AndroidSparseStorage(below);
  t.equal(storage.damage, undefined);
  t.same([...readRange(storage, 4999 * BLOCK, 4)], [0x87, 0x13, 0, 0]);
  t.ok(reads < 50, `${reads} reads`);
});
