// A regular file or a block device as storage.

import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { CODES, fromSystem, PstoreError } from '../errors.js';
import { deviceCalls } from './device-calls.js';
import { takeWriterLock } from './lock.js';
import { isUsedByQemu } from './qemu.js';
import { cutWhileInUse, type Run, type Storage } from './storage.js';

/** Documentation/admin-guide/devices.txt: the character devices of flash. */
const MTD_MAJOR = 90;

/** What a path is, told apart before it is opened: opening a FIFO would wait, and a device may do anything. */
export function sourceKind(path: string): 'file' | 'block' | 'flash' | 'folder' {
  let stats: Stats;
  try {
    stats = statSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      const why = code === 'ENOTDIR' ? `: ${fileInPath(path)} is a file, not a folder` : '';
      throw new PstoreError('ENOENT', `${path}: there is no such file${why}`, { path, cause: error });
    }
    throw fromSystem(error, `${path} cannot be looked at: ${reasonOf(error)}`, { path });
  }
  if (stats.isFile()) return 'file';
  if (stats.isBlockDevice()) return 'block';
  if (stats.isDirectory()) return 'folder';
  if (stats.isCharacterDevice() && stats.rdev >> 8 === MTD_MAJOR) return 'flash';
  const what = stats.isFIFO() ? 'a FIFO' : stats.isSocket() ? 'a socket' : 'a character device';
  const advice = what === 'a character device' ? '; copy it into a file first (dd, nanddump)' : '';
  throw new PstoreError('ENXIO', `${path} is ${what}, not a regular file or a block device${advice}`, { path });
}

/** The part of a path that is a file, where a folder is wanted. */
function fileInPath(path: string): string {
  const place = path.replace(/\/+$/, '');
  try {
    statSync(place);
    return place;
  } catch {
    return fileInPath(dirname(place));
  }
}

/**
 * Something new that cannot be made. Whatever keeps it from being made, a command ends with EX_CANTCREAT of sysexits.h,
 * unless the medium is full or broken: EX_NOPERM is for what is there and may not be read or written.
 * @param what as it stands in a sentence
 */
export function notMade(what: string, path: string, error: unknown): PstoreError {
  const { code } = error as NodeJS.ErrnoException;
  const reason = code === 'ENOENT' ? 'its folder does not exist' : reasonOf(error);
  const isOfMedium = code === 'ENOSPC' || code === 'EIO';
  const exit = isOfMedium ? {} : { exit: CODES.EEXIST.exit };
  return fromSystem(error, `${what} cannot be made: ${reason}`, { path, ...exit });
}

/** The operating system's words for an error, without Node's. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const words: Readonly<Record<string, string>> = {
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EBUSY: 'it is in use',
    EIO: 'input/output error',
    EROFS: 'the file system is read-only',
    ENOSPC: 'no space is left',
    ENOENT: 'there is no such file',
    ENOTDIR: 'a part of the path is no directory',
    ENAMETOOLONG: 'the name is too long',
    ELOOP: 'too many symbolic links',
  };
  return (code && words[code]) ?? message ?? String(error);
}

export interface FileOptions {
  /** `read`: never written; `try`: for writing where the file can be; `must`: an error where it cannot. */
  readonly mode: 'read' | 'try' | 'must';
  /** Write also to an image that a machine of QEMU has open. */
  readonly force?: boolean;
}

/**
 * Opens an image. For writing it takes the writer's lock, which dies with the process; a block device is opened
 * exclusively, so that one that is mounted is refused.
 * @throws PstoreError ENOENT, ENXIO for what is no image, EISDIR, EACCES, EBUSY when another writer holds it, EROFS
 */
export function openImage(path: string, { mode, force = false }: FileOptions): FileStorage {
  const kind = sourceKind(path);
  if (kind === 'folder') {
    throw new PstoreError('EISDIR', `${path} is a directory, not an image; efi, erst and platform-dump take folders`, {
      path,
    });
  }
  const isProtected = kind === 'block' && isWriteProtected(path);
  if (isProtected && mode === 'must') {
    throw new PstoreError('EROFS', `${path} is write-protected: the device itself is set to read-only`, { path });
  }
  if (mode === 'read' || isProtected) return new FileStorage(path, open(path, constants.O_RDONLY), false, kind);
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR | (kind === 'block' ? constants.O_EXCL : 0));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EBUSY') {
      throw new PstoreError(
        'EBUSY',
        `${path} is in use (mounted?); umount it first${mode === 'try' ? ', or take ro to look at it only' : ''}`,
        {
          path,
          cause: error,
        },
      );
    }
    if (mode === 'try' && (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')) {
      return new FileStorage(path, open(path, constants.O_RDONLY), false, kind);
    }
    throw fromSystem(error, `${path} cannot be opened for writing: ${reasonOf(error)}`, { path });
  }
  try {
    takeWriterLock(fd, path, { mode, force });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return new FileStorage(path, fd, true, kind);
}

function open(path: string, flags: number): number {
  try {
    return openSync(path, flags);
  } catch (error) {
    throw fromSystem(error, `${path} cannot be opened: ${reasonOf(error)}`, { path });
  }
}

/** What can be open: all that sourceKind() tells, but a folder. */
type OpenKind = Exclude<ReturnType<typeof sourceKind>, 'folder'>;

const SECTOR = 512;
/** Of a smaller file the holes are read faster than they are asked for. */
const MIN_SPARSE = 16 << 20;
/** Node refuses to read 2 GiB or more in one call. */
const MAX_AT_ONCE = 1 << 30;

