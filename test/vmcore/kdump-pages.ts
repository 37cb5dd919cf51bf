import t from 'tap';
import { MemoryStorage } from '../../lib/storage/memory.js';
import type { Storage } from '../../lib/storage/storage.js';
import { readKdumpHeader } from '../../lib/vmcore/kdump.js';
import { KdumpPages } from '../../lib/vmcore/kdump-pages.js';

const BLOCK = 4096;

/** A part of a split dump of 16 KiB: both bitmaps claim to be `bitmapBlocks` long together. */
function part(startFrame: bigint, bitmapBlocks: number): Uint8Array {
  const bytes = new Uint8Array(4 * BLOCK);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode('KDUMP   '));
  view.setUint32(8, 6, true);
  for (const [i, value] of [BLOCK, 1, bitmapBlocks].entries()) view.setUint32(428 + 4 * i, value, true);
  view.setUint32(BLOCK + 12, 1, true);
  view.setBigUint64(BLOCK + 80, startFrame, true);
  return bytes;
}

/** Counts reads; a hole follows the bytes, up to the size. */
function counted(bytes: Uint8Array, size = bytes.length): { storage: Storage; reads: () => number } {
  const memory = new MemoryStorage(bytes, { path: 'dump' });
  let reads = 0;
  const storage: Storage = {
    path: 'dump',
    size,
    writable: false,
    read: (target, offset) => {
      reads++;
      return offset < bytes.length ? memory.read(target, offset) : target.fill(0).length;
    },
    nextRun: (offset) => (offset < bytes.length ? { from: offset, to: bytes.length } : undefined),
    write: () => {},
    sync: () => {},
    close: () => {},
  };
  return { storage, reads: () => reads };
}

t.test('a first frame after the end of the bitmap is not counted up to', (t) => {
  const bytes = part(2n ** 40n - 1n, 0xffff_fffe);
  const { storage, reads } = counted(bytes);
  const pages = new KdumpPages(storage, readKdumpHeader(bytes)!, 'lp64');
  t.equal(pages.page(0), undefined);
  t.equal(pages.page(2 ** 39), undefined);
  t.ok(reads() < 16, `${reads()} reads`);
  t.end();
});

t.test('a hole in the bitmap is not read', (t) => {
  const bytes = part(2n ** 30n, 1 << 17);
  const { storage, reads } = counted(bytes, 2 ** 31);
  t.equal(new KdumpPages(storage, readKdumpHeader(bytes)!, 'lp64').page(2 ** 30 + 1), undefined);
  t.ok(reads() < 16, `${reads()} reads`);
  t.end();
});
