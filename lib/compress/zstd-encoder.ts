// Writes zstd: one frame with its content size, literals by Huffman codes, sequences by the predefined tables.

import { u8 } from '../bytes.js';
import { MatchFinder } from './match-finder.js';
import {
  BLOCK_MAX,
  BLOCK_TYPE,
  CONTENT_SIZE_16_BASE,
  LITERALS_TYPE,
  MAGIC,
  REPEATED_AT_START,
  type RepeatedDistances,
  SEQUENCES_LONG,
  SEQUENCES_LONG_BASE,
  TABLE_MODE,
} from './zstd-format.js';
import { type CodeRange, type FseEntry, type SequenceField, sequenceFields } from './zstd-fse.js';

/** Frame descriptor: single segment (the window is the content), no checksum, no dictionary. */
const SINGLE_SEGMENT = 0x20;

/** Longest Huffman code (RFC 8878). */
const CODE_MAX = 11;
/** Weights are stored one by one, which is possible up to this symbol: enough for ASCII. */
const SYMBOL_MAX = 128;
/** First byte of weights that are stored one by one: this and their number. */
const DIRECT_WEIGHTS = 127;
/** Literals up to this number are one stream, more are four. */
const ONE_STREAM_MAX = 1023;

/** Bits, lowest first, for a reader that begins at the end. */
class BitWriter {
  private bytes: Uint8Array;
  private bit = 0;

  constructor(expected: number) {
    this.bytes = new Uint8Array(expected + 8);
  }

  /** @param count 0 to 31 */
  put(value: number, count: number): void {
    if (count > 16) {
      this.put(value & 0xffff, 16);
      this.put(value >>> 16, count - 16);
      return;
    }
    const at = this.bit >> 3;
    if (at + 4 > this.bytes.length) {
      const grown = new Uint8Array(this.bytes.length * 2);
      grown.set(this.bytes);
      this.bytes = grown;
    }
    const word = value << (this.bit & 7);
    this.bytes[at] = u8(this.bytes, at) | word;
    this.bytes[at + 1] = word >> 8;
    this.bytes[at + 2] = word >> 16;
    this.bit += count;
  }

  /** Marks the end. */
  finish(): Uint8Array {
    this.put(1, 1);
    return this.bytes.subarray(0, (this.bit + 7) >> 3);
  }
}

/** A little-endian integer. */
function bytesOf(value: number, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i));
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

interface HuffmanCode {
  /** Bits of the longest code. */
  readonly log: number;
  /** By symbol; a code of no bits: no such symbol. */
  readonly codes: readonly { readonly length: number; readonly bits: number }[];
}

/** Bits of a Huffman code for each symbol that occurs; there must be two at least. */
function codeLengths(counts: readonly number[]): number[] {
  const lengths = new Array<number>(counts.length).fill(0);
  interface Node {
    readonly count: number;
    readonly symbols: readonly number[];
  }
  const nodes: Node[] = counts.flatMap((count, symbol) => (count > 0 ? [{ count, symbols: [symbol] }] : []));
  nodes.sort((a, b) => a.count - b.count);
  for (;;) {
    const [first, second] = nodes.splice(0, 2);
    if (!first || !second) return lengths;
    const both = { count: first.count + second.count, symbols: [...first.symbols, ...second.symbols] };
    for (const symbol of both.symbols) lengths[symbol] = (lengths[symbol] ?? 0) + 1;
    const place = nodes.findIndex((node) => node.count > both.count);
    nodes.splice(place < 0 ? nodes.length : place, 0, both);
  }
}

function huffmanCode(literals: Uint8Array, symbols: number): HuffmanCode {
  const occurrences = new Uint32Array(symbols);
  for (const byte of literals) occurrences[byte] = (occurrences[byte] ?? 0) + 1;
  let counts = Array.from(occurrences);
  let lengths = codeLengths(counts);
  while (Math.max(...lengths) > CODE_MAX) {
    // Flatter counts make shorter codes.
    counts = counts.map((count) => Math.ceil(count / 2));
    lengths = codeLengths(counts);
  }
  const log = Math.max(...lengths);
  const codes = lengths.map((length) => ({ length, bits: 0 }));
  let next = 0;
  for (let length = log; length > 0; length--) {
    for (const code of codes) if (code.length === length) code.bits = next++;
    next >>= 1;
  }
  return { log, codes };
}

