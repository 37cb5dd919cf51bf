// Where in a file a region of ramoops is: at its beginning, or anywhere in a dump of memory. The file is read once.

import { findBytes } from '#platform';
import { decodeRecord } from '../compress/decompress.js';
import type { Abi } from '../pstore/abi.js';
import { plausibleText } from '../pstore/plausible-text.js';
import { SliceStorage } from '../storage/slice.js';
import { readRange, type Storage, searchedPieces } from '../storage/storage.js';
import { upperBound } from './ascending.js';
import { type DetectedRam, Detection } from './detect.js';
import { DIALECTS, type RamDialect } from './dialects.js';
import { isDumpLine, RAM_HEADER_SIZE, RAM_SIGNATURE, readDumpLine, readRamHeader } from './format.js';
import { layOutRam, ramZones } from './geometry.js';
import { findRamMarks, MarkScan, type RamMarks } from './marks.js';
import type { GivenSizes } from './region-sizes.js';
import { isSram } from './sram.js';
import { Told } from './told.js';
import { repairingParities } from './zone-parities.js';
import { powersOfTwo } from './zone-sizes.js';

/** Files up to this size are looked through for damaged headers, too. */
const SMALL = 16 << 20;
/** Headers further apart than this belong to different regions. */
export const FAR = 8 << 20;
/** Bytes in which hardly any others look like a damaged header of ftrace that a given kernel has signed. */
const NEAR = 1 << 20;
/** Regions of which each is looked at closely, and first headers of each. */
const MAX_CLUSTERS = 24;
const MAX_BEGINNINGS = 4;
/** A region elsewhere than at the beginning must explain more than one there. */
const ELSEWHERE = 1.5;
/** Below this nothing speaks against a geometry. */
const GOOD = 1;
/** A first zone that has no header has at least as many bytes. */
const MIN_FIRST = 4096;
/** Bytes that tell a text. */
const FIRST_TEXT = 256;
/** Few bytes, since of a claim of terabytes each piece may hold but one word. */
const CHUNK = 1 << 17;
/** `=`, of which four precede a dump in a region of kernels before 3.5; records begin at multiples of a power of two. */
const LINE_BEGIN = 0x3d;
const MIN_RECORD = 1024;
const MAX_LINES = 4096;

/** What one look through a file finds. */
export interface Scanned {
  readonly marks: RamMarks;
  /** Where lines of dumps stand without a header, at multiples of the smallest record. */
  readonly lines: readonly number[];
  readonly told: Told;
  readonly isSram: boolean;
  /** Bytes that were searched: less than asked where too many places look like a header. */
  readonly searched: number;
  /** Whether no more had to be searched: at the beginning stands a region of which nothing is doubtful. */
  readonly isAnswered?: boolean;
  /** What was found in parts of the file, by the part: several questions are asked of one. The latest few. */
  readonly detections: Map<string, Detection>;
}

/** Parts of a file of which what was found is kept: a part may have 16 MiB. */
const MAX_DETECTIONS = 4;

/** A region in a file. */
export interface Located {
  readonly base: number;
  readonly detection: Detection;
  readonly detected: DetectedRam;
  /** How many of its zones hold a dump with its line. */
  readonly dumps: number;
}

/** Looks through a file. @param end first byte that is not looked at */
export function scan(storage: Storage, endian?: Abi['endian'], end = storage.size): Scanned {
  const isSmall = storage.size <= SMALL;
  const marks = new MarkScan(storage.size, endian);
  const signatures: number[] = [];
  const told = new Told();
  const lines: number[] = [];
  let searched = end;
  for (const { bytes, offset: base } of searchedPieces(storage, { end, length: CHUNK, overlap: Told.OVERLAP })) {
    if (isSmall) marks.add(bytes.subarray(0, CHUNK + RAM_HEADER_SIZE), base, true);
    else if (signatures.length <= MAX_SIGNATURES) addSignatures(bytes, base, signatures);
    else searched = Math.min(searched, base);
    told.add(bytes);
    if (lines.length < MAX_LINES) for (const at of linesIn(bytes, base)) lines.push(at);
  }
  for (const [from, end] of isSmall ? [] : partsAround(signatures, storage.size)) {
    for (const { bytes, offset } of searchedPieces(storage, { from, end, length: CHUNK, overlap: RAM_HEADER_SIZE })) {
      marks.add(bytes, offset, false);
    }
  }
  const found = withRepairedFirst(storage, isSmall ? marks.result() : inCompany(marks.result()));
  addCompressed(told, storage, found);
  return { marks: found, lines, told, isSram: isSram(storage), searched, detections: new Map() };
}

