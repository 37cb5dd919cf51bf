import t from 'tap';
import { parseHeadLine } from '../../lib/pstore/head-line.js';

t.test('the first lines of a record', async (t) => {
  t.same(parseHeadLine('Oops#12 Part3\nx'), { reason: 'Oops', count: 12, part: 3, length: 14 });
  t.match(parseHeadLine('blkoops: Panic: Total 2 times\nPanic#2 Part1\nx'), { reason: 'Panic', count: 2, part: 1 });
  t.match(parseHeadLine('Oops: Total 1 times\r\nOops#1 Part1\r\nx'), { reason: 'Oops', count: 1 });
  for (const text of ['', 'x\nOops#1 Part1\n', 'Oops#1 Part\n', 'Oops#99999999999 Part1\n'])
    t.equal(parseHeadLine(text), undefined, text);
  const bytes = new TextEncoder().encode('Panic#2 Part10\ntext');
  t.same(parseHeadLine(bytes), { reason: 'Panic', count: 2, part: 10, length: 15 }, 'the same for bytes');
});
