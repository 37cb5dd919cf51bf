// The file of the key overlay=: the blocks that were written over an image, which itself is only read.
//
// Header (4096 bytes): magic, state, size of the image, SHA-256 of its beginning and end, its path, and at the end of the
// header, once a commit has begun, SHA-256 of what beginning and end will be then. Then a bit for each block of the image,
// in whole blocks. Then the blocks, each at its own place: the file has holes where nothing was written.
//
// Whoever made the file may be a stranger: the path in it is shown, and never opened. An image is named by who calls us,
// and must be the one that the overlay was made over.

import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { fromSystem, PstoreError } from '../errors.js';
import { printable } from '../printable.js';
import { notMade, openImage, reasonOf } from './file.js';
import { takeWriterLock } from './lock.js';
import { syncFolder } from './new-file.js';
import { OVERLAY_BLOCK, OverlayStorage, type WrittenBlocks } from './overlay.js';
import { bitmapSize, OverlayBits } from './overlay-bits.js';
import { realPath } from './path.js';
import { readRange, type Storage } from './storage.js';

const MAGIC = new TextEncoder().encode('PSTOVL01');
const HEADER = OVERLAY_BLOCK;
const STATE_AT = 8;
const SIZE_AT = 16;
const HASH_AT = 24;
const HASH_SIZE = 32;
const PATH_LENGTH_AT = 56;
const PATH_AT = 60;
const COMMITTED_HASH_AT = HEADER - HASH_SIZE;
const MAX_PATH = COMMITTED_HASH_AT - PATH_AT;
/** Bytes of the image's beginning, and of its end, by which it is known again. */
const KNOWN_BY = 64 << 10;

const State = { open: 0, committing: 1 } as const;

/** What a header says. */
export interface OverlayHeader {
  /** Of the image when the overlay was made, fit for a terminal. A stranger may have written it: not to be opened. */
  readonly path: string;
  /** Bytes of the image. */
  readonly size: number;
  readonly hash: Uint8Array;
  /** What the hash is when all blocks are in the image. */
  readonly committedHash: Uint8Array;
  /** Whether bringing it into the image has begun, and was cut off. */
  readonly isCommitting: boolean;
}

function identityOf(image: Storage): Uint8Array {
  const hash = createHash('sha256');
  hash.update(readRange(image, 0, KNOWN_BY));
  hash.update(readRange(image, Math.max(0, image.size - KNOWN_BY), KNOWN_BY));
  return hash.digest();
}

export class OverlayFile implements WrittenBlocks {
  readonly path: string;
  readonly header: OverlayHeader;
  #fd: number;
  readonly #bits: OverlayBits;
  /** Blocks whose data are written, and whose bits are not yet. */
  readonly #pending = new Set<number>();

  private constructor(path: string, fd: number, header: OverlayHeader) {
    this.path = path;
    this.#fd = fd;
    this.header = header;
    this.#bits = new OverlayBits(header.size, (target, offset) => readAt(fd, target, HEADER + offset, path));
  }

