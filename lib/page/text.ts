// The text of a dump for a page: of a long one its beginning and its end, of bytes that are no text a dump.

import { hexText } from '../bytes.js';
import { printableLines } from '../printable.js';
import { type Dump, dumpChunks } from '../triage/dump.js';
import { isLogText, TEXT_SAMPLE } from '../triage/text.js';
import type { PageText } from './data.js';

/** Of a longer text these many bytes of its beginning and its end are shown: what crashed stands at the end. */
const FIRST_SHOWN = 64 << 10;
const LAST_SHOWN = 960 << 10;
/** Of bytes that are no text. */
const BINARY_SHOWN = 4 << 10;
/** More bytes are not put into a page beside what it shows. */
const MAX_EXACT = 1 << 20;

/** The bytes of a dump: all of them where they are few, else its beginning and its end. */
interface Ends {
  readonly first: Uint8Array;
  readonly last: Uint8Array;
  readonly size: number;
}

export function pageText(dump: Dump): PageText {
  const ends = endsOf(dumpChunks(dump));
  const { first, last, size } = ends;
  const isWhole = first.length + last.length === size;
  const bytes = joined([first, last]);
  if (dump.parts[0].kept.record.state === 'undecodable' || !isLogText(first.subarray(0, TEXT_SAMPLE))) {
    return binaryText(bytes, size, isWhole);
  }
  if (isWhole) {
    const shown = printableLines(new TextDecoder().decode(bytes));
    return { shown, isBinary: false, remark: null, exact: isSame(shown, bytes) || size > MAX_EXACT ? null : bytes };
  }
  const left = size - first.length - last.length;
  const between = `\n… ${left} bytes are left out here …\n`;
  const shown = `${printableLines(new TextDecoder().decode(first))}${between}${printableLines(new TextDecoder().decode(last))}`;
  return { shown, isBinary: false, remark: `The text is ${size} bytes long: not all of it is shown.`, exact: null };
}

function binaryText(bytes: Uint8Array, size: number, isWhole: boolean): PageText {
  const shown = hexDump(bytes.subarray(0, BINARY_SHOWN));
  const part = size > BINARY_SHOWN ? `, of which the first ${BINARY_SHOWN} are shown` : '';
  const remark = size === 0 ? 'It is empty.' : `These are ${size} bytes that are no text${part}.`;
  return { shown, isBinary: true, remark, exact: isWhole && size > 0 && size <= MAX_EXACT ? bytes : null };
}

function endsOf(chunks: Iterable<Uint8Array>): Ends {
  let first: Uint8Array = new Uint8Array(0);
  let tail: Uint8Array[] = [];
  let held = 0;
  let size = 0;
  for (const chunk of chunks) {
    size += chunk.length;
    const room = FIRST_SHOWN - first.length;
    if (room > 0) first = joined([first, chunk.subarray(0, room)]);
    const rest = chunk.subarray(Math.max(0, room));
    tail.push(rest);
    held += rest.length;
    // No more is kept than twice what is shown.
    if (held > 2 * LAST_SHOWN) {
      tail = [joined(tail).slice(-LAST_SHOWN)];
      held = LAST_SHOWN;
    }
  }
  return { first, last: joined(tail).slice(-LAST_SHOWN), size };
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Whether the bytes can be made of the shown text again. */
function isSame(shown: string, bytes: Uint8Array): boolean {
  const made = new TextEncoder().encode(shown);
  return made.length === bytes.length && made.every((byte, i) => byte === bytes[i]);
}

/** As `hexdump -C` has it. */
function hexDump(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const hex = hexText(row);
    const plain = Array.from(row, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    text += `${at.toString(16).padStart(8, '0')}  ${hex.padEnd(47)}  |${plain}|\n`;
  }
  return text;
}
