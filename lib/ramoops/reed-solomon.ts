// Reed-Solomon over GF(2^8) as persistent RAM uses it: field polynomial 0x11d, first consecutive root 0, primitive
// element 1, any number of parity bytes, codewords shortened to what is stored. Errors only, no erasures.

const FIELD_POLYNOMIAL = 0x11d;
/** Symbols of a codeword that is not shortened. */
const CODEWORD = 255;

/** EXP[i] is the generator to the power i, doubled so that a sum of two logarithms needs no modulo. */
const EXP = new Uint8Array(2 * CODEWORD);
const LOG = new Uint8Array(CODEWORD + 1);
for (let i = 0, value = 1; i < CODEWORD; i++) {
  EXP[i] = value;
  EXP[i + CODEWORD] = value;
  LOG[value] = i;
  value <<= 1;
  if (value > CODEWORD) value ^= FIELD_POLYNOMIAL;
}

function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : EXP[LOG[a]! + LOG[b]!]!;
}

/** `b` is not 0. */
function divide(a: number, b: number): number {
  return a === 0 ? 0 : EXP[LOG[a]! + CODEWORD - LOG[b]!]!;
}

/** The polynomial's value at the generator to the power `log`; coefficients from the lowest on. */
function valueAt(polynomial: Uint8Array, degree: number, log: number): number {
  let sum = polynomial[0]!;
  for (let i = 1, power = log; i <= degree; i++) {
    if (polynomial[i] !== 0) sum ^= EXP[LOG[polynomial[i]!]! + power]!;
    power += log;
    if (power >= CODEWORD) power -= CODEWORD;
  }
  return sum;
}

/** More parity bytes leave no room for a data block of 128 in a codeword. */
export const MAX_PARITY = 127;

export class ReedSolomon {
  /** Parity bytes of a codeword; floor(parity / 2) wrong bytes can be repaired. */
  readonly parity: number;
  /** Row f: the generator polynomial without its leading 1, times f; highest coefficient first. */
  readonly #rows: Uint8Array;
  /** Where data are divided by the generator polynomial. */
  readonly #work = new Uint8Array(CODEWORD + MAX_PARITY);
  readonly #syndromes: Uint8Array;

  /** @param parity 1 … MAX_PARITY */
  constructor(parity: number) {
    this.parity = parity;
    this.#syndromes = new Uint8Array(parity);
    const generator = generatorPolynomial(parity);
    this.#rows = new Uint8Array(256 * parity);
    for (let f = 1; f < 256; f++) {
      for (let i = 0; i < parity; i++) this.#rows[f * parity + i] = multiply(f, generator[parity - 1 - i]!);
    }
  }

  /**
   * The parity of a block.
   * @param data at most 255 − parity bytes, the first byte being the highest coefficient
   * @returns a view that the next call overwrites
   */
  encode(data: Uint8Array): Uint8Array {
    const [work, rows, parity, length] = [this.#work, this.#rows, this.parity, data.length];
    work.set(data);
    work.fill(0, length, length + parity);
    for (let i = 0; i < length; i++) {
      const factor = work[i]!;
      if (factor === 0) continue;
      let row = factor * parity;
      for (let j = i + 1; j <= i + parity; j++) work[j]! ^= rows[row++]!;
    }
    return work.subarray(length, length + parity);
  }

  /**
   * Repairs a block and its parity in place.
   *
   * Beyond the limit a decoder cannot always tell: the verdict is that of the decoder that everybody uses (Berlekamp and
   * Massey's, roots by trial, values by Forney's formula, then a check that they explain all syndromes; as in the
   * kernel's lib/reed_solomon that check alone decides, so that now and then more than floor(parity / 2) errors are found).
   * In a shortened codeword an error in the part that is not stored is none that can be repaired.
   * @param data at most 255 − parity bytes
   * @param parity the stored parity bytes
   * @returns bytes repaired, parity bytes included; 0 when there was no error; −1 when it cannot be repaired, and then
   *   nothing was changed
   */
  decode(data: Uint8Array, parity: Uint8Array): number {
    const difference = this.encode(data);
    let wrong = 0;
    for (let i = 0; i < parity.length; i++) wrong |= difference[i]! ^= parity[i]!;
    return wrong === 0 ? 0 : this.#correct(difference, data, parity);
  }

  #correct(difference: Uint8Array, data: Uint8Array, parity: Uint8Array): number {
    const syndromes = this.#syndromesOf(difference);
    const { locator, degree } = this.#locate(syndromes);
    const length = data.length + parity.length;
    const places = errorPlaces(locator, degree, length);
    if (!places) return -1;
    const values = errorValues(locator, degree, syndromes, places);
    if (!explains(places, values, syndromes)) return -1;
    let repaired = 0;
    places.forEach((power, i) => {
      const at = length - 1 - power;
      if (at < data.length) data[at]! ^= values[i]!;
      else parity[at - data.length]! ^= values[i]!;
      if (values[i] !== 0) repaired++;
    });
    return repaired;
  }

