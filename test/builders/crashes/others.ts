// Reports that few kernels print: other architectures, old versions, options that distributions leave out.

import * as log from '../kernel-log.js';
import type { Case } from './faults.js';

const at = (frames: readonly string[]) => frames.map((f) => ` ${f}+0x2c/0x1a0`);
const PC = [
  'CPU: 1 PID: 30 Comm: poller Not tainted 5.4.0 #1',
  'PC is at board_read+0x2c/0x1a0',
  'PR is at board_poll+0x2c/0x1a0',
];

export const RARE: readonly Case[] = [
  [
    'BUG: unable to handle kernel paging request in board_read',
    [
      'Unable to handle kernel paging request at virtual address 0000000000000008',
      'CPU 0 ',
      'poller(30): Oops 0',
      'pc = [<fffffc0000123456>]  ra = [<fffffc0000123450>]  ps = 0000    Not tainted',
      'pc is at board_read+0x2c/0x1a0',
      'ra is at board_poll+0x2c/0x1a0',
    ],
  ],
  [
    'BUG: unable to handle kernel NULL pointer dereference in board_read',
    [
      'BUG: unable to handle kernel NULL pointer dereference at 00000000',
      'PC: [<8c123456>] board_read+0x2c/0x1a0',
      'Oops: 0000 [#1]',
      ...PC,
    ],
  ],
  [
    'BUG: unable to handle kernel NULL pointer dereference in board_read',
    [
      'Unable to handle kernel NULL pointer dereference at virtual address 00000000',
      'Oops: 00000000',
      'Modules linked in:',
      'PC: [<00123456>] board_read+0x2c/0x1a0',
      'SR: 2000  SP: 00abcdef  a2: 00fedcba',
      'Call Trace: [<00123450>] board_poll+0x2c/0x1a0',
    ],
  ],
  [
    'BUG: unable to handle kernel NULL pointer dereference in board_read',
    [
      'Unable to handle kernel NULL pointer dereference at virtual address 00000000',
      'pgd = 8d7c0000',
      '[00000000] *pgd=00000000',
      'Internal error: Oops: 17 [#1] PREEMPT SMP ARM',
      'CPU: 0    Not tainted  (3.4.0-perf #1)',
      'PC is at board_read+0x2c/0x1a0',
      'LR is at board_poll+0x2c/0x1a0',
      'pc : [<c0123456>]    lr : [<c0123450>]    psr: 60000013',
      '[<c0123456>] (board_read+0x2c/0x1a0) from [<c0123450>] (board_poll+0x2c/0x1a0)',
    ],
  ],
  [
    'kernel BUG in board_read',
    [
      'kernel BUG at drivers/board.c:18!',
      '              \\|/ ____ \\|/',
      'poller(30): Kernel bad sw trap 5 [#1]',
      'TSTATE: 0000000080001606 TPC: 00000000004a1b2c TNPC: 00000000004a1b30 Y: 00000000    Not tainted',
      'TPC: <board_read+0x2c/0x1a0>',
    ],
  ],
  [
    'UBSAN: array index out of bounds in board_read',
    log.arm64('board_read', ['board_poll'], 'UBSAN: array index out of bounds: 00000000f2005512').slice(6),
  ],
  [
    'CFI failure in board_read',
    [
      'CFI failure at board_read+0x2c/0x1a0 (target: other+0x0/0x10; expected type: 0x12345678)',
      'invalid opcode: 0000 [#1] PREEMPT SMP',
      ...log.x86('board_read', ['board_poll', 'vfs_write']),
    ],
  ],
  ['int3 in board_read', ['int3: 0000 [#1] PREEMPT SMP', ...log.x86('board_read', ['board_poll', 'vfs_write'])]],
  [
    'WARNING in board_read',
    [
      '------------[ cut here ]------------',
      'WARNING: CPU: 1 PID: 30 at lib/list_debug.c:53 __list_del_entry+0x63/0xd0()',
      'list_del corruption, ffff8801->next is LIST_POISON1 (dead000000000100)',
      ...log.addressed([
        'dump_stack',
        'warn_slowpath_common',
        'warn_slowpath_fmt',
        '__list_del_entry',
        'board_read',
        'vfs_write',
      ]),
    ],
  ],
  [
    'BUG: still has locks held in board_hold',
    [
      '====================================',
      '[ BUG: poller/30 still has locks held! ]',
      '4.4.302 #1 Not tainted',
      '------------------------------------',
      '1 lock held by poller/30:',
      ' #0:  (&b->lock){+.+...}, at: [<ffffffff81234567>] board_hold+0x2c/0x1a0',
      'stack backtrace:',
      ...log.addressed(['dump_stack', 'debug_check_no_locks_held', 'get_signal']),
    ],
  ],
  [
    'WARNING: nested lock was not taken in board_read',
    [
      '==================================',
      'WARNING: Nested lock was not taken',
      '6.1.192 #1 Not tainted',
      '----------------------------------',
      'poller/30 is trying to lock:',
      'ffff8880 (&b->lock){+.+.}-{3:3}, at: board_read+0x2c/0x1a0',
      'but this task is not holding:',
      'stack backtrace:',
      ...log.reported(['dump_stack_lvl', '__lock_acquire', 'lock_acquire', '__mutex_lock', 'board_read']),
    ],
  ],
  [
    'BUG: workqueue leaked atomic, lock or RCU in board_work',
    [
      'BUG: workqueue leaked atomic, lock or RCU: kworker/0:1[12]',
      '     preempt=0x00000000 lock=0->1 RCU=0->0 workfn=board_work',
      ...log.reported(['dump_stack_lvl', 'process_one_work', 'worker_thread']),
    ],
  ],
  [
    'kernel panic: Asynchronous SError Interrupt',
    [
      'SError Interrupt on CPU0, code 0x00000000bf000002 -- SError',
      log.cpu('5.10.0'),
      'pc : board_read+0x2c/0x1a0',
      'lr : board_poll+0x2c/0x1a0',
      'Kernel panic - not syncing: Asynchronous SError Interrupt',
      'Call trace:',
      ...at(['dump_backtrace', 'panic', 'nmi_panic', 'arm64_serror_panic', 'do_serror', 'board_read']),
    ],
  ],
  [
    'kernel panic: Fatal machine check',
    [
      'mce: [Hardware Error]: CPU 0: Machine Check Exception: 5 Bank 5: be00000000800400',
      'mce: [Hardware Error]: RIP !INEXACT! 10:<ffffffff81000000> {board_read+0x2c/0x1a0}',
      'Kernel panic - not syncing: Fatal machine check',
    ],
  ],
  [
    'WARNING in dev_watchdog',
    [
      'NETDEV WATCHDOG: eth0 (r8169): transmit queue 0 timed out',
      'WARNING: CPU: 1 PID: 0 at net/sched/sch_generic.c:525 dev_watchdog+0x2c/0x1a0',
      ...log.x86('dev_watchdog', ['call_timer_fn', '__run_timers', 'run_timer_softirq']),
    ],
  ],
  [
    'kernel panic: Asynchronous SError Interrupt',
    // The record ends before the panic.
    [
      'SError Interrupt on CPU0, code 0xbf000002 -- SError',
      log.cpu('5.10.0'),
      'pstate: 80000005 (Nzcv daif -PAN -UAO -TCO BTYPE=--)',
      'pc : board_read+0x2c/0x1a0',
    ],
  ],
  [
    'kernel panic: kernel stack overflow',
    [
      'Insufficient stack space to handle exception!',
      'Insufficient stack space to handle exception!',
      'ESR: 0x0000000096000047 -- DABT (current EL)',
      log.cpu('6.6.0'),
      'pc : board_read+0x2c/0x1a0',
      'Kernel panic - not syncing: kernel stack overflow',
    ],
  ],
  [
    'kernel panic: stack is corrupted in board_read',
    // A shell's prompt stood in the line.
    [
      'root@board:~# Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: 802e62f8',
      ...log.oldArm('board_read', ['board_poll']).slice(-6),
    ],
  ],
  [
    'kernel BUG in board_read',
    [
      'Kernel BUG at c0044d34 [verbose debug info unavailable]',
      ...log.oldArm('board_read', ['board_poll'], 'Oops - BUG: 0').slice(2),
    ],
  ],
  [
    'Unhandled fault in board_read',
    // The first one was a program's.
    [
      'Unhandled fault: imprecise external abort (0xc06) at 0x00071bcc',
      'pgd = 92e2c000',
      'Unhandled fault: external abort on non-linefetch (0x1008) at 0xd0538412',
      ...log.oldArm('board_read', ['board_poll'], ': 1008'),
    ],
  ],
  [
    'Alignment trap in board_read',
    [
      'Alignment trap: not handling instruction e1932f9f at [<8028bd58>]',
      'Unhandled fault: alignment exception (0x001) at 0x000008ad',
      ...log.oldArm('board_read', ['board_poll'], ': 1'),
    ],
  ],
  [
    'BUG: hard lockup in board_spin',
    [
      'Watchdog CPU:1 Hard LOCKUP',
      'Modules linked in:',
      log.cpu('4.15.0', 'poller'),
      'NIP [c00000000009651c] _raw_spin_lock+0x2c/0x1a0',
      'Call Trace:',
      '[c00000003ae5bdf0] [c00000000009600c] board_spin+0x2c/0x1a0',
    ],
  ],
];
