// The notes of a PT_NOTE segment: walked by their sizes alone, for no tool keeps to any other alignment than 4.

import { Fields } from './abi.js';

/** Bytes of Elf32_Nhdr and of Elf64_Nhdr, which are the same: n_namesz, n_descsz, n_type. */
export const NOTE_HEADER_SIZE = 12;

/** linux/elf.h; a device dump only together with the name `LINUX`. */
export const NT_VMCOREDD = 0x700;
/** linux/vmcore.h, VMCOREDD_MAX_NAME_BYTES: the dump's name at the beginning of a device dump's descriptor. */
export const VMCOREDD_NAME_SIZE = 44;
/** sizeof(struct vmcoredd_header): note header, `LINUX` in 8 bytes, dump name. */
export const VMCOREDD_HEADER_SIZE = 64;

/** Bytes of a note's name that are looked at. */
const NAME_LIMIT = 64;

/** Gives the bytes of a range, or fewer where the medium ends. What it gives is valid until the next call. */
export interface NoteBytes {
  bytes(offset: number, length: number): Uint8Array;
}

export interface ElfNote {
  /** First byte of the note's header. */
  readonly offset: number;
  readonly namesz: number;
  readonly descsz: number;
  readonly type: number;
  /** The first bytes of the name as Latin-1, with the NULs behind it left out. */
  readonly name: string;
  /** First byte of the descriptor. */
  readonly descOffset: number;
  /** One behind the descriptor, padding not counted. */
  readonly descEnd: number;
  /** Where the next note begins. */
  readonly next: number;
}

/** How a walk ended: after the last note, at zeros that fill the rest, or inside a note or a note's header. */
export type NoteEnd =
  | { readonly kind: 'end' }
  | { readonly kind: 'padding'; readonly offset: number }
  | { readonly kind: 'cut'; readonly offset: number };

/** A length with its padding: each part of a note begins at a multiple of 4 from the note's beginning. */
export function padded4(length: number): number {
  return Math.ceil(length / 4) * 4;
}

/**
 * All notes from `start` up to `end`. The last one may go on behind `end`: its `descEnd` tells. A header of zeros ends
 * the notes, as it does in the kernel (fs/proc/vmcore.c stops at n_namesz 0); a note without a name alone does not.
 * @returns how the walk ended
 */
export function* walkNotes(
  source: NoteBytes,
  start: number,
  end: number,
  endian: 'little' | 'big',
): Generator<ElfNote, NoteEnd, undefined> {
  const little = endian === 'little';
  let offset = start;
  while (offset < end) {
    const room = Math.min(NOTE_HEADER_SIZE + NAME_LIMIT, end - offset);
    const bytes = source.bytes(offset, room);
    if (bytes.length < NOTE_HEADER_SIZE) return isZero(bytes) ? { kind: 'end' } : { kind: 'cut', offset };
    const namesz = u32(bytes, 0, little);
    const descsz = u32(bytes, 4, little);
    const type = u32(bytes, 8, little);
    if (namesz === 0 && descsz === 0 && type === 0) return { kind: 'padding', offset };
    const descOffset = offset + NOTE_HEADER_SIZE + padded4(namesz);
    const note: ElfNote = {
      offset,
      namesz,
      descsz,
      type,
      name: nameText(bytes, namesz),
      descOffset,
      descEnd: descOffset + descsz,
      next: descOffset + padded4(descsz),
    };
    yield note;
    if (note.descEnd > end) return { kind: 'cut', offset };
    offset = note.next;
  }
  return { kind: 'end' };
}

/** Whether a note is a device dump: by type and name both. The kernel's namesz is 8, with three NULs. */
export function isDeviceDump(note: ElfNote): boolean {
  return note.type === NT_VMCOREDD && note.name === 'LINUX' && note.namesz <= NAME_LIMIT;
}

/** Whether a note is the crashed kernel's VMCOREINFO. */
export function isVmcoreinfo(note: ElfNote): boolean {
  return note.type === 0 && note.name === 'VMCOREINFO';
}

/**
 * The 64 bytes in front of a device dump's data (struct vmcoredd_header).
 * @param name at most 44 bytes
 * @param dataLength bytes of data behind the header, padding included
 */
export function encodeDeviceDumpHeader(name: Uint8Array, dataLength: number, endian: 'little' | 'big'): Uint8Array {
  const bytes = new Uint8Array(VMCOREDD_HEADER_SIZE);
  const fields = new Fields(bytes, endian);
  fields.setU32(0, 8);
  fields.setU32(4, dataLength + VMCOREDD_NAME_SIZE);
  fields.setU32(8, NT_VMCOREDD);
  bytes.set(new TextEncoder().encode('LINUX'), NOTE_HEADER_SIZE);
  bytes.set(name, VMCOREDD_HEADER_SIZE - VMCOREDD_NAME_SIZE);
  return bytes;
}

/** Names of the note types that cores of Linux and QEMU have (linux/elf.h; QEMU gives its ppc64 notes the name CORE). */
const TYPE_NAMES: Readonly<Record<string, string>> = {
  'CORE 1': 'PRSTATUS',
  'CORE 2': 'PRFPREG',
  'CORE 3': 'PRPSINFO',
  'CORE 4': 'TASKSTRUCT',
  'CORE 6': 'AUXV',
  'CORE 256': 'PPC_VMX',
  'CORE 257': 'PPC_SPE',
  'CORE 258': 'PPC_VSX',
  'LINUX 256': 'PPC_VMX',
  'LINUX 257': 'PPC_SPE',
  'LINUX 258': 'PPC_VSX',
  'LINUX 514': 'X86_XSTATE',
  'QEMU 0': 'CPU state',
  'VMCOREINFO 0': 'VMCOREINFO',
  'VMCOREINFO_XEN 0': 'VMCOREINFO_XEN',
};

/** What a note's type means together with its name, or undefined. */
export function noteTypeName(note: ElfNote): string | undefined {
  const key = `${note.name} ${note.type}`;
  return Object.hasOwn(TYPE_NAMES, key) ? TYPE_NAMES[key] : undefined;
}

function nameText(bytes: Uint8Array, namesz: number): string {
  let length = Math.min(namesz, bytes.length - NOTE_HEADER_SIZE);
  while (length > 0 && bytes[NOTE_HEADER_SIZE + length - 1] === 0) length--;
  let name = '';
  for (let i = 0; i < length; i++) name += String.fromCharCode(bytes[NOTE_HEADER_SIZE + i]!);
  return name;
}

/** A note costs three of these: a DataView for each of a million notes would take longer than all the rest. */
function u32(bytes: Uint8Array, at: number, little: boolean): number {
  const [a, b, c, d] = little ? [at + 3, at + 2, at + 1, at] : [at, at + 1, at + 2, at + 3];
  return ((bytes[a]! << 24) | (bytes[b]! << 16) | (bytes[c]! << 8) | bytes[d]!) >>> 0;
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
