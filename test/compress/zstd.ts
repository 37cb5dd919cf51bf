import * as zlib from 'node:zlib';
import t from 'tap';
import { zstd } from '../../lib/compress/zstd.js';
import { ascii, isSame, joined, LONG, OOPS, vector } from '../builders/texts.js';

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
const RAW = 0;
const RLE = 1;
const COMPRESSED = 2;

/** A block: three bytes that hold last, type and size, then its content. */
function block(type: number, size: number, content: readonly number[], last = true): number[] {
  const header = (size << 3) | (type << 1) | (last ? 1 : 0);
  return [header & 255, (header >> 8) & 255, header >> 16, ...content];
}

/** A frame of one segment whose size takes one byte. */
function frame(size: number, ...blocks: number[][]): Uint8Array {
  return Uint8Array.from([...MAGIC, 0x20, size, ...blocks.flat()]);
}

const bytes = (text: string): number[] => [...ascii(text)];

t.test('frames of raw and repeated blocks', (t) => {
  const abc = block(RAW, 3, bytes('abc'));
  const rows: [string, Uint8Array, string | undefined][] = [
    ['raw', frame(3, abc), 'abc'],
    ['repeated', frame(5, block(RLE, 5, bytes('x'))), 'xxxxx'],
    ['two blocks', frame(8, block(RAW, 3, bytes('abc'), false), block(RLE, 5, bytes('x'))), 'abcxxxxx'],
    ['empty', frame(0, block(RAW, 0, [])), ''],
    ['no size', Uint8Array.from([...MAGIC, 0x00, 0x00, ...abc]), 'abc'],
    ['a size of 2 bytes', Uint8Array.from([...MAGIC, 0x60, 4, 0, ...block(RLE, 260, bytes('x'))]), 'x'.repeat(260)],
    ['a size of 4 bytes', Uint8Array.from([...MAGIC, 0xa0, 3, 0, 0, 0, ...abc]), 'abc'],
    ['a size of 8 bytes', Uint8Array.from([...MAGIC, 0xe0, 3, 0, 0, 0, 0, 0, 0, 0, ...abc]), 'abc'],
    ['dictionary 0', Uint8Array.from([...MAGIC, 0x21, 0, 3, ...abc]), 'abc'],
    ['dictionary 7', Uint8Array.from([...MAGIC, 0x21, 7, 3, ...abc]), undefined],
    ['a reserved bit', Uint8Array.from([...MAGIC, 0x28, 3, ...abc]), undefined],
    ['a window of 2^31', Uint8Array.from([...MAGIC, 0x00, 21 << 3, ...abc]), 'abc'],
    ['a window of 2^32', Uint8Array.from([...MAGIC, 0x00, 22 << 3, ...abc]), undefined],
    ['a size that is too small', frame(2, abc), undefined],
    ['a size that is too large', frame(4, abc), undefined],
    ['a size of 2^63', Uint8Array.from([...MAGIC, 0xe0, 0, 0, 0, 0, 0, 0, 0, 128, ...abc]), undefined],
    ['a block of type 3', frame(3, block(3, 3, bytes('abc'))), undefined],
    ['a block that is cut', frame(3, block(RAW, 4, bytes('abc'))), undefined],
    ['no last block', frame(3, block(RAW, 3, bytes('abc'), false)), undefined],
    ['another magic', Uint8Array.from([0x27, 0xb5, 0x2f, 0xfd, 0x20, 3, ...abc]), undefined],
    ['a header only', frame(3), undefined],
    ['a magic only', Uint8Array.from(MAGIC), undefined],
  ];
  for (const [name, input, text] of rows) {
    const result = zstd.decompress(input, 1000);
    t.equal(result && Buffer.from(result.output).toString('latin1'), text, name);
    if (result) t.equal(result.used, input.length, `${name}: all is used`);
  }
  t.end();
});

t.test('several frames, skippable ones among them, are one text', (t) => {
  const skipped = Uint8Array.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
  const first = zstd.compress(OOPS);
  const second = vector('oops.zst');
  const input = joined(skipped, first, skipped, second, skipped);
  const result = zstd.decompress(input, 99999);
  t.ok(isSame(result?.output, joined(OOPS, OOPS)));
  t.equal(result?.used, input.length);
  t.equal(zstd.decompress(input.subarray(0, -1), 99999), undefined, 'the last one is cut');
  t.equal(zstd.decompress(joined(first, ascii('garbage')), 99999)?.used, first.length);
  t.equal(zstd.decompress(input, 2 * OOPS.length - 1), undefined, 'the limit is for all of them');
  t.end();
});

