// What was written and could not be brought to the medium is taken back: an error means that nothing has changed. Else the
// system's cache would show as done what the medium never got, and nobody would try it again.

import { nextRun, type Run, type Storage } from './storage.js';

/** More than this is not taken back: it is a whole image that is being written, and no erase or record. */
const MAX_KEPT = 8 << 20;

interface Before {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export class RevertingStorage implements Storage {
  readonly path: string;
  readonly size: number;
  readonly writable: boolean;
  erase?: (offset: number, length: number) => void;
  readonly #below: Storage;
  /** What stood where something was written since the last sync that went well; undefined when that is too much. */
  #before: Before[] | undefined = [];
  #kept = 0;

  constructor(below: Storage) {
    this.#below = below;
    this.path = below.path;
    this.size = below.size;
    this.writable = below.writable;
    if (below.erase) this.erase = (offset, length) => below.erase?.(offset, length);
  }

  read(target: Uint8Array, offset: number): number {
    return this.#below.read(target, offset);
  }

  nextRun(offset: number): Run | undefined {
    return nextRun(this.#below, offset);
  }

  write(bytes: Uint8Array, offset: number): void {
    this.#keep(offset, bytes.length);
    this.#orTakeBack(() => this.#below.write(bytes, offset));
  }

  #keep(offset: number, length: number): void {
    this.#kept += length;
    if (this.#kept > MAX_KEPT) this.#before = undefined;
    if (!this.#before) return;
    const bytes = new Uint8Array(length);
    try {
      if (this.#below.read(bytes, offset) === length) this.#before.push({ offset, bytes });
    } catch {
      // What cannot be read cannot be put back, either.
    }
  }

  /** @throws PstoreError EIO, ENOSPC: what was written since the last sync is then as it was before, as far as that goes */
  sync(): void {
    this.#orTakeBack(() => this.#below.sync());
    this.#forget();
  }

  #orTakeBack(act: () => void): void {
    try {
      act();
    } catch (error) {
      const before = this.#before ?? [];
      this.#forget();
      for (const { bytes, offset } of before.reverse()) this.#putBack(bytes, offset);
      throw error;
    }
  }

  #forget(): void {
    this.#before = [];
    this.#kept = 0;
  }

  #putBack(bytes: Uint8Array, offset: number): void {
    try {
      this.#below.write(bytes, offset);
    } catch {
      // The medium takes nothing any more: that is said by the error that is being handled.
    }
  }

  close(): void {
    this.#below.close();
  }
}
