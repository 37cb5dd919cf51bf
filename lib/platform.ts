// What differs between Node and other places this core may run in: native deflate, and the wall clock.
// Everything from format/ to tree/ reaches the machine through this file only.

import { createRequire } from 'node:module';

let loaded: typeof import('node:zlib') | undefined;

/** Loaded on first use: it takes a tenth of the time in which a mount is made. */
function zlib(): typeof import('node:zlib') {
  loaded ??= createRequire(import.meta.url)('node:zlib') as typeof import('node:zlib');
  return loaded;
}

interface WithEngine {
  buffer: Buffer;
  engine: { bytesWritten: number };
}

/**
 * Raw inflate.
 * @param limit most bytes of output
 * @returns undefined when the input is no whole raw deflate stream or exceeds `limit`
 */
export function inflateRaw(input: Uint8Array, limit: number): { output: Uint8Array; used: number } | undefined {
  try {
    // Node keeps the output buffer of a stream that fails until its next tick, which a listing does not wait for.
    const chunkSize = Math.min(16384, Math.max(64, 4 * input.length));
    const options = { maxOutputLength: Math.max(1, limit), info: true, chunkSize };
    const result = zlib().inflateRawSync(input, options) as unknown as WithEngine;
    return { output: result.buffer, used: result.engine.bytesWritten };
  } catch {
    return undefined;
  }
}

/**
 * What the beginning of a raw deflate stream gives.
 * @param limit most bytes of output
 * @returns undefined when the input is no beginning of a raw deflate stream or exceeds `limit`
 */
export function inflateBeginning(input: Uint8Array, limit: number): Uint8Array | undefined {
  try {
    const chunkSize = Math.min(16384, Math.max(64, 4 * input.length));
    const options = { maxOutputLength: Math.max(1, limit), finishFlush: zlib().constants.Z_SYNC_FLUSH, chunkSize };
    return zlib().inflateRawSync(input, options);
  } catch {
    return undefined;
  }
}

/** Raw deflate with a window of 2^11, as pstore makes it: a kernel may not inflate a larger one. */
export function deflateRaw(input: Uint8Array): Uint8Array {
  return zlib().deflateRawSync(input, { windowBits: 11, memLevel: 8 });
}

/** Nanoseconds since 1970. */
export function nowNs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

/** Where `needle` stands in `bytes` from `from` on, or -1: by the machine's own search, which is far faster than a loop. */
export function findBytes(bytes: Uint8Array, needle: Uint8Array, from: number): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(needle, from);
}
