// Standard input, looked at before it is known who reads it: what was read ahead comes again, first.

import { readWaiting } from './waiting.js';

const STDIN = 0;

let ahead: Uint8Array = new Uint8Array(0);

/**
 * The first bytes of standard input, which the next reader gets again.
 * @param most so many bytes; there are fewer only where it ends before
 */
export function peekStdin(most: number): Uint8Array {
  const sample = new Uint8Array(most);
  let have = 0;
  for (let got = -1; got !== 0 && have < most; have += got) got = readWaiting(STDIN, sample.subarray(have));
  ahead = sample.slice(0, have);
  return ahead;
}

/** What was read ahead, once: who reads standard input begins with it. */
export function takeAhead(): Uint8Array {
  const taken = ahead;
  ahead = new Uint8Array(0);
  return taken;
}
