// A backend made of a family's places: what the kernel's fs/pstore/platform.c does above every backend. Order and names of
// the records, decoding, sizes, generations, the guard against records that changed, and the refusals.

import type { CompressionChoice } from '../compress/decompress.js';
import { type ErrorCode, PstoreError } from '../errors.js';
import { Extent, type Piece } from '../storage/extent.js';
import { isBrokenPlace } from '../storage/storage.js';
import type { Warnings } from '../warnings.js';
import {
  type Backend,
  type BackendInfo,
  type ErasedRecord,
  type NewRecord,
  type PassedOver,
  type PstoreRecord,
  parseRecordName,
  type RecordContent,
  type RecordState,
  type SpaceUsage,
} from './backend.js';
import type { TextCache } from './cache.js';
import { LazyContent, PiecesContent, piecesBytes } from './content.js';
import { type Decoded, Decoding } from './decoding.js';
import { erasedRecordOf } from './erased-records.js';
import { makeDump } from './front-end.js';
import type { Found, Places, ShownRecords } from './places.js';
import { mustBeWritable, recordName } from './record.js';

/** Sizes of records that have to be read to be counted. */
const NOT_MEASURED = -1;
const UNREADABLE = -2;

const PLAIN: Decoded = { state: 'plain' };
const encoder = new TextEncoder();

/** Tells the texts of several backends in one cache apart. */
let instances = 0;

/** Compressed records that are looked at before one is written. */
const MAX_LOOKED_AT = 16;

export class Records<P extends Places = Places> implements Backend, ShownRecords {
  readonly hasUsualNames = true;
  readonly name: string;
  readonly path: string;
  readonly warnings: Warnings;
  readonly slots: number;
  erasedWith?: Backend['erasedWith'];
  write?: (record: NewRecord) => void;
  repair?: Backend['repair'];
  readonly places: P;
  readonly #cache: TextCache;
  readonly #decoding: Decoding;
  readonly #firstSlot = new Map<string, number>();
  readonly #generations = new Map<number, number>();
  readonly #cachePrefix = `records:${instances++}:`;
  /** Made when the first record has to be measured. */
  #measured: Float64Array | undefined;
  #dumps = 0;