function huffmanStream(literals: Uint8Array, { codes }: HuffmanCode): Uint8Array {
  const writer = new BitWriter(literals.length);
  for (let i = literals.length - 1; i >= 0; i--) {
    const code = codes[u8(literals, i)];
    if (code) writer.put(code.bits, code.length);
  }
  return writer.finish();
}

/** The tree's description, but for the last symbol, whose weight follows from the others. */
function huffmanDescription({ log, codes }: HuffmanCode): Uint8Array {
  const count = codes.length - 1;
  const weight = ({ length } = { length: 0 }) => (length === 0 ? 0 : log + 1 - length);
  const pairs = Array.from({ length: Math.ceil(count / 2) }, (_, i) => {
    const second = 2 * i + 1;
    return (weight(codes[second - 1]) << 4) | (second < count ? weight(codes[second]) : 0);
  });
  return Uint8Array.from([DIRECT_WEIGHTS + count, ...pairs]);
}

function rawLiterals(literals: Uint8Array): Uint8Array {
  const size = literals.length;
  // One byte of header holds 5 bits of the size, two hold 12, three hold 20.
  if (size < 32) return joined([Uint8Array.of(LITERALS_TYPE.raw | (size << 3)), literals]);
  const long = size >= 4096;
  return joined([bytesOf(LITERALS_TYPE.raw | ((long ? 3 : 1) << 2) | (size << 4), long ? 3 : 2), literals]);
}

function literalsSection(literals: Uint8Array): Uint8Array {
  const raw = rawLiterals(literals);
  const last = literals.reduce((max, byte) => Math.max(max, byte), 0);
  if (last > SYMBOL_MAX || literals.every((byte) => byte === literals[0])) return raw;
  const code = huffmanCode(literals, last + 1);
  const parts = [huffmanDescription(code)];
  if (literals.length <= ONE_STREAM_MAX) {
    parts.push(huffmanStream(literals, code));
  } else {
    const segment = Math.ceil(literals.length / 4);
    const streams = [0, 1, 2, 3].map((i) => huffmanStream(literals.subarray(i * segment, (i + 1) * segment), code));
    parts.push(...streams.slice(0, 3).map((stream) => bytesOf(stream.length, 2)), ...streams);
  }
  const content = joined(parts);
  // The header's size format: one stream and 10 bits for either size; four streams and 10, 14, 18 bits.
  const format = literals.length <= ONE_STREAM_MAX ? 0 : literals.length < 1 << 14 ? 2 : 3;
  const width = format === 0 ? 10 : format === 2 ? 14 : 18;
  const sizes = literals.length + content.length * 2 ** width;
  const header = bytesOf(LITERALS_TYPE.compressed + (format << 2) + sizes * 16, (4 + 2 * width) / 8);
  return header.length + content.length < raw.length ? joined([header, content]) : raw;
}

interface Sequence {
  readonly literals: number;
  /** 1 to 3: a distance used before; others: the distance + 3. */
  readonly offset: number;
  readonly match: number;
}

/** A code of a number in a sequence: what it stands for, and the states from which a reader reaches each state with it. */
interface Code extends CodeRange {
  readonly origins: readonly { readonly state: number; readonly entry: FseEntry }[];
}

/** A number in a sequence, while its stream is written from the last one to the first. */
class FieldWriter {
  readonly #log: number;
  /** From the largest baseline down. */
  readonly #codes: readonly Code[];
  #state: number | undefined;

  constructor(field: SequenceField) {
    const { log, entries } = field.predefined;
    const origins = entries.map((entry, state) => ({ state, entry }));
    this.#log = log;
    this.#codes = field.codes
      .map((range, symbol) => ({ ...range, origins: origins.filter(({ entry }) => entry.symbol === symbol) }))
      .reverse();
  }

  code(value: number): Code {
    const code = this.#codes.find(({ baseline }) => baseline <= value);
    if (!code) throw new RangeError(`no code for ${value}`);
    return code;
  }

