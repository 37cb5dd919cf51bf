// The ELF core header that the second kernel builds for a firmware-assisted dump, and the memory map that it is built
// from: JSON, as docs/fadump-memory.md describes it (arch/powerpc/kernel/fadump.c, fadump_populate_elfcorehdr).

import {
  ET_CORE,
  elfHeaderSize,
  encodeElfHeader,
  PN_XNUM,
  type ProgramHeader,
  PT_LOAD,
  PT_NOTE,
  programHeaderSize,
  writeProgramHeader,
} from '../elf.js';
import { PstoreError } from '../errors.js';
import { Fields } from '../pstore/abi.js';

const EM_PPC64 = 21;
/** PF_R | PF_W | PF_X */
const RWX = 7;
/** FADUMP_MAX_MEM_REGS */
const MAX_BOOT_REGIONS = 128;
/** Where the kernel maps physical memory on powerpc64: __va() ors it to the address. */
const PAGE_OFFSET = 0xc000_0000_0000_0000n;
const TOP = 1n << 64n;

/** Physical addresses, in bytes. */
export interface MemoryRange {
  readonly base: bigint;
  readonly size: bigint;
}

export interface MemoryMap {
  readonly bootMemory: {
    /** Where firmware copies the regions to, one after the other. */
    readonly destination: bigint;
    /** By ascending base; they do not overlap. */
    readonly regions: readonly MemoryRange[];
  };
  /** By ascending base; they do not overlap. */
  readonly memory: readonly MemoryRange[];
  readonly reserved: MemoryRange | null;
  /** Where the second kernel keeps the notes of the CPUs. */
  readonly cpuNotes: MemoryRange | null;
  /** Instead of what the crash info header says. */
  readonly vmcoreinfo: MemoryRange | null;
}

/** A PT_LOAD: a range of memory, and where its bytes are now. */
export interface CrashSegment extends MemoryRange {
  readonly offset: bigint;
}

/** End of the boot memory: ranges below it are not memory of the crashed kernel any more. */
function bootMemoryTop(map: MemoryMap): bigint {
  const last = map.bootMemory.regions.at(-1);
  return last ? last.base + last.size : 0n;
}

/** The boot memory where firmware copied it to, then all other memory but the reserved area. */
export function crashSegments(map: MemoryMap): CrashSegment[] {
  const segments: CrashSegment[] = [];
  let offset = map.bootMemory.destination;
  for (const { base, size } of map.bootMemory.regions) {
    segments.push({ base, size, offset });
    offset += size;
  }
  const top = bootMemoryTop(map);
  for (const { base, size } of map.memory) {
    const end = base + size;
    if (end <= top) continue;
    let start = base;
    if (start < top) start = top;
    for (const part of withoutReserved(start, end, map.reserved)) segments.push({ ...part, offset: part.base });
  }
  return segments;
}

/** The range from `start` to `end` without the reserved area: none, one or two parts. */
export function withoutReserved(start: bigint, end: bigint, reserved: MemoryRange | null): MemoryRange[] {
  const from = reserved?.base ?? end;
  const to = reserved ? reserved.base + reserved.size : end;
  const parts =
    from < end && to > start && from < to
      ? [
          { base: start, end: from },
          { base: to, end },
        ]
      : [{ base: start, end }];
  return parts.filter((part) => part.base < part.end).map((part) => ({ base: part.base, size: part.end - part.base }));
}

/**
 * ELF64 header, a PT_NOTE for the notes of the CPUs, one for vmcoreinfo, a PT_LOAD for each segment.
 * @param vmcoreinfo as the crash info header says it, or null when it does not
 * @throws PstoreError EINVAL when there are more segments than a core can have
 */
export function buildElfcorehdr(map: MemoryMap, endian: 'little' | 'big', vmcoreinfo: MemoryRange | null): Uint8Array {
  const programs = [
    noteSegment(map.cpuNotes),
    noteSegment(map.vmcoreinfo ?? vmcoreinfo),
    ...crashSegments(map).map(loadSegment),
  ];
  if (programs.length >= PN_XNUM) {
    throw new PstoreError(
      'EINVAL',
      `the memory map gives ${programs.length} segments: a core has at most ${PN_XNUM - 1}`,
    );
  }
  const headerSize = elfHeaderSize(64);
  const programSize = programHeaderSize(64);
  const bytes = new Uint8Array(headerSize + programs.length * programSize);
  bytes.set(
    encodeElfHeader({
      bits: 64,
      endian,
      osabi: 0,
      type: ET_CORE,
      machine: EM_PPC64,
      entry: 0n,
      phoff: BigInt(headerSize),
      shoff: 0n,
      // The version of the ELF ABI: 2 is what little-endian kernels are built with.
      flags: endian === 'little' ? 2 : 1,
      ehsize: headerSize,
      phentsize: programSize,
      phnum: programs.length,
      shentsize: 0,
      shnum: 0,
      shstrndx: 0,
    }),
  );
  const fields = new Fields(bytes, endian);
  programs.forEach((program, index) => {
    writeProgramHeader(fields, headerSize + index * programSize, 64, program);
  });
  return bytes;
}

function noteSegment(range: MemoryRange | null): ProgramHeader {
  const { base, size } = range ?? { base: 0n, size: 0n };
  return { type: PT_NOTE, flags: 0, offset: base, vaddr: 0n, paddr: base, filesz: size, memsz: size, align: 0n };
}

