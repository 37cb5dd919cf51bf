// Finds regions of persistent RAM anywhere in a larger file, by the headers of their zones, or by the lines of dumps
// where a kernel wrote no headers.

import { type Anywhere, type Region, type SeenHeader, wordInBothOrders, wordOfText } from '../pstore/anywhere.js';
import { plausibleText } from '../pstore/plausible-text.js';
import { readRange } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import { type DetectedRam, Detection } from './detect.js';
import { isDumpLine, RAM_HEADER_SIZE, RAM_SIGNATURE, readRamHeader } from './format.js';
import { textGeometry } from './headerless.js';
import { findRamMarks, type RamMarks } from './marks.js';
import { isSram, sramGeometry, sramHeaderIn } from './sram.js';

/** Headers further apart than this belong to different regions. */
const REACH = 4 << 20;
const MAX = 128 << 20;
/** Bytes that tell a header, and a dump's line where there is no header. */
const HEADER = 64;
const LINES = 'lines';
/** What precedes every dump. */
const LINE_MARK = '====';
/** DMESG_MAGIC of pstore/zone: such a record has the same signature before it. */
const ZONE_RECORD_MAGIC = 0x4dfc3ae5;

/** Dumps, or parity that agrees with the headers: nothing else leaves them. */
const PROVEN = 0.95;
/** Headers of which each stands where a zone begins, one of which holds something. */
const LIKELY = 0.7;
/** A word or two, with lengths that are possible. */
const POSSIBLE = 0.3;
const LIKELY_ZONES = 3;
/** A geometry of which not more is unlikely is a good one. */
const GOOD = 1;

export const ramAnywhere: Anywhere = {
  words: [...wordInBothOrders(RAM_SIGNATURE, 0), wordOfText(LINE_MARK)],
  // Their zones, too, begin so.
  alsoIn: ['pstore_blk', 'blkoops'],
  headerSize: HEADER,
  reach: REACH,
  most: MAX,
  headerAt,
  regionIn,
};

function headerAt(bytes: Uint8Array): SeenHeader | undefined {
  if (bytes.length < HEADER) return undefined;
  if (isDumpLine(bytes)) return { sort: LINES, length: HEADER };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const endian of ['little', 'big'] as const) {
    const { sig, start, size } = readRamHeader(bytes, endian);
    if (sig !== RAM_SIGNATURE) continue;
    if ([8, 12].some((at) => view.getUint32(at, endian === 'little') === ZONE_RECORD_MAGIC)) return undefined;
    if (start <= size && size < MAX) return { sort: endian, length: RAM_HEADER_SIZE + size };
    return sramHeaderIn(bytes) && { sort: endian, length: HEADER };
  }
  return undefined;
}

function regionIn(storage: SurvivingStorage, sort: string): Region | undefined {
  if (sort === LINES) return linesIn(storage);
  if (isSram(storage)) return sramIn(storage);
  // Damaged headers tell nothing of where a region is, and looking for them takes long.
  const marks = findRamMarks(storage, sort === 'big' ? 'big' : 'little', false);
  if (!marks.plain.has(0)) return undefined;
  const detection = new Detection(storage, marks, false);
  const detected = detection.detect({});
  if (!detected) return undefined;
  const { memSize } = detected.sizes;
  return { length: memSize <= storage.size ? memSize : null, sure: sureOf(storage, marks, detection, detected, sort) };
}

function sureOf(
  storage: SurvivingStorage,
  marks: RamMarks,
  detection: Detection,
  detected: DetectedRam,
  sort: string,
): number {
  if (detection.dumps(detected) > 0 || detected.sizes.ecc > 0) return PROVEN;
  const used = (offset: number) =>
    readRamHeader(readRange(storage, offset, RAM_HEADER_SIZE), sort === 'big' ? 'big' : 'little').size;
  // Zones of dumps that were never used look like those of pstore/blk.
  const isOurs = marks.ftrace.size > 0 || [...marks.plain].slice(0, MAX_LOOKED_AT).some((offset) => used(offset) > 0);
  const isTold = detected.fitting >= LIKELY_ZONES ? isOurs : used(0) > 0 && isText(storage, used(0));
  return detected.misfit < GOOD && isTold ? LIKELY : POSSIBLE;
}

/** Headers that are looked at for one of a zone that holds something. */
const MAX_LOOKED_AT = 4096;

/** Text after the first header that is more than an accident. */
const TOLD_TEXT = 128;

function isText(storage: SurvivingStorage, size: number): boolean {
  const bytes = readRange(storage, RAM_HEADER_SIZE, Math.min(size, TOLD_TEXT));
  return bytes.length === TOLD_TEXT && plausibleText(bytes).length === TOLD_TEXT;
}

/** The words of a ram_console are not many: with lengths that the file has, and no longer ones. */
function sramIn(storage: SurvivingStorage): Region | undefined {
  const length = sramGeometry(storage)?.memSize ?? 0;
  return length > 0 && length <= storage.size ? { length, sure: PROVEN } : undefined;
}

/** Records of the smallest size begin at multiples of this. */
const MIN_RECORD = 1024;
/** A record of the kernels that wrote no header is no larger than this. */
const MAX_RECORD = 1 << 20;

/** Where dumps without headers stand, one after the other. */
function linesIn(storage: SurvivingStorage): Region {
  const lines: number[] = [];
  for (let at = 0; at < storage.size && at - (lines.at(-1) ?? 0) <= MAX_RECORD; at += MIN_RECORD) {
    if (isDumpLine(readRange(storage, at, HEADER))) lines.push(at);
  }
  const record = textGeometry(storage, lines, {}, 0)?.geometry.recordSize ?? 4 * MIN_RECORD;
  // The kernel rounds a region's size down to a power of two.
  const length = 2 ** Math.ceil(Math.log2((lines.at(-1) ?? 0) + record));
  return { length: length <= storage.size ? length : null, sure: lines.length > 1 ? PROVEN : LIKELY };
}
