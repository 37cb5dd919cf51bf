// The backend erst: records that Linux keeps behind ACPI's error record serialization table.

import type { Backend, BackendInfo, SpaceUsage } from '../pstore/backend.js';
import type { SourceKeys } from '../pstore/keys.js';
import type { BackendKind, OpenContext } from '../pstore/kind.js';
import { NOT_TAKEN_BACK, type Piece, type PieceState, type PieceStore } from '../pstore/piece.js';
import { PieceBackend } from '../pstore/pieces.js';
import { probeAndOpen, type Recognised } from '../pstore/recognised.js';
import { timeOfSeconds } from '../pstore/record.js';
import { keyOfFile } from '../storage/folder.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import { counted, type Warnings } from '../warnings.js';
import { erstAnywhere } from './anywhere.js';
import { CPER_HEADER_SIZE } from './cper.js';
import { readErstHeader } from './format.js';
import { machineCheckText, readMachineCheck } from './mce.js';
import {
  BareFile,
  bareRecords,
  type FoundRecord,
  isWhole,
  probeFolder,
  QemuFile,
  RecordFolder,
  type RecordListing,
  type RecordPlace,
} from './place.js';

const NAME = 'erst';
const TYPES = ['dmesg', 'mce', 'unknown'] as const;

/** QEMU's files are some megabytes; a larger one without its header is looked at only where somebody asks for it. */
const MAX_PROBED = 4 << 20;

export const erst: BackendKind = {
  name: NAME,
  summary: "ACPI ERST: the file of QEMU's acpi-erst device, and CPER records",
  keys: [],
  types: TYPES,
  source: 'file',
  isMemory: true,
  isAskedFirst: () => true,
  ...probeAndOpen({
    recognise,
    open: openPlace,
    maxProbed: MAX_PROBED,
    refusal: "it neither begins with ERSTSTOR, as QEMU's file, nor holds CPER records",
  }),
  anywhere: erstAnywhere,
  folder: {
    probe: probeFolder,
    open: ({ folder, ...context }) => openPlace(new RecordFolder(folder), context, folder.writable),
  },
};

/** What a file is, told once for recognising and for opening. */
function recognise(storage: SurvivingStorage, most: number): Recognised<RecordPlace> | undefined {
  const header = readErstHeader(storage);
  if (header) return { sure: 1, place: () => new QemuFile(storage, header) };
  if (storage.size > most) return undefined;
  const first = bareRecords(storage).next().value;
  return first ? { sure: first.offset === 0 ? 0.9 : 0.6, place: () => new BareFile(storage) } : undefined;
}

type PlaceContext = Pick<OpenContext, 'path' | 'keys' | 'warnings' | 'cache'>;

function openPlace(place: RecordPlace, context: PlaceContext, isWritable: boolean): Backend {
  const { keys, cache } = context;
  const store = new RecordStore(place, context, isWritable && !keys.flag('ro'));
  return new PieceBackend(store, { cache, salvage: keys.flag('salvage'), types: TYPES });
}

interface RecordPiece extends Piece {
  readonly found: FoundRecord;
}

/** Room for struct mce, and what later kernels may add to it. */
const MAX_MCE = 256;
/** What QEMU fills the rest of a slot with. */
const BLANK = 0xff;

class RecordStore implements PieceStore<RecordPiece> {
  readonly name = NAME;
  readonly path: string;
  readonly warnings: Warnings;
  readonly writable: boolean;
  readonly #place: RecordPlace;
  readonly #keys: SourceKeys;
  #listing: RecordListing | undefined;
  #pieces: RecordPiece[] = [];

  constructor(place: RecordPlace, { path, keys, warnings }: PlaceContext, writable: boolean) {
    this.#place = place;
    this.path = path;
    this.warnings = warnings;
    this.writable = writable && place.whyNotErased === null;
    this.#keys = keys;
  }

  scan(): readonly RecordPiece[] {
    const isFirst = this.#listing === undefined;
    this.#listing = this.#place.list();
    this.#pieces = this.#listing.records.map(pieceOf);
    if (isFirst) this.#warn(this.#listing);
    return this.#pieces;
  }

  // ── what a person should know ──

