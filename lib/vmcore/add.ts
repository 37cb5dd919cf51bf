// Adds a device dump to a vmcore by the kernel's rules (vmcore_add_device_dump): a plan of the new file's bytes, of which
// almost all are ranges of the old one. Nothing is held in memory but headers, and nothing is written here.

import { readSectionHeader, SHT_NOBITS, SHT_NULL, setElfTables, setSectionOffset, writeProgramHeader } from '../elf.js';
import { PstoreError } from '../errors.js';
import { Fields } from '../pstore/abi.js';
import { readingBuffer, type Storage } from '../storage/storage.js';
import { asNumber } from './core-header.js';
import { type Chunk, type GrowingCore, mergeRanges, movedRanges, readGrowingCore } from './growing-core.js';
import { deviceDumpHeaderSize, encodeDeviceDumpHeader, VMCOREDD_NAME_MAX, VMCOREDD_NAME_SIZE } from './note.js';

/** Bytes that planChunks() gives at a time. */
const CHUNK = 1 << 20;

/** A run of the new file's bytes. `copy` is a range of the old file, `dump` is all of the device's data. */
export type Run =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'copy'; readonly offset: number; readonly length: number }
  | { readonly kind: 'zeros'; readonly length: number }
  | { readonly kind: 'dump'; readonly length: number };

export interface Plan {
  /** Bytes of the new file. */
  readonly size: number;
  /** One after the other, without gaps. */
  readonly runs: readonly Run[];
  /** First byte of the new note in the new file. */
  readonly noteOffset: number;
  /** First byte of the device's data in the new file. */
  readonly dataOffset: number;
  /** Bytes of data as the note has them, zeros up to the page's end included. */
  readonly storedSize: number;
  /** What the ranges of `runs` are ranges of: the old core, in order where its file is flattened. */
  readonly source: Storage;
  /** The name's bytes as stored: at most 43, since a NUL follows them. */
  readonly name: Uint8Array;
  /** What the sizes were rounded to. */
  readonly pageSize: number;
}

/**
 * Plans a vmcore with one more device dump: after the earlier dumps and before all other notes, header and data
 * together filled up to whole pages. The note segment grows; what comes after it moves, each segment to the next page
 * and to the same place inside its page (fs/proc/vmcore.c, vmcoredd_update_program_headers). Every byte of the old file
 * is in the new one.
 * @param name at most 43 bytes of it are stored: the kernel's struct has 44, the last one a NUL
 * @param size bytes of the device's data
 * @throws PstoreError EINVAL for an empty name or size 0; EBADMSG for a file that is no ELF core with whole notes, or
 *   whose segments lie across its notes; ENOTSUP for a compressed dump; EFBIG where a size or an offset does not fit
 */
export function addDeviceDump(storage: Storage, name: string, size: number): Plan {
  const stored = new TextEncoder().encode(name).subarray(0, VMCOREDD_NAME_MAX);
  if (stored.length === 0 || stored[0] === 0) throw new PstoreError('EINVAL', 'a device dump must have a name');
  if (!Number.isSafeInteger(size) || size <= 0) {
    throw new PstoreError('EINVAL', `a device dump must have data: ${size} bytes cannot be added`);
  }
  const core = readGrowingCore(storage);
  const { lacking, padding } = core.place;
  const headerSize = deviceDumpHeaderSize(padding);
  const storedSize = roundUp(headerSize + size, core.pageSize) - headerSize;
  const noteSize = padding.nextAt(headerSize - VMCOREDD_NAME_SIZE, VMCOREDD_NAME_SIZE + storedSize);
  if (storedSize + VMCOREDD_NAME_SIZE > 0xffffffff) {
    throw new PstoreError('EFBIG', `a dump of ${size} bytes is too long for a note, whose size has 32 bits`);
  }
  const note: Run[] = [
    { kind: 'zeros', length: lacking },
    { kind: 'bytes', bytes: encodeDeviceDumpHeader(stored, storedSize, core.header.endian, padding) },
    { kind: 'dump', length: size },
    { kind: 'zeros', length: noteSize - headerSize - size },
  ];
  const growth = lacking + noteSize;
  const chunks = mergeRanges(movedRanges(core));
  const steps = layOut(core, note, growth, chunks);
  const output = new Output(core.source.size, headerPatches(core, growth, chunks), storage.path);
  for (const step of steps) output.add(step);
  const noteOffset = core.place.insertAt + lacking;
  return {
    size: output.size,
    runs: output.runs,
    noteOffset,
    dataOffset: noteOffset + headerSize,
    source: core.source,
    storedSize,
    name: stored,
    pageSize: core.pageSize,
  };
}

