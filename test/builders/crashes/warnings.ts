// Warnings of WARN_ON() and its relatives, and lines that look like a crash and are none.

import * as log from '../kernel-log.js';
import type { Case } from './faults.js';

const CALLERS = ['board_poll [board]', 'vfs_write', 'ksys_write', 'do_syscall_64'];
const CUT = '------------[ cut here ]------------';

/** A warning of x86-64: the file, the function that warns, who called it. */
const warning = (file: string, f: string, frames: readonly string[], before: readonly string[] = []): string[] => [
  CUT,
  ...before,
  `WARNING: CPU: 1 PID: 30 at ${file} ${f}+0x2c/0x1a0`,
  ...log.x86(f, frames),
];

/** The same before Linux 4.12, when the stack began at warn_slowpath. */
const oldWarning = (file: string, f: string, frames: readonly string[]): string[] => [
  CUT,
  `WARNING: CPU: 1 PID: 30 at ${file} ${f}+0x2c/0x1a0()`,
  'Modules linked in:',
  log.cpu('4.4.302'),
  ' ffffffff81a3b2c0 ffff8801c7edf948 ffffffff813a2b1c 0000000000000000',
  ...log.addressed(['dump_stack', 'warn_slowpath_common', 'warn_slowpath_null', f, ...frames]),
  '---[ end trace e3c719a9c9d01886 ]---',
];

/** Every frame is doubted where the kernel has no frame pointers. */
const doubted = (lines: readonly string[]) => lines.map((line) => line.replace(/>\] (?=\w)/, '>] ? '));

