// info, as a person sees it: on a terminal, in a pipe, and where it says what is not as it should be.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { goldenImage } from '../fixture-path.js';
import { call, PROGRAM, pstorefuseBeside } from '../mounted.js';

const folder = mkdtempSync(join(tmpdir(), 'pstorefuse-info-'));
process.chdir(folder);
t.teardown(() => rmSync(folder, { recursive: true }));

function info(...args: string[]) {
  return pstorefuseBeside(['info', ...args]);
}

/** What a terminal of so many columns gets. */
async function onTerminal(columns: number, source: string): Promise<string[]> {
  const command = `stty cols ${columns}; '${process.execPath}' '${PROGRAM}' info ${source}`;
  const { status, stdout, stderr } = await call('script', ['-q', '-e', '-c', command, '/dev/null']);
  t.match({ status, stderr }, { status: 0, stderr: '' });
  return stdout.trimEnd().split('\r\n');
}

function valueOn(page: string, label: string): string | undefined {
  return new RegExp(`^${label}: +(.*)$`, 'm').exec(page)?.[1];
}

t.test('a terminal has folded lines, a pipe has not', async (t) => {
  writeFileSync('r1.raw', goldenImage('r1-ftrace'));
  const piped = (await info('r1.raw')).stdout;
  const source = valueOn(piped, 'source')!;
  t.match(source, /^ramoops:r1\.raw,mem_size=256K,\S+,order=ftrace-pmsg$/);
  t.match(valueOn(piped, 'kernel parameters'), /^ramoops\.mem_size=0x40000 .* ramoops\.ecc=0$/);
  const lines = await onTerminal(80, 'r1.raw');
  const long = lines.filter((line) => line.length > 80);
  t.same(long, [`  ${source}`], 'only what is to be pasted is not broken');
  const words = (text: string) => text.split(/\s+/).join(' ');
  t.equal(words(lines.join('\n')), words(piped.trimEnd()), 'the same words');
  const parameters = lines.findIndex((line) => line.startsWith('kernel parameters:'));
  t.equal(lines[parameters + 1]!.search(/\S/), lines[parameters]!.indexOf('ramoops.'), 'they go on below their value');
});

t.test('a reason goes on below the state', async (t) => {
  const image = goldenImage('s3');
  image.fill(0x41, 163840, 163844);
  writeFileSync('bad.raw', image);
  const lines = await onTerminal(80, 'bad.raw');
  const at = lines.findIndex((line) => line.includes('bad-signature:'));
  t.equal(lines[at + 1]!.search(/\S/), lines[at]!.indexOf('bad-signature:'));
  t.ok(lines.every((line) => line.length <= 80 || line.startsWith('  pstore_blk:')));
});

t.test('runs of zones of which the same is to be said are a line', async (t) => {
  writeFileSync('mtdoops.raw', goldenImage('mtdoops-1'));
  const pages = (await info('mtdoops.raw')).stdout;
  t.match(pages, /^ {2}dmesg +2 +8192 +4096 {2}live: the newest record\n {2}dmesg +3-63 +12288 +249856 {2}erased\n$/m);
  t.equal((await info('--all', 'mtdoops.raw')).stdout.match(/ {2}erased$/gm)?.length, 61);

  const image = goldenImage('s3');
  for (const [i, zone] of [3, 4, 5].entries()) image.fill(0x41 + i, 65536 + zone * 32768, 65540 + zone * 32768);
  writeFileSync('bad.raw', image);
  t.match(
    (await info('bad.raw')).stdout,
    /^ {2}dmesg +3-5 +163840 +98304 {2}bad-signature: the first begins with the bytes 41 41 41 41: [^\n]+\n$/m,
  );
  t.match((await info('--all', 'bad.raw')).stdout, / 4 +196608 +32768 {2}bad-signature: begins with the bytes 42 42/);
});

t.test('zones of records have a line each', async (t) => {
  // Records that do not decompress: one after the other, with the same reason.
  const image = goldenImage('s1');
  for (const zone of [0, 1]) image.fill(0xff, zone * 65536 + 52, zone * 65536 + 1000);
  writeFileSync('undecodable.raw', image);
  const { stdout } = await info('undecodable.raw');
  t.equal(stdout.match(/^ {2}dmesg +\d+ .*undecodable: /gm)?.length, 2);
});

