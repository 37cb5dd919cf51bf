// What is known of a partition's geometry, and how sure that is.

import type { Detected } from './detect.js';
import type { ZoneGeometry, ZoneSizes } from './geometry.js';

export interface Found {
  readonly geometry: ZoneGeometry;
  readonly detected: Detected | undefined;
  readonly confidence: Readonly<Record<string, number>>;
  readonly given: ReadonlySet<keyof ZoneSizes>;
  /** Where the partition may begin, when it seems to be a part of this image; undefined when the image is all of it. */
  readonly begins: number | undefined;
  /** Its zones cannot begin where they do in a partition that begins where the image does. */
  readonly isShifted: boolean;
  /** Whether dmesg zones may stand before the first one that has a header. */
  readonly isFirstGuess: boolean;
  /** All that was found are dmesg zones that were formatted and never written. */
  readonly isBare: boolean;
}
