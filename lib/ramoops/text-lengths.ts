// How long the texts of compressed dumps are: no kernel has room for one that is far longer than its zone.

import { decodeRecord, LIMIT_FACTOR } from '../compress/decompress.js';
import { readRange, type Storage } from '../storage/storage.js';
import { type RamHeader, readDumpLine } from './format.js';
import type { RamZone } from './geometry.js';

/** A zone that is far too small for the text of its dump: unlike lengths, a text that inflates is hardly damaged. */
const TOO_SMALL = 5;
/** So many dumps are looked at, of so many bytes, and how much longer a text may be. */
const MAX_DUMPS = 16;
const MAX_STORED = 1 << 18;
const MAX_GROWTH = 16;
const LINE_ROOM = 64;

/** Lengths of texts, by the places of their data; 0 where it is not known. */
const lengths = new WeakMap<Storage, Map<number, number>>();

/** How much the text of a dump speaks against its zone. */
export function tooSmallCost(storage: Storage, zone: RamZone, { start, size }: RamHeader): number {
  if (zone.type !== 'dmesg' || start !== size || size > MAX_STORED) return 0;
  const from = zone.offset + zone.layout.data;
  const known = lengths.get(storage) ?? new Map<number, number>();
  lengths.set(storage, known);
  let length = known.get(from);
  if (length === undefined) {
    length = known.size < MAX_DUMPS ? textLength(readRange(storage, from, size)) : 0;
    known.set(from, length);
  }
  return length > LIMIT_FACTOR * zone.size ? TOO_SMALL : 0;
}

function textLength(dump: Uint8Array): number {
  const line = readDumpLine(dump.subarray(0, LINE_ROOM));
  if (!line?.compressed) return 0;
  return decodeRecord(dump.subarray(line.length), 'deflate', MAX_GROWTH * dump.length)?.text.length ?? 0;
}
