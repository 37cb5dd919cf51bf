// The transport fuse-native: libfuse 2 through the npm package, for who asks for it.
// Each hazard of that package (spec: FUSE facts) is handled here and nowhere else.

import { readdirSync } from 'node:fs';
import type { Callback, Options } from 'fuse-native';
import { CODES, type ErrorCode, PstoreError } from '../errors.js';
import type { RecordContent } from '../pstore/backend.js';
import { type Refused, refusal } from '../tree/refusals.js';
import { type Attr, NAME_MAX, type Tree } from '../tree/tree.js';
import { IN_A_CONTAINER, isFuse } from './device.js';
import { loadFuse } from './libfuse.js';
import { Snapshots } from './snapshots.js';
import type { ServeOptions } from './transport.js';

/** How often it is looked whether libfuse has ended: fuse-native does not tell. */
const WATCH_MS = 250;
const NANOSECONDS_PER_MS = 1_000_000n;
/** libfuse renames an open file to such a name before it is unlinked, so that it can be read on. */
const HIDDEN = /^\/(?:.*\/)?\.fuse_hidden[0-9a-f]{16}$/;
const BLOCK_SIZE = 512;
/** open(2): write-only and read-write; and cutting to nothing. */
const O_ACCMODE = 3;
const O_TRUNC = 0o1000;

/** Errors as fuse-native wants them: negative. */
function negative(code: ErrorCode): number {
  return -CODES[code].errno;
}

type Handler = (...args: never[]) => void;

/** One client's view of the tree by paths, as libfuse's high-level interface has it. */
class Handlers {
  readonly #tree: Tree;
  readonly #options: ServeOptions;
  readonly #open = new Map<number, { readonly ino: number; readonly content: RecordContent }>();
  /** Erased records that somebody still reads, under the names that libfuse gave them. */
  readonly #hidden = new Map<string, { attr: Attr; content: RecordContent }>();
  readonly #snapshots = new Snapshots();
  #nextFd = 1;
  #refreshed = Date.now();

  constructor(tree: Tree, options: ServeOptions) {
    this.#tree = tree;
    this.#options = options;
  }

