// What a compression algorithm is to this project.

export type Compression = 'deflate' | 'lz4' | 'lz4hc' | 'lzo' | 'zstd' | '842';

/** In the order of Linux's `zbackends`, which is the order of likelihood too. */
export const COMPRESSIONS: readonly Compression[] = ['deflate', 'lz4', 'lzo', 'zstd', '842', 'lz4hc'];

export interface Decompressed {
  readonly output: Uint8Array;
  /** Input bytes that belong to the finished stream; what follows them was not looked at. */
  readonly used: number;
}

export interface Codec {
  readonly name: Compression;

  /**
   * @param input hostile bytes
   * @param limit most bytes of output that are accepted; nothing larger is ever allocated
   * @returns undefined when the input is not one whole stream of this algorithm, or has more output than `limit`; never throws
   */
  decompress(input: Uint8Array, limit: number): Decompressed | undefined;

  /** @returns a stream that the kernel's decoder of the same name accepts; it may be longer than the input */
  compress(input: Uint8Array): Uint8Array;
}
