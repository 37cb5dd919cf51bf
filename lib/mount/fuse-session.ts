// A connection of the FUSE protocol over a tree: takes one request at a time and sends its answer. Synchronous, and
// without any descriptor of its own: dev-fuse.ts brings the requests.

import { CODES, type ErrorCode, PstoreError } from '../errors.js';
import type { RecordContent } from '../pstore/backend.js';
import { type Refused, refusal } from '../tree/refusals.js';
import { type Attr, NAME_MAX, ROOT_INO, type Tree } from '../tree/tree.js';
import {
  ATTR_OUT,
  DIRENT,
  DirentType,
  ENTRY_OUT,
  EPOCH_MINOR,
  Frame,
  FUSE_MAJOR,
  FUSE_MINOR,
  GETXATTR_IN,
  GETXATTR_OUT,
  IN_HEADER,
  INIT_IN,
  INIT_OUT,
  INVAL_INODE_OUT,
  InitFlag,
  LEAST_BODY,
  Notify,
  OLDEST_MINOR,
  OPEN_IN,
  OPEN_OUT,
  Opcode,
  OpenFlag,
  OUT_HEADER,
  opcodeName,
  padded,
  READ_IN,
  SETATTR_IN,
  SetattrFlag,
  STATFS_OUT,
} from './fuse-protocol.js';
import { Snapshots } from './snapshots.js';
import type { ServeOptions } from './transport.js';

export type SessionOptions = Pick<ServeOptions, 'readOnly' | 'updateMs' | 'onActivity' | 'log'>;

/** Most bytes that one READ asks for, and one READDIR: 256 pages. */
export const MAX_READ = 1 << 20;
const MAX_PAGES = 256;
/** A kernel with larger pages may ask for more than MAX_READ at once, but for no more than this. */
const MOST_ASKED = MAX_PAGES << 16;
/** Large enough for any request: SETXATTR with a name and a value of 64 KiB is the largest (we take no WRITE at all). */
const REQUEST_SIZE = 128 << 10;
/** What INIT must allow at least; the kernel then needs a request buffer of 8 KiB. */
const MAX_WRITE = 4096;
/** How many requests the kernel sends ahead of their answers (read-ahead), and from how many on it waits. */
const MAX_BACKGROUND = 64;
const CONGESTION_THRESHOLD = 48;

/** How long the kernel may remember names and attributes: what changes is told, so it could be for ever. */
const DAY_MS = 86_400_000;
/** onActivity is not called more often. */
const ACTIVITY_STEP_MS = 1000;
/** More unlinks than will ever be on their way at one time. */
const MOST_AT_WORK = 1000;

/** open(2): the access mode of the flags. */
const O_ACCMODE = 3;
/** Where the name of a record can stand: in the root, or in its backend's directory. */
const IN_ROOT = 1;
const IN_DIRECTORY = 2;

/** Errnos that no PstoreError carries. */
const ESTALE = 116;
const EPROTO = 71;

/** A handler's result: bytes behind the answer's header, or a negative errno, or this. */
const NO_ANSWER = Number.MIN_SAFE_INTEGER;
const BODY = OUT_HEADER.size;
const ARGUMENT = IN_HEADER.size;

/** The namespace of the attributes that we have: no other begins with this letter. */
const USER = 'u'.charCodeAt(0);

/** A record that somebody has open. */
interface OpenRecord {
  opens: number;
  /** What was there when it was opened, or erased: kept where the tree cannot give it any more. */
  held: { readonly attr: Attr; readonly content: RecordContent } | undefined;
}

function errno(code: ErrorCode): number {
  return -CODES[code].errno;
}

export class FuseSession {
  /** Each request is read into this. */
  readonly request = new Frame(REQUEST_SIZE);
  #reply = new Frame(BODY + MAX_READ);
  readonly #notice = new Frame(OUT_HEADER.size + INVAL_INODE_OUT.size);
  readonly #tree: Tree;
  readonly #options: SessionOptions;
  readonly #send: (bytes: Uint8Array, length: number) => void;
  readonly #open = new Map<number, OpenRecord>();
  readonly #snapshots = new Snapshots();
  /** By inode number: in which directories the kernel has been told of a name since it last dropped all names. */
  readonly #told = new Map<number, number>();
  /** Names of records that were erased since then, newest last. */
  readonly #erased = new Set<string>();
  #hasEpochs = false;
  #started = false;
  #ended = false;
  #length = 0;
  #refreshed = Date.now();
  #active = 0;
  #lastFault = '';

