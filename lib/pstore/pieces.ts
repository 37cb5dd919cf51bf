// Records that a store keeps in one piece each: EFI variables, CPER records. All that the two have in common.

import { decodeRecord, LIMIT_FACTOR } from '../compress/decompress.js';
import { PstoreError } from '../errors.js';
import { Extent } from '../storage/extent.js';
import { cutWhileInUse, readRange } from '../storage/storage.js';
import type { Warnings } from '../warnings.js';
import type {
  Backend,
  BackendInfo,
  ErasedRecord,
  PstoreRecord,
  RecordContent,
  SpaceUsage,
  ZoneInfo,
} from './backend.js';
import type { TextCache } from './cache.js';
import { PiecesContent } from './content.js';
import { refusal } from './erased-records.js';
import { MAX_HEAD_LINE, parseHeadLine } from './head-line.js';
import type { Piece, PieceStore } from './piece.js';
import { mustBeWritable } from './record.js';

export interface PieceOptions {
  readonly cache: TextCache;
  readonly salvage: boolean;
  /** Types in the order of a listing. */
  readonly types: readonly string[];
}

/** What is known of a record once it was read. */
interface Known {
  readonly size: number;
  readonly compression: string | null;
  readonly isUndecodable: boolean;
  readonly reason: string | null;
  readonly count: number | null;
  readonly part: number | null;
}

/** A larger record is none that a kernel has written: it is neither decoded nor held in memory as a whole. */
const MAX_HELD = 16 << 20;
/** A text may be so long at least, in bytes: records of a kernel with large parts may be stored very small. */
const MIN_LIMIT = 32 << 10;
/** Of a record that was not compressed, so many bytes are as good as all for its head line. */
const HEAD = MAX_HEAD_LINE;
let backends = 0;

export class PieceBackend<P extends Piece> implements Backend {
  readonly #store: PieceStore<P>;
  readonly #options: PieceOptions;
  readonly #number = backends++;
  #saidZlib = false;
  /** All pieces of the last scan. */
  #pieces: readonly P[] = [];
  readonly #slots: (P | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #names: string[] = [];
  readonly #slotsByName = new Map<string, number>();
  readonly #slotsByKey = new Map<string, number>();
  /** Slots without a piece, to be used again. */
  readonly #free: number[] = [];
  /** The number that was put after a name last, because another record has it. */
  readonly #lastTwin = new Map<string, number>();
  readonly #known = new Map<P, Known>();

  constructor(store: PieceStore<P>, options: PieceOptions) {
    this.#store = store;
    this.#options = options;
    this.refresh();
    this.#generations.fill(0);
  }

  get name(): string {
    return this.#store.name;
  }

  get path(): string {
    return this.#store.path;
  }

  get warnings(): Warnings {
    return this.#store.warnings;
  }

  get writable(): boolean {
    return this.#store.writable;
  }

  get slots(): number {
    return this.#slots.length;
  }

  // ── listing ──

  refresh(): boolean {
    this.#pieces = this.#store.scan();
    const shown = this.#pieces.filter((piece) => this.#isShown(piece));
    const keys = new Set(shown.map(({ key }) => key));
    let changed = false;
    for (const [key, slot] of this.#slotsByKey) {
      if (keys.has(key)) continue;
      this.#drop(slot);
      changed = true;
    }
    for (const piece of this.#sorted(shown)) {
      if (this.#slotsByKey.has(piece.key)) continue;
      this.#add(piece);
      changed = true;
    }
    return changed;
  }

  #isShown({ state }: P): boolean {
    return state === 'live' || (state === 'salvaged' && this.#options.salvage);
  }

  #sorted(pieces: readonly P[]): P[] {
    const rank = ({ type }: P) => {
      const at = this.#options.types.indexOf(type);
      return at < 0 ? this.#options.types.length : at;
    };
    const order = (a: P, b: P) => rank(a) - rank(b) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
    return [...pieces].sort(order);
  }

