// Names that an image holds, made fit for a terminal: what cannot be printed is written as \xNN.

/** Made at first use: a start snapshot cannot hold one. */
let decoder: InstanceType<typeof TextDecoder> | undefined;

/** Controls, formats such as those that turn the direction of text, lone surrogates, line and paragraph separators. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;

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
  return UNPRINTABLE.test(text) ? escaped(sequence) : text;
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
