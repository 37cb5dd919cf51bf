// The bytes of a persistent RAM zone (ramoops): the header of a zone, and the line `====SECONDS.MICROS-C` of a dump.

import { isBlank } from '../bytes.js';
import { type Abi, Fields } from '../pstore/abi.js';
import { BLOCK } from '../storage/surviving.js';
import type { RamDialect } from './dialects.js';

/** fs/pstore/ram_core.c: PERSISTENT_RAM_SIG, the bytes `DBGC` on a little-endian machine. */
export const RAM_SIGNATURE = 0x43474244;
/** struct persistent_ram_buffer in front of a zone's data. */
export const RAM_HEADER_SIZE = 12;

const SIG = 0;
const START = 4;
const SIZE = 8;

export interface RamHeader {
  /** u32: RAM_SIGNATURE; in ftrace zones XOR the version code of the kernel. */
  readonly sig: number;
  /** u32: where the ring's next byte goes, in the data; mind the order, which pstore/zone has the other way round. */
  readonly start: number;
  /** u32: bytes of data. */
  readonly size: number;
}

/** @param bytes at least RAM_HEADER_SIZE bytes */
export function readRamHeader(bytes: Uint8Array, endian: Abi['endian']): RamHeader {
  return ramHeaderAt(new Fields(bytes, endian), 0);
}

/** One of many headers in a run of bytes. @param at leaves RAM_HEADER_SIZE bytes */
export function ramHeaderAt(fields: Fields, at: number): RamHeader {
  return { sig: fields.u32(at + SIG), start: fields.u32(at + START), size: fields.u32(at + SIZE) };
}

export function writeRamHeader(header: RamHeader, endian: Abi['endian']): Uint8Array {
  const bytes = new Uint8Array(RAM_HEADER_SIZE);
  const fields = new Fields(bytes, endian);
  fields.setU32(SIG, header.sig);
  fields.setU32(START, header.start);
  fields.setU32(SIZE, header.size);
  return bytes;
}

/**
 * struct ram_console_buffer of MediaTek's drivers/misc/mediatek/ram_console: sixteen words, of which the kernel's log
 * is told by the last four but one: where it stands, its ring's next byte, its length, and the room for it.
 */
export const SRAM_HEADER_SIZE = 64;
const SRAM_BUFFER_SIZE = 40;
const SRAM_LOG = 48;
const SRAM_LOG_START = 52;
const SRAM_LOG_SIZE = 56;
const SRAM_LOG_ROOM = 60;
/** Places and sizes of the boot loaders' logs, and where the kernel's own words begin. */
const SRAM_PLACES = [4, 8, 12, 16, 20, 24, 44] as const;

/** @param bytes at least SRAM_HEADER_SIZE bytes */
export function readSramHeader(
  bytes: Uint8Array,
  endian: Abi['endian'],
): RamHeader & {
  readonly whole: number;
  readonly log: number;
  readonly room: number;
  readonly others: readonly number[];
} {
  const fields = new Fields(bytes, endian);
  return {
    sig: fields.u32(SIG),
    start: fields.u32(SRAM_LOG_START),
    size: fields.u32(SRAM_LOG_SIZE),
    whole: fields.u32(SRAM_BUFFER_SIZE),
    log: fields.u32(SRAM_LOG),
    room: fields.u32(SRAM_LOG_ROOM),
    others: SRAM_PLACES.map((place) => fields.u32(place)),
  };
}

/** ftrace zones exist since Linux 3.6; LINUX_VERSION_CODE is major, patchlevel and sublevel, the latter two a byte each. */
const MIN_MAJOR = 3;
const MAX_MAJOR = 31;
/** No kernel had more than 20 releases in a series since. */
const MAX_PATCHLEVEL = 40;

/** The version code of the kernel that signed an ftrace zone, or undefined when it is no such signature. */
export function ftraceVersionCode(sig: number): number | undefined {
  const code = (sig ^ RAM_SIGNATURE) >>> 0;
  const major = code >>> 16;
  const patchlevel = (code >>> 8) & 255;
  return major >= MIN_MAJOR && major <= MAX_MAJOR && patchlevel <= MAX_PATCHLEVEL ? code : undefined;
}

/** `6.1.192`; a sublevel above 255 stands as 255 in the code. */
export function kernelVersion(code: number): string {
  return `${code >>> 16}.${(code >>> 8) & 255}.${code & 255}`;
}

