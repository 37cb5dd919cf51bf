// The crashed kernel's own memory: its variables by their virtual addresses.

import { PstoreError } from '../errors.js';
import { Fields } from '../pstore/abi.js';
import { type Translate, translations } from './address-space.js';
import type { CrashDump } from './crash-dump.js';
import { memoryOf, type PhysicalMemory } from './physical-memory.js';
import type { Vmcoreinfo } from './vmcoreinfo.js';

/** What is translated at once: the smallest page of all machines. */
const PAGE = 4096;
/** Translated pages that are remembered. */
const MAX_TRANSLATED = 1024;
const MAX_ADDRESS = 2n ** 64n;

export class KernelMemory {
  readonly wordSize: 4 | 8;
  readonly #dump: CrashDump;
  readonly #memory: PhysicalMemory;
  readonly #ways: readonly Translate[];
  readonly #translated = new Map<bigint, number>();

  constructor(dump: CrashDump, info: Vmcoreinfo) {
    const { memory, elf } = memoryOf(dump);
    this.#dump = dump;
    this.#memory = memory;
    this.#ways = translations(dump, info, memory, elf);
    this.wordSize = dump.wordBits === 64 ? 8 : 4;
  }

  /** @throws PstoreError ENODATA where the dump does not have all of these bytes */
  bytes(address: bigint, length: number): Uint8Array {
    const target = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const at = (address + BigInt(done)) % MAX_ADDRESS;
      const inPage = Number(at % BigInt(PAGE));
      const part = target.subarray(done, done + PAGE - inPage);
      this.#readInPage(part, at);
      done += part.length;
    }
    return target;
  }

  fields(address: bigint, length: number): Fields {
    return new Fields(this.bytes(address, length), this.#dump.endian);
  }

  u32(address: bigint): number {
    return this.fields(address, 4).u32(0);
  }

  /** An unsigned long, or a pointer. */
  word(address: bigint): bigint {
    return wordAt(this.fields(address, this.wordSize), 0, this.wordSize);
  }

  /** Reads what lies in one page, by the first way that leads into the dump. */
  #readInPage(target: Uint8Array, address: bigint): void {
    const inPage = address % BigInt(PAGE);
    const page = address - inPage;
    const known = this.#translated.get(page);
    if (known !== undefined && this.#memory.read(target, known + Number(inPage)) === target.length) return;
    for (const way of this.#ways) {
      const physical = way(page);
      if (physical === undefined || this.#memory.read(target, physical + Number(inPage)) < target.length) continue;
      this.#translated.set(page, physical);
      if (this.#translated.size > MAX_TRANSLATED) this.#translated.delete(this.#translated.keys().next().value!);
      return;
    }
    const what = `the kernel's memory at ${hex(address)} is not in this dump`;
    throw new PstoreError('ENODATA', this.#memory.isCut ? `${what}, which was cut: copy all of it` : what);
  }
}

/** An unsigned long in a struct. */
export function wordAt(fields: Fields, at: number, wordSize: 4 | 8): bigint {
  return wordSize === 8 ? fields.u64(at) : BigInt(fields.u32(at));
}

function hex(address: bigint): string {
  return `0x${address.toString(16)}`;
}
