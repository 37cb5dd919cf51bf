import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { systemDeviceCalls } from '../../lib/mount/syscalls.js';
import { useDeviceCalls } from '../../lib/storage/device-calls.js';
import { makeRemovable } from '../../lib/storage/immutable.js';
import { NodeFolder } from '../../lib/storage/node-folder.js';

const folder = t.testdir();
const path = join(folder, 'held');
writeFileSync(path, 'bytes');
const isSet = spawnSync('chattr', ['+i', path]).status === 0;
t.teardown(() => spawnSync('chattr', ['-i', path]));
const skip = isSet ? false : 'this file system, or this user, sets no such flag';

t.test('a file that a person has made immutable stays, and the message says what helps', { skip }, (t) => {
  useDeviceCalls(systemDeviceCalls);
  const files = new NodeFolder(folder);
  const [file] = files.files();
  t.throws(() => files.remove(file!), {
    code: 'EPERM',
    message: /it may be immutable: chattr -i '.*held', and try again$/,
  });
  t.ok(existsSync(path));
  t.end();
});

t.test('the flag is taken off where the file system has set it', { skip }, (t) => {
  const fd = openSync(path, 'r');
  const anywhere = () => true;
  useDeviceCalls(() => undefined);
  t.equal(makeRemovable(fd, path, anywhere), false, 'not without the system call');
  t.throws(() => unlinkSync(path), { code: 'EPERM' });
  useDeviceCalls(systemDeviceCalls);
  t.equal(makeRemovable(fd, path, anywhere), true);
  t.equal(makeRemovable(fd, path, anywhere), false, 'it is set no more');
  closeSync(fd);
  unlinkSync(path);
  t.end();
});

t.test('what keeps it from being taken off is no error', (t) => {
  const clearImmutable = () => {
    throw new Error('ENOTTY');
  };
  useDeviceCalls(() => ({ ...systemDeviceCalls()!, clearImmutable }));
  t.equal(
    makeRemovable(-1, path, () => true),
    false,
  );
  t.end();
});
