// Tells the size of the dmesg zones, and where the first one begins, from where their headers stand.

import { firstOther } from '../bytes.js';
import { BY_FILL, GUESS, LIKELY, PROVEN } from '../pstore/geometry.js';
import { readRange, type Storage } from '../storage/storage.js';
import { BLOCK, SurvivingStorage } from '../storage/surviving.js';
import { isDmesgFirst, type ZoneDialect } from './dialects.js';
import { BUFFER_HEADER_SIZE } from './format.js';
import { PSTORE_BLK_CAP, ZONE_MULTIPLE } from './geometry.js';
import type { Mark } from './marks.js';

export interface Stride {
  /** First byte of the first zone that has a header. */
  readonly base: number;
  /** Bytes of each zone. */
  readonly size: number;
  readonly confidence: number;
}

/** Distances between neighbours that are tried, the most frequent ones. */
const MAX_CANDIDATES = 8;
/** What most kernels are configured with (CONFIG_PSTORE_BLK_KMSG_SIZE). */
const USUAL_SIZE = 64 << 10;

/**
 * The zone size that puts the most headers at zones' beginnings; of several the largest.
 * @param own headers of all zones, in the order of their offsets; @param dmesg those of dmesg zones
 * @param given the size, where it is known; 0 means that there are no such zones
 * @param formatted every zone has a header
 * @param end where the zones end, if that is known: a zone of another kind begins there
 */
export function findStride(
  { own, dmesg }: { own: readonly Mark[]; dmesg: readonly Mark[] },
  dialect: ZoneDialect,
  storage: Storage,
  given: number | undefined,
  formatted: boolean,
  end?: number,
): Stride | undefined {
  if (dmesg.length === 0 || given === 0) return undefined;
  const header = BUFFER_HEADER_SIZE[dialect.generation];
  const fromStart = isDmesgFirst(dialect);
  const candidates = given ? [given] : strideCandidates(dmesg, fromStart, end);
  let best: { base: number; size: number; matches: Mark[]; score: number } | undefined;
  for (const size of candidates) {
    const base = fromStart ? 0 : commonPhase(dmesg, size);
    const matches = dmesg.filter(({ offset }) => offset >= base && (offset - base) % size === 0);
    // A header may be damaged, but most records fit into their zones.
    const score = matches.length - matches.filter(({ datalen }) => datalen + header > size).length / 2;
    if (!best || score > best.score || (score === best.score && size > best.size)) {
      best = { base, size, matches, score };
    }
  }
  if (best && given === undefined) best.size = withLostBetween(best, dmesg, storage);
  if (best) best.base = withLostHeaders(best, own, storage);
  if (given !== undefined && best) return { base: best.base, size: given, confidence: PROVEN };
  if (!best || best.matches.length < 2) {
    return singleZone(dmesg[0]!, dialect, storage, formatted, end);
  }
  const { base, size, matches } = best;
  const filled = dialect.flushes === 'zone' ? sizeByFill(matches.at(-1)!, storage, size) : undefined;
  if (filled !== undefined && size % filled === 0 && explainsAll(filled, best, header, storage)) {
    return { base, size: filled, confidence: PROVEN };
  }
  const all = Math.floor((storage.size - base) / size);
  const proven = matches.length >= 3 || matches.length === all;
  return { base, size, confidence: proven ? PROVEN : LIKELY };
}

/**
 * Whether a smaller size than the headers' distance, told by the fill of one record, is right for all: the records fit into
 * such zones, and no zone between them was never used, because zones are used one after the other. Else the write of that
 * one record was cut off, and what follows it in its zone is left of an older record.
 */