t.test('a vmcore has one machine', async (t) => {
  writeFileSync('vmcore', goldenImage('vmcoredd-1', 'vmcore-head.raw'));
  const { stdout } = await info('vmcore');
  t.same(
    stdout.match(/^machine:.*$/gm)?.map((line) => line.replace(/ +/g, ' ')),
    ['machine: x86_64, little-endian, 64 bits, 64-bit integers aligned to 8 (abi=le64)'],
  );
});

t.test('a warning is said once: on standard error, or in the object', async (t) => {
  writeFileSync('s2.raw', goldenImage('s2'));
  const wrong = 's2.raw,kmsg_size=128K';
  const page = await info(wrong);
  t.equal(page.status, 0);
  t.match(page.stderr, /^pstorefuse: warning: s2\.raw: zones of 64 KiB fit this image[^\n]+\n$/);
  t.notMatch(page.stdout, /warning|fit this image/);
  const object = await info('--json', wrong);
  t.match({ status: object.status, stderr: object.stderr }, { status: 0, stderr: '' });
  t.match(JSON.parse(object.stdout).warnings, [{ code: 'geometry-mismatch', offset: null }]);
});

t.test('all warnings, not only the first ones as elsewhere', async (t) => {
  const image = goldenImage('mtdoops-1');
  // Pages whose magic has lost a bit.
  for (let page = 3; page < 33; page++) image.set([9, 0, 0, 0, 0x01, 0x5e, 0x00, 0x5d], page * 4096);
  writeFileSync('damaged.raw', image);
  const { stderr } = await info('damaged.raw');
  t.equal(stderr.match(/^pstorefuse: warning: damaged\.raw: page \d+ at [^\n]+$/gm)?.length, 30);
});

t.test('a part of a larger file', async (t) => {
  const image = goldenImage('s2');
  writeFileSync('disk.raw', Buffer.concat([Buffer.alloc(4096), image, Buffer.alloc(512)]));
  const part = `offset=4K,size=${image.length}`;
  for (const args of [[`disk.raw,${part}`], ['disk.raw', '-o', part]]) {
    const { stdout } = await info(...args);
    t.equal(valueOn(stdout, 'file'), `disk.raw (${image.length + 4608} bytes)`);
    t.match(valueOn(stdout, 'part'), new RegExp(`^${image.length} bytes from offset 4096 on`));
    t.match(valueOn(stdout, 'source'), `pstore_blk:disk.raw,${part},kmsg_size=64K`);
    const { zones, path } = JSON.parse((await info('--json', ...args)).stdout);
    t.equal(path, 'disk.raw');
    t.same(
      zones.map(({ offset }: { offset: number }) => offset),
      Array.from({ length: 8 }, (_, i) => 4096 + 65536 * i),
      'offsets are those of the file',
    );
    t.match(stdout, / 69632 +65536 /);
  }
  image.fill(0xff, 65536 + 4, 65536 + 8);
  writeFileSync('overtop.raw', Buffer.concat([Buffer.alloc(4096), image]));
  const { zones, warnings } = JSON.parse((await info('--json', 'overtop.raw,offset=4K')).stdout);
  t.match(
    [zones[1], warnings[0]],
    [
      { state: 'overtop', offset: 69632 },
      { code: 'zone-overtop', offset: 69632 },
    ],
  );
  writeFileSync('whole.raw', image);
  t.notMatch((await info('whole.raw')).stdout, /^part:/m);
});

t.test('sizes are told in units too, counts are not', async (t) => {
  writeFileSync('many.raw', new Uint8Array(2048 * 4096).fill(0xff));
  const page = (await info('pstore_blk:many.raw,kmsg_size=4K')).stdout;
  t.equal(valueOn(page, 'total_size'), '8388608 (8M)');
  t.equal(valueOn(page, 'kmsg_size'), '4096 (4K)');
  t.equal(valueOn(page, 'kmsg_zones'), '2048');
});

t.test('the crashes that the records tell of', async (t) => {
  writeFileSync('s3.raw', goldenImage('s3'));
  t.match((await info('s3.raw')).stdout, /^crash: +dmesg-pstore_blk-2: kernel panic: sysrq triggered crash\n/m);
  const { details } = JSON.parse((await info('--json', 's3.raw')).stdout);
  t.match(details.crashes, { 'dmesg-pstore_blk-0': /^BUG: .* in lkdtm_EXCEPTION$/ });
});
