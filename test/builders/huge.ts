// A medium of terabytes in which hardly anything stands: it tells where, and counts what is read of it all the same.

import { type Run, roomAt, type Storage } from '../../lib/storage/storage.js';

export interface HugePart {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export class HugeStorage implements Storage {
  readonly path = 'image.raw';
  readonly writable = false;
  readonly size: number;
  bytesRead = 0;
  readonly #parts: readonly HugePart[];

  /** @param parts in the order of their offsets, and apart from each other */
  constructor(size: number, parts: readonly HugePart[]) {
    this.size = size;
    this.#parts = parts;
  }

  read(target: Uint8Array, offset: number): number {
    const room = roomAt(this.size, offset, target.length);
    target.fill(0, 0, room);
    for (const part of this.#parts) {
      const from = Math.max(offset, part.offset);
      const to = Math.min(offset + room, part.offset + part.bytes.length);
      if (from < to) target.set(part.bytes.subarray(from - part.offset, to - part.offset), from - offset);
    }
    this.bytesRead += room;
    return room;
  }

  nextRun(offset: number): Run | undefined {
    const part = this.#parts.find((one) => one.offset + one.bytes.length > offset);
    return part && { from: Math.max(offset, part.offset), to: part.offset + part.bytes.length };
  }

  write(): void {
    throw new Error('nothing is written here');
  }

  sync(): void {}

  close(): void {}
}
