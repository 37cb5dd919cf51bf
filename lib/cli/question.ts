// Questions to a person: asked on standard error, answered on standard input.

import { readWaiting } from '../storage/waiting.js';
import { printable, relay } from './print.js';

const STDIN = 0;
const NEWLINE = 0x0a;

/** @returns true for an answer that begins with y or Y; no answer is a no */
export function answer(question: string): boolean {
  relay(Buffer.from(`pstorefuse: ${printable(question)} [y/N] `));
  return /^\s*y/i.test(line());
}

/** One line, byte by byte: what follows it is the answer to the next question. */
function line(): string {
  const byte = new Uint8Array(1);
  let text = '';
  for (;;) {
    if (readByte(byte) === 0) {
      // No newline of a person ends the line of the question.
      relay(Uint8Array.of(NEWLINE));
      return text;
    }
    if (byte[0] === NEWLINE) return text;
    text += String.fromCharCode(byte[0]!);
  }
}

/** @returns 0 at the end, and where there is no standard input */
function readByte(byte: Uint8Array): number {
  try {
    return readWaiting(STDIN, byte);
  } catch {
    return 0;
  }
}
