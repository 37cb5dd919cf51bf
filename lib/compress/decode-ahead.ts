// Decodes records on other threads before they are asked for: worth it where a listing needs the sizes of many.

import { elapsedMs, threads as machine } from '#platform';
import type { Thread, Threads } from '../platform/platform.js';
import type { CompressionChoice, DecodedRecord } from './decompress.js';

/** A record's stored bytes, and what tells it from a later one in the same place. */
export interface StoredRecord {
  readonly stored: Uint8Array;
  readonly generation: number;
}

/** Records of which nobody knows yet whether they decode, by index; mostly asked for in rising order. */
export interface Work {
  readonly choice: CompressionChoice;
  /** Most bytes of text. */
  readonly limit: number;
  /** How many there are. */
  count(): number;
  /** Whether this is one of them. */
  has(index: number): boolean;
  /** The last one before `end`, or −1. */
  last(end: number): number;
  /** undefined where the medium does not give it. */
  read(index: number): StoredRecord | undefined;
  /** What came of it, unless it is another record by now; then it is none of them any more. */
  adopt(index: number, generation: number, decoded: DecodedRecord | undefined): void;
}

/** What a thread is told: stored bytes of records. */
export type Batch = readonly Uint8Array[];

/** What a thread says of a batch. */
export type Answer = readonly (DecodedRecord | undefined)[];

/** What a thread begins with. */
export interface ThreadData {
  /** What all threads share: see the constants below. */
  readonly cells: Int32Array;
  readonly choice: CompressionChoice;
  readonly limit: number;
}

/** Cells: each answer counts ANSWERS up; WORKING are the threads at work; who finds STOP set goes on with nothing. */
export const ANSWERS = 0;
export const WORKING = 1;
export const STOP = 2;
const CELLS = 3;

export interface DecodeAheadOptions {
  /** Threads beside this one. Default: one for each further processor, but few; none where the platform has none. */
  readonly threads?: number;
  /** Milliseconds that decoding has taken here before others help. */
  readonly after?: number;
  /** Milliseconds that the rest would at least take here. */
  readonly atLeast?: number;
  /** Milliseconds without an answer after which the threads are given up. */
  readonly patience?: number;
  /** The script of a thread. */
  readonly script?: URL;
}

/** Each takes some megabytes. */
const MAX_THREADS = 3;
/** About as long as a thread takes to start. */
const AFTER_MS = 50;
const AT_LEAST_MS = 150;
const PATIENCE_MS = 5000;
const BATCH = 16;
/** Batches that a thread has at a time: one to go on with when it has answered the other. */
const BATCHES = 2;

/** A thread, and what it has yet to answer. */
interface Helper {
  readonly thread: Thread;
  readonly batches: { readonly index: number; readonly generation: number }[][];
}

/**
 * Once this thread has decoded for a while and much is left, others take records from the end. Nothing here needs an
 * event loop: the server of a mount has none.
 */
export class DecodeAhead {
  readonly #work: Work;
  readonly #options: DecodeAheadOptions & Required<Omit<DecodeAheadOptions, 'script' | 'threads'>>;
  /** Made when the first thread is started. */
  #cells: Int32Array | undefined;
  /** Records that a thread has. */
  readonly #asked = new Set<number>();
  #helpers: Helper[] = [];
  #gaveUp = false;
  /** What was decoded here: milliseconds, records; and from which time on it is looked at again whether help pays. */
  #took = 0;
  #decoded = 0;
  #lookAt: number;
  /** What stands from here on was handed out. */
  #end = Number.POSITIVE_INFINITY;