  /** The one place where errors meet FUSE: every handler answers exactly once, whatever happens. */
  #answer(done: Callback, make: () => unknown[]): void {
    let values: unknown[];
    try {
      this.#options.onActivity();
      this.#refreshIfDue();
      values = make();
    } catch (error) {
      if (!(error instanceof PstoreError)) this.#options.log(`a bug of pstorefuse: ${(error as Error).stack ?? error}`);
      else if (error.code === 'EIO') this.#options.log(error.message);
      done(error instanceof PstoreError ? -error.errno : negative('EIO'));
      return;
    }
    done(...(values as [number, ...unknown[]]));
  }

  #refreshIfDue(): void {
    const { updateMs } = this.#options;
    if (updateMs === 0 || Date.now() - this.#refreshed < updateMs) return;
    this.#refreshed = Date.now();
    this.#tree.refresh(({ message }) => this.#options.log(message));
  }

  #ino(path: string): number {
    const ino = this.#tree.resolve(path);
    if (ino === 0) throw new PstoreError('ENOENT', `there is no ${path}`);
    return ino;
  }

  #split(path: string): { directory: number; name: string } {
    const at = path.lastIndexOf('/');
    return { directory: this.#ino(path.slice(0, at)), name: path.slice(at + 1) };
  }

  #stat(attr: Attr): Record<string, number> {
    // Whole milliseconds are all that fuse-native takes; it cannot do dates before 1970.
    const ms = attr.timeNs < 0n ? 0 : Number(attr.timeNs / NANOSECONDS_PER_MS);
    const { ino, mode, nlink, uid, gid, size } = attr;
    const blocks = Math.ceil(size / BLOCK_SIZE);
    return { ino, mode, nlink, uid, gid, size, blocks, blksize: 4096, atime: ms, mtime: ms, ctime: ms };
  }

  #attr(path: string): Attr {
    const hidden = this.#hidden.get(path);
    if (hidden) return hidden.attr;
    const attr = this.#tree.attr(this.#ino(path));
    if (!attr) throw new PstoreError('ENOENT', `there is no ${path}`);
    return attr;
  }

  #refuse(what: Refused, done: Callback): void {
    this.#answer(done, () => [negative(refusal(what, this.#options.readOnly))]);
  }

  /** Nothing is renamed; but libfuse calls an unlink of an open file so, to have it unlinked at its release. */
  #rename(from: string, to: string): void {
    const { directory, name } = this.#split(from);
    const ino = this.#ino(from);
    const attr = this.#tree.attr(ino);
    const isOpen = [...this.#open.values()].some((open) => open.ino === ino);
    if (!HIDDEN.test(to) || !isOpen || !attr) {
      throw new PstoreError(refusal('rename', this.#options.readOnly), `${from} cannot be renamed`);
    }
    const content = this.#tree.open(ino);
    try {
      this.#tree.unlink(directory, name);
    } catch (error) {
      content.close?.();
      throw error;
    }
    this.#hidden.set(to, { attr: { ...attr, nlink: 0 }, content });
  }

  #unlink(path: string): void {
    const hidden = this.#hidden.get(path);
    if (hidden) {
      hidden.content.close?.();
      this.#hidden.delete(path);
      return;
    }
    const { directory, name } = this.#split(path);
    this.#tree.unlink(directory, name);
  }

  #openRecord(path: string, flags: number): number {
    if ((flags & (O_ACCMODE | O_TRUNC)) !== 0) {
      throw new PstoreError(refusal('openForWriting', this.#options.readOnly), `${path} cannot be written`);
    }
    // A name that begins with a dot shows what libfuse has hidden, but it is nobody's to open.
    const ino = this.#ino(path);
    const fd = this.#nextFd++;
    this.#open.set(fd, { ino, content: this.#openContent(ino) });
    return fd;
  }

  #openContent(ino: number): RecordContent {
    const content = this.#tree.open(ino);
    return this.#options.updateMs > 0 ? this.#snapshots.take(content) : content;
  }

  /** Handlers by fuse-native's names. */
  table(): Record<string, Handler> {
    const refuse =
      (what: Refused) =>
      (...args: unknown[]) =>
        this.#refuse(what, args.at(-1) as Callback);
    return {
      getattr: (path: string, done: Callback) => this.#answer(done, () => [0, this.#stat(this.#attr(path))]),
      fgetattr: (path: string, _fd: number, done: Callback) =>
        this.#answer(done, () => [0, this.#stat(this.#attr(path))]),
      readdir: (path: string, done: Callback) => this.#answer(done, () => this.#readdir(path)),
      open: (path: string, flags: number, done: Callback) =>
        this.#answer(done, () => [0, this.#openRecord(path, flags)]),
      read: (
        _path: string,
        fd: number,
        buffer: Buffer,
        length: number,
        position: number,
        done: (count: number) => void,
      ) =>
        this.#answer(
          (code, count) => done(code < 0 ? code : (count as number)),
          () => [0, this.#open.get(fd)?.content.read(buffer.subarray(0, length), position) ?? negative('EIO')],
        ),
      release: (_path: string, fd: number, done: Callback) =>
        this.#answer(done, () => {
          this.#open.get(fd)?.content.close?.();
          this.#open.delete(fd);
          return [0];
        }),
      unlink: (path: string, done: Callback) =>
        this.#answer(done, () => {
          this.#unlink(path);
          return [0];
        }),
      rename: (from: string, to: string, done: Callback) =>
        this.#answer(done, () => {
          this.#rename(from, to);
          return [0];
        }),
      rmdir: (path: string, done: Callback) =>
        this.#answer(done, () => {
          const directory = this.#tree.isDirectory(this.#ino(path));
          return [negative(directory ? refusal('rmdir', this.#options.readOnly) : 'ENOTDIR')];
        }),
      statfs: (_path: string, done: Callback) => this.#answer(done, () => [0, this.#statfs()]),
      create: refuse('create'),
      mknod: refuse('mknod'),
      mkdir: refuse('mkdir'),
      symlink: refuse('symlink'),
      link: refuse('link'),
      truncate: refuse('truncate'),
      ftruncate: refuse('truncate'),
      chmod: refuse('chmod'),
      chown: refuse('chown'),
      utimens: refuse('utimens'),
      setxattr: refuse('setxattr'),
      removexattr: refuse('removexattr'),
      getxattr: refuse('setxattr'),
      listxattr: refuse('setxattr'),
    };
  }

  #readdir(path: string): unknown[] {
    const directory = this.#ino(path);
    if (!this.#tree.isDirectory(directory)) return [negative('ENOTDIR')];
    const names: string[] = [];
    const stats: unknown[] = [];
    for (const entry of this.#tree.entries(directory)) {
      names.push(entry.name);
      stats.push(this.#stat(entry.attr));
    }
    return [0, names, stats];
  }

  #statfs(): Record<string, number> {
    const { blockSize, blocks, freeBlocks, files, freeFiles } = this.#tree.statfs();
    return {
      bsize: blockSize,
      frsize: blockSize,
      blocks,
      bfree: freeBlocks,
      bavail: freeBlocks,
      files,
      ffree: freeFiles,
      favail: freeFiles,
      namemax: NAME_MAX,
    };
  }

  /** The buffer may be empty, which asks for the size; fuse-native itself would write after a small one. */
  getxattr(done: Callback, path: string, name: string, value: Buffer): void {
    let code = 0;
    this.#answer(
      (answer) => {
        code = answer;
      },
      () => {
        const text = this.#tree.xattrs(this.#ino(path)).get(name);
        if (text === undefined) return [name.startsWith('user.') ? negative('ENODATA') : negative('ENOTSUP')];
        return [fill(value, Buffer.from(text))];
      },
    );
    done(code, value.buffer);
  }

  listxattr(done: Callback, path: string, list: Buffer): void {
    let code = 0;
    this.#answer(
      (answer) => {
        code = answer;
      },
      () => [
        fill(list, Buffer.from([...this.#tree.xattrs(this.#ino(path)).keys()].map((name) => `${name}\0`).join(''))),
      ],
    );
    done(code, list.buffer);
  }
}

/** @returns what getxattr(2) gives: the size, or ERANGE where the buffer is too small */
function fill(buffer: Buffer, bytes: Buffer): number {
  if (buffer.length === 0) return bytes.length;
  if (buffer.length < bytes.length) return negative('ERANGE');
  return bytes.copy(buffer);
}

const DAY_SECONDS = 86_400;

/** Options that fuse-native has no words for, or drops because they are 0, go after the subtype. */
function libfuseOptions(tree: Tree, { mount, fsname, readOnly, updateMs }: ServeOptions): Options {
  if (fsname.includes(','))
    throw new PstoreError('EINVAL', `fsname=${fsname}: a comma cannot stand in it with fuse-native`);
  const isLive = updateMs > 0;
  const backends = tree.backends.map(({ backend }) => backend);
  const hasCompanions =
    mount.layout === 'both' || tree.hasViews || backends.some(({ erasedWith }) => erasedWith !== undefined);
  // A name that goes with another one does so without the kernel's knowing: each use of it asks anew, and brings the
  // attributes.
  const nameSeconds = isLive || (!readOnly && hasCompanions) ? 0 : DAY_SECONDS;
  const extra = [
    'use_ino',
    'readdir_ino',
    `entry_timeout=${nameSeconds}`,
    `negative_timeout=${nameSeconds}`,
    // Asking for them without the name would fail for whoever reads a record that was erased by its other name: a read
    // to the end does ask.
    `attr_timeout=${DAY_SECONDS}`,
    'default_permissions',
    // Who opened a record before its place was written again must not read the new one from the kernel's cache.
    // Where a backend counts what its readers get, libfuse can only let all files be read so.
    isLive || backends.some(({ countsReads }) => countsReads) ? 'direct_io' : 'kernel_cache',
  ];
  if (readOnly) extra.push('ro');
  if (mount.nonempty) extra.push('nonempty');
  extra.push('nosuid', 'nodev', ...mount.kernelFlags.filter((flag) => LIBFUSE_FLAGS.has(flag)));
  return {
    allowOther: mount.allowOther || (process.geteuid?.() === 0 && !mount.allowRoot),
    allowRoot: mount.allowRoot,
    fsname,
    subtype: ['pstorefuse', ...extra].join(','),
    timeout: false,
  };
}

/** Flags that libfuse 2 knows; the others make no difference to a file system that is only read and unlinked. */
const LIBFUSE_FLAGS = new Set(['noexec', 'exec', 'noatime', 'atime', 'sync', 'async', 'dirsync']);

/**
 * Mounts, and serves until it is unmounted.
 * @throws PstoreError ENODEV without FUSE, EPERM where the kernel refuses the mount
 */
export async function serveFuseNative(tree: Tree, options: ServeOptions): Promise<void> {
  const Base = loadFuse();
  const handlers = new Handlers(tree, options);
  class PstoreFuse extends Base {
    override _op_getxattr(signal: Callback, path: string, name: string, value: Buffer): void {
      handlers.getxattr(signal, path, name, value);
    }
    override _op_listxattr(signal: Callback, path: string, list: Buffer): void {
      handlers.listxattr(signal, path, list);
    }
  }
  const fuse = new PstoreFuse(
    options.mountPoint,
    traced(handlers.table(), options.debug),
    libfuseOptions(tree, options),
  );
  const others = openDevices();
  await new Promise<void>((resolve, reject) => {
    fuse.mount((error) => (error ? reject(mountFailure(error, options.mountPoint)) : resolve()));
  });
  const device = openDevices().find((fd) => !others.includes(fd));
  options.onReady();
  await new Promise<void>((resolve) => {
    const watch = setInterval(() => {
      options.deadlines.run();
      if (device !== undefined && openDevices().includes(device)) return;
      clearInterval(watch);
      resolve();
    }, WATCH_MS);
  });
}

/**
 * Descriptors of ours for /dev/fuse. libfuse closes its own when nobody can ask any more: not before the last user of a
 * lazily unmounted file system has gone. The mount's number in mountinfo would not tell: the next mount has it again.
 */
function openDevices(): string[] {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return isFuse(Number(fd));
    } catch {
      // It was the descriptor of the listing.
      return false;
    }
  });
}

/** Says what is asked, for `-d`. */
function traced(table: Record<string, Handler>, debug: ServeOptions['debug']): Record<string, Handler> {
  if (!debug) return table;
  return Object.fromEntries(
    Object.entries(table).map(([name, handler]) => [
      name,
      (...args: unknown[]) => {
        debug(`${name} ${args[0]}`);
        handler(...(args as never[]));
      },
    ]),
  );
}

function mountFailure(error: Error, mountPoint: string): PstoreError {
  const why = `${error.message}; ${IN_A_CONTAINER}`;
  return new PstoreError('ENODEV', `${mountPoint} could not be mounted by libfuse: ${why}`, {
    path: mountPoint,
    cause: error,
  });
}
