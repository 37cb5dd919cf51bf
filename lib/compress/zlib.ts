// zlib (RFC 1950): a raw deflate stream between two bytes of header and the Adler-32 of its text. Kernels of 3.12 to 4.16
// compressed with it in all backends (fs/pstore/platform.c: zlib_deflateInit2 with 12 window bits).

import { u8 } from '../bytes.js';
import { type Codec, type Decompressed, decoders } from './codec.js';
import { deflateRaw, inflateRaw } from './deflate.js';
import { inflate } from './inflate.js';

// Header: CMF (low 4 bits: method; high 4 bits: window, 2^(8 + n)) and FLG (bit 5: a dictionary follows; the low 5 bits
// make CMF × 256 + FLG a multiple of 31).
const HEADER_SIZE = 2;
const METHOD_DEFLATE = 8;
const WINDOW_MAX = 7;
const FLAG_DICTIONARY = 0x20;
const CHECK_FACTOR = 31;
/** What kernels wrote: a window of 2^12, level 6. */
const KERNEL_HEADER = [0x48, 0x89];
/** Big-endian, after the stream. */
const ADLER_SIZE = 4;

const ADLER_MODULUS = 65521;
/** This many bytes can be summed up before the sums need more than 32 bits. */
const ADLER_STRETCH = 5552;

export function adler32(bytes: Uint8Array): number {
  let low = 1;
  let high = 0;
  for (let from = 0; from < bytes.length; from += ADLER_STRETCH) {
    for (const byte of bytes.subarray(from, from + ADLER_STRETCH)) {
      low += byte;
      high += low;
    }
    low %= ADLER_MODULUS;
    high %= ADLER_MODULUS;
  }
  return high * 0x10000 + low;
}

/** Whether a zlib stream without a dictionary may begin so, with any window. */
function isHeader(method: number, flags: number): boolean {
  return (
    (method & 15) === METHOD_DEFLATE &&
    method >> 4 <= WINDOW_MAX &&
    (flags & FLAG_DICTIONARY) === 0 &&
    (method * 256 + flags) % CHECK_FACTOR === 0
  );
}

function decompress(input: Uint8Array, limit: number): Decompressed | undefined {
  if (input.length < HEADER_SIZE + ADLER_SIZE || !isHeader(u8(input, 0), u8(input, 1))) return undefined;
  const result = inflateRaw(input.subarray(HEADER_SIZE), limit);
  if (!result) return undefined;
  const end = HEADER_SIZE + result.used;
  const used = end + ADLER_SIZE;
  const stored = input.subarray(end, used).reduce((sum, byte) => sum * 256 + byte, 0);
  if (used > input.length || stored !== adler32(result.output)) return undefined;
  return { output: result.output, used, proven: true };
}

function compress(input: Uint8Array): Uint8Array {
  const stream = deflateRaw(input);
  const out = new Uint8Array(HEADER_SIZE + stream.length + ADLER_SIZE);
  out.set(KERNEL_HEADER);
  out.set(stream, HEADER_SIZE);
  new DataView(out.buffer).setUint32(HEADER_SIZE + stream.length, adler32(input));
  return out;
}

export const zlib: Codec = {
  name: 'zlib',
  trailing: 'ignored',
  decompress,
  // A damaged header does not hide the text: that it reads as one is for the caller to see.
  beginning: decoders((input, out) => inflate(input, HEADER_SIZE, out)).beginning,
  compress,
};
