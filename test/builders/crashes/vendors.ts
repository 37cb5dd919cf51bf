// What older kernels, distributions, vendors and rarer architectures print.

import * as log from '../kernel-log.js';
import type { Case } from './faults.js';

const CUT = '------------[ cut here ]------------';
const BUILD = '/build/linux-hwe-abcdef/linux-hwe-4.15.0';
const CALLERS = ['board_poll', 'vfs_write', 'ksys_write', 'do_syscall_64'];

/** Distributions built in a folder whose name their kernels told. */
const BUILT_ELSEWHERE: readonly Case[] = [
  [
    'WARNING: refcount bug in board_read',
    [
      CUT,
      `WARNING: CPU: 1 PID: 30 at ${BUILD}/lib/refcount.c:187 refcount_sub_and_test+0x2c/0x1a0`,
      ...log.x86('refcount_sub_and_test', ['refcount_dec_and_test', 'board_read', ...CALLERS], '4.15.0'),
    ],
  ],
  [
    'BUG: corrupted list in board_read',
    [
      'list_del corruption, ffff8880->next is LIST_POISON1 (dead000000000100)',
      CUT,
      `kernel BUG at ${BUILD}/lib/list_debug.c:47!`,
      'invalid opcode: 0000 [#1] SMP PTI',
      ...log.x86('__list_del_entry_valid', ['board_read', ...CALLERS], '4.15.0'),
    ],
  ],
  [
    'BUG: bad usercopy in board_read',
    [
      `kernel BUG at ${BUILD}/mm/usercopy.c:72!`,
      'invalid opcode: 0000 [#1] SMP PTI',
      ...log.x86('usercopy_abort', ['__check_object_size', 'board_read', ...CALLERS], '4.15.0'),
    ],
  ],
  [
    'BUG: hard lockup in board_spin',
    [
      CUT,
      'WARNING: CPU: 1 PID: 0 at /build/linux-abcdef/linux-3.16.7/kernel/watchdog.c:265 watchdog_overflow_callback+0x98/0xc0()',
      'Watchdog detected hard LOCKUP on cpu 1',
      log.cpu('3.16.0'),
      'Call Trace:',
      ' <NMI>  [<ffffffff81001000>] dump_stack+0x2c/0x1a0',
      ' [<ffffffff81001010>] warn_slowpath_fmt+0x2c/0x1a0',
      ' [<ffffffff81001020>] watchdog_overflow_callback+0x2c/0x1a0',
      ' [<ffffffff81001030>] do_nmi+0x2c/0x1a0',
      ' [<ffffffff81001040>] end_repeat_nmi+0x2c/0x1a0',
      ' <<EOE>>  [<ffffffff81001050>] board_spin+0x2c/0x1a0',
      ' [<ffffffff81001060>] board_poll+0x2c/0x1a0',
    ],
  ],
];

