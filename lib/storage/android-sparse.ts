// Android's sparse image format, which fastboot and its build tools use: a header, then chunks that are raw bytes, a
// repeated word, or a hole. Facts: system/core/libsparse/sparse_format.h. Read only.

import { PstoreError } from '../errors.js';
import { type Run as Bytes, nextRun, readRange, type Storage } from './storage.js';
import { Window } from './window.js';

/** sparse_header.magic, little-endian as all fields are. */
const MAGIC = 0xed26ff3a;
/** The only version that exists. */
const MAJOR_VERSION = 1;

/** struct sparse_header. */
const HEADER = { magic: 0, major: 4, headerSize: 8, chunkHeaderSize: 10, blockSize: 12, blocks: 16, chunks: 20 };
const HEADER_SIZE = 28;
/** struct chunk_header. */
const CHUNK = { type: 0, blocks: 4, totalSize: 8 };
const CHUNK_SIZE = 12;

const RAW = 0xcac1;
const FILL = 0xcac2;
const DONT_CARE = 0xcac3;
const CRC32 = 0xcac4;

/** A hostile file may consist of chunks without a block: no more than these are read. */
const MAX_CHUNKS = 1 << 20;
/** Larger blocks than this are no image of a device. */
const MAX_BLOCK = 1 << 26;

/** A run of bytes of the image. */
interface Run {
  /** First byte in the image. */
  readonly start: number;
  readonly length: number;
  /** First byte in the file, for raw bytes. */
  readonly at?: number;
  /** Four bytes that are repeated. */
  readonly fill?: Uint8Array;
}

/** Whether a file begins as a sparse image does. */
export function isAndroidSparse(head: Uint8Array): boolean {
  if (head.length < HEADER_SIZE) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  return view.getUint32(HEADER.magic, true) === MAGIC && view.getUint16(HEADER.major, true) === MAJOR_VERSION;
}

/** The image that a sparse file describes; what no chunk holds reads as zeros. */
export class AndroidSparseStorage implements Storage {
  readonly path: string;
  readonly size: number;
  readonly writable = false;
  /** What is wrong with the file, as a part of a sentence; undefined where it is whole. */
  readonly damage: string | undefined;
  readonly #below: Storage;
  readonly #runs: readonly Run[];

  /** @throws PstoreError EBADMSG when the header is none that can be, or nothing stands before what is damaged */
  constructor(below: Storage) {
    this.#below = below;
    this.path = below.path;
    const bytes = readRange(below, 0, HEADER_SIZE);
    if (!isAndroidSparse(bytes)) throw this.#unusable('its header is not one of version 1');
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const blockSize = view.getUint32(HEADER.blockSize, true);
    const headerSize = view.getUint16(HEADER.headerSize, true);
    const chunkHeaderSize = view.getUint16(HEADER.chunkHeaderSize, true);
    if (blockSize === 0 || blockSize % 4 !== 0 || blockSize > MAX_BLOCK) {
      throw this.#unusable(`its blocks have ${blockSize} bytes`);
    }
    if (headerSize < HEADER_SIZE || chunkHeaderSize < CHUNK_SIZE) {
      throw this.#unusable(`its headers have ${headerSize} and ${chunkHeaderSize} bytes`);
    }
    this.size = view.getUint32(HEADER.blocks, true) * blockSize;
    const count = view.getUint32(HEADER.chunks, true);
    const { runs, damage } = readChunks(below, { blockSize, headerSize, chunkHeaderSize, count, size: this.size });
    if (damage !== undefined && runs.length === 0) throw this.#unusable(damage);
    this.#runs = runs;
    this.damage = damage;
  }

