// Finds what has been there before in a text, for the encoders of the LZ77 family (lz4, lzo, zstd).

import { u32 } from '../bytes.js';

export interface MatchRules {
  /** Largest distance that the format can express. */
  readonly maxDistance: number;
  /** Earlier places that are looked at for each position: more finds longer matches and takes longer. */
  readonly depth: number;
}

/** Shortest match that is looked for; the hash is made of as many bytes. */
const MIN_MATCH = 4;

/** After 2^SKIP_SHIFT positions without a match the steps begin to grow: what does not compress is passed over. */
const SKIP_SHIFT = 6;
const SKIP_MAX = 32;

/** In place of a position. */
const NONE = -1;

/** A match of this length is taken without a look at the next position. */
const GOOD_LENGTH = 64;

/** What an encoder is handed: `literals` bytes from `from`, then a copy of `length` bytes from `distance` back. */
export type EmitSequence = (from: number, literals: number, distance: number, length: number) => void;

export class MatchFinder {
  /** The latest position of each hash. */
  private readonly heads: Int32Array;
  /** The previous position of the same hash; a ring over positions. */
  private readonly previous: Int32Array;
  private readonly shift: number;
  private inserted = 0;
  private distance = 0;

  constructor(
    private readonly input: Uint8Array,
    private readonly rules: MatchRules,
  ) {
    const bits = Math.min(16, Math.max(8, 32 - Math.clz32(input.length)));
    this.shift = 32 - bits;
    this.heads = new Int32Array(1 << bits).fill(NONE);
    this.previous = new Int32Array(1 << bits);
  }

  /**
   * Cuts `input[from, end)` into sequences, each with the best match that is found; matches may reach back before
   * `from`. To be called for one stretch after the other.
   * @param lastStart a match begins before this position
   * @param lastEnd and ends not after this one
   * @returns where the literals after the last match begin
   */
  sequences(from: number, lastStart: number, lastEnd: number, emit: EmitSequence): number {
    const start = Math.min(lastStart, lastEnd - MIN_MATCH + 1);
    let literals = from;
    let at = from;
    while (at < start) {
      let length = this.longest(at, lastEnd);
      if (length < MIN_MATCH) {
        at += Math.min(SKIP_MAX, 1 + ((at - literals) >> SKIP_SHIFT));
        continue;
      }
      let distance = this.distance;
      while (length < GOOD_LENGTH && at + 1 < start) {
        const next = this.longest(at + 1, lastEnd);
        if (next <= length) break;
        at++;
        length = next;
        distance = this.distance;
      }
      emit(literals, at - literals, distance, length);
      at += length;
      literals = at;
    }
    return literals;
  }

  /** @returns the longest match at `at` that ends by `end`, its distance in `this.distance`; 0: none */
  private longest(at: number, end: number): number {
    const { input, previous } = this;
    this.insertUpTo(at);
    const oldest = Math.max(0, at - Math.min(this.rules.maxDistance, previous.length - 1));
    let candidate = this.heads[this.hash(at)] ?? NONE;
    let best = 0;
    for (let left = this.rules.depth; left > 0 && candidate >= oldest; left--) {
      if (input[candidate + best] === input[at + best]) {
        let length = 0;
        while (at + length < end && input[candidate + length] === input[at + length]) length++;
        if (length > best) {
          best = length;
          this.distance = at - candidate;
          if (at + length === end) break;
        }
      }
      candidate = previous[candidate & (previous.length - 1)] ?? NONE;
    }
    return best;
  }

  private insertUpTo(at: number): void {
    for (; this.inserted < at; this.inserted++) {
      const hash = this.hash(this.inserted);
      this.previous[this.inserted & (this.previous.length - 1)] = this.heads[hash] ?? NONE;
      this.heads[hash] = this.inserted;
    }
  }

  private hash(at: number): number {
    return Math.imul(u32(this.input, at), 0x9e3779b1) >>> this.shift;
  }
}
