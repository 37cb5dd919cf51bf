// Dumps of several parts, joined: a kernel cuts a log into as many records as it takes, a person wants one text.

import { PstoreError } from '../errors.js';
import type { Warnings } from '../warnings.js';
import type { Backend, BackendInfo, PstoreRecord, RecordContent, SpaceUsage } from './backend.js';
import { PiecesContent, recordBytes } from './content.js';
import { type HeadLine, MAX_HEAD_LINE, parseHeadLine } from './head-line.js';

/** What stands after the name of a dump's newest part. */
export const JOINED_SUFFIX = '.joined';

/** A record that is a part of a dump. */
export interface DumpPart {
  readonly slot: number;
  readonly name: string;
  /** Number of the dump in its boot. */
  readonly count: number;
  /** From 1 at the end of the log. */
  readonly part: number;
  /** null where the record does not tell. */
  readonly reason: string | null;
  /** Nanoseconds since 1970, or null. */
  readonly timeNs: bigint | null;
  /** Rises with time within a boot where times are the same. */
  readonly order: bigint;
  readonly state: PstoreRecord['state'];
  /** The first line of its text, where that is such a one. */
  readonly head?: HeadLine | undefined;
}

/** Parts of one dump, the newest text first. */
export type Dump<T extends DumpPart = DumpPart> = readonly T[];

/** A kernel writes one part after the other: more time than this for each is another boot. */
const MAX_NS_A_PART = 10_000_000_000n;
/** Which of two records of the same part has the better text. */
const RANK: Readonly<Record<PstoreRecord['state'], number>> = { live: 0, salvaged: 1, undecodable: 2, erased: 3 };

/**
 * Tells the dumps apart: one has the same count and reason, and parts that rise while time never goes back. It is not
 * the second that they are told by, because the parts of one dump may well carry different ones; and in two boots the
 * same count comes again.
 */
export function groupDumps<T extends DumpPart>(parts: readonly T[]): Dump<T>[] {
  const byCount = new Map<number, T[]>();
  for (const part of parts) {
    const same = byCount.get(part.count);
    if (same) same.push(part);
    else byCount.set(part.count, [part]);
  }
  const dumps = [...byCount.values()].flatMap((same) => splitDumps(same));
  return dumps.sort((a, b) => compare(a[0]!.order, b[0]!.order));
}

/** Parts with the same count, in the order in which they were written. */
function splitDumps<T extends DumpPart>(parts: readonly T[]): Dump<T>[] {
  const dumps: T[][] = [];
  for (const { part, time } of timed(parts)) {
    const dump = dumps.at(-1);
    const last = dump?.at(-1);
    if (dump && last && last.part === part.part && isSameText(last, part)) {
      if (RANK[part.state] < RANK[last.state]) dump[dump.length - 1] = part;
    } else if (dump && last && goesOn(dump, last, part, time)) dump.push(part);
    else dumps.push([part]);
  }
  return dumps;
}

