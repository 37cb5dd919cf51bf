// Rings of a partition that was used with several sizes: which of them are the last kernel's.

import { type RingMark, wrappedSize } from './evidence.js';
import { BUFFER_HEADER_SIZE } from './format.js';
import type { Mark } from './marks.js';

/** The rings into which nothing else has been written since. */
export function freshRings(marks: readonly Mark[]): readonly Mark[] {
  const fresh: Mark[] = [];
  let next = Number.POSITIVE_INFINITY;
  for (const mark of marks.toReversed()) {
    const { type, signed, magic, doubtful, offset, datalen } = mark;
    if (type !== 'dmesg' && signed && next >= offset + BUFFER_HEADER_SIZE.pstore_blk + datalen) fresh.push(mark);
    if (signed && !doubtful && (magic || type !== 'dmesg')) next = offset;
  }
  return fresh.reverse();
}

/**
 * The rings in front of mainline's dmesg zones. Of several consoles it is the one where pmsg ends, or else the one that
 * ends where the next zones begin, or else the last.
 * @param end where the first dmesg zone begins
 */
export function ringsInFront(marks: readonly Mark[], end: number): readonly Mark[] {
  const rings = freshRings(marks).filter(({ offset }) => offset < end);
  const consoles = rings.filter(({ type }) => type === 'console');
  const endOf = (ring: RingMark) => ring.offset + (wrappedSize(ring, end) ?? 0);
  const pmsg = rings.find(({ type }) => type === 'pmsg');
  const last =
    consoles.find(({ offset }) => pmsg && endOf(pmsg) === offset) ??
    consoles.find((ring) => endOf(ring) === end) ??
    consoles.at(-1);
  return rings.filter((ring) => ring.type !== 'console' || ring === last);
}

/** A ring is where zones of a size end. */
export const FITS = 1;
/** And the ring's own size, which is known, leaves room for just as many. */
export const FITS_WITH_SIZE = 2;

/** How well a ring stands after dmesg zones of a size, as vendors' kernels place it; 0 where it does not. */
export function fitOf(ring: RingMark, { base, size }: { base: number; size: number }, total: number): number {
  if ((ring.offset - base) % size !== 0) return 0;
  const own = wrappedSize(ring, total);
  if (own === undefined) return FITS;
  return Math.floor((total - base - own) / size) * size === ring.offset - base ? FITS_WITH_SIZE : 0;
}
