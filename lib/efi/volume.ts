// Firmware volumes that hold variables, found anywhere in a flash image.
// Facts: Platform Initialization specification, volume 3, EFI_FIRMWARE_VOLUME_HEADER; checked against OVMF and AAVMF.

import { guidBytes, isGuidAt } from '../guid.js';
import { occurrences } from '../storage/occurrences.js';
import { readRange, type Storage } from '../storage/storage.js';

/** EFI_SYSTEM_NV_DATA_FV_GUID: the volume holds variables, not files. */
export const NV_DATA_GUID: Uint8Array = guidBytes('fff12b8d-7696-4c8b-a985-2747075b4f50');
const SIGNATURE = new Uint8Array([0x5f, 0x46, 0x56, 0x48]);
export const VOLUME_TYPE_AT = 16;
const LENGTH_AT = 32;
const SIGNATURE_AT = 40;
const HEADER_LENGTH_AT = 48;
/** Bytes up to the block map. */
export const VOLUME_HEADER_SIZE = 56;
/** A header with a longer block map is none. */
const MAX_HEADER = 4096;

export interface Volume {
  /** First byte in the source. */
  readonly offset: number;
  /** Bytes as the header says, but never beyond the source's end. */
  readonly length: number;
  /** Bytes in front of the variable store. */
  readonly headerLength: number;
  /** Whether the 16-bit words of the header sum to 0. */
  readonly isSound: boolean;
}

/** Whether the bytes begin as a volume that holds variables. */
export function beginsAsVolume(head: Uint8Array): boolean {
  if (head.length < VOLUME_HEADER_SIZE || !isGuidAt(head, VOLUME_TYPE_AT, NV_DATA_GUID)) return false;
  return SIGNATURE.every((byte, i) => head[SIGNATURE_AT + i] === byte);
}

/** The volume whose header begins at an offset, if it is one that holds variables. */
export function readVolume(storage: Storage, offset: number): Volume | undefined {
  const head = readRange(storage, offset, VOLUME_HEADER_SIZE);
  if (offset < 0 || !beginsAsVolume(head)) return undefined;
  const view = new DataView(head.buffer, head.byteOffset);
  const headerLength = view.getUint16(HEADER_LENGTH_AT, true);
  const length = view.getBigUint64(LENGTH_AT, true);
  const room = storage.size - offset;
  const isPossible = headerLength >= VOLUME_HEADER_SIZE && headerLength <= MAX_HEADER && length > BigInt(headerLength);
  return {
    offset,
    length: isPossible && length < BigInt(room) ? Number(length) : room,
    headerLength: isPossible ? headerLength : VOLUME_HEADER_SIZE,
    isSound: isPossible && sumOfWords(readRange(storage, offset, headerLength)) === 0,
  };
}

function sumOfWords(header: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at + 1 < header.length; at += 2) sum = (sum + header[at]! + 256 * header[at + 1]!) & 0xffff;
  return sum;
}

/**
 * Volumes with variables, in the order in which they stand. One inside another is a copy that the firmware has made while
 * it wrote, and is none of its own.
 * @param end first byte that is not looked at
 */
export function findVolumes(storage: Storage, end: number): Volume[] {
  const volumes: Volume[] = [];
  let after = 0;
  for (const at of occurrences(storage, NV_DATA_GUID, 0, end)) {
    const offset = at - VOLUME_TYPE_AT;
    const volume = offset < after ? undefined : readVolume(storage, offset);
    if (!volume) continue;
    volumes.push(volume);
    if (volumes.length === MAX_VOLUMES) break;
    if (volume.isSound) after = volume.offset + volume.length;
  }
  return volumes;
}

/** More than any board has. */
const MAX_VOLUMES = 8;

/** Whether there is a firmware volume of any kind: the image is one of UEFI. */
export function hasVolume(storage: Storage, end: number): boolean {
  return occurrences(storage, SIGNATURE, 0, end).next().done !== true;
}
