import t from 'tap';
import { PstoreError } from '../../lib/errors.js';
import { Snapshots } from '../../lib/mount/snapshots.js';
import type { RecordContent } from '../../lib/pstore/backend.js';
import { contentBytes } from '../../lib/pstore/content.js';

/** A content whose bytes change, and that counts how often it was closed. */
class Live implements RecordContent {
  readonly size: number;
  fill = 1;
  closed = 0;

  constructor(size: number) {
    this.size = size;
  }

  read(target: Uint8Array, position: number): number {
    if (this.fill === 0) throw new PstoreError('EIO', 'image.raw: gone');
    const length = Math.min(target.length, this.size - position);
    target.fill(this.fill, 0, length);
    return length;
  }

  close(): void {
    this.closed++;
  }
}

t.test('what was opened is read on, whatever becomes of the image', async (t) => {
  const live = new Live(1000);
  const taken = new Snapshots().take(live);
  live.fill = 2;
  t.same(contentBytes(taken), Buffer.alloc(1000, 1));
  t.equal(taken.read(new Uint8Array(100), 950), 50);
  t.equal(taken.read(new Uint8Array(100), 2000), 0, 'behind the end');
  t.equal(live.closed, 1);
});

t.test('beyond its room a record is read as it goes; what is closed gives room again', async (t) => {
  const snapshots = new Snapshots();
  const [first, second] = [new Live(40 << 20), new Live(40 << 20)];
  const held = snapshots.take(first);
  t.equal(snapshots.take(second), second);
  t.equal(second.closed, 0);
  held.close?.();
  t.not(snapshots.take(second), second);
});

t.test('what cannot be read is closed', async (t) => {
  const live = new Live(10);
  live.fill = 0;
  t.throws(() => new Snapshots().take(live), { code: 'EIO' });
  t.equal(live.closed, 1);
});
