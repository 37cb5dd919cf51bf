// zstd's Finite State Entropy: tables that turn bits into symbols, the stream that they are read from (backwards), and
// the three tables of sequences that are known beforehand.

import { u8, u24, u32 } from '../bytes.js';

/** What a state stands for: a symbol; then how many bits follow, and what to add to them for the number of the next state. */
export interface FseEntry {
  readonly symbol: number;
  readonly bits: number;
  readonly next: number;
}

/** A table of 2^log states. */
export class FseTable {
  readonly log: number;
  /** By state: symbol, bits << 8, next << 16. */
  readonly #packed: Uint32Array;

  constructor(log: number, entries: readonly FseEntry[]) {
    this.log = log;
    this.#packed = Uint32Array.from(entries, ({ symbol, bits, next }) => symbol | (bits << 8) | (next << 16));
  }

  packed(state: number): number {
    return this.#packed[state] ?? 0;
  }

  get entries(): FseEntry[] {
    return Array.from(this.#packed, (packed) => ({
      symbol: packed & 255,
      bits: (packed >>> 8) & 255,
      next: packed >>> 16,
    }));
  }
}

/** Where a reader of one stream stands in a table. */
export class FseState {
  readonly #table: FseTable;
  #packed: number;

  constructor(table: FseTable, stream: BackwardBits) {
    this.#table = table;
    this.#packed = table.packed(stream.read(table.log));
  }

  get symbol(): number {
    return this.#packed & 255;
  }

  advance(stream: BackwardBits): void {
    this.#packed = this.#table.packed((this.#packed >>> 16) + stream.read((this.#packed >>> 8) & 255));
  }
}

const MIN_LOG = 5;

/** Bits that are read from a stream's end to its beginning. The highest set bit of the last byte marks the end. */
export class BackwardBits {
  /** Bits that are left; below 0 once more were read than there are (they count as 0). */
  left: number;

  private constructor(
    private readonly input: Uint8Array,
    private readonly from: number,
    end: number,
  ) {
    this.left = (end - from) * 8 - 1 - (Math.clz32(u8(input, end - 1)) - 24);
  }

  /** @returns undefined when `input[from, end)` is empty or has no end mark */
  static open(input: Uint8Array, from: number, end: number): BackwardBits | undefined {
    return end > from && input[end - 1] !== 0 ? new BackwardBits(input, from, end) : undefined;
  }

  /** @param count 0 to 31 */
  read(count: number): number {
    if (count > 24) return this.read(count - 24) * 0x1000000 + this.read(24);
    this.left -= count;
    if (this.left < 0) return 0;
    return (u32(this.input, this.from + (this.left >> 3)) >>> (this.left & 7)) & ((1 << count) - 1);
  }
}

/**
 * Builds a table from how many of its states each symbol has; −1 stands for a symbol that is rarer than one state (it
 * gets one of the last). The counts must add up to 2^log, −1 counting as 1.
 */
function fseTable(counts: readonly number[], log: number): FseTable {
  const size = 1 << log;
  const symbols = new Uint8Array(size);
  let high = size;
  for (const [symbol, count] of counts.entries()) if (count < 0) symbols[--high] = symbol;
  const step = (size >> 1) + (size >> 3) + 3;
  let at = 0;
  for (const [symbol, count] of counts.entries()) {
    for (let left = count; left > 0; left--) {
      symbols[at] = symbol;
      do at = (at + step) & (size - 1);
      while (at >= high);
    }
  }
  const turns = counts.map(Math.abs);
  const entries = Array.from(symbols, (symbol) => {
    const turn = turns[symbol] ?? 0;
    turns[symbol] = turn + 1;
    const bits = log - (31 - Math.clz32(turn));
    return { symbol, bits, next: (turn << bits) - size };
  });
  return new FseTable(log, entries);
}

/** A table of one state: always the same symbol, without bits. */
export function fseConstant(symbol: number): FseTable {
  return new FseTable(0, [{ symbol, bits: 0, next: 0 }]);
}

/**
 * Reads a table's description.
 * @returns the table and where the description ends; undefined when it is not valid or does not end before `end`
 */
