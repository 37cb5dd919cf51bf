// ls --erased, cat --erased, undelete, rm -i, and --dry-run, as a person calls them.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { golden, goldenImage } from '../fixture-path.js';
import { imageFile, PROGRAM, pstorefuse, scratchFolder } from '../mounted.js';

const NAME = 'dmesg-pstore_blk-1';

const isImage = (t: Test, path: string, folder: string, why: string) =>
  t.ok(readFileSync(path).equals(Buffer.from(goldenImage(folder))), why);

t.test('a record that a kernel has erased is listed, printed and taken back', async (t) => {
  const image = imageFile(scratchFolder(t), 's5');
  t.match(pstorefuse('ls', '--erased', image), { status: 0, stdout: `${NAME}\n`, stderr: '' });
  const [listed] = JSON.parse(pstorefuse('ls', '--erased', '--json', image).stdout) as object[];
  t.match(listed, { name: NAME, state: 'erased', reason: 'Oops', count: 2, compressed: 'deflate', offset: 65536 });
  const text = pstorefuse('cat', '--erased', image, NAME).stdout;
  t.equal(text, readFileSync(golden('s1', 'files', NAME), 'utf8'));
  t.match(pstorefuse('cat', image, NAME), { status: 66, stderr: /no record/ });

  const dry = pstorefuse('undelete', '--dry-run', image, NAME);
  t.match(dry, { status: 0, stdout: `${image}: offset 65540: 00 00 -> 93 1d\n`, stderr: '' });
  isImage(t, image, 's5', 'nothing is written');

  t.match(pstorefuse('undelete', image, NAME), { status: 0, stdout: '', stderr: '' });
  isImage(t, image, 's1', 'it is as it was');
  t.match(pstorefuse('undelete', image, NAME), { status: 66, stderr: /no erased record .* ls --erased/ });
});

t.test('rm --dry-run tells the bytes, rm -i asks', async (t) => {
  const image = imageFile(scratchFolder(t), 's1');
  const dry = pstorefuse('rm', '--dry-run', image, NAME, 'dmesg-pstore_blk-0');
  t.match(dry, { status: 0, stderr: '' });
  t.match(dry.stdout, /^.*: offset 4: .. .. -> 00 00\n.*: offset 65540: 93 1d -> 00 00\n$/);
  isImage(t, image, 's1', 'nothing is written');
  const ask = (input: string, ...names: string[]) =>
    spawnSync(process.execPath, [PROGRAM, 'rm', '-i', image, ...names], { input, encoding: 'utf8', timeout: 60_000 });
  t.match(ask('n\n', NAME), { status: 0, stderr: `pstorefuse: erase ${NAME}? [y/N] ` });
  t.match(ask('', NAME), { status: 0 });
  isImage(t, image, 's1', 'no, and no answer, erase nothing');
  t.match(ask('no\nyes\n', 'dmesg-pstore_blk-0', NAME), { status: 0 });
  isImage(t, image, 's5', 'each question has its own answer');
});

t.test('repair --dry-run tells what would be repaired', async (t) => {
  const folder = scratchFolder(t);
  const image = imageFile(folder, 'r3');
  const dry = pstorefuse('repair', '--dry-run', image);
  isImage(t, image, 'r3', 'nothing is written');
  t.equal(pstorefuse('repair', image).stdout, dry.stdout);
  isImage(t, image, 'r2', 'without the option it is');
});

t.test('an image that only can be read can be tried', async (t) => {
  const image = join(scratchFolder(t), 'packed.raw.gz');
  writeFileSync(image, readFileSync(golden('s1', 'image.raw.gz')));
  t.match(pstorefuse('rm', '--dry-run', image, NAME), { status: 0, stdout: /offset 65540: 93 1d -> 00 00/ });
});
