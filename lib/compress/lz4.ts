// lz4 and lz4hc: a raw block without a frame. The two differ in how hard the encoder looks for matches.

import { u8, u16 } from '../bytes.js';
import { type Codec, type Compression, decoders } from './codec.js';
import { MatchFinder } from './match-finder.js';
import type { Output } from './output.js';

// A sequence: token (high 4 bits: literals, low 4 bits: match length − 4; 15: more bytes follow), literals, u16
// little-endian distance. The last sequence ends after its literals.
const MIN_MATCH = 4;
const NIBBLE_MAX = 15;
const MAX_DISTANCE = 0xffff;

// Rules for the end of a block, which the kernel's decoder relies on.
/** The last bytes of the text are literals. */
const LAST_LITERALS = 5;
/** No match begins within so many bytes of the text's end. */
const MATCH_FIND_LIMIT = 12;

// The kernel's decoder has a short path for a sequence of few literals that is far from the ends of input and output.
// Only outside of it the rules for the end are checked, so what it accepts as a whole depends on these numbers.
const SHORT_PATH_INPUT = 16;
const SHORT_PATH_OUTPUT = 32;
/** Distances below this one leave the short path. */
const SHORT_PATH_DISTANCE = 8;

/** Accepts what LZ4_decompress_safe does. */
function decode(input: Uint8Array, out: Output): number | undefined {
  const { limit } = out;
  const end = input.length;
  if (end === 0) return undefined;
  let at = 0;
  for (;;) {
    const token = u8(input, at++);
    let literals = token >> 4;
    const short = literals < NIBBLE_MAX && at < end - SHORT_PATH_INPUT && out.length <= limit - SHORT_PATH_OUTPUT;
    if (!short) {
      if (literals === NIBBLE_MAX) {
        const longest = end - NIBBLE_MAX;
        if (at >= longest) return undefined;
        let more: number;
        do {
          more = u8(input, at++);
          literals += more;
        } while (more === 255 && at < longest);
      }
      if (out.length + literals > limit - MATCH_FIND_LIMIT || at + literals > end - (2 + 1 + LAST_LITERALS)) {
        return at + literals === end && out.literals(input, at, literals) ? end : undefined;
      }
    }
    out.literals(input, at, literals);
    at += literals;

    const distance = u16(input, at);
    at += 2;
    if (distance > out.length) return undefined;
    let length = (token & 15) + MIN_MATCH;
    if (short && length < NIBBLE_MAX + MIN_MATCH && distance >= SHORT_PATH_DISTANCE) {
      out.match(distance, length);
      continue;
    }
    if (length === NIBBLE_MAX + MIN_MATCH) {
      let more: number;
      do {
        more = u8(input, at++);
        if (at > end - LAST_LITERALS) return undefined;
        length += more;
      } while (more === 255);
    }
    if (out.length + length > limit - LAST_LITERALS) return undefined;
    // A distance of 0 is no match, but the kernel takes it for one with zeros.
    if (distance === 0) out.repeat(0, length);
    else out.match(distance, length);
  }
}

/** @param depth see MatchRules */
function compress(input: Uint8Array, depth: number): Uint8Array {
  const finder = new MatchFinder(input, { maxDistance: MAX_DISTANCE, depth });
  // Worst case: literals only, a length byte for each 255.
  const out = new Uint8Array(input.length + Math.ceil(input.length / 255) + 16);
  let at = 0;

  const lengthBytes = (left: number): void => {
    for (; left >= 255; left -= 255) out[at++] = 255;
    out[at++] = left;
  };
  const sequence = (from: number, literals: number, distance: number, length: number): void => {
    const matchCode = length - MIN_MATCH;
    out[at++] = (Math.min(literals, NIBBLE_MAX) << 4) | Math.min(matchCode, NIBBLE_MAX);
    if (literals >= NIBBLE_MAX) lengthBytes(literals - NIBBLE_MAX);
    out.set(input.subarray(from, from + literals), at);
    at += literals;
    out[at++] = distance & 255;
    out[at++] = distance >> 8;
    if (matchCode >= NIBBLE_MAX) lengthBytes(matchCode - NIBBLE_MAX);
  };

  const lastStart = input.length - MATCH_FIND_LIMIT + 1;
  const rest = finder.sequences(0, lastStart, input.length - LAST_LITERALS, sequence);
  const literals = input.length - rest;
  out[at++] = Math.min(literals, NIBBLE_MAX) << 4;
  if (literals >= NIBBLE_MAX) lengthBytes(literals - NIBBLE_MAX);
  out.set(input.subarray(rest), at);
  return out.slice(0, at + literals);
}

function codec(name: Compression, depth: number): Codec {
  return { name, trailing: 'unmarked', ...decoders(decode), compress: (input) => compress(input, depth) };
}

export const lz4 = codec('lz4', 8);
export const lz4hc = codec('lz4hc', 256);
