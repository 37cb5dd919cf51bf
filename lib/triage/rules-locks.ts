// Openings about locks, contexts and waiting: lockdep, atomic sleeps, lockups, stalls, hung tasks.

import { stableName } from './frame.js';
import {
  either,
  interrupted,
  named,
  type Place,
  pointed,
  preempted,
  type Rule,
  running,
  stalled,
  traced,
  tracedAfter,
  waiting,
} from './rule.js';

/** `at: [<…>] function+0x12/0x34`, of a held or wanted lock. */
const AT = String.raw`\bat: (?:\[<[^>]{1,24}>\]\s{0,8})?`;
const wanted = new RegExp(`${AT}([\\w.$]{1,256})(?:\\+0x| \\()`);

/** The locks' own functions, and what traces: who called them wanted the lock. */
const LOCKERS =
  /^(?:(?:_*raw_|do_raw_)?(?:spin|read|write)_\w*lock\w*|_*mutex_\w*lock\w*|ww_mutex_\w+|_*rt_mutex_\w+|_*(?:down|up)(?:_\w+)?|percpu_\w+|rwsem_\w+|lock_acquire|perf_trace\w*|trace_\w+|_*flush_(?:work|workqueue)\w*|start_flush_work|touch_w\w+_lockdep_map|drain_workqueue|destroy_workqueue|process_one_work|__might_fault|_*(?:mem|str)(?:cpy|set|dup\w*)|k\w*alloc\w*)$/;

/** A lock that is wanted, then one that is held, then the trace. */
const locked: Place = (report, groups, form) => {
  for (const { text } of report.lines.slice(0, 60)) {
    if (/the existing dependency|other info that might|stack backtrace/.test(text)) break;
    const symbol = wanted.exec(text)?.[1];
    if (symbol !== undefined && !LOCKERS.test(stableName(symbol))) return stableName(symbol);
  }
  return traced(report, groups, form);
};

/** Lockdep prints `WARNING: x`; before Linux 4.11, it printed `[ INFO: x ]` and `[ BUG: x ]`. */
const lockdep = (text: string) => new RegExp(`(?:\\[ )?(?<word>WARNING|INFO|BUG): ${text}`);

