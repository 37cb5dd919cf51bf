// Geometries that explain the places of the headers in a region: chains of zones, each of which begins where the one
// before it ends.

import { MAINLINE, type RamDialect, type RamOrder } from './dialects.js';
import { RAM_HEADER_SIZE } from './format.js';
import {
  dmesgRoom,
  ftraceZoneSize,
  kindsInOrder,
  NO_RAM_ZONES,
  type RamKind,
  type RamSizes,
  roundDownToPowerOfTwo,
  roundedSizes,
} from './geometry.js';
import { endCost, MIN_ZONE, oddness } from './likelihood.js';
import type { Places } from './places.js';
import { endsOf, type GivenSizes, recordSizeFor, roundUp } from './region-sizes.js';

export interface Candidate {
  readonly sizes: RamSizes;
  /** How much the places of headers speak against it; see places.ts. */
  readonly cost: number;
  /** The same, with how unlikely dialect and end are. */
  readonly rank: number;
}

/** Smaller zones are only looked for where a header proves them. */
const PAGE = 4096;
/** Geometries that are looked at closely. */
const MAX_KEPT = 256;
/** Of a region with more headers than this fewer geometries are: each look costs as much as there are headers. */
const MANY_MARKS = 8192;
const FEW_KEPT = 32;
/** Steps of the search: an image that is made to keep us busy gets the best of what was seen by then. */
const MAX_STEPS = 200_000;
/** Candidates that the places put this far behind the best are not looked at; further where the best has its faults. */
const MARGIN = 1;
const WIDE_MARGIN = 2.5;
/** Up to this cost the best explains all: no zone need be looked for that lacks its header. */
const GOOD = 1.5;
/** What explains all is looked for first, since a low limit makes a short search; then what explains less and less. */
const CAPS = [1, 4, 8, Number.POSITIVE_INFINITY];
/** Sizes that are tried for a zone after which no header stands. */
const LOOSE_ENDS = 3;
/** Marks after a zone's beginning that are tried as the next zone's beginning, where sizes are not rounded. */
const NEXT_MARKS = 12;
/** Few kernels keep the boot log. */
const BOOT_LOG = 0.05;
/** Zones of it that are looked for. */
const MAX_BOOT_LOGS = 4;
/** Bytes that lie beyond the end of a cut image are no reason for or against a zone, but a shorter tale is better. */
const BEYOND_END = 0.1;

/** A chain that is being made: what was chosen so far, and where the next zone begins. */
interface Chain {
  readonly sizes: Partial<Record<'consoleSize' | 'ftraceSize' | 'pmsgSize' | 'ttySize' | 'cpus', number>>;
  readonly at: number;
  readonly cost: number;
  readonly matched: number;
  /** Headers that may still be missing. */
  readonly budget: number;
}

/** The dump zones of a chain. */
interface Dumps {
  readonly bootLogSize: number;
  readonly bootLogCount: number;
  readonly count: number;
  readonly zoneSize: number;
}

export class Search {
  readonly #places: Places;
  readonly #given: GivenSizes;
  readonly #dialects: readonly RamDialect[];
  /** Bytes in which the region is looked for. */
  readonly #size: number;
  /** Bytes of the region, where they are known or likely. */
  readonly #whole: number;
  readonly #powers: readonly number[];
  #kept: Candidate[] = [];
  #best = Number.POSITIVE_INFINITY;
  #cap = Number.POSITIVE_INFINITY;
  #steps = 0;
  /** Zones of a chain that may lack a header, beside one of eight of the dump zones. */
  #missing = 0;

  constructor(places: Places, size: number, isWhole: boolean, given: GivenSizes, dialects: readonly RamDialect[]) {
    this.#places = places;
    this.#size = size;
    this.#whole = given.memSize ?? (isWhole ? size : Number.NaN);
    this.#given = given;
    this.#dialects = dialects.filter(({ frame }) => frame === 'header');
    this.#powers = powersOfTwo(2 * size);
  }

