// The pages of an mtdoops device as places of records, each with the log of one oops or panic.

import { isLog } from '../compress/decompress.js';
import { PstoreError } from '../errors.js';
import type { BackendInfo, PassedOver, SpaceUsage } from '../pstore/backend.js';
import type { ErasedPlace } from '../pstore/erased.js';
import type { OpenContext } from '../pstore/kind.js';
import type { Found, Places } from '../pstore/places.js';
import {
  cutWhileInUse,
  isBrokenPlace,
  readRange,
  readStillThere,
  type Storage,
  searchedPlaces,
} from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import type { Warnings } from '../warnings.js';
import {
  isNewerSeq,
  MTDOOPS_HEADER_MAX,
  MTDOOPS_HEADER_SIZE,
  type MtdoopsHeader,
  type NextPage,
  nextPage,
  PAGE_STATES,
  type PageState,
  readMtdoopsHeader,
  textLength,
} from './format.js';
import type { MtdoopsGeometry } from './geometry.js';
import { damage, describePages, type ExplainedPages } from './info.js';
import { type AfterText, afterText } from './second-text.js';

/** Pages that a person can read though a kernel does not know them. */
const SALVAGEABLE: ReadonlySet<PageState> = new Set(['bad-seq', 'bad-magic', 'other-endian', 'truncated']);
/** The type of what a page holds after its kernel log: phones keep the log of user space there. */
export const LOGCAT = 'logcat';
const MEASURE_STEP = 64 << 10;
/** Bytes from the NUL on that tell whether anything follows it. */
const FEW = 64;
/** Bytes of a page that tell whether it holds a log; a page has more. */
const LOG_BYTES = 2048;
/** More pages than these are refused: typed arrays have 14 bytes for each. */
const MAX_PAGES = 2 ** 24;

export class PagePlaces implements Places, ExplainedPages {
  readonly name = 'mtdoops';
  readonly path: string;
  readonly warnings: Warnings;
  readonly storage: SurvivingStorage;
  readonly writable: boolean;
  readonly geometry: MtdoopsGeometry;
  /** Whole pages: what a kernel sees. */
  readonly whole: number;
  /** All pages: one that the image cuts off comes after the whole ones. */
  readonly count: number;
  readonly rows: Places['rows'];
  /** No record is compressed. */
  readonly decodedLimit = 0;

  // One element a page: an image may have very many.
  readonly #state: Uint8Array;
  readonly #version: Uint8Array;
  readonly #seq: Uint32Array;
  readonly #time: BigInt64Array;
  /** What follows the text of each page that was asked for: null for nothing. */
  readonly #after = new Map<number, AfterText | null>();

  constructor({ path, warnings, storage }: OpenContext, geometry: MtdoopsGeometry) {
    this.path = path;
    this.warnings = warnings;
    this.storage = storage;
    this.geometry = geometry;
    this.writable = storage.writable;
    this.whole = Math.floor(storage.size / geometry.recordSize);
    this.count = Math.ceil(storage.size / geometry.recordSize);
    this.rows = [
      { type: 'dmesg', count: this.count },
      { type: LOGCAT, count: this.count },
    ];
    if (this.count > MAX_PAGES) {
      const pages = `${this.count} pages of ${geometry.recordSize} bytes are more than ${MAX_PAGES}`;
      throw new PstoreError('EFBIG', `${path}: ${pages}; take a part with offset= and size=`, { path });
    }
    this.#state = new Uint8Array(this.count).fill(PAGE_STATES.indexOf('blank'));
    this.#version = new Uint8Array(this.count);
    this.#seq = new Uint32Array(this.count);
    this.#time = new BigInt64Array(this.count);
    this.refresh(() => {});
  }

  // ── headers ──

  refresh(changed: (type: string, page: number) => void): void {
    const bytes = new Uint8Array(MTDOOPS_HEADER_MAX);
    const look = (page: number) => {
      const header = this.#readHeader(page, bytes);
      this.#keep(page, this.#stateOf(page, header), header, changed);
    };
    // All pages of a hole are as its first one.
    const lookAtHole = (from: number, end: number) => {
      const header = from < end ? this.#readHeader(from, bytes) : undefined;
      const state = header && this.#stateOf(from, header);
      for (let page = from; page < end; page++) this.#keep(page, state!, header, changed);
    };
    let next = 0;
    for (const offset of searchedPlaces(this.storage, { length: this.geometry.recordSize })) {
      const page = offset / this.geometry.recordSize;
      lookAtHole(next, page);
      look(page);
      next = page + 1;
    }
    lookAtHole(next, this.whole);
    for (let page = Math.max(next, this.whole); page < this.count; page++) look(page);
  }

