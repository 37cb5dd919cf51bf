// The bytes of a dump, as a reader gets them. What was read is remembered: a dump is removed only when all of it was.

import type { RecordContent } from '../pstore/backend.js';
import type { DumpFile } from '../storage/firmware.js';
import type { SpooledDump } from '../storage/spool.js';
import type { ReadSpans } from './read-spans.js';

/** A dump that the firmware can give in any order. */
export class FileContent implements RecordContent {
  readonly size: number;
  readonly #file: DumpFile;
  readonly #spans: ReadSpans;
  readonly #checkLock: () => void;

  constructor(file: DumpFile, spans: ReadSpans, checkLock: () => void) {
    this.size = file.size;
    this.#file = file;
    this.#spans = spans;
    this.#checkLock = checkLock;
  }

  read(target: Uint8Array, position: number): number {
    this.#checkLock();
    const got = this.#file.read(target, position);
    this.#spans.add(position, position + got);
    return got;
  }

  close(): void {
    this.#file.close();
  }
}

/** A dump that the firmware gives only from its beginning to its end. */
export class SpooledContent implements RecordContent {
  readonly #dump: SpooledDump;
  readonly #spans: ReadSpans;
  readonly #checkLock: () => void;
  #isOpen = true;

  constructor(dump: SpooledDump, spans: ReadSpans, checkLock: () => void) {
    this.#dump = dump;
    this.#spans = spans;
    this.#checkLock = checkLock;
    dump.openReader();
  }

  get size(): number {
    this.#checkLock();
    return this.#dump.size();
  }

  read(target: Uint8Array, position: number): number {
    this.#checkLock();
    const got = this.#dump.read(target, position, this);
    this.#spans.add(position, position + got);
    return got;
  }

  close(): void {
    if (this.#isOpen) this.#dump.closeReader(this);
    this.#isOpen = false;
  }
}
