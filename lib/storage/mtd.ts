// Flash behind the kernel's device /dev/mtdN. It can be read anywhere, and is erased only in whole blocks, as mtdpstore does
// it: a block that still has other records stays as it is, and of what was removed in it only this process knows.

import { fromSystem } from '../errors.js';
import type { Warnings } from '../warnings.js';
import { deviceCalls, needDeviceCalls } from './device-calls.js';
import { readRange, type Storage } from './storage.js';

const BLANK = 0xff;

/** What a device says of itself. */
export interface FlashFacts {
  /** Bytes of an erase block; 0 for a device that cannot be erased. */
  readonly eraseSize: number;
  readonly hasBadBlocks: boolean;
}

interface Range {
  readonly from: number;
  readonly to: number;
}

export class MtdStorage implements Storage {
  readonly path: string;
  readonly size: number;
  readonly writable: boolean;
  /** The keys of a source that say what the device says of itself. */
  readonly keys: readonly (readonly [string, string])[];
  readonly #device: Storage & { readonly fd: number };
  readonly #eraseSize: number;
  readonly #warnings: Warnings | undefined;
  /** What was removed, by the number of its block, until that is erased: it reads as blank. */
  readonly #removed = new Map<number, Range[]>();

  /** @param warnings told of what stays on the medium though it was removed */
  constructor(device: Storage & { readonly fd: number }, { eraseSize, hasBadBlocks }: FlashFacts, warnings?: Warnings) {
    this.path = device.path;
    this.size = device.size;
    this.writable = device.writable && eraseSize > 0;
    this.#device = device;
    this.#eraseSize = eraseSize;
    this.#warnings = warnings;
    const bad = hasBadBlocks && eraseSize > 0 ? this.#findBad() : [];
    this.keys = [
      ...(eraseSize > 0 ? [['erase_size', String(eraseSize)] as const] : []),
      ...(bad.length > 0 ? [['bad_blocks', bad.join(':')] as const] : []),
    ];
  }

  #findBad(): number[] {
    const calls = deviceCalls();
    const bad: number[] = [];
    try {
      for (let at = 0; calls && at < this.size; at += this.#eraseSize) {
        if (calls.isBadBlock(this.#device.fd, at)) bad.push(at / this.#eraseSize);
      }
    } catch {
      // They matter only to where the kernel writes next.
    }
    return bad;
  }

  read(target: Uint8Array, offset: number): number {
    const got = this.#device.read(target, offset);
    for (const { from, to } of this.#removedIn(offset, offset + got)) {
      target.fill(BLANK, Math.max(0, from - offset), Math.min(got, to - offset));
    }
    return got;
  }

  *#removedIn(from: number, to: number): Generator<Range> {
    if (this.#removed.size === 0) return;
    for (let block = this.#blockOf(from); block * this.#eraseSize < to; block++) yield* this.#removed.get(block) ?? [];
  }

  #blockOf(offset: number): number {
    return Math.floor(offset / this.#eraseSize);
  }

  /** @throws PstoreError EROFS: always */
  write(bytes: Uint8Array, offset: number): void {
    this.#device.write(bytes, offset);
  }

  /** Erasing returns when it is done. */
  sync(): void {}

  /**
   * Removes what stands in a range. Each erase block that then has nothing else is erased.
   * @throws PstoreError EROFS, EIO; ENODEV where nobody here can make the system call
   */
  erase(offset: number, length: number): void {
    const end = Math.min(this.size, offset + length);
    for (let block = this.#blockOf(offset); block * this.#eraseSize < end; block++) {
      const start = block * this.#eraseSize;
      const before = this.#removed.get(block) ?? [];
      const removed = [...before, { from: Math.max(offset, start), to: Math.min(end, start + this.#eraseSize) }];
      if (this.#isEmpty(start, removed)) {
        this.#eraseBlock(start);
        this.#removed.delete(block);
        this.#warnings?.withdraw('flash-shared', start);
      } else {
        if (before.length === 0) this.#tellOfOthers(start);
        this.#removed.set(block, removed);
      }
    }
  }

  #isEmpty(start: number, removed: readonly Range[]): boolean {
    const bytes = readRange(this.#device, start, this.#eraseSize);
    for (const { from, to } of removed) bytes.fill(BLANK, from - start, to - start);
    return bytes.every((byte) => byte === BLANK);
  }

  #eraseBlock(start: number): void {
    const calls = needDeviceCalls(this.path, 'erasing flash');
    try {
      calls.eraseFlash(this.#device.fd, start, this.#eraseSize);
    } catch (error) {
      const sentence = `${this.path}: the erase block at offset ${start} could not be erased (${(error as Error).message})`;
      throw fromSystem(error, sentence, { path: this.path, offset: start });
    }
  }

  #tellOfOthers(start: number): void {
    const advice = 'remove those, too, in the same command or mount, and the block is erased';
    const why = `its erase block of ${this.#eraseSize} bytes at offset ${start} has other records`;
    const sentence = `${this.path}: what was removed is there again at the next start, because ${why}; ${advice}`;
    this.#warnings?.add('flash-shared', sentence, start);
  }

  close(): void {
    this.#device.close();
  }
}
