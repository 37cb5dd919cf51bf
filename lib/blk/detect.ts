// Finds a partition's generation, machine and zone sizes from its bytes alone.

import type { Abi } from '../pstore/abi.js';
import { GUESS, PROVEN } from '../pstore/geometry.js';
import { readRange, type Storage } from '../storage/storage.js';
import { detectAbi } from './detect-abi.js';
import { isDmesgFirst, type ZoneDialect } from './dialects.js';
import { type RingMark, type SizeConfidence, wrappedSize } from './evidence.js';
import { isFirstZone } from './first-zone.js';
import { BUFFER_HEADER_SIZE, type Generation, readBufferHeader, zoneSignature } from './format.js';
import { type FrontEvidence, findFront } from './front.js';
import { NO_ZONES, PARTITION_MULTIPLE, PSTORE_BLK_CAP, ZONE_MULTIPLE, type ZoneSizes } from './geometry.js';
import { freshRings, ringsInFront } from './left-rings.js';
import { findMarks, type Mark } from './marks.js';
import { findStride, type Stride, type StrideEvidence, usualPart } from './stride.js';
import { type ToldDialect, tellDialect } from './tell-dialect.js';

export interface Detected {
  readonly generation: Generation;
  readonly told: ToldDialect;
  readonly abi: Abi;
  /** Whether a record's header tells the machine's alignment and word size; otherwise only its byte order is known. */
  readonly abiProven: boolean;
  /** Whether the headers leave no other alignment. */
  readonly alignProven: boolean;
  readonly sizes: ZoneSizes;
  readonly confidence: SizeConfidence;
  /** First byte of dmesg zone 0, or undefined where no header tells. */
  readonly kmsgOffset: number | undefined;
  /** Whether no dmesg zone can begin before kmsgOffset. */
  readonly kmsgOffsetProven: boolean;
  /** Bytes that the kernel uses, where a zone shows that these are fewer than the image has. */
  readonly used?: number;
  /** The dmesg zones as the image alone tells them, whatever size was given. */
  readonly stride: Stride | undefined;
  /** Everything that looks like a zone of this generation and byte order. */
  readonly marks: readonly Mark[];
  /** Where headers of records stand that are of the other generation. */
  readonly foreign: readonly number[];
}

/** What is known before an image is looked at. */
export interface Known {
  readonly generation?: Generation;
  readonly dialect?: ZoneDialect;
  readonly sizes?: Partial<ZoneSizes>;
  /** The partition begins where these bytes do. */
  readonly isPlaced?: boolean;
  /** Headers that begin after this offset are not looked for. */
  readonly until?: number;
}

/** Bytes from the beginning in which headers are searched. */
export const SEARCHED = PSTORE_BLK_CAP;

/**
 * @param marks where headers stand, which are looked for otherwise
 * @returns undefined when no zone is found
 */
export function detectZones(
  storage: Storage,
  known: Known = {},
  marks: readonly Mark[] = findMarks(storage, known.until ?? SEARCHED),
): Detected | undefined {
  const vote = voteOnFormat(marks, known.generation);
  if (!vote) return undefined;
  const { generation, endian } = vote;
  const own = marks.filter(
    (mark) => mark.endian === endian && (mark.generation === generation || (mark.generation === null && mark.signed)),
  );
  const dmesg = dmesgMarks(own);
  const { abi, proven, alignProven, wordBitsProven } = detectAbi(storage, dmesg, generation, endian);
  const given = known.sizes ?? {};
  const told = known.dialect
    ? { dialect: known.dialect, how: 'given', isWeak: false, isOpen: false }
    : tellDialect(generation, { marks: own, dmesg, storage, abi, given });
  const evidence: ZoneEvidence = {
    told,
    marks: own,
    dmesg,
    given,
    isPlaced: known.isPlaced === true || given.kmsgSize !== undefined,
    storage,
    abi,
    wordBitsProven,
    total: storage.size,
    formatted: dmesg.some((mark) => mark.formatted) || hasFormattedRing(own, storage),
  };
  const sized = isDmesgFirst(told.dialect) ? sizesOfDmesgFirst(evidence) : sizesOfMainline(evidence);
  if (!sized) return undefined;
  const isForeign = (mark: Mark) => mark.generation !== null && mark.generation !== generation;
  const foreign = marks.filter((mark) => isForeign(mark) && mark.signed && mark.magic).map(({ offset }) => offset);
  return { generation, told, abi, abiProven: proven, alignProven, marks: own, foreign, ...sized };
}

