// A source that is looked at again and again: which of its records were not there before.

import { statSync } from 'node:fs';
import { PstoreError } from '../errors.js';
import type { PstoreRecord } from '../pstore/backend.js';
import { isPipe } from '../source/files.js';
import type { SourceSpec } from '../source/grammar.js';
import { type OpenOptions, type OpenSource, openSource, parseSource, TextCache } from '../source/sources.js';
import { type Listed, listRecords } from './command.js';

/** A file that is being written is looked at when it has not changed between two looks, or after so many. */
const MAX_WAITS = 3;
/** Records that are remembered: a kernel keeps far fewer. */
const MAX_SEEN = 100_000;

export interface Seen {
  readonly source: OpenSource;
  /** In the order of a listing. */
  readonly records: readonly Listed[];
}

export class WatchedSource {
  readonly #spec: SourceSpec;
  readonly #options: Omit<OpenOptions, 'cache'>;
  /** What was there at the beginning is not new; what was there when the source came, is. */
  #isFirst = true;
  #seen = new Set<string>();
  /** Of the file when it was last looked into, and when it was last looked at. */
  #read: string | undefined;
  #stamp: string | undefined;
  #waits = 0;
  #fault: string | undefined;

  /** @throws PstoreError EINVAL for a text that is no SOURCE, and for a pipe */
  constructor(text: string, options: Omit<OpenOptions, 'cache'>) {
    this.#spec = parseSource(text);
    const { path } = this.#spec;
    if (isPipe(path)) {
      throw new PstoreError(
        'EINVAL',
        `${path} is a pipe, in which nothing new comes after its end; watch a file or device`,
      );
    }
    this.#options = options;
  }

  /**
   * Looks, and shows what is new.
   * @param show is called with the source open, where there is something new
   * @param tell a sentence for people: the source is gone, cannot be read, or is there again
   */
  look(show: (seen: Seen) => void, tell: (sentence: string) => void): void {
    if (!this.#isToBeRead()) return;
    let source: OpenSource | undefined;
    try {
      source = openSource(this.#spec, { ...this.#options, cache: new TextCache() });
      const mounted = { backend: source.backend, label: source.backend.name, base: source.identity.from };
      const fresh = this.#fresh([...listRecords([mounted])]);
      if (this.#fault !== undefined) tell(`${this.#spec.path} can be read again`);
      this.#fault = undefined;
      if (fresh.length > 0) show({ source, records: fresh });
      this.#read = this.#stamp;
    } catch (error) {
      if (!(error instanceof PstoreError)) throw error;
      if (this.#fault !== error.message) tell(`${error.message}; waiting for it`);
      this.#fault = error.message;
      // What it holds when it comes is new, and it may come without any change of its file.
      this.#read = undefined;
    } finally {
      this.#isFirst = false;
      source?.backend.close();
    }
  }

  /** A device does not tell when it was written to; a file does. */
  #isToBeRead(): boolean {
    const stats = statSync(this.#spec.path, { bigint: true, throwIfNoEntry: false });
    const stamp = stats?.isFile() ? [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join() : undefined;
    const isSettled = stamp === undefined || this.#isFirst || stamp === this.#stamp;
    this.#stamp = stamp;
    if (stamp !== undefined && stamp === this.#read) return false;
    if (!isSettled && ++this.#waits < MAX_WAITS) return false;
    this.#waits = 0;
    return true;
  }

  #fresh(all: readonly Listed[]): Listed[] {
    const keys = all.map(({ record }) => keyOf(record));
    const fresh = this.#isFirst ? [] : all.filter((_, i) => !this.#seen.has(keys[i]!));
    // A ring that is gone is a new one when it comes again; a dump that comes again is the same.
    const kept = [...this.#seen].filter((key) => !key.startsWith(RING)).slice(-MAX_SEEN);
    this.#seen = new Set([...kept, ...keys]);
    return fresh;
  }
}

const RING = 'ring ';

/** A ring grows all the time, and stays the same one. */
function keyOf({ name, type, mtimeNs, count, size }: PstoreRecord): string {
  return mtimeNs === null && type !== 'dmesg' ? RING + name : `${name} ${mtimeNs} ${count} ${size}`;
}
