// Which records a command is about: since when, of which type and reason, with which words in their text.

import type { Argv } from 'yargs';
import { PstoreError } from '../errors.js';
import type { PstoreRecord } from '../pstore/backend.js';
import { REASON_WORDS } from '../pstore/record-type.js';
import { KINDS } from '../source/kinds.js';
import type { Arguments } from './command.js';
import { Lines } from './lines.js';
import { type Clock, parseWhen } from './when.js';

export function selectionOptions(yargs: Argv): Argv {
  return yargs
    .option('since', {
      alias: 'S',
      type: 'string',
      requiresArg: true,
      describe: 'not before this time: "2026-11-01 12:00", yesterday, -2h, "3 days ago", @SECONDS',
    })
    .option('until', { alias: 'U', type: 'string', requiresArg: true, describe: 'not after this time' })
    .option('type', { type: 'string', requiresArg: true, describe: 'only these: dmesg,console,pmsg,ftrace,…' })
    .option('reason', { type: 'string', requiresArg: true, describe: 'only these: oops,panic,…' })
    .option('g', {
      alias: 'grep',
      type: 'string',
      requiresArg: true,
      describe: 'only what has a line like this pattern, which is shown; small letters stand for capitals, too',
    })
    .option('n', { type: 'string', requiresArg: true, describe: 'only so many, the newest' })
    .option('r', { alias: 'reverse', type: 'boolean', describe: 'the oldest first' });
}

export function clockOptions(yargs: Argv): Argv {
  return yargs
    .option('utc', { type: 'boolean', describe: 'times in UTC' })
    .option('iso', { type: 'boolean', describe: 'times in ISO 8601' });
}

export function clockOf(args: Arguments): Clock {
  return { utc: args.flag('utc'), iso: args.flag('iso') };
}

/** Bounds of time, and words: what is undefined selects nothing out. */
export interface Selection {
  readonly sinceNs: bigint | undefined;
  readonly untilNs: bigint | undefined;
  readonly types: readonly string[] | undefined;
  readonly reasons: readonly string[] | undefined;
  readonly pattern: RegExp | undefined;
  readonly most: number | undefined;
  readonly oldestFirst: boolean;
}

/** @throws PstoreError EINVAL for a value that cannot be understood */
export function selectionOf(args: Arguments): Selection {
  const when = (name: 'since' | 'until') => {
    const text = args.text(name);
    return text === undefined ? undefined : parseWhen(text, name);
  };
  return {
    sinceNs: when('since'),
    untilNs: when('until'),
    types: args.choices('type', TYPES),
    reasons: args.choices('reason', REASONS),
    pattern: patternOf(args.text('g')),
    most: countOf(args.text('n'), 'n'),
    oldestFirst: args.flag('r'),
  };
}

/** What a record of any kind may be. */
const TYPES = [...new Set(KINDS.flatMap(({ types }) => types))];
const REASONS = REASON_WORDS.map((word) => word.toLowerCase());

/** As journalctl does: a pattern without capitals finds these, too. */
function patternOf(text: string | undefined): RegExp | undefined {
  if (text === undefined) return undefined;
  try {
    return new RegExp(text, /\p{Lu}/u.test(text) ? '' : 'i');
  } catch (error) {
    throw new PstoreError('EINVAL', `-g ${text}: this is no pattern: ${(error as Error).message}`);
  }
}

/** @throws PstoreError EINVAL for what is no whole number */
export function countOf(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new PstoreError('EINVAL', `${option.length === 1 ? '-' : '--'}${option} ${text}: give a whole number`);
}

/** By what the record itself tells; what has no time is of no time. */
export function isSelected({ sinceNs, untilNs, types, reasons }: Selection, record: PstoreRecord): boolean {
  const { mtimeNs, type } = record;
  if (sinceNs !== undefined && (mtimeNs === null || mtimeNs < sinceNs)) return false;
  if (untilNs !== undefined && (mtimeNs === null || mtimeNs > untilNs)) return false;
  if (types && !types.includes(type.toLowerCase())) return false;
  if (!reasons) return true;
  // The reason may have to be read from the record's text.
  const { reason } = record;
  return reason !== null && reasons.includes(reason.toLowerCase());
}

/** By time, the newest first; what has none comes last, in its own order. */
function newestFirst<T>(items: readonly T[], recordOf: (item: T) => PstoreRecord): T[] {
  return items.toSorted((a, b) => {
    const [x, y] = [recordOf(a).mtimeNs, recordOf(b).mtimeNs];
    if (x === null || y === null) return Number(x === null) - Number(y === null);
    return x < y ? 1 : x > y ? -1 : 0;
  });
}

/** Sorted and cut as `-n` and `-r` say. */
export function ordered<T>(
  { most, oldestFirst }: Selection,
  items: readonly T[],
  recordOf: (item: T) => PstoreRecord,
): T[] {
  const sorted = newestFirst(items, recordOf).slice(0, most);
  return oldestFirst ? sorted.reverse() : sorted;
}

/** A line of a text that a pattern was found in. */
export interface Match {
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

/** Lines of a text are looked at so far: a pattern must not take for ever on a text without lines. */
const MAX_LINE = 4096;
/** More lines of one record are not kept. */
const MAX_MATCHES = 1000;

/** The lines of a text with the pattern in them. @param pieces of the text: they may end anywhere */
export function matchesIn(pattern: RegExp, pieces: Iterable<Uint8Array>): Match[] {
  const found: Match[] = [];
  let line = 0;
  for (const text of new Lines(MAX_LINE).of(pieces)) {
    line++;
    if (found.length < MAX_MATCHES && pattern.test(text)) found.push({ line, text });
  }
  return found;
}
