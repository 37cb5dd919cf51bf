// The file in which QEMU's acpi-erst device keeps records. Facts: QEMU hw/acpi/erst.c; checked against files of QEMU 7.2.

import { readRange, type Storage } from '../storage/storage.js';

export const ERST_MAGIC = 'ERSTSTOR';
const MAGIC = new TextEncoder().encode(ERST_MAGIC);
const RECORD_SIZE_AT = 8;
const STORAGE_OFFSET_AT = 12;
const VERSION_AT = 16;
const VERSION = 0x0100;
export const RECORD_COUNT_AT = 20;
const MAP_AT = 24;
export const MAP_ENTRY_SIZE = 8;
/** hw/acpi/erst.c, ERST_RECORD_SIZE: what QEMU takes at least. */
const MIN_RECORD_SIZE = 4096;
/** Map entries of a slot without a record; no kernel gives a record such an id. */
const FREE = 0n;
const EMPTY_END = 0xffff_ffff_ffff_ffffn;

export interface ErstHeader {
  /** Bytes of a slot: a power of two. */
  readonly recordSize: number;
  /** Slots of the whole file, those that the header takes included. */
  readonly slots: number;
  /** The first slot that a record can take. */
  readonly firstSlot: number;
  /** What of the header does not fit the file, or null. */
  readonly damage: string | null;
  /** Ids in the map of slots that do not stand in the file as a whole: the file was cut. */
  readonly cutOff: number;
}

/** A file of 4 GiB has as many at least; those of QEMU have a few hundred. */
const MAX_SLOTS = 1 << 20;
const MAX_MAP = MAX_SLOTS * MAP_ENTRY_SIZE;

/** Whether the bytes begin as QEMU's file. */
export function beginsAsQemu(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, i) => bytes[i] === byte);
}

/** The fewest slots that a file with this header has, and the most: its map ends where the first record begins. */
export function leastSlots({ firstSlot, recordSize }: ErstHeader): readonly [least: number, most: number] {
  const mapSize = firstSlot * recordSize - MAP_AT;
  const least = Math.floor((mapSize - recordSize) / MAP_ENTRY_SIZE) + 1;
  return [Math.max(firstSlot + 1, least), Math.floor(mapSize / MAP_ENTRY_SIZE)];
}

/** @returns undefined for a file that does not begin as QEMU's, or whose slots could have no size */
export function readErstHeader(storage: Storage): ErstHeader | undefined {
  const head = readRange(storage, 0, MAP_AT);
  if (head.length < MAP_AT || !beginsAsQemu(head)) return undefined;
  const view = new DataView(head.buffer, head.byteOffset);
  const recordSize = view.getUint32(RECORD_SIZE_AT, true);
  const isPower = (recordSize & (recordSize - 1)) === 0;
  if (recordSize < MIN_RECORD_SIZE || !isPower || recordSize > storage.size) return undefined;
  const room = Math.floor(storage.size / recordSize);
  const slots = Math.min(room, MAX_SLOTS);
  // QEMU computes it from the file's size whenever it starts.
  const expected = Math.ceil((MAP_AT + MAP_ENTRY_SIZE * room) / recordSize) * recordSize;
  const found = view.getUint32(STORAGE_OFFSET_AT, true);
  const version = view.getUint16(VERSION_AT, true);
  const damages = [
    ...(slots === room ? [] : [`it has room for ${room} slots, of which the first ${slots} are read`]),
    ...(found === expected ? [] : [`its records begin at ${found} by its header, but at ${expected} by its size`]),
    ...(version === VERSION ? [] : [`its version is ${version}, not ${VERSION}`]),
  ];
  const begin = found > 0 && found % recordSize === 0 && found < storage.size ? found : expected;
  const cutOff = slots === room ? idsAfter(storage, slots, begin) : 0;
  // Of a file that was cut, the size tells nothing about the header.
  const damage = cutOff > 0 ? null : damages.join('; ') || null;
  return { recordSize, slots, firstSlot: begin / recordSize, damage, cutOff };
}

/** Ids that the map has of slots from this one on. Where no slot is, QEMU leaves zeros. */
function idsAfter(storage: Storage, slots: number, mapEnd: number): number {
  const from = mapEntryAt(slots);
  const bytes = readRange(storage, from, Math.max(0, Math.min(mapEnd - from, MAX_MAP)));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let ids = 0;
  for (let at = 0; at + MAP_ENTRY_SIZE <= bytes.length; at += MAP_ENTRY_SIZE) {
    if (isId(view.getBigUint64(at, true))) ids++;
  }
  return ids;
}

function isId(entry: bigint): boolean {
  return entry !== FREE && entry !== EMPTY_END;
}

/** Where the map has a slot's entry. */
export function mapEntryAt(slot: number): number {
  return MAP_AT + MAP_ENTRY_SIZE * slot;
}

/**
 * The map: for each slot the id of its record, or null where it is free. Slots of the header are null, too; the slot in
 * which a file ends is the last one.
 */
export function readMap(storage: Storage, { slots, firstSlot, recordSize }: ErstHeader): (bigint | null)[] {
  const all = slots + (storage.size > slots * recordSize ? 1 : 0);
  const bytes = readRange(storage, MAP_AT, Math.min(MAP_ENTRY_SIZE * all, firstSlot * recordSize - MAP_AT));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: all }, (_, slot) => {
    const at = MAP_ENTRY_SIZE * slot;
    if (slot < firstSlot || at + MAP_ENTRY_SIZE > bytes.length) return null;
    const id = view.getBigUint64(at, true);
    return isId(id) ? id : null;
  });
}