  /** The received word's values at the roots of the generator polynomial; its remainder has the same. */
  #syndromesOf(remainder: Uint8Array): Uint8Array {
    for (let root = 0; root < this.parity; root++) {
      let sum = 0;
      for (const coefficient of remainder) sum = (sum === 0 ? 0 : EXP[LOG[sum]! + root]!) ^ coefficient;
      this.#syndromes[root] = sum;
    }
    return this.#syndromes;
  }

  /** Berlekamp and Massey: the shortest recurrence that makes the syndromes, as the error locator polynomial. */
  #locate(syndromes: Uint8Array): { locator: Uint8Array; degree: number } {
    let locator = new Uint8Array(this.parity + 1);
    let previous = new Uint8Array(this.parity + 1);
    locator[0] = 1;
    previous[0] = 1;
    let length = 0;
    for (let step = 0; step < this.parity; step++) {
      let discrepancy = 0;
      for (let i = 0; i <= Math.min(length, step); i++) discrepancy ^= multiply(locator[i]!, syndromes[step - i]!);
      // `previous` is multiplied by x at each step, whether it is used or not.
      previous.copyWithin(1, 0);
      previous[0] = 0;
      if (discrepancy === 0) continue;
      const next = locator.slice();
      for (let i = 1; i < next.length; i++) next[i]! ^= multiply(discrepancy, previous[i]!);
      if (2 * length <= step) {
        length = step + 1 - length;
        previous = locator.map((coefficient) => divide(coefficient, discrepancy));
      }
      locator = next;
    }
    return { locator, degree: locator.findLastIndex((coefficient) => coefficient !== 0) };
  }
}

/** (x − 1)(x − a)(x − a²)…, coefficients from the lowest on. */
function generatorPolynomial(parity: number): Uint8Array {
  const polynomial = new Uint8Array(parity + 1);
  polynomial[0] = 1;
  for (let root = 0; root < parity; root++) {
    for (let i = root + 1; i > 0; i--) polynomial[i] = polynomial[i - 1]! ^ multiply(polynomial[i]!, EXP[root]!);
    polynomial[0] = multiply(polynomial[0]!, EXP[root]!);
  }
  return polynomial;
}

/**
 * The powers of x at which a word is wrong: for power p the locator has the root a^−p.
 * @returns undefined when there are not as many as the locator's degree, or one is not among the stored bytes
 */
function errorPlaces(locator: Uint8Array, degree: number, length: number): number[] | undefined {
  const places: number[] = [];
  // The logarithm of each term of the locator at the place before the first; from place to place a term of degree i
  // grows by a^i.
  const powers = [...locator.keys()].slice(1, degree + 1).filter((i) => locator[i] !== 0);
  const logs = Int32Array.from(powers, (i) => LOG[locator[i]!]!);
  for (let power = CODEWORD - 1; power >= 0 && places.length < degree; power--) {
    let sum = locator[0]!;
    for (let i = 0; i < logs.length; i++) {
      let log = logs[i]! + powers[i]!;
      if (log >= CODEWORD) log -= CODEWORD;
      logs[i] = log;
      sum ^= EXP[log]!;
    }
    if (sum !== 0) continue;
    if (power >= length) return undefined;
    places.push(power);
  }
  return places.length === degree && degree > 0 ? places : undefined;
}

/** Forney's formula for the first consecutive root 0. */
function errorValues(
  locator: Uint8Array,
  degree: number,
  syndromes: Uint8Array,
  places: readonly number[],
): Uint8Array {
  const evaluator = new Uint8Array(degree);
  for (let i = 0; i < degree; i++) {
    for (let j = 0; j <= i; j++) evaluator[i]! ^= multiply(syndromes[i - j]!, locator[j]!);
  }
  // The derivative in characteristic 2: odd powers lose one, even ones vanish.
  const derivative = locator.slice(1, degree + 1).map((coefficient, i) => (i % 2 === 0 ? coefficient : 0));
  return Uint8Array.from(places, (power) => {
    const inverse = (CODEWORD - power) % CODEWORD;
    const value = divide(valueAt(evaluator, degree - 1, inverse), valueAt(derivative, derivative.length - 1, inverse));
    return multiply(value, EXP[power]!);
  });
}

/** Whether these errors alone make the syndromes. */
function explains(places: readonly number[], values: Uint8Array, syndromes: Uint8Array): boolean {
  return syndromes.every((syndrome, root) => {
    let sum = syndrome;
    places.forEach((power, i) => {
      sum ^= multiply(values[i]!, EXP[(root * power) % CODEWORD]!);
    });
    return sum === 0;
  });
}

/**
 * Whether data and parity are one codeword, without the tables of a codec: for trying many sizes of parity.
 * @param parity 1 … MAX_PARITY bytes
 */
export function isCodeword(data: Uint8Array, parity: Uint8Array): boolean {
  for (let root = 0; root < parity.length; root++) {
    let sum = 0;
    for (const part of [data, parity]) {
      for (const coefficient of part) sum = (sum === 0 ? 0 : EXP[LOG[sum]! + root]!) ^ coefficient;
    }
    if (sum !== 0) return false;
  }
  return true;
}

const codecs = new Map<number, ReedSolomon>();

/** The codec for so many parity bytes, made once. */
export function reedSolomon(parity: number): ReedSolomon {
  let codec = codecs.get(parity);
  if (!codec) {
    codec = new ReedSolomon(parity);
    codecs.set(parity, codec);
  }
  return codec;
}
