// Finds the notes of a crash dump on a storage, be it an ELF core or makedumpfile's compressed format. Reads headers
// only: the size of the dump does not matter.

import {
  ELF_HEADER_MAX,
  type ElfHeader,
  ET_CORE,
  hasElfMagic,
  isCore,
  machineName,
  PN_XNUM,
  type ProgramHeader,
  PT_NOTE,
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
import {
  FLATTENED_SIGNATURE,
  hasSignature,
  KDUMP_HEADER_SIZE,
  KDUMP_NOTES_VERSION,
  KDUMP_SIGNATURE,
  KDUMP_SUB_HEADER_SIZE,
  type KdumpHeader,
  type KdumpNotes,
  kdumpNotes,
  readKdumpHeader,
} from './kdump.js';
import { type ElfNote, isVmcoreinfo, NOTE_HEADER_SIZE, type NoteEnd, padded4, walkNotes } from './note.js';

/** Program headers that are read: a vmcore has one for each range of memory. */
export const MAX_PROGRAM_HEADERS = 1 << 20;
/** PT_NOTE segments that are taken; a kernel has one for each CPU at most, and at most 8192 of these. */
export const MAX_NOTE_AREAS = 16384;
/** Notes that are walked, over all segments. */
export const MAX_NOTES = 1 << 22;
/** Bytes of a VMCOREINFO that are read: the kernel has a page for it, or 64 KiB on machines with such pages. */
const VMCOREINFO_LIMIT = 64 << 10;

/** A run of notes in the file. */
export interface NoteArea {
  readonly offset: number;
  /** One behind the last byte that is there, at most the file's size. */
  readonly end: number;
  /** One behind the last byte that the header speaks of. */
  readonly declaredEnd: number;
  /** Index of the program header, or null in a compressed dump. */
  readonly program: number | null;
}

export interface CrashDump {
  readonly format: 'vmcore' | 'kdump';
  readonly endian: 'little' | 'big';
  readonly wordBits: 32 | 64;
  /** As the file says it; empty when it does not. */
  readonly machine: string;
  /** In the order of the program headers. They do not overlap. */
  readonly areas: readonly NoteArea[];
  /** Page size where the header itself tells it (compressed dumps). */
  readonly pageSize: number | null;
  /** Further facts for people. */
  readonly details: Readonly<Record<string, string>>;
}

/** How sure it is that this is a crash dump, 0 … 1. Never throws for what the bytes are. */
export function probeCrashDump(storage: Storage): number {
  const bytes = readRange(storage, 0, ELF_HEADER_MAX);
  if (isCore(bytes) || hasSignature(bytes, KDUMP_SIGNATURE)) return 1;
  return hasSignature(bytes, FLATTENED_SIGNATURE) ? 0.9 : 0;
}

/** @throws PstoreError EBADMSG when it is no crash dump, or is cut before its notes can be found */
export function openCrashDump(storage: Storage, warnings: Warnings): CrashDump {
  const bytes = readRange(storage, 0, ELF_HEADER_MAX);
  if (hasSignature(bytes, KDUMP_SIGNATURE)) return openKdump(storage, warnings);
  if (hasSignature(bytes, FLATTENED_SIGNATURE)) {
    throw new PstoreError(
      'EBADMSG',
      `${storage.path}: this dump is flattened, as it came through a pipe; put it in order with "makedumpfile -R NEW < ${storage.path}"`,
      { path: storage.path, offset: 0 },
    );
  }
  if (!hasElfMagic(bytes)) {
    throw new PstoreError(
      'EBADMSG',
      `${storage.path}: this is no vmcore: it begins neither as an ELF file nor with the signature "${KDUMP_SIGNATURE}"`,
      { path: storage.path, offset: 0 },
    );
  }
  return openElfCore(storage, warnings);
}

function openElfCore(storage: Storage, warnings: Warnings): CrashDump {
  const header = readCoreHeader(storage);
  const table = findProgramHeaders(storage, header, warnings);
  const areas = new NoteAreas(storage, warnings);
  let segments = 0;
  for (const [index, program] of eachProgramHeader(storage, header, table)) {
    segments++;
    if (program.type === PT_NOTE) areas.add(program.offset, program.filesz, index);
  }
  return {
    format: 'vmcore',
    endian: header.endian,
    wordBits: header.bits,
    machine: machineName(header.machine),
    areas: areas.list,
    pageSize: null,
    details: {
      'program headers': String(segments),
      'note segments': String(areas.list.length),
    },
  };
}

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

/** Collects the areas of notes: cut to the file, and each byte in one area only. */
class NoteAreas {
  /** In the order in which they were added. */
  readonly list: NoteArea[] = [];
  /** The same by their offset. */
  readonly #sorted: NoteArea[] = [];
  readonly #storage: Storage;
  readonly #warnings: Warnings;
  #full = false;

  constructor(storage: Storage, warnings: Warnings) {
    this.#storage = storage;
    this.#warnings = warnings;
  }

  add(offset: bigint, size: bigint, program: number | null): void {
    if (size === 0n) return;
    const area = this.#cut(offset, size, program);
    if (!area) return;
    if (this.list.length >= MAX_NOTE_AREAS) {
      if (!this.#full)
        this.#warn(`there are more than ${MAX_NOTE_AREAS} note segments; the rest is not read`, area.offset);
      this.#full = true;
      return;
    }
    const at = this.#placeOf(area.offset);
    const before = this.#sorted[at - 1];
    const behind = this.#sorted[at];
    const other = before && before.end > area.offset ? before : behind && behind.offset < area.end ? behind : undefined;
    if (other) {
      this.#warn(
        `${title(area)} (${area.offset} to ${area.end}) overlaps ${title(other)} (${other.offset} to ${other.end}) and is not read`,
        area.offset,
      );
      return;
    }
    this.#sorted.splice(at, 0, area);
    this.list.push(area);
  }

  #cut(offset: bigint, size: bigint, program: number | null): NoteArea | undefined {
    const start = asNumber(offset);
    const area = { offset: start, end: 0, declaredEnd: asNumber(offset + size), program };
    const fileSize = this.#storage.size;
    if (start >= fileSize) {
      this.#warn(
        `${title(area)} should be at ${offset}, behind the file's end at ${fileSize}: its notes are not there`,
        null,
      );
      return undefined;
    }
    if (area.declaredEnd > fileSize) {
      this.#warn(
        `${title(area)} should go from ${offset} to ${offset + size}, but the file ends at ${fileSize}`,
        start,
      );
    }
    return { ...area, end: Math.min(area.declaredEnd, fileSize) };
  }

  /** Index of the first area that begins at or behind an offset. */
  #placeOf(offset: number): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sorted[middle]!.offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #warn(sentence: string, offset: number | null): void {
    this.#warnings.add('note-damaged', `${this.#storage.path}: ${sentence}`, offset);
  }
}

