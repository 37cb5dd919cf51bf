// The geometry of a persistent RAM region from its bytes alone: what explains its headers best wins.

import type { Abi } from '../pstore/abi.js';
import { MemoryStorage } from '../storage/memory.js';
import { readRange, type Storage } from '../storage/storage.js';
import { DIALECTS, type RamDialect } from './dialects.js';
import { Evidence, type Fit } from './evidence.js';
import { readDumpLine } from './format.js';
import {
  ECC_BLOCK,
  layOutRam,
  type RamGeometry,
  type RamKind,
  type RamSizes,
  ramZones,
  roundDownToPowerOfTwo,
} from './geometry.js';
import { findRamMarks, type RamMarks } from './marks.js';
import type { GivenSizes } from './region-sizes.js';
import { Search } from './search.js';

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
const PROVEN_PARITY = 1.5;
/** Two equal geometries that end elsewhere: the region's size is round. */
const NOT_ROUND = 0.1;

interface Judged extends Fit {
  readonly sizes: RamSizes;
  readonly geometry: RamGeometry;
  /** The misfit, and how unlikely dialect and end are. */
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
    const { size } = this.evidence.storage;
    const search = new Search(this.evidence.places, size, this.#isWhole, given, dialects);
    const judged = search
      .candidates()
      .flatMap(({ sizes, cost, rank }) =>
        this.#parities(sizes, given).map((ecc) => this.#look({ ...sizes, ecc }, given, rank - cost)),
      )
      .filter((seen) => seen !== undefined)
      .sort((a, b) => a.cost - b.cost || a.unlikely - b.unlikely);
    const best = judged[0];
    if (!best) return undefined;
    const rivals = judged.filter((other) => other.cost < best.cost + PROOF);
    return {
      sizes: best.sizes,
      endian: this.#marks.endian,
      confidence: confidenceIn(best, rivals, given),
      certain: certainKinds(best, rivals),
      misfit: best.misfit,
      fitting: best.fitting,
      strays: best.strays,
    };
  }

  /** How many zones of what was found hold a dump. */
  dumps({ sizes }: DetectedRam): number {
    let dumps = 0;
    for (const zone of ramZones(layOutRam(sizes, this.evidence.storage.path))) {
      const isDump = () => readDumpLine(readRange(this.evidence.storage, zone.offset + zone.layout.data, ECC_BLOCK));
      if (zone.type === 'dmesg' && this.#marks.plain.has(zone.offset) && isDump()) dumps++;
    }
    return dumps;
  }

  /** ECC sizes with which the parity at the zones' ends agrees with their headers; 0 without any. */
  #parities(sizes: RamSizes, given: GivenSizes): number[] {
    if (given.ecc !== undefined) return [given.ecc];
    const zones = this.#geometry({ ...sizes, ecc: 0 });
    return zones ? this.evidence.parities(zones) : [];
  }

  #geometry(sizes: RamSizes): RamGeometry | undefined {
    try {
      return layOutRam(sizes, this.evidence.storage.path);
    } catch {
      return undefined;
    }
  }

  /** @param unlikely how unlikely its dialect and its end are */
  #look(sizes: RamSizes, given: GivenSizes, unlikely: number): Judged | undefined {
    const geometry = this.#geometry(sizes);
    if (!geometry) return undefined;
    const fit = this.evidence.fit(geometry);
    const last = geometry.runs.at(-1);
    const rest = last ? sizes.memSize - last.offset - last.count * last.zoneSize : sizes.memSize;
    const isRound = roundDownToPowerOfTwo(sizes.memSize) === sizes.memSize;
    return {
      ...fit,
      sizes,
      geometry,
      cost: fit.misfit + unlikely - (sizes.ecc > 0 && given.ecc === undefined ? PROVEN_PARITY : 0),
      unlikely: fit.unlikely + (isRound ? 0 : NOT_ROUND) + geometry.runs.length * 0.01 + (rest / sizes.memSize) * 0.001,
    };
  }
}

function inMemory(storage: Storage): Storage {
  if (storage.size > IN_MEMORY) return storage;
  const copy = new MemoryStorage(readRange(storage, 0, storage.size), { path: storage.path, writable: false });
  copy.isLost = (offset, length) => storage.isLost?.(offset, length) ?? false;
  return copy;
}

const runsText = ({ geometry }: Judged): string =>
  geometry.runs.map(({ type, offset, count, zoneSize }) => `${type} ${offset} ${count} ${zoneSize}`).join();

function confidenceIn(best: Judged, rivals: readonly Judged[], given: GivenSizes): Record<keyof RamSizes, number> {
  // The same zones by another way of coming to them are no rival.
  const own = runsText(best);
  const others = rivals.filter((rival) => runsText(rival) !== own || rival.geometry.ecc !== best.geometry.ecc);
  const one = (key: keyof RamSizes): number => {
    if (given[key] !== undefined) return 1;
    const values = new Set([best, ...others].map((rival) => rival.sizes[key]));
    return 1 / values.size;
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
