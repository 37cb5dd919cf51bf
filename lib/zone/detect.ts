// Finds a partition's generation, machine and zone sizes from its bytes alone.

import { type Abi, Fields } from '../format/abi.js';
import {
  BUFFER_HEADER_SIZE,
  type Generation,
  isNanoseconds,
  MAX_DMESG_HEADER_SIZE,
  readDmesgHeader,
} from '../format/zone.js';
import { readRange, type Storage } from '../storage/storage.js';
import { NO_ZONES, PSTORE_BLK_CAP, ZONE_MULTIPLE, type ZoneSizes } from './geometry.js';
import { findMarks, type Mark } from './marks.js';

/** How sure a found size is: 1 is proven by the image. */
export type SizeConfidence = Readonly<Record<keyof ZoneSizes, number>>;

export interface Detected {
  readonly generation: Generation;
  readonly abi: Abi;
  readonly sizes: ZoneSizes;
  readonly confidence: SizeConfidence;
  /** First byte of dmesg zone 0. */
  readonly kmsgOffset: number;
  /** Everything that looks like a zone of this generation and byte order. */
  readonly marks: readonly Mark[];
}

/** Bytes from the beginning in which headers are searched. */
export const SEARCHED = PSTORE_BLK_CAP;

/** Share of dmesg marks that a zone size must explain to be proven. */
const PROVEN = 1;
const TWO_ZONES = 0.9;
const BY_FILL = 0.8;
const GUESS = 0.3;

/**
 * @param only the generation that it must be
 * @param until headers that begin behind this offset are not looked for
 * @returns undefined when no zone is found
 */
export function detectZones(storage: Storage, only?: Generation, until = SEARCHED): Detected | undefined {
  const marks = findMarks(storage, Math.min(storage.size, until));
  const vote = voteOnFormat(marks, only);
  if (!vote) return undefined;
  const { generation, endian } = vote;
  const own = marks.filter(
    (mark) => mark.endian === endian && (mark.generation === generation || (mark.generation === null && mark.signed)),
  );
  const dmesg = own.filter((mark) => mark.type === 'dmesg');
  const abi = detectAbi(storage, dmesg, generation, endian);
  const total = storage.size;
  if (generation === 'blkoops') {
    const stride = findStride(dmesg, 0, total, storage, generation);
    if (!stride) return undefined;
    return {
      generation,
      abi,
      sizes: { ...NO_ZONES, kmsgSize: stride.size },
      confidence: { ...SURE, kmsgSize: stride.confidence },
      kmsgOffset: 0,
      marks: own,
    };
  }
  // Index 0 is the first dmesg zone that can be told: a kernel fills them from the first on.
  const base = dmesg[0]?.offset;
  const stride = base === undefined ? undefined : findStride(dmesg, base, total, storage, generation);
  const front = findFront(own, stride?.base, total, storage, abi);
  return {
    generation,
    abi,
    sizes: { ...front.sizes, kmsgSize: stride?.size ?? 0 },
    confidence: { ...front.confidence, kmsgSize: stride?.confidence ?? GUESS },
    kmsgOffset: stride?.base ?? Math.min(total, sumOf(front.sizes)),
    marks: own,
  };
}

const SURE: SizeConfidence = { kmsgSize: 1, pmsgSize: 1, consoleSize: 1, ttySize: 1, ftraceSize: 1, cpus: 1 };

function sumOf(sizes: ZoneSizes): number {
  return sizes.pmsgSize + sizes.consoleSize + sizes.ttySize + sizes.ftraceSize;
}

/** The generation and byte order that most marks speak for; a mark with signature and magic counts most. */
function voteOnFormat(
  marks: readonly Mark[],
  only: Generation | undefined,
): { generation: Generation; endian: 'little' | 'big' } | undefined {
  let best: { generation: Generation; endian: 'little' | 'big' } | undefined;
  let most = 0;
  for (const generation of ['pstore_blk', 'blkoops'] as const) {
    if (only !== undefined && only !== generation) continue;
    for (const endian of ['little', 'big'] as const) {
      let votes = 0;
      for (const mark of marks) {
        if (mark.endian !== endian) continue;
        if (mark.generation === generation) votes += mark.signed && mark.magic ? 16 : mark.signed ? 4 : 1;
        else if (mark.generation === null && only !== undefined) votes += 1;
      }
      if (votes > most) [most, best] = [votes, { generation, endian }];
    }
  }
  return best;
}

