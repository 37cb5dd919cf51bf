// What is left of records that were erased: the vocabulary of all families, and where such a record ends, which its
// erased header does not say any more.

import { decodeRecord } from '../compress/decompress.js';
import { MIN_TEXT, plausibleText } from './plausible-text.js';

/** A place that has bytes of a record which is not there any more. */
export interface ErasedPlace {
  readonly type: string;
  /** The number in the file's name. */
  readonly id: number;
  /** First byte of the place in the source. */
  readonly offset: number;
  /** Nanoseconds since 1970, or null. */
  readonly mtimeNs: bigint | null;
  /** The reason's name, or null; undefined where only the text tells it. */
  readonly reason: string | null | undefined;
  readonly count: number | null;
  /** What stands after the headers, up to the end of the place. */
  readonly stored: Uint8Array;
  readonly compressed: 'no' | 'yes' | 'maybe';
  /** ASCII text that a kernel shows before a record that is not compressed. */
  readonly lead: string;
  /** ASCII text that a kernel shows after the record. @param length of the record, in bytes of `stored` */
  trail?(length: number): string;
  /** Most bytes that a compressed record may decode to. */
  readonly limit: number;
  /**
   * `record`: the place held one that was erased; `ring`: bytes that were written one after the other, round and round;
   * `rest`: what an older one has left after a record that is there.
   */
  readonly kind: 'record' | 'ring' | 'rest';
  /** Whether the kernel wrote the place to its end, so that zeros after a record tell where it ended. */
  readonly isFilled: boolean;
  /**
   * Makes the header again what it was before the record was erased. Missing where nothing can be taken back.
   * @param length of the record, in bytes of `stored`
   * @throws PstoreError EBUSY where the place was used since, EROFS, EIO
   */
  restore?(length: number): void;
}

/** What could be found out of an erased record. */
export interface Remains {
  readonly text: Uint8Array;
  readonly compression: string | null;
  /** Bytes of `stored` that are the record's. */
  readonly length: number;
  /** Why the length is not certain, or null where it is. */
  readonly doubt: string | null;
}

/** @returns undefined where nothing is left that a person could read */
export function remainsOf(place: ErasedPlace): Remains | undefined {
  const { stored, compressed, limit, kind } = place;
  const decoded = compressed === 'no' ? undefined : decodeRecord(stored, 'auto', limit);
  if (decoded) {
    const { text, compression, used } = decoded;
    return { text, compression, length: used, doubt: null };
  }
  const length = withoutFill(stored);
  if (compressed === 'yes' && kind === 'record') {
    const doubt = 'it does not decompress, so that nothing tells where it ended';
    return length === 0 ? undefined : { text: stored.subarray(0, length), compression: null, length, doubt };
  }
  return textIn(place, length);
}

function textIn({ stored, kind, isFilled }: ErasedPlace, length: number): Remains | undefined {
  const all = stored.subarray(0, length);
  const text = kind === 'rest' ? longestText(all) : all;
  if (plausibleText(text).length < MIN_TEXT) return undefined;
  const remains = { text, compression: null, length };
  if (kind === 'ring' && length === stored.length) {
    return { ...remains, doubt: 'its ring is full, and nothing tells any more where its oldest byte was' };
  }
  if (kind === 'record' && isFilled) return { ...remains, doubt: null };
  const isOne = plausibleText(text).length === text.length && isOneLog(text);
  return { ...remains, doubt: isOne ? null : 'an older text may follow it, and nothing tells where it ended' };
}

/** Bytes up to the zeros, or blank bytes of flash, that nothing was written over. */
function withoutFill(bytes: Uint8Array): number {
  const last = bytes.at(-1);
  if (last !== 0 && last !== 0xff) return bytes.length;
  let { length } = bytes;
  while (length > 0 && bytes[length - 1] === last) length--;
  return length;
}

/** The longest run of text: in front of what an older record has left there may be the end of a stream. */
function longestText(bytes: Uint8Array): Uint8Array {
  let best = bytes.subarray(0, 0);
  for (let at = 0; at < bytes.length; ) {
    const run = plausibleText(bytes.subarray(at));
    if (run.length > best.length) best = run;
    at += run.length + 1;
  }
  return best;
}

/** A line of a log: its level, where the kernel writes one, and seconds since boot. */
const LINE = /^(?:<\d{1,3}>)?\[ *(\d+)\.(\d{6})\]/;
/** What the front-end writes before a dump: `Oops#1 Part1`. */
const HEAD = /^[A-Z][A-Za-z]*#\d+ Part\d+$/;
/** Lines of several processors may be out of order by so much, in seconds. */
const DISORDER = 1;

/**
 * Whether a text is one log from its first line to its last: each line has its time, and time goes on. Where an older
 * and longer text stood in the place before, a line of that one follows that has neither.
 */
function isOneLog(text: Uint8Array): boolean {
  if (text.at(-1) !== 0x0a) return false;
  const lines = new TextDecoder('latin1').decode(text).split('\n').slice(0, -1);
  let last = Number.NEGATIVE_INFINITY;
  for (const [i, line] of lines.entries()) {
    // The first line of a dump may be cut at its beginning, and is one where the log was longer than the room for it.
    if (i <= 1 && (HEAD.test(line) || !LINE.test(line))) continue;
    const match = LINE.exec(line);
    if (!match) return false;
    const seconds = Number(`${match[1]}.${match[2]}`);
    if (seconds < last - DISORDER) return false;
    last = Math.max(last, seconds);
  }
  return lines.length > 0;
}
