import t from 'tap';
import { makeDump } from '../../lib/backend/front-end.js';
import { decodeRecord } from '../../lib/compress/decompress.js';
import { Reason } from '../../lib/format/record-type.js';

const log = (lines: number) =>
  new TextEncoder().encode(Array.from({ length: lines }, (_, i) => `<4>[${i}] line ${i}\n`).join(''));
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

t.test('not compressed: the first line, then the newest whole lines that fit', async (t) => {
  const short = makeDump(Reason.Oops, 1, log(2), 4096, 'none');
  t.equal(text(short.bytes), 'Oops#1 Part1\n<4>[0] line 0\n<4>[1] line 1\n');
  t.equal(short.compressed, false);
  const long = makeDump(Reason.Panic, 12, log(500), 1000, 'none');
  t.match(text(long.bytes), /^Panic#12 Part1\n<4>\[\d+\] line \d+\n[\s\S]*line 499\n$/);
  t.ok(long.bytes.length <= 1000 && long.bytes.length > 980);
});

t.test('compressed: no more text than a kernel has room for when it decompresses', async (t) => {
  for (const [compress, most] of [
    ['deflate', 6666],
    ['lz4', 4031],
    ['lz4hc', 4031],
    ['lzo', 4317],
    ['zstd', 4077],
    ['842', 4000],
  ] as const) {
    const { bytes, compressed } = makeDump(Reason.Oops, 1, log(5000), 4000, compress);
    t.ok(compressed && bytes.length <= 4000, compress);
    const decoded = decodeRecord(bytes, compress, 100_000)!;
    t.match(text(decoded.text), /^Oops#1 Part1\n<4>\[\d+\] line \d+\n[\s\S]*line 4999\n$/);
    t.ok(decoded.text.length <= most && decoded.text.length > most - 30, `${decoded.text.length} of ${most}`);
  }
});

t.test('text that does not get smaller is stored as it is', async (t) => {
  const noise = Uint8Array.from({ length: 300 }, (_, i) => (i * i * 31 + (i >> 2) * 17) & 255);
  const { bytes, compressed } = makeDump(Reason.Oops, 1, noise, 4000, 'deflate');
  t.equal(compressed, false);
  t.equal(bytes.length, 313);
});
