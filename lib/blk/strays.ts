// Headers that belong to none of a partition's zones, as zones of their own: what they hold is shown by salvage.

import type { FrontEnd } from '../pstore/record-type.js';
import { MAX_STRAYS } from '../pstore/strays.js';
import { BUFFER_HEADER_SIZE, type Generation } from './format.js';
import type { Found } from './found.js';
import { ZONE_MULTIPLE, type Zone } from './geometry.js';
import type { Mark } from './marks.js';

/** Headers that no zone of the geometry explains: left over from a boot with other sizes, or the sizes are wrong. */
export function straysOf({ detected, geometry, begins }: Found): readonly Mark[] {
  // Where the partition seems to begin elsewhere, or the image says that other sizes fit, that is what is said.
  if (!detected || begins !== undefined) return [];
  const rings = new Set(geometry.rings.map(({ offset }) => offset));
  const isDump = (offset: number) => {
    const from = offset - geometry.kmsgOffset;
    return geometry.kmsgSize > 0 && from >= 0 && from % geometry.kmsgSize === 0;
  };
  return detected.marks.filter(({ signed, magic, doubtful, type, offset }) => {
    const isPlaced = type === 'dmesg' ? isDump(offset) : rings.has(offset);
    // Behind rings of odd sizes records begin at odd places; a signature alone may stand in a text.
    const isZone = signed && !doubtful && (magic || offset % ZONE_MULTIPLE === 0);
    return isZone && offset < geometry.total && !isPlaced;
  });
}

/**
 * @param firstIds the first free number of each kind
 * @returns those that hold something; a zone goes on for as many bytes as its header says, or up to the image's end. Of
 *   ftrace there are none: its text is made of all rings together
 */
export function strayZones(
  strays: readonly Mark[],
  generation: Generation,
  total: number,
  firstIds: ReadonlyMap<FrontEnd, number>,
): Zone[] {
  const ids = new Map(firstIds);
  const zones: Zone[] = [];
  for (const { type, offset, datalen } of strays.slice(0, MAX_STRAYS)) {
    if (type === 'ftrace' || datalen === 0) continue;
    const index = ids.get(type) ?? 0;
    ids.set(type, index + 1);
    zones.push({ type, index, offset, size: Math.min(BUFFER_HEADER_SIZE[generation] + datalen, total - offset) });
  }
  return zones;
}
