// Regions of drivers/char/ramoops.c (Linux 2.6.35 to 3.4): no zone has a header, a dump begins with its line at each
// multiple of record_size.

import { firstOther } from '../bytes.js';
import { readRange, type Storage } from '../storage/storage.js';
import { isPrinted } from './contents.js';
import { DIALECTS } from './dialects.js';
import { readPlainLine } from './format.js';
import { layOutRam, NO_RAM_ZONES, type RamGeometry, roundDownToPowerOfTwo } from './geometry.js';
import type { GivenSizes } from './region-sizes.js';

/** The module's default, and the least that it takes. */
const DEFAULT_RECORD = 4096;
/** What a region of such dumps is looked for in: no kernel kept a larger one. */
const MAX_RECORD = 1 << 20;

/** Records that are looked at closely, and the least size that is tried for them. */
const MAX_RECORDS = 64;
const MIN_RECORD = 1024;
/** A kernel prints no longer lines. */
const LONGEST_LINE = 2048;
const NEWLINE = 10;
/** Bytes of memory after a full record that may look like text. */
const BY_ACCIDENT = 64;
/** The newest record was certainly written with the size that the kernel had last: it outweighs all others. */
const NEWEST = 4 * MAX_RECORDS;

export interface TextGeometry {
  readonly geometry: RamGeometry;
  /** Whether the lines leave no other record size. */
  readonly isProven: boolean;
  /** Whether some records are of another size: an earlier boot had one. */
  readonly isMixed: boolean;
}

/**
 * @param lines where lines of dumps stand in the storage, ascending
 * @returns undefined where the sizes make no region
 */
export function textGeometry(
  storage: Storage,
  lines: readonly number[],
  given: GivenSizes,
  wanted: number | undefined,
): TextGeometry | undefined {
  const first = wanted ?? lines[0] ?? 0;
  // A region of the given size that only fits from the beginning on has a first record without a line.
  const base = first + (given.memSize ?? 0) > storage.size ? 0 : first;
  const memSize = given.memSize ?? storage.size - base;
  const places = lines.map((offset) => offset - base).filter((offset) => offset > 0 && offset < memSize);
  const found = given.recordSize === undefined ? recordSizeOf(storage, base, places, memSize) : undefined;
  const recordSize = given.recordSize ?? found!.size;
  if (recordSize <= 0 || recordSize > memSize) return undefined;
  const dialect = DIALECTS.find(({ frame }) => frame === 'none')!;
  const geometry = layOutRam({ ...NO_RAM_ZONES, memSize, recordSize, dialect }, storage.path, base);
  const isProven = given.recordSize !== undefined || hasNeighbours(places, recordSize);
  return { geometry, isProven, isMixed: found?.isMixed ?? false };
}

/** The size that as few records as possible speak against. */
function recordSizeOf(
  storage: Storage,
  base: number,
  places: readonly number[],
  memSize: number,
): { size: number; isMixed: boolean } {
  if (places.length === 0) return sizeOfSingle(storage, base, memSize);
  const records = recordsAt(storage, base, [0, ...places], memSize);
  const newest = records.reduce((one, other) => (other.time > one.time ? other : one));
  let best = { size: 0, against: Number.POSITIVE_INFINITY };
  for (let size = Math.min(MAX_RECORD, roundDownToPowerOfTwo(memSize)); size >= MIN_RECORD; size /= 2) {
    const inside = records.filter(({ place }) => place % size !== 0).length;
    const wrong = records.filter((record) => !isOfSize(record, size));
    const against = inside + wrong.length + (wrong.includes(newest) ? NEWEST : 0);
    if (against < best.against) best = { size, against };
  }
  return { size: best.size, isMixed: best.against > 0 || hasGap(places, best.size) };
}

/** The least size that a kernel may have left a single record with; where there is none, its text may end elsewhere. */
function sizeOfSingle(storage: Storage, base: number, memSize: number): { size: number; isMixed: boolean } {
  const [record] = recordsAt(storage, base, [0], memSize);
  const sizes: number[] = [];
  for (let size = DEFAULT_RECORD; size <= Math.min(MAX_RECORD, memSize); size *= 2) sizes.push(size);
  for (let size = DEFAULT_RECORD / 2; size >= MIN_RECORD; size /= 2) sizes.push(size);
  const fitting = record && sizes.find((size) => isOfSize(record, size));
  if (fitting !== undefined) return { size: fitting, isMixed: false };
  let least = DEFAULT_RECORD;
  while (record && least < record.text && least * 2 <= memSize) least *= 2;
  return { size: least, isMixed: record !== undefined };
}

/** A kernel fills the records from the first one on: one that was passed over tells of another size. */
function hasGap(places: readonly number[], size: number): boolean {
  return places.some((place, i) => place !== (i + 1) * size);
}

/** A record as its bytes show it, whatever its size is. */
interface TextRecord {
  readonly place: number;
  readonly time: bigint;
  /** Bytes of line and text. */
  readonly text: number;
  /** Where something else than zeros follows. */
  readonly end: number;
}

function recordsAt(storage: Storage, base: number, places: readonly number[], memSize: number): TextRecord[] {
  return places.slice(0, MAX_RECORDS).flatMap((place, i) => {
    const most = Math.min(MAX_RECORD, memSize - place);
    const bytes = readRange(storage, base + place, most);
    const line = readPlainLine(bytes);
    if (!line) return [];
    const next = (places[i + 1] ?? memSize) - place;
    const text = Math.min(next, textLength(bytes));
    const other = bytes[text] === 0 ? firstOther(bytes.subarray(text), 0) : 0;
    const end = other < 0 ? Number.POSITIVE_INFINITY : text + other;
    return [{ place, time: line.seconds, text, end }];
  });
}

/** Whether a kernel with this size may have left the record: it cleared all of it first. */
function isOfSize({ place, text, end }: TextRecord, size: number): boolean {
  if (place % size !== 0) return false;
  // A text that ends just where a smaller record does fills one.
  if (text < size && text >= MIN_RECORD && roundDownToPowerOfTwo(text) === text) return false;
  return text < size ? end >= size : text < size + BY_ACCIDENT;
}

/** A dump that fills its record has no NUL after it: it ends where the bytes do, or where bytes of no text begin. */
function textLength(bytes: Uint8Array): number {
  const end = bytes.findIndex((byte) => byte === 0 || byte === 0xff);
  const length = end < 0 ? bytes.length : end;
  const full = roundDownToPowerOfTwo(length);
  return full >= MIN_RECORD && isOther(bytes.subarray(full, length)) ? full : length;
}

/** Whether more than one of four bytes is none of a text, or these are no lines of one: memory may be filled with letters. */
function isOther(bytes: Uint8Array): boolean {
  const isLine = bytes.length < LONGEST_LINE || bytes.subarray(0, LONGEST_LINE).includes(NEWLINE);
  return !isLine || bytes.reduce((sum, byte) => sum + (isPrinted(byte) ? 0 : 1), 0) * 4 > bytes.length;
}

/** Whether two dumps stand side by side: then a smaller record cannot be, as a larger one cannot. */
function hasNeighbours(places: readonly number[], recordSize: number): boolean {
  return [0, ...places].some((place, i, all) => all[i + 1] === place + recordSize);
}
