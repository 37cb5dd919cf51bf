// Finds the headers of zones anywhere in a run of bytes: what unknown geometry is told from.

import { findBytes } from '#platform';
import { type Abi, ALL_ABIS } from '../pstore/abi.js';
import { FRONT_ENDS, type FrontEnd, RECORD_TYPE_NUMBERS } from '../pstore/record-type.js';
import { type Storage, searchedPieces } from '../storage/storage.js';
import {
  BUFFER_HEADER_SIZE,
  DMESG_MAGIC,
  type Generation,
  isNanoseconds,
  MAX_DMESG_HEADER_SIZE,
  readDmesgHeader,
  ZONE_SIGNATURE,
} from './format.js';
import { PSTORE_BLK_CAP, ZONE_MULTIPLE } from './geometry.js';

/** A place that looks like the beginning of a zone. */
export interface Mark {
  readonly offset: number;
  readonly type: FrontEnd;
  readonly endian: 'little' | 'big';
  /** Which generation's header it is, or null where the bytes fit both. */
  readonly generation: Generation | null;
  /** The signature is right. */
  readonly signed: boolean;
  /** The dmesg magic stands where this generation has it. */
  readonly magic: boolean;
  readonly datalen: number;
  readonly start: number;
  /** A dmesg zone that has a buffer header and nothing else: our own format makes such, a kernel never does. */
  readonly formatted: boolean;
  /** Signed as a dmesg zone, but with nothing of a record's header after it: a ring's signature may be damaged so. */
  readonly doubtful: boolean;
}

/** Front-ends by their record type numbers, which the signature carries. */
const TYPES = new Map<number, FrontEnd>(FRONT_ENDS.map((type) => [RECORD_TYPE_NUMBERS[type], type]));
const CHUNK = 1 << 20;
/** Bytes after a mark that are needed to judge it. */
const REACH = BUFFER_HEADER_SIZE.pstore_blk + MAX_DMESG_HEADER_SIZE;
/** The magic, and the three bytes that all front-ends' signatures share (the lowest one has the type), as they stand. */
const PATTERNS = (['little', 'big'] as const).map((endian) => ({
  endian,
  signature: wordBytes(ZONE_SIGNATURE, endian).subarray(endian === 'little' ? 1 : 0, endian === 'little' ? 4 : 3),
  signatureAt: endian === 'little' ? 1 : 0,
  magic: wordBytes(DMESG_MAGIC, endian),
}));
/**
 * Signatures and magics that are looked at in a piece, which has room for 256 zones of 4 KiB. Where there are more, only
 * zones of which there is no doubt count further, at the multiples where zones begin: so nothing in a text hides a zone,
 * and an image of nothing but signatures has few marks.
 */
const MOST_PLACES = 768;
/**
 * Marks of each front-end without a record's magic: no kernel makes so many rings, and what is made of nothing but their
 * signatures must not keep us busy. Records with their magic always count.
 */
const MAX_UNPROVEN = 8192;
/** No zone has as many bytes: mainline uses no more of a partition. */
const MAX_ZONE = PSTORE_BLK_CAP;
/** A damaged signature or magic has lost a few bits, not all of its bytes. */
const MAX_LOST_BITS = 8;

/**
 * @param until marks that begin after this offset are not looked for; it may be beyond the end
 * @returns in the order of their offsets
 */
export function findMarks(storage: Storage, until: number): Mark[] {
  const marks = new Map<number, Mark>();
  const unproven = new Map<FrontEnd, number>();
  const keep = (mark: Mark) => {
    if (!mark.magic && !mark.formatted) {
      const count = unproven.get(mark.type) ?? 0;
      if (count === MAX_UNPROVEN) return;
      unproven.set(mark.type, count + 1);
    }
    marks.set(mark.offset, mark);
  };
  for (const { bytes, offset } of searchedPieces(storage, { end: until, length: CHUNK, overlap: 2 * REACH })) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const add = (at: number, endian: Mark['endian'], isSure: boolean) => {
      if (offset + at >= until || marks.has(offset + at)) return;
      const mark = markAt(view, at, offset, endian);
      if (mark && !(isSure && mark.doubtful)) keep(mark);
    };
    let left = MOST_PLACES;
    for (const { at, endian } of places(bytes)) {
      if (left-- === 0) break;
      add(at, endian, false);
    }
    if (left >= 0) continue;
    for (let at = 0; at < bytes.length; at += ZONE_MULTIPLE) for (const { endian } of PATTERNS) add(at, endian, true);
  }
  return [...marks.values()].sort((a, b) => a.offset - b.offset);
}

