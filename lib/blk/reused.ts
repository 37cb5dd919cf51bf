// Finds the zones of the last kernel in a partition that was used with several sizes.

import { isBlank } from '../bytes.js';
import { readRange, type Storage } from '../storage/storage.js';
import { isDmesgFirst } from './dialects.js';
import { type RingMark, wrappedSize } from './evidence.js';
import { BUFFER_HEADER_SIZE } from './format.js';
import { ZONE_MULTIPLE } from './geometry.js';
import { countsOf, judgeZones, type Traces, type Verdict, weightOf } from './last-kernel.js';
import { fitOf, freshRings } from './left-rings.js';
import type { Written } from './written.js';

/** Where dmesg zones lie. */
export interface LastZones {
  readonly base: number;
  readonly size: number;
  /** They end here, or before. */
  readonly end: number;
}

export interface ReusedEvidence extends Omit<Traces, 'isBlank'> {
  readonly storage: Storage;
  /** Where the zones begin, in a dialect that has those of dmesg first. */
  readonly from: number;
  /** Where a ring may follow them. */
  readonly rings: readonly RingMark[];
  /** Distances of headers. */
  readonly sizes: readonly number[];
}

interface Judged extends Verdict {
  /** How well a ring stands where the zones end. */
  readonly ring: number;
}

/** Of more dumps each size would take long to judge. */
const MAX_DUMPS = 2048;
/** A kernel has one; each boot with other sizes may have left one. */
const MAX_RINGS = 8;
/** Bytes from the beginning of a zone of which not all are lost with its header. */
const LOST_AT_MOST = 1024;

/**
 * @param usual the size that puts the most headers at zones' beginnings
 * @returns undefined where that explains all dumps, or nothing explains them better
 */
export function zonesOfLastKernel(usual: LastZones, all: ReusedEvidence): LastZones | undefined {
  const { storage } = all;
  const dumps = all.dumps.filter((dump) => !isDamaged(dump, usual, all));
  const rings = all.rings.slice(-MAX_RINGS);
  const evidence = { ...all, dumps, rings };
  if (dumps.length === 0 || dumps.length > MAX_DUMPS) return undefined;
  const traces: Traces = { ...evidence, isBlank: (at) => isBlank(readRange(storage, at, LOST_AT_MOST)) };
  const judge = (zones: LastZones): Judged => {
    const count = Math.floor((zones.end - zones.base) / zones.size);
    const ring = ringAfter(zones, usual, evidence);
    const isLikelier = (a: Verdict, b: Verdict) => isBetter({ ...a, ring }, { ...b, ring });
    return { ...judgeZones({ ...zones, count }, traces, isLikelier), ring };
  };
  const first = judge(usual);
  const isRingRight = rings.length < 2 && (usual.end === storage.size || (usual.end - usual.base) % usual.size === 0);
  if (isRingRight && first.aliens === 0 && isOneRing(usual, traces)) return undefined;
  let best: { readonly judged: Judged; readonly zones: LastZones } | undefined;
  for (const zones of candidates(evidence)) {
    const judged = judge(zones);
    if (!judged.possible || (first.aliens === 0 && !isClear(judged, first))) continue;
    if (best ? isBetter(judged, best.judged) : !isBetter(first, judged)) best = { judged, zones };
  }
  return best?.zones;
}

/** Bytes at the end of a dump of which not all are blank. */
const END = 16;

/** Whether a dump that is too long for its zone has no such end: its length is damaged, and tells of no other size. */
function isDamaged({ mark, next }: Written, { base, size }: LastZones, { storage, dialect }: ReusedEvidence): boolean {
  const { offset, datalen } = mark;
  const end = offset + BUFFER_HEADER_SIZE[dialect.generation] + datalen;
  if ((offset - base) % size !== 0 || end <= offset + size) return false;
  return next < end || end > storage.size || isBlank(readRange(storage, end - END, END));
}

