// Which blocks an overlay has: a bit for each block of the image, in pages that are read when somebody asks for them. A
// page in which no bit is set is not kept, so the memory is that of what was written, whatever the size of the image.

import { OVERLAY_BLOCK } from './overlay.js';

/** Bytes of a page. */
const PAGE = OVERLAY_BLOCK;
const BLOCKS_OF_PAGE = PAGE * 8;
/** Pages that are read at once by who wants all blocks. */
const PAGES_AT_ONCE = 256;

/** Bytes of the bits for an image of `size` bytes: whole pages. */
export function bitmapSize(size: number): number {
  return Math.ceil(Math.ceil(size / OVERLAY_BLOCK) / BLOCKS_OF_PAGE) * PAGE;
}

export class OverlayBits {
  /** Bytes of all pages, where they are stored. */
  readonly size: number;
  readonly #count: number;
  readonly #read: (target: Uint8Array, offset: number) => void;
  /** Pages in which a bit is set, of those that were asked for. */
  readonly #pages = new Map<number, Uint8Array>();
  /** The page that was asked for last, if no bit of it is set: reads go on where they were. */
  #empty = -1;

  /**
   * @param imageSize bytes of the image
   * @param read fills a page with the bits as they are stored, from a byte of them on
   */
  constructor(imageSize: number, read: (target: Uint8Array, offset: number) => void) {
    this.size = bitmapSize(imageSize);
    this.#count = Math.ceil(imageSize / OVERLAY_BLOCK);
    this.#read = read;
  }

  has(block: number): boolean {
    const byte = this.#page(Math.floor(block / BLOCKS_OF_PAGE))?.[Math.floor(block / 8) % PAGE];
    return ((byte ?? 0) & (1 << (block & 7))) !== 0;
  }

  /** Sets the bit in memory; bytes() is what is to be stored. */
  set(block: number): void {
    const number = Math.floor(block / BLOCKS_OF_PAGE);
    const page = this.#page(number) ?? new Uint8Array(PAGE);
    page[Math.floor(block / 8) % PAGE]! |= 1 << (block & 7);
    this.#pages.set(number, page);
    this.#empty = -1;
  }

  /** The byte with the bit of a block, and where it is stored. */
  byteOf(block: number): { readonly bytes: Uint8Array; readonly offset: number } {
    const offset = Math.floor(block / 8);
    return { bytes: Uint8Array.of(this.#page(Math.floor(offset / PAGE))?.[offset % PAGE] ?? 0), offset };
  }

  /** All blocks with their bit set, ascending. @param from the first that is asked for @param end the first that is not */
  *numbers(from = 0, end = this.#count): Generator<number> {
    const stop = bitmapSize(Math.min(end, this.#count) * OVERLAY_BLOCK);
    const many = new Uint8Array(PAGE * PAGES_AT_ONCE);
    for (let offset = Math.floor(from / BLOCKS_OF_PAGE) * PAGE; offset < stop; offset += many.length) {
      const bytes = many.subarray(0, Math.min(many.length, stop - offset));
      this.#read(bytes, offset);
      for (const [number, page] of this.#pages) {
        const at = number * PAGE - offset;
        if (at >= 0 && at < bytes.length) bytes.set(page, at);
      }
      for (let at = 0; at < bytes.length; at++) {
        for (let bit = 0; bytes[at] !== 0 && bit < 8; bit++) {
          const block = (offset + at) * 8 + bit;
          const isAsked = block >= from && block < Math.min(end, this.#count);
          if ((bytes[at]! & (1 << bit)) !== 0 && isAsked) yield block;
        }
      }
    }
  }

  #page(number: number): Uint8Array | undefined {
    const known = this.#pages.get(number);
    if (known || number === this.#empty) return known;
    const page = new Uint8Array(PAGE);
    this.#read(page, number * PAGE);
    if (page.every((byte) => byte === 0)) this.#empty = number;
    else this.#pages.set(number, page);
    return this.#pages.get(number);
  }
}
