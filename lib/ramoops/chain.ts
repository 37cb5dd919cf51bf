// What the search for a geometry chooses step by step: chains of zones, each of which begins where the one before it ends.

import type { RamSizes } from './geometry.js';

/** A chain that is being made: what was chosen so far, and where the next zone begins. */
export interface Chain {
  readonly sizes: Partial<Record<'consoleSize' | 'ftraceSize' | 'pmsgSize' | 'ttySize' | 'cpus', number>>;
  readonly at: number;
  /** How much the places of headers speak against it. */
  readonly cost: number;
  /** How unlikely it is that of the kinds so far just these are in use. */
  readonly idle: number;
  readonly matched: number;
  /** Matched headers that hold something. */
  readonly live: number;
  /** Headers that may still be missing. */
  readonly budget: number;
}

/** The dump zones of a chain. */
export interface Dumps {
  readonly bootLogSize: number;
  readonly bootLogCount: number;
  readonly count: number;
  readonly zoneSize: number;
}

/** Zones of the boot log, and where the dumps begin after them. */
export type BootLogs = Dumps & Pick<Chain, 'at' | 'cost' | 'idle' | 'matched' | 'live'>;

/** A geometry that is worth a closer look. */
export interface Candidate {
  readonly sizes: RamSizes;
  /** How much the places of headers speak against it; see places.ts. */
  readonly cost: number;
  /** What of the cost no repair can take away: that of headers which belong to no zone. */
  readonly strayCost: number;
  /** The cost, with how unlikely dialect, sizes, end and idle kinds are. */
  readonly rank: number;
}
