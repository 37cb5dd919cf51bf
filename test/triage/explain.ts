// Crashes in logs: titles, functions, signatures, context. And texts that want to do harm.

import fc from 'fast-check';
import t from 'tap';
import { Explainer, explain, writer } from '../../lib/triage/explain.js';
import { s390 } from '../builders/kernel-log.js';
import * as logs from './logs.js';

const only = (log: string) => {
  const { crashes } = explain(log);
  t.equal(crashes.length, 1, `one crash in: ${log.slice(0, 60)}`);
  return crashes[0]!;
};

/** Log, title, kind, function, architecture. */
const TITLES: readonly (readonly [string, string, string, string | null])[] = [
  [logs.X86_OOPS, 'BUG: unable to handle kernel NULL pointer dereference in board_read', 'null-deref', 'x86-64'],
  [logs.ARM_OOPS, 'BUG: unable to handle kernel NULL pointer dereference in board_read', 'null-deref', 'arm'],
  [logs.ARM64_OOPS, 'BUG: unable to handle kernel paging request in board_read', 'page-fault', 'arm64'],
  [logs.MIPS_OOPS, 'BUG: unable to handle kernel paging request in board_read', 'null-deref', 'mips'],
  [logs.POWERPC_OOPS, 'BUG: unable to handle kernel NULL pointer dereference in board_read', 'null-deref', 'powerpc'],
  [logs.RISCV_OOPS, 'BUG: unable to handle kernel NULL pointer dereference in board_read', 'null-deref', 'riscv'],
  [logs.OLD_ARM_WARNING, 'WARNING in board_read', 'warning', 'arm'],
  [logs.KASAN, 'KASAN: slab-use-after-free Read in board_read', 'kasan', null],
  [logs.HUNG, 'INFO: task hung in board_ioctl', 'hung-task', null],
  [logs.SOFT_LOCKUP, 'BUG: soft lockup in board_ioctl', 'soft-lockup', 'x86-64'],
  [logs.DEADLOCK, 'possible deadlock in board_get', 'lockdep', null],
];

t.test('titles, kinds, functions', async (t) => {
  for (const [log, title, kind, architecture] of TITLES) {
    const crash = only(log);
    t.match({ title: crash.title, kind: crash.kind }, { title, kind });
    t.equal(crash.function, / in (\w+)$/.exec(title)![1], title);
    t.equal(crash.architecture, architecture, title);
  }
});

/** Openings that are all of a report, with their titles; numbers and addresses are taken out. */
const LINES: readonly (readonly [string, string])[] = [
  ['Kernel panic - not syncing: sysrq triggered crash', 'kernel panic: sysrq triggered crash'],
  [
    'Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)',
    'kernel panic: VFS: Unable to mount root fs',
  ],
  ['Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b', 'kernel panic: Attempted to kill init!'],
  ['Kernel panic - not syncing: board 7 lost link 0xdeadbeef', 'kernel panic: board NUM lost link ADDR'],
  [
    'Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: board_read+0x1/0x2',
    'kernel panic: stack is corrupted in board_read',
  ],
  [
    'unregister_netdevice: waiting for eth0 to become free. Usage count = 2',
    'unregister_netdevice: waiting for DEV to become free',
  ],
  ['WARNING: CPU: 3 PID: 1975 at fs/locks.c:241 locks_free+0x118/0x180()', 'WARNING in corrupted'],
  ['INFO: rcu_preempt self-detected stall on CPU', 'INFO: rcu detected stall in corrupted'],
];

t.test('crashes of one line', async (t) => {
  for (const [line, title] of LINES) t.equal(only(`[    1.000000] ${line}\n`).title, title, line);
});

t.test('what looks like a crash and is none', async (t) => {
  const lines = [
    'INFO: lockdep is turned off.',
    'INFO: NMI handler (perf) took too long to run: 2.277 msecs',
    'WARNING: /etc/ssh/moduli does not exist, using fixed modulus',
    'EXT4-fs (loop1): INFO: recovery required on readonly filesystem',
    'Command line: oops=panic panic_on_warn=1',
    'Oops: Total 1 times',
    'DEBUG: BUG: nothing',
  ];
  for (const line of lines) t.same(explain(`[    1.000000] ${line}\n`).crashes, [], line);
});

