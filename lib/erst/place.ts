// Where CPER records are kept: QEMU's file, files of bare records, folders of those.

import { PstoreError } from '../errors.js';
import { Extent } from '../storage/extent.js';
import { type Folder, type FolderFile, KnownFiles, LeftOutNames } from '../storage/folder.js';
import { FolderFileStorage } from '../storage/folder-file.js';
import { nextRun, type Run, readRange, readStillThere, type Storage, searchedPlaces } from '../storage/storage.js';
import { SurvivingStorage } from '../storage/surviving.js';
import { beginsAsCper, CPER_HEADER_SIZE, type CperHeader, readCperHeader } from './cper.js';
import { type ErstHeader, MAP_ENTRY_SIZE, mapEntryAt, RECORD_COUNT_AT, readMap } from './format.js';

export interface FoundRecord {
  /** null where a record should be, but none begins. */
  readonly header: CperHeader | null;
  /** By the map where there is one, else the record's own. */
  readonly id: bigint;
  /** First byte in the source. */
  readonly offset: number;
  /** Bytes that the record may take. */
  readonly room: number;
  readonly isErased: boolean;
  /** Slot in QEMU's file. */
  readonly slot?: number;
  readonly file?: FolderFile;
  /** Bytes of the record from an offset in it on, for looking: zeros where they cannot be read. */
  look(offset: number, length: number): Uint8Array;
  /** The record's content. @param size bytes of it, which the room has after the header */
  data(size: number): Extent;
}

export interface RecordListing {
  /** In the order in which they stand. */
  readonly records: readonly FoundRecord[];
  /** Slots for records, and those without a live one; null where the place does not end. */
  readonly slots: { readonly all: number; readonly free: number } | null;
  /** Sentences without the path. */
  readonly damages: readonly string[];
}

export interface RecordPlace {
  /** As `info` names it. */
  readonly format: string;
  /** Bytes of a slot, where there are slots. */
  readonly recordSize: number | null;
  /** Why nothing can be erased here, or null. */
  readonly whyNotErased: string | null;
  /** @throws PstoreError EIO, EACCES */
  list(): RecordListing;
  /** Erases as the firmware does, durably, if it still is the same record. @throws PstoreError EPERM, EACCES, EIO */
  erase(record: FoundRecord): void;
  /** Takes back what erase() has written, durably. @throws PstoreError EBUSY where the slot was used since, EIO */
  restore?(record: FoundRecord): void;
  close(): void;
}

/** Whether all of a record is there that its header counts. */
export function isWhole({ header, room }: FoundRecord): boolean {
  return header !== null && header.length >= CPER_HEADER_SIZE && header.length <= room;
}

/** More records than any store has: a hostile image must not decide our memory, or our time. */
const MAX_RECORDS = 8192;
const tooMany = `it holds more than ${MAX_RECORDS} records, which no machine makes: the others are not shown`;

// ── QEMU's file ──

export class QemuFile implements RecordPlace {
  readonly format = "QEMU's acpi-erst";
  readonly whyNotErased = null;
  readonly #storage: SurvivingStorage;
  readonly #header: ErstHeader;

  constructor(storage: SurvivingStorage, header: ErstHeader) {
    this.#storage = storage;
    this.#header = header;
  }

  get recordSize(): number {
    return this.#header.recordSize;
  }