  /**
   * @param send writes one message to the kernel: the first `length` of `bytes`
   */
  constructor(tree: Tree, options: SessionOptions, send: (bytes: Uint8Array, length: number) => void) {
    this.#tree = tree;
    this.#options = options;
    this.#send = send;
  }

  /** Whether INIT was answered: from now on the mount answers. */
  get started(): boolean {
    return this.#started;
  }

  /** Whether the kernel has said goodbye. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Answers the request in `this.request`, whatever it is. @param length its bytes */
  handle(length: number): void {
    const { request } = this;
    if (length < IN_HEADER.size) {
      this.#fault(`a request of ${length} bytes from the kernel is shorter than its header`);
      return;
    }
    this.#length = length;
    const opcode = request.u32(IN_HEADER.opcode);
    let result: number;
    try {
      result = this.#dispatch(opcode, request.u64(IN_HEADER.nodeid));
    } catch (error) {
      result = this.#failed(error, opcode);
    }
    if (result === NO_ANSWER) return;
    const reply = this.#reply;
    const size = OUT_HEADER.size + Math.max(result, 0);
    reply.setU32(OUT_HEADER.len, size);
    reply.setI32(OUT_HEADER.error, Math.min(result, 0));
    reply.copy64(OUT_HEADER.unique, request, IN_HEADER.unique);
    this.#send(reply.bytes, size);
  }

