// The ELF core that a device dump is added to: its tables of headers, the place for the note, and what moves when the notes
// grow.

import {
  type ElfHeader,
  elfHeaderSize,
  type ProgramHeader,
  readSectionHeader,
  SHT_NOBITS,
  SHT_NULL,
  sectionHeaderSize,
} from '../elf.js';
import { PstoreError } from '../errors.js';
import { Fields } from '../pstore/abi.js';
import { readRange, type Storage } from '../storage/storage.js';
import { Warnings } from '../warnings.js';
import { asNumber, eachProgramHeader, findProgramHeaders, readCoreHeader } from './core-header.js';
import { type CrashDump, eachNote, openCrashDump, readVmcoreinfo } from './crash-dump.js';
import { isDeviceDump, type NotePadding } from './note.js';
import { vmcoreinfoPageSize } from './vmcoreinfo.js';

/** Bytes of program headers, and of section headers, that are rewritten in memory. */
const TABLE_LIMIT = 16 << 20;
const DEFAULT_PAGE_SIZE = 4096;

/** A table of headers in the file. */
interface Table {
  readonly offset: number;
  readonly stride: number;
  readonly bytes: Uint8Array;
}

/** Where the new note goes. */
interface Place {
  /** Index of the program header whose segment grows. */
  readonly program: number;
  readonly segmentStart: number;
  readonly segmentEnd: number;
  readonly insertAt: number;
  /** Bytes of padding that the last dump lacks. */
  readonly lacking: number;
  readonly padding: NotePadding;
}

export interface GrowingCore {
  /** The core in order, also where the file is flattened. */
  readonly source: Storage;
  readonly path: string;
  readonly header: ElfHeader;
  /** The bytes of the ELF header. */
  readonly headerBytes: Uint8Array;
  readonly programs: readonly ProgramHeader[];
  readonly programTable: Table;
  /** Section headers, where there are some that make sense. */
  readonly sectionTable: Table | undefined;
  readonly pageSize: number;
  readonly place: Place;
}

/** @throws PstoreError EBADMSG, ENOTSUP: no dump can be added to this file */
export function readGrowingCore(file: Storage): GrowingCore {
  const dump = openWholeCore(file);
  const { storage } = dump;
  const header = readCoreHeader(storage);
  const { offset, count } = findProgramHeaders(storage, header, new Warnings());
  const programTable = readTable(storage, offset, count, header.phentsize);
  const programs = [...eachProgramHeader(storage, header, { offset, count })].map(([, program]) => program);
  return {
    source: storage,
    path: storage.path,
    header,
    headerBytes: readRange(storage, 0, elfHeaderSize(header.bits)),
    programs,
    programTable,
    sectionTable: findSections(storage, header),
    pageSize: vmcoreinfoPageSize(readVmcoreinfo(dump)) ?? DEFAULT_PAGE_SIZE,
    place: findPlace(dump),
  };
}

function openWholeCore(file: Storage): CrashDump {
  const problems = new Warnings();
  const dump = openCrashDump(file, problems);
  const { path } = file;
  if (dump.format !== 'vmcore') {
    throw new PstoreError(
      'ENOTSUP',
      `${path}: a device dump can be added to an ELF vmcore only, and this one is compressed`,
      { path },
    );
  }
  const problem = problems.list[0];
  if (!problem) return dump;
  throw new PstoreError(
    'EBADMSG',
    `${problem.message}; a dump can be added to a vmcore with whole headers and notes only`,
    { path, offset: problem.offset ?? 0 },
  );
}

