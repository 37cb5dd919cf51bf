// The partitions of an image of a whole disk: GPT (UEFI specification 2.10, section 5.3) and MBR (section 5.2).

import { crc32 } from '../crc32.js';
import { readRange, type Storage } from './storage.js';

export interface Partition {
  /** From 1; logical partitions of an MBR begin with 5. */
  readonly number: number;
  /** The label of a GPT partition; empty where there is none. */
  readonly name: string;
  /** As Linux and its udev have it, in lower case. */
  readonly partUuid: string;
  /** First byte in the disk. */
  readonly offset: number;
  /** Bytes that the table gives it; where the image was cut it has fewer. */
  readonly size: number;
}

export interface PartitionTable {
  readonly kind: 'GPT' | 'MBR' | 'tar';
  readonly sectorSize: number;
  /** In the order of their numbers. All begin inside the disk. */
  readonly partitions: readonly Partition[];
  /** What is wrong with the table, as a part of a sentence; undefined where it is whole. */
  readonly damage: string | undefined;
}

/** Logical block sizes that disks have; the first is by far the most frequent. */
const SECTOR_SIZES = [512, 4096, 2048, 1024] as const;

/** More partitions than this are counted, not listed, in a sentence. */
export const MAX_LISTED = 16;

/** What a file with such a table is, and what its parts are, as they stand in a sentence. */
export const TABLE_WORDS: Readonly<Record<PartitionTable['kind'], { readonly whole: string; readonly part: string }>> =
  {
    GPT: { whole: 'a disk with a partition table (GPT)', part: 'partition' },
    MBR: { whole: 'a disk with a partition table (MBR)', part: 'partition' },
    tar: { whole: 'a tar archive', part: 'file' },
  };

/** `2 "pstore" (offset=1048576,size=262144)` */
export function partitionText({ number, name, offset, size }: Partition): string {
  return `${number}${name === '' ? '' : ` "${name}"`} (offset=${offset},size=${size})`;
}

/** The partitions without those that overlap a smaller one, or an equal one before them: a crash log needs little room. */
export function withoutOverlaps(partitions: readonly Partition[]): { apart: Partition[]; passed: Partition[] } {
  const apart = new Set<Partition>();
  for (const one of partitions.toSorted((a, b) => a.size - b.size)) {
    const isFree = ({ offset, size }: Partition) => one.offset >= offset + size || offset >= one.offset + one.size;
    if ([...apart].every(isFree)) apart.add(one);
  }
  return {
    apart: partitions.filter((one) => apart.has(one)),
    passed: partitions.filter((one) => !apart.has(one)),
  };
}

/** What is said of those that overlap others, of which there is at least one. */
export function passedText(passed: readonly Partition[], kind: PartitionTable['kind']): string {
  const numbers = passed.slice(0, MAX_LISTED).map(({ number }) => number);
  const more = passed.length > numbers.length ? ` and ${passed.length - numbers.length} more` : '';
  const what = `${TABLE_WORDS[kind].part} ${numbers.join(', ')}${more}`;
  return `not looked into, since it overlaps another one: ${what}; part=${numbers[0]} opens it all the same`;
}

// ── GPT ──

const GPT_SIGNATURE = new TextEncoder().encode('EFI PART');
/** Table 5.5, GPT Header. */
const GPT = { headerSize: 12, crc: 16, entriesLba: 72, count: 80, entrySize: 84, entriesCrc: 88 };
const GPT_MIN_HEADER = 92;
/** Table 5.6, GPT Partition Entry. */
const ENTRY = { type: 0, id: 16, first: 32, last: 40, name: 56, end: 128 };
const MAX_ENTRY_SIZE = 4096;
/** Tables have 128 entries as a rule; a hostile one may claim any number. */
const MAX_ENTRIES = 1024;

/**
 * The partition tables that an image may have: none, one, or an MBR in several readings, since an MBR does not tell the
 * size of its sectors. The likeliest reading comes first.
 */
export function readPartitionTables(storage: Storage): readonly PartitionTable[] {
  const head = readRange(storage, 0, SECTOR_SIZES[1] + GPT_MIN_HEADER);
  const gpt = readGpt(storage, head);
  if (gpt) return [gpt];
  return SECTOR_SIZES.flatMap((sectorSize) => readMbr(storage, head, sectorSize) ?? []);
}

