// Storage in memory: unpacked images, copies that are searched, and tests.

import { PstoreError } from '../errors.js';
import { roomAt, type Storage } from './storage.js';

export class MemoryStorage implements Storage {
  readonly path: string;
  readonly writable: boolean;
  readonly bytes: Uint8Array;
  /** Set where the bytes are a copy of a storage that has lost some. */
  isLost?: (offset: number, length: number) => boolean;

  constructor(bytes: Uint8Array, { path = 'memory', writable = true } = {}) {
    this.bytes = bytes;
    this.path = path;
    this.writable = writable;
  }

  get size(): number {
    return this.bytes.length;
  }

  read(target: Uint8Array, offset: number): number {
    const part = this.bytes.subarray(offset, offset + roomAt(this.size, offset, target.length));
    target.set(part);
    return part.length;
  }

  write(bytes: Uint8Array, offset: number): void {
    if (!this.writable) throw new PstoreError('EROFS', `${this.path} is read-only`, { path: this.path });
    if (offset < 0 || offset + bytes.length > this.bytes.length) {
      throw new PstoreError('EIO', `${this.path}: a write of ${bytes.length} bytes at ${offset} leaves the image`, {
        path: this.path,
        offset,
      });
    }
    this.bytes.set(bytes, offset);
  }

  sync(): void {}

  close(): void {}
}
