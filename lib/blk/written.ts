// The dumps of a partition in the order of their writing, and how far the write of the newest ones can be seen to reach.

import { firstOther } from '../bytes.js';
import type { Abi } from '../pstore/abi.js';
import { readRange, type Storage } from '../storage/storage.js';
import type { ZoneDialect } from './dialects.js';
import { BUFFER_HEADER_SIZE, DMESG_MAGIC, dmesgHeaderSize, readDmesgHeader } from './format.js';
import type { Mark } from './marks.js';

/** A dump that was written, or one that was erased. */
export interface Written {
  readonly mark: Mark;
  /** First byte of the next header after it. */
  readonly next: number;
  /** Nanoseconds since 1970. */
  readonly time: bigint;
  readonly counter: number;
  readonly reason: number;
  /**
   * Bytes from the zone's beginning that this write may have left: the dump, and the zeros that its kernel fills the zone
   * with. Infinity where nothing tells.
   */
  readonly reach: number;
}

/** Headers of more dumps are not put into an order. */
const MAX_ORDERED = 4096;
/** The newest ones, of which it is seen how far they reach. */
export const MAX_NEWEST = 8;

/**
 * All dumps, the newest first. Of the newest it is seen how far they reach.
 * @param dmesg headers of dmesg zones, in the order of their offsets
 */
export function newestDumps(
  dmesg: readonly Mark[],
  { generation, flushes }: ZoneDialect,
  storage: Storage,
  abi: Abi,
): readonly Written[] {
  if (dmesg.length > MAX_ORDERED) return [];
  const size = dmesgHeaderSize(abi);
  const dumps = dmesg.flatMap((mark, i) => {
    if (!mark.signed || !mark.magic) return [];
    const bytes = readRange(storage, mark.offset + BUFFER_HEADER_SIZE[generation], size);
    if (bytes.length < size) return [];
    const { magic, seconds, nanoseconds, counter, reason } = readDmesgHeader(bytes, abi);
    if (magic !== DMESG_MAGIC) return [];
    const time = seconds * 1_000_000_000n + nanoseconds;
    return [{ mark, next: dmesg[i + 1]?.offset ?? storage.size, time, counter, reason }];
  });
  const compare = (a: bigint, b: bigint) => (a < b ? 1 : a > b ? -1 : 0);
  dumps.sort((a, b) => compare(a.time, b.time) || b.mark.offset - a.mark.offset);
  return dumps.map((dump, i) => {
    const { mark, next } = dump;
    if (i >= MAX_NEWEST) return { ...dump, reach: Number.POSITIVE_INFINITY };
    const isNear = i < SURELY_READ || next - mark.offset <= MAX_READ;
    const isFilled = flushes === 'zone' && mark.datalen > 0 && isNear;
    const until = Math.min(next + BUFFER_HEADER_SIZE[generation], mark.offset + MAX_REACH);
    return { ...dump, reach: isFilled ? zerosEnd(mark, storage, until) : Number.POSITIVE_INFINITY };
  });
}

/** Of older dumps than these, only zones that are not larger are read. */
const SURELY_READ = 3;
const MAX_READ = 256 << 10;

/** Zones are seldom larger: a medium may go on for terabytes after the last one. */
const MAX_REACH = 4 << 20;

/** Bytes that are read at a time to see where zeros end. */
export const FILL_CHUNK = 64 << 10;

/**
 * Where the zeros after a dump of mainline end, which writes its zone as a whole: bytes from the zone's beginning.
 * @param until they are not looked at after this offset
 * @returns Infinity where they go on up to there
 */
export function zerosEnd({ offset, datalen }: Mark, storage: Storage, until: number): number {
  for (let at = offset + BUFFER_HEADER_SIZE.pstore_blk + datalen; at < until; at += FILL_CHUNK) {
    const chunk = readRange(storage, at, Math.min(FILL_CHUNK, until - at));
    const end = firstOther(chunk, 0);
    if (end >= 0) return at + end - offset;
    if (chunk.length < FILL_CHUNK) break;
  }
  return Number.POSITIVE_INFINITY;
}

/** Where zones may lie. */
interface Zones {
  readonly base: number;
  readonly size: number;
}

/** Whether a dump was written into a zone of these, as far as can be seen: it fits, and no older header stands in it. */
export function isZoneOf(
  { mark, next, reach }: Written,
  { base, size }: Zones,
  { generation, flushes }: ZoneDialect,
): boolean {
  const from = mark.offset - base;
  if (from < 0 || from % size !== 0 || mark.datalen + BUFFER_HEADER_SIZE[generation] > size) return false;
  return flushes !== 'zone' || (reach >= size && next - mark.offset >= size);
}

/**
 * Whether the two newest dumps stand in zones of these one after the other, as a ring is written. A divisor of the right
 * size has zones between them, and a multiple has other headers in its zones.
 */
export function isRingOrder([newest, before]: readonly Written[], zones: Zones, dialect: ZoneDialect): boolean {
  if (!newest || !before || !isZoneOf(newest, zones, dialect) || !isZoneOf(before, zones, dialect)) return false;
  return newest.mark.offset - before.mark.offset === zones.size;
}
