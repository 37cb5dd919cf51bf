// Walks the kernel's page tables in a dump: x86-64 with 4 or 5 levels (Intel SDM, volume 3, 4.5), arm64 with pages of 4,
// 16 or 64 KiB (Arm ARM, D8.3).

import { Fields } from '../pstore/abi.js';
import type { PhysicalMemory } from './physical-memory.js';

export interface PagingRules {
  readonly kind: 'x86' | 'arm64';
  /** log2 of a page's size. */
  readonly pageShift: number;
  /** Bits of a virtual address that the tables look at. */
  readonly addressBits: number;
  /** Bits of an entry that are the physical address. */
  readonly frameMask: bigint;
  /** arm64: where an entry has the bits of a physical address above bit 47: 15:12 as 51:48, or 9:8 as 51:50. */
  readonly wide: 'no' | 'lpa' | 'lpa2';
}

const ENTRY_SIZE = 8;
/** The entry is there: bit 0 of both machines. */
const PRESENT = 1n;
/** x86: the entry maps a large page. */
const X86_LARGE = 1n << 7n;
/** arm64: the entry points to a table, or maps a page at the last level; without it, it maps a block. */
const ARM64_TABLE = 1n << 1n;

export class PageTables {
  readonly #memory: Pick<PhysicalMemory, 'read'>;
  readonly #root: number;
  readonly #rules: PagingRules;
  readonly #endian: 'little' | 'big';

  /** @param root physical address of the top table */
  constructor(memory: Pick<PhysicalMemory, 'read'>, root: number, rules: PagingRules, endian: 'little' | 'big') {
    this.#memory = memory;
    this.#root = root;
    this.#rules = rules;
    this.#endian = endian;
  }

  /** The physical address, or undefined where nothing is mapped or a table is not in the dump. */
  physical(address: bigint): number | undefined {
    const { pageShift, addressBits, kind } = this.#rules;
    const perTable = pageShift - Math.log2(ENTRY_SIZE);
    const levels = Math.ceil((addressBits - pageShift) / perTable);
    let table = this.#root;
    for (let level = levels - 1; level >= 0; level--) {
      const shift = pageShift + level * perTable;
      const bits = level === levels - 1 ? addressBits - shift : perTable;
      const index = Number((address >> BigInt(shift)) & ((1n << BigInt(bits)) - 1n));
      const entry = this.#entry(table + index * ENTRY_SIZE);
      if (entry === undefined || (entry & PRESENT) === 0n) return undefined;
      const isLast = level === 0 || (kind === 'x86' ? (entry & X86_LARGE) !== 0n : (entry & ARM64_TABLE) === 0n);
      const inside = (1n << BigInt(shift)) - 1n;
      const frame = this.#frame(entry);
      if (isLast) return Number((frame & ~inside) | (address & inside));
      table = Number(frame);
    }
    return undefined;
  }

  #entry(address: number): bigint | undefined {
    const bytes = new Uint8Array(ENTRY_SIZE);
    return this.#memory.read(bytes, address) === ENTRY_SIZE ? new Fields(bytes, this.#endian).u64(0) : undefined;
  }

  #frame(entry: bigint): bigint {
    const { frameMask, wide } = this.#rules;
    const frame = entry & frameMask;
    if (wide === 'lpa') return frame | (((entry >> 12n) & 0xfn) << 48n);
    if (wide === 'lpa2') return frame | (((entry >> 48n) & 3n) << 48n) | (((entry >> 8n) & 3n) << 50n);
    return frame;
  }
}
