// What all codecs promise, for each of them.

import fc from 'fast-check';
import t from 'tap';
import { sw842 } from '../../lib/compress/842.js';
import { COMPRESSIONS, type Codec } from '../../lib/compress/codec.js';
import { deflate } from '../../lib/compress/deflate.js';
import { lz4, lz4hc } from '../../lib/compress/lz4.js';
import { lzo } from '../../lib/compress/lzo.js';
import { zlib } from '../../lib/compress/zlib.js';
import { zstd } from '../../lib/compress/zstd.js';
import { anyText, ascii, isSame, joined, LONG, OOPS, vector, ZEROS } from '../builders/texts.js';

const CODECS: readonly Codec[] = [deflate, zlib, lz4, lz4hc, lzo, zstd, sw842];
const LIMIT = 1 << 20;

t.test('there is one for each name', (t) => {
  t.same(new Set(CODECS.map((codec) => codec.name)), new Set(COMPRESSIONS));
  t.end();
});

t.test('reads what other implementations wrote', (t) => {
  const vectors: [Codec, string, Uint8Array][] = [
    [lz4, 'oops.lz4', OOPS],
    [lz4hc, 'oops.lz4hc', OOPS],
    [lzo, 'oops.lzo', OOPS],
    [lzo, 'oops.lzo-rle', OOPS],
    [sw842, 'oops.842', OOPS],
    [zstd, 'oops.zst', OOPS],
    [lz4, 'zeros.lz4', ZEROS],
    [lzo, 'zeros.lzo', ZEROS],
    [lzo, 'zeros.lzo-rle', ZEROS],
    [sw842, 'zeros.842', ZEROS],
    [zstd, 'zeros.zst', ZEROS],
    [zstd, 'long.zst', LONG],
  ];
  for (const [codec, name, text] of vectors) {
    const stream = vector(name);
    const result = codec.decompress(stream, LIMIT);
    t.ok(isSame(result?.output, text), name);
    t.ok(result!.used <= stream.length && result!.used > stream.length - 8, `${name}: all is used`);
  }
  t.end();
});

for (const codec of CODECS) {
  t.test(`${codec.name} gives back what it was given`, (t) => {
    const texts = [0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 14, 17, 31, 238, 239].map((length) =>
      OOPS.subarray(0, length),
    );
    for (const text of [...texts, OOPS, ZEROS, LONG, new Uint8Array(70000), ascii('ab'.repeat(99999))]) {
      const stream = codec.compress(text);
      const result = codec.decompress(stream, text.length + 64);
      t.ok(isSame(result?.output, text), `${text.length} bytes`);
      t.ok(result!.used <= stream.length);
    }
    fc.assert(
      fc.property(anyText, (text) => {
        const result = codec.decompress(codec.compress(text), text.length + 64);
        return isSame(result?.output, text);
      }),
      { numRuns: 150 },
    );
    t.end();
  });

  t.test(`${codec.name} really compresses a log`, (t) => {
    const ratio = LONG.length / codec.compress(LONG).length;
    t.ok(ratio > (codec === sw842 ? 1.5 : 2.5), ratio.toFixed(2));
    t.end();
  });

  t.test(`${codec.name} does not look at what follows the stream, and says where that begins`, (t) => {
    const stream = codec.compress(OOPS);
    const clean = codec.decompress(stream, LIMIT)!.used;
    for (const trailer of [new Uint8Array(1), new Uint8Array(4096), ascii('\x01rest'), OOPS]) {
      const result = codec.decompress(joined(stream, trailer), LIMIT);
      if (codec.trailing === 'unmarked') {
        t.notOk(isSame(result?.output, OOPS));
        continue;
      }
      t.ok(isSame(result?.output, OOPS));
      t.equal(result?.used, clean);
    }
    t.end();
  });

  t.test(`${codec.name} refuses a stream that is cut anywhere`, (t) => {
    for (const text of [OOPS.subarray(0, 700), ZEROS]) {
      const stream = codec.compress(text);
      const { used } = codec.decompress(stream, LIMIT)!;
      for (let length = 0; length < used; length++) {
        const result = codec.decompress(stream.slice(0, length), LIMIT);
        // An lz4 block may end early without that it shows; deflate may lack a last byte of zero.
        if (result === undefined) continue;
        if (codec === deflate) t.same([length, stream[length]], [used - 1, 0]);
        else if (codec.trailing === 'unmarked') t.ok(result.output.length < text.length);
        else t.fail(`cut at ${length} of ${used}`);
      }
    }
    t.end();
  });

  t.test(`${codec.name} survives damage and keeps to the limit`, (t) => {
    const streams = [OOPS.subarray(0, 900), ZEROS].map((text) => codec.compress(text));
    fc.assert(
      fc.property(
        fc.constantFrom(...streams),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }),
        fc.constantFrom(0, 1, 100, 900, 5000),
        (stream, changes, limit) => {
          const damaged = stream.slice();
          for (const [at, value] of changes) damaged[at % damaged.length] = value;
          const result = codec.decompress(damaged, limit);
          return result === undefined || (result.output.length <= Math.max(limit, 1) && result.used <= damaged.length);
        },
      ),
      { numRuns: 400 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const result = codec.decompress(bytes, 1000);
        return result === undefined || (result.output.length <= 1000 && result.used <= bytes.length);
      }),
      { numRuns: 400 },
    );
    t.end();
  });

  t.test(`${codec.name} refuses a text that exceeds the limit by one byte`, (t) => {
    for (const text of [OOPS, ZEROS, new Uint8Array(1 << 22)]) {
      const stream = codec.compress(text);
      t.equal(codec.decompress(stream, text.length - 1), undefined);
      t.ok(isSame(codec.decompress(stream, text.length)?.output, text));
    }
    t.end();
  });

  t.test(`${codec.name} leaves its input alone and its output on its own`, (t) => {
    const backing = joined(ascii('before'), codec.compress(OOPS), ascii('behind'));
    const copy = backing.slice();
    const stream = backing.subarray(6, backing.length - 6);
    const first = codec.decompress(stream, LIMIT)!.output;
    t.ok(isSame(backing, copy));
    codec.decompress(codec.compress(ZEROS), LIMIT);
    t.ok(isSame(first, OOPS));
    t.not(first.buffer, backing.buffer);
    t.end();
  });
}
