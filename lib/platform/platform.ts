// What differs between Node and a browser's page, where this code runs as well: node.ts and browser.ts each have all of
// it, and package.json's `imports` decides which of them `#platform` is.

/** Deflate by the machine's own code, many times as fast as ours. */
export interface NativeDeflate {
  /**
   * Raw inflate.
   * @param limit most bytes of output
   * @returns undefined when the input is no whole raw deflate stream or exceeds `limit`
   */
  inflateRaw(input: Uint8Array, limit: number): { output: Uint8Array; used: number } | undefined;

  /**
   * What a piece of raw deflate gives up to its end. All of it is made: the piece is to be a small one.
   * @returns undefined where it is damaged
   */
  inflateRawStart(input: Uint8Array): Uint8Array | undefined;

  /** Raw deflate. @param windowBits 9 to 15: base 2 logarithm of the largest distance */
  deflateRaw(input: Uint8Array, windowBits: number): Uint8Array;
}

/** Other threads of this process that can be waited for without an event loop, by memory that all share. */
export interface Threads {
  /** Processors that this process may use, beside the one that it runs on. */
  others(): number;
  /** One that fails says nothing: whoever waits for it must not do so for ever. It does not keep the process alive. */
  start(script: URL, data: object): Thread;
}

/** Another thread, as the one that has started it sees it. Messages are copied. */
export interface Thread {
  post(message: unknown): void;
  /** The next message that it has posted, or undefined while there is none: no event loop is needed. */
  receive(): unknown;
  /**
   * Lets go of it: it ends when it has answered what it has. Node may abort the process where a thread is ended in the
   * middle of its work, and so it may when the process exits then.
   */
  end(): void;
}
