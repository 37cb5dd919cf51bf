// What export tells of one image: a piece of output for each dump, or one that says why the image could not be read.

import { statSync } from 'node:fs';
import { PstoreError } from '../errors.js';
import { isPipe } from '../source/files.js';
import { type OpenSource, openSources, TextCache } from '../source/sources.js';
import { shellWord, typedPath } from '../source/typed.js';
import { sourceKind } from '../storage/file.js';
import { exists } from '../storage/path.js';
import { type Dump, dumpChunks, dumpsOf, isLog, timeOf } from '../triage/dump.js';
import { type Explanation, writer } from '../triage/explain.js';
import { type Explained, explainDump } from '../triage/explained.js';
import { type Listed, listRecords } from './command.js';
import { jsonCrash } from './explain.js';
import type { Exported } from './exported.js';
import { sha256OfFile } from './hash.js';
import { journalEntry, journalError } from './journal.js';
import { json } from './print.js';
import { nanosecondsText } from './when.js';

export const FORMATS = ['ndjson', 'journal', 'text'] as const;
export type Format = (typeof FORMATS)[number];

/** All that a thread needs to be told once: it can be copied. */
export interface ExportOptions {
  readonly format: Format;
  /** Whether the SHA-256 of each image is told. */
  readonly hash: boolean;
  readonly sharedKeys: readonly (readonly [string, string])[];
  readonly backends: readonly string[] | null;
  readonly strict: boolean;
  /** Bytes of decoded texts that are kept. */
  readonly cache: number;
}

/** What came of one image. */
export interface ImageResult {
  readonly records: number;
  readonly failed: boolean;
  /** Of an image without records: the others' objects have them. */
  readonly warnings: readonly string[];
}

/** Bytes. A longer record is no text, and an object that holds it would fill the memory of whoever reads it. */
const MAX_TEXT = 64 << 20;
/** Warnings of an image in each of its objects. */
const MAX_WARNINGS = 10;

/**
 * Gives the pieces of one image, each of whole lines, and at the end what came of it.
 * @param text a SOURCE, or a path just as it is
 */
export function* exportImage(text: string, options: ExportOptions): Generator<Uint8Array, ImageResult> {
  const { format, hash, sharedKeys, backends, strict, cache } = options;
  let records = 0;
  let source: OpenSource | undefined;
  try {
    const open = { sharedKeys: [...sharedKeys], mode: 'read', cache: new TextCache(cache), strict } as const;
    const { opened, failed } = openSources([asSource(text)], open, backends);
    if (failed.length > 0) throw failed[0]!.error;
    source = opened[0]!;
    const sha256 = hash ? hashOf(source.spec.path) : undefined;
    const mounted = { backend: source.backend, label: source.backend.name, base: source.identity.from };
    for (const dump of dumpsOf(listRecords([mounted]))) {
      yield dumpPiece(dump, source, format, sha256);
      records++;
    }
    return { records, failed: false, warnings: records === 0 ? warningsOf(source) : [] };
  } catch (error) {
    yield errorPiece(text, error, format);
    return { records, failed: true, warnings: [] };
  } finally {
    source?.backend.close();
  }
}

/** A path with a comma or a colon in it, where there is such a file; else a SOURCE. */
function asSource(text: string): string {
  if (!/[,:]/.test(text) || !exists(text)) return text;
  const path = text.replaceAll(',', ',,');
  return /^\.{0,2}\//.test(path) ? path : `./${path}`;
}

function sizeOf(path: string): number | null {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats?.isFile() ? stats.size : null;
}

/** Of the file as it is, whatever it holds; what comes through a pipe, and a folder, is no file. */
function hashOf(path: string): string | undefined {
  return isPipe(path) || sourceKind(path) === 'folder' ? undefined : sha256OfFile(path);
}

const warningsOf = ({ backend }: OpenSource): string[] =>
  backend.warnings.list.slice(0, MAX_WARNINGS).map(({ message }) => message);

