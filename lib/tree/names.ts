// Names of files: those that the backends give their records, but no two alike where several share a directory.

import { parseRecordName } from '../pstore/backend.js';
import type { Mounted } from './mounted.js';

export class Names {
  /** How many of those that are shown are backends; the others are what views show of them. */
  readonly #own: number;
  readonly #shown: readonly Mounted[];
  readonly #isFlat: boolean;
  /** What stands in the names of each backend's records where its own name would. */
  readonly #shownAs: readonly string[];

  /** @param shown the backends, and after them those of each view */
  constructor(backends: readonly Mounted[], shown: readonly Mounted[], isFlat: boolean) {
    this.#own = backends.length;
    this.#shown = shown;
    this.#isFlat = isFlat;
    const seen = shown.slice(backends.length);
    const own = isFlat ? flatNames(backends) : backends.map(({ backend }) => backend.name);
    this.#shownAs = [...own, ...seen.map(({ backend }) => backend.name)];
  }

  /** A file's name as it stands in the tree: in layout flat no two records may have the same. */
  shown(at: number, name: string): string {
    if (!this.#isShared(at)) return name;
    const { backend, label } = this.#shown[at]!;
    const isUsual = parseRecordName(backend.name, name) !== undefined;
    const shown = isUsual ? renamed(name, backend.name, this.#shownAs[at]!) : name;
    const isLabelled = this.#shown.some((one) => shown.startsWith(`${one.label}-`));
    return isLabelled || (!isUsual && this.#mayBeAnothers(at, name)) ? `${label}-${name}` : shown;
  }

  /** The slot of the record that shown() calls so. */
  find(at: number, shown: string): number | undefined {
    const { backend, label } = this.#shown[at]!;
    if (!this.#isShared(at)) return backend.find(shown);
    const names = [renamed(shown, this.#shownAs[at]!, backend.name), shown];
    if (shown.startsWith(`${label}-`)) names.push(shown.slice(label.length + 1));
    for (const name of names) {
      const slot = backend.find(name);
      if (slot !== undefined && this.shown(at, name) === shown) return slot;
    }
    return undefined;
  }

  /**
   * Whether a record of another source may be called so. What there is at the moment does not matter: when that is erased,
   * its name must not become this one's.
   */
  #mayBeAnothers(at: number, name: string): boolean {
    const first = at < this.#own ? 0 : this.#own;
    const areUsual = this.#shown.slice(first, at).every(({ backend }) => backend.hasUsualNames);
    return !areUsual || this.#shownAs.some((shownAs) => parseRecordName(shownAs, name) !== undefined);
  }

  /** Whether records of other backends stand in the same directory. */
  #isShared(at: number): boolean {
    return this.#isFlat || at >= this.#own;
  }
}

/** In one directory no two backends may look the same: a later one of a name goes by its label, or that with a number. */
function flatNames(backends: readonly Mounted[]): string[] {
  const taken = new Set<string>();
  return backends.map(({ backend, label }) => {
    let name = taken.has(backend.name) ? label : backend.name;
    for (let n = 2; taken.has(name); n++) name = `${label}.${n}`;
    taken.add(name);
    return name;
  });
}

/** `<type>-<from>-<id>` with another word in the middle; any other name as it is. */
function renamed(name: string, from: string, to: string): string {
  const at = name.lastIndexOf(`-${from}-`);
  return at < 1 ? name : `${name.slice(0, at + 1)}${to}${name.slice(at + 1 + from.length)}`;
}
