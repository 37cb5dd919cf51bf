// What a page shows of images: plain data, which a worker can send to its page.

import type { RecordState, ZoneInfo } from '../pstore/backend.js';
import type { Fact } from '../pstore/info-facts.js';
import type { Crash } from '../triage/crash.js';
import type { Severity } from '../triage/severity.js';
import type { Verdict } from '../triage/verdict.js';

export interface PageZone extends ZoneInfo {
  /** The next dmesg record goes there. */
  readonly isNext: boolean;
}

/** A source, without its records. */
export interface PageImage {
  readonly path: string;
  readonly label: string;
  readonly backend: string;
  /** Bytes; 0 of a folder. */
  readonly size: number;
  readonly facts: readonly Fact[];
  readonly zones: readonly PageZone[];
}

/** A record that a dump was put together of, or is. */
export interface PagePart {
  readonly name: string;
  readonly size: number;
  readonly state: RecordState;
  readonly offset: number;
  readonly compressed: string | null;
}

/** A dump, which is one record for the most part. */
export interface PageRow {
  /** The last part of its address, `r/dmesg-pstore_blk-0`: unique in the page. */
  readonly id: string;
  /** Number of its image in the page. */
  readonly image: number;
  readonly name: string;
  readonly parts: readonly PagePart[];
  readonly type: string;
  readonly state: RecordState;
  /** `Panic`, `console`, …. */
  readonly what: string;
  readonly severity: Severity | undefined;
  readonly title: string;
  /** Nanoseconds since 1970, or null. */
  readonly timeNs: bigint | null;
  readonly count: number | null;
  readonly size: number;
  readonly isLog: boolean;
  /** Whether the text of a log was looked into. */
  readonly isExplained: boolean;
  readonly crash: Crash | undefined;
  readonly module: string;
  readonly kernel: string | null;
  readonly machine: string | null;
  readonly hardware: string | null;
  readonly verdict: Verdict;
  readonly reasons: readonly string[];
}

/** The text of a dump. */
export interface PageText {
  /** Fit to be shown. */
  readonly shown: string;
  /** Whether it is a dump of bytes, because they are no text. */
  readonly isBinary: boolean;
  /** A sentence where not all is shown, or null. */
  readonly remark: string | null;
  /** All bytes, where they differ from what is shown and are not too many; else null. */
  readonly exact: Uint8Array | null;
}