/** Where a signature stands, or a dmesg magic after a header of either generation. */
function* places(chunk: Uint8Array): Generator<Pick<Mark, 'endian'> & { at: number }> {
  for (const { endian, signature, signatureAt, magic } of PATTERNS) {
    for (let at = findBytes(chunk, signature, 0); at >= 0; at = findBytes(chunk, signature, at + 1)) {
      yield { at: at - signatureAt, endian };
    }
    for (let at = findBytes(chunk, magic, 0); at >= 0; at = findBytes(chunk, magic, at + 1)) {
      yield { at: at - BUFFER_HEADER_SIZE.blkoops, endian };
      yield { at: at - BUFFER_HEADER_SIZE.pstore_blk, endian };
    }
  }
}

/** What stands at `at`, if it is the beginning of a zone by its signature, or by its magic and a believable header. */
function markAt(view: DataView, at: number, base: number, endian: 'little' | 'big'): Mark | undefined {
  const little = endian === 'little';
  if (at < 0 || at + BUFFER_HEADER_SIZE.pstore_blk + 4 > view.byteLength) return undefined;
  const lost = (view.getUint32(at, little) ^ ZONE_SIGNATURE) >>> 0;
  const type = TYPES.get(lost);
  const third = view.getUint32(at + 8, little);
  const fourth = view.getUint32(at + 12, little);
  const inBlkoops = third === DMESG_MAGIC;
  const magic = inBlkoops || fourth === DMESG_MAGIC;
  if (type === undefined && !magic) return undefined;
  const datalen = view.getUint32(at + 4, little);
  const common = {
    offset: base + at,
    endian,
    datalen,
    start: inBlkoops ? 0 : third,
    magic,
    formatted: false,
    doubtful: false,
  };
  const generation = inBlkoops ? 'blkoops' : 'pstore_blk';
  // The header of the other generation would begin four bytes before or after: only one of them has a zone's offset; or,
  // after rings of odd sizes, a length and then the zero that dumps of mainline have there.
  const isPlace =
    common.offset % ZONE_MULTIPLE === 0 || (!inBlkoops && third === 0 && datalen > 0 && datalen < MAX_ZONE);
  const recordBehind = () => isPlace && isRecordHeaderAt(view, at + BUFFER_HEADER_SIZE[generation], endian);
  if (type === undefined || (type !== 'dmesg' && magic)) {
    if (!magic || (bitsIn(lost) > MAX_LOST_BITS && !recordBehind())) return undefined;
    return { ...common, type: 'dmesg', generation, signed: false };
  }
  if (type !== 'dmesg' || magic) return { ...common, type, generation, signed: true };
  // A formatted zone has lengths 0 and then 0xFF: in blkoops the third word is already that.
  const made = datalen !== 0 ? null : third === 0xffffffff ? 'blkoops' : third === 0 ? 'pstore_blk' : null;
  const formatted = made !== null && fourth === 0xffffffff;
  const lostOfMagic = Math.min(bitsIn(third ^ DMESG_MAGIC), bitsIn(fourth ^ DMESG_MAGIC));
  const doubtful =
    !formatted &&
    lostOfMagic > MAX_LOST_BITS &&
    !(['pstore_blk', 'blkoops'] as const).some((of) => isRecordHeaderAt(view, at + BUFFER_HEADER_SIZE[of], endian));
  return { ...common, type, generation: made, signed: true, formatted, doubtful };
}

/** More records than this no counter has seen. */
const MAX_COUNTED = 1 << 24;
/** In the year 2500 of the time_t that a header has. */
const LATEST_SECONDS = 1n << 34n;

/**
 * Whether all that stands after a header's magic is what a kernel writes: enough to know a record by where the signature
 * or the magic is lost as a whole.
 * @param bytes at least dmesgHeaderSize(abi) bytes, from the beginning of the zone's data
 */
export function isRecordHeader(bytes: Uint8Array, abi: Abi): boolean {
  const { seconds, nanoseconds, compressed, counter, reason } = readDmesgHeader(bytes, abi);
  const isTime = seconds > 0n && seconds < LATEST_SECONDS && isNanoseconds(nanoseconds);
  return isTime && compressed <= 1 && counter > 0 && counter < MAX_COUNTED && reason >= 1 && reason <= 6;
}

/** The same on any machine of this byte order. */
function isRecordHeaderAt(view: DataView, at: number, endian: 'little' | 'big'): boolean {
  if (at + MAX_DMESG_HEADER_SIZE > view.byteLength) return false;
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, MAX_DMESG_HEADER_SIZE);
  return ALL_ABIS.some((abi) => abi.endian === endian && isRecordHeader(bytes, abi));
}

function wordBytes(word: number, endian: 'little' | 'big'): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, word, endian === 'little');
  return bytes;
}

export function bitsIn(word: number): number {
  let bits = 0;
  for (let x = word; x !== 0; x &= x - 1) bits++;
  return bits;
}
