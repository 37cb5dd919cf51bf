// ls, cat, info, rm, format and record, as a person and a program call them.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { commandsFor } from '../../lib/cli/commands.js';
import { COMMAND_NAMES } from '../../lib/cli/main.js';
import { goldenImage } from '../fixture-path.js';
import { type GoldenCase, goldenBytes, goldenCases, withoutSymbols } from '../golden.js';
import { type CallOptions, call, type Ended, eachOf, PROGRAM, pstorefuseBeside } from '../mounted.js';

const folder = mkdtempSync(join(tmpdir(), 'pstorefuse-commands-'));
process.chdir(folder);
t.teardown(() => rmSync(folder, { recursive: true }));

/** Runs a command that must end well and say nothing but what was asked. */
async function good(t: Test, line: string, options: CallOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await pstorefuseBeside(line.split(' ').filter(Boolean), options);
  t.match({ status, stderr }, { status: 0, stderr: '' }, line);
  return stdout;
}

function pstorefuse(line: string, options: CallOptions = {}): Promise<Ended> {
  return pstorefuseBeside(line.split(' '), options);
}

/** Image files with the bytes of golden folders. */
function write(...folders: string[]): void {
  for (const name of folders) writeFileSync(`${name}.raw`, goldenImage(name));
}

/** The keys of a golden folder's kernel, as they stand after a path. */
function keysOf({ keys }: GoldenCase): string {
  return Object.entries(keys)
    .filter(([key]) => key !== 'mem_size')
    .map(([key, value]) => `,${key}=${value}`)
    .join('');
}

const LS_KEYS = 'name backend label type id size mtimeNs reason count compressed state offset title path'.split(' ');
const INFO_KEYS = ['backend', 'label', 'path', 'size', 'format', 'abi', 'geometry', 'confidence', 'kernelParameters'];
const MORE_INFO_KEYS = ['source', 'counters', 'nextZone', 'zones', 'warnings'];

/** One of each kind: what is in the others, the tests of the backends compare. */
const CATTED = ['arm-v2', 'be-s2', 'i386-s3', 'r2', 's3', 's7', 'v2'];

interface Listed {
  readonly name: string;
  readonly type: string;
  readonly id: number;
  readonly size: number;
  readonly mtimeNs: string | null;
  readonly state: string;
  readonly label: string;
  readonly compressed: string | null;
}

// ── ls and cat ──

t.test('ls and cat show what the kernel showed', async (t) => {
  const cases = goldenCases('zone', 'rfc5', 'ramoops');
  write(...cases.map(({ folder }) => folder));
  const before = cases.map(({ folder }) => readFileSync(`${folder}.raw`));
  const sources = cases.map((golden) => `${golden.backend}:${golden.folder}.raw${keysOf(golden)}`);
  const labelled = sources.map((source, at) => `${source},label=${cases[at]!.folder}`);
  const { status, stdout, stderr } = await pstorefuse(`ls --json ${labelled.join(' ')}`);
  t.equal(status, 0);
  // In these two are wrong bytes.
  t.match(stderr, /^(pstorefuse: warning: (r3|r4-none)\.raw: [^\n]+\n)*$/, 'nothing to warn of in the others');
  const all = JSON.parse(stdout) as Listed[];
  for (const [at, { folder, files }] of cases.entries()) {
    const listed = all.filter(({ label }) => label === folder);
    t.same(listed.map(({ name }) => name).sort(), files.map(({ name }) => name).sort(), folder);
    t.ok(before[at]!.equals(readFileSync(`${folder}.raw`)), 'looking changes nothing');
  }
  const some = [...cases.entries()].filter(([, { folder }]) => CATTED.includes(folder));
  t.equal(some.length, CATTED.length);
  await eachOf(some, async ([at, { folder, files }]) => {
    const listed = all.filter(({ label }) => label === folder);
    const catted = await pstorefuseBeside(['cat', sources[at]!, ...files.map(({ name }) => name)]);
    t.test(folder, (t) => {
      t.match(catted, { status: 0, stderr: '' });
      let from = 0;
      for (const { name, mtime_sec, mtime_nsec } of files) {
        const one = listed.find((candidate) => candidate.name === name)!;
        t.same(Object.keys(one), LS_KEYS, 'the keys of ls --json, in their order');
        const text = Buffer.from(catted.stdout.slice(from, from + one.size), 'latin1');
        const expected = goldenBytes(folder, name);
        if (one.type === 'ftrace') t.equal(withoutSymbols(text), withoutSymbols(expected), `cat ${name}`);
        else t.ok(text.equals(expected), `cat ${name}`);
        from += one.size;
        const time = String(BigInt(mtime_sec) * 1_000_000_000n + BigInt(mtime_nsec));
        t.equal(one.mtimeNs, one.type === 'dmesg' ? time : null, 'only dmesg records have a time');
      }
      t.equal(from, catted.stdout.length, 'cat of all is one after the other');
      t.end();
    });
  });
});

