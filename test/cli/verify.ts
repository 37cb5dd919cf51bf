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

t.test('what is no archive', async (t) => {
  const folder = scratchFolder(t);
  t.match(pstorefuse('verify', folder), { status: 66, stderr: /has no index\.ndjson/ });
  writeFileSync(join(folder, 'index.ndjson'), '');
  t.match(pstorefuse('verify', folder), { status: 0, stdout: /^the archive is empty\n/ });
  t.match(pstorefuse('verify', join(folder, 'nothing')), { status: 66, stderr: /nothing/ });
});
