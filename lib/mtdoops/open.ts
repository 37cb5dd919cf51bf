// The backend mtdoops: pages on a flash device, each with the log of one oops or panic. Takes the sizes that were given,
// finds the others, and says how sure it is.

import { PstoreError } from '../errors.js';
import { type Abi, abiName } from '../pstore/abi.js';
import { parseNumber, type SourceKeys } from '../pstore/keys.js';
import type { BackendKind, Finding, OpenContext } from '../pstore/kind.js';
import { Records } from '../pstore/records.js';
import { readRange, type Storage } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import { mtdoopsAnywhere } from './anywhere.js';
import { LOGCAT, PagePlaces } from './backend.js';
import {
  beginsAsText,
  MTDOOPS_HEADER_MAX,
  MTDOOPS_MAX_RECORD,
  MTDOOPS_PAGE_MULTIPLE,
  MTDOOPS_TEXT_BEGIN,
} from './format.js';
import {
  type FoundRecordSize,
  findRecordSize,
  fitOf,
  type MtdoopsGeometry,
  type MtdoopsMark,
  majorityEndian,
  mtdoopsMarks,
  searchEnd,
} from './geometry.js';

const NAME = 'mtdoops';

export const mtdoops: BackendKind = {
  name: NAME,
  summary: 'the flash device of mtdoops, one record a page',
  keys: ['record_size', 'erase_size', 'bad_blocks', 'abi'],
  types: ['dmesg', LOGCAT],
  source: 'file',
  probe: probeMtdoops,
  open: openMtdoops,
  anywhere: mtdoopsAnywhere,
};

/** This many headers are no accident. */
const PROBE_ENOUGH = 3;
/** One header without a text after it is an accident in a file of another kind, or a damaged record of this one. */
const ACCIDENT = 0.15;

function probeMtdoops(storage: SurvivingStorage): Finding<OpenContext> | undefined {
  let found = 0;
  let withText = 0;
  for (const { offset, textOffset } of mtdoopsMarks(storage, searchEnd(storage))) {
    found++;
    if (beginsAsText(readRange(storage, offset + textOffset, MTDOOPS_TEXT_BEGIN))) withText++;
    if (found === PROBE_ENOUGH) break;
  }
  if (found === 0) return undefined;
  return { sure: found === 1 && withText === 0 ? ACCIDENT : 0.6 + 0.1 * found, open: openMtdoops };
}

function openMtdoops(context: OpenContext): Records {
  const { storage, path } = context;
  if (storage.size < MTDOOPS_PAGE_MULTIPLE) {
    throw new PstoreError(
      'EBADMSG',
      `${path}: too few bytes for mtdoops (${storage.size}), whose records take ${MTDOOPS_PAGE_MULTIPLE} at least`,
      { path },
    );
  }
  const places = new PagePlaces(context, findGeometry(context));
  warnOfPlace(context, places);
  return new Records(places, context.cache);
}

/** A bad block at the beginning is no larger. */
const MAX_FOREIGN = 256 << 10;
/** Pages that are looked at. */
const MAX_LOOKED_AT = 4096;

/** Where something else stands before the first record, the device may begin later than the image does. */
function warnOfPlace({ warnings, path, storage }: OpenContext, places: PagePlaces): void {
  const [first] = places.live();
  if (first === undefined) return;
  const begin = places.offset(first);
  let foreign = 0;
  for (let page = 0; page < Math.min(first, MAX_LOOKED_AT) && foreign <= MAX_FOREIGN; page++) {
    if (places.state(page) !== 'other') continue;
    const head = readRange(storage, places.offset(page), MTDOOPS_HEADER_MAX);
    if (!head.every((byte) => byte === 0)) foreign += places.geometry.recordSize;
  }
  if (foreign <= MAX_FOREIGN) return;
  warnings.add(
    'geometry-guess',
    `${path}: the first record stands at ${begin}, after something else: if this is a larger image, give offset= and size= of the partition of mtdoops in it, where its pages are counted from`,
    begin,
  );
}

function findGeometry(context: OpenContext): MtdoopsGeometry {
  const { storage, keys, path } = context;
  const given = givenSizes(keys, storage, path);
  // With the record size given the headers are read at its multiples; a look at the beginning then says whether it fits.
  const all = [...mtdoopsMarks(storage, given.recordSize === undefined ? storage.size : searchEnd(storage))];
  const abi = keys.abi();
  const endian = abi?.endian ?? majorityEndian(all);
  const marks = all.filter((mark) => mark.endian === endian);
  if (abi && marks.length < all.length && marks.length * 2 < all.length) warnOfEndian(context, abi, all.length);
  const most = Math.min(MTDOOPS_MAX_RECORD, storage.size, given.eraseSize ?? MTDOOPS_MAX_RECORD);
  const found = findRecordSize(storage, marks, most);
  const recordSize = given.recordSize ?? found?.best.recordSize;
  if (recordSize === undefined) {
    throw new PstoreError(
      'EBADMSG',
      `${path}: no record of mtdoops begins at any multiple of 4096; for a device that was never written give record_size= (the kernel's default is 4096)`,
      { path, offset: 0 },
    );
  }
  if (given.recordSize === undefined) warnOfGuess(context, found!);
  else warnOfMismatch(context, given.recordSize, found, marks);
  return {
    endian: endian ?? 'little',
    endianConfidence: abi || marks.length === all.length ? (endian ? 1 : 0) : marks.length / all.length,
    recordSize,
    recordSizeConfidence: given.recordSize === undefined ? found!.confidence : 1,
    eraseSize: given.eraseSize ?? null,
    badBlocks: given.badBlocks,
  };
}

