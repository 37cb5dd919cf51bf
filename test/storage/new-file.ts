import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeNewFile, writeNewFile } from '../../lib/storage/new-file.js';

t.test('a new file has its name when all of it is there, and holes stay holes', (t) => {
  const folder = t.testdir();
  const path = join(folder, 'new');
  const chunks = function* () {
    yield new Uint8Array(1 << 20);
    t.notOk(existsSync(path), 'not before');
    yield Buffer.from('the end');
  };
  writeNewFile(path, (1 << 20) + 7, chunks());
  t.equal(
    readFileSync(path)
      .subarray(1 << 20)
      .toString(),
    'the end',
  );
  t.ok(statSync(path).blocks * 512 < 1 << 19);
  t.same(readdirSync(folder), ['new'], 'no temporary file stays');
  t.end();
});

t.test('what fails leaves nothing, and nothing is written over', (t) => {
  const folder = t.testdir();
  const path = join(folder, 'new');
  const failing = function* () {
    yield Buffer.from('some');
    throw new Error('the medium is gone');
  };
  t.throws(() => writeNewFile(path, 10, failing()), { code: 'EIO', message: /cannot be written/ });
  t.same(readdirSync(folder), []);
  writeFileSync(path, 'mine');
  t.throws(() => writeNewFile(path, 1, [Buffer.from('x')]), { code: 'EEXIST', message: /is there already/ });
  t.equal(readFileSync(path, 'latin1'), 'mine');
  symlinkSync('nowhere', join(folder, 'link'));
  t.throws(() => writeNewFile(join(folder, 'link'), 1, []), { code: 'EEXIST' });
  t.throws(() => writeNewFile(join(folder, 'no', 'new'), 1, []), { message: /its folder does not exist/ });
  mkdirSync(join(folder, 'late'));
  const late = join(folder, 'late', 'new');
  const overtaken = function* () {
    writeFileSync(late, 'theirs');
    yield Buffer.from('x');
  };
  t.throws(() => writeNewFile(late, 1, overtaken()), { code: 'EEXIST' }, 'one that came in the meantime stays');
  t.equal(readFileSync(late, 'latin1'), 'theirs');
  t.same(readdirSync(join(folder, 'late')), ['new']);
  t.end();
});

t.test('a file that is filled has its permissions, and none is left of one that fails', (t) => {
  const folder = t.testdir();
  const path = join(folder, 'image.raw');
  const fill = (fd: number) => {
    writeSync(fd, 'abc', 5);
    t.same(readSync(fd, new Uint8Array(3), 0, 3, 5), 3, 'it can be read while it is filled');
  };
  const failing = () => {
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  };
  t.throws(() => makeNewFile(path, { size: 4096, fill: failing }), { code: 'ENOSPC', message: /image\.raw.*no space/ });
  t.same(readdirSync(folder), []);
  makeNewFile(path, { size: 4096, mode: 0o644, fill });
  t.equal(statSync(path).mode & 0o777, 0o644 & ~process.umask());
  t.equal(statSync(path).size, 4096);
  t.throws(() => makeNewFile(path, { size: 1, fill }), { code: 'EEXIST' });
  t.equal(statSync(path).size, 4096);
  t.end();
});
