// Finds out whether a file is a dump of NAND flash with the spare area of each page, and of which shape its pages are.

import { firstOther } from '../bytes.js';
import { isPlainText } from '../pstore/plausible-text.js';
import type { PageShape } from '../storage/spare.js';
import { pieces, type Storage } from '../storage/storage.js';
import { evidenceOf, type HeaderEvidence, type Headers, headersOf } from './spare-headers.js';

/** Pages that are made (include/linux/mtd/rawnand.h and data sheets); spare areas have 8 bytes or more for each 512. */
const DATA_SIZES = [512, 1024, 2048, 4096, 8192, 16384] as const;
/** A spare area has at least a 64th part of the data, at most an eighth. */
const MIN_SPARE = 64;
const MAX_SPARE = 8;
/** Spare areas of data sheets: they are looked for even where the file's size is no multiple, since it was cut then. */
const KNOWN: readonly PageShape[] = (
  [
    [512, [16]],
    [1024, [32]],
    [2048, [64, 96, 112, 128]],
    [4096, [128, 208, 216, 218, 224, 232, 256]],
    [8192, [256, 376, 436, 448, 512, 640, 744, 832]],
    [16384, [1280, 1664, 1872, 1952]],
  ] as const
).flatMap(([data, spares]) => spares.map((spare) => ({ data, spare })));
/** An image of a partition, a region or a disk has a size that is a multiple of this. */
const SIZE_MULTIPLE = 4096;

/**
 * Where the mark of a bad block stands in the spare area, which is 0xFF in every page of a good one: at its beginning,
 * or in the sixth byte where pages have 512 bytes (NAND_BBM_POS_LARGE and NAND_BBM_POS_SMALL of the kernel).
 */
const MARK_LARGE = 0;
const MARK_SMALL = 5;
/** One page of so many may lie in a bad block, or be damaged. */
const TOLERANCE = 16;
/** As many pages that hold something are enough. */
const ENOUGH = 512;
/**
 * Points that make a proof: where the file has whole pages, and is no image of a partition by its size; where it may be
 * one; where nothing but headers says anything, which spare bytes moved in different ways; and where none of them does.
 * A mark of one byte is right by chance in one of 256 compressed pages.
 */
const ENOUGH_ODD = 3;
const ENOUGH_POINTS = 4;
const ENOUGH_MOVES = 2;
const ENOUGH_WITHOUT_HEADERS = 8;
/** What such bytes of ECC count that nothing stands around. */
const ISLAND = 3;
/** What a header counts that spare bytes moved. */
const MOVE = 3;
/** Bytes at the end of a page's data, of which one may be 0xFF: tables of addresses have many, and prove nothing. */
const TAIL = 64;
/** Bytes at the beginning of the next page that tell whether what was written goes on there. */
const HEAD = 16;

/** How far they are looked for: where pstore/zone's largest partition ends. */
const SEARCHED = 128 << 20;
/** How far headers are looked for where nothing but them can tell: a device of mtdoops is no larger. */
const SEARCHED_FIRST = 16 << 20;
/** So much is read at once of pages: where a shape does not fit, the first ones tell. */
const SURVEYED = 1 << 17;
/** So many wrong pages, and more than half of those seen, end it: not even a bad block at the beginning has them. */
const HOPELESS = 64;

/**
 * The shape of a dump's pages; undefined for a file that has no spare bytes in it. Almost every image is told by its
 * size alone: it is no multiple of any page with a spare area.
 * @param isPart whether it is a partition, which may be larger than what was written into it
 */
export function findSpare(storage: Storage, isPart = false): PageShape | undefined {
  const { size } = storage;
  if (size === 0) return undefined;
  const headers = lazily(() => headersOf(storage, SEARCHED));
  const whole = best(exactShapes(size).map((shape) => judged(storage, shape, headers)));
  if ((whole && isKnown(whole.shape)) || (!isPart && size % SIZE_MULTIPLE === 0)) return whole?.shape;
  const few = lazily(() => headersOf(storage, SEARCHED_FIRST));
  const told = KNOWN.filter((shape) => {
    const evidence = evidenceOf(few(), shape);
    // A partition has any size: only headers that stand nowhere else say something.
    return isPart ? evidence.apart > evidence.against : evidence.for > 0;
  });
  // A cut dump may have whole pages of another shape by chance.
  return best([whole, ...told.map((shape) => judged(storage, shape, few))])?.shape;
}

/** A shape that the pages do not contradict, and how much speaks for it. */
interface Judged {
  readonly shape: PageShape;
  readonly points: number;
}

/** Of those for which as much speaks the one that data sheets have, then the one of the smallest pages. */
function best(all: readonly (Judged | undefined)[]): Judged | undefined {
  const fitting = all.filter((one) => one !== undefined);
  return fitting.toSorted((a, b) => b.points - a.points || Number(isKnown(b.shape)) - Number(isKnown(a.shape)))[0];
}

function isKnown({ data, spare }: PageShape): boolean {
  return KNOWN.some((shape) => shape.data === data && shape.spare === spare);
}

