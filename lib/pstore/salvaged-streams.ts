// The readable beginnings of records that do not decompress, as records of their own beside them: the option salvage.

import { decodeStart } from '../compress/decompress.js';
import { PstoreError } from '../errors.js';
import type { Backend, PstoreRecord } from './backend.js';
import { contentBytes, PiecesContent } from './content.js';
import { LEAST_TEXT, plausibleText } from './salvage.js';

const SUFFIX = '.salvaged';

interface Beginning {
  /** Of the record that it is the beginning of. */
  readonly generation: number;
  /** Empty where nothing of it can be read. */
  readonly text: Uint8Array;
  readonly compression: string;
}

/**
 * Behind the slots of a backend as many again: the beginning of what each of them shows with `.enc.z`, where that is
 * readable.
 * @param inner a backend that never has more slots than at first
 */
export function withSalvagedStreams(inner: Backend): Backend {
  const count = inner.slots;
  const found = new Map<number, Beginning>();

  const beginning = (slot: number): { record: PstoreRecord; beginning: Beginning } | undefined => {
    const record = inner.record(slot);
    if (record?.state !== 'undecodable') return undefined;
    const generation = inner.generation(slot);
    let known = found.get(slot);
    if (known?.generation !== generation) {
      known = { generation, ...readBeginning(inner, slot) };
      found.set(slot, known);
    }
    return known.text.length > 0 ? { record, beginning: known } : undefined;
  };

  const record = (slot: number): PstoreRecord | undefined => {
    if (slot < count) return inner.record(slot);
    const salvaged = beginning(slot - count);
    if (!salvaged) return undefined;
    const { text, compression } = salvaged.beginning;
    return {
      ...salvaged.record,
      slot,
      name: `${salvaged.record.name}${SUFFIX}`,
      size: text.length,
      compressed: compression,
      state: 'salvaged',
    };
  };

  const find = (name: string): number | undefined => {
    const plain = inner.find(name);
    if (plain !== undefined || !name.endsWith(SUFFIX)) return plain;
    const slot = inner.find(name.slice(0, -SUFFIX.length));
    return slot !== undefined && beginning(slot) ? slot + count : undefined;
  };

  return {
    name: inner.name,
    path: inner.path,
    warnings: inner.warnings,
    slots: 2 * count,
    get writable() {
      return inner.writable;
    },
    record,
    find,
    generation: (slot) => inner.generation(slot < count ? slot : slot - count),
    open: (slot) => {
      if (slot < count) return inner.open(slot);
      const salvaged = beginning(slot - count);
      if (!salvaged) throw new PstoreError('ENOENT', `${inner.path}: there is no record in slot ${slot}`);
      return new PiecesContent([salvaged.beginning.text]);
    },
    erase: (slot) => {
      if (slot < count || !record(slot)) return inner.erase(slot);
      const whole = inner.record(slot - count)!;
      const why = `is the readable part of ${whole.name}: erase that one`;
      throw new PstoreError('EPERM', `${whole.name}${SUFFIX} ${why}`, { path: inner.path, offset: whole.offset });
    },
    ...(inner.write && { write: (one) => inner.write!(one) }),
    ...(inner.repair && { repair: () => inner.repair!() }),
    ...(inner.refresh && { refresh: () => inner.refresh!() }),
    space: () => inner.space(),
    info: () => inner.info(),
    close: () => inner.close(),
  };
}

/** Text ÷ stored bytes that a stream may have: far more than any log compresses to. */
const DENSEST = 64;

const NOTHING = { text: new Uint8Array(0), compression: '' };

function readBeginning(inner: Backend, slot: number): Pick<Beginning, 'text' | 'compression'> {
  let stored: Uint8Array;
  try {
    stored = contentBytes(inner.open(slot));
  } catch (error) {
    // That its place cannot be read is said to whoever reads the record itself.
    if (error instanceof PstoreError) return NOTHING;
    throw error;
  }
  const decoded = decodeStart(stored, DENSEST * stored.length);
  const text = plausibleText(decoded?.text ?? NOTHING.text);
  return decoded && text.length >= LEAST_TEXT ? { text, compression: decoded.compression } : NOTHING;
}
