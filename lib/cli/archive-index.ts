// index.ndjson of an archive: a line for each file, written after it. It tells which records are in the archive.

import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { fromSystem } from '../errors.js';
import { reasonOf } from '../storage/file.js';
import { takeWriterLock } from '../storage/lock.js';
import { makeFolders, syncFolder, writeFully } from '../storage/new-file.js';
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

export interface IndexLine {
  /** Of the file, from the archive's folder on. */
  readonly path: string;
  readonly label: string;
  readonly parts: readonly ArchivedPart[];
}

const keyOf = (label: string, { name, mtimeNs, sha256 }: ArchivedPart) => `${label}/${name} ${mtimeNs} ${sha256}`;

export class ArchiveIndex {
  readonly #fd: number;
  readonly #path: string;
  /** By what tells a record: in which file it is. */
  readonly #files = new Map<string, string>();
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
  fileOf(label: string, part: ArchivedPart): string | undefined {
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

  #remember({ label, parts, path }: IndexLine): void {
    for (const part of parts) {
      this.#files.set(keyOf(label, part), path);
      this.#newest.set(`${label}/${part.name}`, path);
    }
  }

  /** What stands after the last newline was cut off when its writer was stopped: its file will get a line again. */
  #read(): void {
    const { size } = fstatSync(this.#fd);
    const chunk = Buffer.alloc(1 << 16);
    let [whole, rest] = [0, Buffer.alloc(0)];
    for (let at = 0; at < size; ) {
      const got = readSync(this.#fd, chunk, 0, chunk.length, at);
      if (got === 0) break;
      at += got;
      rest = Buffer.concat([rest, chunk.subarray(0, got)]);
      for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
        this.#readLine(rest.toString('utf8', 0, end));
        whole += end + 1;
        rest = rest.subarray(end + 1);
      }
    }
    if (whole < size) ftruncateSync(this.#fd, whole);
  }

  #readLine(text: string): void {
    try {
      const line = JSON.parse(text) as Partial<IndexLine>;
      const { path, label, parts } = line;
      if (path !== undefined && label !== undefined && Array.isArray(parts)) this.#remember({ path, label, parts });
    } catch {
      // A line that is no JSON tells of no record: what it told of is archived again rather than lost.
    }
  }
}
