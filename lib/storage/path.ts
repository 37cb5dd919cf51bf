// Paths in the system's file system: whether there is anything, whether two are the same, and small files as a whole.

import { closeSync, constants, fstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { fromSystem, PstoreError } from '../errors.js';
import type { Companion } from './companion.js';
import { reasonOf } from './file.js';

/** What tells a file, or a device, whatever its path. @throws Error of Node where there is none */
export function identityOf(path: string): string {
  const { dev, ino, rdev } = statSync(path);
  return rdev !== 0 ? `device ${rdev}` : `${dev}:${ino}`;
}

/** Whether a file belongs to who runs us; what cannot be looked at is told when it is opened. */
export function isOwn(path: string): boolean {
  try {
    return statSync(path).uid === process.geteuid!();
  } catch {
    return true;
  }
}

/** Bytes that are read at first of a file that tells no size, as those of /proc. */
const FIRST_READ = 1 << 16;

/**
 * Reads a file that a key names.
 * @throws PstoreError ENXIO for what is no regular file: a FIFO may never end, nor a device; EFBIG for a file with more
 *     bytes than such a file has; ENOENT, EACCES, EIO
 */
export function readCompanion(path: string, { what, most }: Companion): Uint8Array {
  let fd: number | undefined;
  try {
    // To open a device may do something already; what takes its place in the meantime must not wait.
    if (statSync(path).isFile()) fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fd === undefined ? undefined : fstatSync(fd);
    if (fd === undefined || !stats?.isFile()) {
      throw new PstoreError('ENXIO', `${path} is no regular file; give a file with ${what}`, { path });
    }
    const bytes = stats.size > most ? undefined : readUpTo(fd, stats.size, most);
    if (bytes) return bytes;
    throw new PstoreError('EFBIG', `${path} is larger than ${most >> 10} KiB: no file with ${what} is`, { path });
  } catch (error) {
    throw fromSystem(error, `${path} cannot be read: ${reasonOf(error)}`, { path });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** All bytes of a file; undefined where they are more than `most`. */
function readUpTo(fd: number, size: number, most: number): Uint8Array | undefined {
  let bytes = new Uint8Array(Math.min(most, Math.max(size, FIRST_READ)) + 1);
  let length = 0;
  for (;;) {
    const got = readSync(fd, bytes, length, bytes.length - length, null);
    length += got;
    if (got === 0) return bytes.subarray(0, length);
    if (length > most) return undefined;
    if (length < bytes.length) continue;
    const larger = new Uint8Array(Math.min(most, 2 * length) + 1);
    larger.set(bytes);
    bytes = larger;
  }
}

/** Whether there is anything; what cannot be looked at is told when it is opened. */
export function exists(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** The real path of a file, for comparing places; the path itself where it does not exist. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

export function isFifo(path: string): boolean {
  try {
    return statSync(path).isFIFO();
  } catch {
    // What is wrong with it is said when it is opened.
    return false;
  }
}
