// Crashes by signature: how often, since when, on how many images.

import type { Crash } from './crash.js';

/** One crash, and where it was seen. */
export interface Sighting {
  /** undefined for a text without a crash. */
  readonly crash: Crash | undefined;
  /** Path of the image. */
  readonly image: string;
  /** Nanoseconds since 1970, or null where the record tells none. */
  readonly timeNs: bigint | null;
}

export interface Group {
  /** null for texts without a crash. */
  readonly signature: string | null;
  readonly kind: string | null;
  /** Crashes: one that several records of an image tell of counts once. */
  count: number;
  firstNs: bigint | null;
  lastNs: bigint | null;
  /** The most frequent first. */
  readonly titles: readonly string[];
  readonly images: ReadonlySet<string>;
}

/** Titles of one signature differ in little; more of them are not kept. */
const MAX_TITLES = 16;

interface Collected extends Omit<Group, 'titles' | 'images'> {
  readonly titled: Map<string, number>;
  readonly images: Set<string>;
  /** What was counted, by image and uptime. */
  readonly seen: Set<string>;
}

export class Groups {
  readonly #groups = new Map<string | null, Collected>();

  /** @returns whether it is a crash, or a text without one, that was not counted yet */
  add({ crash, image, timeNs }: Sighting): boolean {
    const signature = crash?.signature ?? null;
    let group = this.#groups.get(signature);
    if (!group) {
      const kind = crash?.kind ?? null;
      const empty = { titled: new Map(), images: new Set<string>(), seen: new Set<string>() };
      group = { signature, kind, count: 0, firstNs: null, lastNs: null, ...empty };
      this.#groups.set(signature, group);
    }
    group.images.add(image);
    if (timeNs !== null) {
      if (group.firstNs === null || timeNs < group.firstNs) group.firstNs = timeNs;
      if (group.lastNs === null || timeNs > group.lastNs) group.lastNs = timeNs;
    }
    // A console tells of the same crash as the record of it.
    const same = crash && crash.uptime !== null ? `${image}\0${crash.uptime}` : undefined;
    if (same !== undefined && group.seen.has(same)) return false;
    if (same !== undefined) group.seen.add(same);
    group.count++;
    if (!crash) return true;
    const { titled } = group;
    if (titled.has(crash.title) || titled.size < MAX_TITLES)
      titled.set(crash.title, (titled.get(crash.title) ?? 0) + 1);
    return true;
  }

  /** The most frequent first; texts without a crash last. */
  list(): Group[] {
    const groups = [...this.#groups.values()].map(({ titled, seen: _, ...group }): Group => {
      const titles = [...titled].sort(([, a], [, b]) => b - a).map(([title]) => title);
      return { ...group, titles };
    });
    const hasNone = ({ signature }: Group) => Number(signature === null);
    return groups.sort((a, b) => hasNone(a) - hasNone(b) || b.count - a.count);
  }
}