  /** @param compress what the records may be compressed with, as the source's key says */
  constructor(places: P, cache: TextCache, compress: CompressionChoice = 'auto') {
    this.places = places;
    this.#cache = cache;
    this.name = places.name;
    this.path = places.path;
    this.warnings = places.warnings;
    let slots = 0;
    for (const { type, count } of places.rows) {
      this.#firstSlot.set(type, slots);
      slots += count;
    }
    this.slots = slots;
    this.#decoding = new Decoding(
      {
        path: places.path,
        slots,
        warnings: places.warnings,
        limit: places.decodedLimit,
        isCompressed: (slot) => this.#at(slot, false, (type, id) => places.isCompressed(type, id)),
        found: (slot) => this.#at(slot, undefined, (type, id) => places.found(type, id)),
        generation: (slot) => this.generation(slot),
        cacheKey: (slot) => this.#cacheKey(slot),
      },
      compress,
      cache,
    );
    if (places.erasedWith) this.erasedWith = (slot) => this.#erasedWith(slot);
    if (places.write) this.write = (record) => this.#write(record);
    if (places.repair) this.repair = () => this.#repair();
  }

  get writable(): boolean {
    return this.places.writable;
  }

  // ── places and slots ──

  #at<T>(slot: number, none: T, act: (type: string, id: number) => T): T {
    let first = 0;
    for (const { type, count } of this.places.rows) {
      if (slot >= first && slot < first + count) return act(type, slot - first);
      first += count;
    }
    return none;
  }

  slotOf(type: string, nameId: number): number | undefined {
    return this.#slotAt(type, this.places.idNamed?.(type, nameId) ?? nameId);
  }

  #slotAt(type: string, id: number): number | undefined {
    const first = this.#firstSlot.get(type);
    const row = this.places.rows.find((candidate) => candidate.type === type);
    return first === undefined || !row || id >= row.count ? undefined : first + id;
  }

  generation(slot: number): number {
    return this.#generations.get(slot) ?? 0;
  }

  #cacheKey(slot: number): string {
    return `${this.#cachePrefix}${slot}:${this.generation(slot)}`;
  }

  /** What was known of the record's bytes is out of date. */
  #forget(slot: number): void {
    this.#cache.delete(this.#cacheKey(slot));
    this.#decoding.forget(slot);
    if (this.#measured) this.#measured[slot] = NOT_MEASURED;
  }

  /** The slot holds another record than before, or none. */
  #changed(slot: number): void {
    this.#forget(slot);
    this.#generations.set(slot, this.generation(slot) + 1);
  }

  // ── listing ──

  record(slot: number): PstoreRecord | undefined {
    return this.#at(slot, undefined, (type, id) => {
      const found = this.places.found(type, id);
      if (!found) return undefined;
      const decoded = found.compressed === 'no' ? PLAIN : this.#decoding.of(slot);
      const size = this.#size(slot, found, decoded);
      // Merged rings may hold no whole record between them.
      if (size === 0 && found.isMade && found.length === undefined) return undefined;
      return this.#described(slot, type, id, found, decoded, size);
    });
  }

  #described(slot: number, type: string, id: number, found: Found, decoded: Decoded, size: number): PstoreRecord {
    const state: RecordState = decoded.state === 'undecodable' ? 'undecodable' : 'live';
    const isDecoded = decoded.state === 'decoded';
    return {
      slot,
      type,
      id: found.nameId ?? id,
      name: recordName(type, this.name, found.nameId ?? id, state),
      size,
      mtimeNs: found.mtimeNs,
      reason: found.reason === undefined ? (isDecoded ? decoded.reason : null) : found.reason,
      count: found.count,
      compressed: isDecoded ? decoded.compression : null,
      state,
      offset: found.offset,
      title: null,
      ecc: found.ecc,
    };
  }

  #size(slot: number, found: Found, decoded: Decoded): number {
    if (decoded.state === 'decoded') return decoded.size;
    const stored = found.length ?? this.#measure(slot, found);
    return stored + (decoded.state === 'plain' ? found.lead.length : 0) + found.trail.length;
  }

  /** Bytes that are stored; of a record that cannot be read, as many as there can be. */
  #measure(slot: number, found: Found): number {
    this.#measured ??= new Float64Array(this.slots).fill(NOT_MEASURED);
    if (this.#measured[slot] === NOT_MEASURED) {
      try {
        this.#measured[slot] = found.measure ? found.measure() : this.#made(slot, found).length;
      } catch (error) {
        if (!isBrokenPlace(error)) throw error;
        // The others are to be listed all the same; reading this one says what is wrong.
        this.#measured[slot] = UNREADABLE;
      }
    }
    const size = this.#measured[slot]!;
    return size === UNREADABLE ? found.room : size;
  }

  #isMeasuredUnreadable(slot: number): boolean {
    return this.#measured?.[slot] === UNREADABLE;
  }

  find(name: string): number | undefined {
    const parsed = parseRecordName(this.name, name);
    const slot = parsed && this.slotOf(parsed.type, parsed.id);
    return slot !== undefined && this.record(slot)?.name === name ? slot : undefined;
  }

  recordAt(type: string, id: number): PstoreRecord | undefined {
    const slot = this.#slotAt(type, id);
    return slot === undefined ? undefined : this.record(slot);
  }

  isUnreadable(type: string, id: number): boolean {
    const slot = this.#slotAt(type, id);
    return slot !== undefined && (this.#decoding.isUnreadable(slot) || this.#isMeasuredUnreadable(slot));
  }

  passedOver(slot: number): PassedOver | undefined {
    return this.#at(slot, undefined, (type, id) => this.places.passedOver(type, id));
  }

  *erased(): Generator<ErasedRecord> {
    for (const { type, count } of this.places.rows) {
      for (let id = 0; id < count; id++) {
        for (const place of this.places.erased?.(type, id) ?? []) {
          const erased = erasedRecordOf(place, this.name, this.path);
          if (erased) yield { ...erased, undelete: () => this.#undelete(erased, type, id) };
        }
      }
    }
  }

  #undelete(erased: ErasedRecord, type: string, id: number): void {
    mustBeWritable(this, 'undeleted');
    erased.undelete();
    const slot = this.#slotAt(type, id);
    if (slot !== undefined) this.#changed(slot);
  }

  // ── text ──

  open(slot: number): RecordContent {
    const content = this.#at(slot, undefined, (type, id) => {
      const found = this.places.found(type, id);
      return found && this.#openFound(slot, type, id, found);
    });
    if (content) return content;
    throw new PstoreError('ENOENT', `${this.path}: there is no record in slot ${slot}`, { path: this.path });
  }

  #openFound(slot: number, type: string, id: number, found: Found): RecordContent {
    const isSame = this.places.watch(type, id);
    const check = () => {
      if (isSame && !isSame()) throw this.#changedError(type, id, found.offset);
    };
    const decoded = found.compressed === 'no' ? PLAIN : this.#decoding.of(slot);
    const size = this.#size(slot, found, decoded);
    const isUnreadable = decoded.state === 'unreadable' || this.#isMeasuredUnreadable(slot);
    if (decoded.state === 'decoded' || found.isMade || isUnreadable) {
      const key = this.#cacheKey(slot);
      return new LazyContent(size, () => {
        const cached = this.#cache.get(key);
        if (cached?.length === size) return cached;
        const bytes =
          decoded.state === 'decoded' || decoded.state === 'unreadable'
            ? this.#decoding.text(found)
            : this.#whole(found, decoded);
        // The medium gives it again: the next listing finds out what it is.
        if (isUnreadable) this.#forget(slot);
        check();
        if (bytes?.length !== size) throw this.#changedError(type, id, found.offset);
        this.#cache.set(key, bytes);
        return bytes;
      });
    }
    const pieces = found.pieces();
    check();
    return guarded(new PiecesContent(this.#around(found, decoded, pieces)), pieces, check);
  }

  /** The stored pieces with what a kernel shows before and after them. */
  #around(found: Found, decoded: Decoded, pieces: readonly Piece[]): Piece[] {
    const lead = decoded.state === 'plain' ? found.lead : '';
    return [
      ...(lead === '' ? [] : [encoder.encode(lead)]),
      ...pieces,
      ...(found.trail === '' ? [] : [encoder.encode(found.trail)]),
    ];
  }

  #whole(found: Found, decoded: Decoded): Uint8Array {
    return piecesBytes(this.#around(found, decoded, found.pieces()));
  }

  /** Bytes that the family makes, kept as long as the cache has room. */
  #made(slot: number, found: Found): Uint8Array {
    const bytes = piecesBytes(found.pieces());
    if (found.lead === '' && found.trail === '') this.#cache.set(this.#cacheKey(slot), bytes);
    return bytes;
  }

  #changedError(type: string, id: number, offset: number): PstoreError {
    const what = `${this.places.nameOf(type, id)} changed while it was in use`;
    return this.#fail('EIO', `${what}; list again to see what it holds now`, offset);
  }

  #fail(code: ErrorCode, sentence: string, offset?: number): PstoreError {
    const data = offset === undefined ? { path: this.path } : { path: this.path, offset };
    return new PstoreError(code, `${this.path}: ${sentence}`, data);
  }

  // ── changing ──

  erase(slot: number): void {
    mustBeWritable(this, 'erased');
    this.#at(slot, undefined, (type, id) => {
      if (!this.places.found(type, id)) return;
      this.places.erase(type, id);
      this.#forget(slot);
    });
  }

  #erasedWith(slot: number): number[] {
    return this.#at<number[]>(slot, [], (type, id) =>
      this.places.erasedWith!(type).flatMap((other) => this.#slotAt(other, id) ?? []),
    );
  }

  #write(record: NewRecord): void {
    mustBeWritable(this, 'recorded');
    const { part = 1 } = record;
    if (part !== 1) throw this.#fail('ENOSPC', `part ${part} of a dump is not kept, only part 1`);
    const to = this.places.write!(record, (room, takes, deflate = 'deflate') => {
      const asked = record.compress as Parameters<typeof makeDump>[4];
      const compress = asked === 'deflate' ? this.#deflateHere(deflate) : asked;
      return makeDump(record.reason, this.#dumps + 1, record.data, room, compress, takes);
    });
    if (record.type === 'dmesg') this.#dumps++;
    const slot = this.#slotAt(to.type, to.id);
    if (slot !== undefined) this.#changed(slot);
    if (to.isLost) {
      throw this.#fail('EIO', 'the record could not be written and is lost when this program ends', to.offset);
    }
  }

  /** Kernels before 4.17 call zlib streams deflate, some of them with the layout of later ones: their records tell. */
  #deflateHere(deflate: 'deflate' | 'zlib'): 'deflate' | 'zlib' {
    let looked = 0;
    for (let slot = 0; slot < this.slots && looked < MAX_LOOKED_AT; slot++) {
      if (!this.#at(slot, false, (type, id) => this.places.isCompressed(type, id))) continue;
      looked++;
      const { compressed } = this.record(slot) ?? {};
      if (compressed === 'zlib' || compressed === 'deflate') return compressed;
    }
    return deflate;
  }

  #repair(): ReturnType<NonNullable<Backend['repair']>> {
    mustBeWritable(this, 'repaired');
    const repair = this.places.repair!();
    for (let slot = 0; slot < this.slots; slot++) this.#changed(slot);
    return repair;
  }

  refresh(): boolean {
    this.places.storage.forget();
    const changed = new Set<number>();
    this.places.refresh((type, id) => {
      const slot = this.#slotAt(type, id);
      if (slot !== undefined) changed.add(slot);
    });
    for (const slot of changed) this.#changed(slot);
    return changed.size > 0;
  }

  // ── the whole ──

  space(): SpaceUsage {
    return this.places.space();
  }

  info(): BackendInfo {
    return this.places.info(this);
  }

  close(): void {
    this.#decoding.close();
    this.places.storage.close();
  }
}

/** Reads of the medium are checked afterwards, so that bytes of another record are never taken for this one's. */
function guarded(content: RecordContent, pieces: readonly Piece[], check: () => void): RecordContent {
  if (!pieces.some(Extent.isOne)) return content;
  return {
    size: content.size,
    read: (target, position) => {
      const got = content.read(target, position);
      check();
      return got;
    },
  };
}