const RULES = [...new Set(DIALECTS.filter(({ frame }) => frame === 'header').map(({ parity }) => parity))];

/** A header at the beginning that its parity repairs is one: a ring that is the whole region has no other. */
function withRepairedFirst(storage: Storage, marks: RamMarks): RamMarks {
  const { plain, ftrace, damaged, endian } = marks;
  if (plain.size + ftrace.size > 0 || !damaged.has(0)) return marks;
  const ends = [storage.size, ...powersOfTwo(storage.size)];
  const isRepaired = ends.some((size) =>
    RULES.some((rule) => repairingParities(storage, { offset: 0, size }, rule, endian).length > 0),
  );
  if (!isRepaired) return marks;
  return { ...marks, plain: new Set([0]), damaged: new Set([...damaged].filter((offset) => offset > 0)) };
}

/** Beyond this many, a file is made to keep us busy. */
export const MAX_SIGNATURES = 1 << 16;
const SIGNATURES = [true, false].map((little) => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, RAM_SIGNATURE, little);
  return bytes;
});

/** Where the plain signature stands, in either order: the platform finds it ten times as fast as we find headers. */
function addSignatures(bytes: Uint8Array, base: number, offsets: number[]): void {
  for (const signature of SIGNATURES) {
    for (let at = findBytes(bytes, signature, 0); at >= 0; at = findBytes(bytes, signature, at + 1)) {
      if (at < CHUNK) offsets.push(base + at);
    }
  }
}

/** The parts of a file that may have headers of one region with the signatures, and its beginning; ascending. */
function partsAround(signatures: readonly number[], size: number): (readonly [from: number, end: number])[] {
  const parts: [from: number, end: number][] = [[0, Math.min(size, FAR)]];
  for (const offset of signatures.toSorted((a, b) => a - b)) {
    const last = parts.at(-1)!;
    const [from, end] = [Math.max(0, offset - FAR), Math.min(size, offset + FAR)];
    if (from <= last[1]) last[1] = Math.max(last[1], end);
    else parts.push([from - (from % 4), end]);
  }
  return parts;
}

/**
 * Without the headers of ftrace zones that stand alone, whole or damaged. The signature of one has any kernel's version in
 * it, so that a large file of whatever content has hundreds of them. One counts that stands in a row with a dump, a
 * multiple of the smallest size from it, or near another one of the same kernel.
 */
function inCompany({ plain, ftrace, damagedFtrace, ...rest }: RamMarks): RamMarks {
  const rows = new Set([...plain].map((offset) => offset % SECTOR));
  const isInRow = (offset: number) => offset === 0 || rows.has(offset % SECTOR);
  const signed = new Map<number, number[]>();
  for (const [offset, version] of ftrace) {
    const offsets = signed.get(version) ?? [];
    signed.set(version, offsets);
    offsets.push(offset);
  }
  for (const offsets of signed.values()) offsets.sort((x, y) => x - y);
  const isNear = (offset: number, version: number, most: number) => {
    const offsets = signed.get(version) ?? [];
    const next = upperBound(offsets, offset);
    const around = offsets.slice(Math.max(0, next - 2), next + 1);
    return around.some((other) => other !== offset && Math.abs(other - offset) < most);
  };
  const kept = [...ftrace].filter(([offset, version]) => isInRow(offset) || isNear(offset, version, FAR));
  const damaged = [...damagedFtrace].filter(([offset, version]) => isInRow(offset) || isNear(offset, version, NEAR));
  return { ...rest, plain, ftrace: new Map(kept), damagedFtrace: new Map(damaged) };
}

/** Most sizes are multiples of this; zones that share what the rings leave, and those of one processor, need not be. */
const SECTOR = 512;

/** Headers that are looked at for a compressed dump, and such dumps whose texts are looked through. */
const MAX_LOOKED_AT = 256;
const MAX_DECODED = 8;
/** Bytes of a dump's text; stored it has fewer. */
const MAX_DUMP = 1 << 20;