/**
 * The bytes of a planned file, one piece after the other. A piece is valid until the next one is asked for.
 * @param dump fills a buffer with the device's data from a position on; must give all that is asked
 * @throws PstoreError EIO when the old file or the dump gives less than the plan was made for
 */
export function* planChunks(plan: Plan, dump: (target: Uint8Array, position: number) => number): Generator<Uint8Array> {
  const buffer = readingBuffer(CHUNK);
  for (const run of plan.runs) {
    if (run.kind === 'bytes') {
      yield run.bytes;
      continue;
    }
    for (let done = 0; done < run.length; ) {
      const part = buffer.subarray(0, Math.min(CHUNK, run.length - done));
      if (run.kind === 'zeros') part.fill(0);
      else {
        const got = run.kind === 'copy' ? plan.source.read(part, run.offset + done) : dump(part, done);
        if (got !== part.length)
          throw tooShort(run.kind === 'copy' ? plan.source.path : 'the dump', done + got, run.length);
      }
      yield part;
      done += part.length;
    }
  }
}

function tooShort(what: string, got: number, wanted: number): PstoreError {
  return new PstoreError('EIO', `${what} gave ${got} of ${wanted} bytes; was it cut while in use?`);
}

/** A run whose range may go on after the old file's end, or zeros up to what follows. */
type Step = Run | { readonly kind: 'gap'; readonly length: number };

/**
 * The new file from its beginning to its end, and how far each chunk moves: to the next page, and in it as far from the
 * page's beginning as before. Bytes that no header speaks of go with what they follow.
 */
function layOut(core: GrowingCore, note: readonly Run[], growth: number, chunks: Chunk[]): Step[] {
  const page = core.pageSize;
  const { insertAt, segmentEnd } = core.place;
  const steps: Step[] = [copy(0, insertAt), ...note, copy(insertAt, segmentEnd)];
  let taken = segmentEnd;
  let position = segmentEnd + growth;
  const take = (to: number) => {
    steps.push(copy(taken, to));
    position += to - taken;
    taken = to;
  };
  const fill = (length: number) => {
    steps.push({ kind: 'gap', length });
    position += length;
  };
  for (const chunk of chunks) {
    const pageStart = roundDown(chunk.start, page);
    take(Math.min(roundUp(taken, page), chunk.start));
    if (pageStart > taken) take(pageStart);
    fill(roundUp(position, page) - position);
    fill(taken - pageStart);
    take(chunk.start);
    chunk.delta = position - chunk.start;
    take(chunk.end);
    if (!Number.isSafeInteger(position)) throw tooFar(core.path, chunk.start);
  }
  steps.push(copy(taken, Number.MAX_SAFE_INTEGER));
  return steps;
}

function copy(from: number, to: number): Run {
  return { kind: 'copy', offset: from, length: to - from };
}

/** How far the range that begins at an offset of the old file moves. */
function deltaOf(chunks: readonly Chunk[], offset: number): number {
  let low = 0;
  let high = chunks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (chunks[middle]!.start <= offset) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? 0 : chunks[low - 1]!.delta;
}