  #warn({ damages, slots }: RecordListing): void {
    for (const text of damages) this.warnings.add('store-damaged', `${this.path}: ${text}`);
    const hidden = this.#pieces.filter(({ state }) => state === 'salvaged');
    if (hidden.length > 0) this.#warnOfHidden(hidden);
    const foreign = this.#pieces.filter(({ state }) => state === 'foreign').length;
    if (foreign > 0) {
      const what = `${counted(foreign, 'record has', 'records have')} another creator than Linux: not shown`;
      this.warnings.add('record-hidden', `${this.path}: ${what}; info says whose they are`);
    }
    if (slots && slots.free === 0 && slots.all > 0) {
      const what = `all ${slots.all} slots hold a record: the next crash is not recorded`;
      this.warnings.add('store-full', `${this.path}: ${what}; remove records that are not needed any more`);
    }
  }

  #warnOfHidden(hidden: readonly RecordPiece[]): void {
    const { offset } = hidden[0]!;
    const what = `the record at offset ${offset} is damaged: a kernel's listing ends there, and hides the records after it`;
    const more = hidden.length > 1 ? ` (there are ${hidden.length} such records)` : '';
    const salvage = this.#keys.flag('salvage') ? '' : '; salvage shows what can be read of it';
    this.warnings.add('record-hidden', `${this.path}: ${what}${more}${salvage}`, offset);
  }

  // ── changing ──

  get whyNotErased(): string | null {
    return this.#place.whyNotErased;
  }

  erase(piece: RecordPiece): void {
    this.#place.erase(piece.found);
  }

  whyNotRestored({ id }: RecordPiece): string | null {
    const isUsed = this.#pieces.some((other) => other.state === 'live' && other.id === id);
    return isUsed ? 'another record has its id' : this.#place.restore ? null : NOT_TAKEN_BACK;
  }

  restore({ found }: RecordPiece): void {
    this.#place.restore!(found);
  }

  // ── the whole ──

  space(): SpaceUsage {
    const records = this.#pieces.filter(({ state }) => state === 'live').length;
    const { slots } = this.#listing!;
    const { recordSize } = this.#place;
    if (!slots || recordSize === null) {
      const bytes = this.#pieces.reduce((all, { size }) => all + size, 0);
      return { bytes, freeBytes: 0, records, freeSlots: 0 };
    }
    return { bytes: slots.all * recordSize, freeBytes: slots.free * recordSize, records, freeSlots: slots.free };
  }

  info(): Omit<BackendInfo, 'zones'> {
    const { slots } = this.#listing!;
    const { recordSize, format, whyNotErased } = this.#place;
    const count = (state: PieceState) => this.#pieces.filter((piece) => piece.state === state).length;
    const states = [
      `${count('live')} live`,
      `${count('erased')} erased`,
      `${count('salvaged')} damaged`,
      `${count('foreign')} of others than Linux`,
    ];
    return {
      format: NAME,
      abi: null,
      geometry: {
        ...(recordSize !== null && { record_size: recordSize }),
        ...(slots && { slots: slots.all, free_slots: slots.free }),
      },
      confidence: {},
      kernelParameters: [],
      sourceKeys: '',
      counters: null,
      nextZone: null,
      details: {
        'kept in': format,
        records: states.join(', '),
        ...(whyNotErased !== null && { erasing: `not here: ${whyNotErased}` }),
      },
    };
  }

  close(): void {
    this.#place.close();
  }
}

function pieceOf(found: FoundRecord): RecordPiece {
  const { header, id, offset, file, isErased } = found;
  const type = header?.type ?? 'unknown';
  const whole = isWhole(found);
  const size = whole ? header!.length - CPER_HEADER_SIZE : damagedSize(found);
  const check = type === 'mce' && whole ? readMachineCheck(found.look(CPER_HEADER_SIZE, MAX_MCE)) : undefined;
  // The record of a machine check has no time of its own, but what it holds has one.
  const seconds = header?.seconds ?? check?.seconds ?? 0n;
  return {
    found,
    key: `${file ? keyOfFile(file) : ''} ${offset} ${id} ${header?.length} ${header?.seconds} ${isErased}`,
    type,
    id,
    name: `${type}-${NAME}-${id}`,
    mtimeNs: timeOfSeconds(seconds),
    count: null,
    part: null,
    isCompressed: header?.isCompressed ?? false,
    state: stateOf(found, whole),
    offset,
    size,
    room: CPER_HEADER_SIZE + size,
    slotSize: found.room,
    title: null,
    remark: remarkOf(found, whole, check && machineCheckText(check)),
    data: found.data(size),
  };
}

/** Bytes that are looked at together. */
const STEP = 64 << 10;

/** Data of a record whose length is not to be believed: what stands in its room, without the blank bytes at the end. */
function damagedSize(found: FoundRecord): number {
  for (let end = found.room; end > CPER_HEADER_SIZE; end -= STEP) {
    const from = Math.max(CPER_HEADER_SIZE, end - STEP);
    const last = found.look(from, end - from).findLastIndex((byte) => byte !== BLANK);
    if (last >= 0) return from + last + 1 - CPER_HEADER_SIZE;
  }
  return 0;
}

function stateOf({ header, isErased }: FoundRecord, whole: boolean): PieceState {
  if (header && !header.isLinux) return 'foreign';
  if (isErased) return 'erased';
  return whole ? 'live' : 'salvaged';
}

function remarkOf(found: FoundRecord, whole: boolean, check: string | undefined): string | null {
  const { header, id, isErased, room } = found;
  const remarks = [check, isErased ? 'its bytes are there until the slot is used again' : undefined];
  if (!header) remarks.push('the map has a record here, but none begins');
  else {
    if (!header.isLinux) remarks.push(`written by ${header.creator}, not by Linux`);
    if (!whole) remarks.push(`its length of ${header.length} bytes does not fit its room of ${room}`);
    if (header.type === 'unknown')
      remarks.push(`its section has the type ${header.sectionType}, which no kernel knows`);
    if (header.id !== id) remarks.push(`it says of itself that its id is ${header.id}`);
    if (header.seconds === null && header.type !== 'mce') remarks.push('it does not say that it has a time');
  }
  return remarks.filter((remark) => remark !== undefined).join('; ') || null;
}
