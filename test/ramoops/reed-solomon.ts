import fc from 'fast-check';
import t from 'tap';
import { isCodeword, MAX_PARITY, ReedSolomon, reedSolomon } from '../../lib/ramoops/reed-solomon.js';
import { isCodeword as isWord, parityOf, repaired } from '../builders/reed-solomon.js';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

t.test('the parity is that of another encoder, for every size', async (t) => {
  for (let parity = 1; parity <= MAX_PARITY; parity++) {
    for (const length of [1, 12, 31, 128]) {
      const data = Uint8Array.from({ length }, (_, i) => (i * 77 + parity * 13 + (i >> 3)) & 255);
      const own = reedSolomon(parity).encode(data);
      if (!same(own, parityOf(data, parity))) t.fail(`parity ${parity} of ${length} bytes`);
      if (!isCodeword(data, own)) t.fail(`${parity} of ${length} is no codeword`);
    }
  }
  t.same([...new ReedSolomon(16).encode(new Uint8Array(128))], new Array(16).fill(0), 'of zeros: zeros');
  t.equal(reedSolomon(16), reedSolomon(16), 'one codec a size');
  t.notOk(isCodeword(Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5)));
});

/** A word with errors at distinct places. */
const damaged = (parity: fc.Arbitrary<number>, errors: (parity: number) => fc.Arbitrary<number>) =>
  fc.record({ parity, length: fc.oneof(fc.constantFrom(12, 128), fc.integer({ min: 1, max: 128 })) }).chain((word) =>
    fc.record({
      parity: fc.constant(word.parity),
      data: bytes(word.length),
      errors: errors(word.parity).chain((count) =>
        fc.uniqueArray(
          fc.record({ at: fc.nat(word.length + word.parity - 1), xor: fc.integer({ min: 1, max: 255 }) }),
          {
            minLength: Math.min(count, word.length + word.parity),
            maxLength: Math.min(count, word.length + word.parity),
            selector: ({ at }) => at,
          },
        ),
      ),
    }),
  );

function damage(data: Uint8Array, parity: number, errors: readonly { at: number; xor: number }[]): Uint8Array {
  const word = Uint8Array.from([...data, ...parityOf(data, parity)]);
  for (const { at, xor } of errors) word[at]! ^= xor;
  return word;
}

t.test('up to floor(parity / 2) wrong bytes are repaired, wherever they are', async (t) => {
  const sizes = fc.oneof(fc.constantFrom(2, 3, 8, 16, 32), fc.integer({ min: 2, max: MAX_PARITY }));
  fc.assert(
    fc.property(
      damaged(sizes, (parity) => fc.integer({ min: 0, max: parity >> 1 })),
      ({ parity, data, errors }) => {
        const word = damage(data, parity, errors);
        const [own, ownParity] = [word.slice(0, data.length), word.slice(data.length)];
        const verdict = reedSolomon(parity).decode(own, ownParity);
        return verdict === errors.length && same(own, data) && same(ownParity, parityOf(data, parity));
      },
    ),
    { numRuns: 400, seed: 1 },
  );
  t.pass('repaired');
});

t.test('beyond the limit the verdict is that of another decoder', async (t) => {
  let [given, refused] = [0, 0];
  fc.assert(
    fc.property(
      // Small even sizes, with which a decoder is often wrong, and the usual ones.
      damaged(fc.constantFrom(2, 4, 6, 8, 16, 32), (parity) => fc.integer({ min: (parity >> 1) + 1, max: parity + 3 })),
      ({ parity, data, errors }) => {
        const word = damage(data, parity, errors);
        const theirs = repaired(word, parity);
        const [own, ownParity] = [word.slice(0, data.length), word.slice(data.length)];
        const verdict = reedSolomon(parity).decode(own, ownParity);
        const after = Uint8Array.from([...own, ...ownParity]);
        if (verdict > parity >> 1) {
          // The kernel's decoder also takes more errors than the limit when they explain all syndromes; ours does too.
          return !theirs && isWord(after, parity);
        }
        if (!theirs) {
          refused++;
          return verdict === -1 && same(after, word);
        }
        given++;
        return verdict === theirs.errors && same(after, theirs.word);
      },
    ),
    { numRuns: 1500, seed: 2 },
  );
  t.ok(given > 20 && refused > 20, `${given} taken for repairable, ${refused} refused`);
});

t.test('an error in the part that is not stored is none that can be repaired', async (t) => {
  const codec = reedSolomon(2);
  const whole = new Uint8Array(200);
  const parity = codec.encode(whole).slice();
  // An error in front of the last 12 bytes, seen from them: the parity alone is wrong.
  const moved = whole.slice();
  moved[20] = 77;
  const seen = codec.encode(moved).slice();
  t.equal(codec.decode(new Uint8Array(200), seen.slice()), 1, 'with it stored');
  t.equal(codec.decode(new Uint8Array(12), seen.slice()), -1, 'without');
  t.equal(codec.decode(new Uint8Array(12), parity.slice()), 0);
});

t.test('a region of 1 MiB is verified', async (t) => {
  const codec = reedSolomon(16);
  const data = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 31) ^ (i >> 7));
  const parities = Array.from({ length: data.length / 128 }, (_, i) =>
    codec.encode(data.subarray(i * 128, i * 128 + 128)).slice(),
  );
  const wrong = parities.filter((parity, i) => codec.decode(data.subarray(i * 128, i * 128 + 128), parity) !== 0);
  t.equal(wrong.length, 0);
});