t.test('the facts around a crash', async (t) => {
  const log = `Linux version 6.1.192 (me@host) (x86_64-linux-gnu-gcc 12) #1 SMP\n[    1.000000] rtc_cmos 00:00: setting system clock to 2024-01-02T03:04:05 UTC (1704164645)\n${logs.X86_OOPS}`;
  const crash = only(log);
  t.match(crash, {
    kernel: '6.1.192',
    hardware: 'Acme Board/Rev 2, BIOS 1.0 01/01/2024',
    comm: 'sensor poll',
    pid: 30,
    cpu: 1,
    uptime: 9.790326,
    wall: '2024-01-02T03:04:13.790Z',
    modules: ['board', 'acme'],
    panicked: true,
    line: 3,
    verdict: 'ok',
  });
  t.equal(crash.taint!.flags, 'WO');
  t.match(crash.taint!.words, [/warning/, /outside the tree/]);
  t.same(
    crash.frames.slice(0, 3).map(({ name, module }) => [name, module]),
    [
      ['board_read', 'board'],
      ['board_work', 'board'],
      ['process_one_work', undefined],
    ],
    'without the frame that the unwinder doubts',
  );
});

t.test('where s390 branched last is no frame', async (t) => {
  const log = `Unable to handle kernel pointer dereference in virtual kernel address space\n${s390('board_read', ['board_poll']).join('\n')}\n`;
  t.same(
    only(log).frames.map(({ name }) => name),
    ['board_read', 'board_poll'],
  );
});

t.test('a task that is reported is not the one that reports', async (t) => {
  const other = '[  981.809030] CPU: 0 PID: 20 Comm: khungtaskd Not tainted 6.1.0 #1\n';
  t.match(only(logs.HUNG + other), { comm: 'poller', pid: 764, cpu: null });
});

/** Lines after an opening, and what they tell. */
const HEADERS: readonly (readonly [string, string, object])[] = [
  [
    'WARNING: CPU: 2 PID: 30 at board.c:1 board_read+0x1/0x2',
    'CPU: 2 PID: 30 Comm: poller Kdump: loaded Tainted: G        W IOE    --------- -  - 4.18.0-240.el8.x86_64 #1',
    {
      kernel: '4.18.0-240.el8.x86_64',
      comm: 'poller',
      pid: 30,
      cpu: 2,
      taint: { flags: 'WIOE' },
      architecture: 'x86-64',
    },
  ],
  [
    'Oops[#1]:',
    'CPU: 0 PID: 0 Comm:  Not tainted 3.18.29 #6',
    { kernel: '3.18.29', comm: null, pid: 0, cpu: 0, taint: { flags: '' } },
  ],
  [
    'Internal error: Oops: 5 [#1] PREEMPT SMP',
    'CPU: 1    Tainted: G        W   (3.4.113-arm #18)',
    { kernel: '3.4.113-arm', comm: null, cpu: 1, taint: { flags: 'W' }, architecture: 'arm' },
  ],
  [
    'BUG: unable to handle kernel NULL pointer dereference at virtual address 00000008',
    'EFLAGS: 00010202   (2.6.22-12-generic #1)',
    { kernel: '2.6.22-12-generic', comm: null, taint: null },
  ],
  [
    'BUG: unable to handle kernel NULL pointer dereference at 00000008',
    'Pid: 30, comm: poller Not tainted (2.6.38 #1)\nEIP: 0060:[<f8a1b2c3>] EFLAGS: 00010246 CPU: 3',
    { kernel: '2.6.38', comm: 'poller', pid: 30, cpu: 3 },
  ],
  [
    'BUG: unable to handle kernel NULL pointer dereference at 0000000000000008',
    'CPU 2 \nPid: 30, comm: poller Not tainted 3.9.3-x86_64 #1',
    { kernel: '3.9.3-x86_64', comm: 'poller', pid: 30, cpu: 2 },
  ],
  [
    'INFO: task poller:30 blocked for more than 120 seconds.',
    '      Tainted: P           ---------------    2.6.32-604.el6.x86_64 #1',
    { kernel: '2.6.32-604.el6.x86_64', comm: 'poller', pid: 30, cpu: null, taint: { flags: 'P' } },
  ],
  [
    'WARNING: possible circular locking dependency detected',
    '5.4.96-std #1 Tainted: G           OE    ',
    { kernel: '5.4.96-std', taint: { flags: 'OE' } },
  ],
  [
    'BUG: scheduling while atomic: swapper/1/0/0x00000002',
    'Modules linked in:',
    { comm: 'swapper/1', pid: 0, kernel: null },
  ],
  [
    'BUG: using smp_processor_id() in preemptible [00000000] code: kworker/1:2/30',
    'caller is board_read+0x1/0x2',
    { comm: 'kworker/1:2', pid: 30 },
  ],
  [
    'rcu: INFO: rcu_sched detected stalls on CPUs/tasks:',
    'task:poller          state:R  running task     stack:0     pid:30   ppid:1      flags:0x00000202',
    { comm: 'poller', pid: 30, cpu: null },
  ],
  [
    'INFO: rcu_sched self-detected stall on CPU { 1}  (t=65000 jiffies g=123 c=122 q=4)',
    'poller          R  running task        0    30      1 0x00000008',
    { comm: 'poller', pid: 30 },
  ],
  ['poller(30): Oops [#1]', 'TSTATE: 0000000080001606 TPC: 00000000004a1b2c', { architecture: 'sparc' }],
  ['Oops: 00000000', 'SR: 2000  SP: 0023df40  a2: 0024c000', { architecture: 'm68k' }],
  ['Kernel Fault: Code=15 (Data TLB miss fault) at addr 0', 'IASQ: 0000000000000000', { architecture: 'parisc' }],
];

