// Images of real machines: what Linux 6.1 and 6.12 showed of them, and what the firmware did to erase a dump.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { efi } from '../../lib/efi/backend.js';
import type { Backend } from '../../lib/pstore/backend.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { JoinedView } from '../../lib/pstore/joined.js';
import { changedBytes } from '../builders/changed.js';
import { codesOf, MemoryFolder, namesOf, openBytes, openFiles, recordsOf, textOf } from '../builders/open.js';
import { golden, goldenImage } from '../fixture-path.js';
import { expectOf, type GoldenFile, goldenFolders } from '../golden.js';
import { goesOn, isInOrder } from '../log-order.js';

interface Expectation {
  readonly params: { readonly backend: string; readonly removed?: readonly string[] };
  readonly view_rtc: string;
  readonly files: readonly (GoldenFile & { readonly sha256: string })[];
}

function keysOf({ params }: Expectation): Record<string, string> {
  return params.backend === 'efi' ? { backend_name: 'efi' } : {};
}

/** A time that the kernel made up, because the name has none. */
function isMountTime(seconds: number, { view_rtc }: Expectation): boolean {
  const view = Date.parse(`${view_rtc}Z`) / 1000;
  return seconds >= view && seconds < view + 3600;
}

function check(t: Test, backend: Backend, expect: Expectation): void {
  const records = new Map(recordsOf(backend).map((record) => [record.name, record]));
  for (const file of expect.files) {
    const record = records.get(file.name);
    t.ok(record, file.name);
    if (!record) continue;
    t.equal(record.size, file.size, `${file.name}: size`);
    const time = isMountTime(file.mtime_sec, expect)
      ? null
      : BigInt(file.mtime_sec) * 1_000_000_000n + BigInt(file.mtime_nsec);
    t.equal(record.mtimeNs, time, `${file.name}: time`);
    const bytes = contentBytes(backend.open(record.slot));
    t.equal(createHash('sha256').update(bytes).digest('hex'), file.sha256, `${file.name}: bytes`);
    t.equal(backend.find(file.name), record.slot);
  }
}

for (const folder of goldenFolders('efi')) {
  t.test(`${folder}: names, sizes, times and bytes as the kernel had them`, (t) => {
    const expect = expectOf<Expectation>(folder);
    const image = goldenImage(folder);
    const backend = openBytes(efi, image, keysOf(expect));
    check(t, backend, expect);
    t.same(changedBytes(goldenImage(folder), image), [], 'looking changes no byte');
    t.end();
  });
  if (!existsSync(golden(folder, 'efivars'))) continue;
  t.test(`${folder}: the folder efivars shows the same as the image`, (t) => {
    const expect = expectOf<Expectation>(folder);
    const files = readdirSync(golden(folder, 'efivars')).map((name) => {
      return [name, new Uint8Array(readFileSync(golden(folder, 'efivars', name)))] as const;
    });
    const backend = openFiles(efi, new MemoryFolder(Object.fromEntries(files)), keysOf(expect));
    check(t, backend, expect);
    t.same(namesOf(backend), namesOf(openBytes(efi, goldenImage(folder), keysOf(expect))));
    t.end();
  });
}

