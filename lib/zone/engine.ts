// The zone engine of both generations: recovers a partition's zones, writes records into the ring, erases them.
// Facts: fs/pstore/zone.c of Linux 6.1 and fs/pstore/blkzone.c as posted in January 2019, by their behaviour.

import { type ErrorCode, PstoreError } from '../errors.js';
import type { Abi } from '../format/abi.js';
import { Reason, reasonName } from '../format/record-type.js';
import {
  BUFFER_HEADER_SIZE,
  type BufferHeader,
  DMESG_MAGIC,
  type DmesgHeader,
  dmesgHeaderSize,
  readBufferHeader,
  readDmesgHeader,
  writeBufferHeader,
  writeDmesgHeader,
  zoneSignature,
} from '../format/zone.js';
import type { Piece } from '../storage/extent.js';
import type { Storage } from '../storage/storage.js';
import type { Warnings } from '../warnings.js';
import { type DmesgRow, DmesgTable, ZoneState } from './dmesg-table.js';
import { kmsgZone, type Zone, type ZoneGeometry } from './geometry.js';
import { Ring } from './ring.js';

/** How much of a zone a write brings to the medium. */
export const FlushMode = {
  /** Memory only. */
  None: 0,
  /** A piece of the data, then the buffer header. */
  Part: 1,
  /** The buffer header only. */
  Meta: 2,
  /** The zone as a whole (mainline), or header and data (blkoops). */
  All: 3,
} as const;

export type FlushMode = (typeof FlushMode)[keyof typeof FlushMode];

export interface EngineOptions {
  /** Highest dump reason that is stored; default 4, all of them. */
  maxReason?: number;
  /** blkoops: whether oopses are stored at all; default true. */
  dumpOops?: boolean;
  /** The path that works in a panic; null where the device has none. Default: the storage itself. */
  panic?: Storage | null;
}

/** What the front-end hands over: a dump that is already made to fit. */
export interface DmesgDump {
  readonly reason: number;
  /** Nanoseconds since 1970. */
  readonly timeNs: bigint;
  readonly compressed: boolean;
  readonly bytes: Uint8Array;
  /** Which part of a dump it is; only part 1 is taken. Default 1. */
  readonly part?: number;
}

export interface Written {
  /** Index of the dmesg zone. */
  readonly zone: number;
  /** False while the record is only held in memory, because the storage is not there. */
  readonly flushed: boolean;
}

/** Zones smaller than this are read many at a time, headers and data together. */
const BATCH_BELOW = 2048;
const BATCH_BYTES = 1 << 20;

const NANOSECONDS = 1_000_000_000n;

/** Whether this failure means "not there for now" or "broken as a whole": the record is then held in memory. */
function isHoldable(error: unknown): error is PstoreError {
  return error instanceof PstoreError && error.code !== 'ENOMSG' && error.code !== 'EROFS';
}

export class ZoneEngine {
  readonly geometry: ZoneGeometry;
  readonly abi: Abi;
  readonly dmesg: DmesgTable;
  /** One for each front zone of the geometry, in its order. */
  readonly rings: readonly Ring[];
  readonly #storage: Storage;
  readonly #panicStorage: Storage | null;
  readonly #options: EngineOptions;
  readonly #warnings: Warnings;
  /** Zones whose newest content is only in memory, oldest first: index → buffer. */
  readonly #dirty = new Map<number, Uint8Array>();
  #recovered = false;
  #onPanic = false;
  #next = 0;
  #oops = 0;
  #panics = 0;

  constructor(storage: Storage, geometry: ZoneGeometry, abi: Abi, warnings: Warnings, options: EngineOptions = {}) {
    this.#storage = storage;
    this.geometry = geometry;
    this.abi = abi;
    this.#warnings = warnings;
    this.#options = options;
    this.#panicStorage = options.panic === undefined ? storage : options.panic;
    this.dmesg = new DmesgTable(geometry.kmsgCount);
    this.rings = geometry.front.map((zone) => new Ring(zone, storage, abi));
  }

  /** Whether recover() has succeeded. Before that nothing is written to the storage, but held in memory. */
  get recovered(): boolean {
    return this.#recovered;
  }

