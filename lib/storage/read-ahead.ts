// Recognising and opening an image means many small reads close together, and several families look at the same bytes.
// While that goes on, each page of the medium is read once.

import { nextRun, type Run, roomAt, type Storage } from './storage.js';

/** Bytes of a page. */
const PAGE = 64 << 10;
/**
 * A medium up to this size is read in whole pages. Of a larger one only what is asked for, and long reads are kept in its
 * beginning only: a search through all of it would push out each page before the next family looks at it, and memory
 * that is never looked at again costs more than reading.
 */
const SMALL = 16 << 20;
const BEGINNING = 1 << 20;
/** Pages that are kept: as many as a small medium has. */
const MAX_PAGES = SMALL / PAGE;

/** The memory of pages that nobody looks at any more: the next medium's pages need not be cleared before they are read. */
const unused: Uint8Array[] = [];
const MAX_UNUSED = 16;

function letGo(page: Uint8Array): void {
  if (unused.length < MAX_UNUSED) unused.push(new Uint8Array(page.buffer));
}

export class ReadAheadStorage implements Storage {
  readonly path: string;
  readonly size: number;
  readonly writable: boolean;
  erase?: (offset: number, length: number) => void;
  readonly #below: Storage;
  /** Page number to bytes, the one that was kept first in front; undefined once the storage has settled. */
  #pages: Map<number, Uint8Array> | undefined = new Map();

  constructor(below: Storage) {
    this.#below = below;
    this.path = below.path;
    this.size = below.size;
    this.writable = below.writable;
    if (below.erase) {
      this.erase = (offset, length) => {
        this.settle();
        below.erase?.(offset, length);
      };
    }
  }

  /** From now on every read goes to the medium itself: what was looked up is found, and the medium may change. */
  settle(): void {
    for (const bytes of this.#pages?.values() ?? []) letGo(bytes);
    this.#pages = undefined;
  }

  read(target: Uint8Array, offset: number): number {
    const wanted = roomAt(this.size, offset, target.length);
    if (!this.#pages || wanted === 0) return wanted === 0 ? 0 : this.#below.read(target, offset);
    const first = Math.floor(offset / PAGE);
    const last = Math.floor((offset + wanted - 1) / PAGE);
    const isLong = last - first >= MAX_PAGES / 2;
    const fetches = !isLong && (this.size <= SMALL || (wanted >= PAGE && offset + wanted <= BEGINNING));
    if (!this.#has(first, last) && !(fetches && this.#fetch(first, last))) return this.#below.read(target, offset);
    return this.#copy(target.subarray(0, wanted), offset);
  }

  #has(first: number, last: number): boolean {
    for (let page = first; page <= last; page++) if (!this.#pages?.has(page)) return false;
    return true;
  }

  /** Reads the pages that are missing. @returns false where the medium does not give all of them */
  #fetch(first: number, last: number): boolean {
    const pages = this.#pages;
    if (!pages) return false;
    for (let page = first; page <= last; page++) {
      if (pages.has(page)) continue;
      const bytes = this.#readPage(page);
      if (!bytes) return false;
      pages.set(page, bytes);
    }
    for (const [oldest, bytes] of pages) {
      if (pages.size <= MAX_PAGES) break;
      pages.delete(oldest);
      letGo(bytes);
    }
    return this.#has(first, last);
  }

  #readPage(page: number): Uint8Array | undefined {
    const room = unused.pop() ?? new Uint8Array(PAGE);
    const bytes = room.subarray(0, Math.min(PAGE, this.size - page * PAGE));
    try {
      if (this.#below.read(bytes, page * PAGE) === bytes.length) return bytes;
    } catch {
      // A broken place in this page: whoever asked reads just what is needed, and hears of it.
    }
    letGo(bytes);
    return undefined;
  }

  #copy(target: Uint8Array, offset: number): number {
    for (let done = 0; done < target.length; ) {
      const at = offset + done;
      const page = this.#pages?.get(Math.floor(at / PAGE));
      const part = page?.subarray(at % PAGE, (at % PAGE) + target.length - done);
      if (!part || part.length === 0) return done;
      target.set(part, done);
      done += part.length;
    }
    return target.length;
  }

  nextRun(offset: number): Run | undefined {
    return nextRun(this.#below, offset);
  }

  write(bytes: Uint8Array, offset: number): void {
    this.settle();
    this.#below.write(bytes, offset);
  }

  sync(): void {
    this.#below.sync();
  }

  close(): void {
    this.settle();
    this.#below.close();
  }
}
