// The files of an archive: none is ever written over, and each is on the medium before anything is told of it.

import { createHash } from 'node:crypto';
import { closeSync, constants, fsyncSync, lstatSync, openSync, readSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fromSystem, PstoreError } from '../errors.js';
import type { PstoreRecord } from '../pstore/backend.js';
import { reasonOf } from '../storage/file.js';
import { makeFolders, removeLeftBehind, syncFolder, writeNewFile } from '../storage/new-file.js';
import { readingBuffer } from '../storage/storage.js';
import { Lines } from './lines.js';

/** Bytes of a file to be, which can be read more than once. */
export interface Content {
  readonly size: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
  chunks(): Iterable<Uint8Array>;
}

/** Reads the bytes once to know their number and their hash. */
export function contentOf(chunks: () => Iterable<Uint8Array>): Content {
  const hash = createHash('sha256');
  let size = 0;
  for (const bytes of chunks()) {
    hash.update(bytes);
    size += bytes.length;
  }
  return { size, sha256: hash.digest('hex'), chunks };
}

/** What stands where a folder of the archive should be. */
export interface NoFolder {
  /** From the archive's folder on. */
  readonly path: string;
  readonly isLink: boolean;
}

/**
 * The first part of a file's path that is there and is no folder. A link is none: it may lead out of the archive. The
 * archive's own folder may be one, as who runs us has named it.
 * @param path from the archive's folder on
 * @throws Error of Node for what cannot be looked at
 */
export function noFolderAbove(folder: string, path: string): NoFolder | undefined {
  let above = '';
  for (const name of path.split('/').slice(0, -1)) {
    above = join(above, name);
    const stats = lstatSync(join(folder, above), { throwIfNoEntry: false });
    if (!stats) return undefined;
    if (!stats.isDirectory()) return { path: above, isLink: stats.isSymbolicLink() };
  }
  return undefined;
}

/** `absent`; `same` bytes; or something `other`. */
export function compareFile(path: string, { size, sha256 }: Omit<Content, 'chunks'>): 'absent' | 'same' | 'other' {
  let stats: ReturnType<typeof lstatSync>;
  try {
    stats = lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return 'other';
    throw fromSystem(error, `${path} cannot be looked at: ${reasonOf(error)}`, { path });
  }
  if (!stats) return 'absent';
  if (!stats.isFile() || stats.size !== size) return 'other';
  return contentOf(() => fileChunks(path)).sha256 === sha256 ? 'same' : 'other';
}

/**
 * Whether a file is in the archive as its index tells it. A file behind a link is not: nobody knows what else may happen
 * to it there.
 */
export function isInArchive(folder: string, file: Omit<Content, 'chunks'> & { readonly path: string }): boolean {
  try {
    return !noFolderAbove(folder, file.path) && compareFile(join(folder, file.path), file) === 'same';
  } catch (error) {
    // The index may name what no file can be; then the record is archived again.
    if ((error as NodeJS.ErrnoException).code === 'ENAMETOOLONG') return false;
    throw fromSystem(error, `${join(folder, file.path)} cannot be looked at: ${reasonOf(error)}`, { path: file.path });
  }
}

/** @throws PstoreError ENOTDIR where a link or a file stands in the place of one of the archive's own folders */
export function refuseNoFolder(folder: string, path: string): void {
  const above = noFolderAbove(folder, path);
  if (!above) return;
  const place = join(folder, above.path);
  const what = above.isLink ? 'a link, through which archive writes nothing' : 'no folder';
  throw new PstoreError('ENOTDIR', `${place} is ${what}; move it away, and run archive again`, { path: place });
}

/** Each processor has its own zone, and a record of all of them is shown. */
export function isOfZones({ type }: PstoreRecord): boolean {
  return type === 'ftrace';
}

/** A larger file is not compared line by line: what is like it is archived beside it. */
const MAX_COMPARED = 256 << 20;

/**
 * Whether each line of a content stands in a file, in the same order. A record that is made of several zones is erased zone
 * by zone: what an interrupted run has left of it is in the archive already.
 */
export function isWithin(path: string, content: Content): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (!stats?.isFile() || content.size === 0 || stats.size <= content.size || stats.size > MAX_COMPARED) return false;
  const whole = bytesLines().of(fileChunks(path));
  for (const line of bytesLines().of(content.chunks())) {
    let found = whole.next();
    while (!found.done && found.value !== line) found = whole.next();
    if (found.done) return false;
  }
  return true;
}

/** Whatever the bytes are, other bytes are another text. */
const bytesLines = () => new Lines(undefined, 'latin1');

const CHUNK = 1 << 20;

/** The bytes of a file. @throws PstoreError ENOENT, EACCES, EIO */
export function* fileChunks(path: string): Generator<Uint8Array> {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    const buffer = readingBuffer(CHUNK);
    for (;;) {
      const got = readSync(fd, buffer, 0, CHUNK, null);
      if (got === 0) return;
      yield buffer.subarray(0, got);
    }
  } catch (error) {
    throw fromSystem(error, `${path} cannot be read: ${reasonOf(error)}`, { path });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Folders of one run that are on the medium, and free of what killed runs left behind. */
export class ArchiveFiles {
  readonly #ready = new Set<string>();
  readonly #root: string;

  /** @param root the archive's folder */
  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Brings a file to the medium, unless the same is there.
   * @throws PstoreError EEXIST for something other there; ENOTDIR where its folder is a link
   */
  ensure(path: string, content: Content): void {
    refuseNoFolder(this.#root, relative(this.#root, path));
    const folder = dirname(path);
    if (!this.#ready.has(folder)) {
      makeFolders(folder);
      removeLeftBehind(folder);
      this.#ready.add(folder);
    }
    const found = compareFile(path, content);
    if (found === 'absent') writeNewFile(path, content.size, unchanged(path, content));
    else if (found === 'same') syncFile(path);
    else throw new PstoreError('EEXIST', `${path} is there already, with other bytes`, { path });
  }
}

/** The run that wrote it may have been killed before its name was on the medium. */
function syncFile(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  syncFolder(dirname(path));
}

/** The bytes of a content. @throws PstoreError EIO where they are not what they were when they were hashed */
function* unchanged(path: string, { size, sha256, chunks }: Content): Generator<Uint8Array> {
  const hash = createHash('sha256');
  let given = 0;
  for (const bytes of chunks()) {
    given += bytes.length;
    if (given > size) break;
    hash.update(bytes);
    yield bytes;
  }
  if (given === size && hash.digest('hex') === sha256) return;
  throw new PstoreError('EIO', `${path} is not written: the record changed while it was read; try again`, { path });
}
