// What the letters of a tainted kernel mean (Documentation/admin-guide/tainted-kernels.rst).

const MEANINGS: Readonly<Record<string, string>> = {
  P: 'proprietary module was loaded',
  F: 'module was force loaded',
  S: 'kernel runs on a system out of specification',
  R: 'module was force unloaded',
  M: 'processor reported a machine check',
  B: 'bad page was found',
  U: 'user space asked for the taint',
  D: 'kernel died before (oops or BUG)',
  A: 'ACPI table was overridden',
  W: 'warning was issued before',
  C: 'staging driver was loaded',
  I: 'workaround for a bug in the firmware was applied',
  O: 'module from outside the tree was loaded',
  E: 'unsigned module was loaded',
  L: 'soft lockup occurred before',
  K: 'kernel was live patched',
  X: "distribution's own taint",
  T: 'kernel was built with randomized structures',
  N: 'test was run in the kernel',
  J: 'user space changed the device through fwctl',
};

/** A tainted kernel: G alone means that it is not tainted. */
export interface Taint {
  /** The letters in the kernel's order, `DW`; empty for a kernel that is not tainted. */
  readonly flags: string;
  /** One sentence each. */
  readonly words: readonly string[];
}

/** @param letters as the kernel prints them, with blanks: `G      D W` */
export function taintOf(letters: string): Taint {
  const flags = [...letters].filter((letter) => letter in MEANINGS);
  return { flags: flags.join(''), words: flags.map((letter) => MEANINGS[letter]!) };
}
