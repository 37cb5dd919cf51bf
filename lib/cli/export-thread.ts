// A thread of export: takes images, gives the pieces of each.

import { parentPort, workerData } from 'node:worker_threads';
import { type ExportOptions, exportImage, type ImageResult } from './export-records.js';

/** What a thread is started with. */
export interface ThreadData {
  readonly options: ExportOptions;
  /** One number: bytes that it has given and nobody has written yet. */
  readonly held: Int32Array;
}

export interface Task {
  readonly index: number;
  readonly source: string;
}

/** A piece of an image's output, or the end of it. */
export type Said =
  | { readonly index: number; readonly piece: Uint8Array }
  | { readonly index: number; readonly result: ImageResult };

/** A thread that has given so much waits until it is written: memory must not grow with what others wait for. */
const MAX_HELD = 8 << 20;
/** Small pieces are given together. */
const PIECE = 256 << 10;

function run({ index, source }: Task, { options, held }: ThreadData): void {
  const port = parentPort!;
  let waiting: Uint8Array[] = [];
  let length = 0;
  const give = () => {
    if (length === 0) return;
    // A buffer of its own can be handed over without being copied.
    const piece = new Uint8Array(length);
    let at = 0;
    for (const bytes of waiting) {
      piece.set(bytes, at);
      at += bytes.length;
    }
    for (let now = Atomics.load(held, 0); now > MAX_HELD; now = Atomics.load(held, 0)) Atomics.wait(held, 0, now);
    Atomics.add(held, 0, piece.length);
    port.postMessage({ index, piece } satisfies Said, [piece.buffer]);
    waiting = [];
    length = 0;
  };
  const pieces = exportImage(source, options);
  let next = pieces.next();
  for (; !next.done; next = pieces.next()) {
    waiting.push(next.value);
    length += next.value.length;
    if (length >= PIECE) give();
  }
  give();
  port.postMessage({ index, result: next.value } satisfies Said);
}

const data = workerData as ThreadData;
parentPort?.on('message', (task: Task) => run(task, data));
