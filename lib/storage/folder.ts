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
