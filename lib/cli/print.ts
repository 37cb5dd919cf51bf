// The one place that prints. Standard output is for what was asked, standard error for everything else.

import { writeSync } from 'node:fs';

const STDOUT = 1;
const STDERR = 2;

/** A reader that has left: `ls | head` is no error, and there is nobody to tell. */
export class OutputClosed extends Error {}

function writeAll(fd: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') throw new OutputClosed();
      // A pipe that somebody has made non-blocking is full: the reader needs a moment.
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}

/** Writes to standard output. @throws OutputClosed */
export function print(what: string | Uint8Array): void {
  writeAll(STDOUT, typeof what === 'string' ? Buffer.from(what) : what);
}

/** One sentence on standard error, with our name in front. */
export function complain(sentence: string): void {
  relay(Buffer.from(`pstorefuse: ${sentence}\n`));
}

/** Bytes to standard error as they are. Nobody reading them is no reason to stop. */
export function relay(bytes: Uint8Array): void {
  try {
    writeAll(STDERR, bytes);
  } catch {
    // The terminal is gone.
  }
}

/** Escape sequences in what comes from an image must not reach a terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
