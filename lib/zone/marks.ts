// Finds the headers of zones anywhere in a run of bytes: what unknown geometry is told from.

import type { FrontEnd } from '../format/record-type.js';
import {
  BUFFER_HEADER_SIZE,
  DMESG_MAGIC,
  type Generation,
  MAX_DMESG_HEADER_SIZE,
  ZONE_SIGNATURE,
  zoneSignature,
} from '../format/zone.js';
import type { Storage } from '../storage/storage.js';

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
}

const TYPES: readonly FrontEnd[] = ['dmesg', 'console', 'ftrace', 'pmsg', 'tty'];
const CHUNK = 1 << 20;
/** Bytes behind a mark that are needed to judge it. */
const REACH = BUFFER_HEADER_SIZE.pstore_blk + MAX_DMESG_HEADER_SIZE;
/** All signatures and the magic, by the byte that is searched for first: `G` of DBGC, and 0xfc of the magic. */
const SIGNATURE_BYTE = 0x47;
const MAGIC_BYTE = 0xfc;
/** A hostile image may consist of nothing but marks. */
const MOST_MARKS = 1 << 19;

/** @param until marks that begin behind this offset are not looked for */
export function findMarks(storage: Storage, until: number): Mark[] {
  const marks: Mark[] = [];
  const buffer = new Uint8Array(Math.min(CHUNK + 2 * REACH, storage.size));
  const seen = new Set<number>();
  for (let base = 0; base < until; base += CHUNK) {
    const from = Math.max(0, base - REACH);
    const chunk = buffer.subarray(0, storage.read(buffer, from));
    scanChunk(chunk, from, (mark) => {
      if (mark.offset >= until || seen.has(mark.offset) || marks.length >= MOST_MARKS) return;
      seen.add(mark.offset);
      marks.push(mark);
    });
  }
  return marks.sort((a, b) => a.offset - b.offset);
}

function scanChunk(chunk: Uint8Array, base: number, found: (mark: Mark) => void): void {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const judge = (at: number, endian: 'little' | 'big') => {
    const mark = at < 0 ? undefined : markAt(view, at, base, endian);
    if (mark) found(mark);
  };
  for (let at = chunk.indexOf(SIGNATURE_BYTE); at >= 0; at = chunk.indexOf(SIGNATURE_BYTE, at + 1)) {
    if (chunk[at - 1] === 0x42 && chunk[at + 1] === 0x43) judge(at - 2, 'little');
    else if (chunk[at - 1] === 0x43 && chunk[at + 1] === 0x42) judge(at - 1, 'big');
  }
  for (let at = chunk.indexOf(MAGIC_BYTE); at >= 0; at = chunk.indexOf(MAGIC_BYTE, at + 1)) {
    const endian = chunk[at + 1] === 0x4d ? 'little' : 'big';
    const first = endian === 'little' ? at - 2 : at - 1;
    if (first < 0 || first + 4 > chunk.length || view.getUint32(first, endian === 'little') !== DMESG_MAGIC) continue;
    judge(first - BUFFER_HEADER_SIZE.blkoops, endian);
    judge(first - BUFFER_HEADER_SIZE.pstore_blk, endian);
  }
}

/** What stands at `at`, if it is the beginning of a zone by its signature, or by its magic and a believable header. */
function markAt(view: DataView, at: number, base: number, endian: 'little' | 'big'): Mark | undefined {
  if (at + BUFFER_HEADER_SIZE.pstore_blk > view.byteLength) return undefined;
  const little = endian === 'little';
  const u32 = (offset: number) => (at + offset + 4 <= view.byteLength ? view.getUint32(at + offset, little) : 0);
  const sig = u32(0);
  const type = TYPES.find((candidate) => zoneSignature(candidate) === sig);
  const inBlkoops = u32(BUFFER_HEADER_SIZE.blkoops) === DMESG_MAGIC;
  const inPstoreBlk = u32(BUFFER_HEADER_SIZE.pstore_blk) === DMESG_MAGIC;
  const common = { offset: base + at, endian, datalen: u32(4), start: inBlkoops ? 0 : u32(8) };
  if (type === undefined) {
    // A damaged signature has lost a few bits, not all of its bytes: the magic of one generation is not taken for the other's.
    if (!(inBlkoops || inPstoreBlk) || bitsThatDiffer(sig, ZONE_SIGNATURE) > 8) return undefined;
    return { ...common, type: 'dmesg', generation: inBlkoops ? 'blkoops' : 'pstore_blk', signed: false, magic: true };
  }
  if (type !== 'dmesg') return { ...common, type, generation: 'pstore_blk', signed: true, magic: false };
  const generation = inBlkoops ? 'blkoops' : inPstoreBlk ? 'pstore_blk' : emptyZoneGeneration(common);
  return { ...common, type, generation, signed: true, magic: inBlkoops || inPstoreBlk };
}

/** A formatted zone has lengths 0 and then 0xFF: in blkoops the third word is already that. */
function emptyZoneGeneration(header: { datalen: number; start: number }): Generation | null {
  if (header.datalen !== 0) return null;
  return header.start === 0xffffffff ? 'blkoops' : header.start === 0 ? 'pstore_blk' : null;
}

function bitsThatDiffer(a: number, b: number): number {
  let bits = 0;
  for (let x = (a ^ b) >>> 0; x !== 0; x &= x - 1) bits++;
  return bits;
}
