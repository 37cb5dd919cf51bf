// The zone engine of every dialect: recovers a partition's zones, writes records into the ring, erases them.
// Facts: fs/pstore/zone.c of Linux 6.1 and fs/pstore/blkzone.c as posted in January 2019, by their behaviour.

import { type ErrorCode, PstoreError } from '../errors.js';
import type { Abi } from '../pstore/abi.js';
import { NANOSECONDS } from '../pstore/record.js';
import { Reason, reasonNumber } from '../pstore/record-type.js';
import { Extent, type Piece } from '../storage/extent.js';
import { cutWhileInUse, isHoldable, type Storage } from '../storage/storage.js';
import { Warnings } from '../warnings.js';
import { reasonText } from './dialects.js';
import { type DmesgRow, DmesgTable, ZoneState } from './dmesg-table.js';
import {
  type Counted,
  Counters,
  type DmesgDump,
  dumpHeader,
  type EngineOptions,
  type Written,
  whyNotKept,
  zoneBuffer,
} from './dump.js';
import { FlushMode, flush } from './flush.js';
import {
  BUFFER_HEADER_SIZE,
  type BufferHeader,
  DMESG_MAGIC,
  dmesgHeaderSize,
  readBufferHeader,
  readDmesgHeader,
  writeBufferHeader,
  zoneSignature,
} from './format.js';
import { kmsgZone, type Zone, type ZoneGeometry } from './geometry.js';
import { followsTimes, type Recovered, recoverDmesg } from './recovery.js';
import { Ring } from './ring.js';

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
  #counters: Counters;

  constructor(storage: Storage, geometry: ZoneGeometry, abi: Abi, warnings: Warnings, options: EngineOptions = {}) {
    this.#storage = storage;
    this.geometry = geometry;
    this.abi = abi;
    this.#warnings = warnings;
    this.#options = options;
    this.#panicStorage = options.panic === undefined ? storage : options.panic;
    this.#counters = new Counters(geometry.dialect);
    this.dmesg = new DmesgTable(geometry.kmsgCount);
    this.rings = geometry.rings.map((zone) => new Ring(zone, storage, abi));
  }

  /** Whether recover() has succeeded. Before that nothing is written to the storage, but held in memory. */
  get recovered(): boolean {
    return this.#recovered;
  }

  /** Index of the dmesg zone that the next record goes to. */
  get nextZone(): number {
    return this.#next;
  }

  /** Whether the zones' times are in the order of the ring, so that the next record goes over the oldest one. */
  get ringFollowsTimes(): boolean {
    return this.dmesg.length === 0 || followsTimes(this.dmesg, this.#next);
  }

  /** The counters (u32) that the next records carry on from. */
  get counters(): Counted {
    return this.#counters.counted;
  }

  /** dmesg zones whose newest content is only in memory. */
  get dirtyZones(): number[] {
    return [...this.#dirty.keys()];
  }

  get #bufferHeaderSize(): number {
    return BUFFER_HEADER_SIZE[this.geometry.generation];
  }

  /** Bytes that a dmesg record may have after its header. */
  get dmesgRoom(): number {
    return this.geometry.kmsgSize - this.#bufferHeaderSize - dmesgHeaderSize(this.abi);
  }

  // ── recovery ──

  /**
   * Reads all headers, then moves what was written before into the ring's next places.
   * @throws PstoreError EAGAIN while the storage is not there, EIO when nothing can be read; the engine then stays
   *   unrecovered, keeps what it holds, and may be asked again
   */
  recover(): void {
    if (!this.#recovered) this.#recoverFrom(this.#storage);
  }

  #recoverFrom(storage: Storage): void {
    const warnings = new Warnings();
    const found = recoverDmesg(storage, this.geometry, this.abi, this.dmesg, () => false);
    for (const ring of this.rings) ring.recover(warnings, storage);
    const held = [...this.#dirty];
    this.#dirty.clear();
    this.#recovered = true;
    this.#adopt(found);
    this.#next = found.next;
    this.#counters = found.counters;
    this.#warnings.addAll(warnings);
    for (const [index, buffer] of held) this.#move(index, buffer);
    for (const ring of this.rings) tried(() => ring.flushHeld(storage));
  }

  /** Takes over what recovery found in each zone. */
  #adopt(found: Recovered, onChange: (index: number) => void = () => {}): boolean {
    let changed = false;
    for (let index = 0; index < this.geometry.kmsgCount; index++) {
      if (!this.dmesg.set(index, found.table.row(index))) continue;
      changed = true;
      onChange(index);
    }
    this.#warnings.addAll(found.warnings);
    return changed;
  }

  /**
   * Reads all headers again.
   * @param onChange called for each dmesg zone whose header differs from what was known
   * @returns whether any zone differs
   * @throws PstoreError EAGAIN, EIO; what was known then stays
   */
  refresh(onChange: (index: number) => void): boolean {
    const found = recoverDmesg(this.#storage, this.geometry, this.abi, this.dmesg, (index) => this.#dirty.has(index));
    const dmesg = this.#adopt(found, onChange);
    // Another one writes there too, then: the ring goes on where it has got to. Our own writes we know better.
    if (dmesg) this.#next = found.next;
    this.#counters.raise(found.counters);
    let rings = false;
    for (const ring of this.rings) rings = ring.recover(this.#warnings) || rings;
    return dmesg || rings;
  }

  /**
   * A record that was held since before the recovery, and not erased, goes to the ring's next place, with the next
   * counter. Where that fails it stays in memory.
   */
  #move(index: number, buffer: Uint8Array): void {
    const header = readDmesgHeader(buffer.subarray(this.#bufferHeaderSize), this.abi);
    const { datalen } = readBufferHeader(buffer, this.geometry.generation, this.abi);
    if (datalen === 0) return;
    const from = this.#bufferHeaderSize + dmesgHeaderSize(this.abi);
    try {
      this.write({
        reason: reasonNumber(reasonText(this.geometry.dialect, header.reason)) ?? Reason.Undef,
        timeNs: header.seconds * NANOSECONDS + header.nanoseconds,
        compressed: header.compressed === 1,
        bytes: buffer.subarray(from, this.#bufferHeaderSize + datalen),
      });
    } catch (error) {
      if (!(error instanceof PstoreError)) throw error;
      this.#hold(index, buffer);
      this.dmesg.set(index, { ...header, state: ZoneState.Live, datalen });
    }
  }

  /** Where a dmesg zone's data stands, `length` bytes from `from` on, counted after the buffer header. */
  data(index: number, from: number, length: number): Piece {
    const held = this.#dirty.get(index);
    const start = this.#bufferHeaderSize + from;
    if (held) return held.subarray(start, start + length);
    return Extent.at(this.#storage, kmsgZone(this.geometry, index).offset + start, length);
  }

  // ── writing ──

  /**
   * Stores a dump in the ring's next zone. Where mainline's storage calls a zone broken, the next one is tried; each try
   * takes a counter.
   * @throws PstoreError ENOSPC where there are no dmesg zones; EINVAL for a reason
   *   that is not kept; EPERM for a panic without a path that works in one; EBUSY when all zones are broken; EROFS
   */
  write(dump: DmesgDump): Written {
    if (dump.reason === Reason.Panic) this.#onPanic = true;
    this.#checkAcceptable(dump);
    const storage = this.#writePath();
    for (let i = 0; i < this.geometry.kmsgCount; i++) {
      const index = (this.#next + i) % this.geometry.kmsgCount;
      const header = dumpHeader(dump, this.geometry.dialect, this.#counters);
      const buffer = zoneBuffer(this.geometry, this.abi, header, dump.bytes);
      const flushed = this.#flushOrHold(storage, index, buffer);
      this.#counters.take(header);
      if (flushed === undefined) continue;
      const { datalen } = readBufferHeader(buffer, this.geometry.generation, this.abi);
      this.dmesg.set(index, { ...header, state: ZoneState.Live, datalen });
      this.#next = (index + 1) % this.geometry.kmsgCount;
      if (this.#onPanic) this.flushDirty();
      return { zone: index, flushed };
    }
    throw this.#error('EBUSY', `all ${this.geometry.kmsgCount} dmesg zones are broken: the record could not be stored`);
  }

  /** @returns whether the zone is on the medium now; undefined when this zone is broken and the next is to be tried */
  #flushOrHold(storage: Storage, index: number, buffer: Uint8Array): boolean | undefined {
    if (this.#recovered) {
      try {
        this.#flushAll(storage, index, buffer);
        this.#dirty.delete(index);
        return true;
      } catch (error) {
        if (!(error instanceof PstoreError) || error.code === 'EROFS') throw error;
        // Where recovery ends at a zone without a signature, none must be left out.
        if (error.code === 'ENOMSG' && this.geometry.dialect.triesNextZone) return undefined;
      }
    }
    this.#hold(index, buffer);
    return false;
  }

  #flushAll(storage: Storage, index: number, buffer: Uint8Array): void {
    const { dialect, generation } = this.geometry;
    const { datalen } = readBufferHeader(buffer, generation, this.abi);
    const used = this.#bufferHeaderSize + Math.max(datalen, dmesgHeaderSize(this.abi));
    const bytes = dialect.flushes === 'used' ? buffer.subarray(0, used) : buffer;
    flush(storage, kmsgZone(this.geometry, index), { mode: FlushMode.All, bytes });
  }

  #checkAcceptable({ reason }: DmesgDump): void {
    const { kmsgCount, dialect } = this.geometry;
    if (kmsgCount === 0) throw this.#error('ENOSPC', 'there are no dmesg zones; give kmsg_size= where there are');
    const why = whyNotKept(dialect, reason, this.#options);
    if (why !== undefined) throw this.#error('EINVAL', why);
  }

  /** The path that works now: from the first panic on it is the panic path only. */
  get #path(): Storage {
    if (!this.#onPanic) return this.#storage;
    if (this.#panicStorage) return this.#panicStorage;
    throw this.#error('EPERM', 'a panic has begun, and the device has no path that works then');
  }

  /** In a panic, what was not recovered by then is recovered first. */
  #writePath(): Storage {
    const storage = this.#path;
    if (this.#onPanic && !this.#recovered) {
      // Else the record is held: better than to write over another one.
      tried(() => this.#recoverFrom(storage));
    }
    return storage;
  }

  #hold(index: number, buffer: Uint8Array): void {
    this.#dirty.delete(index);
    this.#dirty.set(index, buffer);
  }

  /**
   * Brings what is held to the storage, the oldest first.
   * @returns how many zones are still held
   */
  flushDirty(): number {
    if (this.#recovered) {
      const storage = this.#path;
      for (const [index, buffer] of this.#dirty) {
        tried(() => {
          this.#flushAll(storage, index, buffer);
          this.#dirty.delete(index);
        });
      }
      for (const ring of this.rings) tried(() => ring.flushHeld(storage));
    }
    return this.#dirty.size + this.rings.filter((ring) => ring.dirty).length;
  }

  /**
   * Appends to a ring.
   * @returns whether it is on the medium; false while it is only held in memory
   * @throws PstoreError ENOSPC without such a zone, EBUSY once a panic has begun; EROFS, ENOMSG
   */
  writeRing(type: Zone['type'], bytes: Uint8Array, index = 0): boolean {
    if (this.#onPanic) throw this.#error('EBUSY', 'a panic has begun: other front-ends are no longer written');
    const ring = this.rings.find((candidate) => candidate.zone.type === type && candidate.zone.index === index);
    if (!ring) throw this.#error('ENOSPC', `there is no ${type} zone ${index}; give ${type}_size= where there is one`);
    ring.hold(bytes);
    if (!this.#recovered) return false;
    try {
      ring.flushHeld();
    } catch (error) {
      if (!isHoldable(error)) throw error;
    }
    return !ring.dirty;
  }

  // ── erasing ──

  /**
   * Erases the record that was shown in a dmesg zone: FLUSH_META with datalen 0, or the device's own erase.
   * @returns false when the zone has been reused or emptied since, and nothing was written
   * @throws PstoreError EROFS, EIO, EAGAIN, ENOMSG; EPERM in a panic without a path that works in one
   */
  erase(index: number): boolean {
    const shown = this.dmesg.row(index);
    if (shown.state !== ZoneState.Live) return false;
    const { generation } = this.geometry;
    const held = this.#dirty.get(index);
    if (held) {
      const header = readBufferHeader(held, generation, this.abi);
      held.set(writeBufferHeader({ ...header, datalen: 0 }, generation, this.abi));
      this.dmesg.setErased(index);
      return true;
    }
    const storage = this.#path;
    const zone = kmsgZone(this.geometry, index);
    const { buffer, isSame } = this.#compare(storage, zone, shown);
    if (!isSame || buffer.datalen === 0) return false;
    if (storage.erase) {
      storage.erase(zone.offset, Math.min(this.#bufferHeaderSize + buffer.datalen, zone.size));
      storage.sync();
    } else {
      const empty = writeBufferHeader({ ...buffer, datalen: 0 }, generation, this.abi);
      flush(storage, zone, { mode: FlushMode.Meta, header: empty });
    }
    this.dmesg.setErased(index);
    return true;
  }

  /**
   * Takes back what erase() has written: the length in the header.
   * @param datalen bytes after the buffer header
   * @throws PstoreError EBUSY when the zone has been used since; EROFS, EIO, EAGAIN, ENOMSG
   */
  restore(index: number, datalen: number): void {
    const shown = this.dmesg.row(index);
    const zone = kmsgZone(this.geometry, index);
    const { buffer, isSame } = this.#compare(this.#storage, zone, shown);
    if (!isSame || buffer.datalen !== 0 || shown.state !== ZoneState.Erased) {
      throw this.#error('EBUSY', `dmesg zone ${index} at offset ${zone.offset} has been used since; list again`);
    }
    const header = writeBufferHeader({ ...buffer, datalen }, this.geometry.generation, this.abi);
    flush(this.#storage, zone, { mode: FlushMode.Meta, header });
    this.dmesg.set(index, { ...shown, state: ZoneState.Live, datalen });
  }

  /**
   * Whether a zone still has this record, erased or not.
   * @throws PstoreError EIO, EAGAIN, ENOMSG
   */
  stillHas(index: number, row: DmesgRow): boolean {
    return this.#dirty.has(index) || this.#compare(this.#storage, kmsgZone(this.geometry, index), row).isSame;
  }

  /** What stands in a zone now, and whether it is the record of this row, erased or not. */
  #compare(storage: Storage, zone: Zone, row: DmesgRow): { buffer: BufferHeader; isSame: boolean } {
    const bytes = new Uint8Array(this.#bufferHeaderSize + dmesgHeaderSize(this.abi));
    const got = storage.read(bytes, zone.offset);
    if (got < bytes.length) throw cutWhileInUse(storage, zone.offset + got);
    const buffer = readBufferHeader(bytes, this.geometry.generation, this.abi);
    const header = readDmesgHeader(bytes.subarray(this.#bufferHeaderSize), this.abi);
    const isSame =
      buffer.sig === zoneSignature('dmesg') &&
      header.magic === DMESG_MAGIC &&
      header.counter === row.counter &&
      header.seconds === row.seconds &&
      header.nanoseconds === row.nanoseconds;
    return { buffer, isSame };
  }

  /** Erases a ring: FLUSH_META with datalen and start 0. @returns and throws like erase() */
  eraseRing(ring: Ring): boolean {
    return ring.erase(this.#path);
  }

  #error(code: ErrorCode, what: string): PstoreError {
    return new PstoreError(code, `${this.#storage.path}: ${what}`, { path: this.#storage.path });
  }
}

/** What fails is tried again later, or is held. */
function tried(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof PstoreError)) throw error;
  }
}
