// A folder of small files, each of which is read as a whole. Knows no format, and no other folder.

export interface FolderFile {
  /** Its path from the folder on; `/` stands only between a folder's name and a file's. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Differs when it is another file, or was written since. */
  readonly identity: string;
}

export interface Folder {
  /** What to call it in messages. */
  readonly path: string;
  /** Whether remove() can work at all. */
  readonly writable: boolean;
  /**
   * Regular files, those of its folders too, in the order of their names; links are not followed.
   * @throws PstoreError EACCES, EIO
   */
  files(): readonly FolderFile[];
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
