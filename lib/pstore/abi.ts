// The machine that wrote an image: byte order, word size, alignment; and typed access to its structs.

import { PstoreError } from '../errors.js';

export interface Abi {
  readonly endian: 'little' | 'big';
  /** Size of C's `long` and of pointers. */
  readonly wordBits: 32 | 64;
  /** Alignment of a 64-bit integer in a struct: 4 only on i386 (and m68k, which aligns to 2: not supported). */
  readonly align: 4 | 8;
}

const LE64: Abi = { endian: 'little', wordBits: 64, align: 8 };
const LE32: Abi = { endian: 'little', wordBits: 32, align: 8 };
const BE64: Abi = { endian: 'big', wordBits: 64, align: 8 };
const BE32: Abi = { endian: 'big', wordBits: 32, align: 8 };
const LE32_ALIGN4: Abi = { endian: 'little', wordBits: 32, align: 4 };
const BE32_ALIGN4: Abi = { endian: 'big', wordBits: 32, align: 4 };

/** Names for `abi=`: our own short ones, and the machines' as the kernel's `arch/` and `uname -m` spell them. */
export const ABI_NAMES: Readonly<Record<string, Abi>> = {
  le64: LE64,
  le32: LE32,
  be64: BE64,
  be32: BE32,
  'le32-align4': LE32_ALIGN4,
  'be32-align4': BE32_ALIGN4,
  x86_64: LE64,
  amd64: LE64,
  arm64: LE64,
  aarch64: LE64,
  riscv64: LE64,
  ppc64le: LE64,
  mips64el: LE64,
  loongarch64: LE64,
  i386: LE32_ALIGN4,
  i486: LE32_ALIGN4,
  i586: LE32_ALIGN4,
  i686: LE32_ALIGN4,
  x86: LE32_ALIGN4,
  arm: LE32,
  armv7l: LE32,
  mipsel: LE32,
  riscv32: LE32,
  mips: BE32,
  ppc: BE32,
  powerpc: BE32,
  armeb: BE32,
  mips64: BE64,
  ppc64: BE64,
  powerpc64: BE64,
  s390x: BE64,
};

export const DEFAULT_ABI: Abi = LE64;

/** Every distinct ABI that can be written. */
export const ALL_ABIS: readonly Abi[] = [LE64, LE32, LE32_ALIGN4, BE64, BE32, BE32_ALIGN4];

/** @throws PstoreError EINVAL for a name that is not known */
export function parseAbi(name: string): Abi {
  const abi = Object.hasOwn(ABI_NAMES, name) ? ABI_NAMES[name] : undefined;
  if (!abi) {
    throw new PstoreError('EINVAL', `unknown abi "${name}": known are ${Object.keys(ABI_NAMES).join(', ')}`);
  }
  return abi;
}

/** Our short name: `le64`, `be32`, `le32-align4`, … */
export function abiName(abi: Abi): string {
  return `${abi.endian === 'little' ? 'le' : 'be'}${abi.wordBits}${abi.align === 4 ? '-align4' : ''}`;
}

/**
 * Integers in a run of bytes, in one byte order. Offsets are the caller's to check: reading beyond the end throws
 * RangeError, which is a bug of ours and never an answer to a damaged image.
 */
export class Fields {
  readonly view: DataView;
  readonly little: boolean;

  constructor(bytes: Uint8Array, endian: 'little' | 'big') {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.little = endian === 'little';
  }

  u8(offset: number): number {
    return this.view.getUint8(offset);
  }
  u16(offset: number): number {
    return this.view.getUint16(offset, this.little);
  }
  u32(offset: number): number {
    return this.view.getUint32(offset, this.little);
  }
  s32(offset: number): number {
    return this.view.getInt32(offset, this.little);
  }
  u64(offset: number): bigint {
    return this.view.getBigUint64(offset, this.little);
  }
  s64(offset: number): bigint {
    return this.view.getBigInt64(offset, this.little);
  }
  setU8(offset: number, value: number): void {
    this.view.setUint8(offset, value);
  }
  setU16(offset: number, value: number): void {
    this.view.setUint16(offset, value, this.little);
  }
  setU32(offset: number, value: number): void {
    this.view.setUint32(offset, value, this.little);
  }
  setU64(offset: number, value: bigint): void {
    this.view.setBigUint64(offset, value, this.little);
  }
  setS64(offset: number, value: bigint): void {
    this.view.setBigInt64(offset, value, this.little);
  }
}