  /** Goes to a state of this code, from which the bits that are written lead to the state before. */
  turn(writer: BitWriter, { origins }: Code): void {
    const reached = this.#state ?? 0;
    const origin = origins.find(({ entry }) => reached >= entry.next && reached < entry.next + (1 << entry.bits));
    if (!origin) throw new RangeError(`no state leads to ${reached}`);
    if (this.#state !== undefined) writer.put(reached - origin.entry.next, origin.entry.bits);
    this.#state = origin.state;
  }

  extra(writer: BitWriter, value: number, { baseline, bits }: Code): void {
    writer.put(value - baseline, bits);
  }

  /** Writes the state to begin with. */
  begin(writer: BitWriter): void {
    writer.put(this.#state ?? 0, this.#log);
  }
}

function sequencesSection(sequences: readonly Sequence[]): Uint8Array {
  const count = sequences.length;
  if (count === 0) return Uint8Array.of(0);
  const fields = sequenceFields();
  const literals = new FieldWriter(fields.literals);
  const offset = new FieldWriter(fields.offset);
  const match = new FieldWriter(fields.match);
  const writer = new BitWriter(count * 4);
  for (const sequence of sequences.toReversed()) {
    const offsetCode = offset.code(sequence.offset);
    const matchCode = match.code(sequence.match);
    const literalsCode = literals.code(sequence.literals);
    offset.turn(writer, offsetCode);
    match.turn(writer, matchCode);
    literals.turn(writer, literalsCode);
    literals.extra(writer, sequence.literals, literalsCode);
    match.extra(writer, sequence.match, matchCode);
    offset.extra(writer, sequence.offset, offsetCode);
  }
  match.begin(writer);
  offset.begin(writer);
  literals.begin(writer);
  const header =
    count < 0x80
      ? [count]
      : count < SEQUENCES_LONG_BASE
        ? [0x80 + (count >> 8), count & 255]
        : [SEQUENCES_LONG, (count - SEQUENCES_LONG_BASE) & 255, (count - SEQUENCES_LONG_BASE) >> 8];
  return joined([Uint8Array.from([...header, TABLE_MODE.predefined]), writer.finish()]);
}

class Encoder {
  private readonly finder: MatchFinder;
  private repeated: RepeatedDistances = REPEATED_AT_START;

  constructor(private readonly input: Uint8Array) {
    this.finder = new MatchFinder(input, { maxDistance: input.length, depth: 16 });
  }

  frame(): Uint8Array {
    const parts = [this.header()];
    const { length } = this.input;
    for (let from = 0; from === 0 || from < length; from += BLOCK_MAX) {
      parts.push(...this.block(from, Math.min(from + BLOCK_MAX, length)));
    }
    return joined(parts);
  }

  private header(): Uint8Array {
    const { length } = this.input;
    const magic = bytesOf(MAGIC, 4);
    if (length < CONTENT_SIZE_16_BASE) return joined([magic, Uint8Array.of(SINGLE_SEGMENT, length)]);
    const short = length - CONTENT_SIZE_16_BASE;
    if (short < 1 << 16) return joined([magic, Uint8Array.of(SINGLE_SEGMENT | 0x40), bytesOf(short, 2)]);
    return joined([magic, Uint8Array.of(SINGLE_SEGMENT | 0x80), bytesOf(length, 4)]);
  }

  private block(from: number, end: number): Uint8Array[] {
    const last = end === this.input.length ? 1 : 0;
    const before = this.repeated;
    const content = this.compressed(from, end);
    if (content.length < end - from) {
      return [bytesOf(last | (BLOCK_TYPE.compressed << 1) | (content.length << 3), 3), content];
    }
    // The reader of a raw block does not see the sequences.
    this.repeated = before;
    const raw = this.input.subarray(from, end);
    return [bytesOf(last | (BLOCK_TYPE.raw << 1) | (raw.length << 3), 3), raw];
  }

  private compressed(from: number, end: number): Uint8Array {
    const { input } = this;
    const literals = new Uint8Array(end - from);
    const sequences: Sequence[] = [];
    let kept = 0;
    const keep = (start: number, count: number): void => {
      literals.set(input.subarray(start, start + count), kept);
      kept += count;
    };
    const rest = this.finder.sequences(from, end, end, (start, count, distance, match) => {
      keep(start, count);
      sequences.push({ literals: count, offset: this.offsetValue(distance, count), match });
    });
    keep(rest, end - rest);
    return joined([literalsSection(literals.subarray(0, kept)), sequencesSection(sequences)]);
  }

  /** @param literals how many the sequence has: without any, the latest distance is not one to choose from */
  private offsetValue(distance: number, literals: number): number {
    const [first, second, third] = this.repeated;
    const skipped = literals === 0 ? 1 : 0;
    const choice = [first, second, third, first - 1].slice(skipped, skipped + 3).indexOf(distance);
    if (choice < 0) {
      this.repeated = [distance, first, second];
      return distance + 3;
    }
    const index = choice + skipped;
    if (index === 1) this.repeated = [second, first, third];
    else if (index > 1) this.repeated = [distance, first, second];
    return choice + 1;
  }
}

export function compressZstd(input: Uint8Array): Uint8Array {
  return new Encoder(input).frame();
}
