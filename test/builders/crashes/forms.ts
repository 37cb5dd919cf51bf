// Forms of reports that few logs have, though the kernel's sources do: names of caches, decoded first lines, old words.

import * as log from '../kernel-log.js';
import type { Case } from './faults.js';

const CALLERS = ['board_poll', 'vfs_write', 'ksys_write', 'do_syscall_64'];
const at = (frames: readonly string[]) => frames.map((f) => ` ${f}+0x2c/0x1a0`);
const BAR = '='.repeat(77);

export const FORMS: readonly Case[] = [
  [
    'WARNING in board_read',
    // Decoded: the function that the compiler put into another stands first.
    [
      '------------[ cut here ]------------',
      'WARNING: CPU: 1 PID: 30 at include/linux/board.h:18 board_check include/linux/board.h:18 [inline]',
      'WARNING: CPU: 1 PID: 30 at include/linux/board.h:18 board_read+0x2c/0x1a0 drivers/board.c:44',
      'Modules linked in:',
      log.cpu(),
      'RIP: 0010:board_check include/linux/board.h:18 [inline]',
      'RIP: 0010:board_read+0x2c/0x1a0 drivers/board.c:44',
      'RSP: 0018:ffffc9000124dab0 EFLAGS: 00010246',
      ...log.trace(CALLERS),
    ],
  ],
  ['BUG: Poison overwritten', [BAR, 'BUG dentry(17:board.service) (Not tainted): Poison overwritten', '-'.repeat(77)]],
  [
    'BUG: Object padding overwritten',
    [BAR, 'BUG :A-0000192 (Tainted: G    B   W      ): Object padding overwritten', '-'.repeat(77)],
  ],
  ['BUG: Redzone overwritten', [BAR, 'BUG TCPv6 (Not tainted): Redzone overwritten', '-'.repeat(77)]],
  [
    'BUG: Bad page state in board_read',
    [
      'BUG: Bad page state in process poller  pfn:1234ab',
      'page dumped because: nonzero mapcount',
      'Modules linked in:',
      log.cpu(),
      ...log.trace([
        'dump_stack_lvl',
        'bad_page',
        'free_unref_page',
        '__unfreeze_partials',
        'put_cpu_partial',
        'qlist_free_all',
        'board_read',
        ...CALLERS,
      ]),
    ],
  ],
  ...['prepare_creds', 'new_inode_pseudo', 'kobject_set_name_vargs'].map(
    (name): Case => [
      `memory leak in ${name}`,
      [
        'BUG: memory leak',
        'unreferenced object 0xffff888109a2f800 (size 1024):',
        '  comm "poller", pid 30, jiffies 4294943184',
        '  backtrace (crc 1234abcd):',
        ...at(['kmem_cache_alloc_noprof', name, 'board_read', ...CALLERS]).map((line) => `   ${line}`),
      ],
    ],
  ),
  [
    'KCSAN: data-race in board_read / board_write',
    ['='.repeat(66), 'BUG: KCSAN: data-race in board_read.isra.0 / board_write.constprop.0', ''],
  ],
  [
    'WARNING: suspicious RCU usage in board_idle',
    [
      '=============================',
      'WARNING: suspicious RCU usage',
      '6.1.192 #1 Not tainted',
      '-----------------------------',
      'include/linux/rcupdate.h:730 rcu_read_lock() used illegally while idle!',
      '',
      'other info that might help us debug this:',
      '',
      'RCU used illegally from idle CPU!',
      'stack backtrace:',
      log.cpu(),
      ...log.trace(['dump_stack_lvl', 'lockdep_rcu_suspicious', 'board_idle', 'do_idle', 'cpu_startup_entry']),
    ],
  ],
  [
    'INFO: rcu detected stall in board_work',
    [
      'INFO: RCU detected CPU 1 stall (t=4294904003/1250 jiffies)',
      'sending NMI to all CPUs:',
      'NMI backtrace for cpu 1',
      'Pid: 30, comm: poller Not tainted 2.6.33 #1',
      'RIP: 0010:[<ffffffff81001000>]  [<ffffffff81001000>] board_read+0x2c/0x1a0',
      ...log.addressed(['board_work', 'process_one_work', 'worker_thread']),
    ],
  ],
  [
    'INFO: task hung in board_sync',
    [
      'INFO: task poller:30 blocked for more than 120 seconds.',
      '      Not tainted 3.10.0 #1',
      'poller        D ffff88007fc93f00     0    30      2 0x00000000',
      ...log.addressed(['__schedule', 'io_schedule', 'sleep_on_buffer', 'out_of_line_wait_on_bit', 'board_sync']),
    ],
  ],
  [
    'kernel panic: Watchdog detected hard LOCKUP on cpu NUM',
    ['Kernel panic - not syncing: Watchdog detected hard LOCKUP on cpu 3', 'Call Trace:', ...at(['panic'])],
  ],
  [
    'BUG: unable to handle kernel paging request in board_read',
    // parisc: the trace stands in front of the line that tells what happened.
    [
      'Bad Address (null pointer deref?): Code=26 (Data memory access rights trap) at addr 0000000000000008',
      'CPU: 1 PID: 30 Comm: poller Not tainted 6.1.192 #1',
      'Hardware name: 9000/785/C8000',
      'IASQ: 0000000000000000 0000000000000000 IAOQ: 0000000040345678 000000004034567c',
      ' IIR: 0f4010dc    ISR: 0000000000000000  IOR: 0000000000000008',
      ' IAOQ[0]: board_read+0x2c/0x1a0',
      ' IAOQ[1]: board_read+0x30/0x1a0',
      ' RP(r2): board_poll+0x2c/0x1a0',
    ],
  ],
  [
    'kernel BUG in <board::bus::Device>::read',
    [
      'rust_kernel: panicked at drivers/board.rs:18:9:',
      'no such register',
      '------------[ cut here ]------------',
      'kernel BUG at rust/helpers/bug.c:7!',
      'Oops: invalid opcode: 0000 [#1] SMP',
      ...log.x86('rust_helper_BUG', [
        '_RNvCs1_7___rustc17rust_begin_unwind',
        '_RNvNtCs2_4core9panicking9panic_fmt',
        '_RNvNtCs2_4core6option13unwrap_failed',
        '_RNvMNtCs3_5board3busNtB2_6Device4read',
        ...CALLERS,
      ]),
    ],
  ],
  [
    'KASAN: slab-use-after-free Read in <board::bus::Device>::read',
    [
      '='.repeat(66),
      'BUG: KASAN: slab-use-after-free in _RNvMNtCs3_5board3busNtB2_6Device4read+0x2c/0x1a0',
      'Read of size 8 at addr ffff888123456780 by task poller/30',
      '',
      log.cpu('6.12.0'),
      ...log.trace(['dump_stack_lvl', 'print_report', 'kasan_report', '_RNvMNtCs3_5board3busNtB2_6Device4read']),
    ],
  ],
];
