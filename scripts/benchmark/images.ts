// Images for the benchmark, and the same files for the peers: made here byte by byte, not by the code that is measured.

import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';

const SIGNATURE = 0x43474244;
const MAGIC = 0x4dfc3ae5;
const BUFFER_HEADER = { blkoops: 8, pstore_blk: 12 } as const;
const DMESG_HEADER = 40;
const OOPS = 2;

export type Generation = keyof typeof BUFFER_HEADER;

/** Bytes of the two headers of a dmesg zone. */
export function headerSize(generation: Generation): number {
  return BUFFER_HEADER[generation] + DMESG_HEADER;
}

/** Both headers of a dmesg zone of a little-endian 64-bit machine. @param length bytes of the record behind them */
export function zoneHeaders(generation: Generation, length: number, seconds: number, isCompressed = false): Buffer {
  const front = BUFFER_HEADER[generation];
  const bytes = Buffer.alloc(front + DMESG_HEADER);
  bytes.writeUInt32LE(SIGNATURE, 0);
  bytes.writeUInt32LE(DMESG_HEADER + length, 4);
  bytes.writeUInt32LE(MAGIC, front);
  bytes.writeBigInt64LE(BigInt(seconds), front + 8);
  bytes.writeBigInt64LE(0n, front + 16);
  bytes.writeUInt8(isCompressed ? 1 : 0, front + 24);
  bytes.writeInt32LE(1, front + 28);
  bytes.writeUInt32LE(OOPS, front + 32);
  return bytes;
}

/** What reading puts in front of a record that is stored as text. */
const FIRST_LINE: Readonly<Record<Generation, string>> = {
  blkoops: 'blkoops: Oops: Total 1 times\n',
  pstore_blk: 'Oops: Total 1 times\n',
};

export function recordName(generation: Generation, index: number): string {
  return `dmesg-${generation}-${index}`;
}

/** A kernel log, about as compressible as a real one. */
export function logText(bytes: number, seed: number): Buffer {
  const words = ['usb', 'eth0', 'link', 'is', 'not', 'ready', 'bus', 'device', 'driver', 'registered', 'irq', 'memory'];
  const parts: string[] = [`Oops#${seed + 1} Part1\n`];
  let length = parts[0]!.length;
  let state = seed * 2654435761 + 1;
  for (let line = 0; length < bytes; line++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const pick = (shift: number) => words[(state >>> shift) % words.length];
    const text = `<6>[${(line / 7).toFixed(6).padStart(12)}] ${pick(0)} ${pick(4)} ${state.toString(16)}: ${pick(8)} ${pick(12)}\n`;
    parts.push(text);
    length += text.length;
  }
  return Buffer.from(parts.join('').slice(0, bytes), 'latin1');
}

/** The same files three times: as an image of zones, as a folder, as a squashfs that is not compressed. */
export interface FileSet {
  readonly image: string;
  readonly folder: string;
  readonly squashfs: string;
  readonly names: readonly string[];
  readonly bytes: number;
}

/** A run of `records` zones of `zoneSize` bytes, each with `text(i)`; what is behind a record in its zone is a hole. */
export function writeImage(
  path: string,
  { generation = 'blkoops', zoneSize, records, text, isCompressed = false }: ImagePlan,
): void {
  if (existsSync(path)) return;
  const fd = openSync(path, 'w');
  ftruncateSync(fd, zoneSize * records);
  for (let index = 0; index < records; index++) {
    const data = text(index);
    const headers = zoneHeaders(generation, data.length, 1_700_000_000 + index, isCompressed);
    writeSync(fd, Buffer.concat([headers, data]), 0, undefined, index * zoneSize);
  }
  fdatasyncSync(fd);
  closeSync(fd);
}

export interface ImagePlan {
  readonly generation?: Generation;
  readonly zoneSize: number;
  readonly records: number;
  readonly text: (index: number) => Uint8Array;
  readonly isCompressed?: boolean;
}

