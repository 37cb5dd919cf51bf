// Where in an image headers of persistent RAM zones stand: what detection of an unknown geometry goes by.

import { type Abi, Fields } from '../pstore/abi.js';
import { type Storage, searchedPieces } from '../storage/storage.js';
import { ftraceVersionCode, RAM_HEADER_SIZE, RAM_SIGNATURE, ramHeaderAt } from './format.js';
import { loneFtrace } from './lone.js';
import { hasOddRow, hasOddSignature } from './odd-places.js';

export interface RamMarks {
  readonly endian: Abi['endian'];
  /** Offsets of plausible headers with the plain signature, ascending. */
  readonly plain: ReadonlySet<number>;
  /** Offsets of plausible headers of ftrace zones, ascending, with the version code of the kernel. */
  readonly ftrace: ReadonlyMap<number, number>;
  /**
   * Offsets of what was a header with the plain signature once: a bit or two of its signature are wrong, or its lengths
   * are impossible. No proof of a region, but where its ECC repairs them, a kernel shows their zones.
   */
  readonly damaged: ReadonlySet<number>;
  /** The same of ftrace zones, of a kernel that has signed others or, where no header of theirs is whole, of any one. */
  readonly damagedFtrace: ReadonlyMap<number, number>;
}

/** Beyond this many, an image is made to keep us busy; a region of 128 MiB has 32,768 zones of 4 KiB. */
const MAX_MARKS = 1 << 17;
const CHUNK = 1 << 20;
/** A header that tells of more is a damaged one: a large file has room for the lengths of many that are none. */
const MAX_ZONE = 256 << 20;
/** Kernels whose signatures are compared with damaged ones; a region has one. */
const MAX_VERSIONS = 16;

/** The signature's bytes 0x43474244, the highest first; ftrace zones have others in the lower three. */
const TOP = RAM_SIGNATURE >>> 24;
/** A signature with more wrong bits than this is none. */
const WRONG_BITS = 2;

const BITS = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length);
/** By a byte: whether it is TOP, but for a bit or two. */
const NEAR_TOP = BITS.map((_, byte) => (BITS[byte ^ TOP]! <= WRONG_BITS ? 1 : 0));

/**
 * Reads the whole image once. Zones begin at even offsets, but for those of kernels that divide without rounding.
 * @param endian looks for this byte order only; else for both, and the one with more headers is given
 * @param withDamaged without them the search is far faster
 */
export function findRamMarks(storage: Storage, endian?: Abi['endian'], withDamaged = true): RamMarks {
  const scan = new MarkScan(storage.size, endian);
  for (const { bytes, offset } of searchedPieces(storage, { length: CHUNK, overlap: RAM_HEADER_SIZE }))
    scan.add(bytes, offset, withDamaged);
  return scan.result();
}

/** Collects marks from parts of an image, which go on where the one before ended and overlap by a header. */
export class MarkScan {
  readonly #largest: number;
  readonly #found: readonly Collected[];

