// Images that are open in a viewer, and what is asked of them.

import { PstoreError } from '../../errors.js';
import { TextCache } from '../../pstore/cache.js';
import { openStorage } from '../../source/open-storage.js';
import { dumpChunks } from '../../triage/dump.js';
import { type PageDump, PageIds, type PageSource, pageDumps, pageImage } from '../collect.js';
import type { PageImage } from '../data.js';
import { chunksMarkup, newestFirst, recordsMarkup } from '../listing.js';
import { overviewMarkup } from '../render.js';
import { bodyMarkup } from '../rows.js';
import { pageText } from '../text.js';
import { fileStorage } from './file-storage.js';
import type { Reply } from './messages.js';
import { pause } from './text-search.js';

/** So often the page is told how far it is. */
const TELL_MS = 100;
/** Decoded texts that are kept, in bytes. */
const CACHE = 256 << 20;
/** So long another question waits at most. */
const SLICE_MS = 20;

export class Reader {
  readonly #post: (reply: Reply) => void;
  #images: PageImage[] = [];
  #dumps = new Map<string, PageDump>();
  /** Of the search that runs. */
  #ticket = -1;
  readonly #texts = new Map<string, string>();

  constructor(post: (reply: Reply) => void) {
    this.#post = post;
  }

  async open(files: readonly File[]): Promise<void> {
    const failed: string[] = [];
    const sources: PageSource[] = [];
    for (const file of files) {
      try {
        sources.push(await openFile(file, labelOf(file, sources)));
      } catch (error) {
        failed.push(sentence(file.name, error));
      }
    }
    this.#images = sources.map(pageImage);
    const ids = new PageIds();
    const dumps: PageDump[] = [];
    let told = performance.now();
    for (const [i, source] of sources.entries()) {
      const prefix = sources.length > 1 ? `${source.mounted.label}/` : '';
      try {
        for (const dump of pageDumps(source, i, ids, prefix)) {
          dumps.push(dump);
          if (performance.now() - told < TELL_MS) continue;
          told = performance.now();
          const { path } = source.mounted.backend;
          this.#post({ told: 'progress', text: `${path}: ${dumps.length} records`, done: 0 });
        }
      } catch (error) {
        failed.push(sentence(source.mounted.backend.path, error));
      }
    }
    this.#show(sources, dumps, failed);
  }

  #show(sources: readonly PageSource[], dumps: readonly PageDump[], failed: readonly string[]): void {
    if (sources.length === 0) {
      this.#post({ told: 'opened', overview: '', chunks: [], failed });
      return;
    }
    const rows = newestFirst(dumps.map(({ row }) => row));
    this.#dumps = new Map(dumps.map((dump) => [dump.row.id, dump]));
    const warnings = sources.map(({ mounted }) => mounted.backend.warnings.list.map(({ message }) => message));
    const content = { images: this.#images, rows, warnings };
    const overview = `${overviewMarkup(content).text}${recordsMarkup(rows.length)
      .map(({ text }) => text)
      .join('')}`;
    const chunks = Array.from(chunksMarkup(rows, this.#images), ({ text }) => text);
    this.#post({ told: 'opened', overview, chunks, failed });
  }

  #dump(id: string): PageDump {
    const dump = this.#dumps.get(id);
    if (dump) return dump;
    throw new PstoreError('ENOENT', `there is no record ${id}`);
  }

  body(id: string): string {
    const { dump, row } = this.#dump(id);
    return bodyMarkup(row, this.#images[row.image]!, pageText(dump), true).text;
  }

  bytes(id: string): Uint8Array<ArrayBuffer> {
    const pieces = [...dumpChunks(this.#dump(id).dump)];
    const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }

  /** Tells of records as they are found; another search ends this one. */
  async search(words: readonly string[], ticket: number): Promise<void> {
    this.#ticket = ticket;
    let ids: string[] = [];
    let until = performance.now() + SLICE_MS;
    for (const id of this.#dumps.keys()) {
      const text = this.#textOf(id);
      if (words.every((word) => text.includes(word))) ids.push(id);
      if (performance.now() < until) continue;
      this.#post({ told: 'found', ticket, ids, isEnd: false });
      ids = [];
      await pause();
      if (this.#ticket !== ticket) return;
      until = performance.now() + SLICE_MS;
    }
    this.#post({ told: 'found', ticket, ids, isEnd: true });
  }

  /** All that a search may find of a record, in lower case. */
  #textOf(id: string): string {
    const known = this.#texts.get(id);
    if (known !== undefined) return known;
    const { row, dump } = this.#dump(id);
    const { name, what, title, crash, kernel, machine, hardware } = row;
    const head = [name, what, title, crash?.signature, kernel, machine, hardware].join('\n');
    const text = `${head}\n${textIn(dump)}`.toLowerCase();
    this.#texts.set(id, text);
    return text;
  }
}

function textIn(dump: PageDump['dump']): string {
  try {
    return pageText(dump).shown;
  } catch {
    // A record that cannot be read has nothing that could be found.
    return '';
  }
}

async function openFile(file: File, label: string): Promise<PageSource> {
  const storage = await fileStorage(file);
  const path = file.name;
  const spec = { text: path, path, kind: undefined, keys: [['ro', '']] as const };
  const options = { sharedKeys: [], mode: 'read', cache: new TextCache(CACHE), strict: false } as const;
  const { backend, storage: part } = openStorage(spec, storage, options, noFile);
  const facts = [['file', `${path} (${file.size} bytes)`]] as const;
  return { mounted: { backend, label }, size: part.size, facts };
}

function noFile(path: string): never {
  throw new PstoreError('ENOENT', `${path} cannot be read: a page has only the files that are dropped on it`, { path });
}

/** The file's name, which no two images share. */
function labelOf({ name }: File, others: readonly PageSource[]): string {
  const taken = new Set(others.map(({ mounted }) => mounted.label));
  let label = name;
  for (let n = 2; taken.has(label); n++) label = `${name}.${n}`;
  return label;
}

function sentence(path: string, error: unknown): string {
  if (error instanceof PstoreError) return error.message;
  return `${path}: a bug of pstorefuse, please report it: ${(error as Error).stack ?? error}`;
}
