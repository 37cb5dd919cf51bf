// The FUSE protocol as it goes over /dev/fuse: opcodes, flags, and the layout of its structures. Facts: <linux/fuse.h>
// of protocol 7.23 to 7.44. All fields are in the machine's own byte order.

import type { Attr } from '../tree/tree.js';

export const FUSE_MAJOR = 7;
/** The newest minor version that is understood here; spoken is the smaller of this and the kernel's. */
export const FUSE_MINOR = 44;
/** Before 7.23 the answer to INIT had another length. Linux 3.15; Node 20 itself needs Linux 4.18, which speaks 7.27. */
export const OLDEST_MINOR = 23;
/** From here on FUSE_NOTIFY_INC_EPOCH is understood (Linux 6.16). */
export const EPOCH_MINOR = 44;

export const Opcode = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SETUPMAPPING: 48,
  REMOVEMAPPING: 49,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
} as const;

export type Opcode = (typeof Opcode)[keyof typeof Opcode];

const OPCODE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(Opcode).map(([name, opcode]) => [opcode, name] as const),
);

/** `LOOKUP`, or `opcode 99`. */
export function opcodeName(opcode: number): string {
  return OPCODE_NAMES.get(opcode) ?? `opcode ${opcode}`;
}

/** Codes of messages to the kernel that answer no request: they stand in the place of the errno, `unique` is 0. */
export const Notify = {
  INVAL_INODE: 2,
  INC_EPOCH: 8,
} as const;

/** Flags of INIT that are used here. All are among the lower 32 bits. */
export const InitFlag = {
  ASYNC_READ: 1 << 0,
  DO_READDIRPLUS: 1 << 13,
  READDIRPLUS_AUTO: 1 << 14,
  ASYNC_DIO: 1 << 15,
  NO_OPEN_SUPPORT: 1 << 17,
  PARALLEL_DIROPS: 1 << 18,
  POSIX_ACL: 1 << 20,
  MAX_PAGES: 1 << 22,
  NO_OPENDIR_SUPPORT: 1 << 24,
  EXPLICIT_INVAL_DATA: 1 << 25,
} as const;

/** Flags of the answers to OPEN and OPENDIR. */
export const OpenFlag = {
  /** The kernel keeps no pages of it and reads nothing ahead: each READ is one that a program made. */
  DIRECT_IO: 1 << 0,
  /** The pages that the kernel has of this inode are still right. */
  KEEP_CACHE: 1 << 1,
  CACHE_DIR: 1 << 3,
  /** No FLUSH on close (7.35). */
  NOFLUSH: 1 << 5,
} as const;

/** Bits of `fuse_setattr_in.valid`. */
export const SetattrFlag = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
} as const;

/** struct fuse_in_header. */
export const IN_HEADER = { len: 0, opcode: 4, unique: 8, nodeid: 16, size: 40 } as const;
/** struct fuse_out_header. */
export const OUT_HEADER = { len: 0, error: 4, unique: 8, size: 16 } as const;

/** struct fuse_init_in: the first 16 bytes, which every version has. */
export const INIT_IN = { major: 0, minor: 4, maxReadahead: 8, flags: 12, size: 16 } as const;
/** struct fuse_init_out. */
export const INIT_OUT = {
  major: 0,
  minor: 4,
  maxReadahead: 8,
  flags: 12,
  maxBackground: 16,
  congestionThreshold: 18,
  maxWrite: 20,
  timeGran: 24,
  maxPages: 28,
  size: 64,
} as const;

/** struct fuse_attr. */
export const ATTR = {
  ino: 0,
  size: 8,
  blocks: 16,
  atime: 24,
  mtime: 32,
  ctime: 40,
  atimensec: 48,
  mtimensec: 52,
  ctimensec: 56,
  mode: 60,
  nlink: 64,
  uid: 68,
  gid: 72,
  rdev: 76,
  blksize: 80,
  flags: 84,
  length: 88,
} as const;

/** struct fuse_entry_out. */
export const ENTRY_OUT = {
  nodeid: 0,
  generation: 8,
  entryValid: 16,
  attrValid: 24,
  entryValidNsec: 32,
  attrValidNsec: 36,
  attr: 40,
  size: 40 + ATTR.length,
} as const;

/** struct fuse_attr_out. */
export const ATTR_OUT = { attrValid: 0, attrValidNsec: 8, attr: 16, size: 16 + ATTR.length } as const;

/** struct fuse_open_in (also of OPENDIR). */
export const OPEN_IN = { flags: 0, size: 8 } as const;
/** struct fuse_open_out. */
export const OPEN_OUT = { fh: 0, openFlags: 8, size: 16 } as const;
/** struct fuse_read_in (also of READDIR and READDIRPLUS). */
export const READ_IN = { fh: 0, offset: 8, length: 16, size: 40 } as const;
/** struct fuse_setattr_in. */
export const SETATTR_IN = { valid: 0, size: 88 } as const;
/** struct fuse_getxattr_in (also of LISTXATTR). */
export const GETXATTR_IN = { length: 0, size: 8 } as const;
/** struct fuse_getxattr_out. */
export const GETXATTR_OUT = { length: 0, size: 8 } as const;

/** struct fuse_kstatfs, which is all of struct fuse_statfs_out. */
export const STATFS_OUT = {
  blocks: 0,
  bfree: 8,
  bavail: 16,
  files: 24,
  ffree: 32,
  bsize: 40,
  namelen: 44,
  frsize: 48,
  size: 80,
} as const;

/** struct fuse_dirent; struct fuse_direntplus has a fuse_entry_out before it. Each is filled up to 8 bytes. */
export const DIRENT = { ino: 0, off: 8, namelen: 16, type: 20, name: 24 } as const;

