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
 * Pieces of one size that follow one another, in the file and in the dump both. The last one may be shorter: then `end`
 * lies inside it.
 */
interface Run {
  /** Where the first piece belongs in the dump. */
  readonly start: number;
  /** One after the last byte in the dump. */
  end: number;
  /** First byte of the first piece in the file. */
  readonly source: number;
  /** Bytes of each piece. */
  readonly piece: number;
}

/** A part of the dump, and the run that has it. Where pieces overlap, the one that was written last counts. */
interface Part {
  readonly start: number;
  readonly end: number;
  readonly run: Run;
}

export function isFlattened(bytes: Uint8Array): boolean {
  return hasSignature(bytes, FLATTENED_SIGNATURE);
}

/** The dump inside a flattened file. It is only read. */
export class FlattenedStorage implements Storage {
  readonly path: string;
  readonly size: number;
  readonly writable = false;
  readonly #below: Storage;
  readonly #parts: readonly Part[];

  /** @throws PstoreError EBADMSG when the header is cut, or of an unknown type or version */
  constructor(below: Storage, warnings: Warnings) {
    checkHeader(below);
    this.path = below.path;
    this.#below = below;
    const runs = findRuns(below, warnings);
    this.#parts = partsOf(runs);
    this.size = this.#parts.at(-1)?.end ?? 0;
  }

  /** What no piece has is zeros, as in the file that makedumpfile -R makes. */
  read(target: Uint8Array, offset: number): number {
    const wanted = target.subarray(0, Math.max(0, Math.min(target.length, this.size - offset)));
    wanted.fill(0);
    const end = offset + wanted.length;
    for (let index = this.#firstEndingAfter(offset); index < this.#parts.length; index++) {
      const part = this.#parts[index]!;
      if (part.start >= end) break;
      const from = Math.max(offset, part.start);
      this.#readRun(part.run, wanted.subarray(from - offset, Math.min(end, part.end) - offset), from);
    }
    return wanted.length;
  }

  nextRun(offset: number): Bytes | undefined {
    const part = this.#parts[this.#firstEndingAfter(offset)];
    return part && { from: Math.max(offset, part.start), to: part.end };
  }

  #readRun(run: Run, target: Uint8Array, offset: number): void {
    for (let done = 0; done < target.length; ) {
      const inRun = offset + done - run.start;
      const index = Math.floor(inRun / run.piece);
      const inPiece = inRun - index * run.piece;
      const part = target.subarray(done, done + run.piece - inPiece);
      const at = run.source + index * (run.piece + PIECE_HEADER_SIZE) + inPiece;
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
    let high = this.#parts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#parts[middle]!.end <= offset) low = middle + 1;
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
function findRuns(storage: Storage, warnings: Warnings): Run[] {
  const window = new Window(storage);
  const warn = (sentence: string, at: number) =>
    warnings.add('header-damaged', `${storage.path}: ${sentence}`, Math.min(at, storage.size));
  const runs: Run[] = [];
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
    if (count >= most || runs.length >= MAX_RUNS) {
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

function addPiece(runs: Run[], start: number, size: number, source: number): void {
  const last = runs.at(-1);
  if (last && last.end === start && size <= last.piece) {
    const pieces = (last.end - last.start) / last.piece;
    if (Number.isInteger(pieces) && source === last.source + pieces * (last.piece + PIECE_HEADER_SIZE)) {
      last.end += size;
      return;
    }
  }
  runs.push({ start, end: start + size, source, piece: size });
}

/** The dump from its beginning to its end, each byte once. A later run covers an earlier one. */
function partsOf(runs: readonly Run[]): Part[] {
  const order = new Map(runs.map((run, index) => [run, index]));
  const waiting = [...runs].sort((a, b) => b.start - a.start);
  const open = new NewestFirst<Run>((a, b) => order.get(a)! > order.get(b)!);
  const parts: Part[] = [];
  let at = 0;
  for (;;) {
    while (open.first && open.first.end <= at) open.take();
    if (!open.first) {
      const next = waiting.at(-1);
      if (!next) return parts;
      at = Math.max(at, next.start);
    }
    for (let next = waiting.at(-1); next && next.start <= at; next = waiting.at(-1)) open.add(waiting.pop()!);
    while (open.first && open.first.end <= at) open.take();
    const run = open.first;
    if (!run) continue;
    const end = Math.min(run.end, waiting.at(-1)?.start ?? Number.POSITIVE_INFINITY);
    const last = parts.at(-1);
    if (last && last.run === run && last.end === at) parts[parts.length - 1] = { start: last.start, end, run };
    else parts.push({ start: at, end, run });
    at = end;
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
