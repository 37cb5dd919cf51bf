// Questions to a person: asked on standard error, answered on standard input.

import { readSync } from 'node:fs';
import { printable, relay } from './print.js';

const STDIN = 0;

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
    if (readByte(byte) === 0) return text;
    if (byte[0] === 0x0a) return text;
    text += String.fromCharCode(byte[0]!);
  }
}

const PAUSE_MS = 20;

function readByte(byte: Uint8Array): number {
  for (;;) {
    try {
      return readSync(STDIN, byte, 0, 1, null);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return 0;
      // A standard input that does not wait has nothing yet.
      if (code !== 'EAGAIN') return 0;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    }
  }
}
