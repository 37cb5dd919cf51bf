// The list of records: which are shown, by search, kind, group and span of time; and the one that the address names.

import { type Asked, asked } from './address.js';
import { highlight } from './highlight.js';
import { PageTexts, type TextSearch } from './text-search.js';

interface Row {
  readonly element: HTMLDetailsElement;
  readonly chunk: Chunk;
  readonly ms: number | undefined;
  group: string;
  /** Its line, in lower case. */
  line: string;
  isShown: boolean;
}

interface Chunk {
  readonly element: HTMLElement;
  shown: number;
}

/** Pixels of text that are shown above a crash. */
const CONTEXT_PIXELS = 60;
/** Pixels of a closed row, to guess how long a chunk is that is not in sight. */
const ROW_PIXELS = 35;

export class RecordList {
  readonly rows: readonly Row[];
  readonly #end = new AbortController();
  readonly #byId: ReadonlyMap<string, Row>;
  readonly #search: TextSearch;
  readonly #input: HTMLInputElement;
  readonly #output: HTMLElement;
  readonly #filter: HTMLButtonElement;
  readonly #none: HTMLElement;
  #words: readonly string[] = [];
  /** What was found in the texts. */
  #found = new Set<string>();
  #running = new AbortController();
  #isSearching = false;
  #shown: number;
  #kind = '';
  #asked: Asked = { kind: 'nothing' };

  /** @param search of a page that does not have the texts itself */
  constructor(root: HTMLElement, search?: TextSearch) {
    this.rows = Array.from(root.querySelectorAll<HTMLElement>('.chunk')).flatMap(rowsOf);
    this.#shown = this.rows.length;
    this.#byId = new Map(this.rows.map((row) => [row.element.id, row]));
    this.#search = search ?? new PageTexts(this.rows.map(({ element }) => element)).search;
    this.#input = root.querySelector('#search')!;
    this.#output = root.querySelector('#found')!;
    this.#filter = root.querySelector('#filter')!;
    this.#none = document.createElement('p');
    this.#none.className = 'none';
    this.#none.textContent = 'No record is like that.';
    this.#none.hidden = true;
    root.append(this.#none);
    this.#input.addEventListener('input', () => this.#typed());
    for (const button of root.querySelectorAll<HTMLButtonElement>('.kinds button')) {
      button.addEventListener('click', () => this.#choose(button));
    }
    this.#filter.addEventListener('click', () => {
      history.pushState(null, '', '#records');
      this.follow();
    });
    addEventListener('hashchange', () => this.follow(), { signal: this.#end.signal });
    root.addEventListener('toggle', ({ target }) => this.#opened(target as HTMLElement), true);
    this.follow();
  }

  /** Goes where the address says. */
  follow(): void {
    const wanted = asked(location.hash);
    if (wanted.kind === 'record') {
      this.#open(wanted.id);
      return;
    }
    const isNarrowed = wanted.kind !== 'nothing';
    if (!isNarrowed && this.#asked.kind === 'nothing') return;
    this.#asked = wanted;
    this.#apply();
    if (isNarrowed) document.getElementById('records')?.scrollIntoView();
  }

  /** Another list takes its place. */
  end(): void {
    this.#end.abort();
    this.#running.abort();
  }

  /** Takes rows of which more is known now. @param markup each as it would be now, closed */
  update(markup: readonly string[]): void {
    const made = document.createElement('template');
    made.innerHTML = markup.join('');
    for (const fresh of made.content.querySelectorAll<HTMLDetailsElement>('.r')) {
      const row = this.#byId.get(fresh.id);
      if (!row) continue;
      row.element.className = fresh.className;
      row.element.dataset.group = fresh.dataset.group;
      row.element.firstElementChild!.replaceChildren(...fresh.firstElementChild!.childNodes);
      Object.assign(row, factsOf(row.element));
    }
    this.#apply();
  }

  /** Shows all records again. */
  clear(): void {
    this.#input.value = '';
    this.#kind = '';
    this.#asked = { kind: 'nothing' };
    this.#pressed();
    this.#running.abort();
    this.#running = new AbortController();
    this.#look(this.#running.signal);
  }

  focusSearch(): void {
    this.#input.focus();
    this.#input.select();
  }

  #open(id: string): void {
    const row = this.#byId.get(id);
    if (!row) return;
    if (!row.isShown) this.clear();
    row.element.open = true;
    row.element.scrollIntoView();
    row.element.querySelector('summary')?.focus({ preventScroll: true });
  }

  #choose(button: HTMLButtonElement): void {
    this.#kind = button.dataset.kind ?? '';
    this.#pressed();
    this.#apply();
  }

  #pressed(): void {
    for (const each of document.querySelectorAll<HTMLElement>('.kinds button')) {
      each.setAttribute('aria-pressed', String(each.dataset.kind === this.#kind));
    }
  }

  /** What was typed is seen before anything else is done. */
  #typed(): void {
    this.#running.abort();
    this.#running = new AbortController();
    const { signal } = this.#running;
    requestAnimationFrame(() => {
      setTimeout(() => {
        if (!signal.aborted) this.#look(signal);
      });
    });
  }

  #look(signal: AbortSignal): void {
    this.#words = this.#input.value
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== '');
    this.#found = new Set();
    this.#isSearching = this.#words.length > 0;
    this.#apply();
    this.#mark();
    if (this.#isSearching) void this.#searchTexts(signal);
  }

  async #searchTexts(signal: AbortSignal): Promise<void> {
    const take = (ids: readonly string[]) => {
      if (signal.aborted || ids.length === 0) return;
      for (const id of ids) this.#found.add(id);
      this.#apply(ids.flatMap((id) => this.#byId.get(id) ?? []));
    };
    await this.#search(this.#words, take, signal);
    if (signal.aborted) return;
    this.#isSearching = false;
    this.#tell();
  }

