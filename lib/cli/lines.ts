// Cuts what comes in pieces into its lines.

const NEWLINE = 0x0a;
const EMPTY = new Uint8Array(0);

export class Lines {
  readonly #max: number;
  readonly #encoding: 'utf8' | 'latin1';
  #pieces: Uint8Array[] = [];
  #kept = 0;
  #unfinished = 0;

  /** @param max bytes of a line that are kept: the rest of a longer one is passed over */
  constructor(max = Number.POSITIVE_INFINITY, encoding: 'utf8' | 'latin1' = 'utf8') {
    this.#max = max;
    this.#encoding = encoding;
  }

  /** Bytes that came after the last line's end. */
  get unfinished(): number {
    return this.#unfinished;
  }

  /** The lines that end in a piece. @param piece copied where it is needed later */
  *take(piece: Uint8Array): Generator<string> {
    for (let at = 0; at < piece.length; ) {
      const end = piece.indexOf(NEWLINE, at);
      if (end === at && this.#unfinished === 0) {
        yield '';
        at = end + 1;
        continue;
      }
      const part = piece.subarray(at, end < 0 ? piece.length : end);
      this.#keep(end < 0 ? Buffer.from(part) : part);
      if (end < 0) return;
      yield this.#line();
      at = end + 1;
    }
  }

  /** All lines of a text, the last one too where no newline ends it. */
  *of(pieces: Iterable<Uint8Array>): Generator<string> {
    for (const piece of pieces) yield* this.take(piece);
    if (this.#unfinished > 0) yield this.#line();
  }

  #keep(part: Uint8Array): void {
    const kept = part.subarray(0, this.#max - this.#kept);
    if (kept.length > 0) this.#pieces.push(kept);
    this.#kept += kept.length;
    this.#unfinished += part.length;
  }

  #line(): string {
    const [first = EMPTY, ...more] = this.#pieces;
    const whole = more.length === 0 ? first : Buffer.concat(this.#pieces);
    const line = Buffer.from(whole.buffer, whole.byteOffset, whole.length).toString(this.#encoding);
    [this.#pieces, this.#kept, this.#unfinished] = [[], 0, 0];
    return line;
  }
}
