// Writes a new file, which has its final name only when all of it is on the medium: whatever interrupts the writing, there
// is the whole file or none under that name.

import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { firstOther } from '../bytes.js';
import { fromSystem, PstoreError } from '../errors.js';
import { notMade, reasonOf } from './file.js';

/** Another process may own a temporary name already; as many in a row are no accident. */
const MAX_ATTEMPTS = 100;
/** Bytes of the final name that the temporary one has: a name may have 255. */
const NAME_PART = 64;
let serial = 0;

/** What a new file is made with. */
export interface NewFileOptions {
  /** Bytes. Where nothing is written there are zeros, which take no room on the medium. */
  readonly size: number;
  /** Permissions, less the process's umask; without it only the owner may read. */
  readonly mode?: number;
  /** Writes the content. The descriptor can be read, too, and is not the writer's to close. */
  readonly fill: (fd: number) => void;
}

/**
 * Makes a file that has its name only when all of it is on the medium. Nothing stays behind when it fails.
 * @param path must not exist
 * @throws PstoreError EEXIST when the path is there already; ENOENT, EACCES, ENOSPC, EIO when it cannot be made
 */
export function makeNewFile(path: string, { size, mode, fill }: NewFileOptions): void {
  if (exists(path)) throw isThere(path);
  const { fd, temporary } = openTemporary(path);
  try {
    try {
      ftruncateSync(fd, size);
      fill(fd);
      if (mode !== undefined) fchmodSync(fd, mode & ~process.umask());
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    giveName(temporary, path);
  } catch (error) {
    unlinkIfThere(temporary);
    throw fromSystem(error, `${path} cannot be written: ${reasonOf(error)}`, { path });
  }
  syncFolder(dirname(path));
}

/**
 * Writes a file of `size` bytes. Zeros are left out, so that what is sparse stays sparse. Nothing stays behind when it
 * fails.
 * @param path must not exist
 * @param chunks all bytes, one chunk after the other
 * @throws PstoreError EEXIST when the path is there already; ENOENT, EACCES, ENOSPC, EIO when it cannot be made
 */
export function writeNewFile(path: string, size: number, chunks: Iterable<Uint8Array>): void {
  const fill = (fd: number) => {
    let position = 0;
    for (const chunk of chunks) {
      if (firstOther(chunk, 0) >= 0) writeFully(fd, chunk, position);
      position += chunk.length;
    }
  };
  makeNewFile(path, { size, fill });
}

function isThere(path: string, cause?: unknown): PstoreError {
  return new PstoreError('EEXIST', `${path} is there already; name a new file`, { path, cause });
}

/** A dangling link is something, too. */
function exists(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** The temporary file stands in the same folder: only there it can be renamed at once. */
function openTemporary(path: string): { fd: number; temporary: string } {
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants;
  const name = basename(path).slice(0, NAME_PART);
  for (let attempt = 1; ; attempt++) {
    const temporary = join(dirname(path), `.${name}.${process.pid}-${Date.now().toString(36)}-${serial++}.part`);
    try {
      return { fd: openSync(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600), temporary };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST' && attempt < MAX_ATTEMPTS) continue;
      throw notMade(path, path, error);
    }
  }
}

/** A link does not take the place of a file that came in the meantime, as a rename would. */
function giveName(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw isThere(path, error);
    if (code !== 'EPERM' && code !== 'ENOSYS' && code !== 'EOPNOTSUPP' && code !== 'ENOTSUP') throw error;
    // This file system has no hard links (FAT).
    renameSync(temporary, path);
    return;
  }
  unlinkSync(temporary);
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It has its final name already, or its folder is gone.
  }
}

/**
 * Brings to the medium what was renamed, made or removed in a folder; a file system without a medium has nothing to bring.
 * @throws PstoreError EIO
 */
export function syncFolder(folder: string): void {
  let fd: number | undefined;
  try {
    fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    fsyncSync(fd);
  } catch (error) {
    // A folder that may be written but not read cannot be opened, and some file systems cannot sync one.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EINVAL' || code === 'ENOTSUP') return;
    throw fromSystem(error, `${folder} could not be brought to the medium: ${reasonOf(error)}`, { path: folder });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Makes a folder, and those above it that are missing, each on the medium. @throws PstoreError EACCES, ENOTDIR, EIO, ENOSPC */
export function makeFolders(path: string): void {
  try {
    if (!statSync(path, { throwIfNoEntry: false })) {
      if (dirname(path) !== path) makeFolders(dirname(path));
      mkdirSync(path);
    }
    // It may have been made by who was interrupted before it was on the medium.
    syncFolder(dirname(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw notMade(`the folder ${path}`, path, error);
  }
}

/** What writeNewFile() leaves behind when it is killed. */
const LEFT_BEHIND = /^\.[^/]{1,64}\.(\d{1,10})-[a-z\d]+-\d+\.part$/;

/** Removes from a folder what was left behind by processes that have ended. */
export function removeLeftBehind(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = LEFT_BEHIND.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) unlinkIfThere(join(folder, name));
  }
}

/** Writes all of `bytes` at a position, or where the file stands. */
export function writeFully(fd: number, bytes: Uint8Array, position: number | null): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, position === null ? null : position + done);
  }
}