t.test('a frame does not look back into the one before', (t) => {
  // A block of one sequence: one literal, then a match of 3 from 2 back (offset value 5: code 2, extra bits 1).
  const literals = [1 << 3, 0x61];
  const tables = [1, 0x54, 1, 2, 0];
  const stream = [0b101];
  const content = [...literals, ...tables, ...stream];
  const looking = block(COMPRESSED, content.length, content);
  const before = block(RAW, 3, bytes('xyz'), false);
  const inOne = zstd.decompress(frame(7, before, looking), 100);
  t.equal(inOne && Buffer.from(inOne.output).toString(), 'xyzaza'.padEnd(7, 'z'));
  t.equal(zstd.decompress(joined(frame(3, block(RAW, 3, bytes('xyz'))), frame(4, looking)), 100), undefined);
  t.end();
});

t.test('the content checksum is verified', (t) => {
  const input = vector('long.zst');
  t.ok(isSame(zstd.decompress(input, LONG.length)?.output, LONG));
  for (let bit = 0; bit < 32; bit++) {
    const damaged = input.slice();
    damaged[input.length - 1 - (bit >> 3)]! ^= 1 << (bit & 7);
    t.equal(zstd.decompress(damaged, LONG.length), undefined);
  }
  let wrong = 0;
  for (let at = 20; at < input.length; at += 61) {
    const damaged = input.slice();
    damaged[at]! ^= 1 << (at & 7);
    // Some bits mean nothing: their damage does no harm.
    const result = zstd.decompress(damaged, LONG.length);
    if (result && !isSame(result.output, LONG)) wrong++;
  }
  t.equal(wrong, 0, 'no damage makes another text');
  t.end();
});

t.test('bombs end before they are unpacked', (t) => {
  // 98,047 sequences of up to 131,074 bytes each, from a table without bits: 12 GB from 19 bytes.
  const sequences = [(5 << 3) | RLE, 0x41, 255, 255, 255, 0x54, 0, 0, 52, 1];
  const bombs = [
    frame(200, block(COMPRESSED, sequences.length, sequences)),
    Uint8Array.from([...MAGIC, 0x00, 0x58, ...block(COMPRESSED, sequences.length, sequences)]),
    Uint8Array.from([...MAGIC, 0x00, 0x58, ...new Array(500).fill(block(RLE, 0x1fffff, [0], false)).flat()]),
    Uint8Array.from([...MAGIC, 0xa0, 255, 255, 255, 255, ...block(RLE, 0x1fffff, [0])]),
  ];
  for (const bomb of bombs) t.equal(zstd.decompress(bomb, 1 << 18), undefined);
  t.end();
});

t.test('texts of every kind of literals', (t) => {
  const symbols = (count: number, length: number): Uint8Array =>
    Uint8Array.from({ length }, (_, i) => (Math.imul(i + 1, 0x9e3779b1) >>> 7) % count);
  // Fibonacci counts ask for codes longer than a Huffman code may be.
  let [a, b] = [1, 1];
  const skewed: number[] = [];
  for (let symbol = 0; symbol < 18; symbol++) {
    for (let i = 0; i < a; i++) skewed.push(symbol);
    [a, b] = [b, a + b];
  }
  let seed = 1;
  const shuffled = skewed
    .map((symbol) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return { symbol, seed };
    })
    .sort((x, y) => x.seed - y.seed);
  const texts: [string, Uint8Array][] = [
    ['one symbol', new Uint8Array(3)],
    ['two symbols', symbols(2, 40)],
    ['one stream', symbols(100, 1000)],
    ['four streams', symbols(100, 1100)],
    ['four streams, long', symbols(128, 40000)],
    ['the highest symbol that is coded', symbols(129, 3000)],
    ['symbols that are not', symbols(256, 3000)],
    ['more than a block', symbols(120, 300000)],
    ['codes at their longest', Uint8Array.from(shuffled, ({ symbol }) => symbol)],
  ];
  for (const [name, text] of texts) {
    const stream = zstd.compress(text);
    t.ok(isSame(zstd.decompress(stream, text.length)?.output, text), name);
    t.ok(stream.length <= text.length + 12 + 3 * Math.ceil(text.length / (1 << 17)), `${name}: ${stream.length}`);
  }
  t.ok(zstd.compress(symbols(16, 40000)).length < 21000, 'literals alone compress too');
  t.end();
});

const native =
  'zstdDecompressSync' in zlib ? (zlib.zstdDecompressSync as (input: Uint8Array) => Uint8Array) : undefined;

t.test("Node's own zstd reads what we write", { skip: native ? false : 'this Node has none' }, (t) => {
  for (const text of [new Uint8Array(0), OOPS, LONG, new Uint8Array(300000)]) {
    t.ok(isSame(native!(zstd.compress(text)), text), `${text.length} bytes`);
  }
  t.end();
});