t.test('ls --json in full, by backend, then type, then id as a number', async (t) => {
  write('s2', 's3', 'v1');
  const json = await good(t, 'ls --json s2.raw');
  t.same(JSON.parse(json)[2], {
    name: 'dmesg-pstore_blk-2',
    backend: 'pstore_blk',
    label: 'pstore_blk',
    type: 'dmesg',
    id: 2,
    size: 25585,
    mtimeNs: '1631612347467941019',
    reason: 'Oops',
    count: 3,
    compressed: null,
    state: 'live',
    offset: 131072,
    title: null,
    path: 's2.raw',
  });
  const several = JSON.parse(await good(t, 'ls --json v1.raw s3.raw s2.raw,label=x')) as Listed[];
  t.same(
    several.map(({ label, name }) => `${label}/${name}`),
    [
      ...[0, 1, 2].map((id) => `blkoops/dmesg-blkoops-${id}`),
      'pstore_blk/console-pstore_blk-0',
      ...[0, 1, 2].map((id) => `pstore_blk/dmesg-pstore_blk-${id}`),
      'pstore_blk/ftrace-pstore_blk-0',
      'pstore_blk/pmsg-pstore_blk-0',
      ...[0, 1, 2].map((id) => `x/dmesg-pstore_blk-${id}`),
    ],
  );
  t.equal(several[0]!.compressed, 'deflate');
  writeFileSync('eleven.raw', elevenRecords());
  const eleven = JSON.parse(await good(t, 'ls --json eleven.raw')) as Listed[];
  t.same(
    eleven.map(({ id }) => id),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    '10 comes after 9',
  );
  writeFileSync('zeros.raw', new Uint8Array(1 << 20));
  const empty = await pstorefuse('ls --json pstore_blk:zeros.raw,kmsg_size=64K');
  t.match(empty, { status: 0, stdout: '[]\n' });
});

/** The first zone of s2 again and again, each time with the next counter. */
function elevenRecords(): Uint8Array {
  const zones = Array.from({ length: 11 }, (_, i) => {
    const zone = Buffer.from(goldenImage('s2').subarray(0, 65536));
    zone.writeUInt32LE(i + 1, 40);
    return zone;
  });
  return Buffer.concat([...zones, new Uint8Array(65536)]);
}

t.test('ls for people', async (t) => {
  t.equal(await good(t, 'ls s2.raw'), 'dmesg-pstore_blk-0\ndmesg-pstore_blk-1\ndmesg-pstore_blk-2\n');
  const long = await good(t, 'ls -l s2.raw', { env: { ...process.env, TZ: 'UTC' } });
  t.equal(long.split('\n')[0], '     17987 2021-09-14 09:39:05 Oops#1       dmesg-pstore_blk-0');
  const mixed = (await good(t, 'ls --long s3.raw')).trimEnd().split('\n');
  const columns = new Set(mixed.map((line) => line.search(/\S+$/)));
  t.equal(columns.size, 1, 'names stand below one another');
  t.equal(await good(t, 'ls v1.raw s2.raw'), [...names('blkoops'), ...names('pstore_blk'), ''].join('\n'));
});

