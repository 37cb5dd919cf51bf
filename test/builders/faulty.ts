// A storage with faults, for tests: places that are broken, a medium that is not there for a while, a power cut.

import { PstoreError } from '../../lib/errors.js';
import type { Storage } from '../../lib/storage/storage.js';

/** A place that cannot be used. */
export interface BrokenRange {
  readonly offset: number;
  readonly length: number;
  /** EIO as a disk says it, ENOMSG as a flash driver does ("try the next zone"), or what a file system says of all of it. */
  readonly code: 'EIO' | 'ENOMSG' | 'ENOSPC' | 'EROFS';
  /** What fails there; default both. */
  readonly on?: 'read' | 'write';
}

export interface LoggedWrite {
  readonly offset: number;
  readonly length: number;
}

export class FaultyStorage implements Storage {
  readonly path: string;
  readonly size: number;
  readonly writable: boolean;
  /** Everything that was written, in order. */
  readonly writes: LoggedWrite[] = [];
  /** How often sync() was called. */
  syncs = 0;
  /** So many of the next sync() fail. */
  failingSyncs = 0;
  /** False: everything answers EAGAIN. */
  there = true;
  broken: BrokenRange[] = [];
  /** Reads behind this offset give nothing, as where a file was cut. */
  end: number;
  erase?: (offset: number, length: number) => void;
  readonly #below: Storage;
  #writesLeft = Number.POSITIVE_INFINITY;
  #torn = 0;

  constructor(below: Storage) {
    this.#below = below;
    this.path = below.path;
    this.size = below.size;
    this.end = below.size;
    this.writable = below.writable;
    if (below.erase) this.erase = (offset, length) => below.erase?.(offset, length);
  }

  /**
   * After so many more writes the power fails: of the next one only the first bytes reach the medium, and nothing works
   * from then on.
   * @param torn how many bytes of that write are still written
   */
  cutPowerAfter(writes: number, torn = 0): void {
    this.#writesLeft = writes;
    this.#torn = torn;
  }

  get powered(): boolean {
    return this.#writesLeft >= 0;
  }

  read(target: Uint8Array, offset: number): number {
    this.#check('read', offset, target.length);
    const room = Math.max(0, Math.min(target.length, this.end - offset));
    return room === 0 ? 0 : this.#below.read(target.subarray(0, room), offset);
  }

  write(bytes: Uint8Array, offset: number): void {
    this.#check('write', offset, bytes.length);
    if (this.#writesLeft-- <= 0) {
      if (this.#torn > 0) this.#below.write(bytes.subarray(0, this.#torn), offset);
      throw this.#error('EIO', 'the power fails', offset);
    }
    this.#below.write(bytes, offset);
    this.writes.push({ offset, length: bytes.length });
  }

  sync(): void {
    this.#check('write', 0, 0);
    this.syncs++;
    if (this.failingSyncs-- > 0) throw this.#error('EIO', 'sync fails', 0);
    this.#below.sync();
  }

  close(): void {
    this.#below.close();
  }

  #check(what: 'read' | 'write', offset: number, length: number): void {
    if (!this.powered) throw this.#error('EIO', 'the power is off', offset);
    if (!this.there) throw this.#error('EAGAIN', 'the medium is not there', offset);
    const range = this.broken.find(
      (candidate) =>
        (candidate.on ?? what) === what &&
        offset < candidate.offset + candidate.length &&
        candidate.offset < offset + length,
    );
    if (range) throw this.#error(range.code, `${what === 'read' ? 'reading' : 'writing'} fails`, range.offset);
  }

  #error(code: BrokenRange['code'] | 'EAGAIN', what: string, offset: number): PstoreError {
    return new PstoreError(code, `${this.path}: ${what} at offset ${offset}`, { path: this.path, offset });
  }
}
