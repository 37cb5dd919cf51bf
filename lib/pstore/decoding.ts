// Finds out what the compressed records of a backend decode to, on other threads where that pays, and keeps their texts
// in the cache.

import { COMPRESSIONS, type Compression } from '../compress/codec.js';
import { DecodeAhead, type StoredRecord } from '../compress/decode-ahead.js';
import {
  type CompressionChoice,
  type DecodedRecord,
  decodeRecord,
  MAX_TEXT,
  mostStored,
} from '../compress/decompress.js';
import { PstoreError } from '../errors.js';
import type { Warnings } from '../warnings.js';
import type { TextCache } from './cache.js';
import { joined, piecesBytes } from './content.js';
import type { Found } from './places.js';
import { reasonInText } from './record.js';
import { reasonName, reasonNumber } from './record-type.js';

/** What the records tell of themselves, by their slots. */
export interface Undecoded {
  /** The source file, for messages. */
  readonly path: string;
  readonly slots: number;
  readonly warnings: Warnings;
  /** Most bytes of text. */
  readonly limit: number;
  isCompressed(slot: number): boolean;
  found(slot: number): Found | undefined;
  generation(slot: number): number;
  /** Under which the text is kept in the cache. */
  cacheKey(slot: number): string;
}

/** What came of a record; a size of −1 and below stands for one of the following. */
const NOT_TRIED = -1;
const UNDECODABLE = -2;
/** A damaged flag said that it may be compressed, and it is not. */
const STORED_AS_TEXT = -3;
/** The medium does not give the record: whether it decodes is not known. */
const UNREADABLE = -4;

export type Decoded =
  | {
      readonly state: 'decoded';
      readonly size: number;
      readonly compression: Compression;
      readonly reason: string | null;
    }
  | { readonly state: 'undecodable' | 'plain' | 'unreadable' };

const OTHERS: Readonly<Record<number, Decoded>> = {
  [UNDECODABLE]: { state: 'undecodable' },
  [STORED_AS_TEXT]: { state: 'plain' },
  [UNREADABLE]: { state: 'unreadable' },
};

export class Decoding {
  readonly #records: Undecoded;
  readonly #choice: CompressionChoice;
  readonly #cache: TextCache;
  /** Bytes of what is shown of each record, or one of the constants above. */
  readonly #size: Float64Array;
  readonly #algorithm: Uint8Array;
  readonly #reason: Uint8Array;
  readonly #ahead: DecodeAhead;

