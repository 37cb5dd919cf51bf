// Dumps in parts, and texts that are told from images.

import t from 'tap';
import { groupParts, joinParts } from '../../lib/triage/parts.js';
import { isLogText } from '../../lib/triage/text.js';

t.test('the highest part is the first in time; missing parts are named', async (t) => {
  const joined = joinParts(['Oops#1 Part1\nnew\n', 'Oops#1 Part4\nold', 'Oops#1 Part2\nmiddle\n']);
  t.same(joined, { text: 'old\nmiddle\nnew\n', missing: [3] });
  t.same(joinParts(['no head']), { text: 'no head\n', missing: [] });
  t.ok(joinParts(['Oops#1 Part999999999\nx']).missing.length <= 1000, 'a damaged number makes no long list');
});

t.test('records of one dump', async (t) => {
  const record = (count: number, part: number, seconds = 100, backend = 'efi') => ({
    backend,
    seconds,
    head: { reason: 'Oops', count, part, length: 14 },
  });
  const records = [
    record(1, 1),
    record(1, 2, 101),
    record(2, 1),
    record(1, 1, 9000),
    record(1, 3, 100, 'erst'),
    record(1, 3),
  ];
  t.same(
    groupParts(records).map((dump) => dump.map((each) => records.indexOf(each))),
    [[0, 1, 5], [2], [3], [4]],
  );
  const bare = { backend: 'efi', seconds: 100, head: undefined };
  t.equal(groupParts([bare, bare]).length, 2, 'without a head each is its own');
});

t.test('a text is told from an image', async (t) => {
  const text = new TextEncoder().encode('[    1.000000] a line\n'.repeat(20));
  const padded = new Uint8Array(4096);
  padded.set(text);
  const image = new Uint8Array(4096).fill(0xff);
  image.set(text, 512);
  t.ok(isLogText(text));
  t.ok(isLogText(padded), 'with zeros that were never written');
  t.ok(isLogText(new TextEncoder().encode('\u00fcberhitzt\n')));
  t.notOk(isLogText(image));
  t.notOk(isLogText(new Uint8Array(4096)), 'zeros');
  t.notOk(isLogText(new Uint8Array(0)));
});
