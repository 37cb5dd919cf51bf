// Images on all processors: threads take them one after the other, and what they give is written in the order of the
// images, or as it comes.

import { Worker } from 'node:worker_threads';
import type { ExportOptions, ImageResult } from './export-records.js';
import type { Said, Task, ThreadData } from './export-thread.js';

export interface PoolOptions {
  readonly threads: number;
  readonly ordered: boolean;
  readonly exporting: ExportOptions;
  write(piece: Uint8Array): void;
  /** One image is done. */
  done(source: string, result: ImageResult): void;
  /** The piece that stands for an image whose thread has died. */
  died(source: string, error: Error): Uint8Array;
}

/** Images that a thread has at a time: one to go on with when it is done with the other. */
const AHEAD = 2;
/** For each thread, how many images may be finished ahead of the one whose output comes next. */
const WINDOW = 16;

interface Thread {
  readonly worker: Worker;
  readonly held: Int32Array;
  readonly tasks: Task[];
}

/** What was given for an image and cannot be written yet. */
interface Output {
  readonly pieces: { readonly piece: Uint8Array; readonly held: Int32Array | undefined }[];
  readonly source: string;
  result: ImageResult | undefined;
}

export class ExportPool {
  readonly #options: PoolOptions;
  readonly #threads: Thread[] = [];
  readonly #outputs = new Map<number, Output>();
  /** Of the next image that is taken, and of the first one that is not written. */
  #taken = 0;
  #next = 0;
  #failure: unknown;
  #wake: (() => void) | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Takes an image when there is room for it. @throws what write() threw */
  async take(source: string): Promise<void> {
    const { threads } = this.#options;
    const isFull = () => this.#outputs.size >= threads * WINDOW || this.#freest().tasks.length >= AHEAD;
    while (this.#failure === undefined && isFull()) await this.#change();
    if (this.#failure !== undefined) throw this.#failure;
    const task = { index: this.#taken++, source };
    this.#outputs.set(task.index, { pieces: [], source, result: undefined });
    this.#give(this.#freest(), task);
  }

  /** Waits until all that was taken is written. */
  async end(): Promise<void> {
    while (this.#failure === undefined && this.#outputs.size > 0) await this.#change();
    if (this.#failure !== undefined) throw this.#failure;
  }

  async close(): Promise<void> {
    const threads = this.#threads.splice(0);
    await Promise.all(threads.map(({ worker }) => worker.removeAllListeners().terminate()));
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** The thread with the least to do; a new one while there are fewer than wanted and all have something to do. */
  #freest(): Thread {
    const idle = this.#threads.find(({ tasks }) => tasks.length === 0);
    if (idle) return idle;
    if (this.#threads.length < this.#options.threads) return this.#start();
    return this.#threads.reduce((a, b) => (b.tasks.length < a.tasks.length ? b : a));
  }

  #start(): Thread {
    const held = new Int32Array(new SharedArrayBuffer(4));
    const workerData: ThreadData = { options: this.#options.exporting, held };
    // What Node was told for this process is not meant for a thread.
    const worker = new Worker(new URL('./export-thread.js', import.meta.url), { workerData, env: {}, execArgv: [] });
    const thread: Thread = { worker, held, tasks: [] };
    worker.on('message', (said: Said) => this.#guard(() => this.#hear(thread, said)));
    worker.on('error', (error) => this.#guard(() => this.#bury(thread, error)));
    this.#threads.push(thread);
    return thread;
  }

  #give(thread: Thread, task: Task): void {
    thread.tasks.push(task);
    thread.worker.postMessage(task);
  }

  /** What goes wrong in an event ends the export. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#failure ??= error;
    }
    this.#wake?.();
  }

  #hear(thread: Thread, said: Said): void {
    const output = this.#outputs.get(said.index)!;
    if ('piece' in said) output.pieces.push({ piece: said.piece, held: thread.held });
    else {
      output.result = said.result;
      thread.tasks.splice(0, 1);
    }
    this.#write(said.index);
  }

  /**
   * A thread that dies, as for want of memory, takes one image with it; the others go to a thread that
   * has nothing to do: after a later image, which waits for them to be written, they would wait for ever.
   */
  #bury(thread: Thread, error: Error): void {
    this.#threads.splice(this.#threads.indexOf(thread), 1);
    const [task, ...others] = thread.tasks;
    if (!task) return;
    const output = this.#outputs.get(task.index)!;
    output.pieces.push({ piece: this.#options.died(task.source, error), held: undefined });
    output.result = { records: 0, failed: true, warnings: [] };
    this.#write(task.index);
    for (const other of others) this.#give(this.#freest(), other);
  }

  /** In order only the first image that is not written can be; its end lets the next one follow. */
  #write(index: number): void {
    if (!this.#options.ordered) {
      this.#flush(index);
      return;
    }
    while (this.#outputs.has(this.#next)) {
      this.#flush(this.#next);
      if (this.#outputs.has(this.#next)) return;
      this.#next++;
    }
  }

  #flush(index: number): void {
    const output = this.#outputs.get(index)!;
    for (const { piece, held } of output.pieces.splice(0)) {
      this.#options.write(piece);
      if (!held) continue;
      Atomics.sub(held, 0, piece.length);
      Atomics.notify(held, 0);
    }
    if (!output.result) return;
    this.#outputs.delete(index);
    this.#options.done(output.source, output.result);
  }
}
