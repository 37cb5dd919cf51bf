// Regions of drivers/char/ramoops.c (Linux 2.6.35 to 3.4): no zone has a header, a dump begins with its line at each
// multiple of record_size.

import { readRange, type Storage } from '../storage/storage.js';
import { DIALECTS } from './dialects.js';
import { layOutRam, NO_RAM_ZONES, type RamGeometry, roundDownToPowerOfTwo } from './geometry.js';
import type { GivenSizes } from './region-sizes.js';

/** The module's default, and the least that it takes. */
const DEFAULT_RECORD = 4096;
/** What a region of such dumps is looked for in: no kernel kept a larger one. */
const MAX_RECORD = 1 << 20;

/**
 * @param lines where lines of dumps stand in the storage, ascending
 * @returns undefined where the sizes make no region; `isProven` says whether the lines leave no other record size
 */
export function textGeometry(
  storage: Storage,
  lines: readonly number[],
  given: GivenSizes,
  wanted: number | undefined,
): { geometry: RamGeometry; isProven: boolean } | undefined {
  const base = wanted ?? lines[0] ?? 0;
  const memSize = given.memSize ?? storage.size - base;
  const places = lines.map((offset) => offset - base).filter((offset) => offset > 0 && offset < memSize);
  const recordSize = given.recordSize ?? recordSizeOf(storage, base, places, memSize);
  if (recordSize <= 0 || recordSize > memSize) return undefined;
  const dialect = DIALECTS.find(({ frame }) => frame === 'none')!;
  const geometry = layOutRam({ ...NO_RAM_ZONES, memSize, recordSize, dialect }, storage.path, base);
  return { geometry, isProven: given.recordSize !== undefined || hasNeighbours(places, recordSize) };
}

/** The largest power of two of which all places are multiples; with a single dump, what its text needs. */
function recordSizeOf(storage: Storage, base: number, places: readonly number[], memSize: number): number {
  let size = MAX_RECORD;
  for (const place of places) while (place % size !== 0) size /= 2;
  if (places.length > 0) return Math.min(size, roundDownToPowerOfTwo(memSize));
  const text = textLength(readRange(storage, base, Math.min(MAX_RECORD, memSize)));
  let least = DEFAULT_RECORD;
  while (least < text && least * 2 <= memSize) least *= 2;
  return least;
}

/** A dump that fills its record has no NUL after it: it ends where the bytes do, or where erased flash begins (0xFF). */
function textLength(bytes: Uint8Array): number {
  const end = bytes.findIndex((byte) => byte === 0 || byte === 0xff);
  return end < 0 ? bytes.length : end;
}

/** Whether two dumps stand side by side: then a smaller record cannot be, as a larger one cannot. */
function hasNeighbours(places: readonly number[], recordSize: number): boolean {
  return [0, ...places].some((place, i, all) => all[i + 1] === place + recordSize);
}
