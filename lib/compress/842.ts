// 842: IBM's format as the kernel's software codec has it: a bit stream, most significant bit first, of 5-bit templates
// that give 8 bytes each, one for up to 7 bytes (which the hardware does not know), an end and a CRC-32.

import { u8 } from '../bytes.js';
import { type Codec, decoders } from './codec.js';
import type { Output } from './output.js';

const TEMPLATE_BITS = 5;

type Template = readonly { readonly indexed: boolean; readonly size: number }[];

/**
 * What each template's 8 bytes are made of, by its number from 0: D<n> is n bytes of data, I<n> the number of an earlier
 * piece of n bytes.
 */
const TEMPLATES: readonly Template[] = (
  'D8; D4 D2 I2; D4 I2 D2; D4 I2 I2; D4 I4; D2 I2 D4; D2 I2 D2 I2; D2 I2 I2 D2; D2 I2 I2 I2; D2 I2 I4; I2 D2 D4; ' +
  'I2 D4 I2; I2 D2 I2 D2; I2 D2 I2 I2; I2 D2 I4; I2 I2 D4; I2 I2 D2 I2; I2 I2 I2 D2; I2 I2 I2 I2; I2 I2 I4; I4 D4; ' +
  'I4 D2 I2; I4 I2 D2; I4 I2 I2; I4 I4; I8'
)
  .split('; ')
  .map((template) => template.split(' ').map((part) => ({ indexed: part[0] === 'I', size: Number(part[1]) })));

/** Followed by 6 bits: the last 8 bytes again, that many times and once more. */
const OP_REPEAT = 0x1b;
const REPEAT_BITS = 6;
/** 8 zero bytes. */
const OP_ZEROS = 0x1c;
/** Followed by 3 bits: how many bytes of data follow. */
const OP_SHORT_DATA = 0x1d;
const SHORT_DATA_BITS = 3;
/** Followed by the CRC. */
const OP_END = 0x1e;
const CRC_BITS = 32;

/** Bytes that a template stands for. */
const BLOCK = 8;

/** Bits of a piece's number, by the piece's size: they count through a ring of the latest pieces. */
function indexBits(size: number): number {
  return size === 4 ? 9 : 8;
}

/** A compressed stream is padded with zeros to a multiple of this. */
const PADDING = 8;

let crcTable: Uint32Array | undefined;

/** CRC-32 with polynomial 0x04c11db7, most significant bit first, from 0 and not inverted (crc32_be). */
function crc32(bytes: Uint8Array): number {
  crcTable ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
    return crc;
  });
  let crc = 0;
  for (const byte of bytes) crc = (crc << 8) ^ (crcTable[(crc >>> 24) ^ byte] ?? 0);
  return crc >>> 0;
}

class Decoder {
  private bit = 0;
  private readonly block = new Uint8Array(BLOCK);

  constructor(
    private readonly input: Uint8Array,
    private readonly out: Output,
  ) {}

  /** Accepts what sw842_decompress does, where that stays within its buffers. @returns input bytes used */
  run(): number | undefined {
    for (;;) {
      if (!this.has(TEMPLATE_BITS)) return undefined;
      const op = this.bits(TEMPLATE_BITS);
      if (op === OP_END) return this.end();
      if (!this.step(op)) return undefined;
    }
  }

  /** Carries out one template. @returns false when it is not valid, cut off, or gives too much */
  private step(op: number): boolean {
    const { out } = this;
    const template = TEMPLATES[op];
    if (template) return this.template(template);
    if (op === OP_ZEROS) return out.repeat(0, BLOCK);
    if (op === OP_REPEAT) return this.has(REPEAT_BITS) && out.match(BLOCK, BLOCK * (this.bits(REPEAT_BITS) + 1));
    if (op !== OP_SHORT_DATA || !this.has(SHORT_DATA_BITS)) return false;
    const count = this.bits(SHORT_DATA_BITS);
    return count > 0 && this.data(count);
  }

