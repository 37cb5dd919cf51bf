// Tells where the ftrace zones lie, how large each is and for how many CPUs: from their headers, and from the CPU that
// their records name.

import { type Abi, Fields } from '../pstore/abi.js';
import { readRange, type Storage } from '../storage/storage.js';
import { type SizeEvidence, wrappedSize } from './evidence.js';
import { BUFFER_HEADER_SIZE } from './format.js';
import { ZONE_MULTIPLE, type ZoneSizes } from './geometry.js';
import type { Mark } from './marks.js';

export interface FtraceZones {
  /** First byte of CPU 0's zone. */
  readonly offset: number;
  /** Bytes of each zone. */
  readonly size: number;
  readonly cpus: number;
  /** Whether the image leaves no other choice. */
  readonly certain: boolean;
  /** The word size that the records fit, or undefined without records. */
  readonly wordBits: 32 | 64 | undefined;
  /** How much of the evidence speaks against it. */
  readonly misfit: number;
}

export interface FtraceEvidence extends SizeEvidence {
  /** The zones begin here, or later. */
  readonly least: number;
  /** Where they begin, if that is known. */
  readonly start: number | undefined;
}

const HEADER = BUFFER_HEADER_SIZE.pstore_blk;
/** Headers that are looked at: more CPUs than this have their zones at the same distances. */
const MAX_MARKS = 1024;
/** Numbers of CPUs that are tried where no header tells the distance of two zones. */
const MAX_CPUS = 1024;
/** Numbers of CPUs that are tried where hardly anything tells it. */
const LIKELY_CPUS = 32;
/** How far before the only header the first zone is looked for, a multiple of 512. */
const MAX_BEFORE = 1 << 20;
/** Bytes of a ring's newest records that tell its CPU. */
const SAMPLE = 4096;

/** A header and what its ring tells. */
interface Ring {
  readonly mark: Mark;
  readonly cpu: number | undefined;
  readonly wrapped: number | undefined;
}

/** The division that puts most headers in their places. */
export function findFtrace(marks: readonly Mark[], evidence: FtraceEvidence): FtraceZones | undefined {
  if (marks.length === 0) return undefined;
  const { rings, wordBits } = readRings(marks.slice(0, MAX_MARKS), evidence);
  let best: FtraceZones | undefined;
  for (const { size, offset: at, proof } of sizeCandidates(rings, evidence)) {
    const offsets = at === undefined ? offsetCandidates(rings, size, evidence) : [{ offset: at, proof: false }];
    for (const { offset, proof: placed } of offsets) {
      const { cpus, misfit } = judge(rings, size, offset, evidence);
      if (best && misfit >= best.misfit) continue;
      const certain = misfit < 1 && proof && placed && evidence.kmsgOffset !== undefined;
      best = { offset, size, cpus, certain, wordBits, misfit };
      if (misfit === 0) return best;
    }
  }
  return best;
}

interface Candidate {
  readonly size: number;
  /** Where the first zone begins, if that is not to be told from the size. */
  readonly offset?: number;
  /** Whether the image proves it, if it fits. */
  readonly proof: boolean;
}

/** Sizes of a zone, the surest first. */
function* sizeCandidates(rings: readonly Ring[], evidence: FtraceEvidence): Generator<Candidate> {
  const { given, kmsgOffset, total, formatted, start } = evidence;
  const first = rings[0]!;
  const limit = kmsgOffset ?? total;
  if (given.ftraceSize !== undefined) {
    const { ftraceSize } = given;
    const cpus = given.cpus === undefined ? Array.from({ length: MAX_CPUS }, (_, i) => i + 1) : [given.cpus];
    for (const count of cpus) yield { size: Math.floor(ftraceSize / count), proof: given.cpus !== undefined };
    return;
  }
  for (const { wrapped } of rings) if (wrapped !== undefined) yield { size: wrapped, proof: true };
  if (formatted) yield { size: (limit - first.mark.offset) / rings.length, proof: true };
  const known = rings.filter(({ cpu }) => cpu !== undefined);
  for (let i = 1; i < known.length; i++) {
    const [a, b] = [known[i - 1]!, known[i]!];
    yield { size: (b.mark.offset - a.mark.offset) / (b.cpu! - a.cpu!), proof: true };
  }
  if (start !== undefined && first.cpu) yield { size: (first.mark.offset - start) / first.cpu, proof: true };
  for (let i = 1; i < rings.length; i++) {
    yield { size: rings[i]!.mark.offset - rings[i - 1]!.mark.offset, proof: false };
  }
  const { offset } = first.mark;
  const other = known[0] && known[0] !== first ? known[0] : undefined;
  for (let apart = other?.cpu ?? 0; apart > 0; apart--) {
    yield { size: (other!.mark.offset - offset) / apart, proof: false };
  }
  const cpu = first.cpu ?? 0;
  for (let count = cpu + 1; count <= MAX_CPUS; count++) {
    yield { size: (limit - offset) / (count - cpu), proof: false };
  }
  // Not the first zone, by its CPU or its odd place: the first may begin at any place before.
  const from = Math.max(Math.ceil(evidence.least / ZONE_MULTIPLE) * ZONE_MULTIPLE, offset - MAX_BEFORE);
  for (let at = from; at < offset; at += ZONE_MULTIPLE) {
    yield { size: (offset - at) / (cpu > 0 ? cpu : 1), proof: false };
    if (kmsgOffset === undefined || cpu > 0) continue;
    for (let count = 2; count <= LIKELY_CPUS; count++) {
      const size = (kmsgOffset - at) / count;
      if (Number.isInteger(size) && size > HEADER && (offset - at) % size === 0)
        yield { size, offset: at, proof: false };
    }
  }
}