export const WARNINGS: readonly Case[] = [
  ['WARNING in board_read', doubted(oldWarning('drivers/board.c:18', 'board_read', CALLERS))],
  [
    'WARNING in board_read',
    doubted(
      oldWarning('drivers/board.c:18', 'board_read', CALLERS).flatMap((line) =>
        line === 'Call Trace:'
          ? [line, ' [<ffffffff81000fff>] left_over+0x2c/0x1a0', ' [<ffffffff81000fff>] __pointer+0x22/0x22']
          : line,
      ),
    ),
  ],
  [
    'WARNING in board_read',
    // Without CONFIG_DEBUG_BUGVERBOSE.
    [
      CUT,
      'WARNING: CPU: 1 PID: 30 at 0xc045503c',
      log.cpu(),
      'Call Trace:',
      '[c00000003ae5bdf0] [c045503c] board_read+0x2c/0x1a0',
    ],
  ],
  ['WARNING in __get_user_pages', warning('mm/gup.c:1101', '__get_user_pages', CALLERS)],
  [
    'BUG: corrupted list in board_read',
    warning(
      'lib/list_debug.c:47',
      '__list_del_entry_valid',
      ['board_read', ...CALLERS],
      ['list_del corruption, ffff8880->next is LIST_POISON1 (dead000000000100)'],
    ).slice(1),
  ],
  [
    'BUG: hard lockup in board_spin',
    // Before Linux 3.18.
    [
      CUT,
      'WARNING: CPU: 1 PID: 0 at kernel/watchdog.c:265 watchdog_overflow_callback+0x2c/0x1a0()',
      'Watchdog detected hard LOCKUP on cpu 1',
      log.cpu('3.16.0'),
      ...log.addressed(['dump_stack', 'warn_slowpath_fmt', 'watchdog_overflow_callback', '__perf_event_overflow']),
      ...log.addressed(['intel_pmu_handle_irq', 'nmi_handle', 'do_nmi', 'end_repeat_nmi', 'board_spin']).slice(1),
    ],
  ],
  ['WARNING in board_read', warning('drivers/board.c:18', 'board_read', CALLERS)],
  ['WARNING in board_read', oldWarning('drivers/board.c:18', 'board_read', CALLERS)],
  [
    'WARNING in board_read',
    [
      CUT,
      'WARNING: drivers/board.c:18 at board_read+0x2c/0x1a0, CPU#1: poller/30',
      ...log.x86('board_read', CALLERS, '6.18.0'),
    ],
  ],
  [
    'WARNING in board_read',
    [
      CUT,
      'WARNING: at drivers/board.c:18 board_read+0x2c/0x1a0 [board]()',
      'Hardware name: Acme Board',
      'Modules linked in: board',
      'Pid: 30, comm: poller Not tainted 3.2.0-4-amd64 #1 Debian 3.2.102-1',
      ...log.addressed(['warn_slowpath_common', 'warn_slowpath_null', 'board_read', ...CALLERS]),
      '---[ end trace 93d72a36b9146f22 ]---',
    ],
  ],
  [
    'WARNING in board_read',
    [
      CUT,
      'WARNING: CPU: 1 PID: 30 at drivers/board.c:18 board_read+0x2c/0x1a0',
      'Modules linked in:',
      log.cpu('6.6.0'),
      'Hardware name: linux,dummy-virt (DT)',
      'pstate: 60000005 (nZCv daif -PAN -UAO -TCO -DIT -SSBS BTYPE=--)',
      'pc : board_read+0x2c/0x1a0',
      'lr : board_read+0x20/0x1a0',
      'x29: ffff800080d3bb80 x28: ffff000003a08000',
      'Call trace:',
      ' board_read+0x2c/0x1a0',
      ' board_poll+0x2c/0x1a0',
    ],
  ],
  [
    'WARNING in board_read',
    [
      CUT,
      'WARNING: CPU: 1 PID: 30 at drivers/board.c:18 board_read+0x2c/0x1a0',
      log.cpu('6.1.0'),
      'Hardware name: Generic DT based system',
      ...[
        'unwind_backtrace from show_stack',
        'show_stack from dump_stack_lvl',
        'dump_stack_lvl from __warn',
        '__warn from warn_slowpath_fmt',
        'warn_slowpath_fmt from board_read',
        'board_read from board_poll',
        'board_poll from vfs_write',
      ].map((f) => ` ${f}+0x2c/0x1a0`),
    ],
  ],
  [
    'WARNING in board_read',
    [
      CUT,
      'WARNING: CPU: 1 PID: 30 at drivers/board.c:18 board_read+0x2c/0x1a0',
      ...log.powerpc('board_read', ['board_poll', 'vfs_write']).slice(3),
    ],
  ],
  [
    'WARNING: refcount bug in board_read',
    warning(
      'lib/refcount.c:28',
      'refcount_warn_saturate',
      ['board_read', ...CALLERS],
      ['refcount_t: underflow; use-after-free.'],
    ),
  ],
  [
    'WARNING: refcount bug in board_read',
    warning('lib/refcount.c:153', 'refcount_inc_checked', ['kobject_get', 'board_read', ...CALLERS]),
  ],
  [
    'WARNING: ODEBUG bug in board_close',
    warning(
      'lib/debugobjects.c:505',
      'debug_print_object',
      ['debug_check_no_obj_freed', 'kfree', 'board_close', ...CALLERS],
      ['ODEBUG: free active (active state 0) object: ffff8880 object type: timer_list hint: board_timer+0x0/0x10'],
    ),
  ],
  [
    'WARNING: ODEBUG bug in board_close',
    warning('lib/debugobjects.c:287', 'debug_print_object', [
      'debug_object_activate',
      'hrtimer_start_range_ns',
      'board_close',
      ...CALLERS,
    ]),
  ],
  [
    'WARNING: kobject bug in board_probe',
    warning('lib/kobject.c:711', 'kobject_get', ['kobject_add_internal', 'kobject_add', 'board_probe', ...CALLERS]),
  ],
  [
    'WARNING: locking bug in board_read',
    warning('kernel/locking/lockdep.c:4690', '__lock_acquire', [
      'lock_acquire',
      '_raw_spin_lock',
      'board_read',
      ...CALLERS,
    ]),
  ],
  [
    'WARNING: bad usercopy in board_read',
    warning('mm/usercopy.c:81', 'usercopy_warn', [
      '__check_heap_object',
      '__check_object_size',
      'board_read',
      ...CALLERS,
    ]),
  ],
  [
    'WARNING: proc registration bug in board_probe',
    warning('fs/proc/generic.c:376', 'proc_register', ['proc_create_data', 'board_probe', ...CALLERS]),
  ],
  [
    'WARNING: kmalloc bug in board_read',
    warning('mm/slab_common.c:966', 'kmalloc_slab', ['__kmalloc', 'board_read', ...CALLERS]),
  ],
  ['WARNING: kmalloc bug in board_read', warning('mm/util.c:597', 'kvmalloc_node', ['board_read', ...CALLERS])],
  [
    'WARNING: kmalloc bug in board_read',
    warning('mm/util.c:665', '__kvmalloc_node_noprof', ['board_read', ...CALLERS]),
  ],
  [
    'WARNING: zero-size vmalloc in board_read',
    warning('mm/vmalloc.c:1836', '__vmalloc_node_range', ['vzalloc', 'board_read', ...CALLERS]),
  ],
  [
    'WARNING in board_read',
    warning('mm/page_alloc.c:4709', '__alloc_pages', [
      'alloc_pages',
      '__kmalloc_large_node',
      '__kmalloc',
      'board_read',
      ...CALLERS,
    ]),
  ],
  [
    'WARNING in board_probe/usb_submit_urb',
    warning(
      'drivers/usb/core/urb.c:503',
      'usb_submit_urb',
      ['usb_start_wait_urb', 'usb_bulk_msg', 'board_probe', 'usb_probe_interface'],
      ['usb 1-1: BOGUS urb xfer, pipe 3 != type 1'],
    ),
  ],
  [
    "WARNING: kernel stack regs has bad 'bp' value",
    ["WARNING: kernel stack regs at 0000000012345678 in poller:30 has bad 'bp' value 00000000abcdef00"],
  ],
  [
    'unregister_netdevice: waiting for DEV to become free',
    ['unregister_netdevice: waiting for lo to become free. Usage count = 3'],
  ],
  [
    'unregister_netdevice: waiting for DEV to become free',
    [
      'unregister_netdevice: waiting for wlan0 to become free. Usage count = 2',
      'ref_tracker: wlan0@ffff88 has 1/1 users at',
    ],
  ],
  [
    'VFS: Busy inodes after unmount (use-after-free)',
    ['VFS: Busy inodes after unmount of loop0. Self-destruct in 5 seconds.  Have a nice day...'],
  ],
];

