// Waiting without an event loop.

import { readSync } from 'node:fs';

const NEVER_WOKEN = new Int32Array(new SharedArrayBuffer(4));

export function pause(milliseconds: number): void {
  Atomics.wait(NEVER_WOKEN, 0, 0, milliseconds);
}

/**
 * Reads what there is, at least one byte: a pipe that somebody has made non-blocking may have nothing for a moment.
 * @returns 0 at the end
 */
export function readWaiting(fd: number, buffer: Uint8Array): number {
  for (;;) {
    try {
      return readSync(fd, buffer, 0, buffer.length, null);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return 0;
      if (code !== 'EAGAIN') throw error;
      pause(5);
    }
  }
}
