// The zones of a partition as a backend: what blkoops and pstore_blk have in common.

import { COMPRESSIONS, type Compression } from '../compress/codec.js';
import { DecodeAhead, type StoredRecord, type Work } from '../compress/decode-ahead.js';
import { type CompressionChoice, type DecodedRecord, decodeRecord, LIMIT_FACTOR } from '../compress/decompress.js';
import { PstoreError } from '../errors.js';
import {
  type Backend,
  type BackendInfo,
  type NewRecord,
  type PstoreRecord,
  parseRecordName,
  type RecordContent,
  type RecordState,
  type SpaceUsage,
} from '../pstore/backend.js';
import type { TextCache } from '../pstore/cache.js';
import { contentBytes, LazyContent, PiecesContent } from '../pstore/content.js';
import { makeDump } from '../pstore/front-end.js';
import {
  type FtraceEncoding,
  findEncoding,
  ftraceText,
  mergeRings,
  oldStartCut,
  type SymbolTable,
} from '../pstore/ftrace.js';
import { Reason, reasonName } from '../pstore/record-type.js';
import { type Salvaged, salvageDmesg, salvageRing } from '../pstore/salvage.js';
import type { Extent, Piece } from '../storage/extent.js';
import { cutWhileInUse, isBrokenPlace, readRange } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import type { Warnings } from '../warnings.js';
import { type DmesgRow, ZoneState } from './dmesg-table.js';
import type { ZoneEngine } from './engine.js';
import { dmesgHeaderSize, isNanoseconds } from './format.js';
import { kmsgZone, type Zone } from './geometry.js';
import { explainZones } from './info.js';
import type { Ring } from './ring.js';

/** What was found out about the source before it was opened. */
export interface ZoneSource {
  readonly path: string;
  readonly storage: SurvivingStorage;
  readonly engine: ZoneEngine;
  readonly warnings: Warnings;
  readonly cache: TextCache;
  readonly compress: CompressionChoice;
  readonly symbols: SymbolTable | undefined;
  readonly salvage: boolean;
  /** The zone that the end of the image cuts, behind the last whole one. */
  readonly cut: CutZone | undefined;
  /** Why a write to this kind of zone would be a guess, or undefined where it is not. */
  readonly guessed: (type: NewRecord['type']) => string | undefined;
  readonly describe: (
    backend: ZoneBackend,
  ) => Pick<BackendInfo, 'geometry' | 'confidence' | 'kernelParameters' | 'sourceKeys' | 'details'>;
}

/** A dmesg zone that a kernel does not have, because the image ends before it does. */
export interface CutZone {
  /** As it was when the image was whole. */
  readonly zone: Zone;
  readonly datalen: number;
}

/** Decoded sizes that are not known yet, and of records that do not decode. */
const NOT_TRIED = -1;
const UNDECODABLE = -2;
const STORED_AS_TEXT = -3;
/** The medium does not give the record: whether it decodes is not known. */
const UNREADABLE = -4;

const NANOSECONDS = 1_000_000_000n;

/** Record types in the order of the slots. */
type RingType = 'console' | 'ftrace' | 'pmsg' | 'tty';

/** One CPU's ring as it was when the text was asked for. */
interface FtraceRing {
  readonly ring: Ring;
  readonly extents: readonly Extent[];
  readonly start: number;
  readonly datalen: number;
}

const encoder = new TextEncoder();

/** Tells the texts of several backends in one cache apart. */
let instances = 0;

export class ZoneBackend implements Backend {
  readonly name: string;
  readonly path: string;
  readonly warnings: Warnings;
  readonly engine: ZoneEngine;
  readonly storage: SurvivingStorage;
  readonly #source: ZoneSource;
  /** Slots of the rings; the dmesg zones stand between console and ftrace. */
  readonly #ringSlots = new Map<RingType, number>();
  readonly #firstDmesg: number;
  /** With salvage: what all CPUs' rings hold, those with a damaged signature too. */
  readonly #salvagedFtrace: number | undefined;
  /** Bytes of a dmesg record's header. */
  readonly #headerSize: number;
  readonly slots: number;
  /** Bytes of each dmesg zone's text, or one of the constants above. */
  readonly #textSize: Int32Array;
  readonly #algorithm: Uint8Array;
  readonly #generations = new Map<number, number>();
  readonly #salvaged = new Map<number, Salvaged | undefined>();
  readonly #cachePrefix = `zones:${instances++}:`;
  readonly #ahead: DecodeAhead;
  #ftraceSize: number | undefined;
  #dumps = 0;

