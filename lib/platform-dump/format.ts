// The header of a saved platform dump (SYSDUMP, FSPDUMP, …): its name, and the directory of its sections. Big-endian on
// every machine. Facts: struct dump_file_hdr and sec_dir_entry of ppc64-diag's opal-dump-parse, by their layout.

import { Fields } from '../pstore/abi.js';

/** label 8 at 0, directory size u16 at 8, type u16 at 0x14, length of the name's prefix u16 at 0x16, name 40 at 0x18. */
const DUMP_HEADER_SIZE = 0x40;
const LABEL = 'FILE';
const LABEL_SIZE = 8;
const NAME_OFFSET = 0x18;
export const DUMP_NAME_SIZE = 40;

/** label 8 at 0, size of this entry u16 at 8, flags u32 at 0x10, type u16 at 0x14, section size u64 at 0x18, name 8 at 0x20. */
const SECTION_ENTRY_SIZE = 0x28;
const SECTION_LABEL = 'SECTION';
const SECTION_LAST = 1;
/** Bytes that hold the header and as many section entries as any dump was seen to have, and more. */
export const DUMP_DIRECTORY_SIZE = 4096;

export interface PlatformDumpHeader {
  readonly directorySize: number;
  readonly type: number;
  /** How much of the name says what kind of dump it is. */
  readonly prefixLength: number;
  /** The name's bytes up to the first NUL, without the spaces that fill it. */
  readonly name: Uint8Array;
}

export interface DumpSection {
  readonly type: number;
  readonly size: bigint;
}

/** @returns undefined where no saved dump begins */
export function readPlatformDumpHeader(bytes: Uint8Array): PlatformDumpHeader | undefined {
  if (bytes.length < DUMP_HEADER_SIZE || !hasLabel(bytes, 0, LABEL)) return undefined;
  const fields = new Fields(bytes, 'big');
  return {
    directorySize: fields.u16(8),
    type: fields.u16(0x14),
    prefixLength: fields.u16(0x16),
    name: trimmed(bytes.subarray(NAME_OFFSET, NAME_OFFSET + DUMP_NAME_SIZE)),
  };
}

/** A label of up to 8 bytes, filled with NUL or spaces. */
function hasLabel(bytes: Uint8Array, offset: number, label: string): boolean {
  for (let i = 0; i < LABEL_SIZE; i++) {
    const byte = bytes[offset + i];
    if (i < label.length ? byte !== label.charCodeAt(i) : byte !== 0 && byte !== 0x20) return false;
  }
  return true;
}

function trimmed(field: Uint8Array): Uint8Array {
  const nul = field.indexOf(0);
  let end = nul < 0 ? field.length : nul;
  while (end > 0 && field[end - 1] === 0x20) end--;
  return field.subarray(0, end);
}

/** The section entries that stand whole in `bytes`, up to the one that says it is the last. */
export function readDumpSections(bytes: Uint8Array): DumpSection[] {
  const sections: DumpSection[] = [];
  const fields = new Fields(bytes, 'big');
  for (let at = DUMP_HEADER_SIZE; at + SECTION_ENTRY_SIZE <= bytes.length; ) {
    if (!hasLabel(bytes, at, SECTION_LABEL)) break;
    sections.push({ type: fields.u16(at + 0x14), size: fields.u64(at + 0x18) });
    const size = fields.u16(at + 8);
    if ((fields.u32(at + 0x10) & SECTION_LAST) !== 0 || size < SECTION_ENTRY_SIZE) break;
    at += size;
  }
  return sections;
}

/** Bytes of a file's name: some are left for `.2` and so on after it. */
const FILE_NAME_MAX = 240;

/** What a file name may hold without surprising a shell, a script or a terminal. */
const UNSAFE = /[^A-Za-z0-9._+:@=-]/g;

/**
 * A header's name as a file name: every byte that is no letter, digit or one of `. _ + : @ = -` becomes `_`, and so does
 * a dot or a dash at the beginning: the one would hide the file, the other make an option of its name.
 * @returns undefined when nothing of the name is left
 */
export function dumpFileName(name: Uint8Array): string | undefined {
  return safeFileName(name.subarray(0, DUMP_NAME_SIZE));
}

/** The same for any name of up to 255 bytes. */
export function safeFileName(name: Uint8Array): string | undefined {
  const text = String.fromCharCode(...name.subarray(0, FILE_NAME_MAX)).replace(UNSAFE, '_');
  return /^[_.-]*$/.test(text) ? undefined : text.replace(/^[.-]/, '_');
}

/**
 * The time at the end of a name, `YYYYMMDDhhmmss`, read as UTC: a name does not tell its time zone.
 * @returns nanoseconds since 1970, or undefined when the name does not end in a time
 */
export function dumpNameTime(name: Uint8Array): bigint | undefined {
  const match = /\.(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(
    String.fromCharCode(...name.subarray(0, DUMP_NAME_SIZE)),
  );
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const time = Date.UTC(year, month - 1, day, hour, minute, second);
  const iso = `${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}.000Z`;
  return year >= 1970 && new Date(time).toISOString() === iso ? BigInt(time) * 1_000_000n : undefined;
}
