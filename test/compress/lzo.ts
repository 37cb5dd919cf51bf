import t from 'tap';
import { lzo } from '../../lib/compress/lzo.js';
import { isSame, joined, LONG, OOPS, vector, ZEROS } from '../builders/texts.js';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const END = '11 0000';

t.test('hand-made streams', (t) => {
  const rows: [string, string, string | undefined][] = [
    ['nothing but the end', END, ''],
    ['a first byte that counts 4 literals', `15 61626364 ${END}`, 'abcd'],
    ['a first byte that counts 1 literal', `12 61 ${END}`, 'a'],
    ['a literal run', `01 61626364 ${END}`, 'abcd'],
    ['a literal run with length bytes', `00 00 01 ${'78'.repeat(274)} ${END}`, 'x'.repeat(274)],
    ['M2: 3 bytes from 4 back', `15 61626364 4c00 ${END}`, 'abcdabc'],
    ['M2 with two literals behind it', `15 61626364 4e00 7879 ${END}`, 'abcdabcxy'],
    ['M2: 8 bytes that overlap', `15 61626364 e000 ${END}`, `abcd${'d'.repeat(8)}`],
    ['M3: 5 bytes from 4 back', `15 61626364 23 0c00 ${END}`, 'abcdabcda'],
    ['M3 with a length byte', `15 61626364 20 02 0c00 ${END}`, `abcd${'abcd'.repeat(9).slice(0, 35)}`],
    ['2 bytes after literals of a copy', `15 61626364 4d00 78 0000 ${END}`, 'abcdabcxxx'],
    ['a copy from before the text', `15 61626364 5000 ${END}`, undefined],
    ['an end with another length', '12 61 12 0000', undefined],
    ['no end', '15 61626364', undefined],
    ['literals that are missing', '1f 6162', undefined],
    ['a length that never ends', `00 ${'00'.repeat(50)}`, undefined],
    ['an M4 from before the text', `12 61 13 0400 ${END}`, undefined],
    ['version 1 and a run of zeros', `11 01 15 61626364 18 fcff 01 ${END}`, `abcd${'\0'.repeat(12)}`],
    ['version 1: the same with a literal', `11 01 15 61626364 1d fdff 00 78 ${END}`, `abcd${'\0'.repeat(9)}x`],
    ['version 0: no run of zeros', `15 61626364 18 fcff 01 ${END}`, undefined],
    ['a version without content', `11 01 ${END}`, ''],
    ['too short for a version', '11 0000 00', ''],
  ];
  for (const [name, stream, text] of rows) {
    const result = lzo.decompress(hex(stream), 1000);
    t.equal(result && Buffer.from(result.output).toString('latin1'), text, name);
  }
  t.equal(lzo.decompress(hex('11 0000 00'), 9)?.used, 3);
  t.end();
});

t.test('copies from as far back as the format goes', (t) => {
  for (const distance of [0x700, 0x800, 0x801, 0x4000, 0x4001, 0x8000, 0xbfff, 0xc000]) {
    // A phrase, what does not match by chance, and the phrase again `distance` behind its first place.
    let seed = distance;
    const filler = Uint8Array.from({ length: distance - 300 }, () => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return seed >>> 24;
    });
    const phrase = OOPS.subarray(0, 300);
    const text = joined(phrase, filler, phrase);
    const stream = lzo.compress(text);
    t.ok(isSame(lzo.decompress(stream, text.length)?.output, text), `${distance}`);
    const plain = lzo.compress(joined(phrase, filler)).length;
    t.equal(stream.length - plain < 100, distance < 0xc000, 'a copy is made where it can be expressed');
  }
  t.end();
});

t.test('the first byte of a stream never looks like a version', (t) => {
  for (let length = 1; length < 300; length++) t.not(lzo.compress(OOPS.subarray(0, length))[0], 17);
  t.equal(vector('zeros.lzo-rle')[0], 17);
  t.not(vector('zeros.lzo')[0], 17);
  t.end();
});

t.test('runs of zeros are refused before they are made', (t) => {
  const run = [0x1f, 0xfc, 0xff, 0xff];
  const bomb = Uint8Array.from([17, 1, 21, 1, 2, 3, 4, ...new Array(20000).fill(run).flat(), 17, 0, 0]);
  t.equal(lzo.decompress(bomb, 1 << 20), undefined);
  t.equal(lzo.decompress(bomb, 1 << 26)?.output.length, 4 + 20000 * 2051);
  t.end();
});

t.test('compresses at least as well as the kernel', (t) => {
  t.ok(lzo.compress(OOPS).length <= vector('oops.lzo').length);
  t.ok(lzo.compress(ZEROS).length <= vector('zeros.lzo').length);
  t.ok(lzo.compress(LONG).length < LONG.length / 2.5);
  t.end();
});