/** A BUG() of arm before Linux 3.7 writes to address 0. */
const BUGS: readonly Case[] = [
  [
    'kernel BUG in board_read',
    [
      'kernel BUG at drivers/board.c:18!',
      'Unable to handle kernel NULL pointer dereference at virtual address 00000000',
      ...log.oldArm('__bug', ['board_read', 'board_poll', 'vfs_write'], 'Oops: 817'),
    ],
  ],
  [
    'kernel BUG in board_read',
    [
      'BUG: failure at drivers/board.c:18/board_read()!',
      'Kernel panic - not syncing: BUG!',
      ...log.trace(['dump_stack', 'panic', 'board_read', ...CALLERS]),
    ],
  ],
  [
    'BUG: spinlock lockup in board_read',
    [
      'BUG: spinlock lockup on CPU#1, poller/30, c0123456',
      '[<c0015a48>] (unwind_backtrace+0x0/0xf8) from [<c0234567>] (do_raw_spin_lock+0x128/0x158)',
      '[<c0234567>] (do_raw_spin_lock+0x128/0x158) from [<c0434567>] (_raw_spin_lock_irqsave+0x28/0x58)',
      '[<c0434567>] (_raw_spin_lock_irqsave+0x28/0x58) from [<c0334567>] (board_read+0x28/0x58)',
    ],
  ],
  [
    'kernel BUG in board_read',
    [
      'XFS: Assertion failed: board->lost == 0, file: fs/xfs/xfs_board.c, line: 18',
      'kernel BUG at fs/xfs/xfs_message.c:102!',
      'invalid opcode: 0000 [#1] PREEMPT SMP',
      ...log.x86('assfail', ['board_read', ...CALLERS]),
    ],
  ],
  [
    'BUG: Bad page state in board_shrink',
    [
      'BUG: Bad page state in process poller  pfn:1a2b3c',
      log.cpu('4.4.302'),
      ...log.addressed([
        'dump_stack',
        'bad_page',
        'free_pages_prepare',
        'free_hot_cold_page',
        'free_hot_cold_page_list',
      ]),
      ...log.addressed(['board_shrink', 'kswapd']).slice(1),
    ],
  ],
];

