// Where in an image headers of persistent RAM zones stand: what detection of an unknown geometry goes by.

import type { Abi } from '../format/abi.js';
import { ftraceVersionCode, RAM_HEADER_SIZE, RAM_SIGNATURE, readRamHeader } from '../format/ramoops.js';
import { findBytes } from '../platform.js';
import { readRange, type Storage } from '../storage/storage.js';

export interface RamMarks {
  readonly endian: Abi['endian'];
  /** Offsets of plausible headers with the plain signature, ascending. */
  readonly plain: ReadonlySet<number>;
  /** Offsets of plausible headers of ftrace zones, ascending, with the version code of the kernel. */
  readonly ftrace: ReadonlyMap<number, number>;
  /**
   * Offsets of what was a header with the plain signature once, ascending: a bit or two of its signature are wrong, or
   * its lengths are impossible. No proof of a region, but where its ECC repairs them, a kernel shows their zones.
   */
  readonly damaged: ReadonlySet<number>;
}

/** Beyond this many, an image is made to keep us busy; a region of 128 MiB has 32,768 zones of 4 KiB. */
const MOST_MARKS = 1 << 17;
const CHUNK = 1 << 20;

/** The signature's bytes 0x43474244, the highest first; ftrace zones have others in the lower three. */
const TOP = RAM_SIGNATURE >>> 24;
const TOP_BYTE = Uint8Array.of(TOP);
/** A signature with more wrong bits than this is none. */
const WRONG_BITS = 2;
/** pstore/zone signs with XOR a record type, which is below this: no damage. */
const RECORD_TYPES = 16;

const BITS = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length);

/**
 * Reads the whole image once. Every zone begins at an even offset, as all sizes are even.
 * @param endian looks for this byte order only; else for both, and the one with more headers is given
 * @param withDamaged without them the search is far faster
 */
export function findRamMarks(storage: Storage, endian?: Abi['endian'], withDamaged = true): RamMarks {
  const orders = endian === undefined ? (['little', 'big'] as const) : [endian];
  const found = orders.map((order) => ({
    endian: order,
    plain: new Set<number>(),
    ftrace: new Map<number, number>(),
    damaged: new Set<number>(),
  }));
  for (let base = 0; base < storage.size; base += CHUNK) {
    const bytes = readRange(storage, base, CHUNK + RAM_HEADER_SIZE);
    for (const marks of found) collect(bytes, base, storage.size, marks, withDamaged);
    if (bytes.length < CHUNK) break;
  }
  return found.reduce((best, other) => (count(other) > count(best) ? other : best));
}

interface Collected {
  endian: Abi['endian'];
  plain: Set<number>;
  ftrace: Map<number, number>;
  damaged: Set<number>;
}

function count({ plain, ftrace }: RamMarks): number {
  return plain.size + ftrace.size;
}

function collect(bytes: Uint8Array, base: number, size: number, marks: Collected, withDamaged: boolean): void {
  const top = marks.endian === 'little' ? 3 : 0;
  const end = Math.min(CHUNK, bytes.length - RAM_HEADER_SIZE + 1);
  if (withDamaged) {
    for (let at = 0; at < end; at += 2) {
      if (BITS[bytes[at + top]! ^ TOP]! <= WRONG_BITS) judge(bytes, at, base, size, marks);
    }
    return;
  }
  let found = findBytes(bytes, TOP_BYTE, top);
  for (; found >= 0 && found - top < end; found = findBytes(bytes, TOP_BYTE, found + 1)) {
    if ((found - top) % 2 === 0) judge(bytes, found - top, base, size, marks);
  }
}

/** Adds what stands at `at` to the marks it belongs to, if any. */
function judge(bytes: Uint8Array, at: number, base: number, size: number, marks: Collected): void {
  if (count(marks) + marks.damaged.size >= MOST_MARKS) return;
  const header = readRamHeader(bytes.subarray(at, at + RAM_HEADER_SIZE), marks.endian);
  // In an image that is cut the data of its last zone may go on beyond the end.
  const isPossible = header.start <= header.size && header.size <= size;
  const version = header.sig >>> 24 === TOP ? ftraceVersionCode(header.sig) : undefined;
  if (header.sig === RAM_SIGNATURE) (isPossible ? marks.plain : marks.damaged).add(base + at);
  else if (!isPossible) return;
  else if (version !== undefined && !isWrongBit(version)) marks.ftrace.set(base + at, version);
  else if (isDamaged(header.sig)) marks.damaged.add(base + at);
}

/** A single wrong bit may make a version code of a plain signature, but none of a kernel that there is: 8.0.0, 16.0.0. */
function isWrongBit(version: number): boolean {
  return version === 8 << 16 || version === 16 << 16;
}

function isDamaged(sig: number): boolean {
  const wrong = (sig ^ RAM_SIGNATURE) >>> 0;
  const bits = BITS[wrong & 255]! + BITS[(wrong >>> 8) & 255]! + BITS[(wrong >>> 16) & 255]! + BITS[wrong >>> 24]!;
  return wrong >= RECORD_TYPES && bits <= WRONG_BITS;
}
