// The crash info header of firmware-assisted dump on powerpc: old, new and draft layout, either byte order, and what a
// reader has to say of it (arch/powerpc/include/asm/fadump-internal.h, struct fadump_crash_info_header).

import { Fields } from '../pstore/abi.js';

/** The magic's eight letters; as a number it is native-endian, so a little-endian machine writes them backwards. */
export const FADUMP_MAGIC = 'FADMPSIG';
export const FADUMP_MAGIC_OLD = 'FADMPINF';
export const FADUMP_MAGIC_SIZE = 8;
/** The only version that there is. */
const FADUMP_VERSION = 1;
/** FADUMP_CPU_UNKNOWN: the dump was triggered from outside, by no CPU. */
const CPU_UNKNOWN = 0xffffffff;

/**
 * old: up to Linux 6.9. new: since 6.10. draft: as it was proposed before, with the address and size of the ELF core
 * header before vmcoreinfo, and the same magic and version as new.
 */
export type FadumpLayout = 'new' | 'draft' | 'old';

/** Where pt_regs begins, which is the length of what stands before. */
const REGS_OFFSET: Readonly<Record<FadumpLayout, number>> = { old: 24, new: 40, draft: 56 };
/** vmcoreinfo address; its size and the two sizes follow. */
const VMCOREINFO: Readonly<Record<'new' | 'draft', number>> = { new: 16, draft: 32 };

/** Bytes of the longest fixed part. */
export const FADUMP_FIXED_MAX = 56;

/** sizeof(struct pt_regs) of 64-bit kernels: 44 registers, since 5.0 two more, since 5.13 four more; and of 32-bit. */
const PT_REGS_SIZES: readonly number[] = [352, 368, 384, 176];
/** Registers that are read at most, and CPUs: what goes beyond is a damaged size. */
const PT_REGS_LIMIT = 4096;
const CPUMASK_LIMIT = 8192;
/** Registers of user_pt_regs. */
const USER_REGS = 44;

export interface FadumpHeader {
  readonly layout: FadumpLayout;
  readonly endian: 'little' | 'big';
  /** Whether the magic is there; false after the dump was invalidated. */
  readonly valid: boolean;
  /** null in the old layout. */
  readonly version: number | null;
  /** null when it is not known. */
  readonly crashingCpu: number | null;
  readonly elfcorehdrAddress: bigint | null;
  readonly elfcorehdrSize: bigint | null;
  readonly vmcoreinfoAddress: bigint | null;
  readonly vmcoreinfoSize: bigint | null;
  /** As the header says them; null in the old layout, which does not. */
  readonly ptRegsSize: number | null;
  readonly cpumaskSize: number | null;
  /** Where pt_regs begins. */
  readonly regsOffset: number;
}

export interface FadumpMagic {
  readonly endian: 'little' | 'big';
  readonly old: boolean;
}

/** What the first eight bytes are, or undefined when they are no magic. */
export function readFadumpMagic(bytes: Uint8Array): FadumpMagic | undefined {
  if (bytes.length < FADUMP_MAGIC_SIZE) return undefined;
  const letters = String.fromCharCode(...bytes.subarray(0, FADUMP_MAGIC_SIZE));
  const backwards = [...letters].reverse().join('');
  for (const magic of [FADUMP_MAGIC, FADUMP_MAGIC_OLD]) {
    if (letters === magic) return { endian: 'big', old: magic === FADUMP_MAGIC_OLD };
    if (backwards === magic) return { endian: 'little', old: magic === FADUMP_MAGIC_OLD };
  }
  return undefined;
}

/**
 * @param bytes from the header's beginning on, FADUMP_FIXED_MAX of them where there are so many
 * @returns undefined when the magic is none, or the fixed part is cut
 */
export function readFadumpHeader(bytes: Uint8Array): FadumpHeader | undefined {
  const magic = readFadumpMagic(bytes);
  if (!magic) return undefined;
  const layout = magic.old ? 'old' : chooseLayout(bytes, magic.endian);
  return bytes.length < REGS_OFFSET[layout] ? undefined : decode(bytes, layout, magic.endian, true);
}

