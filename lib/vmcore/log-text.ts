// The text of a kernel log, line by line as crash's `log` and makedumpfile --dump-dmesg print it.

import { PstoreError } from '../errors.js';

/** Bytes that are gathered before they become one piece. */
const PIECE = 64 << 10;
/** Bytes that are kept, the newest ones: no other text of a record is longer. */
export const MAX_LOG_TEXT = 32 << 20;
/** Bytes that are added before reading ends: a hostile dump must not decide our time. */
const MAX_ADDED = 2 * MAX_LOG_TEXT;
const NEWLINE = 0x0a;
const SPACE = 0x20;

export class LogText {
  /** Bytes that were added, those at the beginning too that are not kept. */
  #added = 0;
  /** Bytes at the beginning that are not kept. */
  #dropped = 0;
  readonly #pieces: Uint8Array[] = [];
  readonly #piece = new Uint8Array(PIECE);
  #used = 0;

  /**
   * One message: its time in front, each further line indented as far, and `\xNN` for every byte that is neither printable
   * ASCII nor white space.
   * @param time nanoseconds since the kernel started
   * @throws PstoreError EFBIG when more was added than any log has
   */
  message(time: bigint, text: Uint8Array): void {
    if (this.#added >= MAX_ADDED) {
      throw new PstoreError('EFBIG', `its messages have more than ${MAX_ADDED} bytes, and only those are read`);
    }
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

  /** Bytes as they are, which are not copied. */
  raw(bytes: Uint8Array): void {
    this.#endPiece();
    this.#pieces.push(bytes);
    this.#added += bytes.length;
    this.#dropOldest();
  }

  /** Why it is not whole, or null. */
  get trouble(): string | null {
    return this.#dropped === 0 ? null : `it is too long, and its first ${this.#dropped} bytes are left out`;
  }

  bytes(): Uint8Array {
    this.#endPiece();
    const all = new Uint8Array(this.#added - this.#dropped);
    let at = 0;
    for (const piece of this.#pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  #endPiece(): void {
    if (this.#used > 0) this.#pieces.push(this.#piece.slice(0, this.#used));
    this.#used = 0;
    this.#dropOldest();
  }

  #dropOldest(): void {
    while (this.#added - this.#dropped > MAX_LOG_TEXT) this.#dropped += this.#pieces.shift()!.length;
  }

  #ascii(text: string): void {
    for (let i = 0; i < text.length; i++) this.#byte(text.charCodeAt(i));
  }

  #byte(byte: number): void {
    if (this.#used === PIECE) this.#endPiece();
    this.#piece[this.#used++] = byte;
    this.#added++;
  }
}
