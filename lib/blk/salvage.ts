// What the zones hold that a kernel passes over: with a damaged signature, length or magic, or cut off.

import { LIMIT_FACTOR } from '../compress/decompress.js';
import type { Abi } from '../pstore/abi.js';
import type { PassedOver } from '../pstore/backend.js';
import { piecesBytes } from '../pstore/content.js';
import { timeOf } from '../pstore/record.js';
import { readRange, type Storage } from '../storage/storage.js';
import { reasonText, type ZoneDialect } from './dialects.js';
import {
  BUFFER_HEADER_SIZE,
  DMESG_MAGIC,
  dmesgHeaderSize,
  type Generation,
  isNanoseconds,
  readBufferHeader,
  readDmesgHeader,
} from './format.js';
import type { Zone } from './geometry.js';

/**
 * @param storage gives zeros for blocks that cannot be read
 * @returns undefined when the zone has no room for a record
 */
export function passedOverDmesg(storage: Storage, zone: Zone, dialect: ZoneDialect, abi: Abi): PassedOver | undefined {
  const { generation } = dialect;
  const bytes = readRange(storage, zone.offset, zone.size);
  const bufferSize = BUFFER_HEADER_SIZE[generation];
  const from = bufferSize + dmesgHeaderSize(abi);
  if (bytes.length <= from) return undefined;
  const { datalen } = readBufferHeader(bytes, generation, abi);
  const header = readDmesgHeader(bytes.subarray(bufferSize), abi);
  const isKnown = header.magic === DMESG_MAGIC;
  const isLengthPlausible = datalen > from - bufferSize && bufferSize + datalen <= bytes.length;
  const nanoseconds = isNanoseconds(header.nanoseconds) ? header.nanoseconds : 0n;
  return {
    type: 'dmesg',
    id: zone.index,
    offset: zone.offset,
    stored: bytes.subarray(from, isLengthPlausible ? bufferSize + datalen : bytes.length),
    kind: 'dump',
    limit: LIMIT_FACTOR * zone.size,
    mtimeNs: isKnown ? timeOf(header.seconds, nanoseconds) : null,
    reason: isKnown ? reasonText(dialect, header.reason) : null,
    count: isKnown ? header.counter : null,
  };
}

/** A ring whose header cannot be believed: its data from their beginning. @returns undefined when it was erased */
export function passedOverRing(storage: Storage, zone: Zone, abi: Abi): PassedOver | undefined {
  const bytes = readRange(storage, zone.offset, zone.size);
  const from = BUFFER_HEADER_SIZE.pstore_blk;
  if (bytes.length <= from || readBufferHeader(bytes, 'pstore_blk', abi).datalen === 0) return undefined;
  return { ...withoutFacts(zone), stored: bytes.subarray(from), kind: 'text' };
}

/** What a ring's header that belongs to no zone says to be in use, oldest bytes first. @param zone ends where that does */
export function strayRing(storage: Storage, zone: Zone, generation: Generation, abi: Abi): PassedOver | undefined {
  const bytes = readRange(storage, zone.offset, zone.size);
  const from = BUFFER_HEADER_SIZE[generation];
  if (bytes.length <= from) return undefined;
  const { start } = readBufferHeader(bytes, generation, abi);
  const data = bytes.subarray(from);
  const stored = start < data.length ? piecesBytes([data.subarray(start), data.subarray(0, start)]) : data;
  return { ...withoutFacts(zone), id: zone.index, stored, kind: 'text' };
}

/** A ring or several, of which the family has made a text. */
export function madeOfRing(zone: Zone, stored: Uint8Array): PassedOver {
  return { ...withoutFacts(zone), stored, kind: 'made' };
}

function withoutFacts({ type, offset }: Zone): Omit<PassedOver, 'stored' | 'kind'> {
  return { type, id: 0, offset, limit: 0, mtimeNs: null, reason: null, count: null };
}
