// What info --hash adds: SHA-256 of the file, and of each record.

import { PstoreError } from '../errors.js';
import { recordPieces } from '../pstore/content.js';
import { isPipe } from '../source/files.js';
import { type Listed, listRecords, type Opened } from './command.js';
import { sha256Of, sha256OfFile } from './hash.js';
import { complain } from './print.js';

export interface Hashes {
  /** Of the whole file as it is on the disk; null for what is no file, or can be read only once. */
  readonly image: string | null;
  /** By the records' names; null for one that cannot be read. */
  readonly records: ReadonlyMap<string, string | null>;
}

export function hashesOf(mounted: Opened['mounted'][number]): Hashes {
  const { kind, spec } = mounted.source;
  const isFile = kind.source === 'file' && !isPipe(spec.path);
  const image = isFile ? tried(() => sha256OfFile(spec.path)) : null;
  const records = Array.from(listRecords([mounted]), ({ record, mounted: { backend } }: Listed) => {
    return [record.name, tried(() => sha256Of(recordPieces(backend, record.slot)))] as const;
  });
  return { image, records: new Map(records) };
}

/** One that cannot be read is told of, and the others are hashed. */
function tried(hash: () => string): string | null {
  try {
    return hash();
  } catch (error) {
    if (!(error instanceof PstoreError)) throw error;
    complain(error.message);
    return null;
  }
}

/** As sha256sum prints them, for people. */
export function* hashLines({ image, records }: Hashes, path: string): Generator<string> {
  yield `sha256  ${image ?? 'not known'}  ${path}`;
  for (const [name, hash] of records) yield `sha256  ${hash ?? 'not known'}  ${name}`;
}

/** For programs. */
export function jsonHashes({ image, records }: Hashes): object {
  return { image, records: Object.fromEntries(records) };
}
