// Decoded texts, the least recently used dropped first: the mount option cache=.

export class TextCache {
  /** Most bytes that are kept; the newest text stays even when it alone is larger, since it is about to be read. */
  readonly limit: number;
  #bytes = 0;
  readonly #texts = new Map<string, Uint8Array>();

  constructor(limit = 64 << 20) {
    this.limit = limit;
  }

  /** Bytes that are kept now. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): Uint8Array | undefined {
    const text = this.#texts.get(key);
    if (text) {
      this.#texts.delete(key);
      this.#texts.set(key, text);
    }
    return text;
  }

  set(key: string, text: Uint8Array): void {
    this.delete(key);
    this.#texts.set(key, text);
    this.#bytes += text.length;
    for (const oldest of this.#texts.keys()) {
      if (this.#bytes <= this.limit || oldest === key) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const text = this.#texts.get(key);
    if (text && this.#texts.delete(key)) this.#bytes -= text.length;
  }
}
