// A temporary file for what does not fit into memory. It has no name any more when it is handed out, so nothing is left
// behind however the program ends.

import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CODES, fromSystem, PstoreError } from '../errors.js';
import type { Scratch } from './spool.js';

/** Another process may own a name already; as many in a row are no accident. */
const MAX_ATTEMPTS = 100;
let serial = 0;

/** What a person can do where a folder has no room: a key of the source names another one, or the environment. */
const SPOOL_KEY = 'spool= names another folder';
const TMPDIR = 'TMPDIR= names another folder';

/** @throws PstoreError as openScratch() */
export function createScratch(folder = tmpdir()): Scratch {
  return new ScratchFile(openScratch(folder, SPOOL_KEY), folder);
}

/**
 * The descriptor of a new temporary file, which nobody else can open.
 * @param folder where the file is made; default the system's temporary folder
 * @throws PstoreError ENOENT, ENOTDIR, EACCES, EROFS, ENOSPC: the folder cannot hold one
 */
export function openScratch(folder = tmpdir(), advice = TMPDIR): number {
  const { O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants;
  for (let attempt = 1; ; attempt++) {
    const path = join(folder, `.pstorefuse-spool-${process.pid}-${Date.now().toString(36)}-${serial++}`);
    let fd: number;
    try {
      fd = openSync(path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST' && attempt < MAX_ATTEMPTS) continue;
      throw failed(folder, 'made', error, advice);
    }
    try {
      unlinkSync(path);
    } catch (error) {
      closeSync(fd);
      throw failed(folder, 'taken out of the folder again', error, advice);
    }
    return fd;
  }
}

/** What is told where a temporary file of openScratch() takes no more. */
export function scratchNotWritten(error: unknown): PstoreError {
  return failed(tmpdir(), 'written', error, TMPDIR);
}

/** More than programs write at once. */
const PROBE = 1 << 18;

/**
 * Tells whether a file of openScratch() takes more, by writing to it: programs say it in words of their own, or not at all.
 * @param isWritten whether nothing is known to have failed
 * @throws PstoreError ENOSPC, EIO
 */
export function checkScratchRoom(fd: number, isWritten: boolean): void {
  const { size } = fstatSync(fd);
  try {
    for (let done = 0; done < PROBE; )
      done += writeSync(fd, new Uint8Array(PROBE - done).fill(1), 0, PROBE - done, size + done);
    if (!isWritten) throw new Error('writing to it failed');
  } catch (error) {
    throw scratchNotWritten(error);
  }
  ftruncateSync(fd, size);
}

function failed(folder: string, what: string, error: unknown, advice = SPOOL_KEY): PstoreError {
  const reason = error instanceof Error ? error.message.replace(/^[A-Z]+: ([^,]*),.*$/s, '$1') : String(error);
  const isOfMedium = what !== 'made' || ['ENOSPC', 'EIO'].includes((error as NodeJS.ErrnoException).code ?? '');
  return fromSystem(error, `${folder}: a temporary file cannot be ${what}: ${reason}; ${advice}`, {
    path: folder,
    exit: CODES[isOfMedium ? 'EIO' : 'EEXIST'].exit,
  });
}

class ScratchFile implements Scratch {
  #fd: number;
  readonly #folder: string;

  constructor(fd: number, folder: string) {
    this.#fd = fd;
    this.#folder = folder;
  }

  write(bytes: Uint8Array, offset: number): void {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#fd, bytes, done, bytes.length - done, offset + done);
      }
    } catch (error) {
      throw failed(this.#folder, 'written', error);
    }
  }

  read(target: Uint8Array, offset: number): void {
    let done = 0;
    try {
      while (done < target.length) {
        const got = readSync(this.#fd, target, done, target.length - done, offset + done);
        if (got === 0) break;
        done += got;
      }
    } catch (error) {
      throw failed(this.#folder, 'read', error);
    }
    if (done < target.length)
      throw new PstoreError(
        'EIO',
        `${this.#folder}: the spool file was cut while in use: it ends at offset ${offset + done}`,
      );
  }

  close(): void {
    closeSync(this.#fd);
    // Another file may have this number by now.
    this.#fd = -1;
  }
}
