// What a rule is: how a report begins, what it is called, and where the function stands that it blames.

import { isDull, isEntry, isReporting } from './dull.js';
import type { Frame } from './frame.js';
import { stableName } from './frame.js';
import type { Report } from './report.js';

/** Kinds of crashes: the second part of a signature. */
export type Kind =
  | 'atomic-sleep'
  | 'bug'
  | 'divide-error'
  | 'double-fault'
  | 'gpf'
  | 'hard-lockup'
  | 'hung-task'
  | 'invalid-opcode'
  | 'kasan'
  | 'kcsan'
  | 'kfence'
  | 'kmsan'
  | 'leak'
  | 'list-corruption'
  | 'lockdep'
  | 'machine-check'
  | 'null-deref'
  | 'oom'
  | 'oops'
  | 'page-fault'
  | 'panic'
  | 'rcu-stall'
  | 'refcount'
  | 'soft-lockup'
  | 'stack-overflow'
  | 'ubsan'
  | 'usercopy'
  | 'warning';

/** What the groups of the patterns matched. */
export type Groups = Readonly<Record<string, string | undefined>>;

/** Where a report says which function is to blame. @returns the function's name as the title has it */
export type Place = (report: Report, groups: Groups, form: Form) => string | undefined;

/** One way to name a report. The first form of a rule whose needs are met is taken. */
export interface Form {
  readonly kind: Kind;
  /** `{f}` is the function, `{name}` what the group `name` of the patterns matched. */
  readonly title: string;
  /** Lines that the report must have. */
  readonly needs?: readonly RegExp[];
  /** Only the first so many lines are searched for what is needed. */
  readonly within?: number;
  readonly place?: Place;
  /** Functions that do not tell what went wrong in such a report, beside those that never do. */
  readonly dull?: RegExp;
}

export interface Rule {
  /** What the line says, from its beginning or after words such as `watchdog: `. */
  readonly opening: RegExp;
  /** A report of these kinds goes on with such a line: it begins none of its own. */
  readonly partOf?: readonly Kind[];
  /** It goes on with one only as long as that has told no instruction pointer. */
  readonly isEarly?: boolean;
  /** The line is all of it: a report that it stands within goes on after it. */
  readonly isLine?: boolean;
  readonly forms: readonly Form[];
}

/** What stands for the function where the report was cut or mixed with others before one could be read. */
export const CORRUPTED = 'corrupted';

/** The folder that a kernel was built in, which older kernels tell in front of a source file's name. */
export const BUILT_IN = String.raw`(?:[\w./+~-]{1,200}/)?`;

const telling = (form: Form) => (name: string) => !isDull(name) && !isEntry(name) && !form.dull?.test(name);

/** The first function that tells something; where none does, the door that the task came through. */
function firstTelling(frames: readonly Frame[], form: Form): string | undefined {
  const tells = telling(form);
  const reliable = frames.filter((frame) => frame.reliable);
  return (reliable.find(({ name }) => tells(name)) ?? reliable.find(({ name }) => isEntry(name)))?.name;
}

/** The function that the opening or a needed line names, or else the first of the trace. */
export const named: Place = (report, groups, form) => {
  const tells = telling(form);
  for (const group of ['f', 'g']) {
    const symbol = groups[group];
    if (symbol !== undefined && tells(stableName(symbol))) return stableName(symbol);
  }
  return firstTelling(report.trace, form);
};

/** The first telling function of the first trace. */
export const traced: Place = (report, _, form) => firstTelling(report.trace, form);

/** The function of the instruction pointer, or else the first of the trace: an oops without a pointer was cut before it. */
export const pointed: Place = (report, _, form) => {
  const { pointer } = report;
  if (pointer === undefined) return undefined;
  if (pointer !== 'unnamed' && telling(form)(pointer.name)) return pointer.name;
  return firstTelling(report.trace, form);
};

