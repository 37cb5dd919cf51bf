import fc from 'fast-check';
import t from 'tap';
import { xxhash64Low } from '../../lib/compress/xxhash64.js';
import { ascii } from '../builders/texts.js';

const MASK = (1n << 64n) - 1n;
const [P1, P2, P3, P4, P5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
];

/** The definition, with integers of any size. */
function reference(bytes: Uint8Array): number {
  const rotate = (word: bigint, bits: bigint): bigint => ((word << bits) | (word >> (64n - bits))) & MASK;
  const round = (lane: bigint, input: bigint): bigint => (rotate((lane + input * P2) & MASK, 31n) * P1) & MASK;
  const read = (at: number, size: number): bigint =>
    bytes.subarray(at, at + size).reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
  let at = 0;
  let hash = P5;
  if (bytes.length >= 32) {
    const lanes = [P1 + P2, P2, 0n, -P1].map((lane) => lane & MASK);
    for (; at + 32 <= bytes.length; at += 32) {
      for (const i of lanes.keys()) lanes[i] = round(lanes[i]!, read(at + 8 * i, 8));
    }
    hash = [1n, 7n, 12n, 18n].reduce((sum, bits, i) => sum + rotate(lanes[i]!, bits), 0n) & MASK;
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * P1 + P4) & MASK;
  }
  hash = (hash + BigInt(bytes.length)) & MASK;
  for (; at + 8 <= bytes.length; at += 8) hash = (rotate(hash ^ round(0n, read(at, 8)), 27n) * P1 + P4) & MASK;
  if (at + 4 <= bytes.length) {
    hash = (rotate(hash ^ ((read(at, 4) * P1) & MASK), 23n) * P2 + P3) & MASK;
    at += 4;
  }
  for (; at < bytes.length; at++) hash = (rotate(hash ^ ((BigInt(bytes[at]!) * P5) & MASK), 11n) * P1) & MASK;
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK;
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK;
  return Number((hash ^ (hash >> 32n)) & 0xffffffffn);
}

t.test('published values', (t) => {
  t.equal(xxhash64Low(ascii('')), 0x51d8e999);
  t.equal(xxhash64Low(ascii('a')), 0xa98c6e5b);
  t.equal(xxhash64Low(ascii('abc')), 0xad770999);
  t.end();
});

t.test('agrees with the definition', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => xxhash64Low(bytes) === reference(bytes)),
    { numRuns: 500 },
  );
  const ones = new Uint8Array(333).fill(255);
  t.equal(xxhash64Low(ones), reference(ones));
  t.equal(xxhash64Low(ones.subarray(1, 300)), reference(ones.subarray(1, 300)), 'a view into a buffer');
  t.end();
});
