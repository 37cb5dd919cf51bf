// Prefixes of kernel logs of all origins.

import t from 'tap';
import { type LogLine, MAX_LINE, parseLine } from '../../lib/triage/line.js';

const CASES: readonly (readonly [string, string, readonly LogLine[]])[] = [
  ['plain', 'Oops', [{ text: 'Oops' }]],
  ['console', '[    1.250000] a b', [{ seconds: 1.25, text: 'a b' }]],
  ['few digits', '<4>[ 1.5][ T12] a', [{ level: 4, seconds: 1.5, context: 'T12', text: 'a' }]],
  ['level and time', '<28>[    1.500000]  f+0x1/0x2', [{ level: 4, seconds: 1.5, text: ' f+0x1/0x2' }]],
  ['task', '[    1.500000][  T123] a', [{ seconds: 1.5, context: 'T123', text: 'a' }]],
  ['CPU', '[    1.500000] [   C1] a', [{ seconds: 1.5, context: 'C1', text: 'a' }]],
  ['kmsg', '4,123,1500000,-;a', [{ level: 4, seconds: 1.5, text: 'a' }]],
  ['dmesg -T', '[Tue Jan  2 03:04:05 2024] a', [{ wall: '2024-01-02T03:04:05', text: 'a' }]],
  ['dmesg -x', 'kern  :warn  : [    1.500000] a', [{ level: 4, seconds: 1.5, text: 'a' }]],
  ['syslog', 'Jan  2 03:04:05 board kernel: [    1.500000] a', [{ host: 'board', seconds: 1.5, text: 'a' }]],
  [
    'ISO syslog',
    '2024-01-02T03:04:05.678901+01:00 board kernel: a',
    [{ wall: '2024-01-02T03:04:05.678901+01:00', host: 'board', text: 'a' }],
  ],
  ['journal', 'Jan 02 03:04:05 board kernel: a', [{ host: 'board', text: 'a' }]],
  ['logcat', '01-02 03:04:05.678  1234  1234 W kernel  : a', [{ text: 'a' }]],
  [
    'Samsung',
    '[   37.991733]  [4:  system_server: 3344] a',
    [{ seconds: 37.991733, text: ' [4:  system_server: 3344] a' }],
  ],
  ['MediaTek', '[    1.500000] (2)[1608:sh]a', [{ seconds: 1.5, context: 'T1608', text: 'a' }]],
  ['two writers in a line', 'user text [    1.500000] a', [{ text: 'user text' }, { seconds: 1.5, text: 'a' }]],
  [
    'parts without a newline between them',
    '<6>[    1.000000] vwx<0>[    2.000000] a',
    [
      { level: 6, seconds: 1, text: 'vwx' },
      { level: 0, seconds: 2, text: 'a' },
    ],
  ],
];

t.test('prefixes are taken off and told', async (t) => {
  for (const [name, raw, lines] of CASES)
    t.match(
      parseLine(raw).map((line) => ({ ...line })),
      lines,
      name,
    );
});

t.test('a long line is cut', async (t) => {
  t.equal(parseLine('x'.repeat(3 * MAX_LINE))[0]!.text.length, MAX_LINE);
});
