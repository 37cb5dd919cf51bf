// What the registry knows of a kind of backend: how to recognise a source, to open it, and to make a fresh one.

import type { Companion } from '../storage/companion.js';
import type { Firmware, Lockdown } from '../storage/firmware.js';
import type { Folder } from '../storage/folder.js';
import type { Scratch } from '../storage/spool.js';
import type { Storage } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import type { Warnings } from '../warnings.js';
import type { Anywhere } from './anywhere.js';
import type { Backend } from './backend.js';
import type { TextCache } from './cache.js';
import type { SourceKeys } from './keys.js';

export interface OpenContext {
  /** The source as a person named it. */
  readonly path: string;
  /** For looking; the contents of records are read from its `medium`, which says so where a block cannot be read. */
  readonly storage: SurvivingStorage;
  readonly keys: SourceKeys;
  /** Where the backend says what is not as it should be. */
  readonly warnings: Warnings;
  readonly cache: TextCache;
  /**
   * Reads a companion file that a key names (`memory=FILE`, `kallsyms=FILE`).
   * @throws PstoreError ENOENT, EACCES; EFBIG for a larger one than it can be, ENXIO for what is no regular file
   */
  readFile(path: string, companion: Companion): Uint8Array;
}

/** What a source that is a folder is opened with: it has no storage, but a firmware that keeps dumps. */
export interface FolderContext {
  /** The source as a person named it. */
  readonly path: string;
  readonly firmware: Firmware;
  readonly keys: SourceKeys;
  /** Where the backend says what is not as it should be. */
  readonly warnings: Warnings;
  /** Makes a temporary file, in the system's folder for these or the given one. @throws PstoreError ENOENT, EACCES, ENOSPC */
  scratch(folder?: string): Scratch;
  /** The machine's own lockdown, as it is now. */
  lockdown(): Lockdown;
}

/** What a kind of files opens a folder of such files with. */
export interface FilesContext {
  /** The source as a person named it. */
  readonly path: string;
  readonly folder: Folder;
  readonly keys: SourceKeys;
  /** Where the backend says what is not as it should be. */
  readonly warnings: Warnings;
  readonly cache: TextCache;
}

/** What a kind has recognised, with all that it saw: opening it searches nothing twice. */
export interface Finding<Context> {
  /** How sure the kind is that the source is one of its own: above 0, and 1 where it can be nothing else. */
  readonly sure: number;
  /** As the kind's own open(), for the source that was recognised. */
  open(context: Context): Backend;
}

interface KindOfSource {
  /** As it stands before the colon of a SOURCE. */
  readonly name: string;
  /** One line for `--help`. */
  readonly summary: string;
  /** Keys that it knows beside COMMON_KEYS. */
  readonly keys: readonly string[];
  /** Types that its records may have: what their names begin with. */
  readonly types: readonly string[];
}

/** Bytes of an image's beginning by which kinds are put in order. */
export const HEAD = 64;

/** A kind whose source is a file or a block device. */
export interface BackendKind extends KindOfSource {
  readonly source: 'file';
  /**
   * Whether it is asked before the others: since no other kind's image has its signature, or its images begin with such
   * bytes. Kinds that are certain end the search, so that the others need not look through a large file.
   * @param head the image's first HEAD bytes, or all of a shorter one
   */
  isAskedFirst?(head: Uint8Array): boolean;
  /** Whether its images are memory: a virtual machine has them open without a lock. */
  readonly isMemory?: boolean;
  /**
   * Looks whether the storage is one of its own. Reads little; never throws for what the bytes are, nor for a block that
   * cannot be read.
   */
  probe(storage: SurvivingStorage): Finding<OpenContext> | undefined;
  /** @throws PstoreError EBADMSG when the image is not what it should be, EINVAL for impossible keys */
  open(context: OpenContext): Backend;
  /** Writes a fresh image over the whole storage. @throws PstoreError EINVAL for sizes that do not fit */
  format?(storage: Storage, keys: SourceKeys): void;
  /** How its images are found anywhere in a larger file. */
  readonly anywhere?: Anywhere;
  /** Where a folder of files is a source of this kind, too. */
  readonly folder?: {
    /** How sure this kind is that the folder is one of its own. @throws PstoreError EACCES, EIO */
    probe(folder: Folder): number;
    /** @throws PstoreError EACCES, EIO when the folder cannot be read, EINVAL for impossible keys */
    open(context: FilesContext): Backend;
  };
}

/** A kind whose source is a folder. */
export interface FolderKind extends KindOfSource {
  readonly source: 'folder';
  /** Looks whether the folder is one of its own. */
  probe(firmware: Firmware): Finding<FolderContext> | undefined;
  /** @throws PstoreError EACCES, EIO when the folder cannot be read, EINVAL for impossible keys */
  open(context: FolderContext): Backend;
}

export type AnyKind = BackendKind | FolderKind;
