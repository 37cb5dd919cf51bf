// The one place that prints. Standard output is for what was asked, standard error for everything else.

import { constants, openSync, readlinkSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { fromSystem } from '../errors.js';
import { reasonOf } from '../storage/file.js';

const STDOUT = 1;
const STDERR = 2;

/** A reader that has left: `ls | head` is no error, and there is nobody to tell. */
export class OutputClosed extends Error {}

function writeAll(fd: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) {
    try {
      done += writeSync(blocking.get(fd) ?? fd, bytes, done);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') throw new OutputClosed();
      if (code !== 'EAGAIN') throw fromSystem(error, `the output cannot be written: ${reasonOf(error)}`, { exit: 74 });
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
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
}

/** Writes to standard output. @throws OutputClosed */
export function print(what: string | Uint8Array): void {
  writeAll(STDOUT, typeof what === 'string' ? Buffer.from(what) : what);
}

/**
 * One sentence on standard error, with our name in front: one line, whatever stands in the names that it tells. A terminal
 * gets it folded between words.
 */
export function complain(sentence: string): void {
  const line = `pstorefuse: ${printable(sentence)}`;
  const lines = isatty(STDERR) ? wrapped(line.split(' '), Math.max(MIN_COLUMNS, process.stderr.columns || 80)) : [line];
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

export function isTerminal(): boolean {
  return isatty(STDOUT);
}

/** What must not reach a terminal from an image: escape sequences, and what turns the direction of the text after it. */
const HARMFUL = '\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069';
const HARMFUL_IN_LINE = new RegExp(`[\\u0000-\\u001f${HARMFUL}]`, 'g');
const HARMFUL_IN_TEXT = new RegExp(`[\\u0000-\\u0008\\u000b-\\u001f${HARMFUL}]`, 'g');

/** One line, which holds nothing that a terminal would obey. */
export function printable(text: string): string {
  return text.replace(HARMFUL_IN_LINE, escaped);
}

/** The same for texts of many lines, which come in pieces: lines and tabs stay. */
export function printableText(): (bytes: Uint8Array) => string {
  const decoder = new TextDecoder();
  return (bytes) => decoder.decode(bytes, { stream: true }).replace(HARMFUL_IN_TEXT, escaped);
}

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}

const HARMFUL_IN_JSON = new RegExp(`[${HARMFUL}]`, 'g');

/**
 * JSON escapes only a part of the control characters by itself, and none that turns the direction of text: escaped, they
 * are the same JSON. @param space as JSON.stringify() takes it
 */
export function json(value: unknown, space = 0): string {
  return JSON.stringify(value, null, space).replace(
    HARMFUL_IN_JSON,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
