// The crashed machine's physical memory as a crash dump has it: page by page, from an ELF core's segments or from
// makedumpfile's compressed pages.

import { PT_LOAD } from '../elf.js';
import { readRange, type Storage } from '../storage/storage.js';
import { asNumber, eachProgramHeader } from './core-header.js';
import type { CrashDump, ElfCore } from './crash-dump.js';
import { KdumpPages } from './kdump-pages.js';

/** Pages that are remembered: a log is read from four places in turns. */
const MAX_PAGES = 64;
/** Segments that may lie over one another at a place: the kernel's text is in two. */
const MAX_OVERLAPPING = 64;

export interface PhysicalMemory {
  /** Fills `target` from a physical address on. @returns bytes up to the first that the dump does not have */
  read(target: Uint8Array, address: number): number;
  /** Whether bytes that were asked for should stand after the file's end. */
  readonly isCut: boolean;
}

/** A segment of memory, and where its bytes stand in the file. Addresses are physical. */
interface Load {
  readonly address: number;
  readonly size: number;
  readonly offset: number;
  /** Virtual address of the first byte; writers that do not know it leave 0 or the physical one. */
  readonly virtual: bigint;
}

/** The pages of a compressed dump. Remembers those that were used last. */
export class PagedMemory implements PhysicalMemory {
  readonly #source: KdumpPages;
  readonly #pages = new Map<number, Uint8Array>();

  constructor(source: KdumpPages) {
    this.#source = source;
  }

  get isCut(): boolean {
    return this.#source.isCut;
  }

  read(target: Uint8Array, address: number): number {
    const { pageSize } = this.#source;
    for (let done = 0; done < target.length; ) {
      const number = Math.floor((address + done) / pageSize);
      const page = this.#page(number);
      if (!page) return done;
      const from = address + done - number * pageSize;
      const part = page.subarray(from, from + target.length - done);
      target.set(part, done);
      done += part.length;
    }
    return target.length;
  }

  #page(number: number): Uint8Array | undefined {
    const known = this.#pages.get(number);
    if (known) {
      this.#pages.delete(number);
      this.#pages.set(number, known);
      return known;
    }
    const page = this.#source.page(number);
    if (!page) return undefined;
    this.#pages.set(number, page);
    if (this.#pages.size > MAX_PAGES) this.#pages.delete(this.#pages.keys().next().value!);
    return page;
  }
}

/** The memory segments of an ELF core. */
export class ElfMemory implements PhysicalMemory {
  isCut = false;
  readonly #storage: Storage;
  /** By ascending address. */
  readonly #loads: Load[] = [];
  /** Those that have a virtual address, by ascending ones. */
  readonly #byVirtual: readonly Load[];

  constructor(storage: Storage, { header, table }: ElfCore) {
    this.#storage = storage;
    for (const [, program] of eachProgramHeader(storage, header, table)) {
      if (program.type !== PT_LOAD || program.filesz === 0n) continue;
      this.#loads.push({
        address: asNumber(program.paddr),
        size: asNumber(program.filesz),
        offset: asNumber(program.offset),
        virtual: program.vaddr,
      });
    }
    this.#loads.sort((a, b) => a.address - b.address);
    const order = (a: Load, b: Load) => (a.virtual < b.virtual ? -1 : a.virtual > b.virtual ? 1 : 0);
    this.#byVirtual = this.#loads.filter(({ virtual }) => virtual !== 0n).sort(order);
  }

  read(target: Uint8Array, address: number): number {
    let done = 0;
    while (done < target.length) {
      const got = this.#readLoad(target.subarray(done), address + done);
      if (got === 0) break;
      done += got;
    }
    return done;
  }

  /** Reads from the first segment that has the address, and whose bytes are in the file. */
  #readLoad(target: Uint8Array, address: number): number {
    const last = countUntil(this.#loads, (load) => load.address <= address) - 1;
    for (let index = last; index >= 0 && index > last - MAX_OVERLAPPING; index--) {
      const load = this.#loads[index]!;
      const inLoad = address - load.address;
      if (inLoad >= load.size) continue;
      const bytes = readRange(this.#storage, load.offset + inLoad, Math.min(target.length, load.size - inLoad));
      target.set(bytes);
      if (bytes.length > 0) return bytes.length;
      this.isCut = true;
    }
    return 0;
  }

  /** The physical address that the segments give a virtual one, or undefined. */
  physical(address: bigint): number | undefined {
    const last = countUntil(this.#byVirtual, ({ virtual }) => virtual <= address) - 1;
    for (let index = last; index >= 0 && index > last - MAX_OVERLAPPING; index--) {
      const { virtual, size, address: physical } = this.#byVirtual[index]!;
      if (address < virtual + BigInt(size)) return physical + Number(address - virtual);
    }
    return undefined;
  }

  /** What has to be added to a virtual address of the segment that lies in a range, to get the physical one. */
  shiftWithin(from: bigint, to: bigint): bigint | undefined {
    const load = this.#loads.find(({ virtual }) => virtual >= from && virtual < to);
    return load && BigInt(load.address) - load.virtual;
  }
}

/** How many segments begin at a place or before it, where they stand by ascending places. */
function countUntil(loads: readonly Load[], isBefore: (load: Load) => boolean): number {
  let low = 0;
  let high = loads.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(loads[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The memory of a dump; its ELF segments too, where it is an ELF core. */
export function memoryOf(dump: CrashDump): { memory: PhysicalMemory; elf: ElfMemory | undefined } {
  const elf = dump.core ? new ElfMemory(dump.storage, dump.core) : undefined;
  return { memory: elf ?? new PagedMemory(new KdumpPages(dump.storage, dump.kdump!, dump.layout!)), elf };
}