interface GivenSizes {
  readonly recordSize: number | undefined;
  readonly eraseSize: number | undefined;
  readonly badBlocks: ReadonlySet<number>;
}

/** @throws PstoreError EINVAL for what no kernel could have */
function givenSizes(keys: SourceKeys, storage: Storage, path: string): GivenSizes {
  const recordSize = keys.size('record_size');
  const eraseSize = keys.size('erase_size');
  const wrong = (sentence: string) => new PstoreError('EINVAL', `${path}: ${sentence}`, { path });
  if (recordSize !== undefined) {
    if (recordSize === 0 || recordSize % MTDOOPS_PAGE_MULTIPLE !== 0) {
      const hint =
        recordSize > 0 && recordSize <= MTDOOPS_MAX_RECORD >> 10 && recordSize % 4 === 0
          ? `; did you mean ${recordSize}K?`
          : '';
      throw wrong(`record_size=${recordSize} is no multiple of 4096, as mtdoops has it${hint}`);
    }
    if (recordSize > MTDOOPS_MAX_RECORD) {
      throw wrong(
        `record_size=${recordSize} is more than an erase block can have: the kernel takes at most 4 MiB, two blocks in a device of 8 MiB`,
      );
    }
    if (recordSize > storage.size) {
      throw wrong(`record_size=${recordSize} is larger than the image, which has ${storage.size} bytes`);
    }
  }
  if (eraseSize !== undefined && (eraseSize < MTDOOPS_PAGE_MULTIPLE || eraseSize > storage.size)) {
    throw wrong(`erase_size=${eraseSize} does not fit: give 4096 up to the image's ${storage.size} bytes`);
  }
  if (recordSize !== undefined && eraseSize !== undefined && eraseSize < recordSize) {
    throw wrong(`erase_size=${eraseSize} is smaller than record_size=${recordSize}: a record takes at most one block`);
  }
  return { recordSize, eraseSize, badBlocks: givenBadBlocks(keys, storage, eraseSize, wrong) };
}

/** `bad_blocks=3:7`: indexes of erase blocks, colons between them because commas end a key. */
function givenBadBlocks(
  keys: SourceKeys,
  storage: Storage,
  eraseSize: number | undefined,
  wrong: (sentence: string) => PstoreError,
): ReadonlySet<number> {
  const text = keys.text('bad_blocks');
  if (text === undefined) return new Set();
  if (eraseSize === undefined) throw wrong('bad_blocks= are numbers of erase blocks: give erase_size= too');
  const most = Math.ceil(storage.size / eraseSize) - 1;
  return new Set(text.split(':').map((number) => parseNumber('bad_blocks', number, 0, most)));
}

function warnOfEndian({ warnings, path }: OpenContext, abi: Abi, headers: number): void {
  warnings.add(
    'geometry-mismatch',
    `${path}: abi=${abiName(abi)} does not fit this image: most of its ${headers} headers are in the other byte order`,
  );
}

function warnOfGuess({ warnings, path }: OpenContext, { best, confidence }: FoundRecordSize): void {
  if (confidence === 1) return;
  warnings.add(
    'geometry-guess',
    `${path}: record_size=${best.recordSize} is only the best guess (${best.valid} valid pages); give record_size= to be sure`,
  );
}

/** Says which size would fit, where the given one makes fewer valid pages; it is obeyed all the same. */
function warnOfMismatch(
  { warnings, path, storage }: OpenContext,
  recordSize: number,
  found: FoundRecordSize | undefined,
  marks: readonly MtdoopsMark[],
): void {
  if (!found || found.best.recordSize === recordSize) return;
  const fit = fitOf(storage, marks, recordSize);
  const contradicted = found.confidence === 1 && fit.valid === found.best.valid;
  if (fit.valid >= found.best.valid && !contradicted) return;
  warnings.add(
    'geometry-mismatch',
    `${path}: records of ${found.best.recordSize} bytes fit this image (${found.best.valid} valid pages), records of ${recordSize} bytes do not (${fit.valid})`,
  );
}
