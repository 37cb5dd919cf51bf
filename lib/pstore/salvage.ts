// The option salvage, over any backend: shows what a kernel passes over and a person can read, and the readable
// beginnings of records that do not decompress.

import { decodeRecord, decodeStart } from '../compress/decompress.js';
import { PstoreError } from '../errors.js';
import { type Backend, type PassedOver, type PstoreRecord, parseRecordName } from './backend.js';
import { TextCache } from './cache.js';
import { contentBytes, PiecesContent } from './content.js';
import { LEAST_TEXT, plausibleText } from './plausible-text.js';
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

let instances = 0;

/**
 * Shows in the slot of each place what a kernel passes over there. After these slots come as many again, for what can be
 * salvaged beside the record that a place shows.
 * @param inner a backend that never has more slots than at first
 */
export function withSalvage(inner: Backend, cache: TextCache = new TextCache()): Backend {
  const count = inner.slots;
  const known = new Map<number, Known>();
  const prefix = `salvage:${instances++}:`;
  const placeOf = (slot: number) => (slot < count ? slot : slot - count);
  const keyOf = (slot: number) => `${prefix}${slot}:${inner.generation(placeOf(slot))}`;

  /** Finds what is salvaged in the place of a record, or beside one. */
  const find = (slot: number, shown: PstoreRecord | undefined): Salvaged | undefined => {
    if (shown?.state === 'undecodable') return beginningOf(inner, shown);
    const passed = inner.passedOver?.(placeOf(slot));
    return passed && salvage(inner, passed);
  };

  const look = (slot: number): Known['salvaged'] => {
    const shown = inner.record(placeOf(slot));
    if (slot < count === (shown !== undefined)) return undefined;
    const generation = inner.generation(placeOf(slot));
    const before = known.get(slot);
    if (before?.generation === generation) return before.salvaged;
    const found = find(slot, shown);
    if (found) cache.set(keyOf(slot), found.text);
    const salvaged = found && { record: found.record, refusal: found.refusal };
    known.set(slot, { generation, salvaged });
    return salvaged;
  };

  const record = (slot: number): PstoreRecord | undefined => {
    const shown = slot < count ? inner.record(slot) : undefined;
    if (shown) return shown;
    const salvaged = slot >= 0 && slot < 2 * count ? look(slot) : undefined;
    return salvaged && { ...salvaged.record, slot };
  };

  const slotNamed = (name: string): number | undefined => {
    const plain = inner.find(name);
    if (plain !== undefined || !name.endsWith(SUFFIX)) return plain;
    const parsed = parseRecordName(inner.name, name);
    const place = parsed && (inner.slotOf?.(parsed.type, parsed.id) ?? inner.find(name.slice(0, -SUFFIX.length)));
    if (place === undefined) return undefined;
    return [place, place + count].find((slot) => record(slot)?.name === name);
  };

  return {
    name: inner.name,
    path: inner.path,
    ...(inner.hasUsualNames && { hasUsualNames: true }),
    warnings: inner.warnings,
    slots: 2 * count,
    get writable() {
      return inner.writable;
    },
    record,
    find: slotNamed,
    generation: (slot) => inner.generation(placeOf(slot)),
    open: (slot) => {
      if (slot < count && inner.record(slot)) return inner.open(slot);
      const text = look(slot) && (cache.get(keyOf(slot)) ?? find(slot, inner.record(placeOf(slot)))?.text);
      if (text) return new PiecesContent([text]);
      throw new PstoreError('ENOENT', `${inner.path}: there is no record in slot ${slot}`, { path: inner.path });
    },
    erase: (slot) => {
      const salvaged = inner.writable && !(slot < count && inner.record(slot)) ? look(slot) : undefined;
      if (!salvaged) return inner.erase(slot);
      const { name, offset } = salvaged.record;
      throw new PstoreError('EPERM', `${name} ${salvaged.refusal}`, { path: inner.path, offset });
    },
    ...(inner.write && { write: (one) => inner.write!(one) }),
    ...(inner.repair && { repair: () => inner.repair!() }),
    ...(inner.refresh && { refresh: () => inner.refresh!() }),
    ...(inner.erased && { erased: () => inner.erased!() }),
    space: () => inner.space(),
    info: () => inner.info(),
    close: () => inner.close(),
  };
}

/** What a person can read of a place that a kernel passes over; undefined where there is hardly any text. */
export function readableText({ stored, kind, limit }: PassedOver): Readable | undefined {
  if (kind === 'made') return stored.length === 0 ? undefined : { text: stored, compression: null };
  const decoded = kind === 'dump' ? (decodeRecord(stored, 'auto', limit) ?? decodeStart(stored, limit)) : undefined;
  const text = plausibleText(decoded?.text ?? stored);
  return text.length < LEAST_TEXT ? undefined : { text, compression: decoded?.compression ?? null };
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
    stored = contentBytes(inner.open(shown.slot));
  } catch (error) {
    // That its place cannot be read is said to whoever reads the record itself.
    if (error instanceof PstoreError) return undefined;
    throw error;
  }
  const decoded = decodeStart(stored, DENSEST * stored.length);
  const text = decoded && plausibleText(decoded.text);
  if (!text || text.length < LEAST_TEXT) return undefined;
  const { compression } = decoded;
  const name = `${shown.name}${SUFFIX}`;
  return {
    text,
    refusal: `is the readable part of ${shown.name}: erase that one`,
    record: { ...shown, name, size: text.length, compressed: compression, state: 'salvaged' },
  };
}
