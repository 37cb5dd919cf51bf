// Records that somebody has open: what was there when they were opened, or erased, is kept where the tree cannot give it
// any more.

import { PstoreError } from '../errors.js';
import type { RecordContent } from '../pstore/backend.js';
import type { Attr, Tree } from '../tree/tree.js';
import { Snapshots } from './snapshots.js';

interface Held {
  readonly attr: Attr;
  readonly content: RecordContent;
}

interface OpenRecord {
  opens: number;
  held: Held | undefined;
}

export interface OpenRecordsOptions {
  /** Whether somebody else may write to the image. */
  readonly isLive: boolean;
  /** Looks at the sources again. */
  readonly refresh: () => void;
}

export class OpenRecords {
  readonly #tree: Tree;
  readonly #options: OpenRecordsOptions;
  readonly #open = new Map<number, OpenRecord>();
  readonly #snapshots = new Snapshots();

  constructor(tree: Tree, options: OpenRecordsOptions) {
    this.#tree = tree;
    this.#options = options;
  }

  has(ino: number): boolean {
    return this.#open.has(ino);
  }

  attr(ino: number): Attr | undefined {
    return this.#open.get(ino)?.held?.attr;
  }

  content(ino: number): RecordContent | undefined {
    return this.#open.get(ino)?.held?.content;
  }

  /** @returns false when it is gone. @throws PstoreError what the backend throws */
  open(ino: number): boolean {
    const open = this.#open.get(ino);
    if (open) {
      open.opens++;
      return true;
    }
    const attr = this.#tree.attr(ino);
    if (!attr) return false;
    const held = this.#options.isLive ? this.#hold(ino, attr) : undefined;
    if (this.#options.isLive && !held) return false;
    this.#open.set(ino, { opens: 1, held });
    return true;
  }

  /** Takes what is there now, because somebody else may write to the image. */
  #hold(ino: number, attr: Attr): Held | undefined {
    try {
      return { attr, content: this.#snapshots.take(this.#tree.open(ino)) };
    } catch (error) {
      // It may be just being written. When it is another record by now, that one is to be opened.
      this.#options.refresh();
      if (!this.#tree.attr(ino)) return undefined;
      throw error;
    }
  }

  release(ino: number): void {
    const open = this.#open.get(ino);
    if (!open || --open.opens > 0) return;
    open.held?.content.close?.();
    this.#open.delete(ino);
  }

  /** What is there of a record; of one that cannot be read nothing, which keeps nobody from erasing it. */
  #now(ino: number): Held | undefined {
    const attr = this.#tree.attr(ino);
    try {
      return attr && { attr, content: this.#tree.open(ino) };
    } catch (error) {
      if (!(error instanceof PstoreError)) throw error;
      return undefined;
    }
  }

  /** Erases records that somebody may read: what he needs is taken before, of what is made of them, too. */
  whileErased(inos: readonly number[], unlink: () => void): void {
    const taken = new Map<number, Held>();
    for (const [ino, { held }] of this.#open) {
      const now = held ?? (inos.includes(ino) || this.#tree.isInView(ino) ? this.#now(ino) : undefined);
      if (now) taken.set(ino, now);
    }
    const letGo = (ino: number, { content }: Held) => {
      if (content !== this.#open.get(ino)!.held?.content) content.close?.();
    };
    try {
      unlink();
    } catch (error) {
      for (const [ino, held] of taken) letGo(ino, held);
      throw error;
    }
    for (const [ino, held] of taken) {
      // What is made of other records is as it was.
      if (!inos.includes(ino) && this.#tree.attr(ino)) letGo(ino, held);
      else this.#open.get(ino)!.held = { ...held, attr: { ...held.attr, nlink: 0 } };
    }
  }
}