  #keep(
    page: number,
    state: PageState,
    header: MtdoopsHeader | undefined,
    changed: (type: string, page: number) => void,
  ): void {
    if (this.#isAsKnown(page, state, header)) return;
    this.#state[page] = PAGE_STATES.indexOf(state);
    this.#version[page] = header?.version ?? 2;
    this.#seq[page] = header?.seq ?? 0;
    this.#time[page] = header?.timestampNs ?? 0n;
    this.#after.delete(page);
    changed('dmesg', page);
    changed(LOGCAT, page);
    this.#warnOf(page, state, header);
  }

  #readHeader(
    page: number,
    bytes = new Uint8Array(MTDOOPS_HEADER_MAX),
    storage: Storage = this.storage,
  ): MtdoopsHeader | undefined {
    const got = storage.read(bytes, this.offset(page));
    return readMtdoopsHeader(bytes.subarray(0, got), this.geometry.endian);
  }

  #stateOf(page: number, header: MtdoopsHeader | undefined): PageState {
    if (!header) return 'truncated';
    // What the image cuts off at its end is no page of the device, unless a record begins there.
    if (page < this.whole) return header.state === 'other' && this.#holdsLog(page) ? 'bad-magic' : header.state;
    return header.state === 'record' ? 'truncated' : 'other';
  }

  /** Whether a log stands in the page, so that its header was damaged beyond recognition. */
  #holdsLog(page: number): boolean {
    return isLog(readRange(this.storage, this.offset(page) + MTDOOPS_HEADER_MAX, LOG_BYTES));
  }

  #isAsKnown(page: number, state: PageState, header: MtdoopsHeader | undefined): boolean {
    if (this.state(page) !== state) return false;
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

  #warnOf(page: number, state: PageState, header: MtdoopsHeader | undefined): void {
    const offset = this.offset(page);
    const what = `${this.path}: page ${page} at offset ${offset}`;
    if (header && (state === 'bad-magic' || state === 'bad-seq' || state === 'other-endian')) {
      this.warnings.add('page-damaged', `${what} ${damage(state, header)}; --salvage shows its text`, offset);
    } else if (state === 'truncated') {
      const hasShrunk = page < this.whole;
      const why = hasShrunk
        ? 'cannot be read any more: the image shrank while it was in use'
        : "is cut off at the image's end";
      this.warnings.add(hasShrunk ? 'image-shrunk' : 'zone-truncated', `${what} ${why}`, offset);
    } else if (state === 'record' && (header?.timestampNs ?? 0n) < 0n) {
      const time = `${header?.timestampNs} ns`;
      this.warnings.add('record-time', `${what} has a damaged time of ${time}: it is shown without one`, offset);
    }
  }

  // ── pages ──

  offset(page: number): number {
    return page * this.geometry.recordSize;
  }

  state(page: number): PageState {
    return PAGE_STATES[this.#state[page]!]!;
  }

  seq(page: number): number {
    return this.#seq[page]!;
  }

  /** Where the text begins in the page. */
  textOffset(page: number): number {
    return MTDOOPS_HEADER_SIZE[this.#version[page] === 1 ? 1 : 2];
  }

  nameOf(_type: string, page: number): string {
    return `page ${page} at offset ${this.offset(page)}`;
  }

  /** What stands in a page with a record after its text, as far as the medium gives it. */
  after(page: number): AfterText | undefined {
    if (this.state(page) !== 'record') return undefined;
    let known = this.#after.get(page);
    if (known === undefined) {
      known = this.#findAfter(page) ?? null;
      this.#after.set(page, known);
    }
    return known ?? undefined;
  }

  /** Most pages have a NUL and then 0xFF: only of the others is the whole page read. */
  #findAfter(page: number): AfterText | undefined {
    try {
      const { medium } = this.storage;
      const { recordSize } = this.geometry;
      const end = this.#measure(page) + this.textOffset(page);
      const few = readRange(medium, this.offset(page) + end, Math.min(FEW, recordSize - end));
      if (few.subarray(1).every((byte) => byte === 0xff)) return undefined;
      return afterText(readStillThere(medium, this.offset(page), recordSize), this.textOffset(page));
    } catch (error) {
      // Reading the record itself says that the page cannot be read.
      if (!isBrokenPlace(error)) throw error;
      return undefined;
    }
  }

  #second(page: number): AfterText | undefined {
    const after = this.after(page);
    return after?.isSecond ? after : undefined;
  }

  found(type: string, page: number): Found | undefined {
    if (this.state(page) !== 'record') return undefined;
    return type === LOGCAT ? this.#foundSecond(page) : this.#foundText(page);
  }

  #foundSecond(page: number): Found | undefined {
    const second = this.#second(page);
    if (!second) return undefined;
    const length = second.to - second.from;
    const offset = this.offset(page) + second.from;
    return {
      ...this.#foundText(page),
      offset,
      length,
      room: length,
      pieces: () => [readStillThere(this.storage.medium, offset, length)],
    };
  }

  #foundText(page: number): Found {
    const time = this.#time[page]!;
    return {
      offset: this.offset(page),
      mtimeNs: this.#version[page] === 2 && time >= 0n ? time : null,
      reason: null,
      count: this.#seq[page]!,
      ecc: null,
      compressed: 'no',
      lead: '',
      trail: '',
      length: undefined,
      room: this.geometry.recordSize - this.textOffset(page),
      measure: () => this.#measure(page),
      isMade: false,
      pieces: () => [this.#text(page)],
    };
  }

  isCompressed(): boolean {
    return false;
  }

  /** Bytes of text, counted without holding a large page. */
  #measure(page: number): number {
    const from = this.offset(page) + this.textOffset(page);
    const end = this.offset(page) + this.geometry.recordSize;
    for (let at = from; at < end; ) {
      const bytes = readRange(this.storage.medium, at, Math.min(end - at, MEASURE_STEP));
      if (bytes.length === 0) throw cutWhileInUse(this.storage, at);
      at += textLength(bytes, 0);
      if (bytes.includes(0)) return at - from;
    }
    return end - from;
  }

  /** The text as it is now, held in memory, as the second one is: it stays readable when the page is blanked. */
  #text(page: number): Uint8Array {
    const bytes = readStillThere(this.storage.medium, this.offset(page), this.geometry.recordSize);
    const from = this.textOffset(page);
    return bytes.slice(from, from + textLength(bytes, from));
  }

  watch(_type: string, page: number): () => boolean {
    const [seq, version, time] = [this.#seq[page], this.#version[page], this.#time[page]];
    return () => {
      const header = this.#readHeader(page, undefined, this.storage.medium);
      const isRecord = header?.state === 'record';
      return isRecord && header.seq === seq && header.version === version && (header.timestampNs ?? 0n) === time;
    };
  }

  passedOver(type: string, page: number): PassedOver | undefined {
    if (type === LOGCAT) return undefined;
    const rest = this.after(page);
    if (!SALVAGEABLE.has(this.state(page)) && (!rest || rest.isSecond)) return undefined;
    const offset = this.offset(page);
    const bytes = readRange(this.storage, offset, this.geometry.recordSize);
    const stored = rest ? bytes.subarray(rest.from, rest.to) : bytes.subarray(this.textOffset(page));
    const facts = { mtimeNs: null, reason: null, count: null };
    return { type: 'dmesg', id: page, offset, stored, kind: 'text', limit: 0, ...facts };
  }

  /** Erasing blanks a page as a whole: only what an older and longer record has left after a shorter one is there. */
  *erased(_type: string, page: number): Generator<ErasedPlace> {
    if (this.state(page) !== 'record') return;
    const offset = this.offset(page);
    const bytes = readRange(this.storage, offset, this.geometry.recordSize);
    const from = this.textOffset(page);
    const stored = bytes.subarray(from + textLength(bytes, from));
    const facts = { mtimeNs: null, reason: null, count: null, lead: '', limit: 0, isFilled: false } as const;
    yield { type: 'dmesg', id: page, offset, stored, compressed: 'no', kind: 'rest', ...facts };
  }

  // ── changing ──

  /** The whole page is blanked for its log, and its second text with it. */
  erasedWith = (type: string): string[] => (type === LOGCAT ? [] : [LOGCAT]);

  /**
   * Blanks the page with 0xFF, as an erase block of one record would be: a device can erase only whole blocks, and does
   * so itself. Of a page's second text only its own bytes are blanked, up to the NUL before it.
   */
  erase(type: string, page: number): void {
    const { recordSize } = this.geometry;
    const offset = this.offset(page);
    readStillThere(this.storage.medium, offset, recordSize);
    const from = type === LOGCAT ? this.textOffset(page) + this.#measure(page) + 1 : 0;
    if (this.watch(type, page)()) {
      if (this.storage.erase) this.storage.erase(offset + from, recordSize - from);
      else this.storage.write(new Uint8Array(recordSize - from).fill(0xff), offset + from);
      this.storage.sync();
    }
    this.#after.delete(page);
    if (type === LOGCAT) this.#after.set(page, null);
    else this.#state[page] = PAGE_STATES.indexOf('blank');
  }

  // ── the whole ──

  isBad = (offset: number): boolean => {
    const { eraseSize, badBlocks } = this.geometry;
    return eraseSize !== null && badBlocks.has(Math.floor(offset / eraseSize));
  };

  /** The newest record by the kernel's rule, which goes through the pages in order and passes over bad blocks. */
  newest(): number | null {
    let newest: number | null = null;
    for (const page of this.live()) {
      if (this.isBad(this.offset(page))) continue;
      if (newest === null || isNewerSeq(this.#seq[page]!, this.#seq[newest]!)) newest = page;
    }
    return newest;
  }

  /** Where the kernel writes next. */
  next(newest: number | null): NextPage {
    const { recordSize, eraseSize } = this.geometry;
    const device = { pages: this.whole, recordSize, eraseSize, isBad: this.isBad };
    return nextPage(device, newest, (page) => this.state(page) !== 'blank' && !this.isBad(this.offset(page)));
  }

  /** Pages with a record. */
  live(): number[] {
    const pages = [];
    for (let page = 0; page < this.whole; page++) if (this.state(page) === 'record') pages.push(page);
    return pages;
  }

  space(): SpaceUsage {
    const { recordSize } = this.geometry;
    const records = this.live().length;
    const freeSlots = this.whole - records;
    return { bytes: this.whole * recordSize, freeBytes: freeSlots * recordSize, records, freeSlots };
  }

  info(): BackendInfo {
    return describePages(this);
  }
}
