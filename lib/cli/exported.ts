// A dump with all that export tells of it.

import type { Crash } from '../triage/crash.js';
import type { Dump } from '../triage/dump.js';
import type { Explained } from '../triage/explained.js';
import type { Listed } from './command.js';

/** One dump, for any format. */
export interface Exported {
  readonly path: string;
  /** Bytes of the image; null for a folder. */
  readonly size: number | null;
  readonly sha256: string | undefined;
  readonly dump: Dump<Listed>;
  readonly explained: Explained;
  readonly crash: Crash | undefined;
  /** undefined where it is longer than any text is. */
  readonly bytes: Uint8Array | undefined;
  readonly warnings: readonly string[];
}
