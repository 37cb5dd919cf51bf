// Which parts of our code have run, by V8's own counters: what tells an input that finds something new from one that
// does not.

import { Session } from 'node:inspector';

interface FunctionCoverage {
  readonly functionName: string;
  readonly ranges: readonly { readonly startOffset: number; readonly endOffset: number; readonly count: number }[];
}

export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Set<string>();

  constructor() {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Blocks of our code that have run so far. */
  get blocks(): number {
    return this.#seen.size;
  }

  /** Whether since the last call some block of lib/ has run that never ran before. */
  hasNews(): boolean {
    let news = false;
    this.#session.post('Profiler.takePreciseCoverage', (error, taken) => {
      if (error) throw error;
      for (const { url, functions } of taken.result) {
        if (url.includes('/dist/lib/') && this.#add(url, functions)) news = true;
      }
    });
    return news;
  }

  #add(url: string, functions: readonly FunctionCoverage[]): boolean {
    const before = this.#seen.size;
    for (const { ranges } of functions) {
      for (const { startOffset, endOffset, count } of ranges) {
        if (count > 0) this.#seen.add(`${url}:${startOffset}-${endOffset}`);
      }
    }
    return this.#seen.size > before;
  }

  close(): void {
    this.#session.disconnect();
  }
}
