// How well zones of one size explain what stands in a partition that was used with several: a kernel writes one zone after
// the other, each dump later than the one before; it begins where its recovery of what it found tells it to, and it counts
// on from there. So its last dumps are replayed.

import { reasonText, type ZoneDialect } from './dialects.js';
import { BUFFER_HEADER_SIZE } from './format.js';
import type { Mark } from './marks.js';
import type { Written } from './written.js';

/** Zones as they may have been. */
export interface Zones {
  /** First byte of the first one. */
  readonly base: number;
  readonly size: number;
  readonly count: number;
}

/** What is left of all kernels that wrote to a partition. */
export interface Traces {
  /** The newest first. */
  readonly dumps: readonly Written[];
  /** Headers of all zones, in the order of their offsets. */
  readonly own: readonly Mark[];
  readonly dialect: ZoneDialect;
  /** Whether nothing was ever written at this offset. */
  readonly isBlank: (offset: number) => boolean;
}

export interface Verdict {
  /** Nothing is against it that a kernel with these zones wrote last. */
  readonly possible: boolean;
  /** It has written the newest dump. */
  readonly newest: boolean;
  /** How many zones up to that of its last dump were written right after the one before; less where headers are lost. */
  readonly chain: number;
  /** How many of these dumps have the counter that follows from the others. */
  readonly counted: number;
  /** Dumps that this kernel cannot have written. */
  readonly aliens: number;
  /** How much of its zone the last dump fills: a kernel stores as much of its log as there is room for. */
  readonly fill: number;
}

const NONE: Verdict = { possible: false, newest: false, chain: 0, counted: 0, aliens: 0, fill: 0 };

/** More zones of a chain, or counters, say no more than these. */
const ENOUGH = 3;

/** How much speaks for zones, but for the time of the newest dump. */
export function weightOf({ chain, counted }: Verdict): number {
  return Math.min(chain, ENOUGH) * (counted > 0 ? 1 : 0.5) + Math.min(counted, ENOUGH + 1);
}

/** The newest zones that are tried as the last one written, and zones before each that are looked at. */
const MAX_HEADS = 16;
const MAX_CHAIN = 64;

/**
 * Of the zones that may hold the last dump, the likeliest.
 * @param isLikelier whether the first one is
 */
export function judgeZones(zones: Zones, traces: Traces, isLikelier: (a: Verdict, b: Verdict) => boolean): Verdict {
  const seen = new SeenZones(zones, traces);
  const isLast = !seen.isOverwritten && !seen.isTorn();
  let best: Verdict = { ...NONE, aliens: seen.aliens.length };
  let left = MAX_HEADS;
  for (const [head, { dump, good }] of seen.zones) {
    if (!good || !seen.isEnd(head)) continue;
    if (left-- === 0) break;
    const chain = seen.chainBefore(head);
    const start = isLast ? seen.startOf(chain) : undefined;
    const verdict = {
      possible: start !== undefined,
      newest: dump === traces.dumps[0],
      chain: start?.length ?? chain.at(-1)!.length,
      counted: start?.counted ?? 0,
      aliens: seen.aliens.length,
      // Mainline writes zeros up to the zone's end: where these end right there, nothing is plainer.
      fill: dump.mark.datalen / zones.size + (dump.reach === zones.size ? 1 : 0),
    };
    if (isLikelier(verdict, best)) best = verdict;
  }
  return best;
}

interface SeenZone {
  readonly dump: Written;
  /** Recovery takes the header for that of a dump. */
  readonly valid: boolean;
  /** As its kernel has written it. */
  readonly good: boolean;
  /** How many dumps of other kernels are newer. */
  readonly newerAliens: number;
  /** What its counter counts, if it goes on after a boot. */
  readonly counts: string | undefined;
}

/** Reasons whose counters go on after a boot. Others have none, or one that recovery leaves out (OOM of vendors' trees). */
const RECOVERED: ReadonlySet<string> = new Set(['Oops', 'Panic']);

/** What a dump's counter counts, where recovery lets it go on. */
export function countsOf({ reason }: Written, dialect: ZoneDialect): string | undefined {
  const name = reasonText(dialect, reason);
  return RECOVERED.has(name) ? name : undefined;
}

