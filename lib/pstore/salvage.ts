// The option salvage, over any backend: shows what a kernel passes over and a person can read, and the readable
// beginnings of records that do not decompress.

import { decodeRecord, decodeStart, MAX_TEXT, mostStored } from '../compress/decompress.js';
import { PstoreError } from '../errors.js';
import { type Backend, type PassedOver, type PstoreRecord, parseRecordName } from './backend.js';
import { TextCache } from './cache.js';
import { PiecesContent, recordBytes } from './content.js';
import { MIN_TEXT, plausibleText } from './plausible-text.js';
import { NO_DETAILS, reasonInText, recordName } from './record.js';

const SUFFIX = '.salvaged';

/** Text ÷ stored bytes that a stream may have: far more than any log compresses to. */
const DENSEST = 64;

interface Salvaged {
  /** As a listing shows it, but for the slot. */
  readonly record: PstoreRecord;
  readonly text: Uint8Array;
  /** Why it cannot be erased. */
  readonly refusal: string;
}

/** What is kept of a slot: the text is in the cache, or is found again. */
interface Known {
  readonly generation: number;
  readonly salvaged: Omit<Salvaged, 'text'> | undefined;
}

/**
 * Shows in the slot of each place what a kernel passes over there. After these slots come as many again, for what can be
 * salvaged beside the record that a place shows.
 * @param inner a backend that never has more slots than at first
 */
export function withSalvage(inner: Backend, cache: TextCache = new TextCache()): Backend {
  const slots = new SalvageSlots(inner, cache);
  return {
    name: inner.name,
    path: inner.path,
    ...(inner.hasUsualNames && { hasUsualNames: true }),
    warnings: inner.warnings,
    slots: slots.count,
    get writable() {
      return inner.writable;
    },
    record: (slot) => slots.record(slot),
    find: (name) => slots.named(name),
    generation: (slot) => slots.generation(slot),
    open: (slot) => {
      if (slots.shown(slot)) return inner.open(slot);
      const text = slots.text(slot);
      if (text) return new PiecesContent([text]);
      throw new PstoreError('ENOENT', `${inner.path}: there is no record in slot ${slot}`, { path: inner.path });
    },
    erase: (slot) => {
      const salvaged = inner.writable && !slots.shown(slot) ? slots.salvaged(slot) : undefined;
      if (!salvaged) return inner.erase(slot);
      const { name, offset } = salvaged.record;
      throw new PstoreError('EPERM', `${name} ${salvaged.refusal}`, { path: inner.path, offset });
    },
    erasedWith: (slot) => [...(inner.erasedWith?.(slot) ?? []), ...slots.beside(slot)],
    ...(inner.write && { write: (one) => inner.write!(one) }),
    ...(inner.repair && { repair: () => inner.repair!() }),
    ...(inner.refresh && { refresh: () => inner.refresh!() }),
    ...(inner.erased && { erased: () => inner.erased!() }),
    space: () => inner.space(),
    info: () => inner.info(),
    close: () => inner.close(),
  };
}

let instances = 0;

/** The slots of a backend, and as many again: what is salvaged in each, found once for each generation. */
class SalvageSlots {
  readonly #inner: Backend;
  readonly #cache: TextCache;
  /** Slots of the backend itself. */
  readonly #own: number;
  readonly #known = new Map<number, Known>();
  readonly #prefix = `salvage:${instances++}:`;

  constructor(inner: Backend, cache: TextCache) {
    this.#inner = inner;
    this.#cache = cache;
    this.#own = inner.slots;
  }

  get count(): number {
    return 2 * this.#own;
  }