  list(): RecordListing {
    const map = readMap(this.#storage, this.#header);
    const records: FoundRecord[] = [];
    let run: Run | undefined = { from: 0, to: 0 };
    for (let slot = this.#header.firstSlot; slot < map.length && records.length < MAX_RECORDS; slot++) {
      const id = map[slot] ?? null;
      const at = slot * this.recordSize;
      if (run && at >= run.to) run = nextRun(this.#storage, at);
      // No erased record stands in a hole, which may have room for a million.
      if (id === null && (!run || at + CPER_HEADER_SIZE <= run.from)) continue;
      const header = this.#headerOf(slot);
      if (id !== null || header) records.push(this.#found(slot, id, header ?? null));
    }
    const live = map.reduce((count, id) => count + (id === null ? 0 : 1), 0);
    const damages = this.#damages(live, records);
    if (records.length === MAX_RECORDS) damages.push(tooMany);
    const { firstSlot, slots, cutOff } = this.#header;
    const all = Math.max(0, slots - firstSlot);
    return { records, slots: cutOff > 0 ? null : { all, free: all - live }, damages };
  }

  /** @param live slots to which the map gives a record, the one in which the file ends included */
  #damages(live: number, records: readonly FoundRecord[]): string[] {
    const { slots, damage, cutOff } = this.#header;
    const { size } = this.#storage;
    const damages = damage === null ? [] : [damage];
    const counted = this.#count();
    const last = records.at(-1);
    const isLastWhole = last?.slot === slots && !last.isErased && isWhole(last);
    const lost = cutOff - (isLastWhole ? 1 : 0);
    const gone = lost > 0 ? `, and ${lost} of its records with it` : '';
    if (cutOff > 0) damages.push(`the file was cut after ${size} bytes${gone}: copy it again`);
    else if (size % this.recordSize !== 0) {
      damages.push(
        `its size of ${size} bytes is no multiple of its slots' ${this.recordSize}: copy it again if it was cut`,
      );
    }
    const known = live + cutOff - (last?.slot === slots && !last.isErased ? 1 : 0);
    if (counted !== known) damages.push(`its header counts ${counted} records, its map has ${known}: those are shown`);
    return damages;
  }

  #headerOf(slot: number): CperHeader | undefined {
    return readCperHeader(readRange(this.#storage, slot * this.recordSize, CPER_HEADER_SIZE));
  }

  #found(slot: number, id: bigint | null, header: CperHeader | null): FoundRecord {
    const { recordSize } = this;
    const offset = slot * recordSize;
    return {
      header,
      id: id ?? header?.id ?? 0n,
      offset,
      room: Math.min(recordSize, this.#storage.size - offset),
      isErased: id === null,
      slot,
      look: (from, length) => readRange(this.#storage, offset + from, Math.min(length, recordSize - from)),
      data: (size) => Extent.at(this.#storage.medium, offset + CPER_HEADER_SIZE, size),
    };
  }

  /** Records as the header counts them. */
  #count(): number {
    const bytes = readRange(this.#storage, RECORD_COUNT_AT, 4);
    return bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  }

  /** The map forgets the record, and the header counts one less; the record itself stays where it is. */
  erase({ slot, id, header }: FoundRecord): void {
    const at = mapEntryAt(slot!);
    readStillThere(this.#storage, at, MAP_ENTRY_SIZE);
    const entry = readRange(this.#storage, at, MAP_ENTRY_SIZE);
    if (new DataView(entry.buffer, entry.byteOffset).getBigUint64(0, true) !== id) return;
    const now = this.#headerOf(slot!);
    // Something else stands there by now.
    if (now?.id !== header?.id || now?.length !== header?.length) return;
    const count = new Uint8Array(4);
    new DataView(count.buffer).setUint32(0, Math.max(0, this.#count() - 1), true);
    this.#storage.write(new Uint8Array(MAP_ENTRY_SIZE), at);
    this.#storage.write(count, RECORD_COUNT_AT);
    this.#storage.sync();
  }

  /** The map knows the record again, and the header counts one more. */
  restore({ slot, id, offset }: FoundRecord): void {
    const at = mapEntryAt(slot!);
    readStillThere(this.#storage, at, MAP_ENTRY_SIZE);
    const entry = readRange(this.#storage, at, MAP_ENTRY_SIZE);
    if (entry.some((byte) => byte !== 0) || this.#headerOf(slot!)?.id !== id) {
      const { path } = this.#storage;
      throw new PstoreError('EBUSY', `${path}: the slot at offset ${offset} has been used since; list again`, { path });
    }
    const [known, count] = [new Uint8Array(MAP_ENTRY_SIZE), new Uint8Array(4)];
    new DataView(known.buffer).setBigUint64(0, id, true);
    new DataView(count.buffer).setUint32(0, this.#count() + 1, true);
    this.#storage.write(known, at);
    this.#storage.write(count, RECORD_COUNT_AT);
    this.#storage.sync();
  }

  close(): void {
    this.#storage.close();
  }
}

// ── bare records ──

/** Records of QEMU's file stand at multiples of this, whatever became of its header. */
const STEP = 4096;

/** Records that stand one after the other from the beginning, or at multiples of 4096. */
export function* bareRecords(storage: SurvivingStorage, file?: FolderFile): Generator<FoundRecord> {
  let records = 0;
  for (let offset = 0; offset + CPER_HEADER_SIZE <= storage.size && records < MAX_RECORDS; ) {
    const at = offset;
    const header = readCperHeader(readRange(storage, at, CPER_HEADER_SIZE));
    offset = Math.floor(at / STEP) * STEP + STEP;
    if (!header) {
      offset = searchedPlaces(storage, { from: offset, length: STEP }).next().value ?? storage.size;
      continue;
    }
    const room = roomOf(storage, at, header);
    if (room === header.length) offset = nextAfter(storage, at + room);
    records++;
    yield {
      header,
      id: header.id,
      offset: at,
      room,
      isErased: false,
      ...(file && { file }),
      look: (from, length) => readRange(storage, at + from, Math.max(0, Math.min(length, room - from))),
      data: (size) => Extent.at(storage.medium, at + CPER_HEADER_SIZE, size),
    };
  }
}

/** Its length where that can be; else what is left of the step. */
function roomOf(storage: Storage, at: number, { length }: CperHeader): number {
  if (length >= CPER_HEADER_SIZE && at + length <= storage.size) return length;
  return Math.min(storage.size - at, STEP - (at % STEP));
}

/** Where another record follows at once, it is the next; else one may stand at the next multiple. */
function nextAfter(storage: Storage, end: number): number {
  return beginsAsCper(readRange(storage, end, CPER_HEADER_SIZE)) ? end : Math.ceil(end / STEP) * STEP;
}

export class BareFile implements RecordPlace {
  readonly format = 'bare CPER records';
  readonly recordSize = null;
  readonly whyNotErased = 'it is a copy: remove the file itself when it is not needed any more';
  readonly #storage: SurvivingStorage;

  constructor(storage: SurvivingStorage) {
    this.#storage = storage;
  }

  list(): RecordListing {
    const records = [...bareRecords(this.#storage)];
    const first = records[0]?.offset ?? 0;
    const lost = `no header of QEMU stands in front of its first record at offset ${first}: which records were erased cannot be told`;
    const damages = [...(first > 0 ? [lost] : []), ...(records.length === MAX_RECORDS ? [tooMany] : [])];
    return { records, slots: null, damages };
  }

  erase(): void {}

  close(): void {
    this.#storage.close();
  }
}

// ── folders ──

/** A file of records that is larger is none. */
const MAX_FILE = 16 << 20;
/** Files that a probe opens. */
const PROBED = 64;

/** How sure a look at a folder is that it holds records. */
export function probeFolder(folder: Folder): number {
  const files = folder.files().filter(isCandidate);
  return files.slice(0, PROBED).some((file) => beginsAsCper(headOf(folder, file))) ? 0.9 : 0;
}

function isCandidate({ name, size }: FolderFile): boolean {
  return !name.includes('/') && size >= CPER_HEADER_SIZE && size <= MAX_FILE;
}

function headOf(folder: Folder, file: FolderFile): Uint8Array {
  try {
    return folder.read(file, CPER_HEADER_SIZE);
  } catch (error) {
    if (error instanceof PstoreError) return new Uint8Array(0);
    throw error;
  }
}

export class RecordFolder implements RecordPlace {
  readonly format = 'a folder of CPER records';
  readonly recordSize = null;
  readonly whyNotErased = null;
  readonly #folder: Folder;
  /** Records of each file that was looked at. */
  readonly #known = new KnownFiles<readonly FoundRecord[]>();

  constructor(folder: Folder) {
    this.#folder = folder;
  }

  list(): RecordListing {
    const records: FoundRecord[] = [];
    const damages: string[] = [];
    const left = new LeftOutNames();
    const files = this.#folder.files((name, why) => left.add(name, why)).filter(isCandidate);
    this.#known.keep(files);
    for (const file of files) {
      try {
        records.push(...this.#recordsOf(file).slice(0, MAX_RECORDS - records.length));
      } catch (error) {
        if (!(error instanceof PstoreError)) throw error;
        damages.push(error.message);
      }
    }
    damages.push(...left.told());
    if (records.length === MAX_RECORDS) damages.push(tooMany);
    return { records, slots: null, damages };
  }

  #recordsOf(file: FolderFile): readonly FoundRecord[] {
    return this.#known.of(file, () => {
      const isOne = beginsAsCper(this.#folder.read(file, CPER_HEADER_SIZE));
      const storage = new FolderFileStorage(this.#folder, file, MAX_FILE);
      return isOne ? storage.whileLoaded(() => [...bareRecords(SurvivingStorage.over(storage), file)]) : [];
    });
  }

  erase({ file }: FoundRecord): void {
    const records = this.#recordsOf(file!).length;
    if (records > 1) {
      const path = `${this.#folder.path}/${file!.name}`;
      throw new PstoreError('EPERM', `${path} holds ${records} records: remove the file itself`, { path });
    }
    this.#folder.remove(file!);
  }

  close(): void {}
}
