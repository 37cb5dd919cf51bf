// Short logs of crashes, in the words of the architectures' kernels.

/** An oops of x86-64. */
export const X86_OOPS = `[    9.790326] BUG: kernel NULL pointer dereference, address: 0000000000000010
[    9.791024] #PF: supervisor write access in kernel mode
[    9.791497] Oops: 0002 [#1] SMP
[    9.791626] CPU: 1 PID: 30 Comm: sensor poll Tainted: G        W  O       6.1.192 #1
[    9.791700] Hardware name: Acme Board/Rev 2, BIOS 1.0 01/01/2024
[    9.791841] RIP: 0010:board_read+0x6/0x20 [board]
[    9.793603] RSP: 0018:ffff8880003e3dc0 EFLAGS: 00000282
[    9.793603] Call Trace:
[    9.793603]  <TASK>
[    9.793603]  ? board_poll+0x1c/0x1e [board]
[    9.793603]  board_work.cold+0x18/0x23 [board]
[    9.793603]  process_one_work+0xaa/0x320
[    9.793603]  worker_thread+0x64/0xe0
[    9.793603]  kthread+0x19/0x20
[    9.793603]  ret_from_fork+0x2f/0x50
[    9.793603]  </TASK>
[    9.793603] Modules linked in: board(O) acme [last unloaded: old]
[    9.816024] ---[ end trace 0000000000000000 ]---
[    9.820000] Kernel panic - not syncing: Fatal exception in interrupt
`;

/** The same crash of another build: other addresses, offsets, suffixes, CPU and task. */
export const X86_OOPS_OTHER_BUILD = X86_OOPS.replaceAll('[    9.', '[   77.')
  .replace('board_read+0x6/0x20', 'board_read.isra.0+0x16/0x44')
  .replace('board_work.cold+0x18/0x23', 'board_work+0x1/0x99')
  .replace('CPU: 1 PID: 30', 'CPU: 3 PID: 4711')
  .replace('6.1.192 #1', '6.6.8-rc1 #77');

export const ARM_OOPS = `[    0.322532] 8<--- cut here ---
[    0.322600] Unable to handle kernel NULL pointer dereference at virtual address 00000004
[    0.322700] Internal error: Oops: 805 [#1] SMP ARM
[    0.322800] CPU: 0 PID: 31 Comm: init Not tainted 6.1.192 #1
[    0.322900] PC is at board_read+0xc/0x14
[    0.323000] LR is at board_poll+0x10c/0x12c
[    0.323100] pc : [<c03c08a4>]    lr : [<c03c0678>]    psr: a00f0013
[    0.343053]  board_read from board_poll+0x10c/0x12c
[    0.343144]  board_poll from vfs_write+0xc0/0x314
[    0.343336]  vfs_write from ksys_write+0x68/0xd4
[    0.343427]  ksys_write from ret_fast_syscall+0x0/0x54
`;

export const OLD_ARM_WARNING = `WARNING: CPU: 0 PID: 2587 at drivers/board.c:18 board_read+0x310/0x380
CPU: 0 PID: 2587 Comm: poller Not tainted 4.17.0-rc1+ #11
[<8011218c>] (unwind_backtrace) from [<8010e300>] (show_stack+0x18/0x1c)
[<8010e300>] (show_stack) from [<80b12478>] (dump_stack+0xa0/0xc0)
[<80b12478>] (dump_stack) from [<801349a8>] (__warn+0x104/0x2cc)
[<801349a8>] (__warn) from [<8013479c>] (warn_slowpath_null+0x0/0x5c)
[<8013479c>] (warn_slowpath_null) from [<8013479c>] (board_read+0x310/0x380)
`;

export const ARM64_OOPS = `[    2.610210] Unable to handle kernel paging request at virtual address dfff800000000003
[    2.612599] Internal error: Oops: 0000000096000046 [#1] SMP
[    2.612917] CPU: 0 UID: 0 PID: 39 Comm: init Not tainted 6.12.117 #1
[    2.613293] pstate: 60000005 (nZCv daif -PAN -UAO -TCO -DIT -SSBS BTYPE=--)
[    2.613413] pc : board_read+0xc/0x20
[    2.613857] lr : board_poll+0x20/0x40
[    2.615249] Call trace:
[    2.615372]  board_read+0xc/0x20
[    2.615546]  board_poll+0xa8/0x130
[    2.615684]  vfs_write+0x8c/0x300
`;

export const MIPS_OOPS = `[    0.323177] CPU 0 Unable to handle kernel paging request at virtual address 00000000, epc == 80427870, ra == 804275ac
[    0.323810] Oops[#1]:
[    0.323918] CPU: 0 PID: 17 Comm: init Not tainted 6.1.192 #1
[    0.324095] $ 0   : 00000000 804275ac 00000028 8059bae8
[    0.324983] epc   : 80427870 board_read+0x10/0x18
[    0.325200] ra    : 804275ac board_poll+0x140/0x160
[    0.326741] Call Trace:
[    0.326783] [<80427870>] board_read+0x10/0x18
[    0.326974] [<804275ac>] board_poll+0x140/0x160
`;

