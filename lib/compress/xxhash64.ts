// XXH64 with seed 0, which zstd's content checksum is the low half of, and signatures of crashes the high digits. In 32-bit halves: BigInt is 20 times slower.

import { u8 } from '../bytes.js';

type Halves = readonly [low: number, high: number];

// The five primes.
const P1: Halves = [0x85ebca87, 0x9e3779b1];
const P2: Halves = [0x27d4eb4f, 0xc2b2ae3d];
const P3: Halves = [0x9e3779f9, 0x165667b1];
const P4: Halves = [0xc2b2ae63, 0x85ebca77];
const P5: Halves = [0x165667c5, 0x27d4eb2f];

/** Bytes that the four lanes take at a time. */
const STRIPE = 32;

/** A 64-bit number as two halves, each a signed 32-bit integer. */
class Word {
  constructor(
    public low = 0,
    public high = 0,
  ) {}

  add(low: number, high: number): this {
    const sum = (this.low >>> 0) + (low >>> 0);
    this.high = (this.high + high + (sum > 0xffffffff ? 1 : 0)) | 0;
    this.low = sum | 0;
    return this;
  }

  xor(low: number, high: number): this {
    this.low ^= low;
    this.high ^= high;
    return this;
  }

  multiply([low, high]: Halves): this {
    const a = this.low & 0xffff;
    const b = this.low >>> 16;
    const c = low & 0xffff;
    const d = low >>> 16;
    const middle = b * c + ((a * c) >>> 16);
    const carry = (middle & 0xffff) + a * d;
    const upper = b * d + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000);
    this.high = (Math.imul(this.high, low) + Math.imul(this.low, high) + upper) | 0;
    this.low = Math.imul(this.low, low);
    return this;
  }

  /** @param bits 1 to 31 */
  rotate(bits: number): this {
    const { low, high } = this;
    this.low = (low << bits) | (high >>> (32 - bits));
    this.high = (high << bits) | (low >>> (32 - bits));
    return this;
  }

  /** XORs in this number shifted right. @param bits 1 to 63 */
  fold(bits: number): this {
    const { low, high } = this;
    if (bits >= 32) return this.xor(high >>> (bits - 32), 0);
    return this.xor((low >>> bits) | (high << (32 - bits)), high >>> bits);
  }

  /** Mixes in 8 bytes of input. */
  round(low: number, high: number): this {
    const input = new Word(low, high).multiply(P2);
    return this.add(input.low, input.high).rotate(31).multiply(P1);
  }

  mergeRound(lane: Word): this {
    const mixed = new Word().round(lane.low, lane.high);
    return this.xor(mixed.low, mixed.high).multiply(P1).add(P4[0], P4[1]);
  }
}

/** @returns the low 32 bits of the hash */
export function xxhash64Low(bytes: Uint8Array): number {
  return hashOf(bytes).low >>> 0;
}

/** @returns the whole hash in 16 hexadecimal digits */
export function xxhash64Hex(bytes: Uint8Array): string {
  const { low, high } = hashOf(bytes);
  return [high, low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}

function hashOf(bytes: Uint8Array): Word {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = bytes.length;
  let at = 0;
  let hash = new Word(P5[0], P5[1]);
  if (end >= STRIPE) {
    const lanes = [
      { lane: new Word(P1[0], P1[1]).add(P2[0], P2[1]), turn: 1 },
      { lane: new Word(P2[0], P2[1]), turn: 7 },
      { lane: new Word(), turn: 12 },
      { lane: new Word(-P1[0], ~P1[1]), turn: 18 }, // −P1
    ];
    while (at + STRIPE <= end) {
      for (const { lane } of lanes) {
        lane.round(view.getInt32(at, true), view.getInt32(at + 4, true));
        at += 8;
      }
    }
    hash = new Word();
    for (const { lane, turn } of lanes) {
      const turned = new Word(lane.low, lane.high).rotate(turn);
      hash.add(turned.low, turned.high);
    }
    for (const { lane } of lanes) hash.mergeRound(lane);
  }
  hash.add(end, 0);
  for (; at + 8 <= end; at += 8) {
    const mixed = new Word().round(view.getInt32(at, true), view.getInt32(at + 4, true));
    hash.xor(mixed.low, mixed.high).rotate(27).multiply(P1).add(P4[0], P4[1]);
  }
  if (at + 4 <= end) {
    const mixed = new Word(view.getInt32(at, true)).multiply(P1);
    hash.xor(mixed.low, mixed.high).rotate(23).multiply(P2).add(P3[0], P3[1]);
    at += 4;
  }
  for (; at < end; at++) {
    const mixed = new Word(u8(bytes, at)).multiply(P5);
    hash.xor(mixed.low, mixed.high).rotate(11).multiply(P1);
  }
  return hash.fold(33).multiply(P2).fold(29).multiply(P3).fold(32);
}