/** What kernels and programs print on good days. */
export const NONE: readonly string[] = [
  'INFO: lockdep is turned off.',
  'INFO: NMI handler (perf_event_nmi_handler) took too long to run: 2.277 msecs',
  'rcu: INFO: Stall ended before state dump start',
  'WARNING: /etc/ssh/moduli does not exist, using fixed modulus',
  'EXT4-fs (loop1): INFO: recovery required on readonly filesystem',
  'Kernel command line: console=ttyS0 oops=panic panic_on_warn=1 nmi_watchdog=panic panic=86400',
  'Oops: Total 1 times',
  'DEBUG: BUG: nothing',
  'Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on, data leaks possible via Spectre v2 BHB attacks!',
  'Spectre V2 : Mitigation: Enhanced IBRS',
  'NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.',
  'watchdog: Delayed init of the lockup detector failed: -19',
  'Fault-injection: forcing a failure is possible',
  'poller[30]: segfault at 0 ip 000055d1c0a1b2c3 sp 00007ffc0a1b2c30 error 4 in poller[55d1c0a1b000+1000]',
  'traps: poller[30] general protection fault ip:55d1c0a1b2c3 sp:7ffc0a1b2c30 error:0 in poller[55d1c0a1b000+1000]',
  'traps: poller[30] trap invalid opcode ip:55d1c0a1b2c3 sp:7ffc0a1b2c30 error:0 in poller[55d1c0a1b000+1000]',
  'traps: poller[30] trap divide error ip:55d1c0a1b2c3 sp:7ffc0a1b2c30 error:0 in poller[55d1c0a1b000+1000]',
  'poller[30]: unhandled signal 11 code 0x1 at 0x0000000000000000 in poller[10000+4000]',
  'Alignment trap: poller (30) PC=0x76f5d000 Instr=0xe5901000 Address=0x00000001 FSR 0x001',
  'mce: [Hardware Error]: Machine check events logged',
  'mce: CPU supports 10 MCE banks',
  'Alignment trap: not handling instruction f4400a1f at [<00056fbc>]',
  'Unhandled fault: external abort on non-linefetch (0x008) at 0x75f62638',
  'poller[48]: unhandled signal 4 code 0x1 at 0x0000000000016526 in poller[10000+c3000]',
  'audit: type=1400 audit(1750305980.320:67): avc:  denied  { mount } for  pid=297 comm="board"',
  'ACPI BIOS Error (bug): Could not resolve symbol [\\_SB.PCI0], AE_NOT_FOUND (20210730/psargs-330)',
  '[Firmware Bug]: TSC_DEADLINE disabled due to Errata; please update microcode to version: 0x52 (or later)',
  'pstore: Registered ramoops as persistent store backend',
  'oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,task=poller,pid=30,uid=0',
  'Out of memory: Killed process 30 (poller) total-vm:1234kB, anon-rss:123kB',
  'Unable to open rtc device (rtc0)',
  'Internal error: no such board',
  'BUG UNIX 1024 sockets',
  'reboot: Restarting system',
  'kauditd_printk_skb: 12 callbacks suppressed',
];
