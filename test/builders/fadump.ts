// Builds crash info headers of firmware-assisted dump byte by byte, independently of the code that reads them.

import { Writer } from './vmcore.js';

export interface FadumpSpec {
  readonly endian: 'little' | 'big';
  readonly layout: 'new' | 'draft' | 'old';
  readonly magic?: string;
  readonly version?: number;
  readonly cpu?: number;
  readonly elfcorehdr?: readonly [bigint, bigint];
  readonly vmcoreinfo?: readonly [bigint, bigint];
  /** Bytes; `claims` is what the header says instead. */
  readonly ptRegs?: number;
  readonly cpumask?: number;
  readonly claims?: { readonly ptRegs?: number; readonly cpumask?: number };
  /** CPUs whose bit is set. */
  readonly cpus?: readonly number[];
  /** Bits of a long. */
  readonly bits?: 32 | 64;
  /** Whether the old header is followed by an ELF header, as in a real dump. */
  readonly elf?: boolean;
}

/** Register n has the value 0x1000 + n, with a mark in the upper half that shows a wrong byte order. */
export function registerValue(index: number, bits: 32 | 64 = 64): bigint {
  return bits === 64 ? (0xc0ffee00n << 32n) + 0x1000n + BigInt(index) : 0xa0001000n + BigInt(index);
}

export function buildFadump(spec: FadumpSpec): Uint8Array {
  const { endian, layout, bits = 64, ptRegs = 352, cpumask = 256, cpus = [0], cpu = 3, version = 1 } = spec;
  const writer = new Writer(endian);
  const letters = spec.magic ?? (layout === 'old' ? 'FADMPINF' : 'FADMPSIG');
  writer.text(endian === 'big' ? letters : [...letters].reverse().join(''));
  const [elfAddress, elfSize] = spec.elfcorehdr ?? [0x1_2345_6000n, 0x1000n];
  const [infoAddress, infoSize] = spec.vmcoreinfo ?? [0x2_0000_1000n, 0x1000n];
  if (layout === 'old') writer.u64(elfAddress).u32(cpu).u32(0);
  else {
    writer.u32(version).u32(cpu);
    if (layout === 'draft') writer.u64(elfAddress).u64(elfSize);
    writer
      .u64(infoAddress)
      .u64(infoSize)
      .u32(spec.claims?.ptRegs ?? ptRegs)
      .u32(spec.claims?.cpumask ?? cpumask);
  }
  const regsAt = writer.length;
  for (let i = 0; i < ptRegs / (bits / 8); i++) writer.word(registerValue(i, bits), bits);
  writer.padTo(regsAt + ptRegs);
  const longs = Array.from({ length: Math.floor(cpumask / (bits / 8)) }, () => 0n);
  for (const number of cpus) longs[Math.floor(number / bits)]! |= 1n << BigInt(number % bits);
  const maskAt = writer.length;
  for (const long of longs) writer.word(long, bits);
  writer.padTo(maskAt + cpumask);
  if (spec.elf) writer.u8(0x7f, 0x45, 0x4c, 0x46).padTo(writer.length + 60, 0xee);
  return writer.done();
}
