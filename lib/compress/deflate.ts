// deflate: a raw stream (no zlib header), as pstore's default makes it.

import { deflateRaw, inflateBeginning, inflateRaw } from '../platform/node.js';
import type { Codec, Decompressed } from './codec.js';

/**
 * Accepts what crypto/deflate.c does: it feeds one zero byte when the input runs out before the stream's end, so a
 * stream that lacks nothing but a last byte of 0 is whole.
 */
function decompress(input: Uint8Array, limit: number): Decompressed | undefined {
  const whole = inflateRaw(input, limit);
  if (whole) return whole;
  const stuffed = new Uint8Array(input.length + 1);
  stuffed.set(input);
  const result = inflateRaw(stuffed, limit);
  return result && { output: result.output, used: input.length };
}

/** Most bytes that are no stream are known by so many. */
const HEAD = 256;

/** The native decoder gives all that its input makes, or nothing: the longest input that makes sense is searched for. */
function beginning(input: Uint8Array, limit: number): Uint8Array {
  let text: Uint8Array = new Uint8Array(0);
  let good = 0;
  let bad = input.length + 1;
  let length = Math.min(HEAD, input.length);
  while (good + 1 < bad) {
    const longer = inflateBeginning(input.subarray(0, length), limit);
    if (longer) [good, text] = [length, longer];
    else bad = length;
    length = bad > input.length ? input.length : (good + bad) >> 1;
  }
  return text;
}

export const deflate: Codec = { name: 'deflate', trailing: 'ignored', decompress, beginning, compress: deflateRaw };
