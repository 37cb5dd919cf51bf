// What stands still: hung tasks, stalls and lockups of x86-64.

import * as log from '../kernel-log.js';
import type { Case } from './faults.js';

const CALLERS = ['vfs_write', 'ksys_write', 'do_syscall_64', 'entry_SYSCALL_64_after_hwframe'];

const hung = (frames: readonly string[]): string[] => [
  'INFO: task poller:30 blocked for more than 143 seconds.',
  '      Not tainted 6.1.192 #1',
  '"echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.',
  'task:poller          state:D stack:26328 pid:30    ppid:2      flags:0x00004000',
  ...log.trace(['__schedule', 'schedule', ...frames]),
];

const stall = (first: string, frames: readonly string[]): string[] => [
  first,
  'rcu: \t1-...!: (1 GPs behind) idle=b4f/1/0x4000000000000000 softirq=12345/12346 fqs=0 ',
  '\t(t=10502 jiffies g=17289 q=1002)',
  'NMI backtrace for cpu 1',
  log.cpu(),
  'Hardware name: Acme Board/Rev 2, BIOS 1.0 01/01/2024',
  'Call Trace:',
  ' <IRQ>',
  ...[
    'dump_stack_lvl',
    'nmi_cpu_backtrace',
    'nmi_trigger_cpumask_backtrace',
    'rcu_dump_cpu_stacks',
    'rcu_sched_clock_irq',
    'update_process_times',
    'tick_sched_timer',
    '__hrtimer_run_queues',
    'hrtimer_interrupt',
    '__sysvec_apic_timer_interrupt',
    'sysvec_apic_timer_interrupt',
  ].map((f) => ` ${f}+0x2c/0x1a0`),
  ' </IRQ>',
  ' <TASK>',
  ' asm_sysvec_apic_timer_interrupt+0x1a/0x20',
  `RIP: 0010:${frames[0]}+0x2c/0x1a0`,
  'RSP: 0018:ffffc9000124dab0 EFLAGS: 00010246',
  ...frames.slice(1).map((f) => ` ${f}+0x2c/0x1a0`),
  ' </TASK>',
];

/** Functions that one waits in, which are the task's own: only what they call is for everybody. */
const WAITED: readonly (readonly [string, readonly string[]])[] = [
  ['blk_mq_get_tag', ['io_schedule', 'blk_mq_get_tag', '__blk_mq_alloc_requests', 'board_read']],
  ['blk_queue_enter', ['blk_queue_enter', 'submit_bio_noacct', 'board_read']],
  ['lock_mount', ['rwsem_down_write_slowpath', '__down_write_common', 'down_write', 'lock_mount', 'path_mount']],
  ['freeze_super', ['percpu_down_write', 'freeze_super', 'bdev_freeze']],
  ['blk_execute_rq', ['io_schedule_timeout', 'wait_for_completion_io_timeout', 'blk_execute_rq', 'board_read']],
  ['board_read', ['usleep_range_state', 'board_read', 'board_poll']],
  ['synchronize_rcu', ['wait_for_completion_state', '__wait_rcu_gp', 'synchronize_rcu_normal', 'board_read']],
];

