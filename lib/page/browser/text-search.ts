// Searching the texts of records: a little at a time, so that typing never waits for it.

import { bodyOf } from './bodies.js';

/** Gives those of the records whose texts have each word in them or in their lines. */
export type TextSearch = (
  words: readonly string[],
  found: (ids: readonly string[]) => void,
  signal: AbortSignal,
) => Promise<void>;

/** Other work waits at most this long. */
const SLICE_MS = 8;

/** Texts of a page that has all of them. */
export class PageTexts {
  readonly #rows: readonly HTMLElement[];
  /** In lower case; made when it is searched the first time. */
  readonly #texts: string[] = [];

  constructor(rows: readonly HTMLElement[]) {
    this.#rows = rows;
  }

  readonly search: TextSearch = async (words, found, signal) => {
    let ids: string[] = [];
    let until = performance.now() + SLICE_MS;
    for (const [i, row] of this.#rows.entries()) {
      const text = this.#textOf(i);
      if (words.every((word) => text.includes(word))) ids.push(row.id);
      if (performance.now() < until) continue;
      found(ids);
      ids = [];
      await pause();
      if (signal.aborted) return;
      until = performance.now() + SLICE_MS;
    }
    found(ids);
  };

  #textOf(i: number): string {
    let text = this.#texts[i];
    if (text === undefined) {
      const row = this.#rows[i]!;
      text = `${row.firstElementChild?.textContent}
${plain(bodyOf(row))}`.toLowerCase();
      this.#texts[i] = text;
    }
    return text;
  }
}

const ENTITIES: Readonly<Record<string, string>> = { '&lt;': '<', '&gt;': '>', '&quot;': '"', '&amp;': '&' };

/** What a person reads of markup. */
function plain(markup: string): string {
  const text = markup.replace(/<script[^>]*>[^<]*<\/script>|<[^>]*>/g, '');
  return text.includes('&') ? text.replace(/&(?:lt|gt|quot|amp);/g, (entity) => ENTITIES[entity]!) : text;
}

/** Lets the page handle what has come in the meantime. */
export function pause(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