/** struct fuse_notify_inval_inode_out: attributes only when `off` is negative. */
export const INVAL_INODE_OUT = { ino: 0, off: 8, len: 16, size: 24 } as const;

/** d_type of <dirent.h>. */
export const DirentType = { DIR: 4, REG: 8 } as const;

/**
 * Least bytes after the header, by opcode: a request that is shorter is malformed. A name is at least one byte and its
 * NUL. What is not listed has no body that is looked at.
 */
const NAME = 2;
export const MIN_BODY: ReadonlyMap<number, number> = new Map([
  [Opcode.LOOKUP, NAME],
  [Opcode.UNLINK, NAME],
  [Opcode.SETATTR, SETATTR_IN.size],
  [Opcode.OPEN, OPEN_IN.size],
  [Opcode.OPENDIR, OPEN_IN.size],
  [Opcode.READ, READ_IN.size],
  [Opcode.READDIR, READ_IN.size],
  [Opcode.READDIRPLUS, READ_IN.size],
  [Opcode.GETXATTR, GETXATTR_IN.size + NAME],
  [Opcode.LISTXATTR, GETXATTR_IN.size],
  [Opcode.INIT, INIT_IN.size],
]);

/** Nobody waits for an answer to these. Nothing is counted for FORGET: inode numbers are never used twice. */
export const UNANSWERED: ReadonlySet<number> = new Set([
  Opcode.FORGET,
  Opcode.BATCH_FORGET,
  Opcode.INTERRUPT,
  Opcode.NOTIFY_REPLY,
]);

/** Structures of variable length are filled up to this. */
export function padded(length: number): number {
  return (length + 7) & ~7;
}

/** Where the halves of a 64-bit field stand, in words of 4 bytes. */
const HIGH = new Uint8Array(Uint16Array.of(1).buffer)[0]!;
const LOW = 1 - HIGH;
const TWO_32 = 2 ** 32;
const NANOSECONDS = 1_000_000_000n;
const BLOCK = 512;
const PREFERRED_BLOCK = 4096;

/**
 * A buffer for messages, with typed fields in the machine's byte order. Every field stands at a multiple of its size,
 * so that typed arrays reach it; 64-bit fields are taken as two words.
 */
export class Frame {
  readonly bytes: Buffer;
  readonly #words: Uint32Array;
  readonly #halves: Uint16Array;

  /** @param size bytes; all zero at first */
  constructor(size: number) {
    const buffer = new ArrayBuffer(padded(size));
    this.bytes = Buffer.from(buffer, 0, size);
    this.#words = new Uint32Array(buffer);
    this.#halves = new Uint16Array(buffer);
  }

  setU16(at: number, value: number): void {
    this.#halves[at >> 1] = value;
  }

  u32(at: number): number {
    return this.#words[at >> 2]!;
  }

  setU32(at: number, value: number): void {
    this.#words[at >> 2] = value;
  }

  /** Two's complement, as all integers here. */
  setI32(at: number, value: number): void {
    this.#words[at >> 2] = value;
  }

  /** Exact below 2^53, which is all that is needed here: larger ones stay larger. */
  u64(at: number): number {
    const word = at >> 2;
    return this.#words[word + HIGH]! * TWO_32 + this.#words[word + LOW]!;
  }

  /** @param value a whole number from −2^53 to 2^53 */
  setU64(at: number, value: number): void {
    const word = at >> 2;
    this.#words[word + LOW] = value;
    this.#words[word + HIGH] = Math.floor(value / TWO_32);
  }

  /** Copies the 8 bytes of a field as they are. */
  copy64(at: number, from: Frame, fromAt: number): void {
    this.#words[at >> 2] = from.#words[fromAt >> 2]!;
    this.#words[(at >> 2) + 1] = from.#words[(fromAt >> 2) + 1]!;
  }

  /** A cache time-out in the two fields that the protocol has for it. */
  setTimeout(secondsAt: number, nanosecondsAt: number, ms: number): void {
    this.setU64(secondsAt, Math.floor(ms / 1000));
    this.setU32(nanosecondsAt, Math.floor((ms % 1000) * 1e6));
  }

  /** struct fuse_attr. Times before 1970 have negative seconds and nanoseconds from 0 up. */
  setAttr(at: number, attr: Attr): void {
    const { timeNs, size } = attr;
    let seconds = Number(timeNs / NANOSECONDS);
    let nanoseconds = Number(timeNs % NANOSECONDS);
    if (nanoseconds < 0) {
      seconds -= 1;
      nanoseconds += 1e9;
    }
    this.setU64(at + ATTR.ino, attr.ino);
    this.setU64(at + ATTR.size, size);
    this.setU64(at + ATTR.blocks, Math.ceil(size / BLOCK));
    this.setU64(at + ATTR.atime, seconds);
    this.setU64(at + ATTR.mtime, seconds);
    this.setU64(at + ATTR.ctime, seconds);
    const words = this.#words;
    words[(at + ATTR.atimensec) >> 2] = nanoseconds;
    words[(at + ATTR.mtimensec) >> 2] = nanoseconds;
    words[(at + ATTR.ctimensec) >> 2] = nanoseconds;
    words[(at + ATTR.mode) >> 2] = attr.mode;
    words[(at + ATTR.nlink) >> 2] = attr.nlink;
    words[(at + ATTR.uid) >> 2] = attr.uid;
    words[(at + ATTR.gid) >> 2] = attr.gid;
    words[(at + ATTR.rdev) >> 2] = 0;
    words[(at + ATTR.blksize) >> 2] = PREFERRED_BLOCK;
    words[(at + ATTR.flags) >> 2] = 0;
  }
}