function told(dump: Dump<Listed>): Pick<Exported, 'explained' | 'crash' | 'bytes'> {
  const explained = isLog(dump.parts[0].kept.record) ? explainDump(dump) : unexplained(dump);
  const crash = writer(explained.explanation, explained.reason ?? undefined);
  const size = dump.parts.reduce((sum, { kept }) => sum + kept.record.size, 0);
  return { explained, crash, bytes: size > MAX_TEXT ? undefined : Buffer.concat([...dumpChunks(dump)]) };
}

const NO_LOG: Explanation = {
  crashes: [],
  skipped: 0,
  kernel: null,
  build: null,
  machine: null,
  hardware: null,
  architecture: null,
  lines: 0,
  verdict: 'ok',
  reasons: [],
};

/** Of a record that holds no log of a kernel. */
function unexplained({ parts }: Dump): Explained {
  const { record, mounted } = parts[0].kept;
  return {
    path: mounted.backend.path,
    names: parts.map(({ kept }) => kept.record.name),
    reason: record.reason,
    time: timeOf(record),
    explanation: NO_LOG,
  };
}

/** The output for one dump. @param sha256 of the image, where it is wanted */
export function dumpPiece(dump: Dump<Listed>, source: OpenSource, format: Format, sha256?: string): Uint8Array {
  const { path } = source.spec;
  const exported = { path, size: sizeOf(path), sha256, dump, ...told(dump), warnings: warningsOf(source) };
  if (format === 'ndjson') return Buffer.from(`${json(jsonObject(exported))}\n`);
  return format === 'journal' ? journalEntry(exported) : textOf(exported);
}

function jsonObject({ path, size, sha256, dump, explained, crash, bytes, warnings }: Exported): object {
  const { record, mounted } = dump.parts[0].kept;
  const { type, count, state, compressed, mtimeNs } = record;
  return {
    ...jsonCrash(explained, crash),
    path,
    size,
    ...(sha256 === undefined ? {} : { sha256 }),
    backend: mounted.backend.name,
    type,
    count,
    state,
    compressed,
    mtimeNs: nanosecondsText(mtimeNs),
    bytes: dump.parts.reduce((sum, { kept }) => sum + kept.record.size, 0),
    ...textFields(bytes),
    warnings,
  };
}

/** Bytes that are no UTF-8 are also told exactly. */
function textFields(bytes: Uint8Array | undefined): object {
  if (!bytes) return { text: null };
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { text: new TextDecoder().decode(bytes), base64: Buffer.from(bytes).toString('base64') };
  }
}

function textOf({ path, explained, crash, bytes, dump }: Exported): Uint8Array {
  const { names, time } = explained;
  const facts = [crash?.title, crash?.signature, time].filter((fact) => fact !== undefined && fact !== null);
  const shown =
    bytes ?? Buffer.from(`(too long to be shown here; pstorefuse cat ${shellWord(typedPath(path))} ${names[0]})`);
  const isWhole = shown.at(-1) === 0x0a;
  const head = `==> ${path} ${names.join(' ')} <==\n${facts.length > 0 ? `${facts.join('\n')}\n` : ''}\n`;
  const text = dump.parts[0].kept.record.state === 'undecodable' ? Buffer.from('(cannot be decompressed)') : shown;
  return Buffer.concat([Buffer.from(head), text, Buffer.from(isWhole ? '\n' : '\n\n')]);
}

export function errorPiece(path: string, error: unknown, format: Format): Uint8Array {
  // A bug that one image shows must not keep the others from being told.
  const { message, code } =
    error instanceof PstoreError
      ? error
      : { code: 'EBUG', message: `${path}: a bug of pstorefuse, please report it: ${(error as Error).stack}` };
  if (format === 'ndjson') return Buffer.from(`${json({ path, error: message, code })}\n`);
  return format === 'journal' ? journalError(path, message) : Buffer.from(`==> ${path} <==\nerror: ${message}\n\n`);
}
