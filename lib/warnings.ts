// A soft problem: something in an image that is not as it should be, though the rest can be shown.

import { PstoreError } from './errors.js';

/** Codes of warnings; programs may rely on them (`info --json`). */
export type WarningCode =
  | 'zone-overtop'
  | 'zone-invalid'
  | 'zone-start-beyond-datalen'
  | 'zone-truncated'
  | 'zone-unwritten-bytes'
  | 'record-short'
  | 'record-time'
  | 'record-flag'
  | 'record-reason'
  | 'record-undecodable'
  | 'record-salvaged'
  | 'ring-same-second'
  | 'geometry-guess'
  | 'geometry-mismatch'
  | 'geometry-kib'
  | 'geometry-rounded'
  | 'image-capped'
  | 'block-unreadable'
  | 'image-shrunk'
  | 'image-fresh'
  | 'image-in-use'
  | 'ecc-corrected'
  | 'ecc-lost'
  | 'no-records'
  | 'note-damaged'
  | 'header-damaged'
  | 'record-hidden'
  | 'record-unreadable'
  | 'store-damaged'
  | 'store-full'
  | 'header-version'
  | 'header-stray'
  | 'region-inside'
  | 'search-ended'
  | 'page-damaged'
  | 'spare-bytes'
  | 'medium-damaged'
  | 'partition-found'
  | 'source-failed'
  | 'read-only'
  | 'flash-shared';

export interface Warning {
  readonly code: WarningCode;
  /** One clear sentence. */
  readonly message: string;
  /** First byte in the source that it is about, or null. */
  readonly offset: number | null;
}

/** What `strict` makes an error: that an image is not as it was said to be. All else is a matter of the image alone. */
const ERRORS_WHEN_STRICT: ReadonlySet<WarningCode> = new Set(['geometry-mismatch']);

/** Collects warnings. Here, and nowhere else, `strict` makes an error of one. */
export class Warnings {
  readonly list: Warning[] = [];
  readonly #strict: boolean;
  /** Warnings beyond this number are counted, not kept: a hostile image must not decide our memory. */
  static readonly LIMIT = 1000;
  dropped = 0;

  constructor(strict = false) {
    this.#strict = strict;
  }

  /** @throws PstoreError EINVAL where `strict` makes an error of it */
  add(code: WarningCode, message: string, offset: number | null = null): void {
    this.#check(code, message);
    if (this.list.length >= Warnings.LIMIT) this.dropped++;
    else this.list.push({ code, message, offset });
  }

  /**
   * Of a place that a kernel passes over, though a person may read something in it.
   * @param what the place
   * @param why what is wrong with it, as the rest of a sentence: `has the magic 1`
   */
  addPassedOver(code: WarningCode, path: string, what: string, why: string, offset: number): void {
    const advice = `${path}: --salvage shows what can be read of ${what}`;
    this.add(code, `${advice}, which ${why}; a kernel passes over it`, offset);
  }

  /** In front of all: what explains the others. @throws PstoreError as add() does */
  addFirst(code: WarningCode, message: string): void {
    this.#check(code, message);
    this.list.unshift({ code, message, offset: null });
  }

  #check(code: WarningCode, message: string): void {
    if (this.#strict && ERRORS_WHEN_STRICT.has(code)) throw new PstoreError('EINVAL', message);
  }

  /** It is so no longer. */
  withdraw(code: WarningCode, offset: number): void {
    const at = this.list.findIndex((warning) => warning.code === code && warning.offset === offset);
    if (at >= 0) this.list.splice(at, 1);
  }

  addAll(others: Warnings): void {
    for (const { code, message, offset } of others.list) this.add(code, message, offset);
    this.dropped += others.dropped;
  }
}

/** `1 record`, `2 records`; also with a verb, as in `1 record is`, `2 records are`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`;
}
