// ftrace records: their encodings on different machines, the merging of all CPUs' rings, and the text of a record.

import { isBlank } from '../bytes.js';
import { type Abi, Fields } from './abi.js';
import { joined } from './content.js';

/**
 * Where a record keeps its CPU: in the low 8 bits of `ts` (most machines), in the low 2 bits of `ip` (32-bit ARM with
 * up to 4 CPUs) or in the lowest bit of `ip` (32-bit ARM with Thumb and up to 2 CPUs).
 */
export type FtraceCpuField = 'ts' | 'ip' | 'ip1';

/** linux/pstore.h, struct pstore_ftrace_record: `ip` (long) at 0, `parent_ip` (long), then `ts` (u64) */
export interface FtraceEncoding {
  /** Bytes of a record. */
  readonly recordSize: 24 | 16;
  readonly wordBits: 32 | 64;
  readonly cpu: FtraceCpuField;
}

/** What the columns `%ps` and `%pS` are made of; class Kallsyms is one. */
export interface SymbolTable {
  lookup(address: bigint): { name: string; offset: bigint; size: bigint; module: string | null } | undefined;
}

/** In the order of preference among equals: a CPU that fits in `ts` is no accident, one in an aligned `ip` may be. */
const ENCODINGS: readonly FtraceEncoding[] = [
  { recordSize: 24, wordBits: 64, cpu: 'ts' },
  { recordSize: 16, wordBits: 32, cpu: 'ts' },
  { recordSize: 16, wordBits: 32, cpu: 'ip' },
  { recordSize: 16, wordBits: 32, cpu: 'ip1' },
];

const TS_CPU_BITS = 8;

/** Records of a ring that are looked at to find the encoding: its newest. */
const SAMPLE = 512;

/** What damaged records may take from the fit of the right encoding; a wrong place of the CPU takes some 0.4. */
const DAMAGED = 0.1;

/** What looks right to this degree needs no look at the other encodings: records of another size cannot seem right, too. */
const CLEAR = 0.98;

/** A CPU number that is likely in a ring that all CPUs share. */
const LIKELY_CPUS = 64;

/** Lines that are encoded at once. */
const CHUNK = 4096;

/**
 * The encoding that fits best. In rings of one CPU each every record of ring i has CPU i; in a single ring, which all
 * CPUs may share, CPUs are small numbers. Timestamps mostly go on, and a function and its caller are mostly in the same
 * part of the address space. Nothing else in an image tells it.
 * @param rings unwrapped, in the order of the zones; empty ones in their places
 * @param abi decides the byte order, and the word size where the data fit both
 * @param certain whether the word size of `abi` is known, so that others are not tried
 * @param mayShare whether CPUs may share a single ring
 */
export function findEncoding(rings: readonly Uint8Array[], abi: Abi, certain = false, mayShare = true): FtraceEncoding {
  const encodings = inOrder(abi).filter(({ wordBits }) => !certain || wordBits === abi.wordBits);
  const fits: { encoding: FtraceEncoding; fit: number }[] = [];
  for (const encoding of encodings) {
    const fit = fitOf(rings, encoding, abi.endian, mayShare && rings.length === 1);
    if (encoding.cpu === 'ts' && fit >= CLEAR) return encoding;
    fits.push({ encoding, fit });
  }
  const best = fits.reduce((first, other) => (other.fit > first.fit ? other : first));
  // All functions may be aligned, as if each `ip` had CPU 0; a `ts` that ends in the CPU's number is no accident.
  const byTimestamp = fits.find(
    ({ encoding }) => encoding.wordBits === best.encoding.wordBits && encoding.cpu === 'ts',
  )!;
  return (byTimestamp.fit >= best.fit - DAMAGED ? byTimestamp : best).encoding;
}

function inOrder(abi: Abi): FtraceEncoding[] {
  const likely = ENCODINGS.filter((encoding) => encoding.wordBits === abi.wordBits);
  return [...likely, ...ENCODINGS.filter((encoding) => encoding.wordBits !== abi.wordBits)];
}

/** Share of the records that look right, 0 … 1. */
function fitOf(
  rings: readonly Uint8Array[],
  encoding: FtraceEncoding,
  endian: Abi['endian'],
  isShared: boolean,
): number {
  let records = 0;
  let right = 0;
  rings.forEach((ring, zone) => {
    const reader = new Reader(ring, encoding, endian);
    const count = Math.min(SAMPLE, Math.floor(ring.length / encoding.recordSize));
    let before: number | undefined;
    for (let i = count; i > 0; i--) {
      const offset = ring.length - i * encoding.recordSize;
      const cpu = reader.cpu(offset);
      const ts = reader.roughTimestamp(offset);
      const isLikely = reader.hasLikelyAddresses(offset);
      if (isLikely) right += 2;
      // A ring that was traced while it was written has records at odd places: what stands there is no CPU.
      if (isShared ? cpu < LIKELY_CPUS : cpu === zone) right += isLikely ? 2 : 0.5;
      if (before === undefined || ts >= before) right++;
      before = ts;
      records += 5;
    }
  });
  return records === 0 ? 0 : right / records;
}

