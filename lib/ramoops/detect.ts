// The geometry of a persistent RAM region from its bytes alone: what explains its headers best wins.

import type { Abi } from '../pstore/abi.js';
import { MemoryStorage } from '../storage/memory.js';
import { readRange, type Storage } from '../storage/storage.js';
import type { Candidate } from './chain.js';
import { holdsDump } from './contents.js';
import { DIALECTS, type RamDialect } from './dialects.js';
import { Evidence, type Fit } from './evidence.js';
import {
  layOutRam,
  type RamGeometry,
  type RamKind,
  type RamSizes,
  ramZones,
  roundDownToPowerOfTwo,
} from './geometry.js';
import { findRamMarks, type RamMarks } from './marks.js';
import type { GivenSizes } from './region-sizes.js';
import { BEYOND_END, Search } from './search.js';
import { singleRings } from './single-ring.js';

export interface DetectedRam {
  readonly sizes: RamSizes;
  readonly endian: Abi['endian'];
  /** 0 … 1 for each size: 1 was given, or no other value explains the image as well. */
  readonly confidence: Readonly<Record<keyof RamSizes, number>>;
  /** Kinds whose zones are the same in every geometry that explains the image as well. */
  readonly certain: ReadonlySet<RamKind>;
  /** How much speaks against this geometry; below 1 nothing does. */
  readonly misfit: number;
  /** Zones with a valid header. */
  readonly fitting: number;
  /** Headers that belong to no zone. */
  readonly strays: readonly number[];
}

/** Images up to this size are held in memory while they are searched. */
const IN_MEMORY = 16 << 20;
/** A geometry that explains the image worse by less than this cannot be excluded. */
export const PROOF = 1;
/** Parity bytes that agree with the headers do so by no accident: a dialect that explains them is the right one. */
const PROVEN_PARITY = 2;
/** The same of the first zone, which all geometries have: its header was last written by a kernel of this one. */
const SIGNED_FIRST = 1.5;
/** And the same of a ring that holds something. */
const PROVEN_FIRST = 4;
/** How sure sizes are where not all was tried, or a zone holds what belongs to another kind. */
const DOUBTED = 0.5;
const DOUBTFUL: ReadonlySet<keyof RamSizes> = new Set(['recordSize', 'consoleSize', 'ftraceSize', 'pmsgSize']);
/** Dialects from here on are those of few devices; see dialects.ts. */
const UNCOMMON = 1;
/** Two equal geometries that end elsewhere: the region's size is round. */
const NOT_ROUND = 0.1;

/** What the search counts for zones that no image holds, and a look at what they hold does not. */
const UNSEEN = 4 * BEYOND_END;

interface Judged extends Fit {
  readonly sizes: RamSizes;
  readonly geometry: RamGeometry;
  /** The misfit, and how unlikely its dialect, its sizes and the kinds in use are, less what parity proves. */
  readonly cost: number;
}

/**
 * @param storage begins where the region does
 * @param given sizes that are known; they are kept
 * @param dialects those that are possible
 * @returns undefined when no zone header is found in the image
 */
export function detectRam(
  storage: Storage,
  given: GivenSizes,
  endian?: Abi['endian'],
  dialects: readonly RamDialect[] = DIALECTS,
): DetectedRam | undefined {
  return new Detection(storage, findRamMarks(storage, endian)).detect(given, dialects);
}

/** One scan of a region, and what is found by it. */
export class Detection {
  readonly evidence: Evidence;
  readonly #marks: RamMarks;
  readonly #isWhole: boolean;
  /** What was found for the sizes and dialects that were asked for. */
  readonly #known = new Map<string, readonly Judged[]>();
  /** Of these the search ended before all was tried. */
  readonly #cutShort = new Set<string>();

  /** @param isWhole whether the region may well end where the storage does */
  constructor(storage: Storage, marks: RamMarks, isWhole = true) {
    this.#marks = marks;
    this.#isWhole = isWhole;
    this.evidence = new Evidence(inMemory(storage), marks);
  }

  get endian(): Abi['endian'] {
    return this.#marks.endian;
  }

