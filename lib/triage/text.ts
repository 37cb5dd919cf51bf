// Whether bytes are a log: a text is explained as a text, an image is opened as a source.

/** This many bytes of the beginning are enough to tell a text. */
export const TEXT_SAMPLE = 64 << 10;

/** A log may hold what programs wrote into it; an image holds numbers and padding. In a thousand bytes. */
const MAX_STRANGE_IN_TEXT = 5;

/** A log whose end was never written, as file systems leave it after a crash, has at least so much text before it. */
const MIN_TEXT = 32;

const NEWLINE = 0x0a;
const FIRST_PRINTABLE = 0x20;
const DELETE = 0x7f;

/** Tab, newline, carriage return, form feed, bell and escape: programs print these. */
const PRINTED_CONTROLS = new Set([0x07, 0x08, 0x09, NEWLINE, 0x0c, 0x0d, 0x1b]);

/** @param sample the first bytes of a file: TEXT_SAMPLE of them, or all */
export function isLogText(sample: Uint8Array): boolean {
  if (sample.length === 0) return false;
  const written = withoutPadding(sample);
  if (written.length < sample.length && written.length < MIN_TEXT) return false;
  let strange = 0;
  let lines = 0;
  for (const byte of written) {
    if (byte === NEWLINE) lines++;
    if (byte === DELETE || (byte < FIRST_PRINTABLE && !PRINTED_CONTROLS.has(byte))) strange++;
  }
  const hasLines = lines > 0 || written.length < sample.length || sample.length < TEXT_SAMPLE;
  return hasLines && strange * 1000 <= written.length * MAX_STRANGE_IN_TEXT && isMostlyUtf8(written);
}

/** Zeros at the end are what was never written. */
function withoutPadding(sample: Uint8Array): Uint8Array {
  let end = sample.length;
  while (end > 0 && sample[end - 1] === 0) end--;
  return sample.subarray(0, end);
}

/** Logs are ASCII; what is not must be UTF-8 for the most part, and there is little of it. */
function isMostlyUtf8(bytes: Uint8Array): boolean {
  let high = 0;
  for (const byte of bytes) if (byte > DELETE) high++;
  if (high * 100 <= bytes.length) return true;
  const broken = new TextDecoder().decode(bytes).match(/\ufffd/g)?.length ?? 0;
  return broken * 100 <= bytes.length;
}
