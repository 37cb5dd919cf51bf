// The headers of an ELF core on a storage: the file header, and the program headers that are there.

import {
  ELF_HEADER_MAX,
  type ElfHeader,
  ET_CORE,
  PN_XNUM,
  type ProgramHeader,
  programHeaderSize,
  readElfHeader,
  readProgramHeader,
  readSectionHeader,
  sectionHeaderSize,
} from '../elf.js';
import { PstoreError } from '../errors.js';
import { Fields } from '../pstore/abi.js';
import { readRange, type Storage } from '../storage/storage.js';
import { Window } from '../storage/window.js';
import type { Warnings } from '../warnings.js';

/** Program headers that are read: a vmcore has one for each range of memory. */
const MAX_PROGRAM_HEADERS = 1 << 20;

/** The ELF header of a core. @throws PstoreError EBADMSG when it is none */
export function readCoreHeader(storage: Storage): ElfHeader {
  const header = readElfHeader(readRange(storage, 0, ELF_HEADER_MAX), storage.path);
  if (header.type !== ET_CORE) {
    throw new PstoreError(
      'EBADMSG',
      `${storage.path}: this ELF file is no core: its e_type is ${header.type}, a core's is ${ET_CORE}`,
      { path: storage.path, offset: 16 },
    );
  }
  return header;
}

/** Where the program headers are. */
export interface ProgramTable {
  readonly offset: number;
  readonly count: number;
}

/**
 * The place and number of the program headers that are in the file.
 * @throws PstoreError EBADMSG when there should be some and none is there
 */
export function findProgramHeaders(storage: Storage, header: ElfHeader, warnings: Warnings): ProgramTable {
  const declared = declaredProgramHeaders(storage, header);
  if (declared === 0) return { offset: 0, count: 0 };
  const size = programHeaderSize(header.bits);
  if (header.phentsize < size) {
    throw new PstoreError(
      'EBADMSG',
      `${storage.path}: e_phentsize is ${header.phentsize}, but a program header of ELF${header.bits} has ${size} bytes`,
      { path: storage.path, offset: 0 },
    );
  }
  const offset = asNumber(header.phoff);
  const room = Math.floor((storage.size - offset - size) / header.phentsize) + 1;
  if (room <= 0 || offset === 0) {
    throw new PstoreError(
      'EBADMSG',
      `${storage.path}: the program headers should be at ${header.phoff}, but the file has ${storage.size} bytes; it is cut or no core`,
      { path: storage.path, offset: Math.min(offset, storage.size) },
    );
  }
  if (room < declared) {
    warnings.add(
      'header-damaged',
      `${storage.path}: of ${declared} program headers only ${room} are in the file`,
      storage.size,
    );
  }
  const count = Math.min(room, declared);
  if (count > MAX_PROGRAM_HEADERS) {
    warnings.add(
      'header-damaged',
      `${storage.path}: there are ${count} program headers, of which only the first ${MAX_PROGRAM_HEADERS} are read`,
      offset,
    );
  }
  return { offset, count: Math.min(count, MAX_PROGRAM_HEADERS) };
}

/** e_phnum, or what section header 0 says where e_phnum is PN_XNUM. */
function declaredProgramHeaders(storage: Storage, header: ElfHeader): number {
  if (header.phnum !== PN_XNUM) return header.phnum;
  const offset = asNumber(header.shoff);
  const size = sectionHeaderSize(header.bits);
  const bytes = offset === 0 ? new Uint8Array(0) : readRange(storage, offset, size);
  if (bytes.length < size) return PN_XNUM;
  const { info } = readSectionHeader(new Fields(bytes, header.endian), 0, header.bits);
  return info === 0 ? PN_XNUM : info;
}

/** Index and program header, one after the other. */
export function* eachProgramHeader(
  storage: Storage,
  header: ElfHeader,
  table: ProgramTable,
): Generator<[number, ProgramHeader]> {
  const window = new Window(storage);
  const size = programHeaderSize(header.bits);
  for (let index = 0; index < table.count; index++) {
    const bytes = window.bytes(table.offset + index * header.phentsize, size);
    if (bytes.length < size) return;
    yield [index, readProgramHeader(new Fields(bytes, header.endian), 0, header.bits)];
  }
}

/** A file offset for comparing: what is beyond 2^53 lies after the end of every file. */
export function asNumber(offset: bigint): number {
  return offset > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(offset);
}
