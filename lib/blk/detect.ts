// Finds a partition's generation, machine and zone sizes from its bytes alone.

import type { Abi } from '../pstore/abi.js';
import { GUESS, PROVEN } from '../pstore/geometry.js';
import { readRange, type Storage } from '../storage/storage.js';
import type { SizeConfidence } from './evidence.js';
import {
  BUFFER_HEADER_SIZE,
  type Generation,
  isNanoseconds,
  MAX_DMESG_HEADER_SIZE,
  readDmesgHeader,
} from './format.js';
import { findFront } from './front.js';
import { NO_ZONES, PSTORE_BLK_CAP, type ZoneSizes } from './geometry.js';
import { findMarks, type Mark } from './marks.js';
import { findStride, type Stride } from './stride.js';

export interface Detected {
  readonly generation: Generation;
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
  /** The dmesg zones as the image alone tells them, whatever size was given. */
  readonly stride: Stride | undefined;
  /** Everything that looks like a zone of this generation and byte order. */
  readonly marks: readonly Mark[];
}

/** What is known before an image is looked at. */
export interface Known {
  readonly generation?: Generation;
  readonly sizes?: Partial<ZoneSizes>;
  /** Headers that begin behind this offset are not looked for. */
  readonly until?: number;
}

/** Bytes from the beginning in which headers are searched. */
export const SEARCHED = PSTORE_BLK_CAP;

/** Records whose headers vote on the machine. */
const MOST_VOTERS = 1024;

/** @returns undefined when no zone is found */
export function detectZones(storage: Storage, known: Known = {}): Detected | undefined {
  const marks = findMarks(storage, Math.min(storage.size, known.until ?? SEARCHED));
  const vote = voteOnFormat(marks, known.generation);
  if (!vote) return undefined;
  const { generation, endian } = vote;
  const own = marks.filter(
    (mark) => mark.endian === endian && (mark.generation === generation || (mark.generation === null && mark.signed)),
  );
  const dmesg = dmesgMarks(own);
  const { abi, proven, alignProven, wordBitsProven } = detectAbi(storage, dmesg, generation, endian);
  const given = known.sizes ?? {};
  const formatted = dmesg.some((mark) => mark.formatted) || hasFormattedRing(own, storage);
  const unaided = findStride({ own, dmesg }, generation, storage, undefined, formatted);
  const { kmsgSize } = given;
  const stride =
    kmsgSize === undefined ? unaided : findStride({ own, dmesg }, generation, storage, kmsgSize, formatted);
  const common = { generation, abi, abiProven: proven, alignProven, stride: unaided, marks: own };
  if (generation === 'blkoops') {
    if (!stride) return undefined;
    const sizes = { ...NO_ZONES, kmsgSize: stride.size };
    const confidence = { ...ALL_PROVEN, kmsgSize: stride.confidence };
    return { ...common, sizes, confidence, kmsgOffset: 0, kmsgOffsetProven: true };
  }
  const total = storage.size;
  const evidence = { marks: own, total, formatted, given, storage, abi, wordBitsProven };
  // Where the dmesg zones are to be left out, they are there nevertheless: no other zone reaches into them.
  const front = findFront({ ...evidence, kmsgOffset: (stride ?? unaided)?.base });
  const sizes = { ...front.sizes, kmsgSize: stride?.size ?? kmsgSize ?? 0 };
  const inFront = own.some(({ type, signed, offset }) => type !== 'dmesg' && signed && offset < (stride?.base ?? 0));
  return {
    ...common,
    abi: wordBitsProven || !front.wordBits ? abi : { ...abi, wordBits: front.wordBits },
    sizes,
    confidence: {
      ...front.confidence,
      kmsgSize: stride?.confidence ?? (kmsgSize === undefined ? GUESS : PROVEN),
    },
    kmsgOffset: stride?.base,
    kmsgOffsetProven: stride !== undefined && (formatted || inFront || stride.base < stride.size),
  };
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

/** The generation and byte order that most marks speak for; a mark with signature and magic counts most. */
function voteOnFormat(
  marks: readonly Mark[],
  only: Generation | undefined,
): { generation: Generation; endian: 'little' | 'big' } | undefined {
  let best: { generation: Generation; endian: 'little' | 'big' } | undefined;
  let most = 0;
  for (const generation of ['pstore_blk', 'blkoops'] as const) {
    if (only !== undefined && only !== generation) continue;
    for (const endian of ['little', 'big'] as const) {
      let votes = 0;
      for (const mark of marks) {
        if (mark.endian !== endian) continue;
        if (mark.generation === generation) votes += mark.signed && mark.magic ? 16 : mark.signed ? 4 : 1;
        else if (mark.generation === null && only !== undefined) votes += 1;
      }
      if (votes > most) [most, best] = [votes, { generation, endian }];
    }
  }
  return best;
}

/** Alignment and word size, each by the majority of the records: one damaged header must not change the machine. */
function detectAbi(
  storage: Storage,
  dmesg: readonly Mark[],
  generation: Generation,
  endian: 'little' | 'big',
): { abi: Abi; proven: boolean; alignProven: boolean; wordBitsProven: boolean } {
  const candidates: Abi[] = [
    { endian, wordBits: 64, align: 8 },
    { endian, wordBits: 32, align: 8 },
    { endian, wordBits: 32, align: 4 },
  ];
  const votes = candidates.map(() => 0);
  let voters = 0;
  for (const mark of dmesg.filter((candidate) => candidate.magic).slice(0, MOST_VOTERS)) {
    const bytes = readRange(storage, mark.offset + BUFFER_HEADER_SIZE[generation], MAX_DMESG_HEADER_SIZE);
    if (bytes.length < MAX_DMESG_HEADER_SIZE) continue;
    voters++;
    const scores = candidates.map((abi) => plausibility(bytes, abi));
    const best = Math.max(...scores);
    scores.forEach((score, i) => {
      if (score === best) votes[i]!++;
    });
  }
  // Where padding is zero, a little-endian machine's nanoseconds read the same with 4 and with 8 bytes: no majority
  // against 64 bits.
  const most = candidates.findIndex((_, i) => votes[i]! * 2 >= voters);
  const abi = candidates[most < 0 ? votes.indexOf(Math.max(...votes)) : most]!;
  const isRivalled = (field: 'align' | 'wordBits') =>
    candidates.some((other, i) => other[field] !== abi[field] && votes[i]! * 2 >= voters);
  return {
    abi,
    proven: voters > 0,
    alignProven: voters > 0 && !isRivalled('align'),
    wordBitsProven: !isRivalled('wordBits'),
  };
}

/** How many fields of a dmesg header are what a kernel would write, if the machine is this one. */
function plausibility(bytes: Uint8Array, abi: Abi): number {
  const header = readDmesgHeader(bytes, abi);
  let score = 0;
  if (header.seconds >= 0n && header.seconds < 1n << 34n) score += 2;
  if (isNanoseconds(header.nanoseconds)) score += 2;
  if (header.compressed <= 1) score += 1;
  if (header.reason >= 1 && header.reason <= 6) score += 2;
  if (header.counter >= 0 && header.counter < 1 << 24) score += 1;
  return score;
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
