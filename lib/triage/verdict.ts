// May this text be believed? A verdict with its reasons.

import { CORRUPTED } from './rule.js';

/**
 * `proven`: a checksum fits; `repaired`: error correction changed bytes; `partial`: something is missing;
 * `doubtful`: something contradicts something; `ok`: nothing speaks against it.
 */
export type Verdict = 'ok' | 'repaired' | 'proven' | 'partial' | 'doubtful';

/** One observation, and the verdict that it would have alone. */
export interface Observation {
  readonly verdict: Verdict;
  /** A whole sentence. */
  readonly reason: string;
}

/** The worse stands after: one doubt outweighs a checksum. */
const ORDER: readonly Verdict[] = ['ok', 'proven', 'repaired', 'partial', 'doubtful'];

/** The verdict of all observations: the worst of them, with the reasons for all. */
export function judge(observations: readonly Observation[]): { verdict: Verdict; reasons: string[] } {
  let verdict: Verdict = 'ok';
  for (const each of observations) if (ORDER.indexOf(each.verdict) > ORDER.indexOf(verdict)) verdict = each.verdict;
  return { verdict, reasons: observations.map(({ reason }) => reason) };
}

/** What the keeper of a record knows of it beside its text; all of it is optional. */
export interface RecordFacts {
  /** `Oops`, `Panic`, … as the record's header has it. */
  readonly reason?: string;
  /** Time of the header, in seconds since 1970. */
  readonly seconds?: number;
  /** What the medium says: error correction, checksums, cut lengths. */
  readonly observations?: readonly Observation[];
}

/** What was seen while the text was read. */
export interface TextFacts {
  /** Lines at which time went back by more than writers on several CPUs explain, with both times in seconds. */
  readonly backwards: readonly { readonly line: number; readonly from: number; readonly to: number }[];
  /** Boots that began within the text. */
  readonly boots: number;
  /** Bytes that no log has: control characters, and what is no UTF-8. */
  readonly strange: number;
  /** Characters in all. */
  readonly length: number;
  /** First lines of dumps: `Oops#1 Part1`. */
  readonly heads: readonly {
    readonly line: number;
    readonly reason: string;
    readonly count: number;
    readonly part: number;
  }[];
  /** Wall-clock seconds since 1970 at the end of the text, where it tells them. */
  readonly endSeconds: number | undefined;
}

/** More strange bytes in a thousand than these are decay, or another kind of file; fewer are a program's output. */
const MAX_STRANGE = 5;

/** A header's clock and the log's own differ by so much for time zones and by no more. */
const MAX_CLOCKS_APART = 26 * 3600;

/** What a text shows of itself, and against what is known of the record. */
export function observe(text: TextFacts, record: RecordFacts | undefined, crash?: string | null): Observation[] {
  const seen: Observation[] = [...(record?.observations ?? [])];
  const doubt = (reason: string) => seen.push({ verdict: 'doubtful', reason });
  if (text.length === 0) seen.push({ verdict: 'partial', reason: 'The text is empty.' });
  if (record || text.heads.length > 0) {
    for (const { line, from, to } of text.backwards.slice(0, 3)) {
      doubt(`The time stamps go back in line ${line}, from ${from.toFixed(3)} s to ${to.toFixed(3)} s.`);
    }
    if (text.boots > 1) doubt(`The text holds the beginnings of ${text.boots} boots.`);
  }
  if (text.strange * 1000 > text.length * MAX_STRANGE) {
    doubt(`${text.strange} of ${text.length} characters are such as no kernel log has.`);
  }
  observeHeads(text, record, doubt);
  const { endSeconds } = text;
  if (record?.seconds !== undefined && endSeconds !== undefined && record.seconds > 0) {
    const apart = Math.abs(record.seconds - endSeconds);
    if (apart > MAX_CLOCKS_APART) {
      doubt(`The record's header says ${iso(record.seconds)}, its text ends at ${iso(endSeconds)}.`);
    }
  }
  if (crash === CORRUPTED) {
    const reason = 'No function can be named: the stack trace is cut off, mixed with other lines, or without symbols.';
    seen.push({ verdict: 'partial', reason });
  }
  return seen;
}

function observeHeads({ heads }: TextFacts, record: RecordFacts | undefined, doubt: (reason: string) => void): void {
  const [first, ...others] = heads;
  if (!first) return;
  if (record?.reason !== undefined && record.reason.toLowerCase() !== first.reason.toLowerCase()) {
    doubt(`The header says ${record.reason}, the text's first line ${first.reason}.`);
  }
  for (const { line, reason, count, part } of others.slice(0, 3)) {
    if (reason === first.reason && count === first.count && part !== first.part) continue;
    doubt(`Another dump begins in line ${line}: ${reason}#${count} Part${part}.`);
  }
}

function iso(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? 'an impossible time' : date.toISOString();
}
