// Images that are open in a viewer, and what is asked of them.

import { PstoreError } from '../../errors.js';
import { TextCache } from '../../pstore/cache.js';
import { openStorage } from '../../source/open-storage.js';
import { dumpChunks } from '../../triage/dump.js';
import { explainedRow, type PageDump, PageIds, type PageSource, pageDumps, pageImage } from '../collect.js';
import type { PageImage, PageRow } from '../data.js';
import { listMarkup, newestFirst } from '../listing.js';
import { overviewMarkup } from '../render.js';
import { bodyMarkup, rowMarkup } from '../rows.js';
import { pageText } from '../text.js';
import type { Dropped } from './dropped.js';
import { fileStorage } from './file-storage.js';
import { folderBackend } from './folder-source.js';
import type { Reply } from './messages.js';
import { pause } from './text-search.js';

/** So often the page is told how far it is. */
const TELL_MS = 100;
/** Decoded texts that are kept, in bytes. */
const CACHE = 256 << 20;
/** Another question waits at most this long. */
const SLICE_MS = 20;

export class Reader {
  readonly #post: (reply: Reply) => void;
  #sources: PageSource[] = [];
  #images: PageImage[] = [];
  /** In the order of the page. */
  #dumps = new Map<string, PageDump>();
  /** Of the search that runs. */
  #ticket = -1;
  readonly #texts = new Map<string, string>();

  constructor(post: (reply: Reply) => void) {
    this.#post = post;
  }

  /** Shows what there is at once, and what the logs tell when it is found. */
  async open(all: readonly Dropped[]): Promise<void> {
    const failed: string[] = [];
    for (const dropped of all) {
      try {
        this.#sources.push(await openDropped(dropped, labelOf(dropped, this.#sources)));
      } catch (error) {
        failed.push(sentence(dropped.name, error));
      }
    }
    this.#images = this.#sources.map(pageImage);
    const dumps = new Map(Array.from(this.#collect(failed), (dump) => [dump.row.id, dump]));
    const rows = newestFirst(Array.from(dumps.values(), ({ row }) => row));
    this.#dumps = new Map(rows.map(({ id }) => [id, dumps.get(id)!]));
    const records = this.#sources.length === 0 ? [] : listMarkup(rows, this.#images);
    const markup = Array.from(records, ({ text }) => text).join('');
    this.#post({ told: 'opened', overview: this.#overview(), records: markup, failed });
    await this.#explain();
    if (this.#sources.length > 0) this.#post({ told: 'overview', overview: this.#overview() });
  }

  *#collect(failed: string[]): Generator<PageDump> {
    const ids = new PageIds();
    let told = performance.now();
    let count = 0;
    for (const [i, source] of this.#sources.entries()) {
      const { path } = source.mounted.backend;
      const prefix = this.#sources.length > 1 ? `${source.mounted.label}/` : '';
      try {
        for (const dump of pageDumps(source, i, ids, prefix)) {
          yield dump;
          count++;
          if (performance.now() - told < TELL_MS) continue;
          told = performance.now();
          this.#post({ told: 'progress', text: `${path}: ${count} records` });
        }
      } catch (error) {
        failed.push(sentence(path, error));
      }
    }
  }

  async #explain(): Promise<void> {
    let lines: string[] = [];
    let left = this.#dumps.size;
    let until = performance.now() + TELL_MS;
    for (const [id, each] of this.#dumps) {
      left--;
      if (!each.row.isExplained) lines.push(this.#explainOne(id, each));
      if (performance.now() < until && left > 0) continue;
      this.#post({ told: 'rows', rows: lines, left });
      lines = [];
      await pause();
      until = performance.now() + TELL_MS;
    }
  }

  #explainOne(id: string, each: PageDump): string {
    const row = explained(each);
    this.#dumps.set(id, { ...each, row });
    return rowMarkup(row, this.#images[row.image]!, this.#images.length === 1).text;
  }

  #overview(): string {
    if (this.#sources.length === 0) return '';
    const rows = Array.from(this.#dumps.values(), ({ row }) => row);
    const warnings = this.#sources.map(({ mounted }) => mounted.backend.warnings.list.map(({ message }) => message));
    return overviewMarkup({ images: this.#images, rows, warnings }).text;
  }

  #dump(id: string): PageDump {
    const dump = this.#dumps.get(id);
    if (dump) return dump;
    throw new PstoreError('ENOENT', `there is no record ${id}`);
  }

  body(id: string): string {
    const each = this.#dump(id);
    const { dump } = each;
    // Somebody wants to see it before it is its turn.
    const row = each.row.isExplained ? each.row : explained(each);
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

/** One that cannot be read stays as it is: who opens it is told. */
function explained(each: PageDump): PageRow {
  try {
    return explainedRow(each);
  } catch (error) {
    if (error instanceof PstoreError) return { ...each.row, isExplained: true };
    throw error;
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

async function openDropped(dropped: Dropped, label: string): Promise<PageSource> {
  if ('file' in dropped) return openFile(dropped.file, label);
  const backend = await folderBackend(dropped, new TextCache(CACHE));
  const facts = [['folder', `${dropped.name} (${dropped.files.length} files)`]] as const;
  return { mounted: { backend, label }, size: 0, facts };
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
function labelOf({ name }: Dropped, others: readonly PageSource[]): string {
  const taken = new Set(others.map(({ mounted }) => mounted.label));
  let label = name;
  for (let n = 2; taken.has(label); n++) label = `${name}.${n}`;
  return label;
}

function sentence(path: string, error: unknown): string {
  if (error instanceof PstoreError) return error.message;
  return `${path}: a bug of pstorefuse, please report it: ${(error as Error).stack ?? error}`;
}
