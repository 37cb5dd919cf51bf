// The backend mtdoops: pages on a flash device, each with the log of one oops or panic.

import { isLog } from '../compress/decompress.js';
import { PstoreError } from '../errors.js';
import { type Abi, abiName } from '../pstore/abi.js';
import {
  type Backend,
  type BackendInfo,
  type PstoreRecord,
  parseRecordName,
  type RecordContent,
  type SpaceUsage,
  type ZoneInfo,
} from '../pstore/backend.js';
import { PiecesContent } from '../pstore/content.js';
import { parseNumber, type SourceKeys } from '../pstore/keys.js';
import type { BackendKind, Finding, OpenContext } from '../pstore/kind.js';
import { plausibleText } from '../pstore/salvage.js';
import { checkStillThere, readRange, type Storage } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import {
  isNewerSeq,
  MTDOOPS_HEADER_MAX,
  MTDOOPS_HEADER_SIZE,
  MTDOOPS_MAGIC_V1,
  MTDOOPS_MAGIC_V2,
  MTDOOPS_MAX_DEVICE,
  MTDOOPS_MAX_RECORD,
  MTDOOPS_PAGE_MULTIPLE,
  type MtdoopsHeader,
  type MtdoopsHeaderState,
  type NextPage,
  nextPage,
  nextSeq,
  readMtdoopsHeader,
  seqDistance,
  textLength,
} from './format.js';
import {
  type FoundRecordSize,
  findRecordSize,
  fitOf,
  type MtdoopsMark,
  majorityEndian,
  mtdoopsMarks,
} from './geometry.js';

const NAME = 'mtdoops';

export const mtdoops: BackendKind = {
  name: NAME,
  summary: 'the flash device of mtdoops, one record a page',
  keys: ['record_size', 'erase_size', 'bad_blocks', 'abi'],
  source: 'file',
  probe: probeMtdoops,
  open: openMtdoops,
};

/** How far a probe looks for headers: where mtdoops' largest device ends. */
const PROBE_END = MTDOOPS_MAX_DEVICE;
/** As many headers are no accident. */
const PROBE_ENOUGH = 3;

function probeMtdoops(storage: SurvivingStorage): Finding<OpenContext> | undefined {
  let found = 0;
  for (const _ of mtdoopsMarks(storage, Math.min(storage.size, PROBE_END))) {
    found++;
    if (found === PROBE_ENOUGH) break;
  }
  return found === 0 ? undefined : { sure: 0.6 + 0.1 * found, open: openMtdoops };
}