/** A part without a time has that of the one before it. */
function timed<T extends DumpPart>(parts: readonly T[]): { part: T; time: bigint }[] {
  const inOrder = [...parts].sort((a, b) => compare(a.order, b.order));
  let time = inOrder.find(({ timeNs }) => timeNs !== null)?.timeNs ?? 0n;
  const all = inOrder.map((part) => {
    time = part.timeNs ?? time;
    return { part, time };
  });
  const byRank = (a: T, b: T) => RANK[a.state] - RANK[b.state];
  return all.sort((a, b) => compare(a.time, b.time) || a.part.part - b.part.part || byRank(a.part, b.part));
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The same record twice: what can be salvaged of it stands beside what is shown of it. */
function isSameText(a: DumpPart, b: DumpPart): boolean {
  return a.timeNs === b.timeNs && (a.state === 'salvaged' || b.state === 'salvaged');
}

function goesOn(dump: readonly DumpPart[], last: DumpPart, next: DumpPart, time: bigint): boolean {
  if (next.part <= last.part) return false;
  const reason = dump.find((part) => part.reason !== null)?.reason ?? null;
  if (reason !== null && next.reason !== null && reason !== next.reason) return false;
  return time - (last.timeNs ?? time) <= MAX_NS_A_PART * BigInt(next.part - last.part);
}

// ── texts ──

/** No kernel stores more of its log in one record: a damaged length may count bytes that are not even on the medium. */
const MAX_PART = 16 << 20;
const encoder = new TextEncoder();

/** A line that says what is not there. */
function gap(text: string): Uint8Array {
  return encoder.encode(`[pstorefuse: ${text}]\n`);
}

function missing(from: number, to: number): Uint8Array {
  return gap(from === to ? `part ${from} is missing` : `parts ${from} to ${to} are missing`);
}

/** The log, oldest text first: parts without their head lines, and a line for each gap. */
export function* joinedText(backend: Backend, dump: Dump): Generator<Uint8Array> {
  let expected = dump.at(-1)!.part;
  for (const { slot, part, state } of [...dump].reverse()) {
    if (part < expected) yield missing(part + 1, expected);
    yield* textOf(backend, slot, part, state);
    expected = part - 1;
  }
  if (expected > 0) yield missing(1, expected);
}

function* textOf(backend: Backend, slot: number, part: number, state: PstoreRecord['state']): Generator<Uint8Array> {
  if (state === 'undecodable') {
    yield gap(`part ${part} cannot be decompressed`);
    return;
  }
  const text = recordBytes(backend, slot, MAX_PART);
  yield text.subarray(parseHeadLine(text)?.length ?? 0);
  const left = (backend.record(slot)?.size ?? 0) - text.length;
  if (left > 0) yield gap(`${left} more bytes of part ${part} are left out; its own record shows them`);
  if (state === 'salvaged') yield gap(`part ${part} is salvaged: its end may be missing`);
}

// ── the view ──

interface JoinedDump {
  readonly dump: Dump;
  /** Differs when a part is another one. */
  readonly key: string;
  size: number | undefined;
}

/** Each dump of a backend as one record; the backend itself stays as it is, and is closed by whoever has opened it. */
export class JoinedView implements Backend {
  readonly #inner: Backend;
  readonly #known: (JoinedDump | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  readonly #slotsByName = new Map<string, number>();
  readonly #byPart: boolean;
  #hasLooked = false;

  /**
   * @param byPart whether find() knows a dump by the name of any of its parts, too
   *
   * Looks at no record before somebody asks for dumps: their texts are to be decoded for that.
   */
  constructor(inner: Backend, { byPart = false } = {}) {
    this.#inner = inner;
    this.#byPart = byPart;
  }

  get #slots(): (JoinedDump | undefined)[] {
    if (!this.#hasLooked) {
      this.#hasLooked = true;
      this.#group();
      this.#generations.fill(0);
    }
    return this.#known;
  }

  get name(): string {
    return this.#inner.name;
  }

  get path(): string {
    return this.#inner.path;
  }

  get warnings(): Warnings {
    return this.#inner.warnings;
  }

  readonly writable = false;

  get slots(): number {
    return this.#slots.length;
  }

  /** @returns whether the dumps are not what they were */
  #group(): boolean {
    const found = new Map(groupDumps(partsOf(this.#inner)).map((dump) => [this.#keyOf(dump), dump]));
    let changed = false;
    for (const [slot, known] of this.#slots.entries()) {
      if (!known || found.delete(known.key)) continue;
      this.#slots[slot] = undefined;
      this.#free.push(slot);
      this.#generations[slot]!++;
      this.#slotsByName.delete(joinedName(known.dump[0]!.name));
      changed = true;
    }
    for (const [key, dump] of found) {
      const slot = this.#free.pop() ?? this.#slots.length;
      this.#slotsByName.set(joinedName(dump[0]!.name), slot);
      this.#slots[slot] = { dump, key, size: undefined };
      this.#generations[slot] = (this.#generations[slot] ?? 0) + 1;
      changed = true;
    }
    return changed;
  }

  #keyOf(dump: Dump): string {
    return dump.map(({ slot }) => `${slot}:${this.#inner.generation(slot)}`).join(' ');
  }

  record(slot: number): PstoreRecord | undefined {
    const joined = this.#slots[slot];
    const first = joined?.dump[0];
    const record = first && this.#inner.record(first.slot);
    if (!joined || !first || !record) return undefined;
    const size = () => this.#sizeOf(joined);
    return {
      ...record,
      slot,
      name: joinedName(first.name),
      get size() {
        return size();
      },
      reason: joined.dump.find(({ reason }) => reason !== null)?.reason ?? null,
      count: first.count,
      part: null,
      compressed: null,
      state: 'live',
    };
  }

  #sizeOf(joined: JoinedDump): number {
    if (joined.size === undefined) {
      joined.size = 0;
      for (const { length } of joinedText(this.#inner, joined.dump)) joined.size += length;
    }
    return joined.size;
  }

  find(name: string): number | undefined {
    const count = this.slots;
    const slot = this.#slotsByName.get(name);
    if (slot !== undefined || !this.#byPart || count === 0) return slot;
    const ofPart = this.#slots.findIndex((joined) => joined?.dump.some((part) => part.name === name));
    return ofPart >= 0 ? ofPart : undefined;
  }

  generation(slot: number): number {
    return this.#generations[slot] ?? 0;
  }

  open(slot: number): RecordContent {
    const joined = this.#slots[slot];
    if (!joined) throw new PstoreError('ENOENT', `${this.path}: there is no joined dump ${slot}`, { path: this.path });
    return new PiecesContent([...joinedText(this.#inner, joined.dump)]);
  }

  erase(slot: number): void {
    const joined = this.#slots[slot];
    if (!joined) return;
    const parts = joined.dump.length;
    const name = joinedName(joined.dump[0]!.name);
    throw new PstoreError('EPERM', `${this.path}: ${name} is made of ${parts} records; remove these`, {
      path: this.path,
    });
  }

  /** Only looks at what the backend shows now: whoever has it refreshes it. */
  refresh(): boolean {
    return this.#hasLooked && this.#group();
  }

  space(): SpaceUsage {
    return { bytes: 0, freeBytes: 0, records: this.#slots.filter((joined) => joined).length, freeSlots: 0 };
  }

  info(): BackendInfo {
    return this.#inner.info();
  }

  close(): void {}
}

/** `dmesg-efi_pstore-1.joined`, whatever else stands after the part's own name. */
export function joinedName(part: string): string {
  return `${part.replace(/(?:\.enc\.z)?(?:\.salvaged)?$/, '')}${JOINED_SUFFIX}`;
}

/** All records that are parts of dumps. */
function partsOf(backend: Backend): DumpPart[] {
  const parts: DumpPart[] = [];
  for (let slot = 0; slot < backend.slots; slot++) {
    const record = backend.record(slot);
    const part = record && partOf(backend, record);
    if (part) parts.push(part);
  }
  return parts;
}

/** Which part of a dump a record is, by the first line of its text, else by what its backend knows; undefined for none. */
export function partOf(backend: Backend, record: PstoreRecord): DumpPart | undefined {
  const { slot, type, state, name, mtimeNs: timeNs } = record;
  if (type !== 'dmesg') return undefined;
  const head = state === 'undecodable' ? undefined : headIn(backend, slot);
  const count = head?.count ?? record.count;
  const part = head?.part ?? record.part ?? null;
  if (count === null || part === null) return undefined;
  const order = record.id64 ?? BigInt(record.id);
  return { slot, name, count, part, reason: head?.reason ?? record.reason, timeNs, order, state, head };
}

/** A record that cannot be read is no part of anything. */
function headIn(backend: Backend, slot: number): HeadLine | undefined {
  try {
    return parseHeadLine(recordBytes(backend, slot, MAX_HEAD_LINE));
  } catch (error) {
    if (error instanceof PstoreError) return undefined;
    throw error;
  }
}
