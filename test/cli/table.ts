// Tables: no line is longer than the terminal, and nothing is left out.

import fc from 'fast-check';
import t from 'tap';
import { type Column, Table } from '../../lib/cli/table.js';

interface Row {
  readonly time: string;
  readonly title: string;
  readonly name: string;
}

const COLUMNS: Column<Row>[] = [
  { head: 'TIME', cell: ({ time }) => time },
  { head: 'TITLE', below: 1, cell: ({ title }) => title },
  { head: 'NAME', below: 2, cell: ({ name }) => name },
];

function lines(rows: readonly Row[], columns: number): string[] {
  const table = new Table(COLUMNS, rows, columns);
  return [...table.head(), ...rows.flatMap((row) => table.lines(row))];
}

const ROW: Row = { time: '12:00', title: 'a kernel that ran out of one thing or of another one', name: 'dmesg-0' };

t.test('beside each other, folded, and below', async (t) => {
  t.same(lines([ROW], 200), [`TIME   ${'TITLE'.padEnd(ROW.title.length)}  NAME`, `12:00  ${ROW.title}  dmesg-0`]);
  t.same(lines([ROW], 60), [
    'TIME   TITLE                                         NAME',
    '12:00  a kernel that ran out of one thing or of      dmesg-0',
    '       another one',
  ]);
  t.same(lines([ROW], 30), [
    'TIME   NAME',
    '    TITLE',
    '12:00  dmesg-0',
    '    a kernel that ran out of',
    '    one thing or of another',
    '    one',
  ]);
  t.same(lines([{ ...ROW, title: '' }], 80), ['TIME   NAME', '12:00  dmesg-0'], 'no column without any text');
  t.match(lines([{ ...ROW, title: 'a\x1b[2J\u202eb' }], 80)[1], 'a\\x1b[2J\\u202eb');
});

t.test('any rows, any terminal', async () => {
  const words = (most: number) =>
    fc.array(fc.stringMatching(/^[a-z]{1,10}$/), { maxLength: most }).map((all) => all.join(' '));
  const row = fc.record({ time: fc.stringMatching(/^\d{1,8}$/), title: words(15), name: words(3) });
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 8 }), fc.integer({ min: 24, max: 120 }), (rows, columns) => {
      const shown = lines(rows, columns);
      const given = rows.flatMap(({ time, title, name }) => `${time} ${title} ${name}`.split(' ')).filter(Boolean);
      const text = shown.join(' ').split(/ +/);
      return shown.every((line) => line.length <= columns) && given.every((word) => text.includes(word));
    }),
  );
});
