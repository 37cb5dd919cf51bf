// Finds the notes of a crash dump on a storage, be it an ELF core or makedumpfile's compressed format. Reads headers
// only: the size of the dump does not matter.

import { ELF_HEADER_MAX, type ElfHeader, hasElfMagic, isCore, machineName, PT_NOTE } from '../elf.js';
import { PstoreError } from '../errors.js';
import { Fields } from '../pstore/abi.js';
import { readRange, type Storage } from '../storage/storage.js';
import { Window } from '../storage/window.js';
import type { Warnings } from '../warnings.js';
import { eachProgramHeader, findProgramHeaders, type ProgramTable, readCoreHeader } from './core-header.js';
import { FlattenedStorage, isFlattened } from './flattened.js';
import {
  hasSignature,
  KDUMP_HEADER_SIZE,
  KDUMP_NOTES_VERSION,
  KDUMP_SIGNATURE,
  KDUMP_SUB_HEADER_SIZE,
  type KdumpHeader,
  type KdumpLayout,
  type KdumpNotes,
  kdumpNotes,
  kdumpPhysBase,
  kdumpVmcoreinfo,
  readKdumpHeader,
} from './kdump.js';
import {
  type ElfNote,
  isDeviceDump,
  isVmcoreinfo,
  NOTE_HEADER_SIZE,
  type NoteEnd,
  notePadding,
  PADDED_TO_4,
  padded,
  walkNotes,
} from './note.js';
import { type NoteArea, NoteAreas } from './note-areas.js';
import { NoteSearch } from './note-search.js';
import { parseVmcoreinfo, type Vmcoreinfo } from './vmcoreinfo.js';

/** Notes that are walked, over all segments. */
export const MAX_NOTES = 1 << 22;
/** Bytes of a VMCOREINFO that are read: the kernel has a page for it, or 64 KiB on machines with such pages. */
const VMCOREINFO_LIMIT = 64 << 10;

/** What is read of an ELF core beside its notes. */
export interface ElfCore {
  readonly header: ElfHeader;
  readonly table: ProgramTable;
}

export interface CrashDump {
  readonly format: 'vmcore' | 'kdump';
  /** The dump in order: another one than the file's own where that is flattened. All offsets are in this one. */
  readonly storage: Storage;
  readonly flattened: boolean;
  readonly endian: 'little' | 'big';
  readonly wordBits: 32 | 64;
  /** As the file says it; empty when it does not. */
  readonly machine: string;
  /** In the order of the program headers. They do not overlap. */
  readonly areas: readonly NoteArea[];
  /** Page size where the header itself tells it (compressed dumps). */
  readonly pageSize: number | null;
  /** One of these is there, by the format. */
  readonly core: ElfCore | null;
  readonly kdump: KdumpHeader | null;
  /** How the sub-header of a compressed dump is laid out. */
  readonly layout: KdumpLayout | null;
  /** phys_base of an x86-64 or ARM kernel, where the sub-header of a compressed dump tells it. */
  readonly physBase: bigint | null;
  /** Further facts for people. */
  readonly details: Readonly<Record<string, string>>;
}

/** How sure it is that this is a crash dump, 0 … 1. Never throws for what the bytes are. */
export function probeCrashDump(storage: Storage): number {
  const bytes = readRange(storage, 0, ELF_HEADER_MAX);
  return isCore(bytes) || hasSignature(bytes, KDUMP_SIGNATURE) || isFlattened(bytes) ? 1 : 0;
}

/**
 * @throws PstoreError EBADMSG when it is no crash dump, or is cut before its notes can be found
 */
export function openCrashDump(storage: Storage, warnings: Warnings): CrashDump {
  const bytes = readRange(storage, 0, ELF_HEADER_MAX);
  if (!isFlattened(bytes)) return { ...openInOrder(storage, bytes, warnings), flattened: false };
  const inOrder = new FlattenedStorage(storage, warnings);
  const dump = openInOrder(inOrder, readRange(inOrder, 0, ELF_HEADER_MAX), warnings);
  const details = { flattened: 'yes: offsets are those in the dump when its pieces are put in order', ...dump.details };
  return { ...dump, flattened: true, details };
}

function openInOrder(storage: Storage, bytes: Uint8Array, warnings: Warnings): Omit<CrashDump, 'flattened'> {
  if (hasSignature(bytes, KDUMP_SIGNATURE)) return openKdump(storage, warnings);
  if (hasElfMagic(bytes)) return openElfCore(storage, warnings);
  throw new PstoreError(
    'EBADMSG',
    `${storage.path}: this is no vmcore: it begins neither as an ELF file nor with the signature "${KDUMP_SIGNATURE}"`,
    { path: storage.path, offset: 0 },
  );
}