/**
 * The header of a dump that was invalidated: its magic is zeros, and what follows is that of a header. The old layout
 * has nothing to be known by.
 */
export function readInvalidatedHeader(bytes: Uint8Array): FadumpHeader | undefined {
  if (bytes.length < REGS_OFFSET.new || !bytes.subarray(0, FADUMP_MAGIC_SIZE).every((byte) => byte === 0)) {
    return undefined;
  }
  for (const endian of ['big', 'little'] as const) {
    const layout = chooseLayout(bytes, endian);
    if (bytes.length < REGS_OFFSET[layout]) continue;
    const header = decode(bytes, layout, endian, false);
    if (header.version === FADUMP_VERSION && sizeScore(header.ptRegsSize!, header.cpumaskSize!) >= 2) return header;
  }
  return undefined;
}

function decode(bytes: Uint8Array, layout: FadumpLayout, endian: 'little' | 'big', valid: boolean): FadumpHeader {
  const fields = new Fields(bytes, endian);
  const cpu = fields.u32(layout === 'old' ? 16 : 12);
  const common = {
    layout,
    endian,
    valid,
    crashingCpu: cpu === CPU_UNKNOWN ? null : cpu,
    regsOffset: REGS_OFFSET[layout],
  };
  if (layout === 'old') {
    return {
      ...common,
      version: null,
      elfcorehdrAddress: fields.u64(8),
      elfcorehdrSize: null,
      vmcoreinfoAddress: null,
      vmcoreinfoSize: null,
      ptRegsSize: null,
      cpumaskSize: null,
    };
  }
  const at = VMCOREINFO[layout];
  return {
    ...common,
    version: fields.u32(8),
    elfcorehdrAddress: layout === 'draft' ? fields.u64(16) : null,
    elfcorehdrSize: layout === 'draft' ? fields.u64(24) : null,
    vmcoreinfoAddress: fields.u64(at),
    vmcoreinfoSize: fields.u64(at + 8),
    ptRegsSize: fields.u32(at + 16),
    cpumaskSize: fields.u32(at + 20),
  };
}

/** New or draft: whichever has the more plausible two sizes. */
function chooseLayout(bytes: Uint8Array, endian: 'little' | 'big'): 'new' | 'draft' {
  const fields = new Fields(bytes, endian);
  const score = (layout: 'new' | 'draft') => {
    const at = VMCOREINFO[layout] + 16;
    return at + 8 > bytes.length ? -1 : sizeScore(fields.u32(at), fields.u32(at + 4));
  };
  return score('draft') > score('new') ? 'draft' : 'new';
}

/** How plausible the sizes of pt_regs and cpumask are: 0 … 3. */
function sizeScore(ptRegs: number, cpumask: number): number {
  const known = PT_REGS_SIZES.includes(ptRegs);
  const possible = ptRegs % 4 === 0 && ptRegs >= USER_REGS * 4 && ptRegs <= PT_REGS_LIMIT;
  const mask = isCpumaskSize(cpumask);
  if (known && mask) return 3;
  if (possible && mask) return 2;
  return known || possible || mask ? 1 : 0;
}

/** A cpumask is an array of longs. */
function isCpumaskSize(size: number): boolean {
  return size > 0 && size % 4 === 0 && size <= CPUMASK_LIMIT;
}

/** What a reader expects of a header beyond what can be told from itself. */
export interface FadumpExpectation {
  readonly endian?: 'little' | 'big' | undefined;
  readonly ptRegsSize?: number | undefined;
  readonly cpumaskSize?: number | undefined;
}

export interface FadumpVerdict {
  readonly kind: 'good' | 'old-magic' | 'other-byte-order' | 'unknown-version' | 'size-mismatch' | 'invalidated';
  /** One clear sentence without the file's name. */
  readonly sentence: string;
}