/** Alignment and word size, each by the majority of the records: one damaged header must not change the machine. */
function detectAbi(storage: Storage, dmesg: readonly Mark[], generation: Generation, endian: 'little' | 'big'): Abi {
  const candidates: Abi[] = [
    { endian, wordBits: 64, align: 8 },
    { endian, wordBits: 32, align: 8 },
    { endian, wordBits: 32, align: 4 },
  ];
  const votes = candidates.map(() => 0);
  for (const mark of dmesg.filter((candidate) => candidate.magic).slice(0, 1024)) {
    const bytes = readRange(storage, mark.offset + BUFFER_HEADER_SIZE[generation], MAX_DMESG_HEADER_SIZE);
    if (bytes.length < MAX_DMESG_HEADER_SIZE) continue;
    const scores = candidates.map((abi) => plausibility(bytes, abi));
    const best = Math.max(...scores);
    scores.forEach((score, i) => {
      if (score === best) votes[i]!++;
    });
  }
  return candidates[votes.indexOf(Math.max(...votes))]!;
}

/** How many fields of a dmesg header are what a kernel would write, if the machine is this one. */
function plausibility(bytes: Uint8Array, abi: Abi): number {
  const header = readDmesgHeader(bytes, abi);
  let score = 0;
  if (header.seconds >= 0n && header.seconds < 1n << 34n) score += 2;
  if (isNanoseconds(header.nanoseconds)) score += 2;
  if (header.compressed <= 1) score += 1;
  if (header.reason >= 1 && header.reason <= 6) score += 2;
  if (header.counter >= 0 && header.counter < 1 << 24) score += 1;
  return score;
}

interface Stride {
  readonly base: number;
  readonly size: number;
  readonly confidence: number;
}

/** The zone size that puts the most dmesg headers at zones' beginnings; of several the largest. */
function findStride(
  dmesg: readonly Mark[],
  base: number,
  total: number,
  storage: Storage,
  generation: Generation,
): Stride | undefined {
  if (dmesg.length === 0) return undefined;
  const offsets = dmesg.map((mark) => mark.offset);
  const header = BUFFER_HEADER_SIZE[generation];
  let best: { base: number; size: number; matches: number } | undefined;
  for (const size of strideCandidates(offsets, base)) {
    const start = generation === 'blkoops' ? 0 : commonPhase(offsets, size, base);
    const matches = dmesg.filter(
      (mark) => (mark.offset - start) % size === 0 && mark.offset >= start && mark.datalen + header <= size,
    ).length;
    if (!best || matches > best.matches || (matches === best.matches && size > best.size)) {
      best = { base: start, size, matches };
    }
  }
  if (!best || best.matches < 2)
    return singleZone(dmesg[0]!, generation === 'blkoops' ? 0 : base, total, storage, generation);
  const proven = best.matches >= 3 || best.matches === Math.floor((total - best.base) / best.size);
  return { base: best.base, size: best.size, confidence: proven ? PROVEN : TWO_ZONES };
}

/** Differences between neighbours, and what divides all of them. */
function strideCandidates(offsets: readonly number[], base: number): Set<number> {
  const sizes = new Set<number>();
  let common = offsets[0]! - base;
  for (let i = 1; i < offsets.length; i++) {
    const difference = offsets[i]! - offsets[i - 1]!;
    common = greatestCommonDivisor(common, difference);
    if (sizes.size < 64 && isZoneSize(difference)) sizes.add(difference);
  }
  if (isZoneSize(common)) sizes.add(common);
  return sizes;
}

