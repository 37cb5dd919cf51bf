// Reports of older kernels and of architectures that few have, and what is left of a report that was cut at its front.

import * as log from '../kernel-log.js';
import type { Case } from './faults.js';

const CUT = '------------[ cut here ]------------';
const CALLERS = ['board_poll', 'vfs_read'];

const NIP = [
  'NIP: c0000000004a1b2c LR: c0000000004a1b00 CTR: 0000000000000000',
  'MSR: 8000000000029032 <SF,EE,ME,IR,DR,RI>  CR: 24002042  XER: 00000000',
  'NIP [c0000000004a1b2c] .board_read+0x1c/0x40',
  'LR [c0000000004a1b00] .board_poll+0x20/0x60',
  'Call Trace:',
  '[c00000003ae5bcd0] [c0000000004a1b00] .board_poll+0x20/0x60 (unreliable)',
  '[c00000003ae5bcd0] [c0000000004a1b00] .vfs_read+0x20/0x60',
];

/** WARN_ON() by an instruction: the line names the file, the registers name the function. */
const TRAPPED: readonly Case[] = [
  [
    'WARNING in board_read',
    [
      CUT,
      'WARNING: at drivers/board.c:18',
      'Modules linked in:',
      log.cpu('4.4.0'),
      'PC is at board_read+0x1c/0x40',
      'LR is at board_poll+0x20/0x60',
      'pc : [<ffffffc0004a1b2c>] lr : [<ffffffc0004a1b00>] pstate: 60000145',
      'x29: ffffffc07a08bc60 x28: 0000000000000000 ',
      'Call trace:',
      '[<ffffffc0004a1b2c>] board_read+0x1c/0x40',
      '[<ffffffc0004a1b00>] board_poll+0x20/0x60',
    ],
  ],
  ['WARNING in board_read', [CUT, 'WARNING: at /build/linux-3.10/drivers/board.c:18', log.cpu('3.10.0'), ...NIP]],
  ['WARNING in board_read', ['Badness at drivers/board.c:18', ...NIP]],
  ['WARNING in board_read', ['Badness at c0123456 [verbose debug info unavailable]', ...NIP]],
];

const M68K = [
  'Modules linked in:',
  'PC: [<0012a3b4>] board_read+0x1c/0x40',
  'SR: 2000  SP: 0023df40  a2: 0024c000',
  'd0: 00000000    d1: 00000001    d2: 00000000    d3: 00000000',
  'Process poller (pid: 30, task=0024c000)',
  'Call Trace: [<0012a400>] board_poll+0x20/0x60',
  ' [<0012b400>] vfs_read+0x20/0x60',
];

const SPARC = [
  'TSTATE: 0000000080001606 TPC: 00000000004a1b2c TNPC: 00000000004a1b30 Y: 00000000    Not tainted',
  'TPC: <board_read+0x1c/0x40>',
  'Caller[00000000004a1b2c]: board_poll+0x20/0x60',
];

const PARISC = [
  'Kernel Fault: Code=15 (Data TLB miss fault) at addr 0000000000000008',
  log.cpu('5.10.0'),
  'IASQ: 0000000000000000 0000000000000000 IAOQ: 0000000040123400 0000000040123404',
  ' IAOQ[0]: board_read+0x2c/0x40',
  ' RP(r2): board_poll+0x2c/0x40',
  'Backtrace:',
  ' [<0000000040123456>] board_poll+0x2c/0x40',
  'Kernel panic - not syncing: Kernel Fault',
];

const MACHINES: readonly Case[] = [
  ['Oops in board_read', ['Oops: 00000000', ...M68K]],
  ['Oops in board_read', ['*** ILLEGAL INSTRUCTION ***   FORMAT=0', 'BAD KERNEL TRAP: 00000000', ...M68K]],
  ['Oops in board_read', ['poller(30): Kernel bad sw trap 5 [#1]', ...SPARC]],
  [
    'kernel BUG in board_read',
    ['kernel BUG at drivers/board.c:18!', 'poller(30): Kernel bad sw trap 5 [#1]', ...SPARC],
  ],
  ['BUG: unable to handle kernel paging request in board_read', PARISC],
  [
    'BUG: unable to handle kernel paging request in board_read',
    [
      'Unable to handle kernel pointer dereference at virtual kernel address           (null)',
      ...log.s390('board_read', CALLERS).slice(3),
    ],
  ],
  [
    'BUG: unable to handle kernel access to user memory in board_read',
    [
      'Unable to handle kernel access to user memory without uaccess routines at virtual address 0000002ae1a2b000',
      ...log.riscv('board_read', CALLERS),
    ],
  ],
  [
    'BUG: unable to handle kernel paging request in board_read',
    ['BUG: Unable to handle unknown paging fault at 0xc0a1b2c3', ...log.powerpc('board_read', CALLERS)],
  ],
];

const LOCKED_UP = [
  'watchdog: CPU 1 TB:12345, last heartbeat TB:1234 (10000ms ago)',
  log.cpu('5.4.0'),
  'NIP [c0000000004a1b2c] board_spin+0x1c/0x40',
  'Call Trace:',
  '[c00000003ae5bcd0] [c0000000004a1b00] board_poll+0x20/0x60',
  '[c00000003ae5bcd0] [c0000000004a1b00] board_ioctl+0x20/0x60',
];

