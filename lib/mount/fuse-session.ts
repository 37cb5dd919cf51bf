// A connection of the FUSE protocol over a tree: takes one request at a time and sends its answer. Synchronous, and
// without any descriptor of its own: dev-fuse.ts brings the requests.

import { CODES, type ErrorCode, PstoreError } from '../errors.js';
import { type Refused, refusal } from '../tree/refusals.js';
import type { Attr, Tree } from '../tree/tree.js';
import { Answer, type Validity } from './fuse-answer.js';
import {
  EPOCH_MINOR,
  Frame,
  FUSE_MAJOR,
  GETXATTR_IN,
  IN_HEADER,
  INIT_IN,
  InitFlag,
  MIN_BODY,
  OLDEST_MINOR,
  OPEN_IN,
  Opcode,
  OpenFlag,
  opcodeName,
  READ_IN,
  SETATTR_IN,
  SetattrFlag,
  UNANSWERED,
} from './fuse-protocol.js';
import { KernelNames } from './kernel-names.js';
import { OpenRecords } from './open-records.js';
import type { ServeOptions } from './transport.js';

export type SessionOptions = Pick<ServeOptions, 'readOnly' | 'updateMs' | 'onActivity' | 'log'>;

/** Large enough for any request: SETXATTR with a name and a value of 64 KiB is the largest (we take no WRITE at all). */
const REQUEST_SIZE = 128 << 10;
/** How long the kernel may remember names and attributes: what changes is told, so it could be for ever. */
const DAY_MS = 86_400_000;
/** onActivity is not called more often. */
const ACTIVITY_STEP_MS = 1000;
/** open(2): the access mode of the flags. */
const O_ACCMODE = 3;
/** Errnos that no PstoreError carries. */
const ESTALE = 116;
const EPROTO = 71;

/** A handler's result: bytes after the answer's header, or a negative errno, or this. */
const NO_ANSWER = Number.MIN_SAFE_INTEGER;
const ARGUMENT = IN_HEADER.size;

/** The namespace of the attributes that we have: no other begins with this letter. */
const USER = 'u'.charCodeAt(0);

function errno(code: ErrorCode): number {
  return -CODES[code].errno;
}

export class FuseSession {
  /** Each request is read into this. */
  readonly request = new Frame(REQUEST_SIZE);
  readonly #answer = new Answer();
  readonly #tree: Tree;
  readonly #options: SessionOptions;
  readonly #send: (bytes: Uint8Array, length: number) => void;
  readonly #open: OpenRecords;
  readonly #names: KernelNames;
  #started = false;
  #ended = false;
  #length = 0;
  #refreshed = Date.now();
  #active = 0;
  #lastFault = '';

  /** @param send writes one message to the kernel: the first `length` of `bytes` */
  constructor(tree: Tree, options: SessionOptions, send: (bytes: Uint8Array, length: number) => void) {
    this.#tree = tree;
    this.#options = options;
    this.#send = send;
    this.#open = new OpenRecords(tree, { isLive: options.updateMs !== 0, refresh: () => this.refresh() });
    this.#names = new KernelNames(send);
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
    const size = this.#answer.finish(result, request, IN_HEADER.unique);
    this.#send(this.#answer.bytes, size);
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
    const least = MIN_BODY.get(opcode);
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
        this.#open.release(ino);
        return 0;
      case Opcode.READDIRPLUS:
        return this.#readdir(ino, true);
      case Opcode.READDIR:
        return this.#readdir(ino, false);
      case Opcode.OPENDIR:
        return this.#answer.opened(0);
      case Opcode.RELEASEDIR:
        return 0;
      case Opcode.UNLINK:
        return this.#unlink(ino);
      case Opcode.STATFS:
        return this.#answer.statfs(this.#tree.statfs());
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
      if (this.#tree.refresh(({ message }) => this.#fault(message))) this.#names.drop();
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
    const validMs = this.#validMs();
    if (attr) return this.#answer.entry(attr, this.#told(directory, attr, validMs));
    this.#names.dropIfErased(name);
    // A name that is not there: nothing but a refresh can bring it, or, in a view, that a record is erased.
    return this.#answer.noEntry(this.#names.hasEpochs || !this.#tree.hasViews ? validMs : 0);
  }

  /** The kernel is told of a name: for how long it may remember it. */
  #told(directory: number, { ino, nlink }: Attr, attrMs: number): Validity {
    if (nlink === 2) this.#names.tell(ino, directory);
    // Where a name cannot be taken back that goes with another one, it must be asked for every time.
    const isSure = this.#names.hasEpochs || !this.#tree.mayGoByOthers(ino);
    return { nameMs: isSure ? attrMs : 0, attrMs };
  }

