// Openings of faults and panics: the processor, or the kernel itself, could not go on.

import {
  BUILT_IN,
  either,
  interrupted,
  type Kind,
  named,
  type Place,
  pointed,
  type Rule,
  stalled,
  traced,
} from './rule.js';

const FUNCTION = String.raw`(?<f>[A-Za-z_.$<][\w.$:<>]*)\+0x`;

/** Of an address below this, the kernel says "NULL pointer dereference"; some architectures never say so. */
const LOW = String.raw`(?:(?:0x)?0{1,13}[0-9a-f]{0,3}\b|\s{0,16}\(null\))`;

const panic = (rest: string) => new RegExp(`Kernel panic - not syncing: ${rest}`);

/** What ran when a watchdog came: it is no part of the title, but tells one such panic from another. */
const watched = either(stalled, interrupted);

const CONSEQUENCES: readonly (readonly [Kind, string, Place?])[] = [
  ['hung-task', 'hung_task: .*'],
  ['soft-lockup', 'softlockup: .*', watched],
  ['hard-lockup', '(?:Watchdog detected )?[Hh]ard LOCKUP.*|Non maskable interrupt', watched],
  ['rcu-stall', 'RCU Stall.*', watched],
  // parisc.
  ['page-fault', 'Kernel Fault|Page fault: no context|Bad Address \\(null pointer deref\\?\\)'],
  ['kasan', 'KASAN: .*|kasan[.:].*'],
  ['ubsan', 'UBSAN: .*'],
  ['atomic-sleep', 'scheduling while atomic.*'],
  ['machine-check', 'Fatal hardware error!'],
  [
    'panic',
    '(?:kernel: |kcsan: |kfence: |ubsan: )?(?:panic_on_\\w+|\\w+[.=]panic\\w*|fault=panic)\\b.*|Machine halted.*|Oops\\b.*|[a-zA-Z][\\w :-]{0,60}: Fatal exception\\b.*|BUG!|Aiee, killing interrupt handler!',
  ],
];

/** Faults that kill the task that they happen in. */
const FATAL: readonly Kind[] = [
  ...(['null-deref', 'page-fault', 'gpf', 'oops', 'bug', 'invalid-opcode', 'divide-error', 'kasan'] as const),
  ...(['list-corruption', 'usercopy', 'double-fault', 'stack-overflow', 'kfence', 'machine-check'] as const),
];

const PANICS: readonly Rule[] = [
  {
    opening: panic('(?<text>(?:kernel: |[A-Z]{5}: )?panic_on_warn set)'),
    partOf: [],
    forms: [{ kind: 'panic', title: 'kernel panic: {text}' }],
  },
  // What follows from a report that stands before it: where that was cut off, the panic tells the kind.
  ...CONSEQUENCES.map(
    ([kind, text, place]): Rule => ({
      opening: panic(`(?<text>${text})`),
      partOf: [],
      forms: [{ kind, title: 'kernel panic: {text}', ...(place ? { place } : {}) }],
    }),
  ),
  {
    opening: panic(
      `(?:stack-protector: )?[Kk]ernel stack is corrupted in: (?:\\[<[^>]{0,24}>\\] |[\\da-f]{8,16} )?(?:${FUNCTION})?`,
    ),
    forms: [{ kind: 'stack-overflow', title: 'kernel panic: stack is corrupted in {f}', place: named }],
  },
  {
    opening: panic('corrupted stack end'),
    forms: [{ kind: 'stack-overflow', title: 'kernel panic: corrupted stack end in {f}', place: stalled }],
  },
  {
    opening: panic('(?<text>Attempted to kill (?:init|the idle task)!)'),
    partOf: [...FATAL],
    forms: [{ kind: 'panic', title: 'kernel panic: {text}' }],
  },
  {
    // riscv begins it with a capital letter.
    opening: panic('[Kk]ernel stack overflow'),
    partOf: ['stack-overflow'],
    forms: [{ kind: 'stack-overflow', title: 'kernel panic: kernel stack overflow' }],
  },
  {
    opening: panic('(?<text>Asynchronous SError Interrupt)'),
    partOf: ['panic'],
    forms: [{ kind: 'panic', title: 'kernel panic: {text}', place: traced }],
  },
  {
    // Before Linux 6.1.
    opening: panic('CFI failure \\(target:'),
    forms: [{ kind: 'oops', title: 'CFI failure in {f}', place: traced }],
  },
  {
    opening: panic("Couldn't open N_TTY ldisc"),
    forms: [{ kind: 'panic', title: "kernel panic: Couldn't open N_TTY ldisc" }],
  },
  {
    opening: panic('Fatal exception'),
    partOf: [],
    forms: [{ kind: 'panic', title: 'kernel panic: Fatal exception' }],
  },
  {
    opening: panic('(?<text>(?:Out of memory|System is deadlocked on memory)[\\w .:()-]{0,60}?)(?:\\.\\.\\.|$)'),
    forms: [{ kind: 'oom', title: 'kernel panic: {text}' }],
  },
  {
    opening: panic('(?<text>VFS: Unable to mount root fs)'),
    forms: [{ kind: 'panic', title: 'kernel panic: {text}' }],
  },
  {
    opening: panic('(?<text>[^\\n]{0,40}(?:[Mm]achine [Cc]heck|MCE)[^\\n]{0,60})'),
    forms: [{ kind: 'machine-check', title: 'kernel panic: {text}' }],
  },
  { opening: panic('(?<text>.{1,200})'), forms: [{ kind: 'panic', title: 'kernel panic: {text}' }] },
  {
    opening: /Kernel panic - not syncing:?$/,
    forms: [{ kind: 'panic', title: 'kernel panic' }],
  },
];

