// The file of the key overlay=: random sequences of writes, endings, commits and discards against a model.

import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { openImage } from '../../lib/storage/file.js';
import { OVERLAY_BLOCK } from '../../lib/storage/overlay.js';
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
          commitOverlay(overlay);
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
  file.beginCommit();
  const storage = openImage(image, { mode: 'must' });
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
  t.throws(() => open('read'), { code: 'EBADMSG', message: /not the same any more/ });
  t.throws(() => commitOverlay(overlay), { code: 'EBADMSG' });
  writeFileSync(image, original());
  const file = OverlayFile.open(overlay, 'must');
  file.beginCommit();
  file.close();
  t.throws(() => open('read'), { code: 'EBUSY', message: /overlay commit/ });
  writeFileSync(overlay, 'no overlay');
  t.throws(() => open('must'), { code: 'EBADMSG', message: /does not exist yet/ });
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
  t.equal(pstorefuse('overlay', 'diff', overlay).stdout, 'offset 65540: 93 1d -> 00 00\n');
  t.match(pstorefuse('overlay', 'status', overlay).stdout, /blocks: {2}1\nstate: {3}it can be committed\n/);
  t.match(pstorefuse('undelete', '--dry-run', source, 'dmesg-pstore_blk-1').stdout, /65540: 00 00 -> 93 1d/);
  t.match(pstorefuse('overlay', 'commit', overlay), { status: 0, stdout: 'blocks written: 1\n' });
  t.ok(readFileSync(image).equals(Buffer.from(goldenImage('s5'))), 'as a kernel has erased it');
  t.match(pstorefuse('rm', `${image},overlay`, 'dmesg-pstore_blk-0'), { status: 0, stderr: '' });
  t.ok(readFileSync(image).equals(Buffer.from(goldenImage('s5'))), 'a temporary one is gone');
  pstorefuse('rm', source, 'dmesg-pstore_blk-0');
  t.match(pstorefuse('overlay', 'discard', overlay), { status: 0, stderr: '' });
  t.notOk(existsSync(overlay));
});
