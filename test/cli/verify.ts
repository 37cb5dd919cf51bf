// pstorefuse verify: what was done to an archive after it was made is found, and nothing else.

import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FileChecks } from '../../lib/cli/verify.js';
import { imageFile, pstorefuse, scratchFolder } from '../mounted.js';

interface Verified {
  readonly index: { readonly sha256: string; readonly lines: number };
  readonly files: readonly { readonly path: string; readonly state: string; readonly reason: string | null }[];
}

function archived(t: Test): { folder: string; paths: string[] } {
  const scratch = scratchFolder(t);
  const folder = join(scratch, 'archive');
  const { stdout } = pstorefuse('archive', imageFile(scratch, 's1'), imageFile(scratch, 'v3'), folder);
  return { folder, paths: stdout.trim().split('\n') };
}

function verified(folder: string): Verified & { status: number | null } {
  const { stdout, status } = pstorefuse('verify', '--json', folder);
  return { ...(JSON.parse(stdout) as Verified), status };
}

const wrongOf = ({ files }: Verified, folder: string) =>
  files.filter(({ state }) => state !== 'same').map(({ path, state }) => [join(folder, path), state]);

t.test('an archive as it was made', async (t) => {
  const { folder, paths } = archived(t);
  const found = verified(folder);
  t.equal(found.status, 0);
  t.same(found.files.map(({ path }) => join(folder, path)).sort(), [...paths].sort());
  t.same(wrongOf(found, folder), []);
  const index = readFileSync(join(folder, 'index.ndjson'));
  t.equal(found.index.sha256, createHash('sha256').update(index).digest('hex'));
  const { stdout, status } = pstorefuse('verify', folder);
  t.equal(status, 0);
  t.equal(
    stdout,
    `${paths.length} files: as archived\nsha256  ${found.index.sha256}  ${join(folder, 'index.ndjson')}\n`,
  );
});

t.test('whatever was done to it', async (t) => {
  const { folder, paths } = archived(t);
  const [flipped, cut, gone, linked] = paths as [string, string, string, string];
  const bytes = readFileSync(flipped);
  bytes[bytes.length >> 1]! ^= 1;
  for (const path of paths) chmodSync(path, 0o600);
  writeFileSync(flipped, bytes);
  truncateSync(cut, 10);
  rmSync(gone);
  const whole = readFileSync(linked);
  rmSync(linked);
  writeFileSync(join(folder, 'same-bytes'), whole);
  symlinkSync(join(folder, 'same-bytes'), linked);
  mkdirSync(join(folder, 'more'));
  writeFileSync(join(folder, 'more', 'file'), 'x');
  const found = verified(folder);
  t.equal(found.status, 65);
  t.same(
    new Map(wrongOf(found, folder) as [string, string][]),
    new Map([
      [flipped, 'changed'],
      [cut, 'changed'],
      [gone, 'missing'],
      [linked, 'changed'],
      [join(folder, 'same-bytes'), 'unknown'],
      [join(folder, 'more', 'file'), 'unknown'],
    ]),
  );
  t.match(pstorefuse('verify', folder), { status: 65, stdout: /changed {2}.*: it has 10 bytes, the index says \d+\n/ });
});

t.test('a file that was removed and archived anew counts once', async (t) => {
  const { folder, paths } = archived(t);
  rmSync(paths[0]!);
  pstorefuse('archive', imageFile(scratchFolder(t), 's1'), imageFile(scratchFolder(t), 'v3'), folder);
  const found = verified(folder);
  t.same(found.files.map(({ path }) => join(folder, path)).sort(), [...paths].sort());
  t.equal(found.index.lines, paths.length + 1);
});

t.test('an index that lies', async (t) => {
  const { folder } = archived(t);
  const hash = '0'.repeat(64);
  const lines = [
    '{"path":"../../etc/passwd","size":1,"sha256":"HASH"}',
    '{"path":"/etc/passwd","size":1,"sha256":"HASH"}',
    '{"path":"a/../../b","size":1,"sha256":"HASH"}',
    '{"path":"x","size":"1","sha256":"HASH"}',
    '[1]',
    'null',
    'no JSON\u001b[31m',
    '{"path":"cut',
  ];
  appendFileSync(join(folder, 'index.ndjson'), lines.join('\n').replaceAll('HASH', hash));
  const found = verified(folder);
  t.equal(found.status, 65);
  const bad = found.files.filter(({ state }) => state === 'bad-line').map(({ reason }) => reason ?? '');
  t.equal(bad.length, lines.length, 'each line has its own verdict');
  t.match(bad[0], /\.\.\/\.\.\/etc\/passwd is not in the folder/);
  t.match(bad.at(-1), /it is cut off/);
  t.notOk(pstorefuse('verify', folder).stdout.includes('\u001b'));
});

