// Standard input, read to its end or as it comes.

import { read } from 'node:fs';
import { PstoreError } from '../errors.js';
import { reasonOf } from '../storage/file.js';
import { takeAhead } from '../storage/stdin-ahead.js';
import { readWaiting } from '../storage/waiting.js';

const STDIN = 0;
const CHUNK = 64 << 10;

/** Gives what has come so far, again and again, until the end. @throws PstoreError EIO */
export function* stdinChunks(): Generator<Uint8Array> {
  const ahead = takeAhead();
  if (ahead.length > 0) yield ahead;
  const buffer = new Uint8Array(CHUNK);
  for (;;) {
    let got: number;
    try {
      got = readWaiting(STDIN, buffer);
    } catch (error) {
      throw new PstoreError('EIO', `standard input cannot be read: ${reasonOf(error)}`);
    }
    if (got === 0) return;
    yield buffer.slice(0, got);
  }
}

/** What comes, and `undefined` where nothing has come for so long. */
export async function* orSilence(
  chunks: AsyncIterable<Uint8Array>,
  ms: number,
): AsyncGenerator<Uint8Array | undefined> {
  const iterator = chunks[Symbol.asyncIterator]();
  for (;;) {
    const next = iterator.next();
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<'silence'>((resolve) => {
      timer = setTimeout(resolve, ms, 'silence');
    });
    const first = await Promise.race([next, silence]);
    clearTimeout(timer);
    if (first === 'silence') yield undefined;
    const { done, value } = await next;
    if (done) return;
    yield value;
  }
}

/** As stdinChunks(), but other work goes on while nothing comes. @throws PstoreError EIO */
export async function* stdinAsItComes(): AsyncGenerator<Uint8Array> {
  for (let chunk = await readSome(STDIN); chunk.length > 0; chunk = await readSome(STDIN)) yield chunk;
}

const RETRY_MS = 5;

/** What comes next; no bytes at the end. @throws PstoreError EIO */
async function readSome(fd: number): Promise<Uint8Array> {
  for (;;) {
    try {
      return await new Promise<Uint8Array>((resolve, reject) => {
        const buffer = new Uint8Array(CHUNK);
        read(fd, buffer, 0, CHUNK, null, (error, got) => (error ? reject(error) : resolve(buffer.subarray(0, got))));
      });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return new Uint8Array(0);
      if (code !== 'EAGAIN') throw new PstoreError('EIO', `standard input cannot be read: ${reasonOf(error)}`);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

export interface StdinTail {
  readonly bytes: Uint8Array;
  /** Bytes that have come, all together. */
  readonly total: number;
}

/** The last `most` bytes of standard input: a log may be longer than any zone, and its end is what counts. */
export function stdinTail(most: number): StdinTail {
  let tail = new Uint8Array(0);
  let total = 0;
  for (const chunk of stdinChunks()) {
    total += chunk.length;
    const joined = new Uint8Array(tail.length + chunk.length);
    joined.set(tail);
    joined.set(chunk, tail.length);
    tail = joined.length > 2 * most ? joined.slice(joined.length - most) : joined;
  }
  return { bytes: tail.subarray(Math.max(0, tail.length - most)), total };
}
