// Reads the headers of all dmesg zones: what each zone holds, where the next record goes, and the highest counters.
// Facts: psz_kmsg_recover_meta of fs/pstore/zone.c, and fs/pstore/blkzone.c as posted in January 2019.

import type { PstoreError } from '../errors.js';
import type { Abi } from '../pstore/abi.js';
import { isBrokenPlace, type Storage } from '../storage/storage.js';
import { Warnings } from '../warnings.js';
import { type DmesgRow, DmesgTable, NO_ROW, ZoneState } from './dmesg-table.js';
import { Counters } from './dump.js';
import {
  BUFFER_HEADER_SIZE,
  DMESG_MAGIC,
  dmesgHeaderSize,
  readBufferHeader,
  readDmesgHeader,
  wordText,
  zoneSignature,
} from './format.js';
import { kmsgZone, PSTORE_BLK_CAP, type ZoneGeometry } from './geometry.js';

/** What the headers say. */
export interface Recovered {
  readonly table: DmesgTable;
  /** Index of the zone that the next record goes to. */
  readonly next: number;
  /** Highest counters of the records. */
  readonly counters: Counters;
  /** Of zones that differ from what was known. */
  readonly warnings: Warnings;
}

/** Zones smaller than this are read many at a time, headers and data together. */
const BATCH_BELOW = 2048;
const BATCH_BYTES = 1 << 20;

/**
 * Rules 1 to 5 of recovery.
 * @param known what was known before: only zones that differ from it are warned of
 * @param held zones whose newest content is in memory only: they are taken from `known`
 * @throws PstoreError EAGAIN while the medium is not there, EIO when no zone at all can be read
 */
export function recoverDmesg(
  storage: Storage,
  geometry: ZoneGeometry,
  abi: Abi,
  known: DmesgTable,
  held: (index: number) => boolean,
): Recovered {
  const { dialect } = geometry;
  const table = new DmesgTable(geometry.kmsgCount);
  const warnings = new Warnings();
  const headers = new HeaderReader(storage, geometry, abi);
  const counters = new Counters(dialect);
  let next = 0;
  let newest = 0n;
  let stopped = false;
  for (let index = 0; index < geometry.kmsgCount; index++) {
    if (stopped) {
      table.setState(index, ZoneState.NotLookedAt);
      continue;
    }
    const { row, problem } = held(index) ? { row: known.row(index), problem: undefined } : headers.row(index);
    table.set(index, row);
    if (problem && !known.has(index, row)) {
      const { offset } = kmsgZone(geometry, index);
      const what = `${storage.path}: dmesg zone ${index} at offset ${offset} ${problem.what}`;
      warnings.add(problem.code, `${what}; a kernel skips it, and salvage shows what can be read of it`, offset);
    }
    if (dialect.unsigned === 'ends' && row.state === ZoneState.Unsigned) {
      stopped = true;
      next = index;
    } else if (row.state === ZoneState.Erased || row.state === ZoneState.Live) {
      if (row.seconds >= newest) {
        newest = row.seconds;
        next = (index + 1) % geometry.kmsgCount;
      }
      counters.find(row);
    }
  }
  headers.throwIfNothingWasRead();
  return { table, next, counters, warnings };
}

/**
 * Whether the times go on along the ring from the next zone to be written, so that it is the oldest one. They do not
 * where several records are of one second, or a clock went back: the kernel's rule may then take the newest one.
 */
export function followsTimes(table: DmesgTable, next: number): boolean {
  let last: bigint | undefined;
  let used = 0;
  for (let i = 0; i < table.length; i++) {
    const { state, seconds } = table.row((next + i) % table.length);
    if (state !== ZoneState.Erased && state !== ZoneState.Live) continue;
    if (last !== undefined && seconds < last) return false;
    last = seconds;
    used++;
  }
  const { state, seconds } = table.row(next);
  const nextIsUsed = state === ZoneState.Erased || state === ZoneState.Live;
  return used < 2 || !nextIsUsed || seconds !== last;
}

/** Where a kernel that reads these headers writes next: after the newest record, by its time. */
export function nextByTimes(table: DmesgTable): number {
  let [newest, next] = [0n, 0];
  for (let index = 0; index < table.length; index++) {
    const { state, seconds } = table.row(index);
    if ((state !== ZoneState.Erased && state !== ZoneState.Live) || seconds < newest) continue;
    [newest, next] = [seconds, (index + 1) % table.length];
  }
  return next;
}

/** Zones that blkoops would not see are counted up to this offset: very many unused zones may follow it. */
const HIDDEN_WITHIN = PSTORE_BLK_CAP;

/** Zones with a record, and erased ones, after that at which blkoops stops looking. */
export function countHidden(
  storage: Storage,
  geometry: ZoneGeometry,
  abi: Abi,
  stop: number,
): { readonly records: number; readonly erased: number } {
  const headers = new HeaderReader(storage, geometry, abi);
  let [records, erased] = [0, 0];
  for (let index = stop + 1; index < geometry.kmsgCount && kmsgZone(geometry, index).offset < HIDDEN_WITHIN; index++) {
    const { datalen, state } = headers.row(index).row;
    if (datalen > 0) records++;
    else if (state === ZoneState.Erased) erased++;
  }
  return { records, erased };
}

