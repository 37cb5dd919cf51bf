// What is told of a live zone: the record in it, by its header and by what ECC says of its bytes.

import type { Found } from '../pstore/places.js';
import { type EccCounts, eccWords } from './ecc-counts.js';
import type { RamZone } from './geometry.js';
import type { CheckedHeader, PersistentRamZone } from './zone.js';

/** Bytes of a dump's beginning that are compared to know it again. */
const LINE_BYTES = 64;
/** MediaTek's fs/pstore/ram.c calls its second console zone so. */
const SECOND_CONSOLE = 2;

/** The zone that is meant by the number in a name. */
export function placeNamed(type: string, id: number): number {
  return type === 'console' && id >= SECOND_CONSOLE ? id - 1 : id;
}

/** The number in the name of what a zone shows. */
export function idInName({ type, id }: Pick<RamZone, 'type' | 'id'>): number {
  return type === 'console' && id >= 1 ? id + 1 : id;
}

/**
 * @param ecc null without ECC, and where the data cannot be read, so that nobody knows what it would find
 * @param skipped bytes of the first line of a dump, which is not shown
 */
export function foundIn(zone: PersistentRamZone, header: CheckedHeader, ecc: EccCounts | null, skipped = 0): Found {
  const isRepaired = (ecc?.corrected ?? 0) > 0;
  const length = header.size - skipped;
  return {
    nameId: idInName(zone.zone),
    offset: zone.zone.offset,
    mtimeNs: null,
    reason: null,
    count: null,
    ecc: ecc && eccWords(ecc),
    compressed: 'no',
    lead: '',
    trail: ecc ? `\nECC: ${eccWords(ecc)}\n` : '',
    length,
    room: length,
    isMade: isRepaired,
    pieces: () => (isRepaired ? [zone.data(header).bytes.subarray(skipped)] : without(zone.extents(header), skipped)),
  };
}

/** The first bytes of a dump as they are stored, by which it is known again. */
export function lineOf(zone: PersistentRamZone, header: CheckedHeader): string {
  return String.fromCharCode(...zone.beginning(header, LINE_BYTES));
}

/** The extents without their first bytes. */
function without(extents: ReturnType<PersistentRamZone['extents']>, skipped: number): typeof extents {
  const rest: typeof extents = [];
  let skip = skipped;
  for (const extent of extents) {
    const off = Math.min(skip, extent.length);
    skip -= off;
    if (extent.length > off) rest.push(extent.after(off));
  }
  return rest;
}
