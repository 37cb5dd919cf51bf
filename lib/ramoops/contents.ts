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

export interface Content {
  readonly misfit: number;
  readonly unlikely: number;
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
  const isConsole = looksLikeConsole(bytes.subarray(hasWrapped ? bytes.indexOf(NEWLINE) + 1 : 0));
  const misplaced = type === 'console' ? !isConsole : isConsole;
  const isNothing = bytes.length > 0 && firstOther(bytes, 0) < 0;
  return { misfit: isDump ? FOREIGN_LINE : isNothing ? ONLY_ZEROS : 0, unlikely: misplaced ? 1 : 0 };
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
  const lines = String.fromCharCode(...text.subarray(0, LOOKED_AT))
    .split('\n')
    .filter((line) => line.length > 0);
  const own = lines.filter((line) => /^(<[0-9]+>)?\[ *[0-9]+\.[0-9]{6}\]|^<[0-9]+>\[/.test(line)).length;
  return lines.length > 0 && own * 2 > lines.length;
}
