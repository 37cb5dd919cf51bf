// Files that keys name: what is too large, or never ends, is refused.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { COMPANIONS } from '../../lib/storage/companion.js';
import { readCompanion } from '../../lib/storage/path.js';
import { scratchFolder } from '../mounted.js';

const SMALL = { what: 'a table', most: 100_000 };

t.test('a file is read up to its limit', async (t) => {
  const path = join(scratchFolder(t), 'file');
  for (const length of [0, 1, 65535, 65536, 65537, 99_999, 100_000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => i % 251);
    writeFileSync(path, bytes);
    t.ok(Buffer.from(readCompanion(path, SMALL)).equals(bytes), String(length));
  }
  truncateSync(path, 100_001);
  t.throws(() => readCompanion(path, SMALL), {
    code: 'EFBIG',
    message: /is larger than 97 KiB: no file with a table is/,
  });
});

t.test('a file of /proc says that it has no bytes, and is read', async (t) => {
  const path = '/proc/self/mountinfo';
  t.ok(Buffer.from(readCompanion(path, COMPANIONS.kallsyms)).equals(readFileSync(path)));
  t.throws(() => readCompanion(path, { what: 'a table', most: 5 }), { code: 'EFBIG' });
});

t.test('what is no file is not opened', { timeout: 20_000 }, async (t) => {
  const folder = scratchFolder(t);
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  symlinkSync('/dev/zero', join(folder, 'link'));
  mkdirSync(join(folder, 'folder'));
  for (const path of [fifo, '/dev/zero', join(folder, 'link'), join(folder, 'folder')]) {
    t.throws(() => readCompanion(path, COMPANIONS.dtb), {
      code: 'ENXIO',
      message: `${path} is no regular file; give a file with a device tree`,
    });
  }
  t.throws(() => readCompanion(join(folder, 'nothing'), COMPANIONS.dtb), { code: 'ENOENT' });
});