/** All that is to be said of a header, `good` alone when there is nothing else. */
export function judgeFadumpHeader(header: FadumpHeader, expected: FadumpExpectation = {}): FadumpVerdict[] {
  const verdicts: FadumpVerdict[] = [];
  if (!header.valid) {
    const sentence = 'invalidated: the magic was cleared, so there is no dump any more';
    verdicts.push({ kind: 'invalidated', sentence });
  }
  if (header.layout === 'old') {
    const sentence = `old magic: ${FADUMP_MAGIC_OLD}, from a kernel before 6.10, so only what the old layout tells is shown`;
    verdicts.push({ kind: 'old-magic', sentence });
  }
  if (expected.endian && expected.endian !== header.endian) {
    const sentence = `other byte order: the magic is swapped, so the header is ${header.endian}-endian and not ${expected.endian}-endian; it is read as ${header.endian}-endian`;
    verdicts.push({ kind: 'other-byte-order', sentence });
  }
  if (header.version !== null && header.version !== FADUMP_VERSION) {
    const sentence = `unknown version: ${header.version}, and only version ${FADUMP_VERSION} is known; it is read as that`;
    verdicts.push({ kind: 'unknown-version', sentence });
  }
  verdicts.push(...judgeSizes(header, expected));
  if (verdicts.length === 0)
    verdicts.push({ kind: 'good', sentence: `good: ${FADUMP_MAGIC}, version ${header.version}` });
  return verdicts;
}

function judgeSizes(header: FadumpHeader, expected: FadumpExpectation): FadumpVerdict[] {
  const { ptRegsSize, cpumaskSize } = header;
  const verdicts: FadumpVerdict[] = [];
  const regs = expected.ptRegsSize === undefined ? PT_REGS_SIZES : [expected.ptRegsSize];
  if (ptRegsSize !== null && !regs.includes(ptRegsSize)) {
    const sentence = `size mismatch: pt_regs has ${ptRegsSize} bytes, and expected were ${regs.join(', ')}`;
    verdicts.push({ kind: 'size-mismatch', sentence });
  }
  const mask = expected.cpumaskSize;
  if (cpumaskSize !== null && (mask === undefined ? !isCpumaskSize(cpumaskSize) : cpumaskSize !== mask)) {
    const wanted = mask ?? `a multiple of 4 up to ${CPUMASK_LIMIT}`;
    const sentence = `size mismatch: cpumask has ${cpumaskSize} bytes, and expected was ${wanted}`;
    verdicts.push({ kind: 'size-mismatch', sentence });
  }
  return verdicts;
}

/** Bytes of pt_regs and of cpumask that are shown. */
export interface FadumpSizes {
  readonly ptRegs: number;
  readonly cpumask: number;
}

/**
 * The sizes to read by: as the header says them, up to what can be believed. An old header has no sizes: without
 * `total` only the 44 registers that all kernels have are taken.
 * @param total bytes from the header's beginning to the ELF core header, which follows an old header at once, if it was
 *   found there
 */
export function fadumpSizes(header: FadumpHeader, total?: number): FadumpSizes {
  if (header.ptRegsSize !== null && header.cpumaskSize !== null) {
    return { ptRegs: Math.min(header.ptRegsSize, PT_REGS_LIMIT), cpumask: Math.min(header.cpumaskSize, CPUMASK_LIMIT) };
  }
  const least = { ptRegs: USER_REGS * 8, cpumask: 0 };
  if (total === undefined) return least;
  const fits = PT_REGS_SIZES.map((ptRegs) => ({ ptRegs, cpumask: total - header.regsOffset - ptRegs })).filter(
    // A kernel's NR_CPUS is a power of two as a rule.
    ({ ptRegs, cpumask }) => ptRegs >= least.ptRegs && cpumask >= 8 && (cpumask & (cpumask - 1)) === 0,
  );
  return fits.length === 1 ? fits[0]! : least;
}

/** Longest distance of the ELF core header from the beginning of an old header. */
export const OLD_HEADER_LIMIT = REGS_OFFSET.old + 384 + CPUMASK_LIMIT;

const SPECIAL_REGISTERS = [
  'nip',
  'msr',
  'orig_gpr3',
  'ctr',
  'link',
  'xer',
  'ccr',
  'softe',
  'trap',
  'dar',
  'dsisr',
  'result',
  'ppr',
];

