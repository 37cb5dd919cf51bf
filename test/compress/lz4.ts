import fc from 'fast-check';
import t from 'tap';
import { lz4, lz4hc } from '../../lib/compress/lz4.js';
import { anyText, ascii, isSame, LONG, OOPS, ZEROS } from '../builders/texts.js';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

t.test('hand-made blocks', (t) => {
  // Ending in 5 literals "abcde", which every match needs behind it.
  const end = '50 6162636465';
  const rows: [string, string, string | undefined][] = [
    ['nothing but an empty token', '00', ''],
    ['literals only', '50 6162636465', 'abcde'],
    ['15 literals and a length byte of 0', `f0 00 ${'78'.repeat(15)}`, 'x'.repeat(15)],
    ['a match', `40 61626364 0400 ${end}`, 'abcdabcdabcde'],
    ['a match that overlaps', `10 61 0100 ${end}`, 'aaaaaabcde'],
    ['a match with a length byte', `1f 61 0100 03 ${end}`, `${'a'.repeat(23)}abcde`],
    ['two matches without literals between', `40 61626364 0400 00 0800 ${end}`, 'abcdabcdabcdabcde'],
    ['a match with distance 0 (zeros, as in the kernel)', `10 61 0000 ${end}`, 'a\0\0\0\0abcde'],
    ['a match from before the text', `10 61 0200 ${end}`, undefined],
    ['no input at all', '', undefined],
    ['a token whose literals are missing', '50 6162', undefined],
    ['bytes behind the last literals', '50 6162636465 00', undefined],
    ['a match that is not followed by a token', '10 61 0100', undefined],
    ['a length that never ends', `f0 ${'ff'.repeat(40)}`, undefined],
    ['a match length that never ends', `1f 61 0100 ${'ff'.repeat(40)}`, undefined],
  ];
  for (const [name, block, text] of rows) {
    const result = lz4.decompress(hex(block), 1000);
    t.equal(result && Buffer.from(result.output).toString('latin1'), text, name);
    if (result) t.equal(result.used, hex(block).length, `${name}: all is used`);
  }
  t.end();
});

/** Walks a block by its own rules and says where its matches are. */
function walk(block: Uint8Array): { end: number; lastStart: number; lastEnd: number; lastLiterals: number } {
  let at = 0;
  let text = 0;
  let lastStart = 0;
  let lastEnd = 0;
  const extended = (nibble: number): number => {
    let length = nibble;
    if (nibble === 15) {
      do length += block[at]!;
      while (block[at++] === 255);
    }
    return length;
  };
  for (;;) {
    const token = block[at++]!;
    const literals = extended(token >> 4);
    at += literals;
    text += literals;
    if (at >= block.length) return { end: text, lastStart, lastEnd, lastLiterals: literals };
    at += 2;
    lastStart = text;
    text += extended(token & 15) + 4;
    lastEnd = text;
  }
}

t.test('the encoder keeps the rules for the end of a block', (t) => {
  const holds = (text: Uint8Array): boolean => {
    return [lz4, lz4hc].every((codec) => {
      const { end, lastStart, lastEnd, lastLiterals } = walk(codec.compress(text));
      const lone = lastEnd === 0;
      return end === text.length && (lone || (lastStart <= end - 12 && lastEnd <= end - 5 && lastLiterals >= 5));
    });
  };
  for (const text of [
    OOPS,
    ZEROS,
    LONG,
    new Uint8Array(12),
    new Uint8Array(13),
    new Uint8Array(17),
    ascii('ab'.repeat(40)),
  ])
    t.ok(holds(text), `${text.length} bytes`);
  fc.assert(fc.property(anyText, holds), { numRuns: 200 });
  t.end();
});

t.test('lz4hc compresses better than lz4, and either reads the other', (t) => {
  t.ok(lz4hc.compress(LONG).length < lz4.compress(LONG).length);
  t.ok(isSame(lz4.decompress(lz4hc.compress(LONG), LONG.length)?.output, LONG));
  t.ok(isSame(lz4hc.decompress(lz4.compress(LONG), LONG.length)?.output, LONG));
  t.end();
});

t.test('a block that is all one match is refused before it is made', (t) => {
  // A length of 255 × 60,000: 15 MB from 60 KB.
  const bomb = Uint8Array.from([0x1f, 0x61, 1, 0, ...new Array<number>(60000).fill(255), 0, 0x50, 1, 2, 3, 4, 5]);
  t.equal(lz4.decompress(bomb, 1 << 18), undefined);
  t.equal(lz4.decompress(bomb, 1 << 24)?.output.length, 1 + 15 + 4 + 255 * 60000 + 5);
  t.end();
});