interface Problem {
  readonly code: 'zone-overtop' | 'zone-invalid' | 'zone-truncated';
  readonly what: string;
}

function skipped(row: DmesgRow, code: Problem['code'], what: string): { row: DmesgRow; problem: Problem } {
  return { row, problem: { code, what } };
}

/** Gives the headers of one zone after the other. */
class HeaderReader {
  readonly #storage: Storage;
  readonly #geometry: ZoneGeometry;
  readonly #abi: Abi;
  readonly #bufferSize: number;
  /** Bytes of both headers. */
  readonly #wanted: number;
  readonly #zones: number;
  readonly #batch: Uint8Array;
  #first = Number.NEGATIVE_INFINITY;
  #got = 0;
  #readable = false;
  #failure: PstoreError | undefined;

  constructor(storage: Storage, geometry: ZoneGeometry, abi: Abi) {
    this.#storage = storage;
    this.#geometry = geometry;
    this.#abi = abi;
    this.#bufferSize = BUFFER_HEADER_SIZE[geometry.generation];
    this.#wanted = this.#bufferSize + dmesgHeaderSize(abi);
    const { kmsgSize, kmsgCount } = geometry;
    this.#zones = kmsgSize >= BATCH_BELOW ? 1 : Math.max(1, Math.min(kmsgCount, Math.floor(BATCH_BYTES / kmsgSize)));
    this.#batch = new Uint8Array(this.#zones === 1 ? this.#wanted : this.#zones * kmsgSize);
  }

  throwIfNothingWasRead(): void {
    if (this.#failure?.code === 'EIO' && !this.#readable) throw this.#failure;
  }

  row(index: number): { row: DmesgRow; problem: Problem | undefined } {
    const bytes = this.#bytes(index);
    if (bytes.length < this.#wanted) {
      const row = { ...NO_ROW, state: ZoneState.Unreadable };
      return skipped(row, 'zone-truncated', 'cannot be read: the image ends here, or the place is broken');
    }
    const buffer = readBufferHeader(bytes, this.#geometry.generation, this.#abi);
    const { datalen } = buffer;
    const signature = zoneSignature('dmesg');
    if (buffer.sig !== signature) {
      const row = { ...NO_ROW, state: ZoneState.Unsigned };
      const isRecord =
        datalen > 0 && readDmesgHeader(bytes.subarray(this.#bufferSize), this.#abi).magic === DMESG_MAGIC;
      if (!isRecord) return { row, problem: undefined };
      const found = `has the signature ${wordText(buffer.sig)} where ${wordText(signature)} should be`;
      return skipped({ ...row, datalen }, 'zone-invalid', found);
    }
    const area = this.#geometry.kmsgSize - this.#bufferSize;
    if (datalen > area) {
      const row = { ...NO_ROW, state: ZoneState.Overtop, datalen };
      return skipped(row, 'zone-overtop', `says that it holds ${datalen} bytes, but has room for ${area}`);
    }
    const header = readDmesgHeader(bytes.subarray(this.#bufferSize), this.#abi);
    const { magic } = header;
    if (magic !== DMESG_MAGIC) {
      const row = { ...NO_ROW, state: ZoneState.Invalid, datalen };
      if (datalen === 0) return { row, problem: undefined };
      const found = `has the magic ${wordText(magic)} where ${wordText(DMESG_MAGIC)} should be`;
      return skipped(row, 'zone-invalid', found);
    }
    // Field by field: to spread an object takes longer than to read the zone.
    const row = {
      state: datalen === 0 ? ZoneState.Erased : ZoneState.Live,
      datalen,
      counter: header.counter,
      reason: header.reason,
      compressed: header.compressed,
      seconds: header.seconds,
      nanoseconds: header.nanoseconds,
    };
    return { row, problem: undefined };
  }

  /** Both headers of a zone; fewer bytes where the storage ends or is broken. */
  #bytes(index: number): Uint8Array {
    const { kmsgSize } = this.#geometry;
    if (index < this.#first || index >= this.#first + this.#zones) {
      this.#first = index;
      this.#got = this.#read(this.#batch, index);
    }
    if (this.#got < 0) {
      // Somewhere among these zones is a broken place: each by itself.
      const alone = this.#batch.subarray(0, this.#wanted);
      return alone.subarray(0, Math.max(0, this.#read(alone, index)));
    }
    const at = (index - this.#first) * kmsgSize;
    return this.#batch.subarray(at, Math.max(at, Math.min(at + this.#wanted, this.#got)));
  }

  /** @returns bytes read, or −1 where the place is broken */
  #read(target: Uint8Array, index: number): number {
    try {
      const got = this.#storage.read(target, kmsgZone(this.#geometry, index).offset);
      this.#readable = true;
      return got;
    } catch (error) {
      if (!isBrokenPlace(error)) throw error;
      this.#failure = error as PstoreError;
      return -1;
    }
  }
}
