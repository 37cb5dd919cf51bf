// Record types (front-ends) and dump reasons: their numbers in an image and their names in file names and text.

/** linux/pstore.h, enum pstore_type_id; `tty` was proposed in 2023 without a number and is 9 here. */
export const RECORD_TYPE_NUMBERS = {
  dmesg: 0,
  mce: 1,
  console: 2,
  ftrace: 3,
  rtas: 4,
  'powerpc-ofw': 5,
  'powerpc-common': 6,
  pmsg: 7,
  'powerpc-opal': 8,
  tty: 9,
} as const;

/** The front-ends that zones hold. */
export const FRONT_ENDS = ['dmesg', 'console', 'ftrace', 'pmsg', 'tty'] as const;
export type FrontEnd = (typeof FRONT_ENDS)[number];

/**
 * linux/kmsg_dump.h since 5.8, enum kmsg_dump_reason. Before that 4, 5, 6 were restart, halt and poweroff. `Oom` is a
 * reason that vendors' trees of Linux 4.9 have; mainline has no number for it, and this one is ours.
 */
export const Reason = { Undef: 0, Panic: 1, Oops: 2, Emergency: 3, Shutdown: 4, Oom: 255 } as const;

const REASON_NAMES: ReadonlyMap<number, string> = new Map([
  [Reason.Panic, 'Panic'],
  [Reason.Oops, 'Oops'],
  [Reason.Emergency, 'Emergency'],
  [Reason.Shutdown, 'Shutdown'],
  [Reason.Oom, 'OOM'],
]);

/** Reasons that stand in texts of other kernels: fs/pstore/platform.c before Linux 5.8 and before 3.7, and no reason known. */
const OTHER_REASONS = ['Restart', 'Halt', 'Poweroff', 'Kexec', 'Unknown'] as const;

/** Every reason that a record may have. */
export const REASON_WORDS: readonly string[] = [...REASON_NAMES.values(), ...OTHER_REASONS];

/** The reason's name as the mainline kernel prints it (kmsg_dump_reason_str). */
export function reasonName(reason: number): string {
  return REASON_NAMES.get(reason) ?? 'Unknown';
}

/** The number for a name as a person types it (`oops`, `Panic`, …), or undefined. */
export function reasonNumber(name: string): number | undefined {
  for (const [number, known] of REASON_NAMES) if (known.toLowerCase() === name.toLowerCase()) return number;
  return undefined;
}
