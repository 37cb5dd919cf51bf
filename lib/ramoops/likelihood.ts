// How likely the sizes of a region are: people choose round ones, and a kernel that has run uses its rings.

import type { RamKind, RamSizes } from './geometry.js';

/** Smallest zone of a kind that is looked for; a kernel's own default is 4096. */
export const MIN_ZONE = 256;
/** A region that does not end with what it is looked for in must explain more than one that does. */
const OTHER_END = 1.2;
/** A region of so many bytes that it was hardly chosen: the image may be cut. The oddest one known is of 0xbf800. */
const ROUND = 2048;
const NOT_ROUND = 0.8;
/** A region smaller than a page. */
const PAGE = 4096;
const TINY = 2;
/** A region of which the end is not in the image. */
const CUT = 2.5;
/** Each binary digit more of the size of such a region. */
const END_DIGIT = 0.1;
/** Bytes that no zone has, though a kernel could leave them: sizes are mostly chosen so that they fill the region. */
const UNUSED_REST = 0.75;
/** The same where twice the console's size leaves less than a record: hardly any sizes fill such a region. */
const UNUSED_PART = 0.4;
/** Each binary digit more of a size that a person chose. */
const ODD_DIGIT = 0.3;
/** A kind of which nothing is in use: kernels write to a console from boot on, and few programs write to pmsg. */
const IDLE_CONSOLE = 2.5;
const IDLE_PMSG = 1.7;
const IDLE_BOOT_LOG = 0.8;
/** No zones for dumps, or just one, where a chain with more of them explains as much. */
const NO_DUMPS = 2.2;
const ONE_DUMP = 1.2;
/** No zone for ftrace, though one of its headers stands in the region. */
const NO_FTRACE = 1;

/**
 * How unlikely the end of a region is.
 * @param end first byte after its last zone
 * @param size bytes of what it is looked for in
 * @param whole the same, or NaN
 */
export function endCost(sizes: RamSizes, end: number, size: number, whole: number): number {
  const { memSize, consoleSize, dialect } = sizes;
  const odd = (memSize % ROUND === 0 ? 0 : NOT_ROUND) + (memSize < PAGE ? TINY : 0);
  if (memSize !== whole) return odd + digitsBeyond(memSize, 1) * END_DIGIT + (memSize > size ? CUT : OTHER_END);
  const rest = memSize - end - (dialect.consoles === 'hole' ? consoleSize : 0);
  const isPart = dialect.consoles === 'two' && rest < sizes.recordSize;
  return odd + (rest < MIN_ZONE ? 0 : isPart ? UNUSED_PART : UNUSED_REST);
}

/** How unlikely it is that of one kind there are so many zones, of which so many hold something. */
export function idleCost(kind: RamKind, count: number, live: number): number {
  if (kind === 'dmesg') return count === 0 ? NO_DUMPS : count === 1 ? ONE_DUMP : 0;
  if (kind === 'ftrace') return count === 0 ? NO_FTRACE : 0;
  if (live > 0) return 0;
  if (kind === 'boot-log') return count > 0 ? IDLE_BOOT_LOG : 0;
  return kind === 'console' ? IDLE_CONSOLE : kind === 'pmsg' ? IDLE_PMSG : 0;
}

/** What that is at least for any geometry of a region: what no header tells of speaks against none of them. */
export function leastIdleCost({ ringCount, ftrace }: { ringCount: number; ftrace: readonly number[] }): number {
  const rings = ringCount === 0 ? IDLE_CONSOLE + IDLE_PMSG : ringCount === 1 ? IDLE_PMSG : 0;
  return rings + (ftrace.length === 0 ? NO_FTRACE : 0);
}

/** Sizes that a person chose are round: each further binary digit makes one less likely. */
export function oddness(sizes: RamSizes): number {
  const all = [sizes.consoleSize, sizes.pmsgSize, sizes.ftraceSize, sizes.bootLogSize].filter((size) => size > 0);
  return all.reduce((sum, size) => sum + digitsBeyond(size, 2) * ODD_DIGIT, 0);
}

function digitsBeyond(size: number, free: number): number {
  let digits = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) digits += rest % 2;
  return Math.max(0, digits - free);
}
