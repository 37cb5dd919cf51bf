// How sure a found size is, and what a single header tells of its zone's size.

import type { Abi } from '../pstore/abi.js';
import type { Storage } from '../storage/storage.js';
import { BUFFER_HEADER_SIZE } from './format.js';
import { ZONE_MULTIPLE, type ZoneSizes } from './geometry.js';
import type { Mark } from './marks.js';

/** What is known of an image whose sizes are looked for. */
export interface SizeEvidence {
  /** First byte of dmesg zone 0, where that is known. */
  readonly kmsgOffset: number | undefined;
  readonly total: number;
  /** Every zone has a header, because the image was made so. */
  readonly formatted: boolean;
  readonly given: Partial<ZoneSizes>;
  readonly storage: Storage;
  readonly abi: Abi;
  /** Whether the machine's word size is known. */
  readonly wordBitsProven: boolean;
}

/** How sure each found size is: 1 is proven by the image. */
export type SizeConfidence = Readonly<Record<keyof ZoneSizes, number>>;

/** What tells of a ring. */
export type RingMark = Pick<Mark, 'offset' | 'datalen' | 'start'>;

/**
 * The size of a ring's zone when it has wrapped: it is full then, its datalen is the data area's size.
 * @param limit the zone ends here, or before
 */
export function wrappedSize({ offset, datalen, start }: RingMark, limit: number): number | undefined {
  const size = datalen + BUFFER_HEADER_SIZE.pstore_blk;
  const isSize = size % ZONE_MULTIPLE === 0 && size <= limit - offset;
  return start > 0 && start < datalen && isSize ? size : undefined;
}
