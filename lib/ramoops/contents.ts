// What stands in the data of a zone, and how much of it speaks against the zone's kind.

import { firstOther } from '../bytes.js';
import { readRange, type Storage } from '../storage/storage.js';
import { type RamHeader, readDumpLine } from './format.js';
import type { RamKind } from './geometry.js';
import { FOREIGN_LINE } from './places.js';

/** A ring that says to hold something, of which there is nothing but zeros. */
const ONLY_ZEROS = 3;
/** Bytes of a zone that are looked at to tell what it holds. */
const LOOKED_AT = 4096;
const NEWLINE = 10;
/** A console without a console's lines. */
const OTHER_LINES = 3;
/** Lines without any times: they are of a program, or of a kernel that prints none (printk.time=0). */
const WITHOUT_TIMES = 1;

export interface Content {
  readonly misfit: number;
  readonly unlikely: number;
  /** Whether it holds what belongs to another kind. */
  readonly isMisplaced?: boolean;
  /** The seconds of a dump. */
  readonly time?: bigint;
}

/** Whether a byte may stand in a line of text. */
export function isPrinted(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || (byte >= 9 && byte <= 13);
}

/** @returns undefined where no line of a dump stands */
export function dumpVerdict(bytes: Uint8Array): Content | undefined {
  const line = readDumpLine(bytes);
  return line && { misfit: 0, unlikely: 0, time: line.seconds };
}

/** @param hasWrapped such a ring begins within a line */
export function ringVerdict(type: RamKind, bytes: Uint8Array, hasWrapped: boolean): Content {
  const isDump = /^====[0-9]+\.[0-9]{1,6}(-[CD])?\n/.test(String.fromCharCode(...bytes.subarray(0, 64)));
  const text = bytes.subarray(hasWrapped ? bytes.indexOf(NEWLINE) + 1 : 0);
  const isConsole = looksLikeConsole(text);
  const isMisplaced = type === 'console' ? !isConsole : isConsole;
  const unlikely = type !== 'console' || isConsole ? 0 : isWithoutTimes(text) ? WITHOUT_TIMES : OTHER_LINES;
  const isNothing = bytes.length > 0 && firstOther(bytes, 0) < 0;
  return { misfit: isDump ? FOREIGN_LINE : isNothing ? ONLY_ZEROS : 0, unlikely, isMisplaced };
}

/** Some of a zone's oldest bytes, on both sides of the ring's end, not repaired. @param from where its data begin */
export function oldest(storage: Storage, from: number, { start, size }: RamHeader): Uint8Array {
  const first = readRange(storage, from + start, Math.min(size - start, LOOKED_AT));
  if (first.length === LOOKED_AT || start === 0) return first;
  const second = readRange(storage, from, Math.min(start, LOOKED_AT - first.length));
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

/** Whether most lines begin as the kernel's console prints them: `[    1.234567]` or `<6>[`. */
export function looksLikeConsole(text: Uint8Array): boolean {
  return mostLines(text, /^(<[0-9]+>)?\[ *[0-9]+\.[0-9]{6}\]|^<[0-9]+>\[/);
}

/** Whether it is text of which few lines begin with a date or a time. */
function isWithoutTimes(text: Uint8Array): boolean {
  const looked = text.subarray(0, LOOKED_AT);
  return looked.every(isPrinted) && !mostLines(looked, /^([0-9]{2,4}[-/:][0-9]{2}|[A-Z][a-z]{2} [ 0-9][0-9] )/);
}

function mostLines(text: Uint8Array, beginning: RegExp): boolean {
  const lines = String.fromCharCode(...text.subarray(0, LOOKED_AT))
    .split('\n')
    .filter((line) => line.length > 0);
  const own = lines.filter((line) => beginning.test(line)).length;
  return lines.length > 0 && own * 2 > lines.length;
}