  constructor(records: Undecoded, choice: CompressionChoice, cache: TextCache) {
    this.#records = records;
    this.#choice = choice;
    this.#cache = cache;
    this.#size = new Float64Array(records.slots).fill(NOT_TRIED);
    this.#algorithm = new Uint8Array(records.slots);
    this.#reason = new Uint8Array(records.slots);
    this.#ahead = new DecodeAhead({
      choice,
      limit: records.limit,
      has: (slot) => this.#isUndecided(slot),
      count: () => this.#countUndecided(),
      last: (end) => this.#lastUndecided(end),
      read: (slot) => this.#read(slot),
      adopt: (slot, generation, decoded) => {
        if (generation === records.generation(slot) && this.#isUndecided(slot)) this.#keep(slot, decoded);
      },
    });
  }

  /** What the record decodes to. Never throws for what the bytes are, nor for a place that cannot be read. */
  of(slot: number): Decoded {
    if (this.#size[slot] === NOT_TRIED) this.#ahead.need(slot, () => this.#decode(slot));
    const size = this.#size[slot]!;
    const other = OTHERS[size];
    if (other) return other;
    const reason = this.#reason[slot]!;
    return {
      state: 'decoded',
      size,
      compression: COMPRESSIONS[this.#algorithm[slot]!]!,
      reason: reason === 0 ? null : reasonName(reason),
    };
  }

  isUnreadable(slot: number): boolean {
    return this.#size[slot] === UNREADABLE;
  }

  /** The place holds another record, or can be read again. */
  forget(slot: number): void {
    this.#size[slot] = NOT_TRIED;
  }

  /**
   * The bytes of a record that decoded, or that could not be read then.
   * @returns undefined when it does not decode
   * @throws PstoreError EIO
   */
  text(found: Found): Uint8Array | undefined {
    const decoded = this.#isTooLong(found) ? undefined : this.#decoded(found);
    return decoded && withTrail(decoded.text, found);
  }

  close(): void {
    this.#ahead.close();
  }

  #decoded(found: Found): DecodedRecord | undefined {
    return decodeRecord(piecesBytes(found.pieces()), this.#choice, this.#records.limit);
  }

  /** Whether so much is stored that it cannot be the compressed text of any record: it is not even read. */
  #isTooLong({ length = 0 }: Found): boolean {
    return length > mostStored(this.#records.limit);
  }

  /** Whether a record is compressed, and nobody knows yet with what. */
  #isUndecided(slot: number): boolean {
    return this.#size[slot] === NOT_TRIED && this.#records.isCompressed(slot);
  }

  #countUndecided(): number {
    let count = 0;
    for (let slot = 0; slot < this.#records.slots; slot++) if (this.#isUndecided(slot)) count++;
    return count;
  }

  #lastUndecided(end: number): number {
    let slot = Math.min(end, this.#records.slots) - 1;
    while (slot >= 0 && !this.#isUndecided(slot)) slot--;
    return slot;
  }

  #read(slot: number): StoredRecord | undefined {
    try {
      const found = this.#records.found(slot);
      if (!found || this.#isTooLong(found)) return undefined;
      return { stored: piecesBytes(found.pieces()), generation: this.#records.generation(slot) };
    } catch (error) {
      // Whoever needs this record says what is wrong with it.
      if (error instanceof PstoreError) return undefined;
      throw error;
    }
  }

  #decode(slot: number): void {
    const found = this.#records.found(slot);
    if (!found) return;
    let decoded: DecodedRecord | undefined;
    try {
      decoded = this.#isTooLong(found) ? undefined : this.#decoded(found);
    } catch (error) {
      if (!(error instanceof PstoreError)) throw error;
      // A place that cannot be read must not take the other records with it; reading this one says so again.
      this.#records.warnings.add('record-undecodable', error.message, error.data.offset ?? null);
      this.#size[slot] = UNREADABLE;
      return;
    }
    this.#keep(slot, decoded);
  }

  #keep(slot: number, decoded: DecodedRecord | undefined): void {
    const found = this.#records.found(slot);
    if (!found) return;
    if (!decoded) {
      this.#size[slot] = found.compressed === 'yes' ? UNDECODABLE : STORED_AS_TEXT;
      if (found.compressed === 'yes') this.#warnOfLimit(found);
      return;
    }
    const shown = withTrail(decoded.text, found);
    this.#size[slot] = shown.length;
    this.#algorithm[slot] = COMPRESSIONS.indexOf(decoded.compression);
    const reason = found.reason === undefined ? reasonInText(decoded.text) : null;
    this.#reason[slot] = reason === null ? 0 : (reasonNumber(reason) ?? 0);
    this.#cache.set(this.#records.cacheKey(slot), shown);
  }

  /** A kernel would have had room for more text than is decoded here: it may show what is not shown here. */
  #warnOfLimit({ offset }: Found): void {
    if (this.#choice === 'none' || this.#records.limit <= MAX_TEXT) return;
    const { path, warnings } = this.#records;
    const sentence = `the record at offset ${offset} does not decompress to a text of at most ${MAX_TEXT >> 20} MiB`;
    warnings.add('record-undecodable', `${path}: ${sentence}; it is shown as it is stored`, offset);
  }
}

function withTrail(text: Uint8Array, { trail }: Found): Uint8Array {
  return trail === '' ? text : joined([text, new TextEncoder().encode(trail)]);
}
