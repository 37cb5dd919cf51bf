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

// Logarithms of the same field, for images of which each byte needs parity: ZXing's polynomials take seconds for them.
const EXP = new Uint8Array(512);
const LOG = new Uint8Array(256);
for (let i = 0, value = 1; i < 255; i++) {
  EXP[i] = value;
  EXP[i + 255] = value;
  LOG[value] = i;
  value = value & 0x80 ? (value << 1) ^ 0x11d : value << 1;
}

const product = (a: number, b: number) => (a === 0 || b === 0 ? 0 : EXP[LOG[a]! + LOG[b]!]!);

/** Coefficients of the generator, the highest first, without the leading 1; its roots are 1, 2, 4, …. */
function generatorOf(parity: number): Uint8Array {
  let generator = Uint8Array.of(1);
  for (let root = 0; root < parity; root++) {
    const next = new Uint8Array(generator.length + 1);
    generator.forEach((coefficient, i) => {
      next[i] = next[i]! ^ coefficient;
      next[i + 1] = next[i + 1]! ^ product(coefficient, EXP[root]!);
    });
    generator = next;
  }
  return generator.subarray(1);
}

const generators = new Map<number, Uint8Array>();

/** As parityOf(), by a shift register. */
export function fastParityOf(data: Uint8Array, parity: number): Uint8Array {
  const generator = generators.get(parity) ?? generatorOf(parity);
  generators.set(parity, generator);
  const register = new Uint8Array(parity);
  for (const byte of data) {
    const feedback = byte ^ register[0]!;
    register.copyWithin(0, 1);
    register[parity - 1] = 0;
    for (let i = 0; i < parity; i++) register[i] = register[i]! ^ product(feedback, generator[i]!);
  }
  return register;
}
