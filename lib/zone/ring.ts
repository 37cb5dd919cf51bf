// A ring zone of pstore/zone (pmsg, console, tty, one CPU's ftrace): recovered, unwrapped, appended to, erased.

import type { Abi } from '../format/abi.js';
import { BUFFER_HEADER_SIZE, readBufferHeader, writeBufferHeader, zoneSignature } from '../format/zone.js';
import type { Extent } from '../storage/extent.js';
import type { Storage } from '../storage/storage.js';
import type { Warnings } from '../warnings.js';
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
  readonly #storage: Storage;
  readonly #abi: Abi;
  /** What was written before the storage could be read. */
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

  /** Reads the header. A zone that cannot be shown is no failure. */
  recover(warnings: Warnings): void {
    const { type, index, offset } = this.zone;
    const what = `${this.#storage.path}: ${type} zone ${index} at offset ${offset}`;
    this.#read();
    if (this.state === 'overtop') {
      warnings.add(
        'zone-overtop',
        `${what} says datalen ${this.datalen} and start ${this.start}, but has room for ${this.area}; it is skipped`,
        offset,
      );
    } else if (this.state === 'unreadable') {
      warnings.add('zone-truncated', `${what} cannot be read: the image ends here, or the place is broken`, offset);
    } else if (this.state === 'live' && this.start > this.datalen) {
      warnings.add(
        'zone-start-beyond-datalen',
        `${what} has start ${this.start} behind its datalen ${this.datalen}: a kernel shows nothing of the whole ` +
          'partition for that; here it is read as a ring that has not wrapped',
        offset,
      );
    }
  }

  /** @returns whether the header differs from what was known */
  refresh(): boolean {
    const { state, datalen, start } = this;
    this.#read();
    return state !== this.state || datalen !== this.datalen || start !== this.start;
  }

  #read(): void {
    const bytes = new Uint8Array(HEADER);
    const got = this.#storage.read(bytes, this.zone.offset);
    const header = readBufferHeader(bytes, 'pstore_blk', this.#abi);
    this.datalen = header.datalen;
    this.start = header.start;
    if (got < HEADER) this.state = 'unreadable';
    else if (header.sig !== zoneSignature(this.zone.type)) this.state = 'unsigned';
    else if (header.datalen > this.area || header.start > this.area) this.state = 'overtop';
    else this.state = header.datalen === 0 ? 'erased' : 'live';
  }

  /** Whether the ring has wrapped, so that its oldest byte is at `start`. */
  get wrapped(): boolean {
    return this.state === 'live' && this.start < this.datalen;
  }

  /** The data, oldest first. */
  extents(): Extent[] {
    if (this.state !== 'live') return [];
    const part = (from: number, to: number): Extent => ({
      storage: this.#storage,
      offset: this.dataOffset + from,
      length: to - from,
    });
    return this.wrapped ? [part(this.start, this.datalen), part(0, this.start)] : [part(0, this.datalen)];
  }

  /** Keeps bytes in memory until the storage is there: the last of them that fit. */
  hold(bytes: Uint8Array): void {
    const all = new Uint8Array(this.#held.length + bytes.length);
    all.set(this.#held);
    all.set(bytes, this.#held.length);
    this.#held = all.subarray(Math.max(0, all.length - this.area));
  }

  flushHeld(): void {
    const held = this.#held;
    this.#held = new Uint8Array(0);
    if (held.length > 0) this.append(held);
  }

  /**
   * Appends at `start` and goes on at 0 where the area ends; of more than the area holds, the last bytes stay. Flushes
   * the new bytes, then the buffer header.
   * @throws PstoreError EROFS, EIO
   */
  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const fresh = this.state !== 'live';
    let start = fresh ? 0 : Math.min(this.start, this.datalen);
    let datalen = fresh ? 0 : this.datalen;
    let rest = bytes.subarray(Math.max(0, bytes.length - this.area));
    const full = datalen >= this.area;
    const room = this.area - start;
    let wrapped = full;
    if (room < rest.length) {
      if (room > 0) this.#storage.write(rest.subarray(0, room), this.dataOffset + start);
      rest = rest.subarray(room);
      start = 0;
      wrapped = true;
    }
    this.#storage.write(rest, this.dataOffset + start);
    start += rest.length;
    datalen = wrapped ? this.area : Math.max(datalen, start);
    this.#flushHeader(datalen, start);
    this.state = 'live';
  }

  /**
   * FLUSH_META with datalen and start 0.
   * @returns false when the ring is not the one that was shown any more, and nothing was written
   */
  erase(): boolean {
    const { state, datalen, start } = this;
    if (state !== 'live') return false;
    this.#read();
    const same = (this.state as RingState) === 'live' && this.datalen === datalen && this.start === start;
    if (!same) return false;
    this.#flushHeader(0, 0);
    this.state = 'erased';
    return true;
  }

  #flushHeader(datalen: number, start: number): void {
    const header = { sig: zoneSignature(this.zone.type), datalen, start };
    this.#storage.write(writeBufferHeader(header, 'pstore_blk', this.#abi), this.zone.offset);
    this.#storage.sync();
    this.datalen = datalen;
    this.start = start;
  }
}
