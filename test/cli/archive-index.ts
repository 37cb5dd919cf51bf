// The index of an archive: a file that anybody may have written to.

import { mkdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { ArchiveIndex, fieldsOfLine, parseIndexLine } from '../../lib/cli/archive-index.js';
import { imageFile, pstorefuse, scratchFolder } from '../mounted.js';

const hash = 'ab'.repeat(32);
const part = { name: 'dmesg-pstore_blk-0', mtimeNs: '1', sha256: hash };
const line = { path: 'x/2021-12-31/a', size: 5, sha256: hash, label: 'pstore_blk', parts: [part] };

t.test('what a line may be', async (t) => {
  t.same(parseIndexLine(JSON.stringify({ ...line, title: 'more' })), line);
  const wrong = [
    null,
    5,
    [],
    { ...line, path: 5 },
    { ...line, path: '/etc/passwd' },
    { ...line, path: 'a/../../b' },
    { ...line, size: '5' },
    { ...line, parts: [null] },
    { ...line, parts: [{ ...part, sha256: 1 }] },
    { ...line, parts: 'none' },
  ];
  for (const one of wrong) t.equal(parseIndexLine(JSON.stringify(one)), undefined, JSON.stringify(one));
  t.equal(parseIndexLine('{"path":'), undefined);
  fc.assert(fc.property(fc.json(), (text) => parseIndexLine(text) === undefined));
});

t.test('what cannot be a line is not parsed: millions of them would take minutes', async (t) => {
  const { parse } = JSON;
  let parsed = 0;
  JSON.parse = (text: string) => {
    parsed++;
    return parse(text);
  };
  t.teardown(() => {
    JSON.parse = parse;
  });
  const long = 'x'.repeat(100);
  for (const text of ['', '{', '{}', '{"path":1}', long, `{${long}`, `${long}}`, `[${long}]`]) {
    t.equal(fieldsOfLine(text), undefined, text.slice(0, 10));
  }
  t.equal(parsed, 0);
  t.same(fieldsOfLine('{"path":"a","size":0,"sha256":"b"}'), { path: 'a', size: 0, sha256: 'b' }, 'the shortest');
  t.equal(parsed, 1);
});

t.test('a line that was cut off goes; what is no index at all stays', async (t) => {
  const folder = scratchFolder(t);
  const path = join(folder, 'index.ndjson');
  writeFileSync(path, `${JSON.stringify(line)}\n{"path":"x`);
  const index = new ArchiveIndex(folder);
  t.match(index.fileOf('pstore_blk', part), { path: line.path, size: 5, sha256: hash });
  index.close();
  t.equal(readFileSync(path, 'utf8'), `${JSON.stringify(line)}\n`);
  truncateSync(path, 5 << 20);
  t.throws(() => new ArchiveIndex(folder), { code: 'EBADMSG', message: /no index of an archive/ });
  t.equal(statSync(path).size, 5 << 20);
});

t.test('a record whose file in the archive was changed is archived again before it is erased', async (t) => {
  const folder = scratchFolder(t);
  const image = imageFile(folder, 's1');
  const archive = join(folder, 'archive');
  mkdirSync(archive);
  const [first] = pstorefuse('archive', image, archive).stdout.split('\n');
  const bytes = readFileSync(first!);
  writeFileSync(first!, bytes.subarray(0, bytes.length >> 1));
  const { status, stdout } = pstorefuse('archive', '--erase', image, archive);
  t.equal(status, 0);
  const [again] = stdout.split('\n');
  t.not(again, first);
  t.ok(readFileSync(again!).equals(bytes));
  t.equal(pstorefuse('ls', image).stdout, '');
});

t.test('what the index says is elsewhere, or cannot be, is archived again', async (t) => {
  const folder = scratchFolder(t);
  const image = imageFile(folder, 's1');
  const archive = join(folder, 'archive');
  const [first] = pstorefuse('archive', image, archive).stdout.split('\n');
  const index = join(archive, 'index.ndjson');
  const lines = readFileSync(index, 'utf8');
  const outside = join(folder, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'file'), readFileSync(first!));
  symlinkSync(outside, join(archive, 'link'));
  const [name] = JSON.parse(lines.split('\n')[0]!).path.split('/').slice(-1);
  for (const path of ['link/file', 'x'.repeat(5000), `index.ndjson/${name}`]) {
    const [head, ...rest] = lines.split('\n');
    writeFileSync(index, [JSON.stringify({ ...JSON.parse(head!), path }), ...rest].join('\n'));
    const { status } = pstorefuse('archive', image, archive);
    t.equal(status, 0, path.slice(0, 20));
    const added = readFileSync(index, 'utf8').split('\n').at(-2)!;
    t.equal(join(archive, JSON.parse(added).path), first, 'the index tells where it is now');
  }
});
