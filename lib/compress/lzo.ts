// lzo: an LZO1X stream. Its extension with runs of zeros (lzo-rle, marked as version 1) is read too, because the
// kernel's one decoder reads both; pstore only ever wrote version 0.

import { u8, u16 } from '../bytes.js';
import { type Codec, decoders } from './codec.js';
import { MatchFinder } from './match-finder.js';
import type { Output } from './output.js';

// The instructions, by the value of their first byte; S are the literals (0 to 3) that follow the copy.
//   0–15    after S = 0: 4 or more literals; else a copy of 2 bytes, or of 3 after a run of literals   0000DDSS D
//   16–31   M4, a copy from 16–48 KiB back                                                             0001DLLL DS D
//   32–63   M3, a copy from up to 16 KiB back                                                          001LLLLL DS D
//   64–255  M2, a copy of 3 to 8 bytes from up to 2 KiB back                                           LLLDDDSS D
const M4 = 16;
const M3 = 32;
const M2 = 64;
const M2_MAX_LENGTH = 8;
const M2_MAX_DISTANCE = 0x800;
const M3_LENGTH_MASK = 31;
const M3_MAX_DISTANCE = 0x4000;
const M4_LENGTH_MASK = 7;
const M4_MAX_DISTANCE = 0xbfff;

/** A first byte above this one counts literals. */
const FIRST_LITERALS = 17;
/** Most literals that the first byte can count. */
const FIRST_LITERALS_MAX = 255 - FIRST_LITERALS;
/** A first byte of 17 in an input of at least 5 bytes is followed by the version. */
const VERSION_MARK = 17;
const VERSION_MIN_INPUT = 5;
/** The end: an M4 of length 3 and distance 0. */
const END = [M4 | 1, 0, 0];
/** A literal run is always followed by at least one whole instruction of up to this size. */
const LONGEST_END = END.length;

/** What the last instruction left behind when it was a run of 4 or more literals, in place of S. */
const AFTER_LITERAL_RUN = 4;

// Version 1: an M4 with the high distance bit, all low distance bits and this pattern is a run of zeros.
const ZERO_RUN_DISTANCE = 0xfffc;
const ZERO_RUN_MASK = 0xf8;
const ZERO_RUN_MARK = 0x18;
const ZERO_RUN_MIN = 4;

class Decoder {
  private at = 0;
  private readonly zeroRuns: boolean;

  constructor(
    private readonly input: Uint8Array,
    private readonly out: Output,
  ) {
    const versioned = input.length >= VERSION_MIN_INPUT && input[0] === VERSION_MARK;
    this.zeroRuns = versioned && input[1] !== 0;
    if (versioned) this.at = 2;
  }

  /** Accepts what lzo1x_decompress_safe does, but for bytes after the end. @returns where that is */
  run(): number | undefined {
    const { input, out } = this;
    if (input.length < LONGEST_END) return undefined;
    let state = 0;
    const first = u8(input, this.at);
    if (first > FIRST_LITERALS) {
      this.at++;
      const count = first - FIRST_LITERALS;
      if (!this.literals(count)) return undefined;
      state = Math.min(count, AFTER_LITERAL_RUN);
    }
    // At least three bytes of input are left at the head of this loop: literals() sees to it.
    for (;;) {
      const code = u8(input, this.at++);
      let length: number;
      let distance: number;
      if (code >= M2) {
        length = (code >> 5) + 1;
        distance = (u8(input, this.at++) << 3) + ((code >> 2) & 7) + 1;
        state = code & 3;
      } else if (code >= M3) {
        length = this.length(code, M3_LENGTH_MASK) + 2;
        if (!this.has(2)) return undefined;
        distance = (this.u16() >> 2) + 1;
        state = u8(input, this.at - 2) & 3;
      } else if (code >= M4) {
        if (!this.has(2)) return undefined;
        if (this.isZeroRun(code)) {
          if (!this.zeroRun(code)) return undefined;
          state = u8(input, this.at - 3) & 3;
          if (!this.literals(state)) return undefined;
          continue;
        }
        length = this.length(code, M4_LENGTH_MASK) + 2;
        if (!this.has(2)) return undefined;
        distance = ((code & 8) << 11) + (this.u16() >> 2);
        if (distance === 0) return length === 3 ? this.at : undefined;
        distance += M3_MAX_DISTANCE;
        state = u8(input, this.at - 2) & 3;
      } else if (state === 0) {
        if (!this.literals(this.length(code, 15) + 3)) return undefined;
        state = AFTER_LITERAL_RUN;
        continue;
      } else {
        const far = state === AFTER_LITERAL_RUN;
        length = far ? 3 : 2;
        distance = (u8(input, this.at++) << 2) + (code >> 2) + 1 + (far ? M2_MAX_DISTANCE : 0);
        state = code & 3;
      }
      if (!out.match(distance, length) || !this.literals(state)) return undefined;
    }
  }

