// How far a long reading is, on one line of a terminal that is written again and again.

import { isatty } from 'node:tty';
import { relay } from './print.js';

const STDERR = 2;
const EVERY_MS = 250;
/** The first line comes so late that a short reading shows none. */
const FIRST_MS = 1000;
const ERASE_LINE = '\r\x1b[K';

export class ScanProgress {
  readonly #size: number;
  readonly #begun: number;
  readonly #now: () => number;
  readonly #write: ((text: string) => void) | undefined;
  #last: number;
  #isShown = false;

  /** @param write where the line goes; undefined where nobody sees it */
  constructor(size: number, write = terminalWriter(), now: () => number = () => performance.now()) {
    this.#size = size;
    this.#write = write;
    this.#now = now;
    this.#begun = now();
    this.#last = this.#begun + FIRST_MS - EVERY_MS;
  }

  /** @param done bytes */
  at(done: number): void {
    if (!this.#write) return;
    const now = this.#now();
    if (now - this.#last < EVERY_MS) return;
    this.#last = now;
    this.#isShown = true;
    const seconds = (now - this.#begun) / 1000;
    const rate = done / seconds;
    const left = Math.ceil((this.#size - done) / Math.max(1, rate));
    const percent = Math.floor((100 * done) / Math.max(1, this.#size));
    this.#write(
      `${ERASE_LINE}${bytesText(done)} of ${bytesText(this.#size)} (${percent} %), ${bytesText(rate)}/s, ${timeText(left)} left`,
    );
  }

  end(): void {
    if (this.#isShown) this.#write?.(ERASE_LINE);
  }
}

function terminalWriter(): ((text: string) => void) | undefined {
  return isatty(STDERR) ? (text) => relay(Buffer.from(text)) : undefined;
}

/** `1.5 GiB`. */
export function bytesText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

function timeText(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
