// The sizes of parity with which the bytes at a zone's end agree with its header.

import type { Abi } from '../pstore/abi.js';
import { readRange, type Storage } from '../storage/storage.js';
import { ftraceVersionCode, RAM_HEADER_SIZE, RAM_SIGNATURE, readRamHeader } from './format.js';
import { zoneLayout } from './geometry.js';
import { isCodeword, MAX_PARITY } from './reed-solomon.js';

/** One byte of parity is no proof of anything, and no use to anybody. */
const MIN_PARITY = 2;

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
