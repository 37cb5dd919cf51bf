// The variable store of edk2 and of what came before it: records one after the other, free space after the last.
// Facts: edk2 MdeModulePkg/Include/Guid/VariableFormat.h; UEFITool nvram.h for $VSS; checked against images of OVMF.

import { guidBytes, isGuidAt } from '../guid.js';
import { occurrences } from '../storage/occurrences.js';
import type { Storage } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import { Window } from '../storage/window.js';
import { CRASH_GUID_BYTES } from './dump-name.js';
import { type EfiVariable, MAX_NAME_SIZE, readName, type VariableState } from './variable.js';

/**
 * Which header the records have. `authenticated`: 60 bytes; `plain`: 32; `apple`: 32 and a CRC of the data, where the
 * attributes say so, in stores that begin with `$VSS`.
 */
export type RecordLayout = 'authenticated' | 'plain';

/** EFI_AUTHENTICATED_VARIABLE_GUID, EFI_VARIABLE_GUID: what a store begins with. */
const STORE_GUIDS: readonly (readonly [RecordLayout, Uint8Array])[] = [
  ['authenticated', guidBytes('aaf32c78-947b-439a-a180-2e144ec37792')],
  ['plain', guidBytes('ddcf3616-3275-4164-98b6-fe85707ffe7d')],
];
/** Store header with a GUID: size at 16, format at 20, health at 21. */
const GUID_STORE_HEADER = 28;
/** `$VSS`, and Apple's `$SVS`: size at 4, format at 8, health at 9. */
const VSS_SIGNATURES = ['$VSS', '$SVS'] as const;
const VSS_STORE_HEADER = 16;
const FORMATTED = 0x5a;

const START_ID = new Uint8Array([0xaa, 0x55]);
/** Offsets in a record's header, and its length, by layout. */
const HEADERS = {
  authenticated: { size: 60, nameSize: 36, dataSize: 40, guid: 44 },
  plain: { size: 32, nameSize: 8, dataSize: 12, guid: 16 },
} as const;
export const STATE_AT = 2;
const ATTRIBUTES_AT = 4;
/** UEFITool nvram.h, NVRAM_VSS_VARIABLE_APPLE_DATA_CHECKSUM: four bytes of CRC stand after the header. */
const APPLE_CHECKSUM = 0x8000_0000;
const APPLE_CHECKSUM_SIZE = 4;
/** Records of a store with a GUID begin on a multiple of this, counted from the store. */
const ALIGNMENT = 4;
const BLANK = 0xff;
export const MAX_HEAD = HEADERS.authenticated.size + APPLE_CHECKSUM_SIZE;

/** Values of the state byte. */
const STATES: ReadonlyMap<number, VariableState> = new Map([
  [0xff, 'torn'],
  [0x7f, 'unfinished'],
  [0x7e, 'unfinished'],
  [0x7d, 'unfinished'],
  [0x7c, 'unfinished'],
  [0x3f, 'live'],
  [0x3e, 'replaced'],
  [0x3d, 'erased'],
  [0x3c, 'erased'],
]);
/** What the firmware clears in the state of a record that is erased (VAR_DELETED). */
export const ERASED_BIT = 0x02;

export interface Store {
  /** As `info` names it. */
  readonly format: 'authenticated' | 'plain' | '$VSS' | '$SVS';
  readonly layout: RecordLayout;
  /** First byte of the store in the source. */
  readonly offset: number;
  /** Bytes, the store's header included; never beyond the place that it was found in. */
  readonly size: number;
  /** Bytes as its header says. */
  readonly claimedSize: number;
  /** First byte of the first record in the source. */
  readonly first: number;
  readonly isHealthy: boolean;
}

const HEALTHY = 0xfe;

/**
 * The header of a store, if there is one.
 * @param limit first byte after the place that the store may take, in the source
 */
export function readStoreHeader(storage: Storage, offset: number, limit: number): Store | undefined {
  const window = new Window(storage);
  const head = window.bytes(offset, GUID_STORE_HEADER).slice();
  const known = STORE_GUIDS.find(([, guid]) => isGuidAt(head, 0, guid));
  if (known && head.length === GUID_STORE_HEADER) {
    return storeOf(head, 16, { format: known[0], layout: known[0], offset, first: offset + GUID_STORE_HEADER, limit });
  }
  const signature = String.fromCharCode(...head.subarray(0, 4));
  const format = VSS_SIGNATURES.find((one) => one === signature);
  if (!format || head.length < VSS_STORE_HEADER) return undefined;
  const first = offset + VSS_STORE_HEADER;
  return storeOf(head, 4, { format, layout: layoutAt(window, first, limit), offset, first, limit });
}

type StorePlace = Pick<Store, 'format' | 'layout' | 'offset' | 'first'> & { readonly limit: number };

/** @param at where the header has the size, and after it the format and the health */
function storeOf(head: Uint8Array, at: number, { limit, ...place }: StorePlace): Store | undefined {
  if (head[at + 4] !== FORMATTED) return undefined;
  const claimedSize = u32(head, at);
  const size = Math.min(claimedSize, limit - place.offset);
  if (place.offset + size < place.first) return undefined;
  return { ...place, size, claimedSize, isHealthy: head[at + 5] === HEALTHY };
}

/** A store with `$VSS` does not say which headers its records have: the first record does. */
function layoutAt(window: Window, first: number, limit: number): RecordLayout {
  const layouts = ['plain', 'authenticated'] as const;
  return layouts.find((layout) => readRecord(window, first, limit, layout) !== undefined) ?? 'authenticated';
}

/** A record without its data, which stay where they are. */
export type RecordHead = Omit<EfiVariable, 'data'> & { readonly dataOffset: number; readonly dataSize: number };