/** What the sizes of an image are told from. */
interface ZoneEvidence extends Omit<FrontEvidence, 'kmsgOffset'> {
  readonly told: ToldDialect;
  /** Headers of dmesg zones. */
  readonly dmesg: readonly Mark[];
  /** The partition begins where these bytes do. */
  readonly isPlaced: boolean;
}

type Sized = Pick<Detected, 'sizes' | 'confidence' | 'kmsgOffset' | 'kmsgOffsetProven' | 'stride' | 'used'> &
  Partial<Pick<Detected, 'abi'>>;

/** Other kinds first, then the dmesg zones up to the end. */
function sizesOfMainline(evidence: ZoneEvidence): Sized {
  const { told, marks, dmesg, given, storage, abi, wordBitsProven, formatted } = evidence;
  const { kmsgSize } = given;
  const unaided = findStride({ own: marks, dmesg, abi }, told.dialect, storage, undefined, formatted);
  const stride =
    kmsgSize === undefined
      ? unaided
      : findStride({ own: marks, dmesg, abi }, told.dialect, storage, kmsgSize, formatted);
  // Where the dmesg zones are to be left out, they are there nevertheless: no other zone reaches into them.
  // Of an earlier boot with other sizes, rings may be left over, too.
  const isReused = stride?.end !== undefined;
  const left = isReused ? [...ringsInFront(marks, stride.base), ...dmesg].sort((a, b) => a.offset - b.offset) : marks;
  const front = findFront({ ...evidence, marks: left, kmsgOffset: (stride ?? unaided)?.base });
  return {
    stride: unaided,
    sizes: { ...front.sizes, kmsgSize: stride?.size ?? kmsgSize ?? 0 },
    abi: wordBitsProven || !front.wordBits ? abi : { ...abi, wordBits: front.wordBits },
    confidence: {
      ...front.confidence,
      kmsgSize: stride?.confidence ?? (kmsgSize === undefined ? GUESS : PROVEN),
    },
    kmsgOffset: stride?.base,
    kmsgOffsetProven: stride !== undefined && (formatted || isFirstZone(stride, marks, storage)),
  };
}

/**
 * The dmesg zones begin where the image does, and up to one ring may follow them. The ring begins right after the last
 * zone: the rest of the partition, which makes no whole one, comes after it.
 */