function names(backend: string): string[] {
  return [0, 1, 2].map((id) => `${backend}/dmesg-${backend}-${id}`);
}

t.test('a source that is compressed, or a part of a file', async (t) => {
  writeFileSync('v1.raw.gz', gzipSync(goldenImage('v1')));
  t.equal(await good(t, 'ls v1.raw.gz'), await good(t, 'ls v1.raw'));
  writeFileSync('parts.raw', Buffer.concat([goldenImage('s2'), goldenImage('v1')]));
  t.equal(await good(t, 'ls parts.raw,offset=512K'), await good(t, 'ls v1.raw'));
  const offsets = JSON.parse(await good(t, 'ls --json parts.raw,offset=512K')).map(
    ({ offset }: { offset: number }) => offset,
  );
  t.same(offsets, [0x80000, 0x90000, 0xa0000], 'in the file');
  const both = await good(t, 'ls parts.raw,size=0x80000 parts.raw,offset=0x80000');
  t.equal(both, await good(t, 'ls s2.raw v1.raw'));
});

t.test('some sources fail', async (t) => {
  const partly = await pstorefuse('ls nothing.raw v1.raw');
  t.match(partly, { status: 1, stderr: /^pstorefuse: nothing\.raw: there is no such file\n$/ });
  t.equal(partly.stdout, await good(t, 'ls v1.raw'), 'the rest is shown');
  t.match(await pstorefuse('ls nothing.raw v1.raw --strict'), { status: 66, stdout: '' });
  t.match(await pstorefuse('ls nothing.raw nowhere.raw'), { status: 66, stdout: '' });
  t.equal(await good(t, 'ls s2.raw v1.raw --backend blkoops'), await good(t, 'ls v1.raw'));
  t.equal(await good(t, 'ls s2.raw v1.raw --backend blkoops,pstore_blk'), await good(t, 'ls v1.raw s2.raw'));
  t.equal(await good(t, 'ls s2.raw v1.raw --backend all'), await good(t, 'ls s2.raw v1.raw'));
  t.match(await pstorefuse('ls v1.raw --backend ramoops'), { status: 66, stdout: '' });
});

t.test('cat of several, of which some are missing', async (t) => {
  const partly = await pstorefuse('cat v1.raw dmesg-blkoops-7 dmesg-blkoops-1');
  t.match(partly, { status: 1, stderr: /^pstorefuse: v1\.raw: there is no record dmesg-blkoops-7; [^\n]+\n$/ });
  t.equal(partly.stdout, Buffer.from(goldenBytes('v1', 'dmesg-blkoops-1')).toString('latin1'));
  t.equal(await good(t, 'cat v1.raw blkoops/dmesg-blkoops-1'), partly.stdout, 'with the label in front');
  t.match(await pstorefuse('cat v1.raw ramoops/dmesg-blkoops-1'), { status: 66 });
});

t.test('warnings go to standard error, and do not end the work', async (t) => {
  const warned = await pstorefuse('ls s2.raw,kmsg_size=128K');
  t.match(warned, { status: 0, stdout: /^dmesg-pstore_blk-0\n/ });
  t.match(warned.stderr, /^pstorefuse: warning: s2\.raw: zones of 64 KiB fit this image[^\n]+\n$/);
});

t.test('a terminal gets no control characters of an image', async (t) => {
  // An escape sequence, a bell and a C1 control in the text of a record.
  const bytes = goldenImage('s2');
  bytes.set(Buffer.from('\x1b[31mred\x07 \u009b2J\ttab'), 4096);
  writeFileSync('escapes.raw', bytes);
  const piped = await good(t, 'cat escapes.raw dmesg-pstore_blk-0');
  t.ok(piped.includes('\x1b[31mred\x07'), 'a pipe gets the bytes as they are');
  const command = `'${process.execPath}' '${PROGRAM}' cat escapes.raw dmesg-pstore_blk-0`;
  const env = { ...process.env, NO_COLOR: '1' };
  const terminal = await call('script', ['-q', '-e', '-c', command, '/dev/null'], { env });
  t.equal(terminal.status, 0, terminal.stderr);
  t.ok(terminal.stdout.includes('\\x1b[31mred\\x07 \\x9b2J\ttab'), 'a terminal gets them spelled out');
  t.notMatch(terminal.stdout, /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/);
});

