// The text of a kernel log, line by line as crash's `log` and makedumpfile --dump-dmesg print it.

/** Bytes that are gathered before they become one piece. */
const PIECE = 64 << 10;
const NEWLINE = 0x0a;
const SPACE = 0x20;

export class LogText {
  /** Bytes so far. */
  length = 0;
  readonly #pieces: Uint8Array[] = [];
  #piece = new Uint8Array(PIECE);
  #used = 0;

  /**
   * One message: its time in front, each further line indented as far, and `\xNN` for every byte that is neither printable
   * ASCII nor white space.
   * @param time nanoseconds since the kernel started
   */
  message(time: bigint, text: Uint8Array): void {
    const seconds = String(time / 1_000_000_000n).padStart(5);
    const micros = String((time / 1000n) % 1_000_000n).padStart(6, '0');
    const prefix = `[${seconds}.${micros}] `;
    this.#ascii(prefix);
    for (const byte of text) {
      if (byte === NEWLINE) this.#ascii(`\n${' '.repeat(prefix.length)}`);
      else if ((byte >= SPACE && byte < 0x7f) || (byte >= 0x09 && byte <= 0x0d)) this.#byte(byte);
      else this.#ascii(`\\x${byte.toString(16).padStart(2, '0')}`);
    }
    this.#byte(NEWLINE);
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): void {
    for (const byte of bytes) this.#byte(byte);
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const piece of this.#pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    all.set(this.#piece.subarray(0, this.#used), at);
    return all;
  }

  #ascii(text: string): void {
    for (let i = 0; i < text.length; i++) this.#byte(text.charCodeAt(i));
  }

  #byte(byte: number): void {
    if (this.#used === PIECE) {
      this.#pieces.push(this.#piece);
      this.#piece = new Uint8Array(PIECE);
      this.#used = 0;
    }
    this.#piece[this.#used++] = byte;
    this.length++;
  }
}
