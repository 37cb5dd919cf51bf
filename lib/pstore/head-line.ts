// The line that the kernel puts in front of each part of a dump (fs/pstore/platform.c, pstore_dump), and the one that
// pstore_blk and blkoops put before it where a record is not compressed (fs/pstore/zone.c).

/** `Oops#2 Part3`, taken apart. */
export interface HeadLine {
  readonly reason: string;
  /** Number of the dump in its boot, from 1. */
  readonly count: number;
  /** From 1 at the end of the log: the highest part is the first in time. */
  readonly part: number;
  /** Bytes of the lines that say so, newlines included. */
  readonly length: number;
}

/** Bytes of a text that hold its head line and what may stand before it, however large the numbers are. */
export const MAX_HEAD_LINE = 128;

/**
 * Any word is taken for a reason: kernels before 5.8 had others (Restart, Halt, Poweroff). A text that went through
 * another system's tools has CR before each newline.
 */
const HEAD_LINE =
  /^(?:(?:\w{1,16}: )?\w{1,16}: Total [0-9]{1,10} times\r?\n)?([A-Z][A-Za-z ]{0,24})#([0-9]{1,10}) Part([0-9]{1,10})\r?(?:\n|$)/;

/** @param text the beginning of a record's text, or all of it; its bytes as characters where it is a string */
export function parseHeadLine(text: Uint8Array | string): HeadLine | undefined {
  const head =
    typeof text === 'string' ? text.slice(0, MAX_HEAD_LINE) : String.fromCharCode(...text.subarray(0, MAX_HEAD_LINE));
  const match = HEAD_LINE.exec(head);
  if (!match) return undefined;
  return { reason: match[1]!, count: Number(match[2]), part: Number(match[3]), length: match[0].length };
}
