// The order in which a kernel fills the zones for dumps, and what it says of sizes.

import t from 'tap';
import { isPassedOver } from '../../lib/ramoops/turns.js';

const YEAR_2020 = 1_577_836_800;

/** @param days when the dump of each zone was written; 'empty' for a zone that never had one, 'erased' for one that had */
function passedOver(...days: (number | 'empty' | 'erased')[]): boolean {
  const turns = days.map((day, offset) => ({
    offset,
    time: typeof day === 'number' ? BigInt(YEAR_2020 + day) : undefined,
  }));
  return isPassedOver(turns, (offset) => days[offset] === 'erased');
}

t.test('what kernels leave', async (t) => {
  t.notOk(passedOver());
  t.notOk(passedOver(1, 2, 3, 'empty', 'empty'));
  t.notOk(passedOver(5, 2, 3), 'a second boot has begun again');
  t.notOk(passedOver(7, 8, 6, 1, 4, 5), 'three boots');
  t.notOk(passedOver(4, 5, 3), 'and one that came round');
  t.notOk(passedOver(1, 1, 1), 'in the same second');
  t.notOk(passedOver(1, 'erased', 2));
  t.notOk(passedOver('empty', 1, 2), 'a header that was lost');
  t.notOk(passedOver(5, 'empty', 2), 'the later one is of an earlier boot');
  t.notOk(passedOver(5, -YEAR_2020, 6), 'a clock that was not set tells nothing');
});

t.test('what none leaves', async (t) => {
  t.ok(passedOver(5, 2, 6));
  t.ok(passedOver(5, 2, 5));
  t.ok(passedOver(1, 5, 2, 3, 9));
  t.ok(passedOver(1, 'empty', 2));
  t.ok(passedOver(1, 'erased', 'empty', 1));
});
