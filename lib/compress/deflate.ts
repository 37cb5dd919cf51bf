// deflate: a raw stream (no zlib header), as pstore's default makes it.

import { native } from '#platform';
import { type Codec, type Decompressed, decoders } from './codec.js';
import { deflateFixed } from './deflate-encoder.js';
import { inflate } from './inflate.js';

/** A kernel's deflate has this window (crypto/deflate.c), and may not inflate a larger one. */
const WINDOW_BITS = 11;

/** Texts above this are left to our own decoder: the machine's keeps all pieces of one that turns out too long. */
const NATIVE_MAX = 4 << 20;

/**
 * Raw inflate as crypto/deflate.c has it: it feeds one zero byte when the input runs out before the stream's end, so a
 * stream that lacks nothing but a last byte of 0 is whole. Any window is taken: kernels of 6.6 and later write 2^15.
 */
const own = decoders((input, out) => {
  const used = inflate(input, 0, out, 1);
  return used === undefined ? undefined : Math.min(used, input.length);
});

/** A whole raw stream. */
export function inflateRaw(input: Uint8Array, limit: number): Decompressed | undefined {
  // The machine's decoder cannot be told that no byte is wanted.
  const whole = limit > 0 ? native?.inflateRaw(input, Math.min(limit, NATIVE_MAX)) : undefined;
  return whole ?? own.decompress(input, limit);
}

export function deflateRaw(input: Uint8Array): Uint8Array {
  return native ? native.deflateRaw(input, WINDOW_BITS) : deflateFixed(input, WINDOW_BITS);
}

const ownStart = decoders((input, out) => inflate(input, 0, out)).beginning;

/** Pieces above this are left to our own decoder: it stops at the limit. */
const NATIVE_START = 1024;

/** The machine's decoder gives nothing of a damaged stream; ours stops at the damage. */
function beginning(input: Uint8Array, limit: number): Uint8Array {
  const all = input.length <= NATIVE_START ? native?.inflateRawStart(input) : undefined;
  return all ? all.subarray(0, limit) : ownStart(input, limit);
}

/** A stored block without text, not the last one (RFC 1951, 3.2.4): all that inflates goes on after it. */
const EMPTY_BLOCK = [0x00, 0x00, 0x00, 0xff, 0xff];

export const deflate: Codec = {
  name: 'deflate',
  trailing: 'ignored',
  decompress: inflateRaw,
  beginning,
  compress: deflateRaw,
  beginOtherwise: (stream) => Uint8Array.from([...EMPTY_BLOCK, ...stream]),
};