/** What the first line of a dump says. */
export interface DumpLine {
  /** May be negative, and out of any range, where the line is damaged. */
  readonly seconds: bigint;
  /** 0 … 999,999 unless damaged. */
  readonly microseconds: bigint;
  readonly compressed: boolean;
  /** Bytes in front of the record. */
  readonly length: number;
}

/** RAMOOPS_KERNMSG_HDR. */
const MARK = '====';
/** Digits beyond this are no line of a kernel, and a longer search is no use. */
const LONGEST_LINE = 256;
/** isspace() of the kernel. */
const SPACE = new Set([9, 10, 11, 12, 13, 32, 0xa0]);

/**
 * The line as the kernel's sscanf takes it: `====%lld.%lu-%c\n`, or without `-%c` as older kernels wrote it, which means
 * not compressed. `\n` in it stands for any white space. After a compressed record's line only the line's own
 * newline is taken, where a kernel would take a first byte of the stream that happens to be white space too.
 * @returns undefined without such a line: a kernel does not show the record
 */
export function readDumpLine(data: Uint8Array): DumpLine | undefined {
  const head = String.fromCharCode(...data.subarray(0, LONGEST_LINE));
  const match = /^====[\t-\r \xa0]*(-?[0-9]+)\.[\t-\r \xa0]*([0-9]+)(?:-([^\0]))?/.exec(head);
  if (!match) return undefined;
  const compressed = match[3] === 'C';
  let length = match[0].length;
  if (compressed) length += SPACE.has(data[length] ?? 0) ? 1 : 0;
  else while (length < data.length && SPACE.has(data[length]!)) length++;
  return { seconds: BigInt(match[1]!), microseconds: BigInt(match[2]!), compressed, length };
}

/**
 * Whether a kernel reads a compressed record back from after its line: of one that begins with white space it takes the
 * first byte for a part of the line, and shows the rest as `.enc.z`.
 */
export function mayFollowDumpLine(record: Uint8Array): boolean {
  return !SPACE.has(record[0] ?? 0);
}

/** The same for drivers/char/ramoops.c, which took no white space after its line. */
export function readPlainLine(data: Uint8Array): DumpLine | undefined {
  const line = isDumpLine(data) ? readDumpLine(data) : undefined;
  return line && { ...line, compressed: false, length: data.indexOf(10) + 1 };
}

/** Whether the bytes begin with the line of a dump as drivers/char/ramoops.c wrote it, to its newline. */
export function isDumpLine(bytes: Uint8Array): boolean {
  return /^====[0-9]{1,20}\.[0-9]{1,9}\n/.test(String.fromCharCode(...bytes.subarray(0, 40)));
}

const NANOSECONDS = 1_000_000_000n;

/** @param timeNs nanoseconds since 1970; the line holds microseconds. @param style as the dialect writes it */
export function writeDumpLine(timeNs: bigint, compressed: boolean, style: RamDialect['line'] = 'padded'): Uint8Array {
  let seconds = timeNs / NANOSECONDS;
  let rest = timeNs % NANOSECONDS;
  if (rest < 0n) {
    seconds -= 1n;
    rest += NANOSECONDS;
  }
  const micros = String(rest / 1000n).padStart(style === 'padded' ? 6 : 1, '0');
  const flag = style === 'without-flag' ? '' : compressed ? '-C' : '-D';
  return new TextEncoder().encode(`${MARK}${seconds}.${micros}${flag}\n`);
}

/** Whether nothing was ever written there, or a header was lost with one or both of the blocks that it lies in. */
export function isBlankHeader(bytes: Uint8Array, offset: number, endian: Abi['endian']): boolean {
  const inFirst = BLOCK - (offset % BLOCK);
  if (inFirst >= 4) return isBlank(bytes);
  const first = bytes.subarray(0, inFirst);
  const second = bytes.subarray(inFirst);
  const isOfSignature = (part: Uint8Array, from: number) =>
    part.subarray(0, 4 - from).every((byte, at) => byte === signatureByte(from + at, endian));
  return (isBlank(first) || isOfSignature(first, 0)) && (isBlank(second) || isOfSignature(second, inFirst));
}

function signatureByte(at: number, endian: Abi['endian']): number {
  return (RAM_SIGNATURE >>> (8 * (endian === 'little' ? at : 3 - at))) & 0xff;
}