export const STILL: readonly Case[] = [
  ...WAITED.map(([name, frames]): Case => [`INFO: task hung in ${name}`, hung(frames)]),
  [
    'INFO: rcu detected stall in board_timer',
    // The timers that run outside of interrupts.
    stall('rcu: INFO: rcu_preempt self-detected stall on CPU', [
      'board_read',
      'board_timer',
      '__hrtimer_run_queues',
      'hrtimer_run_softirq',
      'handle_softirqs',
      'run_ksoftirqd',
      'smpboot_thread_fn',
      'kthread',
    ]),
  ],
  [
    'INFO: rcu detected stall in board_loop',
    stall('rcu: INFO: rcu_preempt self-detected stall on CPU', [
      'board_read',
      'board_loop',
      'kthread',
      'ret_from_fork',
    ]),
  ],
  [
    'INFO: rcu detected stall in board_ioctl',
    // Another CPU is shown in the middle of an interrupt: what it interrupted keeps the CPU.
    [
      'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:',
      'rcu: \t0-...!: (1 GPs behind) idle=a3e/1/0x4000000000000002 softirq=12345/12346 fqs=0 ',
      '\t(detected by 1, t=10586 jiffies, g=559657, q=0)',
      'Sending NMI from CPU 1 to CPUs 0:',
      'NMI backtrace for cpu 0',
      log.cpu(),
      'RIP: 0010:board_print+0x2c/0x1a0',
      'RSP: 0018:ffffc9000124dab0 EFLAGS: 00010246',
      'Call Trace:',
      ' <IRQ>',
      ...['board_warn', 'board_announce', 'call_timer_fn', 'run_timer_softirq', '__do_softirq', 'irq_exit'].map(
        (f) => ` ${f}+0x2c/0x1a0`,
      ),
      ' smp_apic_timer_interrupt+0x2c/0x1a0',
      ' apic_timer_interrupt+0xf/0x20',
      ' </IRQ>',
      'RIP: 0010:board_read+0x2c/0x1a0',
      ...['board_ioctl', 'do_vfs_ioctl', 'ksys_ioctl', 'do_syscall_64'].map((f) => ` ${f}+0x2c/0x1a0`),
    ],
  ],
  [
    'INFO: task hung in board_sync',
    // Old kernels without frame pointers doubt every frame; pointers to functions lie between them.
    [
      'INFO: task poller:30 blocked for more than 120 seconds.',
      '      Tainted: P          IO   3.17.7 #1',
      'poller        D 0000000000000004     0    30      2 0x00000000',
      'Call Trace:',
      ' [<ffffffff81001000>] ? io_schedule+0x5b/0x74',
      ' [<ffffffff81001100>] ? board_wait_common+0xa7/0x103 [board]',
      ' [<ffffffff81001200>] ? board_wake+0x22/0x22',
      ' [<ffffffff81001300>] ? board_sync+0x116/0x15f [board]',
    ],
  ],
  ['INFO: task hung in board_read', hung(['schedule_preempt_disabled', '__mutex_lock', 'board_read', ...CALLERS])],
  [
    'INFO: task hung in board_read',
    hung(['schedule_timeout', '__wait_for_common', 'wait_for_completion', 'board_read', ...CALLERS]),
  ],
  // What is shut down is not what a semaphore's down() waits for.
  [
    'INFO: task hung in board_shutdown',
    hung(['rwsem_down_write_slowpath', 'down_write', 'board_shutdown', ...CALLERS]),
  ],
  ['INFO: task hung in board_read', hung(['rwsem_down_write_slowpath', 'down_write', 'board_read', ...CALLERS])],
  [
    'INFO: task hung in board_read',
    hung(['io_schedule', 'folio_wait_bit_common', '__folio_lock', 'board_read', ...CALLERS]),
  ],
  [
    'INFO: task hung in rtnl_lock',
    hung(['schedule_preempt_disabled', '__mutex_lock', 'rtnl_lock', 'board_read', ...CALLERS]),
  ],
  [
    'INFO: task hung in synchronize_rcu',
    hung([
      'schedule_timeout',
      'wait_for_completion',
      '__wait_rcu_gp',
      'synchronize_rcu',
      'synchronize_net',
      'board_read',
      ...CALLERS,
    ]),
  ],
  [
    'INFO: task hung in synchronize_rcu',
    hung([
      'schedule_timeout',
      '__wait_for_common',
      'wait_for_completion_state',
      '__wait_rcu_gp',
      'synchronize_rcu_normal',
      'board_read',
      ...CALLERS,
    ]),
  ],
  [
    "INFO: task can't die in board_read",
    [
      "INFO: task poller:30 can't die for more than 143 seconds.",
      'task:poller          state:R  running task     stack:26328 pid:30',
      ...log.trace(['__schedule', 'preempt_schedule_common', 'board_read', ...CALLERS]),
    ],
  ],
  [
    'INFO: rcu detected stall in board_ioctl',
    stall('rcu: INFO: rcu_preempt self-detected stall on CPU', [
      'board_spin',
      'board_ioctl',
      '__x64_sys_ioctl',
      'do_syscall_64',
    ]),
  ],
  [
    'INFO: rcu detected stall in board_ioctl',
    stall('rcu: INFO: rcu_sched self-detected stall on CPU', [
      'board_spin',
      'board_ioctl',
      'vfs_ioctl',
      'do_vfs_ioctl',
      'do_syscall_64',
    ]),
  ],
  [
    'INFO: rcu detected stall in sys_board',
    stall('rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:', ['board_spin', '__x64_sys_board', 'do_syscall_64']),
  ],
  [
    'INFO: rcu detected stall in board_work',
    stall('INFO: rcu_sched detected stalls on CPUs/tasks:', [
      'board_spin',
      'board_work',
      'process_one_work',
      'worker_thread',
      'kthread',
    ]),
  ],
  [
    'BUG: soft lockup in board_ioctl',
    [
      'watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [poller:30]',
      ...log.x86('board_spin', ['board_wait', 'board_ioctl', '__x64_sys_ioctl', 'do_syscall_64']),
    ],
  ],
  [
    'BUG: soft lockup in board_ioctl',
    [
      'NMI watchdog: BUG: soft lockup - CPU#1 stuck for 23s! [poller:30]',
      ...log
        .oldX86('board_spin', ['board_wait', 'board_ioctl', 'do_vfs_ioctl', 'SyS_ioctl', 'entry_SYSCALL_64_fastpath'])
        .slice(0, -2),
    ],
  ],
  [
    'BUG: soft lockup in board_work',
    [
      'watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [kworker/1:1:30]',
      log.cpu(),
      'Workqueue: events board_work',
      'pstate: 60000005 (nZCv daif -PAN -UAO -TCO -DIT -SSBS BTYPE=--)',
      'pc : board_spin+0x2c/0x1a0',
      'lr : board_spin+0x20/0x1a0',
      'x29: ffff800080d3bb80 x28: ffff000003a08000',
      'Call trace:',
      ...['board_spin', 'board_work', 'process_one_work', 'worker_thread', 'kthread', 'ret_from_fork'].map(
        (f) => ` ${f}+0x2c/0x1a0`,
      ),
    ],
  ],
];
