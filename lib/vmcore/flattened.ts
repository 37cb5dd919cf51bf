// makedumpfile's flattened format: a dump that went through a pipe, as its pieces, each with the place where it belongs.
// This puts the pieces in order while they are read, so that everything above sees the dump itself
// (makedumpfile's IMPLEMENTATION, "The flattened format"; QEMU's dump-guest-memory of compressed dumps writes it too).

import { PstoreError } from '../errors.js';
import { Fields } from '../pstore/abi.js';
import { type Run as Bytes, readRange, type Storage } from '../storage/storage.js';
import { Window } from '../storage/window.js';
import type { Warnings } from '../warnings.js';
import { hasSignature } from './kdump.js';

/** struct makedumpfile_header begins with 16 bytes of this, filled with NULs; type and version follow, s64 each. */
export const FLATTENED_SIGNATURE = 'makedumpfile';
const TYPE = 16;
const VERSION = 24;
/** The header is filled up to this size. All numbers are big-endian on every machine. */
const FLATTENED_HEADER_SIZE = 4096;
const TYPE_FLATTENED = 1n;
/** struct makedumpfile_data_header: offset s64 and size s64 of the piece that follows it; both are -1 at the end. */
const PIECE_HEADER_SIZE = 16;
const END_MARK = -1n;

/**
 * Pieces that are looked at: so many in any file, and one more for each so many bytes of it. Writers gather some KiB in a
 * piece; a file of nothing but the headers of pieces would take minutes.
 */
const PIECES_IN_ANY = 1 << 16;
const BYTES_A_PIECE = 256;
/** Runs of pieces that are remembered, 32 bytes each. Pieces that follow one another are one run. */
const MAX_RUNS = 1 << 19;

/**
 * A row is a run: pieces of one size that follow one another, in the file and in the dump both. The last one may be
 * shorter: then its end lies inside it.
 */
const RUN = {
  /** Where the first piece belongs in the dump. */
  start: 0,
  /** One after the last byte in the dump. */
  end: 1,
  /** First byte of the first piece in the file. */
  source: 2,
  /** Bytes of each piece. */
  piece: 3,
} as const;

/** A row is a part of the dump, and the run that has it. Where pieces overlap, the one that was written last counts. */
const PART = { start: 0, end: 1, run: 2 } as const;

export function isFlattened(bytes: Uint8Array): boolean {
  return hasSignature(bytes, FLATTENED_SIGNATURE);
}

/** The dump inside a flattened file. It is only read. */
export class FlattenedStorage implements Storage {
  readonly path: string;
  readonly size: number;
  readonly writable = false;
  readonly #below: Storage;
  readonly #runs: NumberTable;
  readonly #parts: NumberTable;

  /** @throws PstoreError EBADMSG when the header is cut, or of an unknown type or version */
  constructor(below: Storage, warnings: Warnings) {
    checkHeader(below);
    this.path = below.path;
    this.#below = below;
    this.#runs = findRuns(below, warnings);
    this.#parts = partsOf(this.#runs);
    const { rows } = this.#parts;
    this.size = rows === 0 ? 0 : this.#parts.at(rows - 1, PART.end);
  }

  /** What no piece has is zeros, as in the file that makedumpfile -R makes. */
  read(target: Uint8Array, offset: number): number {
    const wanted = target.subarray(0, Math.max(0, Math.min(target.length, this.size - offset)));
    wanted.fill(0);
    const end = offset + wanted.length;
    const parts = this.#parts;
    for (let index = this.#firstEndingAfter(offset); index < parts.rows; index++) {
      if (parts.at(index, PART.start) >= end) break;
      const from = Math.max(offset, parts.at(index, PART.start));
      const to = Math.min(end, parts.at(index, PART.end));
      this.#readRun(parts.at(index, PART.run), wanted.subarray(from - offset, to - offset), from);
    }
    return wanted.length;
  }

