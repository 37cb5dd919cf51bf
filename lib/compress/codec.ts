// What a compression algorithm is to this project.

import { Output } from './output.js';

export type Compression = 'deflate' | 'zlib' | 'lz4' | 'lz4hc' | 'lzo' | 'zstd' | '842';

/**
 * All names that `pstore.compress=` knows, the likely ones first; and zlib, which kernels of 3.12 to 4.16 wrote, where
 * that parameter did not exist.
 */
export const COMPRESSIONS: readonly Compression[] = ['deflate', 'zlib', 'lz4', 'lzo', 'zstd', '842', 'lz4hc'];

export interface Decompressed {
  readonly output: Uint8Array;
  /** Input bytes that belong to the finished stream; what follows them was not looked at. */
  readonly used: number;
  /** Whether a checksum of the stream says that this is what was compressed. */
  readonly proven?: boolean;
}

export interface Codec {
  readonly name: Compression;

  /**
   * What a kernel's decoder of this name does about bytes after the finished stream: it does not look at them, or it
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

  /**
   * What the beginning of a stream gives, up to where it is cut off or damaged; after a damaged place there may be
   * rubbish. Bounds as of decompress().
   */
  beginning(input: Uint8Array, limit: number): Uint8Array;

  /** @returns a stream that the kernel's decoder of the same name accepts; it may be longer than the input */
  compress(input: Uint8Array): Uint8Array;

  /** Where the format has a way for it: a stream of the same text that begins with another byte. */
  beginOtherwise?(stream: Uint8Array): Uint8Array;
}

/** A decoder that writes its output as it goes. @returns input bytes used, or undefined where it gives up */
type Decode = (input: Uint8Array, out: Output) => number | undefined;

/** What both ways of reading a stream have in common. */
export function decoders(decode: Decode): Pick<Codec, 'decompress' | 'beginning'> {
  return {
    decompress: (input, limit) => {
      const out = new Output(limit, input.length);
      const used = decode(input, out);
      return used === undefined ? undefined : { output: out.text(), used };
    },
    beginning: (input, limit) => {
      const out = new Output(limit, input.length);
      decode(input, out);
      return out.text();
    },
  };
}
