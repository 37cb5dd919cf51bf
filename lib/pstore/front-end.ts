// What pstore's front-end hands to a backend for a dump: a first line, then the newest whole lines that fit.

import { COMPRESSIONS, type Compression } from '../compress/codec.js';
import { encodeRecordFor } from '../compress/decompress.js';
import { PstoreError } from '../errors.js';
import { joined } from './content.js';
import { reasonName } from './record-type.js';

export interface Dump {
  readonly bytes: Uint8Array;
  readonly compressed: boolean;
}

const NEWLINE = 10;

/** Lines of a log that are left out, one after the other, for a compressed record that the backend takes. */
const MAX_LEFT_OUT = 16;

/**
 * The line `<Reason>#<count> Part1`, then the newest whole lines of `log` that fit into `room` bytes – compressed, when
 * it is to be compressed. Text that does not get smaller is stored as it is, and of a text that a kernel could not
 * decompress into its buffer the beginning is left out, as a kernel does.
 * @param room bytes that the zone has for the record
 * @param takes whether a kernel reads a compressed record back from where this backend puts it
 * @throws PstoreError EINVAL for a compression that is not known. A line longer than the room is cut off at its
 *   beginning's end (its newest bytes stay)
 */
export function makeDump(
  reason: number,
  count: number,
  log: Uint8Array,
  room: number,
  compress: Compression | 'none',
  takes: (record: Uint8Array) => boolean = () => true,
): Dump {
  if (compress !== 'none' && !COMPRESSIONS.includes(compress)) {
    throw new PstoreError('EINVAL', `compress=${compress}: known are none, ${COMPRESSIONS.join(', ')}`);
  }
  const first = new TextEncoder().encode(`${reasonName(reason)}#${count} Part1\n`);
  if (compress !== 'none') {
    // Where all of it fits as it is, no line is left out for the sake of compression.
    const mostLeftOut = first.length + log.length <= room ? 0 : MAX_LEFT_OUT;
    const packed = (length: number) => packedFor(first, newestLines(log, length), compress, takes, mostLeftOut);
    const most = Math.min(log.length, Math.max(0, textLimit(compress, room) - first.length));
    const best = longestThatFits(packed, most, first.length, room);
    if (best) return { bytes: best, compressed: true };
  }
  const lines = newestLines(log, Math.max(0, room - first.length));
  return { bytes: joined([first, lines]).subarray(0, room), compressed: false };
}

/** The first line and the lines of log as a record that the backend takes, if need be with some lines less. */
function packedFor(
  first: Uint8Array,
  lines: Uint8Array,
  compress: Compression,
  takes: (record: Uint8Array) => boolean,
  mostLeftOut: number,
): Uint8Array | undefined {
  let kept = lines;
  for (let leftOut = 0; leftOut <= mostLeftOut; leftOut++) {
    const record = encodeRecordFor(joined([first, kept]), compress, takes);
    if (record) return record;
    if (kept.length === 0) return undefined;
    kept = newestLines(kept, kept.length - 1);
  }
  return undefined;
}

/** @returns undefined where a record that is not compressed holds as much */
function longestThatFits(
  packed: (length: number) => Uint8Array | undefined,
  most: number,
  firstLength: number,
  room: number,
): Uint8Array | undefined {
  const whole = packed(most);
  if (!whole) return undefined;
  if (whole.length <= room) return whole.length < firstLength + most ? whole : undefined;
  let fits = Math.min(most, Math.max(0, room - firstLength));
  let tooMuch = most;
  let best = packed(fits);
  while (tooMuch - fits > 64) {
    const middle = (fits + tooMuch) >> 1;
    const attempt = packed(middle);
    if (attempt && attempt.length <= room) [fits, best] = [middle, attempt];
    else tooMuch = middle;
  }
  return best && best.length <= room && fits > room - firstLength ? best : undefined;
}

/**
 * The most text that a kernel compresses for, and decompresses from, so many bytes of record: what the buffer holds that
 * it sizes by them (fs/pstore/platform.c, zbufsize of each algorithm). A kernel shows longer text as `.enc.z`.
 */
function textLimit(compression: Compression, room: number): number {
  switch (compression) {
    case 'deflate':
    case 'zlib':
      return Math.floor((room * 100) / 60);
    case 'lz4':
    case 'lz4hc':
      return room + Math.floor(room / 255) + 16;
    case 'lzo':
      return room + Math.floor(room / 16) + 67;
    case 'zstd':
      return room + (room >> 8) + Math.max(0, ((128 << 10) - room) >> 11);
    case '842':
      return room;
  }
}

/** The last whole lines that take at most `room` bytes. */
function newestLines(log: Uint8Array, room: number): Uint8Array {
  if (log.length <= room) return log;
  const from = log.length - room;
  if (log[from - 1] === NEWLINE) return log.subarray(from);
  const lineEnd = log.indexOf(NEWLINE, from);
  return lineEnd < 0 || lineEnd === log.length - 1 ? log.subarray(from) : log.subarray(lineEnd + 1);
}
