// What a backend is: a numbered row of slots, some of which hold a record.

import type { Warnings } from '../warnings.js';
import type { Abi } from './abi.js';

export type RecordState = 'live' | 'erased' | 'undecodable' | 'salvaged';

/** One record as a listing shows it. Made on demand, holds no data. */
export interface PstoreRecord {
  /** Where the backend keeps it: 0 … slots − 1. Slots go in the order of a listing: by type, then by id. */
  readonly slot: number;
  /** `dmesg`, `console`, `device`, …: the first part of the file name. */
  readonly type: string;
  /** The last part of the file name, where a number holds it; see `id64`. */
  readonly id: number;
  /** The last part of the file name, where it exceeds 2^53: `id` is then only near it. */
  readonly id64?: bigint;
  /** File name: `<type>-<backend>-<id>`, with `.enc.z` or `.salvaged` after it where that applies. */
  readonly name: string;
  /** Bytes that reading gives, which is `st_size`. */
  readonly size: number;
  /** Nanoseconds since 1970, or null when the record has no time of its own. */
  readonly mtimeNs: bigint | null;
  /** `Oops`, `Panic`, …, or null. */
  readonly reason: string | null;
  /** The stored counter, or null. */
  readonly count: number | null;
  /** Which part of its dump it is, from 1 at the end of the log; null or left out where the backend does not know. */
  readonly part?: number | null;
  /** Name of the compression that it is stored with, or null. */
  readonly compressed: string | null;
  readonly state: RecordState;
  /** First byte of the zone, page or note in the source. */
  readonly offset: number;
  /** What the source itself calls it, or null. */
  readonly title: string | null;
  /** What ECC found, as the kernel's notice words it without `ECC: `, or null without ECC. */
  readonly ecc: string | null;
}

/**
 * The bytes of one record. It goes on giving the same bytes after the record was erased through its backend, until
 * something else is written to that place.
 */
export interface RecordContent {
  readonly size: number;
  /**
   * Fills `target` with the record's bytes from `position` on.
   * @returns bytes given: less than asked only at the end
   * @throws PstoreError EIO when the medium does not give them any more
   */
  read(target: Uint8Array, position: number): number;
  /** Lets go of what the content holds outside of memory; it is not read any more. Contents without it hold nothing such. */
  close?(): void;
}

/** A place that a kernel passes over though a person may read something in it. */
export interface PassedOver {
  readonly type: string;
  readonly id: number;
  /** First byte of the place in the source. */
  readonly offset: number;
  /** The bytes as they are stored, without any header; zeros stand for blocks that cannot be read. */
  readonly stored: Uint8Array;
  /**
   * `text` is searched for what a person can read; `dump` may be compressed, too; `made` is a text that the family made
   * of what is stored, and is shown as it is.
   */
  readonly kind: 'text' | 'dump' | 'made';
  /** Most bytes that a compressed dump may decode to. */
  readonly limit: number;
  /** Nanoseconds since 1970, or null. */
  readonly mtimeNs: bigint | null;
  /** The reason's name, or null; undefined where only the beginning of the text tells it. */
  readonly reason: string | null | undefined;
  readonly count: number | null;
}

/** An erased record as a listing shows it. */
export interface ErasedRecord {
  /** As the listing of live ones would show it; its slot has no meaning. */
  readonly record: PstoreRecord;
  open(): RecordContent;
  /**
   * Takes back what erasing it has written, durably.
   * @throws PstoreError EPERM, with the reason, where that is not safe; EBUSY, EROFS, EIO
   */
  undelete(): void;
}

/** A zone, page or note as `info` explains it. */
export interface ZoneInfo {
  readonly index: number;
  readonly type: string;
  readonly offset: number;
  readonly size: number;
  /** `live`, `erased`, `unused`, `overtop`, `invalid`, `bad-signature`, `truncated`, `ecc-damaged`, `undecodable`, … */
  readonly state: string;
  /** Why it is not shown, or what is remarkable about it; null when there is nothing to say. */
  readonly reason: string | null;
}

export interface BackendInfo {
  /** `blkoops`, `pstore_blk`, `ramoops`, `vmcore`, `kdump`, `fadump`, `platform-dump`, `mtdoops`, `efi`, `erst`. */
  readonly format: string;
  readonly abi: Abi | null;
  /** Sizes in bytes by the names of the source keys, `cpus`, `ecc`, …. */
  readonly geometry: Readonly<Record<string, number | string>>;
  /** For each geometry key 0 … 1: 1 was given or is proven, below that it is a guess. */
  readonly confidence: Readonly<Record<string, number>>;
  /** Module parameters to paste, one string each: `pstore_blk.kmsg_size=64`. */
  readonly kernelParameters: readonly string[];
  /** The keys that open this source the same way again: `kmsg_size=64K,…`. */
  readonly sourceKeys: string;
  readonly counters: { readonly oops: number; readonly panic: number; readonly oom?: number } | null;
  /** Index of the zone that the next dmesg record goes to, or null. */
  readonly nextZone: number | null;
  readonly zones: Iterable<ZoneInfo>;
  /** The node of a device tree source that makes a kernel use this region, of families that have one. */
  readonly deviceTree?: string;
  /** Further lines for people: label → value. */
  readonly details: Readonly<Record<string, string>>;
}

