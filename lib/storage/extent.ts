// A run of bytes: in memory, or on a medium.

import { PstoreError } from '../errors.js';
import type { Storage } from './storage.js';

/** Bytes of a medium. They may lie beyond its end, as where an image was cut, but never before its beginning. */
export class Extent {
  readonly storage: Storage;
  readonly offset: number;
  readonly length: number;
  /** Only what at() has checked is an extent. */
  readonly #isChecked = true;

  private constructor(storage: Storage, offset: number, length: number) {
    this.storage = storage;
    this.offset = offset;
    this.length = length;
  }

  /**
   * The one place where extents are made. Positions and lengths mostly come from headers, which may hold anything.
   * @throws PstoreError EBADMSG for a position or a length that no medium can have
   */
  static at(storage: Storage, offset: number, length: number): Extent {
    if (isPosition(offset) && isPosition(length) && isPosition(offset + length)) {
      return new Extent(storage, offset, length);
    }
    const sentence = `${storage.path} is damaged: ${length} bytes at offset ${offset} are no part of any medium`;
    throw new PstoreError('EBADMSG', sentence, { path: storage.path });
  }

  /** The extent without its first bytes. @param skipped at most its length */
  after(skipped: number): Extent {
    return Extent.at(this.storage, this.offset + skipped, this.length - skipped);
  }

  /** Its first bytes. @param length at most its own */
  first(length: number): Extent {
    return Extent.at(this.storage, this.offset, length);
  }

  static isOne(piece: Piece): piece is Extent {
    return #isChecked in piece;
  }
}

export type Piece = Uint8Array | Extent;

function isPosition(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
