// The turn in which dumps were written: a kernel begins with zone 0 at each boot, and takes one zone after the other.

/** Before this a clock was not set (2000-01-01, in seconds): such a time tells no order. */
const CLOCK_SET = 946_684_800n;
/** So many dumps are compared with each later one; hardly any region has more. */
const MAX_COMPARED = 64;

/** A zone for dumps: the seconds of its dump, or undefined where its header says that it is empty. */
export interface Turn {
  readonly offset: number;
  readonly time: bigint | undefined;
}

/**
 * Whether a zone was passed over: its dump is older than one before it, or it never had a dump, and a later zone holds a
 * dump that is as new as the one before it. No kernel leaves that: such a zone is a remain of a boot with other sizes.
 * @param turns zones in their order
 * @param hadDump whether the line of a dump still stands in an empty zone: its dump was erased
 */
export function isPassedOver(turns: readonly Turn[], hadDump: (offset: number) => boolean): boolean {
  const told = turns.filter(({ time }) => time === undefined || time > CLOCK_SET);
  const dumps = told.flatMap(({ time }) => time ?? []);
  const before: bigint[] = [];
  // The newest dump from each dump on, and nothing after the last one.
  const newest = [...dumps, -1n];
  for (let at = dumps.length - 1; at >= 0; at--) if (newest[at + 1]! > newest[at]!) newest[at] = newest[at + 1]!;
  let seen = 0;
  for (const { offset, time } of told) {
    if (time !== undefined) seen++;
    const later = newest[seen]!;
    const isOlder = before.some((earlier) => (time ?? -1n) < earlier && earlier <= later);
    if (isOlder && (time !== undefined || !hadDump(offset))) return true;
    if (time !== undefined && before.length < MAX_COMPARED) before.push(time);
  }
  return false;
}
