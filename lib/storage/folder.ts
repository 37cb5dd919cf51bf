// A folder of small files, each of which is read as a whole. Knows no format, and no other folder.

import { printableLine } from '../printable.js';
import { counted } from '../warnings.js';

export interface FolderFile {
  /** Its path from the folder on; `/` stands only between a folder's name and a file's. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Differs when it is another file, or was written since. */
  readonly identity: string;
}

/** Differs where another file, or other bytes, have its name. */
export function keyOfFile({ identity, name }: FolderFile): string {
  return `${identity} ${name}`;
}

/** What was found in each file, as long as it is the same file. */
export class KnownFiles<T> {
  #known = new Map<string, T>();

  of(file: FolderFile, look: () => T): T {
    const key = keyOfFile(file);
    if (!this.#known.has(key)) this.#known.set(key, look());
    return this.#known.get(key) as T;
  }

  /** Lets go of what was found in others than these: a folder may change for as long as a mount lives. */
  keep(files: readonly FolderFile[]): void {
    const keys = new Set(files.map(keyOfFile));
    for (const key of this.#known.keys()) if (!keys.has(key)) this.#known.delete(key);
  }
}

/** Told of what a listing leaves out. @param why as a sentence goes on after the name */
export type LeftOut = (name: string, why: string, isFolder: boolean) => void;

export interface Folder {
  /** What to call it in messages. */
  readonly path: string;
  /** Whether remove() can work at all. */
  readonly writable: boolean;
  /**
   * Regular files, those of its folders too, in the order of their names; links are not followed.
   * @param leftOut told of all else that is there, and of folders that cannot be looked into
   * @throws PstoreError EACCES, EIO
   */
  files(leftOut?: LeftOut): readonly FolderFile[];
  /**
   * The `length` bytes from `offset` on of a file that was listed, or fewer where it ends.
   * @param offset 0 where it is left out
   * @throws PstoreError ENOENT, EACCES, EIO
   */
  read(file: FolderFile, length: number, offset?: number): Uint8Array;
  /**
   * Removes a file, durably, if it still is the one that was listed.
   * @throws PstoreError EPERM, EACCES, EROFS, EIO
   */
  remove(file: FolderFile): void;
}

/** What a listing has left out, for a sentence. */
export class LeftOutNames {
  #first = '';
  #count = 0;

  add(name: string, why: string): void {
    if (this.#count++ === 0) this.#first = `${printableLine(name)} ${why}`;
  }

  /** Sentences: none where nothing was left out. */
  told(): string[] {
    const more = this.#count > 1 ? `; ${counted(this.#count - 1, 'more is', 'more are')} left out, too` : '';
    return this.#count === 0 ? [] : [`${this.#first}${more}`];
  }
}
