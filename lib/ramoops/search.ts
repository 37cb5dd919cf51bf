// Geometries that explain the places of the headers in a region: chains of zones, each of which begins where the one
// before it ends.

import type { BootLogs, Candidate, Chain, Dumps } from './chain.js';
import { DIALECTS, type RamDialect, type RamOrder } from './dialects.js';
import { RAM_HEADER_SIZE } from './format.js';
import { dmesgRoom, NO_RAM_ZONES, partOf, type RamKind, type RamSizes, roundDownToPowerOfTwo } from './geometry.js';
import { endCost, idleCost, leastIdleCost, oddness } from './likelihood.js';
import type { Places, Run } from './places.js';
import { endsOf, type GivenSizes, recordSizeFor } from './region-sizes.js';
import { NEXT_MARKS, ZoneSizes } from './zone-sizes.js';

/** Geometries that are looked at closely. */
const MAX_KEPT = 256;
/** Of a region with more headers than this fewer geometries are: each look costs as much as there are headers. */
const MANY_MARKS = 8192;
const FEW_KEPT = 32;
/**
 * Steps of the search in each dialect, and more for each header: a damaged image, or one that is made to keep us busy, gets
 * the best of what was seen by then. An image that is sound takes a small part of them. Where none of the best is without
 * faults, there are as many as there may be.
 */
const STEPS = 30_000;
const STEPS_A_MARK = 16;
const MAX_STEPS = 200_000;
/** Candidates that the places put this far behind the best are not looked at; further where the best has its faults. */
const MARGIN = 1;
const WIDE_MARGIN = 2.5;
/** Up to this cost the best explains all: no zone need be looked for that lacks its header. */
const GOOD = 1.5;
/** What explains all is looked for first, since a low limit makes a short search; then what explains less and less. */
const CAPS = [1, 5, 9, Number.POSITIVE_INFINITY];
/** More processors than any kernel has. */
const MAX_CPUS = 1 << 14;
/** Few kernels keep the boot log. */
const BOOT_LOG = 0.05;
/** Zones of it that are looked for. */
const MAX_BOOT_LOGS = 4;
/** Bytes that lie beyond the end of a cut image are no reason for or against a zone, but a shorter tale is better. */
export const BEYOND_END = 0.1;

export class Search {
  readonly #places: Places;
  readonly #given: GivenSizes;
  /** Bytes in which the region is looked for. */
  readonly #size: number;
  /** Bytes of the region, where they are known or likely. */
  readonly #whole: number;
  readonly #sizes: ZoneSizes;
  #kept = new Map<string, Candidate>();
  #best = Number.POSITIVE_INFINITY;
  #cap = Number.POSITIVE_INFINITY;
  /** Whether what costs far more than the best is passed over. */
  #isLimited = true;
  #steps = 0;
  readonly #maxSteps: number;
  /** Whether any search ended before all was tried: what was found may not be the best. */
  isCutShort = false;
  /** Zones of a chain that may lack a header, beside one of eight of the dump zones. */
  #missing = 0;

  constructor(places: Places, size: number, isWhole: boolean, given: GivenSizes) {
    this.#places = places;
    this.#size = size;
    this.#whole = given.memSize ?? (isWhole ? size : Number.NaN);
    this.#given = given;
    this.#maxSteps = Math.min(MAX_STEPS, STEPS + STEPS_A_MARK * places.count);
    this.#sizes = new ZoneSizes(places, given, size, this.#whole);
  }

