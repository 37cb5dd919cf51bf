// Regions of one ring. Each is looked at, however many headers it leaves unexplained: those of an earlier boot outnumber
// the one header that a kernel of such a dialect writes, and its parity may still prove it.

import type { Candidate } from './chain.js';
import type { RamDialect } from './dialects.js';
import { RAM_HEADER_SIZE } from './format.js';
import { NO_RAM_ZONES } from './geometry.js';
import { endCost, idleCost, leastIdleCost, oddness } from './likelihood.js';
import type { Places } from './places.js';
import type { GivenSizes } from './region-sizes.js';
import { ZoneSizes } from './zone-sizes.js';

/**
 * @param size bytes in which the region is looked for
 * @param isWhole whether it may well end there
 */
export function singleRings(
  places: Places,
  size: number,
  isWhole: boolean,
  given: GivenSizes,
  dialects: readonly RamDialect[],
): readonly Candidate[] {
  const { memSize, recordSize = 0, ftraceSize = 0, pmsgSize = 0 } = given;
  if (recordSize + ftraceSize + pmsgSize > 0 || places.lacks('console', 0)) return [];
  const whole = memSize ?? (isWhole ? size : Number.NaN);
  const ends = new ZoneSizes(places, given, size, whole);
  const kinds = ['dmesg', 'ftrace', 'pmsg'] as const;
  const noOthers = kinds.reduce((sum, kind) => sum + idleCost(kind, 0, 0), 0) - leastIdleCost(places);
  const found: Candidate[] = [];
  for (const dialect of dialects) {
    if (!dialect.singleRing) continue;
    for (const end of ends.ringEnds(dialect, memSize !== undefined)) {
      const consoleSize = given.consoleSize ?? end;
      if (!(end > 0) || consoleSize > end || consoleSize <= RAM_HEADER_SIZE) continue;
      const run = places.run('console', 0, consoleSize, 1);
      if (run.matched === 0) continue;
      const sizes = { ...NO_RAM_ZONES, memSize: end, consoleSize, dialect };
      const strayCost = places.strayCost(places.count - run.matched, places.liveCount - run.live);
      const cost = run.cost + strayCost;
      const idle = noOthers + idleCost('console', 1, run.live);
      const rank = cost + dialect.unlikely + oddness(sizes) + endCost(sizes, consoleSize, size, whole) + idle;
      found.push({ sizes, cost, strayCost, rank });
    }
  }
  return found.sort((a, b) => a.rank - b.rank);
}