  detect(given: GivenSizes, dialects: readonly RamDialect[] = DIALECTS): DetectedRam | undefined {
    if (this.#marks.plain.size + this.#marks.ftrace.size === 0) return undefined;
    const hasOdd = this.evidence.places.offsets.some((offset) => offset % 2 === 1);
    const own = dialects.filter(({ frame, isEven }) => frame === 'header' && (isEven || hasOdd));
    const key = keyOf(given, own);
    let judged = this.#known.get(key);
    if (!judged) {
      judged = this.#narrowed(given, own) ?? this.#searched(given, own);
      this.#known.set(key, judged);
    }
    const best = judged[0];
    if (!best) return undefined;
    const rivals = judged.filter((other) => other.cost < best.cost + PROOF);
    // Parity that agrees with the first header proves that a kernel of that geometry has written it, at some boot.
    const isContested = !best.isFirstSigned && judged.some((other) => other.isFirstSigned);
    const isDoubted = this.#cutShort.has(key) || best.isStrange || isContested;
    return {
      sizes: best.sizes,
      endian: this.#marks.endian,
      confidence: confidenceIn(best, rivals, given, isDoubted ? DOUBTED : 1, this.evidence.storage.size),
      certain: certainKinds(best, rivals),
      misfit: best.misfit,
      fitting: best.fitting,
      strays: best.strays,
    };
  }

  /** Sizes that those have which are best without any: no search is needed to find them again. */
  #narrowed(given: GivenSizes, dialects: readonly RamDialect[]): readonly Judged[] | undefined {
    const free = this.#known.get(keyOf({}, dialects));
    const names = Object.keys(given) as (keyof RamSizes)[];
    const agrees = ({ sizes }: Judged) => names.every((name) => sizes[name] === given[name]);
    return free?.[0] && agrees(free[0]) ? free.filter(agrees) : undefined;
  }

  /** Dialects that few kernels have are only searched where the others do not explain all. */
  #searched(given: GivenSizes, dialects: readonly RamDialect[]): readonly Judged[] {
    const { places, storage } = this.evidence;
    const search = new Search(places, storage.size, this.#isWhole, given);
    const common = dialects.filter(({ unlikely }) => unlikely < UNCOMMON);
    const rings = singleRings(places, storage.size, this.#isWhole, given, dialects);
    const judged = this.#judged(
      rings,
      given,
      this.#judged(search.candidates(common), given, []),
      Number.POSITIVE_INFINITY,
    );
    if (search.isCutShort) this.#cutShort.add(keyOf(given, dialects));
    const best = judged[0];
    const rest = dialects.filter((dialect) => {
      const least = dialect.unlikely - this.#bonus(given);
      return dialect.unlikely >= UNCOMMON && !(best && best.misfit < PROOF && least >= best.cost + PROOF);
    });
    const all = rest.length === 0 ? judged : this.#judged(search.candidates(rest), given, judged);
    if (!all[0]) return all;
    // A closer look has found faults in all of these: others that seemed worse may have none.
    if (all[0].misfit >= PROOF) return this.#judged(search.within(all[0].cost + PROOF, dialects), given, all);
    // There may be parity, and this one has none: one that it speaks for may have seemed worse.
    if (all[0].sizes.ecc > 0 || this.#bonus(given) === 0) return all;
    const limit = all[0].cost + PROOF + PROVEN_PARITY + SIGNED_FIRST;
    const wider = this.#judged(search.within(limit, dialects), given, all);
    return wider.filter((one) => one.sizes.ecc > 0 || all.includes(one));
  }

  /** How much parity may speak for a geometry. */
  #bonus({ ecc }: GivenSizes): number {
    return ecc === undefined && this.evidence.parity.mayStand ? PROVEN_PARITY + SIGNED_FIRST + PROVEN_FIRST : 0;
  }