function openElfCore(storage: Storage, warnings: Warnings): Omit<CrashDump, 'flattened'> {
  const header = readCoreHeader(storage);
  const table = findProgramHeaders(storage, header, warnings);
  const areas = new NoteAreas(storage, warnings);
  let segments = 0;
  for (const [index, program] of eachProgramHeader(storage, header, table)) {
    segments++;
    if (program.type !== PT_NOTE) continue;
    const paddingOf = (start: number, end: number) =>
      program.align === 8n ? notePadding(new Window(storage), start, end, header.endian) : PADDED_TO_4;
    areas.add(program.offset, program.filesz, index, paddingOf);
  }
  return {
    format: 'vmcore',
    storage,
    core: { header, table },
    kdump: null,
    layout: null,
    physBase: null,
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

function openKdump(storage: Storage, warnings: Warnings): Omit<CrashDump, 'flattened'> {
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
  else if (header.version >= KDUMP_NOTES_VERSION && header.subHeaderBlocks > 0) {
    warnings.add(
      'header-damaged',
      `${storage.path}: the sub-header at ${header.blockSize} gives no place inside the file for the notes`,
      header.blockSize,
    );
  }
  const noNotes = whyNoNotes(header);
  const layout = (notes ?? findKdumpVmcoreinfo(storage, header))?.layout ?? (header.narrow ? 'ilp32-align8' : 'lp64');
  const isNarrow = layout !== 'lp64';
  return {
    format: 'kdump',
    storage,
    core: null,
    kdump: header,
    layout,
    physBase: kdumpPhysBase(header, readRange(storage, header.blockSize, KDUMP_SUB_HEADER_SIZE), isNarrow),
    endian: header.endian,
    wordBits: isNarrow ? 32 : 64,
    machine: header.machine,
    areas: areas.list,
    pageSize: header.blockSize,
    details: {
      'header version': String(header.version),
      ...(noNotes !== undefined && { notes: noNotes }),
      ...(header.release && { 'kernel release': header.release }),
    },
  };
}

/** Why a compressed dump cannot have notes, or undefined where it can. */
function whyNoNotes({ version, subHeaderBlocks }: KdumpHeader): string | undefined {
  if (version < KDUMP_NOTES_VERSION) {
    return `none: a header before version ${KDUMP_NOTES_VERSION} does not say where they are`;
  }
  return subHeaderBlocks === 0 ? 'none: it has no sub-header, which would say where they are' : undefined;
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
  return namesz > 0 && namesz <= 64 && BigInt(padded(NOTE_HEADER_SIZE + namesz, 4) + fields.u32(4)) <= size;
}

export type NoteStep =
  | { readonly kind: 'note'; readonly area: NoteArea; readonly note: ElfNote }
  /** A note without a whole header, and the next one: a device dump or another. */
  | {
      readonly kind: 'gap';
      readonly area: NoteArea;
      readonly offset: number;
      readonly next: number;
      readonly isBeforeDump: boolean;
    }
  | { readonly kind: 'area-end'; readonly area: NoteArea; readonly end: NoteEnd }
  | { readonly kind: 'too-many'; readonly area: NoteArea; readonly offset: number };

/**
 * All notes of a dump, and how each area ended. Reads their headers only; gives up after MAX_NOTES of them. After a
 * header that is damaged it goes on at the next one that can be told from other bytes.
 */
export function* eachNote(dump: CrashDump): Generator<NoteStep> {
  const window = new Window(dump.storage);
  const search = new NoteSearch(dump.storage, dump.endian);
  let count = 0;
  for (const area of dump.areas) {
    let start = area.offset;
    for (;;) {
      const walk = walkNotes(window, start, area.end, dump.endian, area.padding);
      let step = walk.next();
      for (; !step.done; step = walk.next()) {
        if (count++ >= MAX_NOTES) {
          yield { kind: 'too-many', area, offset: step.value.offset };
          return;
        }
        yield { kind: 'note', area, note: step.value };
      }
      const next = search.after(step.value, area);
      if (!next) {
        yield { kind: 'area-end', area, end: step.value };
        break;
      }
      const { offset } = next.lost;
      yield { kind: 'gap', area, offset, next: next.note.offset, isBeforeDump: isDeviceDump(next.note) };
      start = next.note.offset;
    }
  }
}

/** Finds VMCOREINFO among the notes and reads it. */
export function readVmcoreinfo(dump: CrashDump): Vmcoreinfo {
  for (const step of eachNote(dump)) {
    if (step.kind === 'note' && isVmcoreinfo(step.note)) return vmcoreinfoOf(dump, step.note, step.area);
  }
  return new Map();
}

/** Reads the VMCOREINFO of a note. Most is 64 KiB. */
export function vmcoreinfoOf({ storage }: CrashDump, { descOffset, descEnd }: ElfNote, area: NoteArea): Vmcoreinfo {
  const end = Math.min(descEnd, area.end, descOffset + VMCOREINFO_LIMIT);
  return parseVmcoreinfo(readRange(storage, descOffset, end - descOffset));
}

/** What every VMCOREINFO has (kernel/crash_core.c). */
const ALWAYS_TOLD = ['OSRELEASE', 'PAGESIZE'];

/** VMCOREINFO by its own place in the sub-header of a compressed dump: for one whose notes are lost, or not told of. */
export function vmcoreinfoOfSubHeader({ storage, kdump }: CrashDump): Vmcoreinfo {
  return (kdump && findKdumpVmcoreinfo(storage, kdump)?.info) ?? new Map();
}

function findKdumpVmcoreinfo(
  storage: Storage,
  kdump: KdumpHeader,
): { layout: KdumpLayout; info: Vmcoreinfo } | undefined {
  const bytes = readRange(storage, kdump.blockSize, KDUMP_SUB_HEADER_SIZE);
  for (const { layout, offset, size } of kdumpVmcoreinfo(kdump, bytes)) {
    if (size === 0n || size > BigInt(VMCOREINFO_LIMIT) || offset + size > BigInt(storage.size)) continue;
    const info = parseVmcoreinfo(readRange(storage, Number(offset), Number(size)));
    if (ALWAYS_TOLD.every((key) => info.has(key))) return { layout, info };
  }
  return undefined;
}