interface Geometry {
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

function openMtdoops(context: OpenContext): MtdoopsBackend {
  const { storage, path, keys } = context;
  if (storage.size < MTDOOPS_PAGE_MULTIPLE) {
    throw new PstoreError(
      'EBADMSG',
      `${path}: ${storage.size} bytes are too few for mtdoops, whose records take ${MTDOOPS_PAGE_MULTIPLE} at least`,
      { path },
    );
  }
  const geometry = findGeometry(context);
  return new MtdoopsBackend(context, geometry, keys.flag('salvage'));
}

function findGeometry(context: OpenContext): Geometry {
  const { storage, keys, path } = context;
  const given = givenSizes(keys, storage, path);
  // With the record size given the headers are read at its multiples; a look at the beginning then says whether it fits.
  const all = [...mtdoopsMarks(storage, given.recordSize === undefined ? storage.size : PROBE_END)];
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

/** States of a page: those of its header, and what the medium adds. */
const STATES = [
  'record',
  'blank',
  'bad-seq',
  'bad-magic',
  'other-endian',
  'other',
  /** The image ends inside the page. */
  'truncated',
] as const satisfies readonly (MtdoopsHeaderState | 'truncated')[];

type PageState = (typeof STATES)[number];

/** Pages that a person can read though a kernel does not know them. */
const SALVAGEABLE: ReadonlySet<PageState> = new Set(['bad-seq', 'bad-magic', 'other-endian', 'truncated']);
/** Fewer readable bytes than this are rubbish, not text. */
const LEAST_TEXT = 16;
/** The size of a page's text is not known yet. */
const NOT_MEASURED = -1;
const MEASURE_STEP = 64 << 10;
/** Bytes of a page that tell whether it holds a log; a page has more. */
const LOG_BYTES = 2048;
/** As many pages as fit a typed array with room to spare. */
const MOST_PAGES = 2 ** 28;
/** Pages that `info` lists by age. */
const MOST_LISTED = 64;

class MtdoopsBackend implements Backend {
  readonly name = NAME;
  readonly path: string;
  readonly warnings: OpenContext['warnings'];
  readonly writable: boolean;
  readonly slots: number;
  readonly #storage: SurvivingStorage;
  readonly #geometry: Geometry;
  readonly #salvage: boolean;
  /** Whole pages: what a kernel sees. A page that the image cuts off stands behind them. */
  readonly #pages: number;

  // One element a page: an image may have very many.
  readonly #state: Uint8Array;
  readonly #version: Uint8Array;
  readonly #seq: Uint32Array;
  readonly #time: BigInt64Array;
  readonly #size: Int32Array;
  readonly #generation: Uint32Array;

  constructor(context: OpenContext, geometry: Geometry, salvage: boolean) {
    this.path = context.path;
    this.warnings = context.warnings;
    this.#storage = context.storage;
    this.#geometry = geometry;
    this.#salvage = salvage;
    this.writable = context.storage.writable && !context.keys.flag('ro');
    this.#pages = Math.floor(context.storage.size / geometry.recordSize);
    this.slots = Math.ceil(context.storage.size / geometry.recordSize);
    if (this.slots > MOST_PAGES) {
      throw new PstoreError(
        'EFBIG',
        `${this.path}: ${this.slots} pages of ${geometry.recordSize} bytes are more than ${MOST_PAGES}; take a part with offset= and size=`,
        { path: this.path },
      );
    }
    this.#state = new Uint8Array(this.slots).fill(STATES.indexOf('blank'));
    this.#version = new Uint8Array(this.slots);
    this.#seq = new Uint32Array(this.slots);
    this.#time = new BigInt64Array(this.slots);
    this.#size = new Int32Array(this.slots).fill(NOT_MEASURED);
    this.#generation = new Uint32Array(this.slots);
    this.#scan();
    this.#generation.fill(0);
  }

  // ── headers ──

  /** Reads the header of every page. @returns whether anything differs from what was known */
  #scan(): boolean {
    const bytes = new Uint8Array(MTDOOPS_HEADER_MAX);
    let changed = false;
    for (let page = 0; page < this.slots; page++) {
      const header = this.#readHeader(page, bytes);
      const state = this.#stateOf(page, header);
      if (this.#isAsKnown(page, state, header)) continue;
      changed = true;
      this.#state[page] = STATES.indexOf(state);
      this.#version[page] = header?.version ?? 2;
      this.#seq[page] = header?.seq ?? 0;
      this.#time[page] = header?.timestampNs ?? 0n;
      this.#forget(page);
      this.#warnOf(page, state, header);
    }
    return changed;
  }

  #readHeader(page: number, bytes = new Uint8Array(MTDOOPS_HEADER_MAX)): MtdoopsHeader | undefined {
    const got = this.#storage.read(bytes, this.#offset(page));
    return readMtdoopsHeader(bytes.subarray(0, got), this.#geometry.endian);
  }

  #stateOf(page: number, header: MtdoopsHeader | undefined): PageState {
    if (!header) return 'truncated';
    // What the image cuts off at its end is no page of the device, unless a record begins there.
    if (page < this.#pages) return header.state === 'other' && this.#holdsLog(page) ? 'bad-magic' : header.state;
    return header.state === 'record' ? 'truncated' : 'other';
  }

  /** A log whose header is damaged beyond recognition. */
  #holdsLog(page: number): boolean {
    return isLog(readRange(this.#storage, this.#offset(page) + MTDOOPS_HEADER_MAX, LOG_BYTES));
  }

  #isAsKnown(page: number, state: PageState, header: MtdoopsHeader | undefined): boolean {
    if (STATES[this.#state[page]!] !== state) return false;
    if (state !== 'record' && state !== 'bad-seq' && state !== 'bad-magic') return true;
    return header !== undefined && this.#isSameRecord(page, header);
  }

  #isSameRecord(page: number, header: MtdoopsHeader): boolean {
    return (
      header.seq === this.#seq[page] &&
      header.version === this.#version[page] &&
      (header.timestampNs ?? 0n) === this.#time[page]
    );
  }

  #forget(page: number): void {
    this.#size[page] = NOT_MEASURED;
    this.#generation[page]!++;
  }

  #warnOf(page: number, state: PageState, header: MtdoopsHeader | undefined): void {
    const offset = this.#offset(page);
    const what = `${this.path}: page ${page} at offset ${offset}`;
    if (state === 'bad-magic' || state === 'bad-seq' || state === 'other-endian') {
      this.warnings.add('page-damaged', `${what} ${damage(state, header!)}; salvage shows its text`, offset);
    } else if (state === 'truncated') {
      const shrunk = page < this.#pages;
      const why = shrunk
        ? 'cannot be read any more: the image shrank while it was in use'
        : "is cut off at the image's end";
      this.warnings.add(shrunk ? 'image-shrunk' : 'zone-truncated', `${what} ${why}`, offset);
    } else if (state === 'record' && (header!.timestampNs ?? 0n) < 0n) {
      const time = `${header!.timestampNs} ns`;
      this.warnings.add('record-time', `${what} has a damaged time of ${time}: it is shown without one`, offset);
    }
  }

  #offset(page: number): number {
    return page * this.#geometry.recordSize;
  }

