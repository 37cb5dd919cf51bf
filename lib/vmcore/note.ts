// The notes of a PT_NOTE segment, walked by their sizes alone. The kernel and all tools of kdump pad each part of a note to
// a multiple of 4; the System V gABI asks for 8 where p_align is 8. Some writers of cores do so, each in its own way.

import { Fields } from '../pstore/abi.js';

/** Bytes of Elf32_Nhdr and of Elf64_Nhdr, which are the same: n_namesz, n_descsz, n_type. */
export const NOTE_HEADER_SIZE = 12;

/** linux/elf.h; a device dump only together with the name `LINUX`. */
const NT_VMCOREDD = 0x700;
/** linux/vmcore.h, VMCOREDD_MAX_NAME_BYTES: the dump's name at the beginning of a device dump's descriptor. */
export const VMCOREDD_NAME_SIZE = 44;
/** Bytes of a name that is written: since Linux 6.12 a NUL follows it, and readers rely on that. */
export const VMCOREDD_NAME_MAX = VMCOREDD_NAME_SIZE - 1;
/** `LINUX` and three NULs. */
const VMCOREDD_NOTE_NAME_SIZE = 8;
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
  /** The first bytes of the name as Latin-1, without the NULs that follow it. */
  readonly name: string;
  /** First byte of the descriptor. */
  readonly descOffset: number;
  /** One after the descriptor, padding not counted. */
  readonly descEnd: number;
  /** Where the next note begins. */
  readonly next: number;
}

/** How a walk ended: after the last note, at zeros that fill the rest, or inside a note or a note's header. */
export type NoteEnd =
  | { readonly kind: 'end' }
  | { readonly kind: 'padding'; readonly offset: number }
  | { readonly kind: 'cut'; readonly offset: number };

/** How notes are padded. */
export interface NotePadding {
  /** Notes begin at a multiple of this from the beginning of their segment. */
  readonly align: 4 | 8;
  /** Bytes from a note's beginning to its descriptor. */
  descriptorAt(namesz: number): number;
  /** Bytes from a note's beginning to the next note, where its descriptor begins at `at`. */
  nextAt(at: number, descsz: number): number;
}

/** The kernel, and all tools of kdump. */
export const PADDED_TO_4: NotePadding = {
  align: 4,
  descriptorAt: (namesz) => padded(NOTE_HEADER_SIZE + namesz, 4),
  nextAt: (at, descsz) => at + padded(descsz, 4),
};

/** Notes of segments whose p_align is 8 may be padded so: as the gABI says; each part for itself; each note as a whole. */
const PADDED_TO_8: readonly NotePadding[] = [
  {
    align: 8,
    descriptorAt: (namesz) => padded(NOTE_HEADER_SIZE + namesz, 8),
    nextAt: (at, descsz) => at + padded(descsz, 8),
  },
  {
    align: 4,
    descriptorAt: (namesz) => NOTE_HEADER_SIZE + padded(namesz, 8),
    nextAt: (at, descsz) => at + padded(descsz, 8),
  },
  {
    align: 8,
    descriptorAt: (namesz) => padded(NOTE_HEADER_SIZE + namesz, 4),
    nextAt: (at, descsz) => padded(at + descsz, 8),
  },
];

/** A length with its padding. */
export function padded(length: number, align: number): number {
  return Math.ceil(length / align) * align;
}

/**
 * All notes from `start` up to `end`. The last one may go on after `end`: its `descEnd` tells. A header of zeros ends
 * the notes, as it does in the kernel (fs/proc/vmcore.c stops at n_namesz 0); a note without a name alone does not.
 * @returns how the walk ended
 */
