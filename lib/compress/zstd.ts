// zstd: frames of blocks (RFC 8878). This file reads them; zstd-encoder.ts writes them.

import { u8, u32, uint } from '../bytes.js';
import { type Codec, decoders } from './codec.js';
import type { Output } from './output.js';
import { xxhash64Low } from './xxhash64.js';
import { compressZstd } from './zstd-encoder.js';
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
import {
  BackwardBits,
  FseState,
  type FseTable,
  fseConstant,
  readFseTable,
  type SequenceField,
  sequenceFields,
} from './zstd-fse.js';
import { decodeHuffman, type HuffmanTable, readHuffmanTable } from './zstd-huffman.js';

/** Skippable frames: magic with any last 4 bits, then a u32 size. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_HEADER = 8;
/** Fewer bytes than these are no frame: magic and descriptor. */
const FRAME_MIN = 5;
/** Windows above 2^31 bytes are refused. */
const WINDOW_LOG_MAX = 31;

interface FrameHeader {
  readonly end: number;
  /** Bytes of text, when the header says so. */
  readonly contentSize: number | undefined;
  readonly hasChecksum: boolean;
}

/** @returns undefined when it is cut off, or asks for what the kernel does not have: a dictionary, a huge window */
function frameHeader(input: Uint8Array, from: number): FrameHeader | undefined {
  const descriptor = u8(input, from + 4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const reserved = descriptor & 0x08;
  const dictionaryBytes = (1 << (descriptor & 3)) >> 1; // 0, 1, 2, 4
  const sizeCode = descriptor >> 6;
  const sizeBytes = sizeCode === 0 && !singleSegment ? 0 : 1 << sizeCode;
  let at = from + FRAME_MIN;
  const end = at + (singleSegment ? 0 : 1) + dictionaryBytes + sizeBytes;
  if (reserved || end > input.length) return undefined;
  if (!singleSegment && (u8(input, at++) >> 3) + 10 > WINDOW_LOG_MAX) return undefined;
  if (uint(input, at, dictionaryBytes) !== 0) return undefined;
  const size = uint(input, end - sizeBytes, sizeBytes) + (sizeBytes === 2 ? CONTENT_SIZE_16_BASE : 0);
  return { end, contentSize: sizeBytes === 0 ? undefined : size, hasChecksum: (descriptor & 0x04) !== 0 };
}

interface SequenceTables {
  readonly literals: FseTable;
  readonly offset: FseTable;
  readonly match: FseTable;
}

/** Bytes of the header of Huffman-coded literals, and bits of each size in it. */
function huffmanSizes(format: number): readonly [headerBytes: number, sizeBits: number] {
  if (format < 2) return [3, 10];
  return format === 2 ? [4, 14] : [5, 18];
}

/** What the blocks of a frame hand on to the next one. */
class Frame {
  private at: number;
  private readonly start: number;
  private huffman: HuffmanTable | undefined;
  private tables: SequenceTables | undefined;
  private repeated: RepeatedDistances = REPEATED_AT_START;

  constructor(
    private readonly input: Uint8Array,
    private readonly header: FrameHeader,
    private readonly out: Output,
  ) {
    this.at = header.end;
    this.start = out.length;
  }

  /** @returns where the frame ends, or undefined when it is not valid */
  decode(): number | undefined {
    const { input, header, out } = this;
    if (header.contentSize !== undefined && header.contentSize > out.limit - out.length) return undefined;
    for (let last = false; !last; ) {
      if (this.at + 3 > input.length) return undefined;
      const block = uint(input, this.at, 3);
      this.at += 3;
      last = (block & 1) !== 0;
      if (!this.block((block >> 1) & 3, block >> 3)) return undefined;
    }
    if (header.contentSize !== undefined && out.length - this.start !== header.contentSize) return undefined;
    if (!header.hasChecksum) return this.at;
    this.at += 4;
    const valid = this.at <= input.length && u32(input, this.at - 4) === xxhash64Low(out.view(this.start));
    return valid ? this.at : undefined;
  }

  private block(type: number, size: number): boolean {
    const { input, out, at } = this;
    this.at += type === BLOCK_TYPE.rle ? 1 : size;
    if (this.at > input.length) return false;
    if (type === BLOCK_TYPE.raw) return out.literals(input, at, size);
    if (type === BLOCK_TYPE.rle) return out.repeat(u8(input, at), size);
    return type === BLOCK_TYPE.compressed && size < BLOCK_MAX && this.compressed(at, this.at);
  }

  private compressed(from: number, end: number): boolean {
    if (end - from < 3) return false;
    const section = this.literals(from, end);
    return section !== undefined && this.sequences(section.end, end, section.literals);
  }

  /** Reads a block's literals. All of them become text, so that the limit can be applied to them beforehand. */
  private literals(from: number, end: number): { literals: Uint8Array; end: number } | undefined {
    const { input, out } = this;
    const type = u8(input, from) & 3;
    const format = (u8(input, from) >> 2) & 3;
    if (type === LITERALS_TYPE.compressed || type === LITERALS_TYPE.treeless) {
      return this.huffmanLiterals(from, end, type, format);
    }
    const headerBytes = format === 1 ? 2 : format === 3 ? 3 : 1;
    const at = from + headerBytes;
    const size = uint(input, from, headerBytes) >> (headerBytes === 1 ? 3 : 4);
    if (size > out.limit - out.length) return undefined;
    if (type === LITERALS_TYPE.raw) {
      return at + size <= end ? { literals: input.subarray(at, at + size), end: at + size } : undefined;
    }
    if (at >= end || size > BLOCK_MAX) return undefined;
    return { literals: new Uint8Array(size).fill(u8(input, at)), end: at + 1 };
  }

  private huffmanLiterals(from: number, end: number, type: number, format: number) {
    const { input, out } = this;
    if (end - from < 5) return undefined;
    const [headerBytes, sizeBits] = huffmanSizes(format);
    // The header has up to 40 bits: beyond what integer operations on a number can take.
    const header = Math.floor(uint(input, from, headerBytes) / 16);
    const size = header % 2 ** sizeBits;
    let at = from + headerBytes;
    const literalsEnd = at + Math.floor(header / 2 ** sizeBits);
    if (literalsEnd > end || size > BLOCK_MAX || size > out.limit - out.length) return undefined;
    if (type === LITERALS_TYPE.compressed) {
      const described = readHuffmanTable(input, at, literalsEnd);
      if (!described || (size === 0 && format !== 0)) return undefined;
      this.huffman = described.table;
      at = described.end;
    }
    if (!this.huffman) return undefined;
    const literals = new Uint8Array(size);
    const streams = format === 0 ? [0] : this.jumpTable(at, literalsEnd, size);
    if (!streams) return undefined;
    if (streams.length > 1) at += JUMP_TABLE;
    const segment = Math.ceil(size / streams.length);
    for (const [i, length] of streams.entries()) {
      const streamEnd = i === streams.length - 1 ? literalsEnd : at + length;
      const target = literals.subarray(i * segment, i === streams.length - 1 ? size : (i + 1) * segment);
      if (!decodeHuffman(input, at, streamEnd, this.huffman, target)) return undefined;
      at = streamEnd;
    }
    return { literals, end: literalsEnd };
  }

  /** Lengths of the four streams (the last one has what is left), or undefined when they do not fit. */
  private jumpTable(from: number, end: number, size: number): number[] | undefined {
    // A byte for each stream; three whole segments.
    if (end - from < JUMP_TABLE + 4 || Math.ceil(size / 4) * 3 > size) return undefined;
    const lengths = [0, 2, 4].map((offset) => uint(this.input, from + offset, 2));
    const known = lengths.reduce((sum, length) => sum + length, JUMP_TABLE);
    return from + known < end ? [...lengths, 0] : undefined;
  }

  /** Reads and carries out a block's sequences; the literals that are left over follow the last one. */
  private sequences(from: number, end: number, literals: Uint8Array): boolean {
    const { input, out } = this;
    if (from >= end) return false;
    let at = from + 1;
    let count = u8(input, from);
    if (count === 0) return at === end && out.literals(literals, 0, literals.length);
    if (count >= 0x80) {
      const bytes = count === SEQUENCES_LONG ? 2 : 1;
      if (at + bytes > end) return false;
      const low = uint(input, at, bytes);
      count = bytes === 2 ? low + SEQUENCES_LONG_BASE : (count - 0x80) * 256 + low;
      at += bytes;
    }
    const streamFrom = this.readTables(at, end);
    if (streamFrom === undefined) return false;
    const used = count === 0 ? 0 : this.carryOut(count, streamFrom, end, literals);
    return used !== undefined && out.literals(literals, used, literals.length - used);
  }

  private readTables(from: number, end: number): number | undefined {
    const { input } = this;
    if (from >= end) return undefined;
    const modes = u8(input, from);
    const fields = sequenceFields();
    const last = this.tables;
    const literals = this.readTable(modes >> 6, fields.literals, from + 1, end, last?.literals);
    const offset = literals && this.readTable((modes >> 4) & 3, fields.offset, literals.end, end, last?.offset);
    const match = offset && this.readTable((modes >> 2) & 3, fields.match, offset.end, end, last?.match);
    if (!match) return undefined;
    this.tables = { literals: literals.table, offset: offset.table, match: match.table };
    return match.end;
  }

  private readTable(mode: number, field: SequenceField, at: number, end: number, repeated: FseTable | undefined) {
    const { input } = this;
    const maxSymbol = field.codes.length - 1;
    if (mode === TABLE_MODE.predefined) return { table: field.predefined, end: at };
    if (mode === TABLE_MODE.repeat) return repeated && { table: repeated, end: at };
    if (mode === TABLE_MODE.described) return readFseTable(input, at, end, maxSymbol, field.maxLog);
    const symbol = u8(input, at);
    return at < end && symbol <= maxSymbol ? { table: fseConstant(symbol), end: at + 1 } : undefined;
  }

  /** @returns how many literals the sequences took, or undefined when they are not valid */
  private carryOut(count: number, from: number, end: number, literals: Uint8Array): number | undefined {
    const { input, out, tables } = this;
    const stream = BackwardBits.open(input, from, end);
    if (!stream || !tables) return undefined;
    const fields = sequenceFields();
    const literalsState = new FseState(tables.literals, stream);
    const offsetState = new FseState(tables.offset, stream);
    const matchState = new FseState(tables.match, stream);
    let used = 0;
    for (let left = count; left > 0; left--) {
      const value = fields.offset.read(offsetState.symbol, stream);
      const length = fields.match.read(matchState.symbol, stream);
      const run = fields.literals.read(literalsState.symbol, stream);
      if (stream.left < 0 || used + run > literals.length) return undefined;
      const distance = this.distance(value, run);
      if (!out.literals(literals, used, run) || distance > out.length - this.start) return undefined;
      if (!out.match(distance, length)) return undefined;
      used += run;
      literalsState.advance(stream);
      matchState.advance(stream);
      offsetState.advance(stream);
    }
    // The kernel moves the states on after the last sequence too, so it does not notice bits left over for that.
    return stream.left <= 0 ? used : undefined;
  }

  /** Values 1 to 3 stand for distances used before (one further on when there are no literals), others for value − 3. */
  private distance(value: number, run: number): number {
    const index = value > 3 ? FRESH : value - 1 + (run === 0 ? 1 : 0);
    const [first, second, third] = this.repeated;
    if (index === 0) return first;
    let distance = value - 3;
    if (index === 1) distance = second;
    if (index === 2) distance = third;
    // 0 is no distance; the kernel makes it 1.
    if (index === 3) distance = first - 1 || 1;
    this.repeated = [distance, first, index === 1 ? third : second];
    return distance;
  }
}

/** In place of an index into the distances used before: none of them. */
const FRESH = 4;

/** Three u16: the lengths of the first three of four streams. */
const JUMP_TABLE = 6;

/**
 * Accepts what ZSTD_decompressDCtx does, but for bytes after the last frame, and but for damaged streams that ask for
 * more bits than there are: what the kernel makes of those is not defined.
 */
function decode(input: Uint8Array, out: Output): number | undefined {
  let at = 0;
  while (input.length - at >= FRAME_MIN) {
    const magic = u32(input, at);
    if ((magic & ~15) >>> 0 === SKIPPABLE_MAGIC) {
      const end = at + SKIPPABLE_HEADER + u32(input, at + 4);
      if (at + SKIPPABLE_HEADER > input.length || end > input.length) return undefined;
      at = end;
      continue;
    }
    if (magic !== MAGIC) break;
    const header = frameHeader(input, at);
    const end = header && new Frame(input, header, out).decode();
    if (end === undefined) return undefined;
    at = end;
  }
  return at === 0 ? undefined : at;
}

export const zstd: Codec = { name: 'zstd', trailing: 'refused', ...decoders(decode), compress: compressZstd };
