import fc from 'fast-check';
import t from 'tap';
import { JoinedView } from '../../lib/pstore/joined.js';
import { dumpChunks, dumpsOf, nameOf } from '../../lib/triage/dump.js';
import { explainDump } from '../../lib/triage/explained.js';
import { FakeBackend } from '../builders/fake-backend.js';
import { recordsOf, textOf } from '../builders/open.js';

function mounted(texts: readonly string[], label = 'fake') {
  const backend = new FakeBackend(label, texts);
  return { backend, records: recordsOf(backend).map((record) => ({ mounted: { backend, label }, record })) };
}

const text = (dump: Parameters<typeof dumpChunks>[0]): string =>
  Buffer.concat([...dumpChunks(dump)]).toString('latin1');

t.test('the parts of a dump are one, and every other record is one of its own', async (t) => {
  const one = mounted([
    'Oops#1 Part1\nnew\n',
    'no head\n',
    'Oops#1 Part4\nold\n',
    'Oops#2 Part1\nlater\n',
    'no head\n',
  ]);
  const other = mounted(['Oops#1 Part2\nelsewhere\n'], 'other');
  const dumps = dumpsOf([...one.records, ...other.records]);
  t.same(
    dumps.map(({ parts }) => parts.map(({ kept }) => kept.record.name)),
    [['dmesg-fake-2', 'dmesg-fake-0'], ['dmesg-fake-1'], ['dmesg-fake-3'], ['dmesg-fake-4'], ['dmesg-other-0']],
  );
  t.equal(text(dumps[0]!), 'old\n[pstorefuse: parts 2 to 3 are missing]\nnew\n');
  t.equal(text(dumps[1]!), 'no head\n');
  t.match(explainDump(dumps[0]!).explanation.reasons, [/^Parts 2, 3 of the dump are missing/]);
  t.same(dumps.map(nameOf), [
    'dmesg-fake-0.joined',
    'dmesg-fake-1',
    'dmesg-fake-3',
    'dmesg-fake-4',
    'dmesg-other-0.joined',
  ]);
});

t.test('a damaged number makes no long list of what is missing', async (t) => {
  const { records } = mounted(['Oops#1 Part999999999\nx\n']);
  const [dump] = dumpsOf(records);
  t.ok(JSON.stringify(explainDump(dump!).explanation.reasons).length < 500);
});

t.test('what a listing calls a dump is what the joined view has under that name', async (t) => {
  const head = fc.record({ count: fc.integer({ min: 1, max: 3 }), part: fc.integer({ min: 1, max: 5 }) });
  const line = fc.oneof({ weight: 5, arbitrary: head }, { weight: 1, arbitrary: fc.constant(undefined) });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (heads) => {
      const texts = heads.map((one, i) => `${one ? `Oops#${one.count} Part${one.part}\n` : ''}text ${i}\n`);
      const { backend, records } = mounted(texts);
      const view = new JoinedView(backend);
      const dumps = dumpsOf(records);
      const counted = dumps.flatMap(({ parts }) => parts.map(({ kept }) => kept.record.slot));
      if (counted.length !== heads.length || new Set(counted).size !== heads.length) return false;
      return dumps
        .filter(({ isJoined }) => isJoined)
        .every((dump) => view.find(nameOf(dump)) !== undefined && textOf(view, nameOf(dump)) === text(dump));
    }),
  );
  t.pass();
});
