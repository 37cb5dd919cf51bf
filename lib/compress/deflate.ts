// deflate: a raw stream (no zlib header), as pstore's default makes it.

import { native } from '#platform';
import { type Codec, type Decompressed, decoders } from './codec.js';
import { deflateFixed } from './deflate-encoder.js';
import { inflate } from './inflate.js';

/** A kernel's deflate has this window (crypto/deflate.c), and may not inflate a larger one. */
const WINDOW_BITS = 11;

const own = decoders((input, out) => inflate(input, 0, out));

/** A whole raw stream. Any window is taken: kernels of 6.6 and later write 2^15. */
export function inflateRaw(input: Uint8Array, limit: number): Decompressed | undefined {
  return native ? native.inflateRaw(input, limit) : own.decompress(input, limit);
}

export function deflateRaw(input: Uint8Array): Uint8Array {
  return native ? native.deflateRaw(input, WINDOW_BITS) : deflateFixed(input, WINDOW_BITS);
}

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

/** A stored block without text, not the last one (RFC 1951, 3.2.4): all that inflates goes on after it. */
const EMPTY_BLOCK = [0x00, 0x00, 0x00, 0xff, 0xff];

export const deflate: Codec = {
  name: 'deflate',
  trailing: 'ignored',
  decompress,
  // The machine's decoder gives all that its input makes, or nothing; ours stops at the damage.
  beginning: own.beginning,
  compress: deflateRaw,
  beginOtherwise: (stream) => Uint8Array.from([...EMPTY_BLOCK, ...stream]),
};