  private template(parts: Template): boolean {
    for (const { indexed, size } of parts) if (!(indexed ? this.piece(size) : this.data(size))) return false;
    return true;
  }

  private data(count: number): boolean {
    if (!this.has(count * 8)) return false;
    for (let i = 0; i < count; i++) this.block[i] = this.bits(8);
    return this.out.literals(this.block, 0, count);
  }

  /** Copies an earlier piece of `size` bytes: only those before the current block of 8 count. */
  private piece(size: number): boolean {
    const bits = indexBits(size);
    if (!this.has(bits)) return false;
    const total = this.out.length & ~(BLOCK - 1);
    const ring = size << bits;
    let from = this.bits(bits) * size;
    if (total > ring) {
      const round = total & -ring;
      from += from >= total - round ? round - ring : round;
    }
    return from + size <= total && this.out.match(this.out.length - from, size);
  }

  private end(): number | undefined {
    if (!this.has(CRC_BITS)) return undefined;
    const crc = this.bits(16) * 0x10000 + this.bits(16);
    return crc === crc32(this.out.view(0)) ? Math.ceil(this.bit / 8) : undefined;
  }

  private has(bits: number): boolean {
    return this.bit + bits <= this.input.length * 8;
  }

  /** Takes the next bits, up to 16, which must be there. */
  private bits(count: number): number {
    const at = this.bit >> 3;
    const word = (u8(this.input, at) << 16) | (u8(this.input, at + 1) << 8) | u8(this.input, at + 2);
    this.bit += count;
    return (word >> (24 - (this.bit - at * 8))) & ((1 << count) - 1);
  }
}

const PIECES_HASH_BITS = 14;
/** In place of a position or a number: there is no such piece. */
const UNKNOWN = -1;

/** Remembers where in the text each piece of `size` bytes stood last. */
class Pieces {
  private readonly places = new Int32Array(1 << PIECES_HASH_BITS).fill(UNKNOWN);
  private readonly ring: number;

  constructor(
    private readonly input: Uint8Array,
    readonly size: number,
  ) {
    this.ring = size << indexBits(size);
  }

  add(at: number): void {
    this.places[this.hash(at)] = at;
  }

  /** @returns the number of a piece that equals the one at `at`, of those before `block`, or UNKNOWN */
  find(at: number, block: number): number {
    const place = this.places[this.hash(at)] ?? UNKNOWN;
    if (place === UNKNOWN || place < block - this.ring) return UNKNOWN;
    for (let i = 0; i < this.size; i++) if (this.input[place + i] !== this.input[at + i]) return UNKNOWN;
    return (place % this.ring) / this.size;
  }

  private hash(at: number): number {
    let hash = 0;
    for (let i = 0; i < this.size; i++) hash = Math.imul(hash ^ u8(this.input, at + i), 0x9e3779b1);
    return hash >>> (32 - PIECES_HASH_BITS);
  }
}

interface NumberedTemplate {
  readonly op: number;
  readonly parts: Template;
}

function cost(parts: Template): number {
  return parts.reduce((sum, { indexed, size }) => sum + (indexed ? indexBits(size) : size * 8), 0);
}

/** The templates, those that take fewest bits first. */
const BY_COST: readonly NumberedTemplate[] = TEMPLATES.map((parts, op) => ({ op, parts })).sort(
  (a, b) => cost(a.parts) - cost(b.parts),
);

/** 8 bytes of data: needs nothing that has been there before. */
const PLAIN: NumberedTemplate = { op: 0, parts: [{ indexed: false, size: BLOCK }] };

class Encoder {
  private readonly out: Uint8Array;
  private bit = 0;
  private readonly pieces: readonly Pieces[];
  /** By size × 8 + place in the block: the number of the piece there, or UNKNOWN. */
  private readonly numbers = new Int16Array(BLOCK * BLOCK + 1);

