// Panics, with the titles that they should get.

import * as log from '../kernel-log.js';
import type { Case } from './faults.js';

const TEXTS: readonly Case[] = [
  ['sysrq triggered crash', 'sysrq triggered crash'],
  ['VFS: Unable to mount root fs', 'VFS: Unable to mount root fs on unknown-block(179,2)'],
  ['VFS: Unable to mount root fs', 'VFS: Unable to mount root fs on "/dev/mmcblk0p2" or unknown-block(0,0)'],
  ['Attempted to kill init!', 'Attempted to kill init! exitcode=0x00007f00'],
  ['Attempted to kill the idle task!', 'Attempted to kill the idle task!'],
  ['Fatal exception', 'Fatal exception in interrupt'],
  [
    'No working init found.  Try passing init= option to kernel. See Linux Documentation/admin-guide/init.rst f',
    'No working init found.  Try passing init= option to kernel. See Linux Documentation/admin-guide/init.rst for guidance.',
  ],
  ['System is deadlocked on memory', 'System is deadlocked on memory'],
  ['Out of memory: compulsory panic_on_oom is enabled', 'Out of memory: compulsory panic_on_oom is enabled'],
  ['kernel stack overflow', 'kernel stack overflow'],
  ['panic_on_warn set', 'panic_on_warn set ...'],
  ['kernel: panic_on_warn set', 'kernel: panic_on_warn set ...'],
  ['hung_task: blocked tasks', 'hung_task: blocked tasks'],
  ['softlockup: hung tasks', 'softlockup: hung tasks'],
  ['Asynchronous SError Interrupt', 'Asynchronous SError Interrupt'],
  ['Oops: Fatal exception', 'Oops: Fatal exception'],
  ["Couldn't open N_TTY ldisc", "Couldn't open N_TTY ldisc for ttyS0 --- error -12."],
  ['EXT4-fs (device sda1): panic forced after error', 'EXT4-fs (device sda1): panic forced after error'],
].map(
  ([title, text]): Case => [
    `kernel panic: ${title}`,
    [
      `Kernel panic - not syncing: ${text}`,
      log.cpu(),
      'Hardware name: Acme Board/Rev 2, BIOS 1.0 01/01/2024',
      ...log.trace(['dump_stack_lvl', 'panic', 'board_read', 'vfs_write']),
      'Kernel Offset: disabled',
      'Rebooting in 10 seconds..',
    ],
  ],
);

const STACKS: readonly Case[] = [
  [
    'kernel panic: stack is corrupted in board_read',
    [
      'Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: board_read+0x1f0/0x1f0',
      log.cpu(),
      ...log.trace(['dump_stack_lvl', 'panic', '__stack_chk_fail', 'board_read']),
    ],
  ],
  [
    'kernel panic: stack is corrupted in board_read',
    [
      'Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: ffffffff81234567',
      log.cpu('4.9.0'),
      ...log.addressed(['dump_stack', 'panic', '__stack_chk_fail', 'board_read']),
    ],
  ],
  [
    'kernel panic: corrupted stack end in board_write',
    [
      'Kernel panic - not syncing: corrupted stack end detected inside scheduler',
      log.cpu(),
      ...log.trace([
        'dump_stack',
        'panic',
        '__schedule',
        'schedule',
        'board_wait',
        'board_write',
        'vfs_write',
        'ksys_write',
        'do_syscall_64',
      ]),
    ],
  ],
];

export const PANICS: readonly Case[] = [...TEXTS, ...STACKS];
