import fc from 'fast-check';
import t from 'tap';
import { snappy } from '../../lib/compress/snappy.js';

const decode = (bytes: readonly number[], limit = 1000) => {
  const result = snappy.decompress(Uint8Array.from(bytes), limit);
  return result && Buffer.from(result.output).toString('latin1');
};
const text = (string: string) => [...Buffer.from(string)];

t.test('literals and copies, as the format description has them', (t) => {
  t.equal(decode([0]), '');
  t.equal(decode([5, 4 << 2, ...text('hello')]), 'hello');
  t.equal(decode([12, 3 << 2, ...text('abcd'), (((8 - 4) << 2) | 1) & 0xff, 4]), 'abcdabcdabcd', 'a copy over itself');
  t.equal(decode([7, 3 << 2, ...text('abcd'), ((3 - 1) << 2) | 2, 4, 0]), 'abcdabc', 'offset of two bytes');
  t.equal(decode([7, 3 << 2, ...text('abcd'), ((3 - 1) << 2) | 3, 4, 0, 0, 0]), 'abcdabc', 'offset of four bytes');
  const long = 'x'.repeat(300);
  t.equal(decode([0xac, 2, 61 << 2, 0x2b, 1, ...text(long)]), long, 'a literal with its length after the tag');
  t.end();
});

t.test('cut, wrong, or too long', (t) => {
  t.equal(decode([]), undefined);
  t.equal(decode([0x80]), undefined);
  t.equal(decode([5, 4 << 2, ...text('hell')]), undefined);
  t.equal(decode([8, 3 << 2, ...text('abcd'), 1, 9]), undefined, 'a copy from before the beginning');
  t.equal(decode([8, 3 << 2, ...text('abcd'), 1, 0]), undefined, 'a copy from nowhere');
  t.equal(decode([3, 4 << 2, ...text('hello')]), undefined, 'more than it says');
  t.equal(decode([0xac, 2, 61 << 2, 0x2b, 1, ...text('x'.repeat(300))], 299), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => (snappy.decompress(bytes, 64)?.output.length ?? 0) <= 64),
    { numRuns: 2000 },
  );
  t.end();
});