function title(area: { readonly program: number | null }): string {
  return area.program === null ? 'the run of notes' : `the note segment of program header ${area.program}`;
}

function openKdump(storage: Storage, warnings: Warnings): CrashDump {
  const header = readKdumpHeader(readRange(storage, 0, KDUMP_HEADER_SIZE));
  if (!header) {
    throw new PstoreError(
      'EBADMSG',
      storage.size < KDUMP_HEADER_SIZE
        ? `${storage.path}: the file ends after ${storage.size} bytes, inside the header of a compressed dump`
        : `${storage.path}: the header of this compressed dump makes no sense in any byte order: it has no block size that is a power of two`,
      { path: storage.path, offset: 0 },
    );
  }
  const notes = findKdumpNotes(storage, header);
  const areas = new NoteAreas(storage, warnings);
  if (notes) areas.add(notes.offset, notes.size, null);
  else if (header.version >= KDUMP_NOTES_VERSION) {
    warnings.add(
      'header-damaged',
      `${storage.path}: the sub-header at ${header.blockSize} gives no place inside the file for the notes`,
      header.blockSize,
    );
  }
  return {
    format: 'kdump',
    endian: header.endian,
    wordBits: notes ? (notes.layout === 'lp64' ? 64 : 32) : header.narrow ? 32 : 64,
    machine: header.machine,
    areas: areas.list,
    pageSize: header.blockSize,
    details: {
      'header version': String(header.version),
      ...(header.version < KDUMP_NOTES_VERSION && {
        notes: `none: a header before version ${KDUMP_NOTES_VERSION} does not say where they are`,
      }),
      ...(header.release && { 'kernel release': header.release }),
    },
  };
}

