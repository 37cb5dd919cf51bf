// The places of headers in a region, and how much each speaks against a geometry. A kernel signs every zone of its
// geometry at boot: a zone without a header is nearly impossible, a header without a zone is a remain of another boot.

import { distancesAfter, upperBound } from './ascending.js';
import type { ParityRule } from './dialects.js';
import { RAM_HEADER_SIZE, type RamHeader } from './format.js';
import type { RamKind } from './geometry.js';
import { loneHeaders } from './lone.js';
import type { RamMarks } from './marks.js';

/** A zone whose header is missing, though something else stands there. */
const MISSING = 4;
/** A zone that holds nothing at all where its header should stand: boot loaders sign only the zones that they use. */
export const BLANK = 1.5;
/** A zone whose header is the only one that a row lacks, and no text stands over it: it was lost, as one may be. */
const GAP = 2.2;
/** A zone whose header is damaged, but is one. */
const DAMAGED = 0.3;
/** A dump of which the header says what no kernel leaves, though its line stands where it should. */
export const DAMAGED_LENGTHS = 1;
/** A zone that says more bytes than it has room for. */
export const OVERTOP = 4;
/** A zone in whose data a header stands: that one was written later, so the zone is of an earlier boot. */
export const OVERWRITTEN = 3;
/** Any headers that belong to no zone: the region was used otherwise before; and each of them. */
const STRAYS = 2.6;
const STRAY = 0.02;
/** More hardly count: a finer geometry leaves many. */
const MAX_STRAYS = 60;
const FURTHER_STRAY = 0.001;
/** Anything that is in use outside all zones; so many count. */
const LIVE_STRAY = 0.4;
const MAX_LIVE_STRAYS = 6;
const FURTHER_LIVE_STRAY = 0.05;

/** So many headers after a zone are enough to tell where it ends; fewer may be words of other things. */
const FEW_AFTER = 3;

/** A dump zone without the line of a dump, and a ring with one. */
export const WITHOUT_LINE = 2.5;
export const FOREIGN_LINE = 4;

interface Mark {
  /** The seconds in the line of a dump that begins its data; unknown where ECC may have to repair it first. */
  readonly time: bigint | undefined;
  readonly ftrace: boolean;
  readonly damaged: boolean;
  /** Bytes of data, where the header is no damaged one. */
  readonly size: number;
  /** Whether it says to hold anything, damaged or not. */
  readonly live: boolean;
  /** Whether another header stands in its data. */
  readonly overwritten: boolean;
  /** Whether it begins where it ends, as dumps do that have not come round. */
  readonly isEven: boolean;
}

/** What is asked of the bytes at the place of a header. */
export interface HeaderFacts {
  /** What a header says. */
  headerAt(offset: number): RamHeader;
  /** Whether nothing was ever written there. */
  isBlank(offset: number): boolean;
  /** Whether text stands there: something was written over what a header may have been. */
  isText(offset: number): boolean;
  /** Whether it is in a block that cannot be read. */
  isLost(offset: number): boolean;
  /** The seconds in the line of a dump, where one begins its data. */
  dumpTime(offset: number): bigint | undefined;
  /** Sizes of the zone that begins here, by the parity of its header. */
  sizesByParity(offset: number, rule: ParityRule): readonly number[];
}

/** What the headers say of some zones. */
export interface Run {
  /** How much speaks against them. */
  readonly cost: number;
  /** Zones with a header, and how many of these hold something. */
  readonly matched: number;
  readonly live: number;
  /** Zones that surely lack their header. */
  readonly missing: number;
}

/** The headers of a region, by their places. */
export class Places {
  readonly #marks = new Map<number, Mark>();
  /** All places, ascending. */
  readonly offsets: readonly number[];
  readonly ftrace: readonly number[];
  /** Those that hold something. */
  readonly #live: readonly number[];
  /** How many headers but those of ftrace tell of something that is no dump. */
  readonly ringCount: number;
  readonly #facts: HeaderFacts;
  /** Where a row of headers lacks just one. */
  readonly #gaps: ReadonlySet<number>;
  /** How many of the first headers hold something: none of the first 0, and so on. */
  readonly #liveBefore: readonly number[];
  /** What the absence of a header costs, where that was looked up. */
  readonly #absences = new Map<number, number>();

