// A dump of NAND flash that was saved with the spare area: some bytes of bookkeeping (bad-block mark, ECC) stand after
// the data of each page. This storage shows the data alone, so that nothing above it needs to know.

import { PstoreError } from '../errors.js';
import { nextRun, type Run, type Storage } from './storage.js';

/** How a page of NAND flash is dumped. */
export interface PageShape {
  /** Bytes of data in a page. */
  readonly data: number;
  /** Bytes of spare area that follow them. */
  readonly spare: number;
}

/** The largest page that the Linux kernel's NAND layer knows has 16 KiB (include/linux/mtd/rawnand.h). */
const MAX_DATA = 16 << 10;
const MIN_DATA = 256;

/** As the key `oob=` has it: `2048+64`. */
export function pageShapeText({ data, spare }: PageShape): string {
  return `${data}+${spare}`;
}

/**
 * Reads the value of the key `oob=`.
 * @returns undefined for `none`: the bytes are taken as they are
 * @throws PstoreError EINVAL
 */
export function parsePageShape(text: string): PageShape | undefined {
  if (text === 'none') return undefined;
  const [, data, spare] = /^([0-9]{1,5})\+([0-9]{1,5})$/.exec(text)?.map(Number) ?? [];
  const isShape =
    data !== undefined && spare !== undefined && data >= MIN_DATA && data <= MAX_DATA && spare >= 1 && spare <= data;
  if (isShape) return { data, spare };
  throw new PstoreError(
    'EINVAL',
    `oob=${text}: give the bytes of a NAND page and of its spare area, as in oob=2048+64, or oob=none`,
  );
}

export class SpareStorage implements Storage {
  readonly path: string;
  readonly size: number;
  readonly writable: boolean;
  readonly shape: PageShape;
  readonly #below: Storage;
  readonly #stride: number;

  constructor(below: Storage, shape: PageShape) {
    this.#below = below;
    this.shape = shape;
    this.#stride = shape.data + shape.spare;
    this.path = below.path;
    this.writable = below.writable;
    const rest = below.size % this.#stride;
    this.size = Math.floor(below.size / this.#stride) * shape.data + Math.min(rest, shape.data);
  }

  read(target: Uint8Array, offset: number): number {
    const room = Math.max(0, Math.min(target.length, this.size - offset));
    if (room === 0) return 0;
    // One read for all pages that are touched, then the data are moved together.
    const from = this.#place(offset);
    const raw = new Uint8Array(this.#place(offset + room - 1) + 1 - from);
    const got = this.#below.read(raw, from);
    let filled = 0;
    for (const { at, length } of this.#pieces(offset, room)) {
      const piece = raw.subarray(at - from, Math.min(got, at - from + length));
      target.set(piece, filled);
      filled += piece.length;
      if (piece.length < length) break;
    }
    return filled;
  }

  /** A page of which anything is no hole is none. */
  nextRun(offset: number): Run | undefined {
    const { data } = this.shape;
    const run = offset < this.size ? nextRun(this.#below, Math.floor(offset / data) * this.#stride) : undefined;
    if (!run) return undefined;
    const from = Math.max(offset, Math.floor(run.from / this.#stride) * data);
    return { from, to: Math.min(this.size, Math.ceil(run.to / this.#stride) * data) };
  }

  write(bytes: Uint8Array, offset: number): void {
    if (offset < 0 || offset + bytes.length > this.size) {
      throw new PstoreError('EIO', `${this.path}: a write of ${bytes.length} bytes at ${offset} leaves the image`, {
        path: this.path,
        offset,
      });
    }
    let done = 0;
    for (const { at, length } of this.#pieces(offset, bytes.length)) {
      this.#below.write(bytes.subarray(done, done + length), at);
      done += length;
    }
  }

  sync(): void {
    this.#below.sync();
  }

  close(): void {
    this.#below.close();
  }

  /** Where a byte of data stands in the dump. */
  #place(offset: number): number {
    const page = Math.floor(offset / this.shape.data);
    return page * this.#stride + (offset - page * this.shape.data);
  }

  /** The runs of a range that no spare area interrupts, as they stand in the dump. */
  *#pieces(offset: number, length: number): Generator<{ at: number; length: number }> {
    for (let done = 0; done < length; ) {
      const run = Math.min(length - done, this.shape.data - ((offset + done) % this.shape.data));
      yield { at: this.#place(offset + done), length: run };
      done += run;
    }
  }
}
