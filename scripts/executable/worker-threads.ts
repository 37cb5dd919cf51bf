// Stands in the place of node:worker_threads in the executable: the scripts of threads are inside of it, not in files.

import { basename } from 'node:path';
import * as threads from 'node:worker_threads';
import { textAsset } from './assets.js';

// Handed on one by one, so that Node's module is not loaded before it is used.
export { MessageChannel, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';

/** Called with `new`, as Node's class is. */
export function Worker(script: URL, options: threads.WorkerOptions): threads.Worker {
  return new threads.Worker(textAsset(basename(script.pathname)), { ...options, eval: true });
}
