// The file of the key overlay=: random sequences of writes, endings, commits and discards against a model.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { openImage } from '../../lib/storage/file.js';
import { OVERLAY_BLOCK } from '../../lib/storage/overlay.js';
import { OverlayBits } from '../../lib/storage/overlay-bits.js';
import { commitOverlay, OverlayFile, overlaid } from '../../lib/storage/overlay-file.js';
import { readRange } from '../../lib/storage/storage.js';
import { goldenImage } from '../fixture-path.js';
import { imageFile, pstorefuse, scratchFolder } from '../mounted.js';

const SIZE = 40 * OVERLAY_BLOCK + 77;
const original = () => Buffer.from(Uint8Array.from({ length: SIZE }, (_, i) => (i * 13) % 253));

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constant('write' as const),
      offset: fc.nat(SIZE - 1),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 9000 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('commit' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('cut commit' as const), blocks: fc.nat(5) }) },
);

t.test('the image is untouched before a commit, and equal to the direct way after it', async (t) => {
  const folder = scratchFolder(t);
  const [image, overlay] = [join(folder, 'image'), join(folder, 'overlay')];
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      writeFileSync(image, original());
      rmSync(overlay, { force: true });
      const [model, committed] = [original(), original()];
      for (const one of steps) {
        if (one.what === 'write') {
          // Each write is a program of its own.
          const bytes = one.bytes.subarray(0, SIZE - one.offset);
          const storage = overlaid(openImage(image, { mode: 'read' }), overlay, 'must');
          storage.write(bytes, one.offset);
          storage.sync();
          model.set(bytes, one.offset);
          if (!Buffer.from(readRange(storage, 0, SIZE)).equals(model)) return false;
          storage.close();
        } else if (existsSync(overlay)) {
          if (one.what === 'cut commit') cutCommit(image, overlay, one.blocks);
          commitOverlay(overlay, image);
          committed.set(model);
          if (existsSync(overlay)) return false;
        }
        if (!readFileSync(image).equals(committed)) return false;
      }
      return true;
    }),
    { numRuns: 40 },
  );
});

/** A commit that ended after some blocks. */
function cutCommit(image: string, path: string, blocks: number): void {
  const file = OverlayFile.open(path, 'must');
  const storage = openImage(image, { mode: 'must' });
  file.beginCommit(storage);
  for (const block of [...file.numbers()].slice(0, blocks)) storage.write(file.get(block), block * OVERLAY_BLOCK);
  storage.close();
  file.close();
}

t.test('what does not belong together is refused', async (t) => {
  const folder = scratchFolder(t);
  const [image, overlay] = [join(folder, 'image'), join(folder, 'overlay')];
  writeFileSync(image, original());
  const open = (mode: 'read' | 'must') => overlaid(openImage(image, { mode: 'read' }), overlay, mode);
  open('read').close();
  t.notOk(existsSync(overlay), 'looking makes no file');
  const storage = open('must');
  storage.write(new Uint8Array(10), 100);
  storage.close();
  t.ok(statSync(overlay).blocks * 512 < SIZE, 'it has holes');
  const changed = original();
  changed[5]! ^= 1;
  writeFileSync(image, changed);
  t.throws(() => open('read'), { code: 'EBADMSG', message: /not the same, or not any more/ });
  t.throws(() => commitOverlay(overlay, image), { code: 'EBADMSG' });
  writeFileSync(image, original());
  cutCommit(image, overlay, 0);
  t.throws(() => open('read'), { code: 'EBUSY', message: /overlay commit/ });
  writeFileSync(overlay, 'no overlay');
  t.throws(() => open('must'), { code: 'EBADMSG', message: /does not exist yet/ });
});

t.test('an overlay of a stranger writes to no file but that which it was made over and is named', async (t) => {
  const folder = scratchFolder(t);
  const [image, victim, overlay] = [join(folder, 'image'), join(folder, 'victim'), join(folder, 'overlay')];
  writeFileSync(image, original());
  const storage = overlaid(openImage(image, { mode: 'read' }), overlay, 'must');
  storage.write(new Uint8Array(10).fill(0x41), 100);
  storage.close();
  // It names another file, of the same size, and says that a commit into that has begun.
  const precious = Buffer.alloc(SIZE, 0x55);
  writeFileSync(victim, precious);
  const forged = readFileSync(overlay);
  forged.writeUInt32LE(Buffer.byteLength(victim), 56);
  forged.write(victim, 60);
  for (const state of [0, 1]) {
    forged[8] = state;
    writeFileSync(overlay, forged);
    t.match(pstorefuse('overlay', 'commit', overlay), { status: 64, stdout: '', stderr: /name the image/ });
    t.match(pstorefuse('overlay', 'diff', overlay), { status: 64, stdout: '', stderr: /victim, by its own account/ });
    t.match(pstorefuse('overlay', 'status', overlay), { status: 0, stderr: '' });
    t.match(pstorefuse('overlay', 'commit', overlay, victim), { status: 65, stderr: /not the same/ });
    t.match(pstorefuse('overlay', 'diff', overlay, victim), { status: 65, stdout: '' });
    t.ok(readFileSync(victim).equals(precious));
  }
  t.ok(readFileSync(image).equals(original()));
});