/** Files of `size` bytes each, as shown. */
export function fileSet(work: string, name: string, records: number, size: number): FileSet {
  const generation: Generation = 'blkoops';
  const line = Buffer.from(FIRST_LINE[generation]);
  const texts = Array.from({ length: 16 }, (_, i) => logText(size - line.length, i));
  const image = join(work, `${name}.raw`);
  const zoneSize = Math.ceil((size - line.length + headerSize(generation)) / 4096) * 4096;
  writeImage(image, { generation, zoneSize, records, text: (i) => texts[i % texts.length]! });
  const names = Array.from({ length: records }, (_, i) => recordName(generation, i));
  const contents = texts.map((text) => Buffer.concat([line, text]));
  return { ...peersOf(work, name, names, (i) => contents[i % contents.length]!), image, names, bytes: records * size };
}

/** The folder and the squashfs. */
export function peersOf(
  work: string,
  name: string,
  names: readonly string[],
  content: (index: number) => Uint8Array,
): { folder: string; squashfs: string } {
  const folder = join(work, name);
  const squashfs = join(work, `${name}.squashfs`);
  if (existsSync(squashfs)) return { folder, squashfs };
  mkdirSync(folder, { recursive: true });
  for (const [i, file] of names.entries()) writeFileSync(join(folder, file), content(i));
  const plain = ['-noI', '-noD', '-noF', '-noX', '-no-progress', '-quiet', '-noappend'];
  const { status, stderr } = spawnSync('mksquashfs', [folder, squashfs, ...plain], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`mksquashfs: ${stderr}`);
  return { folder, squashfs };
}

/** Compressed records as pstore makes them, and the streams by themselves. */
export function compressedImage(work: string, records: number, size: number): { image: string; streams: Buffer[] } {
  const streams = Array.from({ length: 16 }, (_, i) => deflateRawSync(logText(size, i), { windowBits: 11 }));
  const image = join(work, 'compressed.raw');
  const largest = Math.max(...streams.map(({ length }) => length)) + headerSize('blkoops');
  const zoneSize = Math.max(Math.ceil(largest / 4096) * 4096, Math.ceil(size / 2 / 4096) * 4096);
  writeImage(image, { zoneSize, records, text: (i) => streams[i % streams.length]!, isCompressed: true });
  return { image, streams };
}

/** A vmcore with one device dump, whose note is `total` bytes (whole pages), and the dump as a file. */
export function largeSet(work: string, total: number): FileSet {
  const name = 'large';
  const image = join(work, 'vmcore');
  const shown = 'device-vmcoredd-0';
  const block = logText(1 << 20, 1);
  const page = 4096;
  // ELF header, one PT_NOTE and one empty PT_LOAD; the note stands on the next page.
  const bytes = total - 64;
  const head = Buffer.alloc(page);
  head.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  head.writeUInt16LE(4, 16);
  head.writeUInt16LE(62, 18);
  head.writeUInt32LE(1, 20);
  head.writeBigUInt64LE(64n, 32);
  head.writeUInt16LE(64, 52);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(2, 56);
  const segment = (at: number, type: number, offset: number, size: number) => {
    head.writeUInt32LE(type, at);
    head.writeBigUInt64LE(BigInt(offset), at + 8);
    head.writeBigUInt64LE(BigInt(size), at + 32);
    head.writeBigUInt64LE(BigInt(size), at + 40);
  };
  segment(64, 4, page, total);
  segment(120, 1, page + total, page);
  const note = Buffer.alloc(64);
  note.writeUInt32LE(8, 0);
  note.writeUInt32LE(total - 20, 4);
  note.writeUInt32LE(0x700, 8);
  note.write('LINUX\0\0\0', 12, 'latin1');
  note.write('bench', 20, 'latin1');
  if (!existsSync(image)) {
    const fd = openSync(image, 'w');
    writeSync(fd, head, 0, undefined, 0);
    writeSync(fd, note, 0, undefined, page);
    for (let at = 0; at < bytes; at += block.length) {
      writeSync(fd, block, 0, Math.min(block.length, bytes - at), page + 64 + at);
    }
    ftruncateSync(fd, page + total + page);
    closeSync(fd);
  }
  const content = () => Buffer.alloc(bytes, block);
  return { image, names: [shown], bytes, ...peersOf(work, name, [shown], content) };
}
