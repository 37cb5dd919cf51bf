// Images of blkoops partitions as a little-endian 64-bit kernel writes them, made from their parts.

import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';

export interface PlannedRecord {
  /** `blkoops` knows Oops (2) and Panic (1). */
  readonly reason?: 1 | 2;
  readonly seconds?: bigint;
  readonly nanoseconds?: bigint;
  readonly counter?: number;
  readonly text: string | Uint8Array;
}

const SIGNATURE = 0x43474244;
const MAGIC = 0x4dfc3ae5;
const BUFFER_HEADER = 8;
const DMESG_HEADER = 40;
/** Bytes in front of a record's text. */
export const TEXT_AT = BUFFER_HEADER + DMESG_HEADER;

/** The headers of a zone and its text; what is behind it in the zone is left as it is. */
export function blkoopsZone({ reason = 2, seconds = 1n, nanoseconds = 0n, counter = 1, text }: PlannedRecord): Buffer {
  const data = typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
  const zone = Buffer.alloc(TEXT_AT + data.length);
  zone.writeUInt32LE(SIGNATURE, 0);
  zone.writeUInt32LE(DMESG_HEADER + data.length, 4);
  zone.writeUInt32LE(MAGIC, 8);
  zone.writeBigInt64LE(seconds, 16);
  zone.writeBigInt64LE(nanoseconds, 24);
  zone.writeUInt8(0, 32);
  zone.writeInt32LE(counter, 36);
  zone.writeUInt32LE(reason, 40);
  zone.set(data, TEXT_AT);
  return zone;
}

/** Writes an image of `zones` zones whose first ones hold the records; the others have never been used. */
export function writeBlkoopsImage(
  path: string,
  zoneSize: number,
  zones: number,
  records: Iterable<PlannedRecord>,
): void {
  const fd = openSync(path, 'w');
  ftruncateSync(fd, zoneSize * zones);
  let index = 0;
  for (const record of records) writeSync(fd, blkoopsZone(record), 0, undefined, zoneSize * index++);
  closeSync(fd);
}

/** The line that reading puts in front of a record's text. */
export function firstLine({ reason = 2, counter = 1 }: PlannedRecord): string {
  return `blkoops: ${reason === 1 ? 'Panic' : 'Oops'}: Total ${counter} times\n`;
}
