// Looks through bytes for many words of four bytes at once, as fast as memory gives them.

import type { HeaderWord } from '../pstore/anywhere.js';

/** Entries of the first, rough table: small enough for a processor's nearest cache. */
const TABLE_BITS = 14;
/** A number that mixes all bits of a word into the upper ones (Knuth's multiplicative hashing). */
const MIX = 0x9e3779b1;
const SHIFT = 32 - TABLE_BITS;
const WORD = 4;
const AT_A_TIME = 4;

/** A word that was found, and all who look for it. */
export interface Wanted<Owner> extends HeaderWord {
  readonly owner: Owner;
}

export class WordSweep<Owner> {
  readonly #table = new Uint8Array(1 << TABLE_BITS);
  readonly #wanted = new Map<number, Wanted<Owner>[]>();
  /** Places in a header, in words. */
  readonly #places: readonly number[];

  constructor(wanted: readonly Wanted<Owner>[]) {
    for (const one of wanted) {
      // Read as the machine reads the bytes that are swept.
      const [word = 0] = new Uint32Array(one.bytes.slice().buffer);
      this.#table[Math.imul(word, MIX) >>> SHIFT] = 1;
      this.#wanted.set(word, [...(this.#wanted.get(word) ?? []), one]);
    }
    this.#places = [...new Set(wanted.map(({ at }) => at / WORD))];
  }

  /**
   * @param words begin at a multiple of `align`
   * @param align headers begin at multiples of it: 4, or more than the last word's place in a header
   * @param found is told of each word: where its header begins, counted from the first of `words` in bytes
   */
  sweep(words: Uint32Array, align: number, found: (begin: number, owner: Owner) => void): void {
    if (align === WORD) this.#sweepAll(words, found);
    else for (const place of this.#places) this.#sweepPlace(words, place, align / WORD, found);
  }

  /** Four words at a time, because a look at the table costs less than a decision. */
  #sweepAll(words: Uint32Array, found: (begin: number, owner: Owner) => void): void {
    const table = this.#table;
    const even = words.length - (words.length % AT_A_TIME);
    for (let i = 0; i < even; i += AT_A_TIME) {
      const seen =
        table[Math.imul(words[i]!, MIX) >>> SHIFT]! |
        table[Math.imul(words[i + 1]!, MIX) >>> SHIFT]! |
        table[Math.imul(words[i + 2]!, MIX) >>> SHIFT]! |
        table[Math.imul(words[i + 3]!, MIX) >>> SHIFT]!;
      if (seen !== 0) for (let one = i; one < i + AT_A_TIME; one++) this.#tell(words[one]!, one, undefined, found);
    }
    for (let i = even; i < words.length; i++) this.#tell(words[i]!, i, undefined, found);
  }

  #sweepPlace(words: Uint32Array, place: number, step: number, found: (begin: number, owner: Owner) => void): void {
    const table = this.#table;
    for (let i = place; i < words.length; i += step) {
      if (table[Math.imul(words[i]!, MIX) >>> SHIFT] !== 0) this.#tell(words[i]!, i, place, found);
    }
  }

  #tell(word: number, index: number, place: number | undefined, found: (begin: number, owner: Owner) => void): void {
    for (const { at, owner } of this.#wanted.get(word) ?? []) {
      if (place === undefined || at === place * WORD) found(index * WORD - at, owner);
    }
  }
}