  #stateName(page: number): PageState {
    return STATES[this.#state[page]!]!;
  }

  // ── records ──

  record(slot: number): PstoreRecord | undefined {
    if (!(slot >= 0 && slot < this.slots)) return undefined;
    const state = this.#stateName(slot);
    const live = state === 'record';
    if (!live && !this.#isSalvaged(slot, state)) return undefined;
    const size = () => this.#sizeOf(slot);
    const hasTime = live && this.#version[slot] === 2 && this.#time[slot]! >= 0n;
    return {
      slot,
      type: 'dmesg',
      id: slot,
      name: `dmesg-${NAME}-${slot}${live ? '' : '.salvaged'}`,
      get size() {
        return size();
      },
      mtimeNs: hasTime ? this.#time[slot]! : null,
      reason: null,
      count: live ? this.#seq[slot]! : null,
      compressed: null,
      state: live ? 'live' : 'salvaged',
      offset: this.#offset(slot),
      title: null,
      ecc: null,
    };
  }

  #isSalvaged(page: number, state: PageState): boolean {
    return this.#salvage && SALVAGEABLE.has(state) && this.#sizeOf(page) >= LEAST_TEXT;
  }

  find(name: string): number | undefined {
    const parsed = parseRecordName(NAME, name);
    if (parsed?.type !== 'dmesg') return undefined;
    return this.record(parsed.id)?.name === name ? parsed.id : undefined;
  }

  generation(slot: number): number {
    return this.#generation[slot] ?? 0;
  }

  // ── text ──

  #textOffset(page: number): number {
    return MTDOOPS_HEADER_SIZE[this.#version[page] === 1 ? 1 : 2];
  }