/** A clock that went back is rare; but so is a newest dump for which nothing speaks but its time. */
const NEWEST = 100;
const NEWEST_ALONE = 1.5;

function isBetter(a: Judged, b: Judged): boolean {
  if (a.possible !== b.possible) return a.possible;
  const weight = (judged: Judged) => {
    const weighed = weightOf(judged) + judged.ring;
    const time = judged.newest ? (weighed > 0 ? NEWEST : NEWEST_ALONE) : 0;
    return time + weighed + judged.fill;
  };
  return weight(a) > weight(b);
}

/** Whether a size can be right though another one has all headers in their places. */
function isClear({ newest, chain, counted }: Verdict, first: Verdict): boolean {
  return newest && (first.possible ? chain > 0 && counted > 0 : chain + counted > 0);
}

/** A ring that the other size explains as well says little for this one. */
const HARDLY = 0.25;

function ringAfter(zones: LastZones, usual: LastZones, { rings, storage }: ReusedEvidence): number {
  const ring = rings.find(({ offset }) => offset === zones.end);
  if (!ring) return 0;
  const isOld = zones.size !== usual.size && fitOf(ring, usual, storage.size) > 0;
  return fitOf(ring, zones, storage.size) * (isOld ? HARDLY : 1);
}

/** Counters that go on from one zone to the next are no accident from so many on. */
const MIN_COUNTED = 3;

/**
 * Whether each counter goes on along the zones without a gap, but for the one place where the ring has got to. Unlike a
 * clock, which begins anew at each boot of a board without a battery, no counter goes back.
 */
function isCounted(ring: readonly Written[], dialect: Traces['dialect']): boolean {
  const counters = new Map<string, number[]>();
  for (const dump of ring) {
    const counts = countsOf(dump, dialect);
    if (counts) counters.set(counts, [...(counters.get(counts) ?? []), dump.counter]);
  }
  let steps = 0;
  for (const counted of counters.values()) {
    const breaks = counted.filter((counter, i) => i > 0 && counter !== counted[i - 1]! + 1).length;
    if (breaks > 1 || (breaks === 1 && counted[0]! <= counted.at(-1)!)) return false;
    steps += counted.length - 1 - breaks;
  }
  return steps >= MIN_COUNTED;
}

/** Whether a counter has not gone up with the time: recovery by zones of this size would have let it go on. */
function isCounterStuck(ring: readonly Written[], dialect: Traces['dialect']): boolean {
  return ring.some((dump, i) => {
    const before = ring[i - 1];
    const counts = countsOf(dump, dialect);
    const isNext = before && counts && counts === countsOf(before, dialect) && before.time < dump.time;
    return isNext && dump.counter <= before.counter;
  });
}

/**
 * Whether the times go up along the zones, or the counters do, but for the one place where the ring has got to: then all
 * dumps are of zones of this size. Some headers may be lost; but where recovery ends at an unsigned zone, none before
 * others was never written.
 */
function isOneRing({ base, size }: LastZones, { dumps, dialect, isBlank: isNever }: Traces): boolean {
  const ring = dumps.toSorted((a, b) => a.mark.offset - b.mark.offset);
  const falls = ring.filter((dump, i) => dump.time > ring[(i + 1) % ring.length]!.time).length;
  const last = ring.at(-1)!.mark.offset;
  if (falls <= 1 && isCounterStuck(ring, dialect)) return false;
  if ((falls > 1 && !isCounted(ring, dialect)) || (last - base) / size + 1 > 2 * ring.length) return false;
  if (dialect.unsigned !== 'ends') return true;
  const known = new Set(ring.map(({ mark }) => mark.offset));
  for (let at = base; at < last; at += size) if (!known.has(at) && isNever(at)) return false;
  return true;
}

/** Neighbours in time, headers before the newest, and parts of a ring's place that are tried as a size. */
const MAX_STEPS = 8;
const MAX_DISTANCES = 64;
const MAX_PARTS = 64;

