// Contents of records: runs of bytes in memory and on a medium, one after the other.

import { PstoreError } from '../errors.js';
import { Extent, type Piece } from '../storage/extent.js';
import { readingBuffer } from '../storage/storage.js';
import type { Backend, RecordContent } from './backend.js';

/** The pieces one after the other. Bytes on a medium go straight into the reader's buffer. */
export class PiecesContent implements RecordContent {
  readonly size: number;
  readonly #pieces: readonly Piece[];

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
    this.size = pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  read(target: Uint8Array, position: number): number {
    let filled = 0;
    let start = 0;
    for (const piece of this.#pieces) {
      const from = Math.max(0, position + filled - start);
      const length = Math.min(piece.length - from, target.length - filled);
      if (length > 0) {
        const into = target.subarray(filled, filled + length);
        if (!Extent.isOne(piece)) into.set(piece.subarray(from, from + length));
        else readExtent(piece, into, from);
        filled += length;
      }
      if (filled === target.length) break;
      start += piece.length;
    }
    return filled;
  }
}

function readExtent(extent: Extent, into: Uint8Array, from: number): void {
  const offset = extent.offset + from;
  const got = extent.storage.read(into, offset);
  if (got !== into.length) {
    throw new PstoreError(
      'EIO',
      `${extent.storage.path}: the image ends at ${offset + got}, but a record goes on to ${offset + into.length}; was it cut while in use?`,
      { path: extent.storage.path, offset },
    );
  }
}

/** A content whose bytes are made when they are first read, and dropped with it. The size must be known before. */
export class LazyContent implements RecordContent {
  readonly size: number;
  readonly #make: () => Uint8Array;

  /** @param make gives exactly `size` bytes, from a cache where there is one */
  constructor(size: number, make: () => Uint8Array) {
    this.size = size;
    this.#make = make;
  }

  read(target: Uint8Array, position: number): number {
    const part = this.#make().subarray(position, position + target.length);
    target.set(part);
    return part.length;
  }
}

/** All bytes of a content. */
export function contentBytes(content: RecordContent): Uint8Array {
  const bytes = new Uint8Array(content.size);
  return bytes.subarray(0, content.read(bytes, 0));
}

/** The first bytes of a record: all, or at most so many. @throws PstoreError ENOENT, EIO */
export function recordBytes(backend: Backend, slot: number, most = Number.POSITIVE_INFINITY): Uint8Array {
  const content = backend.open(slot);
  try {
    const bytes = new Uint8Array(Math.min(content.size, most));
    return bytes.subarray(0, content.read(bytes, 0));
  } finally {
    content.close?.();
  }
}

/** Bytes that are read at a time. */
const CHUNK = 256 << 10;

/** The bytes of a record, in pieces. @throws PstoreError ENOENT, EIO */
export function* recordPieces(backend: Backend, slot: number): Generator<Uint8Array> {
  const content = backend.open(slot);
  try {
    for (let position = 0; position < content.size; ) {
      const bytes = readingBuffer(Math.min(CHUNK, content.size - position));
      const got = content.read(bytes, position);
      if (got === 0) return;
      yield bytes.subarray(0, got);
      position += got;
    }
  } finally {
    content.close?.();
  }
}

/** The pieces as one run of bytes. @throws PstoreError EIO */
export function piecesBytes(pieces: readonly Piece[]): Uint8Array {
  const [first] = pieces;
  if (first && pieces.length === 1 && !Extent.isOne(first)) return first;
  return contentBytes(new PiecesContent(pieces));
}

/** All parts in one run of bytes. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
