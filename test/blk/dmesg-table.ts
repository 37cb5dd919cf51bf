// The table of dmesg zones gives back what was put into it, whatever the values, and says what has changed.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { type DmesgRow, DmesgTable, ZoneState } from '../../lib/blk/dmesg-table.js';

const EMPTY = { datalen: 0, counter: 0, reason: 0, compressed: 0, seconds: 0n, nanoseconds: 0n };

const row: fc.Arbitrary<DmesgRow> = fc.record(
  {
    state: fc.constantFrom(...Object.values(ZoneState)),
    datalen: fc.integer({ min: 0, max: 0xffff_ffff }),
    counter: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    reason: fc.integer({ min: 0, max: 0xffff_ffff }),
    compressed: fc.integer({ min: 0, max: 255 }),
    seconds: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    nanoseconds: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  },
  { noNullPrototype: true },
);

t.test('what is set is what is there', async () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(4), row), { maxLength: 20 }), (sets) => {
      const table = new DmesgTable(5);
      const model: DmesgRow[] = Array.from({ length: 5 }, () => ({ state: ZoneState.Unsigned, ...EMPTY }));
      for (const [index, values] of sets) {
        const same = JSON.stringify(model[index], text) === JSON.stringify(values, text);
        assert.equal(table.has(index, values), same);
        assert.equal(table.set(index, values), !same, 'whether anything has changed');
        model[index] = values;
        for (const [i, expected] of model.entries()) assert.deepEqual(table.row(i), expected);
      }
      for (const [i, { state, datalen, compressed }] of model.entries()) {
        assert.deepEqual([table.state(i), table.datalen(i), table.compressed(i)], [state, datalen, compressed]);
      }
    }),
    { numRuns: 300 },
  );
});

/** JSON has no bigint. */
function text(key: string, value: unknown): unknown {
  // The order of the keys is not the same in both.
  if (key === '') return Object.entries(value as object).sort();
  return typeof value === 'bigint' ? `${value}n` : value;
}

t.test('states alone', (t) => {
  const table = new DmesgTable(2);
  const live = { ...EMPTY, state: ZoneState.Live, datalen: 100, counter: 7, seconds: 5n };
  table.set(1, live);
  table.setErased(1);
  t.same(table.row(1), { ...live, state: ZoneState.Erased, datalen: 0 }, 'an erased record keeps its header');
  t.equal(table.setState(1, ZoneState.NotLookedAt), true);
  t.same(table.row(1), { ...EMPTY, state: ZoneState.NotLookedAt });
  t.equal(table.setState(1, ZoneState.NotLookedAt), false);
  t.same(table.row(0), { ...EMPTY, state: ZoneState.Unsigned });
  t.end();
});
