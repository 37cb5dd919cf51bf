// Where the device dumps of a vmcore stand.

/** In place of an offset. */
const LOST = -1;

/** Places of the device dumps: 20 bytes each, for there may be millions. */
export class DumpTable {
  length = 0;
  /** Of them, those that are lost. */
  lost = 0;
  /** Bytes of all dumps' data. */
  bytes = 0;
  #notes = new Float64Array(16);
  #sizes = new Float64Array(16);
  #headers = new Uint32Array(16);

  push(noteOffset: number, headerSize: number, size: number): void {
    if (this.length === this.#notes.length) this.#grow();
    this.#notes[this.length] = noteOffset;
    this.#headers[this.length] = headerSize;
    this.#sizes[this.length] = size;
    this.length++;
    this.bytes += size;
  }

  /** One whose header is lost: those after it keep their numbers. */
  pushLost(): void {
    this.push(LOST, 0, 0);
    this.lost++;
  }

  #grow(): void {
    const [notes, sizes, headers] = [this.#notes, this.#sizes, this.#headers];
    this.#notes = new Float64Array(notes.length * 2);
    this.#sizes = new Float64Array(notes.length * 2);
    this.#headers = new Uint32Array(notes.length * 2);
    this.#notes.set(notes);
    this.#sizes.set(sizes);
    this.#headers.set(headers);
  }

  has(slot: number): boolean {
    return Number.isInteger(slot) && slot >= 0 && slot < this.length && this.#notes[slot] !== LOST;
  }

  noteOffset(slot: number): number {
    return this.#notes[slot]!;
  }

  dataOffset(slot: number): number {
    return this.#notes[slot]! + this.#headers[slot]!;
  }

  size(slot: number): number {
    return this.#sizes[slot]!;
  }
}
