// Finds out with what a dmesg record was compressed, and undoes it. A header says only that it is compressed.

import type { Codec, Compression } from './codec.js';
import { deflate } from './deflate.js';

/** The codecs, in the order in which they are tried. */
const CODECS: readonly Codec[] = [deflate];

/** Largest output that is accepted, as a multiple of the zone (largest seen in 519 images: 2.2). */
export const LIMIT_FACTOR = 4;

export type CompressionChoice = 'auto' | 'none' | Compression;

export interface DecodedRecord {
  readonly text: Uint8Array;
  readonly compression: Compression;
}

/**
 * @param stored the record's bytes behind its header
 * @param choice `auto` tries all and keeps what is proven by the text; a name behaves as a kernel with only that one
 * @param limit most bytes of text, LIMIT_FACTOR × the zone's size
 * @returns undefined when it cannot be decompressed: the record is then shown as it is, with `.enc.z`
 */
export function decodeRecord(stored: Uint8Array, choice: CompressionChoice, limit: number): DecodedRecord | undefined {
  for (const codec of CODECS) {
    if (choice !== 'auto' && choice !== codec.name) continue;
    const result = codec.decompress(stored, limit);
    if (!result) continue;
    if (choice !== 'auto' || (isUsedUp(stored, result.used) && beginsAsDump(result.output))) {
      return { text: result.output, compression: codec.name };
    }
  }
  return undefined;
}

/** Compresses the way a kernel with `pstore.compress=NAME` does. */
export function encodeRecord(text: Uint8Array, compression: Compression): Uint8Array {
  return CODECS.find((codec) => codec.name === compression)!.compress(text);
}

/** What follows a finished stream in a zone that was read whole is zeros. */
function isUsedUp(input: Uint8Array, used: number): boolean {
  for (let i = used; i < input.length; i++) if (input[i] !== 0) return false;
  return true;
}

/** Whether the text begins with a reason's name, `#`, a number and ` Part`. */
export function beginsAsDump(text: Uint8Array): boolean {
  const head = String.fromCharCode(...text.subarray(0, 40));
  return /^[A-Z][A-Za-z]*#[0-9]+ Part/.test(head);
}
