// Numbers out of bytes that nobody has checked: beyond the end there are zeros, so that a cut input reads as one that is
// filled up with them, and never as NaN. Whether the bytes were there is for the caller to know.

export function u8(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

/** Little-endian, as the others. */
export function u16(bytes: Uint8Array, at: number): number {
  return u8(bytes, at) | (u8(bytes, at + 1) << 8);
}

export function u24(bytes: Uint8Array, at: number): number {
  return u16(bytes, at) | (u8(bytes, at + 2) << 16);
}

export function u32(bytes: Uint8Array, at: number): number {
  return (u24(bytes, at) | (u8(bytes, at + 3) << 24)) >>> 0;
}

/** An unsigned integer of up to 8 bytes; above 2^53 it is rounded, which is enough for comparing it with a limit. */
export function uint(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + u8(bytes, at + i);
  return value;
}

/** Where the first byte stands that is not `value`, or -1: plain loops take a tenth of the time of a callback. */
export function firstOther(bytes: Uint8Array, value: number): number {
  const { buffer, byteOffset, length } = bytes;
  let at = 0;
  const aligned = Math.min(length, -byteOffset & 3);
  for (; at < aligned; at++) if (bytes[at] !== value) return at;
  if (length - at >= LONG) {
    const words = new Int32Array(buffer, byteOffset + at, (length - at) >>> 2);
    at += 4 * firstOtherWord(words, (value * 0x01010101) | 0);
  }
  for (; at < length; at++) if (bytes[at] !== value) return at;
  return -1;
}

/**
 * Where the first other word stands, or how many there are. A loop in a function of its own is compiled once: V8 threw its
 * code away at each call because of what followed it.
 */
function firstOtherWord(words: Int32Array, same: number): number {
  let i = 0;
  while (i < words.length && words[i] === same) i++;
  return i;
}

/** From so many bytes on it pays to compare four at a time. */
const LONG = 64;

/** Whether they are what was never written: zeros, or 0xFF as erased flash has it. No bytes are blank, too. */
export function isBlank(bytes: Uint8Array): boolean {
  const [first = 0] = bytes;
  return (first === 0 || first === 0xff) && firstOther(bytes, first) < 0;
}

/** `4a 1f 00`. */
export function hexText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}
