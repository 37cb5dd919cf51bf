// What stands in the data of a zone, and how much of it speaks against the zone's kind.

import { findBytes } from '#platform';
import { firstOther } from '../bytes.js';
import type { Abi } from '../pstore/abi.js';
import { readRange, type Storage } from '../storage/storage.js';
import { RAM_HEADER_SIZE, type RamHeader, readDumpLine, readRamHeader } from './format.js';
import type { RamKind, RamZone } from './geometry.js';
import { FOREIGN_LINE, WITHOUT_LINE } from './places.js';

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

/** The beginning of a dump's line, and more bytes than any has. */
const LINE_BEGIN = new Uint8Array(4).fill(0x3d);
const LINE_ROOM = 64;
const POINT = 0x2e;
const LINE = /^====[0-9]+\.[0-9]{1,6}(-[CD])?\n/;

/** What a zone holds that says to hold something, by its bytes as they are stored. @param from where its data begin */
export function contentOf(storage: Storage, type: RamKind, from: number, header: RamHeader): Content {
  if (type === 'dmesg') {
    // A dump begins with its zone: where the header says otherwise, that was damaged, or another dump was appended.
    const verdict = dumpVerdict(oldest(storage, from, { ...header, start: 0 }));
    return verdict ?? { misfit: hasDumpInside(storage, from, header) ? 0 : WITHOUT_LINE, unlikely: 0 };
  }
  const verdict = ringVerdict(type, oldest(storage, from, header), header.start < header.size);
  const holdsDump = verdict.misfit < FOREIGN_LINE && hasDumpInside(storage, from, header);
  return holdsDump ? { ...verdict, misfit: FOREIGN_LINE } : verdict;
}

/**
 * Whether the line of a dump stands anywhere in a ring that has come round. Kernels before 5.5 append a dump to what its
 * zone still holds: once the zone has come round, its oldest bytes are the end of an older dump, which has lost its line,
 * and no kernel shows it. No ring of another kind has such lines.
 * @param from where its data begin
 */
function hasDumpInside(storage: Storage, from: number, { start, size }: RamHeader): boolean {
  if (start >= size) return false;
  const stored = readRange(storage, from, size);
  const ring = new Uint8Array(stored.length);
  ring.set(stored.subarray(start));
  ring.set(stored.subarray(0, start), Math.max(0, stored.length - start));
  return nextDumpLine(ring, 0) >= 0;
}

/** Where the last line of a dump stands in the bytes of a ring from the oldest on, or -1. */
export function lastDumpLine(ring: Uint8Array): number {
  let last = -1;
  for (let at = nextDumpLine(ring, 0); at >= 0; at = nextDumpLine(ring, at + 1)) last = at;
  return last;
}

/** Where the next line of a dump stands, or -1. Hostile bytes are full of its beginnings: few are looked at closely. */
function nextDumpLine(ring: Uint8Array, from: number): number {
  for (let at = findBytes(ring, LINE_BEGIN, from); at >= 0; at = findBytes(ring, LINE_BEGIN, at + 1)) {
    while (ring[at + LINE_BEGIN.length] === LINE_BEGIN[0]) at++;
    let end = at + LINE_BEGIN.length;
    while (isDigit(ring[end]) && end < at + LINE_ROOM) end++;
    if (ring[end] === POINT && LINE.test(String.fromCharCode(...ring.subarray(at, at + LINE_ROOM)))) return at;
  }
  return -1;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** Whether a zone holds a dump: one that was erased, or that was appended to what is left of an older one, is one, too. */
export function holdsDump(storage: Storage, { type, offset, layout }: RamZone, endian: Abi['endian']): boolean {
  if (type !== 'dmesg') return false;
  const from = offset + layout.data;
  const header = readRamHeader(readRange(storage, offset, RAM_HEADER_SIZE), endian);
  return readDumpLine(readRange(storage, from, LINE_ROOM)) !== undefined || hasDumpInside(storage, from, header);
}

/** Whether a zone is a console's ring with the lines of one: no other bytes are so behind a header by accident. */
export function holdsConsole(storage: Storage, { type, offset, layout }: RamZone, endian: Abi['endian']): boolean {
  const header = readRamHeader(readRange(storage, offset, RAM_HEADER_SIZE), endian);
  if (type !== 'console' || header.size === 0 || header.start > header.size || header.size > layout.area) return false;
  const { misfit, isMisplaced } = contentOf(storage, type, offset + layout.data, header);
  return misfit === 0 && isMisplaced === false;
}

/** @returns undefined where no line of a dump stands */
export function dumpVerdict(bytes: Uint8Array): Content | undefined {
  const line = readDumpLine(bytes);
  return line && { misfit: 0, unlikely: 0, time: line.seconds };
}

/** @param hasWrapped such a ring begins within a line */
function ringVerdict(type: RamKind, bytes: Uint8Array, hasWrapped: boolean): Content {
  const isDump = LINE.test(String.fromCharCode(...bytes.subarray(0, LINE_ROOM)));
  const text = bytes.subarray(hasWrapped ? bytes.indexOf(NEWLINE) + 1 : 0);
  const isConsole = looksLikeConsole(text);
  const isMisplaced = type === 'console' ? !isConsole : isConsole;
  const unlikely = type !== 'console' || isConsole ? 0 : isWithoutTimes(text) ? WITHOUT_TIMES : OTHER_LINES;
  const isNothing = bytes.length > 0 && firstOther(bytes, 0) < 0;
  return { misfit: isDump ? FOREIGN_LINE : isNothing ? ONLY_ZEROS : 0, unlikely, isMisplaced };
}

/** Some of a zone's oldest bytes, on both sides of the ring's end, not repaired. @param from where its data begin */
function oldest(storage: Storage, from: number, { start, size }: RamHeader): Uint8Array {
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
