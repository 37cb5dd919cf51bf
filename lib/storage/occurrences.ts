// Where some bytes stand in a storage, whatever its size.

import { findBytes } from '#platform';
import { type Storage, searchedPieces } from './storage.js';

/**
 * What is read at a time, into the same bytes: few enough that they stay near the processor, and that nobody keeps them
 * of a large image, where that takes twice the time of reading them.
 */
const CHUNK = 64 << 10;

/** What is read first: who searches again and again mostly finds the next place close by. */
const NEAR = 256;

/** What is searched for stands some ten times in an image: one that is full of it is not looked through. */
const MAX_PLACES = 16_384;

/** Where the bytes of a needle stand, in rising order, at most 16,384 times. @param end first byte that is not looked at */
export function* occurrences(storage: Storage, needle: Uint8Array, from: number, end: number): Generator<number> {
  const last = Math.min(end, storage.size) - needle.length;
  const near = Math.min(from + NEAR, last + 1);
  let found = 0;
  for (const [first, after, length] of [
    [from, near, NEAR],
    [near, last + 1, CHUNK],
  ] as const) {
    for (const at of placesIn(storage, needle, first, after, length)) {
      if (found++ === MAX_PLACES) return;
      yield at;
    }
  }
}

/** Those that begin at `from` or later, and before `end`, which is far enough from the medium's own end. */
function* placesIn(storage: Storage, needle: Uint8Array, from: number, end: number, length: number): Generator<number> {
  if (from >= end) return;
  // Pieces overlap by less than the needle, so that one across a border is found, and found once.
  const overlap = needle.length - 1;
  for (const { bytes, offset } of searchedPieces(storage, { from, end, length, overlap })) {
    for (let at = findBytes(bytes, needle, 0); at >= 0 && offset + at < end; at = findBytes(bytes, needle, at + 1)) {
      yield offset + at;
    }
  }
}
