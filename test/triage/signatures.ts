// Signatures: equal for the same crash of other builds, boots and logs, and never equal for two crashes.

import { existsSync, readdirSync } from 'node:fs';
import t from 'tap';
import { open } from '../../lib/core.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import type { Crash } from '../../lib/triage/crash.js';
import { explain } from '../../lib/triage/explain.js';
import { explainRecords } from '../../lib/triage/explained.js';
import { ALL } from '../builders/crashes/all.js';
import { dressed, STYLES, type Style } from '../builders/kernel-log.js';
import { golden, goldenImage } from '../fixture-path.js';

/** x86 before Linux 4.11 tells the instruction pointer again at the end. */
const X86_OLD = `BUG: unable to handle kernel NULL pointer dereference at 0000000000000010
IP: [<ffffffffa0001234>] board_read+0x10/0x20 [board]
RIP: 0010:[<ffffffffa0001234>]  [<ffffffffa0001234>] board_read+0x10/0x20 [board]
Call Trace:
 [<ffffffffa0001334>] board_poll+0x10/0x20 [board]
RIP  [<ffffffffa0001234>] board_read+0x10/0x20 [board]
 RSP <ffff880000001234>`;

const only = (log: string): Crash => explain(log).crashes[0]!;

t.test('no two titles share a signature', async (t) => {
  const titles = new Map<string, string>();
  for (const [, lines] of ALL) {
    const { signature, title } = only(dressed(lines, 'stamped'));
    t.equal(titles.get(signature) ?? title, title, signature);
    titles.set(signature, title);
  }
});

t.test('the same text with other prefixes', async (t) => {
  for (const [title, lines] of ALL) {
    const signatures = (Object.keys(STYLES) as Style[]).map((style) => only(dressed(lines, style)).signature);
    t.equal(new Set(signatures).size, 1, title);
  }
});

/** Another build and boot: offsets, addresses, release, processor, task. What the compiler adds to names, too. */
const rebuilt = (line: string): string =>
  line
    .replace(/\+0x2c\/0x1a0/g, '+0x38/0x1c4')
    .replace(
      /\b(ffffffff81|c0|80)([\da-f]{6})\b/g,
      (_, high: string, low: string) => `${high}${low.replace(/1/g, '7')}`,
    )
    .replace(/\bvfs_write\b/g, 'vfs_write.constprop.0')
    .replace(/\b6\.1\.192\b/g, '6.1.201-rt')
    .replace(/\bCPU: 1\b/g, 'CPU: 6')
    .replace(/\bPID: 30\b/g, 'PID: 4711');

t.test('another build, boot, processor and task', async (t) => {
  for (const [title, lines] of ALL) {
    const other = only(dressed(lines.map(rebuilt), 'stamped'));
    t.equal(other.signature, only(dressed(lines, 'stamped')).signature, title);
  }
});

t.test('panics of watchdogs differ by what ran', async (t) => {
  const watchdog = ['panic', 'watchdog_overflow_callback', 'perf_event_nmi_handler', 'do_nmi', 'end_repeat_nmi'];
  const log = (name: string) => [
    'Kernel panic - not syncing: Hard LOCKUP',
    'Call Trace:',
    ...[...watchdog, name].map((f) => ` ${f}+0x1/0x2`),
  ];
  const [one, other] = ['board_spin', 'disk_spin'].map((name) => only(`${log(name).join('\n')}\n`));
  t.match([one, other], [{ function: 'board_spin' }, { function: 'disk_spin' }]);
  t.not(one!.signature, other!.signature);
});

t.test('a kernel without symbols: places within pages tell its crashes apart', async (t) => {
  const log = (base: string, ...places: readonly string[]) =>
    [
      'Unable to handle kernel paging request at virtual address 0000000096000004',
      'Internal error: Oops: 0000000096000004 [#1] SMP',
      `pc : 0x${base}${places[0]}`,
      'Call trace:',
      ...places.map((place) => ` 0x${base}${place}`),
    ].join('\n');
  const signature = only(log('ffffffc00818f', 'f8c', 'e2c', '214')).signature;
  t.equal(only(log('ffffffd7a441c', 'f8c', 'e2c', '214')).signature, signature, 'loaded elsewhere');
  t.not(only(log('ffffffc00818f', 'f8c', 'e2c', '560')).signature, signature);
});

t.test('a text that is cut behind the trace', async (t) => {
  const lines = X86_OLD.split('\n');
  t.equal(only(lines.slice(0, -2).join('\n')).signature, only(X86_OLD).signature);
  t.equal(only(X86_OLD).frames.length, 2, 'the instruction pointer once, and its caller');
});

t.test('images of real kernels: one signature for a crash on one architecture', async (t) => {
  const seen = new Map<string, Set<string>>();
  const titles = new Map<string, Set<string>>();
  let crashes = 0;
  for (const folder of readdirSync(golden()).filter((name) => existsSync(golden(name, 'image.raw.gz')))) {
    const store = open(new MemoryStorage(goldenImage(folder), { path: folder }), { name: folder });
    const records = [...store].map((record) => ({ mounted: { backend: store.backend, label: folder }, record }));
    for (const { explanation } of explainRecords(records, {})) {
      for (const { title, kind, architecture, signature, verdict, frames } of explanation.crashes) {
        titles.set(signature, (titles.get(signature) ?? new Set()).add(title));
        // A dump whose parts are missing has fewer frames than the crash had, and a panic may be shown without any.
        if (verdict === 'partial' || (kind === 'panic' && frames.length === 0)) continue;
        const crash = `${title} on ${architecture}`;
        seen.set(crash, (seen.get(crash) ?? new Set()).add(signature));
        crashes++;
      }
    }
  }
  t.ok(crashes > 50 && seen.size >= 5, `${crashes} crashes of ${seen.size} kinds`);
  for (const [crash, signatures] of seen) t.equal(signatures.size, 1, crash);
  for (const [signature, all] of titles) t.equal(all.size, 1, signature);
});
