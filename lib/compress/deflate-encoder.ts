// Writes raw deflate where the machine has no encoder of its own: one block with the fixed codes, about a tenth longer
// than what a search for the best codes gives.

import { u8 } from '../bytes.js';
import { DISTANCES, END_OF_BLOCK, FIRST_LENGTH, LENGTHS } from './inflate.js';
import { MatchFinder } from './match-finder.js';

/** Longest match that the format can express. */
const MAX_MATCH = 258;
/** Shortest one. */
const MIN_MATCH = 3;
const DISTANCE_BITS = 5;
/** The first bits of the only block: the last one, with fixed codes. */
const HEADER = { value: 1 | (1 << 1), bits: 3 };

class Encoder {
  readonly #input: Uint8Array;
  readonly #windowBits: number;
  readonly #out: Uint8Array;
  #bit = 0;

  constructor(input: Uint8Array, windowBits: number) {
    this.#input = input;
    this.#windowBits = windowBits;
    // A literal takes up to 9 bits, a match of 4 bytes or more at most 31.
    this.#out = new Uint8Array(Math.ceil((input.length * 9) / 8) + 8);
  }

  run(): Uint8Array {
    const input = this.#input;
    const finder = new MatchFinder(input, { maxDistance: 1 << this.#windowBits, depth: 32 });
    this.#put(HEADER.value, HEADER.bits);
    const rest = finder.sequences(0, input.length, input.length, (from, literals, distance, length) => {
      this.#literals(from, from + literals);
      this.#match(distance, length);
    });
    this.#literals(rest, input.length);
    this.#symbol(END_OF_BLOCK);
    return this.#out.slice(0, Math.ceil(this.#bit / 8));
  }

  #literals(from: number, end: number): void {
    for (let at = from; at < end; at++) this.#symbol(u8(this.#input, at));
  }

  /** A long match in pieces, of which none may be shorter than the shortest. */
  #match(distance: number, length: number): void {
    for (let left = length; left > 0; ) {
      const piece =
        left - MAX_MATCH > 0 && left - MAX_MATCH < MIN_MATCH ? MAX_MATCH - MIN_MATCH : Math.min(left, MAX_MATCH);
      const lengthAt = LENGTHS.findLastIndex(({ base }) => base <= piece);
      const distanceAt = DISTANCES.findLastIndex(({ base }) => base <= distance);
      const [lengths, distances] = [LENGTHS[lengthAt], DISTANCES[distanceAt]];
      if (!lengths || !distances) throw new RangeError(`no code for a match of ${piece} from ${distance} back`);
      this.#symbol(FIRST_LENGTH + lengthAt);
      this.#put(piece - lengths.base, lengths.bits);
      this.#code(distanceAt, DISTANCE_BITS);
      this.#put(distance - distances.base, distances.bits);
      left -= piece;
    }
  }

  /** The fixed code (RFC 1951, 3.2.6). */
  #symbol(symbol: number): void {
    if (symbol < 144) this.#code(0x30 + symbol, 8);
    else if (symbol < 256) this.#code(0x190 + symbol - 144, 9);
    else if (symbol < 280) this.#code(symbol - 256, 7);
    else this.#code(0xc0 + symbol - 280, 8);
  }

  /** Codes stand in the stream from their highest bit on, all else from its lowest. */
  #code(code: number, bits: number): void {
    for (let i = bits - 1; i >= 0; i--) this.#put((code >> i) & 1, 1);
  }

  /** Appends up to 13 bits. */
  #put(value: number, bits: number): void {
    const at = this.#bit >> 3;
    const word = value << (this.#bit & 7);
    this.#out[at] = u8(this.#out, at) | word;
    this.#out[at + 1] = u8(this.#out, at + 1) | (word >> 8);
    this.#out[at + 2] = u8(this.#out, at + 2) | (word >> 16);
    this.#bit += bits;
  }
}

/** @param windowBits 9 to 15: base 2 logarithm of the largest distance */
export function deflateFixed(input: Uint8Array, windowBits: number): Uint8Array {
  return new Encoder(input, windowBits).run();
}