  read(target: Uint8Array, offset: number): number {
    const part = target.subarray(0, Math.max(0, Math.min(target.length, this.size - offset)));
    part.fill(0);
    const end = offset + part.length;
    for (let i = firstRun(this.#runs, offset); i < this.#runs.length; i++) {
      const run = this.#runs[i]!;
      if (run.start >= end) break;
      const from = Math.max(offset, run.start);
      const piece = part.subarray(from - offset, Math.min(end, run.start + run.length) - offset);
      if (run.at !== undefined) this.#below.read(piece, run.at + from - run.start);
      else if (run.fill) repeat(piece, run.fill, from - run.start);
    }
    return part.length;
  }

  /** Of a word that is repeated only the first and the last are no hole, so that holes with other words stand apart. */
  nextRun(offset: number): Bytes | undefined {
    for (let i = firstRun(this.#runs, offset); i < this.#runs.length; i++) {
      const { start, length, at, fill } = this.#runs[i]!;
      const end = start + length;
      if (at !== undefined) {
        const inFile = nextRun(this.#below, at + Math.max(0, offset - start));
        const from = inFile ? start + inFile.from - at : end;
        if (inFile && from < end) return { from, to: Math.min(end, start + inFile.to - at) };
      } else if (fill?.some((byte) => byte !== 0)) {
        if (offset < start + fill.length) return { from: Math.max(offset, start), to: start + fill.length };
        return { from: Math.max(offset, end - fill.length), to: end };
      }
    }
    return undefined;
  }

  write(): void {
    throw new PstoreError('EROFS', `${this.path} is an Android sparse image and can only be read`, { path: this.path });
  }

  sync(): void {}

  close(): void {
    this.#below.close();
  }

  #unusable(why: string): PstoreError {
    return new PstoreError('EBADMSG', `${this.path} is damaged: it begins as an Android sparse image, but ${why}`, {
      path: this.path,
      offset: 0,
    });
  }
}

/** Fills a piece with a word again and again. @param skipped bytes that stand before the piece */
function repeat(piece: Uint8Array, word: Uint8Array, skipped: number): void {
  for (let i = 0; i < Math.min(word.length, piece.length); i++) piece[i] = word[(skipped + i) % word.length]!;
  for (let done = word.length; done < piece.length; done *= 2) piece.copyWithin(done, 0, done);
}

interface Layout {
  readonly blockSize: number;
  readonly headerSize: number;
  readonly chunkHeaderSize: number;
  readonly count: number;
  readonly size: number;
}

/** Goes through the chunks. What is cut or impossible ends the walk: what stood before it is used. */
function readChunks(storage: Storage, layout: Layout): { runs: Run[]; damage: string | undefined } {
  const runs: Run[] = [];
  const window = new Window(storage);
  let at = layout.headerSize;
  let start = 0;
  for (let i = 0; i < layout.count; i++) {
    const header = window.bytes(at, CHUNK_SIZE);
    if (header.length < CHUNK_SIZE) return { runs, damage: `it ends at offset ${storage.size}, before its chunk ${i}` };
    const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
    const type = view.getUint16(CHUNK.type, true);
    const length = view.getUint32(CHUNK.blocks, true) * layout.blockSize;
    const stored = view.getUint32(CHUNK.totalSize, true) - layout.chunkHeaderSize;
    const body = at + layout.chunkHeaderSize;
    const needed = { [RAW]: length, [FILL]: 4, [DONT_CARE]: 0, [CRC32]: 4 }[type];
    const isLegal = needed !== undefined && stored >= needed && i < MAX_CHUNKS && start + length <= layout.size;
    if (!isLegal) return { runs, damage: `its chunk ${i}, at offset ${at}, cannot be` };
    if (type === RAW && length > 0) runs.push({ start, length, at: body });
    if (type === FILL && length > 0) runs.push({ start, length, fill: window.bytes(body, 4).slice() });
    if (body + needed > storage.size) return { runs, damage: `it ends at offset ${storage.size}, in its chunk ${i}` };
    if (type !== CRC32) start += length;
    at = body + stored;
  }
  return { runs, damage: undefined };
}

/** Index of the first run that ends after `offset`; the runs follow one another. */
function firstRun(runs: readonly Run[], offset: number): number {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const { start, length } = runs[middle]!;
    if (start + length <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