  private has(count: number): boolean {
    return this.input.length - this.at >= count;
  }

  private u16(): number {
    this.at += 2;
    return u16(this.input, this.at - 2);
  }

  /** A length in the low bits of `code`; when they are 0, in bytes that follow: zeros count 255 each. */
  private length(code: number, mask: number): number {
    const short = code & mask;
    if (short !== 0) return short;
    let length = mask;
    for (; this.input[this.at] === 0; this.at++) length += 255;
    // At the end of the input no caller goes on: has() and literals() are false there.
    return length + u8(this.input, this.at++);
  }

  /** Copies literals. @returns false when they, and the least that must follow them, are not there or do not fit */
  private literals(count: number): boolean {
    if (!this.has(count + LONGEST_END)) return false;
    if (!this.out.literals(this.input, this.at, count)) return false;
    this.at += count;
    return true;
  }

  private isZeroRun(code: number): boolean {
    if (!this.zeroRuns || (code & ZERO_RUN_MASK) !== ZERO_RUN_MARK) return false;
    return (u16(this.input, this.at) & ZERO_RUN_DISTANCE) === ZERO_RUN_DISTANCE;
  }

  private zeroRun(code: number): boolean {
    if (!this.has(3)) return false;
    const length = (code & 7) + (u8(this.input, this.at + 2) << 3) + ZERO_RUN_MIN;
    this.at += 3;
    return this.out.repeat(0, length);
  }
}

class Encoder {
  private readonly out: Uint8Array;
  private at = 0;

  constructor(private readonly input: Uint8Array) {
    // Worst case: literals only, a length byte for each 255.
    this.out = new Uint8Array(input.length + Math.ceil(input.length / 255) + 16);
  }

  run(): Uint8Array {
    const { input } = this;
    const finder = new MatchFinder(input, { maxDistance: M4_MAX_DISTANCE, depth: 8 });
    const rest = finder.sequences(0, input.length, input.length, (from, literals, distance, length) => {
      this.literals(from, literals);
      this.match(distance, length);
    });
    this.literals(rest, input.length - rest);
    this.out.set(END, this.at);
    return this.out.slice(0, this.at + END.length);
  }

  private literals(from: number, count: number): void {
    const { out } = this;
    if (count === 0) return;
    if (this.at === 0 && count <= FIRST_LITERALS_MAX) out[this.at++] = FIRST_LITERALS + count;
    else if (count <= 3)
      out[this.at - 2] = u8(out, this.at - 2) | count; // S of the last copy: the last but one byte in all its forms
    else this.length(0, 15, count - 3);
    out.set(this.input.subarray(from, from + count), this.at);
    this.at += count;
  }

  private match(distance: number, length: number): void {
    const { out } = this;
    if (length <= M2_MAX_LENGTH && distance <= M2_MAX_DISTANCE) {
      out[this.at++] = ((length - 1) << 5) | (((distance - 1) & 7) << 2);
      out[this.at++] = (distance - 1) >> 3;
      return;
    }
    let low = distance - 1;
    if (distance <= M3_MAX_DISTANCE) {
      this.length(M3, M3_LENGTH_MASK, length - 2);
    } else {
      low = distance - M3_MAX_DISTANCE;
      this.length(M4 | ((low >> 11) & 8), M4_LENGTH_MASK, length - 2);
    }
    out[this.at++] = (low << 2) & 255;
    out[this.at++] = (low >> 6) & 255;
  }

  /** The counterpart of Decoder.length(). */
  private length(code: number, mask: number, length: number): void {
    const { out } = this;
    if (length <= mask) {
      out[this.at++] = code | length;
      return;
    }
    out[this.at++] = code;
    let left = length - mask;
    for (; left > 255; left -= 255) out[this.at++] = 0;
    out[this.at++] = left;
  }
}

export const lzo: Codec = {
  name: 'lzo',
  trailing: 'refused',
  ...decoders((input, out) => new Decoder(input, out).run()),
  compress: (input) => new Encoder(input).run(),
};