function isZoneSize(size: number): boolean {
  return size >= ZONE_MULTIPLE && size % ZONE_MULTIPLE === 0;
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

/** The first offset of the most common remainder: stray marks do not shift the zones. */
function commonPhase(offsets: readonly number[], size: number, base: number): number {
  const counts = new Map<number, { count: number; first: number }>();
  for (const offset of offsets) {
    const phase = offset % size;
    const entry = counts.get(phase);
    if (entry) entry.count++;
    else counts.set(phase, { count: 1, first: offset });
  }
  let best = { count: 0, first: base };
  for (const entry of counts.values()) if (entry.count > best.count) best = entry;
  return best.first;
}

/**
 * One zone only. Mainline writes a zone as a whole, zeros behind the data: where they end the zone ends, when something
 * else was there before. Otherwise the smallest usual size that the record fits into.
 */
function singleZone(mark: Mark, base: number, total: number, storage: Storage, generation: Generation): Stride {
  const distance = mark.offset - base;
  const needed = Math.max(mark.datalen + BUFFER_HEADER_SIZE[generation], 4096);
  const room = total - mark.offset;
  if (generation === 'pstore_blk' && mark.datalen + 12 < room && mark.magic) {
    const fill = fillEnd(storage, mark.offset + 12 + mark.datalen, total);
    const size = fill - mark.offset;
    if (fill < total && isZoneSize(size)) return { base, size, confidence: BY_FILL };
  }
  let size = 64 << 10;
  while (size < needed) size *= 2;
  while (size > room && size / 2 >= needed) size /= 2;
  if (distance > 0 && distance % size !== 0)
    size = isZoneSize(distance) && distance >= needed ? distance : ZONE_MULTIPLE;
  if (size > room) size = Math.max(ZONE_MULTIPLE, Math.floor(room / ZONE_MULTIPLE) * ZONE_MULTIPLE);
  return { base, size, confidence: GUESS };
}

/** First byte from `offset` on that is not zero. */
function fillEnd(storage: Storage, offset: number, total: number): number {
  const chunk = new Uint8Array(64 << 10);
  for (let at = offset; at < total; at += chunk.length) {
    const got = storage.read(chunk, at);
    const end = chunk.subarray(0, got).findIndex((byte) => byte !== 0);
    if (end >= 0) return at + end;
    if (got < chunk.length) break;
  }
  return total;
}

interface Front {
  readonly sizes: Omit<ZoneSizes, 'kmsgSize'>;
  readonly confidence: Omit<SizeConfidence, 'kmsgSize'>;
}

/** Sizes of pmsg, console, tty and ftrace from where their headers stand: a zone goes on to where the next begins. */
function findFront(
  marks: readonly Mark[],
  kmsgOffset: number | undefined,
  total: number,
  storage: Storage,
  abi: Abi,
): Front & { sizes: ZoneSizes } {
  const end = kmsgOffset ?? total;
  const believable = (mark: Mark) =>
    mark.signed && mark.offset < end && mark.datalen <= end - mark.offset && mark.start <= end - mark.offset;
  const first = (type: Mark['type'], from: number) =>
    marks.find((mark) => mark.type === type && mark.offset >= from && believable(mark));
  const pmsg = marks.find((mark) => mark.type === 'pmsg' && mark.offset === 0 && believable(mark));
  const console = first('console', pmsg ? 1 : 0);
  const tty = first('tty', console ? console.offset + 1 : 0);
  const behind = tty ?? console ?? pmsg;
  const ftrace = findFtrace(
    marks.filter((mark) => mark.type === 'ftrace' && believable(mark) && mark.offset > (behind?.offset ?? -1)),
    behind ? behind.offset + 1 : 0,
    end,
    storage,
    abi,
  );
  const ftraceOffset = ftrace?.offset ?? end;
  const sized = (mark: Mark | undefined, next: number, nextSigned: boolean) => {
    if (!mark) return { size: 0, confidence: 1 };
    const wrapped = wrappedSize(mark);
    if (wrapped !== undefined && mark.offset + wrapped <= next) return { size: wrapped, confidence: PROVEN };
    return { size: next - mark.offset, confidence: nextSigned ? TWO_ZONES : GUESS };
  };
  // Nothing between two kinds is left out when the kinds on both sides are signed: a tty zone is always signed.
  const tt = sized(tty, ftraceOffset, ftrace !== undefined);
  const con = sized(console, tty?.offset ?? ftraceOffset, tty !== undefined || ftrace !== undefined);
  const pm = sized(pmsg, console?.offset ?? tty?.offset ?? ftraceOffset, console !== undefined);
  // Zones that were configured and never written: their place stands before the first signed one.
  const unsignedFront =
    pmsg === undefined && (console ?? tty ?? ftrace) !== undefined ? (console ?? tty ?? ftrace)!.offset : 0;
  const pmsgSize = pmsg ? pm.size : unsignedFront;
  const proven = (part: { confidence: number }) => (part.confidence >= TWO_ZONES ? PROVEN : part.confidence);
  let ftraceSize = ftrace?.size ?? 0;
  const taken = pmsgSize + con.size + tt.size;
  const gap = kmsgOffset !== undefined && !ftrace && behind ? kmsgOffset - taken : 0;
  if (gap > 0 && gap % ZONE_MULTIPLE === 0) ftraceSize = gap;
  return {
    sizes: {
      kmsgSize: 0,
      pmsgSize,
      consoleSize: con.size,
      ttySize: tt.size,
      ftraceSize,
      cpus: ftrace?.cpus ?? 1,
    },
    confidence: {
      pmsgSize: pmsg ? proven(pm) : unsignedFront > 0 ? GUESS : 1,
      consoleSize: proven(con),
      ttySize: proven(tt),
      ftraceSize: ftrace?.confidence ?? (gap > 0 ? GUESS : 1),
      cpus: ftrace?.confidence ?? 1,
    },
  };
}

/** A wrapped ring is full: its datalen is the data area's size. */
function wrappedSize(mark: Mark): number | undefined {
  const size = mark.datalen + BUFFER_HEADER_SIZE.pstore_blk;
  return mark.start < mark.datalen && mark.start > 0 ? size : undefined;
}

/** The ftrace zones: all of one size, in the order of the CPUs, up to where the dmesg zones begin. */
function findFtrace(
  marks: readonly Mark[],
  least: number,
  end: number,
  storage: Storage,
  abi: Abi,
): { offset: number; size: number; cpus: number; confidence: number } | undefined {
  if (marks.length === 0) return undefined;
  const first = marks[0]!;
  const zone = ftraceZoneSize(marks, end);
  const cpu = cpuOf(first, storage, abi);
  const shifted = first.offset - cpu * zone;
  const offset = cpu > 0 && shifted >= least ? shifted : first.offset;
  const count = Math.max(1, Math.floor((end - offset) / zone));
  const size = roundFtraceSize(zone, count);
  const exact = (end - offset) % zone === 0;
  let cpus = count;
  while (cpus > 1 && Math.floor(size / cpus) !== zone) cpus--;
  if (Math.floor(size / cpus) !== zone) cpus = count;
  return { offset, size, cpus, confidence: marks.length === count && exact ? PROVEN : GUESS };
}

function ftraceZoneSize(marks: readonly Mark[], end: number): number {
  const full = marks.map(wrappedSize).find((size) => size !== undefined);
  if (full !== undefined) return full;
  let smallest = end - marks[0]!.offset;
  for (let i = 1; i < marks.length; i++) smallest = Math.min(smallest, marks[i]!.offset - marks[i - 1]!.offset);
  return Math.max(BUFFER_HEADER_SIZE.pstore_blk + 1, smallest);
}

/** The ftrace_size that a person gave: a whole number of KiB, of which the CPUs' division may leave a remainder. */
function roundFtraceSize(zone: number, count: number): number {
  for (const multiple of [4096, ZONE_MULTIPLE]) {
    const size = Math.ceil((zone * count) / multiple) * multiple;
    if (size < zone * (count + 1)) return size;
  }
  return zone * count;
}

/** The CPU of a zone's records, or 0 when they do not agree. */
function cpuOf(mark: Mark, storage: Storage, abi: Abi): number {
  const bytes = readRange(storage, mark.offset + BUFFER_HEADER_SIZE.pstore_blk, Math.min(mark.datalen, 4096));
  const fields = new Fields(bytes, abi.endian);
  for (const size of [24, 16]) {
    const phase = mark.start < mark.datalen ? mark.start % size : 0;
    const cpus = new Set<number>();
    for (let at = phase; at + size <= bytes.length; at += size) cpus.add(Number(fields.u64(at + size - 8) & 255n));
    if (cpus.size === 1) return [...cpus][0]!;
  }
  return 0;
}

/** Whether dmesg zones of these sizes begin where headers stand. @returns how many of the image's dmesg headers fit */
export function fittingMarks(
  marks: readonly Mark[],
  kmsgOffset: number,
  kmsgSize: number,
): { fit: number; of: number } {
  const dmesg = marks.filter((mark) => mark.type === 'dmesg' && mark.signed && mark.magic);
  const fit = dmesg.filter((mark) => mark.offset >= kmsgOffset && (mark.offset - kmsgOffset) % kmsgSize === 0).length;
  return { fit, of: dmesg.length };
}
