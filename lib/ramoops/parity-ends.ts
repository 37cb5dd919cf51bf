// Where zones end by their parity: with ECC the parity of a zone's header stands at its end, or after the last set in use.

import { findBytes } from '#platform';
import { readRange, type Storage } from '../storage/storage.js';
import type { ParityRule } from './dialects.js';
import { RAM_HEADER_SIZE } from './format.js';
import { zoneLayout } from './geometry.js';
import { reedSolomon } from './reed-solomon.js';
import { USUAL_PARITIES } from './zone-parities.js';

/** Zones are looked for no longer than this, and all of them together no longer than that. */
const MAX_ZONE = 16 << 20;
const MAX_SEARCHED = 128 << 20;
/** Ends of one header that are kept. */
const MAX_ENDS = 4;
/** Regions of one ring have a size that is a multiple of this. */
const PAGE = 4096;

interface ParityEnd {
  readonly ecc: number;
  /** First byte after the parity, from the zone's beginning. */
  readonly end: number;
}

/** Looks for the parity of headers, each once. */
export class ParityEnds {
  readonly #storage: Storage;
  readonly #known = new Map<number, readonly ParityEnd[]>();
  #searched = 0;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** Sizes of the zone that begins here. */
  sizesAt(offset: number, rule: ParityRule): readonly number[] {
    if (rule !== 'room-packed') return this.#endsOf(offset).map(({ end }) => end);
    const sizes: number[] = [];
    for (const { ecc, end } of this.#endsOf(offset)) {
      const first = Math.ceil(end / PAGE) * PAGE;
      for (let size = first; size <= first + end / 2; size += PAGE) {
        if (zoneLayout(size, ecc, 'room-packed')?.headerParity === end - ecc) sizes.push(size);
      }
    }
    return sizes;
  }

  #endsOf(offset: number): readonly ParityEnd[] {
    let ends = this.#known.get(offset);
    if (!ends) {
      ends = this.#search(offset);
      this.#known.set(offset, ends);
    }
    return ends;
  }

  #search(offset: number): readonly ParityEnd[] {
    const length = Math.min(MAX_ZONE, this.#storage.size - offset);
    this.#searched += Math.max(0, length) * USUAL_PARITIES.length;
    if (length <= RAM_HEADER_SIZE || this.#searched > MAX_SEARCHED) return [];
    const zone = readRange(this.#storage, offset, length);
    const header = zone.subarray(0, RAM_HEADER_SIZE);
    const ends: ParityEnd[] = [];
    for (const ecc of USUAL_PARITIES) {
      const parity = reedSolomon(ecc).encode(header);
      for (let at = findBytes(zone, parity, RAM_HEADER_SIZE); at >= 0; at = findBytes(zone, parity, at + ecc)) {
        if (ends.length < MAX_ENDS) ends.push({ ecc, end: at + ecc });
        else break;
      }
    }
    return ends;
  }
}
