// A window that slides over a storage: many small reads close together cost few of the medium's own, and a small read
// far away costs a small one.

import { readRange, type Storage } from './storage.js';

/** Bytes that are fetched around a read that stands alone. */
const MIN = 256;
/** Most bytes that are fetched at once. */
const MAX = 64 << 10;

export class Window {
  readonly #storage: Storage;
  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #ahead = MIN;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /**
   * The bytes of a range, or fewer where the medium ends. Fetches more at a time the longer the reads go on one after
   * the other. What it gives is valid until the next call.
   */
  bytes(offset: number, length: number): Uint8Array {
    const end = this.#start + this.#bytes.length;
    if (offset < this.#start || offset + length > end) {
      const goesOn = offset >= this.#start && offset <= end;
      this.#ahead = goesOn ? Math.min(this.#ahead * 2, MAX) : MIN;
      this.#bytes = readRange(this.#storage, offset, Math.max(length, this.#ahead));
      this.#start = offset;
    }
    return this.#bytes.subarray(offset - this.#start, offset - this.#start + length);
  }
}
