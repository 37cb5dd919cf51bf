// Finds stores of EFI variables anywhere in a larger file: firmware volumes, and VMware's files.

import { type Anywhere, type Region, type SeenHeader, wordOfText } from '../pstore/anywhere.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import { findStores, MAX_FLASH } from './flash.js';
import { MAX_VMWARE_FILE, readVmware, VMWARE_MAGIC } from './vmware.js';
import { beginsAsVolume, NV_DATA_GUID, readVolume, VOLUME_HEADER_SIZE, VOLUME_TYPE_AT } from './volume.js';

const VOLUME = 'volume';
const VMWARE = 'vmware';
/** A header that does not sum to 0 is damaged, or none. */
const DAMAGED = 0.5;

export const efiAnywhere: Anywhere = {
  words: [{ bytes: NV_DATA_GUID.subarray(0, 4), at: VOLUME_TYPE_AT }, wordOfText(VMWARE_MAGIC)],
  headerSize: VOLUME_HEADER_SIZE,
  reach: 0,
  most: MAX_FLASH,
  headerAt,
  regionIn,
};

function headerAt(bytes: Uint8Array): SeenHeader | undefined {
  if (beginsAsVolume(bytes)) return { sort: VOLUME, length: VOLUME_HEADER_SIZE };
  const letters = String.fromCharCode(...bytes.subarray(0, VMWARE_MAGIC.length));
  return letters === VMWARE_MAGIC ? { sort: VMWARE, length: VOLUME_HEADER_SIZE } : undefined;
}

function regionIn(storage: SurvivingStorage, sort: string): Region | undefined {
  if (sort === VMWARE) {
    const store = readVmware(storage.part(0, Math.min(storage.size, MAX_VMWARE_FILE)));
    return store && { length: store.offset + store.size, sure: 1 };
  }
  const volume = readVolume(storage, 0);
  if (!volume) return undefined;
  const part = storage.part(0, volume.length);
  return { length: volume.length, sure: volume.isSound && findStores(part).length > 0 ? 1 : DAMAGED };
}
