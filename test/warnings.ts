// Warnings are kept in their order, and no more of them than a limit, whatever an image holds.

import t from 'tap';
import { Warnings } from '../lib/warnings.js';

t.test('in their order, what explains the others in front', (t) => {
  const warnings = new Warnings();
  warnings.add('zone-overtop', 'one', 0);
  warnings.add('record-time', 'two');
  warnings.addFirst('geometry-mismatch', 'why');
  t.same(warnings.list, [
    { code: 'geometry-mismatch', message: 'why', offset: null },
    { code: 'zone-overtop', message: 'one', offset: 0 },
    { code: 'record-time', message: 'two', offset: null },
  ]);
  t.end();
});

t.test('strict makes an error of a geometry that is not as it was said to be, and of nothing else', (t) => {
  const strict = new Warnings(true);
  const mismatch = { code: 'EINVAL', message: 'part.raw: no' };
  t.throws(() => strict.add('geometry-mismatch', 'part.raw: no'), mismatch);
  t.throws(() => strict.addFirst('geometry-mismatch', 'part.raw: no'), mismatch);
  strict.add('zone-invalid', 'one');
  strict.addFirst('no-records', 'two');
  t.equal(strict.list.length, 2);
  t.end();
});

t.test('beyond the limit they are counted', (t) => {
  const many = new Warnings();
  for (let i = 0; i < Warnings.LIMIT + 5; i++) many.add('zone-invalid', `zone ${i}`, i);
  t.same([many.list.length, many.dropped], [Warnings.LIMIT, 5]);
  t.equal(many.list.at(-1)?.offset, Warnings.LIMIT - 1, 'the first ones are kept');
  const more = new Warnings();
  more.add('zone-invalid', 'one more');
  more.addAll(many);
  t.same([more.list.length, more.dropped], [Warnings.LIMIT, 6]);
  t.equal(more.list[0]?.message, 'one more');
  t.end();
});
