// Whether texts are a kernel's log without gap or overlap, as far as texts alone can tell.

/** Kernels print odd times before their clock runs. */
const CLOCK_RUNS = 0.1;

/** Whether the times of all lines rise. */
export function isInOrder(text: string): boolean {
  const times = [...text.matchAll(/^<[0-9]+>\[ *([0-9.]+)\]/gm)].map(([, time]) => Number(time));
  const later = times.filter((time) => time > CLOCK_RUNS);
  return later.length > 50 && later.every((time, i) => i === 0 || time >= later[i - 1]!);
}

/** Lines that tell a place in a log. */
const LINES = 5;

/**
 * Of two dumps of one boot: whether the later one begins inside the earlier one and then has the same text up to the
 * earlier one's end. Of two that do not overlap nothing can be said: undefined.
 */
export function goesOn(earlier: string, later: string): boolean | undefined {
  const at = earlier.indexOf(later.split('\n').slice(0, LINES).join('\n'));
  return at < 0 ? undefined : later.startsWith(earlier.slice(at));
}
