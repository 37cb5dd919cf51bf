// What becomes of a dump before it is written: whether its dialect keeps it, which counter it takes, the bytes of its zone.

import type { Abi } from '../pstore/abi.js';
import { NANOSECONDS } from '../pstore/record.js';
import { Reason, reasonName } from '../pstore/record-type.js';
import type { Storage } from '../storage/storage.js';
import { reasonText, type ZoneDialect } from './dialects.js';
import {
  BUFFER_HEADER_SIZE,
  DMESG_MAGIC,
  type DmesgHeader,
  dmesgHeaderSize,
  writeBufferHeader,
  writeDmesgHeader,
  zoneSignature,
} from './format.js';
import type { ZoneGeometry } from './geometry.js';

/** What the front-end hands over: a dump that is already made to fit. */
export interface DmesgDump {
  /** As record-type.ts numbers it, whatever the dialect's own number is. */
  readonly reason: number;
  /** Nanoseconds since 1970. */
  readonly timeNs: bigint;
  readonly compressed: boolean;
  readonly bytes: Uint8Array;
}

/** What decides whether a dump is kept. */
export interface Kept {
  /** Highest dump reason that is stored; default 4, all of them. */
  maxReason?: number;
  /** Whether oopses are stored at all; default true. */
  dumpOops?: boolean;
}

export interface EngineOptions extends Kept {
  /** The path that works in a panic; null where the device has none. Default: the storage itself. */
  panic?: Storage | null;
}

export interface Written {
  /** Index of the dmesg zone. */
  readonly zone: number;
  /** False while the record is only held in memory, because the storage is not there. */
  readonly flushed: boolean;
}

/** @returns why a dump of this reason is not kept, or undefined where it is */
export function whyNotKept(
  dialect: ZoneDialect,
  reason: number,
  { maxReason, dumpOops = true }: Kept,
): string | undefined {
  const most = maxReason ?? Reason.Shutdown;
  const name = reasonName(reason);
  if (reason !== Reason.Oom && (reason < Reason.Panic || reason > most)) {
    return `a record of reason ${name} is not kept: max_reason is ${most}`;
  }
  if (!dumpOops && reason === Reason.Oops) return 'dump_oops is off: oopses are not kept; leave it out';
  const kept = dialect.keeps ?? dialect.reasons;
  if (kept.includes(name)) return undefined;
  const known = kept.filter((one) => one !== undefined).sort();
  const list = `${known.slice(0, -1).join(', ')} and ${known.at(-1)}`;
  return `${dialect.backend} keeps records of reason ${list} only, not ${name}`;
}

/** The number that stands in the header for a reason that is kept. */
function numberOf(dialect: ZoneDialect, reason: number): number {
  return dialect.reasons.indexOf(reasonName(reason));
}

/** The header of a dump, with the counter that is its. */
export function dumpHeader(dump: DmesgDump, dialect: ZoneDialect, counters: Counters): DmesgHeader {
  const remainder = ((dump.timeNs % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  const reason = numberOf(dialect, dump.reason);
  return {
    magic: DMESG_MAGIC,
    seconds: (dump.timeNs - remainder) / NANOSECONDS,
    nanoseconds: remainder,
    compressed: dump.compressed ? 1 : 0,
    counter: counters.next(reason),
    reason,
  };
}

/** A whole zone in memory: what does not fit is cut off. */
export function zoneBuffer(geometry: ZoneGeometry, abi: Abi, header: DmesgHeader, record: Uint8Array): Uint8Array {
  const { dialect, generation, kmsgSize } = geometry;
  const bufferSize = BUFFER_HEADER_SIZE[generation];
  const headerBytes = writeDmesgHeader(header, abi, dialect.fill);
  const length = Math.min(record.length, kmsgSize - bufferSize - dmesgHeaderSize(abi));
  const buffer = new Uint8Array(kmsgSize).fill(dialect.fill);
  const datalen = headerBytes.length + length;
  buffer.set(writeBufferHeader({ sig: zoneSignature('dmesg'), datalen, start: 0 }, generation, abi));
  buffer.set(headerBytes, bufferSize);
  buffer.set(record.subarray(0, length), bufferSize + headerBytes.length);
  return buffer;
}

/** Highest counters (u32), by reason. */
export interface Counted {
  readonly oops: number;
  readonly panic: number;
  /** Only in dialects that count it. */
  readonly oom?: number;
}

/** The counters that the next records carry on from: how many of each reason there were since the first boot. */
export class Counters {
  readonly #dialect: ZoneDialect;
  readonly #highest = new Map<string, number>();

  constructor(dialect: ZoneDialect) {
    this.#dialect = dialect;
  }

  get counted(): Counted {
    const of = (name: string) => this.#highest.get(name) ?? 0;
    const hasOom = this.#dialect.counts.includes('OOM');
    return { oops: of('Oops'), panic: of('Panic'), ...(hasOom && { oom: of('OOM') }) };
  }

  /** The counter of the next record; 0 for a reason that has none. @param reason the dialect's number */
  next(reason: number): number {
    const name = this.#nameOf(reason);
    return name === undefined ? 0 : ((this.#highest.get(name) ?? 0) + 1) | 0;
  }

  /** A record with this counter was written. */
  take({ reason, counter }: Pick<DmesgHeader, 'reason' | 'counter'>): void {
    const name = this.#nameOf(reason);
    if (name !== undefined) this.#highest.set(name, counter >>> 0);
  }

  /** A record with this counter was found: kernels of some dialects take that of any other reason for the panics'. */
  find({ reason, counter }: Pick<DmesgHeader, 'reason' | 'counter'>): void {
    const name = this.#nameOf(reason);
    if (name !== undefined) this.#raise(name, counter >>> 0);
    if (name !== 'Oops' && this.#dialect.othersCountAsPanics) this.#raise('Panic', counter >>> 0);
  }

  /** What another look has found: a counter never falls. */
  raise(found: Counters): void {
    for (const [name, counter] of found.#highest) this.#raise(name, counter);
  }

  #raise(name: string, counter: number): void {
    this.#highest.set(name, Math.max(this.#highest.get(name) ?? 0, counter));
  }

  #nameOf(reason: number): string | undefined {
    const name = reasonText(this.#dialect, reason);
    return this.#dialect.counts.includes(name) ? name : undefined;
  }
}