export const POWERPC_OOPS = `[    1.000000] BUG: Kernel NULL pointer dereference on read at 0x00000000
[    1.000100] Oops: Kernel access of bad area, sig: 11 [#1]
[    1.000200] CPU: 1 PID: 57 Comm: poller Not tainted 5.10.0 #7
[    1.000300] NIP:  c00000000009651c LR: c00000000009600c CTR: 0000000000000000
[    1.000400] NIP [c00000000009651c] board_read+0x2c/0x70
[    1.000500] LR [c00000000009600c] board_poll+0x19c/0x2d0
[    1.000600] Call Trace:
[    1.000700] [c00000003ae5bdf0] [c00000000009651c] board_poll+0x10c/0x250 (unreliable)
[    1.000800] [c00000003ae5be20] [c0000000000088f8] board_work+0x138/0x190
`;

export const RISCV_OOPS = `[    1.000000] Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008
[    1.000100] Oops [#1]
[    1.000200] CPU: 0 PID: 81 Comm: poller Not tainted 6.1.0 #3
[    1.000300] epc : board_read+0x1c/0x40
[    1.000400]  ra : board_poll+0x88/0x9a
[    1.000500] [<ffffffff80400a2c>] board_read+0x1c/0x40
[    1.000600] [<ffffffff80400b00>] board_poll+0x88/0x9a
`;

export const KASAN = `[   50.1] noise
[   50.583499][  T312] BUG: KASAN: slab-use-after-free in memcpy+0xac/0xc3
[   50.583500][  T312] Read of size 8 at addr ffff88002db3cf50 by task poller/312
[   50.583501][   T99] board: unrelated
[   50.583502][  T312] CPU: 0 PID: 312 Comm: poller Not tainted 6.6.0 #1
[   50.583503][  T312] Call Trace:
[   50.583504][  T312]  dump_stack_lvl+0x10/0x20
[   50.583505][  T312]  print_report+0x10/0x20
[   50.583506][  T312]  kasan_report+0x10/0x20
[   50.583507][  T312]  memcpy+0xac/0xc3
[   50.583508][  T312]  board_read+0x10/0x20
[   50.583509][  T312] Allocated by task 300:
[   50.583510][  T312]  board_alloc+0x10/0x20
`;

export const HUNG = `[  981.809015] INFO: task poller:764 blocked for more than 120 seconds.
[  981.809016]       Not tainted 6.1.0 #1
[  981.809017] task:poller state:D stack:0 pid:764 ppid:2 flags:0x00004000
[  981.809018] Call Trace:
[  981.809019]  __schedule+0x2c0/0x8e0
[  981.809020]  schedule+0x5b/0xc0
[  981.809021]  schedule_preempt_disabled+0x11/0x20
[  981.809022]  __mutex_lock.constprop.0+0x3c4/0x6d0
[  981.809023]  board_ioctl+0x40/0x100
[  981.809024]  __x64_sys_ioctl+0x87/0xc0
`;

export const SOFT_LOCKUP = `[  100.000000] watchdog: BUG: soft lockup - CPU#3 stuck for 26s! [poller:871]
[  100.000001] CPU: 3 PID: 871 Comm: poller Not tainted 6.1.0 #1
[  100.000002] RIP: 0010:board_spin+0x20/0x50
[  100.000003] Call Trace:
[  100.000004]  board_wait+0x40/0x80
[  100.000005]  board_ioctl+0x40/0x100
[  100.000006]  __x64_sys_ioctl+0x87/0xc0
[  100.000007]  do_syscall_64+0x58/0xc0
`;

export const DEADLOCK = `[   82.165575] WARNING: possible circular locking dependency detected
[   82.171877] 6.1.0 #221 Not tainted
[   82.181875] poller/4217 is trying to acquire lock:
[   82.187393] ffff8880 (board_lock){+.+.}-{3:3}, at: board_get+0x17/0x20
[   82.194670] but task is already holding lock:
[   82.200628] ffff8881 (other_lock){+.+.}-{3:3}, at: other_get+0x3e/0x3e0
[   82.224847] -> #1 (other_lock){+.+.}-{3:3}:
[   82.230301]        other_chain+0x16f/0x1a80
[   82.461090] stack backtrace:
[   82.465557] CPU: 1 PID: 4217 Comm: poller Not tainted 6.1.0 #221
[   82.465558]  dump_stack_lvl+0x10/0x20
[   82.465559]  board_get+0x17/0x20
`;
