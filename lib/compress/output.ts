// The text while it is being decompressed: a buffer that grows with what is really there, never beyond a limit.

import { u8 } from '../bytes.js';

/** A first guess at text ÷ compressed; logs are between 2.5 and 4. */
const USUAL_RATIO = 4;

/** From how many bytes on a call that copies is faster than a loop. */
const LONG_COPY = 48;

/**
 * A text that has become as long as this gets all the room that it may take: the system gives memory where it is written
 * to, and each smaller buffer in between would stay until it is collected.
 */
const LARGE = 1 << 20;

/** Part of a buffer that may be left over in a text. */
const MAX_WASTE = 1 / 4;

export class Output {
  length = 0;
  private bytes = new Uint8Array(0);

  /**
   * @param limit most bytes that are accepted
   * @param inputLength bytes of the compressed input, which the first allocation is made for
   */
  constructor(
    readonly limit: number,
    private readonly inputLength: number,
  ) {}

  /** Makes room for `count` more bytes. @returns false when they would exceed the limit */
  private reserve(count: number): boolean {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return true;
    if (needed > this.limit) return false;
    const usual = this.length === 0 ? this.inputLength * USUAL_RATIO : this.bytes.length * 2;
    const wanted = this.length >= LARGE ? this.limit : Math.max(needed, usual);
    const grown = new Uint8Array(Math.min(this.limit, wanted));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    return true;
  }

  /** Appends `source[from, from + count)`, which must exist. @returns false when that would exceed the limit */
  literals(source: Uint8Array, from: number, count: number): boolean {
    if (!this.reserve(count)) return false;
    const bytes = this.bytes;
    let at = this.length;
    if (count >= LONG_COPY) bytes.set(source.subarray(from, from + count), at);
    else for (const end = from + count; from < end; ) bytes[at++] = u8(source, from++);
    this.length += count;
    return true;
  }

  /**
   * Appends `count` bytes that stand `distance` ≥ 1 bytes back; they may overlap with what is being written.
   * @returns false when there is nothing so far back, or the limit would be exceeded
   */
  match(distance: number, count: number): boolean {
    if (distance > this.length || !this.reserve(count)) return false;
    const bytes = this.bytes;
    let at = this.length;
    let from = at - distance;
    if (count >= LONG_COPY && distance >= count) bytes.copyWithin(at, from, from + count);
    else for (const end = at + count; at < end; ) bytes[at++] = u8(bytes, from++);
    this.length += count;
    return true;
  }

  /** Appends a byte. @returns false when that would exceed the limit */
  byte(value: number): boolean {
    if (!this.reserve(1)) return false;
    this.bytes[this.length++] = value;
    return true;
  }

  /** Appends the same byte `count` times. @returns false when that would exceed the limit */
  repeat(byte: number, count: number): boolean {
    if (!this.reserve(count)) return false;
    this.bytes.fill(byte, this.length, this.length + count);
    this.length += count;
    return true;
  }

  /** What has been written from `from` on: a view that the next write may invalidate. */
  view(from: number): Uint8Array {
    return this.bytes.subarray(from, this.length);
  }

  /** All that has been written. It is not written to any more. */
  text(): Uint8Array {
    // A copy takes less memory only where much room is left.
    const isFull = this.bytes.length - this.length <= this.bytes.length * MAX_WASTE;
    return isFull ? this.bytes.subarray(0, this.length) : this.bytes.slice(0, this.length);
  }
}