// ── info ──

t.test('info --json', async (t) => {
  write('s3', 'arm-v2', 'be-s2', 'i386-s3', 's5');
  const abis = {
    s3: { endian: 'little', wordBits: 64, align: 8 },
    'arm-v2': { endian: 'little', wordBits: 32, align: 8 },
    'be-s2': { endian: 'big', wordBits: 32, align: 8 },
    'i386-s3': { endian: 'little', wordBits: 32, align: 4 },
  };
  const sources = Object.keys(abis).map((name) => `${name}.raw`);
  const infos = JSON.parse(await good(t, `info --json ${sources.join(' ')}`));
  for (const [at, [name, abi]] of Object.entries(abis).entries()) {
    const info = infos[at];
    t.same(
      Object.keys(info).filter((key) => key !== 'details'),
      [...INFO_KEYS, ...MORE_INFO_KEYS],
      `${name}: keys`,
    );
    t.same(info.abi, abi, `${name}: the machine`);
    t.equal(info.path, `${name}.raw`);
    t.equal(info.size, readFileSync(`${name}.raw`).length);
    for (const value of Object.values(info.confidence)) t.ok((value as number) > 0 && (value as number) <= 1);
    for (const zone of info.zones) t.same(Object.keys(zone), ['index', 'type', 'offset', 'size', 'state', 'reason']);
    t.ok(info.zones.every(({ offset, size }: { offset: number; size: number }) => offset + size <= info.size));
  }
  const pasted = infos.map(({ source }: { source: string }) => source).join(' ');
  t.equal(await good(t, `ls --json ${pasted}`), await good(t, `ls --json ${sources.join(' ')}`), 'sources, to paste');
  const s3 = JSON.parse(await good(t, 'info --json s3.raw'));
  t.match(s3, {
    backend: 'pstore_blk',
    label: 'pstore_blk',
    format: 'pstore_blk',
    geometry: { kmsg_size: 32768, pmsg_size: 16384, console_size: 32768, ftrace_size: 16384, cpus: 2 },
    counters: { oops: 2, panic: 1 },
    nextZone: 3,
    warnings: [],
  });
  t.ok(s3.kernelParameters.includes('pstore_blk.kmsg_size=32'), 'in KiB, as the kernel takes them');
  const s5 = JSON.parse(await good(t, 'info --json s5.raw'));
  t.match(s5.zones[1], { index: 1, type: 'dmesg', offset: 65536, size: 65536, state: 'erased' });
  const both = JSON.parse(await good(t, 'info --json s3.raw s5.raw'));
  t.same(
    both.map(({ path, label }: { path: string; label: string }) => [path, label]),
    [
      ['s3.raw', 'pstore_blk'],
      ['s5.raw', 'pstore_blk.2'],
    ],
  );
});

t.test('info --json of several is an array, however many fail', async (t) => {
  write('s5');
  const { status, stdout } = await pstorefuse('info --json s5.raw nothing.raw');
  t.equal(status, 1);
  t.equal(JSON.parse(stdout).length, 1);
  t.notOk(Array.isArray(JSON.parse(await good(t, 'info --json s5.raw'))));
});