  #placeOf(slot: number): number {
    return slot < this.#own ? slot : slot - this.#own;
  }

  generation(slot: number): number {
    return this.#inner.generation(this.#placeOf(slot));
  }

  #keyOf(slot: number): string {
    return `${this.#prefix}${slot}:${this.generation(slot)}`;
  }

  /** The slot of what is salvaged beside the record of a slot. */
  beside(slot: number): number[] {
    return slot < this.#own ? [slot + this.#own] : [];
  }

  /** What the backend itself shows in a slot. */
  shown(slot: number): PstoreRecord | undefined {
    return slot < this.#own ? this.#inner.record(slot) : undefined;
  }

  record(slot: number): PstoreRecord | undefined {
    const shown = this.shown(slot);
    if (shown) return shown;
    const salvaged = slot >= 0 && slot < this.count ? this.salvaged(slot) : undefined;
    return salvaged && { ...salvaged.record, slot };
  }

  named(name: string): number | undefined {
    const inner = this.#inner;
    const plain = inner.find(name);
    if (plain !== undefined || !name.endsWith(SUFFIX)) return plain;
    const parsed = parseRecordName(inner.name, name);
    const place = (parsed && inner.slotOf?.(parsed.type, parsed.id)) ?? inner.find(name.slice(0, -SUFFIX.length));
    if (place === undefined) return undefined;
    return [place, place + this.#own].find((slot) => this.record(slot)?.name === name);
  }

  salvaged(slot: number): Known['salvaged'] {
    const shown = this.#inner.record(this.#placeOf(slot));
    if (slot < this.#own === (shown !== undefined)) return undefined;
    const generation = this.generation(slot);
    const before = this.#known.get(slot);
    if (before?.generation === generation) return before.salvaged;
    const found = this.#find(slot, shown);
    if (found) this.#cache.set(this.#keyOf(slot), found.text);
    const salvaged = found && { record: found.record, refusal: found.refusal };
    this.#known.set(slot, { generation, salvaged });
    return salvaged;
  }

  text(slot: number): Uint8Array | undefined {
    if (!this.salvaged(slot)) return undefined;
    const cached = this.#cache.get(this.#keyOf(slot));
    return cached ?? this.#find(slot, this.#inner.record(this.#placeOf(slot)))?.text;
  }

  /** Finds what is salvaged in the place of a record, or beside one. */
  #find(slot: number, shown: PstoreRecord | undefined): Salvaged | undefined {
    if (shown?.state === 'undecodable') return beginningOf(this.#inner, shown);
    const passed = this.#inner.passedOver?.(this.#placeOf(slot));
    return passed && salvage(this.#inner, passed);
  }
}

/** What a person can read of a place that a kernel passes over; undefined where there is hardly any text. */
export function readableText({ stored, kind, limit }: PassedOver): Readable | undefined {
  if (kind === 'made') return stored.length === 0 ? undefined : { text: stored, compression: null };
  const decoded = kind === 'dump' ? (decodeRecord(stored, 'auto', limit) ?? decodeStart(stored, limit)) : undefined;
  const text = plausibleText(decoded?.text ?? stored);
  return text.length < MIN_TEXT ? undefined : { text, compression: decoded?.compression ?? null };
}

interface Readable {
  readonly text: Uint8Array;
  readonly compression: string | null;
}

function salvage(inner: Backend, passed: PassedOver): Salvaged | undefined {
  const { type, id, offset } = passed;
  const readable = readableText(passed);
  if (!readable) return undefined;
  const { text, compression } = readable;
  return {
    text,
    refusal:
      `is salvaged from a damaged place at offset ${offset} of ${inner.path}: ` +
      'a kernel knows no such record to erase',
    record: {
      ...NO_DETAILS,
      slot: 0,
      type,
      id,
      name: recordName(type, inner.name, id, 'salvaged'),
      size: text.length,
      mtimeNs: passed.mtimeNs,
      reason: passed.reason === undefined ? reasonInText(text) : passed.reason,
      count: passed.count,
      compressed: compression,
      state: 'salvaged',
      offset,
    },
  };
}

/** The beginning of a record that does not decompress, where that is readable. */
function beginningOf(inner: Backend, shown: PstoreRecord): Salvaged | undefined {
  let stored: Uint8Array;
  try {
    stored = recordBytes(inner, shown.slot, mostStored(MAX_TEXT));
  } catch (error) {
    // That its place cannot be read is said to whoever reads the record itself.
    if (error instanceof PstoreError) return undefined;
    throw error;
  }
  const decoded = decodeStart(stored, DENSEST * stored.length);
  const text = decoded && plausibleText(decoded.text);
  if (!text || text.length < MIN_TEXT) return undefined;
  const { compression } = decoded;
  const name = `${shown.name}${SUFFIX}`;
  return {
    text,
    refusal: `is the readable part of ${shown.name}: erase that one`,
    record: { ...shown, name, size: text.length, compressed: compression, state: 'salvaged' },
  };
}
