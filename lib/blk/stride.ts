// Tells the size of the dmesg zones, and where the first one begins, from where their headers stand.

import { firstOther } from '../bytes.js';
import type { Abi } from '../pstore/abi.js';
import { BY_FILL, GUESS, LIKELY, PROVEN } from '../pstore/geometry.js';
import { readRange, type Storage } from '../storage/storage.js';
import { isDmesgFirst, type ZoneDialect } from './dialects.js';
import type { RingMark } from './evidence.js';
import { BUFFER_HEADER_SIZE } from './format.js';
import { PSTORE_BLK_CAP, ZONE_MULTIPLE } from './geometry.js';
import { type LostEvidence, withLostBetween, withLostHeaders } from './lost-zones.js';
import type { Mark } from './marks.js';
import { firstOf, greatestCommonDivisor, type LastZones, type ReusedEvidence, zonesOfLastKernel } from './reused.js';
import { doubtOf, type StrideDoubt } from './stride-doubts.js';
import { FILL_CHUNK, isRingOrder, newestDumps, type Written, zerosEnd } from './written.js';

export interface Stride {
  /** First byte of the first zone that has a header. */
  readonly base: number;
  /** Bytes of each zone. */
  readonly size: number;
  readonly confidence: number;
  /** What speaks against the size, though nothing fits better. */
  readonly doubt?: StrideDoubt;
  /** Where they end, where other kernels have left headers, too, and these zones are the last one's. */
  readonly end?: number;
}

/** Headers of one generation and byte order, in the order of their offsets, and the machine that wrote them. */
export interface StrideEvidence {
  /** Those of all zones. */
  readonly own: readonly Mark[];
  /** Those of dmesg zones. */
  readonly dmesg: readonly Mark[];
  readonly abi: Abi;
  /** Where the zones begin, in a dialect that has those of dmesg first. */
  readonly from?: number;
  /** Where a ring may follow the dmesg zones. */
  readonly rings?: readonly RingMark[];
}

/** Distances between neighbours that are tried, the most frequent ones. */
const MAX_CANDIDATES = 8;
/** What most kernels are configured with (CONFIG_PSTORE_BLK_KMSG_SIZE). */
const USUAL_SIZE = 64 << 10;

/**
 * The zone size that puts the most headers at zones' beginnings, of several the largest; but where the two newest dumps
 * stand in zones of another size one after the other, the others are left of an earlier boot.
 * @param given the size, where it is known; 0 means that there are no such zones
 * @param formatted every zone has a header
 * @param end where the zones end, if that is known: a zone of another kind begins there
 */
export function findStride(
  { own, dmesg, abi, from = 0, rings = [] }: StrideEvidence,
  dialect: ZoneDialect,
  storage: Storage,
  given: number | undefined,
  formatted: boolean,
  end?: number,
): Stride | undefined {
  if (dmesg.length === 0 || given === 0) return undefined;
  const newest = newestDumps(dmesg, dialect, storage, abi);
  const best = bestCandidate({ own, dmesg, abi, from }, newest, dialect, given, end);
  if (best && given === undefined) {
    const sizes = strideCandidates(dmesg, isDmesgFirst(dialect) ? from : undefined, end);
    const evidence = { own, dumps: newest, dialect, storage, from, rings, sizes };
    const last = zonesAsReused({ ...best, end: end ?? storage.size }, dmesg, evidence);
    if (last) return last;
  }
  const { generation } = dialect;
  const lost: LostEvidence = { own, dmesg, abi, storage, generation, newest: newest[0]?.mark };
  if (best && given === undefined) best.size = withLostBetween(best, lost);
  if (best) best.base = withLostHeaders(best, lost);
  if (given !== undefined && best) return { base: best.base, size: given, confidence: PROVEN };
  if (!best || best.matches.length < 2) {
    const single = singleZone(dmesg[0]!, from, dialect, storage, formatted, end);
    return isDmesgFirst(dialect) ? single : { ...single, base: withLostHeaders({ ...single, matches: dmesg }, lost) };
  }
  const { base, size, matches } = best;
  const filled = dialect.flushes === 'zone' ? sizeByFill(matches.at(-1)!, storage, size) : undefined;
  const header = BUFFER_HEADER_SIZE[generation];
  const isFilled = filled !== undefined && size % filled === 0 && explainsAll(filled, best, header, storage);
  const all = Math.floor((storage.size - base) / size);
  const isProven = isFilled || matches.length >= 3 || matches.length === all;
  const zones = { base, size: isFilled ? filled : size };
  const doubt = doubtOf(zones, matches, newest, dialect, storage);
  return { ...zones, confidence: isProven && !doubt ? PROVEN : LIKELY, ...(doubt && { doubt }) };
}