/** Whether a dump may have been written right after another one. */
function canFollow(after: SeenZone, before: SeenZone): boolean {
  if (!after.good || !before.good) return false;
  if (after.counts && after.counts === before.counts && after.dump.counter <= before.dump.counter) return false;
  return before.dump.time <= after.dump.time && before.newerAliens === after.newerAliens;
}

/** A zone before which nothing else was written by the same kernel, as far as the chain goes. */
interface Step {
  readonly index: number;
  /** Of the chain up to here. */
  readonly length: number;
}

/** What a boot explains that began with one of a chain's zones. */
type Start = Pick<Verdict, 'counted'> & { readonly length: number };

/** Headers that are lost one after the other, and what each costs the chain. */
const MAX_LOST = 2;
const COST_OF_LOST = 0.5;
/** So many headers are not lost all at once. */
const MAX_UNSIGNED = 16;

class SeenZones {
  /** The newest first. */
  readonly zones = new Map<number, SeenZone>();
  readonly aliens: Written[] = [];
  /** Whether another kernel wrote into one of these dumps later. */
  readonly isOverwritten: boolean;
  readonly #zones: Zones;
  readonly #traces: Traces;
  readonly #signed: ReadonlySet<number>;
  readonly #header: number;
  /** How many zones recovery looks at. */
  readonly #run: number;