  constructor(private readonly input: Uint8Array) {
    // Worst case: 69 bits for each 8 bytes, 8 + 56 for the rest, end and CRC.
    this.out = new Uint8Array(Math.ceil((input.length / BLOCK) * 9) + 32);
    this.pieces = [2, 4, 8].map((size) => new Pieces(input, size));
  }

  run(): Uint8Array {
    const { input } = this;
    const whole = input.length & ~(BLOCK - 1);
    for (let at = 0; at < whole; ) {
      const repeats = this.repeats(at, whole);
      if (repeats > 0) {
        this.put(OP_REPEAT, TEMPLATE_BITS);
        this.put(repeats - 1, REPEAT_BITS);
      } else {
        this.block(at);
      }
      for (const end = at + BLOCK * Math.max(1, repeats); at < end; at += BLOCK) this.remember(at);
    }
    this.rest(whole);
    this.put(OP_END, TEMPLATE_BITS);
    const crc = crc32(input);
    this.put(crc >>> 16, 16);
    this.put(crc & 0xffff, 16);
    return this.out.slice(0, Math.ceil(this.bit / 8 / PADDING) * PADDING);
  }

  /** How many of the blocks from `at` on equal the one before. */
  private repeats(at: number, whole: number): number {
    const { input } = this;
    if (at === 0) return 0;
    const end = Math.min(whole, at + (BLOCK << REPEAT_BITS));
    let same = at;
    while (same < end && input[same] === input[same - BLOCK]) same++;
    return (same - at) >> 3;
  }

  private block(at: number): void {
    if (this.input.subarray(at, at + BLOCK).every((byte) => byte === 0)) {
      this.put(OP_ZEROS, TEMPLATE_BITS);
      return;
    }
    for (const pieces of this.pieces) {
      const { size } = pieces;
      for (let from = 0; from < BLOCK; from += size) this.numbers[size * BLOCK + from] = pieces.find(at + from, at);
    }
    const { op, parts } = this.cheapest();
    this.put(op, TEMPLATE_BITS);
    let from = 0;
    for (const { indexed, size } of parts) {
      if (indexed) this.put(this.number(size, from), indexBits(size));
      else this.data(at + from, size);
      from += size;
    }
  }

  /** The cheapest template whose indexed pieces are all known; D8 has none. */
  private cheapest(): NumberedTemplate {
    for (const template of BY_COST) {
      let from = 0;
      let known = true;
      for (const { indexed, size } of template.parts) {
        if (indexed && this.number(size, from) === UNKNOWN) known = false;
        from += size;
      }
      if (known) return template;
    }
    return PLAIN;
  }

  private number(size: number, from: number): number {
    return this.numbers[size * BLOCK + from] ?? UNKNOWN;
  }

  private remember(at: number): void {
    for (const pieces of this.pieces) for (let from = 0; from < BLOCK; from += pieces.size) pieces.add(at + from);
  }

  private rest(at: number): void {
    const count = this.input.length - at;
    if (count === 0) return;
    this.put(OP_SHORT_DATA, TEMPLATE_BITS);
    this.put(count, SHORT_DATA_BITS);
    this.data(at, count);
  }

  private data(at: number, count: number): void {
    for (let i = 0; i < count; i++) this.put(u8(this.input, at + i), 8);
  }

  /** Appends up to 16 bits. */
  private put(value: number, bits: number): void {
    const at = this.bit >> 3;
    this.bit += bits;
    const word = value << (24 - (this.bit - at * 8));
    this.out[at] = u8(this.out, at) | (word >> 16);
    this.out[at + 1] = word >> 8;
    this.out[at + 2] = word;
  }
}

export const sw842: Codec = {
  name: '842',
  trailing: 'ignored',
  ...decoders((input, out) => new Decoder(input, out).run()),
  compress: (input) => new Encoder(input).run(),
};
