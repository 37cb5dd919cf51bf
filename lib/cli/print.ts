// The one place that prints. Standard output is for what was asked, standard error for everything else.

import { constants, fstatSync, openSync, readlinkSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { printableJson, printableLine } from '../printable.js';
import { reasonOf } from '../storage/file.js';
import { pause } from '../storage/waiting.js';
import { EXIT } from './exit.js';

export { printableLine as printable, printableText } from '../printable.js';

const STDOUT = 1;
const STDERR = 2;

/** A reader that has left: `ls | head` is no error, and there is nobody to tell. */
export class OutputClosed extends Error {}

/** Nothing more can be written: no failure of one record or source, after which a command goes on with the others. */
export class OutputFailed extends Error {
  readonly exit = EXIT.IO;
}

function writeAll(fd: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) {
    try {
      done += writeSync(blocking.get(fd) ?? fd, bytes, done);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') throw new OutputClosed();
      if (code !== 'EAGAIN') throw new OutputFailed(`the output cannot be written: ${reasonOf(error)}`);
      waitForReader(fd);
    }
  }
}

/** Descriptors of the same pipes that wait where the first ones do not. */
const blocking = new Map<number, number>();
const PAUSE_MS = 2;

/**
 * A pipe is full, and does not wait: Node makes any pipe so that it was once asked the width of. Opened again, it waits.
 * Only a pipe without a name: opening one with a name would wait for a reader who may have left.
 */
function waitForReader(fd: number): void {
  const path = `/proc/self/fd/${fd}`;
  try {
    if (!blocking.has(fd) && readlinkSync(path).startsWith('pipe:')) {
      blocking.set(fd, openSync(path, constants.O_WRONLY));
      return;
    }
  } catch {
    // It is another user's.
  }
  pause(PAUSE_MS);
}

let printed = false;

/** Whether anything was written to standard output. */
export function hasPrinted(): boolean {
  return printed;
}

/** Writes to standard output. @throws OutputClosed, OutputFailed */
export function print(what: string | Uint8Array): void {
  printed ||= what.length > 0;
  writeAll(STDOUT, typeof what === 'string' ? Buffer.from(what) : what);
}

/**
 * One sentence on standard error, with our name in front: one line, whatever stands in the names that it tells. A terminal
 * gets it folded between words.
 */
export function complain(sentence: string): void {
  const line = `pstorefuse: ${printableLine(sentence)}`;
  const lines = isTerminal(STDERR)
    ? wrapped(line.split(' '), Math.max(MIN_COLUMNS, process.stderr.columns || 80))
    : [line];
  relay(Buffer.from(`${lines.join('\n')}\n`));
}

/** A narrower terminal folds lines by itself. */
const MIN_COLUMNS = 20;

/** Words in lines of so many columns. A longer word is not broken: it may be there to be copied. */
export function wrapped(words: readonly string[], columns: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Bytes to standard error as they are. Nobody reading them is no reason to stop. */
export function relay(bytes: Uint8Array): void {
  try {
    writeAll(STDERR, bytes);
  } catch {
    // The terminal is gone.
  }
}

/** Of such numbers are /dev/null and its like (include/uapi/linux/major.h, MEM_MAJOR), and no terminal. */
const MEMORY_DEVICE = 1;

function isDevice(fd: number): boolean {
  try {
    const file = fstatSync(fd);
    return file.isCharacterDevice() && file.rdev >> 8 !== MEMORY_DEVICE;
  } catch {
    // It was closed by who started us.
    return false;
  }
}

export function isTerminal(fd = STDOUT): boolean {
  // To ask Node loads its sockets: a pipe or a file is told without.
  return isDevice(fd) && isatty(fd);
}

/** JSON that a terminal can be shown. @param space as JSON.stringify() takes it */
export function json(value: unknown, space = 0): string {
  return printableJson(JSON.stringify(value, null, space));
}
