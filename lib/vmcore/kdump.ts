// makedumpfile's compressed format (kdump-compressed): where the notes of the vmcore stand in it. 32- and 64-bit, both
// byte orders. makedumpfile's `IMPLEMENTATION` and `diskdump_mod.h`; QEMU's `dump-guest-memory -z` writes it too.

import { Fields } from '../pstore/abi.js';

/** The eight bytes at 0. */
export const KDUMP_SIGNATURE = 'KDUMP   ';

/** Bytes of the main header that are read: it goes on to 464, and a block is never shorter. */
export const KDUMP_HEADER_SIZE = 464;
/** Bytes of the longest sub-header (64-bit, header version 6). */
export const KDUMP_SUB_HEADER_SIZE = 104;

const VERSION = 8;
/** struct new_utsname: six strings of 65 bytes. */
const UTSNAME = 12;
const UTSNAME_FIELD = 65;
/** What QEMU writes as the machine's name where it has none. */
const QEMU_NO_MACHINE = 'Unknown';
/** utsname ends at 402; then struct timeval, aligned and sized as the machine has it, then status. */
const BLOCK_SIZE_TIMEVAL8 = 416;
const BLOCK_SIZE_TIMEVAL16 = 428;

/** Header versions: 4 and later say where the notes are, 3 where VMCOREINFO is. */
export const KDUMP_NOTES_VERSION = 4;
const KDUMP_VMCOREINFO_VERSION = 3;
/** A sub-header of more blocks is taken for damage. */
const MAX_SUB_HEADER_BLOCKS = 1 << 24;
/** The newest that was seen is 6; a number beyond this one is taken for damage. */
const VERSION_LIMIT = 64;

export interface KdumpHeader {
  readonly endian: 'little' | 'big';
  readonly version: number;
  /** Bytes: the page size of the machine. */
  readonly blockSize: number;
  /** Blocks that the sub-header takes, notes included in dumps of some writers. 0: there is none. */
  readonly subHeaderBlocks: number;
  /** Blocks of the two bitmaps together, which follow the sub-header. */
  readonly bitmapBlocks: number;
  /** uname -r and -m of the crashed kernel; empty in dumps of QEMU, which does not know the one, nor always the other. */
  readonly release: string;
  readonly machine: string;
  /** Whether a long has 32 bits for certain; else the sub-header must tell. */
  readonly narrow: boolean;
}

export type KdumpLayout = 'lp64' | 'ilp32-align8' | 'ilp32-align4';

/** A reading of the sub-header. */
export interface KdumpNotes {
  readonly layout: KdumpLayout;
  /** File offset and bytes of the notes; 0 and 0 where there are none. */
  readonly offset: bigint;
  readonly size: bigint;
}

/** Whether the bytes begin with a signature, in ASCII. */
export function hasSignature(bytes: Uint8Array, signature: string): boolean {
  if (bytes.length < signature.length) return false;
  for (let at = 0; at < signature.length; at++) if (bytes[at] !== signature.charCodeAt(at)) return false;
  return true;
}

/**
 * @param bytes the file's first KDUMP_HEADER_SIZE bytes
 * @returns undefined when no byte order and word size makes sense of them
 */
export function readKdumpHeader(bytes: Uint8Array): KdumpHeader | undefined {
  if (bytes.length < KDUMP_HEADER_SIZE) return undefined;
  for (const endian of ['little', 'big'] as const) {
    const fields = new Fields(bytes, endian);
    const version = fields.u32(VERSION);
    if (version > VERSION_LIMIT) continue;
    const at = blockSizePlace(fields);
    if (at === undefined) continue;
    return {
      endian,
      version,
      blockSize: fields.u32(at),
      subHeaderBlocks: fields.u32(at + 4),
      bitmapBlocks: fields.u32(at + 8),
      release: utsname(bytes, 2),
      machine: machineText(bytes),
      narrow: at === BLOCK_SIZE_TIMEVAL8,
    };
  }
  return undefined;
}

/** Where block_size stands, and sub_hdr_size and bitmap_blocks after it; undefined where no place makes sense. */
function blockSizePlace(fields: Fields): number | undefined {
  const place = (order: readonly number[], makesSense: (subHeaderBlocks: number, bitmapBlocks: number) => boolean) =>
    order.find((at) => isBlockSize(fields.u32(at)) && makesSense(fields.u32(at + 4), fields.u32(at + 8)));
  const isSubHeader = (blocks: number) => blocks > 0 && blocks <= MAX_SUB_HEADER_BLOCKS;
  // In a wide header the narrow one's places hold the time, whose upper half is 0.
  const narrowFirst = [BLOCK_SIZE_TIMEVAL8, BLOCK_SIZE_TIMEVAL16];
  // Without a sub-header the microseconds of a wide header would pass for a narrow block size.
  const wideFirst = [BLOCK_SIZE_TIMEVAL16, BLOCK_SIZE_TIMEVAL8];
  // A narrow header's numbers of pages may pass for a wide one's sizes, but no bitmap follows them; notes alone need none.
  return (
    place(narrowFirst, (blocks, bitmap) => isSubHeader(blocks) && bitmap > 0) ??
    place(wideFirst, (blocks, bitmap) => blocks === 0 && bitmap > 0 && bitmap % 2 === 0) ??
    place(narrowFirst, isSubHeader)
  );
}