t.test('info for people', async (t) => {
  const lines = (await good(t, 'info s3.raw')).trimEnd().split('\n');
  t.ok(lines.includes('machine:           little-endian, 64 bits, 64-bit integers aligned to 8 (abi=le64)'));
  t.ok(lines.some((line) => /^next zone: +3$/.test(line)));
  t.ok(
    lines.some((line) => /^ {2}dmesg +3-5 +163840 +98304 {2}unused$/.test(line)),
    'runs of unused zones are a line',
  );
  const values = lines.filter((line) => /^\S/.test(line)).map((line) => line.search(/(?<=: +)\S/));
  t.equal(new Set(values).size, 1, 'values stand below one another');
  const all = (await good(t, 'info --all s3.raw')).trimEnd().split('\n');
  t.equal(all.filter((line) => / unused$/.test(line)).length, 3, '--all: a line each');
  t.ok(Math.max(...lines.map((line) => line.length)) < 160);
});

// ── rm ──

t.test('rm leaves what the kernel leaves', async (t) => {
  for (const [golden, name] of [
    ['s5', 'dmesg-pstore_blk-1'],
    ['v3', 'dmesg-blkoops-1'],
  ] as const) {
    writeFileSync('rm.raw', goldenImage(golden, 'image-before.raw'));
    t.equal(await good(t, `rm rm.raw ${name}`), '', 'nothing is printed');
    t.ok(readFileSync('rm.raw').equals(goldenImage(golden)), `${golden}: byte for byte the kernel's image`);
    t.match(await pstorefuse(`rm rm.raw ${name}`), { status: 66, stderr: /there is no record/ });
  }
});

t.test('rm of several', async (t) => {
  write('s3');
  const partly = await pstorefuse('rm s3.raw dmesg-pstore_blk-0 dmesg-pstore_blk-8 pstore_blk/ftrace-pstore_blk-0');
  t.match(partly, {
    status: 1,
    stdout: '',
    stderr: /^pstorefuse: s3\.raw: there is no record dmesg-pstore_blk-8; .*\n$/,
  });
  const rest = ['console-pstore_blk-0', 'dmesg-pstore_blk-1', 'dmesg-pstore_blk-2', 'pmsg-pstore_blk-0'];
  t.same((await good(t, 'ls s3.raw')).trimEnd().split('\n'), rest);
  await good(t, `rm s3.raw ${rest.join(' ')}`);
  t.equal(await good(t, 'ls s3.raw'), '', 'an empty listing is no error');
  writeFileSync('packed.gz', gzipSync(goldenImage('v1')));
  const packed = await pstorefuse('rm packed.gz dmesg-blkoops-0');
  t.match(packed, { status: 77, stderr: /packed\.gz is compressed and can only be read/ });
});

t.test('one writer at a time', async (t) => {
  write('v1');
  const holder = call('flock', [
    'v1.raw',
    'sh',
    '-c',
    'echo locked > locked; while [ -e locked ]; do sleep 0.05; done',
  ]);
  await call('sh', ['-c', 'until [ -e locked ]; do sleep 0.05; done']);
  const before = readFileSync('v1.raw');
  for (const line of ['rm v1.raw dmesg-blkoops-0', 'record v1.raw --reason oops', 'format v1.raw --force']) {
    const refused = await pstorefuse(line, { input: 'text' });
    t.match(refused, { status: 75, stdout: '' }, line);
    t.match(refused.stderr, /^pstorefuse: v1\.raw is being written by process \d+ \(.*\); try again[^\n]*\n$/);
  }
  await good(t, 'ls v1.raw');
  await good(t, 'info v1.raw');
  t.ok(before.equals(readFileSync('v1.raw')));
  rmSync('locked');
  await holder;
  await good(t, 'rm v1.raw dmesg-blkoops-0');
});

// ── format and record ──

t.test('format makes an image that is empty and tells its own geometry', async (t) => {
  for (const [options, backend, kmsg] of [
    ['--size 1M --kmsg-size 64K', 'pstore_blk', 65536],
    ['--size 1M --dmesg-size 32K --backend blkoops', 'blkoops', 32768],
    ['--size 1M --kmsg-size 16K --pmsg-size 4K --console-size 8K --ftrace-size 8K --cpus 2', 'pstore_blk', 16384],
    ['--size 1M --kmsg-size 64K --abi be64', 'pstore_blk', 65536],
    ['--size 1M -o kmsg_size=64K,pmsg_size=64K', 'pstore_blk', 65536],
  ] as const) {
    t.equal(await good(t, `format new.raw ${options}`), '', 'nothing is printed');
    t.equal(readFileSync('new.raw').length, 1 << 20);
    const info = JSON.parse(await good(t, 'info --json new.raw'));
    t.match(info, { backend, geometry: { kmsg_size: kmsg } }, options);
    t.notOk(
      info.zones.some(({ state }: { state: string }) => state === 'live'),
      'a kernel shows nothing for it',
    );
    rmSync('new.raw');
  }
});

