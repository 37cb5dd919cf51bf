// Finds files of QEMU's acpi-erst and bare CPER records anywhere in a larger file.

import { type Anywhere, type Region, type SeenHeader, wordOfText } from '../pstore/anywhere.js';
import { readRange } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import { beginsAsCper, CPER_HEADER_SIZE, readCperHeader } from './cper.js';
import { beginsAsQemu, ERST_MAGIC, type ErstHeader, leastSlots, readErstHeader, readMap } from './format.js';
import { bareRecords } from './place.js';

const FILE = 'file';
const RECORDS = 'records';
/** Bare records begin with this. */
const CPER = 'CPER';
/** Slots have some kilobytes: records further apart are no neighbours. */
const REACH = 256 << 10;
/** A store for records is no larger. */
const MAX = 64 << 20;
/** Records of Linux, and those of others. */
const OF_LINUX = 0.9;
const OF_OTHERS = 0.6;

export const erstAnywhere: Anywhere = {
  words: [wordOfText(ERST_MAGIC), wordOfText(CPER)],
  headerSize: CPER_HEADER_SIZE,
  reach: REACH,
  most: MAX,
  headerAt,
  regionIn: (storage, sort) => (sort === FILE ? fileIn(storage) : recordsIn(storage)),
};

function headerAt(bytes: Uint8Array): SeenHeader | undefined {
  if (beginsAsQemu(bytes)) return { sort: FILE, length: MAX };
  if (!beginsAsCper(bytes)) return undefined;
  return { sort: RECORDS, length: Math.min(MAX, readCperHeader(bytes)?.length ?? CPER_HEADER_SIZE) };
}

/** The header tells how many slots there are only in steps: the last one that holds something tells more. */
function fileIn(storage: SurvivingStorage): Region | undefined {
  const header = readErstHeader(storage);
  if (!header) return undefined;
  const { recordSize, firstSlot } = header;
  const [least, most] = leastSlots(header);
  let last = Math.max(firstSlot, least - 1);
  const map = readMap(storage, header);
  for (let slot = firstSlot; slot < Math.min(most, header.slots); slot++) {
    if ((map[slot] ?? null) !== null || isRecordAt(storage, header, slot)) last = Math.max(last, slot);
  }
  const length = (last + 1) * recordSize;
  return { length: length <= storage.size ? length : null, sure: 1 };
}

function isRecordAt(storage: SurvivingStorage, { recordSize }: ErstHeader, slot: number): boolean {
  return beginsAsCper(readRange(storage, slot * recordSize, CPER_HEADER_SIZE));
}

function recordsIn(storage: SurvivingStorage): Region | undefined {
  let end = 0;
  let isOfLinux = false;
  for (const { header, offset, room } of bareRecords(storage)) {
    if (offset - end > REACH) break;
    end = offset + room;
    isOfLinux ||= header?.isLinux ?? false;
  }
  return end === 0 ? undefined : { length: end, sure: isOfLinux ? OF_LINUX : OF_OTHERS };
}
