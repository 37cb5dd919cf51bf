// The runs of notes of a crash dump: cut to the file, and each byte in one of them only.

import type { Storage } from '../storage/storage.js';
import type { Warnings } from '../warnings.js';
import { asNumber } from './core-header.js';
import { type NotePadding, PADDED_TO_4 } from './note.js';

/** PT_NOTE segments that are taken; a kernel has one for each CPU at most, and at most 8192 of these. */
const MAX_NOTE_AREAS = 16384;

/** A run of notes in the file. */
export interface NoteArea {
  readonly offset: number;
  /** One after the last byte that is there, at most the file's size. */
  readonly end: number;
  /** One after the last byte that the header speaks of. */
  readonly declaredEnd: number;
  /** Index of the program header, or null in a compressed dump. */
  readonly program: number | null;
  readonly padding: NotePadding;
}

/** Collects the areas of notes: cut to the file, and each byte in one area only. */
export class NoteAreas {
  /** In the order in which they were added. */
  readonly list: NoteArea[] = [];
  /** The same by their offset. */
  readonly #sorted: NoteArea[] = [];
  readonly #storage: Storage;
  readonly #warnings: Warnings;
  #full = false;

  constructor(storage: Storage, warnings: Warnings) {
    this.#storage = storage;
    this.#warnings = warnings;
  }

  /** @param paddingOf tells how the notes of an area are padded; to 4 when it is left out */
  add(
    offset: bigint,
    size: bigint,
    program: number | null,
    paddingOf?: (start: number, end: number) => NotePadding,
  ): void {
    if (size === 0n) return;
    const area = this.#cut(offset, size, program, paddingOf);
    if (!area) return;
    if (this.list.length >= MAX_NOTE_AREAS) {
      if (!this.#full)
        this.#warn(`there are more than ${MAX_NOTE_AREAS} note segments; the rest is not read`, area.offset);
      this.#full = true;
      return;
    }
    const at = this.#placeOf(area.offset);
    const before = this.#sorted[at - 1];
    const after = this.#sorted[at];
    const other = before && before.end > area.offset ? before : after && after.offset < area.end ? after : undefined;
    if (other) {
      this.#warn(
        `${title(area)} (${area.offset} to ${area.end}) overlaps ${title(other)} (${other.offset} to ${other.end}) and is not read`,
        area.offset,
      );
      return;
    }
    this.#sorted.splice(at, 0, area);
    this.list.push(area);
  }

  #cut(
    offset: bigint,
    size: bigint,
    program: number | null,
    paddingOf: (start: number, end: number) => NotePadding = () => PADDED_TO_4,
  ): NoteArea | undefined {
    const start = asNumber(offset);
    const fileSize = this.#storage.size;
    const declaredEnd = asNumber(offset + size);
    const end = Math.min(declaredEnd, fileSize);
    const area = { offset: start, end, declaredEnd, program };
    if (start >= fileSize) {
      this.#warn(
        `the file ends at ${fileSize}, before ${title(area)} at ${offset}: its notes are not there; copy all of it`,
        null,
      );
      return undefined;
    }
    if (area.declaredEnd > fileSize) {
      this.#warn(
        `the file ends at ${fileSize}, inside ${title(area)} (${offset} to ${offset + size}): copy all of it`,
        start,
      );
    }
    return { ...area, padding: paddingOf(start, declaredEnd) };
  }

  /** Index of the first area that begins at an offset or after it. */
  #placeOf(offset: number): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sorted[middle]!.offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #warn(sentence: string, offset: number | null): void {
    this.#warnings.add('note-damaged', `${this.#storage.path}: ${sentence}`, offset);
  }
}

function title(area: { readonly program: number | null }): string {
  return area.program === null ? 'the run of notes' : `the note segment of program header ${area.program}`;
}
