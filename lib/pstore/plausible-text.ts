// Where text ends among bytes of which nobody knows how many are text.

/** Fewer readable bytes than this are rubbish, not text. */
export const MIN_TEXT = 16;

/** Bytes after one that no log text has. Others like it may stand among them, but fewer than one of so many. */
const NEAR = 16;
const FEWER_THAN = 4;

/** The bytes up to where the text ends: a wrong bit may have made a byte of it one that no log text has. */
export function plausibleText(bytes: Uint8Array): Uint8Array {
  for (let at = 0; at < bytes.length; at++) {
    if (isText(bytes[at]!)) continue;
    const near = bytes.subarray(at, at + NEAR);
    const wrong = near.reduce((sum, byte) => sum + (isText(byte) ? 0 : 1), 0);
    if (wrong * FEWER_THAN >= near.length) return bytes.subarray(0, at);
  }
  return bytes;
}

/** Whether a log may have this byte. */
export function isText(byte: number): boolean {
  return byte >= 0x20 ? byte !== 0xff && byte !== 0x7f : TEXT_CONTROLS.has(byte);
}

/** Whether these are lines of ASCII and nothing else, as most of a kernel's log is. */
export function isPlainText(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 0x09 || byte === 0x0a);
}

/** Tab, line feed, carriage return, escape: what consoles print. */
const TEXT_CONTROLS = new Set([9, 10, 13, 27]);
