// Reports of lockdep and of contexts that must not sleep.

import * as log from '../kernel-log.js';
import type { Case } from './faults.js';

const BAR = '======================================================';
const CALLERS = ['vfs_write', 'ksys_write', 'do_syscall_64', 'entry_SYSCALL_64_after_hwframe'];
const HELD = ['1 lock held by poller/30:', ' #0: ffff8880 (&b->lock){+.+.}-{3:3}, at: board_hold+0x2c/0x1a0', ''];
const backtrace = (frames: readonly string[]) => ['stack backtrace:', ...log.reported(['dump_stack_lvl', ...frames])];

const circular = (wanted: string, held: string): string[] => [
  BAR,
  'WARNING: possible circular locking dependency detected',
  '6.1.192 #1 Not tainted',
  '------------------------------------------------------',
  'poller/30 is trying to acquire lock:',
  `ffff888011c8a0e0 (&b->lock){+.+.}-{3:3}, at: ${wanted}+0x2c/0x1a0`,
  '',
  'but task is already holding lock:',
  `ffff888011c8b0e0 (&b->other){+.+.}-{3:3}, at: ${held}+0x2c/0x1a0`,
  '',
  'which lock already depends on the new lock.',
  '',
  'the existing dependency chain (in reverse order) is:',
  '',
  '-> #1 (&b->other){+.+.}-{3:3}:',
  '       __mutex_lock+0x2c/0x1a0',
  '       board_other+0x2c/0x1a0',
  '',
  'other info that might help us debug this:',
  ' Possible unsafe locking scenario:',
  ...HELD,
  ...backtrace([
    'print_circular_bug',
    'check_noncircular',
    '__lock_acquire',
    'lock_acquire',
    '__mutex_lock',
    wanted,
    ...CALLERS,
  ]),
];

const LOCKDEP: readonly Case[] = [
  ['possible deadlock in board_read', circular('board_read', 'board_poll')],
  ['possible deadlock in board_stop', circular('__flush_work', 'board_stop')],
  ['possible deadlock in board_stop', circular('flush_workqueue', 'board_stop')],
  [
    'possible deadlock in board_read',
    [
      '=============================================',
      '[ INFO: possible recursive locking detected ]',
      '4.4.302 #1 Not tainted',
      '---------------------------------------------',
      'poller/30 is trying to acquire lock:',
      ' (&b->lock){+.+.+.}, at: [<ffffffff81234567>] board_read+0x2c/0x1a0',
      '',
      'but task is already holding lock:',
      ' (&b->lock){+.+.+.}, at: [<ffffffff81234568>] board_poll+0x2c/0x1a0',
      ...backtrace(['__lock_acquire', 'lock_acquire', 'board_read', ...CALLERS]),
    ],
  ],
  [
    'possible deadlock in board_read',
    [
      '============================================',
      'WARNING: possible recursive locking detected',
      '6.1.192 #1 Not tainted',
      '--------------------------------------------',
      'poller/30 is trying to acquire lock:',
      'ffff888011c8a0e0 (&b->lock){+.+.}-{3:3}, at: board_read+0x2c/0x1a0',
      '',
      'but task is already holding lock:',
      'ffff888011c8b0e0 (&b->lock){+.+.}-{3:3}, at: board_poll+0x2c/0x1a0',
      ...backtrace(['__lock_acquire', 'lock_acquire', 'board_read', ...CALLERS]),
    ],
  ],
  [
    'possible deadlock in board_irq',
    [
      '========================================================',
      'WARNING: possible irq lock inversion dependency detected',
      '6.1.192 #1 Not tainted',
      '--------------------------------------------------------',
      'swapper/1/0 just changed the state of lock:',
      'ffff888011c8a0e0 (&b->lock){-.-.}-{2:2}, at: board_irq+0x2c/0x1a0',
      'but this lock took another, HARDIRQ-unsafe lock in the past:',
      ' (&b->other){+.+.}-{2:2}',
      ...backtrace([
        'print_irq_inversion_bug',
        'mark_lock',
        '__lock_acquire',
        'lock_acquire',
        '_raw_spin_lock',
        'board_irq',
      ]),
    ],
  ],
  [
    'inconsistent lock state in board_read',
    [
      '================================',
      'WARNING: inconsistent lock state',
      '6.1.192 #1 Not tainted',
      '--------------------------------',
      'inconsistent {SOFTIRQ-ON-W} -> {IN-SOFTIRQ-W} usage.',
      'poller/30 [HC0[0]:SC1[1]:HE1:SE0] takes:',
      'ffff888011c8a0e0 (&b->lock){+.?.}-{2:2}, at: board_read+0x2c/0x1a0',
      '{SOFTIRQ-ON-W} state was registered at:',
      '  lock_acquire+0x2c/0x1a0',
      '  board_poll+0x2c/0x1a0',
      ...backtrace(['print_usage_bug', 'mark_lock', '__lock_acquire', 'lock_acquire', '_raw_spin_lock', 'board_read']),
    ],
  ],
  [
    'WARNING: suspicious RCU usage in board_read',
    [
      '=============================',
      'WARNING: suspicious RCU usage',
      '6.1.192 #1 Not tainted',
      '-----------------------------',
      'drivers/board.c:18 suspicious rcu_dereference_check() usage!',
      '',
      'other info that might help us debug this:',
      'rcu_scheduler_active = 2, debug_locks = 1',
      ...HELD,
      ...backtrace(['lockdep_rcu_suspicious', 'board_read', ...CALLERS]),
    ],
  ],
  [
    'INFO: suspicious RCU usage in board_read',
    [
      '===============================',
      '[ INFO: suspicious RCU usage. ]',
      '4.4.302 #1 Not tainted',
      '-------------------------------',
      'drivers/board.c:18 suspicious rcu_dereference_check() usage!',
      'rcu_scheduler_active = 1, debug_locks = 0',
      ...backtrace(['lockdep_rcu_suspicious', 'board_read', ...CALLERS]),
    ],
  ],
  [
    'WARNING: bad unlock balance in board_read',
    [
      '=====================================',
      'WARNING: bad unlock balance detected!',
      '6.1.192 #1 Not tainted',
      '-------------------------------------',
      'poller/30 is trying to release lock (&b->lock) at:',
      '[<ffffffff81234567>] board_read+0x2c/0x1a0',
      'but there are no more locks to release!',
      ...backtrace(['print_unlock_imbalance_bug', 'lock_release', 'board_read', ...CALLERS]),
    ],
  ],
  [
    'WARNING: held lock freed in board_hold',
    [
      '=========================',
      'WARNING: held lock freed!',
      '6.1.192 #1 Not tainted',
      '-------------------------',
      'poller/30 is freeing memory ffff8880-ffff8881, with a lock still held there!',
      'ffff888011c8a0e0 (&b->lock){+.+.}-{3:3}, at: board_hold+0x2c/0x1a0',
      ...backtrace(['debug_check_no_locks_freed', 'kfree', 'board_close', ...CALLERS]),
    ],
  ],
  [
    'WARNING: lock held when returning to user space in board_hold',
    [
      '================================================',
      'WARNING: lock held when returning to user space!',
      '6.1.192 #1 Not tainted',
      '------------------------------------------------',
      'poller/30 is leaving the kernel with locks still held!',
      '1 lock held by poller/30:',
      ' #0: ffff8880 (&b->lock){+.+.}-{3:3}, at: board_hold+0x2c/0x1a0',
    ],
  ],
  [
    'INFO: trying to register non-static key in board_read',
    [
      'INFO: trying to register non-static key.',
      'The code is fine but needs lockdep annotation, or maybe',
      "you didn't initialize this object before use?",
      'turning off the locking correctness validator.',
      ...log.reported([
        'dump_stack_lvl',
        'register_lock_class',
        '__lock_acquire',
        'lock_acquire',
        '_raw_spin_lock_irqsave',
        'board_read',
        ...CALLERS,
      ]),
    ],
  ],
  [
    'BUG: MAX_LOCKDEP_CHAINS too low!',
    ['BUG: MAX_LOCKDEP_CHAINS too low!', 'turning off the locking correctness validator.'],
  ],
];

