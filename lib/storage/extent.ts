// A run of bytes: in memory, or on a medium.

import type { Storage } from './storage.js';

/** Bytes of a medium. */
export interface Extent {
  readonly storage: Storage;
  readonly offset: number;
  readonly length: number;
}

export type Piece = Uint8Array | Extent;
