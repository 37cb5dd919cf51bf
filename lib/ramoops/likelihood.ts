// How likely the sizes of a region are, whatever stands in it: people choose round ones.

import { kindsInOrder, type RamSizes, roundedSizes } from './geometry.js';

/** Smallest zone of a kind that is looked for; a kernel's own default is 4096. */
export const MIN_ZONE = 256;
/** A region that does not end with what it is looked for in must explain more than one that does. */
const OTHER_END = 1.2;
/** A region of so many bytes that it was hardly chosen: the image may be cut. The oddest one known is of 0xbf800. */
const ROUND = 2048;
const NOT_ROUND = 0.8;
/** A region of which the end is not in the image. */
const CUT = 1.75;
/** Bytes that no zone has, though a kernel could leave them: sizes are mostly chosen so that they fill the region. */
const UNUSED_REST = 0.75;
/** The same where twice the console's size leaves less than a record: hardly any sizes fill such a region. */
const UNUSED_PART = 0.4;

/** How unlikely the end of a region is. @param size bytes of what it is looked for in; whole the same, or NaN */
export function endCost(sizes: RamSizes, size: number, whole: number): number {
  const odd = sizes.memSize % ROUND === 0 ? 0 : NOT_ROUND;
  if (sizes.memSize !== whole)
    return odd + digitsBeyond(sizes.memSize, 1) * 0.1 + (sizes.memSize > size ? CUT : OTHER_END);
  const zones = kindsInOrder(roundedSizes(sizes)).reduce((sum, [, { count, zoneSize }]) => sum + count * zoneSize, 0);
  const hole = sizes.dialect.consoles === 'hole' ? sizes.consoleSize : 0;
  const rest = sizes.memSize - zones - hole;
  const isPart = sizes.dialect.consoles === 'two' && rest < sizes.recordSize;
  return odd + (rest < MIN_ZONE ? 0 : isPart ? UNUSED_PART : UNUSED_REST);
}

/** Sizes that a person chose are round: each further binary digit makes one less likely. */
export function oddness(sizes: RamSizes): number {
  const all = [sizes.consoleSize, sizes.pmsgSize, sizes.ftraceSize, sizes.bootLogSize].filter((size) => size > 0);
  return all.reduce((sum, size) => sum + digitsBeyond(size, 2) * 0.05, 0);
}

function digitsBeyond(size: number, free: number): number {
  let digits = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) digits += rest % 2;
  return Math.max(0, digits - free);
}