/** Fields of records; offsets are the caller's to check. */
class Reader {
  readonly #fields: Fields;
  readonly #encoding: FtraceEncoding;
  /** Offset of `ts`. */
  readonly #ts: number;
  /** Offsets of the high and the low half in a u64. */
  readonly #high: 0 | 4;
  readonly #low: 0 | 4;

  constructor(bytes: Uint8Array, encoding: FtraceEncoding, endian: Abi['endian']) {
    this.#fields = new Fields(bytes, endian);
    this.#encoding = encoding;
    this.#ts = encoding.recordSize - 8;
    this.#high = endian === 'little' ? 4 : 0;
    this.#low = endian === 'little' ? 0 : 4;
  }

  high(record: number): number {
    return this.#fields.u32(record + this.#ts + this.#high);
  }

  low(record: number): number {
    return this.#fields.u32(record + this.#ts + this.#low);
  }

  /** Low 32 bits of `ip` (0) or `parent_ip` (1). */
  addressLow(record: number, word: 0 | 1): number {
    return this.#fields.u32(this.#encoding.wordBits === 32 ? record + word * 4 : record + word * 8 + this.#low);
  }

  cpu(record: number): number {
    switch (this.#encoding.cpu) {
      case 'ts':
        return this.low(record) & ((1 << TS_CPU_BITS) - 1);
      case 'ip':
        return this.addressLow(record, 0) & 3;
      case 'ip1':
        return this.addressLow(record, 0) & 1;
    }
  }

  timestamp(record: number): bigint {
    const ts = (BigInt(this.high(record)) << 32n) | BigInt(this.low(record));
    return this.#encoding.cpu === 'ts' ? ts >> BigInt(TS_CPU_BITS) : ts;
  }

  timestampText(record: number): string {
    const rough = this.roughTimestamp(record);
    return rough < Number.MAX_SAFE_INTEGER ? String(rough) : String(this.timestamp(record));
  }

  /** The timestamp, exact below 2^53. */
  roughTimestamp(record: number): number {
    const high = this.high(record);
    const low = this.low(record);
    return this.#encoding.cpu === 'ts' ? high * 2 ** (32 - TS_CPU_BITS) + (low >>> TS_CPU_BITS) : high * 2 ** 32 + low;
  }

  /** Whether the timestamp of this record is smaller than that of a record elsewhere, which `ts >> 8` may hide. */
  earlier(record: number, other: Reader, otherRecord: number): boolean {
    const high = this.high(record);
    const otherHigh = other.high(otherRecord);
    if (high !== otherHigh) return high < otherHigh;
    const shift = this.#encoding.cpu === 'ts' ? TS_CPU_BITS : 0;
    return this.low(record) >>> shift < other.low(otherRecord) >>> shift;
  }

  /** Whether both addresses are in the same part of the address space: 4 GiB, or 256 MiB of a 32-bit machine. */
  hasLikelyAddresses(record: number): boolean {
    if (this.#encoding.wordBits === 32) {
      const top = this.addressLow(record, 0) >>> 28;
      return top !== 0 && top === this.addressLow(record, 1) >>> 28;
    }
    const top = this.#fields.u32(record + this.#high);
    return top !== 0 && top === this.#fields.u32(record + 8 + this.#high);
  }

  /** High 32 bits of the same. */
  addressHigh(record: number, word: 0 | 1): number {
    return this.#encoding.wordBits === 32 ? 0 : this.#fields.u32(record + word * 8 + this.#high);
  }
}

/**
 * All CPUs' records in one run, as the kernel merges them (pstore_ftrace_combine_log): pairwise in the order of the
 * zones; the head of what is merged so far goes first only when its timestamp is smaller; the order inside a ring never
 * changes. A partial record at the beginning of each ring is dropped.
 *
 * By that rule a record goes out right after its predecessor unless it is the highest of its ring so far, and among
 * equals the later zone's goes first. That is one order whatever neighbours are merged first, so halves are merged
 * instead of one zone after the other, which takes log(zones) passes over the data instead of one a zone.
 * @param rings unwrapped
 */
export function mergeRings(rings: readonly Uint8Array[], encoding: FtraceEncoding, endian: Abi['endian']): Uint8Array {
  let runs = rings.map((ring) => ring.subarray(ring.length % encoding.recordSize)).filter((run) => run.length > 0);
  while (runs.length > 1) {
    const merged: Uint8Array[] = [];
    for (let i = 0; i < runs.length; i += 2) {
      merged.push(i + 1 < runs.length ? mergeTwo(runs[i]!, runs[i + 1]!, encoding, endian) : runs[i]!);
    }
    runs = merged;
  }
  return runs[0] ?? new Uint8Array(0);
}

