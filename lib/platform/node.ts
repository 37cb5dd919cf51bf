// The platform of Node: see platform.ts. What only Node has stands at the end.

import { createRequire } from 'node:module';
import type { NativeDeflate, Thread, Threads } from './platform.js';

const require = createRequire(import.meta.url);

let loaded: typeof import('node:zlib') | undefined;

/** Loaded on first use: it takes a tenth of the time in which a mount is made. */
function zlib(): typeof import('node:zlib') {
  loaded ??= require('node:zlib') as typeof import('node:zlib');
  return loaded;
}

interface WithEngine {
  buffer: Buffer;
  engine: { bytesWritten: number };
}

export const native: NativeDeflate | undefined = {
  inflateRaw(input, limit) {
    try {
      // Node keeps the output buffer of a stream that fails until its next tick, which a listing does not wait for.
      const chunkSize = Math.min(16384, Math.max(64, 4 * input.length));
      const options = { maxOutputLength: Math.max(1, limit), info: true, chunkSize };
      const result = zlib().inflateRawSync(input, options) as unknown as WithEngine;
      return { output: result.buffer, used: result.engine.bytesWritten };
    } catch {
      return undefined;
    }
  },
  inflateRawStart(input) {
    try {
      return zlib().inflateRawSync(input, { finishFlush: zlib().constants.Z_SYNC_FLUSH });
    } catch {
      return undefined;
    }
  },
  deflateRaw: (input, windowBits) => zlib().deflateRawSync(input, { windowBits, memLevel: 8 }),
};

export const threads: Threads | undefined = {
  others: () => (require('node:os') as typeof import('node:os')).availableParallelism() - 1,
  start: startThread,
};

/** Nanoseconds since 1970. */
export function nowNs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

/** Milliseconds since some moment. Node's `performance` would be loaded first. */
export function elapsedMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Where `needle` stands in `bytes` from `from` on, or -1: by the machine's own search, which is far faster than a loop. */
export function findBytes(bytes: Uint8Array, needle: Uint8Array, from: number): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(needle, from);
}

/** What a thread was started with, and how it talks. */
export interface ThreadSide<Data> {
  readonly data: Data;
  onMessage(act: (message: unknown) => void): void;
  /** @param owned buffers that are handed over instead of copied: nobody here uses them any more */
  post(message: unknown, owned: readonly ArrayBufferLike[]): void;
}

function startThread(script: URL, data: object): Thread {
  const { MessageChannel, receiveMessageOnPort, Worker } =
    require('node:worker_threads') as typeof import('node:worker_threads');
  const { port1, port2 } = new MessageChannel();
  const workerData = { data, port: port2 };
  // What Node was told for this process is not meant for a thread.
  const worker = new Worker(script, { workerData, transferList: [port2], env: {}, execArgv: [] });
  worker.on('error', () => {});
  worker.unref();
  port1.unref();
  return {
    post: (message) => port1.postMessage(message),
    receive: () => receiveMessageOnPort(port1)?.message,
    end: () => port1.close(),
  };
}

/** For the script of a thread. */
export function threadSide<Data>(): ThreadSide<Data> {
  const { workerData } = require('node:worker_threads') as typeof import('node:worker_threads');
  const { data, port } = workerData as { data: Data; port: import('node:worker_threads').MessagePort };
  return {
    data,
    onMessage: (act) => {
      port.on('message', act);
    },
    post: (message, owned) => port.postMessage(message, owned as ArrayBuffer[]),
  };
}