const RCU_USAGE = [
  'drivers/board.c:18 invoked rcu_dereference_check() without protection!',
  'other info that might help us debug this:',
  'rcu_scheduler_active = 1, debug_locks = 0',
  'stack backtrace:',
  'Pid: 30, comm: poller Not tainted 2.6.37 #1',
  ...log.addressed(['lockdep_rcu_dereference', 'board_read', ...CALLERS]),
];

const OLD_KERNELS: readonly Case[] = [
  ['BUG: hard lockup in board_spin', ['watchdog: CPU 1 Hard LOCKUP', ...LOCKED_UP]],
  [
    'BUG: hard lockup in board_spin',
    [
      'watchdog: CPU 3 detected hard LOCKUP on other CPUs 1',
      'watchdog: CPU 3 TB:1234, last SMP heartbeat TB:1000 (0ms ago)',
      'watchdog: CPU 1 Hard LOCKUP',
      ...LOCKED_UP,
    ],
  ],
  [
    'BUG: hard lockup in board_spin',
    [
      'BUG: NMI Watchdog detected LOCKUP on CPU1, ip ffffffff81234567, registers:',
      'CPU 1 ',
      'Pid: 30, comm: poller Not tainted 2.6.37 #1',
      'RIP: 0010:[<ffffffff81234567>]  [<ffffffff81234567>] board_spin+0x1c/0x40',
      ...log.addressed(['board_spin', 'board_poll']),
      'Kernel panic - not syncing: Non maskable interrupt',
    ],
  ],
  ['INFO: suspicious RCU usage in board_read', ['[ INFO: suspicious rcu_dereference_check() usage. ]', ...RCU_USAGE]],
  [
    'KASAN: use after free Read in board_read',
    [
      'BUG: KASan: use after free in board_read+0x1c/0x40 at addr ffff8801c7edf780',
      'Read of size 8 by task poller/30',
      log.cpu('4.0.0'),
      ...log.addressed(['dump_stack', 'kasan_report_error', '__asan_report_load8_noabort', 'board_read']),
    ],
  ],
  [
    'attempt to subtract with overflow in board_read',
    [
      "rust_kernel: panicked at 'attempt to subtract with overflow', drivers/board.rs:12:5",
      'kernel BUG at rust/helpers.c:45!',
      'invalid opcode: 0000 [#1] PREEMPT SMP',
      ...log.x86('rust_helper_BUG', ['rust_begin_unwind', 'board_read']),
    ],
  ],
];

const LOCKS: readonly Case[] = [
  [
    'possible deadlock in board_read',
    [
      'WARNING: SOFTIRQ-READ-safe -> SOFTIRQ-READ-unsafe lock order detected',
      '6.1.0 #1 Not tainted',
      'poller/30 [HC0[0]:SC0[2]:HE1:SE0] is trying to acquire:',
      'ffff8880 (other){+.+.}-{2:2}, at: board_other+0x1/0x2',
      'but this new dependency connects a SOFTIRQ-READ-irq-safe lock:',
      '... which became SOFTIRQ-READ-irq-safe at:',
      '  lock_acquire+0x1/0x2',
      '  board_read+0x1/0x2',
      'to a SOFTIRQ-READ-irq-unsafe lock:',
      '... which became SOFTIRQ-READ-irq-unsafe at:',
      '  lock_acquire+0x1/0x2',
      '  board_unsafe+0x1/0x2',
    ],
  ],
  [
    'WARNING: bad contention in board_read',
    [
      'WARNING: bad contention detected!',
      '6.1.0 #1 Not tainted',
      'poller/30 is trying to contend lock (board_lock) at:',
      '[<ffffffff81234567>] board_read+0x1/0x2',
      'but there are no locks held!',
      'stack backtrace:',
      log.cpu('6.1.0'),
      ...log.trace(['dump_stack_lvl', 'print_lock_contention_bug', 'lock_contended', 'board_read']),
    ],
  ],
];

const BEHEADED: readonly Case[] = [
  [
    'kernel panic: kernel stack overflow',
    [
      ...log.arm('board_read', ['board_read', 'board_read'], 'kernel stack overflow: 0').slice(1),
      'Kernel panic - not syncing: kernel stack overflow',
    ],
  ],
  ['KMSAN: uninit-value in board_read', ['BUG: KMSAN: uninit-value in board_read+0x1c/0x40']],
  ['BUG: assuming atomic context at drivers/board.c:LINE', ['BUG: assuming atomic context at drivers/board.c:18']],
  ['CFI failure in board_read', log.arm64('board_read', CALLERS, 'Oops - CFI: 00000000f2008228').slice(6)],
  [
    'BUG: stack guard page was hit in board_read',
    [
      'Oops: stack guard page: 0000 [#1] SMP KASAN',
      ...log.x86('board_read', ['board_read', 'board_read', 'do_syscall_64']),
    ],
  ],
  [
    'BUG: stack guard page was hit in board_read',
    [
      'BUG: #DF stack guard page was hit at ffffc90000a1b000 (stack is ffffc90000a1c000..ffffc90000a1d000)',
      'kernel stack overflow (double-fault): 0000 [#1] SMP',
      ...log.x86('board_read', ['board_read', 'board_read', 'do_syscall_64']),
    ],
  ],
];

export const OLDER: readonly Case[] = [...TRAPPED, ...MACHINES, ...OLD_KERNELS, ...LOCKS, ...BEHEADED];
