// What a family of backends implements so that records.ts makes a backend of it: a family knows its places (zones, pages)
// and what stands in them; records.ts names, decodes, caches and guards what is shown.

import type { Compression } from '../compress/codec.js';
import type { Piece } from '../storage/extent.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import type { Warnings } from '../warnings.js';
import type { BackendInfo, NewRecord, PassedOver, PstoreRecord, Repair, SpaceUsage } from './backend.js';
import type { ErasedPlace } from './erased.js';
import type { Dump } from './front-end.js';

/** Places of one type, which stand side by side in a listing. All zones of ftrace together are one place. */
export interface Row {
  /** The first part of the file names. */
  readonly type: string;
  readonly count: number;
}

/** A place that holds a record, as its header tells it. Holds no data of the record. */
export interface Found {
  /** The number in the file's name, where that is not the place's own. */
  readonly nameId?: number;
  /** First byte of the place in the source. */
  readonly offset: number;
  /** Nanoseconds since 1970, or null when the record has no time of its own. */
  readonly mtimeNs: bigint | null;
  /** The reason's name, or null; undefined where only a decoded text tells it, in its first line. */
  readonly reason: string | null | undefined;
  readonly count: number | null;
  /** The kernel's words for what ECC found, or null without ECC. */
  readonly ecc: string | null;
  /** `maybe` where the header's flag is damaged: the record is compressed when it decompresses. */
  readonly compressed: 'no' | 'yes' | 'maybe';
  /** ASCII text that a kernel shows before a record that is not compressed. */
  readonly lead: string;
  /** ASCII text that a kernel shows after every record. */
  readonly trail: string;
  /** Bytes that are stored; undefined where they have to be read to be counted. */
  readonly length: number | undefined;
  /** Most bytes that there can be: shown as the size of a record that cannot be read. */
  readonly room: number;
  /** Counts the bytes, where `length` does not tell them. @throws PstoreError EIO */
  measure?(): number;
  /** Whether pieces() takes long, because the bytes are made (repaired, merged) and not only read. */
  readonly isMade: boolean;
  /** The stored bytes: where they stand, or the bytes themselves. @throws PstoreError EIO */
  pieces(): readonly Piece[];
}

/**
 * Makes the dump of a dmesg record.
 * @param room bytes that the place has for it
 * @param takes whether a kernel reads a compressed record back from there
 * @param deflate what the kernels of the place call deflate
 */
export type MakeDump = (
  room: number,
  takes?: (record: Uint8Array) => boolean,
  deflate?: Extract<Compression, 'deflate' | 'zlib'>,
) => Dump;

/** Where something was written. */
export interface WrittenTo {
  readonly type: string;
  readonly id: number;
  /** Where it stands only in memory: the medium did not take it, and it is lost when the program ends. */
  readonly isLost: boolean;
  readonly offset?: number;
}

/** What an explanation of the places needs to know of the records that are shown. */
export interface ShownRecords {
  recordAt(type: string, id: number): PstoreRecord | undefined;
  /** Whether the medium does not give the bytes of the record that is shown there. */
  isUnreadable(type: string, id: number): boolean;
}

export interface Places {
  /** As it stands in file names. */
  readonly name: string;
  /** The source file, for messages. */
  readonly path: string;
  readonly warnings: Warnings;
  /** For looking; records are read from its medium. Closed with the backend. */
  readonly storage: SurvivingStorage;
  readonly writable: boolean;
  /** In the order of a listing. */
  readonly rows: readonly Row[];
  /** Most bytes that a compressed record may decode to. */
  readonly decodedLimit: number;

  /** The place that is meant by the number in a file's name, where that is not the same. */
  idNamed?(type: string, nameId: number): number;
  /** The record that a kernel shows of a place, or undefined. Is asked again and again, so that it must be quick. */
  found(type: string, id: number): Found | undefined;
  /** Whether a record is shown there that is compressed, or may be. Quicker than found(). */
  isCompressed(type: string, id: number): boolean;
  /** What a message calls the place: `dmesg zone 3 at offset 12288`. */
  nameOf(type: string, id: number): string;
  /**
   * How the record that is shown there is known again later, whatever was found in the place since: gives whether the
   * medium still has its bytes, also when it was erased in the meantime. Undefined for places that go on being written.
   */
  watch(type: string, id: number): (() => boolean) | undefined;
  passedOver(type: string, id: number): PassedOver | undefined;
  /** What is left in a place of records that are not there any more. */
  erased?(type: string, id: number): Iterable<ErasedPlace>;

  /** Types of the other records of a place that go when the one of this type is erased. */
  erasedWith?(type: string): readonly string[];
  /** Empties the place durably where it still holds the record that is shown, and knows it as empty in any case. */
  erase(type: string, id: number): void;
  /**
   * @throws PstoreError EINVAL where the place of the write would be a guess; ENOSPC, EBUSY, EPERM, EIO
   */
  write?(record: NewRecord, dump: MakeDump): WrittenTo;
  /** Writes what ECC can repair; the places may hold anything afterwards. */
  repair?(): Repair;
  /** Reads the headers again. @param changed is told of each place that holds something else than before */
  refresh(changed: (type: string, id: number) => void): void;
  space(): SpaceUsage;
  info(shown: ShownRecords): BackendInfo;
}
