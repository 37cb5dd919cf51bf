// Faults of the processor, as the architectures print them, with the titles that they should get.

import * as log from '../kernel-log.js';

/** The title, and the kernel's own words. */
export type Case = readonly [title: string, lines: readonly string[]];

const NULL = 'BUG: unable to handle kernel NULL pointer dereference in board_read';
const PAGING = 'BUG: unable to handle kernel paging request in board_read';
const FRAMES = ['board_poll [board]', 'vfs_write', 'ksys_write', 'do_syscall_64', 'entry_SYSCALL_64_after_hwframe'];
const AFTER_MEMCPY = ['board_read [board]', ...FRAMES];
const GUEST = ['board_poll', 'vfs_write', 'ksys_write'];

const X86: readonly Case[] = [
  [
    NULL,
    [
      'BUG: kernel NULL pointer dereference, address: 0000000000000008',
      '#PF: supervisor read access in kernel mode',
      '#PF: error_code(0x0000) - not-present page',
      'PGD 0 P4D 0 ',
      'Oops: 0000 [#1] PREEMPT SMP NOPTI',
      ...log.x86('board_read [board]', FRAMES),
    ],
  ],
  [
    NULL,
    [
      'BUG: unable to handle kernel NULL pointer dereference at           (null)',
      `IP: [<ffffffff81234567>] board_read+0x2c/0x1a0`,
      'PGD 1c3f067 PUD 1c40067 PMD 0 ',
      'Oops: 0002 [#1] SMP ',
      ...log.oldX86('board_read', FRAMES),
    ],
  ],
  [
    NULL,
    [
      'BUG: unable to handle kernel NULL pointer dereference at           (null)',
      'IP:           (null)',
      'PGD 0 P4D 0 ',
      'Oops: 0010 [#1] SMP KASAN',
      'CPU: 1 PID: 30 Comm: poller Not tainted 4.14.100 #1',
      'RIP: 0010:          (null)',
      'RSP: 0018:ffff8801c7edf780 EFLAGS: 00010046',
      ...log.trace(['board_read', ...FRAMES]),
    ],
  ],
  [
    NULL,
    [
      'BUG: kernel NULL pointer dereference, address: 0000000000000000',
      '#PF: supervisor instruction fetch in kernel mode',
      '#PF: error_code(0x0010) - not-present page',
      'Oops: Oops: 0010 [#1] PREEMPT SMP KASAN NOPTI',
      log.cpu('6.12.3'),
      'RIP: 0010:0x0',
      'Code: Unable to access opcode bytes at 0xffffffffffffffd6.',
      'RSP: 0018:ffffc9000124dab0 EFLAGS: 00010246',
      ...log.trace(['board_read', ...FRAMES]),
    ],
  ],
  [
    PAGING,
    [
      'BUG: unable to handle page fault for address: ffffed1018000000',
      '#PF: supervisor read access in kernel mode',
      'Oops: Oops: 0000 [#1] SMP KASAN PTI',
      ...log.x86('memcpy_orig', AFTER_MEMCPY, '6.15.0'),
    ],
  ],
  [
    PAGING,
    [
      'BUG: unable to handle kernel paging request at ffff888216edd110',
      'PGD 4801067 P4D 4801067 PUD 4804067 PMD 216f8c063 ',
      'Oops: 0000 [#1] PREEMPT SMP',
      ...log.x86('board_read.isra.0', FRAMES, '4.20.0'),
    ],
  ],
  [NULL, ['BUG: kernel NULL pointer dereference, address: 00000004', ...log.i386('board_read', FRAMES)]],
  [
    NULL,
    [
      'BUG: unable to handle kernel NULL pointer dereference at 00000004',
      'IP: [<c0123456>] board_read+0x2c/0x1a0',
      '*pde = 00000000 ',
      'Oops: 0002 [#1] SMP ',
      'Modules linked in: board',
      'Pid: 1201, comm: poller Not tainted 3.2.0-4-686-pae #1',
      'EIP: 0060:[<c0123456>] EFLAGS: 00010246 CPU: 0',
      'EIP is at board_read+0x2c/0x1a0',
      'EAX: 00000000 EBX: f5f5a600 ECX: 00000000 EDX: 00000001',
      'Process poller (pid: 1201, ti=f5f5a000 task=f5f5a600 task.ti=f5f5a000)',
      ...log.addressed(FRAMES),
    ],
  ],
  [
    'general protection fault in board_read',
    ['general protection fault: 0000 [#1] SMP PTI', ...log.x86('board_read', FRAMES)],
  ],
  [
    'general protection fault in board_read',
    [
      'general protection fault, probably for non-canonical address 0xdffffc0000000000: 0000 [#1] PREEMPT SMP KASAN',
      'KASAN: null-ptr-deref in range [0x0000000000000000-0x0000000000000007]',
      ...log.x86('board_read', FRAMES),
    ],
  ],
  [
    'general protection fault in board_read',
    [
      'Oops: general protection fault, probably for non-canonical address 0xdead000000000122: 0000 [#1] SMP NOPTI',
      ...log.x86('__list_del_entry_valid_or_report', AFTER_MEMCPY, '6.15.0'),
    ],
  ],
  [
    'general protection fault in board_read',
    [
      'kasan: CONFIG_KASAN_INLINE enabled',
      'kasan: GPF could be caused by NULL-ptr deref or user memory access',
      'general protection fault: 0000 [#1] SMP KASAN',
      'Dumping ftrace buffer:',
      '   (ftrace buffer empty)',
      ...log.oldX86('board_read', FRAMES),
    ],
  ],
  ['divide error in board_read', ['divide error: 0000 [#1] PREEMPT SMP KASAN', ...log.x86('board_read', FRAMES)]],
  [
    'divide error in board_read',
    ['Oops: divide error: 0000 [#1] PREEMPT SMP', ...log.x86('board_read', FRAMES, '6.14.0')],
  ],
  [
    'stack segment fault in board_read',
    ['stack segment: 0000 [#1] PREEMPT SMP KASAN', ...log.x86('board_read', FRAMES)],
  ],
  [
    'stack segment fault in board_read',
    ['Oops: stack segment: 0000 [#1] SMP', ...log.x86('board_read', FRAMES, '6.14.0')],
  ],
  ['invalid opcode in board_read', ['invalid opcode: 0000 [#1] PREEMPT SMP', ...log.x86('board_read', FRAMES)]],
  [
    'kernel BUG in board_read',
    [
      '------------[ cut here ]------------',
      'kernel BUG at drivers/board.c:18!',
      'invalid opcode: 0000 [#1] PREEMPT SMP KASAN NOPTI',
      ...log.x86('board_read', FRAMES),
    ],
  ],
  [
    'kernel BUG in board_read',
    [
      '------------[ cut here ]------------',
      'kernel BUG at ./include/linux/mm.h:1136!',
      'Oops: invalid opcode: 0000 [#1] SMP',
      ...log.x86('board_read', FRAMES, '6.15.0'),
    ],
  ],
  [
    'kernel BUG in board_read',
    [
      'kernel BUG at net/core/skbuff.c:201!',
      'invalid opcode: 0000 [#1] SMP',
      ...log.x86('skb_panic', ['skb_over_panic', 'skb_put', 'board_read', ...FRAMES]),
    ],
  ],
  [
    'BUG: corrupted list in board_read',
    [
      'list_del corruption. prev->next should be ffff8881, but was ffff8882. (prev=ffff8883)',
      '------------[ cut here ]------------',
      'kernel BUG at lib/list_debug.c:62!',
      'invalid opcode: 0000 [#1] PREEMPT SMP',
      ...log.x86('__list_del_entry_valid_or_report', ['board_read', ...FRAMES]),
    ],
  ],
  [
    'BUG: corrupted list in board_read',
    [
      'list_add corruption. next->prev should be prev (ffff8801), but was 0000000000000000. (next=ffff8802).',
      'kernel BUG at lib/list_debug.c:25!',
      'invalid opcode: 0000 [#1] SMP',
      ...log.x86('__list_add_valid', ['board_read', ...FRAMES]),
    ],
  ],
  [
    'BUG: bad usercopy in board_read',
    [
      "usercopy: Kernel memory exposure attempt detected from SLUB object 'kmalloc-64' (offset 0, size 128)!",
      'kernel BUG at mm/usercopy.c:102!',
      'invalid opcode: 0000 [#1] SMP',
      ...log.x86('usercopy_abort', ['__check_heap_object', '__check_object_size', 'board_read', ...FRAMES]),
    ],
  ],
  [
    'PANIC: double fault in board_read',
    ['traps: PANIC: double fault, error_code: 0x0', 'double fault: 0000 [#1] SMP', ...log.x86('board_read', FRAMES)],
  ],
  [
    'BUG: stack guard page was hit in board_ioctl',
    [
      'BUG: stack guard page was hit at ffffc90001487ff8 (stack is ffffc90001488000..ffffc9000148ffff)',
      'kernel stack overflow (double-fault): 0000 [#1] SMP',
      ...log.x86('board_walk', ['board_walk', 'board_walk', 'board_ioctl', '__x64_sys_ioctl', 'do_syscall_64']),
    ],
  ],
  [
    'BUG: stack guard page was hit in board_ioctl',
    [
      'BUG: TASK stack guard page was hit at ffffc90001487ff8 (stack is ffffc90001488000..ffffc90001490000)',
      'Oops: stack guard page: 0000 [#1] SMP',
      ...log.x86(
        'board_walk',
        ['board_walk', 'board_walk', 'board_ioctl', '__x64_sys_ioctl', 'do_syscall_64'],
        '6.15.0',
      ),
    ],
  ],
];

