// The line that the kernel puts in front of each part of a dump (fs/pstore/platform.c, pstore_dump).

/** `Oops#2 Part3`, taken apart. */
export interface HeadLine {
  readonly reason: string;
  /** Number of the dump in its boot, from 1. */
  readonly count: number;
  /** From 1 at the end of the log. */
  readonly part: number;
  /** Bytes of the line, its newline included. */
  readonly length: number;
}

/** Bytes of a text that hold its head line, however large the numbers are. */
export const MAX_HEAD_LINE = 64;

/** Any word is taken for a reason: kernels before 5.8 had others (Restart, Halt, Poweroff). */
const HEAD_LINE = /^([A-Z][A-Za-z]*)#([0-9]{1,10}) Part([0-9]{1,10})\n/;

/** @param text the beginning of a record's text, or all of it */
export function parseHeadLine(text: Uint8Array): HeadLine | undefined {
  const match = HEAD_LINE.exec(String.fromCharCode(...text.subarray(0, MAX_HEAD_LINE)));
  if (!match) return undefined;
  return { reason: match[1]!, count: Number(match[2]), part: Number(match[3]), length: match[0].length };
}
