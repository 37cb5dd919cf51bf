// A ring zone of pstore/zone (pmsg, console, tty, one CPU's ftrace): recovered, unwrapped, appended to, erased.

import { PstoreError } from '../errors.js';
import type { Abi } from '../pstore/abi.js';
import { Extent } from '../storage/extent.js';
import { isBrokenPlace, isHoldable, type Storage } from '../storage/storage.js';
import type { Warnings } from '../warnings.js';
import { FlushMode, flush } from './flush.js';
import { BUFFER_HEADER_SIZE, readBufferHeader, wordText, writeBufferHeader, zoneSignature } from './format.js';
import type { Zone } from './geometry.js';

const HEADER = BUFFER_HEADER_SIZE.pstore_blk;

export type RingState = 'unsigned' | 'overtop' | 'erased' | 'live' | 'unreadable';

export class Ring {
  readonly zone: Zone;
  /** Bytes of data that the zone has room for. */
  readonly area: number;
  state: RingState = 'unsigned';
  /** Bytes of data, at most `area`. */
  datalen = 0;
  /** Where the next byte goes, as stored: may exceed datalen on a damaged or traced ring. */
  start = 0;
  #sig = 0;
  readonly #storage: Storage;
  readonly #abi: Abi;
  /** What was written and is not on the medium yet. */
  #held = new Uint8Array(0);

  constructor(zone: Zone, storage: Storage, abi: Abi) {
    this.zone = zone;
    this.area = zone.size - HEADER;
    this.#storage = storage;
    this.#abi = abi;
  }

  /** First byte of the data in the storage. */
  get dataOffset(): number {
    return this.zone.offset + HEADER;
  }

  /** Whether something of it is only in memory. */
  get dirty(): boolean {
    return this.#held.length > 0;
  }

  /**
   * Reads the header. A zone that cannot be shown is no failure, and is warned of when it was not known to be so.
   * @param storage the path to the medium that works now
   * @returns whether the header differs from what was known
   * @throws PstoreError EAGAIN while the medium is not there
   */
  recover(warnings: Warnings, storage = this.#storage): boolean {
    const { state, datalen, start } = this;
    this.#read(storage);
    const changed = state !== this.state || datalen !== this.datalen || start !== this.start;
    if (changed) this.#warn(warnings);
    return changed;
  }