  // ── attributes ──

  #attr(ino: number): Attr | undefined {
    return this.#tree.attr(ino) ?? this.#open.attr(ino);
  }

  #getattr(ino: number): number {
    const attr = this.#attr(ino);
    if (!attr) return errno('ENOENT');
    return this.#answer.attributes(attr, this.#validMs());
  }

  #setattr(): number {
    const valid = this.request.u32(ARGUMENT + SETATTR_IN.valid);
    if (valid & SetattrFlag.SIZE) return this.#refuse('truncate');
    if (valid & SetattrFlag.MODE) return this.#refuse('chmod');
    if (valid & (SetattrFlag.UID | SetattrFlag.GID)) return this.#refuse('chown');
    return this.#refuse('utimens');
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
    return this.#answer.xattr(text, room) ?? errno('ERANGE');
  }

  // ── listings ──

  /** @param plus whether each entry is to have its attributes, too: READDIRPLUS */
  #readdir(directory: number, plus: boolean): number {
    const answer = this.#answer;
    const room = this.request.u32(ARGUMENT + READ_IN.length);
    answer.makeRoom(room);
    this.#names.dropIfAnyErased();
    const validMs = this.#validMs();
    let done = 0;
    for (const entry of this.#tree.entries(directory, this.request.u64(ARGUMENT + READ_IN.offset))) {
      const next = answer.direntAfter(done, room, entry, plus);
      if (next === undefined) break;
      // The kernel knows `.` and `..` itself.
      if (plus && entry.next > 2) answer.entryBefore(done, entry.attr, this.#told(directory, entry.attr, validMs));
      done = next;
    }
    return done;
  }

  // ── contents ──

  /**
   * Read-only and not live, no record can go away: the kernel is told that OPEN is not needed, and never asks again.
   * Else it must ask, because opening for writing is refused to root too, and because what is open must be known.
   */
  #openRecord(ino: number): number {
    const flags = this.request.u32(ARGUMENT + OPEN_IN.flags);
    if ((flags & O_ACCMODE) !== 0) return this.#refuse('openForWriting');
    const { readOnly, updateMs } = this.#options;
    if (readOnly && updateMs === 0) return errno('ENOSYS');
    // Gone since its name was looked up: the kernel looks it up again.
    if (!this.#open.open(ino)) return -ESTALE;
    // Pages belong to an inode, and an inode is always the same record. Without them each read is one that somebody made.
    const caching = this.#tree.countsReads(ino) ? OpenFlag.DIRECT_IO : OpenFlag.KEEP_CACHE;
    return this.#answer.opened(caching | OpenFlag.NOFLUSH);
  }

  /** The bytes go from where they are straight to their place after the answer's header. */
  #read(ino: number): number {
    const length = this.request.u32(ARGUMENT + READ_IN.length);
    const position = this.request.u64(ARGUMENT + READ_IN.offset);
    const target = this.#answer.contents(length);
    const held = this.#open.content(ino);
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
    if (ino === 0) this.#names.dropIfErased(name);
    const attr = this.#attr(ino);
    const gone = [ino, ...this.#tree.erasedWith(ino)];
    const open = gone.filter((one) => this.#open.has(one));
    this.#open.whileErased(gone, () => this.#tree.unlink(directory, name));
    this.#names.erased(ino, directory, name, gone.length === 1 && !this.#tree.hasViews);
    for (const one of new Set(attr?.nlink === 2 ? [ino, ...open] : open)) this.#names.dropAttributes(one);
    return 0;
  }

  // ── beginning ──

  #init(): number {
    const { request } = this;
    const major = request.u32(ARGUMENT + INIT_IN.major);
    const minor = request.u32(ARGUMENT + INIT_IN.minor);
    // A newer kernel asks again in the words of version 7.
    if (major > FUSE_MAJOR) return this.#answer.version(minor);
    if (major < FUSE_MAJOR || minor < OLDEST_MINOR) {
      this.#fault(`the kernel speaks version ${major}.${minor} of the FUSE protocol; 7.${OLDEST_MINOR} is needed`);
      return -EPROTO;
    }
    this.#names.hasEpochs = minor >= EPOCH_MINOR;
    this.#started = true;
    const flags = request.u32(ARGUMENT + INIT_IN.flags) & WANTED;
    return this.#answer.init(minor, request.u32(ARGUMENT + INIT_IN.maxReadahead), flags);
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
