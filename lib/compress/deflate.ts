// deflate: a raw stream (no zlib header), as pstore's default makes it.

import { deflateRaw, inflateRaw } from '../platform.js';
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

export const deflate: Codec = { name: 'deflate', trailing: 'ignored', decompress, compress: deflateRaw };
