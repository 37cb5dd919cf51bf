// The kernel's symbol table as /proc/kallsyms and System.map spell it, and the lookup of an address in it.

import { PstoreError } from '../errors.js';

/** What the kernel's `%pS` would say about an address. */
export interface Symbol {
  readonly name: string;
  /** Bytes from the symbol's beginning. */
  readonly offset: bigint;
  /** Bytes to the next symbol of another address. */
  readonly size: bigint;
  /** Name of the module, or null for the kernel itself. */
  readonly module: string | null;
}

/** Symbols of the kernel or of one module, sorted by address; of several at one address the first of the file leads. */
interface Section {
  readonly module: string | null;
  readonly addresses: BigUint64Array;
  readonly names: readonly string[];
}

/** Symbols as they stand in the file: an object for each would take more memory than the file has bytes many times. */
class Unsorted {
  #addresses = new BigUint64Array(FIRST_ROOM);
  readonly #names: string[] = [];

  push(address: bigint, name: string): void {
    const { length } = this.#names;
    if (length === this.#addresses.length) {
      const larger = new BigUint64Array(2 * length);
      larger.set(this.#addresses);
      this.#addresses = larger;
    }
    this.#addresses[length] = address;
    this.#names.push(name);
  }

  sorted(module: string | null): Section {
    const addresses = this.#addresses.subarray(0, this.#names.length);
    if (isSorted(addresses)) return { module, addresses, names: this.#names };
    // A sort of numbers is stable, so that symbols of one address keep the file's order, which is the kernel's.
    const order = Uint32Array.from(addresses, (_, i) => i).sort((a, b) => compare(addresses[a]!, addresses[b]!));
    return {
      module,
      addresses: BigUint64Array.from(order, (i) => addresses[i]!),
      names: Array.from(order, (i) => this.#names[i]!),
    };
  }
}

/** Symbols that there is room for at first: a module has about so many. */
const FIRST_ROOM = 64;

const compare = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0);

function isSorted(addresses: BigUint64Array): boolean {
  for (let i = 1; i < addresses.length; i++) if (addresses[i]! < addresses[i - 1]!) return false;
  return true;
}

/** A module's last symbol has no successor that tells its size: it ends with its page at the latest. */
const PAGE = 4096n;

export class Kallsyms {
  readonly #kernel: Section;
  readonly #modules: readonly Section[];
  /** Address ranges in which the kernel's own symbols are valid: [from, to). */
  readonly #ranges: readonly (readonly [bigint, bigint])[];

  constructor(kernel: Section, modules: readonly Section[]) {
    this.#kernel = kernel;
    this.#modules = modules;
    this.#ranges = kernelRanges(kernel);
  }

  /**
   * The symbol that an address lies in, as kallsyms_lookup() finds it: the first of those with the highest address that
   * is not above it.
   * @returns undefined outside the kernel's text and data and outside every module
   */
  lookup(address: bigint): Symbol | undefined {
    if (this.#ranges.some(([from, to]) => address >= from && address < to)) {
      const found = symbolIn(this.#kernel, address);
      if (found) return found;
    }
    let best: Symbol | undefined;
    for (const section of this.#modules) {
      const found = symbolIn(section, address);
      if (found && found.offset < found.size && (!best || found.offset < best.offset)) best = found;
    }
    return best;
  }
}

/**
 * @param text lines `ADDRESS TYPE NAME`, a module in brackets after the name; other lines are passed over
 * @throws PstoreError EINVAL when no line is such a line, or all addresses are 0 (kernel.kptr_restrict)
 */
export function parseKallsyms(text: Uint8Array, path = 'kallsyms'): Kallsyms {
  const sections = new Map<string, Unsorted>([['', new Unsorted()]]);
  let known = 0;
  let placed = 0;
  for (const match of decodeLines(text)) {
    known++;
    const address = BigInt(`0x${match[1]}`);
    if (address !== 0n) placed++;
    const module = match[3] ?? '';
    const own = sections.get(module) ?? new Unsorted();
    own.push(address, match[2]!);
    sections.set(module, own);
  }
  if (known === 0) {
    throw new PstoreError(
      'EINVAL',
      `${path} has no line such as "ffffffff81000000 T _text": give a copy of /proc/kallsyms or a System.map`,
      { path },
    );
  }
  if (placed === 0) {
    throw new PstoreError(
      'EINVAL',
      `${path} has the address 0 for all ${known} symbols: copy /proc/kallsyms as root (kernel.kptr_restrict hides them)`,
      { path },
    );
  }
  const kernel = sections.get('')!.sorted(null);
  sections.delete('');
  return new Kallsyms(
    kernel,
    [...sections].map(([module, own]) => own.sorted(module)),
  );
}

function decodeLines(text: Uint8Array): IterableIterator<RegExpExecArray> {
  const string = new TextDecoder().decode(text);
  return string.matchAll(/^([0-9a-fA-F]{1,16}) [A-Za-z?-] ([^\s[]+)(?:[ \t]+\[([^\]\s]+)\])?[ \t]*\r?$/gm);
}

/** Where the kernel looks into its own table (is_ksym_addr); everything from the first to the last symbol without it. */
function kernelRanges(kernel: Section): (readonly [bigint, bigint])[] {
  const at = (name: string) => {
    const index = kernel.names.indexOf(name);
    return index < 0 ? undefined : kernel.addresses[index]!;
  };
  const pairs = [
    [at('_stext') ?? at('_text'), at('_end') ?? at('_etext')],
    [at('_sinittext'), at('_einittext')],
  ] as const;
  const ranges = pairs.flatMap(([from, to]) =>
    from !== undefined && to !== undefined && from < to ? [[from, to] as const] : [],
  );
  const count = kernel.addresses.length;
  if (ranges.length > 0 || count === 0) return ranges;
  return [[kernel.addresses[0]!, kernel.addresses[count - 1]! + PAGE]];
}

function symbolIn(section: Section, address: bigint): Symbol | undefined {
  const { addresses, names, module } = section;
  const above = firstAbove(addresses, address);
  if (above === 0) return undefined;
  const start = addresses[above - 1]!;
  const first = firstAbove(addresses, start - 1n);
  const end = above < addresses.length ? addresses[above]! : (start / PAGE + 1n) * PAGE;
  return { name: names[first]!, offset: address - start, size: end - start, module };
}

/** Index of the first address that is greater. */
function firstAbove(addresses: BigUint64Array, address: bigint): number {
  let low = 0;
  let high = addresses.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (addresses[middle]! <= address) low = middle + 1;
    else high = middle;
  }
  return low;
}