/** Where CPU 0's zone begins, if each zone has this size. */
function* offsetCandidates(
  rings: readonly Ring[],
  size: number,
  { least, start, formatted }: FtraceEvidence,
): Generator<{ offset: number; proof: boolean }> {
  if (!Number.isInteger(size) || size <= HEADER) return;
  const fits = (offset: number) => offset >= least && offset % ZONE_MULTIPLE === 0;
  const known = rings.find(({ cpu }) => cpu !== undefined);
  if (known) {
    const offset = known.mark.offset - known.cpu! * size;
    if (fits(offset)) yield { offset, proof: true };
  }
  if (start !== undefined && fits(start)) yield { offset: start, proof: true };
  const { offset } = rings[0]!.mark;
  if (fits(offset)) yield { offset, proof: formatted };
  else if (fits(offset - size)) yield { offset: offset - size, proof: false };
}

/** How much of the evidence this division contradicts. */
function judge(
  rings: readonly Ring[],
  size: number,
  offset: number,
  { start, kmsgOffset, total, given }: FtraceEvidence,
): { cpus: number; misfit: number } {
  // A tty zone without a header may stand between: not likely, since only our own format makes such zones.
  let misfit = start === undefined || start === offset ? 0 : 0.5;
  let highest = 0;
  for (const { mark, cpu, wrapped } of rings) {
    const index = (mark.offset - offset) / size;
    if (!Number.isInteger(index) || index < 0) {
      misfit += 2;
      continue;
    }
    highest = Math.max(highest, index);
    if (cpu !== undefined && cpu !== index) misfit++;
    // One damaged length is one thing that does not fit.
    if (mark.datalen > size - HEADER || (wrapped !== undefined && wrapped !== size)) misfit++;
  }
  let cpus = given.cpus ?? highest + 1;
  if (given.ftraceSize !== undefined) {
    // What the kernel makes of it, wherever the first dmesg header stands: that of zone 0 may be lost.
    cpus = Math.floor(given.ftraceSize / size);
    if (cpus <= highest) misfit += 2;
    if (kmsgOffset !== undefined && offset + size * cpus !== kmsgOffset) misfit += 0.5;
  } else if (kmsgOffset !== undefined) {
    cpus = (kmsgOffset - offset) / size;
    if (!Number.isInteger(cpus) || cpus <= highest) {
      misfit += 2;
      cpus = Math.max(highest + 1, Math.floor(cpus));
    }
  } else {
    for (let count = cpus; offset + size * count <= total; count++) {
      if (!isDivision(size, count)) continue;
      cpus = count;
      break;
    }
  }
  if (offset + size * cpus > (kmsgOffset ?? total)) misfit += 2;
  if (!isDivision(size, cpus)) misfit++;
  return { cpus, misfit };
}

/** Whether dividing a multiple of 512 among so many CPUs gives this size. */
function isDivision(size: number, cpus: number): boolean {
  return ftraceSizeOf(size, cpus) - size * cpus < cpus;
}

/** The ftrace_size of which each CPU has so many bytes. */
export function ftraceSizeOf(size: number, cpus: number): number {
  return Math.ceil((size * cpus) / ZONE_MULTIPLE) * ZONE_MULTIPLE;
}

/**
 * Zones of which no header tells, when something must stand before the dmesg zones: because these begin at an odd place,
 * or (`all`) because the other kinds end before it.
 */
