// Waiting without an event loop.

import { readSync } from 'node:fs';

let neverWoken: Int32Array | undefined;

export function pause(milliseconds: number): void {
  // Made on first use: while the executable's start is prepared there is no such memory.
  neverWoken ??= new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(neverWoken, 0, 0, milliseconds);
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
