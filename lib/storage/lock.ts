// The writer's lock: an advisory lock on the open file, which dies with the process that holds it.

import { spawnSync } from 'node:child_process';
import { fstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { PstoreError } from '../errors.js';
import { deviceCalls } from './device-calls.js';
import { mountServed } from './mountinfo.js';
import { isHeldByQemu } from './qemu.js';

/** flock(1): exit status when somebody else holds the lock. */
const HELD = 1;

/**
 * Takes an exclusive lock on an open file description, without waiting.
 * @returns false when somebody else holds it
 * @throws whatever keeps it from being taken
 */
export type TakeLock = (fd: number) => boolean;

/**
 * Node has no flock(); the `flock` program (util-linux) locks the description that it inherits, and the lock stays with
 * it when that program ends.
 */
let takeLock: TakeLock = (fd) => {
  const { error, status } = spawnSync('flock', ['-n', '-x', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
  if (error) {
    const taken = deviceCalls()?.lockExclusively(fd);
    if (taken !== undefined) return taken;
    const sentence = 'the program flock (package util-linux) is needed for writing, and is not there; install it';
    throw new PstoreError('ENODEV', sentence, { cause: error });
  }
  if (status !== 0 && status !== HELD) throw new Error(`flock ended with ${status}`);
  return status === 0;
};

/** From now on locks are taken so, by a process that can make the system call itself. */
export function takeLocksBy(take: TakeLock): void {
  takeLock = take;
}

export interface LockOptions {
  /** `must`: it is no use to anybody who cannot write; else to look at the image is something, too. */
  readonly mode: 'try' | 'must';
  /** Write also where QEMU has the image open. */
  readonly force?: boolean;
}

/**
 * Locks the open file description behind `fd`.
 * @throws PstoreError EBUSY when another process holds it, naming the place where that has mounted it, or the process;
 *   ENODEV without the program; EIO where the file system knows no locks
 */
export function takeWriterLock(fd: number, path: string, { mode, force = false }: LockOptions): void {
  const orRead = mode === 'try' ? ', or take ro to look at it only' : '';
  if (!force && isHeldByQemu(fd)) {
    const sentence = `${path} is in use by QEMU: shut that machine down first${orRead}; the key force writes to it all the same`;
    throw new PstoreError('EBUSY', sentence, { path });
  }
  try {
    if (takeLock(fd)) return;
  } catch (error) {
    const { code, message } = error as PstoreError;
    const sentence =
      code === 'ENODEV'
        ? `${path}: ${message}${orRead}`
        : `${path} cannot be locked for writing (${message}); copy it to another file system${orRead}`;
    throw new PstoreError(code === 'ENODEV' ? code : 'EIO', sentence, { path, cause: error });
  }
  throw new PstoreError('EBUSY', `${path} is ${whoWrites(fd, path, mode)}`, { path });
}

/** And what to do. */
function whoWrites(fd: number, path: string, mode: 'try' | 'must'): string {
  const advice =
    mode === 'try' ? 'remove records there, or umount it first; take ro to look at it only' : 'umount it first';
  const holder = lockHolder(fd);
  const command = holder?.command ?? '';
  // Another user's process is not to be seen, but his mount is.
  if (!holder || command.includes(SERVER)) {
    try {
      const mount = mountServed(realpathSync(path), holder?.fdinfos ?? []);
      if (mount) return `mounted read-write on ${mount.mountPoint}: ${advice}`;
    } catch {
      // Without /proc only the holder itself is known.
    }
  }
  const who = holder ? `process ${holder.pid} (${command.slice(0, 120)})` : 'another process';
  return `being written by ${who}; ${mode === 'try' ? 'take ro to look at it only' : 'try again when that has ended'}`;
}

/** In the command line of the server of a mount. */
const SERVER = 'pstorefuse-server';

interface Holder {
  readonly pid: number;
  readonly command: string;
  /** Of all its descriptors. */
  readonly fdinfos: readonly string[];
}

/** Who holds the lock, by what /proc says of each process's open files; undefined where that is not to be seen. */
function lockHolder(fd: number): Holder | undefined {
  const { dev, ino } = fstatSync(fd);
  const lock = new RegExp(`^lock:\\s.*FLOCK\\s+ADVISORY\\s+WRITE\\s.*:${ino}\\s`, 'm');
  for (const pid of readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    try {
      const open = readdirSync(`/proc/${pid}/fdinfo`);
      const fdinfos = open.map((name) => readFileSync(`/proc/${pid}/fdinfo/${name}`, 'latin1'));
      const holds = open.some((name, i) => {
        if (!lock.test(fdinfos[i]!)) return false;
        const held = statSync(`/proc/${pid}/fd/${name}`);
        return held.dev === dev && held.ino === ino;
      });
      if (!holds) continue;
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/[\0\s]+/g, ' ');
      return { pid: Number(pid), command: command.trim(), fdinfos };
    } catch {
      // The process has ended in the meantime, or is another user's.
    }
  }
  return undefined;
}
