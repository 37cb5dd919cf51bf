// Brings a zone, or a part of it, from memory to the medium: the flush modes of pstore/zone.

import type { Storage } from '../storage/storage.js';
import type { Zone } from './geometry.js';

/** How much of a zone a write brings to the medium. */
export const FlushMode = {
  /** Memory only. */
  None: 0,
  /** Pieces of the data, then the buffer header. */
  Part: 1,
  /** The buffer header only. */
  Meta: 2,
  /** The zone from its first byte on: as a whole (mainline), or header and data (blkoops). */
  All: 3,
} as const;

export type FlushMode = (typeof FlushMode)[keyof typeof FlushMode];

/** What is written; the buffer header comes last where there are several writes, so that it never tells of more. */
export type Flush =
  | { readonly mode: typeof FlushMode.None }
  | {
      readonly mode: typeof FlushMode.Part;
      readonly header: Uint8Array;
      readonly pieces: readonly { readonly from: number; readonly bytes: Uint8Array }[];
    }
  | { readonly mode: typeof FlushMode.Meta; readonly header: Uint8Array }
  | { readonly mode: typeof FlushMode.All; readonly bytes: Uint8Array };

/**
 * Writes, and returns when it is on the medium.
 * @param what pieces count from the first byte after the buffer header
 * @throws PstoreError EROFS, EIO, ENOSPC; ENOMSG where this zone is broken; EAGAIN where the medium is not there
 */
export function flush(storage: Storage, zone: Zone, what: Flush): void {
  switch (what.mode) {
    case FlushMode.None:
      return;
    case FlushMode.Part:
      for (const { from, bytes } of what.pieces) {
        if (bytes.length > 0) storage.write(bytes, zone.offset + what.header.length + from);
      }
      storage.write(what.header, zone.offset);
      break;
    case FlushMode.Meta:
      storage.write(what.header, zone.offset);
      break;
    case FlushMode.All:
      storage.write(what.bytes, zone.offset);
      break;
  }
  storage.sync();
}
