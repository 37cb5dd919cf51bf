// A flash image: its firmware volumes, the variable stores in them, and the dumps in those.

import { PstoreError } from '../errors.js';
import { guidBytes } from '../guid.js';
import { Extent } from '../storage/extent.js';
import { occurrences } from '../storage/occurrences.js';
import { readRange, readStillThere, type Storage } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import { Window } from '../storage/window.js';
import { CRASH_GUID_BYTES, parseDumpName } from './dump-name.js';
import { type FoundDump, type Listing, MAX_DUMPS, tooMany, type VariablePlace, type VariableSpace } from './place.js';
import {
  ERASED_BIT,
  headerBefore,
  MAX_HEAD,
  type RecordHead,
  type RecordLayout,
  readRecord,
  readStoreHeader,
  STATE_AT,
  type Stop,
  type Store,
  walkStore,
} from './store.js';
import type { EfiVariable } from './variable.js';
import { findVolumes, type Volume } from './volume.js';

/** The largest SPI flash of a board, and the size of AAVMF's file. A larger image is looked at up to here. */
export const MAX_FLASH = 64 << 20;
/** What a store begins with. */
const STORE_SIGNATURES: readonly Uint8Array[] = [
  guidBytes('aaf32c78-947b-439a-a180-2e144ec37792'),
  guidBytes('ddcf3616-3275-4164-98b6-fe85707ffe7d'),
  new TextEncoder().encode('$VSS'),
  new TextEncoder().encode('$SVS'),
];

/** A store, and the volume that it stands in, if there is one. */
export interface PlacedStore {
  readonly store: Store;
  readonly volume: Volume | null;
  /** Whether its header is lost, and it is told by the dumps in it. */
  readonly isHeadless?: boolean;
}

/** The variable stores of an image: none where it has none. */
export function findStores(storage: Storage): PlacedStore[] {
  const end = Math.min(storage.size, MAX_FLASH);
  const found: PlacedStore[] = [];
  for (const volume of findVolumes(storage, end)) {
    const limit = volume.offset + volume.length;
    const store = readStoreHeader(storage, volume.offset + volume.headerLength, limit);
    if (store) found.push({ store, volume });
    else
      found.push(
        ...searchStores(storage, volume.offset, Math.min(limit, volume.offset + MAX_BARE), limit).map((other) => ({
          store: other,
          volume,
        })),
      );
  }
  if (found.length > 0) return found;
  const bare = bareStore(storage);
  return bare.length > 0 ? bare : headlessStore(storage, end);
}

/** How far a store may stand after its volume's header, or after the place where that was. */
const MAX_BARE = 1 << 20;

/** A store in front of which no volume stands: only the first, because a second one may be the copy of a reclaim. */
function bareStore(storage: Storage): PlacedStore[] {
  const [store] = searchStores(storage, 0, Math.min(storage.size, MAX_BARE), storage.size);
  return store ? [{ store, volume: null }] : [];
}

/**
 * A store whose header is lost: it begins for us with the first dump in it. Looked for as far as a store may stand
 * without a volume, and everywhere where a block of the image cannot be read.
 */
function headlessStore(storage: Storage, end: number): PlacedStore[] {
  const window = new Window(storage);
  const limit = storage.isLost?.(0, end) ? end : Math.min(end, MAX_BARE);
  for (const at of occurrences(storage, CRASH_GUID_BYTES, 0, limit)) {
    for (const layout of ['authenticated', 'plain'] as const) {
      const offset = headerBefore(at, layout);
      const record = offset < 0 ? undefined : readRecord(window, offset, end, layout);
      if (!record?.isDump || parseDumpName(record.name) === undefined) continue;
      const size = end - offset;
      const store: Store = { format: layout, layout, offset, size, claimedSize: size, first: offset, isHealthy: true };
      return [{ store, volume: null, isHeadless: true }];
    }
  }
  return [];
}

/** Stores that begin in a range, by what they begin with. */
export function searchStores(storage: Storage, from: number, end: number, limit = end): Store[] {
  const stores: Store[] = [];
  for (const signature of STORE_SIGNATURES) {
    for (const at of occurrences(storage, signature, from, end)) {
      const store = readStoreHeader(storage, at, limit);
      if (store && stores.length < MAX_STORES) stores.push(store);
    }
  }
  return stores.sort((a, b) => a.offset - b.offset);
}

/** More than any board has. */
const MAX_STORES = 16;

export class FlashImage implements VariablePlace {
  readonly format: string;
  readonly whyNotErased: string | null;
  readonly #storage: SurvivingStorage;
  readonly #stores: readonly PlacedStore[];

