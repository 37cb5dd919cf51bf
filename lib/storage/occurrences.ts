// Where some bytes stand in a storage, whatever its size.

import { findBytes } from '#platform';
import { type Storage, searchedPieces } from './storage.js';

/**
 * What is read at a time, into the same bytes: few enough that they stay near the processor, and that nobody keeps them
 * of a large image, where that takes twice the time of reading them.
 */
const CHUNK = 64 << 10;

/** What is searched for stands some ten times in an image: one that is full of it is not looked through. */
const MAX_PLACES = 16_384;

/** Where the bytes of a needle stand, in rising order, at most 16,384 times. @param end first byte that is not looked at */
export function* occurrences(storage: Storage, needle: Uint8Array, from: number, end: number): Generator<number> {
  // Pieces overlap by less than the needle, so that one across a border is found, and found once.
  const overlap = needle.length - 1;
  const last = Math.min(end, storage.size) - needle.length;
  let found = 0;
  for (const { bytes, offset } of searchedPieces(storage, { from, end: last + 1, length: CHUNK, overlap })) {
    for (let at = findBytes(bytes, needle, 0); at >= 0 && offset + at <= last; at = findBytes(bytes, needle, at + 1)) {
      if (found++ === MAX_PLACES) return;
      yield offset + at;
    }
  }
}