  #add(piece: P): void {
    const slot = this.#free.pop() ?? this.#slots.length;
    const name = this.#unique(piece.state === 'salvaged' ? `${piece.name}.salvaged` : piece.name);
    this.#slots[slot] = piece;
    this.#names[slot] = name;
    this.#generations[slot] = (this.#generations[slot] ?? 0) + 1;
    this.#slotsByName.set(name, slot);
    this.#slotsByKey.set(piece.key, slot);
  }

  #drop(slot: number): void {
    const piece = this.#slots[slot]!;
    this.#slots[slot] = undefined;
    this.#free.push(slot);
    this.#generations[slot]!++;
    this.#slotsByName.delete(this.#names[slot]!);
    this.#slotsByKey.delete(piece.key);
    this.#known.delete(piece);
    this.#options.cache.delete(this.#cacheKey(piece));
  }

  /** The name, or with `.2` and so on after it where another record has it: a kernel would hide the later one. */
  #unique(name: string): string {
    if (!this.#slotsByName.has(name)) return name;
    let n = (this.#lastTwin.get(name) ?? 1) + 1;
    while (this.#slotsByName.has(`${name}.${n}`)) n++;
    this.#lastTwin.set(name, n);
    this.warnings.add(
      'record-hidden',
      `${this.path}: a second record is named ${name}: a kernel shows only one of them, here it is ${name}.${n}`,
    );
    return `${name}.${n}`;
  }

  record(slot: number): PstoreRecord | undefined {
    const piece = this.#slots[slot];
    if (!piece) return undefined;
    const known = () => this.#learn(piece);
    const plain = this.#names[slot]!;
    const { type, id, mtimeNs, offset, title, state } = piece;
    return {
      slot,
      type,
      id: Number(id),
      ...(id > BigInt(Number.MAX_SAFE_INTEGER) && { id64: id }),
      get name() {
        return state === 'live' && known().isUndecodable ? `${plain}.enc.z` : plain;
      },
      get size() {
        return known().size;
      },
      mtimeNs,
      get reason() {
        return known().reason;
      },
      get count() {
        return known().count;
      },
      get part() {
        return known().part;
      },
      get compressed() {
        return known().compression;
      },
      get state() {
        if (state === 'salvaged') return 'salvaged';
        return known().isUndecodable ? 'undecodable' : 'live';
      },
      offset,
      title,
      ecc: null,
    };
  }

  find(name: string): number | undefined {
    const slot = this.#slotsByName.get(name) ?? this.#slotsByName.get(name.replace(/\.enc\.z$/, ''));
    return slot !== undefined && this.record(slot)?.name === name ? slot : undefined;
  }

  generation(slot: number): number {
    return this.#generations[slot] ?? 0;
  }

  // ── texts ──

  #cacheKey({ key }: P): string {
    return `pieces ${this.#number} ${key}`;
  }

  /**
   * Decodes a record once, for what a listing says of it. One that cannot be read has the size that it is stored with, and
   * a warning says so: nobody would read a file of no bytes, and be told. No thread helps: all that fits into a variable
   * store is decoded in ten milliseconds, and a thousand full records of ERST in the time that a thread takes to start and
   * to pay.
   */
  #learn(piece: P): Known {
    let known = this.#known.get(piece);
    if (!known) {
      known = this.#look(piece);
      this.#known.set(piece, known);
    }
    return known;
  }

  #look(piece: P): Known {
    try {
      if (!piece.isCompressed) return knownOf(piece, piece.size, this.#stored(piece, HEAD), null);
      const decoded = piece.size > MAX_HELD ? undefined : decode(piece, this.#stored(piece));
      if (!decoded) return { ...knownOf(piece, piece.size, new Uint8Array(0), null), isUndecodable: true };
      this.#options.cache.set(this.#cacheKey(piece), decoded.text);
      if (decoded.compression === 'zlib') this.#warnOfZlib(piece);
      return knownOf(piece, decoded.text.length, decoded.text, decoded.compression);
    } catch (error) {
      if (!(error instanceof PstoreError)) throw error;
      this.warnings.add('record-unreadable', error.message, piece.offset);
      return knownOf(piece, piece.size, new Uint8Array(0), null);
    }
  }

  /** Said once: a store has either many of them or none. */
  #warnOfZlib({ offset }: P): void {
    if (this.#saidZlib) return;
    this.#saidZlib = true;
    const what = 'records are zlib streams, as kernels from 3.12 to 4.16 wrote them';
    const kernel = 'later ones show them as they are stored, with .enc.z after their names';
    this.warnings.add('record-hidden', `${this.path}: ${what}: ${kernel}`, offset);
  }

  /** The first bytes of a piece. @throws PstoreError EIO where the medium ends before them: it was whole when it was scanned */
  #stored(piece: P, length = piece.size): Uint8Array {
    const { data, size, offset } = piece;
    const wanted = Math.min(length, size);
    const bytes = Extent.isOne(data) ? readRange(data.storage, data.offset, wanted) : data.slice(0, wanted);
    if (bytes.length < wanted) throw cutWhileInUse(this, offset + bytes.length);
    return bytes;
  }

  #bytes(piece: P): Uint8Array {
    const cached = this.#options.cache.get(this.#cacheKey(piece));
    if (cached) return cached;
    const stored = this.#stored(piece);
    return (piece.isCompressed ? decode(piece, stored)?.text : undefined) ?? stored;
  }

  open(slot: number): RecordContent {
    const piece = this.#slots[slot];
    if (!piece) throw new PstoreError('ENOENT', `${this.path}: slot ${slot} holds no record`, { path: this.path });
    return this.#content(piece);
  }

  #content(piece: P): RecordContent {
    return new PiecesContent([piece.size > MAX_HELD ? piece.data : this.#bytes(piece)]);
  }

  *erased(): Generator<ErasedRecord> {
    for (const piece of this.#sorted(this.#pieces.filter(({ state }) => state === 'erased'))) {
      const known = this.#learn(piece);
      const { type, id, name, mtimeNs, offset, title } = piece;
      const { size, reason, count, part, compression } = known;
      const numbers = { id: Number(id), ...(id > BigInt(Number.MAX_SAFE_INTEGER) && { id64: id }) };
      const told = { type, ...numbers, name, size, mtimeNs, reason, count, part, offset, title, ecc: null };
      yield {
        record: { slot: 0, ...told, compressed: compression, state: 'erased' },
        open: () => this.#content(piece),
        undelete: () => this.#undelete(piece),
      };
    }
  }

  #undelete(piece: P): void {
    const { name, offset } = piece;
    mustBeWritable(this, 'undeleted');
    const why = this.#store.whyNotRestored(piece);
    if (why !== null) throw refusal(name, this.path, why, offset);
    this.#store.restore(piece);
    this.refresh();
  }

  // ── changing ──

  erase(slot: number): void {
    const piece = this.#slots[slot];
    if (!piece) return;
    if (piece.state === 'salvaged') {
      throw new PstoreError(
        'EPERM',
        `${this.#names[slot]} is salvaged from offset ${piece.offset} of ${this.path}: a kernel knows no such record to erase`,
        { path: this.path, offset: piece.offset },
      );
    }
    const why = this.#store.whyNotErased;
    if (why !== null) {
      throw new PstoreError('EPERM', `${this.path}: ${piece.name} is not erased: ${why}`, { path: this.path });
    }
    mustBeWritable(this, 'erased');
    this.#store.erase(piece);
    this.#drop(slot);
    this.#pieces = this.#store.scan();
  }

  // ── the whole ──

  space(): SpaceUsage {
    return this.#store.space();
  }

  info(): BackendInfo {
    return { ...this.#store.info(), zones: this.#zones() };
  }

  *#zones(): Generator<ZoneInfo> {
    for (const [index, piece] of this.#pieces.entries()) {
      const { type, offset, room: size, remark } = piece;
      const isUndecodable = piece.state === 'live' && this.#learn(piece).isUndecodable;
      const why = isUndecodable ? 'it cannot be decompressed: it is shown as it is stored' : null;
      const reason = [this.#label(piece), remark, why].filter((known) => known !== null).join('; ') || null;
      const state = isUndecodable ? 'undecodable' : piece.state;
      yield { index, type, offset, size, state, reason };
    }
  }

  /** Which file it is, where it is shown. */
  #label(piece: P): string | null {
    const slot = this.#slotsByKey.get(piece.key);
    return slot === undefined ? null : this.#names[slot]!;
  }

  close(): void {
    for (const piece of this.#slots) if (piece) this.#options.cache.delete(this.#cacheKey(piece));
    this.#store.close();
  }
}

function knownOf(piece: Piece, size: number, text: Uint8Array, compression: string | null): Known {
  const head = piece.type === 'dmesg' ? parseHeadLine(text) : undefined;
  return {
    size,
    compression,
    isUndecodable: false,
    reason: head?.reason ?? null,
    count: piece.count ?? head?.count ?? null,
    part: piece.part ?? head?.part ?? null,
  };
}

/** What the text or a checksum proves; else what a kernel of today would make of it, which looks at no text. */
function decode({ slotSize = 0 }: Piece, stored: Uint8Array): { text: Uint8Array; compression: string } | undefined {
  const limit = Math.max(LIMIT_FACTOR * Math.max(stored.length, slotSize), MIN_LIMIT);
  return decodeRecord(stored, 'auto', limit) ?? decodeRecord(stored, 'deflate', limit);
}
