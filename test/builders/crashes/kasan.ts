// Reports of KASAN: what kernels of several years print, and what decoding makes of it.

import * as log from '../kernel-log.js';
import type { Case } from './faults.js';

const TASK = 'by task poller/30';
const CALLERS = ['board_poll [board]', 'vfs_write', 'ksys_write', 'do_syscall_64'];
const KASAN_TOP = ['dump_stack_lvl', 'print_report', 'kasan_report'];
const OLD_TOP = ['dump_stack', 'print_address_description', 'kasan_report', '__asan_report_load8_noabort'];
const BAR = '==================================================================';

/** KASAN's report: kind, access, function named, frames after the reporting ones. */
const kasan = (what: string, access: string, named: string, frames: readonly string[], top = KASAN_TOP): string[] => [
  BAR,
  `BUG: KASAN: ${what} in ${named}+0x2c/0x1a0`,
  `${access} ${TASK}`,
  '',
  ...log.reported([...top, ...frames]),
  '',
  'Allocated by task 300:',
  ' kasan_save_stack+0x24/0x50',
  ' board_alloc+0x10/0x20',
  '',
  'The buggy address belongs to the object at ffff88802db3cf00',
  ' which belongs to the cache kmalloc-128 of size 128',
  'Memory state around the buggy address:',
  ' ffff88802db3ce00: fc fc fc fc fc fc fc fc fc fc fc fc fc fc fc fc',
  BAR,
];

const READ = 'Read of size 8 at addr ffff88802db3cf50';
const WRITE = 'Write of size 4 at addr ffff88802db3cf50';

