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
  ['Samsung', '[   37.991733]  [4:  system_server: 3344] a', [{ seconds: 37.991733, context: 'T3344', text: 'a' }]],
  ['Samsung, in an interrupt', '[   37.991733] I[4:  sh: 3344] a', [{ seconds: 37.991733, context: 'C4', text: 'a' }]],
  ['LG', '[    1.500000 / 01-02 03:04:05.678][2][1608][sh] a', [{ seconds: 1.5, context: 'T1608', text: 'a' }]],
  ['indented', '  [    1.500000 / 01-02 03:04:05.678] a', [{ seconds: 1.5, text: 'a' }]],
  ['Huawei', '[    1.500000] [pid:1608,cpu2,sh]a', [{ seconds: 1.5, context: 'T1608', text: 'a' }]],
  ['Sony', '[    1.500000] c2   1608 a', [{ seconds: 1.5, context: 'T1608', text: 'a' }]],
  ['Samsung, two sizes', '[    1.500000] L2   1608 a', [{ seconds: 1.5, context: 'T1608', text: 'a' }]],
  ['Amlogic', '[    1.500000@0] a', [{ seconds: 1.5, text: 'a' }]],
  ['journal, precise', 'Jan 02 03:04:05.678901 board kernel: a', [{ host: 'board', text: 'a' }]],
  ['journal without a host', 'Jan 02 03:04:05 kernel: a', [{ text: 'a' }]],
  ['journal in Polish', 'lis 02 03:04:05 board kernel: a', [{ host: 'board', text: 'a' }]],
  ['dmesg -T in Chinese', '[一 9月  9 03:04:05 2024] a', [{ text: 'a' }]],
  [
    'logread',
    'Tue Jan  2 03:04:05 2024 kern.warn kernel: [    1.500000] a',
    [{ wall: '2024-01-02T03:04:05', seconds: 1.5, text: 'a' }],
  ],
  ['logread without a time', 'kern.alert kernel: [    1.500000] a', [{ seconds: 1.5, text: 'a' }]],
  ['terminal', '[03:04:05.678] a', [{ text: 'a' }]],
  ['terminal with a day', '[2024/01/02, 03:04:05.678] a', [{ wall: '2024-01-02T03:04:05.678', text: 'a' }]],
  ['terminal that shows ends', '[    1.500000] a\u240d\u240a', [{ seconds: 1.5, text: 'a' }]],
  ['dmesg -H', '[Jan 2 03:04] a', [{ text: 'a' }]],
  ['dmesg -H, soon after', '[  +0.001234]  f+0x1/0x2', [{ text: ' f+0x1/0x2' }]],
  ['cat -n', '  123 [    1.500000] a', [{ seconds: 1.5, text: 'a' }]],
  ['grep -n', '123-Jan  2 03:04:05 board kernel: a', [{ host: 'board', text: 'a' }]],
  ['pager', '123   │ 4,5,1500000,-; f+0x1/0x2', [{ level: 4, seconds: 1.5, text: ' f+0x1/0x2' }]],
  ['quoted', '>> [    1.500000] a', [{ seconds: 1.5, text: 'a' }]],
  ['quoted code', '`[    1.500000] a', [{ seconds: 1.5, text: 'a' }]],
  ['quoted frame', '>  f+0x1/0x2', [{ text: ' f+0x1/0x2' }]],
  ['MediaTek', '[    1.500000] (2)[1608:sh]a', [{ seconds: 1.5, context: 'T1608', text: 'a' }]],
  [
    'MediaTek, with a file',
    '[    1.500000]  (2)[1608:sh][name:board&]a',
    [{ seconds: 1.5, context: 'T1608', text: 'a' }],
  ],
  ['HTC', '[    1.500000] (CPU:2-pid:1608:sh) a', [{ seconds: 1.5, context: 'T1608', text: 'a' }]],
  ['Huawei, with a unit', '[    1.500000s][2024:01:02 03:04:05][pid:1608,cpu2,sh]a', [{ context: 'T1608', text: 'a' }]],
  ['Samsung, a worker', '[   37.991733]  [2:    kworker/2:1: 3344] a', [{ context: 'T3344', text: 'a' }]],
  ['Marvell', '[    1.500000] c0 1 (swapper/0) a', [{ seconds: 1.5, context: 'T1', text: 'a' }]],
  ['rsyslog', 'Jan  2 03:04:05 board kernel: #012but task', [{ host: 'board', text: 'but task' }]],
  ['only a CPU', '<4>[    1.500000] c2 CPU2: stopping', [{ seconds: 1.5, context: 'C2', text: 'CPU2: stopping' }]],
  ['from memory', '    1.500000:   <6> (01-28 07:22:34.265420763) a', [{ seconds: 1.5, level: 6, text: 'a' }]],
  ['logcat in a bug report', '01-02 03:04:05.678  root     0     0 W         : a', [{ text: 'a' }]],
  ['netconsole with a release', '6.1.0-18-amd64,4,123,1500000,-;a', [{ level: 4, seconds: 1.5, text: 'a' }]],
  [
    'journal, full',
    'Tue 2024-01-02 03:04:05 CET board kernel: a',
    [{ wall: '2024-01-02T03:04:05', host: 'board', text: 'a' }],
  ],
  ['journal, in UTC', 'Tue 2024-01-02 03:04:05 UTC board kernel: a', [{ wall: '2024-01-02T03:04:05Z', text: 'a' }]],
  [
    'journal, unix',
    '1704164645.678901 board kernel: a',
    [{ wall: '2024-01-02T03:04:05.678Z', host: 'board', text: 'a' }],
  ],
  ['coloured', '\x1b[32m[    1.500000] \x1b[0m\x1b[33ma: \x1b[0mb', [{ seconds: 1.5, text: 'a: b' }]],
  ['from a web page', '[    1.500000] [&lt;c0008000&gt;] a &amp; b', [{ seconds: 1.5, text: '[<c0008000>] a & b' }]],
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