function readGpt(storage: Storage, head: Uint8Array): PartitionTable | undefined {
  const sectorSize = SECTOR_SIZES.find((size) => hasSignature(head.subarray(size)));
  if (sectorSize !== undefined) {
    const first = gptAt(storage, sectorSize, sectorSize);
    if (first && !first.damage) return first;
    const last = gptAt(storage, storage.size - sectorSize, sectorSize);
    if (last && !last.damage) return { ...last, damage: 'its first copy is damaged, so the one at the end is used' };
    return first;
  }
  // Where a protective MBR stands, or all was overwritten with zeros, the copy at the end may be all that is left.
  if (!isProtective(head) && head.some((byte) => byte !== 0)) return undefined;
  for (const size of SECTOR_SIZES) {
    const last = gptAt(storage, storage.size - size, size);
    if (last) return { ...last, damage: 'its first copy is lost, so the one at the end is used' };
  }
  return undefined;
}

function hasSignature(bytes: Uint8Array): boolean {
  return bytes.length >= GPT_SIGNATURE.length && GPT_SIGNATURE.every((byte, i) => bytes[i] === byte);
}

/** A table whose checksums are wrong is given with what is wrong. */
function gptAt(storage: Storage, at: number, sectorSize: number): PartitionTable | undefined {
  if (at < sectorSize) return undefined;
  const sector = readRange(storage, at, sectorSize);
  if (sector.length < sectorSize || !hasSignature(sector)) return undefined;
  const view = new DataView(sector.buffer, sector.byteOffset, sector.byteLength);
  const headerSize = view.getUint32(GPT.headerSize, true);
  const count = Math.min(view.getUint32(GPT.count, true), MAX_ENTRIES);
  const entrySize = view.getUint32(GPT.entrySize, true);
  const entriesAt = bytesOf(view.getBigUint64(GPT.entriesLba, true), sectorSize);
  if (headerSize < GPT_MIN_HEADER || headerSize > sectorSize || entriesAt === undefined) return undefined;
  if (entrySize < ENTRY.end || entrySize > MAX_ENTRY_SIZE) return undefined;
  const entries = readRange(storage, entriesAt, count * entrySize);
  const checked = sector.slice(0, headerSize).fill(0, GPT.crc, GPT.crc + 4);
  const isSound =
    crc32(checked) === view.getUint32(GPT.crc, true) && crc32(entries) === view.getUint32(GPT.entriesCrc, true);
  const partitions: Partition[] = [];
  for (let i = 0; (i + 1) * entrySize <= entries.length; i++) {
    const entry = gptEntry(entries.subarray(i * entrySize, (i + 1) * entrySize), i + 1, sectorSize);
    if (entry && entry.offset < storage.size) partitions.push(entry);
  }
  return { kind: 'GPT', sectorSize, partitions, damage: isSound ? undefined : 'its checksums are wrong' };
}

function gptEntry(entry: Uint8Array, number: number, sectorSize: number): Partition | undefined {
  if (entry.subarray(ENTRY.type, ENTRY.id).every((byte) => byte === 0)) return undefined;
  const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
  const offset = bytesOf(view.getBigUint64(ENTRY.first, true), sectorSize);
  const end = bytesOf(view.getBigUint64(ENTRY.last, true) + 1n, sectorSize);
  if (offset === undefined || end === undefined || offset === 0 || end <= offset) return undefined;
  const [name = ''] = new TextDecoder('utf-16le').decode(entry.subarray(ENTRY.name, ENTRY.end)).split('\0', 1);
  return { number, name, partUuid: guidText(view, ENTRY.id), offset, size: end - offset };
}

/** Undefined where it is no place on any disk. */
function bytesOf(lba: bigint, sectorSize: number): number | undefined {
  const bytes = lba * BigInt(sectorSize);
  return bytes <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(bytes) : undefined;
}

/** Appendix A: the first three fields of a GUID are little-endian. */
function guidText(view: DataView, at: number): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  const rest = Array.from({ length: 8 }, (_, i) => hex(view.getUint8(at + 8 + i), 2)).join('');
  const fields = [hex(view.getUint32(at, true), 8), hex(view.getUint16(at + 4, true), 4)];
  return [...fields, hex(view.getUint16(at + 6, true), 4), rest.slice(0, 4), rest.slice(4)].join('-');
}

// ── MBR ──