  nextRun(offset: number): Bytes | undefined {
    const index = this.#firstEndingAfter(offset);
    if (index === this.#parts.rows) return undefined;
    return { from: Math.max(offset, this.#parts.at(index, PART.start)), to: this.#parts.at(index, PART.end) };
  }

  #readRun(run: number, target: Uint8Array, offset: number): void {
    const start = this.#runs.at(run, RUN.start);
    const source = this.#runs.at(run, RUN.source);
    const piece = this.#runs.at(run, RUN.piece);
    for (let done = 0; done < target.length; ) {
      const inRun = offset + done - start;
      const index = Math.floor(inRun / piece);
      const inPiece = inRun - index * piece;
      const part = target.subarray(done, done + piece - inPiece);
      const at = source + index * (piece + PIECE_HEADER_SIZE) + inPiece;
      if (this.#below.read(part, at) < part.length) {
        throw new PstoreError('EIO', `${this.path} was cut while in use: it ends before offset ${at + part.length}`, {
          path: this.path,
          offset: at,
        });
      }
      done += part.length;
    }
  }

  /** Index of the first part whose end lies after an offset. */
  #firstEndingAfter(offset: number): number {
    let low = 0;
    let high = this.#parts.rows;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#parts.at(middle, PART.end) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  write(): void {
    throw new PstoreError('EROFS', `${this.path} is a flattened dump: it is only read`, { path: this.path });
  }

  sync(): void {}

  close(): void {
    this.#below.close();
  }
}

function checkHeader(storage: Storage): void {
  const bytes = readRange(storage, 0, FLATTENED_HEADER_SIZE);
  const bad = (what: string, offset: number) =>
    new PstoreError('EBADMSG', `${storage.path}: ${what}`, { path: storage.path, offset });
  if (bytes.length < FLATTENED_HEADER_SIZE) {
    throw bad(`the file ends after ${bytes.length} bytes, inside the header of a flattened dump`, bytes.length);
  }
  const fields = new Fields(bytes, 'big');
  if (fields.s64(TYPE) !== TYPE_FLATTENED) {
    throw bad(`this flattened dump is of type ${fields.s64(TYPE)}, but only type ${TYPE_FLATTENED} is known`, TYPE);
  }
  if (fields.s64(VERSION) < 1n) {
    throw bad(`this flattened dump has the version ${fields.s64(VERSION)}, and the first one is 1`, VERSION);
  }
}

/** All pieces in the order of the file, those that follow one another as one run. */
function findRuns(storage: Storage, warnings: Warnings): NumberTable {
  const window = new Window(storage);
  const warn = (sentence: string, at: number) =>
    warnings.add('header-damaged', `${storage.path}: ${sentence}`, Math.min(at, storage.size));
  const runs = new NumberTable(4);
  const most = PIECES_IN_ANY + storage.size / BYTES_A_PIECE;
  let at = FLATTENED_HEADER_SIZE;
  for (let count = 0; ; count++) {
    const bytes = window.bytes(at, PIECE_HEADER_SIZE);
    if (bytes.length < PIECE_HEADER_SIZE) {
      warn(
        `this flattened dump is cut: it ends at ${storage.size} without its end mark; what came before is shown`,
        at,
      );
      return runs;
    }
    const fields = new Fields(bytes, 'big');
    const [offset, size] = [fields.s64(0), fields.s64(8)];
    if (offset === END_MARK && size === END_MARK) return runs;
    if (offset < 0n || size < 0n || offset + size > BigInt(Number.MAX_SAFE_INTEGER)) {
      warn(
        `at ${at} a piece of this flattened dump says that it has ${size} bytes for ${offset}; no piece after it is read`,
        at,
      );
      return runs;
    }
    if (count >= most || runs.rows >= MAX_RUNS) {
      warn(
        `this flattened dump has more pieces than are read: those from ${at} on are left out; put it in order with makedumpfile -R`,
        at,
      );
      return runs;
    }
    const source = at + PIECE_HEADER_SIZE;
    at = source + Number(size);
    const there = Math.min(Number(size), storage.size - source);
    if (there > 0) addPiece(runs, Number(offset), there, source);
  }
}

function addPiece(runs: NumberTable, start: number, size: number, source: number): void {
  const last = runs.rows - 1;
  if (last >= 0 && runs.at(last, RUN.end) === start && size <= runs.at(last, RUN.piece)) {
    const piece = runs.at(last, RUN.piece);
    const pieces = (start - runs.at(last, RUN.start)) / piece;
    if (Number.isInteger(pieces) && source === runs.at(last, RUN.source) + pieces * (piece + PIECE_HEADER_SIZE)) {
      runs.set(last, RUN.end, start + size);
      return;
    }
  }
  runs.add([start, start + size, source, size]);
}

/** The dump from its beginning to its end, each byte once. A later run covers an earlier one. */
function partsOf(runs: NumberTable): NumberTable {
  const startOf = (run: number) => runs.at(run, RUN.start);
  const waiting = Uint32Array.from({ length: runs.rows }, (_, run) => run).sort((a, b) => startOf(a) - startOf(b));
  const nextStart = () => (taken < waiting.length ? startOf(waiting[taken]!) : Number.POSITIVE_INFINITY);
  let taken = 0;
  const open = new NewestFirst<number>((a, b) => a > b);
  const dropEnded = () => {
    while (open.first !== undefined && runs.at(open.first, RUN.end) <= at) open.take();
  };
  const parts = new NumberTable(3);
  let at = 0;
  for (;;) {
    dropEnded();
    if (open.first === undefined) {
      if (taken === waiting.length) return parts;
      at = Math.max(at, nextStart());
    }
    while (nextStart() <= at) open.add(waiting[taken++]!);
    dropEnded();
    const run = open.first;
    if (run === undefined) continue;
    const end = Math.min(runs.at(run, RUN.end), nextStart());
    const last = parts.rows - 1;
    if (last >= 0 && parts.at(last, PART.run) === run && parts.at(last, PART.end) === at)
      parts.set(last, PART.end, end);
    else parts.add([at, end, run]);
    at = end;
  }
}

/** Rows of numbers. Half a million objects would take five times the room. */
class NumberTable {
  rows = 0;
  readonly #columns: number;
  #numbers = new Float64Array(64);

  constructor(columns: number) {
    this.#columns = columns;
  }

  at(row: number, column: number): number {
    return this.#numbers[row * this.#columns + column]!;
  }

  set(row: number, column: number, value: number): void {
    this.#numbers[row * this.#columns + column] = value;
  }

  add(row: readonly number[]): void {
    const at = this.rows * this.#columns;
    if (at + this.#columns > this.#numbers.length) {
      const larger = new Float64Array(this.#numbers.length * 2);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers.set(row, at);
    this.rows++;
  }
}

/** A heap: the element that comes before all others stands first. */
class NewestFirst<T> {
  readonly #heap: T[] = [];
  readonly #before: (a: T, b: T) => boolean;

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get first(): T | undefined {
    return this.#heap[0];
  }

  add(element: T): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(element);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(element, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = element;
  }

  /** Takes the first element away. */
  take(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}
