// What a compression algorithm is to this project.

export type Compression = 'deflate' | 'lz4' | 'lz4hc' | 'lzo' | 'zstd' | '842';

/** All names that `pstore.compress=` knows, the likely ones first. */
export const COMPRESSIONS: readonly Compression[] = ['deflate', 'lz4', 'lzo', 'zstd', '842', 'lz4hc'];

export interface Decompressed {
  readonly output: Uint8Array;
  /** Input bytes that belong to the finished stream; what follows them was not looked at. */
  readonly used: number;
}

export interface Codec {
  readonly name: Compression;

  /**
   * What a kernel's decoder of this name does about bytes behind the finished stream: it does not look at them, or it
   * gives up, or (`unmarked`) the stream has no mark of its end, so that all input belongs to it.
   */
  readonly trailing: 'ignored' | 'refused' | 'unmarked';

  /**
   * @param input hostile bytes
   * @param limit most bytes of output that are accepted; nothing larger is ever allocated
   * @returns undefined when the input does not begin with a whole stream of this algorithm, or has more output than
   *   `limit`; never throws
   */
  decompress(input: Uint8Array, limit: number): Decompressed | undefined;

  /** @returns a stream that the kernel's decoder of the same name accepts; it may be longer than the input */
  compress(input: Uint8Array): Uint8Array;
}