t.test("the trace of the watchdog that panics is not the hung task's", async (t) => {
  const task =
    'INFO: task poller:30 blocked for more than 60 seconds.\npoller         D c04a09ff     0    30      2 0x00000000\n';
  const panic =
    'Kernel panic - not syncing: hung_task: blocked tasks\nCall Trace:\n panic+0x5b/0x160\n watchdog+0x1a1/0x1c8\n';
  t.match(only(task + panic), { title: 'INFO: task hung in corrupted', comm: 'poller', panicked: true });
});

/** What tells the kind, where the title does not. */
const KINDS: readonly (readonly [readonly string[], string])[] = [
  [['Kernel panic - not syncing: Hard LOCKUP'], 'hard-lockup'],
  [['Kernel panic - not syncing: softlockup: hung tasks'], 'soft-lockup'],
  [['Kernel panic - not syncing: hung_task: blocked tasks'], 'hung-task'],
  [['Kernel panic - not syncing: RCU Stall'], 'rcu-stall'],
  [['Kernel panic - not syncing: kasan.fault=panic set ...'], 'kasan'],
  [['Kernel panic - not syncing: panic_on_warn set ...'], 'panic'],
  [['Insufficient stack space to handle exception!'], 'stack-overflow'],
  [['Unable to handle kernel pointer dereference at virtual kernel address           (null)'], 'null-deref'],
  [['BUG: KASan: use after free in board_read+0x1/0x2 at addr ffff8801'], 'kasan'],
  [['Unable to handle kernel execute from non-executable memory at virtual address ffff800081234000'], 'page-fault'],
  [
    [
      'Unable to handle kernel pointer dereference in virtual kernel address space',
      'Failing address: 0000000000000000 TEID: 0000000000000483',
    ],
    'null-deref',
  ],
  [
    [
      'Unable to handle kernel pointer dereference in virtual kernel address space',
      'Failing address: 000000000133b000 TEID: 000000000133b407',
    ],
    'page-fault',
  ],
];

t.test('kinds', async (t) => {
  for (const [lines, kind] of KINDS) t.equal(only(`${lines.join('\n')}\n`).kind, kind, lines.join());
});

t.test('where two consoles write into one log, each line stands twice', async (t) => {
  const lines = logs.POWERPC_OOPS.trimEnd().split('\n');
  const crash = only(lines.flatMap((line) => [line, line]).join('\n'));
  t.equal(crash.title, 'BUG: unable to handle kernel NULL pointer dereference in board_read');
});

t.test('what names the kernel and the task', async (t) => {
  for (const [opening, line, facts] of HEADERS) t.match(only(`${opening}\n${line}\n`), facts, line);
});

t.test('sentences are no frames', async (t) => {
  const log = 'Internal error: Oops: 5 [#1] SMP ARM\n\nMessage from syslogd@board at Sep 17 13:56:02 ...\n';
  t.same(only(log).frames, []);
});

t.test('signatures', async (t) => {
  const signatures = TITLES.map(([log]) => only(log).signature);
  t.equal(only(logs.X86_OOPS_OTHER_BUILD).signature, signatures[0], 'another build');
  t.match(signatures[0], /^1:null-deref:[0-9a-f]{12}$/);
  const other = logs.X86_OOPS.replace('board_work.cold', 'board_irq');
  t.not(only(other).signature, signatures[0], 'another caller');
  t.equal(new Set(signatures).size, signatures.length, 'different crashes have different ones');
});

t.test('the crash that wrote a record', async (t) => {
  const panic = '[   20.000000] Kernel panic - not syncing: sysrq triggered crash\n';
  const after = '[   21.000000] WARNING: CPU: 0 PID: 1 at kernel/x.c:1 x+0x1/0x2\n';
  const explanation = explain(logs.KASAN + panic + after);
  t.equal(explanation.crashes.length, 3);
  t.equal(writer(explanation, 'Oops')?.kind, 'warning');
  t.equal(writer(explanation, 'Panic')?.kind, 'panic');
  t.equal(writer(explanation, 'Shutdown'), undefined);
  t.equal(explain(logs.KASAN + panic, { most: 1, first: true }).crashes[0]!.kind, 'kasan');
  t.match(explain(logs.KASAN + panic, { most: 1 }), { crashes: [{ kind: 'panic' }], skipped: 1 });
});