export const LOCKS: readonly Rule[] = [
  {
    opening: lockdep('(?<text>possible (?:circular|recursive|nested|irq lock inversion) [a-z ]{4,32}detected)'),
    forms: [
      {
        kind: 'lockdep',
        title: 'possible deadlock in {f}',
        needs: [/ (?:trying to acquire(?: lock)?|just changed the state of lock):/, wanted],
        within: 60,
        place: locked,
      },
      { kind: 'lockdep', title: '{word}: {text}' },
    ],
  },
  {
    opening: lockdep('[\\w-]+-safe -> [\\w-]+-unsafe lock order detected'),
    forms: [
      {
        kind: 'lockdep',
        title: 'possible deadlock in {f}',
        place: either(tracedAfter(/which became \S*irq-safe/), locked),
      },
    ],
  },
  {
    opening: lockdep('inconsistent lock state'),
    forms: [{ kind: 'lockdep', title: 'inconsistent lock state in {f}', place: locked }],
  },
  {
    // Before Linux 3.2: suspicious rcu_dereference_check() usage.
    opening: lockdep('suspicious (?:RCU|rcu_\\w+\\(\\)) usage'),
    forms: [
      {
        kind: 'lockdep',
        title: '{word}: suspicious RCU usage in {f}',
        needs: [/^\S{1,200}\.\w{1,2}:\d{1,6} \S/],
        within: 20,
        place: traced,
      },
      { kind: 'lockdep', title: '{word}: suspicious RCU usage' },
    ],
  },
  {
    opening: lockdep('bad (?<what>unlock balance|contention) detected'),
    forms: [
      {
        kind: 'lockdep',
        title: '{word}: bad {what} in {f}',
        place: either(tracedAfter(/is trying to (?:release|contend) lock/), traced),
      },
    ],
  },
  {
    opening: lockdep('held lock freed'),
    forms: [{ kind: 'lockdep', title: '{word}: held lock freed in {f}', place: locked }],
  },
  {
    opening: lockdep('lock held (?<when>when returning to user space|at task exit time)'),
    forms: [{ kind: 'lockdep', title: '{word}: lock held {when} in {f}', place: locked }],
  },
  {
    opening: lockdep('\\S{1,64}/\\d+ still has locks held'),
    forms: [{ kind: 'lockdep', title: '{word}: still has locks held in {f}', place: locked }],
  },
  {
    opening: lockdep('Invalid wait context'),
    forms: [{ kind: 'lockdep', title: 'WARNING: locking bug in {f}', place: traced }],
  },
  {
    opening: lockdep('Nested lock was not taken'),
    forms: [{ kind: 'lockdep', title: '{word}: nested lock was not taken in {f}', place: traced }],
  },
  {
    opening: /INFO: trying to register non-static key/,
    forms: [{ kind: 'lockdep', title: 'INFO: trying to register non-static key in {f}', place: traced }],
  },
  {
    opening: /BUG: (?<text>MAX_\w+ too low!)/,
    forms: [{ kind: 'lockdep', title: 'BUG: {text}' }],
  },
  {
    opening: /BUG: sleeping function called from invalid context/,
    forms: [
      { kind: 'atomic-sleep', title: 'BUG: sleeping function called from invalid context in {f}', place: traced },
    ],
  },
  {
    opening: /BUG: scheduling while atomic/,
    forms: [{ kind: 'atomic-sleep', title: 'BUG: scheduling while atomic in {f}', place: waiting }],
  },
  {
    opening: /BUG: using (?<what>[\w]+\(\)) in preemptible/,
    forms: [{ kind: 'atomic-sleep', title: 'BUG: using {what} in preemptible code in {f}', place: traced }],
  },
  {
    opening:
      /BUG: (?<what>spinlock|rwlock) (?<how>lockup(?: suspected)?|recursion|bad magic|wrong CPU|wrong owner|trylock failure on UP|already unlocked|cpu recursion)/,
    forms: [{ kind: 'lockdep', title: 'BUG: {what} {how} in {f}', place: traced }],
  },
  {
    opening: /BUG: workqueue leaked (?<what>lock or atomic|atomic, lock or RCU)/,
    forms: [
      {
        kind: 'lockdep',
        title: 'BUG: workqueue leaked {what} in {f}',
        needs: [/(?:last function: |\bworkfn=)(?<f>[\w.$]+)/],
        within: 8,
        place: named,
      },
      { kind: 'lockdep', title: 'BUG: workqueue leaked {what} in {f}', place: traced },
    ],
  },
  { opening: /BUG: workqueue lockup/, isLine: true, forms: [{ kind: 'soft-lockup', title: 'BUG: workqueue lockup' }] },
  {
    opening: /BUG: soft lockup/,
    forms: [
      { kind: 'soft-lockup', title: 'BUG: soft lockup in {f}', place: either(stalled, interrupted, pointed, running) },
    ],
  },
  {
    opening:
      /(?:CPU\d+: )?(?:NMI )?[Ww]atchdog detected hard LOCKUP|Watchdog CPU:\d+ (?:detected )?Hard LOCKUP|CPU \d+ detected hard LOCKUP on other CPUs|CPU \d+ (?:self-detected )?[Hh]ard LOCKUP|BUG: NMI Watchdog detected LOCKUP|Watchdog: (?:BUG: )?[Hh]ard LOCKUP|watchdog: (?:BUG: )?(?:CPU \d+ detected )?[Hh]ard LOCKUP|watchdog: Watchdog detected hard LOCKUP|NMI watchdog: Watchdog detected hard LOCKUP/,
    partOf: ['hard-lockup'],
    forms: [{ kind: 'hard-lockup', title: 'BUG: hard lockup in {f}', place: either(stalled, interrupted, traced) }],
  },
  {
    opening:
      /INFO: rcu_\w{1,32} (?:self-)?detected (?:expedited )?stalls?|INFO: (?:rcu|RCU)[\w ()]{0,32}detected (?:expedited |CPU (?:\d{1,5} )?)?stalls?/,
    forms: [
      {
        kind: 'rcu-stall',
        title: 'INFO: rcu detected stall in {f}',
        place: either(preempted, stalled, interrupted, pointed, running),
      },
    ],
  },
  {
    opening: /INFO: (?:SRCU|RCU Tasks|rcu_tasks\w*) (?:detected )?stall/,
    forms: [
      {
        kind: 'rcu-stall',
        title: 'INFO: rcu detected stall in {f}',
        place: either(preempted, stalled, interrupted, pointed, running),
      },
    ],
  },
  {
    opening: /INFO: task .{1,64}:\d{1,10} blocked (?:in I\/O wait |on a \w+ )?(?:.{0,32} )?for more than/,
    forms: [{ kind: 'hung-task', title: 'INFO: task hung in {f}', place: waiting }],
  },
  {
    opening: /INFO: task .{1,64}:\d{1,10} can't die for more than/,
    forms: [{ kind: 'hung-task', title: "INFO: task can't die in {f}", place: waiting }],
  },
];