/** The reading of the sub-header that leads to a note, or else the likeliest one if it stays inside the file. */
function findKdumpNotes(storage: Storage, header: KdumpHeader): KdumpNotes | undefined {
  const readings = kdumpNotes(header, readRange(storage, header.blockSize, KDUMP_SUB_HEADER_SIZE));
  const inside = ({ offset }: KdumpNotes) => offset >= BigInt(header.blockSize) && offset < BigInt(storage.size);
  const proven = readings.find((notes) => inside(notes) && beginsWithNote(storage, header.endian, notes));
  if (proven) return proven;
  const likeliest = readings[0];
  return likeliest && (likeliest.size === 0n || inside(likeliest)) ? likeliest : undefined;
}

function beginsWithNote(storage: Storage, endian: 'little' | 'big', { offset, size }: KdumpNotes): boolean {
  const bytes = readRange(storage, Number(offset), NOTE_HEADER_SIZE);
  if (bytes.length < NOTE_HEADER_SIZE) return false;
  const fields = new Fields(bytes, endian);
  const namesz = fields.u32(0);
  return namesz > 0 && namesz <= 64 && BigInt(NOTE_HEADER_SIZE + padded4(namesz) + fields.u32(4)) <= size;
}

/** What the crashed kernel said of itself: the lines KEY=VALUE of its VMCOREINFO, or none. */
export type Vmcoreinfo = ReadonlyMap<string, string>;

/** Finds VMCOREINFO among the notes and reads it. Most is 64 KiB. */
export function readVmcoreinfo(storage: Storage, dump: CrashDump): Vmcoreinfo {
  for (const step of eachNote(storage, dump)) {
    if (step.kind !== 'note' || !isVmcoreinfo(step.note)) continue;
    const { descOffset, descEnd } = step.note;
    const end = Math.min(descEnd, step.area.end, descOffset + VMCOREINFO_LIMIT);
    return parseVmcoreinfo(readRange(storage, descOffset, end - descOffset));
  }
  return new Map();
}

/** The lines KEY=VALUE. */
export function parseVmcoreinfo(bytes: Uint8Array): Vmcoreinfo {
  const lines = new Map<string, string>();
  for (const line of new TextDecoder('latin1').decode(bytes).split('\n')) {
    const at = line.indexOf('=');
    if (at > 0 && /^[\x20-\x7e]*$/.test(line) && !lines.has(line.slice(0, at))) {
      lines.set(line.slice(0, at), line.slice(at + 1));
    }
  }
  return lines;
}

/** Page size in bytes by `PAGESIZE=`, or undefined where it is not told or is none. */
export function vmcoreinfoPageSize(vmcoreinfo: Vmcoreinfo): number | undefined {
  const size = Number(vmcoreinfo.get('PAGESIZE') ?? Number.NaN);
  return size >= 512 && size <= 1 << 24 && (size & (size - 1)) === 0 ? size : undefined;
}

export type NoteStep =
  | { readonly kind: 'note'; readonly area: NoteArea; readonly note: ElfNote }
  | { readonly kind: 'area-end'; readonly area: NoteArea; readonly end: NoteEnd }
  | { readonly kind: 'too-many'; readonly area: NoteArea; readonly offset: number };

/** All notes of a dump, and how each area ended. Reads their headers only; gives up after MAX_NOTES of them. */
export function* eachNote(storage: Storage, dump: CrashDump): Generator<NoteStep> {
  const window = new Window(storage);
  let count = 0;
  for (const area of dump.areas) {
    const walk = walkNotes(window, area.offset, area.end, dump.endian);
    let step = walk.next();
    for (; !step.done; step = walk.next()) {
      if (count++ >= MAX_NOTES) {
        yield { kind: 'too-many', area, offset: step.value.offset };
        return;
      }
      yield { kind: 'note', area, note: step.value };
    }
    yield { kind: 'area-end', area, end: step.value };
  }
}

/** A file offset for comparing: what is beyond 2^53 is behind the end of every file. */
export function asNumber(offset: bigint): number {
  return offset > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(offset);
}