  /** Index of the dmesg zone that the next record goes to. */
  get nextZone(): number {
    return this.#next;
  }

  /** The counters that the next records carry on from. */
  get counters(): { oops: number; panic: number } {
    return { oops: this.#oops, panic: this.#panics };
  }

  /** dmesg zones whose newest content is only in memory. */
  get dirtyZones(): number[] {
    return [...this.#dirty.keys()];
  }

  get #bufferHeaderSize(): number {
    return BUFFER_HEADER_SIZE[this.geometry.generation];
  }

  /** Bytes that a dmesg record may have behind its header. */
  get dmesgRoom(): number {
    return this.geometry.kmsgSize - this.#bufferHeaderSize - dmesgHeaderSize(this.abi);
  }

  /**
   * Reads all headers, then moves what was written before into the ring's next places.
   * @throws PstoreError when the storage cannot be read; the engine then stays unrecovered and may be asked again
   */
  recover(): void {
    if (this.#recovered) return;
    const held = [...this.#dirty];
    this.#scan(this.#storage);
    for (const ring of this.rings) ring.recover(this.#warnings);
    this.#dirty.clear();
    this.#recovered = true;
    for (const [, buffer] of held) this.#move(buffer);
    for (const ring of this.rings) ring.flushHeld();
  }

  /**
   * Reads all headers again.
   * @param onChange called for each dmesg zone whose header differs from what was known
   * @returns whether any zone differs
   */
  refresh(onChange: (index: number) => void): boolean {
    const dmesg = this.#scan(this.#storage, onChange);
    let rings = false;
    for (const ring of this.rings) rings = ring.refresh() || rings;
    return dmesg || rings;
  }

  /** Rules 1 to 5 of recovery. */
  #scan(storage: Storage, onChange: (index: number) => void = () => {}): boolean {
    this.#next = 0;
    this.#oops = 0;
    this.#panics = 0;
    let newest = 0n;
    let stopped = false;
    let changed = false;
    const headers = this.#headers(storage);
    for (let index = 0; index < this.geometry.kmsgCount; index++) {
      if (this.#dirty.has(index) && this.#recovered) continue;
      let difference: boolean;
      if (stopped) {
        difference = this.dmesg.setState(index, ZoneState.NotLookedAt);
      } else {
        const row = this.#readRow(headers(index), index);
        difference = this.dmesg.set(index, row);
        if (row.state === ZoneState.Unsigned && this.geometry.generation === 'blkoops') {
          stopped = true;
          this.#next = index;
        } else if (row.state === ZoneState.Erased || row.state === ZoneState.Live) {
          if (row.seconds >= newest) {
            newest = row.seconds;
            this.#next = (index + 1) % this.geometry.kmsgCount;
          }
          this.#count(row);
        }
      }
      if (difference) {
        changed = true;
        onChange(index);
      }
    }
    return changed;
  }

  #count(row: DmesgRow): void {
    if (row.reason === Reason.Oops) this.#oops = Math.max(this.#oops, row.counter);
    else if (row.reason === Reason.Panic || this.geometry.generation === 'blkoops') {
      this.#panics = Math.max(this.#panics, row.counter);
    }
  }

  /** Gives the bytes of a zone's two headers; fewer where the storage ends or is broken. */
  #headers(storage: Storage): (index: number) => Uint8Array {
    const wanted = this.#bufferHeaderSize + dmesgHeaderSize(this.abi);
    const { kmsgOffset, kmsgSize, kmsgCount } = this.geometry;
    const read = (target: Uint8Array, offset: number): number => {
      try {
        return storage.read(target, offset);
      } catch (error) {
        if (error instanceof PstoreError && error.code === 'ENOMSG') return 0;
        throw error;
      }
    };
    if (kmsgSize >= BATCH_BELOW) {
      const target = new Uint8Array(wanted);
      return (index) => {
        const got = read(target, kmsgOffset + index * kmsgSize);
        return got === wanted ? target : target.subarray(0, got);
      };
    }
    const perBatch = Math.floor(BATCH_BYTES / kmsgSize);
    const batch = new Uint8Array(Math.min(kmsgCount, perBatch) * kmsgSize);
    let first = -1;
    let got = 0;
    return (index) => {
      if (first < 0 || index < first || index >= first + perBatch) {
        first = index;
        got = read(batch, kmsgOffset + index * kmsgSize);
      }
      const at = (index - first) * kmsgSize;
      return batch.subarray(at, Math.min(at + wanted, got));
    };
  }

  #readRow(bytes: Uint8Array, index: number): DmesgRow {
    const bare = (state: ZoneState): DmesgRow => ({ ...NO_HEADER, state });
    if (bytes.length < this.#bufferHeaderSize + dmesgHeaderSize(this.abi)) {
      this.#warn(index, 'zone-truncated', 'cannot be read: the image ends here, or the place is broken');
      return bare(ZoneState.Unreadable);
    }
    const buffer = readBufferHeader(bytes, this.geometry.generation, this.abi);
    if (buffer.sig !== zoneSignature('dmesg')) return bare(ZoneState.Unsigned);
    const area = this.geometry.kmsgSize - this.#bufferHeaderSize;
    if (buffer.datalen > area) {
      this.#warn(index, 'zone-overtop', `says that it holds ${buffer.datalen} bytes, but has room for ${area}`);
      return { ...NO_HEADER, state: ZoneState.Overtop, datalen: buffer.datalen };
    }
    const header = readDmesgHeader(bytes.subarray(this.#bufferHeaderSize), this.abi);
    if (header.magic !== DMESG_MAGIC) {
      if (buffer.datalen > 0) {
        const found = `0x${header.magic.toString(16)}`;
        this.#warn(index, 'zone-invalid', `has the magic ${found} where 0x${DMESG_MAGIC.toString(16)} should be`);
      }
      return { ...NO_HEADER, state: ZoneState.Invalid, datalen: buffer.datalen };
    }
    return {
      state: buffer.datalen === 0 ? ZoneState.Erased : ZoneState.Live,
      datalen: buffer.datalen,
      counter: header.counter,
      reason: header.reason,
      compressed: header.compressed,
      seconds: header.seconds,
      nanoseconds: header.nanoseconds,
    };
  }

  #warn(index: number, code: 'zone-overtop' | 'zone-invalid' | 'zone-truncated', what: string): void {
    const { offset } = kmsgZone(this.geometry, index);
    this.#warnings.add(
      code,
      `${this.#storage.path}: dmesg zone ${index} at offset ${offset} ${what}; the zone is skipped, as a kernel does`,
      offset,
    );
  }

  /** Where a dmesg zone's data stands, `length` bytes from `from` on, counted behind the buffer header. */
  data(index: number, from: number, length: number): Piece {
    const held = this.#dirty.get(index);
    const start = this.#bufferHeaderSize + from;
    if (held) return held.subarray(start, start + length);
    return { storage: this.#storage, offset: kmsgZone(this.geometry, index).offset + start, length };
  }

  /**
   * Stores a dump in the ring's next zone, or in the next one behind it that the storage does not call broken.
   * @throws PstoreError ENOSPC for another part than the first, or where there are no dmesg zones; EINVAL for a reason
   *   that is not kept; EPERM for a panic without a path that works in one; EBUSY when all zones are broken; EROFS
   */
  write(dump: DmesgDump): Written {
    this.#checkAcceptable(dump);
    const storage = this.#pathFor(dump.reason);
    for (let i = 0; i < this.geometry.kmsgCount; i++) {
      const index = (this.#next + i) % this.geometry.kmsgCount;
      const header = this.#dumpHeader(dump);
      const buffer = this.#zoneBuffer(header, dump.bytes);
      try {
        if (this.#recovered) this.#flush(storage, kmsgZone(this.geometry, index), buffer, FlushMode.All);
        else this.#hold(index, buffer);
      } catch (error) {
        if (error instanceof PstoreError && error.code === 'ENOMSG') continue;
        if (!isHoldable(error)) throw error;
        this.#hold(index, buffer);
      }
      if (this.#recovered && this.#dirty.get(index) !== buffer) this.#dirty.delete(index);
      this.#accept(index, header, buffer);
      return { zone: index, flushed: !this.#dirty.has(index) };
    }
    throw this.#error('EBUSY', `all ${this.geometry.kmsgCount} dmesg zones are broken: the record could not be stored`);
  }

  #checkAcceptable(dump: DmesgDump): void {
    const { maxReason = Reason.Shutdown, dumpOops = true } = this.#options;
    const name = reasonName(dump.reason);
    if ((dump.part ?? 1) !== 1) throw this.#error('ENOSPC', `part ${dump.part} of a dump is not kept, only part 1`);
    if (this.geometry.kmsgCount === 0) throw this.#error('ENOSPC', 'there are no dmesg zones');
    if (dump.reason < Reason.Panic || dump.reason > maxReason) {
      throw this.#error('EINVAL', `a record of reason ${name} is not kept: max_reason is ${maxReason}`);
    }
    if (this.geometry.generation === 'blkoops') {
      if (dump.reason !== Reason.Oops && dump.reason !== Reason.Panic) {
        throw this.#error('EINVAL', `blkoops keeps records of reason Oops and Panic only, not ${name}`);
      }
      if (dump.reason === Reason.Oops && !dumpOops)
        throw this.#error('EINVAL', 'dump_oops is off: oopses are not kept');
    }
  }

  /** From the first panic on only the panic path is used; what was not recovered by then is recovered through it. */
  #pathFor(reason: number): Storage {
    if (reason === Reason.Panic) {
      if (!this.#panicStorage) throw this.#error('EPERM', 'the device has no write that works in a panic');
      this.#onPanic = true;
    }
    if (!this.#onPanic) return this.#storage;
    const storage = this.#panicStorage!;
    if (!this.#recovered) {
      const held = [...this.#dirty];
      try {
        this.#scan(storage);
      } catch (error) {
        if (isHoldable(error)) return storage;
        throw error;
      }
      this.#dirty.clear();
      this.#recovered = true;
      for (const [, buffer] of held) this.#move(buffer);
    }
    return storage;
  }

  #dumpHeader(dump: DmesgDump): DmesgHeader {
    const oops = dump.reason === Reason.Oops;
    const panic = dump.reason === Reason.Panic || (!oops && this.geometry.generation === 'blkoops');
    const remainder = ((dump.timeNs % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
    return {
      magic: DMESG_MAGIC,
      seconds: (dump.timeNs - remainder) / NANOSECONDS,
      nanoseconds: remainder,
      compressed: dump.compressed ? 1 : 0,
      counter: oops ? this.#oops + 1 : panic ? this.#panics + 1 : 0,
      reason: dump.reason,
    };
  }

  /** A whole zone in memory: what does not fit is cut off. */
  #zoneBuffer(header: DmesgHeader, record: Uint8Array): Uint8Array {
    const { generation, kmsgSize } = this.geometry;
    const blkoops = generation === 'blkoops';
    const headerBytes = writeDmesgHeader(header, this.abi, blkoops ? 0xff : 0);
    const length = Math.min(record.length, this.dmesgRoom);
    const buffer = new Uint8Array(kmsgSize).fill(blkoops ? 0xff : 0);
    const datalen = headerBytes.length + length;
    buffer.set(writeBufferHeader({ sig: zoneSignature('dmesg'), datalen, start: 0 }, generation, this.abi));
    buffer.set(headerBytes, this.#bufferHeaderSize);
    buffer.set(record.subarray(0, length), this.#bufferHeaderSize + headerBytes.length);
    return buffer;
  }

  #hold(index: number, buffer: Uint8Array): void {
    this.#dirty.delete(index);
    this.#dirty.set(index, buffer);
  }

  /** The record is in the zone, on the medium or in memory: the ring and the counters move on. */
  #accept(index: number, header: DmesgHeader, buffer: Uint8Array): void {
    const { datalen } = readBufferHeader(buffer, this.geometry.generation, this.abi);
    const row: DmesgRow = { ...header, state: ZoneState.Live, datalen };
    this.dmesg.set(index, row);
    this.#count(row);
    this.#next = (index + 1) % this.geometry.kmsgCount;
  }

  /** A record that was held since before the recovery goes to the ring's next place, with the next counter. */
  #move(buffer: Uint8Array): void {
    const { generation } = this.geometry;
    const header = readDmesgHeader(buffer.subarray(this.#bufferHeaderSize), this.abi);
    const { datalen } = readBufferHeader(buffer, generation, this.abi);
    const from = this.#bufferHeaderSize + dmesgHeaderSize(this.abi);
    this.write({
      reason: header.reason,
      timeNs: header.seconds * NANOSECONDS + header.nanoseconds,
      compressed: header.compressed === 1,
      bytes: buffer.subarray(from, this.#bufferHeaderSize + datalen),
    });
  }

  /**
   * Brings held zones to the storage.
   * @returns how many are still held
   */
  flushDirty(): number {
    if (!this.#recovered) return this.#dirty.size;
    const storage = this.#onPanic ? this.#panicStorage! : this.#storage;
    for (const [index, buffer] of this.#dirty) {
      try {
        this.#flush(storage, kmsgZone(this.geometry, index), buffer, FlushMode.All);
        this.#dirty.delete(index);
      } catch (error) {
        if (!(error instanceof PstoreError)) throw error;
      }
    }
    return this.#dirty.size;
  }

  #flush(storage: Storage, zone: Zone, buffer: Uint8Array, mode: FlushMode): void {
    if (mode === FlushMode.None) return;
    const { datalen } = readBufferHeader(buffer, this.geometry.generation, this.abi);
    const whole = this.geometry.generation === 'blkoops' ? this.#bufferHeaderSize + datalen : zone.size;
    storage.write(buffer.subarray(0, mode === FlushMode.Meta ? this.#bufferHeaderSize : whole), zone.offset);
    storage.sync();
  }

  /**
   * Appends to a ring.
   * @throws PstoreError ENOSPC without such a zone, EBUSY once a panic has begun, EROFS, EIO
   */
  writeRing(type: Zone['type'], bytes: Uint8Array, index = 0): void {
    if (this.#onPanic) throw this.#error('EBUSY', 'a panic has begun: other front-ends are no longer written');
    const ring = this.rings.find((candidate) => candidate.zone.type === type && candidate.zone.index === index);
    if (!ring) throw this.#error('ENOSPC', `there is no ${type} zone ${index}; give ${type}_size= where there is one`);
    if (this.#recovered) ring.append(bytes);
    else ring.hold(bytes);
  }

  /**
   * Erases the record that was shown in a dmesg zone: FLUSH_META with datalen 0, or the device's own erase.
   * @returns false when the zone has been reused or emptied since, and nothing was written
   */
  erase(index: number): boolean {
    const shown = this.dmesg.row(index);
    if (shown.state !== ZoneState.Live) return false;
    const zone = kmsgZone(this.geometry, index);
    if (this.#dirty.delete(index)) {
      this.dmesg.setErased(index);
      return true;
    }
    const headerSize = this.#bufferHeaderSize;
    const bytes = new Uint8Array(headerSize + dmesgHeaderSize(this.abi));
    const got = this.#storage.read(bytes, zone.offset);
    const buffer = readBufferHeader(bytes, this.geometry.generation, this.abi);
    const header = readDmesgHeader(bytes.subarray(headerSize), this.abi);
    const same =
      got === bytes.length &&
      buffer.sig === zoneSignature('dmesg') &&
      header.magic === DMESG_MAGIC &&
      header.counter === shown.counter &&
      header.seconds === shown.seconds &&
      header.nanoseconds === shown.nanoseconds;
    if (!same || buffer.datalen === 0) return false;
    if (this.#storage.erase) this.#storage.erase(zone.offset, headerSize + buffer.datalen);
    else this.flushMeta(zone, { ...buffer, datalen: 0 });
    this.#storage.sync();
    this.dmesg.setErased(index);
    return true;
  }

  /** FLUSH_META: the buffer header and nothing else. */
  flushMeta(zone: Zone, header: BufferHeader): void {
    this.#storage.write(writeBufferHeader(header, this.geometry.generation, this.abi), zone.offset);
  }

  #error(code: ErrorCode, what: string): PstoreError {
    return new PstoreError(code, `${this.#storage.path}: ${what}`, { path: this.#storage.path });
  }
}

const NO_HEADER: Omit<DmesgRow, 'state'> = {
  datalen: 0,
  counter: 0,
  reason: 0,
  compressed: 0,
  seconds: 0n,
  nanoseconds: 0n,
};
