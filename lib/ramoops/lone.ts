// Signatures that stand in a text by accident, or because somebody wrote of them: no zone of any geometry begins there.

import { upperBound } from './ascending.js';
import { RAM_HEADER_SIZE } from './format.js';

/** Zones begin at multiples of this, but for those that share what the other kinds leave, and those after them. */
const SECTOR = 512;
/** Zones after such ones lie a multiple of this away from one of them. */
const STEP = 1024;
/** Headers before and after one with which it may be in a row. */
const NEIGHBOURS = 32;

/**
 * The headers that stand in the data of a zone, and neither where sizes of zones add up to, nor in a row with two others
 * as the zones of a division do. A header that a later boot has written over older data does one or the other.
 * @param offsets of all sound headers, ascending
 * @param sizeOf bytes of data that a header tells of
 */
export function loneHeaders(offsets: readonly number[], sizeOf: (offset: number) => number): Set<number> {
  const lone = new Set<number>();
  const all = new Set(offsets);
  let end = 0;
  for (const [i, offset] of offsets.entries()) {
    if (offset < end && offset % SECTOR !== 0 && isAlone(offsets, all, i)) lone.add(offset);
    else end = Math.max(end, offset + RAM_HEADER_SIZE + sizeOf(offset));
  }
  return lone;
}

function isAlone(offsets: readonly number[], all: ReadonlySet<number>, index: number): boolean {
  const offset = offsets[index]!;
  const after = offsets.slice(index + 1, index + 1 + NEIGHBOURS);
  return isFarFrom(offset, [...offsets.slice(Math.max(0, index - NEIGHBOURS), index), ...after], all);
}

/** Whether a place is no multiple of a step away from any of the others, nor in a row with two of them. */
function isFarFrom(offset: number, others: readonly number[], all: ReadonlySet<number>): boolean {
  return !others.some((other) => {
    const distance = offset - other;
    return distance % STEP === 0 || all.has(offset + distance) || all.has(other - distance);
  });
}

/**
 * Words of memory that look like the header of an ftrace zone, since that has any kernel's version in it: the only one of
 * its kernel, which is where no zone after the others would be.
 * @param plain offsets of the other kinds' headers
 * @param ftrace offsets, with the version
 */
export function loneFtrace(plain: ReadonlySet<number>, ftrace: ReadonlyMap<number, number>): number[] {
  if (plain.size === 0) return [];
  const offsets = [...plain].sort((a, b) => a - b);
  const counts = new Map<number, number>();
  for (const version of ftrace.values()) counts.set(version, (counts.get(version) ?? 0) + 1);
  const isLone = (offset: number, version: number) => {
    if (counts.get(version) !== 1) return false;
    const next = upperBound(offsets, offset);
    return isFarFrom(offset, offsets.slice(Math.max(0, next - NEIGHBOURS), next + NEIGHBOURS), plain);
  };
  return [...ftrace].filter(([offset, version]) => isLone(offset, version)).map(([offset]) => offset);
}
