// Hashes of what is there, and images of other users, which are only read.

import { createHash } from 'node:crypto';
import { chownSync, readFileSync } from 'node:fs';
import t from 'tap';
import { openSource, parseSource, TextCache } from '../../lib/source/sources.js';
import { golden, goldenImage } from '../fixture-path.js';
import { imageFile, pstorefuse, scratchFolder } from '../mounted.js';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

t.test('info --hash tells the file and each record', async (t) => {
  const image = imageFile(scratchFolder(t), 's1');
  const { stdout, status } = pstorefuse('info', '--hash', '--json', image);
  t.equal(status, 0);
  const names = [0, 1, 2].map((n) => `dmesg-pstore_blk-${n}`);
  const records = Object.fromEntries(names.map((name) => [name, sha256(readFileSync(golden('s1', 'files', name)))]));
  t.same((JSON.parse(stdout) as { sha256: object }).sha256, { image: sha256(goldenImage('s1')), records });
  const lines = pstorefuse('info', '--hash', image).stdout;
  t.ok(lines.includes(`sha256  ${sha256(goldenImage('s1'))}  ${image}\n`));
  t.notOk('sha256' in (JSON.parse(pstorefuse('info', '--json', image).stdout) as object), 'only where it is asked for');
});

t.test(
  'an image of another user is only read',
  { skip: process.geteuid!() !== 0 && 'only root can make one' },
  async (t) => {
    const image = imageFile(scratchFolder(t), 's1');
    chownSync(image, 12345, 12345);
    const options = { sharedKeys: [], mode: 'try', cache: new TextCache(), strict: false } as const;
    const foreign = openSource(parseSource(image), options).backend;
    t.equal(foreign.writable, false);
    t.match(foreign.warnings.list, [{ code: 'read-only', message: /belongs to another user, .*rw/ }]);
    t.throws(() => foreign.erase(0), { code: 'EROFS' });
    foreign.close();
    const asked = openSource(parseSource(image), { ...options, writesForeign: true }).backend;
    t.equal(asked.writable, true);
    t.same(asked.warnings.list, []);
    asked.close();
    chownSync(image, 0, 0);
    const own = openSource(parseSource(image), options).backend;
    t.equal(own.writable, true);
    own.close();
  },
);