/** The first telling function after a heading. */
export const tracedAfter =
  (heading: RegExp): Place =>
  (report, _, form) =>
    firstTelling(report.after(heading), form);

/** The first of several places that knows. */
export const either =
  (...places: readonly Place[]): Place =>
  (report, groups, form) => {
    for (const place of places) {
      const name = place(report, groups, form);
      if (name !== undefined) return name;
    }
    return undefined;
  };

/** Functions that schedule or wait for something, by the words in their names; and the rest of those that only wait. */
const WAITING = new RegExp(
  [
    'sched|_lock|_slowlock|slowpath|^_*down|_down_(?:read|write)|rwsem|rwbase|wait|completion|synchronize|rcu_barrier|kthread|sleep(?:_range|_on|$)',
    'context_switch|__switch_to|finish_task_switch|flush_work|flush_delayed|cancel_(?:work|delayed)|drain_workqueue',
    '^(?:ktime_get|delayacct|wake_\\w+_function|autoremove|balance_dirty|do_read_cache)',
  ].join('|'),
);

/** Where everybody waits who waits for the same: the victim that is seen says less than what it waits for. */
const GATHERING: readonly (readonly [RegExp, string])[] = [
  [/rtnl_lock/, 'rtnl_lock'],
  [/synchronize_(?:s?rcu|net|sched)/, 'synchronize_rcu'],
];

/** A hung task's function: what all wait for, or else the first that neither schedules nor waits. */
export const waiting: Place = (report, _, form) => {
  const tells = telling(form);
  const names = report.trace.filter(({ reliable }) => reliable).map(({ name }) => name);
  for (const name of names) {
    const gathering = GATHERING.find(([pattern]) => pattern.test(name));
    if (gathering) return gathering[1];
  }
  const own = names.filter((name) => !WAITING.test(name) && !isEntry(name));
  // A task that waits within a page fault has not crashed: there is nothing else to name.
  return own.find(tells) ?? own.find((name) => FAULTING.test(name));
};

/** What handles page faults, on the architectures. */
const FAULTING = /^(?:_*do_page_fault|do_user_addr_fault|exc_page_fault|handle_page_fault|___do_page_fault)$/;

/** Doors that all work comes through; the function in front of one is what was called. */
const DOORS = new RegExp(
  `^(?:${[
    'do_vfs_ioctl|ksys_ioctl|vfs_ioctl|(?:__(?:x64|ia32|arm64|se|do)_)?(?:compat_)?(?:sys|SyS)_(?:compat_)?ioctl|blkdev_ioctl|blkdev_common_ioctl|\\w*compat_(?:blkdev_)?ioctl|compat_blkdev_ioctl',
    '_*sock_(?:send|recv)msg\\w*|_*sys_[gs]etsockopt|do_sock_[gs]etsockopt|sock_common_[gs]etsockopt|SyS_[gs]etsockopt',
    '(?:__)?(?:new_sync_|do_iter_|do_loop_)?(?:vfs_)?(?:read|write)v?|call_(?:read|write)_iter|do_iter_\\w+|__vfs_(?:read|write)',
    'call_timer_fn|process_one_work|process_scheduled_works|tasklet_action\\w*|__netif_receive_skb\\w*|netif_receive_skb\\w*|blk_mq_run_work_fn',
    '\\w*hrtimer_run_\\w+|__run_hrtimer|(?:__)?run_timers|expire_timers|run_timer_softirq|_*do_softirq|handle_softirqs|run_ksoftirqd|smpboot_thread_fn',
    'rtnetlink_rcv_msg|nfnetlink_rcv_msg|task_work_run|kthread|ret_from_fork\\w*|start_secondary|cpu_startup_entry',
    'do_syscall_\\w+|x64_sys_call|ia32_sys_call|_*do_fast_syscall_\\w+|entry_\\w+|invoke_syscall|el0_svc\\w*|do_el0_svc|syscall_call|ret_fast_syscall|system_call\\w*|sysenter_\\w+',
  ].join('|')})$`,
);

