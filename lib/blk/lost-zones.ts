// Dmesg zones whose headers are lost, because they are damaged or cannot be read: the others keep their numbers.

import { isBlank } from '../bytes.js';
import { beginsAsDump, decodeStart } from '../compress/decompress.js';
import type { Abi } from '../pstore/abi.js';
import { isPlainText } from '../pstore/plausible-text.js';
import { readRange, type Storage } from '../storage/storage.js';
import { BLOCK, SurvivingStorage } from '../storage/surviving.js';
import { BUFFER_HEADER_SIZE, dmesgHeaderSize, type Generation } from './format.js';
import { ZONE_MULTIPLE } from './geometry.js';
import { isRecordHeader, type Mark } from './marks.js';

/** Zones of one size, as they were found. */
export interface FoundZones {
  readonly base: number;
  readonly size: number;
  /** The headers that stand where such zones begin, in the order of their offsets. */
  readonly matches: readonly Mark[];
}

export interface LostEvidence {
  /** Headers of all zones, in the order of their offsets. */
  readonly own: readonly Mark[];
  /** Those of dmesg zones. */
  readonly dmesg: readonly Mark[];
  readonly storage: Storage;
  readonly generation: Generation;
  readonly abi: Abi;
  /** The newest dump, whose write may have been cut off. */
  readonly newest: Mark | undefined;
}

/** Bytes of text that tell a dump, and stored bytes of which any algorithm makes as many. */
const BEGINNING = 64;
const STORED = 1024;

/** Whether a dump stood there of which the first header is lost: the rest of its headers, or its beginning, is left. */
export function wasDump(at: number, { storage, generation, abi }: LostEvidence): boolean {
  const headers = BUFFER_HEADER_SIZE[generation] + dmesgHeaderSize(abi);
  const bytes = readRange(storage, at, headers + STORED);
  if (bytes.length <= headers) return false;
  if (isRecordHeader(bytes.subarray(BUFFER_HEADER_SIZE[generation]), abi)) return true;
  const stored = bytes.subarray(headers);
  const isPlain = isBlank(stored) || isPlainText(stored.subarray(0, BEGINNING));
  return beginsAsDump(stored) || (!isPlain && decodeStart(stored, BEGINNING) !== undefined);
}

/** A zone may be this many times smaller than the distance of the headers that can be read. */
const MAX_LOST_BETWEEN = 8;

/** Bytes from a zone's beginning of which not all are lost with its header. */
const LOST_AT_MOST = 1024;

/** More bytes after a dump than these are not looked at. */
const LONGEST_BLANK = 4 << 20;

/** Whether nothing stands from the end of the dump before it up to there, and one piece of data right after that. */
function isBoundary(
  at: number,
  size: number,
  matches: readonly Mark[],
  { storage, generation, newest }: LostEvidence,
): boolean {
  const before = matches.findLast(({ offset }) => offset < at);
  if (!before || before.datalen === 0 || before === newest) return false;
  const end = before.offset + BUFFER_HEADER_SIZE[generation] + before.datalen;
  if (end >= at || at - end > LONGEST_BLANK || isBlank(readRange(storage, at, Math.min(LOST_AT_MOST, size))))
    return false;
  return isBlank(readRange(storage, end, at - end)) && isOnePiece(at, size, storage);
}

/** Whether nothing follows the data at the beginning of a zone: else the medium held more than dumps. */
function isOnePiece(zone: number, size: number, storage: Storage): boolean {
  const bytes = readRange(storage, zone, Math.min(size, LONGEST_BLANK));
  let at = LOST_AT_MOST;
  while (at < bytes.length && !isBlank(bytes.subarray(at, at + ZONE_MULTIPLE))) at += ZONE_MULTIPLE;
  return isBlank(bytes.subarray(at));
}

