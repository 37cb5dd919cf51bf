// Openings of warnings: WARN_ON() and what the kernel writes in its manner.

import { BUILT_IN, either, interrupted, type Rule, stalled, traced } from './rule.js';

/**
 * `WARNING: CPU: 0 PID: 1 at file.c:12 function+0x1/0x2`, since Linux 6.18 `WARNING: file.c:12 at function+0x1/0x2, CPU#0`.
 * Before Linux 4.7, architectures with an instruction for WARN_ON() name no function: `WARNING: at file.c:12`.
 */
const atPath = (path: string, name?: string) => {
  const [f, end] = name === undefined ? ['[\\w.$]*', '|$'] : [name, ''];
  return new RegExp(
    `WARNING: (?:CPU: \\d+ PID: \\d+ )?(?:at ${path}:\\d+(?: (?<f>${f})${end})|${path}:\\d+ at (?<g>${f}))`,
  );
};
const at = (file: string, name?: string) => atPath(`${BUILT_IN}${file}`, name);
const ANY_PATH = '[\\w./+~-]{1,200}\\.\\w{1,4}';

export const WARNINGS: readonly Rule[] = [
  {
    opening: at('lib/refcount\\.c'),
    forms: [{ kind: 'refcount', title: 'WARNING: refcount bug in {f}', place: traced }],
  },
  {
    opening: at('lib/debugobjects\\.c'),
    forms: [{ kind: 'warning', title: 'WARNING: ODEBUG bug in {f}', place: traced, dull: /^_*call_rcu\w*$/ }],
  },
  {
    opening: at('lib/kobject\\.c'),
    forms: [{ kind: 'warning', title: 'WARNING: kobject bug in {f}', place: traced, dull: /^kobject_\w+$/ }],
  },
  {
    opening: at('kernel/locking/lockdep\\.c'),
    forms: [{ kind: 'lockdep', title: 'WARNING: locking bug in {f}', place: traced }],
  },
  {
    opening: at('mm/vmalloc\\.c', '__vmalloc_node\\w*'),
    forms: [{ kind: 'warning', title: 'WARNING: zero-size vmalloc in {f}', place: traced }],
  },
  {
    opening: at('mm/[\\w/]+\\.c', '_*k\\w{0,2}alloc\\w*'),
    forms: [{ kind: 'warning', title: 'WARNING: kmalloc bug in {f}', place: traced }],
  },
  {
    opening: at('mm/usercopy\\.c', 'usercopy_warn'),
    forms: [
      { kind: 'usercopy', title: 'WARNING: bad usercopy in {f}', place: traced, dull: /^(?:usercopy_|__check_)\w+$/ },
    ],
  },
  {
    opening: at('fs/proc/generic\\.c', 'proc_register'),
    forms: [{ kind: 'warning', title: 'WARNING: proc registration bug in {f}', place: traced, dull: /^proc_\w+$/ }],
  },
  {
    opening: at('drivers/usb/core/urb\\.c', 'usb_submit_urb'),
    forms: [{ kind: 'warning', title: 'WARNING in {f}/usb_submit_urb', place: traced, dull: /^usb_submit_urb$/ }],
  },
  {
    // Since Linux 4.10 it stands after the line that tells what is wrong with the list.
    opening: at('lib/list_debug\\.c'),
    partOf: ['list-corruption'],
    forms: [{ kind: 'warning', title: 'WARNING in {f}', place: traced }],
  },
  {
    // Before Linux 3.18, a warning.
    opening: at('kernel/watchdog\\.c', 'watchdog_overflow_callback'),
    forms: [{ kind: 'hard-lockup', title: 'BUG: hard lockup in {f}', place: either(stalled, interrupted, traced) }],
  },
  { opening: atPath(ANY_PATH), forms: [{ kind: 'warning', title: 'WARNING in {f}', place: traced }] },
  {
    // The same architectures before Linux 3.0.
    opening: /Badness at \S{1,200}(?::\d+| \[verbose debug info unavailable\])$/,
    forms: [{ kind: 'warning', title: 'WARNING in {f}', place: traced }],
  },
  {
    // Without CONFIG_DEBUG_BUGVERBOSE.
    opening: /WARNING: (?:CPU: \d+ PID: \d+ )?at (?:0x)?[\da-f]{8,16}\b/,
    forms: [{ kind: 'warning', title: 'WARNING in {f}', place: traced }],
  },
  {
    opening: /WARNING: kernel stack (?<what>regs|frame pointer) (?:at|in)\b.{0,80}? has bad (?<which>'\w+' )?value/,
    forms: [{ kind: 'warning', title: 'WARNING: kernel stack {what} has bad {which}value' }],
  },
  {
    opening: /WARNING: stack recursion|WARNING: can't dereference|WARNING: unrecognized unwind stack type/,
    forms: [{ kind: 'warning', title: 'WARNING: bad stack of the unwinder' }],
  },
  {
    opening: /(?<text>[\w-]{1,32}: page allocation failure)/,
    forms: [],
  },
];

/** Nothing more is known of these than their words. */
export const OTHERS: readonly Rule[] = [
  { opening: /WARNING: (?<text>[a-z]\w{0,63})$/, forms: [{ kind: 'warning', title: 'WARNING: {text}' }] },
  {
    opening: /BUG: (?!.{0,40}(?:report|please))(?<text>[A-Za-z].{2,200})/,
    forms: [{ kind: 'bug', title: 'BUG: {text}', place: traced }],
  },
];