export function* walkNotes(
  source: NoteBytes,
  start: number,
  end: number,
  endian: 'little' | 'big',
  padding: NotePadding = PADDED_TO_4,
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
    const descAt = padding.descriptorAt(namesz);
    const descOffset = offset + descAt;
    const note: ElfNote = {
      offset,
      namesz,
      descsz,
      type,
      name: nameText(bytes, namesz),
      descOffset,
      descEnd: descOffset + descsz,
      next: offset + padding.nextAt(descAt, descsz),
    };
    yield note;
    if (note.descEnd > end) return { kind: 'cut', offset };
    offset = note.next;
  }
  return { kind: 'end' };
}

/** Notes from which the padding of all is told. */
const NOTES_THAT_TELL = 64;

/**
 * How the notes of a segment are padded whose p_align is 8: to 4 as the kernel does, unless they make sense in another
 * way only. Looks at the first notes, which tell.
 * @param end one after the segment's last byte, which may be after the file's end
 */
export function notePadding(source: NoteBytes, start: number, end: number, endian: 'little' | 'big'): NotePadding {
  /** Whether the walk goes from note to note; `exact` where it also ends with the segment. */
  const isCut = () => source.bytes(end - 1, 1).length === 0;
  const sense = (padding: NotePadding): 'none' | 'some' | 'exact' => {
    const walk = walkNotes(source, start, end, endian, padding);
    let last = start;
    for (let count = 0; count < NOTES_THAT_TELL; count++) {
      const step = walk.next();
      if (step.done) return step.value.kind !== 'cut' ? (last === end ? 'exact' : 'some') : isCut() ? 'some' : 'none';
      if (!/^[\x20-\x7e]+$/.test(step.value.name) || step.value.descEnd > end) return 'none';
      last = step.value.next;
    }
    return 'exact';
  };
  if (sense(PADDED_TO_4) !== 'none') return PADDED_TO_4;
  const told = PADDED_TO_8.map((padding) => ({ padding, sense: sense(padding) }));
  const best = told.find((one) => one.sense === 'exact') ?? told.find((one) => one.sense === 'some');
  return best?.padding ?? PADDED_TO_4;
}

/** Whether a note is a device dump: by type and name both. The kernel's namesz is 8, with three NULs. */
export function isDeviceDump(note: ElfNote): boolean {
  return note.type === NT_VMCOREDD && note.name === 'LINUX' && note.namesz <= NAME_LIMIT;
}

/** linux/elf.h: what only the core of a process has: PRPSINFO, AUXV, the signal, the mapped files. */
const PROCESS_NOTES: ReadonlySet<number> = new Set([3, 6, 0x53494749, 0x46494c45]);

/** Whether a note is one that the kernel writes into the core of a process. */
export function isOfProcess(note: ElfNote): boolean {
  return note.name === 'CORE' && PROCESS_NOTES.has(note.type);
}

/** Whether a note is the crashed kernel's VMCOREINFO. */
export function isVmcoreinfo(note: ElfNote): boolean {
  return note.type === 0 && note.name === 'VMCOREINFO';
}

/** Bytes before a device dump's data: 64 as the kernel has it, 68 where notes are padded as the gABI says. */
export function deviceDumpHeaderSize(padding: NotePadding): number {
  return padding.descriptorAt(VMCOREDD_NOTE_NAME_SIZE) + VMCOREDD_NAME_SIZE;
}

/**
 * The bytes before a device dump's data (struct vmcoredd_header).
 * @param name at most VMCOREDD_NAME_MAX bytes
 * @param dataLength bytes of data after the header, padding included
 */
export function encodeDeviceDumpHeader(
  name: Uint8Array,
  dataLength: number,
  endian: 'little' | 'big',
  padding: NotePadding = PADDED_TO_4,
): Uint8Array {
  const bytes = new Uint8Array(deviceDumpHeaderSize(padding));
  const fields = new Fields(bytes, endian);
  fields.setU32(0, VMCOREDD_NOTE_NAME_SIZE);
  fields.setU32(4, dataLength + VMCOREDD_NAME_SIZE);
  fields.setU32(8, NT_VMCOREDD);
  bytes.set(new TextEncoder().encode('LINUX'), NOTE_HEADER_SIZE);
  bytes.set(name, bytes.length - VMCOREDD_NAME_SIZE);
  return bytes;
}