/** Zones of the last kernel, where others have left headers, too. */
function zonesAsReused(usual: LastZones, dmesg: readonly Mark[], evidence: ReusedEvidence): Stride | undefined {
  const { dialect, dumps, storage } = evidence;
  const last = zonesOfLastKernel(usual, evidence);
  if (!last) return undefined;
  const { size, end } = last;
  const base = isDmesgFirst(dialect) ? last.base : firstOf(last, usual.size, evidence);
  const matches = dmesg.filter(({ offset }) => offset >= base && (offset - base) % size === 0);
  const doubt = doubtOf({ base, size }, matches, dumps, dialect, storage);
  const confidence = matches.length < 2 ? GUESS : LIKELY;
  return { base, size, end, confidence, ...(doubt && { doubt }) };
}

interface Candidate {
  base: number;
  size: number;
  readonly matches: readonly Mark[];
  readonly score: number;
  readonly inOrder: boolean;
}

function bestCandidate(
  { dmesg, from = 0 }: StrideEvidence,
  newest: readonly Written[],
  dialect: ZoneDialect,
  given: number | undefined,
  end: number | undefined,
): Candidate | undefined {
  const fromStart = isDmesgFirst(dialect);
  const header = BUFFER_HEADER_SIZE[dialect.generation];
  const [last, before] = dialect.flushes === 'zone' ? newest : [];
  const step = last && before ? last.mark.offset - before.mark.offset : 0;
  const sizes = given ? [given] : strideCandidates(dmesg, fromStart ? from : undefined, end);
  if (!given && isZoneSize(step) && !sizes.includes(step)) sizes.push(step);
  let best: Candidate | undefined;
  for (const size of sizes) {
    const inOrder = size === step && isRingOrder(newest, { base: last!.mark.offset % size, size }, dialect);
    const base = fromStart ? from : inOrder ? firstAt(dmesg, last!.mark.offset % size, size) : commonPhase(dmesg, size);
    const matches = dmesg.filter(({ offset }) => offset >= base && (offset - base) % size === 0);
    // A header may be damaged, but most records fit into their zones.
    const score = matches.length - matches.filter(({ datalen }) => datalen + header > size).length / 2;
    const candidate = { base, size, matches, score, inOrder };
    if (!best || isBetter(candidate, best)) best = candidate;
  }
  return best;
}

function isBetter(a: Candidate, b: Candidate): boolean {
  if (a.inOrder !== b.inOrder) return a.inOrder;
  return a.score > b.score || (a.score === b.score && a.size > b.size);
}

/** The first header at a place with this remainder. */
function firstAt(dmesg: readonly Mark[], phase: number, size: number): number {
  return dmesg.find(({ offset }) => offset % size === phase)!.offset;
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

/** Differences between neighbours, and what divides all of them. */
function strideCandidates(dmesg: readonly Mark[], from: number | undefined, end = from): number[] {
  const counts = new Map<number, number>();
  let common = from === undefined ? 0 : greatestCommonDivisor(dmesg[0]!.offset - from, end! - from);
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
  from: number,
  dialect: ZoneDialect,
  storage: Storage,
  formatted: boolean,
  end: number | undefined,
): Stride {
  const base = isDmesgFirst(dialect) ? from : mark.offset;
  const room = Math.floor(((end ?? storage.size) - mark.offset) / ZONE_MULTIPLE) * ZONE_MULTIPLE;
  const filled = dialect.flushes === 'zone' ? sizeByFill(mark, storage, PSTORE_BLK_CAP) : undefined;
  if (filled !== undefined) return { base, size: filled, confidence: BY_FILL };
  if (formatted && room > 0) return { base, size: room, confidence: GUESS };
  const stored = mark.datalen <= room ? mark.datalen + BUFFER_HEADER_SIZE[dialect.generation] : 0;
  const needed = Math.max(stored, ZONE_MULTIPLE);
  if (end !== undefined) return { base, size: usualPart(end - base, needed), confidence: GUESS };
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

/**
 * Mainline writes a zone as a whole, zeros after the data: the zone ends where they do, when something else was there
 * before.
 * @param most bytes that a zone can have: zeros beyond are not looked at
 */
function sizeByFill(mark: Mark, storage: Storage, most: number): number | undefined {
  const { offset, datalen, magic } = mark;
  if (!magic || datalen === 0 || offset + BUFFER_HEADER_SIZE.pstore_blk + datalen >= storage.size) return undefined;
  const size = zerosEnd(mark, storage, Math.min(storage.size, offset + most + FILL_CHUNK));
  return isZoneSize(size) ? size : undefined;
}