  /** Those that nothing excludes, best first. Most need no look, since what is seen of them already is too much. */
  #judged(
    candidates: readonly Candidate[],
    given: GivenSizes,
    before: readonly Judged[],
    limit = (before[0]?.cost ?? Number.POSITIVE_INFINITY) + PROOF,
  ): readonly Judged[] {
    const judged = [...before];
    let most = limit;
    const bonus = this.#bonus(given);
    for (const { sizes, cost, strayCost, rank } of candidates) {
      const unlikely = rank - cost;
      if (strayCost + unlikely - bonus > most) continue;
      for (const ecc of this.#parities(sizes, given)) {
        // What ECC may repair is not yet known to speak against a geometry.
        const least = ecc > 0 ? strayCost + unlikely - bonus : rank - UNSEEN;
        const seen = least > most ? undefined : this.#look({ ...sizes, ecc }, given, unlikely);
        if (!seen) continue;
        judged.push(seen);
        most = Math.min(most, seen.cost + PROOF);
      }
    }
    return judged.sort((a, b) => a.cost - b.cost || a.unlikely - b.unlikely);
  }

  /** How many zones of what was found hold a dump. */
  dumps({ sizes }: DetectedRam): number {
    const { storage } = this.evidence;
    let dumps = 0;
    for (const zone of ramZones(layOutRam(sizes, storage.path))) {
      if (this.#marks.plain.has(zone.offset) && holdsDump(storage, zone, this.endian)) dumps++;
    }
    return dumps;
  }

  /** ECC sizes with which the parity at the zones' ends agrees with their headers; 0 without any. */
  #parities(sizes: RamSizes, given: GivenSizes): number[] {
    if (given.ecc !== undefined) return [given.ecc];
    if (!this.evidence.parity.mayStand) return [0];
    const zones = this.#geometry({ ...sizes, ecc: 0 });
    return zones ? this.evidence.parity.sizes(zones) : [];
  }

  #geometry(sizes: RamSizes): RamGeometry | undefined {
    try {
      return layOutRam(sizes, this.evidence.storage.path);
    } catch {
      return undefined;
    }
  }

  /** @param unlikely how unlikely its dialect, its sizes and the kinds in use are */
  #look(sizes: RamSizes, given: GivenSizes, unlikely: number): Judged | undefined {
    const geometry = this.#geometry(sizes);
    if (!geometry) return undefined;
    const fit = this.evidence.fit(geometry);
    const last = geometry.runs.at(-1);
    const rest = last ? sizes.memSize - last.offset - last.count * last.zoneSize : sizes.memSize;
    const isRound = roundDownToPowerOfTwo(sizes.memSize) === sizes.memSize;
    const first = (fit.isFirstSigned ? SIGNED_FIRST : 0) + (fit.isFirstProven ? PROVEN_FIRST : 0);
    const proof = PROVEN_PARITY + first;
    return {
      ...fit,
      sizes,
      geometry,
      cost: fit.misfit + fit.unlikely + unlikely - (sizes.ecc > 0 && given.ecc === undefined ? proof : 0),
      unlikely: (isRound ? 0 : NOT_ROUND) + geometry.runs.length * 0.01 + (rest / sizes.memSize) * 0.001,
    };
  }
}

function keyOf(given: GivenSizes, dialects: readonly RamDialect[]): string {
  return `${dialects.map((dialect) => DIALECTS.indexOf(dialect))} ${JSON.stringify(given)}`;
}

function inMemory(storage: Storage): Storage {
  if (storage.size > IN_MEMORY) return storage;
  const copy = new MemoryStorage(readRange(storage, 0, storage.size), { path: storage.path, writable: false });
  copy.isLost = (offset, length) => storage.isLost?.(offset, length) ?? false;
  return copy;
}

const runsText = ({ geometry }: Judged): string =>
  geometry.runs.map(({ type, offset, count, zoneSize }) => `${type} ${offset} ${count} ${zoneSize}`).join();

/**
 * @param most for what was not given
 * @param size bytes of what the region was looked for in
 */
function confidenceIn(
  best: Judged,
  rivals: readonly Judged[],
  given: GivenSizes,
  most: number,
  size: number,
): Record<keyof RamSizes, number> {
  // The same zones by another way of coming to them are no rival.
  const own = runsText(best);
  const others = rivals.filter((rival) => runsText(rival) !== own || rival.geometry.ecc !== best.geometry.ecc);
  const { memSize, dialect } = best.sizes;
  // Bytes behind the zones may be a hole of the region's, or none of it.
  const isHole = dialect.consoles === 'hole' && rivals.some((rival) => rival.sizes.memSize < memSize);
  const isOpenEnd = isHole || (memSize < size && rivals.some((rival) => rival.sizes.memSize === size));
  const one = (key: keyof RamSizes): number => {
    if (given[key] !== undefined) return 1;
    // Where bytes follow that may be unused ones of the region, its end is another matter.
    if (key === 'memSize' && isOpenEnd) return 1 / 2;
    const values = new Set([best, ...others].map((rival) => rival.sizes[key]));
    return Math.min(DOUBTFUL.has(key) ? most : 1, 1 / values.size);
  };
  const keys = Object.keys(best.sizes) as (keyof RamSizes)[];
  return Object.fromEntries(keys.map((key) => [key, one(key)])) as Record<keyof RamSizes, number>;
}

function certainKinds(best: Judged, rivals: readonly Judged[]): Set<RamKind> {
  const place = ({ geometry }: Judged, type: RamKind) => {
    const run = geometry.runs.find((one) => one.type === type);
    return run ? `${run.offset} ${run.count} ${run.zoneSize} ${geometry.ecc}` : '';
  };
  const kinds = best.geometry.runs.map((run) => run.type);
  return new Set(kinds.filter((type) => rivals.every((rival) => place(rival, type) === place(best, type))));
}
