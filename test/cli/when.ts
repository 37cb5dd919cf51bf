// Times as journalctl reads them, and as a table shows them.

import fc from 'fast-check';
import t from 'tap';
import { clockText, parseWhen } from '../../lib/cli/when.js';

const NOW = new Date(2026, 10, 27, 15, 30, 20);
const SECOND = 1_000_000_000n;
const HOUR = 3600n * SECOND;
const now = BigInt(NOW.getTime()) * 1_000_000n;
const local = (year: number, month: number, day: number, hour = 0, minute = 0, second = 0) =>
  BigInt(new Date(year, month, day, hour, minute, second).getTime()) * 1_000_000n;
const when = (text: string) => parseWhen(text, 'since', NOW);

t.test('what a person writes', async (t) => {
  const table: readonly (readonly [string, bigint])[] = [
    ['now', now],
    ['today', local(2026, 10, 27)],
    ['yesterday', local(2026, 10, 26)],
    ['tomorrow', local(2026, 10, 28)],
    ['-2h', now - 2n * HOUR],
    ['+90', now + 90n * SECOND],
    ['-1h 30min', now - HOUR - 1800n * SECOND],
    ['-1h30min', now - HOUR - 1800n * SECOND],
    ['3 days ago', now - 72n * HOUR],
    ['1.5h ago', now - HOUR - 1800n * SECOND],
    ['1 week left', now + 168n * HOUR],
    ['-1month', now - 2_629_800n * SECOND],
    ['-5m', now - 300n * SECOND],
    ['-5M', now - 5n * 2_629_800n * SECOND],
    ['@1700000000', 1_700_000_000n * SECOND],
    ['@1700000000.25', 1_700_000_000n * SECOND + SECOND / 4n],
    ['2026-11-01', local(2026, 10, 1)],
    ['26-11-01', local(2026, 10, 1)],
    ['2026-11-01 12:00', local(2026, 10, 1, 12)],
    ['2026-11-01T12:00:05.5', local(2026, 10, 1, 12, 0, 5) + SECOND / 2n],
    ['Sun 2026-11-01 12:00:00', local(2026, 10, 1, 12)],
    ['12:34', local(2026, 10, 27, 12, 34)],
    ['2021-09-14 09:39:07 UTC', 1_631_612_347n * SECOND],
    ['2021-09-14T09:39:07Z', 1_631_612_347n * SECOND],
    ['2021-09-14 11:39:07 +02:00', 1_631_612_347n * SECOND],
  ];
  for (const [text, expected] of table) t.equal(when(text), expected, text);
});

t.test('what is no time', async (t) => {
  for (const text of [
    '',
    'gibberish',
    '2026-02-30',
    '25:00',
    '-2parsecs',
    '-',
    'ago',
    '2026-11',
    'toString',
    '@',
    '12:60',
  ]) {
    t.throws(() => when(text), { code: 'EINVAL', message: /^--since .*this is no time/ }, text);
  }
});

t.test('any text is a time or an error', async () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), (text) => {
      try {
        return typeof when(text) === 'bigint';
      } catch (error) {
        return (error as { code?: string }).code === 'EINVAL';
      }
    }),
  );
});

t.test('what is shown is read again, to the second', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_000_000_000 }), fc.boolean(), (seconds, utc) => {
      const ns = BigInt(seconds) * SECOND;
      // An hour that summer time takes away and gives back has two times of one name.
      if (utc && when(`${clockText(ns, { utc, iso: false })} UTC`) !== ns) return false;
      return when(clockText(ns, { utc, iso: true })) === ns;
    }),
  );
});