function loadSegment({ base, size, offset }: CrashSegment): ProgramHeader {
  const vaddr = base | PAGE_OFFSET;
  return { type: PT_LOAD, flags: RWX, offset, vaddr, paddr: base, filesz: size, memsz: size, align: 0n };
}

/**
 * Reads and checks a memory map.
 * @param where what to call the file in messages
 * @throws PstoreError EINVAL that names the field and what it should be
 */
export function parseMemoryMap(bytes: Uint8Array, where: string): MemoryMap {
  const reader = new MapReader(where);
  const map = reader.object(parseJson(bytes, where), '', [
    'boot_memory',
    'memory',
    'reserved',
    'cpu_notes',
    'vmcoreinfo',
  ]);
  const boot = reader.object(map.boot_memory, 'boot_memory', ['destination', 'regions']);
  const regions = reader.ranges(boot.regions, 'boot_memory.regions');
  if (regions.length === 0 || regions.length > MAX_BOOT_REGIONS) {
    throw reader.bad('boot_memory.regions', `1 to ${MAX_BOOT_REGIONS} regions, and there are ${regions.length}`);
  }
  const destination = reader.number(boot.destination, 'boot_memory.destination');
  const total = regions.reduce((sum, region) => sum + region.size, 0n);
  if (destination + total > TOP) throw reader.bad('boot_memory.destination', 'an address after which all regions fit');
  return {
    bootMemory: { destination, regions },
    memory: reader.ranges(map.memory, 'memory'),
    reserved: reader.optionalRange(map.reserved, 'reserved'),
    cpuNotes: reader.optionalRange(map.cpu_notes, 'cpu_notes'),
    vmcoreinfo: reader.optionalRange(map.vmcoreinfo, 'vmcoreinfo'),
  };
}

function parseJson(bytes: Uint8Array, where: string): unknown {
  const none = (why: string, cause: unknown) =>
    new PstoreError('EINVAL', `${where}: a memory map is JSON, and this is none: ${why}`, { path: where, cause });
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw none('its bytes are no UTF-8', cause);
  }
  if (text.trim() === '') throw none('it is empty', undefined);
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The engines tell the place in words of their own, if at all.
    const [, place] = /\bposition (\d{1,10})/.exec((cause as Error).message) ?? [];
    throw none(place === undefined ? 'it breaks off, or is written wrongly' : `see its character ${place}`, cause);
  }
}

/** Checks fields by their path in the file (`memory[3].size`). */
class MapReader {
  readonly #where: string;

  constructor(where: string) {
    this.#where = where;
  }

  bad(field: string, wanted: string): PstoreError {
    const place = field === '' ? 'the file' : field;
    return new PstoreError('EINVAL', `${this.#where}: ${place} must be ${wanted}`, { path: this.#where });
  }

  object(value: unknown, field: string, known: readonly string[]): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.bad(field, `an object with ${known.join(', ')}${value === undefined ? ', and it is missing' : ''}`);
    }
    for (const key of Object.keys(value)) {
      if (!known.includes(key)) {
        throw new PstoreError(
          'EINVAL',
          `${this.#where}: ${field === '' ? key : `${field}.${key}`} is not known: known are ${known.join(', ')}`,
          { path: this.#where },
        );
      }
    }
    return value as Record<string, unknown>;
  }

  /** A JSON number is exact up to 2^53 only: larger ones are strings. */
  number(value: unknown, field: string): bigint {
    const text = typeof value === 'string' ? value.trim() : Number.isSafeInteger(value) ? String(value) : '';
    if (!/^(0x[0-9a-f]{1,16}|[0-9]{1,20})$/i.test(text) || BigInt(text) >= TOP) {
      const found = value === undefined ? 'it is missing' : `it is ${JSON.stringify(value)}`;
      throw this.bad(field, `a number of bytes below 2^64, such as 65536 or "0x10000", and ${found}`);
    }
    return BigInt(text);
  }

  range(value: unknown, field: string): MemoryRange {
    const object = this.object(value, field, ['base', 'size']);
    const base = this.number(object.base, `${field}.base`);
    const size = this.number(object.size, `${field}.size`);
    if (size === 0n) throw this.bad(`${field}.size`, 'at least 1');
    if (base + size > TOP) throw this.bad(`${field}.size`, 'a size with which the range ends at or below 2^64');
    return { base, size };
  }

  optionalRange(value: unknown, field: string): MemoryRange | null {
    return value === undefined || value === null ? null : this.range(value, field);
  }

  /** By ascending base. */
  ranges(value: unknown, field: string): MemoryRange[] {
    if (!Array.isArray(value)) {
      throw this.bad(field, `an array of objects with base, size${value === undefined ? ', and it is missing' : ''}`);
    }
    const ranges = value.map((item, index) => ({ ...this.range(item, `${field}[${index}]`), index }));
    ranges.sort((a, b) => (a.base < b.base ? -1 : a.base > b.base ? 1 : a.index - b.index));
    for (let i = 1; i < ranges.length; i++) {
      const [before, range] = [ranges[i - 1]!, ranges[i]!];
      if (before.base + before.size <= range.base) continue;
      throw this.bad(`${field}[${range.index}]`, `a range that does not overlap ${field}[${before.index}]`);
    }
    return ranges.map(({ base, size }) => ({ base, size }));
  }
}