function sizesOfDmesgFirst({
  told,
  marks,
  dmesg,
  given,
  isPlaced,
  storage,
  abi,
  total,
  formatted,
}: ZoneEvidence): Sized | undefined {
  const { dialect } = told;
  const last = dmesg.at(-1)?.offset ?? 0;
  const from = isPlaced ? 0 : beginningOf({ own: marks, dmesg, abi }, dialect, storage);
  const hasRing = dialect.order.includes('pmsg') && given.pmsgSize !== 0;
  const rings = hasRing ? freshRings(marks).filter(isPmsg) : [];
  const first = hasRing
    ? (rings.find(({ offset }) => offset > last) ?? ringBeyond(storage, abi, given.kmsgSize ?? distanceOf(dmesg)))
    : undefined;
  const find = (size: number | undefined) =>
    findStride({ own: marks, dmesg, abi, from, rings }, dialect, storage, size, formatted, first?.offset);
  const unaided = find(undefined);
  const stride = given.kmsgSize === undefined ? unaided : find(given.kmsgSize);
  const ring = stride?.end === undefined ? first : rings.find(({ offset }) => offset === stride.end);
  if (!stride && !ring && given.kmsgSize === undefined) return undefined;
  const kmsgSize = stride?.size ?? given.kmsgSize ?? (ring ? usualPart(ring.offset - from) : 0);
  const known = given.pmsgSize ?? (ring && wrappedSize(ring, total));
  const pmsgSize = known ?? (ring ? Math.floor((total - ring.offset) / ZONE_MULTIPLE) * ZONE_MULTIPLE : 0);
  const found = stride?.confidence ?? (given.kmsgSize === undefined ? GUESS : PROVEN);
  const areSizesGiven = given.kmsgSize !== undefined && given.pmsgSize !== undefined;
  return {
    stride: unaided,
    sizes: { ...NO_ZONES, kmsgSize, pmsgSize },
    confidence: {
      ...ALL_PROVEN,
      kmsgSize: found,
      pmsgSize: known !== undefined || !dialect.order.includes('pmsg') ? PROVEN : GUESS,
    },
    kmsgOffset: from,
    kmsgOffsetProven: true,
    ...(ring && !areSizesGiven && usedBefore({ from, kmsgSize, pmsgSize, total }, ring.offset)),
  };
}

function isPmsg({ type, offset }: Mark): boolean {
  return type === 'pmsg' && offset % ZONE_MULTIPLE === 0;
}

/** Zones of other sizes are rare: modules' parameters are in KiB, and multiples of 4. */
const USUAL_MULTIPLE = 4096;

/**
 * Where a partition begins that has its dmesg zones first: at its first header, where no zones from the image's beginning
 * on can have that one. A kernel of these dialects uses zone after zone, so that each before the last has a header.
 */
function beginningOf(evidence: StrideEvidence, dialect: ZoneDialect, storage: Storage): number {
  const [first, second] = evidence.dmesg;
  const from = first?.offset ?? 0;
  if (from === 0 || !first?.signed || !first.magic) return 0;
  const needed = BUFFER_HEADER_SIZE[dialect.generation] + first.datalen;
  if (!second) return from % USUAL_MULTIPLE !== 0 || from < needed ? from : 0;
  const stride = findStride({ ...evidence, from }, dialect, storage, undefined, false);
  if (!stride || from % stride.size === 0) return stride && from / stride.size > MAX_LOST_FIRST ? from : 0;
  return from;
}

/** The headers of more zones than these are not lost, all of them at the beginning and none after that. */
const MAX_LOST_FIRST = 2;

/** Bytes between the first two headers; 0 where there are none. */
function distanceOf([first, second]: readonly Mark[]): number {
  return first && second ? second.offset - first.offset : 0;
}

/** At most this many places after what is searched are looked at for a ring. */
const MAX_PLACES = 1 << 16;

/** The ring after the dmesg zones of a large partition: only where a zone would begin is it looked for. */
function ringBeyond(storage: Storage, abi: Abi, kmsgSize: number): RingMark | undefined {
  if (storage.size <= SEARCHED || kmsgSize < ZONE_MULTIPLE || storage.size / kmsgSize > MAX_PLACES) return undefined;
  const header = BUFFER_HEADER_SIZE.pstore_blk;
  for (let offset = Math.floor(SEARCHED / kmsgSize) * kmsgSize; offset + header <= storage.size; offset += kmsgSize) {
    const bytes = readRange(storage, offset, header);
    if (bytes.length < header) return undefined;
    const { sig, datalen, start } = readBufferHeader(bytes, 'pstore_blk', abi);
    if (sig === zoneSignature('pmsg')) return { offset, datalen, start };
  }
  return undefined;
}