function mergeTwo(first: Uint8Array, second: Uint8Array, encoding: FtraceEncoding, endian: Abi['endian']): Uint8Array {
  const size = encoding.recordSize;
  const [a, b] = [new Reader(first, encoding, endian), new Reader(second, encoding, endian)];
  const merged = new Uint8Array(first.length + second.length);
  let i = 0;
  let j = 0;
  while (i < first.length && j < second.length) {
    // As many of one as go out together.
    const [fromI, fromJ] = [i, j];
    while (i < first.length && a.earlier(i, b, j)) i += size;
    merged.set(first.subarray(fromI, i), fromI + fromJ);
    if (i === first.length) break;
    while (j < second.length && !a.earlier(i, b, j)) j += size;
    merged.set(second.subarray(fromJ, j), i + fromJ);
  }
  merged.set(first.subarray(i), i + j);
  merged.set(second.subarray(j), first.length + j);
  return merged;
}

/**
 * The text of records, one line each, as pstorefs prints it: `CPU:%d ts:%llu %08lx  %08lx  %ps <- %pS`.
 * @param merged whole records; a partial one at the beginning is passed over
 * @param symbols fills the last two columns; without it, or where it knows nothing, they are `0x` and the address
 */
export function ftraceText(
  merged: Uint8Array,
  encoding: FtraceEncoding,
  endian: Abi['endian'],
  symbols?: SymbolTable,
): Uint8Array {
  const reader = new Reader(merged, encoding, endian);
  const addresses = new Addresses(symbols);
  const size = encoding.recordSize;
  const encoder = new TextEncoder();
  const chunks: Uint8Array[] = [];
  let lines = '';
  let count = 0;
  for (let record = merged.length % size; record < merged.length; record += size) {
    const ip = addresses.of(reader.addressHigh(record, 0), reader.addressLow(record, 0));
    const parent = addresses.of(reader.addressHigh(record, 1), reader.addressLow(record, 1));
    const when = `CPU:${reader.cpu(record)} ts:${reader.timestampText(record)}`;
    lines += `${when} ${ip.digits}  ${parent.digits}  ${ip.plain} <- ${parent.withOffset}\n`;
    if (++count % CHUNK === 0) {
      chunks.push(encoder.encode(lines));
      lines = '';
    }
  }
  chunks.push(encoder.encode(lines));
  return joined(chunks);
}

/** What is printed of an address. */
interface Address {
  /** `%08lx` */
  readonly digits: string;
  /** `%ps` */
  readonly plain: string;
  /** `%pS` */
  readonly withOffset: string;
}

/** Addresses come again and again: so many are kept. */
const MAX_ADDRESSES = 4096;

class Addresses {
  readonly #symbols: SymbolTable | undefined;
  /** By the low half of those that have one high half, which the next address mostly has, too. */
  readonly #known = new Map<number, Address>();
  #high = 0;

  constructor(symbols: SymbolTable | undefined) {
    this.#symbols = symbols;
  }

  of(high: number, low: number): Address {
    if (high !== this.#high || this.#known.size >= MAX_ADDRESSES) {
      this.#known.clear();
      this.#high = high;
    }
    const known = this.#known.get(low);
    if (known) return known;
    const address = this.#made(high === 0 ? low.toString(16) : high.toString(16) + low.toString(16).padStart(8, '0'));
    this.#known.set(low, address);
    return address;
  }

  #made(hex: string): Address {
    const digits = hex.padStart(8, '0');
    const found = this.#symbols?.lookup(BigInt(`0x${hex}`));
    if (!found) return { digits, plain: `0x${hex}`, withOffset: `0x${hex}` };
    const place = `+0x${found.offset.toString(16)}/0x${found.size.toString(16)}`;
    const module = found.module === null ? '' : ` [${found.module}]`;
    return { digits, plain: `${found.name}${module}`, withOffset: `${found.name}${place}${module}` };
  }
}

/**
 * The records of a ring whose `start` is larger than its `datalen`, which a kernel leaves when the function that writes
 * the ring is traced itself (seen on ARM): the ring has not wrapped, `datalen` is behind. Whole records up to datalen
 * count, and after it those up to `start` whose timestamps go on.
 * @param data the ring's data area from its beginning
 * @param start in bytes; what lies beyond the area is not looked at
 * @param datalen in bytes, below `start`
 * @returns the whole records, as a view of `data`
 */
export function oldStartCut(
  data: Uint8Array,
  start: number,
  datalen: number,
  encoding: FtraceEncoding,
  endian: Abi['endian'],
): Uint8Array {
  const size = encoding.recordSize;
  const reader = new Reader(data, encoding, endian);
  const most = Math.min(start, data.length);
  let end = Math.min(datalen, most);
  end -= end % size;
  let before = end > 0 ? reader.timestamp(end - size) : 0n;
  for (; end + size <= most; end += size) {
    const ts = reader.timestamp(end);
    if (ts < before || isBlank(data.subarray(end, end + size))) break;
    before = ts;
  }
  return data.subarray(0, end);
}
