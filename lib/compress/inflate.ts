// Raw deflate (RFC 1951) without the machine's help: for platforms without a native one, and for damaged streams, of
// which it gives all that stands before the damage.

import { u8, u16 } from '../bytes.js';
import type { Output } from './output.js';

const BLOCK = { stored: 0, fixed: 1, dynamic: 2 } as const;

export const END_OF_BLOCK = 256;
/** The first literal/length symbol that is a length. */
export const FIRST_LENGTH = 257;
/** Symbols that a dynamic block may describe: two more of each exist in the fixed codes, but stand for nothing. */
const MAX_LENGTH_SYMBOLS = 286;
const MAX_DISTANCE_SYMBOLS = 30;

interface Range {
  readonly base: number;
  readonly bits: number;
}

const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5];
/** By symbol from FIRST_LENGTH on: what it stands for at least, and how many bits are added to that. */
export const LENGTHS: readonly Range[] = [...ranges(3, LENGTH_BITS), { base: 258, bits: 0 }];
/** The same of distances. */
export const DISTANCES: readonly Range[] = ranges(
  1,
  Array.from({ length: MAX_DISTANCE_SYMBOLS }, (_, i) => Math.max(0, (i >> 1) - 1)),
);

/** The order in which the lengths of the code for code lengths are stored. */
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/** Symbols of that code above 15: how often the last length, or 0, is repeated at least, and how many bits are added. */
const REPEAT_LAST = 16;
const REPEATS = new Map([
  [REPEAT_LAST, { base: 3, bits: 2 }],
  [17, { base: 3, bits: 3 }],
  [18, { base: 11, bits: 7 }],
]);

function ranges(first: number, bitsOfSymbols: readonly number[]): Range[] {
  let base = first;
  return bitsOfSymbols.map((bits) => {
    const range = { base, bits };
    base += 1 << bits;
    return range;
  });
}

/** A Huffman code: by the next `bits` bits of the stream, symbol × 16 + the length of its code; 0: no code begins so. */
interface Code {
  readonly bits: number;
  readonly entries: Uint16Array;
}

/**
 * @param lengths bits of each symbol's code, 0: it has none
 * @param isComplete whether there may be no bits that are no code's; else one code of a single bit may stand alone
 * @returns undefined when there is no such code
 */
function codeOf(lengths: readonly number[], isComplete: boolean): Code | undefined {
  const bits = Math.max(...lengths);
  const next = firstCodes(lengths, bits);
  if (!next) return undefined;
  const entries = new Uint16Array(1 << bits);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol]!;
    if (length === 0) continue;
    // Codes stand in the stream from their highest bit on, all else from its lowest.
    let at = reversed(next[length]!++, length);
    for (; at < entries.length; at += 1 << length) entries[at] = symbol * 16 + length;
  }
  const isFull = next[bits] === 1 << bits;
  return isFull || (!isComplete && bits <= 1) ? { bits, entries } : undefined;
}

/** By length, the first code of so many bits: RFC 1951, section 3.2.2. @returns undefined when there are too many codes */
function firstCodes(lengths: readonly number[], bits: number): number[] | undefined {
  const counts = new Array<number>(bits + 1).fill(0);
  for (const length of lengths) counts[length]!++;
  const first = [0];
  let code = 0;
  for (let length = 1; length <= bits; length++) {
    first.push(code);
    code += counts[length]!;
    if (code > 1 << length) return undefined;
    code <<= 1;
  }
  return first;
}

function reversed(code: number, bits: number): number {
  let result = 0;
  for (let i = 0; i < bits; i++) result |= ((code >> i) & 1) << (bits - 1 - i);
  return result;
}

interface Codes {
  readonly lengths: Code;
  readonly distances: Code;
}

let fixed: Codes | undefined;

function fixedCodes(): Codes | undefined {
  if (fixed) return fixed;
  const bits = [144, 112, 24, 8].flatMap((count, i) => new Array<number>(count).fill([8, 9, 7, 8][i] ?? 0));
  const lengths = codeOf(bits, true);
  const distances = codeOf(new Array<number>(32).fill(5), true);
  fixed = lengths && distances && { lengths, distances };
  return fixed;
}

class Decoder {
  readonly #input: Uint8Array;
  readonly #out: Output;
  /** The next byte; the bits before it that were not taken yet, lowest first, and how many they are. */
  #at: number;
  #held = 0;
  #count = 0;
  /** Where the input ends, with the zeros that may follow it. */
  readonly #end: number;

  constructor(input: Uint8Array, from: number, out: Output, zeros: number) {
    this.#end = input.length + zeros;
    this.#input = input;
    this.#at = from;
    this.#out = out;
  }