/** A kernel may be told to use less than the partition has: the ring is then not where all of it would put it. */
function usedBefore(
  { from, kmsgSize, pmsgSize, total }: { from: number; kmsgSize: number; pmsgSize: number; total: number },
  ring: number,
): Pick<Sized, 'used'> | undefined {
  if (kmsgSize === 0 || (ring - from) % kmsgSize !== 0) return undefined;
  if (Math.floor((total - from - pmsgSize) / kmsgSize) * kmsgSize === ring - from) return undefined;
  const used = from + Math.ceil((ring - from + pmsgSize) / PARTITION_MULTIPLE) * PARTITION_MULTIPLE;
  return used <= total ? { used } : undefined;
}

const ALL_PROVEN: SizeConfidence = {
  kmsgSize: PROVEN,
  pmsgSize: PROVEN,
  consoleSize: PROVEN,
  ttySize: PROVEN,
  ftraceSize: PROVEN,
  cpus: PROVEN,
};

/** Rings longer than this are not read to see whether they are blank. */
const LONGEST_BLANK = 4 << 20;

/**
 * Whether a ring holds nothing and is blank up to the next header. A kernel writes a ring's header only when there is
 * something in it, and leaves that where it is when it erases the ring: only our own format leaves such a one.
 */
function hasFormattedRing(marks: readonly Mark[], storage: Storage): boolean {
  return marks.some(({ type, datalen, start, offset }, i) => {
    if (type === 'dmesg' || datalen !== 0 || start !== 0) return false;
    const from = offset + BUFFER_HEADER_SIZE.pstore_blk;
    const length = (marks[i + 1]?.offset ?? storage.size) - from;
    if (length <= 0 || length > LONGEST_BLANK) return false;
    const bytes = readRange(storage, from, length);
    return bytes.length > 0 && bytes.every((byte) => byte === 0xff);
  });
}

/** The headers of dmesg zones: doubtful ones only where there are no others. */
function dmesgMarks(marks: readonly Mark[]): readonly Mark[] {
  const dmesg = marks.filter((mark) => mark.type === 'dmesg');
  return dmesg.some(({ magic, formatted }) => magic || formatted) ? dmesg.filter(({ doubtful }) => !doubtful) : dmesg;
}

/** A format, and how much speaks for it. */
export interface FormatVote {
  readonly generation: Generation;
  readonly endian: 'little' | 'big';
  readonly votes: number;
}

/**
 * The generation and byte order that most marks speak for; a mark with signature and magic counts most. Of two with as
 * many it is the one whose record the image begins with.
 */
export function voteOnFormat(marks: readonly Mark[], only?: Generation): FormatVote | undefined {
  const [first] = marks;
  const isFirst = (vote: FormatVote) =>
    first?.offset === 0 && first.magic && first.generation === vote.generation && first.endian === vote.endian;
  let best: FormatVote | undefined;
  for (const generation of ['pstore_blk', 'blkoops'] as const) {
    if (only !== undefined && only !== generation) continue;
    for (const endian of ['little', 'big'] as const) {
      let votes = 0;
      for (const mark of marks) {
        if (mark.endian !== endian) continue;
        if (mark.generation === generation) votes += mark.signed && mark.magic ? 16 : mark.signed ? 4 : 1;
        else if (mark.generation === null && only !== undefined) votes += 1;
      }
      const vote = { generation, endian, votes };
      if (votes > (best?.votes ?? 0) || (votes > 0 && votes === best?.votes && isFirst(vote))) best = vote;
    }
  }
  return best;
}

/** Whether dmesg zones of these sizes begin where headers stand. @returns how many of the image's dmesg headers fit */
export function fittingMarks(
  marks: readonly Mark[],
  kmsgOffset: number,
  kmsgSize: number,
): { fit: number; of: number } {
  const dmesg = marks.filter((mark) => mark.type === 'dmesg' && mark.signed && mark.magic);
  const fit = dmesg.filter((mark) => mark.offset >= kmsgOffset && (mark.offset - kmsgOffset) % kmsgSize === 0).length;
  return { fit, of: dmesg.length };
}