/** @returns undefined where no whole record stands: the sizes or the name are impossible */
export function readRecord(
  window: Window,
  offset: number,
  limit: number,
  layout: RecordLayout,
): RecordHead | undefined {
  const fields = HEADERS[layout];
  const bytes = window.bytes(offset, fields.size);
  if (bytes.length < fields.size || !isStart(bytes)) return undefined;
  const attributes = u32(bytes, ATTRIBUTES_AT);
  const nameSize = u32(bytes, fields.nameSize);
  const dataSize = u32(bytes, fields.dataSize);
  const state = STATES.get(bytes[STATE_AT]!) ?? 'damaged';
  const isDump = isGuidAt(bytes, fields.guid, CRASH_GUID_BYTES);
  const checksum = layout === 'plain' && attributes >= APPLE_CHECKSUM ? APPLE_CHECKSUM_SIZE : 0;
  const headSize = fields.size + checksum;
  if (nameSize > MAX_NAME_SIZE) return undefined;
  const dataOffset = offset + headSize + nameSize;
  if (dataOffset + dataSize > limit) return undefined;
  const head = window.bytes(offset, headSize).slice();
  const name = readName(window.bytes(offset + headSize, nameSize));
  if (name === undefined) return undefined;
  return { name, isDump, attributes, state, offset, size: dataOffset + dataSize - offset, head, dataOffset, dataSize };
}

/** A record that the walk came to. */
export interface Walked {
  readonly record: RecordHead;
  /** Why the firmware's own walk does not come to it, or null. */
  readonly after: Stop['why'] | null;
}

/** Where the firmware takes the end of its store to be though records follow. */
export interface Stop {
  /** In the source. */
  readonly offset: number;
  /** A header that was never declared valid, or bytes that are no header. */
  readonly why: 'torn' | 'damaged';
  /** Records after it. */
  behind: number;
}

/** What the walk through a store came to. */
export interface WalkEnd {
  /** First byte after the last record, in the source. */
  readonly end: number;
  /** Whether other bytes than blank ones stand there. */
  readonly isCut: boolean;
  readonly stop: Stop | null;
}

/**
 * All records of a store, whatever their state, from the first to the free space. A firmware stops at a torn or damaged
 * header; this walk goes on at the next place where a record begins.
 */
export function* walkStore(storage: SurvivingStorage, store: Store): Generator<Walked, WalkEnd> {
  const window = new Window(storage);
  const limit = store.offset + store.size;
  let stop: Stop | null = null;
  let at = store.first;
  // From here on a record may begin whose place the last header does not tell.
  let unsure = at;
  for (;;) {
    const record = readRecord(window, at, limit, store.layout);
    if (record && !isLost(storage, record) && (record.state !== 'torn' || goesOn(window, store, record))) {
      if (stop) stop.behind++;
      yield { record, after: stop?.why ?? null };
      if (record.state === 'torn') stop ??= { offset: at, why: 'torn', behind: 0 };
      at = nextPlace(window, store, record);
      unsure = record.dataOffset;
      continue;
    }
    const end = Math.min(at, limit);
    const isCut = !isBlank(window.bytes(end, Math.min(ALIGNMENT, limit - end)));
    const next = nextStart(window, storage, store, unsure, isCut ? limit : end);
    if (next === undefined) return { end, isCut, stop };
    stop ??= { offset: at, why: 'damaged', behind: 0 };
    at = next;
  }
}

/** Whether a part of the header or of the name cannot be read: what they seem to say is not to be believed. */
function isLost(storage: SurvivingStorage, { offset, dataOffset }: RecordHead): boolean {
  return storage.isLost(offset, dataOffset - offset);
}

/** The first place in a range where a whole header stands, with a name; the sizes in front of it tell nothing. */
function nextStart(
  window: Window,
  storage: SurvivingStorage,
  store: Store,
  from: number,
  end: number,
): number | undefined {
  const limit = store.offset + store.size;
  for (const at of occurrences(storage, START_ID, from, end)) {
    if (!isPacked(store) && (at - store.offset) % ALIGNMENT !== 0) continue;
    const record = readRecord(window, at, limit, store.layout);
    if (!record || isLost(storage, record)) continue;
    if (STATES.has(record.head[STATE_AT]!) && (record.state !== 'torn' || goesOn(window, store, record))) return at;
  }
  return undefined;
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === BLANK);
}

/** A header that was never declared valid is believed only where a record, or free space, follows at once. */
function goesOn(window: Window, store: Store, record: RecordHead): boolean {
  const next = nextPlace(window, store, record);
  const rest = window.bytes(next, Math.max(0, Math.min(ALIGNMENT, store.offset + store.size - next)));
  return isStart(rest) || isBlank(rest);
}

/** Records of `$VSS` stores need not be aligned: the next one is where a record begins. */
function nextPlace(window: Window, store: Store, record: RecordHead): number {
  const { offset } = store;
  const end = record.offset + record.size;
  const aligned = offset + Math.ceil((end - offset) / ALIGNMENT) * ALIGNMENT;
  return isPacked(store) && isStart(window.bytes(end, START_ID.length)) ? end : aligned;
}

function isPacked({ format }: Store): boolean {
  return format === '$VSS' || format === '$SVS';
}

function isStart(bytes: Uint8Array): boolean {
  return bytes[0] === START_ID[0] && bytes[1] === START_ID[1];
}

function u32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true);
}

/** Where a record's header would begin whose GUID stands at an offset. */
export function headerBefore(guidAt: number, layout: RecordLayout): number {
  return guidAt - HEADERS[layout].guid;
}
