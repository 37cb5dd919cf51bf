// The files in a tar archive, each of which stands in it in one piece (pax, IEEE Std 1003.1, "ustar Interchange Format").

import type { PartitionTable } from './partitions.js';
import { readRange, type Storage } from './storage.js';

const BLOCK = 512;
/** Fields of a header, as [first byte, end]. */
const NAME = [0, 100] as const;
const SIZE = [124, 136] as const;
const CHECKSUM = [148, 156] as const;
const MAGIC = [257, 262] as const;
const PREFIX = [345, 500] as const;
const TYPE_AT = 156;
/** Of a regular file: `0`, in old archives NUL. */
const REGULAR: readonly number[] = [0, 0x30];
/** GNU's tar writes a size that has more digits than the field as a big-endian number, after this byte. */
const IS_BINARY = 0x80;
/** As many files are looked at, and as many headers for them: a hostile archive may have any number. */
const MAX_FILES = 1024;
const MAX_HEADERS = 65_536;

interface Header {
  readonly name: string;
  readonly size: number;
  readonly isFile: boolean;
}

/** The regular files of an archive as if they were the partitions of a disk; undefined for what is no tar archive. */
export function readTar(storage: Storage): PartitionTable | undefined {
  const partitions: PartitionTable['partitions'][number][] = [];
  let header = headerAt(storage, 0);
  if (!header) return undefined;
  let headers = 0;
  for (let at = 0; header && partitions.length < MAX_FILES; header = headerAt(storage, at)) {
    if (headers++ === MAX_HEADERS) break;
    const offset: number = at + BLOCK;
    const { name, size } = header;
    const isThere = header.isFile && size > 0 && offset < storage.size;
    if (isThere) partitions.push({ number: partitions.length + 1, name, partUuid: '', offset, size });
    at = offset + Math.ceil(size / BLOCK) * BLOCK;
  }
  return { kind: 'tar', sectorSize: BLOCK, partitions, damage: undefined };
}

/** Undefined at the end of an archive, and where none is: its checksum tells. */
function headerAt(storage: Storage, at: number): Header | undefined {
  const block = readRange(storage, at, BLOCK);
  if (block.length < BLOCK || textOf(block, MAGIC) !== 'ustar') return undefined;
  const [from, to] = CHECKSUM;
  const sum = block.reduce((before, byte, i) => before + (i >= from && i < to ? 0x20 : byte), 0);
  const size = sizeOf(block);
  if (Number.parseInt(textOf(block, CHECKSUM), 8) !== sum || !Number.isSafeInteger(size) || size < 0) {
    return undefined;
  }
  const name = [textOf(block, PREFIX), textOf(block, NAME)].filter((part) => part !== '').join('/');
  return { name, size, isFile: REGULAR.includes(block[TYPE_AT]!) };
}

function textOf(block: Uint8Array, [from, to]: readonly [number, number]): string {
  return new TextDecoder().decode(block.subarray(from, to)).split('\0', 1)[0]!;
}

function sizeOf(block: Uint8Array): number {
  const [from, to] = SIZE;
  if (block[from] !== IS_BINARY) return Number.parseInt(textOf(block, SIZE).trim() || '0', 8);
  return block.subarray(from + 1, to).reduce((value, byte) => value * 256 + byte, 0);
}