/**
 * Names of the words of pt_regs (asm/ptrace.h). What follows `ppr` differs from kernel to kernel and has only a number.
 */
export function registerName(index: number, wordBits: 32 | 64): string {
  if (index < 32) return `gpr${index}`;
  const name = SPECIAL_REGISTERS[index - 32];
  if (wordBits === 32 && (name === 'softe' || name === 'ppr')) return name === 'softe' ? 'mq' : `word${index}`;
  return name ?? `word${index}`;
}

/** Word size of a pt_regs by its size: a 32-bit one is shorter than the shortest 64-bit one. */
export function registerBits(ptRegsSize: number): 32 | 64 {
  return ptRegsSize < USER_REGS * 8 ? 32 : 64;
}

/** One line a register: name and value. A register that is cut is left out. */
export function registersText(bytes: Uint8Array, endian: 'little' | 'big', wordBits: 32 | 64): string {
  const fields = new Fields(bytes, endian);
  const word = wordBits / 8;
  let text = '';
  for (let index = 0; (index + 1) * word <= bytes.length; index++) {
    const value = wordBits === 64 ? fields.u64(index * word) : BigInt(fields.u32(index * word));
    text += `${registerName(index, wordBits).padEnd(10)}${hex(value, word)}\n`;
  }
  return text;
}

/** The CPUs of a cpumask in the kernel's list format: `0-3,8`. Empty when there are none. */
export function cpuList(mask: Uint8Array, endian: 'little' | 'big', wordBits: 32 | 64): string {
  const word = wordBits / 8;
  const ranges: string[] = [];
  let first = -1;
  const cpus = Math.floor(mask.length / word) * wordBits;
  for (let cpu = 0; cpu <= cpus; cpu++) {
    // A mask is an array of longs: on a big-endian machine CPU 0 is in the last byte of the first.
    const byte = cpu >> 3;
    const at = endian === 'little' ? byte : byte - (byte % word) + (word - 1 - (byte % word));
    const isSet = cpu < cpus && (mask[at]! & (1 << (cpu & 7))) !== 0;
    if (isSet && first < 0) first = cpu;
    if (isSet || first < 0) continue;
    ranges.push(first === cpu - 1 ? `${first}` : `${first}-${cpu - 1}`);
    first = -1;
  }
  return ranges.join(',');
}

/** The header decoded, one line a field. @param mask the cpumask's bytes, as far as they are known */
export function fadumpHeaderText(
  header: FadumpHeader,
  verdicts: readonly FadumpVerdict[],
  sizes: FadumpSizes,
  mask: Uint8Array,
): string {
  const lines: [string, string][] = [];
  const address = (label: string, value: bigint | null) => {
    if (value !== null) lines.push([label, hex(value, 8)]);
  };
  const count = (label: string, value: bigint | number | null) => {
    if (value !== null) lines.push([label, `${value} bytes`]);
  };
  lines.push(['magic', header.layout === 'old' ? FADUMP_MAGIC_OLD : FADUMP_MAGIC]);
  lines.push(['byte order', `${header.endian}-endian`]);
  lines.push(['layout', header.layout]);
  for (const { sentence } of verdicts) lines.push(['verdict', sentence]);
  if (header.version !== null) lines.push(['version', String(header.version)]);
  lines.push(['crashing CPU', header.crashingCpu === null ? 'unknown (0xffffffff)' : String(header.crashingCpu)]);
  address('elfcorehdr address', header.elfcorehdrAddress);
  count('elfcorehdr size', header.elfcorehdrSize);
  address('vmcoreinfo address', header.vmcoreinfoAddress);
  count('vmcoreinfo size', header.vmcoreinfoSize);
  count('pt_regs size', header.ptRegsSize);
  count('cpumask size', header.cpumaskSize);
  if (mask.length > 0) lines.push(['CPUs', cpuList(mask, header.endian, registerBits(sizes.ptRegs)) || 'none']);
  return lines.map(([label, value]) => `${`${label}:`.padEnd(20)}${value}\n`).join('');
}

function hex(value: bigint, bytes: number): string {
  return `0x${value.toString(16).padStart(bytes * 2, '0')}`;
}
