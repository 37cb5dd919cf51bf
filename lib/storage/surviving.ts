// What is looked at: a storage in which a block that cannot be read is zeros and is remembered, never an exception.
// One bad block must not hide what the other blocks hold.

import { PstoreError } from '../errors.js';
import type { Warnings } from '../warnings.js';
import { ReadAheadStorage } from './read-ahead.js';
import { SliceStorage } from './slice.js';
import { isBrokenPlace, nextRun, type Run, roomAt, type Storage } from './storage.js';

/** Bytes that are tried by themselves around a place that cannot be read. */
export const BLOCK = 4096;
/** Places beside the first one that are tried where that cannot be read. */
const PROBES = 64;

export class SurvivingStorage implements Storage {
  readonly path: string;
  readonly size: number;
  readonly writable: boolean;
  /** The storage below, whose reads fail where a block cannot be read: the contents of records are read from it. */
  readonly medium: Storage;
  erase?: (offset: number, length: number) => void;
  readonly #warnings: Warnings | undefined;
  /** Blocks that could not be read, by their number. */
  readonly #lost = new Set<number>();
  /** What was found out while it is recognised and opened; undefined once it has settled. */
  #seen: Map<string, unknown> | undefined;

  /** @param warnings told once of each run of blocks that cannot be read */
  constructor(medium: Storage, warnings?: Warnings) {
    this.medium = medium;
    this.path = medium.path;
    this.size = medium.size;
    this.writable = medium.writable;
    this.#warnings = warnings;
    if (medium.erase) this.erase = (offset, length) => medium.erase?.(offset, length);
  }

  /** A medium that is going to be recognised and opened: until settle() nothing is read twice. */
  static opening(medium: Storage, warnings?: Warnings): SurvivingStorage {
    const storage = new SurvivingStorage(new ReadAheadStorage(medium), warnings);
    storage.#seen = new Map();
    return storage;
  }

  /** It is open: what was read and found on the way is let go, and the medium itself is asked from now on. */
  settle(): void {
    this.#seen = undefined;
    if (this.medium instanceof ReadAheadStorage) this.medium.settle();
  }

  /** What `look` gives; while the storage is being opened it looks only once for each `what`. */
  once<T>(what: string, look: () => T): T {
    if (!this.#seen) return look();
    if (!this.#seen.has(what)) this.#seen.set(what, look());
    return this.#seen.get(what) as T;
  }

  /** `storage` itself where it survives already. */
  static over(storage: Storage): SurvivingStorage {
    return storage instanceof SurvivingStorage ? storage : new SurvivingStorage(storage);
  }

  /** A part of it. @throws PstoreError EINVAL when the part does not lie inside */
  part(base: number, size = this.size - base): SurvivingStorage {
    if (base === 0 && size === this.size) return this;
    return new SurvivingStorage(new SliceStorage(this.medium, base, size), this.#warnings);
  }

  /** Fills `target` from `offset` on. @returns bytes given: less than asked only where the medium ends */
  read(target: Uint8Array, offset: number): number {
    const wanted = roomAt(this.size, offset, target.length);
    if (wanted === 0) return 0;
    if (!this.isLost(offset, wanted)) {
      try {
        return this.medium.read(target.subarray(0, wanted), offset);
      } catch (error) {
        if (!isBrokenPlace(error)) throw error;
      }
    }
    return this.#readBlocks(target.subarray(0, wanted), offset);
  }

  /** Whether zeros stand for a block of this range that could not be read. */
  isLost(offset: number, length: number): boolean {
    if (this.#lost.size === 0) return false;
    const last = Math.floor((offset + Math.max(1, length) - 1) / BLOCK);
    for (let block = Math.floor(offset / BLOCK); block <= last; block++) if (this.#lost.has(block)) return true;
    return false;
  }

  nextRun(offset: number): Run | undefined {
    return nextRun(this.medium, offset);
  }

  /** Bytes of the blocks that could not be read so far. */
  get lostBytes(): number {
    return this.#lost.size * BLOCK;
  }

  /**
   * Looks here and there in the medium.
   * @throws PstoreError EIO where no place can be read: of such a medium nothing can be said
   */
  checkReadable(): void {
    const block = new Uint8Array(1);
    let first: PstoreError | undefined;
    for (let i = 0; i <= PROBES; i++) {
      try {
        this.medium.read(block, Math.floor(((this.size - 1) * i) / PROBES));
        return;
      } catch (error) {
        if (!(error instanceof PstoreError) || !isBrokenPlace(error)) throw error;
        first ??= error;
      }
    }
    const sentence = `${this.path} cannot be read anywhere, so nothing can be said of what is in it`;
    const advice = 'look at the cable, the device and the kernel log, and copy what is left with ddrescue';
    throw new PstoreError('EIO', `${sentence}; ${advice} (${first!.message})`, { path: this.path, cause: first });
  }

  /** The medium may have changed: blocks that could not be read are tried again. */
  forget(): void {
    this.#lost.clear();
  }

  #readBlocks(target: Uint8Array, offset: number): number {
    let run: { from: number; to: number; why: string } | undefined;
    for (let done = 0; done < target.length; ) {
      const at = offset + done;
      const part = target.subarray(done, done + Math.min(BLOCK - (at % BLOCK), target.length - done));
      const why = this.#readBlock(part, at);
      if (typeof why === 'number') {
        if (why < part.length) return done + why;
      } else if (run?.to === at) run = { ...run, to: at + part.length };
      else if (why !== undefined) {
        if (run) this.#tell(run);
        run = { from: at, to: at + part.length, why };
      }
      done += part.length;
    }
    if (run) this.#tell(run);
    return target.length;
  }

  /** @returns bytes given, or why the block is lost where that is news, or undefined where it is known */
  #readBlock(target: Uint8Array, offset: number): number | string | undefined {
    const block = Math.floor(offset / BLOCK);
    target.fill(0);
    if (this.#lost.has(block)) return undefined;
    try {
      return this.medium.read(target, offset);
    } catch (error) {
      if (!(error instanceof PstoreError) || !isBrokenPlace(error)) throw error;
      this.#lost.add(block);
      return error.message;
    }
  }

  #tell({ from, to, why }: { from: number; to: number; why: string }): void {
    const first = Math.floor(from / BLOCK) * BLOCK;
    const length = Math.min(Math.ceil(to / BLOCK) * BLOCK, this.size) - first;
    this.#warnings?.add(
      'block-unreadable',
      `${this.path}: ${length} bytes at offset ${first} cannot be read; what lies there is missing, the rest is shown (${why})`,
      first,
    );
  }

  write(bytes: Uint8Array, offset: number): void {
    this.medium.write(bytes, offset);
  }

  sync(): void {
    this.medium.sync();
  }

  close(): void {
    this.medium.close();
  }
}
