// A .lz4 file that was cut: lz4(1) gives whole blocks only, of up to 4 MiB, which may be all of an image. What is there of
// the block in which the file ends is decoded here (doc/lz4_Frame_format.md of lz4; numbers are little-endian).

import { lz4 } from '../compress/lz4.js';
import { readRange, type Storage } from './storage.js';

const FLAGS_AT = 4;
const FLAG = { dictionary: 0x01, contentSize: 0x08, blockChecksum: 0x10, independent: 0x20 };
const BLOCK_CODE_AT = 5;
/** Magic, flags, block size and the header's own checksum. */
const SHORTEST_HEADER = 7;
const CONTENT_SIZE = 8;
const WORD = 4;
/** Set in the length of a block that is stored as it is. */
const STORED = 0x80000000;
/** The smallest code stands for 64 KiB, each next one for four times as many bytes. */
const SMALLEST_CODE = 4;
const SMALLEST_BLOCK = 64 << 10;

/**
 * What the block in which the file ends gives.
 * @param unpacked bytes that lz4(1) has given: that block follows them
 */
export function cutBlockOfLz4(file: Storage, unpacked: number): Uint8Array {
  const none = new Uint8Array(0);
  const head = readRange(file, 0, SHORTEST_HEADER);
  if (head.length < SHORTEST_HEADER) return none;
  const flags = head[FLAGS_AT]!;
  const most = SMALLEST_BLOCK * 4 ** (((head[BLOCK_CODE_AT]! >> 4) & 7) - SMALLEST_CODE);
  const isOn = (flag: number) => (flags & flag) !== 0;
  let at = SHORTEST_HEADER + (isOn(FLAG.contentSize) ? CONTENT_SIZE : 0) + (isOn(FLAG.dictionary) ? WORD : 0);
  let before = 0;
  for (;;) {
    const word = readRange(file, at, WORD);
    if (word.length < WORD) return none;
    const length = new DataView(word.buffer, word.byteOffset, WORD).getUint32(0, true);
    const size = length & ~STORED;
    if (size === 0 || size > most) return none;
    at += WORD;
    if (at + size > file.size) {
      // A block that refers to those before it cannot be read alone.
      if (before !== unpacked || (before > 0 && !isOn(FLAG.independent))) return none;
      const rest = readRange(file, at, file.size - at);
      return length >= STORED ? rest : lz4.beginning(rest, most);
    }
    at += size + (isOn(FLAG.blockChecksum) ? WORD : 0);
    before += most;
  }
}
