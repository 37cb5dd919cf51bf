// Finds what an mtdoops image does not say of itself: its byte order, and the size of a record.

import { findBytes } from '#platform';
import { readRange, type Storage, searchedPlaces } from '../storage/storage.js';
import {
  MTDOOPS_HEADER_MAX,
  MTDOOPS_MAX_DEVICE,
  MTDOOPS_MAX_RECORD,
  MTDOOPS_PAGE_MULTIPLE,
  mtdoopsEndian,
  readMtdoopsHeader,
  seqDistance,
} from './format.js';
import { isUserLog, USER_LOG_BEGINNING } from './second-text.js';

/** The sizes of a device, and how sure they are. */
export interface MtdoopsGeometry {
  readonly endian: 'little' | 'big';
  /** Bytes. */
  readonly recordSize: number;
  readonly recordSizeConfidence: number;
  readonly endianConfidence: number;
  /** Bytes, or null where it was not given: an image does not tell. */
  readonly eraseSize: number | null;
  /** Erase blocks that are bad, by index. */
  readonly badBlocks: ReadonlySet<number>;
}

/** The header of a record, found at a multiple of 4096. */
export interface MtdoopsMark {
  /** First byte of the page. */
  readonly offset: number;
  readonly endian: 'little' | 'big';
  readonly seq: number;
  readonly textOffset: number;
}

/**
 * The headers of records at multiples of 4096 up to `end`, read one by one: 16 bytes for each place, whatever stands
 * between them.
 */
export function* mtdoopsMarks(storage: Storage, end = storage.size): Generator<MtdoopsMark> {
  const bytes = new Uint8Array(MTDOOPS_HEADER_MAX);
  for (const offset of searchedPlaces(storage, { end, length: MTDOOPS_PAGE_MULTIPLE })) {
    if (offset + MTDOOPS_PAGE_MULTIPLE > end) return;
    if (storage.read(bytes, offset) < bytes.length) return;
    const endian = mtdoopsEndian(bytes);
    if (!endian) continue;
    const header = readMtdoopsHeader(bytes, endian);
    if (header?.state === 'record') yield { offset, endian, seq: header.seq, textOffset: header.textOffset };
  }
}

/** A device that begins erased is searched this far for its first record. */
const MAX_BLANK = 256 << 20;

/** How far headers are looked for: as far as the largest device has pages, counted from the first that is not erased. */
export function searchEnd(storage: Storage): number {
  const bytes = new Uint8Array(MTDOOPS_HEADER_MAX);
  const end = Math.min(storage.size, MAX_BLANK);
  let offset = 0;
  while (offset < end && storage.read(bytes, offset) > 0 && bytes.every((byte) => byte === 0xff)) {
    offset += MTDOOPS_PAGE_MULTIPLE;
  }
  return Math.min(storage.size, offset + MTDOOPS_MAX_DEVICE);
}

/** The byte order of most headers, or undefined where there are none. */
export function majorityEndian(marks: readonly MtdoopsMark[]): 'little' | 'big' | undefined {
  if (marks.length === 0) return undefined;
  const little = marks.filter((mark) => mark.endian === 'little').length;
  return little * 2 >= marks.length ? 'little' : 'big';
}

/** How well a record size fits an image. */
export interface RecordSizeFit {
  readonly recordSize: number;
  /** Records that begin on a page of this size and end inside it. */
  readonly valid: number;
  /** Neighbours whose numbers and places say that pages are this large. */
  readonly strides: number;
  /** Records whose text ends where the next older message would not have fitted. */
  readonly filled: number;
  /** Whether trees that write a second text have pages of this size. */
  readonly isUsual: boolean;
}

export interface FoundRecordSize {
  readonly best: RecordSizeFit;
  /** 0 … 1; 1 when nothing in the image speaks against it and enough for it. */
  readonly confidence: number;
}

/** The size of pages in the trees of phones, which write a second text. */
const PHONE_RECORD = 2 << 20;
/** Records whose text is measured: all that a device of the kernel's largest size can hold. */
const MAX_MEASURED = 2048;
/** Neighbours further apart in their numbers say nothing: an erased block lies between them, or another boot. */
const MAX_BETWEEN = 64;
/** Distances that are tried, the most frequent first. */
const MAX_CANDIDATES = 32;
/** A log message with its prefix is not longer (LOG_LINE_MAX and what precedes it), so a full page leaves no more room. */
const LONGEST_MESSAGE = 1100;
/** How a kernel's log begins: a text that begins so holds all of it, and does not end because its page is full. */
const FIRST_MESSAGE = /^.*(Linux version \d|Booting Linux )/;
/** Bytes of a text in which its first message is looked for. */
const FIRST_MESSAGE_ROOM = 256;

