// The viewer: takes images that are dropped on the page, and shows what a worker finds in them.

import { watchActs } from './acts.js';
import { chosenOf, type Dropped, droppedOf } from './dropped.js';
import { watchKeys } from './keys.js';
import { RecordList } from './list.js';
import type { Reply, Request } from './messages.js';
import type { TextSearch } from './text-search.js';

export function startViewer(core: HTMLElement): void {
  const viewer = new Viewer(core);
  watchKeys(() => viewer.list);
  const drop = document.getElementById('drop')!;
  for (const id of ['choose', 'choose-folder']) {
    const choose = document.getElementById(id) as HTMLInputElement;
    choose.addEventListener('change', () => viewer.open(chosenOf(choose.files ?? [])));
  }
  addEventListener('dragover', (event) => {
    event.preventDefault();
    drop.classList.add('over');
  });
  addEventListener('dragleave', () => drop.classList.remove('over'));
  addEventListener('drop', (event) => {
    event.preventDefault();
    drop.classList.remove('over');
    droppedOf(event.dataTransfer).then(
      (all) => viewer.open(all),
      (error: Error) =>
        viewer.fail([`This browser does not give what was dropped (${error.message}); choose it instead.`]),
    );
  });
}

type Answered = Extract<Reply, { readonly told: 'body' | 'bytes' }>;

interface Waiting {
  resolve(reply: Answered): void;
  reject(error: Error): void;
}

class Viewer {
  readonly #core: HTMLElement;
  readonly #status = document.getElementById('status')!;
  readonly #progress = document.getElementById('progress') as HTMLProgressElement;
  readonly #content = document.getElementById('content')!;
  #worker: Worker | undefined;
  #list: RecordList | undefined;
  #script: string | undefined;
  #ticket = 0;
  readonly #waiting = new Map<number, Waiting>();
  #found: ((ids: readonly string[], isEnd: boolean) => void) | undefined;
  #foundTicket = -1;

  get list(): RecordList | undefined {
    return this.#list;
  }

  constructor(core: HTMLElement) {
    this.#core = core;
  }

  /** Another worker for other images: the one before, whatever it does, is ended. */
  async open(files: readonly Dropped[]): Promise<void> {
    if (files.length === 0) return;
    this.#worker?.terminate();
    this.#list?.end();
    this.#list = undefined;
    this.#waiting.clear();
    this.#content.replaceChildren();
    delete this.#content.dataset.state;
    this.#say(`Reading ${files.map(({ name }) => name).join(', ')} …`);
    this.#progress.hidden = false;
    try {
      this.#script ??= URL.createObjectURL(await scriptOf(this.#core));
      this.#worker = new Worker(this.#script);
    } catch (error) {
      this.fail([`This browser cannot start the reader: ${(error as Error).message}`]);
      return;
    }
    this.#worker.onmessage = ({ data }: MessageEvent<Reply>) => this.#hear(data);
    this.#worker.onerror = (event) => this.fail([`The reader has failed, please report it: ${event.message}`]);
    this.#send({ do: 'open', files });
  }

  #send(request: Request): void {
    this.#worker?.postMessage(request);
  }

  #ask(request: { readonly do: 'body' | 'bytes'; readonly id: string }): Promise<Answered> {
    const ticket = ++this.#ticket;
    return new Promise((resolve, reject) => {
      this.#waiting.set(ticket, { resolve, reject });
      this.#send({ ...request, ticket });
    });
  }

  #hear(reply: Reply): void {
    if (reply.told === 'progress') {
      this.#say(reply.text);
    } else if (reply.told === 'opened') this.#show(reply);
    else if (reply.told === 'rows') this.#list?.update(reply.rows);
    else if (reply.told === 'overview') this.#complete(reply.overview);
    else if (reply.told === 'found') {
      if (reply.ticket === this.#foundTicket) this.#found?.(reply.ids, reply.isEnd);
    } else {
      const waiting = this.#waiting.get(reply.ticket);
      this.#waiting.delete(reply.ticket);
      if (reply.told === 'failed') waiting?.reject(new Error(reply.message));
      else waiting?.resolve(reply);
    }
  }

  #show({ overview, records, failed }: Extract<Reply, { readonly told: 'opened' }>): void {
    this.#progress.hidden = true;
    this.#say('');
    this.#tell(failed);
    if (records === '') return;
    document.getElementById('drop')!.classList.add('small');
    // All of it is made by the templates of html.ts, which escape whatever an image says.
    this.#content.innerHTML = `<div id="overview">${overview}</div>${records}`;
    const root = document.getElementById('records')!;
    root.addEventListener('toggle', (event) => this.#toggled(event.target as HTMLDetailsElement), true);
    this.#list = new RecordList(root, this.#search);
    watchActs(root, async (id) => {
      const reply = await this.#ask({ do: 'bytes', id });
      return reply.told === 'bytes' ? reply.bytes : new Uint8Array(0);
    });
  }

  /** All that the logs tell is known. */
  #complete(overview: string): void {
    document.getElementById('overview')!.innerHTML = overview;
    this.#content.dataset.state = 'complete';
  }

  /** The text of a record is read when somebody wants to see it. */
  #toggled(row: HTMLDetailsElement): void {
    if (!row.open || !row.classList.contains('r') || row.dataset.asked !== undefined) return;
    row.dataset.asked = '';
    const body = row.querySelector('.body')!;
    this.#ask({ do: 'body', id: row.id }).then(
      (reply) => {
        if (reply.told !== 'body') return;
        body.innerHTML = reply.markup;
        row.dispatchEvent(new Event('toggle'));
      },
      (error: Error) => {
        delete row.dataset.asked;
        body.textContent = error.message;
      },
    );
  }

  readonly #search: TextSearch = (words, found, signal) =>
    new Promise((resolve) => {
      const ticket = ++this.#ticket;
      this.#foundTicket = ticket;
      this.#found = (ids, isEnd) => {
        found(ids);
        if (isEnd) resolve();
      };
      signal.addEventListener('abort', () => resolve());
      this.#send({ do: 'search', words, ticket });
    });

  #say(text: string): void {
    this.#status.textContent = text;
    this.#status.className = '';
  }

  fail(messages: readonly string[]): void {
    this.#progress.hidden = true;
    this.#say('');
    this.#tell(messages);
  }

  #tell(messages: readonly string[]): void {
    if (messages.length === 0) return;
    this.#status.textContent = messages.join('\n');
    this.#status.className = 'failed';
  }
}

/** The reader is packed into the page: gzip in base64. */
async function scriptOf(core: HTMLElement): Promise<Blob> {
  const packed = Uint8Array.from(atob((core.textContent ?? '').trim()), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Blob([await new Response(stream).arrayBuffer()], { type: 'text/javascript' });
}