t.test('a commit that was cut off goes on only into the same image', async (t) => {
  const folder = scratchFolder(t);
  const [image, other, overlay] = [join(folder, 'image'), join(folder, 'other'), join(folder, 'overlay')];
  writeFileSync(image, original());
  const storage = overlaid(openImage(image, { mode: 'read' }), overlay, 'must');
  storage.write(new Uint8Array(3 * OVERLAY_BLOCK).fill(0x41), 100);
  storage.close();
  cutCommit(image, overlay, 2);
  const foreign = original();
  foreign[SIZE - 1]! ^= 1;
  writeFileSync(other, foreign);
  t.throws(() => commitOverlay(overlay, other), { code: 'EBADMSG', message: /not the same/ });
  t.ok(readFileSync(other).equals(foreign));
  t.match(pstorefuse('overlay', 'status', overlay, image).stdout, /state: {3}a commit was cut off: commit again\n/);
  t.equal(commitOverlay(overlay, image), 4);
  t.ok(readFileSync(image).equals(original().fill(0x41, 100, 100 + 3 * OVERLAY_BLOCK)));
});

t.test('a path that it names is harmless, and a FIFO is no overlay', async (t) => {
  const folder = scratchFolder(t);
  const [image, overlay] = [join(folder, 'image'), join(folder, 'overlay')];
  writeFileSync(image, original());
  OverlayFile.create(overlay, openImage(image, { mode: 'read' })).close();
  const forged = readFileSync(overlay);
  const name = '/a\x1b]0;owned\x07\u202eb';
  forged.writeUInt32LE(Buffer.byteLength(name), 56);
  forged.write(name, 60);
  writeFileSync(overlay, forged);
  const { stdout } = pstorefuse('overlay', 'status', overlay);
  t.match(stdout, /^image: {3}\/a\\x1b\]0;owned\\x07\\xe2\\x80\\xaeb/);
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  t.match(pstorefuse('overlay', 'status', join(folder, 'fifo')), { status: 65, stderr: /no regular file/ });
});

t.test('the memory of an overlay is that of what was written', async (t) => {
  const reads: number[] = [];
  const stored = new Map<number, Uint8Array>();
  const size = 2 ** 46;
  const bits = new OverlayBits(size, (target, offset) => {
    reads.push(target.length);
    target.fill(0);
    for (const [at, bytes] of stored) if (at >= offset && at < offset + target.length) target.set(bytes, at - offset);
  });
  const last = size / OVERLAY_BLOCK - 1;
  for (const block of [0, 77, last]) {
    t.notOk(bits.has(block));
    bits.set(block);
    t.ok(bits.has(block));
    const { bytes, offset } = bits.byteOf(block);
    stored.set(offset, bytes);
  }
  t.ok(reads.length <= 3 && Math.max(...reads) <= OVERLAY_BLOCK, `${reads}`);
  const again = new OverlayBits(4096 * OVERLAY_BLOCK, (target, offset) => {
    target.fill(0);
    if (offset === 0) target.set([1], 0);
  });
  again.set(4095);
  t.same([...again.numbers()], [0, 4095]);
});

t.test('a person erases over an image, looks, and commits', async (t) => {
  const folder = scratchFolder(t);
  const image = imageFile(folder, 's1');
  const overlay = join(folder, 'work.ovl');
  const source = `${image},overlay=${overlay}`;
  t.match(pstorefuse('rm', source, 'dmesg-pstore_blk-1'), { status: 0, stderr: '' });
  t.ok(readFileSync(image).equals(Buffer.from(goldenImage('s1'))), 'the image is only read');
  t.equal(pstorefuse('ls', source).stdout, 'dmesg-pstore_blk-0\ndmesg-pstore_blk-2\n');
  t.equal(pstorefuse('ls', '--erased', source).stdout, 'dmesg-pstore_blk-1\n');
  t.equal(pstorefuse('overlay', 'diff', overlay, image).stdout, 'offset 65540: 93 1d -> 00 00\n');
  t.match(
    pstorefuse('overlay', 'status', overlay).stdout,
    /^image: .*s1\.raw.*\nblocks: {2}1\nstate: {3}open; name an/,
  );
  t.match(pstorefuse('overlay', 'status', overlay, image).stdout, /blocks: {2}1\nstate: {3}it can be committed\n/);
  t.match(pstorefuse('undelete', '--dry-run', source, 'dmesg-pstore_blk-1').stdout, /65540: 00 00 -> 93 1d/);
  t.match(pstorefuse('overlay', 'commit', overlay, image), { status: 0, stdout: 'blocks written: 1\n' });
  t.ok(readFileSync(image).equals(Buffer.from(goldenImage('s5'))), 'as a kernel has erased it');
  t.match(pstorefuse('rm', `${image},overlay`, 'dmesg-pstore_blk-0'), { status: 0, stderr: '' });
  t.ok(readFileSync(image).equals(Buffer.from(goldenImage('s5'))), 'a temporary one is gone');
  pstorefuse('rm', source, 'dmesg-pstore_blk-0');
  t.match(pstorefuse('overlay', 'discard', overlay), { status: 0, stderr: '' });
  t.notOk(existsSync(overlay));
});
