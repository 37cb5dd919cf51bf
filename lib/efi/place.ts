// Where variables are kept: the one interface that the backend knows of flash images, files and folders.

import type { FolderFile } from '../storage/folder.js';
import type { EfiVariable } from './variable.js';

/** A variable with the vendor GUID of Linux's dumps. */
export interface FoundDump {
  readonly variable: EfiVariable;
  /** Why neither firmware nor kernel finds it though it is not erased, or null. */
  readonly hidden: string | null;
  /** Found by its GUID and not by the walk through the store: it may be a remnant. */
  readonly isStray: boolean;
  /** The file in a folder that it stands in. */
  readonly file?: FolderFile;
}

export interface VariableSpace {
  readonly bytes: number;
  readonly freeBytes: number;
  /** Those that are free where the next dump goes: of several stores a firmware uses one, which is not told. */
  readonly freeForDumps: number;
}

/** What a look at the place found. */
export interface Listing {
  /** In the order in which they stand. */
  readonly dumps: readonly FoundDump[];
  /** Live variables that are no dumps. */
  readonly others: number;
  /** Bytes for variables; null where the place does not end. */
  readonly space: VariableSpace | null;
  /** What is not as it should be, as sentences without the path. */
  readonly damages: readonly { readonly text: string; readonly offset: number | null }[];
}

export interface VariablePlace {
  /** As `info` names it. */
  readonly format: string;
  /** Label and value, for `info`. */
  readonly details: Readonly<Record<string, string>>;
  /** Why nothing can be erased here, or null. */
  readonly whyNotErased: string | null;
  /** Reads headers and names. @throws PstoreError EIO, EACCES */
  list(): Listing;
  /**
   * Erases a dump as the firmware does, durably, if it still is what it was when it was listed.
   * @throws PstoreError EROFS, EPERM, EACCES, EIO
   */
  erase(dump: FoundDump): void;
  /**
   * Takes back what erase() has written, durably.
   * @throws PstoreError EPERM, with the reason, where that is not safe; EBUSY where it is not the same dump any more
   */
  restore?(dump: FoundDump): void;
  close(): void;
}

/** More dumps than any store has: a hostile image must not decide our memory, or our time. */
export const MAX_DUMPS = 4096;
export const tooMany = `it holds more than ${MAX_DUMPS} dumps, which no machine makes: the others are not shown`;

/** Variables of one file: its dumps, and how many others there are. A hostile file has millions of them. */
export class FoundVariables {
  readonly dumps: EfiVariable[] = [];
  others = 0;

  static of(dumps: readonly EfiVariable[], others: number): FoundVariables {
    const found = new FoundVariables();
    found.dumps.push(...dumps);
    found.others = others;
    return found;
  }

  add(variable: EfiVariable): void {
    if (variable.isDump && this.dumps.length < MAX_DUMPS) this.dumps.push(variable);
    else this.others++;
  }

  get count(): number {
    return this.dumps.length + this.others;
  }
}