  constructor(work: Work, options: DecodeAheadOptions = {}) {
    this.#work = work;
    this.#options = {
      after: AFTER_MS,
      atLeast: AT_LEAST_MS,
      patience: PATIENCE_MS,
      ...options,
    };
    this.#lookAt = this.#options.after;
  }

  /** Somebody needs a record: it is decoded by `decode`, unless another thread does it. */
  need(index: number, decode: () => void): void {
    while (this.#cells) {
      const seen = Atomics.load(this.#cells, ANSWERS);
      this.#collect(index);
      if (!this.#cells || !this.#asked.has(index)) break;
      if (Atomics.wait(this.#cells, ANSWERS, seen, this.#options.patience) === 'timed-out') this.#giveUp();
    }
    if (!this.#work.has(index)) return;
    const begin = elapsedMs();
    decode();
    this.#took += elapsedMs() - begin;
    this.#decoded++;
    if (this.#took >= this.#lookAt && this.#asked.size === 0) this.#startIfItPays(index);
  }

  /** Ends the threads, after the record that each is at; what they have not answered is decoded here when it is needed. */
  close(): void {
    const cells = this.#cells;
    if (!cells) return;
    Atomics.store(cells, STOP, 1);
    for (const { thread } of this.#helpers) thread.end();
    this.#awaitRest(cells);
    this.#helpers = [];
    this.#cells = undefined;
    this.#asked.clear();
    this.#end = Number.POSITIVE_INFINITY;
  }

  /** Nothing is to be done any more when the process exits: see Thread.end(). */
  #awaitRest(cells: Int32Array): void {
    const end = elapsedMs() + this.#options.patience;
    for (;;) {
      const working = Atomics.load(cells, WORKING);
      const left = end - elapsedMs();
      if (working === 0 || left <= 0) return;
      Atomics.wait(cells, WORKING, working, left);
    }
  }

  #giveUp(): void {
    this.#gaveUp = true;
    this.close();
  }

  #startIfItPays(index: number): void {
    this.#lookAt = 2 * this.#took;
    const { atLeast, threads } = this.#options;
    if (!machine || this.#gaveUp || (this.#took / this.#decoded) * this.#work.count() < atLeast) return;
    try {
      if (this.#helpers.length === 0) this.#start(machine, threads ?? Math.min(MAX_THREADS, machine.others()));
    } catch {
      // The system gives no more threads.
      this.#giveUp();
    }
    for (let i = 0; i < BATCHES; i++) for (const helper of this.#helpers) this.#handOut(helper, index);
  }

  #start(machine: Threads, count: number): void {
    const { choice, limit } = this.#work;
    const script = this.#options.script ?? new URL('./decoding-thread.js', import.meta.url);
    this.#cells = newCells();
    const data: ThreadData = { cells: this.#cells, choice, limit };
    for (let i = 0; i < count; i++) this.#helpers.push({ thread: machine.start(script, data), batches: [] });
  }

  /** The last records that were not handed out, but none up to `floor`, where this thread is. */
  #handOut({ thread, batches }: Helper, floor: number): void {
    const batch: { index: number; generation: number }[] = [];
    const stored: Uint8Array[] = [];
    while (batch.length < BATCH) {
      const index = this.#work.last(this.#end);
      if (index <= floor) break;
      this.#end = index;
      const record = this.#work.read(index);
      if (!record) continue;
      batch.push({ index, generation: record.generation });
      // A message takes the whole buffer that a view looks at.
      stored.push(record.stored.slice());
    }
    if (batch.length === 0) return;
    thread.post(stored satisfies Batch);
    batches.push(batch);
    for (const { index } of batch) this.#asked.add(index);
  }

  /** Takes the answers that are there, and hands out what is left. */
  #collect(floor: number): void {
    for (const helper of this.#helpers) {
      for (let answer = receive(helper); answer; answer = receive(helper)) {
        for (const [i, { index, generation }] of helper.batches.shift()!.entries()) {
          this.#asked.delete(index);
          this.#work.adopt(index, generation, answer[i]);
        }
        this.#handOut(helper, floor);
      }
    }
    // They wait for the next records: without an event loop, as in the server of a mount, the memory of a thread that has
    // ended is never freed, and a live image makes work again and again.
    if (this.#asked.size === 0) this.#end = Number.POSITIVE_INFINITY;
  }
}

function newCells(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT));
}

function receive({ thread }: Helper): Answer | undefined {
  return thread.receive() as Answer | undefined;
}
