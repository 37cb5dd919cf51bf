// Headers at odd places. Kernels of 4.10 to 6.7 divide without rounding, so that some zones begin there; in most images
// none does, and all that stands there are words of a text.

import { findBytes } from '#platform';
import type { Abi } from '../pstore/abi.js';
import { RAM_SIGNATURE } from './format.js';

/** Kernels whose ftrace signature is looked for; a region has one. */
const MAX_VERSIONS = 4;
/** Odd places of which a row is looked for, and neighbours with which one may be in a row. */
const MAX_TRIED = 64;
const NEIGHBOURS = 32;

/** Whether a signature stands at an odd place: only then such places are worth a closer look. @param end for the first byte */
export function hasOddSignature(
  bytes: Uint8Array,
  end: number,
  endian: Abi['endian'],
  ftrace: ReadonlyMap<number, number>,
): boolean {
  const versions = [0, ...new Set(ftrace.values())].slice(0, 1 + MAX_VERSIONS);
  return versions.some((version) => {
    const signature = new Uint8Array(4);
    new DataView(signature.buffer).setUint32(0, RAM_SIGNATURE ^ version, endian === 'little');
    for (let at = findBytes(bytes, signature, 0); at >= 0 && at < end; at = findBytes(bytes, signature, at + 1)) {
      if (at % 2 === 1) return true;
    }
    return false;
  });
}

/**
 * Whether any header at an odd place is one of three in a row with equal distances, as the zones of a division are. Where
 * all other headers are at even places, a word of a text never is.
 * @param offsets of all headers, ascending
 */
export function hasOddRow(offsets: readonly number[]): boolean {
  const all = new Set(offsets);
  let tried = 0;
  for (const [i, offset] of offsets.entries()) {
    if (offset % 2 === 0) continue;
    if (tried++ >= MAX_TRIED) return false;
    for (const before of offsets.slice(Math.max(0, i - NEIGHBOURS), i)) {
      const distance = offset - before;
      if (all.has(before - distance) || all.has(offset + distance)) return true;
    }
  }
  return false;
}
