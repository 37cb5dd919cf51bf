// The sizes of parity with which the bytes at a zone's end agree with its header.

import type { Abi } from '../pstore/abi.js';
import { readRange, type Storage } from '../storage/storage.js';
import type { ParityRule } from './dialects.js';
import { ftraceVersionCode, RAM_HEADER_SIZE, RAM_SIGNATURE, readRamHeader } from './format.js';
import { type RamZone, zoneLayout } from './geometry.js';
import { isCodeword, MAX_PARITY, reedSolomon } from './reed-solomon.js';

/** One byte of parity is no proof of anything, and no use to anybody. */
const MIN_PARITY = 2;
/** Sizes of parity in use: 16 is what ramoops.ecc=1 means, the others stand in device trees. */
export const USUAL_PARITIES = [16, 8, 32, 24, 12, 64] as const;
/** With so many wrong bytes a header and eight bytes of parity still fit together by no accident. */
const MAX_WRONG = 2;

/**
 * Sizes of parity with which the bytes before a zone's end agree with its header. Nothing else leaves such bytes.
 * @param offset of the zone's header
 */
export function zoneParities(storage: Storage, offset: number, end: number, endian: Abi['endian']): number[] {
  const header = readRange(storage, offset, RAM_HEADER_SIZE);
  // A header of zeros agrees with any parity of zeros.
  return isSigned(header, endian) ? matchingParities(header, readRange(storage, end - MAX_PARITY, MAX_PARITY)) : [];
}

/** The same where the header's parity follows the last set of block parity that is in use. */
export function packedParities(storage: Storage, offset: number, size: number, endian: Abi['endian']): number[] {
  const header = readRange(storage, offset, RAM_HEADER_SIZE);
  if (!isSigned(header, endian)) return [];
  const found: number[] = [];
  for (let ecc = MIN_PARITY; ecc <= MAX_PARITY; ecc++) {
    const layout = zoneLayout(size, ecc, 'room-packed');
    if (layout && isCodeword(header, readRange(storage, offset + layout.headerParity, ecc))) found.push(ecc);
  }
  return found;
}

/** Sizes of parity that repair the header of a zone in which hardly a byte is wrong. */
export function repairingParities(
  storage: Storage,
  { offset, size }: Pick<RamZone, 'offset' | 'size'>,
  rule: ParityRule,
  endian: Abi['endian'],
): number[] {
  const header = readRange(storage, offset, RAM_HEADER_SIZE);
  if (header.length < RAM_HEADER_SIZE) return [];
  return USUAL_PARITIES.filter((ecc) => {
    const layout = zoneLayout(size, ecc, rule);
    if (!layout) return false;
    const parity = readRange(storage, offset + layout.headerParity, ecc);
    if (parity.length < ecc) return false;
    const repaired = header.slice();
    const wrong = reedSolomon(ecc).decode(repaired, parity);
    if (wrong < 0 || wrong > MAX_WRONG) return false;
    const { sig, start, size: used } = readRamHeader(repaired, endian);
    return sig === RAM_SIGNATURE && start <= used && used <= layout.area;
  });
}

function isSigned(bytes: Uint8Array, endian: Abi['endian']): boolean {
  if (bytes.length < RAM_HEADER_SIZE) return false;
  const { sig } = readRamHeader(bytes, endian);
  return sig === RAM_SIGNATURE || ftraceVersionCode(sig) !== undefined;
}

/** @param tail the bytes before the zone's end */
function matchingParities(header: Uint8Array, tail: Uint8Array): number[] {
  const found: number[] = [];
  // All bytes of a codeword together are 0, because 1 is a root: only then is a closer look worth it.
  let sum = header.reduce((all, byte) => all ^ byte, 0);
  for (let ecc = 1; ecc <= tail.length; ecc++) {
    const from = tail.length - ecc;
    sum ^= tail[from]!;
    if (sum === 0 && ecc >= MIN_PARITY && isCodeword(header, tail.subarray(from))) found.push(ecc);
  }
  return found;
}
