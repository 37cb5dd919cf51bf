import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { NodeFolder } from '../../lib/storage/node-folder.js';

const root = mkdtempSync(join(tmpdir(), 'pstorefuse-folder-'));
t.teardown(() => rmSync(root, { recursive: true }));

t.test('regular files, and those one folder down; links are left alone', (t) => {
  writeFileSync(join(root, 'b'), 'bytes of b');
  writeFileSync(join(root, 'a'), '');
  mkdirSync(join(root, 'inner', 'deeper'), { recursive: true });
  writeFileSync(join(root, 'inner', 'c'), 'c');
  writeFileSync(join(root, 'inner', 'deeper', 'd'), 'd');
  symlinkSync('/etc/passwd', join(root, 'link'));
  symlinkSync('nowhere', join(root, 'inner', 'loose'));
  execFileSync('mkfifo', [join(root, 'pipe')]);
  const folder = new NodeFolder(root);
  const left: string[] = [];
  const files = folder.files((name, why) => left.push(`${name} ${why}`));
  const link = 'is a link, which is not followed';
  t.same(left, [`inner/loose ${link}`, `link ${link}`, 'pipe is no regular file']);
  t.same(
    files.map(({ name, size }) => [name, size]),
    [
      ['a', 0],
      ['b', 10],
      ['inner/c', 1],
    ],
  );
  t.equal(Buffer.from(folder.read(files[1]!, 100)).toString(), 'bytes of b');
  t.equal(Buffer.from(folder.read(files[1]!, 5)).toString(), 'bytes');
  t.equal(Buffer.from(folder.read(files[1]!, 100, 6)).toString(), 'of b');
  t.equal(folder.read(files[1]!, 100, 100).length, 0);
  t.equal(folder.writable, true);
  t.end();
});

t.test('another file of the same name is neither read nor removed', (t) => {
  const folder = new NodeFolder(root);
  const [, b] = folder.files();
  rmSync(join(root, 'b'));
  writeFileSync(join(root, 'b'), 'another file');
  t.throws(() => folder.read(b!, 100), { code: 'EIO', message: /another file than the one that was listed/ });
  folder.remove(b!);
  t.ok(existsSync(join(root, 'b')));
  const now = folder.files().find(({ name }) => name === 'b')!;
  folder.remove(now);
  t.notOk(existsSync(join(root, 'b')));
  t.throws(() => folder.read(now, 1), { code: 'ENOENT' });
  folder.remove(now);
  t.throws(() => new NodeFolder(join(root, 'nothing')).files(), { code: 'ENOENT' });
  t.end();
});