  /** All that cost no more than this, for where a closer look has found faults in each of the best. */
  within(most: number, dialects: readonly RamDialect[]): readonly Candidate[] {
    this.#kept.clear();
    this.#cap = most;
    this.#isLimited = false;
    for (const missing of [0, 1]) {
      this.#missing = missing;
      this.#sizes.allowsMissing = missing > 0;
      this.#search(dialects);
    }
    this.#prune();
    this.#isLimited = true;
    return [...this.#kept.values()];
  }

  /** Those that a closer look is worth, best first; what other dialects led to before is a measure for these. */
  candidates(dialects: readonly RamDialect[]): readonly Candidate[] {
    this.#kept.clear();
    for (const cap of CAPS) {
      this.#cap = cap;
      // A kernel signs all of its zones: one that lacks its header is only looked for where no others explain as much.
      for (const missing of [0, 1]) {
        this.#missing = missing;
        this.#sizes.allowsMissing = missing > 0;
        this.#search(dialects);
        if (this.#isEnough) break;
      }
      // With a higher limit a search that was cut short ends sooner still.
      if (this.#isEnough || (this.isCutShort && this.#best <= cap)) break;
    }
    this.#prune();
    return [...this.#kept.values()];
  }

  /** Whether nothing better is to be expected of a search that lets more pass. */
  get #isEnough(): boolean {
    return this.#best + (this.#best < GOOD ? 0 : WIDE_MARGIN) <= this.#cap;
  }

  get #isTired(): boolean {
    const most = this.#isLimited ? this.#maxSteps : MAX_STEPS;
    if (this.#steps > most) this.isCutShort = true;
    return this.#steps > most;
  }

  get #limit(): number {
    if (!this.#isLimited) return this.#cap;
    return Math.min(this.#cap, this.#best + (this.#best < GOOD ? MARGIN : WIDE_MARGIN));
  }

  #search(dialects: readonly RamDialect[]): void {
    for (const dialect of dialects) {
      if (dialect.singleRing) continue;
      for (const order of this.#orders(dialect)) this.#chains(dialect, order);
    }
  }

  #orders(dialect: RamDialect): readonly RamOrder[] {
    if ((this.#given.ttySize ?? 0) > 0) return ['pmsg-ftrace'];
    const { order } = this.#given;
    if (order !== undefined) return dialect.orders.includes(order) ? [order] : [];
    const hasFtrace = this.#places.ftrace.length > 0 || (this.#given.ftraceSize ?? 0) > 0;
    return hasFtrace ? dialect.orders : ['ftrace-pmsg'];
  }

  #chains(dialect: RamDialect, order: RamOrder): void {
    this.#steps = 0;
    for (const bootLog of this.#bootLogs(dialect)) {
      for (const dumps of this.#dumps(dialect, bootLog)) {
        const end = bootLog.at + dumps.count * dumps.zoneSize;
        const chain: Chain = { ...dumps.chain, at: end };
        const kinds: readonly RamKind[] =
          order === 'ftrace-pmsg' ? ['console', 'ftrace', 'pmsg'] : ['console', 'pmsg', 'tty', 'ftrace'];
        this.#tails(dialect, order, dumps, chain, kinds);
        if (this.#isTired) return;
      }
    }
  }

  /** The boot log's zones, which stand first, or none. */
  *#bootLogs(dialect: RamDialect): Generator<BootLogs> {
    const none = { bootLogSize: 0, bootLogCount: this.#given.bootLogCount ?? 1, count: 0, zoneSize: 0 };
    const { bootLogSize, bootLogCount } = this.#given;
    if (!dialect.bootLog || bootLogSize === undefined || bootLogSize === 0) {
      if (!(dialect.bootLog === false && (bootLogSize ?? 0) > 0))
        yield { ...none, at: 0, cost: 0, idle: -leastIdleCost(this.#places), matched: 0, live: 0 };
    }
    if (!dialect.bootLog || bootLogSize === 0) return;
    for (let count = 1; count <= MAX_BOOT_LOGS; count++) {
      if (bootLogCount !== undefined && count !== bootLogCount) continue;
      const sizes = bootLogSize === undefined ? this.#places.after(0, NEXT_MARKS) : [bootLogSize];
      for (const each of sizes) {
        const zoneSize = bootLogSize === undefined ? each : partOf(bootLogSize, count, dialect.isEven);
        const { cost, matched, live, missing } = this.#places.run('boot-log', 0, zoneSize, count);
        if (missing > 0) continue;
        const total = bootLogSize ?? count * zoneSize;
        yield {
          ...none,
          bootLogSize: total,
          bootLogCount: count,
          at: count * zoneSize,
          cost: cost + BOOT_LOG,
          idle: idleCost('boot-log', count, live) - leastIdleCost(this.#places),
          matched,
          live,
        };
      }
    }
  }

  /** Numbers and sizes of dump zones that the places of headers allow. */
  *#dumps(dialect: RamDialect, bootLog: BootLogs): Generator<Dumps & { chain: Chain }> {
    const { at, cost, matched, live } = bootLog;
    const budget = this.#missing;
    const idle = (count: number) => bootLog.idle + idleCost('dmesg', count, 0);
    yield { ...bootLog, chain: { sizes: {}, at, cost, idle: idle(0), matched, live, budget } };
    if (this.#given.recordSize === 0) return;
    for (const zoneSize of this.#sizes.strides(dialect, at)) {
      if (this.#isTired) return;
      let run: Run = { cost, matched, live, missing: 0 };
      const all: Run[] = [];
      for (let count = 1; at + (count - 1) * zoneSize < this.#size; count++) {
        this.#steps++;
        const zone = this.#places.run('dmesg', at + (count - 1) * zoneSize, zoneSize, 1);
        run = {
          cost: run.cost + zone.cost,
          matched: run.matched + zone.matched,
          live: run.live + zone.live,
          missing: run.missing + zone.missing,
        };
        if (run.missing > budget * (1 + count / 8) || run.cost > this.#limit) break;
        all.push(run);
      }
      // The longest run leaves the fewest headers unexplained: it comes first, so that shorter ones need not be tried.
      for (let count = all.length; count > 0; count--) {
        if (!isDivision(dialect, count, zoneSize, this.#given.recordSize)) continue;
        const { missing, ...found } = all[count - 1]!;
        const chain = { sizes: {}, at, ...found, idle: idle(count), budget: missing > 0 ? 0 : budget };
        yield { ...bootLog, count, zoneSize, chain };
      }
    }
  }

  /** Goes on with each kind that follows, or without it. */
  #tails(dialect: RamDialect, order: RamOrder, dumps: Dumps, chain: Chain, kinds: readonly RamKind[]): void {
    this.#steps++;
    if (this.#isTired) return;
    const { at, matched, live } = chain;
    const strayCost = this.#places.leastStrayCost(at, matched, live, this.#mostZones(kinds));
    const unlikely = this.#isLimited ? 0 : chain.idle + dialect.unlikely;
    if (chain.cost + strayCost + unlikely > this.#limit) return;
    const [kind, ...rest] = kinds;
    if (kind === undefined) {
      this.#finish(dialect, order, dumps, chain);
      return;
    }
    const most = this.#mostZones(rest);
    for (const next of this.#with(dialect, kind, chain, most)) this.#tails(dialect, order, dumps, next, rest);
  }

  #mostZones(kinds: readonly RamKind[]): number {
    if (kinds.length === 0) return 0;
    const console = kinds.includes('console') ? 1 : 0;
    return kinds.length + console + (kinds.includes('ftrace') ? this.#places.ftrace.length : 0);
  }

  /** @param most zones of other kinds that may follow */
  *#with(dialect: RamDialect, kind: RamKind, chain: Chain, most: number): Generator<Chain> {
    const name = `${kind}Size` as 'consoleSize' | 'ftraceSize' | 'pmsgSize' | 'ttySize';
    const given = this.#given[name] ?? (kind === 'tty' ? 0 : undefined);
    const own = given !== undefined && dialect.roundsSizes ? roundDownToPowerOfTwo(given) : given;
    if (own === undefined || own === 0) {
      yield { ...chain, idle: chain.idle + idleCost(kind, 0, 0), sizes: { ...chain.sizes, [name]: 0 } };
    }
    if (own === 0 || this.#isTooUnlikely(kind, chain)) return;
    if (kind === 'ftrace') {
      yield* this.#withFtrace(dialect, own, chain, most);
      return;
    }
    const count = kind === 'console' && dialect.consoles === 'two' ? 2 : 1;
    if (own === undefined && this.#isNowhere(chain.at)) return;
    for (const size of own === undefined ? this.#sizes.sizesAt(dialect, chain.at) : [own]) {
      if (this.#isTired) return;
      const next = this.#extended(chain, kind, size, count, most);
      if (next) yield { ...next, sizes: { ...chain.sizes, [name]: size } };
    }
  }

  *#withFtrace(dialect: RamDialect, own: number | undefined, chain: Chain, most: number): Generator<Chain> {
    if (own === undefined && (this.#places.ftrace.length === 0 || this.#isNowhere(chain.at))) return;
    const { cpus } = this.#given;
    const seen = new Set<number>();
    for (const [ftraceSize, count] of this.#sizes.ftraceChoices(dialect, own, chain.at)) {
      if (cpus !== undefined && dialect.perCpu && count !== cpus) continue;
      if (this.#isTired) return;
      const zoneSize = partOf(ftraceSize, count, dialect.isEven);
      const key = ftraceSize * MAX_CPUS + count;
      if (zoneSize <= RAM_HEADER_SIZE || seen.size === seen.add(key).size) continue;
      const next = this.#extended(chain, 'ftrace', zoneSize, count, most);
      if (next) yield { ...next, sizes: { ...chain.sizes, ftraceSize, cpus: count } };
    }
  }

  /** Whether a zone that begins here costs too much already, whatever its size is. */
  #isTooUnlikely(kind: RamKind, { at, cost }: Chain): boolean {
    const isInImage = at + RAM_HEADER_SIZE <= this.#size;
    if (isInImage && this.#missing === 0 && this.#places.lacks(kind, at)) return true;
    return isInImage && cost + this.#places.costOf(kind, at, Number.POSITIVE_INFINITY) > this.#limit;
  }

  /** Whether what begins here is not in the image, and nothing says that there is more of the region than the image has. */
  #isNowhere(at: number): boolean {
    return at + RAM_HEADER_SIZE > this.#size && !(this.#whole > this.#size);
  }

  /** The chain with zones of one kind more; undefined where too many headers are missing, or too much speaks against it. */
  #extended(chain: Chain, kind: RamKind, zoneSize: number, count: number, most: number): Chain | undefined {
    const at = chain.at + count * zoneSize;
    if (at > (this.#given.memSize ?? Number.POSITIVE_INFINITY)) return undefined;
    const beyond = chain.at + RAM_HEADER_SIZE > this.#size;
    if (beyond) return { ...chain, at, cost: chain.cost + BEYOND_END, idle: chain.idle + idleCost(kind, count, 0) };
    const run = this.#places.run(kind, chain.at, zoneSize, count);
    this.#steps += run.matched + run.missing;
    const budget = chain.budget - run.missing;
    if (budget < (count > 3 ? -1 : 0) || (run.matched === 0 && count > 1)) return undefined;
    const [cost, matched, live] = [chain.cost + run.cost, chain.matched + run.matched, chain.live + run.live];
    if (cost + this.#places.leastStrayCost(at, matched, live, most) > this.#limit) return undefined;
    return { sizes: chain.sizes, at, cost, idle: chain.idle + idleCost(kind, count, run.live), matched, live, budget };
  }

  /** A chain is complete: the sizes by which a kernel of this dialect would come to it, where there are any. */
  #finish(dialect: RamDialect, order: RamOrder, dumps: Dumps, chain: Chain): void {
    if (this.#isTooCostly(chain)) return;
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
    // The other kinds take as much wherever the region ends.
    const taken = -dmesgRoom(base);
    for (const memSize of endsOf(base, chain.at, count * zoneSize, this.#given, this.#whole)) {
      const room = (dialect.roundsRegion ? roundDownToPowerOfTwo(memSize) : memSize) - taken;
      const recordSize = recordSizeFor(dialect, room, count, zoneSize, this.#given.recordSize);
      this.#steps++;
      if (recordSize === undefined) continue;
      const sizes = { ...base, memSize, recordSize };
      this.#add(sizes, chain);
    }
  }

  /** @param chain how much the places of headers speak against it; what dialect and end do prunes nothing */
  #add(sizes: RamSizes, chain: Chain): void {
    const { dialect } = sizes;
    if (this.#isTooCostly(chain)) return;
    const strayCost = this.#strayCost(chain);
    const cost = chain.cost + strayCost;
    this.#best = Math.min(this.#best, cost);
    const odd = dialect.roundsSizes ? 0 : oddness(sizes);
    const rank = cost + chain.idle + dialect.unlikely + odd + endCost(sizes, chain.at, this.#size, this.#whole);
    if (!this.#isLimited && rank > this.#cap) return;
    this.#kept.set(keyOf(sizes), { sizes, cost, strayCost, rank });
    if (this.#kept.size >= 4 * MAX_KEPT) this.#prune();
  }

  #strayCost({ matched, live }: Chain): number {
    return this.#places.strayCost(this.#places.count - matched, this.#places.liveCount - live);
  }

  /** A chain that explains no header is worth nothing. */
  #isTooCostly(chain: Chain): boolean {
    return chain.matched === 0 || chain.cost + this.#strayCost(chain) > this.#limit;
  }

  #prune(): void {
    const best = [...this.#kept]
      .filter(([, { cost }]) => cost <= this.#limit)
      .sort(([, a], [, b]) => a.rank - b.rank)
      .slice(0, this.#places.count > MANY_MARKS ? FEW_KEPT : MAX_KEPT);
    this.#kept = new Map(best);
  }
}

/** Whether a kernel that shares what is left among its dump zones would come to these: few numbers of zones are left. */
function isDivision(dialect: RamDialect, count: number, zoneSize: number, given: number | undefined): boolean {
  if (dialect.remainder !== 'shared' || !dialect.roundsSizes) return true;
  return recordSizeFor(dialect, count * zoneSize, count, zoneSize, given) !== undefined;
}

/** The same geometry is come to in several ways. */
function keyOf({ dialect, order, memSize, recordSize, bootLogSize, bootLogCount, ...rings }: RamSizes): string {
  const { consoleSize, ftraceSize, cpus, pmsgSize, ttySize } = rings;
  const zones = [memSize, recordSize, bootLogSize, bootLogCount, consoleSize, ftraceSize, cpus, pmsgSize, ttySize];
  return `${DIALECTS.indexOf(dialect)} ${order} ${zones.join(' ')}`;
}