function explainsAll(
  filled: number,
  { base, size, matches }: { base: number; size: number; matches: readonly Mark[] },
  header: number,
  storage: Storage,
): boolean {
  if (matches.some(({ datalen }) => datalen + header > filled && datalen + header <= size)) return false;
  const known = new Set(matches.map(({ offset }) => offset));
  const end = matches.at(-1)?.offset ?? base;
  // Flash that was never written is all ones: that follows a zone, but no record that is only partly written over.
  if (firstOther(readRange(storage, end + filled, ZONE_MULTIPLE), 0xff) < 0) return true;
  for (let at = base; at < end; at += filled) {
    if (!known.has(at) && firstOther(readRange(storage, at, ZONE_MULTIPLE), 0) < 0) return false;
  }
  return true;
}

/** A zone may be this many times smaller than the distance of the headers that can be read. */
const MAX_LOST_BETWEEN = 8;

/**
 * Where the header of a zone cannot be read, its neighbours stand twice as far apart as zones do. A smaller size is
 * right where all places that it adds are lost, and what follows one of them is data that no zone before it holds.
 */
function withLostBetween(
  { base, size, matches }: { base: number; size: number; matches: readonly Mark[] },
  dmesg: readonly Mark[],
  storage: Storage,
): number {
  if (!(storage instanceof SurvivingStorage) || matches.length < 2) return size;
  const known = new Set(dmesg.map(({ offset }) => offset));
  const end = matches.at(-1)?.offset ?? base;
  for (let parts = 2; parts <= MAX_LOST_BETWEEN; parts++) {
    const smaller = size / parts;
    if (!isZoneSize(smaller)) continue;
    const added: number[] = [];
    for (let at = base; at < end; at += smaller) if (!known.has(at)) added.push(at);
    const isLost = added.every((at) => storage.isLost(at, BUFFER_HEADER_SIZE.pstore_blk));
    if (isLost && added.some((at) => isDataBehind(at, storage))) return smaller;
  }
  return size;
}

/** Whether something stands right after the block that could not be read. */
function isDataBehind(lost: number, storage: SurvivingStorage): boolean {
  const after = (Math.floor(lost / BLOCK) + 1) * BLOCK;
  const bytes = readRange(storage, after, ZONE_MULTIPLE);
  return bytes.some((byte) => byte !== bytes[0]);
}

/**
 * Dmesg zones whose headers cannot be read stand before the first one that can: the others keep their numbers. A place
 * is none where the header of a ring stands in it, or where it alone holds text: then it is a ring that lost its header.
 */
function withLostHeaders(
  { base, size, matches }: { base: number; size: number; matches: readonly Mark[] },
  own: readonly Mark[],
  storage: Storage,
): number {
  let first = base;
  if (!(storage instanceof SurvivingStorage)) return first;
  const isTextRare = matches.every(({ offset }) => !isTextBehind(offset, storage));
  const isRing = (at: number) =>
    own.some(({ type, signed, offset }) => type !== 'dmesg' && signed && offset >= at && offset < at + size) ||
    (isTextRare && isTextBehind(at, storage));
  const isLost = (at: number) => storage.isLost(at, BUFFER_HEADER_SIZE.pstore_blk);
  while (first >= size && isLost(first - size) && !isRing(first - size)) first -= size;
  return first;
}

/** Whether the block after the one in which a header stands begins with text. */
function isTextBehind(header: number, storage: Storage): boolean {
  const bytes = readRange(storage, (Math.floor(header / BLOCK) + 1) * BLOCK, ZONE_MULTIPLE);
  return bytes.length > 0 && bytes.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 0x09 || byte === 0x0a);
}

/** Differences between neighbours, and what divides all of them. */
function strideCandidates(dmesg: readonly Mark[], fromStart: boolean, end = 0): number[] {
  const counts = new Map<number, number>();
  let common = fromStart ? greatestCommonDivisor(dmesg[0]!.offset, end) : 0;
  for (let i = 1; i < dmesg.length; i++) {
    const difference = dmesg[i]!.offset - dmesg[i - 1]!.offset;
    common = greatestCommonDivisor(common, difference);
    if (isZoneSize(difference)) counts.set(difference, (counts.get(difference) ?? 0) + 1);
  }
  const frequent = [...counts].sort((a, b) => b[1] - a[1]).slice(0, MAX_CANDIDATES);
  const sizes = frequent.map(([size]) => size);
  return isZoneSize(common) && !sizes.includes(common) ? [...sizes, common] : sizes;
}