  /** Accepts what zlib's inflate does. @returns where the stream ends, in whole bytes */
  run(): number | undefined {
    for (let last = false; !last; ) {
      last = this.#bits(1) === 1;
      const type = this.#bits(2);
      if (!this.#isWithin()) return undefined;
      if (!(type === BLOCK.stored ? this.#stored() : this.#compressed(type))) return undefined;
    }
    return this.#isWithin() ? this.#place() : undefined;
  }

  /** Makes at least `count` bits available, beyond the end of the input zeros. @param count up to 15 */
  #fill(count: number): void {
    while (this.#count < count) {
      this.#held |= u8(this.#input, this.#at++) << this.#count;
      this.#count += 8;
    }
  }

  #bits(count: number): number {
    this.#fill(count);
    return this.#take(count);
  }

  #take(count: number): number {
    const value = this.#held & ((1 << count) - 1);
    this.#held >>>= count;
    this.#count -= count;
    return value;
  }

  /** The first byte of which nothing was taken. */
  #place(): number {
    return this.#at - (this.#count >> 3);
  }

  /** Whether all bits that were taken were there. */
  #isWithin(): boolean {
    return this.#place() <= this.#end;
  }

  #symbol({ bits, entries }: Code): number | undefined {
    this.#fill(bits);
    const entry = entries[this.#held & ((1 << bits) - 1)] ?? 0;
    if (entry === 0) return undefined;
    this.#take(entry & 15);
    return entry >> 4;
  }

  #stored(): boolean {
    const at = this.#place();
    const [size, inverted] = [u16(this.#input, at), u16(this.#input, at + 2)];
    const from = at + 4;
    if (from > this.#input.length || (size ^ inverted) !== 0xffff) return false;
    const there = Math.min(size, this.#input.length - from);
    this.#at = from + there;
    this.#held = 0;
    this.#count = 0;
    return this.#out.literals(this.#input, from, there) && there === size;
  }

  #compressed(type: number): boolean {
    const codes = type === BLOCK.fixed ? fixedCodes() : type === BLOCK.dynamic ? this.#describedCodes() : undefined;
    if (!codes) return false;
    for (;;) {
      const symbol = this.#symbol(codes.lengths);
      if (symbol === undefined || !this.#isWithin()) return false;
      if (symbol === END_OF_BLOCK) return true;
      if (symbol < END_OF_BLOCK) {
        if (!this.#out.byte(symbol)) return false;
      } else if (!this.#match(symbol, codes.distances)) return false;
    }
  }

  #match(symbol: number, distances: Code): boolean {
    const length = this.#inRange(LENGTHS[symbol - FIRST_LENGTH]);
    const distanceSymbol = this.#symbol(distances);
    if (length === undefined || distanceSymbol === undefined) return false;
    const distance = this.#inRange(DISTANCES[distanceSymbol]);
    return distance !== undefined && this.#isWithin() && this.#out.match(distance, length);
  }

  #inRange(range: Range | undefined): number | undefined {
    return range && range.base + this.#bits(range.bits);
  }

  #describedCodes(): Codes | undefined {
    const lengthSymbols = this.#bits(5) + FIRST_LENGTH;
    const distanceSymbols = this.#bits(5) + 1;
    const stored = this.#bits(4) + 4;
    if (lengthSymbols > MAX_LENGTH_SYMBOLS || distanceSymbols > MAX_DISTANCE_SYMBOLS) return undefined;
    const codeLengths = new Array<number>(CODE_LENGTH_ORDER.length).fill(0);
    for (const symbol of CODE_LENGTH_ORDER.slice(0, stored)) codeLengths[symbol] = this.#bits(3);
    const code = codeOf(codeLengths, true);
    const all = code && this.#lengths(code, lengthSymbols + distanceSymbols);
    if (!all || all[END_OF_BLOCK] === 0) return undefined;
    const lengths = codeOf(all.slice(0, lengthSymbols), false);
    const distances = codeOf(all.slice(lengthSymbols), false);
    return lengths && distances && { lengths, distances };
  }

  #lengths(code: Code, count: number): number[] | undefined {
    const lengths: number[] = [];
    while (lengths.length < count) {
      const symbol = this.#symbol(code);
      if (symbol === undefined || !this.#isWithin()) return undefined;
      const repeat = REPEATS.get(symbol);
      if (!repeat) {
        lengths.push(symbol);
        continue;
      }
      const value = symbol === REPEAT_LAST ? lengths.at(-1) : 0;
      const times = repeat.base + this.#bits(repeat.bits);
      if (value === undefined || lengths.length + times > count) return undefined;
      for (let i = 0; i < times; i++) lengths.push(value);
    }
    return lengths;
  }
}

/**
 * @param zeros bytes of 0 that are taken for what is missing at the input's end
 * @returns the place after the stream's last byte, or undefined when it is damaged, cut, or exceeds the output's limit
 */
export function inflate(input: Uint8Array, from: number, out: Output, zeros = 0): number | undefined {
  return new Decoder(input, from, out, zeros).run();
}
