// Files of QEMU's ERST as Linux 6.1 and 6.12 wrote, showed and erased them.

import { createHash } from 'node:crypto';
import t from 'tap';
import { erst } from '../../lib/erst/backend.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { JoinedView } from '../../lib/pstore/joined.js';
import { changedBytes } from '../builders/changed.js';
import { namesOf, openBytes, recordsOf, textOf } from '../builders/open.js';
import { goldenImage } from '../fixture-path.js';
import { expectOf, type GoldenFile, goldenFolders } from '../golden.js';
import { goesOn, isInOrder } from '../log-order.js';

interface Expectation {
  readonly params: { readonly removed?: readonly string[] };
  readonly view_rtc: string;
  readonly files: readonly (GoldenFile & { readonly sha256: string })[];
}

for (const folder of goldenFolders('erst')) {
  t.test(`${folder}: names, sizes, times and bytes as the kernel had them`, (t) => {
    const expect = expectOf<Expectation>(folder);
    const image = goldenImage(folder);
    const backend = openBytes(erst, image);
    const view = Date.parse(`${expect.view_rtc}Z`) / 1000;
    for (const { name, size, mtime_sec, sha256 } of expect.files) {
      const slot = backend.find(name);
      const record = slot === undefined ? undefined : backend.record(slot);
      t.ok(record, name);
      if (!record) continue;
      t.equal(record.size, size);
      const isMountTime = mtime_sec >= view && mtime_sec < view + 3600;
      if (!isMountTime) t.equal(record.mtimeNs, BigInt(mtime_sec) * 1_000_000_000n);
      else if (record.type !== 'mce') t.equal(record.mtimeNs, null);
      const bytes = contentBytes(backend.open(record.slot));
      t.equal(createHash('sha256').update(bytes).digest('hex'), sha256, `${name}: bytes`);
      t.equal(`${record.type}-erst-${record.id64}`, name, 'all 64 bits of the id');
    }
    t.same(changedBytes(goldenImage(folder), image), [], 'looking changes no byte');
    t.end();
  });
}

t.test("erasing makes exactly QEMU's bytes", (t) => {
  const image = goldenImage('erst-oops3');
  const backend = openBytes(erst, image);
  for (const name of expectOf<Expectation>('erst-rm').params.removed!) backend.erase(backend.find(name)!);
  t.same(changedBytes(goldenImage('erst-rm'), image), []);
  t.same(namesOf(backend), namesOf(openBytes(erst, image)));
  const states = [...backend.info().zones].map(({ state }) => state);
  t.equal(states.filter((state) => state === 'erased').length, 1);
  t.equal(backend.space().freeSlots, 1);
  t.end();
});

t.test('records that the kernel does not get to', (t) => {
  const plain = openBytes(erst, goldenImage('erst-odd'));
  t.ok(plain.find('dmesg-erst-7048020725482913799') !== undefined, 'after a record that is too long');
  t.same(
    plain.warnings.list.map(({ code }) => code),
    ['record-hidden', 'record-hidden', 'store-full'],
  );
  t.match(plain.warnings.list[0]?.message, /offset 49152 is damaged: a kernel's listing ends there/);
  const salvaged = openBytes(erst, goldenImage('erst-odd'), { salvage: true });
  t.match(textOf(salvaged, 'dmesg-erst-7048020725482913798.salvaged'), /^Oops#3 Part2\n/);
  const zones = [...plain.info().zones];
  t.match(zones[0], { state: 'foreign', reason: /11111111-1111-1111-1111-111111111111, not by Linux/ });
  t.match(zones[2]?.reason, /it says of itself that its id is 7048020725482913795/);
  t.end();
});

t.test('a machine check is decoded, and has its own time', (t) => {
  const backend = openBytes(erst, goldenImage('erst-mce'));
  const record = recordsOf(backend).find(({ type }) => type === 'mce');
  t.equal(record?.mtimeNs, 1_640_995_202_000_000_000n);
  const zone = [...backend.info().zones].find(({ type }) => type === 'mce');
  t.match(zone?.reason, /machine check on CPU 0 \(socket 0\), bank \d+: status 0x[0-9a-f]{16}, uncorrected error/);
  t.match(zone?.reason, /at 2022-01-01T00:00:02Z/);
  t.end();
});

t.test('joined dumps', (t) => {
  for (const [folder, dumps] of [
    ['erst-oops3', ['Oops#1', 'Oops#2', 'Oops#3']],
    ['erst-none', ['Oops#1', 'Panic#2']],
    ['erst-mce', ['Panic#1']],
  ] as const) {
    const view = new JoinedView(openBytes(erst, goldenImage(folder)));
    const records = recordsOf(view);
    t.same(
      records.map(({ reason, count }) => `${reason}#${count}`),
      dumps,
    );
    for (const { name } of records) {
      const text = textOf(view, name);
      t.notMatch(text, /Part[0-9]+\n|\[pstorefuse:/);
      t.ok(isInOrder(text), 'no line is out of order');
    }
    const texts = records.map(({ name }) => textOf(view, name));
    for (const [i, text] of texts.slice(1).entries()) t.not(goesOn(texts[i]!, text), false);
  }
  t.end();
});
