// A part of a larger storage: the keys offset= and size=.

import { PstoreError } from '../errors.js';
import { nextRun, type Run, roomAt, type Storage } from './storage.js';

export class SliceStorage implements Storage {
  /** Offsets in messages count from the part's first byte: it is named with the file. */
  readonly path: string;
  readonly size: number;
  readonly writable: boolean;
  /** First byte of the part in the storage below. */
  readonly base: number;
  readonly #below: Storage;

  /** @throws PstoreError EINVAL when the part does not lie inside the storage below */
  constructor(below: Storage, base: number, size = below.size - base, writable = below.writable) {
    if (!(base >= 0) || base > below.size || size < 0 || base + size > below.size) {
      throw new PstoreError(
        'EINVAL',
        `${below.path} has ${below.size} bytes: offset=${base} with size=${size} leaves it; give a part that lies inside`,
        { path: below.path, offset: base },
      );
    }
    this.#below = below;
    this.path = base === 0 ? below.path : `${below.path},offset=${base}`;
    this.base = base;
    this.size = size;
    this.writable = writable;
    if (below.erase) this.erase = (offset, length) => below.erase?.(base + offset, length);
  }

  erase?: (offset: number, length: number) => void;

  isLost(offset: number, length: number): boolean {
    return this.#below.isLost?.(this.base + offset, length) ?? false;
  }

  nextRun(offset: number): Run | undefined {
    const run = nextRun(this.#below, this.base + offset);
    if (!run || run.from >= this.base + this.size) return undefined;
    return { from: run.from - this.base, to: Math.min(run.to - this.base, this.size) };
  }

  read(target: Uint8Array, offset: number): number {
    const room = roomAt(this.size, offset, target.length);
    return room === 0 ? 0 : this.#below.read(target.subarray(0, room), this.base + offset);
  }

  write(bytes: Uint8Array, offset: number): void {
    if (offset < 0 || offset + bytes.length > this.size) {
      throw new PstoreError('EIO', `${this.path}: a write of ${bytes.length} bytes at ${offset} leaves the part`, {
        path: this.path,
        offset: this.base + offset,
      });
    }
    this.#below.write(bytes, this.base + offset);
  }

  sync(): void {
    this.#below.sync();
  }

  close(): void {
    this.#below.close();
  }
}

/** All of a storage, of which no byte may change. */
export class ReadOnlyStorage extends SliceStorage {
  constructor(below: Storage) {
    super(below, 0, below.size, false);
    delete this.erase;
  }

  override write(): void {
    throw new PstoreError('EROFS', `${this.path} is opened read-only: leave ro out to change it`, { path: this.path });
  }
}