/** The texts inside compressed dumps may say the parameters, too. */
function addCompressed(told: Told, storage: Storage, { plain, endian }: RamMarks): void {
  let decoded = 0;
  for (const offset of [...plain].slice(0, MAX_LOOKED_AT)) {
    const head = readRange(storage, offset, RAM_HEADER_SIZE + LINE_ROOM);
    const line = readDumpLine(head.subarray(RAM_HEADER_SIZE));
    if (!line?.compressed) continue;
    const length = Math.min(MAX_DUMP, readRamHeader(head, endian).size - line.length);
    if (length <= 0 || decoded++ >= MAX_DECODED) continue;
    const stored = readRange(storage, offset + RAM_HEADER_SIZE + line.length, length);
    const text = decodeRecord(stored, 'auto', MAX_DUMP)?.text;
    if (text) told.add(text);
  }
}

/** Bytes in which the line of a dump ends. */
const LINE_ROOM = 64;

function* linesIn(bytes: Uint8Array, base: number): Generator<number> {
  for (let at = 0; at < Math.min(bytes.length, CHUNK); at += MIN_RECORD) {
    if (bytes[at] === LINE_BEGIN && isDumpLine(bytes.subarray(at, at + LINE_ROOM))) yield base + at;
  }
}

/**
 * The region that explains the headers best.
 * @param wanted where it begins, when that is known
 */
export function locate(
  storage: Storage,
  scanned: Scanned,
  given: GivenSizes,
  dialects: readonly RamDialect[] = DIALECTS,
  wanted?: number,
): Located | undefined {
  const { marks } = scanned;
  const offsets = [...marks.plain, ...marks.ftrace.keys()].sort((a, b) => a - b);
  if (offsets.length === 0) return undefined;
  const mayBeginAtOnce = given.memSize !== undefined || storage.size <= SMALL || offsets[0]! <= FAR;
  const isAtBeginning = wanted === 0 || (wanted === undefined && mayBeginAtOnce);
  const whole = isAtBeginning ? look(storage, scanned, offsets, 0, given, dialects) : undefined;
  const isHere = offsets[0] === 0 || given.memSize !== undefined;
  if (whole && (whole.detected.misfit < GOOD || isHere || lacksOne(storage, marks, whole, offsets.length)))
    return whole;
  let best = whole;
  let cost = whole ? whole.detected.misfit : Number.POSITIVE_INFINITY;
  const beginnings = wanted === undefined ? [...beginningsOf(offsets, marks)] : [wanted];
  for (const base of beginnings) {
    const found = look(storage, scanned, offsets, base, given, dialects);
    if (!found) continue;
    const own = found.detected.misfit + ELSEWHERE - Math.min(found.detected.fitting, 8) * 0.01;
    if (own < cost && found.detected.fitting > 0) [best, cost] = [found, own];
    if (found.detected.misfit < GOOD && found.dumps > 0) break;
  }
  return best;
}

/**
 * Whether a region at the beginning explains all headers, but lacks its first one: that was lost, its zones keep their
 * numbers. What else is damaged in it speaks against any other beginning as well.
 */
function lacksOne(storage: Storage, marks: RamMarks, { detected }: Located, headers: number): boolean {
  if (detected.strays.length > 0 || headers < 2) return false;
  const isSound = (offset: number) => marks.plain.has(offset) || marks.ftrace.has(offset);
  const isDamaged = (offset: number) => marks.damaged.has(offset) || marks.damagedFtrace.has(offset);
  for (const { offset, size } of ramZones(layOutRam(detected.sizes, storage.path))) {
    // What precedes a region is no zone of it.
    if (offset === 0 && size < MIN_FIRST) return false;
    if (offset > 0 && offset < storage.size && !isSound(offset) && !isDamaged(offset)) return false;
  }
  return !isSound(0) && mayHoldZone(storage);
}

/** Whether the bytes after a first header that is lost may be a zone's: unused ones, or a text. */
function mayHoldZone(storage: Storage): boolean {
  const bytes = readRange(storage, RAM_HEADER_SIZE, FIRST_TEXT);
  const isUnused = bytes.every((byte) => byte === bytes[0]);
  return isUnused || plausibleText(bytes).length > bytes.length / 2 || readDumpLine(bytes) !== undefined;
}

/**
 * The first headers of groups of headers that lie close together, the largest groups first. In each those of dumps and
 * rings come first: what looks like an ftrace header often is none.
 */