const FAULTS: readonly Case[] = [
  ['Oops in board_read', log.mips('board_read', ['board_poll'], 'do_cpu invoked from kernel context![#1]:')],
  ['Oops in board_read', log.mips('board_read', ['board_poll'], 'Break instruction in kernel code[#1]:')],
  ['Oops in board_read', log.s390('board_read', ['board_poll'], 'illegal operation: 0001 ilc:1 [#1] SMP').slice(3)],
  [
    'Oops in board_read',
    log.s390('board_read', ['board_poll'], 'Low-address protection: 0004 ilc:2 [#1] SMP').slice(3),
  ],
  ['Oops in board_read', log.s390('board_read', ['board_poll'], 'execute exception: 0003 ilc:2 [#1] SMP').slice(3)],
  ['PANIC: double fault in board_read', ['double fault: 0000 [#1] SMP', ...log.oldX86('board_read', CALLERS)]],
  [
    // The first frame is the link register's, and powerpc doubts it.
    'BUG: unable to handle kernel paging request in board_read',
    [
      'BUG: Unable to handle kernel instruction fetch (NULL pointer?)',
      ...log
        .powerpc('board_read', ['board_read', 'board_poll', 'vfs_write'])
        .map((line) => line.replace(/^NIP \[.*/, 'NIP [0000000000000000] 0x0')),
    ],
  ],
];

/** The panic that follows from a fault is no crash of its own. */
const CONSEQUENCES: readonly Case[] = [
  [
    'Internal error in board_read',
    [
      ...log.arm64('board_read', ['board_poll'], 'synchronous external abort: 0000000096000410').slice(6),
      'Kernel panic - not syncing: synchronous external abort: Fatal exception in interrupt',
    ],
  ],
  [
    'general protection fault in board_read',
    [
      'general protection fault: 0000 [#1] SMP PTI',
      ...log.x86('board_read', CALLERS),
      'Kernel panic - not syncing: Attempted to kill the idle task!',
    ],
  ],
  [
    'divide error in board_read',
    [
      'Division by zero in kernel.',
      log.cpu(),
      '[<c0015a48>] (unwind_backtrace) from [<c0234567>] (show_stack+0x10/0x14)',
      '[<c0234567>] (show_stack) from [<c0434567>] (dump_stack+0x80/0x94)',
      '[<c0434567>] (dump_stack) from [<c0534567>] (Ldiv0_64+0x8/0x18)',
      '[<c0534567>] (Ldiv0_64) from [<c0334567>] (board_read+0x28/0x58)',
    ],
  ],
];

/** What powerpc's monitor of crashes shows. */
const monitor = (pc: string, vector: string): string[] => [
  `cpu 0x4: Vector: ${vector} at [c000000000737aa0]`,
  `    pc: c0000000004f2940: ${pc}+0x2c/0x1a0`,
  '    lr: c0000000000a47a0: board_poll+0x2c/0x1a0',
  '    sp: c000000000737d20',
  '    pid   = 30, comm = poller',
  '4:mon> t',
  '[c000001c9d98bc20] c0000000003914d4 board_read+0x2c/0x1a0',
  '[c000001c9d98bcc0] c00000000010f0ec board_poll+0x2c/0x1a0',
];

const MONITOR: readonly Case[] = [
  [
    'BUG: unable to handle kernel paging request in board_read',
    [
      'Unable to handle kernel paging request for data at address 0x6655f67da816cdb8',
      'Faulting instruction address: 0xc000000000391600',
      ...monitor('kmem_cache_alloc', '380 (Data Access Out of Range)'),
    ],
  ],
  ['Oops in board_read', monitor('.board_read', '100 (System Reset)')],
];

/** Web pages take the addresses for tags. */
const withoutTags = (lines: readonly string[]) => lines.map((line) => line.replace(/<[\da-f]{8,16}>/g, ''));

const PASTED: readonly Case[] = [
  [
    'BUG: unable to handle kernel NULL pointer dereference in board_read',
    [
      'BUG: unable to handle kernel NULL pointer dereference at 0000000000000010',
      ...withoutTags(log.oldX86('__list_add', ['board_read', ...CALLERS])),
    ],
  ],
  [
    'WARNING in board_read',
    withoutTags([
      'WARNING: at drivers/board.c:18 board_read+0x2c/0x1a0()',
      ...log.addressed(['warn_slowpath_null', 'board_read']),
    ]),
  ],
];

/** riscv writes the second line with a capital letter. */
const PANICS: readonly Case[] = [
  [
    'kernel panic: kernel stack overflow',
    [
      'Insufficient stack space to handle exception!',
      'Task stack:     [0xff20000010098000..0xff2000001009c000]',
      log.cpu('6.4.0'),
      'epc : board_read+0x2c/0x1a0',
      ' ra : board_read+0x38/0x1a0',
      'Kernel panic - not syncing: Kernel stack overflow',
      ...log.trace(['dump_backtrace', 'panic', 'handle_bad_stack']),
    ],
  ],
  [
    'CFI failure in board_read',
    [
      'Kernel panic - not syncing: CFI failure (target: 0x0)',
      log.cpu('5.4.242'),
      'Call trace:',
      ' panic+0x194/0x3f4',
      ' __ubsan_handle_cfi_check_fail_abort+0x0/0x14',
      // The call in front does not return: this is the function behind it in memory.
      ' behind_it+0x0/0xcc',
      ' board_read+0x2c/0x1a0',
    ],
  ],
  [
    'BUG: watchdog bark',
    ['msm_watchdog 17817000.qcom,wdt: Watchdog bark! Now = 1180.114793', 'Causing a watchdog bite!'],
  ],
  [
    'PANIC: early exception in board_read',
    [
      'PANIC: early exception 0x0e IP 10:ffffffff81001234 error 0 cr2 0xffff8880',
      log.cpu(),
      'RIP: 0010:board_read+0x2c/0x1a0',
    ],
  ],
  [
    'kernel BUG in board_read',
    [
      'VERIFY3(board_lock(bp) == 0) failed (-16 == 0)',
      'PANIC at zfs_board.c:620:board_read()',
      log.cpu(),
      ...log.trace(['dump_stack', 'spl_dumpstack', 'spl_panic', 'board_read', 'board_poll']),
    ],
  ],
  ['kernel panic: kasan.fault=panic set', ['Kernel panic - not syncing: kasan.fault=panic set ...']],
  [
    'BUG: watchdog bark',
    [
      'Watchdog bark! Now = 1180.114793',
      'Watchdog last pet at 1169.111930',
      'cpu alive mask from last pet 0-2',
      'Causing a watchdog bite!',
    ],
  ],
];

/** A page fault is no crash when a task waits in it; what writes back is no access to a register. */
const STILL: readonly Case[] = [
  ['do_page_fault', ['rwsem_down_read_failed', 'down_read', 'do_page_fault', 'do_DataAbort', '__dabt_usr']],
  [
    'board_commit',
    ['schedule_timeout', '__switch_to_asm', 'ktime_get', 'wake_atomic_t_function', 'board_commit', 'board_x'],
  ],
  ['__writeback_inodes_sb_nr', ['wb_wait_for_completion', '__writeback_inodes_sb_nr', 'writeback_inodes_sb']],
].map(
  ([name, frames]): Case => [
    `INFO: task hung in ${name as string}`,
    [
      'INFO: task poller:30 blocked for more than 120 seconds.',
      'poller          D    0    30      1 0x00000000',
      ...['__schedule', 'schedule', ...(frames as string[])].slice(0, -1).map((f, i) => {
        const caller = ['schedule', ...(frames as string[])][i]!;
        return `[<8079ef70>] (${f}) from [<8079f5d8>] (${caller}+0x2c/0x1a0)`;
      }),
    ],
  ],
);

/** Stalls whose trace begins with what runs: in an interrupt itself, or behind that of powerpc. */
const STALLS: readonly Case[] = [
  [
    'INFO: rcu detected stall in board_softirq',
    [
      'rcu: INFO: rcu_sched self-detected stall on CPU',
      log.cpu('6.12.0'),
      'pc : board_softirq+0x2c/0x1a0',
      'lr : board_softirq+0x1c/0x1a0',
      'Call trace:',
      ...['board_softirq+0x2c/0x1a0 (P)', '__do_softirq+0x1c/0x28', 'irq_exit_rcu+0x18/0x30'].map((f) => ` ${f}`),
      ...['el1_interrupt+0x48/0x98', 'el1h_64_irq+0x84/0x88', 'board_user+0x40/0x1b8 (P)'].map((f) => ` ${f}`),
    ],
  ],
  [
    // A processor that does not answer: its stack is read from outside.
    'INFO: rcu detected stall in board_merge',
    [
      'rcu: INFO: rcu_sched detected stalls on CPUs/tasks:',
      "CPU 40 didn't respond to backtrace IPI, inspecting paca.",
      'Back trace of paca->saved_r1 (0xc000000012973380) (possibly stale):',
      'Call Trace:',
      '[c000000012973380] [c0000000129733e0] 0xc0000000129733e0 (unreliable)',
      '[c000000012973420] [c000000000933008] board_merge+0x78/0x110',
      '[c000000012973460] [c0000000008d7470] board_poll+0x90/0xb0',
    ],
  ],
  [
    'INFO: rcu detected stall in board_idle',
    [
      'INFO: rcu_sched self-detected stall on CPU',
      'Task dump for CPU 1:',
      'Call Trace:',
      ...['sched_show_task', 'rcu_dump_cpu_stacks', 'update_process_times', 'hrtimer_interrupt', 'timer_interrupt'].map(
        (f) => `[c000000ffa25f600] [c0000000000a2330] ${f}+0x2c/0x1a0`,
      ),
      '[c000000ffa25fae0] [c000000000009008] decrementer_common+0x128/0x130',
      '--- interrupt: 901 at .L144+0x0/0x4',
      '    LR = arch_local_irq_restore+0x5c/0x80',
      '[c000000ffa25fdd0] [0000000000000000]           (null) (unreliable)',
      '[c000000ffa25fdf0] [c00000000050a53c] board_idle+0x2c/0x1a0',
    ],
  ],
];

export const VENDORS: readonly Case[] = [
  ...BUILT_ELSEWHERE,
  ...BUGS,
  ...FAULTS,
  ...PANICS,
  ...STILL,
  ...STALLS,
  ...MONITOR,
  ...PASTED,
  ...CONSEQUENCES,
];
