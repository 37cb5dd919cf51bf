// Record types and dump reasons, against the tables of the format.

import t from 'tap';
import { RECORD_TYPE_NUMBERS, Reason, reasonName, reasonNumber } from '../../lib/pstore/record-type.js';

t.test('numbers of the record types', (t) => {
  const names = 'dmesg mce console ftrace rtas powerpc-ofw powerpc-common pmsg powerpc-opal tty'.split(' ');
  t.same(Object.entries(RECORD_TYPE_NUMBERS), Object.entries(Object.fromEntries(names.map((name, i) => [name, i]))));
  t.end();
});

t.test('reasons by number and by name', (t) => {
  t.same({ ...Reason }, { Undef: 0, Panic: 1, Oops: 2, Emergency: 3, Shutdown: 4, Oom: 255 });
  for (const [number, name] of ['Unknown', 'Panic', 'Oops', 'Emergency', 'Shutdown', 'Unknown', 'Unknown'].entries()) {
    t.equal(reasonName(number), name, `${number}`);
  }
  t.equal(reasonName(0xffff_ffff), 'Unknown');
  for (const name of ['panic', 'PANIC', 'Panic']) t.equal(reasonNumber(name), 1, name);
  t.same(['oops', 'emergency', 'shutdown', 'oom'].map(reasonNumber), [2, 3, 4, 255]);
  for (const name of ['unknown', 'undef', 'restart', '', '2', 'oops ']) t.equal(reasonNumber(name), undefined, name);
  t.end();
});
