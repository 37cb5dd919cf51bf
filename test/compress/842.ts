import fc from 'fast-check';
import t from 'tap';
import { sw842 } from '../../lib/compress/842.js';
import { anyText, ascii, LONG, OOPS, vector, ZEROS } from '../builders/texts.js';

/** A stream from a list of values and their widths. */
function bits(...fields: [value: number | bigint, width: number][]): Uint8Array {
  const text = fields.map(([value, width]) => value.toString(2).padStart(width, '0')).join('');
  const bytes = text.padEnd(Math.ceil(text.length / 8) * 8, '0').match(/.{8}/g) ?? [];
  return Uint8Array.from(bytes, (byte) => Number.parseInt(byte, 2));
}

/** CRC-32 with the polynomial 0x04c11db7, from 0, bit by bit. */
function crc(text: Uint8Array): number {
  let crc = 0;
  for (const byte of text) {
    for (let bit = 7; bit >= 0; bit--) {
      const carry = (crc >>> 31) ^ ((byte >> bit) & 1);
      crc = (crc << 1) ^ (carry ? 0x04c11db7 : 0);
    }
  }
  return crc >>> 0;
}

const value = (text: string): bigint => BigInt(`0x${Buffer.from(text, 'latin1').toString('hex')}`);
const end = (text: string): [number, number][] => [
  [0x1e, 5],
  [crc(ascii(text)), 32],
];

t.test('hand-made streams', (t) => {
  const first: [number | bigint, number][] = [
    [0, 5],
    [value('abcdefgh'), 64],
  ];
  const rows: [string, [number | bigint, number][], string][] = [
    ['nothing', [], ''],
    ['D8', first, 'abcdefgh'],
    [
      'short data',
      [
        [0x1d, 5],
        [3, 3],
        [value('xyz'), 24],
      ],
      'xyz',
    ],
    ['zeros', [[0x1c, 5]], '\0'.repeat(8)],
    ['once more', [...first, [0x1b, 5], [0, 6]], 'abcdefghabcdefgh'],
    ['64 times more', [...first, [0x1b, 5], [63, 6]], 'abcdefgh'.repeat(65)],
    ['I8', [...first, [0x19, 5], [0, 8]], 'abcdefghabcdefgh'],
    ['I4 I4', [...first, [0x18, 5], [1, 9], [0, 9]], 'abcdefghefghabcd'],
    ['D4 I2 I2', [...first, [3, 5], [value('WXYZ'), 32], [3, 8], [0, 8]], 'abcdefghWXYZghab'],
    ['I2 D4 I2', [...first, [11, 5], [1, 8], [value('WXYZ'), 32], [2, 8]], 'abcdefghcdWXYZef'],
    ['D2 I2 I4', [...first, [9, 5], [value('WX'), 16], [3, 8], [1, 9]], 'abcdefghWXghefgh'],
  ];
  for (const [name, fields, text] of rows) {
    const stream = bits(...fields, ...end(text));
    const result = sw842.decompress(stream, 1000);
    t.equal(result && Buffer.from(result.output).toString('latin1'), text, name);
    t.equal(result?.used, stream.length);
    t.equal(sw842.decompress(bits(...fields, [0x1e, 5], [crc(ascii(text)) ^ 1, 32]), 1000), undefined, 'wrong CRC');
  }
  const wrong: [string, [number | bigint, number][]][] = [
    ['a template that there is not', [...first, [0x1a, 5]]],
    ['another one', [...first, [0x1f, 5]]],
    ['short data of no bytes', [...first, [0x1d, 5], [0, 3]]],
    [
      'once more, of nothing',
      [
        [0x1b, 5],
        [0, 6],
      ],
    ],
    ['a piece behind the text', [...first, [0x19, 5], [1, 8]]],
    ['a piece of its own block', [...first, [3, 5], [value('WXYZ'), 32], [4, 8], [0, 8]]],
    ['no end', first],
  ];
  for (const [name, fields] of wrong) t.equal(sw842.decompress(bits(...fields, [0, 40]), 1000), undefined, name);
  t.end();
});

t.test('numbers count through a ring of 2048 bytes for I8, of 512 for I2', (t) => {
  const blocks = Array.from({ length: 300 }, (_, i) => `${i}`.padStart(8, '_'));
  const data = blocks.flatMap((block): [number | bigint, number][] => [
    [0, 5],
    [value(block), 64],
  ]);
  const rows: [string, [number, number][], string][] = [
    // 2400 bytes: the ring of 256 blocks has gone round once and by 44 blocks. One more makes that 45.
    [
      'I8: the latest block',
      [
        [0x19, 5],
        [43, 8],
      ],
      blocks[299]!,
    ],
    [
      'I8: the oldest one',
      [
        [0x19, 5],
        [44, 8],
      ],
      blocks[44]!,
    ],
    // The ring of 512 bytes began anew at 2048, 352 bytes or 176 pieces ago.
    [
      'I2 ×4: the latest',
      [
        [18, 5],
        [172, 8],
        [173, 8],
        [174, 8],
        [175, 8],
      ],
      blocks[299]!,
    ],
    [
      'I2 ×4: the oldest',
      [
        [18, 5],
        [176, 8],
        [177, 8],
        [178, 8],
        [179, 8],
      ],
      blocks[236]!,
    ],
  ];
  for (const [name, fields, block] of rows) {
    const text = `${blocks.join('')}${block}`;
    const result = sw842.decompress(bits(...data, ...fields, ...end(text)), 9999);
    t.equal(result && Buffer.from(result.output).toString('latin1'), text, name);
  }
  t.end();
});

t.test('the encoder writes whole groups of 8 bytes, as the kernel does, and nearly as few', (t) => {
  fc.assert(
    fc.property(anyText, (text) => sw842.compress(text).length % 8 === 0),
    { numRuns: 50 },
  );
  t.ok(sw842.compress(OOPS).length <= vector('oops.842').length * 1.01);
  t.ok(sw842.compress(ZEROS).length <= vector('zeros.842').length * 1.01);
  t.ok(sw842.compress(LONG).length < LONG.length / 1.5);
  t.end();
});

t.test('a stream of repeats is refused before it is made', (t) => {
  const repeats = Array.from({ length: 30000 }, (): [number, number] => [(0x1b << 6) | 63, 11]);
  const bomb = bits([0, 5], [value('abcdefgh'), 64], ...repeats, [0x1e, 5], [0, 32]);
  t.equal(sw842.decompress(bomb, 1 << 20), undefined);
  t.end();
});
