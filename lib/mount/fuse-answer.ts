// The answer to one request: what stands after its header, as the protocol has it.

import { PstoreError } from '../errors.js';
import { type Attr, type Entry, NAME_MAX, type Statfs } from '../tree/tree.js';
import {
  ATTR_OUT,
  DIRENT,
  DirentType,
  ENTRY_OUT,
  Frame,
  FUSE_MAJOR,
  FUSE_MINOR,
  GETXATTR_OUT,
  INIT_OUT,
  OPEN_OUT,
  OUT_HEADER,
  padded,
  STATFS_OUT,
} from './fuse-protocol.js';

/** Most bytes that one READ asks for, and one READDIR: 256 pages. */
export const MAX_READ = 1 << 20;
const MAX_PAGES = 256;
/** A kernel with larger pages may ask for more than MAX_READ at once, but for no more than this. */
const MAX_ASKED = MAX_PAGES << 16;
/** What INIT must allow at least; the kernel then needs a request buffer of 8 KiB. */
const MAX_WRITE = 4096;
/** How many requests the kernel sends ahead of their answers (read-ahead), and from how many on it waits. */
const MAX_BACKGROUND = 64;
const CONGESTION_THRESHOLD = 48;

/** How long the kernel may remember a name and its attributes, in milliseconds. */
export interface Validity {
  readonly nameMs: number;
  readonly attrMs: number;
}

const BODY = OUT_HEADER.size;

/** Each method writes one kind of answer, and returns how many bytes it has. */
export class Answer {
  #frame = new Frame(BODY + MAX_READ);

  /** @throws PstoreError EINVAL for more than any kernel asks at once */
  makeRoom(bytes: number): void {
    if (BODY + bytes <= this.#frame.bytes.length) return;
    if (bytes > MAX_ASKED) throw new PstoreError('EINVAL', `a request for ${bytes} bytes at once`);
    this.#frame = new Frame(BODY + bytes);
  }

  /** Writes the header. @param result bytes after it, or a negative errno. @returns the whole answer's length */
  finish(result: number, request: Frame, uniqueAt: number): number {
    const size = BODY + Math.max(result, 0);
    this.#frame.setU32(OUT_HEADER.len, size);
    this.#frame.setI32(OUT_HEADER.error, Math.min(result, 0));
    this.#frame.copy64(OUT_HEADER.unique, request, uniqueAt);
    return size;
  }

  get bytes(): Uint8Array {
    return this.#frame.bytes;
  }

  /** Where `length` bytes of contents go. */
  contents(length: number): Uint8Array {
    this.makeRoom(length);
    return this.#frame.bytes.subarray(BODY, BODY + length);
  }

  /** A name that is not there, for so long. */
  noEntry(validMs: number): number {
    this.#frame.bytes.fill(0, BODY, BODY + ENTRY_OUT.size);
    this.#frame.setTimeout(BODY + ENTRY_OUT.entryValid, BODY + ENTRY_OUT.entryValidNsec, validMs);
    return ENTRY_OUT.size;
  }

  entry(attr: Attr, validity: Validity): number {
    this.#putEntry(BODY, attr, validity);
    return ENTRY_OUT.size;
  }

  /** struct fuse_entry_out */
  #putEntry(at: number, attr: Attr, { nameMs, attrMs }: Validity): void {
    const frame = this.#frame;
    frame.setU64(at + ENTRY_OUT.nodeid, attr.ino);
    // Inode numbers are never used twice.
    frame.setU64(at + ENTRY_OUT.generation, 0);
    frame.setTimeout(at + ENTRY_OUT.entryValid, at + ENTRY_OUT.entryValidNsec, nameMs);
    frame.setTimeout(at + ENTRY_OUT.attrValid, at + ENTRY_OUT.attrValidNsec, attrMs);
    frame.setAttr(at + ENTRY_OUT.attr, attr);
  }