/** An interrupt's entry: what stands in front of the first is the watchdog at work. */
const INTERRUPT =
  /^(?:(?:smp_)?(?:trace_)?(?:apic_timer|call_function\w*|reschedule)_interrupt\w*|(?:asm_)?sysvec_\w+|asm_call_\w*on_stack|ret_from_intr|common_interrupt|el1h?_(?:64_)?irq\w*|__irq_svc|asm_common_interrupt|timer_interrupt\w*|decrementer_common\w*|hardware_interrupt_common\w*|replay_(?:soft_)?interrupt\w*|(?:rollback_)?handle_v?int|do_v?int|ret_from_irq|plat_irq_dispatch|handle_riscv_irq|do_irq|do_(?:ext|io)_irq|ext_int_handler|nmi|end_repeat_nmi|asm_exc_nmi)$/;

/** What a watchdog itself does. */
const WATCHING =
  /^(?:nmi_\w+|rcu_\w*(?:dump|stall|check|sched_clock|pending)\w*|_*sched_show_task|dump_cpu_task|print_\w*stall\w*|check_cpu_stall|watchdog\w*|arch_trigger_\w+|update_process_times|tick_\w+|_*hrtimer_\w+|hrtimer_interrupt|local_apic_timer_\w+|smp_\w*apic_timer_\w+|show_\w+)$/;

/** A stall's function: the one in front of the first door that all work comes through. */
export const stalled: Place = (report) => inFrontOfDoor(report, beforeInterrupt);

/** The same, of the task that the timer's interrupt came into: what else the interrupt did came only then. */
export const preempted: Place = (report) =>
  inFrontOfDoor(report, (names) => {
    const from = names.findIndex((name) => /apic_timer_interrupt$/.test(name));
    return from < 0 ? [] : names.slice(from + 1);
  });

function inFrontOfDoor(report: Report, part: (names: readonly string[]) => readonly string[]): string | undefined {
  for (const { frames, live } of report.sections) {
    if (!live) continue;
    const names = part(frames.filter(({ reliable }) => reliable).map(({ name }) => name));
    if (names.some((name) => /^smp_call_function(?:_single|_many|_any|_many_cond)?$/.test(name)))
      return 'smp_call_function';
    const at = names.findIndex((name, i) => DOORS.test(name) && i > 0 && isWork(names[i - 1]!));
    if (at > 0) return names[at - 1];
  }
  return undefined;
}

/** What ran when the watchdog's interrupt came. */
export const interrupted: Place = (report, _, form) => {
  const tells = telling(form);
  const names = report.trace.filter(({ reliable }) => reliable).map(({ name }) => name);
  const from = names.findIndex((name) => INTERRUPT.test(name));
  // The trace may begin with what runs, which may run in an interrupt itself.
  return from < 0 || !isWatched(names) ? undefined : names.slice(from + 1).find((name) => tells(name) && isWork(name));
};

/** What a stall's trace names first that neither watches nor waits: some are told without a pointer and a door. */
export const running: Place = (report, _, form) => {
  const tells = telling(form);
  const names = beforeInterrupt(report.trace.filter(({ reliable }) => reliable).map(({ name }) => name));
  return names.find((name) => tells(name) && isWork(name) && !WAITING.test(name));
};

const isWork = (name: string) => !isReporting(name) && !INTERRUPT.test(name) && !WATCHING.test(name);

/** Whether a trace begins with the watchdog's own work. */
const isWatched = (names: readonly string[]) =>
  names.slice(0, 3).some((name) => WATCHING.test(name) || /^dump_stack/.test(name));

/** What ran before a watchdog's interrupt came. */
function beforeInterrupt(names: readonly string[]): readonly string[] {
  if (!isWatched(names)) return names;
  const from = names.findIndex((name) => INTERRUPT.test(name));
  return names.slice(from + 1);
}