  /** @returns the negative errno that a failure is answered with */
  #failed(error: unknown, opcode: number): number {
    if (!(error instanceof PstoreError)) {
      this.#bug(opcodeName(opcode), error);
      return errno('EIO');
    }
    if (error.errno === CODES.EIO.errno) this.#fault(error.message);
    return -error.errno;
  }

  #bug(where: string, error: unknown): void {
    const { stack } = error as Error;
    this.#fault(`a bug of pstorefuse at ${where}: ${stack ?? error}`, `${where}: ${error}`);
  }

  /** Says what no caller gets to see; the same fault again and again is said once. @param fault what it is known by */
  #fault(line: string, fault = line): void {
    if (fault === this.#lastFault) return;
    this.#lastFault = fault;
    this.#options.log(line);
  }

  #dispatch(opcode: number, ino: number): number {
    if (UNANSWERED.has(opcode)) return NO_ANSWER;
    if (this.request.u32(IN_HEADER.len) !== this.#length) return errno('EIO');
    const least = LEAST_BODY.get(opcode);
    if (least !== undefined && this.#length < ARGUMENT + least) return errno('EINVAL');
    this.#note();
    switch (opcode) {
      case Opcode.LOOKUP:
        return this.#lookup(ino);
      case Opcode.GETATTR:
        return this.#getattr(ino);
      case Opcode.READ:
        return this.#read(ino);
      case Opcode.GETXATTR:
        return this.#getxattr(ino);
      case Opcode.OPEN:
        return this.#openRecord(ino);
      case Opcode.RELEASE:
        return this.#release(ino);
      case Opcode.READDIRPLUS:
        return this.#readdir(ino, ENTRY_OUT.size);
      case Opcode.READDIR:
        return this.#readdir(ino, 0);
      case Opcode.OPENDIR:
        return this.#opened(0);
      case Opcode.RELEASEDIR:
        return 0;
      case Opcode.UNLINK:
        return this.#unlink(ino);
      case Opcode.STATFS:
        return this.#statfs();
      case Opcode.LISTXATTR:
        return this.#listxattr(ino);
      case Opcode.INIT:
        return this.#init();
      case Opcode.DESTROY:
        this.#ended = true;
        return 0;
      case Opcode.SETATTR:
        return this.#setattr();
      default:
        return this.#other(opcode);
    }
  }

  /**
   * What is refused; and ENOSYS for all that the kernel does by itself when it is told once that we do not: FLUSH,
   * FSYNC, ACCESS (it checks the modes), locks, LSEEK, STATX, IOCTL, POLL, and what later kernels may ask.
   */
  #other(opcode: number): number {
    const refused = REFUSED.get(opcode);
    return refused === undefined ? errno('ENOSYS') : this.#refuse(refused);
  }

  #refuse(what: Refused): number {
    return errno(refusal(what, this.#options.readOnly));
  }

  /** Somebody uses the mount. */
  #note(): void {
    const now = Date.now();
    if (now - this.#active < ACTIVITY_STEP_MS) return;
    this.#active = now;
    this.#options.onActivity();
  }

  // ── live images ──

  /** Looks at the sources again, and makes the kernel forget what has changed. */
  refresh(): void {
    this.#refreshed = Date.now();
    try {
      if (this.#tree.refresh(({ message }) => this.#fault(message))) this.#dropNames();
    } catch (error) {
      this.#bug('the refresh', error);
    }
  }

  /** How long what is answered now stays true, in milliseconds. */
  #validMs(): number {
    const { updateMs } = this.#options;
    return updateMs === 0 ? DAY_MS : Math.max(0, this.#refreshed + updateMs - Date.now());
  }

  // ── names ──

  /** The name in the request, from byte `from` on. */
  #name(from: number): string {
    const { bytes } = this.request;
    const end = this.#length - 1;
    if (bytes[end] !== 0 || end === from) throw new PstoreError('EINVAL', 'a request has a name without its end');
    return bytes.toString('utf8', from, end);
  }

  #lookup(directory: number): number {
    const name = this.#name(ARGUMENT);
    const ino = this.#tree.lookup(directory, name);
    const attr = ino === 0 ? undefined : this.#tree.attr(ino);
    if (!attr) {
      if (this.#erased.has(name)) this.#dropNames();
      // A name that is not there: nothing but a refresh can bring it.
      this.#reply.bytes.fill(0, BODY, BODY + ENTRY_OUT.size);
      const at = BODY + ENTRY_OUT.entryValid;
      this.#reply.setTimeout(at, BODY + ENTRY_OUT.entryValidNsec, this.#validMs());
    } else this.#putEntry(BODY, directory, attr, this.#validMs());
    return ENTRY_OUT.size;
  }

  /** struct fuse_entry_out */
  #putEntry(at: number, directory: number, attr: Attr, validMs: number): void {
    const reply = this.#reply;
    reply.setU64(at + ENTRY_OUT.nodeid, attr.ino);
    // Inode numbers are never used twice.
    reply.setU64(at + ENTRY_OUT.generation, 0);
    // Where the other name cannot be taken back, it must be asked for every time.
    const nameMs = this.#hasEpochs || attr.nlink === 1 || this.#tree.isDirectory(attr.ino) ? validMs : 0;
    reply.setTimeout(at + ENTRY_OUT.entryValid, at + ENTRY_OUT.entryValidNsec, nameMs);
    reply.setTimeout(at + ENTRY_OUT.attrValid, at + ENTRY_OUT.attrValidNsec, validMs);
    reply.setAttr(at + ENTRY_OUT.attr, attr);
    if (attr.nlink === 2 && this.#hasEpochs) this.#tell(attr.ino, directory);
  }

  #tell(ino: number, directory: number): void {
    this.#told.set(ino, (this.#told.get(ino) ?? 0) | (directory === ROOT_INO ? IN_ROOT : IN_DIRECTORY));
  }

  /** Makes the kernel forget every name, at once and without any lock (Linux 6.16 and later). */
  #dropNames(): void {
    if (!this.#hasEpochs) return;
    this.#notify(Notify.INC_EPOCH, 0);
    this.#told.clear();
    this.#erased.clear();
  }

  /**
   * The kernel drops the name that was unlinked, but some time after our answer: until the unlink returns, it would
   * still be there for somebody who has already been told by its other name, or by a listing, that the record is gone.
   * So it is remembered, and dropped before anybody is told.
   */
  #rememberErased(name: string): void {
    this.#erased.add(name);
    if (this.#erased.size > MOST_AT_WORK) this.#erased.delete(this.#erased.keys().next().value!);
  }

  /** Sends the message in `#notice` that answers nothing. @param body bytes behind the header */
  #notify(code: number, body: number): void {
    const notice = this.#notice;
    notice.setU32(OUT_HEADER.len, OUT_HEADER.size + body);
    notice.setI32(OUT_HEADER.error, code);
    notice.setU64(OUT_HEADER.unique, 0);
    this.#send(notice.bytes, OUT_HEADER.size + body);
  }

  // ── attributes ──

  #attr(ino: number): Attr | undefined {
    return this.#tree.attr(ino) ?? this.#open.get(ino)?.held?.attr;
  }

  #getattr(ino: number): number {
    const attr = this.#attr(ino);
    if (!attr) return errno('ENOENT');
    const reply = this.#reply;
    reply.setTimeout(BODY + ATTR_OUT.attrValid, BODY + ATTR_OUT.attrValidNsec, this.#validMs());
    reply.setU32(BODY + ATTR_OUT.attrValidNsec + 4, 0);
    reply.setAttr(BODY + ATTR_OUT.attr, attr);
    return ATTR_OUT.size;
  }

  #setattr(): number {
    const valid = this.request.u32(ARGUMENT + SETATTR_IN.valid);
    if (valid & SetattrFlag.SIZE) return this.#refuse('truncate');
    if (valid & SetattrFlag.MODE) return this.#refuse('chmod');
    if (valid & (SetattrFlag.UID | SetattrFlag.GID)) return this.#refuse('chown');
    return this.#refuse('utimens');
  }

  #statfs(): number {
    const { blockSize, blocks, freeBlocks, files, freeFiles } = this.#tree.statfs();
    const reply = this.#reply;
    reply.bytes.fill(0, BODY, BODY + STATFS_OUT.size);
    reply.setU64(BODY + STATFS_OUT.blocks, blocks);
    reply.setU64(BODY + STATFS_OUT.bfree, freeBlocks);
    reply.setU64(BODY + STATFS_OUT.bavail, freeBlocks);
    reply.setU64(BODY + STATFS_OUT.files, files);
    reply.setU64(BODY + STATFS_OUT.ffree, freeFiles);
    reply.setU32(BODY + STATFS_OUT.bsize, blockSize);
    reply.setU32(BODY + STATFS_OUT.namelen, NAME_MAX);
    reply.setU32(BODY + STATFS_OUT.frsize, blockSize);
    return STATFS_OUT.size;
  }

  #getxattr(ino: number): number {
    const nameAt = ARGUMENT + GETXATTR_IN.size;
    // security.*, system.*, trusted.*: ENOTSUP as the kernel's pstorefs has it. `ls -l` asks each file for its context
    // and its ACL, but a file system that says so only once.
    if (this.request.bytes[nameAt] !== USER) return errno('ENOTSUP');
    if (!this.#attr(ino)) return errno('ENOENT');
    const value = this.#tree.xattrs(ino).get(this.#name(nameAt));
    return value === undefined ? errno('ENODATA') : this.#giveXattr(value);
  }

  #listxattr(ino: number): number {
    if (!this.#attr(ino)) return errno('ENOENT');
    let names = '';
    for (const name of this.#tree.xattrs(ino).keys()) names += `${name}\0`;
    return this.#giveXattr(names);
  }

  /** A value or a list, or its length when 0 bytes are asked for. */
  #giveXattr(text: string): number {
    const room = this.request.u32(ARGUMENT + GETXATTR_IN.length);
    const length = Buffer.byteLength(text);
    if (room === 0) {
      this.#reply.setU32(BODY + GETXATTR_OUT.length, length);
      this.#reply.setU32(BODY + GETXATTR_OUT.length + 4, 0);
      return GETXATTR_OUT.size;
    }
    if (length > room) return errno('ERANGE');
    this.#makeRoom(length);
    return this.#reply.bytes.write(text, BODY, 'utf8');
  }

  // ── listings ──

  /** @param entrySize bytes before each directory entry: 0, or what READDIRPLUS has there */
  #readdir(directory: number, entrySize: number): number {
    const asked = this.request.u32(ARGUMENT + READ_IN.length);
    this.#makeRoom(asked);
    if (this.#erased.size > 0) this.#dropNames();
    const reply = this.#reply;
    const end = BODY + asked;
    const validMs = this.#validMs();
    let at: number = BODY;
    for (const entry of this.#tree.entries(directory, this.request.u64(ARGUMENT + READ_IN.offset))) {
      const dirent = at + entrySize;
      const nameAt = dirent + DIRENT.name;
      if (nameAt + entry.name.length > end) break;
      const length = reply.bytes.write(entry.name, nameAt, end - nameAt, 'utf8');
      const next = dirent + padded(DIRENT.name + length);
      if (next > end) break;
      reply.bytes.fill(0, nameAt + length, next);
      reply.setU64(dirent + DIRENT.ino, entry.ino);
      reply.setU64(dirent + DIRENT.off, entry.next);
      reply.setU32(dirent + DIRENT.namelen, length);
      reply.setU32(dirent + DIRENT.type, entry.isDirectory ? DirentType.DIR : DirentType.REG);
      // The kernel knows `.` and `..` itself.
      if (entrySize > 0 && entry.next <= 2) reply.bytes.fill(0, at, dirent);
      else if (entrySize > 0) this.#putEntry(at, directory, entry.attr, validMs);
      at = next;
    }
    return at - BODY;
  }

  // ── contents ──

  /** @throws PstoreError EINVAL for more than any kernel asks at once */
  #makeRoom(bytes: number): void {
    if (BODY + bytes <= this.#reply.bytes.length) return;
    if (bytes > MOST_ASKED) throw new PstoreError('EINVAL', `a request for ${bytes} bytes at once`);
    this.#reply = new Frame(BODY + bytes);
  }

  /**
   * Read-only and not live, no record can go away: the kernel is told that OPEN is not needed, and never asks again.
   * Else it must ask, because opening for writing is refused to root too, and because what is open must be known.
   */
  #openRecord(ino: number): number {
    const flags = this.request.u32(ARGUMENT + OPEN_IN.flags);
    if ((flags & O_ACCMODE) !== 0) return this.#refuse('openForWriting');
    const { readOnly, updateMs } = this.#options;
    if (readOnly && updateMs === 0) return errno('ENOSYS');
    const open = this.#open.get(ino);
    if (open) open.opens++;
    else {
      const record = this.#opening(ino);
      // Gone since its name was looked up: the kernel looks it up again.
      if (!record) return -ESTALE;
      this.#open.set(ino, record);
    }
    // Pages belong to an inode, and an inode is always the same record. Without them each read is one that somebody made.
    const caching = this.#tree.countsReads(ino) ? OpenFlag.DIRECT_IO : OpenFlag.KEEP_CACHE;
    return this.#opened(caching | OpenFlag.NOFLUSH);
  }

  #opening(ino: number): OpenRecord | undefined {
    const attr = this.#tree.attr(ino);
    if (!attr) return undefined;
    return { opens: 1, held: this.#options.updateMs === 0 ? undefined : this.#hold(ino, attr) };
  }

  /** Takes what is there now, because somebody else may write to the image. */
  #hold(ino: number, attr: Attr): OpenRecord['held'] {
    try {
      return { attr, content: this.#snapshots.take(this.#tree.open(ino)) };
    } catch (error) {
      // It may be just being written. When it is another record by now, that one is to be opened.
      this.refresh();
      if (!this.#tree.attr(ino)) return undefined;
      throw error;
    }
  }

  #opened(flags: number): number {
    this.#reply.setU64(BODY + OPEN_OUT.fh, 0);
    this.#reply.setU32(BODY + OPEN_OUT.openFlags, flags);
    this.#reply.setU32(BODY + OPEN_OUT.openFlags + 4, 0);
    return OPEN_OUT.size;
  }

  #release(ino: number): number {
    const open = this.#open.get(ino);
    if (open && --open.opens === 0) {
      open.held?.content.close?.();
      this.#open.delete(ino);
    }
    return 0;
  }

  /** The bytes go from where they are straight behind the answer's header. */
  #read(ino: number): number {
    const length = this.request.u32(ARGUMENT + READ_IN.length);
    const position = this.request.u64(ARGUMENT + READ_IN.offset);
    this.#makeRoom(length);
    const target = this.#reply.bytes.subarray(BODY, BODY + length);
    const held = this.#open.get(ino)?.held?.content;
    return held ? held.read(target, position) : this.#tree.read(ino, target, position);
  }

  // ── changing ──

  /**
   * Erases a record by either of its names. The other name is taken back before this is answered: whoever sees the
   * answer sees both names gone.
   */
  #unlink(directory: number): number {
    const name = this.#name(ARGUMENT);
    const ino = this.#tree.lookup(directory, name);
    if (ino === 0 && this.#erased.has(name)) this.#dropNames();
    const open = this.#open.get(ino);
    const attr = this.#attr(ino);
    if (open && attr) this.#unlinkOpen(open, attr, () => this.#tree.unlink(directory, name));
    else this.#tree.unlink(directory, name);
    const other = directory === ROOT_INO ? IN_DIRECTORY : IN_ROOT;
    // Now: a lookup that is on its way is forgotten, too, because the kernel takes an epoch from before it asked.
    if (((this.#told.get(ino) ?? 0) & other) !== 0) this.#dropNames();
    else if (this.#told.has(ino)) this.#rememberErased(name);
    if (open || attr?.nlink === 2) this.#dropAttributes(ino);
    return 0;
  }

  /** Erases a record that somebody reads: what he needs is taken before. */
  #unlinkOpen(open: OpenRecord, attr: Attr, unlink: () => void): void {
    const held = open.held ?? { attr, content: this.#tree.open(attr.ino) };
    try {
      unlink();
    } catch (error) {
      if (!open.held) held.content.close?.();
      throw error;
    }
    open.held = { ...held, attr: { ...held.attr, nlink: 0 } };
  }

  /**
   * The kernel counts one link down, but all are gone. And a listing that was answered before may bring the other name
   * back after the names were dropped: it is then asked for its attributes, which are no more, as nothing from before
   * this notice is believed. No lock of a directory is taken for this, and the inode is in use by the unlink itself, so
   * the kernel does not wait for anything here.
   */
  #dropAttributes(ino: number): void {
    this.#notice.setU64(OUT_HEADER.size + INVAL_INODE_OUT.ino, ino);
    this.#notice.setU64(OUT_HEADER.size + INVAL_INODE_OUT.off, -1);
    this.#notice.setU64(OUT_HEADER.size + INVAL_INODE_OUT.len, 0);
    this.#notify(Notify.INVAL_INODE, INVAL_INODE_OUT.size);
  }

  // ── beginning ──

  #init(): number {
    const { request } = this;
    const reply = this.#reply;
    const major = request.u32(ARGUMENT + INIT_IN.major);
    const minor = request.u32(ARGUMENT + INIT_IN.minor);
    reply.bytes.fill(0, BODY, BODY + INIT_OUT.size);
    reply.setU32(BODY + INIT_OUT.major, FUSE_MAJOR);
    reply.setU32(BODY + INIT_OUT.minor, Math.min(minor, FUSE_MINOR));
    // A newer kernel asks again in the words of version 7.
    if (major > FUSE_MAJOR) return INIT_OUT.size;
    if (major < FUSE_MAJOR || minor < OLDEST_MINOR) {
      this.#fault(`the kernel speaks version ${major}.${minor} of the FUSE protocol; 7.${OLDEST_MINOR} is needed`);
      return -EPROTO;
    }
    reply.setU32(BODY + INIT_OUT.maxReadahead, Math.min(request.u32(ARGUMENT + INIT_IN.maxReadahead), MAX_READ));
    reply.setU32(BODY + INIT_OUT.flags, request.u32(ARGUMENT + INIT_IN.flags) & WANTED);
    reply.setU16(BODY + INIT_OUT.maxBackground, MAX_BACKGROUND);
    reply.setU16(BODY + INIT_OUT.congestionThreshold, CONGESTION_THRESHOLD);
    reply.setU32(BODY + INIT_OUT.maxWrite, MAX_WRITE);
    reply.setU32(BODY + INIT_OUT.timeGran, 1);
    reply.setU16(BODY + INIT_OUT.maxPages, MAX_PAGES);
    this.#hasEpochs = minor >= EPOCH_MINOR;
    this.#started = true;
    return INIT_OUT.size;
  }
}

/** What is asked for of what the kernel has. */
const WANTED =
  InitFlag.ASYNC_READ |
  InitFlag.DO_READDIRPLUS |
  InitFlag.READDIRPLUS_AUTO |
  InitFlag.ASYNC_DIO |
  InitFlag.NO_OPEN_SUPPORT |
  InitFlag.PARALLEL_DIROPS |
  InitFlag.MAX_PAGES |
  InitFlag.EXPLICIT_INVAL_DATA;

/** Nobody waits for an answer to these. Nothing is counted for FORGET: inode numbers are never used twice. */
const UNANSWERED: ReadonlySet<number> = new Set([
  Opcode.FORGET,
  Opcode.BATCH_FORGET,
  Opcode.INTERRUPT,
  Opcode.NOTIFY_REPLY,
]);

const REFUSED: ReadonlyMap<number, Refused> = new Map([
  [Opcode.CREATE, 'create'],
  [Opcode.MKNOD, 'mknod'],
  [Opcode.MKDIR, 'mkdir'],
  [Opcode.SYMLINK, 'symlink'],
  [Opcode.LINK, 'link'],
  [Opcode.RENAME, 'rename'],
  [Opcode.RENAME2, 'rename'],
  [Opcode.RMDIR, 'rmdir'],
  [Opcode.SETXATTR, 'setxattr'],
  [Opcode.REMOVEXATTR, 'removexattr'],
  [Opcode.WRITE, 'openForWriting'],
  [Opcode.FALLOCATE, 'openForWriting'],
  [Opcode.COPY_FILE_RANGE, 'openForWriting'],
]);