  get #name(): string {
    const { type, index, offset } = this.zone;
    return `${type} zone ${index} at offset ${offset}`;
  }

  #warn(warnings: Warnings): void {
    const { offset } = this.zone;
    const what = `${this.#storage.path}: ${this.#name}`;
    if (this.state === 'overtop') {
      warnings.add(
        'zone-overtop',
        `${what} says datalen ${this.datalen} and start ${this.start}, but has room for ${this.area}; it is skipped`,
        offset,
      );
    } else if (this.isSalvageable) {
      const found = `has the signature ${wordText(this.#sig)} where ${wordText(zoneSignature(this.zone.type))} should be`;
      const next = 'a kernel skips it, and salvage shows what can be read of it';
      warnings.add('zone-invalid', `${what} ${found}; ${next}`, offset);
    } else if (this.state === 'unreadable') {
      warnings.add('zone-truncated', `${what} cannot be read: the image ends here, or the place is broken`, offset);
    } else if (this.state === 'live' && this.start > this.datalen) {
      warnings.add(
        'zone-start-beyond-datalen',
        `${what} has start ${this.start} after its datalen ${this.datalen}: a kernel shows nothing of the whole ` +
          'partition for that; here it is read as a ring that has not wrapped',
        offset,
      );
    }
  }

  #read(storage: Storage): void {
    const bytes = new Uint8Array(HEADER);
    let got = 0;
    try {
      got = storage.read(bytes, this.zone.offset);
    } catch (error) {
      if (!isBrokenPlace(error)) throw error;
    }
    const header = readBufferHeader(bytes, 'pstore_blk', this.#abi);
    this.datalen = header.datalen;
    this.start = header.start;
    this.#sig = header.sig;
    if (got < HEADER) this.state = 'unreadable';
    else if (header.sig !== zoneSignature(this.zone.type)) this.state = 'unsigned';
    else if (header.datalen > this.area || header.start > this.area) this.state = 'overtop';
    else this.state = header.datalen === 0 ? 'erased' : 'live';
  }

  /** Whether nothing but the signature is damaged: its lengths are what a kernel writes. */
  get isSalvageable(): boolean {
    return this.state === 'unsigned' && this.datalen > 0 && this.datalen <= this.area && this.start <= this.datalen;
  }

  /** Whether the ring has wrapped, so that its oldest byte is at `start`. */
  get wrapped(): boolean {
    return this.start < this.datalen;
  }

  /** The data, oldest first. @param salvaged also where only the signature is damaged */
  extents(salvaged = false): Extent[] {
    if (this.state !== 'live' && !(salvaged && this.isSalvageable)) return [];
    const part = (from: number, to: number) => Extent.at(this.#storage, this.dataOffset + from, to - from);
    return this.wrapped ? [part(this.start, this.datalen), part(0, this.start)] : [part(0, this.datalen)];
  }

  /** Keeps bytes in memory, after those that are kept already: the last of them that fit. */
  hold(bytes: Uint8Array): void {
    const all = new Uint8Array(this.#held.length + bytes.length);
    all.set(this.#held);
    all.set(bytes, this.#held.length);
    this.#held = all.slice(-this.area);
  }

  /**
   * Brings what is kept in memory to the medium; it stays in memory when that fails.
   * @throws PstoreError EAGAIN, EIO, ENOSPC; EROFS and ENOMSG, after which it is not kept any more
   */
  flushHeld(storage = this.#storage): void {
    if (!this.dirty) return;
    try {
      this.append(this.#held, storage);
    } catch (error) {
      if (isHoldable(error)) throw error;
      this.#held = new Uint8Array(0);
      throw error;
    }
    this.#held = new Uint8Array(0);
  }

  /**
   * Appends at `start` and goes on at 0 where the area ends; of more than the area holds, the last bytes stay.
   * FLUSH_PART: the new bytes, then the buffer header.
   * @throws PstoreError EROFS, EIO, ENOSPC, ENOMSG, EAGAIN
   */
  append(bytes: Uint8Array, storage = this.#storage): void {
    if (bytes.length === 0) return;
    const fresh = this.state !== 'live';
    const start = fresh ? 0 : Math.min(this.start, this.datalen);
    const datalen = fresh ? 0 : this.datalen;
    const kept = bytes.subarray(Math.max(0, bytes.length - this.area));
    const room = this.area - start;
    const wraps = room < kept.length;
    const behind = wraps ? kept.subarray(room) : kept;
    const pieces = wraps
      ? [
          { from: start, bytes: kept.subarray(0, room) },
          { from: 0, bytes: behind },
        ]
      : [{ from: start, bytes: behind }];
    const end = (wraps ? 0 : start) + behind.length;
    const length = wraps || datalen >= this.area ? this.area : Math.max(datalen, end);
    flush(storage, this.zone, { mode: FlushMode.Part, header: this.#header(length, end), pieces });
    this.datalen = length;
    this.start = end;
    this.state = 'live';
  }

  /**
   * FLUSH_META with datalen and start 0.
   * @returns false when the ring is not the one that was shown any more, and nothing was written
   * @throws PstoreError EROFS, EIO, ENOMSG, EAGAIN
   */
  erase(storage = this.#storage): boolean {
    const { state, datalen, start } = this;
    if (state !== 'live') return false;
    this.#read(storage);
    if ((this.state as RingState) === 'unreadable') {
      Object.assign(this, { state, datalen, start });
      throw new PstoreError(
        'EIO',
        `${this.#storage.path}: ${this.#name} cannot be read; was the image cut while in use?`,
        {
          path: this.#storage.path,
          offset: this.zone.offset,
        },
      );
    }
    const same = (this.state as RingState) === 'live' && this.datalen === datalen && this.start === start;
    if (!same) return false;
    flush(storage, this.zone, { mode: FlushMode.Meta, header: this.#header(0, 0) });
    this.datalen = 0;
    this.start = 0;
    this.state = 'erased';
    return true;
  }

  /**
   * Takes back what erase() has written, of a ring that had not wrapped.
   * @throws PstoreError EBUSY when it has been used since; EROFS, EIO, ENOMSG, EAGAIN
   */
  restore(length: number): void {
    this.#read(this.#storage);
    if (this.state !== 'erased') {
      const { path } = this.#storage;
      throw new PstoreError('EBUSY', `${path}: ${this.#name} has been used since; list again`, { path });
    }
    flush(this.#storage, this.zone, { mode: FlushMode.Meta, header: this.#header(length, length) });
    this.datalen = length;
    this.start = length;
    this.state = 'live';
  }

  #header(datalen: number, start: number): Uint8Array {
    return writeBufferHeader({ sig: zoneSignature(this.zone.type), datalen, start }, 'pstore_blk', this.#abi);
  }
}