export function hiddenFtrace(
  least: number,
  kmsgOffset: number,
  given: Partial<ZoneSizes>,
  all = false,
): FtraceZones | undefined {
  if (given.ftraceSize !== undefined || least >= kmsgOffset) return undefined;
  const missing = (ZONE_MULTIPLE - (kmsgOffset % ZONE_MULTIPLE)) % ZONE_MULTIPLE;
  if (missing === 0 && !all) return undefined;
  const from = Math.ceil(least / ZONE_MULTIPLE) * ZONE_MULTIPLE;
  for (let cpus = given.cpus ?? missing + 1; cpus <= MAX_CPUS; cpus++) {
    for (let i = 0; i < (all ? 1 : cpus); i++) {
      const offset = from + i * ZONE_MULTIPLE;
      const size = (kmsgOffset - offset) / cpus;
      if (Number.isInteger(size) && size > HEADER && isDivision(size, cpus)) {
        return { offset, size, cpus, certain: false, wordBits: undefined, misfit: 0 };
      }
    }
    if (given.cpus !== undefined) break;
  }
  return undefined;
}

/** Each ring's CPU, by the way of keeping it that most of the records agree with. */
function readRings(
  marks: readonly Mark[],
  { storage, abi, wordBitsProven, kmsgOffset, total }: FtraceEvidence,
): { rings: Ring[]; wordBits: 32 | 64 | undefined } {
  const samples = marks.map((mark) => newestRecords(mark, storage));
  let best: { cpus: (number | undefined)[]; agreeing: number; wordBits: 32 | 64 } | undefined;
  for (const encoding of CPU_ENCODINGS) {
    if (wordBitsProven && encoding.wordBits !== abi.wordBits) continue;
    if (encoding.endian && encoding.endian !== abi.endian) continue;
    let agreeing = 0;
    const cpus = samples.map((bytes, i) => {
      const { start, datalen } = marks[i]!;
      if (start === datalen && start % encoding.record !== 0) return undefined;
      const cpu = commonCpu(bytes, encoding, abi);
      if (cpu !== undefined) agreeing += bytes.length;
      return cpu;
    });
    if (!best || agreeing > best.agreeing) best = { cpus, agreeing, wordBits: encoding.wordBits };
  }
  const rings = marks.map((mark, i) => ({
    mark,
    cpu: best!.cpus[i],
    wrapped: wrappedSize(mark, kmsgOffset ?? total),
  }));
  return { rings, wordBits: best!.agreeing > 0 ? best!.wordBits : undefined };
}

/** Bytes of whole records, the newest at the end: they stand before `start`, and in front of those at the ring's end. */
function newestRecords({ offset, datalen, start }: Mark, storage: Storage): Uint8Array {
  const read = (from: number, to: number) => readRange(storage, offset + HEADER + from, to - from);
  const newest = datalen === 0 ? new Uint8Array(0) : read(Math.max(0, start - SAMPLE), start);
  if (start >= Math.min(SAMPLE, datalen)) return newest;
  const before = read(Math.max(start, datalen - (SAMPLE - start)), datalen);
  const all = new Uint8Array(before.length + newest.length);
  all.set(before);
  all.set(newest, before.length);
  return all;
}

interface CpuEncoding {
  /** Bytes of a record. */
  readonly record: number;
  readonly wordBits: 32 | 64;
  /** The only byte order that it is found with. */
  readonly endian?: 'little';
  readonly cpu: (fields: Fields, at: number) => number;
}

/** linux/pstore.h, struct pstore_ftrace_record: the CPU is in the low 8 bits of `ts`, on 32-bit ARM in 2 of `ip`. */
const CPU_ENCODINGS: readonly CpuEncoding[] = [
  { record: 24, wordBits: 64, cpu: (fields, at) => fields.u8(at + (fields.little ? 16 : 23)) },
  { record: 16, wordBits: 32, cpu: (fields, at) => fields.u8(at + (fields.little ? 8 : 15)) },
  { record: 16, wordBits: 32, endian: 'little', cpu: (fields, at) => fields.u32(at) & 3 },
];

/** The CPU that all records name, or undefined. */
function commonCpu(bytes: Uint8Array, { record, cpu }: CpuEncoding, abi: Abi): number | undefined {
  const fields = new Fields(bytes, abi.endian);
  const cpus = new Set<number>();
  for (let at = bytes.length - record; at >= 0 && cpus.size < 2; at -= record) cpus.add(cpu(fields, at));
  return cpus.size === 1 ? [...cpus][0] : undefined;
}