function* sizesToTry({ dumps, dialect, from, rings, sizes }: ReusedEvidence): Generator<number> {
  yield* sizes;
  const offsets = dumps.map(({ mark }) => mark.offset);
  const newest = offsets[0]!;
  for (let i = 1; i <= Math.min(MAX_STEPS, offsets.length - 1); i++) yield Math.abs(offsets[i]! - offsets[i - 1]!);
  const sorted = offsets.toSorted((a, b) => a - b);
  if (isDmesgFirst(dialect)) {
    // The first zone has a signature in whatever size: the next one, which had none, was the first to be written.
    for (const offset of sorted.slice(0, MAX_DISTANCES)) yield offset - from;
  } else {
    for (const offset of sorted.filter((at) => at < newest).slice(-MAX_DISTANCES)) yield newest - offset;
    for (const { reach } of dumps.slice(0, MAX_STEPS)) yield reach;
  }
  for (const { offset } of rings) {
    for (let parts = 1; parts <= MAX_PARTS; parts++) yield (offset - from) / parts;
  }
}

/** The newest dumps of which each may be in its place. */
const MAX_PLACED = 3;

/** The smallest zones first. */
function* candidates(evidence: ReusedEvidence): Generator<LastZones> {
  const { dumps, dialect, from, rings, storage } = evidence;
  const sizes = [...new Set(sizesToTry(evidence))].filter(
    (size) => size >= ZONE_MULTIPLE && size % ZONE_MULTIPLE === 0,
  );
  const least = endOfFront(evidence);
  for (const size of sizes.sort((a, b) => a - b)) {
    if (!isDmesgFirst(dialect)) {
      const phases = new Set(dumps.slice(0, MAX_PLACED).map(({ mark }) => mark.offset % size));
      for (const phase of phases) {
        const zones = Math.max(0, Math.ceil((least - phase) / size));
        yield { base: phase + zones * size, size, end: storage.size };
      }
      continue;
    }
    for (const { offset } of rings) if ((offset - from) % size === 0) yield { base: from, size, end: offset };
    yield { base: from, size, end: storage.size };
  }
}

/** The dmesg zones of mainline begin after all that the rings are known to hold. */
function endOfFront({ own, dumps }: ReusedEvidence): number {
  const newest = dumps[0]!.mark.offset;
  let least = 0;
  for (const { offset, datalen } of freshRings(own)) {
    const end = offset + BUFFER_HEADER_SIZE.pstore_blk + datalen;
    if (end <= newest) least = Math.max(least, end);
  }
  return least;
}

/**
 * Where the first of mainline's zones begins. An old header that happens to stand where one of them does tells nothing of
 * those before it, which may never have been written: where a full ring ends right before them, they begin there.
 * @param usual the size of the older zones
 */
export function firstOf({ base, size }: LastZones, usual: number, { dumps, own }: Traces | ReusedEvidence): number {
  const isPlaced = ({ mark }: Written) => mark.offset >= base && (mark.offset - base) % size === 0;
  const [first] = dumps.filter(isPlaced).sort((a, b) => a.mark.offset - b.mark.offset);
  if (!first) return base;
  const { offset, datalen } = first.mark;
  const fits = datalen + BUFFER_HEADER_SIZE.pstore_blk <= size;
  const isOld = fits && dumps.some((dump) => dump.time > first.time && !isPlaced(dump));
  const ring = freshRings(own).findLast((mark) => mark.offset < offset);
  const wrapped = isOld && ring ? wrappedSize(ring, offset) : undefined;
  if (!ring || wrapped === undefined) return offset;
  const end = ring.offset + wrapped;
  // Old headers stand in such a place at each common multiple of both sizes.
  const isNear = offset - end < (size * usual) / greatestCommonDivisor(size, usual);
  return isNear && (offset - end) % size === 0 ? end : offset;
}

export function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
