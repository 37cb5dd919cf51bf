// export: one object a record, in the order of the images, as it comes, whatever one image is like.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { ExportPool } from '../../lib/cli/export-pool.js';
import { goldenImage } from '../fixture-path.js';
import { call, imageFile, pstorefuseBeside, SCRIPT, scratchFolder } from '../mounted.js';

const folder = scratchFolder(t);
process.chdir(folder);
for (const name of ['s3', 's2', 'v1', 'efi-oops3']) imageFile(folder, name);
writeFileSync('bad.raw', Buffer.alloc(65536, 0x55));
writeFileSync('with,comma:1.raw', goldenImage('s2'));

interface Told {
  readonly path: string;
  readonly [key: string]: unknown;
}

async function exported(args: readonly string[], input = '', expected = 0): Promise<Told[]> {
  const { status, stdout, stderr } = await pstorefuseBeside(['export', ...args], { input });
  t.match({ status, stderr }, { status: expected, stderr: '' }, args.join(' '));
  return Buffer.from(stdout, 'latin1')
    .toString()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

t.test('standard input has no hash, nor any other file that is read once', async (t) => {
  const { status, stdout, stderr } = await pstorefuseBeside(['export', '--hash', '-'], { input: goldenImage('s3') });
  t.match({ status, stderr }, { status: 0, stderr: '' });
  const [first = ''] = stdout.split('\n');
  t.match(JSON.parse(first), { path: '-', names: ['console-pstore_blk-0'], sha256: undefined });
});

t.test('an object for each dump, with its text and all of explain', async (t) => {
  const objects = await exported(['--hash', 's3.raw', 'efi-oops3.raw']);
  t.equal(objects.length, 6 + 3, 'parts are one dump');
  const sha256 = createHash('sha256').update(goldenImage('s3')).digest('hex');
  const explained = JSON.parse(
    (await pstorefuseBeside(['explain', '--json', 's3.raw', 'dmesg-pstore_blk-1'])).stdout,
  )[0];
  const oops = objects.find(({ names }) => (names as string[])[0] === 'dmesg-pstore_blk-1')!;
  t.match(oops, {
    ...explained,
    size: goldenImage('s3').length,
    sha256,
    backend: 'pstore_blk',
    type: 'dmesg',
    count: 2,
  });
  const text = (await pstorefuseBeside(['cat', 's3.raw', 'dmesg-pstore_blk-1'])).stdout;
  t.equal(oops.text, text);
  t.match(
    objects.find(({ type }) => type === 'ftrace'),
    { title: null, signature: null, text: /^CPU:/, warnings: [] },
  );
});

t.test('one bad image, and the order of many', async (t) => {
  const many = Array.from({ length: 40 }, (_, i) => ['s3.raw', 'bad.raw', 's2.raw', 'none.raw'][i % 4]!);
  const list = `${many.join('\n')}\n`;
  const objects = await exported(['--files-from', '-', '-j', '3'], list, 1);
  const paths = objects.map(({ path }) => path).filter((path, i, all) => path !== all[i - 1]);
  t.same(paths, many);
  t.match(
    objects.find(({ path }) => path === 'bad.raw'),
    { error: /^bad\.raw: /, code: 'EBADMSG' },
  );
  t.match(
    objects.find(({ path }) => path === 'none.raw'),
    { error: /there is no such file/, code: 'ENOENT' },
  );
  const sorted = (all: readonly Told[]) => all.map((one) => JSON.stringify(one)).sort();
  t.same(sorted(await exported(['--files-from', '-', '--unordered'], list, 1)), sorted(objects));
  t.same(await exported(['--files-from', '-', '-j1'], list, 1), objects);
});

t.test('lists of sources', async (t) => {
  const byNul = await exported(['--files-from', '-', '-0', 'v1.raw'], 'with,comma:1.raw\0s2.raw,label=x\0');
  t.same([...new Set(byNul.map(({ path }) => path))], ['v1.raw', './with,comma:1.raw', 's2.raw']);
  writeFileSync('list', 's2.raw');
  t.equal((await exported(['--files-from', 'list'])).length, 3);
  t.match(await pstorefuseBeside(['export', '--files-from', 'nolist']), {
    status: 66,
    stderr: /nolist cannot be read/,
  });
  t.match(await pstorefuseBeside(['export']), { status: 64, stderr: /give sources, or a file/ });
  t.match(await pstorefuseBeside(['export', '--text', '--journal', 's2.raw']), { status: 64, stderr: /give one of/ });
  t.match(await pstorefuseBeside(['export', 'bad.raw']), { status: 1, stdout: /"error"/ });
});

t.test('the first line comes before the last image is named', async (t) => {
  const child = spawn(SCRIPT, ['export', '--files-from', '-'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.stdin.write('s2.raw\n');
  t.match(JSON.parse((await lines.next()).value), { path: 's2.raw' });
  child.stdin.end('v1.raw\n');
  const rest: string[] = [];
  for (let next = await lines.next(); !next.done; next = await lines.next()) rest.push(next.value);
  t.equal(rest.length, 5);
});

t.test('bytes that are no text are told exactly', async (t) => {
  const image = goldenImage('s2');
  image.set([0xff, 0xfe, 0x80], 4096);
  writeFileSync('bytes.raw', image);
  const [first] = await exported(['bytes.raw']);
  const { stdout } = await pstorefuseBeside(['cat', 'bytes.raw', 'dmesg-pstore_blk-0']);
  t.ok(Buffer.from(first!.base64 as string, 'base64').equals(Buffer.from(stdout, 'latin1')));
  t.match(first!.text, /\ufffd\ufffd\ufffd/);
});

t.test('for people', async (t) => {
  const { stdout } = await pstorefuseBeside(['export', '--text', 's3.raw', 'bad.raw']);
  t.match(stdout, /^==> s3\.raw console-pstore_blk-0 <==\nkernel panic: sysrq triggered crash\n1:panic:\w+\n\n\[/);
  t.match(stdout, /==> bad\.raw <==\nerror: bad\.raw: .*\n\n$/);
});

t.test('a thread that dies takes one image with it', async (t) => {
  const died: string[] = [];
  const done: string[] = [];
  const pool = new ExportPool({
    threads: 2,
    ordered: true,
    // Without its options a thread cannot even begin with an image.
    exporting: undefined as never,
    write: () => {},
    done: (source, { failed }) => done.push(`${source} ${failed}`),
    died: (source) => {
      died.push(source);
      return Buffer.from('');
    },
  });
  for (const source of ['s2.raw', 's3.raw', 'v1.raw']) await pool.take(source);
  await pool.end();
  await pool.close();
  t.same(done, ['s2.raw true', 's3.raw true', 'v1.raw true'], 'each is told of');
  t.same(died.sort(), ['s2.raw', 's3.raw', 'v1.raw']);
});

const REMOTE = ['/usr/lib/systemd/systemd-journal-remote', '/lib/systemd/systemd-journal-remote'].find(existsSync);

t.test(
  'systemd-journal-remote takes it',
  { skip: REMOTE ? false : 'systemd-journal-remote is not installed' },
  async (t) => {
    const { stdout, status } = await pstorefuseBeside(['export', '--journal', 's3.raw', 'efi-oops3.raw', 'bad.raw']);
    t.equal(status, 1);
    mkdirSync('journal');
    const file = join('journal', 'crash.journal');
    const input = Buffer.from(stdout, 'latin1');
    t.match(await call(REMOTE!, ['-o', file, '-'], { input }), { status: 0, stderr: /writing 10 entries/ });
    const shown = await call('journalctl', ['--file', file, '-o', 'json', '--all', 'PSTORE_NAME=dmesg-pstore_blk-1']);
    const entry = JSON.parse(shown.stdout);
    const text = (await pstorefuseBeside(['cat', 's3.raw', 'dmesg-pstore_blk-1'])).stdout;
    t.match(entry, { PSTORE_KIND: 'null-deref', PRIORITY: '2', PSTORE_PATH: 's3.raw' });
    t.equal(entry.MESSAGE, `${entry.PSTORE_TITLE}\n${text.trimEnd()}`);
    const { stdout: list } = await call('journalctl', ['--file', file, '--utc', '-o', 'short-iso', '-p', 'crit']);
    t.match(list, /2021-12-31T23:59:59\+0000 pstorefuse\[?.*: kernel panic: sysrq triggered crash/);
    t.match((await call('journalctl', ['--file', file, '-o', 'cat', '-p', '3..3'])).stdout, /^bad\.raw: /);
  },
);
