// Erased records as a backend of their own: what ls and cat show with --erased, and a mount in its folder .erased.

import { PstoreError } from '../errors.js';
import { isBrokenPlace } from '../storage/storage.js';
import type { Backend, BackendInfo, ErasedRecord, PstoreRecord, RecordContent, SpaceUsage } from './backend.js';
import { PiecesContent } from './content.js';
import { type ErasedPlace, type Remains, remainsOf } from './erased.js';
import { reasonInText, recordName } from './record.js';

/** After the name of what an older record has left after one that is there. */
const OLDER = '.older';
const encoder = new TextEncoder();

/** The record that a place held, or undefined where nothing of it can be read. */
export function erasedRecordOf(place: ErasedPlace, backend: string, path: string): ErasedRecord | undefined {
  const remains = survivingRemains(place);
  if (!remains) return undefined;
  const { text, compression, doubt } = remains;
  const { type, id, offset, mtimeNs, count, lead, kind, reason } = place;
  const isPlain = compression === null && place.compressed !== 'yes';
  const name = `${recordName(type, backend, id, 'erased')}${kind === 'rest' ? OLDER : ''}`;
  const trail = place.trail?.(remains.length) ?? '';
  const before = isPlain ? lead : '';
  const bytes = ({ text: found }: Remains) => [encoder.encode(before), found, encoder.encode(trail)];
  const record: PstoreRecord = {
    slot: 0,
    type,
    id,
    name,
    size: before.length + text.length + trail.length,
    mtimeNs,
    reason: reason === undefined ? reasonInText(text) : reason,
    count,
    compressed: compression,
    state: 'erased',
    offset,
    title: null,
    ecc: null,
  };
  const { length } = remains;
  return {
    record,
    open: () => new PiecesContent(bytes(remainsOf(place) ?? remains)),
    undelete: () => {
      const why =
        kind === 'rest' ? 'another record stands in its place' : place.restore ? doubt : 'nothing can be taken back';
      if (why !== null || !place.restore) throw refusal(name, path, why ?? '', offset);
      place.restore(length);
    },
  };
}

/** What cannot be read is not shown; the other records are. */
function survivingRemains(place: ErasedPlace): Remains | undefined {
  try {
    return remainsOf(place);
  } catch (error) {
    if (isBrokenPlace(error)) return undefined;
    throw error;
  }
}

/** Why a record is not taken back. */
export function refusal(name: string, path: string, why: string, offset: number): PstoreError {
  return new PstoreError('EPERM', `${path}: ${name} is not undeleted: ${why}; cat --erased shows what is left of it`, {
    path,
    offset,
  });
}

/** As it was found, and by what it is known again. */
interface Erased extends ErasedRecord {
  readonly key: string;
}

/** The erased records of a backend, each in a slot of its own. It is not changed but by undelete(). */
export class ErasedRecords implements Backend {
  readonly writable = false;
  readonly #inner: Backend;
  readonly #records: (Erased | undefined)[] = [];
  readonly #generations: number[] = [];
  /** By name; a name keeps its slot. */
  readonly #slots = new Map<string, number>();
  #isStale = true;

  constructor(inner: Backend) {
    this.#inner = inner;
  }

  get name(): string {
    return this.#inner.name;
  }

  get path(): string {
    return this.#inner.path;
  }

  get warnings(): Backend['warnings'] {
    return this.#inner.warnings;
  }

  get slots(): number {
    this.#look();
    return this.#records.length;
  }

  /** What was erased is looked for again when somebody asks the next time: that takes longer than to erase. */
  refresh(): boolean {
    this.#isStale = true;
    return true;
  }

  #look(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    const seen = new Set<number>();
    for (const erased of this.#inner.erased?.() ?? []) {
      // A store may have several of one name, of which each was erased.
      let { name } = erased.record;
      for (let n = 2; seen.has(this.#slots.get(name) ?? -1); n++) name = `${erased.record.name}.${n}`;
      const slot = this.#slots.get(name) ?? this.#records.length;
      this.#slots.set(name, slot);
      seen.add(slot);
      const { mtimeNs, count, offset, size } = erased.record;
      this.#put(slot, {
        ...erased,
        record: { ...erased.record, name, slot },
        key: `${mtimeNs} ${count} ${offset} ${size}`,
      });
    }
    for (let slot = 0; slot < this.#records.length; slot++) if (!seen.has(slot)) this.#put(slot, undefined);
  }

  #put(slot: number, erased: Erased | undefined): void {
    if (this.#records[slot]?.key !== erased?.key) this.#generations[slot] = (this.#generations[slot] ?? 0) + 1;
    this.#records[slot] = erased;
  }

  record(slot: number): PstoreRecord | undefined {
    this.#look();
    return this.#records[slot]?.record;
  }

  find(name: string): number | undefined {
    this.#look();
    const slot = this.#slots.get(name);
    return slot !== undefined && this.#records[slot] ? slot : undefined;
  }

  generation(slot: number): number {
    return this.#generations[slot] ?? 0;
  }

  open(slot: number): RecordContent {
    return this.#at(slot).open();
  }

  /** @throws PstoreError as ErasedRecord.undelete() */
  undelete(slot: number): void {
    this.#at(slot).undelete();
    this.refresh();
  }

  #at(slot: number): ErasedRecord {
    this.#look();
    const record = this.#records[slot];
    if (record) return record;
    throw new PstoreError('ENOENT', `${this.path}: there is no erased record in slot ${slot}`, { path: this.path });
  }

  erase(slot: number): void {
    const name = this.#records[slot]?.record.name ?? 'it';
    throw new PstoreError('EPERM', `${this.path}: ${name} is erased already`, { path: this.path });
  }

  space(): SpaceUsage {
    this.#look();
    return { bytes: 0, freeBytes: 0, records: this.#records.filter(Boolean).length, freeSlots: 0 };
  }

  info(): BackendInfo {
    return this.#inner.info();
  }

  /** The backend below stays open: it is its owner's. */
  close(): void {}
}
