// What a dump tells: its text explained, with what its records say of it.

import type { PstoreRecord } from '../pstore/backend.js';
import type { Crash } from './crash.js';
import { type Dump, dumpChunks, dumpsOf, isLog, type KeptRecord, numberOf, timeOf } from './dump.js';
import { type ExplainOptions, type Explanation, explainBytes, writer } from './explain.js';
import type { Observation, RecordFacts } from './verdict.js';

/** A text that was explained. */
export interface Explained {
  /** Of the file or the source. */
  readonly path: string;
  /** Names of the records, in the order of the text; empty for a text that is none. */
  readonly names: readonly string[];
  /** Of the record, where there is one. */
  readonly reason: string | null;
  /** When the record was written, as its header has it: ISO 8601, in UTC. */
  readonly time: string | null;
  readonly explanation: Explanation;
}

/** The records that hold logs, each dump as one. */
export function* explainRecords(records: Iterable<KeptRecord>, options: ExplainOptions): Generator<Explained> {
  const logs = [...records].filter(({ record }) => isLog(record));
  for (const dump of dumpsOf(logs)) yield explainDump(dump, options);
}

/** @param options without what is known of the record, which is taken from it */
export function explainDump(dump: Dump, options: ExplainOptions = {}): Explained {
  const { record, mounted } = dump.parts[0].kept;
  // A person is not helped by the words of compressed bytes.
  const chunks = record.state === 'undecodable' ? [] : dumpChunks(dump);
  return {
    path: mounted.backend.path,
    names: dump.parts.map(({ kept }) => kept.record.name),
    reason: record.reason,
    time: timeOf(record),
    explanation: explainBytes(chunks, { ...options, record: factsOf(record, missingParts(dump)) }),
  };
}

/** The crash that wrote a dump, where it holds a log with one. */
export function crashOf(dump: Dump): Crash | undefined {
  const { record } = dump.parts[0].kept;
  if (!isLog(record)) return undefined;
  const { explanation, reason } = explainDump(dump);
  return writer(explanation, reason ?? undefined);
}

/** No backend splits a dump into more: what claims so is damaged, and gets no list of what is missing. */
const MAX_PARTS = 1000;

/** Numbers of the parts that a dump lacks: between others, or the first ones. */
function missingParts({ parts, isJoined }: Dump): readonly number[] {
  if (!isJoined) return [];
  const there = new Set(parts.map(numberOf));
  const highest = Math.min(numberOf(parts[0]), MAX_PARTS);
  return Array.from({ length: highest }, (_, i) => i + 1).filter((part) => !there.has(part));
}

function factsOf(record: PstoreRecord, missing: readonly number[]): RecordFacts {
  const { reason, mtimeNs, type } = record;
  return {
    ...(reason === null || type !== 'dmesg' ? {} : { reason }),
    ...(mtimeNs === null ? {} : { seconds: Number(mtimeNs / 1_000_000_000n) }),
    observations: [...observationsOf(record), ...observedGaps(missing)],
  };
}

function observedGaps(missing: readonly number[]): Observation[] {
  if (missing.length === 0) return [];
  const shown = missing.slice(0, 8).join(', ');
  const more = missing.length > 8 ? ` and ${missing.length - 8} more` : '';
  const sentence =
    missing.length === 1 ? `Part ${shown} of the dump is missing.` : `Parts ${shown}${more} of the dump are missing.`;
  return [{ verdict: 'partial', reason: sentence }];
}

function observationsOf({ state, ecc, compressed }: PstoreRecord): Observation[] {
  const seen: Observation[] = [];
  if (state === 'undecodable') {
    const how = compressed === null ? '' : ` (${compressed})`;
    seen.push({ verdict: 'partial', reason: `The record's data cannot be decompressed${how}.` });
  }
  if (state === 'salvaged') {
    seen.push({
      verdict: 'partial',
      reason: 'A kernel does not show this record: it was read in spite of its header.',
    });
  }
  const [, corrected, lost] = /(\d+) Corrected bytes, (\d+) unrecoverable blocks/.exec(ecc ?? '') ?? [];
  if (Number(lost) > 0) {
    seen.push({ verdict: 'partial', reason: `Error correction could not repair ${lost} blocks.` });
  } else if (Number(corrected) > 0) {
    seen.push({ verdict: 'repaired', reason: `Error correction repaired ${corrected} bytes.` });
  }
  return seen;
}
