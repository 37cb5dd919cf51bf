// Dumps: records as a person counts them. The parts that a backend cut one text into are one dump, every other record is
// a dump of its own.

import type { Backend, PstoreRecord } from '../pstore/backend.js';
import { recordPieces } from '../pstore/content.js';
import { groupDumps, JOINED_SUFFIX, joinedName, joinedText, type DumpPart as Part, partOf } from '../pstore/joined.js';

/** A record and the source that it is in. */
export interface KeptRecord {
  readonly mounted: { readonly backend: Backend; readonly label: string };
  readonly record: PstoreRecord;
}

export interface Dump<T extends KeptRecord = KeptRecord> {
  /** In the order of the text: the highest part is the first in time. */
  readonly parts: readonly [DumpPart<T>, ...DumpPart<T>[]];
  /** Whether the text is made of several parts, or of one whose others are missing. */
  readonly isJoined: boolean;
}

/** One record of a dump. */
export interface DumpPart<T extends KeptRecord = KeptRecord> {
  readonly kept: T;
  /** Undefined for a record that is no part of anything. */
  readonly facts: Part | undefined;
}

/** Text records; what others hold is no kernel's log. */
const TEXT_TYPES: ReadonlySet<string> = new Set(['dmesg', 'console', 'powerpc-opal']);

/** Whether a record holds a kernel's log. */
export function isLog({ type }: PstoreRecord): boolean {
  return TEXT_TYPES.has(type);
}

/** All records as dumps, in the order of their first records. @param records of any sources */
export function dumpsOf<T extends KeptRecord>(records: Iterable<T>): Dump<T>[] {
  const all = Array.from(records, factsOfPart);
  // Only the parts of one source can be of one dump.
  const sources = new Map<Backend, (Part & { readonly one: DumpPart<T> })[]>();
  for (const one of all) {
    const { backend } = one.kept.mounted;
    const parts = sources.get(backend) ?? [];
    sources.set(backend, parts);
    if (one.facts) parts.push({ ...one.facts, one });
  }
  const dumpOf = new Map<DumpPart<T>, Dump<T>>();
  for (const group of [...sources.values()].flatMap((parts) => groupDumps(parts))) {
    const dump = dumpOfParts(group.map(({ one }) => one));
    for (const part of dump.parts) dumpOf.set(part, dump);
  }
  return [...new Set(all.map((one) => dumpOf.get(one) ?? dumpOfParts([one])))];
}

function factsOfPart<T extends KeptRecord>(kept: T): DumpPart<T> {
  return { kept, facts: partOf(kept.mounted.backend, kept.record) };
}

/** @param parts of one dump, in any order */
export function dumpOfParts<T extends KeptRecord>(parts: readonly DumpPart<T>[]): Dump<T> {
  const sorted = parts.toSorted((a, b) => numberOf(b) - numberOf(a));
  const [first, ...others] = sorted as [DumpPart<T>, ...DumpPart<T>[]];
  return { parts: [first, ...others], isJoined: sorted.length > 1 || numberOf(first) > 1 };
}

export const numberOf = ({ facts }: DumpPart): number => facts?.part ?? 1;

/** The bytes of one record, in pieces. @throws PstoreError EIO */
export function recordChunks({ mounted, record }: KeptRecord): Generator<Uint8Array> {
  return recordPieces(mounted.backend, record.slot);
}

/** The text of a dump, in pieces: that of one record as it is, of several parts without their first lines. */
export function* dumpChunks({ parts, isJoined }: Dump): Generator<Uint8Array> {
  if (!isJoined) yield* recordChunks(parts[0].kept);
  else yield* joinedText(parts[0].kept.mounted.backend, parts.map(({ facts }) => facts!).reverse());
}

/** The name that `cat` takes for the whole dump. */
export function nameOf(dump: Dump): string {
  const last = dump.parts.at(-1)!.kept.record.name;
  return dump.isJoined ? joinedName(last) : last;
}

/** The dump of several parts that has this name; undefined where none has. @param records of one source */
export function dumpNamed<T extends KeptRecord>(records: Iterable<T>, name: string): Dump<T> | undefined {
  if (!name.endsWith(JOINED_SUFFIX)) return undefined;
  return dumpsOf(records).find((dump) => nameOf(dump) === name);
}

/** One record by itself, as a dump. */
export function dumpOfOne<T extends KeptRecord>(kept: T): Dump<T> {
  return dumpOfParts([factsOfPart(kept)]);
}

/** ISO 8601 in UTC, or null where the header tells no time that a calendar has. */
export function timeOf({ mtimeNs }: PstoreRecord): string | null {
  const date = new Date(Number((mtimeNs ?? 0n) / 1_000_000n));
  return mtimeNs === null || Number.isNaN(date.getTime()) ? null : date.toISOString();
}
