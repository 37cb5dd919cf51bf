// What a test asks of an open store: bytes or the code of an error, never an exception of another kind.

import fc from 'fast-check';
import type { Test } from 'tap';
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

/** A name that no shell, no script and no terminal trips over. */
export const HARMLESS_NAME = /^[^-.\s/\x00-\x1f\x7f-\x9f][^/\x00-\x1f\x7f-\x9f]{0,254}$/;

/** Names that are no record's, whatever the store. */
const NO_NAMES = ['', '.', '..', '\0', '-'.repeat(300)];

/** find() gives what the list shows, and nothing else. */
export function checkNames(t: Test, store: Pstore): void {
  for (const record of store) {
    t.equal(store.backend.find(record.name), record.slot, record.name);
    const { name } = record;
    for (const wrong of [`${name}x`, `x${name}`, `${name}.salvaged`, `../${name}`, `${name}/..`]) {
      t.equal(store.backend.find(wrong), undefined, wrong);
    }
  }
  for (const wrong of NO_NAMES) t.equal(store.backend.find(wrong), undefined);
}

/** A record has as many bytes as it says, and any part of it is a part of the whole. */
export function checkSizes(t: Test, store: Pstore): void {
  for (const record of store) {
    const whole = store.read(record);
    t.equal(whole.length, record.size, record.name);
    const content = store.backend.open(record.slot);
    fc.assert(
      fc.property(fc.nat(record.size + 100), fc.nat(5000), (position, length) => {
        const target = new Uint8Array(length);
        const got = content.read(target, position);
        const wanted = whole.subarray(position, position + length);
        return got === wanted.length && Buffer.compare(target.subarray(0, got), wanted) === 0;
      }),
      { numRuns: 20 },
    );
    content.close?.();
  }
}