function isZoneSize(size: number): boolean {
  return size >= ZONE_MULTIPLE && size % ZONE_MULTIPLE === 0;
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

/** The first offset of the most common remainder: stray headers do not shift the zones. */
function commonPhase(dmesg: readonly Mark[], size: number): number {
  const counts = new Map<number, { count: number; first: number }>();
  for (const { offset } of dmesg) {
    const entry = counts.get(offset % size);
    if (entry) entry.count++;
    else counts.set(offset % size, { count: 1, first: offset });
  }
  let best = { count: 0, first: 0 };
  for (const entry of counts.values()) if (entry.count > best.count) best = entry;
  return best.first;
}

/**
 * One zone only: its fill tells where it ends, or it is the only one that there is room for. Otherwise the smallest usual
 * size that the record fits into.
 */
function singleZone(
  mark: Mark,
  dialect: ZoneDialect,
  storage: Storage,
  formatted: boolean,
  end: number | undefined,
): Stride {
  const base = isDmesgFirst(dialect) ? 0 : mark.offset;
  const room = Math.floor(((end ?? storage.size) - mark.offset) / ZONE_MULTIPLE) * ZONE_MULTIPLE;
  const filled = dialect.flushes === 'zone' ? sizeByFill(mark, storage, PSTORE_BLK_CAP) : undefined;
  if (filled !== undefined) return { base, size: filled, confidence: BY_FILL };
  if (formatted && room > 0) return { base, size: room, confidence: GUESS };
  const stored = mark.datalen <= room ? mark.datalen + BUFFER_HEADER_SIZE[dialect.generation] : 0;
  const needed = Math.max(stored, ZONE_MULTIPLE);
  if (end !== undefined) return { base, size: usualPart(end, needed), confidence: GUESS };
  let size = USUAL_SIZE;
  while (size < needed) size *= 2;
  while (size > room && size / 2 >= needed) size /= 2;
  const distance = mark.offset - base;
  if (distance > 0 && distance % size !== 0) {
    size = isZoneSize(distance) && distance >= needed ? distance : ZONE_MULTIPLE;
  }
  return { base, size: size > room ? Math.max(ZONE_MULTIPLE, room) : size, confidence: GUESS };
}

/** More zones than these are not tried. */
const MAX_PARTS = 4096;

/** The usual zone size where that divides so many bytes, else the smallest part of them that holds the record. */
export function usualPart(bytes: number, needed = ZONE_MULTIPLE): number {
  let size = bytes;
  for (let parts = 2; parts <= MAX_PARTS && bytes / parts >= needed; parts++) {
    if (!isZoneSize(bytes / parts)) continue;
    size = bytes / parts;
    if (size <= USUAL_SIZE) break;
  }
  return size;
}

/** Bytes that are read at a time to see where zeros end. */
const FILL_CHUNK = 64 << 10;

/**
 * Mainline writes a zone as a whole, zeros after the data: the zone ends where they do, when something else was there
 * before.
 * @param most bytes that a zone can have: zeros beyond are not looked at
 */
function sizeByFill({ offset, datalen, magic }: Mark, storage: Storage, most: number): number | undefined {
  const from = offset + BUFFER_HEADER_SIZE.pstore_blk + datalen;
  if (!magic || datalen === 0 || from >= storage.size) return undefined;
  for (let at = from; at < storage.size && at <= offset + most; at += FILL_CHUNK) {
    const chunk = readRange(storage, at, FILL_CHUNK);
    const end = firstOther(chunk, 0);
    if (end >= 0) return isZoneSize(at + end - offset) ? at + end - offset : undefined;
    if (chunk.length < FILL_CHUNK) break;
  }
  return undefined;
}
