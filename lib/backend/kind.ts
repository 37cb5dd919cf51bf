// What the registry knows of a kind of backend: how to recognise a source, to open it, and to make a fresh one.

import type { Storage } from '../storage/storage.js';
import type { Warnings } from '../warnings.js';
import type { Backend } from './backend.js';
import type { TextCache } from './cache.js';
import type { SourceKeys } from './keys.js';

export interface OpenContext {
  /** The source as a person named it. */
  readonly path: string;
  readonly storage: Storage;
  readonly keys: SourceKeys;
  /** Where the backend says what is not as it should be. */
  readonly warnings: Warnings;
  readonly cache: TextCache;
  /** Reads a companion file that a key names (`memory=FILE`, `kallsyms=FILE`). @throws PstoreError ENOENT, EACCES, EFBIG */
  readFile(path: string): Uint8Array;
}

export interface BackendKind {
  /** As it stands before the colon of a SOURCE. */
  readonly name: string;
  /** One line for `--help`. */
  readonly summary: string;
  /** Keys that it knows beside COMMON_KEYS. */
  readonly keys: readonly string[];
  /** What the path must be. */
  readonly source: 'file' | 'folder';
  /**
   * How sure this kind is that the storage is one of its own: 0 certainly not, 1 certainly. Reads little; never throws
   * for what the bytes are.
   */
  probe(storage: Storage): number;
  /** @throws PstoreError EBADMSG when the image is not what it should be, EINVAL for impossible keys */
  open(context: OpenContext): Backend;
  /** Writes a fresh image over the whole storage. @throws PstoreError EINVAL for sizes that do not fit */
  format?(storage: Storage, keys: SourceKeys): void;
}
