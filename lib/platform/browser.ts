// The platform of a browser's page: see platform.ts.

import type { NativeDeflate, Threads } from './platform.js';

/** A page has deflate only as a stream that is waited for, and all of this is synchronous. */
export const native: NativeDeflate | undefined = undefined;

/** A page must not wait for another thread. */
export const threads: Threads | undefined = undefined;

/** Nanoseconds since 1970. */
export function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

/** Milliseconds since some moment. */
export function elapsedMs(): number {
  return performance.now();
}

/** Where `needle` stands in `bytes` from `from` on, or -1. The machine's own search finds its first byte. */
export function findBytes(bytes: Uint8Array, needle: Uint8Array, from: number): number {
  const [first] = needle;
  if (first === undefined) return Math.min(Math.max(0, from), bytes.length);
  const last = bytes.length - needle.length;
  for (let at = bytes.indexOf(first, Math.max(0, from)); at >= 0 && at <= last; at = bytes.indexOf(first, at + 1)) {
    if (needle.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}
