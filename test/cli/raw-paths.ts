// Paths that are no UTF-8: opened, written, mounted, and shown fit for a terminal.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { printable } from '../../lib/cli/print.js';
import { pathBytes, pathText } from '../../lib/cli/raw-paths.js';
import { imageFile, SCRIPT, scratchFolder, unmountHard } from '../mounted.js';

t.test('any bytes come back', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) =>
      Buffer.from(bytes).equals(Buffer.from(pathBytes(pathText(bytes)))),
    ),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => (!/\p{Cs}/u.test(text) ? pathBytes(text) === text : true)),
  );
  t.equal(pathText(Buffer.from('a\xffb', 'latin1')), 'a\udcffb');
  t.equal(printable('a\udcffb \u{1f480}'), 'a\\xffb \u{1f480}');
});

/** Node's own spawn() takes text only, so a shell makes the bytes: \\377 and \\351 are no UTF-8. */
function shell(folder: string, script: string) {
  const text = `cd "$1"; bad=$(printf 'im\\377a\\351ge.raw'); ${script}`;
  const { status, stdout, stderr } = spawnSync('sh', ['-c', text, SCRIPT, folder], {
    encoding: 'latin1',
    env: { PATH: process.env.PATH },
  });
  return { status, stdout, stderr };
}

t.test('an image with such a name', async (t) => {
  const folder = scratchFolder(t);
  renameSync(imageFile(folder, 's1'), Buffer.from(`${folder}/im\xffa\xe9ge.raw`, 'latin1'));
  t.match(shell(folder, '"$0" ls "$bad"'), { status: 0, stderr: '', stdout: /^dmesg-pstore_blk-0\n/ });
  t.match(shell(folder, '"$0" rm "$bad,kmsg_size=64K" dmesg-pstore_blk-0'), { status: 0, stderr: '' });
  t.match(shell(folder, '"$0" export --ndjson "$bad"'), { status: 0, stdout: /im\\udcffa\\udce9ge\.raw/ });
  t.match(shell(folder, '"$0" archive "$bad" archive'), { status: 0, stderr: '' });
  const missing = shell(folder, '"$0" ls "$bad.x"');
  t.match(missing, { status: 66, stderr: 'pstorefuse: im\\xffa\\xe9ge.raw.x: there is no such file\n' });
});

t.test('a file of a folder with such a name', async (t) => {
  const folder = scratchFolder(t);
  const name = 'dump-type0-1-1-1640995208-D\xff-cfc8fc79-be2e-4ddc-97f0-9f98bfe298a0';
  writeFileSync(Buffer.from(`${folder}/${name}`, 'latin1'), '\x07\0\0\0Oops#1 Part1\n');
  const shown = 'dmesg-efi_pstore-164099520801001';
  t.match(shell(folder, '"$0" ls .'), { status: 0, stderr: '', stdout: `${shown}\n` });
  t.match(shell(folder, `"$0" cat . ${shown}`), { status: 0, stderr: '', stdout: 'Oops#1 Part1\n' });
  t.match(shell(folder, `"$0" rm . ${shown} && ls`), { status: 0, stderr: '', stdout: '' });
});

const withoutFuse = spawnSync('test', ['-w', '/dev/fuse']).status === 0 ? false : 'there is no /dev/fuse';

t.test('it is mounted; a mount point must be text', { skip: withoutFuse }, async (t) => {
  const folder = scratchFolder(t);
  renameSync(imageFile(folder, 's1'), Buffer.from(`${folder}/im\xffa\xe9ge.raw`, 'latin1'));
  const mountPoint = join(folder, 'mnt');
  mkdirSync(mountPoint);
  t.teardown(() => unmountHard(mountPoint));
  t.match(shell(folder, '"$0" "$bad" mnt'), { status: 0, stderr: '' });
  t.match(execFileSync('ls', [mountPoint], { encoding: 'utf8' }), /dmesg-pstore_blk-1/);
  t.match(shell(folder, '"$0" rm "$bad" dmesg-pstore_blk-1'), { status: 75, stderr: /mounted read-write on .*mnt/ });
  t.match(shell(folder, '"$0" umount mnt'), { status: 0, stderr: '' });
  const refused = shell(folder, 'there=$(printf "m\\377t"); mkdir "$there"; "$0" "$bad" "$there"');
  t.match(refused, { status: 64, stderr: /m\\xfft has bytes that are no UTF-8/ });
  t.same(readdirSync(mountPoint), []);
});
