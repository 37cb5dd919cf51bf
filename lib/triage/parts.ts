// A dump in parts: efi, erst and old kernels split one text, the last part first.

import { type HeadLine, parseHeadLine } from '../pstore/head-line.js';

/** One dump, put together. */
export interface JoinedDump {
  readonly text: string;
  /** Numbers of parts that are not there: one between others, or the first ones. */
  readonly missing: readonly number[];
}

/** No backend splits a dump into more: what claims so is damaged, and gets no list of what is missing. */
const MAX_PARTS = 1000;

/**
 * The text of a dump from the texts of its parts, each with its head.
 * @param parts in any order; a text without a head is taken for the only part
 */
export function joinParts(parts: readonly string[]): JoinedDump {
  const read = parts.map((text) => ({ text, head: parseHeadLine(text) }));
  const sorted = read.toSorted((a, b) => (b.head?.part ?? 1) - (a.head?.part ?? 1));
  const numbers = new Set(sorted.map(({ head }) => head?.part ?? 1));
  const highest = Math.min(Math.max(0, ...numbers), MAX_PARTS);
  const missing: number[] = [];
  for (let part = 1; part < highest; part++) if (!numbers.has(part)) missing.push(part);
  const texts = sorted.map(({ text, head }) => withNewline(text.slice(head?.length ?? 0)));
  return { text: texts.join(''), missing };
}

const withNewline = (text: string) => (text === '' || text.endsWith('\n') ? text : `${text}\n`);

/** What tells which dump a record is a part of. */
export interface PartFacts {
  readonly backend: string;
  /** Seconds since 1970. */
  readonly seconds: number;
  readonly head: HeadLine | undefined;
}

/** Writing all parts of a dump takes no longer, in seconds. */
const MAX_WRITING = 60;

/** Fewer boots than this begin within a minute: dumps before the last ones of this number are complete. */
const MAX_ALIKE = 16;

/** Records by dump: those of one backend, reason and count, written within a minute, with different part numbers. */
export function groupParts<T extends PartFacts>(records: readonly T[]): T[][] {
  const dumps: T[][] = [];
  // By what all parts of a dump share, so that an image of many parts takes no longer for each.
  const byHead = new Map<string, T[][]>();
  for (const record of records) {
    const { head, backend } = record;
    const key = `${head?.reason} ${head?.count} ${backend}`;
    const alike = byHead.get(key) ?? [];
    byHead.set(key, alike);
    const dump = head && alike.slice(-MAX_ALIKE).findLast((parts) => belongs(parts, record));
    if (dump) dump.push(record);
    else {
      const begun = [record];
      dumps.push(begun);
      alike.push(begun);
    }
  }
  return dumps;
}

function belongs(parts: readonly PartFacts[], { backend, seconds, head }: PartFacts): boolean {
  const first = parts[0]!;
  if (!head || first.head?.reason !== head.reason || first.head.count !== head.count) return false;
  if (first.backend !== backend || Math.abs(first.seconds - seconds) > MAX_WRITING) return false;
  return parts.every((part) => part.head?.part !== head.part);
}