/**
 * The record size that makes the most valid pages; where several do, the one that numbers of neighbours and full texts
 * speak for, then that of phones where a text is a phone's, then a power of two, for records are made to fill an erase
 * block, then the smallest.
 * @param marks headers in one byte order, by their offset
 * @param most largest size that is possible
 * @returns undefined without any header
 */
export function findRecordSize(
  storage: Storage,
  marks: readonly MtdoopsMark[],
  most: number,
): FoundRecordSize | undefined {
  if (marks.length === 0) return undefined;
  const survey = new Survey(storage, marks);
  const fits = survey.candidates(most).map((size) => survey.fit(size));
  const best = fits.reduce((a, b) => (isBetter(b, a) ? b : a));
  return { best, confidence: confidenceOf(best, survey, fits) };
}

/** How a size that was given fits. */
export function fitOf(storage: Storage, marks: readonly MtdoopsMark[], recordSize: number): RecordSizeFit {
  return new Survey(storage, marks).fit(recordSize);
}

function isBetter(a: RecordSizeFit, b: RecordSizeFit): boolean {
  if (a.valid !== b.valid) return a.valid > b.valid;
  if (evidence(a) !== evidence(b)) return evidence(a) > evidence(b);
  if (a.isUsual !== b.isUsual) return a.isUsual;
  if (isPowerOfTwo(a.recordSize) !== isPowerOfTwo(b.recordSize)) return isPowerOfTwo(a.recordSize);
  return a.recordSize < b.recordSize;
}

function isPowerOfTwo(size: number): boolean {
  return Number.isInteger(Math.log2(size));
}

/**
 * A row of numbers tells more than as many full pages; but a single pair of neighbours may have an erase block's
 * distance, and then their full pages know better.
 */
function evidence(fit: RecordSizeFit): number {
  return 2 * fit.strides + fit.filled;
}

function confidenceOf(best: RecordSizeFit, survey: Survey, fits: readonly RecordSizeFit[]): number {
  const all = survey.marks.length;
  const agreed = best.strides * 2 > survey.strideCount;
  const rivals = fits.filter((fit) => fit !== best && fit.valid === best.valid && evidence(fit) >= evidence(best));
  if (best.valid === all && agreed && rivals.length === 0 && (best.strides >= 2 || best.filled > 0)) return 1;
  const share = best.valid / all;
  if (agreed) return 0.9 * share;
  return (best.filled > 0 ? 0.7 : 0.4) * share;
}

/** What is measured once for all candidates. */
class Survey {
  readonly marks: readonly MtdoopsMark[];
  readonly #storage: Storage;
  /** For each mark the first byte after its text, as far as that was measured. */
  readonly #textEnds: number[];
  /** For each of these, whether its text is the whole log. */
  readonly #wholeLogs: boolean[];
  /** Distance of one page, by the neighbours that speak for it. */
  readonly #strides = new Map<number, number>();
  /** Places of records with a second text: these do not end because their page is full. */
  readonly #seconds = new Set<number>();

  constructor(storage: Storage, marks: readonly MtdoopsMark[]) {
    this.#storage = storage;
    this.marks = marks;
    this.#textEnds = marks.slice(0, MAX_MEASURED).map((mark, i) => this.#textEnd(mark, marks[i + 1]?.offset));
    this.#wholeLogs = marks.slice(0, MAX_MEASURED).map((mark) => this.#isWholeLog(mark));
    for (let i = 1; i < marks.length; i++) this.#compare(marks[i - 1]!, marks[i]!);
    // After the device's last page comes its first.
    const [first, last] = [marks[0], marks.at(-1)];
    if (first && last) this.#compare(last, { ...first, offset: first.offset + storage.size });
  }

