import fc from 'fast-check';
import t from 'tap';
import { type DumpPart, groupDumps, JoinedView } from '../../lib/pstore/joined.js';
import { FakeBackend } from '../builders/fake-backend.js';
import { namesOf, recordsOf, textOf } from '../builders/open.js';

const SECOND = 1_000_000_000n;

function part(count: number, number: number, seconds: number | null, more: Partial<DumpPart> = {}): DumpPart {
  return {
    slot: 0,
    name: `${count}.${number}`,
    count,
    part: number,
    reason: 'Oops',
    timeNs: seconds === null ? null : BigInt(seconds) * SECOND,
    order: BigInt((seconds ?? 0) * 100 + number) * 1000n + BigInt(count),
    state: 'live',
    ...more,
  };
}

/** Each dump as `count: parts`. */
function grouped(parts: readonly DumpPart[]): string[] {
  return groupDumps(parts).map((dump) => `${dump[0]!.count}: ${dump.map((one) => one.part).join(' ')}`);
}

t.test('what is one dump, and what are two', (t) => {
  const cases: [what: string, parts: DumpPart[], dumps: string[]][] = [
    ['seconds change within a dump', [part(1, 1, 8), part(1, 2, 8), part(1, 3, 9), part(1, 4, 10)], ['1: 1 2 3 4']],
    [
      'two dumps in the same second',
      [part(1, 1, 8), part(2, 1, 8), part(1, 2, 8), part(2, 2, 8)],
      ['1: 1 2', '2: 1 2'],
    ],
    [
      'two boots with the same count',
      [part(1, 1, 8), part(1, 2, 8), part(1, 1, 900), part(1, 2, 901)],
      ['1: 1 2', '1: 1 2'],
    ],
    ['a boot soon after', [part(1, 1, 8), part(1, 2, 9), part(1, 1, 12)], ['1: 1 2', '1: 1']],
    ['a gap', [part(1, 1, 8), part(1, 5, 9)], ['1: 1 5']],
    ['the second boot has lost its first parts', [part(1, 1, 8), part(1, 2, 8), part(1, 3, 900)], ['1: 1 2', '1: 3']],
    ['slow firmware', [part(1, 1, 8), part(1, 2, 15), part(1, 3, 22)], ['1: 1 2 3']],
    ['another reason', [part(1, 1, 8), part(1, 2, 8, { reason: 'Panic' })], ['1: 1', '1: 2']],
    ['a reason that is not known', [part(1, 1, 8), part(1, 2, 8, { reason: null }), part(1, 3, 8)], ['1: 1 2 3']],
    ['times that are not known', [part(1, 1, 8), part(1, 2, null, { order: 900n * 1000n })], ['1: 1 2']],
    ['parts above 99', [part(1, 100, 8), part(1, 99, 8), part(1, 142, 9)], ['1: 99 100 142']],
    ['nothing', [], []],
  ];
  for (const [what, parts, dumps] of cases) {
    t.same(grouped(parts), dumps, what);
    t.same(grouped([...parts].reverse()), dumps, `${what}, in another order`);
  }
  const twice = groupDumps([
    part(1, 1, 8),
    part(1, 2, 8, { state: 'undecodable' }),
    part(1, 2, 8, { state: 'salvaged' }),
  ]);
  t.same(
    twice[0]?.map(({ state }) => state),
    ['live', 'salvaged'],
    'the text that can be read',
  );
  t.end();
});

t.test('dumps of any boots are told apart, whatever is missing', (t) => {
  const boots = fc.array(
    fc.array(fc.uniqueArray(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 20 }), {
      minLength: 1,
      maxLength: 3,
    }),
    { minLength: 1, maxLength: 3 },
  );
  fc.assert(
    fc.property(boots, fc.integer({ min: 0, max: 9 }), (list, pace) => {
      let now = 1_640_995_200;
      const parts: DumpPart[] = [];
      const expected: string[] = [];
      for (const dumps of list) {
        now += 10_000;
        for (const [i, numbers] of dumps.entries()) {
          const sorted = [...numbers].sort((a, b) => a - b);
          expected.push(`${i + 1}: ${sorted.join(' ')}`);
          for (const number of sorted) parts.push(part(i + 1, number, now + Math.floor((number * pace) / 10)));
          now += 200;
        }
      }
      return JSON.stringify(grouped(parts).sort()) === JSON.stringify(expected.sort());
    }),
  );
  t.end();
});

t.test('the text: oldest part first, head lines taken away, gaps named', (t) => {
  const backend = new FakeBackend('fake', [
    'Oops#1 Part1\nthe end\n',
    'Oops#1 Part2\nthe middle\n',
    'Oops#1 Part5\nthe beginning\n',
    'Panic: Total 3 times\nPanic#2 Part1\nanother\n',
    'no dump at all\n',
    null,
    'Panic#3 Part2\nwithout its end\n',
  ]);
  const view = new JoinedView(backend);
  t.same(namesOf(view), ['dmesg-fake-0.joined', 'dmesg-fake-3.joined', 'dmesg-fake-6.joined']);
  t.equal(
    textOf(view, 'dmesg-fake-0.joined'),
    'the beginning\n[pstorefuse: parts 3 to 4 are missing]\nthe middle\nthe end\n',
  );
  t.equal(view.find('dmesg-fake-1'), undefined);
  const byPart = new JoinedView(backend, { byPart: true });
  t.equal(textOf(byPart, 'dmesg-fake-1'), textOf(view, 'dmesg-fake-0.joined'), 'by the name of any part');
  t.equal(textOf(view, 'dmesg-fake-3.joined'), 'another\n');
  t.equal(textOf(view, 'dmesg-fake-6.joined'), 'without its end\n[pstorefuse: part 1 is missing]\n');
  for (const record of recordsOf(view)) t.equal(record.size, textOf(view, record.name).length);
  t.throws(() => view.erase(0), { code: 'EPERM', message: /dmesg-fake-0\.joined is made of 3 records/ });

  backend.erase(1);
  t.equal(view.refresh(), true);
  t.equal(view.refresh(), false);
  t.match(textOf(view, 'dmesg-fake-0.joined'), '[pstorefuse: parts 2 to 4 are missing]');
  t.equal(view.generation(view.find('dmesg-fake-3.joined')!), 0, 'the others are the same');
  view.close();
  t.notOk(backend.isClosed, 'whoever has opened a backend closes it');
  t.end();
});
