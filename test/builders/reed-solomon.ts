// Reed-Solomon by another implementation (ZXing's): parity and verdicts to compare ours with.

import zxing from '@zxing/library';

const { GenericGF, ReedSolomonDecoder, ReedSolomonEncoder } = zxing;
/** Polynomial 0x11d, first root 0. */
const FIELD = GenericGF.QR_CODE_FIELD_256;
const encoder = new ReedSolomonEncoder(FIELD);
const decoder = new ReedSolomonDecoder(FIELD);

export function parityOf(data: Uint8Array, parity: number): Uint8Array {
  const word = new Int32Array(data.length + parity);
  word.set(data);
  encoder.encode(word, parity);
  return Uint8Array.from(word.subarray(data.length));
}

/**
 * The word after repair, and how many bytes it took; undefined when it cannot be repaired. A repair that leaves no
 * codeword is none: this decoder does not check what it did.
 */
export function repaired(received: Uint8Array, parity: number): { word: Uint8Array; errors: number } | undefined {
  const word = Int32Array.from(received);
  try {
    const errors = decoder.decodeWithECCount(word, parity);
    const fixed = Uint8Array.from(word);
    return isCodeword(fixed, parity) ? { word: fixed, errors } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the parity at the end is that of what stands before it. */
export function isCodeword(word: Uint8Array, parity: number): boolean {
  const data = word.subarray(0, word.length - parity);
  return parityOf(data, parity).every((byte, i) => byte === word[data.length + i]);
}
