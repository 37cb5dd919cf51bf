// Where the kernel's virtual addresses lie in physical memory, as far as VMCOREINFO tells
// (Documentation/admin-guide/kdump/vmcoreinfo.rst).

import type { CrashDump } from './crash-dump.js';
import { PageTables, type PagingRules } from './page-tables.js';
import type { ElfMemory, PhysicalMemory } from './physical-memory.js';
import { infoNumber, infoSymbol, type Vmcoreinfo, vmcoreinfoPageSize } from './vmcoreinfo.js';

/** A way from a virtual address to the physical one; undefined where it does not lead there. */
export type Translate = (address: bigint) => number | undefined;

/** x86-64: the kernel's image is mapped from here on (__START_KERNEL_map), for at most 1 GiB. */
const X86_IMAGE = 0xffff_ffff_8000_0000n;
const X86_IMAGE_SIZE = 1n << 30n;
/** arm64: an address that is less far from _stext than this belongs to the kernel's image. */
const ARM64_IMAGE_SIZE = 1n << 27n;
/** powerpc64 maps all memory from 0xc… on: the rest of the address is the physical one. */
const PPC64_MASK = (1n << 60n) - 1n;
/** Kernels of 32 bits: the usual split of the address space, and what is mapped of memory then. */
const PAGE_OFFSET_32 = 0xc000_0000n;
const LOW_MEMORY_32 = 896n << 20n;
/** MIPS: CKSEG0 and CKSEG1, 512 MiB each, are the same memory; addresses of 32 bits are extended by their sign. */
const MIPS_SEGMENTS = [0x8000_0000n, 0xffff_ffff_8000_0000n];
const MIPS_SEGMENT_MASK = (1n << 29n) - 1n;
/** MIPS of 64 bits: XKPHYS. The bits below these are the physical address. */
const MIPS_XKPHYS = 0x8000_0000_0000_0000n;
const MIPS_XKPHYS_MASK = (1n << 59n) - 1n;
/** LoongArch: windows from 0x8000… and 0x9000… on. */
const LOONGARCH_MASK = (1n << 48n) - 1n;
const MAX_PHYSICAL = 2n ** 52n;

/**
 * The ways that are known for the dump's machine, the surest first.
 */
export function translations(
  dump: CrashDump,
  info: Vmcoreinfo,
  memory: PhysicalMemory,
  elf: ElfMemory | undefined,
): Translate[] {
  const ways: (Translate | undefined)[] = [];
  const machine = dump.machine || machineByInfo(info);
  if (machine === 'x86_64') ways.push(...x86(dump, info, memory, elf));
  else if (machine === 'aarch64') ways.push(...arm64(dump, info, memory));
  else if (machine === 'riscv' || machine === 'riscv64') ways.push(riscv(info));
  else if (machine.startsWith('ppc64')) ways.push(within(0xcn << 60n, 0xdn << 60n, (address) => address & PPC64_MASK));
  else if (machine.startsWith('s390')) ways.push(within(0n, MAX_PHYSICAL, (address) => address));
  if (elf) ways.push((address) => elf.physical(address));
  if (dump.wordBits === 32 && /^i[3-6]86$|^ppc|^powerpc/.test(machine)) ways.push(lowMemory(0n));
  else if (/^arm/.test(machine) && dump.wordBits === 32) ways.push(lowMemory(dump.physBase ?? 0n));
  else if (/^mips/.test(machine)) ways.push(...mips());
  else if (/^loongarch/.test(machine)) ways.push(within(8n << 60n, 10n << 60n, (address) => address & LOONGARCH_MASK));
  return ways.filter((way) => way !== undefined);
}

/** @param begin where memory begins */
function lowMemory(begin: bigint): Translate {
  const end = PAGE_OFFSET_32 + LOW_MEMORY_32;
  return within(PAGE_OFFSET_32, end, (address) => address - PAGE_OFFSET_32 + begin);
}

function mips(): Translate[] {
  const segments = MIPS_SEGMENTS.map((from) =>
    within(from, from + 2n * (MIPS_SEGMENT_MASK + 1n), (address) => address & MIPS_SEGMENT_MASK),
  );
  return [...segments, within(MIPS_XKPHYS, 0xc0n << 56n, (address) => address & MIPS_XKPHYS_MASK)];
}

/** QEMU's compressed dumps do not always name the machine; what VMCOREINFO speaks of does. */
function machineByInfo(info: Vmcoreinfo): string {
  if (infoNumber(info, 'kimage_voffset') !== undefined) return 'aarch64';
  if (infoNumber(info, 'phys_base') !== undefined || infoSymbol(info, 'init_top_pgt') !== undefined) return 'x86_64';
  return infoNumber(info, 'va_kernel_pa_offset') === undefined ? '' : 'riscv64';
}

