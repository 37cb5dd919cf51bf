import fc from 'fast-check';
import t from 'tap';
import { ReadSpans } from '../../lib/platform-dump/read-spans.js';

t.test('in order, out of order, overlapping', async (t) => {
  const spans = new ReadSpans();
  t.ok(spans.covers(0), 'nothing is read of nothing');
  t.notOk(spans.covers(1));
  spans.add(10, 20);
  t.notOk(spans.covers(20));
  spans.add(0, 5);
  spans.add(30, 30);
  t.equal(spans.bytes, 15);
  spans.add(4, 11);
  t.ok(spans.covers(20));
  t.notOk(spans.covers(21));
  t.equal(spans.bytes, 20);
});

t.test('agrees with a list of bytes', async () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(60), fc.nat(20)), { maxLength: 30 }), (reads) => {
      const spans = new ReadSpans();
      const bytes = new Array<boolean>(100).fill(false);
      for (const [from, length] of reads) {
        spans.add(from, from + length);
        bytes.fill(true, from, from + length);
      }
      const first = bytes.indexOf(false);
      return spans.bytes === bytes.filter(Boolean).length && spans.covers(first) && !spans.covers(first + 1);
    }),
    { numRuns: 500 },
  );
});

t.test('the number of spans is bounded, and never says too much', async (t) => {
  const spans = new ReadSpans();
  for (let i = 0; i < 5000; i++) spans.add(2 * i + 1, 2 * i + 2);
  t.ok(spans.bytes <= 1024);
  for (let i = 0; i < 5000; i++) spans.add(2 * i, 2 * i + 1);
  t.notOk(spans.covers(10_000), 'what was forgotten must be read again');
  spans.add(0, 10_000);
  t.ok(spans.covers(10_000));
});
