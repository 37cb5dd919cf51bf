// Images of whole disks, Android sparse images and NAND dumps, made field by field from their specifications.

import { crc32 as nodeCrc } from './checksum.js';

export interface BuiltPartition {
  readonly name?: string;
  /** In sectors. */
  readonly first: number;
  readonly count: number;
  readonly bytes?: Uint8Array;
}

/** A disk with a GPT and its copy at the end. */
export function gptDisk(sectors: number, sectorSize: number, partitions: readonly BuiltPartition[]): Buffer {
  const disk = Buffer.alloc(sectors * sectorSize);
  protect(disk, sectors);
  const entries = Buffer.alloc(128 * 128);
  partitions.forEach(({ name = '', first, count }, i) => {
    const entry = entries.subarray(i * 128, (i + 1) * 128);
    entry.fill(0x11, 0, 16);
    Buffer.from('00112233445566778899aabbccddee', 'hex').copy(entry, 16);
    entry[31] = i + 1;
    entry.writeBigUInt64LE(BigInt(first), 32);
    entry.writeBigUInt64LE(BigInt(first + count - 1), 40);
    entry.write(name, 56, 'utf16le');
  });
  const entrySectors = Math.ceil(entries.length / sectorSize);
  const place = (header: number, other: number, table: number) => {
    const bytes = disk.subarray(header * sectorSize, header * sectorSize + 92);
    bytes.write('EFI PART', 0, 'latin1');
    bytes.writeUInt32LE(0x10000, 8);
    bytes.writeUInt32LE(92, 12);
    bytes.writeBigUInt64LE(BigInt(header), 24);
    bytes.writeBigUInt64LE(BigInt(other), 32);
    bytes.writeBigUInt64LE(BigInt(table), 72);
    bytes.writeUInt32LE(128, 80);
    bytes.writeUInt32LE(128, 84);
    bytes.writeUInt32LE(nodeCrc(entries), 88);
    bytes.writeUInt32LE(nodeCrc(bytes), 16);
    entries.copy(disk, table * sectorSize);
  };
  place(1, sectors - 1, 2);
  place(sectors - 1, 1, sectors - 1 - entrySectors);
  fill(disk, sectorSize, partitions);
  return disk;
}

function protect(disk: Buffer, sectors: number): void {
  record(disk, 0, 0, 0xee, 1, sectors - 1);
  disk.writeUInt16BE(0x55aa, 510);
}

function record(disk: Buffer, sector: number, index: number, type: number, first: number, count: number): void {
  const at = sector + 446 + 16 * index;
  disk[at + 4] = type;
  disk.writeUInt32LE(first, at + 8);
  disk.writeUInt32LE(count, at + 12);
}

function fill(disk: Buffer, sectorSize: number, partitions: readonly BuiltPartition[]): void {
  for (const { first, bytes } of partitions) if (bytes) disk.set(bytes, first * sectorSize);
}

/** A disk with an MBR: up to three partitions, then logical ones, each with its own sector in front. */
export function mbrDisk(
  sectors: number,
  sectorSize: number,
  primary: readonly BuiltPartition[],
  logical: readonly BuiltPartition[] = [],
): Buffer {
  const disk = Buffer.alloc(sectors * sectorSize);
  disk.writeUInt32LE(0x1234abcd, 440);
  disk.writeUInt16BE(0x55aa, 510);
  primary.forEach(({ first, count }, i) => {
    record(disk, 0, i, 0x83, first, count);
  });
  const base = (logical[0]?.first ?? 0) - 1;
  if (logical.length > 0) record(disk, 0, 3, 0x0f, base, sectors - base);
  logical.forEach(({ first, count }, i) => {
    const sector = (first - 1) * sectorSize;
    record(disk, sector, 0, 0x83, 1, count);
    const next = logical[i + 1];
    if (next) record(disk, sector, 1, 0x05, next.first - 1 - base, next.count + 1);
    disk.writeUInt16BE(0x55aa, sector + 510);
  });
  fill(disk, sectorSize, [...primary, ...logical]);
  return disk;
}

/** As nanddump --oob writes it: a bad-block mark and ECC after each page that holds something, 0xFF after the others. */
export function nandDump(image: Uint8Array, data: number, spare: number, seed = 1): Buffer {
  const parts: Uint8Array[] = [];
  let state = seed;
  for (let at = 0; at < image.length; at += data) {
    const page = image.subarray(at, at + data);
    const area = new Uint8Array(spare).fill(0xff);
    const isBlank = page.every((byte) => byte === 0xff);
    const from = data === 512 ? 6 : 2;
    for (let i = from; i < spare && !isBlank; i++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      area[i] = state >>> 16;
    }
    parts.push(page, area);
  }
  return Buffer.concat(parts);
}

/** Chunks of an Android sparse image: bytes that stand there, a word that is repeated, or nothing. */
export type SparseChunk =
  | { readonly raw: Uint8Array }
  | { readonly fill: number; readonly blocks: number }
  | { readonly skip: number };

export function androidSparse(blockSize: number, chunks: readonly SparseChunk[]): Buffer {
  const parts: Buffer[] = [];
  let blocks = 0;
  for (const chunk of chunks) {
    const header = Buffer.alloc(12);
    const body = 'raw' in chunk ? Buffer.from(chunk.raw) : Buffer.alloc('fill' in chunk ? 4 : 0);
    if ('fill' in chunk) body.writeUInt32LE(chunk.fill, 0);
    const count = 'raw' in chunk ? chunk.raw.length / blockSize : 'fill' in chunk ? chunk.blocks : chunk.skip;
    header.writeUInt16LE('raw' in chunk ? 0xcac1 : 'fill' in chunk ? 0xcac2 : 0xcac3, 0);
    header.writeUInt32LE(count, 4);
    header.writeUInt32LE(12 + body.length, 8);
    parts.push(header, body);
    blocks += count;
  }
  const header = Buffer.alloc(28);
  header.writeUInt32LE(0xed26ff3a, 0);
  header.writeUInt16LE(1, 4);
  header.writeUInt16LE(28, 8);
  header.writeUInt16LE(12, 10);
  header.writeUInt32LE(blockSize, 12);
  header.writeUInt32LE(blocks, 16);
  header.writeUInt32LE(chunks.length, 20);
  return Buffer.concat([header, ...parts]);
}
