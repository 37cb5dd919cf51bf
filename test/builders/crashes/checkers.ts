// Reports of the sanitizers beside KASAN, of leaks and of the kernel's own checks of memory.

import * as log from '../kernel-log.js';
import type { Case } from './faults.js';

const CALLERS = ['board_poll [board]', 'vfs_write', 'ksys_write', 'do_syscall_64'];
const BAR = '==================================================================';

const kmsan = (what: string, named: string, frames: readonly string[]): string[] => [
  '=====================================================',
  `BUG: KMSAN: ${what} in ${named}+0x2c/0x1a0`,
  ...frames.map((f) => ` ${f}+0x2c/0x1a0`),
  '',
  'Uninit was created at:',
  ' slab_post_alloc_hook+0x129/0xa70',
  ' board_alloc+0x10/0x20',
  '',
  log.cpu('6.4.0'),
  '=====================================================',
];

export const CHECKERS: readonly Case[] = [
  ['KMSAN: uninit-value in board_read', kmsan('uninit-value', 'board_read', ['board_read', 'board_poll', 'vfs_write'])],
  [
    'KMSAN: kernel-infoleak in board_read',
    kmsan('kernel-infoleak', 'instrument_copy_to_user', [
      'instrument_copy_to_user',
      '_copy_to_user',
      'board_read',
      'board_poll',
    ]),
  ],
  [
    'KMSAN: uninit-value in board_read',
    [
      '==================================================================',
      'BUG: KMSAN: uninit-value in board_read+0x2c/0x1a0',
      log.cpu('4.18.0'),
      'Hardware name: Google Google Compute Engine/Google Compute Engine, BIOS Google 01/01/2011',
      'Call Trace:',
      ...['__dump_stack', 'dump_stack', 'kmsan_report', '__msan_warning_32', 'board_read', 'board_poll'].map(
        (f) => ` ${f}+0x2c/0x1a0`,
      ),
    ],
  ],
  [
    'KMSAN: kernel-usb-infoleak in board_probe',
    kmsan('kernel-usb-infoleak', 'usb_submit_urb', [
      'usb_submit_urb',
      'usb_start_wait_urb',
      'usb_bulk_msg',
      'board_probe',
      'usb_probe_interface',
    ]),
  ],
  [
    'KCSAN: data-race in board_poll / board_read',
    [
      BAR,
      'BUG: KCSAN: data-race in board_poll / board_read',
      '',
      'write to 0xffff8881021c8000 of 8 bytes by task 300 on cpu 0:',
      ' board_read+0x2c/0x1a0',
      ' vfs_read+0x10/0x20',
      '',
      'read to 0xffff8881021c8000 of 8 bytes by task 30 on cpu 1:',
      ' board_poll+0x2c/0x1a0',
      '',
      'value changed: 0x0000000000000001 -> 0x0000000000000002',
      'Reported by Kernel Concurrency Sanitizer on:',
      log.cpu('6.4.0'),
      BAR,
    ],
  ],
  [
    'KCSAN: data-race in board_poll / board_read',
    [
      BAR,
      'BUG: KCSAN: data-race in board_poll+0x2c/0x1a0 / board_read+0x2c/0x1a0',
      '',
      'write to 0xffff8881021c8000 of 8 bytes by interrupt on cpu 0:',
      ' board_read+0x2c/0x1a0',
      BAR,
    ],
  ],
  [
    'KCSAN: data-race in board_poll',
    [
      BAR,
      'BUG: KCSAN: data-race in board_poll+0x2c/0x1a0',
      '',
      'race at unknown origin, with read to 0xffff8881021c8000 of 8 bytes by task 30 on cpu 1:',
      ' board_poll+0x2c/0x1a0',
      BAR,
    ],
  ],
  ...['use-after-free read', 'out-of-bounds write', 'out-of-bounds read', 'invalid read', 'invalid write'].map(
    (what): Case => [
      `KFENCE: ${what} in board_read`,
      [
        BAR,
        `BUG: KFENCE: ${what} in board_read+0x2c/0x1a0`,
        '',
        `Use at 0xffff88813bc00f00 (in kfence-#5):`,
        ' board_read+0x2c/0x1a0',
        ' board_poll+0x2c/0x1a0',
        '',
        'kfence-#5: 0xffff88813bc00f00-0xffff88813bc00fff, size=256, cache=kmalloc-256',
        '',
        log.cpu(),
      ],
    ],
  ),
  [
    'KFENCE: memory corruption in board_close',
    [
      BAR,
      'BUG: KFENCE: memory corruption in kfree+0x2c/0x1a0',
      '',
      'Corrupted memory at 0xffff88813bc00fff [ ! ! . . ] (in kfence-#5):',
      ' kfree+0x2c/0x1a0',
      ' board_close+0x2c/0x1a0',
      '',
      log.cpu(),
    ],
  ],
  [
    'KFENCE: invalid free in board_close',
    [
      BAR,
      'BUG: KFENCE: invalid free in board_close+0x2c/0x1a0',
      '',
      'Invalid free of 0xffff88813bc00fff (in kfence-#5):',
      ' board_close+0x2c/0x1a0',
      '',
      log.cpu(),
    ],
  ],
  ...[
    ['shift-out-of-bounds', 'shift exponent 64 is too large for 32-bit type', '__ubsan_handle_shift_out_of_bounds'],
    ['array-index-out-of-bounds', "index 8 is out of range for type 'u32 [8]'", '__ubsan_handle_out_of_bounds'],
    ['signed-integer-overflow', "2147483647 + 1 cannot be represented in type 'int'", '__ubsan_handle_add_overflow'],
    ['invalid-load', "load of value 2 is not a valid value for type '_Bool'", '__ubsan_handle_load_invalid_value'],
    [
      'object-size-mismatch',
      'member access within address 00000000 with insufficient space',
      '__ubsan_handle_type_mismatch_v1',
    ],
    ['misaligned-access', 'load of misaligned address 00000000', '__ubsan_handle_type_mismatch_v1'],
    ['negation-overflow', 'negation of -2147483648 cannot be represented', '__ubsan_handle_negate_overflow'],
    ['divide-overflow', 'division by zero', '__ubsan_handle_divrem_overflow'],
    ['null-ptr-deref', 'member access within null pointer', '__ubsan_handle_type_mismatch'],
  ].map(
    ([what, why, handler]): Case => [
      `UBSAN: ${what} in board_read`,
      [
        '================================================================================',
        `UBSAN: ${what} in drivers/board.c:18:22`,
        why!,
        ...log.reported(['dump_stack_lvl', 'ubsan_epilogue', handler!, 'board_read', ...CALLERS]),
      ],
    ],
  ),
  [
    'UBSAN: undefined-behaviour in board_read',
    [
      '================================================================================',
      'UBSAN: Undefined behaviour in drivers/board.c:18:22',
      'signed integer overflow:',
      ...log.reported(
        ['dump_stack', 'ubsan_epilogue', 'handle_overflow', '__ubsan_handle_add_overflow', 'board_read', ...CALLERS],
        '4.19.0',
      ),
    ],
  ],
  [
    'memory leak in board_open',
    [
      'BUG: memory leak',
      'unreferenced object 0xffff88810ea0a2c0 (size 32):',
      '  comm "poller", pid 30, jiffies 4294945332 (age 14.240s)',
      '  hex dump (first 32 bytes):',
      '    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................',
      '  backtrace:',
      ...['kmem_cache_alloc_trace', 'kmalloc', 'kzalloc', 'board_open', 'vfs_open'].map(
        (f) => `    [<00000000ad758d10>] ${f}+0x2c/0x1a0`,
      ),
      '',
    ],
  ],
  [
    'memory leak in board_open',
    [
      'BUG: memory leak',
      'unreferenced object 0xffff88810ea0a2c0 (size 32):',
      '  comm "poller", pid 30, jiffies 4294945332',
      '  hex dump (first 32 bytes):',
      '    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................',
      '  backtrace (crc 5d5e1d34):',
      ...[
        'kmemleak_alloc_recursive',
        'slab_post_alloc_hook',
        '__kmalloc_cache_noprof',
        'board_open',
        'do_dentry_open',
      ].map((f) => `    ${f}+0x2c/0x1a0`),
    ],
  ],
  [
    'BUG: Object already free',
    [
      '=============================================================================',
      'BUG kmalloc-64 (Not tainted): Object already free',
      '-----------------------------------------------------------------------------',
    ],
  ],
  [
    'BUG: Poison overwritten',
    [
      '=============================================================================',
      'BUG board_cache (Tainted: G    B      O     ): Poison overwritten',
      '-----------------------------------------------------------------------------',
    ],
  ],
  [
    'BUG: Bad page state in board_close',
    [
      'BUG: Bad page state in process poller  pfn:12345',
      'page:ffffea00047fa3c0 refcount:0 mapcount:-127',
      ...log.reported(['dump_stack_lvl', 'bad_page', 'free_pcp_prepare', 'free_unref_page', 'board_close', ...CALLERS]),
    ],
  ],
  ['BUG: Bad rss-counter state', ['BUG: Bad rss-counter state mm:ffff88801dd48000 type:MM_ANONPAGES val:1']],
  [
    'BUG: Bad page map',
    [
      'BUG: Bad page map in process poller  pte:fffff8a3d7c6e007 pmd:1f3c8067',
      'addr:0000000020ffb000 vm_flags:00000070',
      ...log.reported(['dump_stack', 'print_bad_pte', 'zap_pte_range', 'unmap_page_range']),
    ],
  ],
  ['BUG: non-zero pgtables_bytes on freeing mm', ['BUG: non-zero pgtables_bytes on freeing mm: 4096']],
];
