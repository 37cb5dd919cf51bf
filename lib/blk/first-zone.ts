// Whether the first dmesg header that was found is that of zone 0: a kernel may have passed over zones that the device
// refused, and a header may be lost.

import { isPlainText } from '../pstore/plausible-text.js';
import { readRange, type Storage } from '../storage/storage.js';
import { wrappedSize } from './evidence.js';
import { BUFFER_HEADER_SIZE } from './format.js';
import { ZONE_MULTIPLE } from './geometry.js';
import type { Mark } from './marks.js';

/** Text on both sides of a place tells that no zone begins there: so many bytes on each. */
const TEXT_EACH = 16;

/** Whether mainline has no room for a dmesg zone before this one: a ring reaches into it. */
export function isFirstZone(
  { base, size }: { readonly base: number; readonly size: number },
  marks: readonly Mark[],
  storage: Storage,
): boolean {
  const before = base - size;
  if (before < 0) return true;
  const rings = marks.filter(({ type, signed, offset }) => type !== 'dmesg' && signed && offset < base);
  if (rings.some((ring) => ring.offset + leastSize(ring, base) > before)) return true;
  return before >= TEXT_EACH && isPlainText(readRange(storage, before - TEXT_EACH, 2 * TEXT_EACH));
}

/** Bytes that a ring's zone has at least. */
function leastSize(ring: Mark, limit: number): number {
  const used = wrappedSize(ring, limit) ?? BUFFER_HEADER_SIZE.pstore_blk + ring.datalen;
  return ring.offset + used <= limit ? Math.max(used, ring.type === 'ftrace' ? 1 : ZONE_MULTIPLE) : 1;
}
