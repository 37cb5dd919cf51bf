import fc from 'fast-check';
import t from 'tap';
import { printable } from '../lib/printable.js';

t.test('what can be printed stays, the rest is escaped', (t) => {
  const table: [string | number[], string][] = [
    ['', ''],
    ['eth0 0000:02:00.4/x\\y', 'eth0 0000:02:00.4/x\\y'],
    ['ends here\0not here', 'ends here'],
    ['a\nb\tc\x7f', 'a\\x0ab\\x09c\\x7f'],
    ['Grüße, 世界 🦊', 'Grüße, 世界 🦊'],
    ['\u200b\u202e\ufeff\u2028', '\\xe2\\x80\\x8b\\xe2\\x80\\xae\\xef\\xbb\\xbf\\xe2\\x80\\xa8'],
    ['\x85', '\\xc2\\x85'],
    [[0x80, 0x41], '\\x80A'],
    [[0xc3], '\\xc3'],
    [[0xe4, 0xb8], '\\xe4\\xb8'],
    [[0xc3, 0x41], '\\xc3A'],
    [[0xed, 0xa0, 0x80], '\\xed\\xa0\\x80'],
    [[0xc0, 0xaf], '\\xc0\\xaf'],
    [[0xff, 0xfe], '\\xff\\xfe'],
  ];
  for (const [bytes, text] of table) t.equal(printable(Uint8Array.from(Buffer.from(bytes as string))), text);
  t.end();
});

t.test('any bytes become one line without controls', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      if (/[\p{C}\p{Zl}\p{Zp}\ufffd]/u.test(printable(bytes))) throw new Error(printable(bytes));
    }),
    { numRuns: 1000 },
  );
  t.end();
});