function* beginningsOf(offsets: readonly number[], { plain }: RamMarks): Generator<number> {
  const clusters: number[][] = [];
  for (const offset of offsets) {
    const last = clusters.at(-1);
    if (last && offset - last.at(-1)! <= FAR) last.push(offset);
    else clusters.push([offset]);
  }
  const largest = clusters.sort((a, b) => b.length - a.length).slice(0, MAX_CLUSTERS);
  const isPlain = (offset: number) => plain.has(offset);
  for (const cluster of largest) {
    const inOrder = [...cluster.filter(isPlain), ...cluster.filter((offset) => !isPlain(offset))];
    for (const base of inOrder.slice(0, MAX_BEGINNINGS)) if (base > 0) yield base;
  }
}

function look(
  storage: Storage,
  scanned: Scanned,
  offsets: readonly number[],
  base: number,
  given: GivenSizes,
  dialects: readonly RamDialect[],
): Located | undefined {
  const last = lastHeader(offsets, base);
  const end = endOfWindow(storage, last, base, given);
  const thorough = given.memSize === undefined ? 2 * (last - base) + NEAR : end - base;
  const detection = detectionOf(storage, scanned, base, end, thorough);
  const detected = detection.detect(given, dialects);
  if (!detected) return undefined;
  const dumps = detection.dumps(detected);
  return { base, detection, detected, dumps };
}

/**
 * What is found in a part of a file.
 * @param thorough bytes of it in which damaged headers of zones are looked for
 */
export function detectionOf(
  storage: Storage,
  { marks, detections }: Scanned,
  base: number,
  end: number,
  thorough = end - base,
): Detection {
  const key = `${base} ${end}`;
  let detection = detections.get(key);
  if (!detection) {
    const part = base === 0 && end === storage.size ? storage : new SliceStorage(storage, base, end - base);
    const known = shifted(marks, base, end);
    const own = storage.size <= SMALL ? known : inCompany({ ...known, ...damagedIn(part, marks.endian, thorough) });
    detection = new Detection(part, own, end === storage.size);
    detections.set(key, detection);
    const [oldest] = detections.keys();
    if (detections.size > MAX_DETECTIONS) detections.delete(oldest!);
  }
  return detection;
}

/** Those headers that a quick look passes over. */
function damagedIn(part: Storage, endian: Abi['endian'], end: number): Pick<RamMarks, 'damaged' | 'damagedFtrace'> {
  const size = Math.min(part.size, end + RAM_HEADER_SIZE);
  const { damaged, damagedFtrace } = findRamMarks(new SliceStorage(part, 0, size), endian);
  return { damaged, damagedFtrace };
}

/** The last header that may belong to a region which begins here. */
function lastHeader(offsets: readonly number[], base: number): number {
  let last = base;
  for (const offset of offsets) if (offset > last && offset - last <= FAR) last = offset;
  return last;
}

/** Where the headers end that may belong to a region which begins here. */
function endOfWindow(storage: Storage, last: number, base: number, { memSize }: GivenSizes): number {
  if (memSize !== undefined) return Math.min(storage.size, base + memSize);
  return storage.size <= SMALL ? storage.size : Math.min(storage.size, last + FAR);
}

/** The marks of a part that has all of their headers, counted from its beginning. */
function shifted({ endian, plain, ftrace, damaged, damagedFtrace }: RamMarks, base: number, end: number): RamMarks {
  const isInside = (offset: number) => offset >= base && offset + RAM_HEADER_SIZE <= end;
  const set = (offsets: Iterable<number>) => new Set([...offsets].filter(isInside).map((offset) => offset - base));
  const map = (offsets: ReadonlyMap<number, number>) =>
    new Map([...offsets].filter(([offset]) => isInside(offset)).map(([offset, code]) => [offset - base, code]));
  return { endian, plain: set(plain), ftrace: map(ftrace), damaged: set(damaged), damagedFtrace: map(damagedFtrace) };
}

/** The headers that belong to no zone of a region: in it, before it and after it. @returns offsets in the file */
export function straysOf(marks: RamMarks, begins: ReadonlySet<number>): number[] {
  return [...marks.plain, ...marks.ftrace.keys()].filter((offset) => !begins.has(offset)).sort((a, b) => a - b);
}
