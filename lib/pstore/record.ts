// What the records of every backend have in common: how their files are called, their time, and the reason that the
// text of a dump begins with.

import { beginsAsDump } from '../compress/decompress.js';
import { PstoreError } from '../errors.js';
import type { Backend, PstoreRecord, RecordState } from './backend.js';
import { reasonNumber } from './record-type.js';

const SUFFIXES: Readonly<Record<RecordState, string>> = {
  live: '',
  erased: '',
  undecodable: '.enc.z',
  salvaged: '.salvaged',
};

/** `<type>-<backend>-<id>`, and the suffix of a state that a person should see. */
export function recordName(type: string, backend: string, id: number, state: RecordState): string {
  return `${type}-${backend}-${id}${SUFFIXES[state]}`;
}

/** The fields of a record of which nothing is known but its bytes. */
export const NO_DETAILS: Pick<PstoreRecord, 'mtimeNs' | 'reason' | 'count' | 'compressed' | 'title' | 'ecc'> = {
  mtimeNs: null,
  reason: null,
  count: null,
  compressed: null,
  title: null,
  ecc: null,
};

/** @param done what is to be done, as in `erased` @throws PstoreError EROFS */
export function mustBeWritable({ path, writable }: Pick<Backend, 'path' | 'writable'>, done: string): void {
  if (!writable) throw new PstoreError('EROFS', `${path} is read-only: nothing can be ${done} in it`, { path });
}

export const NANOSECONDS = 1_000_000_000n;

/**
 * The time of a record's header, in nanoseconds since 1970. Seconds 0, and below that, which only damage makes, mean
 * that the record has none. Nanoseconds that no clock can give are brought into range.
 */
export function timeOf(seconds: bigint, nanoseconds: bigint): bigint | null {
  if (seconds <= 0n) return null;
  const inRange = nanoseconds < 0n ? 0n : nanoseconds >= NANOSECONDS ? NANOSECONDS - 1n : nanoseconds;
  return seconds * NANOSECONDS + inRange;
}

/** The year 9999: a later time is damage. */
const MAX_SECONDS = 253_402_300_799n;

/** The same for a time in whole seconds that a calendar has. */
export function timeOfSeconds(seconds: bigint): bigint | null {
  return seconds > MAX_SECONDS ? null : timeOf(seconds, 0n);
}

/** `Oops`, `Panic` and so on, where the text begins as the kernel's front-end makes it and the name is a known one. */
export function reasonInText(text: Uint8Array): string | null {
  if (!beginsAsDump(text)) return null;
  const head = String.fromCharCode(...text.subarray(0, 40));
  const name = head.slice(0, head.indexOf('#'));
  return reasonNumber(name) === undefined ? null : name;
}
