// Copy on write: a storage that is only read, and the blocks that were written over it, which are kept elsewhere.

import { PstoreError } from '../errors.js';
import { nextRun, type Run, readRange, type Storage } from './storage.js';

/** Bytes that are kept together; the last block of a storage may be shorter. */
export const OVERLAY_BLOCK = 4096;

/** Where the blocks are kept that were written. */
export interface WrittenBlocks {
  /** All that were written, ascending. @param from the first that is asked for @param end the first that is not */
  numbers(from?: number, end?: number): Iterable<number>;
  has(block: number): boolean;
  /** @throws PstoreError EIO */
  get(block: number): Uint8Array;
  /** @throws PstoreError EIO, ENOSPC */
  set(block: number, bytes: Uint8Array): void;
  sync(): void;
  close(): void;
}

/** Blocks that are gone when the program ends. */
export class BlocksInMemory implements WrittenBlocks {
  readonly #blocks = new Map<number, Uint8Array>();

  numbers(from = 0, end = Number.POSITIVE_INFINITY): number[] {
    return [...this.#blocks.keys()].filter((block) => block >= from && block < end).sort((a, b) => a - b);
  }

  has(block: number): boolean {
    return this.#blocks.has(block);
  }

  get(block: number): Uint8Array {
    return this.#blocks.get(block) ?? new Uint8Array(0);
  }

  set(block: number, bytes: Uint8Array): void {
    this.#blocks.set(block, bytes.slice());
  }

  sync(): void {}

  close(): void {}
}

/** Bytes that differ from those below. */
export interface Change {
  readonly offset: number;
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

export class OverlayStorage implements Storage {
  readonly path: string;
  readonly size: number;
  readonly writable = true;
  readonly #below: Storage;
  readonly #blocks: WrittenBlocks;

  constructor(below: Storage, blocks: WrittenBlocks = new BlocksInMemory()) {
    this.#below = below;
    this.#blocks = blocks;
    this.path = below.path;
    this.size = below.size;
  }

  read(target: Uint8Array, offset: number): number {
    const length = Math.max(0, Math.min(target.length, this.size - offset));
    if (length === 0) return 0;
    for (let done = 0; done < length; ) {
      const at = offset + done;
      const [block, within] = [Math.floor(at / OVERLAY_BLOCK), at % OVERLAY_BLOCK];
      let room = Math.min(OVERLAY_BLOCK - within, length - done);
      if (this.#blocks.has(block)) {
        target.set(this.#blocks.get(block).subarray(within, within + room), done);
      } else {
        // What stands side by side below is read at once.
        while (done + room < length && !this.#blocks.has(Math.floor((at + room) / OVERLAY_BLOCK))) {
          room += Math.min(OVERLAY_BLOCK, length - done - room);
        }
        const got = this.#below.read(target.subarray(done, done + room), at);
        if (got < room) return done + got;
      }
      done += room;
    }
    return length;
  }

  /** What was written may stand in a hole of the storage below. */
  nextRun(offset: number): Run | undefined {
    const run = nextRun(this.#below, offset);
    const end = Math.ceil((run?.from ?? this.size) / OVERLAY_BLOCK);
    for (const block of this.#blocks.numbers(Math.floor(offset / OVERLAY_BLOCK), end)) {
      const from = Math.max(offset, block * OVERLAY_BLOCK);
      if (from < (run?.from ?? this.size)) return { from, to: Math.min(this.size, (block + 1) * OVERLAY_BLOCK) };
    }
    return run;
  }

  write(bytes: Uint8Array, offset: number): void {
    if (offset < 0 || offset + bytes.length > this.size) {
      const { path } = this;
      throw new PstoreError('EIO', `${path}: a write of ${bytes.length} bytes at ${offset} leaves the image`, {
        path,
        offset,
      });
    }
    for (let done = 0; done < bytes.length; ) {
      const at = offset + done;
      const [block, within] = [Math.floor(at / OVERLAY_BLOCK), at % OVERLAY_BLOCK];
      const part = bytes.subarray(done, done + OVERLAY_BLOCK - within);
      const whole = this.#whole(block);
      whole.set(part, within);
      this.#blocks.set(block, whole);
      done += part.length;
    }
  }

  #whole(block: number): Uint8Array {
    if (this.#blocks.has(block)) return this.#blocks.get(block).slice();
    const bytes = new Uint8Array(Math.min(OVERLAY_BLOCK, this.size - block * OVERLAY_BLOCK));
    bytes.set(readRange(this.#below, block * OVERLAY_BLOCK, bytes.length));
    return bytes;
  }

  sync(): void {
    this.#blocks.sync();
  }

  /** The bytes that differ from those below, in runs, ascending. */
  *changes(): Generator<Change> {
    for (const block of this.#blocks.numbers()) {
      const offset = block * OVERLAY_BLOCK;
      const to = this.#blocks.get(block);
      const from = readRange(this.#below, offset, to.length);
      for (let at = 0; at < to.length; at++) {
        if (to[at] === from[at]) continue;
        const begin = at;
        while (at < to.length && to[at] !== from[at]) at++;
        yield { offset: offset + begin, from: from.subarray(begin, at), to: to.subarray(begin, at) };
      }
    }
  }

  close(): void {
    this.#blocks.close();
    this.#below.close();
  }
}