  constructor(zones: Zones, traces: Traces) {
    this.#zones = zones;
    this.#traces = traces;
    const { base, size, count } = zones;
    const { generation, flushes, unsigned } = traces.dialect;
    const header = BUFFER_HEADER_SIZE[generation];
    this.#header = header;
    let isOverwritten = false;
    for (const dump of traces.dumps) {
      const { offset, datalen } = dump.mark;
      const index = (offset - base) / size;
      const isPlaced = Number.isInteger(index) && index >= 0 && index < count;
      const valid = isPlaced && datalen + header <= size;
      const isWhole = dump.next >= offset + header + datalen;
      isOverwritten ||= valid && !isWhole;
      // The zone's end may have taken the signature of an older header.
      const isFilled = flushes !== 'zone' || (dump.next > offset + size - header && dump.reach >= size);
      const good = valid && isWhole && isFilled;
      const counts = countsOf(dump, traces.dialect);
      const zone = { dump, valid, good, newerAliens: this.aliens.length, counts };
      if (isPlaced) this.zones.set(index, zone);
      if (!valid) this.aliens.push(dump);
    }
    this.isOverwritten = isOverwritten;
    const own = traces.own.filter(({ type, offset }) => type === 'dmesg' && offset >= base);
    this.#signed = new Set(own.map(({ offset }) => (offset - base) / size));
    let run = 0;
    while (run < count && (unsigned !== 'ends' || this.#signed.has(run))) run = unsigned === 'ends' ? run + 1 : count;
    this.#run = run;
  }

  /**
   * Whether another kernel has destroyed a zone after these were written one after the other: what is before the gap and
   * after it is of one and the same boot. Where recovery ends at a gap, nothing after it is of the last kernel.
   */
  isTorn(): boolean {
    if (this.aliens.length === 0) return false;
    const sorted = [...this.zones.keys()].sort((a, b) => a - b);
    const isPair = (a: number | undefined, b: number | undefined) => {
      const [before, after] = [this.zones.get(a ?? -1), this.zones.get(b ?? -1)];
      return before?.valid === true && after?.valid === true && before.dump.time <= after.dump.time;
    };
    if (this.#traces.dialect.unsigned === 'ends') {
      return sorted.some((index) => index > this.#run && isPair(index, index + 1));
    }
    return sorted.some((after, i) => {
      const before = sorted[i - 1];
      if (before === undefined || after === before + 1 || !isPair(before, after)) return false;
      return isPair(before - 1, before) && isPair(after, after + 1) && this.#isCovered(before + 1);
    });
  }

  /** Whether dumps of other kernels reach into a zone. */
  #isCovered(index: number): boolean {
    const { base, size } = this.#zones;
    const at = base + index * size;
    return this.aliens.some(
      ({ mark: { offset, datalen } }) => offset < at + size && offset + this.#header + datalen > at,
    );
  }

  /** Whether the dump in the next zone cannot have been written next. */
  isEnd(index: number): boolean {
    const next = (index + 1) % this.#zones.count;
    const after = next === index ? undefined : this.zones.get(next);
    return !after || !canFollow(after, this.zones.get(index)!);
  }

  /** The dumps that the same kernel may have written up to this one, the newest first. */
  chainBefore(head: number): readonly Step[] {
    const { count } = this.#zones;
    let last = this.zones.get(head)!;
    const chain: Step[] = [{ index: head, length: 0 }];
    let lost = 0;
    for (let steps = 1; steps < count && lost < MAX_LOST && chain.length < MAX_CHAIN; steps++) {
      const index = (head - steps + count) % count;
      const zone = this.zones.get(index);
      if (!zone) {
        if (this.#signed.has(index) || this.#isCovered(index)) break;
        lost++;
        continue;
      }
      if (!canFollow(last, zone)) break;
      chain.push({ index, length: chain.at(-1)!.length + 1 - lost * COST_OF_LOST });
      lost = 0;
      last = zone;
    }
    return chain;
  }

  /** The dump of a chain with which a boot can have begun: of several, the one that explains most. */
  startOf(chain: readonly Step[]): Start | undefined {
    const { count } = this.#zones;
    const members = new Set<number>();
    let best: Start | undefined;
    for (const [i, { index, length }] of chain.entries()) {
      members.add(index);
      const isAll = members.size === count || members.size === MAX_CHAIN;
      const found = isAll ? count : this.#foundBy(index, chain[0]!.index, members);
      if (found === undefined) continue;
      const counted = this.#counted(chain.slice(0, i + 1), members, found);
      if (counted === undefined || (best && counted + length < best.counted + best.length)) continue;
      best = { length, counted };
    }
    return best;
  }

  /** @returns how many zones the kernel looked at that began with this one; undefined where none would have done so */
  #foundBy(start: number, head: number, members: ReadonlySet<number>): number | undefined {
    const { count } = this.#zones;
    const isEnded = this.#traces.dialect.unsigned === 'ends';
    let next: number | undefined;
    for (const [index, { valid }] of this.zones) {
      if (!valid || members.has(index) || index >= this.#run) continue;
      next = (index + 1) % count;
      break;
    }
    // Where mainline's first zone is, is not known.
    const isNext = next === undefined ? start === 0 || !isEnded : next === start;
    if (!isEnded) return isNext ? count : undefined;
    if (head >= this.#run && (this.aliens.length > 0 || this.#hasBlank(head))) return undefined;
    if (start > head || start === 0) {
      const isFresh = start === 0 && this.aliens.length === 0 && members.size === this.zones.size;
      return isNext && (this.#run === count || isFresh) ? this.#run : undefined;
    }
    if (isNext) return this.#run;
    // That zone may have had no signature: recovery ended there.
    return this.aliens.length > 0 || head === this.#run - 1 ? start : undefined;
  }

  /** Whether a zone before this one was never written: of very many without a signature, some are. */
  #hasBlank(head: number): boolean {
    const { base, size } = this.#zones;
    let unsigned = 0;
    for (let index = this.#run; index < head; index++) {
      if (this.#signed.has(index)) continue;
      if (unsigned++ === MAX_UNSIGNED || this.#traces.isBlank(base + index * size)) return true;
    }
    return false;
  }

  /**
   * @param found the zones that recovery looked at
   * @returns how many counters are what follows; undefined where one is less, because no counter goes back
   */
  #counted(written: readonly Step[], members: ReadonlySet<number>, found: number): number | undefined {
    const highest = new Map<string, number>();
    for (const [index, { dump, valid, counts }] of this.zones) {
      if (!valid || !counts || members.has(index) || index >= found) continue;
      highest.set(counts, Math.max(highest.get(counts) ?? 0, dump.counter));
    }
    let exact = 0;
    for (const { index } of written.toReversed()) {
      const { dump, counts } = this.zones.get(index)!;
      if (!counts) continue;
      const last = highest.get(counts) ?? 0;
      if (dump.counter <= last) return undefined;
      if (dump.counter === last + 1) exact++;
      highest.set(counts, dump.counter);
    }
    return exact;
  }
}
