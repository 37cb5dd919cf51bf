// What speaks against a size of dmesg zones that fits better than any other.

import { firstOther, isBlank } from '../bytes.js';
import { readRange, type Storage } from '../storage/storage.js';
import type { ZoneDialect } from './dialects.js';
import { BUFFER_HEADER_SIZE } from './format.js';
import { ZONE_MULTIPLE } from './geometry.js';
import { countsOf } from './last-kernel.js';
import type { Mark } from './marks.js';
import { MAX_NEWEST, type Written } from './written.js';

/** Its sentences are for a person: what is odd, what else than a wrong size explains it, and where it is. */
export interface StrideDoubt {
  readonly what: string;
  readonly or: string;
  readonly offset: number;
}

const CUT_OFF = 'that write was cut off';

/** Of more headers than these two neighbours are left, whichever single one is damaged. */
const FEW = 2;

/**
 * @param matches the headers that stand where zones of this size begin, in the order of their offsets
 * @param dumps all of them, the newest first
 */
export function doubtOf(
  { base, size }: { readonly base: number; readonly size: number },
  matches: readonly Mark[],
  dumps: readonly Written[],
  dialect: ZoneDialect,
  storage: Storage,
): StrideDoubt | undefined {
  const newest = dumps.slice(0, MAX_NEWEST);
  const isPlaced = ({ mark }: Written) => mark.offset >= base && (mark.offset - base) % size === 0;
  const last = matches.at(-1)?.offset ?? 0;
  for (const written of dialect.flushes === 'zone' ? newest.filter(isPlaced) : []) {
    const { offset } = written.mark;
    if (written.reach < size && offset + size <= storage.size) {
      return { what: `the dump at ${offset} does not fill its zone, as its kernel writes it`, or: CUT_OFF, offset };
    }
    if (offset + size < last && isHole(written, size, storage)) {
      return {
        what: `after the dump at ${offset} stands a zone that was never written, and other dumps after that`,
        or: CUT_OFF,
        offset,
      };
    }
  }
  const placed = dumps.filter(isPlaced);
  const twice = countedTwice(placed, dialect);
  if (twice || dialect.flushes === 'zone') return twice;
  const skipped = dumpsBetween(placed, size, dialect);
  return skipped ?? (matches.length > FEW ? undefined : halfLost(matches, size, dialect, storage));
}

/**
 * A kernel counts on from the highest counter of the zones that it finds: where two dumps of one reason have the same, the
 * newer one's kernel has not found the other, as if its zones were of another size.
 */
function countedTwice(dumps: readonly Written[], dialect: ZoneDialect): StrideDoubt | undefined {
  const newer = new Map<string, Written>();
  for (const dump of dumps) {
    const counts = countsOf(dump, dialect);
    const other = counts && newer.get(`${counts} ${dump.counter}`);
    if (other) {
      const { offset } = other.mark;
      const places = [dump.mark.offset, offset].sort((a, b) => a - b).join(' and ');
      const what = `the dumps at ${places} both have the counter ${dump.counter}`;
      return { what, or: 'one of these counters is damaged', offset };
    }
    if (counts) newer.set(`${counts} ${dump.counter}`, dump);
  }
  return undefined;
}

/**
 * Zones that were erased as a whole leave nothing but the gaps in the counters: where so many neighbours have one, and
 * all dumps fit into smaller zones, each may have had another zone after it.
 */
function dumpsBetween(dumps: readonly Written[], size: number, dialect: ZoneDialect): StrideDoubt | undefined {
  const header = BUFFER_HEADER_SIZE[dialect.generation];
  const smaller = PARTS.map((parts) => size / parts).find((part) => part % ZONE_MULTIPLE === 0) ?? 0;
  if (dumps.some(({ mark }) => mark.datalen + header > smaller)) return undefined;
  const ring = dumps.toSorted((a, b) => a.mark.offset - b.mark.offset);
  const steps = ring.flatMap((after, i) => {
    const before = ring[i - 1];
    return before && before.time < after.time ? [{ before, after }] : [];
  });
  const gaps = steps.filter(({ before, after }) => {
    const counts = countsOf(after, dialect);
    return counts && counts === countsOf(before, dialect) && after.counter > before.counter + 1;
  });
  const [first] = gaps;
  if (!first || gaps.length * 2 < steps.length) return undefined;
  const { before, after } = first;
  const { offset } = before.mark;
  const places = `between the dumps at ${offset} and ${after.mark.offset}`;
  const what = `${places}, whose counters are ${before.counter} and ${after.counter}, a dump is missing`;
  return { what, or: 'that one could not be written', offset };
}

/** Into how many zones a larger one may have to be divided. */
const PARTS = [2, 3, 5, 7];

/** Whether what would be the next zone may be the end of this one: zeros, or bytes of a dump that was erased. */
function isHole({ mark, next, reach }: Written, size: number, storage: Storage): boolean {
  if (next < mark.offset + 2 * size) return false;
  if (mark.datalen > 0) return reach >= 2 * size && reach < Number.POSITIVE_INFINITY;
  return firstOther(readRange(storage, mark.offset + size, ZONE_MULTIPLE), 0xff) >= 0;
}

/** Where a kernel writes no more than the dump, what else stands in its zone may be a zone that lost its header. */
function halfLost(
  [first, second]: readonly Mark[],
  size: number,
  { generation }: ZoneDialect,
  storage: Storage,
): StrideDoubt | undefined {
  if (!first || !second || (size / 2) % ZONE_MULTIPLE !== 0) return undefined;
  const { offset, datalen } = first;
  const from = offset + Math.max(size / 2, datalen + BUFFER_HEADER_SIZE[generation]);
  const rest = readRange(storage, from, Math.min(second.offset - from, MAX_REST));
  if (rest.length === 0 || isBlank(rest)) return undefined;
  return {
    what: `something stands after the dump at ${offset}, in the same zone or in one that lost its header`,
    or: CUT_OFF,
    offset,
  };
}

/** Bytes after a dump that are looked at. */
const MAX_REST = 64 << 10;
