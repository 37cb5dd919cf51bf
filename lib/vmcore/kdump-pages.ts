// The pages of a compressed dump. After the sub-header follow two bitmaps of page frames, of which the second says which
// pages are in the dump; then a descriptor for each of those, in their order; then the pages themselves, each compressed
// for itself (makedumpfile's diskdump_mod.h, page_desc_t).

import type { Codec } from '../compress/codec.js';
import { deflate } from '../compress/deflate.js';
import { lzo } from '../compress/lzo.js';
import { snappy } from '../compress/snappy.js';
import { zstd } from '../compress/zstd.js';
import { Fields } from '../pstore/abi.js';
import { nextRun, type Run, readRange, type Storage } from '../storage/storage.js';
import { KDUMP_SUB_HEADER_SIZE, type KdumpHeader, type KdumpLayout, kdumpFirstFrame } from './kdump.js';

/** page_desc_t: offset s64, size u32, flags u32, page_flags u64. */
const DESCRIPTOR_SIZE = 24;
const DESC_SIZE = 8;
const DESC_FLAGS = 12;
const COMPRESSED_ZLIB = 1;
const COMPRESSED_LZO = 2;
const COMPRESSED_SNAPPY = 4;
const COMPRESSED_ZSTD = 0x20;
/** zlib's own two bytes before the raw deflate stream (RFC 1950). */
const ZLIB_HEADER_SIZE = 2;

/** Bytes of the bitmap whose pages are counted together. */
const COUNTED = 4096;
/** Bytes of a bitmap that are looked at: it has a bit for each page of 256 TiB then. */
const MAX_BITMAP = 2 ** 33;

export class KdumpPages {
  /** Bytes, a power of two. */
  readonly pageSize: number;
  /** Whether a page that was asked for should stand after the file's end, or what says where it is. */
  isCut = false;
  readonly #storage: Storage;
  readonly #header: KdumpHeader;
  /** Where the second bitmap begins, and its bytes. */
  readonly #bitmap: number;
  readonly #bitmapSize: number;
  /** Page frames that the whole bitmap has bits for. */
  readonly #frames: number;
  readonly #descriptors: number;
  /** How many pages the dump has before each COUNTED bytes of the bitmap, as far as they were counted. */
  readonly #before: number[] = [0];
  /** Pages before the first frame of a part of a split dump: their descriptors are in other parts. */
  readonly #elsewhere: number;

  constructor(storage: Storage, header: KdumpHeader, layout: KdumpLayout) {
    this.pageSize = header.blockSize;
    this.#storage = storage;
    this.#header = header;
    const { blockSize, subHeaderBlocks, bitmapBlocks } = header;
    const bitmaps = (1 + subHeaderBlocks) * blockSize;
    // There are two bitmaps of the same size.
    const bitmapSize = Math.floor((bitmapBlocks * blockSize) / 2);
    this.#bitmap = bitmaps + bitmapSize;
    this.#frames = bitmapSize * 8;
    // The header may claim anything: a bitmap ends where the file does.
    this.#bitmapSize = Math.max(0, Math.min(bitmapSize, storage.size - this.#bitmap, MAX_BITMAP));
    this.#descriptors = bitmaps + bitmapBlocks * blockSize;
    const first = kdumpFirstFrame(header, layout, readRange(storage, blockSize, KDUMP_SUB_HEADER_SIZE));
    this.#elsewhere = first === 0 ? 0 : this.#pagesBefore(first);
  }

  /** The page with this frame number, or undefined where the dump does not have it. */
  page(number: number): Uint8Array | undefined {
    const bits = readRange(this.#storage, this.#bitmap + Math.floor(number / 8), 1)[0];
    if (bits === undefined && number < this.#frames) this.isCut = true;
    if (number >= this.#bitmapSize * 8 || bits === undefined || (bits & (1 << (number % 8))) === 0) return undefined;
    const index = this.#pagesBefore(number) - this.#elsewhere;
    if (index < 0) return undefined;
    const bytes = readRange(this.#storage, this.#descriptors + index * DESCRIPTOR_SIZE, DESCRIPTOR_SIZE);
    this.isCut ||= bytes.length < DESCRIPTOR_SIZE;
    if (bytes.length < DESCRIPTOR_SIZE) return undefined;
    const fields = new Fields(bytes, this.#header.endian);
    const [offset, size, flags] = [fields.s64(0), fields.u32(DESC_SIZE), fields.u32(DESC_FLAGS)];
    if (offset <= 0n || size > this.pageSize) return undefined;
    const isAfterEnd = offset + BigInt(size) > BigInt(this.#storage.size);
    this.isCut ||= isAfterEnd;
    if (isAfterEnd) return undefined;
    return this.#unpacked(readRange(this.#storage, Number(offset), size), flags);
  }

  #unpacked(stored: Uint8Array, flags: number): Uint8Array | undefined {
    const isZlib = (flags & COMPRESSED_ZLIB) !== 0;
    const codec = codecOf(flags);
    const page = codec
      ? codec.decompress(isZlib ? stored.subarray(ZLIB_HEADER_SIZE) : stored, this.pageSize)?.output
      : stored;
    return page?.length === this.pageSize ? page : undefined;
  }

  /** How many pages the dump has before a frame: the place of its descriptor. */
  #pagesBefore(frame: number): number {
    const target = Math.min(Math.floor(frame / 8), this.#bitmapSize);
    const part = Math.floor(target / COUNTED);
    let run: Run | undefined = { from: 0, to: 0 };
    for (let known = this.#before.length; known <= part; known++) {
      const at = this.#bitmap + (known - 1) * COUNTED;
      if (run && at >= run.to) run = nextRun(this.#storage, at);
      // A hole has no pages, and may be longer than anybody wants to read.
      const isHole = !run || at + COUNTED <= run.from;
      const bytes = isHole ? new Uint8Array(0) : readRange(this.#storage, at, COUNTED);
      this.#before.push(this.#before[known - 1]! + countBits(bytes, bytes.length));
    }
    const bytes = readRange(this.#storage, this.#bitmap + part * COUNTED, target - part * COUNTED + 1);
    const whole = target - part * COUNTED;
    const last = (bytes[whole] ?? 0) & ((1 << (frame % 8)) - 1);
    return this.#before[part]! + countBits(bytes, whole) + bitsOf(last);
  }
}

function codecOf(flags: number): Pick<Codec, 'decompress'> | undefined {
  if ((flags & COMPRESSED_ZLIB) !== 0) return deflate;
  if ((flags & COMPRESSED_LZO) !== 0) return lzo;
  if ((flags & COMPRESSED_SNAPPY) !== 0) return snappy;
  return (flags & COMPRESSED_ZSTD) !== 0 ? zstd : undefined;
}

function countBits(bytes: Uint8Array, length: number): number {
  let count = 0;
  for (let at = 0; at < Math.min(length, bytes.length); at++) count += bitsOf(bytes[at]!);
  return count;
}

function bitsOf(byte: number): number {
  let bits = byte - ((byte >> 1) & 0x55);
  bits = (bits & 0x33) + ((bits >> 2) & 0x33);
  return (bits + (bits >> 4)) & 0x0f;
}