/** Bytes of the old file that are not copied as they are. */
interface Patch {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

function headerPatches(core: GrowingCore, growth: number, chunks: readonly Chunk[]): Patch[] {
  const { header, place, programTable, sectionTable } = core;
  const { bits, endian } = header;
  const moved = (offset: bigint) => {
    const target = offset + BigInt(deltaOf(chunks, asNumber(offset)));
    return fitting(core, target);
  };
  const programs = new Fields(programTable.bytes, endian);
  core.programs.forEach((program, index) => {
    const at = index * programTable.stride;
    if (index === place.program) {
      const filesz = fitting(core, program.filesz + BigInt(growth));
      writeProgramHeader(programs, at, bits, { ...program, filesz, memsz: filesz });
    } else {
      writeProgramHeader(programs, at, bits, { ...program, offset: moved(program.offset) });
    }
  });
  const patches: Patch[] = [{ offset: programTable.offset, bytes: programTable.bytes }];
  if (sectionTable) {
    const sections = new Fields(sectionTable.bytes, endian);
    for (let at = 0; at < sectionTable.bytes.length; at += sectionTable.stride) {
      const { type, offset } = readSectionHeader(sections, at, bits);
      if (type !== SHT_NULL && type !== SHT_NOBITS) setSectionOffset(sections, at, bits, moved(offset));
    }
    patches.push({ offset: sectionTable.offset, bytes: sectionTable.bytes });
  }
  const phoff = moved(header.phoff);
  const shoff = sectionTable ? moved(header.shoff) : header.shoff;
  setElfTables(new Fields(core.headerBytes, endian), bits, phoff, shoff);
  patches.push({ offset: 0, bytes: core.headerBytes });
  return patches.sort((a, b) => a.offset - b.offset);
}

/** The value, if the core's word has room for it. @throws PstoreError EFBIG */
function fitting(core: GrowingCore, value: bigint): bigint {
  if (value >> BigInt(core.header.bits) === 0n) return value;
  throw tooFar(core.path, core.place.segmentStart);
}

function tooFar(path: string, offset: number): PstoreError {
  return new PstoreError(
    'EFBIG',
    `${path}: with this dump, what follows its notes gets beyond what an offset can say`,
    {
      path,
      offset,
    },
  );
}

/** Collects runs: what the old file does not have, and the gap before it, is left out. */
class Output {
  readonly runs: Run[] = [];
  size = 0;
  readonly #sourceSize: number;
  readonly #patches: readonly Patch[];
  /** A gap that counts only when something follows. */
  #gap = 0;

  /** @param patches by their offset @throws PstoreError EBADMSG when two tables of headers share bytes */
  constructor(sourceSize: number, patches: readonly Patch[], path: string) {
    this.#sourceSize = sourceSize;
    this.#patches = patches;
    for (let i = 1; i < patches.length; i++) {
      const before = patches[i - 1]!;
      if (before.offset + before.bytes.length <= patches[i]!.offset) continue;
      throw new PstoreError(
        'EBADMSG',
        `${path}: the tables of headers at ${before.offset} and ${patches[i]!.offset} share bytes`,
        {
          path,
          offset: patches[i]!.offset,
        },
      );
    }
  }

  add(step: Step): void {
    if (step.kind === 'gap') this.#gap += step.length;
    else if (step.kind === 'copy') this.#copy(step.offset, Math.min(step.offset + step.length, this.#sourceSize));
    else this.#put(step);
  }

  #copy(from: number, to: number): void {
    let at = from;
    for (const patch of this.#patches) {
      const start = Math.max(at, patch.offset);
      const end = Math.min(to, patch.offset + patch.bytes.length);
      if (start >= end) continue;
      if (start > at) this.#put(copy(at, start));
      this.#put({ kind: 'bytes', bytes: patch.bytes.subarray(start - patch.offset, end - patch.offset) });
      at = end;
    }
    if (to > at) this.#put(copy(at, to));
  }

  #put(run: Run): void {
    if (this.#gap > 0) this.#push({ kind: 'zeros', length: this.#gap });
    this.#gap = 0;
    this.#push(run);
  }

  #push(run: Run): void {
    const length = run.kind === 'bytes' ? run.bytes.length : run.length;
    if (length > 0) this.runs.push(run);
    this.size += length;
  }
}

function roundUp(length: number, to: number): number {
  return Math.ceil(length / to) * to;
}

function roundDown(length: number, to: number): number {
  return Math.floor(length / to) * to;
}