/**
 * Places in struct kdump_sub_header: whether the dump is one of several parts, and the first page frame of a part, an
 * `unsigned long`, and the same as 64 bits since version 6. Then offsets, each with a size after it, one `unsigned long`.
 */
const SUB_HEADERS = {
  lp64: { split: 12, start: 16, start64: 80, vmcoreinfo: 32, notes: 48, long: 8 },
  'ilp32-align8': { split: 8, start: 12, start64: 72, vmcoreinfo: 24, notes: 40, long: 4 },
  'ilp32-align4': { split: 8, start: 12, start64: 56, vmcoreinfo: 20, notes: 32, long: 4 },
} as const;
const KDUMP_SPLIT_VERSION = 2;
const KDUMP_WIDE_FRAMES_VERSION = 6;

/**
 * Where the notes are, by each layout that the sub-header may have, likely ones first. The caller takes the first that
 * leads to notes. None when the sub-header is cut or of an old version.
 * @param bytes the sub-header, which begins one block into the file
 */
export function kdumpNotes(header: KdumpHeader, bytes: Uint8Array): KdumpNotes[] {
  return header.version < KDUMP_NOTES_VERSION ? [] : placesOf('notes', header, bytes);
}

/** The same of VMCOREINFO alone. */
export function kdumpVmcoreinfo(header: KdumpHeader, bytes: Uint8Array): KdumpNotes[] {
  return header.version < KDUMP_VMCOREINFO_VERSION ? [] : placesOf('vmcoreinfo', header, bytes);
}

function placesOf(what: 'notes' | 'vmcoreinfo', header: KdumpHeader, bytes: Uint8Array): KdumpNotes[] {
  if (header.subHeaderBlocks === 0 || bytes.length < SUB_HEADERS.lp64.notes + 16) return [];
  const fields = new Fields(bytes, header.endian);
  const layouts = header.narrow
    ? (['ilp32-align8', 'ilp32-align4'] as const)
    : (['lp64', 'ilp32-align8', 'ilp32-align4'] as const);
  return layouts.map((layout) => {
    const { long, [what]: at } = SUB_HEADERS[layout];
    const size = long === 8 ? fields.u64(at + 8) : BigInt(fields.u32(at + 8));
    return { layout, offset: fields.u64(at), size };
  });
}

/** phys_base, the sub-header's first word. @param isNarrow whether a word has 32 bits */
export function kdumpPhysBase(header: KdumpHeader, bytes: Uint8Array, isNarrow: boolean): bigint | null {
  if (header.subHeaderBlocks === 0 || bytes.length < 8) return null;
  const fields = new Fields(bytes, header.endian);
  return isNarrow ? BigInt(fields.u32(0)) : fields.s64(0);
}

/** The first page frame of a part of a split dump, else 0. @param bytes the sub-header */
export function kdumpFirstFrame(header: KdumpHeader, layout: KdumpLayout, bytes: Uint8Array): number {
  const { split, start, start64, long } = SUB_HEADERS[layout];
  if (header.subHeaderBlocks === 0 || header.version < KDUMP_SPLIT_VERSION) return 0;
  if (bytes.length < KDUMP_SUB_HEADER_SIZE) return 0;
  const fields = new Fields(bytes, header.endian);
  if (fields.u32(split) !== 1) return 0;
  if (header.version < KDUMP_WIDE_FRAMES_VERSION && long === 4) return fields.u32(start);
  const frame = fields.u64(header.version < KDUMP_WIDE_FRAMES_VERSION ? start : start64);
  return frame < 2n ** 40n ? Number(frame) : 0;
}

function isBlockSize(size: number): boolean {
  return size >= 512 && size <= 1 << 24 && (size & (size - 1)) === 0;
}

function machineText(bytes: Uint8Array): string {
  const name = utsname(bytes, 4);
  return name === QEMU_NO_MACHINE ? '' : name;
}

function utsname(bytes: Uint8Array, index: number): string {
  const field = bytes.subarray(UTSNAME + index * UTSNAME_FIELD, UTSNAME + (index + 1) * UTSNAME_FIELD);
  const end = field.indexOf(0);
  const text = String.fromCharCode(...field.subarray(0, end < 0 ? field.length : end));
  return /^[\x20-\x7e]*$/.test(text) ? text : '';
}
