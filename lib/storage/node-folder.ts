// A folder of the file system.

import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  unlinkSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fromSystem, PstoreError } from '../errors.js';
import { reasonOf } from './file.js';
import type { Folder, FolderFile, LeftOut } from './folder.js';
import { makeRemovable } from './immutable.js';
import { syncFolder } from './new-file.js';
import { roomAt } from './storage.js';

/** More files than any folder of records has. */
const MAX_FILES = 65_536;

export class NodeFolder implements Folder {
  readonly path: string;
  readonly writable: boolean;
  /** Whoever serves a mount leaves the folder that it was called from. */
  readonly #root: string;

  constructor(path: string) {
    this.path = path;
    this.#root = resolve(path);
    this.writable = isWritable(path);
  }

  files(leftOut?: LeftOut): readonly FolderFile[] {
    const files: FolderFile[] = [];
    for (const name of namesIn(this.#root)) {
      const stats = statOf(join(this.#root, name));
      if (stats?.isFile()) files.push({ name, ...factsOf(stats) });
      else if (stats?.isDirectory()) this.#addInner(name, files, leftOut);
      else if (stats) leftOut?.(name, whyLeftOut(stats), false);
      if (files.length > MAX_FILES) {
        throw new PstoreError('EFBIG', `${this.path} has more than ${MAX_FILES} files: no folder of records has`, {
          path: this.path,
        });
      }
    }
    return files;
  }

  /** One that cannot be looked into hides only its own files. */
  #addInner(folder: string, files: FolderFile[], leftOut?: LeftOut): void {
    let names: string[];
    try {
      names = namesIn(join(this.#root, folder));
    } catch (error) {
      leftOut?.(folder, `cannot be looked into: ${reasonOf((error as Error).cause)}`, true);
      return;
    }
    for (const inner of names) {
      const name = `${folder}/${inner}`;
      const stats = statOf(join(this.#root, name));
      if (stats?.isFile()) {
        if (files.length <= MAX_FILES) files.push({ name, ...factsOf(stats) });
      } else if (stats && !stats.isDirectory()) leftOut?.(name, whyLeftOut(stats), false);
    }
  }

  read(file: FolderFile, length: number, offset = 0): Uint8Array {
    const path = join(this.#root, file.name);
    const fd = this.#open(path, file);
    try {
      const bytes = new Uint8Array(roomAt(fstatSync(fd).size, offset, length));
      let done = 0;
      while (done < bytes.length) {
        const got = readSync(fd, bytes, done, bytes.length - done, offset + done);
        if (got === 0) break;
        done += got;
      }
      return bytes.subarray(0, done);
    } catch (error) {
      throw fromSystem(error, `${path} cannot be read: ${reasonOf(error)}`, { path });
    } finally {
      closeSync(fd);
    }
  }

  /** Not blocking, and no link: something else may have taken the file's place. */
  #open(path: string, file: FolderFile): number {
    let fd: number;
    try {
      fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      throw fromSystem(error, `${path} cannot be opened: ${reasonOf(error)}`, { path });
    }
    if (factsOf(fstatSync(fd, { bigint: true })).identity === file.identity) return fd;
    closeSync(fd);
    throw new PstoreError('EIO', `${path} is another file than the one that was listed; list again`, { path });
  }

  remove(file: FolderFile): void {
    const path = join(this.#root, file.name);
    const stats = statOf(path);
    if (!stats || factsOf(stats).identity !== file.identity) return;
    try {
      unlinkSync(path);
    } catch (error) {
      const isHeld = (error as NodeJS.ErrnoException).code === 'EPERM';
      if (!isHeld || !this.#removesHeld(path, file)) {
        const advice = isHeld ? `; it may be immutable: chattr -i '${path}', and try again` : '';
        throw fromSystem(error, `${path} cannot be removed: ${reasonOf(error)}${advice}`, { path });
      }
    }
    syncFolder(dirname(path));
  }

  /** Tries once more without the flag that stands in the way. @returns false where that does not help */
  #removesHeld(path: string, file: FolderFile): boolean {
    const fd = this.#open(path, file);
    try {
      if (!makeRemovable(fd, path)) return false;
      unlinkSync(path);
      return true;
    } catch {
      return false;
    } finally {
      closeSync(fd);
    }
  }
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    throw fromSystem(error, `${path} cannot be listed: ${reasonOf(error)}`, { path });
  }
}

type Stats = NonNullable<ReturnType<typeof statOf>>;

/** undefined for what is gone since the listing, or must not be looked at. */
function statOf(path: string) {
  try {
    return lstatSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

function whyLeftOut(stats: Stats): string {
  return stats.isSymbolicLink() ? 'is a link, which is not followed' : 'is no regular file';
}

function factsOf({ dev, ino, size, mtimeNs }: Pick<Stats, 'dev' | 'ino' | 'size' | 'mtimeNs'>) {
  return { size: Number(size), identity: `${dev}:${ino}:${size}:${mtimeNs}` };
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