export class FileStorage implements Storage {
  readonly path: string;
  readonly size: number;
  readonly writable: boolean;
  readonly kind: OpenKind;
  readonly #fd: number;
  #users = 1;

  constructor(path: string, fd: number, writable: boolean, kind: OpenKind) {
    this.path = path;
    this.#fd = fd;
    this.kind = kind;
    this.writable = writable;
    this.size = kind === 'file' ? fstatSync(fd).size : deviceNumber(path, deviceFolder(fstatSync(fd), kind), 'size');
    // sysfs has it in sectors.
    if (kind === 'block') this.size *= SECTOR;
  }

  /** @throws PstoreError EINVAL when it is closed: by now the number may be another file's */
  get fd(): number {
    if (this.#users > 0) return this.#fd;
    throw new PstoreError('EINVAL', `${this.path} was closed; open it again`, { path: this.path });
  }

  /**
   * Whether a running machine has the image, too: what is read may change, and be half of one state and half of another.
   * @param isMemory whether the image may be open without a lock
   */
  isInUse(isMemory: boolean): boolean {
    return isUsedByQemu(this.fd, isMemory);
  }

  read(target: Uint8Array, offset: number): number {
    let filled = 0;
    if (!Number.isSafeInteger(offset) || offset < 0) return 0;
    const { fd } = this;
    try {
      while (filled < target.length) {
        const length = Math.min(target.length - filled, MAX_AT_ONCE);
        const got = readSync(fd, target, filled, length, offset + filled);
        if (got === 0) break;
        filled += got;
      }
    } catch (error) {
      throw this.#failed('read', error, offset + filled);
    }
    return filled;
  }

  nextRun(offset: number): Run | undefined {
    if (offset >= this.size) return undefined;
    const rest = { from: offset, to: this.size };
    if (this.kind !== 'file' || this.size < MIN_SPARSE) return rest;
    // Without a single block it may be a hole as well as a file of /proc, or of a file system that counts none.
    const calls = fstatSync(this.fd).blocks * SECTOR < this.size ? deviceCalls() : undefined;
    if (!calls) return rest;
    try {
      const run = calls.nextData(this.fd, offset);
      return run && run.from < this.size ? { from: run.from, to: Math.min(run.to, this.size) } : undefined;
    } catch {
      // Its file system does not tell, so all of it is read.
      return rest;
    }
  }

  write(bytes: Uint8Array, offset: number): void {
    if (!this.writable) throw new PstoreError('EROFS', `${this.path} is open for reading only`, { path: this.path });
    if (offset < 0 || offset + bytes.length > this.size) {
      throw new PstoreError('EIO', `${this.path}: a write of ${bytes.length} bytes at ${offset} leaves the image`, {
        path: this.path,
        offset,
      });
    }
    if (this.kind === 'flash') {
      const sentence = `${this.path} is flash, which is written only in whole erase blocks: change a copy of it, and bring that back with flashcp or nandwrite`;
      throw new PstoreError('EROFS', sentence, { path: this.path, offset });
    }
    // A file that was cut while it is in use must not grow again with a hole in it.
    if (this.kind === 'file' && fstatSync(this.fd).size < offset + bytes.length) {
      throw cutWhileInUse(this, offset);
    }
    const { fd } = this;
    let done = 0;
    try {
      while (done < bytes.length) {
        const length = Math.min(bytes.length - done, MAX_AT_ONCE);
        done += writeSync(fd, bytes, done, length, offset + done);
      }
    } catch (error) {
      throw this.#failed('written', error, offset + done);
    }
  }

  sync(): void {
    const { fd } = this;
    try {
      fdatasyncSync(fd);
    } catch (error) {
      throw this.#failed('brought to the medium', error, 0);
    }
  }

  /** One more user of this descriptor, who will close it too. @returns false when the last one has closed it already */
  share(): boolean {
    if (this.#users > 0) this.#users++;
    return this.#users > 0;
  }

  close(): void {
    if (--this.#users === 0) closeSync(this.#fd);
  }

  #failed(what: string, error: unknown, offset: number): PstoreError {
    return fromSystem(error, `${this.path} could not be ${what} at offset ${offset}: ${reasonOf(error)}`, {
      path: this.path,
      offset,
    });
  }
}

/** Where sysfs tells of a device: Node has no ioctl. */
function deviceFolder({ rdev }: Stats, kind: 'block' | 'flash'): string {
  const major = Math.floor((rdev / 256) % 4096);
  const minor = (rdev % 256) + Math.floor(rdev / 2 ** 20) * 256;
  // The device after each of flash is the same for reading only, of which sysfs tells nothing.
  return kind === 'flash' ? `/sys/dev/char/${major}:${minor - (minor % 2)}` : `/sys/dev/block/${major}:${minor}`;
}

/** A number that sysfs has of an open device. @throws PstoreError */
export function deviceFact({ fd, path, kind }: FileStorage, name: string): number {
  return deviceNumber(path, deviceFolder(fstatSync(fd), kind === 'flash' ? kind : 'block'), name);
}

function deviceNumber(path: string, folder: string, name: string): number {
  try {
    return Number(readFileSync(join(folder, name), 'latin1'));
  } catch (error) {
    throw fromSystem(error, `${path}: its ${name} cannot be found in ${folder}`, { path });
  }
}

/** Whether a block device refuses all writes: it can be opened for them nevertheless. */
function isWriteProtected(path: string): boolean {
  try {
    return deviceNumber(path, deviceFolder(statSync(path), 'block'), 'ro') === 1;
  } catch {
    // Where sysfs does not tell, the first write will.
    return false;
  }
}
