// What an image says, made fit for a terminal or a page: what cannot be printed is written as \xNN or \uNNNN.

/** Made at first use: a start snapshot cannot hold one. */
let decoder: InstanceType<typeof TextDecoder> | undefined;

/** Controls, formats such as those that turn the direction of text, lone surrogates, line and paragraph separators. */
let unprintable: RegExp | undefined;

function isUnprintable(text: string): boolean {
  // To compile it takes milliseconds, and hardly any name needs it.
  unprintable ??= /[\p{C}\p{Zl}\p{Zp}]/u;
  return unprintable.test(text);
}

/**
 * The text up to the first NUL, or all of it where there is none. Printable UTF-8 stays as it is; every other byte
 * becomes `\xNN`, so the result is one line and holds no control characters.
 * @param bytes a name: some hundred bytes at most
 */
export function printable(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const name = end < 0 ? bytes : bytes.subarray(0, end);
  if (name.every(isPlain)) return String.fromCharCode(...name);
  let text = '';
  for (let at = 0; at < name.length; ) {
    const length = sequenceLength(name[at]!);
    const sequence = name.subarray(at, at + length);
    const found = character(sequence);
    text += found ?? escaped(sequence.subarray(0, 1));
    at += found === undefined ? 1 : sequence.length;
  }
  return text;
}

function isPlain(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f;
}

/** One character of UTF-8, escaped when it cannot be printed; undefined when the bytes are none. */
function character(sequence: Uint8Array): string | undefined {
  let text: string;
  try {
    decoder ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    text = decoder.decode(sequence);
  } catch {
    return undefined;
  }
  return isUnprintable(text) ? escaped(sequence) : text;
}

function escaped(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}

/** Bytes of the UTF-8 sequence that a byte begins. */
function sequenceLength(first: number): number {
  if (first < 0xc0) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

/** What must not reach a reader from an image: escape sequences, and what turns the direction of the text after it. */
const HARMFUL = '\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069';
/** A byte that is no UTF-8, where texts keep such bytes: of a path. */
const NO_TEXT = '(?<![\\ud800-\\udbff])[\\udc80-\\udcff]';
const HARMFUL_IN_LINE = new RegExp(`[\\u0000-\\u001f${HARMFUL}]|${NO_TEXT}`, 'g');
const HARMFUL_IN_TEXT = new RegExp(`[\\u0000-\\u0008\\u000b-\\u001f${HARMFUL}]`, 'g');

/** One line, which holds nothing that a terminal would obey. */
export function printableLine(text: string): string {
  return text.replace(HARMFUL_IN_LINE, harmless);
}

/** The same for a text of many lines: lines and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(HARMFUL_IN_TEXT, harmless);
}

/** The same for texts that come in pieces. */
export function printableText(): (bytes: Uint8Array) => string {
  const pieces = new TextDecoder();
  return (bytes) => printableLines(pieces.decode(bytes, { stream: true }));
}

function harmless(character: string): string {
  const unit = character.charCodeAt(0);
  const code = unit >= 0xdc80 && unit <= 0xdcff ? unit - 0xdc00 : unit;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}

const HARMFUL_IN_JSON = new RegExp(`[${HARMFUL}]`, 'g');

/** JSON by itself escapes only a part of what a terminal obeys; escaped, it is the same JSON. */
export function printableJson(text: string): string {
  return text.replace(HARMFUL_IN_JSON, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
