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

  /** Blocks of lib/ that have run since the last call of this, and that are not remembered yet. */
  news(): Set<string> {
    const news = new Set<string>();
    this.#session.post('Profiler.takePreciseCoverage', (error, taken) => {
      if (error) throw error;
      for (const { url, functions } of taken.result) {
        if (url.includes('/dist/lib/')) this.#collect(url, functions, news);
      }
    });
    return news;
  }

  /** From now on these are no news. */
  remember(news: ReadonlySet<string>): void {
    for (const block of news) this.#seen.add(block);
  }

  #collect(url: string, functions: readonly FunctionCoverage[], news: Set<string>): void {
    for (const { ranges } of functions) {
      for (const { startOffset, endOffset, count } of ranges) {
        const block = `${url}:${startOffset}-${endOffset}`;
        if (count > 0 && !this.#seen.has(block)) news.add(block);
      }
    }
  }

  close(): void {
    this.#session.disconnect();
  }
}
