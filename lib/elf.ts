// ELF as far as core files need it: the file header, program headers and what a section header says about them,
// 32- and 64-bit, in either byte order (System V gABI; linux/elf.h).

import { PstoreError } from './errors.js';
import { Fields } from './pstore/abi.js';

/** e_type of a core file. */
export const ET_CORE = 4;
export const PT_LOAD = 1;
export const PT_NOTE = 4;
/** e_phnum of a file with more program headers than it can count: the number is sh_info of section header 0. */
export const PN_XNUM = 0xffff;
export const SHT_NULL = 0;
export const SHT_NOBITS = 8;

/** Longest ELF header. */
export const ELF_HEADER_MAX = 64;

const EI_CLASS = 4;
const EI_DATA = 5;
const EI_VERSION = 6;
const EI_OSABI = 7;
const EV_CURRENT = 1;
const E_TYPE = 16;
const E_MACHINE = 18;
const E_VERSION = 20;
const E_ENTRY = 24;

/** Bytes of each struct, by e_ident's class. */
const SIZES = {
  32: { header: 52, program: 32, section: 40 },
  64: { header: 64, program: 56, section: 64 },
} as const;

export type ElfBits = 32 | 64;

/** The parts of Elf32_Ehdr and Elf64_Ehdr. Nothing of it is checked but magic, class, byte order and length. */
export interface ElfHeader {
  readonly bits: ElfBits;
  readonly endian: 'little' | 'big';
  readonly osabi: number;
  readonly type: number;
  readonly machine: number;
  readonly entry: bigint;
  /** File offsets of the two tables. */
  readonly phoff: bigint;
  readonly shoff: bigint;
  readonly flags: number;
  /** QEMU writes 8 here: not to be relied on. */
  readonly ehsize: number;
  readonly phentsize: number;
  readonly phnum: number;
  /** The three of the section table: garbage in a big-endian core of QEMU 7.2. */
  readonly shentsize: number;
  readonly shnum: number;
  readonly shstrndx: number;
}

export interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  /** File offset of the segment. */
  readonly offset: bigint;
  readonly vaddr: bigint;
  readonly paddr: bigint;
  /** Bytes in the file. */
  readonly filesz: bigint;
  /** Bytes in memory. */
  readonly memsz: bigint;
  readonly align: bigint;
}

export interface SectionHeader {
  readonly type: number;
  /** File offset of the section. */
  readonly offset: bigint;
  readonly size: bigint;
  readonly info: number;
}

/** Bytes of Elf32_Ehdr or Elf64_Ehdr. */
export function elfHeaderSize(bits: ElfBits): number {
  return SIZES[bits].header;
}

/** Bytes of Elf32_Phdr or Elf64_Phdr. */
export function programHeaderSize(bits: ElfBits): number {
  return SIZES[bits].program;
}

/** Bytes of Elf32_Shdr or Elf64_Shdr. */
export function sectionHeaderSize(bits: ElfBits): number {
  return SIZES[bits].section;
}