const OTHERS: readonly Case[] = [
  [
    NULL,
    [
      'Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008',
      ...log.arm64('board_read', GUEST),
    ],
  ],
  [
    PAGING,
    ['Unable to handle kernel paging request at virtual address dfff800000000003', ...log.arm64('board_read', GUEST)],
  ],
  [
    PAGING,
    [
      'Unable to handle kernel write to read-only memory at virtual address ffff800010d20000',
      ...log.arm64('board_read', GUEST),
    ],
  ],
  [
    'BUG: unable to handle kernel access to user memory in board_read',
    [
      'Unable to handle kernel access to user memory outside uaccess routines at virtual address 0000aaaac1a2b000',
      ...log.arm64('board_read', GUEST),
    ],
  ],
  [
    'kernel BUG in board_read',
    ['kernel BUG at drivers/board.c:18!', ...log.arm64('board_read', GUEST, 'Oops - BUG: 00000000f2000800').slice(6)],
  ],
  [
    'Internal error in board_read',
    log.arm64('board_read', GUEST, 'synchronous external abort: 0000000096000410').slice(6),
  ],
  ['Internal error in board_read', log.arm64('board_read', GUEST, 'Oops - FPAC: 0000000072000000').slice(6)],
  [
    NULL,
    [
      '8<--- cut here ---',
      'Unable to handle kernel NULL pointer dereference at virtual address 00000000',
      ...log.arm('board_read', GUEST),
    ],
  ],
  [
    NULL,
    [
      '8<--- cut here ---',
      'Unable to handle kernel NULL pointer dereference at virtual address 00000000 when write',
      ...log.arm('board_read', GUEST),
    ],
  ],
  [PAGING, ['Unable to handle kernel paging request at virtual address e1932f9f', ...log.oldArm('board_read', GUEST)]],
  [
    PAGING,
    [
      'Unable to handle kernel paging request at virtual address e1932f9f',
      ...log.arm('mmiocpy', ['board_read', ...GUEST]),
    ],
  ],
  ['kernel BUG in board_read', ['kernel BUG at drivers/board.c:18!', ...log.arm('board_read', GUEST, 'Oops - BUG: 0')]],
  ['Internal error in board_read', log.arm('board_read', GUEST, 'Oops - undefined instruction: 0')],
  [
    'Unhandled fault in board_read',
    ['Unhandled fault: imprecise external abort (0x1406) at 0x76f5d000', ...log.oldArm('board_read', GUEST, ': 1406')],
  ],
  [
    PAGING,
    [
      'CPU 0 Unable to handle kernel paging request at virtual address 00000010, epc == 80427870, ra == 804275ac',
      ...log.mips('board_read', GUEST),
    ],
  ],
  ['kernel BUG in board_read', log.mips('board_read', GUEST, 'Kernel bug detected[#1]:')],
  ['Oops in board_read', log.mips('board_read', GUEST, 'Unhandled kernel unaligned access[#1]:')],
  ['Oops in board_read', log.mips('board_read', GUEST, 'Reserved instruction in kernel code[#1]:')],
  [NULL, ['BUG: Kernel NULL pointer dereference on read at 0x00000008', ...log.powerpc('board_read', GUEST)]],
  [
    NULL,
    [
      'Kernel attempted to read user page (8) - exploit attempt? (uid: 0)',
      'BUG: Kernel NULL pointer dereference on read at 0x00000008',
      ...log.powerpc('board_read', GUEST),
    ],
  ],
  [NULL, ['Unable to handle kernel NULL pointer dereference', ...log.sparc('board_read', GUEST)]],
  [
    PAGING,
    ['BUG: Unable to handle kernel data access on read at 0xc00a000000000010', ...log.powerpc('board_read', GUEST)],
  ],
  [PAGING, ['BUG: Unable to handle kernel instruction fetch', ...log.powerpc('board_read', GUEST)]],
  [
    PAGING,
    [
      'Unable to handle kernel paging request for data at address 0xc00a000000000010',
      ...log.powerpc('board_read', GUEST),
    ],
  ],
  [
    'kernel BUG in board_read',
    [
      '------------[ cut here ]------------',
      'kernel BUG at drivers/board.c:18!',
      ...log.powerpc('board_read', GUEST, 'Exception in kernel mode, sig: 5').slice(1),
    ],
  ],
  ['Oops in board_read', log.powerpc('board_read', GUEST, 'Machine check, sig: 7').slice(1)],
  [
    NULL,
    [
      'Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008',
      ...log.riscv('board_read', GUEST),
    ],
  ],
  [
    PAGING,
    ['Unable to handle kernel paging request at virtual address dfffffff00000001', ...log.riscv('board_read', GUEST)],
  ],
  [
    'kernel BUG in board_read',
    ['kernel BUG at drivers/board.c:18!', ...log.riscv('board_read', GUEST, 'Kernel BUG [#1]')],
  ],
  ['Oops in board_read', log.riscv('board_read', GUEST, 'Oops - illegal instruction [#1]')],
  [
    PAGING,
    ['Unable to handle kernel pointer dereference in virtual kernel address space', ...log.s390('board_read', GUEST)],
  ],
  [
    'kernel BUG in board_read',
    [
      'kernel BUG at drivers/board.c:18!',
      ...log.s390('board_read', GUEST, 'monitor event: 0040 ilc:2 [#1] SMP ').slice(3),
    ],
  ],
  ['Oops in board_read', log.s390('board_read', GUEST, 'addressing exception: 0005 ilc:3 [#1] SMP').slice(3)],
  [
    PAGING,
    [
      'CPU 0 Unable to handle kernel paging request at virtual address 0000000000000000, era == 9000000000223f5c, ra == 9000000000223f00',
      ...log.loongarch('board_read', GUEST),
    ],
  ],
  [
    PAGING,
    ['Unable to handle kernel paging request at virtual address 0000000000a1b000', ...log.sparc('board_read', GUEST)],
  ],
];

export const FAULTS: readonly Case[] = [...X86, ...OTHERS];