export function readFseTable(
  input: Uint8Array,
  from: number,
  end: number,
  maxSymbol: number,
  maxLog: number,
): { table: FseTable; end: number } | undefined {
  const log = (u8(input, from) & 15) + MIN_LOG;
  if (from >= end || log > maxLog) return undefined;
  let bit = 4;
  // Up to 16 bits, lowest first; after the end they count as 0, and `bit` tells.
  const peek = (count: number): number => {
    return (u24(input, from + (bit >> 3)) >> (bit & 7)) & ((1 << count) - 1);
  };
  const counts: number[] = [];
  let remaining = 1 << log;
  while (remaining > 0 && counts.length <= maxSymbol) {
    // A value from 0 to remaining + 1; the small ones take one bit less.
    const width = 32 - Math.clz32(remaining + 1);
    const small = (1 << width) - (remaining + 2);
    let value = peek(width - 1);
    if (value < small) {
      bit += width - 1;
    } else {
      value = peek(width);
      if (value >= 1 << (width - 1)) value -= small;
      bit += width;
    }
    const count = value - 1;
    counts.push(count);
    remaining -= Math.abs(count);
    if (count === 0) {
      for (let zeros = 3; zeros === 3; ) {
        zeros = peek(2);
        bit += 2;
        for (let i = 0; i < zeros; i++) counts.push(0);
        if (counts.length > maxSymbol) return undefined;
      }
    }
  }
  const tableEnd = from + ((bit + 7) >> 3);
  if (remaining !== 0 || tableEnd > end) return undefined;
  return { table: fseTable(counts, log), end: tableEnd };
}

/** Numbers that a code of a sequence's field stands for: from the baseline on, 2^bits of them. */
export interface CodeRange {
  readonly baseline: number;
  readonly bits: number;
}

/** A kind of number in a sequence: what its codes stand for, and the table that needs no description. */
export class SequenceField {
  readonly codes: readonly CodeRange[];
  /** Largest log of a described table. */
  readonly maxLog: number;
  readonly predefined: FseTable;
  readonly #baselines: Uint32Array;
  readonly #bits: Uint8Array;

  constructor(codes: readonly CodeRange[], maxLog: number, predefined: FseTable) {
    this.codes = codes;
    this.maxLog = maxLog;
    this.predefined = predefined;
    this.#baselines = Uint32Array.from(codes, ({ baseline }) => baseline);
    this.#bits = Uint8Array.from(codes, ({ bits }) => bits);
  }

  /** The number of which the stream holds the code's extra bits next. */
  read(code: number, stream: BackwardBits): number {
    return (this.#baselines[code] ?? 0) + stream.read(this.#bits[code] ?? 0);
  }
}

/** Codes below `direct` stand for themselves (from `first`), the others for ranges of 2^bits values. */
function sequenceField(
  first: number,
  direct: number,
  ranges: readonly number[],
  maxLog: number,
  counts: readonly number[],
  log: number,
): SequenceField {
  let baseline = first;
  const codes = [...new Array<number>(direct).fill(0), ...ranges].map((bits) => {
    const range = { baseline, bits };
    baseline += 2 ** bits;
    return range;
  });
  return new SequenceField(codes, maxLog, fseTable(counts, log));
}

export interface SequenceFields {
  readonly literals: SequenceField;
  /** Offset values: a code of n stands for 2^n and n extra bits. */
  readonly offset: SequenceField;
  readonly match: SequenceField;
}

let fields: SequenceFields | undefined;

/** The three fields (RFC 8878, 3.1.1.3.2.1.1 and 3.1.1.3.2.2), made on first use. */
export function sequenceFields(): SequenceFields {
  fields ??= {
    literals: sequenceField(
      0,
      16,
      [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
      9,
      [4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1],
      6,
    ),
    offset: sequenceField(
      1,
      1,
      Array.from({ length: 31 }, (_, i) => i + 1),
      8,
      [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1],
      5,
    ),
    match: sequenceField(
      3,
      32,
      [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
      9,
      [
        1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
      ],
      6,
    ),
  };
  return fields;
}
