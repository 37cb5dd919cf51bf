// Numbers of the zstd format (RFC 8878) that its decoder and its encoder share.

export const MAGIC = 0xfd2fb528;

/** Largest text of a block that has sequences. */
export const BLOCK_MAX = 1 << 17;

export const BLOCK_TYPE = { raw: 0, rle: 1, compressed: 2 } as const;

export const LITERALS_TYPE = { raw: 0, rle: 1, compressed: 2, treeless: 3 } as const;

/** Where a field of the sequences has its table from: treeless and repeat use the last block's. */
export const TABLE_MODE = { predefined: 0, constant: 1, described: 2, repeat: 3 } as const;

/** Added to a content size of 2 bytes. */
export const CONTENT_SIZE_16_BASE = 256;

/** A first byte of this value: two bytes follow, to which the base is added. */
export const SEQUENCES_LONG = 255;
export const SEQUENCES_LONG_BASE = 0x7f00;

/** The latest three distances. */
export type RepeatedDistances = readonly [number, number, number];

/** The latest three distances as a frame begins. */
export const REPEATED_AT_START: RepeatedDistances = [1, 4, 8];