export const FAULTS: readonly Rule[] = [
  {
    opening: /BUG: (?:unable to handle (?:kernel )?NULL pointer dereference|kernel NULL pointer dereference)/,
    forms: [
      { kind: 'null-deref', title: 'BUG: unable to handle kernel NULL pointer dereference in {f}', place: pointed },
    ],
  },
  {
    opening: /BUG: unable to handle (?:kernel paging request|page fault)/,
    forms: [{ kind: 'page-fault', title: 'BUG: unable to handle kernel paging request in {f}', place: pointed }],
  },
  {
    // Before Linux 3.7, a BUG() of arm writes to address 0, after its line that names the file.
    opening: /(?:CPU \d+ )?Unable to handle kernel NULL pointer dereference|BUG: Kernel NULL pointer dereference/,
    partOf: ['bug'],
    isEarly: true,
    forms: [
      { kind: 'null-deref', title: 'BUG: unable to handle kernel NULL pointer dereference in {f}', place: pointed },
    ],
  },
  {
    opening: /Unable to handle kernel access to user memory/,
    forms: [{ kind: 'page-fault', title: 'BUG: unable to handle kernel access to user memory in {f}', place: pointed }],
  },
  {
    opening: new RegExp(`(?:CPU \\d+ )?Unable to handle kernel [a-z][\\w -]{0,80}? address:? ${LOW}`),
    forms: [{ kind: 'null-deref', title: 'BUG: unable to handle kernel paging request in {f}', place: pointed }],
  },
  {
    // s390 tells the address in another line.
    opening: /Unable to handle kernel pointer dereference in virtual kernel address space/,
    forms: [
      {
        kind: 'null-deref',
        title: 'BUG: unable to handle kernel paging request in {f}',
        needs: [/^Failing address: 0{13}/],
        within: 4,
        place: pointed,
      },
      { kind: 'page-fault', title: 'BUG: unable to handle kernel paging request in {f}', place: pointed },
    ],
  },
  {
    opening:
      /(?:CPU \d+ )?Unable to handle kernel [a-z]|BUG: Unable to handle (?:kernel|unknown) |Bad (?:kernel )?page fault/,
    forms: [{ kind: 'page-fault', title: 'BUG: unable to handle kernel paging request in {f}', place: pointed }],
  },
  {
    // parisc tells the kind of fault after the trace.
    opening: /(?:Kernel Fault|Page fault: no context|Bad Address \(null pointer deref\?\)): Code=\d{1,3} /,
    forms: [{ kind: 'page-fault', title: 'BUG: unable to handle kernel paging request in {f}', place: pointed }],
  },
  {
    opening: /(?:Oops: )?general protection fault(?:[:, ]|$)/,
    forms: [{ kind: 'gpf', title: 'general protection fault in {f}', place: pointed }],
  },
  {
    opening: /(?:Oops: )?divide[_ ]error: /,
    forms: [{ kind: 'divide-error', title: 'divide error in {f}', place: pointed }],
  },
  {
    // arm goes on with a wrong result.
    opening: /Division by zero in kernel\./,
    forms: [
      { kind: 'divide-error', title: 'divide error in {f}', place: traced, dull: /^(?:_*L?div0\w*|__\w*div\w*)$/ },
    ],
  },
  {
    opening: /(?:Oops: )?stack segment: [\da-f]{4} \[#\d/,
    forms: [{ kind: 'oops', title: 'stack segment fault in {f}', place: pointed }],
  },
  {
    // The other exceptions of x86, by the names that the kernel gives them.
    opening:
      /(?:Oops: )?(?<what>segment not present|invalid TSS|int3|bounds|overflow|alignment check|coprocessor segment overrun|simd exception|fpu exception|control protection|virtualization exception): [\da-f]{4} \[#\d/,
    partOf: [],
    forms: [{ kind: 'oops', title: '{what} in {f}', place: pointed }],
  },
  {
    opening: new RegExp(`CFI failure at ${FUNCTION}`),
    forms: [{ kind: 'oops', title: 'CFI failure in {f}', place: named }],
  },
  {
    opening: /Internal error: Oops - CFI: /,
    partOf: [],
    forms: [{ kind: 'oops', title: 'CFI failure in {f}', place: pointed }],
  },
  {
    // What the kernel then dies of stands alone where the beginning is missing.
    opening:
      /BUG: (?:[\w#]+ )?stack guard page was hit|kernel stack overflow \((?:double-fault|page fault)\): |Oops: stack guard page: /,
    partOf: ['stack-overflow'],
    forms: [{ kind: 'stack-overflow', title: 'BUG: stack guard page was hit in {f}', place: stalled }],
  },
  {
    opening: /Insufficient stack space to handle exception!|Internal error: kernel stack overflow: /,
    partOf: ['stack-overflow'],
    forms: [{ kind: 'stack-overflow', title: 'kernel panic: kernel stack overflow', place: pointed }],
  },
  {
    opening: /SError Interrupt on CPU\d+, code /,
    forms: [{ kind: 'panic', title: 'kernel panic: Asynchronous SError Interrupt', place: pointed }],
  },
  {
    opening: /PANIC: double fault/,
    forms: [{ kind: 'double-fault', title: 'PANIC: double fault in {f}', place: pointed }],
  },
  {
    opening: /PANIC: early exception (?:0x)?[\da-f]{1,2} /,
    forms: [{ kind: 'panic', title: 'PANIC: early exception in {f}', place: pointed }],
  },
  {
    // OpenZFS: the task stops for ever.
    opening: /PANIC at [\w.-]{1,64}:\d{1,6}:(?<f>\w{1,200})\(\)/,
    forms: [{ kind: 'bug', title: 'kernel BUG in {f}', place: named }],
  },
  {
    opening: /(?:Oops: )?double fault: [\da-f]{4} \[#\d/,
    partOf: [],
    forms: [{ kind: 'double-fault', title: 'PANIC: double fault in {f}', place: pointed }],
  },
  {
    // Qualcomm's: the reset that follows says no more.
    opening: /(?:[\w.-]{1,32} [\w.,:-]{1,64}: )?(?:QCOM Apps )?Watchdog bark!/,
    forms: [{ kind: 'hard-lockup', title: 'BUG: watchdog bark' }],
  },
  {
    opening: /rust_kernel: panicked at /,
    forms: [
      {
        kind: 'bug',
        title: '{message} in {f}',
        needs: [
          /(?:^|panicked at ')(?<message>attempt to \w.{0,60}?|index out of bounds|called `\w.{0,60}?|explicit panic|internal error.{0,60}?)(?:$|', )/,
        ],
        within: 4,
        place: traced,
      },
      { kind: 'bug', title: 'kernel BUG in {f}', place: traced },
    ],
  },
  {
    // Before Linux 4.10 it stands within a warning.
    opening: /list_(?:add|del) (?:corruption|double add)/,
    partOf: ['warning'],
    forms: [{ kind: 'list-corruption', title: 'BUG: corrupted list in {f}', place: either(pointed, traced) }],
  },
  {
    opening:
      /usercopy: Kernel memory (?:exposure|overwrite) attempt|(?:kernel )?usercopy: kernel memory (?:exposure|overwrite)/,
    forms: [{ kind: 'usercopy', title: 'BUG: bad usercopy in {f}', place: either(pointed, traced) }],
  },
  {
    opening: new RegExp(`kernel BUG at ${BUILT_IN}lib/list_debug\\.c`),
    partOf: ['list-corruption'],
    forms: [{ kind: 'list-corruption', title: 'BUG: corrupted list in {f}', place: pointed }],
  },
  {
    opening: new RegExp(`kernel BUG at ${BUILT_IN}mm/usercopy\\.c`),
    partOf: ['usercopy'],
    forms: [{ kind: 'usercopy', title: 'BUG: bad usercopy in {f}', place: pointed }],
  },
  {
    opening: /kernel BUG (?:at |in )/,
    partOf: ['list-corruption', 'usercopy', 'bug'],
    forms: [{ kind: 'bug', title: 'kernel BUG in {f}', place: pointed }],
  },
  {
    // Architectures without an instruction for it name the function.
    opening: /BUG: failure at \S{1,200}:\d{1,6}\/(?<f>\w{1,200})\(\)!/,
    forms: [{ kind: 'bug', title: 'kernel BUG in {f}', place: named }],
  },
  {
    // Without CONFIG_DEBUG_BUGVERBOSE, it is an address.
    opening: /Kernel BUG at (?:[\da-f]{8,16} |(?<g>[\w.]+))/,
    forms: [{ kind: 'bug', title: 'kernel BUG in {f}', place: either(pointed, named) }],
  },
  {
    // mips says no more of a BUG() than that; riscv says so after the line that names the file.
    opening: /Kernel bug detected ?\[#\d+\]|Kernel BUG \[#\d+\]/,
    partOf: ['list-corruption', 'usercopy', 'bug'],
    forms: [{ kind: 'bug', title: 'kernel BUG in {f}', place: pointed }],
  },
  {
    // The status of an alignment fault, to read or to write.
    opening: /Internal error: : (?:[13]|80[13]) \[#/,
    partOf: [],
    forms: [{ kind: 'oops', title: 'Alignment trap in {f}', place: pointed }],
  },
  {
    // What arm says before it, `Unhandled fault: …` or `Alignment trap: …`, it says of programs, too: those go on.
    opening: /Internal error: : [\da-f]{1,8} \[#/,
    partOf: [],
    forms: [{ kind: 'oops', title: 'Unhandled fault in {f}', place: pointed }],
  },
  {
    opening: /Bad mode in /,
    forms: [{ kind: 'panic', title: 'kernel panic: bad mode' }],
  },
  {
    opening: /(?:Oops: )?(?:invalid opcode|undefined instruction): /,
    partOf: [],
    forms: [{ kind: 'invalid-opcode', title: 'invalid opcode in {f}', place: pointed }],
  },
  {
    // arm64 with CONFIG_UBSAN_TRAP.
    opening: /Internal error: (?:Oops - )?UBSAN: (?<what>[a-z][a-z -]{0,60}):/,
    forms: [{ kind: 'ubsan', title: 'UBSAN: {what} in {f}', place: pointed }],
  },
  {
    opening: /Internal error: (?:Oops - BUG|BRK handler)/,
    partOf: [],
    forms: [{ kind: 'bug', title: 'kernel BUG in {f}', place: pointed }],
  },
  {
    // Programs print these words, too, but not what the processor told.
    opening: /Internal error: (?=Oops|.{0,80}: [\da-f]{1,16}(?: \[|$))/,
    partOf: [],
    forms: [{ kind: 'oops', title: 'Internal error in {f}', place: pointed }],
  },
  {
    opening:
      /mce: \[Hardware Error\]: (?:Machine check events|CPU \d+: Machine Check)|\[Hardware Error\]: Machine check: /,
    forms: [],
  },
  {
    opening:
      /(?:(?:illegal|privileged|special) operation|illegal instruction|Low-address protection|[a-z][a-z ]{3,40} exception|monitor event): \w{4} (?:ilc:\d )?\[#\d/,
    partOf: ['bug', 'list-corruption', 'usercopy'],
    forms: [{ kind: 'oops', title: 'Oops in {f}', place: pointed }],
  },
  {
    opening:
      /Oops(?:(?::| -)? .{1,60}?)? ?\[#\d+\]|(?:BUG: )?(?:Kernel bad stack pointer|Unrecoverable exception|kernel stack overflow|Kernel unaligned access|Reserved instruction in kernel code|Machine check in kernel mode|Unhandled kernel unaligned access|Data bus error|Instruction bus error|Kernel mode fault)\b[^:[]{0,40}(?:\[#\d+\]|: )/,
    partOf: [],
    forms: [{ kind: 'oops', title: 'Oops in {f}', place: pointed }],
  },
  {
    // powerpc's monitor of crashes.
    opening: /cpu 0x[\da-f]{1,4}: Vector: [\da-f]{3,4} /,
    partOf: [],
    isEarly: true,
    forms: [{ kind: 'oops', title: 'Oops in {f}', place: pointed }],
  },
  {
    // sparc's task and what it did.
    opening: /.{1,16}\(\d{1,10}\): [A-Z][\w ./-]{2,60} \[#\d{1,4}\]$/,
    partOf: [],
    forms: [{ kind: 'oops', title: 'Oops in {f}', place: pointed }],
  },
  {
    // m68k's number of the trap.
    opening: /(?:Oops|BAD KERNEL TRAP): [\da-f]{8}$/,
    partOf: [],
    forms: [{ kind: 'oops', title: 'Oops in {f}', place: pointed }],
  },
  {
    // mips and loongarch: whatever they call it.
    opening: /[A-Za-z][\w ,.!'-]{2,60}\[#\d{1,4}\]:$/,
    partOf: [],
    forms: [{ kind: 'oops', title: 'Oops in {f}', place: pointed }],
  },
  ...PANICS,
];