/** Table 5.1, Legacy MBR. */
const MBR = { diskSignature: 440, records: 446, mark: 510, size: 512 };
/** Table 5.2, Legacy MBR Partition Record. */
const RECORD = { boot: 0, type: 4, first: 8, count: 12, size: 16 };
const RECORDS = 4;
const PROTECTIVE = 0xee;
/** Types of partitions that hold a chain of logical ones: CHS, LBA, and Linux's own. */
const EXTENDED: readonly number[] = [0x05, 0x0f, 0x85];
const FIRST_LOGICAL = 5;
/** Linux itself knows no more partitions of a disk. */
const MAX_LOGICAL = 256;

interface MbrRecord {
  readonly type: number;
  readonly first: number;
  readonly count: number;
}

/** The four records, those not used as undefined; undefined where it is no partition table, but a boot sector or data. */
function mbrRecords(sector: Uint8Array): readonly (MbrRecord | undefined)[] | undefined {
  if (sector.length < MBR.size || sector[MBR.mark] !== 0x55 || sector[MBR.mark + 1] !== 0xaa) return undefined;
  const view = new DataView(sector.buffer, sector.byteOffset, sector.byteLength);
  const records: (MbrRecord | undefined)[] = [];
  for (let i = 0; i < RECORDS; i++) {
    const at = MBR.records + i * RECORD.size;
    if ((view.getUint8(at + RECORD.boot) & 0x7f) !== 0) return undefined;
    const type = view.getUint8(at + RECORD.type);
    const first = view.getUint32(at + RECORD.first, true);
    const count = view.getUint32(at + RECORD.count, true);
    records.push(type === 0 || count === 0 ? undefined : { type, first, count });
  }
  return records;
}

function isProtective(head: Uint8Array): boolean {
  return mbrRecords(head)?.some((record) => record?.type === PROTECTIVE) ?? false;
}

/** @returns undefined where the MBR is none, or cannot be meant in sectors of this size */
function readMbr(storage: Storage, head: Uint8Array, sectorSize: number): PartitionTable | undefined {
  const records = mbrRecords(head);
  if (!records || isProtective(head)) return undefined;
  const used = records.filter((record) => record !== undefined);
  const isPlausible = used.every(({ first, count }, i) => {
    const isFree = used.every(
      (other, j) => j <= i || other.first >= first + count || other.first + other.count <= first,
    );
    return isFree && first > 0 && first * sectorSize < storage.size;
  });
  if (used.length === 0 || !isPlausible) return undefined;
  // Another size than the usual one is believed only where everything fits.
  const isUsual = sectorSize === SECTOR_SIZES[0];
  if (!isUsual && used.some(({ first, count }) => (first + count) * sectorSize > storage.size)) return undefined;
  const signature = new DataView(head.buffer, head.byteOffset, head.byteLength).getUint32(MBR.diskSignature, true);
  const made = (number: number, first: number, count: number): Partition => ({
    number,
    name: '',
    partUuid: `${signature.toString(16).padStart(8, '0')}-${number.toString(16).padStart(2, '0')}`,
    offset: first * sectorSize,
    size: count * sectorSize,
  });
  const partitions = records.flatMap((record, i) =>
    record && !EXTENDED.includes(record.type) ? [made(i + 1, record.first, record.count)] : [],
  );
  const chain = used.find(({ type }) => EXTENDED.includes(type));
  const logical = chain ? logicalPartitions(storage, chain.first, sectorSize) : [];
  logical.forEach(({ first, count }, i) => {
    partitions.push(made(FIRST_LOGICAL + i, first, count));
  });
  return { kind: 'MBR', sectorSize, partitions, damage: undefined };
}

/** A chain of sectors like an MBR: the first record is a partition, the second leads to the next sector. */
function logicalPartitions(storage: Storage, base: number, sectorSize: number): { first: number; count: number }[] {
  const found: { first: number; count: number }[] = [];
  const seen = new Set<number>();
  for (let sector = base; !seen.has(sector) && seen.size < MAX_LOGICAL; ) {
    seen.add(sector);
    const records = mbrRecords(readRange(storage, sector * sectorSize, MBR.size));
    const [own, next] = records ?? [];
    if (own && (sector + own.first) * sectorSize < storage.size) {
      found.push({ first: sector + own.first, count: own.count });
    }
    if (!next) break;
    sector = base + next.first;
  }
  return found;
}
