// Finds out whether a file is a dump of NAND flash with the spare area of each page, and of which shape its pages are.

import { findBytes } from '#platform';
import { DMESG_MAGIC, ZONE_SIGNATURE } from '../blk/format.js';
import { firstOther } from '../bytes.js';
import { MTDOOPS_MAGIC_V1, MTDOOPS_MAGIC_V2 } from '../mtdoops/format.js';
import type { PageShape } from '../storage/spare.js';
import { pieces, type Storage, searchedPieces } from '../storage/storage.js';

/** Pages that are made (include/linux/mtd/rawnand.h and data sheets); spare areas have 8 bytes or more for each 512. */
const DATA_SIZES = [512, 2048, 4096, 8192, 16384] as const;
/** A spare area has at least a 64th part of the data, at most an eighth. */
const MIN_SPARE = 64;
const MAX_SPARE = 8;
/** Spare areas of data sheets: they are looked for even where the file's size is no multiple, since it was cut then. */
const KNOWN: readonly PageShape[] = (
  [
    [512, [16]],
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
/** Pages that hold something from which on their spare areas alone are a proof. */
const MANY = 8;
/** How far they are looked for: where pstore/zone's largest partition ends. */
const SEARCHED = 128 << 20;
/** How far headers are looked for where nothing but them can tell: a device of mtdoops is no larger. */
const SEARCHED_FIRST = 16 << 20;
const CHUNK = 1 << 20;
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
  const exact = exactShapes(size);
  // A page of 4096 + 128 bytes in halves has no spare areas at its middle, but two of 2048 + 64 make one that seems right.
  const whole = exact.find((shape) => fits(storage, shape, headers));
  if (whole || (!isPart && size % SIZE_MULTIPLE === 0)) return whole;
  const few = lazily(() => headersOf(storage, SEARCHED_FIRST));
  const told = KNOWN.map((shape) => ({ shape, evidence: evidenceOf(few(), shape) }))
    // A partition has any size: only headers that stand nowhere else say something.
    .filter(({ evidence }) => (isPart ? evidence.apart > evidence.against : evidence.for > 0))
    .sort((a, b) => b.evidence.for - b.evidence.against - (a.evidence.for - a.evidence.against));
  return told.find(({ shape }) => fits(storage, shape, few))?.shape;
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
  /** Of them, those that hold something on one side of the mark at least: only there it says something. */
  telling: number;
}

function fits(storage: Storage, shape: PageShape, headers: () => Headers): boolean {
  const seen = surveyPages(storage, shape);
  if (seen.pages === 0 || seen.wrong > seen.pages / TOLERANCE) return false;
  const evidence = evidenceOf(headers(), shape);
  if (evidence.against > evidence.for) return false;
  const isWhole = storage.size % (shape.data + shape.spare) === 0;
  return evidence.for > 0 ? seen.telling > 0 || evidence.apart > 0 : isWhole && seen.telling >= MANY;
}

/** Goes through the pages until enough of them were seen that hold something, or the first ones speak against it. */
function surveyPages(storage: Storage, shape: PageShape): Seen {
  const stride = shape.data + shape.spare;
  const perChunk = Math.max(1, Math.floor(SURVEYED / stride));
  const seen: Seen = { pages: 0, wrong: 0, telling: 0 };
  const end = Math.min(storage.size, SEARCHED);
  for (const { bytes } of pieces(storage, { end, length: perChunk * stride })) {
    for (let page = 0; page + stride <= bytes.length; page += stride) {
      const data = bytes.subarray(page, page + shape.data);
      lookAt(data, bytes.subarray(page + shape.data, page + stride), seen);
    }
    if (seen.pages >= ENOUGH || (seen.wrong > HOPELESS && seen.wrong > seen.pages / 2)) break;
  }
  return seen;
}

function lookAt(data: Uint8Array, spare: Uint8Array, seen: Seen): void {
  // Of a page whose data were erased here, the spare area may tell of what stood there before.
  if (isErased(data)) return;
  seen.pages++;
  const isMarked = spare[MARK_LARGE] === 0xff || (data.length === DATA_SIZES[0] && spare[MARK_SMALL] === 0xff);
  if (!isMarked) seen.wrong++;
  else if (data[data.length - 1] !== 0xff || !isErased(spare)) seen.telling++;
}

function isErased(bytes: Uint8Array): boolean {
  return firstOther(bytes, 0xff) < 0;
}

// ── headers ──

/** Words that stand at a fixed place in a header, which itself begins at a multiple of `align`. */
const LANDMARKS = (
  [
    [ZONE_SIGNATURE, [0], SIZE_MULTIPLE],
    [DMESG_MAGIC, [8, 12], SIZE_MULTIPLE],
    [MTDOOPS_MAGIC_V1, [4], SIZE_MULTIPLE],
    [MTDOOPS_MAGIC_V2, [4], SIZE_MULTIPLE],
  ] as const
).flatMap(([word, places, align]) =>
  [true, false].map((little) => ({ bytes: wordBytes(word, little), places, align })),
);

function wordBytes(word: number, little: boolean): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, word, little);
  return bytes;
}

/** A hostile file may consist of nothing but such words. */
const MAX_HEADERS = 4096;

/** Where headers may begin that some landmark belongs to: each at one of these places, at a multiple of `align`. */
type Headers = readonly { readonly begins: readonly number[]; readonly align: number }[];

interface HeaderEvidence {
  /** Headers that begin where they must when the spare bytes are left out. */
  for: number;
  /** Those of them that would not stand there in a file without spare bytes. */
  apart: number;
  /** Headers that stand where they must as the file is, and not when the spare bytes are left out. */
  against: number;
}

function headersOf(storage: Storage, most: number): Headers {
  const headers: { begins: number[]; align: number }[] = [];
  const end = Math.min(storage.size, most);
  for (const { bytes, offset: base } of searchedPieces(storage, { end, length: CHUNK, overlap: 4 })) {
    for (const { bytes: word, places, align } of LANDMARKS) {
      for (let at = findBytes(bytes, word, 0); at >= 0 && at < CHUNK; at = findBytes(bytes, word, at + 1)) {
        headers.push({ begins: places.map((place) => base + at - place), align });
        if (headers.length >= MAX_HEADERS) return headers;
      }
    }
  }
  return headers;
}

function evidenceOf(headers: Headers, { data, spare }: PageShape): HeaderEvidence {
  const evidence: HeaderEvidence = { for: 0, apart: 0, against: 0 };
  for (const { begins, align } of headers) {
    const isApart = begins.every((begin) => begin % align !== 0);
    if (begins.some((begin) => placeOf(begin, data, spare) % align === 0)) {
      evidence.for++;
      if (isApart) evidence.apart++;
    } else if (!isApart) evidence.against++;
  }
  return evidence;
}

/** Where a byte of the dump stands among the data; not a number for one in a spare area. */
function placeOf(at: number, data: number, spare: number): number {
  const into = at % (data + spare);
  return at < 0 || into >= data ? Number.NaN : Math.floor(at / (data + spare)) * data + into;
}