  #isWanted({ element, line, ms, group }: Row): boolean {
    if (this.#kind !== '' && !element.classList.contains(this.#kind)) return false;
    if (this.#asked.kind === 'group' && group !== this.#asked.signature) return false;
    if (this.#asked.kind === 'span' && (ms === undefined || ms < this.#asked.from || ms >= this.#asked.to))
      return false;
    return this.#found.has(element.id) || this.#words.every((word) => line.includes(word));
  }

  /** @param rows those that may have to be shown or hidden now */
  #apply(rows: readonly Row[] = this.rows): void {
    const changed = new Set<Chunk>();
    for (const row of rows) {
      const isShown = this.#isWanted(row);
      if (isShown === row.isShown) continue;
      row.isShown = isShown;
      row.element.hidden = !isShown;
      row.chunk.shown += isShown ? 1 : -1;
      this.#shown += isShown ? 1 : -1;
      changed.add(row.chunk);
    }
    for (const { element, shown } of changed) {
      element.hidden = shown === 0;
      element.style.containIntrinsicBlockSize = `auto ${shown * ROW_PIXELS}px`;
    }
    this.#tell();
  }

  #tell(): void {
    const shown = this.#shown;
    const all = this.rows.length;
    const many = (n: number) => `${n.toLocaleString('en-US')} ${n === 1 ? 'record' : 'records'}`;
    const searching = this.#isSearching ? ', searching texts …' : '';
    this.#output.textContent =
      (shown === all ? many(all) : `${shown.toLocaleString('en-US')} of ${many(all)}`) + searching;
    this.#none.hidden = shown > 0 || this.#isSearching;
    this.#filter.hidden = this.#asked.kind === 'nothing' || this.#asked.kind === 'record';
    if (this.#asked.kind === 'group') this.#filter.textContent = `${this.#asked.signature} ✕`;
    if (this.#asked.kind === 'span') this.#filter.textContent = `since ${dayOf(this.#asked.from)} ✕`;
    this.#filter.setAttribute('aria-label', `${this.#filter.textContent}: show all`);
  }

  /** A long text is shown from its crash on: what was before that stands above. */
  #opened(row: HTMLElement): void {
    this.#mark();
    const text = row.querySelector('pre');
    const crash = text?.querySelector<HTMLElement>('.c');
    if (text && crash && text.scrollTop === 0) text.scrollTop = crash.offsetTop - text.offsetTop - CONTEXT_PIXELS;
  }

  /** Marks what was searched for in the records that are open. */
  #mark(): void {
    highlight(
      this.rows.filter(({ element, isShown }) => element.open && isShown).map(({ element }) => element),
      this.#words,
    );
  }
}

const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');

function rowsOf(element: HTMLElement): Row[] {
  const rows = Array.from(element.children) as HTMLDetailsElement[];
  const chunk: Chunk = { element, shown: rows.length };
  return rows.map((row) => {
    const { ms = '' } = row.dataset;
    return { element: row, chunk, ms: ms === '' ? undefined : Number(ms), ...factsOf(row), isShown: true };
  });
}

/** What may change when more is known. */
function factsOf(row: HTMLElement): Pick<Row, 'group' | 'line'> {
  const { group = '', names = '' } = row.dataset;
  return { group, line: `${row.firstElementChild?.textContent ?? ''} ${group} ${names}`.toLowerCase() };
}