/** Names of the note types that cores of Linux and QEMU have, together with the note's name (linux/elf.h). */
const TYPE_NAMES: Readonly<Record<string, string>> = {
  'CORE 1': 'PRSTATUS',
  'CORE 2': 'PRFPREG',
  'CORE 3': 'PRPSINFO',
  'CORE 4': 'TASKSTRUCT',
  'CORE 6': 'AUXV',
  'QEMU 0': 'CPU state',
  'VMCOREINFO 0': 'VMCOREINFO',
  'VMCOREINFO_XEN 0': 'VMCOREINFO_XEN',
};

/** Further registers of a CPU: the kernel gives these notes the name LINUX, QEMU on ppc64 CORE (linux/elf.h). */
const REGISTER_SETS: Readonly<Record<number, string>> = {
  256: 'PPC_VMX',
  257: 'PPC_SPE',
  258: 'PPC_VSX',
  259: 'PPC_TAR',
  260: 'PPC_PPR',
  261: 'PPC_DSCR',
  262: 'PPC_EBB',
  263: 'PPC_PMU',
  264: 'PPC_TM_CGPR',
  265: 'PPC_TM_CFPR',
  266: 'PPC_TM_CVMX',
  267: 'PPC_TM_CVSX',
  268: 'PPC_TM_SPR',
  269: 'PPC_TM_CTAR',
  270: 'PPC_TM_CPPR',
  271: 'PPC_TM_CDSCR',
  272: 'PPC_PKEY',
  512: '386_TLS',
  513: '386_IOPERM',
  514: 'X86_XSTATE',
  768: 'S390_HIGH_GPRS',
  769: 'S390_TIMER',
  770: 'S390_TODCMP',
  771: 'S390_TODPREG',
  772: 'S390_CTRS',
  773: 'S390_PREFIX',
  774: 'S390_LAST_BREAK',
  775: 'S390_SYSTEM_CALL',
  776: 'S390_TDB',
  777: 'S390_VXRS_LOW',
  778: 'S390_VXRS_HIGH',
  779: 'S390_GS_CB',
  780: 'S390_GS_BC',
  781: 'S390_RI_CB',
  782: 'S390_PV_CPU_DATA',
  1024: 'ARM_VFP',
  1025: 'ARM_TLS',
  1026: 'ARM_HW_BREAK',
  1027: 'ARM_HW_WATCH',
  1028: 'ARM_SYSTEM_CALL',
  1029: 'ARM_SVE',
  1030: 'ARM_PAC_MASK',
  1031: 'ARM_PACA_KEYS',
  1032: 'ARM_PACG_KEYS',
  1033: 'ARM_TAGGED_ADDR_CTRL',
  1034: 'ARM_PAC_ENABLED_KEYS',
  1035: 'ARM_SSVE',
  1036: 'ARM_ZA',
  1536: 'ARC_V2',
  2048: 'MIPS_DSP',
  2049: 'MIPS_FP_MODE',
  2050: 'MIPS_MSA',
  2304: 'RISCV_CSR',
  2305: 'RISCV_VECTOR',
  2560: 'LOONGARCH_CPUCFG',
  2561: 'LOONGARCH_CSR',
  2562: 'LOONGARCH_LSX',
  2563: 'LOONGARCH_LASX',
  2564: 'LOONGARCH_LBT',
};

/** What a note's type means together with its name, or undefined. */
export function noteTypeName(note: ElfNote): string | undefined {
  const key = `${note.name} ${note.type}`;
  if (Object.hasOwn(TYPE_NAMES, key)) return TYPE_NAMES[key];
  return note.name === 'LINUX' || note.name === 'CORE' ? REGISTER_SETS[note.type] : undefined;
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
