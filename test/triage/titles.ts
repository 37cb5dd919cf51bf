// Titles of reports that the rules were not made from: all kinds, all architectures, all prefixes of lines.

import t from 'tap';
import { explain } from '../../lib/triage/explain.js';
import { ALL, FAMILIES } from '../builders/crashes/all.js';
import { NONE } from '../builders/crashes/warnings.js';
import { dressed, interleaved, STYLES, type Style } from '../builders/kernel-log.js';

const styles = Object.keys(STYLES) as Style[];
const titles = (log: string) => explain(log).crashes.map(({ title }) => title);

for (const [family, cases] of Object.entries(FAMILIES)) {
  t.test(`${family}, with each prefix`, async (t) => {
    for (const [title, lines] of cases) {
      for (const style of styles) t.same(titles(dressed(lines, style)), [title], `${style}: ${lines[0]}`);
    }
  });
}

t.test('lines of another CPU in between', async (t) => {
  const others = [
    'usb 1-1: new device',
    ' other_one+0x1/0x2',
    'Call Trace:',
    ' other_two+0x1/0x2',
    'RIP: 0010:other+0x1/0x2',
  ];
  for (const [title, lines] of ALL) t.same(titles(interleaved(lines, others)), [title], title);
});

t.test('a log of a good day before and after', async (t) => {
  for (const [title, lines] of ALL) {
    t.same(titles(dressed([...NONE, ...lines, 'usb 1-1: new device'], 'stamped')), [title], title);
  }
});

t.test('a record that begins in the middle of a line of another report', async (t) => {
  const rest = [
    'e_one+0x1/0x2',
    ' before_two+0x1/0x2',
    'RSP: 0018:ffffc9000124dab0 EFLAGS: 00010246',
    '---[ end trace 0 ]---',
  ];
  for (const [title, lines] of ALL) t.same(titles(`${rest.join('\n')}\n${dressed(lines, 'record')}`), [title], title);
});

t.test('cut anywhere: at most a function is missing, and nothing is made up', async (t) => {
  for (const [title, lines] of ALL) {
    const known = new Set(
      lines.flatMap((line) => line.match(/[a-zA-Z_][\w.]*/g) ?? []).map((word) => word.replace(/\.isra.*/, '')),
    );
    for (let end = 1; end < lines.length; end += 3) {
      for (const crash of explain(dressed(lines.slice(0, end), 'stamped')).crashes) {
        const name = crash.function;
        t.ok(name === null || name === 'corrupted' || known.has(name) || title.includes(name), `${title}: ${name}`);
      }
    }
  }
});

t.test('good days', async (t) => {
  for (const line of NONE) for (const style of styles) t.same(titles(dressed([line], style)), [], `${style}: ${line}`);
});

t.test('a trace of a failure that was injected is not the crash', async (t) => {
  const foreign = [
    'CPU: 0 PID: 99 Comm: other Not tainted 6.1.192 #1',
    'Call Trace:',
    ' dump_stack+0x1/0x2',
    ' should_fail+0x1/0x2',
    ' should_failslab+0x1/0x2',
    ' __kmalloc+0x1/0x2',
    ' other_alloc+0x1/0x2',
  ];
  const log = (then: readonly string[]) =>
    dressed(['BUG: scheduling while atomic: poller/30/0x00000002', ...foreign, ...then], 'stamped');
  t.same(titles(log([])), ['BUG: scheduling while atomic in corrupted']);
  const own = [
    'CPU: 1 PID: 30 Comm: poller Not tainted 6.1.192 #1',
    'Call Trace:',
    ' __schedule_bug+0x1/0x2',
    ' board_read+0x1/0x2',
  ];
  t.same(titles(log(own)), ['BUG: scheduling while atomic in board_read']);
});