  /**
   * Writes one entry of a listing after `done` bytes of others.
   * @param room bytes that the whole listing may have
   * @param plus whether space is left in front of it for entryBefore(); it is zero until then
   * @returns bytes of the listing with it, or undefined where it does not fit
   */
  direntAfter(
    done: number,
    room: number,
    { name, ino, next: goesOnAt, isDirectory }: Entry,
    plus: boolean,
  ): number | undefined {
    const frame = this.#frame;
    const end = BODY + room;
    const dirent = BODY + done + (plus ? ENTRY_OUT.size : 0);
    const nameAt = dirent + DIRENT.name;
    if (nameAt + name.length > end) return undefined;
    const length = frame.bytes.write(name, nameAt, end - nameAt, 'utf8');
    const next = dirent + padded(DIRENT.name + length);
    if (next > end) return undefined;
    frame.bytes.fill(0, BODY + done, dirent);
    frame.bytes.fill(0, nameAt + length, next);
    frame.setU64(dirent + DIRENT.ino, ino);
    frame.setU64(dirent + DIRENT.off, goesOnAt);
    frame.setU32(dirent + DIRENT.namelen, length);
    frame.setU32(dirent + DIRENT.type, isDirectory ? DirentType.DIR : DirentType.REG);
    return next - BODY;
  }

  /** The attributes of an entry of a listing, in front of it. @param done as direntAfter() had it */
  entryBefore(done: number, attr: Attr, validity: Validity): void {
    this.#putEntry(BODY + done, attr, validity);
  }

  attributes(attr: Attr, validMs: number): number {
    const frame = this.#frame;
    frame.setTimeout(BODY + ATTR_OUT.attrValid, BODY + ATTR_OUT.attrValidNsec, validMs);
    frame.setU32(BODY + ATTR_OUT.attrValidNsec + 4, 0);
    frame.setAttr(BODY + ATTR_OUT.attr, attr);
    return ATTR_OUT.size;
  }

  statfs({ blockSize, blocks, freeBlocks, files, freeFiles }: Statfs): number {
    const frame = this.#frame;
    frame.bytes.fill(0, BODY, BODY + STATFS_OUT.size);
    frame.setU64(BODY + STATFS_OUT.blocks, blocks);
    frame.setU64(BODY + STATFS_OUT.bfree, freeBlocks);
    frame.setU64(BODY + STATFS_OUT.bavail, freeBlocks);
    frame.setU64(BODY + STATFS_OUT.files, files);
    frame.setU64(BODY + STATFS_OUT.ffree, freeFiles);
    frame.setU32(BODY + STATFS_OUT.bsize, blockSize);
    frame.setU32(BODY + STATFS_OUT.namelen, NAME_MAX);
    frame.setU32(BODY + STATFS_OUT.frsize, blockSize);
    return STATFS_OUT.size;
  }

  /** An extended attribute, or their names: its length where the kernel has room for 0 bytes. @returns undefined: ERANGE */
  xattr(text: string, room: number): number | undefined {
    const length = Buffer.byteLength(text);
    if (room === 0) {
      this.#frame.setU32(BODY + GETXATTR_OUT.length, length);
      this.#frame.setU32(BODY + GETXATTR_OUT.length + 4, 0);
      return GETXATTR_OUT.size;
    }
    if (length > room) return undefined;
    this.makeRoom(length);
    return this.#frame.bytes.write(text, BODY, 'utf8');
  }

  opened(flags: number): number {
    this.#frame.setU64(BODY + OPEN_OUT.fh, 0);
    this.#frame.setU32(BODY + OPEN_OUT.openFlags, flags);
    this.#frame.setU32(BODY + OPEN_OUT.openFlags + 4, 0);
    return OPEN_OUT.size;
  }

  /** Which version we speak, where the kernel's is `minor`. */
  version(minor: number): number {
    this.#frame.bytes.fill(0, BODY, BODY + INIT_OUT.size);
    this.#frame.setU32(BODY + INIT_OUT.major, FUSE_MAJOR);
    this.#frame.setU32(BODY + INIT_OUT.minor, Math.min(minor, FUSE_MINOR));
    return INIT_OUT.size;
  }

  /** @param maxReadahead what the kernel would read ahead */
  init(minor: number, maxReadahead: number, flags: number): number {
    const size = this.version(minor);
    const frame = this.#frame;
    frame.setU32(BODY + INIT_OUT.maxReadahead, Math.min(maxReadahead, MAX_READ));
    frame.setU32(BODY + INIT_OUT.flags, flags);
    frame.setU16(BODY + INIT_OUT.maxBackground, MAX_BACKGROUND);
    frame.setU16(BODY + INIT_OUT.congestionThreshold, CONGESTION_THRESHOLD);
    frame.setU32(BODY + INIT_OUT.maxWrite, MAX_WRITE);
    frame.setU32(BODY + INIT_OUT.timeGran, 1);
    frame.setU16(BODY + INIT_OUT.maxPages, MAX_PAGES);
    return size;
  }
}
