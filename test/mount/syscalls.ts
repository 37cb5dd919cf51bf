// The system calls that Node has no words for.

import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { hasSystemCalls } from '../../lib/mount/syscalls.js';
import { ROOT } from '../fixture-path.js';

const SIGIO = 29;
/** Ends by itself only after a long time, in which it does nothing else. */
const CHILD = `
import { writeSync } from 'node:fs';
const { setEndsWithReader } = await import(${JSON.stringify(join(ROOT, 'dist', 'lib', 'mount', 'syscalls.js'))});
const isRead = setEndsWithReader(3, true);
if (!isRead) process.exit(3);
writeSync(2, 'ready\\n');
for (const end = Date.now() + 60_000; Date.now() < end; );
`;
/** Without what tap puts into each Node, which catches signals. */
const ARGS = ['-i', process.execPath, '--input-type=module', '-e', CHILD];
const skip = hasSystemCalls() ? false : 'koffi is not installed';

t.test('a process that is busy ends when nobody reads from its socket any more', { skip }, async (t) => {
  const child = spawn('env', ARGS, { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
  child.stderr!.once('data', () => child.stdio[3]!.destroy());
  const signal = await new Promise((resolve) => child.on('exit', (_, signal) => resolve(signal)));
  t.equal(signal, 'SIGIO');
});

t.test('the same of a pipe, whose reader leaves before or after', { skip }, async (t) => {
  for (const reader of ['true', 'sleep 1']) {
    const script = `(env "$@" 3>&1 >&2; echo "status $?" >&2) | ${reader}`;
    const { stderr } = spawnSync('sh', ['-c', script, 'sh', ...ARGS], { encoding: 'utf8' });
    t.match(stderr, new RegExp(`status (3|${128 + SIGIO})\n$`));
  }
});
