// The sizes that zones may have, as the places of headers after them allow.

import { MAINLINE, type RamDialect } from './dialects.js';
import { RAM_HEADER_SIZE } from './format.js';
import { roundDownToPowerOfTwo } from './geometry.js';
import { MIN_ZONE } from './likelihood.js';
import type { Places } from './places.js';
import { type GivenSizes, roundUp } from './region-sizes.js';

/** Smaller zones are only looked for where a header proves them. */
const PAGE = 4096;
/** Sizes that are tried for a zone after which no header stands. */
const LOOSE_ENDS = 3;
/** Marks after a zone's beginning that are tried as the next zone's beginning, where sizes are not rounded. */
export const NEXT_MARKS = 12;
/** The same of those that hold something: what is left of another boot's dump zones is mostly empty. */
const NEXT_LIVE = 4;
/** The same for dump zones of which none lacks its header: each wrong size ends with its second zone. */
const MORE_MARKS = 512;

/** A search lets no more of several ftrace zones lack their header (search.ts, budget). */
const MOST_MISSING = 2;

export class ZoneSizes {
  readonly #places: Places;
  readonly #given: GivenSizes;
  readonly #size: number;
  readonly #whole: number;
  readonly #powers: readonly number[];
  /** Whether a zone may lack its header: then any size may be one. */
  allowsMissing = true;

  /**
   * @param size bytes in which the region is looked for
   * @param whole bytes of the region, where they are known or likely, else NaN
   */
  constructor(places: Places, given: GivenSizes, size: number, whole: number) {
    this.#places = places;
    this.#given = given;
    this.#size = size;
    this.#whole = whole;
    this.#powers = powersOfTwo(2 * size);
  }

  get powers(): readonly number[] {
    return this.#powers;
  }

  /** Where a region of one ring may end. @param isGiven whether its size is known */
  ringEnds({ parity }: RamDialect, isGiven: boolean): ReadonlySet<number> {
    return new Set([this.#whole, ...(isGiven ? [] : [...this.#powers, ...this.#places.sizesByParity(0, parity)])]);
  }

  /** Sizes that dump zones may have which begin here. */
  strides(dialect: RamDialect, at: number): Iterable<number> {
    const strides = new Set<number>();
    if (dialect.remainder === 'shared') {
      const next = this.allowsMissing ? NEXT_MARKS : MORE_MARKS;
      for (const size of this.#places.after(at, next)) strides.add(size);
      for (const size of this.#places.distances()) strides.add(size);
    }
    for (const size of this.#powers) strides.add(size);
    const isPart = (size: number) => size % 2 === 0 || !dialect.isEven;
    return [...strides].filter((size) => size > RAM_HEADER_SIZE && isPart(size) && size <= this.#size * 2);
  }

  /** Sizes of all ftrace zones, and how many there are: as the distances between their headers allow. */
  *ftraceChoices(dialect: RamDialect, own: number | undefined, at: number): Generator<[number, number]> {
    const cpus = dialect.perCpu ? this.#given.cpus : 1;
    const sizes = own === undefined ? this.sizesAt(dialect, at) : [own];
    for (const size of sizes)
      if (cpus !== undefined) yield [size, cpus];
      else yield [size, 1];
    if (!dialect.perCpu || cpus !== undefined) return;
    for (const distance of this.#places.ftraceDistances(at)) {
      const most = this.#places.mostInRow('ftrace', at, distance, MOST_MISSING);
      for (const size of own === undefined ? this.#powers : [own]) {
        const first = Math.min(most, Math.floor(size / distance));
        for (let count = first; count > 1 && size / count < distance + 2; count--) yield [size, count];
      }
      if (dialect.roundsSizes || own !== undefined) continue;
      const last = Math.min(most, this.#places.ftrace.length);
      for (let count = 2; count <= last; count++) yield [distance * count, count];
    }
  }

  /** The sizes that a zone which begins here may have. */
  sizesAt(dialect: RamDialect, at: number): readonly number[] {
    if (dialect.roundsSizes) return this.#roundSizes(dialect, at);
    const end = (Number.isNaN(this.#whole) ? this.#size : this.#whole) - at;
    const used = this.#places.bytesOf(at);
    const sizes = [
      ...this.#places.after(at, NEXT_MARKS),
      ...this.#places.liveAfter(at, NEXT_LIVE),
      ...this.#places.sizesByParity(at, dialect.parity),
      end,
      end - (end % 1024),
      roundUp(used, 4096),
      roundUp(used, 65536),
    ];
    return [...new Set(sizes)].filter((size) => size > RAM_HEADER_SIZE);
  }

  /** Powers of two after which the next header stands or the region ends, and the smallest of the others. */
  #roundSizes(dialect: RamDialect, at: number): readonly number[] {
    if (this.allowsMissing) return this.#powers;
    const used = this.#places.bytesOf(at);
    const proven = this.#places.sizesByParity(at, dialect.parity);
    let loose = 0;
    return this.#powers.filter((size) => {
      if (size < used) return false;
      const end = at + size;
      const isEnd = this.#places.mayBegin(end) || end >= this.#size || this.#isNearEnd(dialect, end) || isRound(end);
      return isEnd || proven.includes(size) || (size >= PAGE && ++loose <= LOOSE_ENDS);
    });
  }

  /** Whether a region of the likely size may well end here, or after what a division leaves. */
  #isNearEnd(dialect: RamDialect, end: number): boolean {
    return end <= this.#whole && (dialect.name !== MAINLINE.name || this.#whole - end < MIN_ZONE);
  }
}

/** Whether a region that ends here, or after what a division leaves, has a size as most regions have. */
function isRound(end: number): boolean {
  const pages = roundUp(end, PAGE);
  return roundDownToPowerOfTwo(pages) === pages;
}

/** From the smallest zone on. */
export function powersOfTwo(most: number): number[] {
  const sizes: number[] = [];
  for (let size = MIN_ZONE; size <= most; size *= 2) sizes.push(size);
  return sizes;
}