t.test('pieces may end anywhere', async (t) => {
  const whole = explain(logs.KASAN + logs.X86_OOPS);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 40 }), (lengths) => {
      const text = logs.KASAN + logs.X86_OOPS;
      const explainer = new Explainer();
      let from = 0;
      for (const length of lengths) {
        explainer.push(text.slice(from, from + length));
        from += length;
      }
      explainer.push(text.slice(from));
      t.same(explainer.end(), whole);
    }),
    { numRuns: 30 },
  );
});

t.test('verdicts', async (t) => {
  const record = { reason: 'Oops' };
  t.match(explain(`Panic#1 Part1\n${logs.KASAN}`, { record }), {
    verdict: 'doubtful',
    reasons: ["The header says Oops, the text's first line Panic."],
  });
  const back = `${logs.X86_OOPS}<4>[    1.000000] younger\n`;
  t.match(explain(back, { record }).reasons, [/^The time stamps go back in line 20, from 9\.820 s to 1\.000 s\.$/]);
  t.equal(explain(back).verdict, 'ok', 'a log that is no record may hold several boots');
  t.match(explain(`Oops#1 Part1\na\nOops#2 Part1\nb\n`, { record }).reasons, [
    /^Another dump begins in line 3: Oops#2 Part1\.$/,
  ]);
  t.match(explain('a\0\x01\x02b\n'.repeat(9)), { verdict: 'doubtful', reasons: [/such as no kernel log has/] });
  t.match(explain('', { record }), { verdict: 'partial', reasons: ['The text is empty.'] });
  const late = { reason: 'Oops', seconds: 2e9 };
  const clock = '[    1.000000] rtc: setting system clock to 2024-01-02T03:04:05 UTC (1704164645)\n';
  t.match(explain(clock + logs.X86_OOPS, { record: late }).reasons, [/^The record's header says 2033-05-18/]);
});

/** Words that openings, frames and prefixes are made of, and what breaks patterns. */
const WORDS = [
  ...[
    'BUG: KASAN: ',
    'WARNING: CPU: 0 PID: 1 at ',
    'INFO: task ',
    ' blocked for more than',
    'Kernel panic - not syncing: ',
  ],
  ...[
    '[',
    ']',
    '<',
    '>',
    '(',
    ')',
    ' ',
    '\n',
    '\t',
    '\0',
    '? ',
    '+0x1/0x2',
    'RIP: 0010:',
    ' from ',
    ' in ',
    'at: [<',
    '<4>',
  ],
  ...[
    '[    1.000000]',
    '[  T1]',
    'Panic#1 Part2\n',
    '::',
    '\u{1f4a9}',
    '\ud800',
    'x'.repeat(500),
    '1'.repeat(300),
    '='.repeat(70),
  ],
  ...[
    'Comm: ',
    'CPU: 0 PID: 1 Comm: ',
    'Tainted: G ',
    'Modules linked in:',
    'setting system clock to ',
    'audit(99999999999',
    'Oops[#1]',
  ],
];
const hostile = fc.array(fc.oneof(fc.constantFrom(...WORDS), fc.string({ maxLength: 20 })), { maxLength: 300 });

t.test('no text makes it throw, and titles stay short', async (t) => {
  fc.assert(
    fc.property(hostile, (words) => {
      for (const crash of explain(words.join('')).crashes) {
        t.ok(crash.title.length <= 120 && crash.title.length > 0);
        t.match(crash.signature, /^1:[a-z-]+:[0-9a-f]{12}$/);
      }
    }),
    { numRuns: 300 },
  );
});

t.test('long texts of one word end', async (t) => {
  for (const word of WORDS) {
    const text = word.repeat(Math.ceil(100_000 / word.length));
    t.ok(explain(text).crashes.length <= 64, JSON.stringify(word.slice(0, 30)));
    explain(`[    1.000000] BUG: KASAN: ${text}`);
  }
});

t.test('memory is bounded: of many crashes the last ones are kept', async (t) => {
  const log = Array.from({ length: 5000 }, (_, i) => `[${i}.000000] Kernel panic - not syncing: again\n`).join('');
  t.match(explain(log, { most: 10 }), { crashes: { length: 10 }, skipped: 4990, lines: 5000 });
});