export const KASAN: readonly Case[] = [
  [
    'KASAN: slab-use-after-free Read in board_read',
    kasan('slab-use-after-free', READ, 'board_read', ['board_read', ...CALLERS]),
  ],
  [
    'KASAN: use-after-free Write in board_read',
    kasan('use-after-free', WRITE, 'board_read', ['board_read', ...CALLERS], OLD_TOP),
  ],
  [
    'KASAN: slab-out-of-bounds Read in board_read',
    kasan('slab-out-of-bounds', READ, 'memcpy', ['kasan_check_range', 'memcpy', 'board_read', ...CALLERS]),
  ],
  [
    'KASAN: vmalloc-out-of-bounds Write in board_read',
    kasan('vmalloc-out-of-bounds', WRITE, 'board_read', ['board_read', ...CALLERS]),
  ],
  [
    'KASAN: global-out-of-bounds Read in board_read',
    kasan('global-out-of-bounds', READ, 'strnlen', ['strnlen', 'string', 'vsnprintf', 'board_read', ...CALLERS]),
  ],
  [
    'KASAN: stack-out-of-bounds Write in board_read',
    kasan('stack-out-of-bounds', WRITE, 'board_read', ['board_read', ...CALLERS]),
  ],
  [
    'KASAN: user-memory-access Read in board_read',
    kasan('user-memory-access', 'Read of size 8 at addr 0000000020000080', '_copy_from_iter', [
      '__kasan_check_read',
      '_copy_from_iter',
      'board_read',
      ...CALLERS,
    ]),
  ],
  [
    'KASAN: null-ptr-deref Write in board_read',
    kasan('null-ptr-deref', 'Write of size 4 at addr 0000000000000018', 'refcount_inc_not_zero_checked', [
      'refcount_inc_not_zero_checked',
      'board_read',
      ...CALLERS,
    ]),
  ],
  [
    'KASAN: wild-memory-access Read in board_read',
    kasan('wild-memory-access', 'Read of size 8 at addr dead000000000108', 'board_read', ['board_read', ...CALLERS]),
  ],
  [
    'KASAN: alloca-out-of-bounds Read in board_read',
    kasan('alloca-out-of-bounds', READ, 'board_read', ['board_read', ...CALLERS]),
  ],
  [
    'KASAN: invalid-access Read in board_read',
    [
      BAR,
      'BUG: KASAN: invalid-access in board_read+0x2c/0x1a0',
      `Read at addr f4ff00000a3b5c00 ${TASK}`,
      'Pointer tag: [f4], memory tag: [f6]',
      '',
      log.cpu('6.6.0'),
      'Hardware name: linux,dummy-virt (DT)',
      'Call trace:',
      ...[
        'dump_backtrace',
        'show_stack',
        'dump_stack_lvl',
        'print_report',
        'kasan_report',
        '__do_kernel_fault',
        'do_tag_check_fault',
        'do_mem_abort',
        'el1_abort',
        'el1h_64_sync_handler',
        'el1h_64_sync',
        'board_read',
        'board_poll',
      ].map((f) => ` ${f}+0x2c/0x1a0`),
    ],
  ],
  [
    'KASAN: invalid-free in board_close',
    [
      BAR,
      'BUG: KASAN: double-free or invalid-free in kfree+0x2c/0x1a0',
      '',
      ...log.reported([
        'dump_stack',
        'print_address_description',
        'kasan_report_invalid_free',
        '__kasan_slab_free',
        'kfree',
        'board_close',
        ...CALLERS,
      ]),
    ],
  ],
  [
    'KASAN: invalid-free in board_close',
    [
      BAR,
      'BUG: KASAN: double-free in board_close+0x2c/0x1a0',
      'Free of addr ffff88802db3cf00 by task poller/30',
      ...log.reported([
        'dump_stack_lvl',
        'print_report',
        'kasan_report_invalid_free',
        '__kasan_slab_free',
        'kfree',
        'board_close',
        ...CALLERS,
      ]),
    ],
  ],
  [
    'KASAN: slab-use-after-free Read in board_read',
    [
      BAR,
      'BUG: KASAN: slab-use-after-free in instrument_atomic_read include/linux/instrumented.h:68 [inline]',
      'BUG: KASAN: slab-use-after-free in atomic_read include/linux/atomic/atomic-instrumented.h:32 [inline]',
      'BUG: KASAN: slab-use-after-free in board_get drivers/board.c:40 [inline]',
      'BUG: KASAN: slab-use-after-free in board_read+0x2c/0x1a0 drivers/board.c:18',
      `Read of size 4 at addr ffff88802db3cf50 ${TASK}`,
      '',
      log.cpu('6.15.0'),
      'Call Trace:',
      ' <TASK>',
      ' __dump_stack lib/dump_stack.c:94 [inline]',
      ' dump_stack_lvl+0x189/0x250 lib/dump_stack.c:120',
      ' print_address_description mm/kasan/report.c:408 [inline]',
      ' print_report+0xd2/0x2b0 mm/kasan/report.c:521',
      ' kasan_report+0x118/0x150 mm/kasan/report.c:634',
      ' board_read+0x2c/0x1a0 drivers/board.c:18',
      ' board_poll+0x2c/0x1a0 drivers/board.c:30',
    ],
  ],
  [
    'KASAN: slab-use-after-free Read in board_read',
    [
      BAR,
      'BUG: KASAN: slab-use-after-free in board_read (drivers/board.c:18) board',
      `Read of size 8 at addr ffff88802db3cf50 ${TASK}`,
      log.cpu('6.5.0'),
      'Call Trace:',
      ' <TASK>',
      ' dump_stack_lvl (lib/dump_stack.c:107) ',
      ' print_report (mm/kasan/report.c:365 mm/kasan/report.c:475) ',
      ' ? board_read (drivers/board.c:18) board',
      ' kasan_report (mm/kasan/report.c:590) ',
      ' board_read (drivers/board.c:18) board',
      ' board_poll (./include/linux/spinlock.h:351 (discriminator 1) drivers/board.c:30) board',
      ' vfs_write (fs/read_write.c:582) ',
      ' </TASK>',
    ],
  ],
];