  #sizeOf(page: number): number {
    if (this.#size[page] === NOT_MEASURED) {
      this.#size[page] = this.#stateName(page) === 'record' ? this.#measure(page) : this.#salvagedText(page).length;
    }
    return this.#size[page]!;
  }

  /** Bytes of text, without holding a large page. */
  #measure(page: number): number {
    const from = this.#offset(page) + this.#textOffset(page);
    const end = this.#offset(page) + this.#geometry.recordSize;
    for (let at = from; at < end; ) {
      const bytes = readRange(this.#storage, at, Math.min(end - at, MEASURE_STEP));
      const length = textLength(bytes, 0);
      if (length < bytes.length || bytes.length === 0) return at + length - from;
      at += bytes.length;
    }
    return end - from;
  }

  #salvagedText(page: number): Uint8Array {
    const bytes = readRange(this.#storage, this.#offset(page), this.#geometry.recordSize);
    return plausibleText(bytes.subarray(this.#textOffset(page)));
  }

  /** @throws PstoreError EIO where the medium does not give all of it */
  #readPage(page: number): Uint8Array {
    return readRange(this.#storage.medium, this.#offset(page), this.#geometry.recordSize);
  }

  /**
   * The text as it is now, held in memory: it stays readable when the page is blanked.
   * @throws PstoreError ENOENT where there is no record, or where another one was written there since
   */
  open(slot: number): RecordContent {
    const record = this.record(slot);
    if (!record) throw new PstoreError('ENOENT', `${this.path}: there is no record in page ${slot}`);
    if (record.state === 'salvaged') return new PiecesContent([this.#salvagedText(slot)]);
    const bytes = this.#readPage(slot);
    const header = readMtdoopsHeader(bytes, this.#geometry.endian);
    if (header?.state !== 'record' || !this.#isSameRecord(slot, header)) {
      throw new PstoreError(
        'ENOENT',
        `${this.path}: page ${slot} at offset ${record.offset} was written again since it was listed; list again to see what it holds now`,
        { path: this.path, offset: record.offset },
      );
    }
    const from = header.textOffset;
    return new PiecesContent([bytes.slice(from, from + textLength(bytes, from))]);
  }

  // ── changing ──

  /**
   * Blanks the page with 0xFF, as an erase block of one record would be: a device can erase only whole blocks.
   * @throws PstoreError EROFS; EPERM for a salvaged record; EIO
   */
  erase(slot: number): void {
    if (!this.writable) {
      throw new PstoreError('EROFS', `${this.path} is read-only: nothing can be erased in it`, { path: this.path });
    }
    const record = this.record(slot);
    if (!record) return;
    if (record.state === 'salvaged') {
      throw new PstoreError(
        'EPERM',
        `${record.name} is salvaged from a damaged page at offset ${record.offset} of ${this.path}: a kernel knows no such record to erase`,
        { path: this.path, offset: record.offset },
      );
    }
    checkStillThere(this.#storage.medium, record.offset, this.#geometry.recordSize);
    const header = this.#readHeader(slot);
    if (header?.state === 'record' && this.#isSameRecord(slot, header)) {
      this.#storage.write(new Uint8Array(this.#geometry.recordSize).fill(0xff), record.offset);
      this.#storage.sync();
    }
    this.#state[slot] = STATES.indexOf('blank');
    this.#forget(slot);
  }

  refresh(): boolean {
    return this.#scan();
  }

  // ── the whole ──

  #isBad = (offset: number): boolean => {
    const { eraseSize, badBlocks } = this.#geometry;
    return eraseSize !== null && badBlocks.has(Math.floor(offset / eraseSize));
  };

  /** The newest record by the kernel's rule, which goes through the pages in order and passes over bad blocks. */
  #newest(): number | null {
    let newest: number | null = null;
    for (let page = 0; page < this.#pages; page++) {
      if (this.#stateName(page) !== 'record' || this.#isBad(this.#offset(page))) continue;
      if (newest === null || isNewerSeq(this.#seq[page]!, this.#seq[newest]!)) newest = page;
    }
    return newest;
  }

  #next(newest: number | null): NextPage {
    const { recordSize, eraseSize } = this.#geometry;
    const device = { pages: this.#pages, recordSize, eraseSize, isBad: this.#isBad };
    return nextPage(device, newest, (page) => this.#stateName(page) !== 'blank' && !this.#isBad(this.#offset(page)));
  }

  #live(): number[] {
    const pages = [];
    for (let page = 0; page < this.#pages; page++) if (this.#stateName(page) === 'record') pages.push(page);
    return pages;
  }

  space(): SpaceUsage {
    const { recordSize } = this.#geometry;
    let records = 0;
    for (let page = 0; page < this.#pages; page++) if (this.#stateName(page) === 'record') records++;
    const freeSlots = this.#pages - records;
    return { bytes: this.#pages * recordSize, freeBytes: freeSlots * recordSize, records, freeSlots };
  }

  info(): BackendInfo {
    const { endian, endianConfidence, recordSize, recordSizeConfidence, eraseSize, badBlocks } = this.#geometry;
    const newest = this.#newest();
    const next = this.#next(newest);
    const abi: Abi = { endian, wordBits: 64, align: 8 };
    const given = [
      ...(eraseSize === null ? [] : [`erase_size=${eraseSize}`]),
      ...(badBlocks.size === 0 ? [] : [`bad_blocks=${[...badBlocks].join(':')}`]),
    ];
    return {
      format: NAME,
      abi,
      geometry: {
        total_size: this.#storage.size,
        record_size: recordSize,
        pages: this.#pages,
        ...(eraseSize !== null && { erase_size: eraseSize }),
      },
      confidence: { record_size: recordSizeConfidence, endian: endianConfidence },
      kernelParameters: [`mtdoops.record_size=${recordSize}`],
      sourceKeys: [`record_size=${recordSize}`, ...given, `abi=${abiName(abi)}`].join(','),
      counters: null,
      nextZone: next.page,
      zones: this.#zones(newest),
      details: this.#details(newest, next),
    };
  }

  #details(newest: number | null, next: NextPage): Record<string, string> {
    const seq = newest === null ? 1 : nextSeq(this.#seq[newest]!);
    const live = this.#live();
    const details: Record<string, string> = {
      'word size': 'not told by the header, which is the same on 32- and 64-bit machines',
      'newest record': newest === null ? 'none' : `page ${newest}, seq ${this.#seq[newest]}`,
    };
    if (next.page === null) {
      details['next record'] =
        this.#geometry.eraseSize === null
          ? `seq ${seq}, at the next start of an erase block, which the kernel erases first; erase_size= tells where that is`
          : `seq ${seq}, nowhere: all erase blocks are bad`;
    } else {
      details['next record'] = `page ${next.page}, seq ${seq}${next.erases ? ', after the block is erased' : ''}`;
      details['kernel says'] = `mtdoops: ready ${next.page}, ${seq | 0}${next.erases ? '' : ' (no erase)'}`;
    }
    if (newest !== null && live.length > 0) {
      const age = (page: number) => seqDistance(this.#seq[page]!, this.#seq[newest]!);
      const sorted = live.sort((a, b) => age(b) - age(a));
      const cut = sorted.length > MOST_LISTED ? `… ${sorted.slice(-MOST_LISTED).join(' ')}` : sorted.join(' ');
      details['pages, oldest first'] = cut;
    }
    if (this.#storage.size > MTDOOPS_MAX_DEVICE) {
      details['device size'] = 'a kernel takes no device of more than 8 MiB for mtdoops; offset= and size= take a part';
    }
    const rest = this.#storage.size % this.#geometry.recordSize;
    if (rest > 0) details['left over'] = `${rest} bytes at the end make no whole page`;
    return details;
  }

  *#zones(newest: number | null): Generator<ZoneInfo> {
    for (let page = 0; page < this.slots; page++) {
      const offset = this.#offset(page);
      const bytes = this.#readPage(page);
      if (page >= this.#pages && this.#stateName(page) !== 'truncated') continue;
      yield { index: page, type: 'dmesg', offset, size: bytes.length, ...this.#explain(page, bytes, newest) };
    }
  }

  #explain(page: number, bytes: Uint8Array, newest: number | null): { state: string; reason: string | null } {
    const state = this.#stateName(page);
    switch (state) {
      case 'record':
        return { state: 'live', reason: this.#remark(page, bytes, newest) };
      case 'blank':
        return explainBlank(bytes);
      case 'truncated':
        return { state, reason: 'the image ends inside this page' };
      case 'other':
        return { state, reason: explainOther(bytes) };
      default:
        return { state, reason: damage(state, readMtdoopsHeader(bytes, this.#geometry.endian)!) };
    }
  }

  #remark(page: number, bytes: Uint8Array, newest: number | null): string | null {
    const from = this.#textOffset(page);
    const end = from + textLength(bytes, from);
    const remarks = [];
    if (page === newest) remarks.push('the newest record');
    if (this.#isBad(this.#offset(page))) remarks.push('in a bad block, at which a kernel does not look when it starts');
    if (end === bytes.length) remarks.push('no NUL ends the text: it is shown to the end of the page');
    else if (bytes.subarray(end + 1).some((byte) => byte !== 0xff)) {
      remarks.push(`remains of another text stand behind the NUL at ${this.#offset(page) + end}`);
    }
    return remarks.length === 0 ? null : remarks.join('; ');
  }

  close(): void {
    this.#storage.close();
  }
}

function damage(state: PageState, { magic, seq, version }: MtdoopsHeader): string {
  const known = hex(version === 1 ? MTDOOPS_MAGIC_V1 : MTDOOPS_MAGIC_V2);
  switch (state) {
    case 'bad-seq':
      return `has the magic of a record and the seq ${hex(seq)}, which is never written: a kernel takes it for used, not for a record`;
    case 'other-endian':
      return 'has the magic of a record in the other byte order: a kernel takes it for used, not for a record';
    default:
      return `has the magic ${hex(magic)} where ${known} should be: a kernel takes it for used, not for a record`;
  }
}

function explainBlank(bytes: Uint8Array): { state: string; reason: string | null } {
  const at = bytes.findIndex((byte) => byte !== 0xff);
  if (at < 0) return { state: 'erased', reason: null };
  return {
    state: 'blank-header',
    reason: `seq and magic are blank, but bytes follow from ${at} on: a kernel takes the page for erased`,
  };
}

function explainOther(bytes: Uint8Array): string {
  if (bytes.every((byte) => byte === 0)) return 'zeros: a kernel takes the page for used and erases its block first';
  const head = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const text = plausibleText(bytes.subarray(0, LEAST_TEXT)).length === LEAST_TEXT ? ', a text that goes on' : '';
  return `no header: begins with the bytes ${head}${text}; a kernel takes the page for used`;
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
