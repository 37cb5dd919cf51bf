import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openImage, reasonOf, sourceKind } from '../../lib/storage/file.js';

const folder = t.testdir();
let names = 0;

const canLoop = process.getuid!() === 0 && spawnSync('losetup', ['-f']).status === 0;

function file(bytes: Uint8Array | string, name = `image${names++}.raw`): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

t.test('what a path is', async (t) => {
  const path = file('x');
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  symlinkSync(path, join(folder, 'link'));
  symlinkSync('nowhere', join(folder, 'dangling'));
  t.equal(sourceKind(path), 'file');
  t.equal(sourceKind(join(folder, 'link')), 'file');
  t.equal(sourceKind(folder), 'folder');
  const table: [string, string, RegExp][] = [
    [join(folder, 'absent'), 'ENOENT', /there is no such file$/],
    [join(path, 'below'), 'ENOENT', /there is no such file: .*image0\.raw is a file, not a folder$/],
    [join(folder, 'dangling'), 'ENOENT', /there is no such file$/],
    [fifo, 'ENXIO', /is a FIFO, not a regular file or a block device$/],
    ['/dev/null', 'ENXIO', /is a character device, .*; copy it into a file first \(dd, nanddump\)$/],
  ];
  for (const [bad, code, message] of table) {
    t.throws(() => sourceKind(bad), { code, message }, bad);
    t.throws(() => openImage(bad, { mode: 'read' }), { code, message }, bad);
  }
  t.throws(() => openImage(folder, { mode: 'try' }), { code: 'EISDIR', message: /is a directory, not an image/ });
});

t.test('reading and writing', async (t) => {
  const path = file(Uint8Array.from({ length: 5000 }, (_, i) => i % 256));
  const storage = openImage(path, { mode: 'must' });
  t.match(storage, { path, size: 5000, writable: true });
  const target = new Uint8Array(100);
  t.equal(storage.read(target, 4950), 50);
  t.equal(target[0], 4950 % 256);
  t.equal(storage.read(target, 5000), 0);
  storage.write(new Uint8Array([9, 8, 7]), 4997);
  storage.sync();
  t.same([...readFileSync(path).subarray(4996)], [4996 % 256, 9, 8, 7]);
  for (const offset of [4998, 5000, 6000, -1]) {
    t.throws(() => storage.write(new Uint8Array(3), offset), { code: 'EIO', message: /leaves the image/ });
  }
  storage.close();
  t.equal(statSync(path).size, 5000);
});

t.test('opened for reading it is never written', async (t) => {
  const path = file('text');
  const storage = openImage(path, { mode: 'read' });
  t.equal(storage.writable, false);
  t.throws(() => storage.write(new Uint8Array(1), 0), { code: 'EROFS' });
  storage.close();
});

t.test('an empty file is opened: what it lacks is for others to say', async (t) => {
  const storage = openImage(file(''), { mode: 'read' });
  t.equal(storage.size, 0);
  t.equal(storage.read(new Uint8Array(3), 0), 0);
  storage.close();
});

t.test('a file that is cut while it is in use', async (t) => {
  const path = file(new Uint8Array(8192).fill(1));
  const storage = openImage(path, { mode: 'must' });
  truncateSync(path, 100);
  const target = new Uint8Array(50);
  t.equal(storage.read(target, 80), 20);
  t.equal(storage.read(target, 4096), 0);
  t.throws(() => storage.write(new Uint8Array(12), 4096), {
    code: 'EIO',
    message: /was cut while in use: offset 4096/,
  });
  t.equal(statSync(path).size, 100, 'it does not grow again');
  storage.write(new Uint8Array(12), 80);
  storage.close();
});

t.test('a closed file is not another one that has its descriptor by now', async (t) => {
  const storage = openImage(file('image'), { mode: 'must' });
  storage.close();
  const other = file('other');
  const fds = Array.from({ length: 20 }, () => openSync(other, 'r+'));
  const closed = { code: 'EINVAL', message: /image\d+\.raw was closed; open it again$/ };
  t.throws(() => storage.read(new Uint8Array(4), 0), closed);
  t.throws(() => storage.write(new Uint8Array(4), 0), closed);
  t.throws(() => storage.sync(), closed);
  t.doesNotThrow(() => storage.close());
  for (const fd of fds) closeSync(fd);
  t.equal(readFileSync(other, 'latin1'), 'other');
});

t.test('a file that may not be written', { skip: process.getuid!() === 0 && 'root may write it' }, async (t) => {
  const path = file('text');
  chmodSync(path, 0o444);
  t.throws(() => openImage(path, { mode: 'must' }), {
    code: 'EACCES',
    message: /cannot be opened for writing: permission denied/,
  });
  const storage = openImage(path, { mode: 'try' });
  t.equal(storage.writable, false);
  storage.close();
  chmodSync(path, 0);
  t.throws(() => openImage(path, { mode: 'try' }), { code: 'EACCES', message: /cannot be opened: permission denied/ });
});

t.test('a write-protected block device', { skip: !canLoop && 'there are no loop devices here' }, async (t) => {
  const path = join(folder, 'protected.raw');
  writeFileSync(path, new Uint8Array(8192).fill(7));
  const device = spawnSync('losetup', ['-r', '-f', '--show', path], { encoding: 'utf8' }).stdout.trim();
  t.teardown(() => spawnSync('losetup', ['-d', device]));
  const storage = openImage(device, { mode: 'try' });
  t.match(storage, { size: 8192, writable: false });
  t.throws(() => storage.write(new Uint8Array(1), 0), { code: 'EROFS' });
  storage.close();
  t.throws(() => openImage(device, { mode: 'must' }), {
    code: 'EROFS',
    message: `${device} is write-protected: the device itself is set to read-only`,
  });
});

t.test('the words of the operating system', async (t) => {
  t.equal(reasonOf(Object.assign(new Error('EACCES: x'), { code: 'EACCES' })), 'permission denied');
  t.equal(reasonOf(Object.assign(new Error('EWHAT: strange'), { code: 'EWHAT' })), 'EWHAT: strange');
  t.equal(reasonOf(new Error('plain')), 'plain');
});
