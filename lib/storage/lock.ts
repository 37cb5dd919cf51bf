// The writer's lock: an advisory lock on the open file, which dies with the process that holds it.

import { spawnSync } from 'node:child_process';
import { fstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { PstoreError } from '../errors.js';
import { mountServed } from './mountinfo.js';

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

/**
 * Locks the open file description behind `fd`.
 * @param mode `must`: it is no use to anybody who cannot write; else to look at the image is something, too
 * @throws PstoreError EBUSY when another process holds it, naming the place where that has mounted it, or the process;
 *   ENODEV without the program; EIO where the file system knows no locks
 */
export function takeWriterLock(fd: number, path: string, mode: 'try' | 'must'): void {
  const orRead = mode === 'try' ? ', or take ro to look at it only' : '';
  if (isHeldByQemu(fd)) {
    throw new PstoreError('EBUSY', `${path} is in use by QEMU: shut that machine down first${orRead}`, { path });
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

/**
 * QEMU locks bytes of an image that it has open, from 100 on for what it does itself and from 200 on for what others may
 * not do (block/file-posix.c, RAW_LOCK_PERM_BASE, RAW_LOCK_SHARED_BASE).
 */
const QEMU_LOCKS = { from: 100, to: 300 };
const OFD_LOCK = /^\d+:\s+OFDLCK\s+\S+\s+\S+\s+\S+\s+([0-9a-f]+):([0-9a-f]+):(\d+)\s+(\d+)\s+/gm;

/**
 * Whether a list of locks has one that QEMU makes on a file.
 * @param locks as /proc/locks has them
 */
export function hasQemuLock(locks: string, dev: number, ino: number): boolean {
  const [wantedMajor, wantedMinor] = [majorOf(dev), minorOf(dev)];
  for (const [, major, minor, inode, start] of locks.matchAll(OFD_LOCK)) {
    const isFile = Number(inode) === ino && Number.parseInt(major!, 16) === wantedMajor;
    if (!isFile || Number.parseInt(minor!, 16) !== wantedMinor) continue;
    if (Number(start) >= QEMU_LOCKS.from && Number(start) < QEMU_LOCKS.to) return true;
  }
  return false;
}

/** Device numbers as glibc's gnu_dev_major() and gnu_dev_minor() take them apart. */
function majorOf(dev: number): number {
  return Math.floor(dev / 256) % 4096;
}

function minorOf(dev: number): number {
  return (dev % 256) + Math.floor(dev / 2 ** 20) * 256;
}

/** Whether a machine of QEMU has the file open now: what is read of it may change. */
export function isHeldByQemu(fd: number): boolean {
  const { dev, ino } = fstatSync(fd);
  try {
    return hasQemuLock(readFileSync('/proc/locks', 'latin1'), dev, ino);
  } catch {
    // Without /proc nobody can tell.
    return false;
  }
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