  constructor(storage: SurvivingStorage, stores: readonly PlacedStore[]) {
    this.#storage = storage;
    this.#stores = stores;
    const isHeadless = stores.some((store) => store.isHeadless);
    this.whyNotErased = isHeadless ? 'the header of the store is lost, and no firmware reads it any more' : null;
    this.format = [...new Set(stores.map(({ store }) => FORMATS[store.format]))].join(' and ');
  }

  get details(): Readonly<Record<string, string>> {
    const details: Record<string, string> = {};
    for (const [i, { store, volume }] of this.#stores.entries()) {
      const number = this.#stores.length === 1 ? '' : ` ${i}`;
      if (volume) details[`volume${number}`] = `${volume.length} bytes from offset ${volume.offset} on`;
      details[`store${number}`] = `${store.size} bytes from offset ${store.offset} on, ${FORMATS[store.format]}`;
    }
    return details;
  }

  list(): Listing {
    const dumps: FoundDump[] = [];
    const damages: Listing['damages'][number][] = [];
    const spaces: StoreSpace[] = [];
    let others = 0;
    for (const placed of this.#stores) {
      const { offset, size } = placed.store;
      const before = dumps.length;
      const walked = this.#walk(placed.store, dumps, damages);
      others += walked.others;
      spaces.push({ bytes: size, free: offset + size - walked.end, hasDumps: dumps.length > before });
      damages.push(...damagesOf(placed));
    }
    dumps.push(...this.#strays(new Set(dumps.map(({ variable }) => variable.offset))));
    if (dumps.length >= MAX_DUMPS) damages.push({ text: tooMany, offset: null });
    // How large a store is, its header alone says.
    const isKnown = !this.#stores.some(({ isHeadless }) => isHeadless);
    return { dumps, others, space: isKnown ? spaceOf(spaces) : null, damages };
  }

  /** Records of one store. Those after a torn or damaged header are lost to the machine, which takes that place for the end. */
  #walk(store: Store, dumps: FoundDump[], damages: Listing['damages'][number][]): { others: number; end: number } {
    let others = 0;
    const live = new Set<string>();
    const first = dumps.length;
    const walk = walkStore(this.#storage, store);
    for (;;) {
      const { value, done } = walk.next();
      if (done) {
        const { end, isCut, stop } = value;
        if (stop) damages.push({ text: STOPS[stop.why](stop), offset: stop.offset });
        if (isCut) damages.push({ text: cutSentence(end), offset: end });
        hideReplaced(dumps, first, live);
        return { others, end };
      }
      const { record, after } = value;
      if (!record.isDump) {
        if (record.state === 'live') others++;
      } else if (dumps.length < MAX_DUMPS) {
        if (record.state === 'live') live.add(record.name);
        const hidden = after === null ? null : `it stands after a ${after} header`;
        dumps.push({ variable: this.#variable(record), hidden, isStray: false });
      }
    }
  }

  #variable(record: RecordHead): EfiVariable {
    const { dataOffset, dataSize, ...rest } = record;
    return { ...rest, data: Extent.at(this.#storage.medium, dataOffset, dataSize) };
  }

  /**
   * Records with the GUID of dumps that no walk has come to: after a damaged header, in what the firmware has begun to
   * write over, and in the copy of the store that it makes while it reclaims space. Where one begins in the data of
   * another, the size of that one is damaged: it ends there, so that no byte is shown again and again.
   */
  #strays(known: ReadonlySet<number>): FoundDump[] {
    const window = new Window(this.#storage);
    const strays: FoundDump[] = [];
    for (const { from, end, layout } of this.#ranges()) {
      let last: RecordHead | undefined;
      for (const at of occurrences(this.#storage, CRASH_GUID_BYTES, from, end)) {
        const offset = headerBefore(at, layout);
        if (offset < from || known.has(offset)) continue;
        if (strays.length === MAX_DUMPS - known.size) return strays;
        const record = readRecord(window, offset, end, layout);
        if (!record?.isDump) continue;
        if (last && offset < last.offset + last.size) strays[strays.length - 1] = this.#stray(last, offset);
        strays.push(this.#stray(record));
        last = record;
      }
    }
    return strays;
  }

  /** @param end where another record begins in its data */
  #stray(record: RecordHead, end?: number): FoundDump {
    const why = 'no walk through the store comes to it';
    if (end === undefined) return { variable: this.#variable(record), hidden: why, isStray: true };
    const dataSize = Math.max(0, end - record.dataOffset);
    const whole = record.dataOffset + dataSize - record.offset;
    const hidden = `${why}; it is cut where another record begins in its data`;
    return { variable: this.#variable({ ...record, dataSize, size: whole }), hidden, isStray: true };
  }

  /** The bytes of all volumes, each once. */
  *#ranges(): Generator<{ from: number; end: number; layout: RecordLayout }> {
    const seen = new Set<number>();
    for (const { store, volume } of this.#stores) {
      const from = volume?.offset ?? store.offset;
      if (seen.has(from)) continue;
      seen.add(from);
      yield { from, end: volume ? from + volume.length : from + store.size, layout: store.layout };
    }
  }

  /** One byte: the state loses a bit, as edk2's DeleteVariable does it. Name and data stay. */
  erase({ variable }: FoundDump): void {
    const { offset, head } = variable;
    readStillThere(this.#storage, offset, head.length);
    const now = readRange(this.#storage, offset, Math.min(head.length, MAX_HEAD));
    const isSame = now.length === head.length && now.every((byte, i) => i === STATE_AT || byte === head[i]);
    const state = now[STATE_AT];
    if (!isSame || state === undefined || (state & ERASED_BIT) === 0) return;
    this.#storage.write(new Uint8Array([state & ~ERASED_BIT]), offset + STATE_AT);
    this.#storage.sync();
  }

  /** The bit that erase() has taken from the state. */
  restore({ variable }: FoundDump): void {
    const { offset, head } = variable;
    readStillThere(this.#storage, offset, head.length);
    const now = readRange(this.#storage, offset, Math.min(head.length, MAX_HEAD));
    const state = now[STATE_AT] ?? 0;
    if (now.length !== head.length || !now.every((byte, i) => byte === head[i])) {
      const { path } = this.#storage;
      throw new PstoreError('EBUSY', `${path}: another variable stands at offset ${offset} now; list again`, {
        path,
        offset,
      });
    }
    this.#storage.write(new Uint8Array([state | ERASED_BIT]), offset + STATE_AT);
    this.#storage.sync();
  }

  close(): void {
    this.#storage.close();
  }
}

interface StoreSpace {
  readonly bytes: number;
  readonly free: number;
  readonly hasDumps: boolean;
}

/** The next dump goes where others are: of two such stores the fuller one counts. Without any dumps it is the first store. */
function spaceOf(stores: readonly StoreSpace[]): VariableSpace {
  const used = stores.filter(({ hasDumps }) => hasDumps);
  const sum = (key: 'bytes' | 'free') => stores.reduce((all, store) => all + store[key], 0);
  const frees = (used.length > 0 ? used : stores.slice(0, 1)).map(({ free }) => free);
  return { bytes: sum('bytes'), freeBytes: sum('free'), freeForDumps: Math.min(...frees) };
}

const FORMATS: Readonly<Record<Store['format'], string>> = {
  authenticated: 'authenticated variables',
  plain: 'variables without authentication',
  $VSS: 'variables of an older board ($VSS)',
  $SVS: 'variables of an Apple board ($SVS)',
};

/** A record whose deletion has begun is live until the newer copy of it is. */
function hideReplaced(dumps: FoundDump[], first: number, live: ReadonlySet<string>): void {
  for (let i = first; i < dumps.length; i++) {
    const { variable } = dumps[i]!;
    if (variable.state !== 'replaced') continue;
    dumps[i] = { ...dumps[i]!, variable: { ...variable, state: live.has(variable.name) ? 'erased' : 'live' } };
  }
}

const STOPS: Readonly<Record<Stop['why'], (stop: Stop) => string>> = {
  torn: ({ offset, behind }) =>
    `the header of a variable at offset ${offset} was never declared valid: a firmware takes that place for the end of its store, does not see the ${behind} variables after it, and writes over them at its next start`,
  damaged: ({ offset, behind }) =>
    `no whole variable stands at offset ${offset}, where the sizes before it end: a firmware takes that place for the end of its store, and does not see the ${behind} variables that are found after it`,
};

function cutSentence(end: number): string {
  return `the variables end at offset ${end}, where neither another one nor free space begins: what follows is damaged`;
}

function damagesOf({ store, volume, isHeadless }: PlacedStore): Listing['damages'][number][] {
  if (isHeadless) {
    const text = 'no header of a variable store is left, no firmware finds it; what follows the first dump is shown';
    return [{ text, offset: store.offset }];
  }
  const damages: Listing['damages'][number][] = [];
  if (!volume && store.offset > 0) {
    damages.push({
      text: 'no header of a firmware volume stands in front of the variable store',
      offset: store.offset,
    });
  }
  if (volume && !volume.isSound) {
    damages.push({ text: 'the header of the firmware volume is damaged', offset: volume.offset });
  }
  if (!store.isHealthy) {
    const text = 'the variable store does not say that it is healthy: a firmware may take it for empty';
    damages.push({ text, offset: store.offset });
  }
  if (store.claimedSize > store.size) {
    const text = `the variable store has ${store.claimedSize} bytes, but only ${store.size} are there: was it cut?`;
    damages.push({ text, offset: store.offset });
  }
  return damages;
}
