import { chmodSync, mkdirSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createScratch } from '../../lib/storage/scratch.js';

t.test('a file without a name', async (t) => {
  const folder = t.testdir({});
  const open = () => readdirSync('/proc/self/fd').filter((fd) => linkOf(fd).startsWith(folder));
  const scratch = createScratch(folder);
  t.same(readdirSync(folder), [], 'nothing is left behind, whatever happens');
  t.equal(open().length, 1);
  scratch.write(Buffer.from('hello'), 100);
  scratch.write(Buffer.from('J'), 100);
  const target = new Uint8Array(5);
  scratch.read(target, 100);
  t.equal(Buffer.from(target).toString(), 'Jello');
  t.throws(() => scratch.read(new Uint8Array(6), 100), { code: 'EIO', message: /cut/ });
  scratch.close();
  t.equal(open().length, 0);
});

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

t.test('several at once', async (t) => {
  const folder = t.testdir({});
  const all = Array.from({ length: 5 }, () => createScratch(folder));
  all.forEach((scratch, i) => {
    scratch.write(Uint8Array.of(i), 0);
  });
  all.forEach((scratch, i) => {
    const target = new Uint8Array(1);
    scratch.read(target, 0);
    t.equal(target[0], i);
    scratch.close();
  });
});

t.test('folders that cannot hold one', async (t) => {
  const folder = t.testdir({ file: 'x' });
  t.throws(() => createScratch(join(folder, 'none')), {
    code: 'ENOENT',
    message: /none: a temporary file.*spool= names/,
  });
  t.throws(() => createScratch(join(folder, 'file')), { code: 'ENOTDIR' });
  t.test('no permission', { skip: process.getuid?.() === 0 && 'root may write anywhere' }, async (t) => {
    mkdirSync(join(folder, 'closed'));
    chmodSync(join(folder, 'closed'), 0o500);
    t.throws(() => createScratch(join(folder, 'closed')), { code: 'EACCES' });
  });
});
