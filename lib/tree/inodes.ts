// Inode numbers of records: a number always means the same record, and is never used again.

import type { Mounted } from './mounted.js';
import { FIRST_RECORD_INO } from './views.js';

/** Where a record is kept: which of the backends that are shown, and its slot there. */
export interface Place {
  readonly at: number;
  readonly slot: number;
}

export class Inodes {
  readonly #shown: readonly Pick<Mounted, 'backend'>[];
  /** How many slots each backend had at first: their numbers follow from the slot while it was not reused. */
  readonly #firstSlots: readonly number[];
  /** The inode number of each backend's first slot. */
  readonly #bases: readonly number[];
  /** The inode number of each slot that was reused, or came later: the newest only, however often it is used. */
  readonly #laterInos = new Map<string, { readonly ino: number; readonly generation: number }>();
  readonly #laterPlaces = new Map<number, Place & { readonly generation: number }>();
  #next = FIRST_RECORD_INO;

  constructor(shown: readonly Pick<Mounted, 'backend'>[], firstSlots: readonly number[]) {
    this.#shown = shown;
    this.#firstSlots = firstSlots;
    this.#bases = firstSlots.map((slots) => {
      const base = this.#next;
      this.#next += slots;
      return base;
    });
  }

  of(at: number, slot: number): number {
    const generation = this.#shown[at]!.backend.generation(slot);
    if (generation === 0 && slot < this.#firstSlots[at]!) return this.#bases[at]! + slot;
    const key = `${at}:${slot}`;
    const known = this.#laterInos.get(key);
    if (known?.generation === generation) return known.ino;
    if (known) this.#laterPlaces.delete(known.ino);
    const ino = this.#next++;
    this.#laterInos.set(key, { ino, generation });
    this.#laterPlaces.set(ino, { at, slot, generation });
    return ino;
  }

  /** Where an inode's record is kept, while it is the same record. */
  place(ino: number): Place | undefined {
    const later = this.#laterPlaces.get(ino);
    if (later) {
      if (this.#shown[later.at]!.backend.generation(later.slot) === later.generation) return later;
      this.#laterPlaces.delete(ino);
      this.#laterInos.delete(`${later.at}:${later.slot}`);
      return undefined;
    }
    let at = this.#bases.length - 1;
    while (at >= 0 && this.#bases[at]! > ino) at--;
    if (at < 0) return undefined;
    const slot = ino - this.#bases[at]!;
    if (slot >= this.#firstSlots[at]! || this.#shown[at]!.backend.generation(slot) !== 0) return undefined;
    return { at, slot };
  }
}