  /** Those that a closer look is worth, best first. */
  candidates(): readonly Candidate[] {
    for (const cap of CAPS) {
      this.#cap = cap;
      this.#missing = cap === CAPS[0] ? 0 : 1;
      this.#kept = [];
      this.#search();
      if (this.#best + (this.#best < GOOD ? 0 : WIDE_MARGIN) <= cap) break;
    }
    this.#prune();
    return this.#kept;
  }

  get #limit(): number {
    return Math.min(this.#cap, this.#best + (this.#best < GOOD ? MARGIN : WIDE_MARGIN));
  }

  #search(): void {
    for (const dialect of this.#dialects) {
      if (dialect.singleRing) this.#singleRing(dialect);
      else for (const order of this.#orders(dialect)) this.#chains(dialect, order);
      this.#steps = 0;
    }
  }

  #orders(dialect: RamDialect): readonly RamOrder[] {
    if ((this.#given.ttySize ?? 0) > 0) return ['pmsg-ftrace'];
    const { order } = this.#given;
    if (order !== undefined) return dialect.orders.includes(order) ? [order] : [];
    const hasFtrace = this.#places.ftrace.length > 0 || (this.#given.ftraceSize ?? 0) > 0;
    return hasFtrace ? dialect.orders : ['ftrace-pmsg'];
  }

  #singleRing(dialect: RamDialect): void {
    const { memSize, recordSize = 0, ftraceSize = 0, pmsgSize = 0 } = this.#given;
    if (recordSize + ftraceSize + pmsgSize > 0 || this.#places.lacks('console', 0)) return;
    for (const end of new Set([this.#whole, ...(memSize === undefined ? this.#powers : [])])) {
      if (!(end > 0)) continue;
      const consoleSize = this.#given.consoleSize ?? end;
      if (consoleSize > end || consoleSize <= RAM_HEADER_SIZE) continue;
      const cost = this.#places.costOf('console', 0, consoleSize);
      this.#add({ ...NO_RAM_ZONES, memSize: end, consoleSize, dialect }, cost, 1);
    }
  }

  #chains(dialect: RamDialect, order: RamOrder): void {
    for (const bootLog of this.#bootLogs(dialect)) {
      for (const dumps of this.#dumps(dialect, bootLog)) {
        const end = bootLog.at + dumps.count * dumps.zoneSize;
        const chain: Chain = { ...dumps.chain, at: end };
        const kinds: readonly RamKind[] =
          order === 'ftrace-pmsg' ? ['console', 'ftrace', 'pmsg'] : ['console', 'pmsg', 'tty', 'ftrace'];
        this.#tails(dialect, order, dumps, chain, kinds);
        if (this.#steps > MAX_STEPS) return;
      }
    }
  }

  /** The boot log's zones, which stand first, or none. */
  *#bootLogs(dialect: RamDialect): Generator<Dumps & { at: number; cost: number; matched: number }> {
    const none = { bootLogSize: 0, bootLogCount: this.#given.bootLogCount ?? 1, count: 0, zoneSize: 0 };
    const { bootLogSize, bootLogCount } = this.#given;
    if (!dialect.bootLog || bootLogSize === undefined || bootLogSize === 0) {
      if (!(dialect.bootLog === false && (bootLogSize ?? 0) > 0)) yield { ...none, at: 0, cost: 0, matched: 0 };
    }
    if (!dialect.bootLog || bootLogSize === 0) return;
    for (let count = 1; count <= MAX_BOOT_LOGS; count++) {
      if (bootLogCount !== undefined && count !== bootLogCount) continue;
      const sizes = bootLogSize === undefined ? this.#places.after(0, NEXT_MARKS) : [bootLogSize];
      for (const each of sizes) {
        const zoneSize = bootLogSize === undefined ? each : ftraceZoneSize(bootLogSize, count);
        const { cost, matched, missing } = this.#places.run('boot-log', 0, zoneSize, count);
        if (missing > 0) continue;
        const total = bootLogSize ?? count * zoneSize;
        yield {
          ...none,
          bootLogSize: total,
          bootLogCount: count,
          at: count * zoneSize,
          cost: cost + BOOT_LOG,
          matched,
        };
      }
    }
  }

  /** Numbers and sizes of dump zones that the places of headers allow. */
  *#dumps(
    dialect: RamDialect,
    bootLog: Dumps & { at: number; cost: number; matched: number },
  ): Generator<Dumps & { chain: Chain }> {
    const { at, cost, matched } = bootLog;
    const budget = this.#missing;
    yield { ...bootLog, chain: { sizes: {}, at, cost, matched, budget } };
    if (this.#given.recordSize === 0) return;
    for (const zoneSize of this.#strides(dialect, at)) {
      if (this.#steps > MAX_STEPS) return;
      let run = { cost, matched, missing: 0 };
      const all: (typeof run)[] = [];
      for (let count = 1; at + (count - 1) * zoneSize < this.#size; count++) {
        this.#steps++;
        const zone = this.#places.run('dmesg', at + (count - 1) * zoneSize, zoneSize, 1);
        run = {
          cost: run.cost + zone.cost,
          matched: run.matched + zone.matched,
          missing: run.missing + zone.missing,
        };
        if (run.missing > budget * (1 + count / 8) || run.cost > this.#limit) break;
        all.push(run);
      }
      // The longest run leaves the fewest headers unexplained: it comes first, so that shorter ones need not be tried.
      for (let count = all.length; count > 0; count--) {
        const { missing, ...found } = all[count - 1]!;
        yield { ...bootLog, count, zoneSize, chain: { sizes: {}, at, ...found, budget: missing > 0 ? 0 : budget } };
      }
    }
  }

  #strides(dialect: RamDialect, at: number): Iterable<number> {
    const strides = new Set<number>();
    if (dialect.remainder === 'shared') {
      for (const size of this.#places.after(at, NEXT_MARKS)) strides.add(size);
      for (const size of this.#places.distances()) strides.add(size);
    }
    for (const size of this.#powers) strides.add(size);
    return [...strides].filter((size) => size > RAM_HEADER_SIZE && size % 2 === 0 && size <= this.#size * 2);
  }

  /** Goes on with each kind that follows, or without it. */
  #tails(dialect: RamDialect, order: RamOrder, dumps: Dumps, chain: Chain, kinds: readonly RamKind[]): void {
    if (++this.#steps > MAX_STEPS) return;
    const strays = this.#places.count - chain.matched - this.#mostZones(kinds);
    if (chain.cost + this.#places.strayCost(strays) > this.#limit) return;
    const [kind, ...rest] = kinds;
    if (kind === undefined) {
      this.#finish(dialect, order, dumps, chain);
      return;
    }
    for (const next of this.#with(dialect, kind, chain)) this.#tails(dialect, order, dumps, next, rest);
  }

  #mostZones(kinds: readonly RamKind[]): number {
    if (kinds.length === 0) return 0;
    const console = kinds.includes('console') ? 1 : 0;
    return kinds.length + console + (kinds.includes('ftrace') ? this.#places.ftrace.length : 0);
  }

  *#with(dialect: RamDialect, kind: RamKind, chain: Chain): Generator<Chain> {
    const name = `${kind}Size` as 'consoleSize' | 'ftraceSize' | 'pmsgSize' | 'ttySize';
    const given = this.#given[name] ?? (kind === 'tty' ? 0 : undefined);
    const own = given !== undefined && dialect.roundsSizes ? roundDownToPowerOfTwo(given) : given;
    if (own === undefined || own === 0) yield { ...chain, sizes: { ...chain.sizes, [name]: 0 } };
    if (own === 0) return;
    if (kind === 'ftrace') {
      yield* this.#withFtrace(dialect, own, chain);
      return;
    }
    const count = kind === 'console' && dialect.consoles === 'two' ? 2 : 1;
    for (const size of own === undefined ? this.#sizes(dialect, chain.at) : [own]) {
      const next = this.#extended(chain, kind, size, count);
      if (next) yield { ...next, sizes: { ...chain.sizes, [name]: size } };
    }
  }

  *#withFtrace(dialect: RamDialect, own: number | undefined, chain: Chain): Generator<Chain> {
    if (own === undefined && this.#places.ftrace.length === 0) return;
    const { cpus } = this.#given;
    const seen = new Set<string>();
    for (const [ftraceSize, count] of this.#ftraceChoices(dialect, own, chain.at)) {
      if (cpus !== undefined && dialect.perCpu && count !== cpus) continue;
      const key = `${ftraceSize} ${count}`;
      const zoneSize = ftraceZoneSize(ftraceSize, count);
      if (seen.has(key) || zoneSize <= RAM_HEADER_SIZE) continue;
      seen.add(key);
      const next = this.#extended(chain, 'ftrace', zoneSize, count);
      if (next) yield { ...next, sizes: { ...chain.sizes, ftraceSize, cpus: count } };
    }
  }

  /** Sizes of all ftrace zones, and how many there are: as the distances between their headers allow. */
  *#ftraceChoices(dialect: RamDialect, own: number | undefined, at: number): Generator<[number, number]> {
    const cpus = dialect.perCpu ? this.#given.cpus : 1;
    const sizes = own === undefined ? this.#sizes(dialect, at) : [own];
    for (const size of sizes)
      if (cpus !== undefined) yield [size, cpus];
      else yield [size, 1];
    if (!dialect.perCpu || cpus !== undefined) return;
    for (const distance of this.#places.ftraceDistances(at)) {
      for (const size of own === undefined ? this.#powers : [own]) {
        for (let count = Math.floor(size / distance); count > 1 && size / count < distance + 2; count--) {
          yield [size, count];
        }
      }
      if (dialect.roundsSizes || own !== undefined) continue;
      for (let count = 2; count <= this.#places.ftrace.length; count++) yield [distance * count, count];
    }
  }

  /** The sizes that a zone which begins here may have. */
  #sizes(dialect: RamDialect, at: number): readonly number[] {
    if (dialect.roundsSizes) return this.#roundSizes(dialect, at);
    const end = (Number.isNaN(this.#whole) ? this.#size : this.#whole) - at;
    const used = this.#places.bytesOf(at);
    const sizes = [
      ...this.#places.after(at, NEXT_MARKS),
      end,
      end - (end % 1024),
      roundUp(used, 4096),
      roundUp(used, 65536),
    ];
    return [...new Set(sizes)].filter((size) => size > RAM_HEADER_SIZE);
  }

  /** Powers of two after which the next header stands or the region ends, and the smallest of the others. */
  #roundSizes(dialect: RamDialect, at: number): readonly number[] {
    if (this.#missing > 0) return this.#powers;
    const used = this.#places.bytesOf(at);
    let loose = 0;
    return this.#powers.filter((size) => {
      if (size < used) return false;
      const end = at + size;
      const isEnd = this.#places.mayBegin(end) || end >= this.#size || this.#isNearEnd(dialect, end);
      return isEnd || (size >= PAGE && ++loose <= LOOSE_ENDS);
    });
  }

  /** Whether a region of the likely size may well end here, or after what a division leaves. */
  #isNearEnd(dialect: RamDialect, end: number): boolean {
    return end <= this.#whole && (dialect !== MAINLINE || this.#whole - end < MIN_ZONE);
  }

  /** The chain with zones of one kind more; undefined where too many headers are missing. */
  #extended(chain: Chain, kind: RamKind, zoneSize: number, count: number): Chain | undefined {
    const beyond = chain.at + RAM_HEADER_SIZE > this.#size;
    if (beyond) return { ...chain, at: chain.at + count * zoneSize, cost: chain.cost + BEYOND_END };
    this.#steps += count;
    const run = this.#places.run(kind, chain.at, zoneSize, count);
    const budget = chain.budget - run.missing;
    if (budget < (count > 3 ? -1 : 0) || (run.matched === 0 && count > 1)) return undefined;
    const [cost, matched] = [chain.cost + run.cost, chain.matched + run.matched];
    return { ...chain, at: chain.at + count * zoneSize, cost, matched, budget };
  }

  /** A chain is complete: the sizes by which a kernel of this dialect would come to it, where there are any. */
  #finish(dialect: RamDialect, order: RamOrder, dumps: Dumps, chain: Chain): void {
    const { bootLogSize, bootLogCount, count, zoneSize } = dumps;
    const base: RamSizes = {
      ...NO_RAM_ZONES,
      cpus: this.#given.cpus ?? 1,
      bootLogSize,
      bootLogCount,
      ...chain.sizes,
      order,
      dialect,
    };
    for (const memSize of endsOf(base, chain.at, count * zoneSize, this.#given, this.#whole)) {
      const room = dmesgRoom(roundedSizes({ ...base, memSize }));
      const recordSize = recordSizeFor(dialect, room, count, zoneSize, this.#given.recordSize);
      if (recordSize === undefined) continue;
      const sizes = { ...base, memSize, recordSize };
      this.#add(sizes, chain.cost, chain.matched);
    }
  }

  /** @param byPlaces how much the places of headers speak against it; what dialect and end do prunes nothing */
  #add(sizes: RamSizes, byPlaces: number, matched: number): void {
    const { dialect } = sizes;
    const cost = byPlaces + this.#places.strayCost(this.#places.count - matched);
    if (matched === 0 || cost > this.#limit) return;
    if (kindsInOrder(sizes).every(([, { count }]) => count === 0)) return;
    this.#best = Math.min(this.#best, cost);
    const odd = dialect.roundsSizes ? 0 : oddness(sizes);
    this.#kept.push({ sizes, cost, rank: cost + dialect.unlikely + odd + endCost(sizes, this.#size, this.#whole) });
    if (this.#kept.length >= 4 * MAX_KEPT) this.#prune();
  }

  #prune(): void {
    this.#kept = this.#kept
      .filter(({ cost }) => cost <= this.#limit)
      .sort((a, b) => a.rank - b.rank)
      .slice(0, this.#places.count > MANY_MARKS ? FEW_KEPT : MAX_KEPT);
  }
}

function powersOfTwo(most: number): number[] {
  const sizes: number[] = [];
  for (let size = MIN_ZONE; size <= most; size *= 2) sizes.push(size);
  return sizes;
}
