// What a test asks of an open store: bytes or the code of an error, never an exception of another kind.

import type { Pstore, PstoreRecord } from '../../lib/core.js';
import { PstoreError } from '../../lib/errors.js';

/** A record's bytes, or the code of the error that reading it gives. */
export type Read = Uint8Array | string;

export function readAll(store: Pstore): Map<string, Read> {
  return new Map([...store].map((record) => [record.name, readOne(store, record)]));
}

export function readOne(store: Pstore, record: PstoreRecord): Read {
  try {
    return store.read(record);
  } catch (error) {
    if (!(error instanceof PstoreError)) throw error;
    return error.code;
  }
}

/** The code of the error that something throws. */
export function failureOf(act: () => void): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (!(error instanceof PstoreError)) throw error;
    return error.code;
  }
}

export function isSame(a: Read | undefined, b: Read | undefined): boolean {
  return a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0;
}

/** Codes with which a kind says that it does not erase. */
export const NOT_ERASED = /^(EPERM|EROFS|EBUSY)$/;

/** A name that neither a shell nor a terminal trips over. */
export const HARMLESS_NAME = /^[^-.\s/\x00-\x1f\x7f-\x9f][^/\x00-\x1f\x7f-\x9f]*$/;
