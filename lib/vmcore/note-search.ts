// Finds the next note after one whose header is lost: the sizes in each header alone lead to the one after it.

import { occurrences } from '../storage/occurrences.js';
import { readRange, type Storage } from '../storage/storage.js';
import { Window } from '../storage/window.js';
import {
  type ElfNote,
  isDeviceDump,
  isVmcoreinfo,
  NOTE_HEADER_SIZE,
  type NoteEnd,
  noteTypeName,
  walkNotes,
} from './note.js';
import type { NoteArea } from './note-areas.js';

/** Names of the notes that cores of Linux and QEMU have, with the NUL after them. */
const NAMES = ['LINUX\0', 'CORE\0', 'VMCOREINFO\0', 'QEMU\0'].map((name) => new TextEncoder().encode(name));
/** Names are padded, and some writers count that. */
const MAX_NAME_SIZE = 16;
/** This many zeros fill the rest of a segment: no damage makes as many. */
const PADDING = 128 << 10;
/** Bytes that are searched in a dump, for all names together: a hostile one must not decide our time. */
const BUDGET = 256 << 20;

export class NoteSearch {
  readonly #storage: Storage;
  readonly #endian: 'little' | 'big';
  readonly #window: Window;
  #budget = BUDGET;

  constructor(storage: Storage, endian: 'little' | 'big') {
    this.#storage = storage;
    this.#endian = endian;
    this.#window = new Window(storage);
  }

  /**
   * The next note, where a walk has ended at a header that is none.
   * @returns undefined where the walk has come to the end, or no other note is found
   */
  after(end: NoteEnd, area: NoteArea): { lost: { offset: number }; note: ElfNote } | undefined {
    if (end.kind === 'end' || (end.kind === 'padding' && this.#isZero(end.offset, area))) return undefined;
    // A note that its file cuts off is whole in itself; one that its segment cuts off has wrong sizes.
    if (end.kind === 'cut' && this.#noteAt(end.offset, area)) return undefined;
    const note = this.#next(end.offset + 1, area);
    return note && { lost: end, note };
  }

  #isZero(from: number, area: NoteArea): boolean {
    return readRange(this.#storage, from, Math.min(PADDING, area.end - from)).every((byte) => byte === 0);
  }

  #next(from: number, area: NoteArea): ElfNote | undefined {
    let best: ElfNote | undefined;
    for (const name of NAMES) {
      const to = Math.min(best ? best.offset + NOTE_HEADER_SIZE : area.end, from + this.#budget);
      if (to <= from) break;
      const found = this.#named(name, from, to, area);
      if (found && (!best || found.offset < best.offset)) best = found;
      this.#budget -= (found ? found.offset : to) - from;
    }
    return best;
  }

  #named(name: Uint8Array, from: number, to: number, area: NoteArea): ElfNote | undefined {
    for (const at of occurrences(this.#storage, name, from, to)) {
      const offset = at - NOTE_HEADER_SIZE;
      if (offset < from || (offset - area.offset) % area.padding.align !== 0) continue;
      const note = this.#noteAt(offset, area);
      if (note) return note;
    }
    return undefined;
  }

  /** A note whose name and type are known, and whose sizes stay inside its segment. */
  #noteAt(offset: number, area: NoteArea): ElfNote | undefined {
    const walk = walkNotes(this.#window, offset, area.end, this.#endian, area.padding);
    const { value, done } = walk.next();
    if (done || value.namesz > MAX_NAME_SIZE || value.descEnd > area.declaredEnd) return undefined;
    const isKnown = isDeviceDump(value) || isVmcoreinfo(value) || noteTypeName(value) !== undefined;
    return isKnown ? value : undefined;
  }
}
