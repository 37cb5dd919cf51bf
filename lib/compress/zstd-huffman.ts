// zstd's Huffman coding of literals: descriptions of trees, and decoding with them.

import { u8 } from '../bytes.js';
import { BackwardBits, FseState, readFseTable } from './zstd-fse.js';

/** Longest code that the kernel's decoder takes; encoders keep to 11. */
const MAX_LOG = 12;
/** Largest log of the FSE table that weights are compressed with. */
const WEIGHTS_MAX_LOG = 6;
/** Symbols are bytes; the last one's weight is never stored. */
const MAX_WEIGHTS = 255;
/** A first byte from here on: that many weights, less 127, of 4 bits each follow. Below: the size of compressed ones. */
const DIRECT_WEIGHTS = 128;

export interface HuffmanTable {
  /** Bits of the longest code. */
  readonly log: number;
  /** By the next `log` bits: symbol × 16 + the bits of its code. */
  readonly entries: Uint16Array;
}

/** Weights of symbols 0, 1, 2, …: a code has log + 1 − weight bits, a weight of 0 means that there is no such symbol. */
function readWeights(input: Uint8Array, from: number, end: number): { weights: number[]; end: number } | undefined {
  if (from >= end) return undefined;
  const header = u8(input, from);
  const at = from + 1;
  if (header >= DIRECT_WEIGHTS) {
    const count = header - DIRECT_WEIGHTS + 1;
    const weightsEnd = at + ((count + 1) >> 1);
    if (weightsEnd > end) return undefined;
    const weights = Array.from({ length: count }, (_, i) => (u8(input, at + (i >> 1)) >> (i & 1 ? 0 : 4)) & 15);
    return { weights, end: weightsEnd };
  }
  if (at + header > end) return undefined;
  const weights = readCompressedWeights(input, at, at + header);
  return weights && { weights, end: at + header };
}

/** Two states take turns; the stream's end is noticed when the one that was moved on needs more bits than there are. */
function readCompressedWeights(input: Uint8Array, from: number, end: number): number[] | undefined {
  const described = readFseTable(input, from, end, MAX_WEIGHTS, WEIGHTS_MAX_LOG);
  const stream = described && BackwardBits.open(input, described.end, end);
  if (!described || !stream) return undefined;
  let turn = new FseState(described.table, stream);
  let other = new FseState(described.table, stream);
  if (stream.left < 0) return undefined;
  const weights: number[] = [];
  while (weights.length <= MAX_WEIGHTS - 2) {
    weights.push(turn.symbol);
    turn.advance(stream);
    if (stream.left < 0) {
      weights.push(other.symbol);
      return weights;
    }
    [turn, other] = [other, turn];
  }
  return undefined;
}

/** Adds the weight that completes the tree. @returns the log, or undefined when no tree has these weights */
function completeWeights(weights: number[]): number | undefined {
  let sum = 0;
  for (const weight of weights) {
    if (weight >= MAX_LOG) return undefined;
    if (weight > 0) sum += 1 << (weight - 1);
  }
  if (sum === 0) return undefined;
  const log = 32 - Math.clz32(sum);
  const rest = (1 << log) - sum;
  if (log > MAX_LOG || (rest & (rest - 1)) !== 0) return undefined;
  weights.push(32 - Math.clz32(rest));
  const longest = weights.filter((weight) => weight === 1).length;
  return longest >= 2 && longest % 2 === 0 ? log : undefined;
}

/** Reads a tree's description. @returns the table and where the description ends */
export function readHuffmanTable(
  input: Uint8Array,
  from: number,
  end: number,
): { table: HuffmanTable; end: number } | undefined {
  const read = readWeights(input, from, end);
  const log = read && completeWeights(read.weights);
  if (!read || log === undefined) return undefined;
  const entries = new Uint16Array(1 << log);
  let at = 0;
  for (let weight = 1; weight <= log; weight++) {
    for (const [symbol, own] of read.weights.entries()) {
      if (own !== weight) continue;
      const width = 1 << (weight - 1);
      entries.fill(symbol * 16 + log + 1 - weight, at, at + width);
      at += width;
    }
  }
  return { table: { log, entries }, end: read.end };
}

/**
 * Decodes one stream, `input[from, end)`, into all of `output`.
 * @returns false unless it holds exactly that many symbols
 */
export function decodeHuffman(
  input: Uint8Array,
  from: number,
  end: number,
  { log, entries }: HuffmanTable,
  output: Uint8Array,
): boolean {
  if (end <= from || input[end - 1] === 0) return false;
  // The next bits stand at the top of `window`; `have` of them are real, the others zeros.
  let at = end - 1;
  let have = 31 - Math.clz32(u8(input, at));
  let window = have === 0 ? 0 : u8(input, at) << (32 - have);
  for (let i = 0; i < output.length; i++) {
    for (; have <= 24 && at > from; have += 8) window |= u8(input, --at) << (24 - have);
    const entry = entries[window >>> (32 - log)] ?? 0;
    output[i] = entry >> 4;
    window <<= entry & 15;
    have -= entry & 15;
  }
  return have === 0 && at === from;
}
