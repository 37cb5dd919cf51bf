// A record that a store keeps in one piece, and what a family knows of such a store.

import type { Piece as Bytes } from '../storage/extent.js';
import type { Warnings } from '../warnings.js';
import type { BackendInfo, SpaceUsage } from './backend.js';

/**
 * `live`: shown; `salvaged`: shown with `salvage` only, because no kernel would; `erased`: not shown, but its bytes are
 * there; `foreign`: not ours.
 */
export type PieceState = 'live' | 'salvaged' | 'erased' | 'foreign';

export interface Piece {
  /** Differs when it is another record. */
  readonly key: string;
  readonly type: string;
  /** The last part of the file name. */
  readonly id: bigint;
  /** File name, without what is put after it when it does not decode. */
  readonly name: string;
  readonly mtimeNs: bigint | null;
  /** As the store itself has them, else null: the text may tell. */
  readonly count: number | null;
  readonly part: number | null;
  readonly isCompressed: boolean;
  readonly state: PieceState;
  /** First byte in the source. */
  readonly offset: number;
  /** Bytes of the record's content, as they are stored. */
  readonly size: number;
  /** Bytes that the record takes in the source, its header and its name included. */
  readonly room: number;
  /** Bytes that a record may take, where all have room for as many: how much text a kernel compresses goes by that. */
  readonly slotSize?: number;
  readonly title: string | null;
  /** What `info` has to say of it, or null. */
  readonly remark: string | null;
  /** The record's content, as it is stored: `size` bytes. */
  readonly data: Bytes;
}

/** Of a place where erasing is final. */
export const NOT_TAKEN_BACK = 'nothing can be taken back here';

/** What a family knows of its store. */
export interface PieceStore<P extends Piece> {
  /** The backend's name in file names. */
  readonly name: string;
  readonly path: string;
  readonly warnings: Warnings;
  readonly writable: boolean;
  /** All pieces, in the order in which they stand. Says what is not as it should be. @throws PstoreError EIO */
  scan(): readonly P[];
  /** Erases what still is the same piece, durably. @throws PstoreError EROFS, EPERM, EIO */
  erase(piece: P): void;
  /** Why erase() of this piece cannot be taken back, or null. */
  whyNotRestored(piece: P): string | null;
  /** Takes back what erase() has written, durably. @throws PstoreError EBUSY, EROFS, EIO */
  restore(piece: P): void;
  /** Why nothing is erased in a place of this kind, or null where that can be done. */
  readonly whyNotErased: string | null;
  space(): SpaceUsage;
  info(): Omit<BackendInfo, 'zones'>;
  close(): void;
}
