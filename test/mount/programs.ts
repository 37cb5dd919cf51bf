// Programs of the system are found whatever PATH is.

import { chmodSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import t from 'tap';
import { completePath, environment, findProgram, searchPath } from '../../lib/mount/programs.js';
import { scratchFolder } from '../mounted.js';

const PATH = process.env.PATH;
t.afterEach(() => {
  process.env.PATH = PATH;
});

t.test('the standard places stand behind PATH, each once', (t) => {
  process.env.PATH = ['/opt/a', '', '/usr/bin'].join(delimiter);
  t.equal(searchPath(), ['/opt/a', '/usr/bin', '/usr/sbin', '/sbin', '/bin'].join(delimiter));
  t.equal(environment().PATH, searchPath());
  completePath();
  t.equal(process.env.PATH, '/opt/a:/usr/bin:/usr/sbin:/sbin:/bin');
  completePath();
  t.equal(searchPath(), '/opt/a:/usr/bin:/usr/sbin:/sbin:/bin', 'a second time changes nothing');
  delete process.env.PATH;
  t.equal(searchPath(), '/usr/sbin:/usr/bin:/sbin:/bin');
  t.end();
});

t.test('the first name that is there, in the first folder that has it', (t) => {
  const folder = scratchFolder(t);
  for (const name of ['sh', 'mine', 'plain']) writeFileSync(join(folder, name), '');
  for (const name of ['sh', 'mine']) chmodSync(join(folder, name), 0o755);
  process.env.PATH = folder;
  t.equal(findProgram('sh'), join(folder, 'sh'), 'PATH wins');
  t.equal(findProgram('no-such-program', 'mine'), join(folder, 'mine'));
  t.match(findProgram('env'), /bin\/env$/, 'a standard place');
  t.equal(findProgram('no-such-program'), undefined);
  t.equal(findProgram(), undefined);
  chmodSync(join(folder, 'plain'), 0o644);
  t.equal(findProgram('plain'), undefined, 'what cannot be run is no program');
  t.end();
});