function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** The shapes of which a file of this size has whole pages, the smallest pages first. */
function exactShapes(size: number): PageShape[] {
  const shapes: PageShape[] = [];
  for (const data of DATA_SIZES) {
    for (let spare = data / MIN_SPARE; spare <= data / MAX_SPARE; spare += 2) {
      if (size % (data + spare) === 0) shapes.push({ data, spare });
    }
  }
  return shapes;
}

/** What was seen of the pages that hold something. */
interface Seen {
  pages: number;
  /** Of them, those whose spare area cannot be one. */
  wrong: number;
  /** Pages that are written to their end, where 0xFF is rare: only there the mark says something. */
  full: number;
  /** Of them, those where what was written goes on in place of a mark. */
  broken: number;
  /** What marks say that stand where something was written before and after them. */
  points: number;
  /** Pages that hold something whose spare areas do so, too. */
  written: number;
  /** Of them, those whose spare areas have nothing around them. */
  islands: number;
}

function judged(storage: Storage, shape: PageShape, headers: () => Headers): Judged | undefined {
  const seen = surveyPages(storage, shape);
  if (seen.pages === 0 || seen.wrong > seen.pages / TOLERANCE || seen.broken > seen.full / TOLERANCE) return undefined;
  const evidence = evidenceOf(headers(), shape);
  if (
    evidence.against > evidence.apart + seen.points / TOLERANCE ||
    (pointsOf(seen) === 0 && evidence.moves < ENOUGH_MOVES)
  )
    return undefined;
  const points = pointsOf(seen) + MOVE * evidence.moves + Number(evidence.apart > 0) - evidence.against;
  return points >= needed(storage.size, shape, evidence) ? { shape, points } : undefined;
}

function needed(size: number, { data, spare }: PageShape, evidence: HeaderEvidence): number {
  const isWhole = size % (data + spare) === 0;
  if (evidence.for === 0) return isWhole ? ENOUGH_WITHOUT_HEADERS : Number.POSITIVE_INFINITY;
  return isWhole && size % SIZE_MULTIPLE !== 0 ? ENOUGH_ODD : ENOUGH_POINTS;
}

/** Goes through the pages until enough of them were seen that hold something, or the first ones speak against it. */
function surveyPages(storage: Storage, { data, spare }: PageShape): Seen {
  const stride = data + spare;
  const length = Math.max(1, Math.floor(SURVEYED / stride)) * stride;
  const seen: Seen = { pages: 0, wrong: 0, full: 0, broken: 0, points: 0, written: 0, islands: 0 };
  const end = Math.min(storage.size, SEARCHED);
  for (const { bytes } of pieces(storage, { end, length, overlap: HEAD })) {
    for (let page = 0; page + stride <= Math.min(bytes.length, length); page += stride) {
      const next = bytes.subarray(page + stride, page + stride + HEAD);
      lookAt(bytes.subarray(page, page + data), bytes.subarray(page + data, page + stride), next, seen);
    }
    if (seen.pages >= ENOUGH || (seen.wrong > HOPELESS && seen.wrong > seen.pages / 2)) break;
  }
  return seen;
}

function lookAt(data: Uint8Array, spare: Uint8Array, next: Uint8Array, seen: Seen): void {
  // Of a page whose data were erased here, the spare area may tell of what stood there before.
  if (isErased(data)) return;
  seen.pages++;
  const isMarked = spare[MARK_LARGE] === 0xff || (data.length === DATA_SIZES[0] && spare[MARK_SMALL] === 0xff);
  if (!isMarked) seen.wrong++;
  const tail = data.subarray(-TAIL);
  const isWritten = !isErased(spare);
  if (isWritten) seen.written++;
  // The ECC of a page whose end was not written stands alone among erased bytes.
  if (isErased(tail)) seen.islands += isMarked && spare[1] === 0xff && isWritten && isErased(next) ? 1 : 0;
  else if (isDense(tail)) {
    seen.full++;
    if (!isMarked) seen.broken++;
    else if (isWritten || !isErased(next)) seen.points += isErased(spare.subarray(0, 2)) ? 2 : 1;
    // A text goes on after bytes that no text has: once is enough.
    if (isErased(spare.subarray(0, 2)) && isPlainText(tail) && isPlainText(next)) seen.points += ENOUGH_POINTS;
  }
}

/** Where one page has ECC, nearly all have: else islands are records that happen to stand there. */
function pointsOf({ pages, written, points, islands }: Seen): number {
  return written < (3 / 4) * pages ? points : points + ISLAND * islands;
}

/** Whether it is written to its end, by something in which 0xFF is rare. */
function isDense(bytes: Uint8Array): boolean {
  const first = bytes.indexOf(0xff);
  return bytes[bytes.length - 1] !== 0xff && (first < 0 || bytes.indexOf(0xff, first + 1) < 0);
}

function isErased(bytes: Uint8Array): boolean {
  return firstOther(bytes, 0xff) < 0;
}