  get strideCount(): number {
    let sum = 0;
    for (const count of this.#strides.values()) sum += count;
    return sum;
  }

  candidates(most: number): number[] {
    const smallest = this.#smallestForAll();
    const sizes = new Set([MTDOOPS_PAGE_MULTIPLE, smallest, 2 ** Math.ceil(Math.log2(smallest)), ...this.#aligned()]);
    if (this.#seconds.size > 0) sizes.add(PHONE_RECORD);
    for (const counts of [this.#strides, this.#distances()]) {
      const frequent = [...counts].sort((a, b) => b[1] - a[1]).slice(0, MAX_CANDIDATES);
      for (const [size] of frequent) sizes.add(size);
    }
    return [...sizes].filter((size) => size === MTDOOPS_PAGE_MULTIPLE || size <= most);
  }

  fit(recordSize: number): RecordSizeFit {
    let valid = 0;
    let filled = 0;
    this.marks.forEach(({ offset }, i) => {
      const end = this.#textEnds[i] ?? offset;
      if (offset % recordSize !== 0 || end > offset + recordSize || offset + recordSize > this.#storage.size) return;
      valid++;
      const isAll = this.#wholeLogs[i] || this.#seconds.has(offset);
      if (end > offset + recordSize - LONGEST_MESSAGE && !isAll) filled++;
    });
    const isUsual = this.#seconds.size > 0 && recordSize === PHONE_RECORD;
    return { recordSize, valid, strides: this.#strides.get(recordSize) ?? 0, filled, isUsual };
  }

  /** The smallest size that holds every measured text. */
  #smallestForAll(): number {
    let longest = 1;
    this.#textEnds.forEach((end, i) => {
      longest = Math.max(longest, end - this.marks[i]!.offset);
    });
    return Math.ceil(longest / MTDOOPS_PAGE_MULTIPLE) * MTDOOPS_PAGE_MULTIPLE;
  }

  /** Powers of two of which every header stands at a multiple: pages between them may be erased, or bad. */
  #aligned(): number[] {
    const sizes: number[] = [];
    for (let size = MTDOOPS_PAGE_MULTIPLE; size <= MTDOOPS_MAX_RECORD; size *= 2) {
      if (this.marks.every(({ offset }) => offset % size === 0)) sizes.push(size);
    }
    return sizes;
  }

  /** Distances of neighbours, whatever their numbers. */
  #distances(): Map<number, number> {
    const counts = new Map<number, number>();
    for (let i = 1; i < this.marks.length; i++) count(counts, this.marks[i]!.offset - this.marks[i - 1]!.offset);
    return counts;
  }

  #compare(a: MtdoopsMark, b: MtdoopsMark): void {
    const between = seqDistance(a.seq, b.seq);
    if (between === 0 || between > MAX_BETWEEN) return;
    const stride = (b.offset - a.offset) / between;
    if (stride % MTDOOPS_PAGE_MULTIPLE === 0) count(this.#strides, stride);
  }

  #isWholeLog({ offset, textOffset }: MtdoopsMark): boolean {
    const bytes = readRange(this.#storage, offset + textOffset, FIRST_MESSAGE_ROOM);
    return FIRST_MESSAGE.test(String.fromCharCode(...bytes));
  }

  /**
   * First NUL or 0xFF after the header, or the next header: no text of a record goes on beyond any of these. A second
   * text after the NUL belongs to the record, too.
   */
  #textEnd(mark: MtdoopsMark, nextMark = this.#storage.size): number {
    const stop = Math.min(nextMark, mark.offset + MTDOOPS_MAX_RECORD);
    for (let at = mark.offset + mark.textOffset; at < stop; ) {
      const bytes = readRange(this.#storage, at, Math.min(stop - at, MTDOOPS_PAGE_MULTIPLE));
      const end = bytes.findIndex((byte) => byte === 0 || byte === 0xff);
      if (end >= 0) return bytes[end] === 0 ? this.#secondEnd(mark.offset, at + end, stop) : at + end;
      if (bytes.length === 0) return at;
      at += bytes.length;
    }
    return stop;
  }

  /** Where the second text ends that follows this NUL; the NUL itself where none does. */
  #secondEnd(mark: number, nul: number, stop: number): number {
    const head = readRange(this.#storage, nul + 1, Math.min(USER_LOG_BEGINNING, stop - nul - 1));
    if (!isUserLog(head)) return nul;
    this.#seconds.add(mark);
    for (let at = nul; at < stop; at += SECOND_STEP) {
      const bytes = readRange(this.#storage, at, Math.min(stop - at, SECOND_STEP + ERASED.length));
      const end = findBytes(bytes, ERASED, 0);
      if (end >= 0) return at + end;
    }
    return stop;
  }
}

/** Erased bytes in a row that no log has. */
const ERASED = new Uint8Array(64).fill(0xff);
/** Bytes of a second text that are searched at a time. */
const SECOND_STEP = 64 << 10;

function count(counts: Map<number, number>, key: number): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
