// index.ndjson of an archive: a line for each file, written after it. It tells which records are in the archive.

import { closeSync, constants, existsSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { fromSystem, PstoreError } from '../errors.js';
import { notMade, reasonOf } from '../storage/file.js';
import { takeWriterLock } from '../storage/lock.js';
import { makeFolders, syncFolder, writeFully } from '../storage/new-file.js';
import { Lines } from './lines.js';
import { json } from './print.js';

export const INDEX_NAME = 'index.ndjson';

/** What tells a record from all others: equal for the same record whenever it is archived. */
export interface ArchivedPart {
  readonly name: string;
  /** Nanoseconds since 1970 as text, or null. */
  readonly mtimeNs: string | null;
  /** Of its own bytes. */
  readonly sha256: string;
}

/** A file of an archive, as its line in the index tells. */
export interface ArchivedFile {
  /** From the archive's folder on. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

export interface IndexLine extends ArchivedFile {
  readonly label: string;
  readonly parts: readonly ArchivedPart[];
}

/** No line of ours is longer: a dump of a thousand parts has a tenth of it. */
export const MAX_LINE = 4 << 20;

/** No line is shorter. */
const MIN_LINE = '{"path":"a","size":0,"sha256":"b"}'.length;

/**
 * The fields of a line, whatever they are; undefined for what is no object of JSON. What cannot be one is not parsed: an
 * exception for each of millions of lines takes minutes.
 */
export function fieldsOfLine(text: string): { readonly [field in keyof IndexLine]?: unknown } | undefined {
  if (text.length < MIN_LINE || !text.startsWith('{') || !text.endsWith('}')) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A line of an index; undefined for what is none, or leads out of the archive. */
export function parseIndexLine(text: string): IndexLine | undefined {
  const { path, size, sha256, label, parts } = (fieldsOfLine(text) ?? {}) as Partial<IndexLine>;
  const isKnown = isText(path) && isText(sha256) && isText(label) && typeof size === 'number' && Array.isArray(parts);
  if (!isKnown || !parts.every(isPart)) return undefined;
  const leadsOut = path.includes('\0') || path.startsWith('/') || path.split('/').includes('..');
  return leadsOut ? undefined : { path, size, sha256, label, parts };
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

function isPart(part: Partial<ArchivedPart> | null): part is ArchivedPart {
  return isText(part?.name) && isText(part.sha256) && (part.mtimeNs === null || isText(part.mtimeNs));
}

const keyOf = (label: string, { name, mtimeNs, sha256 }: ArchivedPart) => `${label}/${name} ${mtimeNs} ${sha256}`;

export class ArchiveIndex {
  readonly #fd: number;
  readonly #path: string;
  /** By what tells a record: in which file it is. */
  readonly #files = new Map<string, ArchivedFile>();
  /** By label and name: the newest file of a record. */
  readonly #newest = new Map<string, string>();

  /**
   * Opens, and locks, the index of an archive.
   * @throws PstoreError EBUSY while another process archives there
   */
  constructor(folder: string) {
    this.#path = join(folder, INDEX_NAME);
    makeFolders(folder);
    const { O_APPEND, O_CREAT, O_NOFOLLOW, O_RDWR } = constants;
    try {
      this.#fd = openSync(this.#path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600);
    } catch (error) {
      if (!existsSync(this.#path)) throw notMade(this.#path, this.#path, error);
      throw fromSystem(error, `${this.#path} cannot be opened: ${reasonOf(error)}`, { path: this.#path });
    }
    try {
      takeWriterLock(this.#fd, this.#path, { mode: 'must' });
      this.#read();
      syncFolder(folder);
    } catch (error) {
      closeSync(this.#fd);
      throw fromSystem(error, `${this.#path} cannot be read: ${reasonOf(error)}`, { path: this.#path });
    }
  }

  /** The file that holds a record, or undefined. */
  fileOf(label: string, part: ArchivedPart): ArchivedFile | undefined {
    return this.#files.get(keyOf(label, part));
  }

  /** The file of the last record of that name, whatever was in it. */
  newestOf(label: string, name: string): string | undefined {
    return this.#newest.get(`${label}/${name}`);
  }

  /** Adds a line, and brings it to the medium. */
  add(line: IndexLine): void {
    try {
      writeFully(this.#fd, Buffer.from(`${json(line)}\n`), null);
      fsyncSync(this.#fd);
    } catch (error) {
      throw fromSystem(error, `${this.#path} cannot be written: ${reasonOf(error)}`, { path: this.#path });
    }
    this.#remember(line);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #remember({ label, parts, path, size, sha256 }: IndexLine): void {
    for (const part of parts) {
      this.#files.set(keyOf(label, part), { path, size, sha256 });
      this.#newest.set(`${label}/${part.name}`, path);
    }
  }

  /**
   * What stands after the last newline was cut off when its writer was stopped: its file will get a line again. A line
   * that tells of no record is passed over: what it told of is archived again rather than lost.
   */
  #read(): void {
    const { size } = fstatSync(this.#fd);
    const chunk = Buffer.alloc(1 << 16);
    const lines = new Lines(MAX_LINE);
    let at = 0;
    while (at < size) {
      const got = readSync(this.#fd, chunk, 0, chunk.length, at);
      if (got === 0) break;
      at += got;
      for (const text of lines.take(chunk.subarray(0, got))) {
        const line = parseIndexLine(text);
        if (line) this.#remember(line);
      }
    }
    const whole = at - lines.unfinished;
    if (lines.unfinished > MAX_LINE) {
      const sentence = `${this.#path} is no index of an archive: ${lines.unfinished} bytes at offset ${whole} are no line`;
      throw new PstoreError('EBADMSG', `${sentence}; move it away, and all is archived again`, { offset: whole });
    }
    if (lines.unfinished > 0) ftruncateSync(this.#fd, whole);
  }
}
