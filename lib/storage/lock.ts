// The writer's lock: an advisory lock on the open file, which dies with the process that holds it.

import { spawnSync } from 'node:child_process';
import { fstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { PstoreError } from '../errors.js';

/** flock(1): exit status when somebody else holds the lock. */
const HELD = 1;

/**
 * Locks the open file description behind `fd`. Node has no flock(); the `flock` program (util-linux) locks the
 * description that it inherits, and the lock stays with it when that program ends.
 * @throws PstoreError EBUSY when another process holds it, naming that process; ENODEV without the program; EIO where
 *   the file system knows no locks
 */
export function takeWriterLock(fd: number, path: string): void {
  const result = spawnSync('flock', ['-n', '-x', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
  if (result.error) {
    throw new PstoreError(
      'ENODEV',
      `${path}: the program flock (package util-linux) is needed for writing, and is not there`,
      {
        path,
        cause: result.error,
      },
    );
  }
  if (result.status === 0) return;
  if (result.status !== HELD) {
    throw new PstoreError(
      'EIO',
      `${path} cannot be locked for writing (flock ended with ${result.status}); take ro to look at it only`,
      { path },
    );
  }
  const holder = lockHolder(fd);
  throw new PstoreError(
    'EBUSY',
    `${path} is being written by ${holder ?? 'another process'}; take ro to look at it only`,
    { path },
  );
}

/** Who holds the lock, by what /proc says of each process's open files; undefined where that is not to be seen. */
function lockHolder(fd: number): string | undefined {
  const { dev, ino } = fstatSync(fd);
  const lock = new RegExp(`^lock:\\s.*FLOCK\\s+ADVISORY\\s+WRITE\\s.*:${ino}\\s`, 'm');
  for (const pid of readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    try {
      for (const open of readdirSync(`/proc/${pid}/fdinfo`)) {
        if (!lock.test(readFileSync(`/proc/${pid}/fdinfo/${open}`, 'latin1'))) continue;
        const held = statSync(`/proc/${pid}/fd/${open}`);
        if (held.dev !== dev || held.ino !== ino) continue;
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
          .replace(/[\0\s]+/g, ' ')
          .trim();
        return `process ${pid} (${command.slice(0, 120)})`;
      }
    } catch {
      // The process has ended in the meantime, or is another user's.
    }
  }
  return undefined;
}
