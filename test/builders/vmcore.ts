// Builds crash dumps byte by byte, independently of the code that reads them: ELF cores as the kernel, QEMU and
// makedumpfile lay them out, and makedumpfile's compressed format.

export interface Machine {
  readonly bits: 32 | 64;
  readonly endian: 'little' | 'big';
}

export const LE64: Machine = { bits: 64, endian: 'little' };
export const BE64: Machine = { bits: 64, endian: 'big' };
export const LE32: Machine = { bits: 32, endian: 'little' };
export const BE32: Machine = { bits: 32, endian: 'big' };
export const MACHINES: readonly Machine[] = [LE64, BE64, LE32, BE32];

/** Bytes that grow, in one byte order. */
export class Writer {
  #bytes: number[] = [];
  readonly #little: boolean;

  constructor(endian: 'little' | 'big') {
    this.#little = endian === 'little';
  }

  get length(): number {
    return this.#bytes.length;
  }

  #number(value: bigint, size: number): this {
    for (let i = 0; i < size; i++) {
      const shift = BigInt(8 * (this.#little ? i : size - 1 - i));
      this.#bytes.push(Number((value >> shift) & 0xffn));
    }
    return this;
  }

  u8(...values: number[]): this {
    this.#bytes.push(...values);
    return this;
  }
  u16(value: number): this {
    return this.#number(BigInt(value), 2);
  }
  u32(value: number): this {
    return this.#number(BigInt(value), 4);
  }
  u64(value: number | bigint): this {
    return this.#number(BigInt(value), 8);
  }
  word(value: number | bigint, bits: 32 | 64): this {
    return this.#number(BigInt(value), bits / 8);
  }
  raw(bytes: Uint8Array): this {
    for (const byte of bytes) this.#bytes.push(byte);
    return this;
  }
  text(text: string): this {
    return this.raw(Buffer.from(text, 'latin1'));
  }
  padTo(length: number, fill = 0): this {
    while (this.#bytes.length < length) this.#bytes.push(fill);
    return this;
  }
  align(to: number): this {
    return this.padTo(Math.ceil(this.#bytes.length / to) * to);
  }
  done(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

/** A note; `namesz` and `descsz` may lie. */
export function note(
  machine: Machine,
  name: string,
  type: number,
  desc: Uint8Array,
  lie: { namesz?: number; descsz?: number } = {},
): Uint8Array {
  const writer = new Writer(machine.endian);
  writer
    .u32(lie.namesz ?? name.length)
    .u32(lie.descsz ?? desc.length)
    .u32(type);
  return writer.text(name).align(4).raw(desc).align(4).done();
}

/** A device dump as the kernel stores it: filled up with zeros to whole pages. */
export function deviceDump(machine: Machine, name: string | Uint8Array, data: Uint8Array, page = 4096): Uint8Array {
  const nameBytes = typeof name === 'string' ? Buffer.from(name) : name;
  const total = Math.ceil((64 + data.length) / page) * page;
  const writer = new Writer(machine.endian);
  writer
    .u32(8)
    .u32(total - 20)
    .u32(0x700)
    .text('LINUX\0\0\0')
    .raw(nameBytes)
    .padTo(64)
    .raw(data)
    .padTo(total);
  return writer.done();
}

export function vmcoreinfo(machine: Machine, lines: string): Uint8Array {
  return note(machine, 'VMCOREINFO\0', 0, Buffer.from(lines));
}

export function prstatus(machine: Machine): Uint8Array {
  return note(machine, 'CORE\0', 1, new Uint8Array(machine.bits === 64 ? 336 : 144).fill(0x11));
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

export interface Segment {
  readonly type: number;
  readonly offset: number | bigint;
  readonly filesz: number | bigint;
  readonly memsz?: number | bigint;
  readonly paddr?: number | bigint;
}

/** ELF header and program headers; `phoff` and `ehsize` as a writer has them. */
export function elfHeaders(
  machine: Machine,
  segments: readonly Segment[],
  {
    phoff = machine.bits === 64 ? 64 : 52,
    ehsize = machine.bits === 64 ? 64 : 52,
    eMachine = 62,
    type = 4,
    phnum = segments.length,
    shoff = 0,
    between = new Uint8Array(0),
    sections = new Uint8Array(6),
  }: {
    phoff?: number;
    ehsize?: number;
    eMachine?: number;
    type?: number;
    phnum?: number;
    shoff?: number | bigint;
    between?: Uint8Array;
    sections?: Uint8Array;
  } = {},
): Uint8Array {
  const { bits } = machine;
  const writer = new Writer(machine.endian);
  writer.u8(0x7f, 0x45, 0x4c, 0x46, bits === 64 ? 2 : 1, machine.endian === 'little' ? 1 : 2, 1, 0).padTo(16);
  writer.u16(type).u16(eMachine).u32(1);
  writer.word(0, bits).word(phoff, bits).word(shoff, bits);
  writer
    .u32(0)
    .u16(ehsize)
    .u16(bits === 64 ? 56 : 32)
    .u16(phnum)
    .raw(sections);
  writer.raw(between).padTo(phoff);
  for (const segment of segments) {
    const { offset, filesz, memsz = filesz, paddr = 0 } = segment;
    if (bits === 64) {
      writer.u32(segment.type).u32(segment.type === 1 ? 7 : 0);
      writer.u64(offset).u64(0).u64(paddr).u64(filesz).u64(memsz).u64(0);
    } else {
      writer.u32(segment.type).u32(Number(offset)).u32(0).u32(Number(paddr));
      writer
        .u32(Number(filesz))
        .u32(Number(memsz))
        .u32(segment.type === 1 ? 7 : 0)
        .u32(0);
    }
  }
  return writer.done();
}

export interface CoreOptions {
  readonly page?: number;
  /** Memory of the PT_LOAD segments, and how far each begins behind a page boundary. */
  readonly loads?: readonly { readonly data: Uint8Array; readonly shift?: number; readonly paddr?: number }[];
  readonly eMachine?: number;
}

/**
 * A vmcore as the kernel lays it out: headers, one note segment on a page boundary, memory in whole pages; the bytes of
 * a page around a segment are the memory around it (here 0xEE).
 */
export function kernelCore(machine: Machine, notes: Uint8Array, options: CoreOptions = {}): Uint8Array {
  const { page = 4096, loads = [], eMachine = 62 } = options;
  const up = (length: number) => Math.ceil(length / page) * page;
  const notesAt = up((machine.bits === 64 ? 64 : 52) + (1 + loads.length) * (machine.bits === 64 ? 56 : 32));
  const segments: Segment[] = [{ type: 4, offset: notesAt, filesz: notes.length }];
  const memory: Uint8Array[] = [];
  let at = notesAt + up(notes.length);
  for (const { data, shift = 0, paddr = 0 } of loads) {
    segments.push({ type: 1, offset: at + shift, filesz: data.length, paddr });
    const pages = new Uint8Array(up(shift + data.length)).fill(0xee);
    pages.set(data, shift);
    memory.push(pages);
    at += pages.length;
  }
  const head = elfHeaders(machine, segments, { eMachine });
  const whole = new Uint8Array(at);
  whole.set(head);
  whole.set(notes, notesAt);
  let place = notesAt + up(notes.length);
  for (const pages of memory) {
    whole.set(pages, place);
    place += pages.length;
  }
  return whole;
}

/** A vmcore as makedumpfile writes it with -E: everything packed, no part aligned, p_filesz below p_memsz. */
export function filteredCore(machine: Machine, notes: Uint8Array, loads: readonly Uint8Array[]): Uint8Array {
  const gap = 904 - 64 - 56 * (1 + loads.length);
  const notesAt = (machine.bits === 64 ? 64 + 56 * (1 + loads.length) : 52 + 32 * (1 + loads.length)) + gap;
  const segments: Segment[] = [{ type: 4, offset: notesAt, filesz: notes.length }];
  let at = notesAt + notes.length;
  for (const data of loads) {
    segments.push({ type: 1, offset: at, filesz: data.length, memsz: data.length + 8192 });
    at += data.length;
  }
  return concat(elfHeaders(machine, segments), new Uint8Array(gap), notes, ...loads);
}

/** A core as QEMU's dump-guest-memory writes it: e_ehsize 8, two section headers in front of the program headers. */
export function qemuCore(machine: Machine, notes: Uint8Array, load: Uint8Array, eMachine = 3): Uint8Array {
  const headerSize = machine.bits === 64 ? 64 : 52;
  const sectionSize = machine.bits === 64 ? 64 : 40;
  const phoff = headerSize + 2 * sectionSize;
  const notesAt = phoff + 2 * (machine.bits === 64 ? 56 : 32);
  const big = machine.endian === 'big';
  // QEMU 7.2 writes these in the host's byte order: garbage in a big-endian core.
  const sections = new Writer('little').u16(sectionSize).u16(2).u16(1).done();
  const shoff = big ? 0x40000000_00000000n : 64;
  const segments: Segment[] = [
    { type: 4, offset: notesAt, filesz: notes.length },
    { type: 1, offset: notesAt + notes.length, filesz: load.length },
  ];
  const head = elfHeaders(machine, segments, {
    phoff,
    ehsize: 8,
    eMachine,
    shoff: machine.bits === 32 ? (big ? 0x34000000 : 52) : shoff,
    between: new Uint8Array(2 * sectionSize).fill(big ? 0xcd : 0),
    sections,
  });
  return concat(head, notes, load);
}

export type KdumpLayout = 'lp64' | 'ilp32-align8' | 'ilp32-align4' | 'ilp32-time64';

/** makedumpfile's compressed format: the headers, the notes behind the sub-header, room for bitmaps. */
export function kdump(
  endian: 'little' | 'big',
  layout: KdumpLayout,
  notes: Uint8Array,
  options: { version?: number; block?: number; machineName?: string; notesSize?: number } = {},
): Uint8Array {
  const { version = 6, block = 4096, machineName = 'x86_64', notesSize = notes.length } = options;
  const notesAt = block + 104;
  const writer = new Writer(endian);
  writer.text('KDUMP   ').u32(version);
  for (const field of ['Linux', 'host', '6.1.192', '#1', machineName, '']) {
    const at = writer.length;
    writer.text(field).padTo(at + 65);
  }
  const wide = layout === 'lp64' || layout === 'ilp32-time64';
  writer.padTo(wide ? 408 : 404);
  writer.word(1700000000, wide ? 64 : 32).word(4096, wide ? 64 : 32);
  // status, block_size, sub_hdr_size, bitmap_blocks, max_mapnr, total_ram_blocks, device, written, current_cpu, nr_cpus
  for (const value of [1, block, 3, 2, 32768, 4096, 0, 0, 0, 2]) writer.u32(value);
  writer.padTo(block);
  const sub = writer.length;
  const long = layout === 'lp64' ? 64 : 32;
  writer.word(0, long).u32(31).u32(0).word(0, long).word(32768, long);
  const offT = layout === 'ilp32-align4' ? 4 : 8;
  const pad = () => writer.padTo(sub + Math.ceil((writer.length - sub) / offT) * offT);
  pad();
  writer.u64(notesAt + notes.length).word(16, long);
  pad();
  writer.u64(notesAt).word(notesSize, long);
  pad();
  writer.u64(0).word(0, long);
  pad();
  writer.u64(0).u64(32768).u64(32768);
  return writer
    .padTo(notesAt)
    .raw(notes)
    .align(block)
    .padTo(block * 4)
    .done();
}
