import t from 'tap';
import { plausibleText } from '../../lib/pstore/plausible-text.js';
import { latin1 } from '../builders/zone.js';

t.test('where text ends', async (t) => {
  const table: [string, string][] = [
    ['plain\ttext\r\n', 'plain\ttext\r\n'],
    ['colour \x1b[31m', 'colour \x1b[31m'],
    ['caf\xe9 \x80', 'caf\xe9 \x80'],
    ['text\0', 'text'],
    ['text\0\0\0\0', 'text'],
    [`text${'\xff'.repeat(64)}more text`, 'text'],
    ['text\0\0\0\0of a record before', 'text'],
    // A digit with a wrong bit, and several.
    ['[    1.0\x123456] more', '[    1.0\x123456] more'],
    ['[    1.0\x12\x133\x156] more of this text', '[    1.0\x12\x133\x156] more of this text'],
    ['text\x7f, and the rest', 'text\x7f, and the rest'],
    ['\x05', ''],
    ['', ''],
  ];
  for (const [text, expected] of table) {
    t.equal(Buffer.from(plausibleText(latin1(text))).toString('latin1'), expected, JSON.stringify(text));
  }
});
