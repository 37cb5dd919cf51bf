// What follows the NUL that ends a page's text. Mainline leaves 0xFF there, or the rest of a longer text that was in its
// buffer before. Trees of phones put a second text into the page: the binary log of user space (pmsg), which begins
// before the first NUL, because it has NULs itself. Facts: drivers/mtd/mtdoops.c of MiCode/Xiaomi_Kernel_OpenSource.

import { textLength } from './format.js';

export interface AfterText {
  /** First byte in the page. */
  readonly from: number;
  /** One more than the last byte that is not erased. */
  readonly to: number;
  /** Whether it is a text of its own; else it is what is left of another one. */
  readonly isSecond: boolean;
}

/** mtdoops_add_pmsg_head(): the line in front of the second text. */
const HEADING = new TextEncoder().encode('#### LOG TYPE:LAST LOGCAT');
/** A line of Android's log as text. */
const LOGCAT_LINE = /^\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} /m;
/** Bytes on either side of the NUL that are looked at. */
const LOOKED_AT = 4096;
/** The rest of a kernel's log has the NUL at its end, and seldom another: each record of the binary log has several. */
const MIN_NULS = 4;
const NULS_WITHIN = 1024;
const NEWLINE = 10;
const BLANK = 0xff;

/** @param textOffset where the page's text begins. @returns undefined where nothing follows it */
export function afterText(page: Uint8Array, textOffset: number): AfterText | undefined {
  const nul = textOffset + textLength(page, textOffset);
  let to = page.length;
  while (to > nul && page[to - 1] === BLANK) to--;
  if (to <= nul + 1) return undefined;
  const rest = page.subarray(nul + 1, to);
  const before = page.subarray(Math.max(textOffset, nul - LOOKED_AT), nul);
  const heading = lastIndexOf(before, HEADING);
  if (heading < 0 && !isUserLog(rest)) return { from: nul + 1, to, isSecond: false };
  const line = heading < 0 ? before.lastIndexOf(NEWLINE) + 1 : heading;
  // A line that ends before the NUL, or that is longer than is looked at, is none of the second text's.
  const isBefore = line < before.length && (line > 0 || before.length < LOOKED_AT);
  return { from: isBefore ? nul - before.length + line : nul + 1, to, isSecond: true };
}

/** Bytes after a NUL that isUserLog() needs. */
export const USER_LOG_BEGINNING = NULS_WITHIN;

/** So many erased bytes after the NUL: nothing of this page follows, whatever stands after them. */
const MIN_ERASED = 8;

/** Whether the log of user space follows the NUL, binary or as text. */
export function isUserLog(rest: Uint8Array): boolean {
  if (rest.length >= MIN_ERASED && rest.subarray(0, MIN_ERASED).every((byte) => byte === BLANK)) return false;
  const head = rest.subarray(0, NULS_WITHIN);
  const nuls = head.reduce((count, byte, i) => count + Number(byte === 0 && i + 1 < rest.length), 0);
  return nuls >= MIN_NULS ? head.some((byte) => byte !== 0) : LOGCAT_LINE.test(String.fromCharCode(...head));
}

function lastIndexOf(bytes: Uint8Array, word: Uint8Array): number {
  for (let at = bytes.length - word.length; at >= 0; at--) {
    if (word.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}
