// What explain reads: standard input, files of text, and the records of sources; the parts of a dump are one text.

import { createReadStream, statSync } from 'node:fs';
import type { Backend, PstoreRecord } from '../pstore/backend.js';
import { parseHeadLine } from '../pstore/head-line.js';
import { openImage } from '../storage/file.js';
import { isBrokenPlace, readRange, type Storage } from '../storage/storage.js';
import { type Packed, packedAs, unpack } from '../storage/unpack.js';
import { Explainer, type ExplainOptions, type Explanation } from '../triage/explain.js';
import { groupParts, joinParts, type PartFacts } from '../triage/parts.js';
import { isLogText, TEXT_SAMPLE } from '../triage/text.js';
import type { Observation, RecordFacts } from '../triage/verdict.js';
import { Warnings } from '../warnings.js';
import type { Listed } from './command.js';
import { stdinChunks } from './stdin.js';

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

/** Bytes that are read at a time. */
const CHUNK = 256 << 10;

/** Text records; what others hold is no kernel's log. */
const TEXT_TYPES = ['dmesg', 'console', 'powerpc-opal'];

export function explainStdin(options: ExplainOptions): Explained {
  return { path: '-', names: [], reason: null, time: null, explanation: explainBytes(stdinChunks(), options) };
}

/** Whether a path is a file of text, and no image: what waits, as a FIFO does, is a text. */
export function isText(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined || stats.isDirectory()) return false;
  if (isStream(path)) return true;
  try {
    const file = openUnpacked(path);
    try {
      return isLogText(readRange(file, 0, TEXT_SAMPLE));
    } finally {
      file.close();
    }
  } catch (error) {
    // A source survives a first block that cannot be read.
    if (isBrokenPlace(error)) return false;
    throw error;
  }
}

/** A file of text may be compressed, as logs are when they are rotated; disks of virtual machines are sources. */
function openUnpacked(path: string): Storage {
  const file = openImage(path, { mode: 'read' });
  let packed: Packed | undefined;
  try {
    packed = packedAs(file);
  } catch (error) {
    file.close();
    throw error;
  }
  if (packed?.kind !== 'stream') return file;
  file.close();
  return unpack(path, packed, new Warnings());
}

function isStream(path: string): boolean {
  const stats = statSync(path);
  return stats.isFIFO() || stats.isCharacterDevice() || stats.isSocket();
}

export async function explainFile(path: string, options: ExplainOptions): Promise<Explained> {
  const explanation = isStream(path) ? await explainStream(path, options) : explainStored(path, options);
  return { path, names: [], reason: null, time: null, explanation };
}

async function explainStream(path: string, options: ExplainOptions): Promise<Explanation> {
  const explainer = new Explainer(options);
  const decoder = new TextDecoder();
  for await (const bytes of createReadStream(path)) explainer.push(decoder.decode(bytes as Buffer, { stream: true }));
  explainer.push(decoder.decode());
  return explainer.end();
}

function explainStored(path: string, options: ExplainOptions): Explanation {
  const file = openUnpacked(path);
  function* chunks(): Generator<Uint8Array> {
    for (let offset = 0; offset < file.size; offset += CHUNK) yield readRange(file, offset, CHUNK);
  }
  try {
    return explainBytes(chunks(), options);
  } finally {
    file.close();
  }
}

function explainBytes(chunks: Iterable<Uint8Array>, options: ExplainOptions): Explanation {
  const explainer = new Explainer(options);
  const decoder = new TextDecoder();
  for (const bytes of chunks) explainer.push(decoder.decode(bytes, { stream: true }));
  explainer.push(decoder.decode());
  return explainer.end();
}

/** A record with what tells whose part it is. */
interface Part extends PartFacts {
  readonly listed: Listed;
}

/** The records that hold logs, each dump as one. */
export function* explainRecords(records: Iterable<Listed>, options: ExplainOptions): Generator<Explained> {
  const texts = [...records].filter(({ record }) => TEXT_TYPES.includes(record.type));
  for (const parts of groupParts(texts.map(partOf))) yield explainParts(parts, options);
}

/** One record that was named: with the other parts of its dump only where these are named too. */
export function explainParts(parts: readonly Part[], options: ExplainOptions): Explained {
  const [{ listed }] = parts as readonly [Part];
  const { record, mounted } = listed;
  const sorted = parts.toSorted((a, b) => (b.head?.part ?? 1) - (a.head?.part ?? 1));
  const names = sorted.map((part) => part.listed.record.name);
  const joined = parts.length > 1 || (parts[0]!.head?.part ?? 1) > 1 ? joinParts(parts.map(wholeText)) : undefined;
  const facts = factsOf(record, joined?.missing ?? []);
  const all = { ...options, record: facts };
  const explanation =
    record.state === 'undecodable'
      ? explainBytes([], all)
      : explainBytes(joined ? [new TextEncoder().encode(joined.text)] : contentChunks(listed), all);
  return { path: mounted.backend.path, names, reason: record.reason, time: timeOf(record), explanation };
}

export function partOf(listed: Listed): Part {
  const { record, mounted } = listed;
  const { state, mtimeNs, type } = record;
  const isDump = type === 'dmesg' && state !== 'undecodable';
  const head = isDump ? parseHeadLine(firstBytes(mounted.backend, record)) : undefined;
  // Only the parts of one source and one type can be of one dump.
  const backend = `${mounted.label}/${mounted.backend.path}`;
  return { listed, backend, seconds: Number((mtimeNs ?? 0n) / 1_000_000_000n), head };
}

const HEAD_BYTES = 200;

function firstBytes(backend: Backend, record: PstoreRecord): Uint8Array {
  const content = backend.open(record.slot);
  try {
    const bytes = new Uint8Array(Math.min(HEAD_BYTES, content.size));
    return bytes.subarray(0, content.read(bytes, 0));
  } finally {
    content.close?.();
  }
}

function wholeText({ listed }: Part): string {
  const decoder = new TextDecoder();
  let text = '';
  for (const bytes of contentChunks(listed)) text += decoder.decode(bytes, { stream: true });
  return text + decoder.decode();
}

function* contentChunks({ mounted, record }: Listed): Generator<Uint8Array> {
  const content = mounted.backend.open(record.slot);
  try {
    for (let position = 0; position < content.size; ) {
      const bytes = new Uint8Array(Math.min(CHUNK, content.size - position));
      const got = content.read(bytes, position);
      if (got === 0) return;
      yield bytes.subarray(0, got);
      position += got;
    }
  } finally {
    content.close?.();
  }
}

function factsOf(record: PstoreRecord, missing: readonly number[]): RecordFacts {
  const { reason, mtimeNs, type } = record;
  return {
    ...(reason === null || type !== 'dmesg' ? {} : { reason }),
    ...(mtimeNs === null ? {} : { seconds: Number(mtimeNs / 1_000_000_000n) }),
    observations: [...observationsOf(record), ...missingParts(missing)],
  };
}

function timeOf({ mtimeNs }: PstoreRecord): string | null {
  const date = new Date(Number((mtimeNs ?? 0n) / 1_000_000n));
  return mtimeNs === null || Number.isNaN(date.getTime()) ? null : date.toISOString();
}

function missingParts(missing: readonly number[]): Observation[] {
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