  constructor(marks: RamMarks, facts: HeaderFacts) {
    const { plain, ftrace, damaged, damagedFtrace } = marks;
    const all = [...plain, ...ftrace.keys()].sort((a, b) => a - b);
    const lone = loneHeaders(all, (offset) => facts.headerAt(offset).size);
    const sound = all.filter((offset) => !lone.has(offset));
    const add = (offset: number, isFtrace: boolean, isDamaged: boolean) => {
      const { start, size: said } = facts.headerAt(offset);
      const size = isDamaged ? 0 : said;
      const next = sound[upperBound(sound, offset)];
      const overwritten = next !== undefined && next < offset + RAM_HEADER_SIZE + size;
      const time = size > 0 && !isFtrace ? facts.dumpTime(offset) : undefined;
      this.#marks.set(offset, {
        ftrace: isFtrace,
        damaged: isDamaged,
        size,
        live: said > 0,
        overwritten,
        time,
        isEven: start === said,
      });
    };
    for (const offset of damaged) add(offset, false, true);
    for (const offset of damagedFtrace.keys()) add(offset, true, true);
    for (const offset of sound) add(offset, ftrace.has(offset), false);
    this.offsets = [...this.#marks.keys()].sort((a, b) => a - b);
    this.#live = this.offsets.filter((offset) => this.#marks.get(offset)!.live);
    this.ftrace = this.offsets.filter((offset) => this.#marks.get(offset)!.ftrace);
    this.ringCount = [...this.#marks.values()].filter(
      (mark) => mark.live && !mark.ftrace && mark.time === undefined,
    ).length;
    this.#facts = facts;
    this.#gaps = new Set(gapsIn(this.offsets).filter((offset) => !facts.isText(offset)));
    let live = 0;
    this.#liveBefore = [0, ...this.offsets.map((offset) => (live += this.#marks.get(offset)!.live ? 1 : 0))];
  }

  get count(): number {
    return this.offsets.length;
  }

  #at(kind: RamKind, offset: number): Mark | undefined {
    const mark = this.#marks.get(offset);
    return mark && mark.ftrace === (kind === 'ftrace') ? mark : undefined;
  }

  /** Whether a header stands here, or may stand here unread. */
  mayBegin(offset: number): boolean {
    return this.#marks.has(offset) || this.#facts.isLost(offset);
  }

  has(kind: RamKind, offset: number): boolean {
    return this.#at(kind, offset) !== undefined;
  }

  /** Whether a zone here would surely lack its header. */
  lacks(kind: RamKind, offset: number): boolean {
    return !this.has(kind, offset) && !this.#facts.isLost(offset) && !this.#gaps.has(offset);
  }

  /** How many zones of one size may stand here in a row, of which some lack their header. */
  mostInRow(kind: RamKind, from: number, zoneSize: number, missing: number): number {
    let count = 0;
    for (let left = missing; ; count++) if (this.lacks(kind, from + count * zoneSize) && left-- === 0) return count;
  }

  /** Bytes of the zone that begins here which its header says to be in use. */
  bytesOf(offset: number): number {
    return RAM_HEADER_SIZE + (this.#marks.get(offset)?.size ?? 0);
  }

  /** Sizes that parity proves for a zone after which hardly any header stands; others end before the next one. */
  sizesByParity(offset: number, rule: ParityRule): readonly number[] {
    const isLast = rule !== 'data-and-parity' || this.after(offset, FEW_AFTER).length < FEW_AFTER;
    return isLast && this.#marks.has(offset) ? this.#facts.sizesByParity(offset, rule) : [];
  }

  /** How much speaks against a zone here. */
  costOf(kind: RamKind, offset: number, zoneSize: number): number {
    const mark = this.#at(kind, offset);
    if (!mark) return this.#absent(kind, offset);
    if (mark.damaged) return DAMAGED;
    const isTooLong = mark.size > zoneSize - RAM_HEADER_SIZE;
    if (isTooLong && kind === 'dmesg' && mark.time !== undefined && !mark.isEven) return DAMAGED_LENGTHS;
    const line = kind !== 'dmesg' && mark.time !== undefined ? FOREIGN_LINE : 0;
    return line + (isTooLong ? OVERTOP : 0) + (mark.overwritten ? OVERWRITTEN : 0);
  }

  /** A dump without a header had one: it was overwritten. */
  #absent(kind: RamKind, offset: number): number {
    let cost = this.#absences.get(offset);
    if (cost === undefined) {
      cost = this.#costOfAbsence(offset);
      this.#absences.set(offset, cost);
    }
    return cost === DAMAGED && (kind !== 'dmesg' || this.#marks.has(offset)) ? MISSING : cost;
  }

  /** A header that cannot be read speaks for nothing and against nothing. */
  #costOfAbsence(offset: number): number {
    if (this.#facts.isLost(offset)) return 0;
    if (this.#facts.dumpTime(offset) !== undefined) return DAMAGED;
    if (this.#facts.isBlank(offset)) return BLANK;
    return this.#gaps.has(offset) ? GAP : MISSING;
  }

  /** Whether a header stands in the data of the zone that begins here. */
  isOverwritten(offset: number): boolean {
    return this.#marks.get(offset)?.overwritten === true;
  }

  /** The same of several zones, one after the other. */
  run(kind: RamKind, from: number, zoneSize: number, count: number): Run {
    let [cost, matched, missing, live] = [0, 0, 0, 0];
    for (let i = 0; i < count && cost < 100; i++) {
      const at = from + i * zoneSize;
      cost += this.costOf(kind, at, zoneSize);
      const mark = this.#at(kind, at);
      if (mark) {
        matched++;
        if (mark.live) live++;
      } else if (this.lacks(kind, at)) missing++;
    }
    return { cost, matched, missing, live };
  }

  /**
   * How much the headers outside of all zones will speak at least against a geometry that is made up to `at`.
   * @param most zones that may still follow
   */
  leastStrayCost(at: number, matched: number, live: number, most: number): number {
    const before = upperBound(this.offsets, at - 1);
    const liveBefore = this.#liveBefore[before]!;
    const strays = before - matched + Math.max(0, this.count - before - most);
    const liveStrays = liveBefore - live + Math.max(0, this.liveCount - liveBefore - most);
    return this.strayCost(strays, liveStrays);
  }

  /** How many headers hold something. */
  get liveCount(): number {
    return this.#liveBefore.at(-1)!;
  }

  /** @param live how many of the strays hold something */
  strayCost(strays: number, live: number): number {
    if (strays <= 0) return 0;
    const further = FURTHER_STRAY * Math.max(0, strays - MAX_STRAYS);
    return (
      STRAYS +
      STRAY * Math.min(strays, MAX_STRAYS) +
      further +
      LIVE_STRAY * Math.min(Math.max(0, live), MAX_LIVE_STRAYS) +
      FURTHER_LIVE_STRAY * Math.max(0, live - MAX_LIVE_STRAYS)
    );
  }

  /** Whether a header, which may be damaged, says that its zone holds something. */
  isLive(offset: number): boolean {
    return this.#marks.get(offset)?.live === true;
  }

  /** The seconds of a dump whose line stands after a header that is sound. */
  timeOf(offset: number): bigint | undefined {
    return this.#marks.get(offset)?.time;
  }

  /** Distances from a place to the next headers. */
  after(offset: number, most: number): number[] {
    return distancesAfter(this.offsets, offset, most);
  }

  /** The same to those that hold something. */
  liveAfter(offset: number, most: number): number[] {
    return distancesAfter(this.#live, offset, most);
  }

  /** The commonest distances between neighbours. */
  distances(): number[] {
    const counts = new Map<number, number>();
    for (let i = 1; i < this.offsets.length; i++) {
      const distance = this.offsets[i]! - this.offsets[i - 1]!;
      counts.set(distance, (counts.get(distance) ?? 0) + 1);
    }
    return [...counts]
      .sort((a, b) => b[1] - a[1])
      .slice(0, 8)
      .map(([distance]) => distance);
  }

  /** Distances between the first ftrace headers from a place on. */
  ftraceDistances(offset: number): number[] {
    const first = upperBound(this.ftrace, offset - 1);
    const near = this.ftrace.slice(first, first + 5);
    const distances = near.slice(1).map((other, i) => other - near[i]!);
    // The header of the first zone may be damaged.
    if (near[0] !== undefined && near[0] > offset) distances.push(near[0] - offset);
    return [...new Set(distances)];
  }
}

/** Places between two and two headers with equal distances, where the fifth of that row would stand. */
function gapsIn(offsets: readonly number[]): number[] {
  const gaps: number[] = [];
  for (let i = 0; i + 3 < offsets.length; i++) {
    const [a, b, c, d] = offsets.slice(i, i + 4) as [number, number, number, number];
    if (d - c === b - a && c - b === 2 * (b - a)) gaps.push((b + c) / 2);
  }
  return gaps;
}