const CONTEXTS: readonly Case[] = [
  [
    'BUG: sleeping function called from invalid context in board_read',
    [
      'BUG: sleeping function called from invalid context at kernel/locking/mutex.c:585',
      'in_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: 30, name: poller',
      'preempt_count: 1, expected: 0',
      ...log.reported(['dump_stack_lvl', '__might_resched', '__mutex_lock', 'board_read', ...CALLERS]),
    ],
  ],
  [
    'BUG: scheduling while atomic in board_read',
    [
      'BUG: scheduling while atomic: poller/30/0x00000002',
      'Modules linked in:',
      ...log.reported([
        'dump_stack_lvl',
        '__schedule_bug',
        '__schedule',
        'schedule',
        'schedule_timeout',
        'board_read',
        ...CALLERS,
      ]),
    ],
  ],
  [
    'BUG: using smp_processor_id() in preemptible code in board_read',
    [
      'BUG: using smp_processor_id() in preemptible [00000000] code: poller/30',
      'caller is board_read+0x2c/0x1a0',
      ...log.reported([
        'dump_stack_lvl',
        'check_preemption_disabled',
        'debug_smp_processor_id',
        'board_read',
        ...CALLERS,
      ]),
    ],
  ],
  [
    'BUG: using __this_cpu_add() in preemptible code in board_read',
    [
      'BUG: using __this_cpu_add() in preemptible [00000000] code: poller/30',
      'caller is __this_cpu_preempt_check+0x1c/0x20',
      ...log.reported([
        'dump_stack_lvl',
        'check_preemption_disabled',
        '__this_cpu_preempt_check',
        'board_read',
        ...CALLERS,
      ]),
    ],
  ],
  [
    'BUG: spinlock bad magic in board_read',
    [
      'BUG: spinlock bad magic on CPU#1, poller/30',
      ' lock: 0xffff888011c8a0e0, .magic: 00000000, .owner: <none>/-1, .owner_cpu: 0',
      ...log.reported(['dump_stack_lvl', 'spin_bug', 'do_raw_spin_lock', '_raw_spin_lock', 'board_read', ...CALLERS]),
    ],
  ],
  [
    'BUG: spinlock recursion in board_read',
    [
      'BUG: spinlock recursion on CPU#1, poller/30',
      ...log.reported([
        'dump_stack_lvl',
        'spin_dump',
        'do_raw_spin_lock',
        '_raw_spin_lock_irqsave',
        'board_read',
        ...CALLERS,
      ]),
    ],
  ],
  [
    'BUG: workqueue leaked lock or atomic in board_work',
    [
      'BUG: workqueue leaked lock or atomic: kworker/1:1/0x00000001/30',
      '     last function: board_work',
      ...log.reported(['dump_stack_lvl', 'process_one_work', 'worker_thread', 'kthread']),
    ],
  ],
  ['BUG: workqueue lockup', ['BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 33s!']],
];

export const LOCKS: readonly Case[] = [...LOCKDEP, ...CONTEXTS];
