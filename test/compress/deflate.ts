import { deflateRawSync } from 'node:zlib';
import t from 'tap';
import { deflate } from '../../lib/compress/deflate.js';
import { inflate } from '../../lib/compress/inflate.js';
import { Output } from '../../lib/compress/output.js';
import { ascii, isSame, joined, LONG, OOPS } from '../builders/texts.js';

t.test('matches reach back 2^11 bytes at most, for kernels that inflate no more', (t) => {
  // Without what stands in between, only a window that is large enough finds the second copy.
  const far = joined(OOPS.subarray(0, 1500), LONG.subarray(100000, 100700), OOPS.subarray(0, 1500));
  const small = deflateRawSync(far, { windowBits: 11, memLevel: 8 });
  t.ok(isSame(deflate.compress(far), small));
  t.ok(deflateRawSync(far, { windowBits: 15, memLevel: 8 }).length < small.length);
  t.ok(isSame(deflate.decompress(deflateRawSync(far, { windowBits: 15 }), 9999)?.output, far), 'reads any');
  t.end();
});

t.test('a zlib header is no raw deflate', (t) => {
  t.equal(deflate.decompress(joined(Uint8Array.of(0x78, 0x9c), deflate.compress(OOPS)), 99999), undefined);
  t.end();
});

t.test('a last byte of zero may be missing, as crypto/deflate.c has it', (t) => {
  let found = 0;
  for (let length = 1; length < 600; length++) {
    const text = OOPS.subarray(0, length);
    const stream = deflate.compress(text);
    if (stream.at(-1) !== 0) continue;
    found++;
    const cut = stream.subarray(0, -1);
    const result = deflate.decompress(cut, 9999);
    t.ok(isSame(result?.output, text));
    t.equal(result?.used, cut.length);
  }
  t.ok(found > 0, `${found} of 600 streams end with a zero byte`);
  t.equal(deflate.decompress(ascii(''), 99), undefined);
  t.end();
});

t.test('the beginning of a stream is the same by the machine and by our own decoder', async (t) => {
  const stream = deflateRawSync(OOPS, { windowBits: 11 });
  t.ok(stream.length > 1024, 'long enough for both');
  for (let length = 0; length <= 1024; length += 7) {
    const out = new Output(1 << 20, length);
    inflate(stream.subarray(0, length), 0, out);
    const mine = out.text();
    for (const limit of [64, 1 << 20]) {
      if (!isSame(deflate.beginning(stream.subarray(0, length), limit), mine.subarray(0, limit)))
        t.fail(`${length} bytes`);
    }
  }
});
