// Finds the headers of zones anywhere in a run of bytes: what unknown geometry is told from.

import { type FrontEnd, RECORD_TYPE_NUMBERS } from '../format/record-type.js';
import {
  BUFFER_HEADER_SIZE,
  DMESG_MAGIC,
  type Generation,
  MAX_DMESG_HEADER_SIZE,
  ZONE_SIGNATURE,
} from '../format/zone.js';
import { isBrokenPlace, type Storage } from '../storage/storage.js';

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
}

/** Front-ends by their record type numbers, which the signature carries. */
const TYPES = new Map<number, FrontEnd>(
  (['dmesg', 'console', 'ftrace', 'pmsg', 'tty'] as const).map((type) => [RECORD_TYPE_NUMBERS[type], type]),
);
const CHUNK = 1 << 20;
/** What is read at a time around a place that cannot be read. */
const BLOCK = 4096;
/** Bytes behind a mark that are needed to judge it. */
const REACH = BUFFER_HEADER_SIZE.pstore_blk + MAX_DMESG_HEADER_SIZE;
/** All signatures and the magic, by the byte that is searched for first: `G` of DBGC, and 0xfc of the magic. */
const SIGNATURE_BYTE = 0x47;
const MAGIC_BYTE = 0xfc;
/** A hostile image may consist of nothing but marks: no more than these are kept, then the search ends. */
const LEAST_KEPT = 4096;
const BYTES_PER_MARK = 256;
/** A damaged signature has lost a few bits, not all of its bytes. */
const MOST_LOST_BITS = 8;

/**
 * @param until marks that begin behind this offset are not looked for
 * @returns in the order of their offsets
 */
export function findMarks(storage: Storage, until: number): Mark[] {
  const most = Math.max(LEAST_KEPT, Math.floor(until / BYTES_PER_MARK));
  const marks = new Map<number, Mark>();
  const buffer = new Uint8Array(Math.min(CHUNK + 2 * REACH, storage.size));
  for (let base = 0; base < until && marks.size < most; base += CHUNK) {
    const from = Math.max(0, base - REACH);
    const chunk = buffer.subarray(0, readAround(storage, buffer, from));
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (const { at, endian } of places(chunk, view)) {
      if (marks.size >= most) break;
      if (from + at >= until || marks.has(from + at)) continue;
      const mark = markAt(view, at, from, endian);
      if (mark) marks.set(mark.offset, mark);
    }
  }
  return [...marks.values()].sort((a, b) => a.offset - b.offset);
}

/** Fills `target` like Storage.read(); blocks that cannot be read are left as zeros, since others may be. */
function readAround(storage: Storage, target: Uint8Array, offset: number): number {
  try {
    return storage.read(target, offset);
  } catch (error) {
    if (!isBrokenPlace(error)) throw error;
  }
  const length = Math.min(target.length, storage.size - offset);
  target.fill(0);
  for (let at = 0; at < length; ) {
    const block = Math.min(BLOCK - ((offset + at) % BLOCK), length - at);
    try {
      storage.read(target.subarray(at, at + block), offset + at);
    } catch (error) {
      if (!isBrokenPlace(error)) throw error;
    }
    at += block;
  }
  return length;
}

/** Where a signature stands, or a dmesg magic behind a header of either generation. */
function* places(chunk: Uint8Array, view: DataView): Generator<{ at: number; endian: 'little' | 'big' }> {
  for (let at = chunk.indexOf(SIGNATURE_BYTE); at >= 0; at = chunk.indexOf(SIGNATURE_BYTE, at + 1)) {
    if (chunk[at - 1] === 0x42 && chunk[at + 1] === 0x43) yield { at: at - 2, endian: 'little' };
    else if (chunk[at - 1] === 0x43 && chunk[at + 1] === 0x42) yield { at: at - 1, endian: 'big' };
  }
  for (let at = chunk.indexOf(MAGIC_BYTE); at >= 0; at = chunk.indexOf(MAGIC_BYTE, at + 1)) {
    const endian = chunk[at + 1] === 0x4d ? 'little' : 'big';
    const first = endian === 'little' ? at - 2 : at - 1;
    if (first < 0 || first + 4 > chunk.length || view.getUint32(first, endian === 'little') !== DMESG_MAGIC) continue;
    yield { at: first - BUFFER_HEADER_SIZE.blkoops, endian };
    yield { at: first - BUFFER_HEADER_SIZE.pstore_blk, endian };
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
  const datalen = view.getUint32(at + 4, little);
  const common = { offset: base + at, endian, datalen, start: inBlkoops ? 0 : third, magic, formatted: false };
  const generation = inBlkoops ? 'blkoops' : 'pstore_blk';
  if (type === undefined || (type !== 'dmesg' && magic)) {
    if (!magic || bitsIn(lost) > MOST_LOST_BITS) return undefined;
    return { ...common, type: 'dmesg', generation, signed: false };
  }
  if (type !== 'dmesg' || magic) return { ...common, type, generation, signed: true };
  // A formatted zone has lengths 0 and then 0xFF: in blkoops the third word is already that.
  const made = datalen !== 0 ? null : third === 0xffffffff ? 'blkoops' : third === 0 ? 'pstore_blk' : null;
  return { ...common, type, generation: made, signed: true, formatted: made !== null && fourth === 0xffffffff };
}

function bitsIn(word: number): number {
  let bits = 0;
  for (let x = word; x !== 0; x &= x - 1) bits++;
  return bits;
}
