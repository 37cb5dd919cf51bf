// How many bytes of parity the zones of a region have: those whose bytes agree with the headers.

import type { Abi } from '../pstore/abi.js';
import type { Storage } from '../storage/storage.js';
import type { ParityRule } from './dialects.js';
import { type RamGeometry, ramZones } from './geometry.js';
import { packedParities, repairingParities, zoneParities } from './zone-parities.js';

/** Zones whose parity is looked at to find its size. */
const MAX_ZONES = 64;
/** Headers between which parity is looked for before any geometry is known. */
const MIN_NEIGHBOURS = 4;

/** Looks at the parity of zones, each once. */
export class Parity {
  readonly #storage: Storage;
  readonly #endian: Abi['endian'];
  readonly #offsets: readonly number[];
  #mayStand: boolean | undefined;
  /** For each zone the parity sizes whose bytes stand at its end. */
  readonly #known = new Map<string, readonly number[]>();

  /** @param offsets of all headers, ascending */
  constructor(storage: Storage, endian: Abi['endian'], offsets: readonly number[]) {
    this.#storage = storage;
    this.#endian = endian;
    this.#offsets = offsets;
  }

  /**
   * Whether parity stands before any later header, or before the region's end. Where few headers stand, a zone may as well
   * end elsewhere.
   */
  get mayStand(): boolean {
    this.#mayStand ??= this.#isFound();
    return this.#mayStand;
  }

  #isFound(): boolean {
    const offsets = this.#offsets;
    const { size } = this.#storage;
    if (offsets.length < MIN_NEIGHBOURS) return true;
    const isZone = (offset: number, end: number) => zoneParities(this.#storage, offset, end, this.#endian).length > 0;
    // Headers of another boot may stand before the zone's end.
    const isBeforeAny = offsets
      .slice(0, MAX_ZONES)
      .some((offset, i) => [...offsets.slice(i + 1, i + 1 + MAX_ZONES), size].some((end) => isZone(offset, end)));
    // That of a single ring may stand elsewhere.
    return isBeforeAny || this.#sizesOf(0, size, 'room-packed').length > 0;
  }

  /** The parity size that all of a geometry's zones confirm, else those that any does and 0. */
  sizes(geometry: RamGeometry): number[] {
    const votes = new Map<number, number>();
    let zones = 0;
    const onlyFtrace = geometry.runs.every((run) => run.type === 'ftrace');
    for (const zone of ramZones(geometry)) {
      if (zones >= MAX_ZONES || zone.offset + zone.size > this.#storage.size) break;
      if (zone.type === 'ftrace' && !onlyFtrace) continue;
      zones++;
      for (const ecc of this.#sizesOf(zone.offset, zone.size, geometry.dialect.parity))
        votes.set(ecc, (votes.get(ecc) ?? 0) + 1);
    }
    const inOrder = [...votes].sort((a, b) => b[1] - a[1]);
    if (inOrder[0]?.[1] === zones) return [inOrder[0][0]];
    // Where a boot with other sizes had ECC, its parity may stand just where some zones of this one end.
    return [...inOrder.slice(0, 2).map(([ecc]) => ecc), 0];
  }

  #sizesOf(offset: number, size: number, rule: ParityRule): readonly number[] {
    const key = `${offset} ${size} ${rule}`;
    let found = this.#known.get(key);
    if (!found) {
      found = this.#agreeing(offset, size, rule);
      this.#known.set(key, found);
    }
    return found;
  }

  #agreeing(offset: number, size: number, rule: ParityRule): readonly number[] {
    const exact =
      rule === 'room-packed'
        ? packedParities(this.#storage, offset, size, this.#endian)
        : zoneParities(this.#storage, offset, offset + size, this.#endian);
    // Where a header is damaged, its neighbours tell the parity; here it has none.
    const isAlone = exact.length === 0 && this.#offsets.length < MIN_NEIGHBOURS;
    return isAlone ? repairingParities(this.#storage, { offset, size }, rule, this.#endian) : exact;
  }
}