t.test('lines that name what no file can be', async (t) => {
  const folder = scratchFolder(t);
  const paths = ['a\0b', 'a'.repeat(5000), 'a/'.repeat(3000), 'index.ndjson/x', 'loop/x', '..x', 'real'];
  symlinkSync('loop', join(folder, 'loop'));
  writeFileSync(join(folder, 'real'), 'x');
  const sha256 = createHash('sha256').update('x').digest('hex');
  writeFileSync(
    join(folder, 'index.ndjson'),
    paths.map((path) => `${JSON.stringify({ path, size: 1, sha256 })}\n`).join(''),
  );
  const { files, status } = verified(folder);
  t.equal(status, 65);
  t.same(
    files.map(({ state }) => state),
    ['bad-line', 'missing', 'missing', 'missing', 'changed', 'missing', 'same', 'unknown'],
    'each line has its verdict, and the last file is checked',
  );
});

t.test('of many bad lines the first are told, and how many more there are', async (t) => {
  const folder = scratchFolder(t);
  const bad = ['', '{}', '{"path":"x","size":1,"sha256":"too short"}', `{${'x'.repeat(40)}}`];
  const lines = Array.from({ length: 3000 }, (_, i) => `${bad[i % bad.length]}\n`);
  writeFileSync(join(folder, 'file'), 'x');
  const sha256 = createHash('sha256').update('x').digest('hex');
  lines.push(`${JSON.stringify({ path: 'file', size: 1, sha256 })}\n`);
  writeFileSync(join(folder, 'index.ndjson'), lines.join(''));
  const { files, index, status } = verified(folder);
  t.equal(status, 65);
  t.equal(index.lines, 3001);
  t.equal(files.filter(({ state }) => state === 'bad-line').length, 1001);
  t.match(files[1000], { state: 'same', path: 'file' }, 'a good line after them is read');
  t.match(files.at(-1), { state: 'bad-line', reason: 'and 2000 more lines are bad' });
});

t.test('a file that many lines name is read once', async (t) => {
  const folder = scratchFolder(t);
  const path = join(folder, 'file');
  const line = { path: 'file', size: 1, sha256: createHash('sha256').update('x').digest('hex') };
  const files = new FileChecks(folder);
  writeFileSync(path, 'x');
  t.equal(files.check(line).state, 'same');
  writeFileSync(path, 'y');
  t.equal(files.check(line).state, 'same', 'by the hash of the first time');
  t.equal(new FileChecks(folder).check(line).state, 'changed');
  t.ok(files.has('file'));
  t.equal(files.check({ ...line, path: 'missing' }).state, 'missing');
  t.notOk(files.has('missing'), 'a name without a file is not remembered');
});

t.test('a link does not lead out of the archive', async (t) => {
  const scratch = scratchFolder(t);
  const [folder, outside] = [join(scratch, 'archive'), join(scratch, 'outside')];
  for (const path of [folder, outside]) mkdirSync(path);
  writeFileSync(join(outside, 'secret'), 'secret');
  symlinkSync(outside, join(folder, 'link'));
  const line = { path: 'link/secret', size: 6, sha256: '0'.repeat(64) };
  writeFileSync(join(folder, 'index.ndjson'), `${JSON.stringify(line)}\n`);
  const { stdout, status } = pstorefuse('verify', folder);
  t.equal(status, 65);
  t.match(stdout, 'changed  link/secret: link is a link now, and no folder\n');
  t.notMatch(stdout, createHash('sha256').update('secret').digest('hex'));
  const other = join(scratch, 'other');
  symlinkSync(folder, other);
  t.equal(pstorefuse('verify', other).stdout.split('\n')[0], stdout.split('\n')[0], 'the folder itself may be a link');
});

t.test('what is no archive', async (t) => {
  const folder = scratchFolder(t);
  t.match(pstorefuse('verify', folder), { status: 66, stderr: /has no index\.ndjson/ });
  writeFileSync(join(folder, 'index.ndjson'), '');
  t.match(pstorefuse('verify', folder), { status: 0, stdout: /^the archive is empty\n/ });
  t.match(pstorefuse('verify', join(folder, 'nothing')), { status: 66, stderr: /nothing/ });
});