t.test('format says what an image does not tell as long as it is empty', async (t) => {
  const told = /as long as it is empty, not all of this can be told from it; name it as (\S+)$/m;
  for (const options of ['--kmsg-size 16K --abi i386', '--backend blkoops --kmsg-size 16K --abi mips']) {
    const { stderr } = await pstorefuse(`format untold.raw --size 64K ${options} --force`);
    const source = told.exec(stderr)?.[1];
    t.match(source, /untold\.raw,kmsg_size=16K.*,abi=(le32-align4|be32)$/, options);
    await good(t, `record ${source} --reason oops --time @1000000000.5`, { input: 'text\n' });
    const [record] = JSON.parse(await good(t, 'ls --json untold.raw'));
    t.match(record, { mtimeNs: '1000000000500000000', count: 1 }, 'a record tells the machine');
    t.match(JSON.parse(await good(t, 'info --json untold.raw')).abi, { wordBits: 32 });
  }
  const { stderr } = await pstorefuse('format untold.raw --size 64K --backend ramoops --record-size 16K --force');
  t.match(told.exec(stderr)?.[1], /^ramoops:untold\.raw,/, 'zones of one size are those of pstore_blk');
  const ecc = await pstorefuse('format untold.raw --size 256K --backend ramoops --record-size 32K --ecc 16 --force');
  const source = told.exec(ecc.stderr)?.[1];
  t.match(source, /^ramoops:untold\.raw,.*console_size=0/, 'and with ECC their kinds are a guess');
  await good(t, `record ${source} --reason oops`, { input: 'text\n' });
});

t.test('format overwrites only what is blank, or when it is told to', async (t) => {
  write('v1');
  const there = await pstorefuse('format v1.raw --kmsg-size 64K');
  t.match(there, { status: 73, stderr: /v1\.raw is there and not blank; take --force/ });
  t.ok(readFileSync('v1.raw').equals(goldenImage('v1')));
  await good(t, 'format v1.raw --kmsg-size 64K --force');
  t.equal(readFileSync('v1.raw').length, 524288, 'the size stays');
  await good(t, 'format v1.raw --kmsg-size 64K --size 256K --force');
  t.equal(readFileSync('v1.raw').length, 262144, 'or is as given');
  for (const [name, fill] of [
    ['zeros', 0],
    ['ones', 0xff],
  ] as const) {
    writeFileSync(name, new Uint8Array(65536).fill(fill));
    await good(t, `format ${name} --kmsg-size 16K`);
    t.equal(await good(t, `ls ${name}`), '', name);
  }
  writeFileSync('almost', new Uint8Array(65536).fill(1, 65535));
  t.match(await pstorefuse('format almost --kmsg-size 16K'), { status: 73 });
});