/** Whether the bytes begin with the magic of an ELF file. */
export function hasElfMagic(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** Whether the bytes begin as a core file does. Never throws. */
export function isCore(bytes: Uint8Array): boolean {
  if (!hasElfMagic(bytes) || bytes.length < E_MACHINE) return false;
  const big = bytes[EI_DATA] === 2;
  return bytes[E_TYPE + (big ? 1 : 0)] === ET_CORE && bytes[E_TYPE + (big ? 0 : 1)] === 0;
}

/**
 * @param bytes the file's first bytes, ELF_HEADER_MAX of them where there are so many
 * @param where the file's name, for the message
 * @throws PstoreError EBADMSG when this is no ELF header, or not a whole one
 */
export function readElfHeader(bytes: Uint8Array, where: string): ElfHeader {
  if (!hasElfMagic(bytes)) throw bad(where, 0, 'this is no ELF file: it does not begin with 7f 45 4c 46');
  const classByte = bytes[EI_CLASS];
  if (classByte !== 1 && classByte !== 2) {
    throw bad(where, EI_CLASS, `the ELF class is ${classByte ?? 'missing'}, neither 1 (32-bit) nor 2 (64-bit)`);
  }
  const dataByte = bytes[EI_DATA];
  if (dataByte !== 1 && dataByte !== 2) {
    throw bad(where, EI_DATA, `the ELF byte order is ${dataByte ?? 'missing'}, neither 1 (little) nor 2 (big)`);
  }
  const bits: ElfBits = classByte === 1 ? 32 : 64;
  const size = elfHeaderSize(bits);
  if (bytes.length < size) {
    throw bad(where, bytes.length, `the file ends after ${bytes.length} bytes, inside its ELF header of ${size}`);
  }
  const endian = dataByte === 1 ? 'little' : 'big';
  const fields = new Fields(bytes, endian);
  const word = bits / 8;
  const tail = E_ENTRY + 3 * word;
  return {
    bits,
    endian,
    osabi: fields.u8(EI_OSABI),
    type: fields.u16(E_TYPE),
    machine: fields.u16(E_MACHINE),
    entry: readWord(fields, E_ENTRY, bits),
    phoff: readWord(fields, E_ENTRY + word, bits),
    shoff: readWord(fields, E_ENTRY + 2 * word, bits),
    flags: fields.u32(tail),
    ehsize: fields.u16(tail + 4),
    phentsize: fields.u16(tail + 6),
    phnum: fields.u16(tail + 8),
    shentsize: fields.u16(tail + 10),
    shnum: fields.u16(tail + 12),
    shstrndx: fields.u16(tail + 14),
  };
}

/** The header as bytes, 52 or 64 of them. */
export function encodeElfHeader(header: ElfHeader): Uint8Array {
  const bytes = new Uint8Array(elfHeaderSize(header.bits));
  bytes.set([0x7f, 0x45, 0x4c, 0x46]);
  const fields = new Fields(bytes, header.endian);
  fields.setU8(EI_CLASS, header.bits === 32 ? 1 : 2);
  fields.setU8(EI_DATA, header.endian === 'little' ? 1 : 2);
  fields.setU8(EI_VERSION, EV_CURRENT);
  fields.setU8(EI_OSABI, header.osabi);
  fields.setU16(E_TYPE, header.type);
  fields.setU16(E_MACHINE, header.machine);
  fields.setU32(E_VERSION, EV_CURRENT);
  const word = header.bits / 8;
  writeWord(fields, E_ENTRY, header.bits, header.entry);
  setElfTables(fields, header.bits, header.phoff, header.shoff);
  const tail = E_ENTRY + 3 * word;
  fields.setU32(tail, header.flags);
  fields.setU16(tail + 4, header.ehsize);
  fields.setU16(tail + 6, header.phentsize);
  fields.setU16(tail + 8, header.phnum);
  fields.setU16(tail + 10, header.shentsize);
  fields.setU16(tail + 12, header.shnum);
  fields.setU16(tail + 14, header.shstrndx);
  return bytes;
}

/** Sets e_phoff and e_shoff in the bytes of a header, and nothing else. */
export function setElfTables(fields: Fields, bits: ElfBits, phoff: bigint, shoff: bigint): void {
  writeWord(fields, E_ENTRY + bits / 8, bits, phoff);
  writeWord(fields, E_ENTRY + (2 * bits) / 8, bits, shoff);
}

/** @param at offset of the struct, of which all bytes must be there */
export function readProgramHeader(fields: Fields, at: number, bits: ElfBits): ProgramHeader {
  const place = programHeaderPlaces(at, bits);
  return {
    type: fields.u32(at),
    flags: fields.u32(place.flags),
    offset: readWord(fields, place.offset, bits),
    vaddr: readWord(fields, place.vaddr, bits),
    paddr: readWord(fields, place.paddr, bits),
    filesz: readWord(fields, place.filesz, bits),
    memsz: readWord(fields, place.memsz, bits),
    align: readWord(fields, place.align, bits),
  };
}

/** @param at offset of the struct, for all bytes of which there must be room */
export function writeProgramHeader(fields: Fields, at: number, bits: ElfBits, header: ProgramHeader): void {
  const place = programHeaderPlaces(at, bits);
  fields.setU32(at, header.type);
  fields.setU32(place.flags, header.flags);
  writeWord(fields, place.offset, bits, header.offset);
  writeWord(fields, place.vaddr, bits, header.vaddr);
  writeWord(fields, place.paddr, bits, header.paddr);
  writeWord(fields, place.filesz, bits, header.filesz);
  writeWord(fields, place.memsz, bits, header.memsz);
  writeWord(fields, place.align, bits, header.align);
}

/** Elf32_Phdr has p_flags next to last, Elf64_Phdr has it second. */
function programHeaderPlaces(at: number, bits: ElfBits) {
  const word = bits / 8;
  const first = bits === 32 ? at + 4 : at + 8;
  return {
    flags: bits === 32 ? at + 24 : at + 4,
    offset: first,
    vaddr: first + word,
    paddr: first + 2 * word,
    filesz: first + 3 * word,
    memsz: first + 4 * word,
    align: bits === 32 ? at + 28 : at + 48,
  };
}

/** @param at offset of the struct, of which all bytes must be there */
export function readSectionHeader(fields: Fields, at: number, bits: ElfBits): SectionHeader {
  return {
    type: fields.u32(at + 4),
    offset: readWord(fields, at + sectionOffsetPlace(bits), bits),
    size: readWord(fields, at + sectionOffsetPlace(bits) + bits / 8, bits),
    info: fields.u32(at + (bits === 32 ? 28 : 44)),
  };
}

/** Sets sh_offset of one section header, and nothing else. */
export function setSectionOffset(fields: Fields, at: number, bits: ElfBits, offset: bigint): void {
  writeWord(fields, at + sectionOffsetPlace(bits), bits, offset);
}

function sectionOffsetPlace(bits: ElfBits): number {
  return bits === 32 ? 16 : 24;
}

function readWord(fields: Fields, at: number, bits: ElfBits): bigint {
  return bits === 32 ? BigInt(fields.u32(at)) : fields.u64(at);
}

function writeWord(fields: Fields, at: number, bits: ElfBits, value: bigint): void {
  if (bits === 32) fields.setU32(at, Number(value));
  else fields.setU64(at, value);
}

function bad(where: string, offset: number, what: string): PstoreError {
  return new PstoreError('EBADMSG', `${where}: ${what}`, { path: where, offset });
}

/** Names of e_machine (elf.h) for the machines that Linux makes cores on. */
const MACHINES: Readonly<Record<number, string>> = {
  2: 'sparc',
  3: 'i386',
  4: 'm68k',
  8: 'mips',
  15: 'parisc',
  20: 'ppc',
  21: 'ppc64',
  22: 's390',
  40: 'arm',
  42: 'superh',
  43: 'sparc64',
  50: 'ia64',
  62: 'x86_64',
  183: 'aarch64',
  243: 'riscv',
  258: 'loongarch',
};

/** The machine's name, or its number where it has none here. */
export function machineName(machine: number): string {
  return MACHINES[machine] ?? `e_machine ${machine}`;
}
