// snappy: what makedumpfile and QEMU may compress the pages of a dump with. Only read; no kernel compresses pstore's
// records so (google/snappy, format_description.txt).

import { type Decompressed, decoders } from './codec.js';
import type { Output } from './output.js';

/** The low two bits of a tag: what the element is. */
const LITERAL = 0;
const COPY_1 = 1;
const COPY_2 = 2;
/** Lengths of literals above this one are written in 1 to 4 bytes after the tag. */
const SHORT_LITERAL_MAX = 60;
/** The length of the text, 7 bits a byte, takes at most this many bytes. */
const LENGTH_BYTES_MAX = 5;

/** @returns input bytes used, or undefined where the stream is cut or wrong */
function decode(input: Uint8Array, out: Output): number | undefined {
  let at = 0;
  let length = 0;
  for (let shift = 1; ; shift *= 128) {
    const byte = input[at++];
    if (byte === undefined || at > LENGTH_BYTES_MAX) return undefined;
    length += (byte & 0x7f) * shift;
    if (byte < 0x80) break;
  }
  while (out.length < length) {
    const tag = input[at++];
    if (tag === undefined) return undefined;
    const used = (tag & 3) === LITERAL ? literal(input, at, tag, out) : copy(input, at, tag, out);
    if (used === undefined) return undefined;
    at += used;
  }
  return out.length === length ? at : undefined;
}

function literal(input: Uint8Array, at: number, tag: number, out: Output): number | undefined {
  const code = tag >> 2;
  const extra = code < SHORT_LITERAL_MAX ? 0 : code - SHORT_LITERAL_MAX + 1;
  const count = (extra === 0 ? code : number(input, at, extra)) + 1;
  if (at + extra + count > input.length) return undefined;
  return out.literals(input, at + extra, count) ? extra + count : undefined;
}

function copy(input: Uint8Array, at: number, tag: number, out: Output): number | undefined {
  const kind = tag & 3;
  const size = kind === COPY_1 ? 1 : kind === COPY_2 ? 2 : 4;
  if (at + size > input.length) return undefined;
  const count = kind === COPY_1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
  const distance = number(input, at, size) + (kind === COPY_1 ? (tag >> 5) << 8 : 0);
  return distance > 0 && out.match(distance, count) ? size : undefined;
}

/** A little-endian number of 1 to 4 bytes. */
function number(input: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (input[at + i] ?? 0);
  return value;
}

export const snappy: { decompress(input: Uint8Array, limit: number): Decompressed | undefined } = decoders(decode);