/** Something to be written by `record`. */
export interface NewRecord {
  readonly type: 'dmesg' | 'console' | 'pmsg' | 'tty' | 'ftrace';
  /** Number of linux/kmsg_dump.h; dmesg only. */
  readonly reason: number;
  /** Nanoseconds since 1970; dmesg only. */
  readonly timeNs: bigint;
  /** `none` or an algorithm; dmesg only. */
  readonly compress: string;
  /** Which part of its dump it is, from 1 at the end of the log: no ring keeps another one. Default 1; dmesg only. */
  readonly part?: number;
  /** The log's text (dmesg), or the bytes to append (rings). */
  readonly data: Uint8Array;
  /** CPU whose ring is written; ftrace only. */
  readonly cpu?: number;
}

/** A byte that repair() changed. */
export interface RepairedByte {
  /** As `dmesg zone 1`. */
  readonly zone: string;
  /** In the source. */
  readonly offset: number;
  readonly from: number;
  readonly to: number;
}

/** Bytes that repair() could not repair: blocks with more wrong bytes than their ECC can tell. */
export interface LostBytes {
  /** As `dmesg zone 1`. */
  readonly zone: string;
  /** In the source. */
  readonly offset: number;
  readonly length: number;
}

export interface Repair {
  readonly changes: readonly RepairedByte[];
  readonly lost: readonly LostBytes[];
}

export interface SpaceUsage {
  /** Bytes of all zones. */
  readonly bytes: number;
  /** Bytes of zones that hold no live record. */
  readonly freeBytes: number;
  readonly records: number;
  readonly freeSlots: number;
}

export interface Backend {
  /** As it stands in file names. */
  readonly name: string;
  /** The source file, for messages. */
  readonly path: string;
  readonly warnings: Warnings;
  /** Whether all records are called `<type>-<name>-<id>`, with `.enc.z` or `.salvaged` after it. */
  readonly hasUsualNames?: boolean;
  /** One more than the highest slot. May grow by refresh(). */
  readonly slots: number;
  /** Whether erase() and write() can reach the medium; says why not through EROFS or EPERM when they are called. */
  readonly writable: boolean;
  /** Whether it counts what readers got of a record: a mount must let nothing be read ahead of them. */
  readonly countsReads?: boolean;

  /** The record in a slot, or undefined where none is shown. */
  record(slot: number): PstoreRecord | undefined;
  /** The slot whose record has this file name, or undefined. Does not walk all slots where it need not. */
  find(name: string): number | undefined;
  /**
   * Distinguishes a record from the one that was in the same slot before: changes when the slot is reused.
   * A number that only this run of the program gives a meaning to.
   */
  generation(slot: number): number;
  /** @throws PstoreError ENOENT when the slot shows no record */
  open(slot: number): RecordContent;
  /**
   * Erases the record in the source, durably, when it still is the one that was shown; a slot that was reused or erased
   * in the meantime is left alone and that is no error.
   * @throws PstoreError EROFS for a read-only source; EPERM where this kind cannot erase; EBUSY, EIO
   */
  erase(slot: number): void;
  /** Slots of other records that go when this one is erased, because a format erases them together. */
  erasedWith?(slot: number): readonly number[];
  /** Writes through the engine, durably. @throws PstoreError ENOTSUP where this kind cannot write */
  write?(record: NewRecord): void;
  /** Writes into the image what ECC can repair. @throws PstoreError EROFS; ENOTSUP where the image has no ECC; EIO */
  repair?(): Repair;
  /** What a kernel passes over in the place of a slot, for the option salvage. */
  passedOver?(slot: number): PassedOver | undefined;
  /** The slot of a place, whether it shows a record or not. */
  slotOf?(type: string, id: number): number | undefined;
  /** What is left of records that were erased, and of older ones, in the order of the listing. @throws PstoreError EIO */
  erased?(): Iterable<ErasedRecord>;
  /** Re-reads headers and nothing else. @returns whether anything that is shown has changed */
  refresh?(): boolean;
  space(): SpaceUsage;
  info(): BackendInfo;
  close(): void;
}

/** More sources than these in one listing or mount are a mistake. */
export const MAX_BACKENDS = 1022;

/**
 * `<type>-<backend>-<id><suffix>`, taken apart; undefined when it is no such name of this backend. An id of more than
 * 2^53 is only near to what stands there.
 */
export function parseRecordName(
  backend: string,
  name: string,
): { type: string; id: number; suffix: string } | undefined {
  const middle = `-${backend}-`;
  const at = name.indexOf(middle);
  if (at < 1) return undefined;
  const match = /^(0|[1-9][0-9]{0,19})((?:\.enc\.z)?(?:\.salvaged)?)$/.exec(name.slice(at + middle.length));
  if (!match) return undefined;
  return { type: name.slice(0, at), id: Number(match[1]), suffix: match[2]! };
}