function within(from: bigint, to: bigint, map: (address: bigint) => bigint): Translate {
  return (address) => {
    if (address < from || address >= to) return undefined;
    const physical = map(address);
    return physical >= 0n && physical < MAX_PHYSICAL ? Number(physical) : undefined;
  };
}

function x86(
  dump: CrashDump,
  info: Vmcoreinfo,
  memory: PhysicalMemory,
  elf: ElfMemory | undefined,
): (Translate | undefined)[] {
  const end = X86_IMAGE + X86_IMAGE_SIZE;
  const fromElf = elf?.shiftWithin(X86_IMAGE, end);
  const physBase =
    infoNumber(info, 'phys_base') ?? (fromElf === undefined ? undefined : fromElf + X86_IMAGE) ?? dump.physBase ?? 0n;
  const image = within(X86_IMAGE, end, (address) => address - X86_IMAGE + physBase);
  const root =
    infoSymbol(info, 'init_top_pgt') ?? infoSymbol(info, 'init_level4_pgt') ?? infoSymbol(info, 'swapper_pg_dir');
  const rootAt = root === undefined ? undefined : image(root);
  if (rootAt === undefined) return [image];
  const encryption = infoNumber(info, 'sme_mask') ?? 0n;
  const rules: PagingRules = {
    kind: 'x86',
    pageShift: 12,
    addressBits: infoNumber(info, 'pgtable_l5_enabled') === 1n ? 57 : 48,
    frameMask: 0x000f_ffff_ffff_f000n & ~encryption,
    wide: 'no',
  };
  const tables = new PageTables(memory, rootAt, rules, dump.endian);
  return [image, (address) => tables.physical(address)];
}

function arm64(dump: CrashDump, info: Vmcoreinfo, memory: PhysicalMemory): (Translate | undefined)[] {
  const offset = infoNumber(info, 'kimage_voffset');
  const stext = infoSymbol(info, '_stext');
  const compiled = infoNumber(info, 'VA_BITS') ?? 48n;
  const t1sz = infoNumber(info, 'TCR_EL1_T1SZ');
  const actual = t1sz === undefined ? compiled : 64n - t1sz;
  const linear = arm64Linear(info, compiled);
  if (offset === undefined) return [linear];
  const toImage = (address: bigint) => BigInt.asUintN(64, address - offset);
  const image = stext === undefined ? undefined : within(stext - ARM64_IMAGE_SIZE, stext + ARM64_IMAGE_SIZE, toImage);
  const root = infoSymbol(info, 'swapper_pg_dir');
  if (root === undefined) return [image, linear];
  const pageSize = vmcoreinfoPageSize(info) ?? 4096;
  const pageShift = Math.log2(pageSize);
  // With pages of 64 KiB the tables are laid out for the bits that the kernel was built for, whatever the CPU has.
  const addressBits = Number(pageShift === 16 ? compiled : actual);
  const rules: PagingRules = {
    kind: 'arm64',
    pageShift,
    addressBits,
    frameMask: ((1n << 48n) - 1n) & ~(BigInt(pageSize) - 1n),
    wide: pageShift === 16 ? 'lpa' : addressBits > 48 ? 'lpa2' : 'no',
  };
  const tables = new PageTables(memory, Number(toImage(root) % MAX_PHYSICAL), rules, dump.endian);
  return [(address) => tables.physical(address), image, linear];
}

/** All memory is mapped from PAGE_OFFSET on: since Linux 5.4 in the lower half of the kernel's addresses. */
function arm64Linear(info: Vmcoreinfo, bits: bigint): Translate | undefined {
  const base = infoNumber(info, 'PHYS_OFFSET');
  if (base === undefined || bits < 36n || bits > 52n) return undefined;
  const start = 2n ** 64n - (1n << bits);
  const half = 1n << (bits - 1n);
  return within(start, start + half, (address) => address - start + base);
}

function riscv(info: Vmcoreinfo): Translate | undefined {
  const start = infoNumber(info, 'PAGE_OFFSET');
  const link = infoNumber(info, 'KERNEL_LINK_ADDR');
  const ram = infoNumber(info, 'phys_ram_base');
  const offset = infoNumber(info, 'va_kernel_pa_offset');
  if (start === undefined || ram === undefined) return undefined;
  return within(start, 2n ** 64n, (address) =>
    link !== undefined && offset !== undefined && address >= link ? address - offset : address - start + ram,
  );
}
