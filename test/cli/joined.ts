// Dumps of several parts on the command line: ls --joined, cat --joined, NAME.joined.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { efivarfsFile } from '../builders/efi.js';
import { golden, goldenImage } from '../fixture-path.js';
import { imageFile, pstorefuse, scratchFolder } from '../mounted.js';

const FIRST = 'dmesg-efi_pstore-164099520801001';

t.test('each dump once, by the name of its first part', (t) => {
  const folder = scratchFolder(t);
  const image = imageFile(folder, 'efi-oops3');
  const list = pstorefuse('ls', '--joined', image).stdout;
  t.equal(list, [FIRST, 'dmesg-efi_pstore-164099521201002', 'dmesg-efi_pstore-164099521501003', ''].join('.joined\n'));
  const json = JSON.parse(pstorefuse('ls', '--joined', '--json', image).stdout);
  t.match(json[0], { reason: 'Oops', count: 1, type: 'dmesg', size: 20732 });

  const whole = pstorefuse('cat', image, `${FIRST}.joined`);
  t.equal(whole.status, 0);
  t.equal(whole.stdout.length, 20732);
  const middle = pstorefuse('cat', '--joined', image, 'dmesg-efi_pstore-164099521008001');
  t.equal(middle.stdout, whole.stdout, 'by the name of any of its parts');
  const both = pstorefuse('cat', image, FIRST, `${FIRST}.joined`).stdout;
  t.match(both, /^Oops#1 Part1\n/);
  t.ok(both.endsWith(whole.stdout));
  t.match(pstorefuse('cat', image, 'nothing.joined'), { status: 66, stderr: /there is no record nothing.joined/ });
  t.ok(readFileSync(image).equals(goldenImage('efi-oops3')), 'nothing is changed');
  const explained = JSON.parse(pstorefuse('explain', '--json', image, `${FIRST}.joined`).stdout);
  t.equal(explained[0].names.length, 13, 'explain takes all of its parts');
  t.match(explained[0].title, /NULL pointer dereference/);
  t.match(pstorefuse('rm', image, `${FIRST}.joined`, 'nothing.joined'), { status: 1, stderr: /nothing\.joined/ });
  const left = pstorefuse('ls', image).stdout.split('\n').filter(Boolean);
  t.equal(left.length, 44 - 13, 'rm takes all of its parts, and no other');
  t.equal(pstorefuse('ls', '--joined', image).stdout.split('\n').filter(Boolean).length, 2);
  t.end();
});

t.test('ids of 64 bits are text in JSON', (t) => {
  const image = imageFile(scratchFolder(t), 'erst-oops3');
  const [first] = JSON.parse(pstorefuse('ls', '--json', image).stdout);
  t.match(first, { id: '7048020725482913793', name: 'dmesg-erst-7048020725482913793' });
  t.end();
});

t.test('a folder of efivarfs is a source, and rm removes the file of the variable', (t) => {
  const folder = join(scratchFolder(t), 'efivars');
  mkdirSync(folder);
  const files = readdirSync(golden('efi-61', 'efivars'));
  for (const name of files) writeFileSync(join(folder, name), readFileSync(golden('efi-61', 'efivars', name)));
  const name = 'dmesg-efi-164637041403001';
  t.equal(pstorefuse('ls', `${folder},backend_name=efi`).stdout.split('\n').length, 15);
  t.equal(pstorefuse('rm', `${folder},backend_name=efi`, name).status, 0);
  const gone = files.filter((file) => !readdirSync(folder).includes(file));
  t.same(gone, ['dump-type0-3-1-1646370414-C-cfc8fc79-be2e-4ddc-97f0-9f98bfe298a0']);
  t.match(pstorefuse('rm', `${folder},ro`, 'dmesg-efi_pstore-164637041402001'), { status: 77 });
  t.equal(readdirSync(folder).length, files.length - 1);

  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  writeFileSync(join(folder, 'some file'), efivarfsFile({ name: 'x', data: 'y' }));
  t.match(pstorefuse('ls', folder), { status: 66, stderr: /is a directory, not an image/ });
  t.end();
});
