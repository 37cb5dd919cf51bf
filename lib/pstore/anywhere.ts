// How images of a kind are found anywhere in a larger file: by words that stand in their headers, then by a closer look.

import type { SurvivingStorage } from '../storage/surviving.js';

/** A word of four bytes that a header has at a fixed place. */
export interface HeaderWord {
  readonly bytes: Uint8Array;
  /** Bytes from the header's beginning; a multiple of 4. */
  readonly at: number;
}

/** What looks like a header. */
export interface SeenHeader {
  /** Headers of one region have the same: the format and the byte order. */
  readonly sort: string;
  /** Bytes that belong to it at least, as it says itself. */
  readonly length: number;
}

export interface Region {
  /** Bytes from its first header on, or null where its end is not told. */
  readonly length: number | null;
  /** How sure it is that this is one: as Finding.sure. */
  readonly sure: number;
}

export interface Anywhere {
  readonly words: readonly HeaderWord[];
  /** Kinds whose regions have these words, too, so that a part of one looks like a region of this kind. */
  readonly alsoIn?: readonly string[];
  /** Whether a region goes on over whatever is blank after it, up to the medium's end. */
  readonly fillsTheRest?: boolean;
  /** Bytes that headerAt() needs. */
  readonly headerSize: number;
  /** Headers of one region are at most so far apart; 0 where each header begins a region of its own. */
  readonly reach: number;
  /** Most bytes that a region may have, where each header begins one. */
  readonly most: number;
  /**
   * What header begins with these bytes; undefined where none does. It is asked for every place where one of the words
   * stands, so that it must be quick.
   */
  headerAt(bytes: Uint8Array): SeenHeader | undefined;
  /** Looks closely at what begins with a header. Never throws for what the bytes are. */
  regionIn(storage: SurvivingStorage, sort: string): Region | undefined;
}

/** A word of a 32-bit number in both byte orders. */
export function wordInBothOrders(word: number, at: number): HeaderWord[] {
  return [true, false].map((little) => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, word, little);
    return { bytes, at };
  });
}

/** The first four letters of a text. */
export function wordOfText(text: string, at = 0): HeaderWord {
  return { bytes: new TextEncoder().encode(text).subarray(0, 4), at };
}
