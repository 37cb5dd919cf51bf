// pstorefuse scan: what is printed can be typed, and shows what was found.

import { closeSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { bytesText, ScanProgress } from '../../lib/cli/scan-progress.js';
import { androidSparse, gptDisk, nandDump } from '../builders/disk.js';
import { goldenImage } from '../fixture-path.js';
import { call, imageFile, PROGRAM, pstorefuse, run, SCRIPT, scratchFolder } from '../mounted.js';

interface Region {
  readonly backend: string;
  readonly offset: number;
  readonly confidence: number;
  readonly records: number | null;
  readonly newest: readonly { readonly name: string; readonly title: string | null }[];
  readonly source: string;
}

/** Two images in a file of 100 GiB that has nothing else. */
function sparseDisk(folder: string): string {
  const path = join(folder, 'a disk, sparse.img');
  writeFileSync(path, '');
  truncateSync(path, 100 * 2 ** 30);
  const fd = openSync(path, 'r+');
  writeSync(fd, goldenImage('s1'), 0, undefined, 3 * 2 ** 30);
  writeSync(fd, goldenImage('efi-oops3'), 0, undefined, 70 * 2 ** 30 + 512);
  closeSync(fd);
  return path;
}

t.test('each region is told with what to type, and that opens it', async (t) => {
  // A comma in a path is written twice, as in every SOURCE.
  const path = sparseDisk(scratchFolder(t)).replaceAll(',', ',,');
  const { status, stdout, stderr } = pstorefuse('scan', '--json', path);
  t.match({ status, stderr }, { status: 0, stderr: '' });
  const regions = JSON.parse(stdout) as Region[];
  t.match(regions, [
    { backend: 'pstore_blk', offset: 3 * 2 ** 30, confidence: 1, records: 3 },
    { backend: 'efi', offset: 70 * 2 ** 30 + 512, confidence: 1 },
  ]);
  t.match(regions[0]!.newest[0], { name: /^dmesg-pstore_blk-/, title: /^(BUG|kernel panic)/ });
  const listed = pstorefuse('ls', regions[0]!.source);
  t.equal(listed.stdout.trim().split('\n').length, 3, listed.stderr);
  const text = pstorefuse('scan', path).stdout;
  t.ok(text.includes(`pstorefuse ls '${regions[0]!.source}'`), 'quoted, since a shell would cut it');
});

t.test('blank zones after the last record belong to the image, and parts to their dump', async (t) => {
  const folder = scratchFolder(t);
  const [board] = JSON.parse(pstorefuse('scan', '--json', imageFile(folder, 's1')).stdout) as Region[];
  t.match(board!.source, /^pstore_blk:[^,]+$/, 'all of the file, as it is');
  const [vars] = JSON.parse(pstorefuse('scan', '--json', imageFile(folder, 'efi-oops3')).stdout) as Region[];
  t.same(
    vars!.newest.map(({ name, title }) => [/\.joined$/.test(name), /NULL pointer/.test(title ?? '')]),
    [
      [true, true],
      [true, true],
      [true, true],
    ],
  );
});

t.test('in a wrapped file and in a partition, too, what to type shows what was found', async (t) => {
  const folder = scratchFolder(t);
  const MIB = 1 << 20;
  const region = goldenImage('v2');
  const full = new Uint8Array(4 * MIB).fill(0x5a);
  full.set(region, MIB);
  const file = (name: string, bytes: Uint8Array) => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const [first, count] = [2048, (4 * MIB) / 512];
  const disk = file('disk.img', gptDisk(4 * count, 512, [{ name: 'logs', first, count, bytes: full }]));
  const sources = [
    `${disk},part=logs`,
    `${disk},part=logs,offset=512K`,
    `${disk},offset=512K`,
    file('sparse.img', androidSparse(4096, [{ skip: 512 }, { raw: region }, { fill: 0x5a5a5a5a, blocks: 512 }])),
    file('nand.img', nandDump(full, 2048, 64)),
  ];
  for (const source of sources) {
    const { stdout, stderr } = pstorefuse('scan', '--json', source);
    const [found] = JSON.parse(stdout) as Region[];
    t.match(found, { backend: 'blkoops', confidence: 1, records: 3 }, stderr);
    t.match(found!.source, /,size=/, `${source}: what follows is not blank`);
    t.equal(pstorefuse('ls', found!.source).stdout.trim().split('\n').length, 3, found!.source);
  }
});

t.test('where nothing is found it is said, and ls names scan', async (t) => {
  const path = join(scratchFolder(t), 'zeros.img');
  writeFileSync(path, new Uint8Array(1 << 20));
  t.match(pstorefuse('scan', path), { status: 0, stdout: '', stderr: /no crash log .*--all/ });
  t.match(pstorefuse('ls', path), { status: 65, stderr: /pstorefuse scan .*zeros\.img looks for images anywhere/ });
  t.match(pstorefuse('scan', `ramoops:${path}`), { status: 64, stderr: /leave out ramoops:/ });
  t.match(pstorefuse('scan', `${path},kmsg_size=64K`), { status: 64, stderr: /no use for the key kmsg_size/ });
});

t.test('what is no place to look for an image is named as ls names it', async (t) => {
  const folder = scratchFolder(t);
  const [empty, zip, cut] = ['empty', 'x.zip', 'cut it.raw'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(empty, '');
  writeFileSync(zip, Buffer.concat([Buffer.from('PK\x03\x04'), new Uint8Array(8192)]));
  writeFileSync(cut, goldenImage('s1').subarray(0, 70_000));
  t.match(pstorefuse('scan', empty), { status: 65, stdout: '', stderr: /empty: the file is empty\n/ });
  t.match(pstorefuse('scan', zip), { status: 65, stdout: '', stderr: /x\.zip is zip data: unpack it first/ });
  t.match(run('sh', ['-c', `exec '${SCRIPT}' scan - < '${empty}'`]), {
    status: 65,
    stderr: /: standard input: the file/,
  });
  const { stdout } = pstorefuse('scan', cut);
  t.match(stdout, /cannot be opened/);
  const typed = stdout.split('\n').filter((line) => line.includes('pstorefuse ls'));
  t.ok(typed.length > 0);
  for (const line of typed) t.equal(run('sh', ['-c', line.replace('pstorefuse', SCRIPT)]).status, 0, line);
});

t.test('of standard input, what to type names a file: its bytes are gone', async (t) => {
  const image = imageFile(scratchFolder(t), 's1');
  const { status, stdout } = run('sh', ['-c', `exec '${SCRIPT}' scan - < '${image}'`]);
  t.equal(status, 0);
  t.match(stdout, /pstorefuse ls pstore_blk:FILE\n/);
  const said = run('sh', ['-c', `head -c 8192 /dev/zero | '${SCRIPT}' ls -`]).stderr;
  t.match(said, /^pstorefuse: standard input: no signature .*pstorefuse scan FILE looks/);
});

t.test('on a terminal, lines are folded between words, and so is what is said on standard error', async (t) => {
  const folder = scratchFolder(t);
  const flash = join(folder, 'flash.bin');
  const zeros = join(folder, 'zeros.bin');
  writeFileSync(flash, Buffer.concat([new Uint8Array(1 << 20), goldenImage('s3')]));
  writeFileSync(zeros, new Uint8Array(1 << 20));
  const scan = `'${process.execPath}' '${PROGRAM}' scan`;
  const command = `cd '${folder}'; stty cols 60; ${scan} flash.bin; ${scan} zeros.bin`;
  const { status, stdout } = await call('script', ['-q', '-e', '-c', command, '/dev/null']);
  t.equal(status, 0, stdout);
  // Progress is written over in its line.
  const lines = stdout.split('\r\n').map((line) => line.split('\x1b[K').at(-1)!);
  const isCalled = (line: string) => line.includes('pstorefuse ls');
  t.same(
    lines.filter((line) => line.length > 60 && !isCalled(line)),
    [],
  );
  t.match(
    lines.find((line) => line.includes('NULL pointer dereference')),
    /^ {8}/,
    'it goes on further in',
  );
  t.ok(
    lines.some((line) => line.startsWith('pstorefuse: zeros.bin: no crash log')),
    'the words are all there',
  );
});

t.test('progress is told on a terminal, not more often than it can be read', async (t) => {
  let now = 0;
  const said: string[] = [];
  const progress = new ScanProgress(
    100 * 2 ** 30,
    (text) => said.push(text),
    () => now,
  );
  for (; now < 3000; now += 10) progress.at((now / 1000) * 2 ** 30);
  progress.end();
  t.ok(said.length >= 8 && said.length <= 10, String(said.length));
  t.match(said[0], /1\.0 GiB of 100 GiB \(1 %\), 1\.0 GiB\/s, 1 min 39 s left/);
  t.equal(said.at(-1), '\r\x1b[K', 'the line is gone at the end');
  t.same([0, 1536, 2 ** 40].map(bytesText), ['0 bytes', '1.5 KiB', '1.0 TiB']);
});
