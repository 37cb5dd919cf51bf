// Our bundles with the bytecode that V8 made of them at an earlier start: to parse half a megabyte of JavaScript takes as
// long as to start Node. It is kept in the user's own cache folder, and nothing of it is believed that somebody else
// could have written, or that was damaged.

import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import module, { createRequire } from 'node:module';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { Script } from 'node:vm';
import { readingBuffer } from '../storage/storage.js';
import { optimiseAsEver } from './optimise.js';

export interface Loaded<T> {
  readonly exports: T;
  /** Keeps the bytecode of what has run for the next start, where there is none yet. */
  keep(): void;
}

type Bundle = (
  exports: object,
  require: NodeJS.Require,
  module: { exports: object },
  file: string,
  dir: string,
) => void;

/** Node keeps bytecode itself from 22.1 on. */
interface CompileCache {
  enableCompileCache?(folder: string): unknown;
  flushCompileCache?(): void;
}

/**
 * Runs a bundle, a CommonJS module without `import()`.
 * @param use what it is loaded for: the bytecode is of what has run, which is another part for each use
 */
export function load<T extends object>(path: string, use: string): Loaded<T> {
  const folder = cacheFolder();
  const { enableCompileCache, flushCompileCache } = module as unknown as CompileCache;
  const require = createRequire(path);
  if (enableCompileCache === undefined && folder !== undefined) return new OwnBytecode(path, folder, use).run(require);
  if (folder !== undefined) enableCompileCache?.(folder);
  return { exports: require(path) as T, keep: () => flushCompileCache?.() };
}

/** Group and others may not write. */
const FOREIGN_WRITE = 0o022;

function isOurs({ uid, mode }: { uid: number; mode: number }): boolean {
  return uid === process.geteuid!() && (mode & FOREIGN_WRITE) === 0;
}

/**
 * The folder of this user's caches that is ours; made where it is missing, but not in the home of somebody else, where
 * sudo may have left us.
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const { XDG_CACHE_HOME: given = '', HOME: home = '' } = env;
  const parent = isAbsolute(given) ? given : isAbsolute(home) ? join(home, '.cache') : undefined;
  if (parent === undefined) return undefined;
  const folder = join(parent, 'pstorefuse');
  try {
    const stats = lstatSync(folder, { throwIfNoEntry: false });
    if (stats) return stats.isDirectory() && isOurs(stats) ? folder : undefined;
    const above = statSync(parent, { throwIfNoEntry: false }) ?? statSync(dirname(parent));
    if (above.uid !== process.geteuid!()) return undefined;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folder;
  } catch {
    return undefined;
  }
}

function readFile(path: string): Buffer {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    return readWhole(fd, fstatSync(fd).size);
  } finally {
    closeSync(fd);
  }
}

/** Node's own readFileSync() reads to where copying is slow: see readingBuffer(). */
function readWhole(fd: number, size: number): Buffer {
  const { buffer, byteOffset } = readingBuffer(size);
  const bytes = Buffer.from(buffer, byteOffset, size);
  let done = 0;
  while (done < size) {
    const got = readSync(fd, bytes, done, size - done, done);
    if (got === 0) break;
    done += got;
  }
  return bytes.subarray(0, done);
}

/** What tells this Node's file from another one of the same version, which may have been built in another way. */
function nodeFile(): string {
  const { dev, ino, size, mtimeMs } = statSync(process.execPath);
  return `${dev}:${ino}:${size}:${mtimeMs}`;
}

/**
 * The bytecode of one bundle. In its file stand a line that says for which Node it is, the bundle, and the bytecode
 * twice: to compare bytes takes no time, while zlib or crypto would take longer to load than is saved here.
 */
class OwnBytecode {
  readonly #path: string;
  readonly #file: string;
  readonly #source: Buffer;
  /** V8 makes other bytecode with other flags. */
  readonly #key: Buffer;

  constructor(path: string, folder: string, use: string) {
    this.#path = path;
    this.#file = join(folder, `${basename(path)}.${use}.${process.version}-${process.arch}`);
    this.#source = readFile(path);
    const flags = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ');
    this.#key = Buffer.from(`${process.version} ${process.versions.v8} ${process.arch} ${nodeFile()} ${flags}\n`);
  }

  run<T extends object>(require: NodeJS.Require): Loaded<T> {
    const cachedData = this.#read();
    // The bundles are ASCII.
    const text = this.#source.toString('latin1');
    const options = { filename: this.#path, ...(cachedData ? { cachedData } : {}) };
    const script = new Script(`(function (exports, require, module, __filename, __dirname) {${text}\n})`, options);
    const module = { exports: {} };
    const bundle = script.runInThisContext() as Bundle;
    bundle(module.exports, require, module, this.#path, dirname(this.#path));
    const isMissing = cachedData === undefined || script.cachedDataRejected === true;
    return { exports: module.exports as T, keep: () => isMissing && this.#keep(script) };
  }

  /** @returns undefined where there is none that is whole, of this bundle and Node, and only ours to write */
  #read(): Buffer | undefined {
    let fd: number | undefined;
    try {
      fd = openSync(this.#file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const stats = fstatSync(fd);
      if (!stats.isFile() || !isOurs(stats)) return undefined;
      const bytes = readWhole(fd, stats.size);
      const front = this.#key.length + this.#source.length;
      const half = (bytes.length - front) / 2;
      if (!(half > 0) || !Number.isInteger(half)) return undefined;
      const [data, copy] = [bytes.subarray(front, front + half), bytes.subarray(front + half)];
      const isOfBundle = bytes.subarray(0, this.#key.length).equals(this.#key);
      const isOfSource = bytes.subarray(this.#key.length, front).equals(this.#source);
      return isOfBundle && isOfSource && data.equals(copy) ? data : undefined;
    } catch {
      return undefined;
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  #keep(script: Script): void {
    // V8 takes no bytecode that was made while optimiseLess() held.
    optimiseAsEver();
    this.#write(script.createCachedData());
  }

  /** Another process may be writing the same: each has a file of its own, and the last one's stays. */
  #write(data: Buffer): void {
    const file = `${this.#file}.${process.pid}`;
    try {
      writeFileSync(file, Buffer.concat([this.#key, this.#source, data, data]), { flag: 'wx', mode: 0o600 });
      renameSync(file, this.#file);
    } catch {
      try {
        unlinkSync(file);
      } catch {
        // It was not even made: the disk is full, or the folder is gone.
      }
    }
  }
}