/** After the last device dump, or before the first note where there is none. */
function findPlace(dump: CrashDump): Place {
  const { path } = dump.storage;
  let place: Place | undefined;
  for (const step of eachNote(dump)) {
    const { area } = step;
    if (area.program === null) continue;
    const { program, offset: segmentStart, declaredEnd: segmentEnd, padding } = area;
    if (step.kind === 'gap' || (step.kind === 'area-end' && step.end.kind === 'cut')) {
      throw new PstoreError(
        'EBADMSG',
        `${path}: the notes from ${area.offset} on are damaged; a dump can be added to whole notes only`,
        { path, offset: area.offset },
      );
    }
    place ??= { program, segmentStart, segmentEnd, insertAt: area.offset, lacking: 0, padding };
    if (step.kind === 'note' && isDeviceDump(step.note)) {
      const insertAt = Math.min(step.note.next, area.end);
      place = { program, segmentStart, segmentEnd, insertAt, lacking: step.note.next - insertAt, padding };
    }
  }
  if (place) return place;
  throw new PstoreError('EBADMSG', `${path}: this core has no segment of notes that a dump could be added to`, {
    path,
  });
}

function readTable(storage: Storage, offset: number, count: number, stride: number): Table {
  if (count * stride > TABLE_LIMIT) {
    throw new PstoreError('EFBIG', `${storage.path}: ${count} headers are more than can be rewritten`, {
      path: storage.path,
      offset,
    });
  }
  return { offset, stride, bytes: readRange(storage, offset, count * stride) };
}

/**
 * The section headers, if all of them and all sections are inside the file. In a big-endian core of QEMU 7.2 they are
 * garbage, and stay as they are.
 */
function findSections(storage: Storage, header: ElfHeader): Table | undefined {
  const offset = asNumber(header.shoff);
  const stride = header.shentsize;
  const length = header.shnum * stride;
  if (offset === 0 || length === 0 || stride < sectionHeaderSize(header.bits)) return undefined;
  if (offset + length > storage.size) return undefined;
  const table = readTable(storage, offset, header.shnum, stride);
  return sectionRanges(table, header).every(({ end }) => end <= storage.size) ? table : undefined;
}

/** What a header says to be at a place of the old file. */
interface Range {
  readonly start: number;
  readonly end: number;
}

function sectionRanges(table: Table, header: ElfHeader): Range[] {
  const ranges: Range[] = [];
  const fields = new Fields(table.bytes, header.endian);
  for (let at = 0; at < table.bytes.length; at += table.stride) {
    const section = readSectionHeader(fields, at, header.bits);
    if (section.type === SHT_NULL || section.type === SHT_NOBITS) continue;
    ranges.push({ start: asNumber(section.offset), end: asNumber(section.offset + section.size) });
  }
  return ranges;
}

/** Everything after the notes that a header points to. @throws PstoreError EBADMSG when something lies across them */
export function movedRanges(core: GrowingCore): Range[] {
  const { header, place, sectionTable } = core;
  const ranges: Range[] = [{ start: 0, end: elfHeaderSize(header.bits) }, tableRange(core.programTable)];
  core.programs.forEach((program, index) => {
    if (index === place.program) return;
    ranges.push({ start: asNumber(program.offset), end: asNumber(program.offset + program.filesz) });
  });
  if (sectionTable) ranges.push(tableRange(sectionTable), ...sectionRanges(sectionTable, header));
  return ranges.filter(({ start, end }) => {
    if (end <= place.insertAt) return false;
    if (start >= place.segmentEnd) return true;
    if (start === end) return false;
    throw new PstoreError(
      'EBADMSG',
      `${core.path}: what stands from ${start} to ${end} lies across the notes from ${place.segmentStart} to ${place.segmentEnd}: they cannot grow`,
      { path: core.path, offset: start },
    );
  });
}

function tableRange(table: Table): Range {
  return { start: table.offset, end: table.offset + table.bytes.length };
}

/** Ranges that share bytes, as one: they move together. */
export interface Chunk {
  readonly start: number;
  end: number;
  /** How far it moves. */
  delta: number;
}

export function mergeRanges(ranges: Range[]): Chunk[] {
  const chunks: Chunk[] = [];
  for (const { start, end } of ranges.sort((a, b) => a.start - b.start || a.end - b.end)) {
    const last = chunks.at(-1);
    if (last && (start < last.end || start === last.start)) last.end = Math.max(last.end, end);
    else chunks.push({ start, end, delta: 0 });
  }
  return chunks;
}