t.test('record writes through the ring, and what it wrote is shown', async (t) => {
  await good(t, 'format ring.raw --size 48K --kmsg-size 16K');
  const log = 'first line of the log\nsecond line\n';
  t.equal(
    await good(t, 'record ring.raw,dialect=mainline --reason oops --compress none --time 2021-09-14T09:39:05.25Z', {
      input: log,
    }),
    '',
  );
  t.equal(await good(t, 'cat ring.raw dmesg-pstore_blk-0'), `Oops: Total 1 times\nOops#1 Part1\n${log}`);
  await good(t, 'record ring.raw --reason panic --time @1700000000.000000001', { input: log });
  await good(t, 'record ring.raw --reason oops --time @1700000001', { input: log });
  await good(t, 'record ring.raw --reason oops --time @1700000002', { input: log });
  const listed = JSON.parse(await good(t, 'ls --json ring.raw'));
  const brief = listed.map((one: Record<string, unknown>) => [one.id, one.reason, one.count, one.compressed]);
  t.same(brief, [
    [0, 'Oops', 3, 'deflate'],
    [1, 'Panic', 1, 'deflate'],
    [2, 'Oops', 2, 'deflate'],
  ]);
  t.equal(listed[1].mtimeNs, '1700000000000000001');
  t.match(await good(t, 'cat ring.raw dmesg-pstore_blk-1'), /^Panic#\d+ Part1\nfirst line of the log\n/);
});

t.test('what a kernel refuses is refused', async (t) => {
  await good(t, 'format refused.raw --size 48K --kmsg-size 16K');
  const before = readFileSync('refused.raw');
  const refusals: [string, RegExp][] = [
    ['record refused.raw --reason oops --part 2', /part 2 of a dump is not kept, only part 1/],
    ['record refused.raw --reason oops --part 0', /--part 0: give the number of the part, from 1/],
    ['record refused.raw,panic_path=none --reason panic', /the device has no path that works then/],
    ['record refused.raw,panic_path=some --reason oops', /panic_path=some.*device, none/],
  ];
  for (const [line, stderr] of refusals) {
    const result = await pstorefuse(line, { input: 'text\n' });
    t.match(result.stderr, stderr, line);
    t.not(result.status, 0, line);
  }
  t.same(readFileSync('refused.raw'), before, 'not a byte is written');
  await good(t, 'record refused.raw,panic_path=none,dialect=mainline --reason oops --part 1', { input: 'text\n' });
});

t.test('record writes nothing where nothing comes', async (t) => {
  await good(t, 'format nothing.raw --size 64K --kmsg-size 16K --force');
  const before = readFileSync('nothing.raw');
  t.match(await pstorefuse('record nothing.raw,abi=le64 --reason oops', { input: '' }), {
    status: 66,
    stderr: 'pstorefuse: standard input is empty: no record is written to nothing.raw\n',
  });
  t.ok(readFileSync('nothing.raw').equals(before));
});

t.test('record says how much of a long log is kept', async (t) => {
  await good(t, 'format deep.raw --size 64K --kmsg-size 16K');
  const zones = 'record_size=16K,console_size=16K,ftrace_size=0,pmsg_size=0,ecc=16';
  await pstorefuse(`format deep.mem --backend ramoops --size 64K -o ${zones}`);
  const log = Array.from({ length: 20_000 }, (_, n) => `line ${n} ${Math.sin(n)}\n`).join('');
  for (const [image, name] of [
    ['deep.raw,dialect=mainline', 'pstore_blk'],
    [`ramoops:deep.mem,${zones}`, 'ramoops'],
  ] as const) {
    for (const [id, compress] of ['none', 'deflate'].entries()) {
      const line = `record ${image} --reason oops --compress ${compress}`;
      const { status, stderr } = await pstorefuse(line, { input: log });
      t.equal(status, 0, line);
      const said = /^pstorefuse: deep\.\w+: the last (\d+) of (\d+) bytes are kept: the record has no room for more\n$/;
      const [, kept, total] = said.exec(stderr) ?? [];
      t.equal(Number(total), log.length, `${line}: ${stderr}`);
      const [, ...text] = (await good(t, `cat ${image} dmesg-${name}-${id}`)).split(' Part1\n');
      t.ok(text.join('').startsWith(log.slice(log.length - Number(kept))), 'its end');
    }
    await good(t, `record ${image} --reason oops`, { input: 'short\n' });
  }
});

t.test('record appends to rings', async (t) => {
  await good(t, 'format rings.raw --size 64K --kmsg-size 16K --pmsg-size 4K --console-size 4K');
  await good(t, 'record rings.raw --type pmsg', { input: 'one\n' });
  await good(t, 'record rings.raw --type pmsg', { input: 'two\n' });
  t.equal(await good(t, 'cat rings.raw pmsg-pstore_blk-0'), 'one\ntwo\n');
  const long = Array.from({ length: 2000 }, (_, n) => `line ${n}\n`).join('');
  await good(t, 'record rings.raw --type console', { input: long });
  const kept = await good(t, 'cat rings.raw console-pstore_blk-0');
  t.ok(kept.length === 4096 - 12 && long.endsWith(kept), 'the last of a long input');
});

t.test('a guess never places a write', async (t) => {
  // One record alone proves no zone size.
  const image = goldenImage('s2');
  image.fill(0, 65536);
  writeFileSync('one.raw', image);
  const before = readFileSync('one.raw');
  const guess = await pstorefuse('record one.raw --reason oops', { input: 'text\n' });
  t.not(guess.status, 0, 'refused');
  t.match(guess.stderr, /^pstorefuse: (?:warning: [^\n]+\npstorefuse: )?[^\n]*one\.raw[^\n]+\n$/);
  t.ok(before.equals(readFileSync('one.raw')), 'and nothing was written');
  await good(t, 'record one.raw,kmsg_size=64K --reason oops', { input: 'text\n' });
  t.match(
    await good(t, 'cat one.raw,kmsg_size=64K dmesg-pstore_blk-1'),
    /^Oops: Total 2 times\nOops#\d+ Part1\ntext\n$/,
  );
});

// ── help ──

t.test('help and version', async (t) => {
  const { version } = JSON.parse(readFileSync(join(PROGRAM, '..', '..', '..', 'package.json'), 'utf8'));
  const top = await good(t, '--help');
  const commands = ['mount', ...COMMAND_NAMES];
  for (const command of commands) t.match(top, new RegExp(`^  pstorefuse ${command} `, 'm'));
  t.equal(await good(t, '-h'), top);
  for (const option of ['--version', '-V']) t.equal(await good(t, option), `${version}\n`);
  for (const { summary, examples } of await commandsFor(undefined)) t.ok(examples.length > 0, `${summary}: an example`);
  const width = (help: string) => Math.max(...help.split('\n').map((line) => line.length));
  t.ok(width(top) <= 80, 'fits a terminal');
  await eachOf(commands, async (command) => {
    const help = await good(t, `${command} --help`);
    t.match(help, new RegExp(`^pstorefuse ${command} `), command);
    t.match(help, /\nExamples:\n/, `${command}: an example`);
    t.ok(width(help) <= 80, `${command}: fits a terminal`);
  });
  t.match(await good(t, 'format --help'), /--ecc +key ecc \(ramoops\) /, 'which backends have a key');
  t.equal(await good(t, 'ls -h'), await good(t, 'ls --help'));
});

t.test('names of commands win over files; ./ and -- say that a file is meant', async (t) => {
  mkdirSync('names');
  writeFileSync('names/ls', goldenImage('v1'));
  const there = { cwd: 'names' };
  t.match(await pstorefuse('ls', there), { status: 64 });
  t.equal(await good(t, 'ls ls', there), 'dmesg-blkoops-0\ndmesg-blkoops-1\ndmesg-blkoops-2\n');
  t.match(await pstorefuse('./ls nowhere', there), { status: 66, stderr: /the mount point nowhere does not exist/ });
  t.match(await pstorefuse('-- ls nowhere', there), { status: 66, stderr: /the mount point nowhere does not exist/ });
  t.match(await pstorefuse('ls -- --json', there), { status: 66, stderr: /--json: there is no such file/ });
});

t.test('the program finds its own files and programs whatever the environment is', async (t) => {
  write('v1');
  const bare = { env: { PATH: '/nowhere' } };
  await good(t, 'ls v1.raw', bare);
  await good(t, 'rm v1.raw dmesg-blkoops-0', bare);
  t.equal(await good(t, 'ls v1.raw', { env: {} }), 'dmesg-blkoops-1\ndmesg-blkoops-2\n');
});
