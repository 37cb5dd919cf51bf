// Paths in the system's file system: whether there is anything, whether two are the same, and small files as a whole.

import { readFileSync, realpathSync, statSync } from 'node:fs';
import { PstoreError } from '../errors.js';
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

/** Companion files (memory maps, symbol tables) larger than this are a mistake. */
const MAX_COMPANION = 256 << 20;

export function readCompanion(path: string): Uint8Array {
  try {
    if (statSync(path).size > MAX_COMPANION)
      throw new PstoreError('EFBIG', `${path} is larger than 256 MiB: no memory map or symbol table is`, { path });
    return readFileSync(path);
  } catch (error) {
    if (error instanceof PstoreError) throw error;
    throw new PstoreError('ENOENT', `${path} cannot be read: ${reasonOf(error)}`, { path, cause: error });
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
