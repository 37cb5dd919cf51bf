// Bytes on a medium: the interface that every layer above reads and writes through. Knows no format.

import { PstoreError } from '../errors.js';

export interface Storage {
  /** What to call it in messages. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Whether write() can work at all. */
  readonly writable: boolean;

  /**
   * Fills `target` from byte `offset` on.
   * @returns bytes read: less than asked only where the medium ends, and none at an offset that cannot be
   * @throws PstoreError EIO, or ENOMSG, where this place cannot be read; EAGAIN where the medium is not there for now
   */
  read(target: Uint8Array, offset: number): number;

  /**
   * Writes all of `bytes` at `offset`, which must lie inside the medium: a medium never grows.
   * @throws PstoreError EROFS, EIO, ENOSPC; ENOMSG where just this place is broken; EAGAIN where the medium is not there for now
   */
  write(bytes: Uint8Array, offset: number): void;

  /** Returns when what was written is on the medium (fdatasync). */
  sync(): void;

  /** Flash and its like: erases a range its own way (used by pstore/zone instead of FLUSH_META when it is there). */
  erase?(offset: number, length: number): void;

  /** Whether zeros stand for bytes of this range that could not be read; see surviving.ts. */
  isLost?(offset: number, length: number): boolean;

  /**
   * The next run from `offset` on that a search must read; undefined after the last one. What lies between runs is a hole:
   * one word of four bytes again and again, mostly zeros, of which a medium may claim terabytes. Ask by nextRun().
   */
  nextRun?(offset: number): Run | undefined;

  close(): void;
}

/** Bytes of a medium. */
export interface Run {
  readonly from: number;
  readonly to: number;
}

/** The next run of a medium that is not a hole, from `offset` on; all of it where the medium does not tell of holes. */
export function nextRun(storage: Storage, offset: number): Run | undefined {
  if (offset >= storage.size) return undefined;
  return storage.nextRun ? storage.nextRun(offset) : { from: offset, to: storage.size };
}

/** Whether just the place that was asked for is broken, and others may well be read or written. */
export function isBrokenPlace(error: unknown): boolean {
  return error instanceof PstoreError && (error.code === 'EIO' || error.code === 'ENOMSG');
}

/** Whether what could not be written may be kept in memory and written later: neither read-only nor just this place. */
export function isHoldable(error: unknown): error is PstoreError {
  return error instanceof PstoreError && error.code !== 'ENOMSG' && error.code !== 'EROFS';
}

/** Of a place that was inside the medium when it was opened, and is no more. */
export function cutWhileInUse({ path }: Pick<Storage, 'path'>, offset: number): PstoreError {
  return new PstoreError('EIO', `${path} was cut while in use: offset ${offset} lies after its end`, { path, offset });
}

/** @throws PstoreError EIO when not all of these bytes are there that were when the medium was opened */
export function readStillThere(storage: Storage, offset: number, length: number): Uint8Array {
  const end = Math.min(offset + length, storage.size);
  const bytes = readRange(storage, offset, length);
  if (offset + bytes.length < end) throw cutWhileInUse(storage, offset + bytes.length);
  return bytes;
}

/** Bytes of a range that a medium of `size` bytes has: none where the range begins at no place that can be. */
export function roomAt(size: number, offset: number, length: number): number {
  return Number.isSafeInteger(offset) && offset >= 0 ? Math.max(0, Math.min(length, size - offset)) : 0;
}

export interface Pieces {
  readonly from?: number;
  readonly end?: number;
  readonly length: number;
  /** Bytes of the next piece that each one has, too. */
  readonly overlap?: number;
}

export interface PieceOfBytes {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/** Goes through a range in pieces, which all stand in the same buffer: no more memory is needed than for one of them. */
export function* pieces(
  storage: Storage,
  { from = 0, end = storage.size, length, overlap = 0 }: Pieces,
): Generator<PieceOfBytes> {
  const buffer = bufferFor(storage, { from, end, length, overlap });
  for (let offset = from; offset < Math.min(end, storage.size); offset += length) {
    const bytes = buffer.subarray(0, storage.read(buffer, offset));
    yield { bytes, offset };
    if (bytes.length < length) return;
  }
}

/**
 * The pieces in which there is more than a hole: for who searches something that is longer than a word. A piece may be
 * shorter than `length`: it ends where a hole begins, and the next one begins where that ends. All begin at a multiple of
 * 4,096 or of `length` after `from`, or of a sum of these.
 */
export function* searchedPieces(
  storage: Storage,
  { from = 0, end = storage.size, length, overlap = 0 }: Pieces,
): Generator<PieceOfBytes> {
  const buffer = bufferFor(storage, { from, end, length, overlap });
  const least = Math.max(MIN_HOLE, PAGE_SIZE + 2 * overlap);
  let run = nextRun(storage, from);
  for (let offset = from; run; run = nextRun(storage, offset)) {
    offset += Math.max(0, Math.floor((run.from - overlap - offset) / PAGE_SIZE)) * PAGE_SIZE;
    if (offset >= Math.min(end, storage.size)) return;
    const used = endOfRuns(storage, run, offset + length, least) - offset;
    const own = Math.min(length, Math.ceil(used / PAGE_SIZE) * PAGE_SIZE);
    const bytes = buffer.subarray(0, storage.read(buffer.subarray(0, own + overlap), offset));
    yield { bytes, offset };
    if (bytes.length < own) return;
    offset += own;
  }
}

/** A shorter hole is read: that costs less than another read of what follows it. */
const MIN_HOLE = 16 << 10;

/** Where the first hole of at least `least` bytes begins that follows a run; `most` where it begins no earlier. */
function endOfRuns(storage: Storage, run: Run, most: number, least: number): number {
  let { to } = run;
  while (to < most) {
    const next = nextRun(storage, to);
    if (!next || next.from - to >= least) return to;
    to = next.to;
  }
  return most;
}

/** Where the pieces begin in which there is more than a hole. */
export function* searchedPlaces(
  storage: Storage,
  { from = 0, end = storage.size, length, overlap = 0 }: Pieces,
): Generator<number> {
  let run = nextRun(storage, from);
  for (let offset = from; offset < end && run; offset += length) {
    if (offset >= run.to) run = nextRun(storage, offset);
    if (!run) return;
    offset += Math.max(0, Math.floor((run.from - overlap - offset) / length)) * length;
    if (offset < end) yield offset;
  }
}

function bufferFor(storage: Storage, { from, end, length, overlap }: Required<Pieces>): Uint8Array {
  return readingBuffer(roomAt(Math.min(end + overlap, storage.size), from, length + overlap));
}

/** `length` bytes from `offset` on, or fewer where the medium ends. */
export function readRange(storage: Storage, offset: number, length: number): Uint8Array {
  const wanted = roomAt(storage.size, offset, length);
  const target = new Uint8Array(wanted);
  const got = wanted === 0 ? 0 : storage.read(target, offset);
  return got === wanted ? target : target.subarray(0, got);
}

/**
 * A buffer that much is read into, piece after piece. The memory of a large array begins 16 bytes into a page, and copying
 * from the start of a page to there takes some processors three times as long: so it begins at the next page.
 */
export function readingBuffer(length: number): Uint8Array {
  if (length < PAGE_SIZE) return new Uint8Array(length);
  return new Uint8Array(new ArrayBuffer(length + PAGE_SIZE), PAGE_SIZE - ALLOCATOR_HEADER, length);
}

const PAGE_SIZE = 4096;
/** What malloc(3) keeps in front of a large piece of memory. */
const ALLOCATOR_HEADER = 16;
