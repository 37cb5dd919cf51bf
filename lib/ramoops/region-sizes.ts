// The sizes by which a kernel would come to the zones that were found.

import type { RamDialect } from './dialects.js';
import { dmesgZones, partOf, type RamSizes, roundDownToPowerOfTwo } from './geometry.js';
import { MIN_ZONE } from './likelihood.js';

export type GivenSizes = Partial<RamSizes>;

/**
 * The sizes that a region may have whose last zone ends here.
 * @param dumps bytes of all dump zones
 * @param whole bytes of the region, where they are known or likely, else NaN
 */
export function* endsOf(
  sizes: RamSizes,
  end: number,
  dumps: number,
  given: GivenSizes,
  whole: number,
): Generator<number> {
  const { dialect } = sizes;
  const usable = dialect.roundsRegion ? roundDownToPowerOfTwo(whole) : whole;
  if (end <= usable && (!dialect.roundsRegion || usable !== whole)) yield whole;
  if (given.memSize !== undefined || dialect.roundsRegion) return;
  const hole = dialect.consoles === 'hole' ? sizes.consoleSize : 0;
  const least = end + hole + sizes.ftraceSize - ftraceUsed(sizes);
  // What a division among the dump zones leaves is less than two bytes for each.
  const most = dialect.remainder === 'unused' ? PAGE : 2 * Math.max(1, dumps / MIN_ZONE);
  const ends = MULTIPLES.map((multiple) => roundUp(least, multiple)).filter((end) => end - least < most);
  const others = dialect.remainder === 'unused' || ends.length === 0 ? [ends[0] ?? least] : new Set(ends);
  for (const other of others) if (other !== whole) yield other;
}

const PAGE = 4096;
/** What regions have sizes of, the usual one first: one in use has 0xbf800 bytes. */
const MULTIPLES = [PAGE, 2048, 1024] as const;

function ftraceUsed({ ftraceSize, cpus, dialect }: RamSizes): number {
  const count = dialect.perCpu ? cpus : 1;
  return ftraceSize > 0 ? count * partOf(ftraceSize, count, dialect.isEven) : 0;
}

/** A record_size that leads to these dump zones in `room` bytes. */
export function recordSizeFor(
  dialect: RamDialect,
  room: number,
  count: number,
  zoneSize: number,
  given: number | undefined,
): number | undefined {
  if (count === 0) return (given ?? 0) > 0 && room > 0 ? undefined : (given ?? 0);
  if (room < count * zoneSize) return undefined;
  const each = Math.floor(room / count);
  const choices =
    given !== undefined
      ? [dialect.roundsSizes ? roundDownToPowerOfTwo(given) : given]
      : dialect.remainder === 'unused' || !dialect.roundsSizes
        ? [zoneSize, each - (each % 4096), each]
        : [roundDownToPowerOfTwo(each)];
  return choices.find((size) => {
    const zones = dmesgZones(room, size, dialect);
    return zones.count === count && zones.zoneSize === zoneSize;
  });
}

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