  constructor(source: ZoneSource) {
    const { geometry } = source.engine;
    this.#source = source;
    this.name = geometry.generation;
    this.path = source.path;
    this.warnings = source.warnings;
    this.engine = source.engine;
    this.storage = source.storage;
    this.#headerSize = dmesgHeaderSize(source.engine.abi);
    const has = (type: RingType) => geometry.front.some((zone) => zone.type === type);
    let slot = 0;
    if (has('console')) this.#ringSlots.set('console', slot++);
    this.#firstDmesg = slot;
    slot += this.#dmesgSlots;
    for (const type of ['ftrace', 'pmsg', 'tty'] as const) if (has(type)) this.#ringSlots.set(type, slot++);
    this.#salvagedFtrace = source.salvage && has('ftrace') ? slot++ : undefined;
    this.slots = slot;
    this.#textSize = new Int32Array(geometry.kmsgCount).fill(NOT_TRIED);
    this.#algorithm = new Uint8Array(geometry.kmsgCount);
    this.#ahead = new DecodeAhead(this.#undecided());
    this.#warnOfRows();
  }

  get writable(): boolean {
    return this.storage.writable;
  }

  /** The zone that the end of the image cuts has a slot behind those of the whole ones. */
  get #dmesgSlots(): number {
    return this.engine.geometry.kmsgCount + (this.cut ? 1 : 0);
  }

  /** The zone that the end of the image cuts. */
  get cut(): CutZone | undefined {
    return this.#source.cut;
  }

  // ── listing ──

  record(slot: number): PstoreRecord | undefined {
    if (slot < 0 || slot >= this.slots) return undefined;
    const index = slot - this.#firstDmesg;
    if (index >= 0 && index < this.#dmesgSlots) return this.#dmesgRecord(slot, index);
    if (slot === this.#salvagedFtrace) return this.#salvagedRecord(slot, 'ftrace', 0);
    for (const [type, at] of this.#ringSlots) if (at === slot) return this.#ringRecord(slot, type);
    return undefined;
  }

  find(name: string): number | undefined {
    const parsed = parseRecordName(this.name, name);
    if (!parsed) return undefined;
    const slot =
      parsed.type === 'dmesg'
        ? parsed.id < this.#dmesgSlots
          ? this.#firstDmesg + parsed.id
          : undefined
        : parsed.id === 0
          ? parsed.type === 'ftrace' && parsed.suffix !== ''
            ? this.#salvagedFtrace
            : this.#ringSlots.get(parsed.type as RingType)
          : undefined;
    if (slot === undefined) return undefined;
    // Most records: what they are called needs no more than a look at their zone's state.
    const plain = parsed.type === 'dmesg' && this.#isShown(parsed.id) && this.engine.dmesg.compressed(parsed.id) === 0;
    if (plain) return parsed.suffix === '' ? slot : undefined;
    return this.record(slot)?.name === name ? slot : undefined;
  }

  generation(slot: number): number {
    return this.#generations.get(slot) ?? 0;
  }

  #name(type: string, id: number, state: RecordState): string {
    const suffix = state === 'undecodable' ? '.enc.z' : state === 'salvaged' ? '.salvaged' : '';
    return `${type}-${this.name}-${id}${suffix}`;
  }

  #dmesgRecord(slot: number, index: number): PstoreRecord | undefined {
    if (!this.#isShown(index)) return this.#salvagedRecord(slot, 'dmesg', index);
    const row = this.engine.dmesg.row(index);
    const size = this.#sizeOf(index, row);
    const state = this.#textSize[index] === UNDECODABLE ? 'undecodable' : 'live';
    return {
      slot,
      type: 'dmesg',
      id: index,
      name: this.#name('dmesg', index, state),
      size,
      mtimeNs: timeOf(row),
      reason: this.#reasonName(row.reason),
      count: row.counter,
      compressed: this.#textSize[index]! >= 0 ? COMPRESSIONS[this.#algorithm[index]!]! : null,
      state,
      offset: kmsgZone(this.engine.geometry, index).offset,
      title: null,
      ecc: null,
    };
  }

  #ringRecord(slot: number, type: RingType): PstoreRecord | undefined {
    const rings = this.#rings(type);
    const shown = rings.filter((ring) => ring.state === 'live');
    // What is salvaged of ftrace has a slot of its own.
    if (shown.length === 0) return type === 'ftrace' ? undefined : this.#salvagedRecord(slot, type, 0);
    const size = type === 'ftrace' ? this.#ftraceTextSize() : shown[0]!.datalen;
    if (type === 'ftrace' && size === 0) return undefined;
    return {
      ...NO_DETAILS,
      slot,
      type,
      id: 0,
      name: this.#name(type, 0, 'live'),
      size,
      state: 'live',
      offset: shown[0]!.zone.offset,
    };
  }

  #salvagedRecord(slot: number, type: string, id: number): PstoreRecord | undefined {
    const salvaged = this.#salvage(slot, type, id);
    if (!salvaged) return undefined;
    return {
      ...NO_DETAILS,
      slot,
      type,
      id,
      name: this.#name(type, id, 'salvaged'),
      size: salvaged.bytes.length,
      mtimeNs: salvaged.mtimeNs,
      reason: salvaged.reason === null ? null : this.#reasonName(salvaged.reason),
      count: salvaged.count,
      compressed: salvaged.compressed,
      state: 'salvaged',
      offset: salvaged.offset,
    };
  }

  /** What a kernel skips and a person can read; kept, because a listing asks for it again and again. */
  #salvage(slot: number, type: string, id: number): Salvaged | undefined {
    if (!this.#source.salvage) return undefined;
    if (!this.#salvaged.has(slot)) {
      const { geometry } = this.engine;
      const found =
        type === 'dmesg'
          ? this.#isErased(id)
            ? undefined
            : salvageDmesg(this.storage, kmsgZone(geometry, id), geometry.generation, this.engine.abi)
          : type === 'ftrace'
            ? this.#salvageFtrace()
            : this.#salvageText(this.#rings(type as RingType)[0]!);
      this.#salvaged.set(slot, found);
    }
    return this.#salvaged.get(slot);
  }

  #isErased(index: number): boolean {
    return index === this.cut?.zone.index
      ? this.cut.datalen === 0
      : this.engine.dmesg.state(index) === ZoneState.Erased;
  }

  #rings(type: RingType): Ring[] {
    return this.engine.rings.filter((ring) => ring.zone.type === type);
  }

  #reasonName(reason: number): string {
    if (this.name === 'blkoops') return reason === Reason.Oops ? 'Oops' : 'Panic';
    return reasonName(reason);
  }

  /** A live zone whose length leaves room for what it says it is: see #warnOfRows. */
  #isShown(index: number): boolean {
    const { dmesg } = this.engine;
    if (index >= dmesg.length || dmesg.state(index) !== ZoneState.Live) return false;
    const behindHeader = dmesg.datalen(index) - this.#headerSize;
    return behindHeader > 0 || (behindHeader === 0 && dmesg.compressed(index) !== 1);
  }

  /** What a listing or `info` should say about single records; the kernel stops its listing at such a record. */
  #warnOfRows(): void {
    const { dmesg, geometry } = this.engine;
    for (let index = 0; index < geometry.kmsgCount; index++) {
      if (dmesg.state(index) !== ZoneState.Live) continue;
      const row = dmesg.row(index);
      const { offset } = kmsgZone(geometry, index);
      const what = `${this.path}: dmesg zone ${index} at offset ${offset}`;
      if (!this.#isShown(index)) {
        const why = `${what} has ${row.datalen} bytes, which leaves no record behind its header`;
        this.warnings.add('record-short', `${why}; it is skipped, where a kernel would end its listing`, offset);
      } else if (row.seconds < 0n || !isNanoseconds(row.nanoseconds)) {
        const time = `${row.seconds} s and ${row.nanoseconds} ns`;
        this.warnings.add('record-time', `${what} has a damaged time of ${time}, which is brought into range`, offset);
      }
      if (row.compressed > 1) {
        const flag = `${what} has the flag compressed ${row.compressed}, which is neither 0 nor 1`;
        this.warnings.add('record-flag', `${flag}; it is taken for 1 when the record decompresses, else for 0`, offset);
      }
    }
    if (!this.engine.ringFollowsTimes) {
      const why = 'the times of the dmesg zones do not follow the ring: several records in one second, or a clock that';
      const next = `by the kernel's rule the next record goes to zone ${this.engine.nextZone}, and may replace the newest`;
      this.warnings.add('ring-same-second', `${this.path}: ${why} went back; ${next}`);
    }
  }

  // ── text ──

  #storedLength(row: DmesgRow): number {
    return row.datalen - this.#headerSize;
  }

  /** ASCII: as many bytes as characters. */
  #firstLine(row: DmesgRow): string {
    const backend = this.name === 'blkoops' ? 'blkoops: ' : '';
    return `${backend}${this.#reasonName(row.reason)}: Total ${row.counter} times\n`;
  }

  #sizeOf(index: number, row: DmesgRow): number {
    if (row.compressed !== 0 && this.#textSize[index] === NOT_TRIED) {
      this.#ahead.need(index, () => this.#decode(index, row));
    }
    const text = this.#textSize[index]!;
    if (row.compressed !== 0 && text >= 0) return text;
    if (row.compressed !== 0 && (text === UNDECODABLE || text === UNREADABLE)) return this.#storedLength(row);
    return this.#firstLine(row).length + this.#storedLength(row);
  }

  /** Whether a record is compressed, and nobody knows yet with what. */
  #isUndecided(index: number): boolean {
    return this.#textSize[index] === NOT_TRIED && this.#isShown(index) && this.engine.dmesg.compressed(index) !== 0;
  }

  /** The records of which other threads may find that out. */
  #undecided(): Work {
    const { kmsgCount } = this.engine.geometry;
    const last = (end: number) => {
      let index = Math.min(end, kmsgCount) - 1;
      while (index >= 0 && !this.#isUndecided(index)) index--;
      return index;
    };
    return {
      choice: this.#source.compress,
      limit: this.#decodedLimit,
      has: (index) => this.#isUndecided(index),
      count: () => {
        let count = 0;
        for (let index = 0; index < kmsgCount; index++) if (this.#isUndecided(index)) count++;
        return count;
      },
      last,
      read: (index) => this.#storedRecord(index),
      adopt: (index, generation, decoded) => {
        const isSame = generation === this.generation(this.#firstDmesg + index);
        if (isSame && this.#isUndecided(index)) this.#keepDecoded(index, decoded);
      },
    };
  }

  #storedRecord(index: number): StoredRecord | undefined {
    const row = this.engine.dmesg.row(index);
    try {
      const stored = this.#stored(this.engine.data(index, this.#headerSize, this.#storedLength(row)));
      return { stored, generation: this.generation(this.#firstDmesg + index) };
    } catch (error) {
      // Whoever needs this record says what is wrong with it.
      if (error instanceof PstoreError) return undefined;
      throw error;
    }
  }

  /** Finds out what the record was compressed with, and keeps its text at hand. */
  #decode(index: number, row: DmesgRow): void {
    let decoded: DecodedRecord | undefined;
    try {
      decoded = this.#decodePiece(this.engine.data(index, this.#headerSize, this.#storedLength(row)));
    } catch (error) {
      if (!(error instanceof PstoreError)) throw error;
      // A place that cannot be read must not take the other records with it; reading this one says so again.
      this.warnings.add('record-undecodable', error.message, error.data.offset ?? null);
      this.#textSize[index] = UNREADABLE;
      return;
    }
    this.#keepDecoded(index, decoded);
  }

  #keepDecoded(index: number, decoded: DecodedRecord | undefined): void {
    if (!decoded) {
      this.#textSize[index] = this.engine.dmesg.compressed(index) === 1 ? UNDECODABLE : STORED_AS_TEXT;
      return;
    }
    this.#textSize[index] = decoded.text.length;
    this.#algorithm[index] = COMPRESSIONS.indexOf(decoded.compression);
    this.#source.cache.set(this.#cacheKey(index), decoded.text);
  }

  get #decodedLimit(): number {
    return LIMIT_FACTOR * this.engine.geometry.kmsgSize;
  }

  #decodePiece(piece: Piece): DecodedRecord | undefined {
    return decodeRecord(this.#stored(piece), this.#source.compress, this.#decodedLimit);
  }

  #stored(piece: Piece): Uint8Array {
    if (!('storage' in piece)) return piece;
    const stored = readRange(piece.storage, piece.offset, piece.length);
    if (stored.length < piece.length) throw cutWhileInUse(piece.storage, piece.offset + stored.length);
    return stored;
  }

  #cacheKey(index: number): string {
    return `${this.#cachePrefix}${index}:${this.generation(this.#firstDmesg + index)}`;
  }

  open(slot: number): RecordContent {
    const record = this.record(slot);
    if (!record) throw new PstoreError('ENOENT', `${this.path}: there is no record in slot ${slot}`);
    if (record.state === 'salvaged') return new PiecesContent([this.#salvage(slot, record.type, record.id)!.bytes]);
    if (record.type === 'dmesg') return this.#openDmesg(record);
    if (record.type === 'ftrace') {
      const rings = this.#ftraceExtents();
      return new LazyContent(record.size, () => this.#cached('ftrace', () => this.#ftraceText(rings)));
    }
    return new PiecesContent(this.#rings(record.type as RingType)[0]!.extents());
  }

  #openDmesg(record: PstoreRecord): RecordContent {
    const index = record.id;
    const row = this.engine.dmesg.row(index);
    const piece = this.engine.data(index, this.#headerSize, this.#storedLength(row));
    if (record.compressed !== null || this.#textSize[index] === UNREADABLE) {
      const key = this.#cacheKey(index);
      return new LazyContent(record.size, () => {
        const text = this.#source.cache.get(key) ?? this.#decodePiece(piece)?.text;
        // The medium gives it again: what it is, the next listing finds out.
        if (this.#textSize[index] === UNREADABLE) this.#textSize[index] = NOT_TRIED;
        if (!text || text.length !== record.size) throw this.#changed(index);
        this.#source.cache.set(key, text);
        return text;
      });
    }
    return new PiecesContent(record.state === 'undecodable' ? [piece] : [encoder.encode(this.#firstLine(row)), piece]);
  }

  #changed(index: number): PstoreError {
    const { offset } = kmsgZone(this.engine.geometry, index);
    return new PstoreError(
      'EIO',
      `${this.path}: dmesg zone ${index} at offset ${offset} changed while it was in use; list again to see what it holds now`,
      { path: this.path, offset },
    );
  }

  // ── ftrace: all CPUs' rings as one text ──

  /** Each ring's data, oldest first; an empty one in its place, because a zone's place tells its CPU. */
  #ftraceExtents(salvaged = false): FtraceRing[] {
    return this.#rings('ftrace').map((ring) => ({
      ring,
      extents: ring.extents(salvaged),
      start: ring.start,
      datalen: ring.datalen,
    }));
  }

  #ftraceText(rings: readonly FtraceRing[]): Uint8Array {
    const { abi } = this.engine;
    const plain = rings.map(({ extents }) => joined(extents));
    const encoding: FtraceEncoding = findEncoding(plain, abi);
    const cut = rings.map(({ ring, extents, start, datalen }, i) => {
      if (extents.length === 0 || start <= datalen) return plain[i]!;
      return oldStartCut(readRange(this.storage, ring.dataOffset, ring.area), start, datalen, encoding, abi.endian);
    });
    return ftraceText(mergeRings(cut, encoding, abi.endian), encoding, abi.endian, this.#source.symbols);
  }

  #salvageText(ring: Ring): Salvaged | undefined {
    if (!ring.isSalvageable) return salvageRing(this.storage, ring.zone, this.engine.abi);
    const parts = ring.extents(true).map(({ offset, length }) => readRange(this.storage, offset, length));
    return salvagedRing(contentBytes(new PiecesContent(parts)), ring);
  }

  #salvageFtrace(): Salvaged | undefined {
    const hurt = this.#rings('ftrace').find((ring) => ring.isSalvageable);
    try {
      const text = hurt && this.#ftraceText(this.#ftraceExtents(true));
      return text && text.length > 0 ? salvagedRing(text, hurt) : undefined;
    } catch (error) {
      // Records of zeros would be made up; what other zones hold is to be listed all the same.
      if (!isBrokenPlace(error)) throw error;
      return undefined;
    }
  }

  #ftraceTextSize(): number {
    if (this.#ftraceSize !== undefined) return this.#ftraceSize;
    const rings = this.#ftraceExtents();
    try {
      this.#ftraceSize = this.#cached('ftrace', () => this.#ftraceText(rings)).length;
    } catch (error) {
      if (!isBrokenPlace(error)) throw error;
      // The others are to be listed all the same; reading this one says it again.
      this.#ftraceSize = rings.reduce((sum, { extents, datalen }) => sum + (extents.length === 0 ? 0 : datalen), 0);
    }
    return this.#ftraceSize;
  }

  #cached(what: string, make: () => Uint8Array): Uint8Array {
    const key = `${this.#cachePrefix}${what}`;
    const text = this.#source.cache.get(key) ?? make();
    this.#source.cache.set(key, text);
    return text;
  }

  // ── changing ──

  erase(slot: number): void {
    if (!this.writable) {
      throw new PstoreError('EROFS', `${this.path} is read-only: nothing can be erased in it`, { path: this.path });
    }
    const record = this.record(slot);
    if (!record) return;
    if (record.state === 'salvaged') {
      throw new PstoreError(
        'EPERM',
        `${record.name} is salvaged from a damaged zone at offset ${record.offset} of ${this.path}: a kernel knows no such record to erase`,
        { path: this.path, offset: record.offset },
      );
    }
    if (record.type === 'dmesg') {
      this.engine.erase(record.id);
      // Reused or emptied by another writer: what we knew is gone either way.
      if (this.engine.dmesg.state(record.id) === ZoneState.Live) this.engine.dmesg.setErased(record.id);
    } else {
      for (const ring of this.#rings(record.type as RingType)) {
        this.engine.eraseRing(ring);
        if (ring.state === 'live') ring.state = 'erased';
      }
      if (record.type === 'ftrace') this.#forgetFtrace();
    }
  }

  #forgetFtrace(): void {
    this.#ftraceSize = undefined;
    this.#source.cache.delete(`${this.#cachePrefix}ftrace`);
  }

  write(record: NewRecord): void {
    if (!this.writable) throw new PstoreError('EROFS', `${this.path} is read-only: nothing can be recorded in it`);
    const doubt = this.#source.guessed(record.type);
    if (doubt) throw new PstoreError('EINVAL', `${this.path}: ${doubt}`, { path: this.path });
    if (record.type !== 'dmesg') {
      const flushed = this.engine.writeRing(record.type, record.data, record.cpu ?? 0);
      const slot = this.#ringSlots.get(record.type);
      if (slot !== undefined) this.#salvaged.delete(slot);
      if (record.type === 'ftrace') this.#forgetFtrace();
      if (!flushed) throw this.#notWritten(undefined);
      return;
    }
    const compress = record.compress as Compression | 'none';
    const dump = makeDump(record.reason, this.#dumps + 1, record.data, this.engine.dmesgRoom, compress);
    const written = this.engine.write({ reason: record.reason, timeNs: record.timeNs, ...dump });
    this.#dumps++;
    this.#zoneChanged(written.zone);
    if (!written.flushed) throw this.#notWritten(kmsgZone(this.engine.geometry, written.zone).offset);
  }

  #notWritten(offset: number | undefined): PstoreError {
    const what = `${this.path}: the record could not be written and is lost when this program ends`;
    return new PstoreError('EIO', what, offset === undefined ? { path: this.path } : { path: this.path, offset });
  }

  #zoneChanged(index: number): void {
    const slot = this.#firstDmesg + index;
    this.#source.cache.delete(this.#cacheKey(index));
    this.#textSize[index] = NOT_TRIED;
    this.#salvaged.delete(slot);
    this.#generations.set(slot, this.generation(slot) + 1);
  }

  refresh(): boolean {
    const rings = this.engine.rings.map((ring) => `${ring.state} ${ring.datalen} ${ring.start}`);
    const changed = this.engine.refresh((index) => this.#zoneChanged(index));
    this.engine.rings.forEach((ring, i) => {
      if (rings[i] === `${ring.state} ${ring.datalen} ${ring.start}`) return;
      const slot = this.#ringSlots.get(ring.zone.type as RingType)!;
      this.#salvaged.delete(slot);
      this.#generations.set(slot, this.generation(slot) + 1);
      if (ring.zone.type !== 'ftrace') return;
      this.#forgetFtrace();
      if (this.#salvagedFtrace === undefined) return;
      this.#salvaged.delete(this.#salvagedFtrace);
      this.#generations.set(this.#salvagedFtrace, this.generation(this.#salvagedFtrace) + 1);
    });
    return changed;
  }

  // ── the whole ──

  space(): SpaceUsage {
    const { geometry, rings } = this.engine;
    let bytes = geometry.kmsgCount * geometry.kmsgSize;
    let freeBytes = 0;
    let freeSlots = 0;
    let records = 0;
    for (let index = 0; index < geometry.kmsgCount; index++) {
      if (this.#isShown(index)) records++;
      else {
        freeSlots++;
        freeBytes += geometry.kmsgSize;
      }
    }
    for (const ring of rings) {
      bytes += ring.zone.size;
      if (ring.state !== 'live') freeBytes += ring.zone.size;
    }
    for (const type of this.#ringSlots.keys()) {
      if (this.#rings(type).some((ring) => ring.state === 'live')) records++;
      else freeSlots++;
    }
    return { bytes, freeBytes, records, freeSlots };
  }

  info(): BackendInfo {
    const { engine } = this;
    return {
      format: this.name,
      abi: engine.abi,
      ...this.#source.describe(this),
      counters: engine.counters,
      nextZone: engine.geometry.kmsgCount > 0 ? engine.nextZone : null,
      zones: explainZones(this, (index) => {
        if (!this.#isShown(index)) return undefined;
        const record = this.#dmesgRecord(this.#firstDmesg + index, index)!;
        return { record, isUnreadable: this.#textSize[index] === UNREADABLE };
      }),
    };
  }

  close(): void {
    this.#ahead.close();
    this.storage.close();
  }
}

const NO_DETAILS = { mtimeNs: null, reason: null, count: null, compressed: null, title: null, ecc: null } as const;

/** A header's time; seconds 0 (and below, which only damage makes) means that there is none. */
function timeOf(row: DmesgRow): bigint | null {
  if (row.seconds <= 0n) return null;
  const { nanoseconds: ns } = row;
  const inRange = ns < 0n ? 0n : ns >= NANOSECONDS ? NANOSECONDS - 1n : ns;
  return row.seconds * NANOSECONDS + inRange;
}

function joined(extents: readonly Extent[]): Uint8Array {
  const content = new PiecesContent(extents);
  const bytes = new Uint8Array(content.size);
  content.read(bytes, 0);
  return bytes;
}

function salvagedRing(bytes: Uint8Array, { zone }: Ring): Salvaged {
  return { bytes, offset: zone.offset, mtimeNs: null, reason: null, count: null, compressed: null };
}