t.test('what the kernel hides is shown, and a warning says so', (t) => {
  const names = openBytes(efi, goldenImage('efi-names'));
  t.ok(names.find('dmesg-efi_pstore-137236550005001') !== undefined, 'after a name that fits no form');
  t.match(names.warnings.list[0]?.message, /dump-type0-x .*a kernel shows none of the dumps after it/);
  t.notOk(namesOf(names).includes('dump-type0-x.salvaged'));
  t.equal(
    textOf(openBytes(efi, goldenImage('efi-names'), { salvage: true }), 'dump-type0-x.salvaged').slice(0, 4),
    'text',
  );

  const torn = openBytes(efi, goldenImage('efi-torn-ff'));
  t.equal(recordsOf(torn).length, 43, 'all but the torn one');
  t.match(torn.warnings.list[0]?.message, /offset 17220 .* does not see the 40 variables after it/);
  const salvaged = openBytes(efi, goldenImage('efi-torn-ff'), { salvage: true });
  t.match(textOf(salvaged, 'dmesg-efi_pstore-164099520904001.salvaged'), /^Oops#1 Part4\n/);

  const large = openBytes(efi, goldenImage('efi-rec4096'));
  t.match(large.warnings.list[0]?.message, /6 dumps are larger than 1024 bytes/);
  t.same(codesOf(openBytes(efi, goldenImage('efi-rec4096'), { record_size: 4096 })), []);
  t.end();
});

t.test('backend_name: what kernels of both times show', (t) => {
  const image = goldenImage('efi-61');
  const old = namesOf(openBytes(efi, image, { backend_name: 'efi' }));
  t.match(old[0], /^dmesg-efi-/);
  t.same(
    namesOf(openBytes(efi, image)),
    old.map((name) => name.replace('-efi-', '-efi_pstore-')),
  );
  t.throws(() => openBytes(efi, image, { backend_name: 'other' }), { code: 'EINVAL' });
  t.end();
});

t.test('erasing a dump changes its state byte and nothing else, as the firmware does it', (t) => {
  const { params } = expectOf<Expectation>('efi-rm');
  const after = goldenImage('efi-rm');
  const before = goldenImage('efi-oops3');
  const image = before.slice();
  const backend = openBytes(efi, image);
  for (const name of params.removed!) {
    const slot = backend.find(name)!;
    const { offset } = backend.record(slot)!;
    const content = backend.open(slot);
    const text = contentBytes(content);
    backend.erase(slot);
    t.equal(backend.record(slot), undefined);
    t.same(contentBytes(content), text, 'who has it open reads on');
    backend.erase(slot);
    t.equal(image[offset + 2], 0x3d);
    t.same(
      image.subarray(offset, offset + 1200),
      after.subarray(offset, offset + 1200),
      `${name}: the firmware's bytes`,
    );
  }
  const changed = changedBytes(before, image);
  t.equal(changed.length, params.removed!.length);
  t.same(namesOf(openBytes(efi, image)), namesOf(openBytes(efi, after)));
  const states = [...openBytes(efi, after).info().zones].filter(({ state }) => state === 'erased');
  t.equal(states.length, 2, 'info knows the erased ones');
  t.end();
});

t.test('all dumps can be erased, each by one byte', (t) => {
  for (const folder of goldenFolders('efi')) {
    const before = goldenImage(folder);
    const image = before.slice();
    const backend = openBytes(efi, image);
    const records = recordsOf(backend);
    for (const { slot } of records) backend.erase(slot);
    t.same(namesOf(backend), [], folder);
    const changed = changedBytes(before, image);
    t.same(
      changed,
      records.map(({ offset }) => offset + 2).sort((a, b) => a - b),
    );
    t.ok(changed.every((at) => image[at] === (before[at]! & 0xfd)));
  }
  t.end();
});

t.test('joined dumps are the log, without gap or overlap', (t) => {
  const joined = (folder: string) => {
    const view = new JoinedView(openBytes(efi, goldenImage(folder)));
    return recordsOf(view).map((record) => ({ record, text: textOf(view, record.name) }));
  };
  const overlaps: (boolean | undefined)[] = [];
  for (const [folder, dumps] of [
    ['efi-oops3', ['Oops#1', 'Oops#2', 'Oops#3']],
    ['efi-multi', ['Panic#1']],
    ['efi-none', ['Oops#1', 'Panic#2']],
    ['efi-61', ['Panic#1']],
    ['efi-rec4096', ['Oops#1', 'Panic#2']],
  ] as const) {
    const found = joined(folder);
    t.same(
      found.map(({ record }) => `${record.reason}#${record.count}`),
      dumps,
      folder,
    );
    for (const { record, text } of found) {
      t.equal(record.size, text.length);
      t.notMatch(text, /Part[0-9]+\n|\[pstorefuse:/);
      t.ok(isInOrder(text), 'no line is out of order');
    }
    const texts = found.map(({ text }) => text);
    overlaps.push(...texts.slice(1).map((text, i) => goesOn(texts[i]!, text)));
  }
  t.notOk(overlaps.includes(false), 'a later dump has what stood at the end of the earlier one');
  t.ok(overlaps.filter((overlap) => overlap).length >= 2, 'and some do overlap');
  const [first] = joined('efi-rm');
  t.match(first?.text, /\[pstorefuse: part 4 is missing\]\n/);
  t.match(first?.text, /\[pstorefuse: part 1 is missing\]\n$/);
  t.equal(first?.record.name, 'dmesg-efi_pstore-164099520802001.joined');
  t.end();
});