  /**
   * @param advice what to do where the file is something else
   * @throws PstoreError ENOENT, EACCES, EBADMSG for a file that is no overlay, EBUSY where another one writes to it
   */
  static open(path: string, mode: 'read' | 'must', advice = 'give the file that overlay=FILE made'): OverlayFile {
    const fd = openDescriptor(path, mode === 'must' ? constants.O_RDWR : constants.O_RDONLY);
    try {
      if (mode === 'must') takeWriterLock(fd, path, { mode });
      return new OverlayFile(path, fd, readHeader(fd, path, advice));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** Makes a fresh one for an image. @throws PstoreError EACCES, ENOSPC; EEXIST */
  static create(path: string, image: Storage): OverlayFile {
    const fd = openDescriptor(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL);
    try {
      takeWriterLock(fd, path, { mode: 'must' });
      writeSync(fd, headerBytes(image, path), 0, HEADER, 0);
      ftruncateSync(fd, HEADER + bitmapSize(image.size) + image.size);
      fdatasyncSync(fd);
      return new OverlayFile(path, fd, readHeader(fd, path));
    } catch (error) {
      closeSync(fd);
      unlinkSync(path);
      throw fromSystem(error, `the overlay ${path} cannot be made: ${reasonOf(error)}`, { path });
    }
  }

  /** @throws PstoreError EBADMSG where it was made over another image, or that was changed since; EBUSY in a commit */
  check(image: Storage): void {
    const { header, path } = this;
    if (header.isCommitting) {
      const sentence = `${path}: a commit of it was cut off; finish it first: pstorefuse overlay commit ${path} ${image.path}`;
      throw new PstoreError('EBUSY', sentence, { path });
    }
    if (image.size !== header.size || !isEqual(identityOf(image), header.hash)) throw this.#isOfAnother(image);
  }

  /**
   * Whether a commit into this image may begin, or go on: then a part of the blocks is in it already, and it must be what
   * it was beside them.
   * @throws PstoreError EBADMSG where it is another image
   */
  checkToCommit(image: Storage): void {
    const { header } = this;
    if (!header.isCommitting) this.check(image);
    else if (image.size !== header.size || !isEqual(this.#committed(image), header.committedHash)) {
      throw this.#isOfAnother(image);
    }
  }

  #isOfAnother(image: Storage): PstoreError {
    const { header, path } = this;
    const sentence = `${path} was made over ${header.path} of ${header.size} bytes, and ${image.path} is not the same, or not any more`;
    return new PstoreError('EBADMSG', `${sentence}: what was written over it does not belong to it`, { path });
  }

  /** Tells an image with all blocks in it. */
  #committed(image: Storage): Uint8Array {
    return identityOf(new OverlayStorage(image, this));
  }

  numbers(from?: number, end?: number): Generator<number> {
    return this.#bits.numbers(from, end);
  }

  has(block: number): boolean {
    return this.#bits.has(block);
  }

  get(block: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(OVERLAY_BLOCK, this.header.size - block * OVERLAY_BLOCK));
    const got = readAt(this.#fd, bytes, this.#place(block), this.path);
    if (got === bytes.length) return bytes;
    throw new PstoreError('EIO', `${this.path} was cut: its block ${block} is missing`, { path: this.path });
  }

  set(block: number, bytes: Uint8Array): void {
    this.#write(bytes, this.#place(block));
    this.#bits.set(block);
    this.#pending.add(block);
  }

  /** The blocks first, and when they are on the disk the bits that tell of them. */
  sync(): void {
    this.#flush();
    for (const block of this.#pending) {
      const { bytes, offset } = this.#bits.byteOf(block);
      this.#write(bytes, HEADER + offset);
    }
    this.#flush();
    this.#pending.clear();
  }

  /** From now on the image may be half of one state and half of the other, until all blocks are in it. */
  beginCommit(image: Storage): void {
    if (this.header.isCommitting) return;
    this.#write(this.#committed(image), COMMITTED_HASH_AT);
    this.#flush();
    this.#write(Uint8Array.of(State.committing), STATE_AT);
    this.#flush();
  }

  close(): void {
    if (this.#pending.size > 0) this.sync();
    closeSync(this.#fd);
    // Another file may have this number by now.
    this.#fd = -1;
  }

  #place(block: number): number {
    return HEADER + this.#bits.size + block * OVERLAY_BLOCK;
  }

  #flush(): void {
    try {
      fdatasyncSync(this.#fd);
    } catch (error) {
      throw fromSystem(error, `${this.path} could not be brought to the medium: ${reasonOf(error)}`, {
        path: this.path,
      });
    }
  }

  #write(bytes: Uint8Array, offset: number): void {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#fd, bytes, done, bytes.length - done, offset + done);
      }
    } catch (error) {
      throw fromSystem(error, `${this.path} cannot be written: ${reasonOf(error)}`, { path: this.path });
    }
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function openDescriptor(path: string, flags: number): number {
  let fd: number;
  try {
    // A FIFO is not waited for.
    fd = openSync(path, flags | constants.O_NONBLOCK, 0o600);
  } catch (error) {
    const named = `the overlay ${path}`;
    if ((flags & constants.O_CREAT) !== 0) throw notMade(named, path, error);
    throw fromSystem(error, `${named} cannot be opened: ${reasonOf(error)}`, { path });
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new PstoreError('EBADMSG', `${path} is no overlay of pstorefuse: it is no regular file`, { path });
}

function readAt(fd: number, target: Uint8Array, offset: number, path: string): number {
  let done = 0;
  try {
    while (done < target.length) {
      const got = readSync(fd, target, done, target.length - done, offset + done);
      if (got === 0) break;
      done += got;
    }
  } catch (error) {
    const sentence = `${path} cannot be read at offset ${offset + done}: ${reasonOf(error)}`;
    throw fromSystem(error, sentence, { path, offset: offset + done });
  }
  return done;
}

function headerBytes(image: Storage, overlay: string): Uint8Array {
  const bytes = new Uint8Array(HEADER);
  const name = new TextEncoder().encode(realPath(image.path));
  if (name.length > MAX_PATH) throw new PstoreError('EINVAL', `${overlay}: the path of the image is too long`);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setBigUint64(SIZE_AT, BigInt(image.size), true);
  bytes.set(identityOf(image), HASH_AT);
  view.setUint32(PATH_LENGTH_AT, name.length, true);
  bytes.set(name, PATH_AT);
  return bytes;
}

function readHeader(fd: number, path: string, advice = ''): OverlayHeader {
  const bytes = new Uint8Array(HEADER);
  const wrong = (why: string) => new PstoreError('EBADMSG', `${path} is no overlay of pstorefuse: ${why}`, { path });
  if (readAt(fd, bytes, 0, path) < HEADER || !MAGIC.every((byte, i) => bytes[i] === byte)) {
    throw wrong(`it does not begin as one; ${advice}`);
  }
  const view = new DataView(bytes.buffer);
  const size = Number(view.getBigUint64(SIZE_AT, true));
  const length = view.getUint32(PATH_LENGTH_AT, true);
  if (length > MAX_PATH) throw wrong('its header is damaged');
  // The file has its whole length from the beginning on: nothing in it decides more than it has itself.
  if (!Number.isSafeInteger(size) || fstatSync(fd).size < HEADER + bitmapSize(size) + size) throw wrong('it was cut');
  return {
    path: printable(bytes.subarray(PATH_AT, PATH_AT + length)),
    size,
    hash: bytes.slice(HASH_AT, HASH_AT + HASH_SIZE),
    committedHash: bytes.slice(COMMITTED_HASH_AT),
    isCommitting: bytes[STATE_AT] === State.committing,
  };
}

/**
 * The image with what the overlay has over it.
 * @param mode `read` makes no file; without one nothing was written
 */
export function overlaid(image: Storage, path: string, mode: 'read' | 'must'): Storage {
  if (!existsSync(path)) return mode === 'read' ? image : new OverlayStorage(image, OverlayFile.create(path, image));
  const file = OverlayFile.open(path, mode, 'give a name that does not exist yet');
  try {
    file.check(image);
  } catch (error) {
    file.close();
    throw error;
  }
  return new OverlayStorage(image, file);
}

/**
 * Brings what the overlay has into its image, reads it again, and removes the overlay. Cut off at any place it can be
 * begun anew: the overlay has everything until all of it is in the image.
 * @param imagePath as the caller has named it: that which the overlay names may be a trap
 * @returns blocks that were written
 * @throws PstoreError EBADMSG where the overlay was made over another image; EROFS, EACCES, EIO
 */
export function commitOverlay(path: string, imagePath: string): number {
  const overlay = OverlayFile.open(path, 'must');
  try {
    const image = openImage(imagePath, { mode: 'must' });
    try {
      overlay.checkToCommit(image);
      overlay.beginCommit(image);
      const blocks = [...overlay.numbers()];
      for (const block of blocks) image.write(overlay.get(block), block * OVERLAY_BLOCK);
      image.sync();
      for (const block of blocks) checkBlock(image, overlay, block);
      unlinkSync(path);
      syncFolder(dirname(path));
      return blocks.length;
    } finally {
      image.close();
    }
  } finally {
    overlay.close();
  }
}

function checkBlock(image: Storage, overlay: OverlayFile, block: number): void {
  const wanted = overlay.get(block);
  const offset = block * OVERLAY_BLOCK;
  if (Buffer.from(readRange(image, offset, wanted.length)).equals(wanted)) return;
  const sentence = `${image.path}: what was written at offset ${offset} reads otherwise; the overlay is kept`;
  throw new PstoreError('EIO', sentence, { path: image.path, offset });
}