  /** @param size bytes of the whole image */
  constructor(size: number, endian?: Abi['endian']) {
    this.#largest = Math.min(size, MAX_ZONE);
    const orders = endian === undefined ? (['little', 'big'] as const) : [endian];
    this.#found = orders.map((order) => ({
      endian: order,
      plain: new Set<number>(),
      ftrace: new Map<number, number>(),
      emptyFtrace: new Set<number>(),
      damaged: new Set<number>(),
      doubtful: new Map<number, Doubtful>(),
      isOdd: false,
    }));
  }

  /**
   * @param base where the bytes stand in the image
   * @param withDamaged without them the search is far faster
   */
  add(bytes: Uint8Array, base: number, withDamaged: boolean): void {
    const end = Math.min(CHUNK, bytes.length - RAM_HEADER_SIZE + 1);
    const placesIn = (part: Uint8Array, partEnd: number) =>
      withDamaged ? placesOfDamaged(part, partEnd, this.#largest) : placesOfHeaders(part, partEnd);
    const places = placesIn(bytes, end);
    for (const marks of this.#found) {
      const fields = new Fields(bytes, marks.endian);
      for (const at of places[marks.endian]) judge(fields, at, base, this.#largest, marks);
      marks.isOdd ||= hasOddSignature(bytes, end, marks.endian, marks.ftrace);
      if (marks.isOdd) {
        const odd = placesIn(bytes.subarray(1), end - 1)[marks.endian];
        for (const at of odd) judge(fields, at + 1, base, this.#largest, marks);
      }
    }
  }

  result(): RamMarks {
    for (const marks of this.#found) {
      dropLoneOdd(marks);
      // Before a page of zeros any word tells of an empty zone; lengths that are possible are hardly an accident.
      const lone = loneFtrace(marks.plain, marks.ftrace).filter((offset) => marks.emptyFtrace.has(offset));
      for (const offset of lone) marks.ftrace.delete(offset);
    }
    // Where no header is whole, the one that the file begins with tells the order.
    const weight = (marks: Collected) => 2 * count(marks) + (marks.damaged.has(0) ? 1 : 0);
    return settled(this.#found.reduce((best, other) => (weight(other) > weight(best) ? other : best)));
  }
}

/**
 * A single wrong bit in a plain signature makes the version code 4.0.0, 8.0.0 or 16.0.0: one such header beside plain
 * ones is likelier a damaged one of them than the only ftrace zone of just that kernel.
 */
function isWrongBit(version: number, { plain, ftrace }: Collected): boolean {
  return bitsOf(version) === 1 && (version !== 4 << 16 || (ftrace.size === 1 && plain.size > 0));
}

/** The kernel that has signed some ftrace zones tells what damage is in the signatures of others. */
function settled(found: Collected): RamMarks {
  const { endian, plain, ftrace, damaged, doubtful } = found;
  const several = new Set([...ftrace.values()].filter((version) => bitsOf(version) > 1));
  const isSound = (version: number) => (several.size > 0 ? several.has(version) : !isWrongBit(version, found));
  const sound = new Map([...ftrace].filter(([, version]) => isSound(version)));
  const versions = [...new Set(sound.values())].slice(0, MAX_VERSIONS);
  const wrong = [...ftrace.keys()].filter((offset) => !sound.has(offset));
  const damagedFtrace = [...doubtful].flatMap(([offset, { sig, isNear }]) => {
    const version =
      versions.length > 0
        ? versions.find((code) => bitsOf(sig ^ RAM_SIGNATURE ^ code) <= WRONG_BITS)
        : isNear
          ? ftraceVersionCode(sig)
          : undefined;
    return version === undefined || bitsOf(version) === 1 ? [] : [[offset, version] as const];
  });
  const lone = new Set(loneFtrace(plain, new Map([...sound, ...damagedFtrace])));
  return {
    endian,
    plain,
    ftrace: sound,
    damaged: new Set([...damaged, ...wrong]),
    damagedFtrace: new Map(damagedFtrace.filter(([offset]) => !lone.has(offset))),
  };
}

interface Collected {
  endian: Abi['endian'];
  plain: Set<number>;
  ftrace: Map<number, number>;
  /** Those of ftrace that say to hold nothing. */
  emptyFtrace: Set<number>;
  damaged: Set<number>;
  /** What may be a damaged ftrace zone. */
  doubtful: Map<number, Doubtful>;
  /** Whether odd places are looked at, too. */
  isOdd: boolean;
}

/** Words of a text at odd places are no headers. */
function dropLoneOdd({ isOdd, plain, ftrace, damaged, doubtful }: Collected): void {
  if (!isOdd || hasOddRow([...plain, ...ftrace.keys()].sort((a, b) => a - b))) return;
  for (const places of [plain, ftrace, damaged, doubtful]) {
    for (const offset of places.keys()) if (offset % 2 === 1) places.delete(offset);
  }
}

interface Doubtful {
  readonly sig: number;
  /** Its lengths are possible but for a bit of each: other bytes seldom are so. */
  readonly isNear: boolean;
}

function count({ plain, ftrace }: Pick<RamMarks, 'plain' | 'ftrace'>): number {
  return plain.size + ftrace.size;
}

const LITTLE = 1;
const BIG = 2;
const NEARLY_LITTLE = 4;
const NEARLY_BIG = 8;
let halves: Uint8Array | undefined;

/**
 * By two bytes as the machine reads them: in which orders they are the upper half of a signature, and in which they are
 * that of one whose highest byte may have a wrong bit or two.
 */
function upperHalves(): Uint8Array {
  if (halves) return halves;
  halves = new Uint8Array(1 << 16);
  for (let top = 0; top <= 255; top++) {
    if (NEAR_TOP[top] !== 1) continue;
    for (let second = 0; second <= 255; second++) {
      halves[asWord(second, top)]! |= NEARLY_LITTLE;
      halves[asWord(top, second)]! |= NEARLY_BIG;
    }
  }
  for (let second = 0; second <= 255; second++) {
    const sig = ((TOP << 24) | (second << 16) | (RAM_SIGNATURE & 0xffff)) >>> 0;
    if (sig !== RAM_SIGNATURE && ftraceVersionCode(sig) === undefined) continue;
    halves[asWord(second, TOP)]! |= LITTLE;
    halves[asWord(TOP, second)]! |= BIG;
  }
  return halves;
}

const IS_LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function asWord(first: number, second: number): number {
  return IS_LITTLE ? (second << 8) | first : (first << 8) | second;
}

type ByOrder = Readonly<Record<Abi['endian'], number[]>>;

/** Where the upper half of a signature stands. */
function placesOfHeaders(bytes: Uint8Array, end: number): ByOrder {
  const places = { little: [] as number[], big: [] as number[] };
  const table = upperHalves();
  const halfWords = halfWordsOf(bytes);
  const words = new Int32Array(halfWords.buffer, halfWords.byteOffset, bytes.length >>> 2);
  const tell = (i: number) => {
    const orders = table[halfWords[i]!]!;
    // In little endian the lower half stands before it.
    if ((orders & LITTLE) !== 0 && i > 0 && i * 2 - 2 < end) places.little.push(i * 2 - 2);
    if ((orders & BIG) !== 0 && i * 2 < end) places.big.push(i * 2);
  };
  const top = TOP * 0x01010101;
  for (let i = 0; i < words.length; i++) {
    const other = words[i]! ^ top;
    // Nothing is left where none of the four bytes is TOP: only a zero less one has a highest bit that it had not.
    if (((other - 0x01010101) & ~other & 0x80808080) === 0) continue;
    tell(i * 2);
    tell(i * 2 + 1);
  }
  for (let i = words.length * 2; i < halfWords.length; i++) tell(i);
  return places;
}

/** The same, and where that half has a wrong bit or two before lengths that are not too large. */
function placesOfDamaged(bytes: Uint8Array, end: number, largest: number): ByOrder {
  const places = { little: [] as number[], big: [] as number[] };
  const table = upperHalves();
  const halfWords = halfWordsOf(bytes);
  const most = largest >>> 16;
  for (let at = 0; at < halfWords.length * 2; at += 2) {
    const orders = table[halfWords[at >>> 1]!]!;
    if (orders === 0) continue;
    // The upper half of the length: in little endian the lower half of the signature stands before `at`.
    const isLong = ((bytes[at + 9]! << 8) | bytes[at + 8]!) > most;
    const isLongBig = ((bytes[at + 8]! << 8) | bytes[at + 9]!) > most;
    const isIn = at < end && (orders & (BIG | NEARLY_BIG)) !== 0;
    if (isIn && ((orders & BIG) !== 0 || !isLongBig)) places.big.push(at);
    const isBefore = at >= 2 && at - 2 < end && (orders & (LITTLE | NEARLY_LITTLE)) !== 0;
    if (isBefore && ((orders & LITTLE) !== 0 || !isLong)) places.little.push(at - 2);
  }
  return places;
}

/** Begins at a multiple of four, for words. */
function halfWordsOf(bytes: Uint8Array): Uint16Array {
  const { buffer, byteOffset, length } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Uint16Array(buffer, byteOffset, length >>> 1);
}

/**
 * Adds what stands at `at` to the marks it belongs to, if any.
 * @param largest bytes that a zone may have
 */
function judge(fields: Fields, at: number, base: number, largest: number, marks: Collected): void {
  if (count(marks) + marks.damaged.size >= MAX_MARKS) return;
  const header = ramHeaderAt(fields, at);
  // The signature of a record of pstore/zone, which has a magic number next.
  if (isZoneRecord(fields, at)) return;
  // In an image that is cut the data of its last zone may go on beyond the end.
  const isPossible = header.start <= header.size && header.size <= largest;
  const version = header.sig >>> 24 === TOP ? ftraceVersionCode(header.sig) : undefined;
  const isAlmost = bitsOf(header.sig ^ RAM_SIGNATURE) <= WRONG_BITS;
  if (header.sig === RAM_SIGNATURE) (isPossible ? marks.plain : marks.damaged).add(base + at);
  else if (isPossible && version !== undefined) {
    marks.ftrace.set(base + at, version);
    if (header.size === 0) marks.emptyFtrace.add(base + at);
  } else if (isPossible && isAlmost) marks.damaged.add(base + at);
  // Any text may have such bytes: they must not take the place of headers.
  else if ((isPossible || version !== undefined) && marks.doubtful.size < MAX_MARKS) {
    const isNear = [header.start, header.size].every((length) => withoutHighestBit(length) <= largest);
    marks.doubtful.set(base + at, { sig: header.sig, isNear });
  }
}

/** blk's formats: a record's own header follows that of its zone, after 12 bytes or 8. */
const ZONE_RECORD_MAGIC = 0x4dfc3ae5;

function isZoneRecord({ view, little }: Fields, at: number): boolean {
  const is = (offset: number) => offset + 4 <= view.byteLength && view.getUint32(offset, little) === ZONE_RECORD_MAGIC;
  return is(at + 8) || is(at + 12);
}

function withoutHighestBit(value: number): number {
  return value === 0 ? 0 : value - 2 ** (31 - Math.clz32(value));
}

function bitsOf(value: number): number {
  return BITS[value & 255]! + BITS[(value >>> 8) & 255]! + BITS[(value >>> 16) & 255]! + BITS[value >>> 24]!;
}
