// A file of a folder as a storage, which is not kept in memory: a folder may have thousands of files.

import { PstoreError } from '../errors.js';
import type { Folder, FolderFile } from './folder.js';
import { roomAt, type Storage } from './storage.js';

export class FolderFileStorage implements Storage {
  readonly path: string;
  readonly size: number;
  readonly writable = false;
  readonly #folder: Folder;
  readonly #file: FolderFile;
  #bytes: Uint8Array | undefined;

  /** @param most bytes of the file that count; others are not there */
  constructor(folder: Folder, file: FolderFile, most: number) {
    this.path = `${folder.path}/${file.name}`;
    this.size = Math.min(file.size, most);
    this.#folder = folder;
    this.#file = file;
  }

  /** Lets `look` read without asking the folder each time. @throws PstoreError as read() does */
  whileLoaded<T>(look: () => T): T {
    this.#bytes = this.#folder.read(this.#file, this.size);
    try {
      return look();
    } finally {
      this.#bytes = undefined;
    }
  }

  /** @throws PstoreError ENOENT, EACCES; EIO also where another file has its name by now */
  read(target: Uint8Array, offset: number): number {
    const wanted = roomAt(this.size, offset, target.length);
    const part = this.#bytes?.subarray(offset, offset + wanted) ?? this.#folder.read(this.#file, wanted, offset);
    target.set(part);
    return part.length;
  }

  write(): void {
    throw new PstoreError('EROFS', `${this.path} is a file of a folder: it is only read`, { path: this.path });
  }

  sync(): void {}

  close(): void {}
}