/**
 * Where the header of a zone is lost, its neighbours stand twice as far apart as zones do. A smaller size is right where
 * a dump begins at one of the places that it adds; or something does, and none of them was never used, because zones are
 * used one after the other; or where all of them cannot be read, and what follows one is data that no zone before it holds.
 */
export function withLostBetween({ base, size, matches }: FoundZones, evidence: LostEvidence): number {
  const { storage, dmesg } = evidence;
  const first = matches[0]?.offset ?? base;
  const end = matches.at(-1)?.offset ?? base;
  if (matches.length < 2) return size;
  const known = new Set(dmesg.map(({ offset }) => offset));
  for (let parts = 2; parts <= MAX_LOST_BETWEEN; parts++) {
    const smaller = size / parts;
    if (smaller < ZONE_MULTIPLE || smaller % ZONE_MULTIPLE !== 0) continue;
    const added: number[] = [];
    for (let at = first; at < end; at += smaller) if (!known.has(at)) added.push(at);
    // A lost zone of the size that is known says nothing of a smaller one.
    const between = added.filter((at) => (at - first) % size !== 0);
    if (matches.length <= MAX_SPARSE && wereZones(between, smaller, matches, evidence)) return smaller;
    if (!(storage instanceof SurvivingStorage)) continue;
    const isLost = added.every((at) => storage.isLost(at, BUFFER_HEADER_SIZE.pstore_blk));
    if (isLost && added.some((at) => isDataBehind(at, storage))) return smaller;
  }
  return size;
}

/** Whether zones that lost their headers begin at these places, and not just something that the zones around them hold. */
function wereZones(places: readonly number[], size: number, matches: readonly Mark[], evidence: LostEvidence): boolean {
  if (places.some((at) => wasDump(at, evidence))) return true;
  // More than one loss would have to be where each is told by no more than where it begins.
  if (matches.length > FEW) return false;
  const isUsed = (at: number) => !isBlank(readRange(evidence.storage, at, Math.min(size, LONGEST_BLANK)));
  return places.every(isUsed) && places.some((at) => isBoundary(at, size, matches, evidence));
}

/** Of more headers than these two neighbours are left, whichever single one is damaged. */
const MAX_SPARSE = 3;
const FEW = 2;

/** Whether something stands right after the block that could not be read. */
function isDataBehind(lost: number, storage: SurvivingStorage): boolean {
  const after = (Math.floor(lost / BLOCK) + 1) * BLOCK;
  const bytes = readRange(storage, after, ZONE_MULTIPLE);
  return bytes.some((byte) => byte !== bytes[0]);
}

/**
 * The first zone, when the headers of some before the first one that was found are lost. A place is none where the
 * header of a ring stands in it, or where it cannot be read and it alone holds text: then it is a ring that lost its
 * header.
 */
export function withLostHeaders({ base, size, matches }: FoundZones, evidence: LostEvidence): number {
  const { own, storage } = evidence;
  const hasRing = (at: number) =>
    own.some(({ type, signed, offset }) => type !== 'dmesg' && signed && offset >= at && offset < at + size);
  const isUnread = unreadDumps(matches, storage);
  let first = base;
  for (let at = base - size; at >= 0 && !hasRing(at); at -= size) {
    if (!isUnread(at) && !wasDump(at, evidence)) break;
    first = at;
  }
  return first;
}

/** What tells whether a place that cannot be read is a dump's. */
function unreadDumps(matches: readonly Mark[], storage: Storage): (at: number) => boolean {
  if (!(storage instanceof SurvivingStorage)) return () => false;
  const isTextRare = matches.every(({ offset }) => !isTextBehind(offset, storage));
  return (at) => storage.isLost(at, BUFFER_HEADER_SIZE.pstore_blk) && !(isTextRare && isTextBehind(at, storage));
}

/** Whether the block after the one in which a header stands begins with text. */
function isTextBehind(header: number, storage: Storage): boolean {
  return isPlainText(readRange(storage, (Math.floor(header / BLOCK) + 1) * BLOCK, ZONE_MULTIPLE));
}
