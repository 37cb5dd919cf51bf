// What a viewer's page and its worker tell each other.

import type { Dropped } from './dropped.js';

/** To the worker. */
export type Request =
  | { readonly do: 'open'; readonly files: readonly Dropped[] }
  | { readonly do: 'body'; readonly id: string; readonly ticket: number }
  | { readonly do: 'bytes'; readonly id: string; readonly ticket: number }
  | { readonly do: 'search'; readonly words: readonly string[]; readonly ticket: number };

/** To the page. Markup was made by html`` from what the images hold. */
export type Reply =
  | { readonly told: 'progress'; readonly text: string }
  | {
      readonly told: 'opened';
      readonly overview: string;
      readonly records: string;
      readonly failed: readonly string[];
    }
  /** Rows again, when more is known of them. */
  | { readonly told: 'rows'; readonly rows: readonly string[]; readonly left: number }
  | { readonly told: 'overview'; readonly overview: string }
  | { readonly told: 'body'; readonly ticket: number; readonly markup: string }
  | { readonly told: 'bytes'; readonly ticket: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly told: 'found'; readonly ticket: number; readonly ids: readonly string[]; readonly isEnd: boolean }
  | { readonly told: 'failed'; readonly ticket: number; readonly message: string };
