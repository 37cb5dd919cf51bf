// Our inflate against Node's: the same verdict, text and end for whole, cut and damaged streams.

import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { deflateFixed } from '../../lib/compress/deflate-encoder.js';
import { inflate } from '../../lib/compress/inflate.js';
import { Output } from '../../lib/compress/output.js';
import { native } from '../../lib/platform/node.js';
import { anyText, isSame, joined, LONG, OOPS } from '../builders/texts.js';

const LIMIT = 1 << 20;

function ours(stream: Uint8Array, limit = LIMIT): { output: Uint8Array; used: number } | undefined {
  const out = new Output(limit, stream.length);
  const used = inflate(stream, 0, out);
  return used === undefined ? undefined : { output: out.text(), used };
}

function beginning(stream: Uint8Array): Uint8Array {
  const out = new Output(LIMIT, stream.length);
  inflate(stream, 0, out);
  return out.text();
}

const strategies = [constants.Z_DEFAULT_STRATEGY, constants.Z_HUFFMAN_ONLY, constants.Z_RLE, constants.Z_FIXED];
const streams = fc
  .tuple(anyText, fc.constantFrom(...strategies), fc.nat({ max: 9 }), fc.integer({ min: 9, max: 15 }))
  .map(([text, strategy, level, windowBits]) => ({
    text,
    stream: new Uint8Array(deflateRawSync(text, { strategy, level, windowBits })),
  }));

t.test('whole streams of all kinds of blocks', async (t) => {
  fc.assert(
    fc.property(streams, ({ text, stream }) => {
      const result = ours(joined(stream, Uint8Array.of(1, 2, 3)));
      return isSame(result?.output, text) && result?.used === stream.length;
    }),
  );
  for (const level of [0, 1, 6, 9]) {
    t.ok(isSame(ours(new Uint8Array(deflateRawSync(LONG, { level })))?.output, LONG), `level ${level}`);
  }
});

t.test('damaged streams: what Node refuses is refused, and what it takes gives the same', async () => {
  const damage = fc.array(fc.tuple(fc.nat({ max: 400 }), fc.integer({ min: 1, max: 255 })), { maxLength: 4 });
  fc.assert(
    fc.property(streams, damage, fc.nat({ max: 9 }), ({ stream }, changes, cut) => {
      const damaged = stream.slice(0, stream.length - cut);
      for (const [at, change] of changes) if (at < damaged.length) damaged[at]! ^= change;
      const theirs = native!.inflateRaw(damaged, LIMIT);
      const result = ours(damaged);
      return (
        (theirs === undefined) === (result === undefined) &&
        (!theirs || (isSame(result?.output, theirs.output) && result?.used === theirs.used))
      );
    }),
    { numRuns: 2000 },
  );
});

t.test('rubbish: the same verdict', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const theirs = native!.inflateRaw(bytes, LIMIT);
      const result = ours(bytes);
      return theirs === undefined ? result === undefined : isSame(result?.output, theirs.output);
    }),
    { numRuns: 5000 },
  );
});

t.test('the beginning of a cut stream is all that its bytes give', async (t) => {
  const stream = new Uint8Array(deflateRawSync(OOPS));
  for (let length = 0; length < stream.length; length += 7) {
    const cut = stream.subarray(0, length);
    const theirs = length === 0 ? new Uint8Array(0) : inflateRawSync(cut, { finishFlush: constants.Z_SYNC_FLUSH });
    if (!isSame(beginning(cut), theirs)) t.fail(`${length} bytes`);
  }
  t.ok(isSame(beginning(stream), OOPS));
});

t.test('the limit holds, and nothing larger is made', async (t) => {
  const bomb = new Uint8Array(deflateRawSync(new Uint8Array(1 << 24)));
  t.equal(ours(bomb, 4096), undefined);
  t.ok(isSame(ours(new Uint8Array(deflateRawSync(OOPS)), OOPS.length)?.output, OOPS));
  t.equal(ours(new Uint8Array(deflateRawSync(OOPS)), OOPS.length - 1), undefined);
});

t.test('what our encoder writes, Node and ours read; no distance is beyond the window', async (t) => {
  fc.assert(
    fc.property(anyText, fc.integer({ min: 9, max: 15 }), (text, windowBits) => {
      const stream = deflateFixed(text, windowBits);
      return isSame(inflateRawSync(stream, { windowBits }), text) && isSame(ours(stream)?.output, text);
    }),
  );
  const zeros = new Uint8Array(100_000);
  for (const length of [0, 1, 257, 258, 259, 260, 261, 516, 517, 518, 100_000]) {
    t.ok(isSame(inflateRawSync(deflateFixed(zeros.subarray(0, length), 11)), zeros.subarray(0, length)), `${length}`);
  }
  t.ok(deflateFixed(OOPS, 11).length < OOPS.length / 2, 'logs get smaller');
});
