// The pstorefs: inodes and names over any number of backends. Complete without FUSE; a record is one inode with one
// name or two, and holds nothing that its backend cannot give again.

import { PstoreError } from '../errors.js';
import { MAX_BACKENDS, type PstoreRecord, type RecordContent } from '../pstore/backend.js';
import { Inodes, type Place } from './inodes.js';
import type { Mounted } from './mounted.js';
import { Names } from './names.js';
import { FIRST_DIRECTORY_INO, type View, viewsOf } from './views.js';
import { recordXattrs } from './xattr.js';

export type { Mounted };

/** `both`: a directory a backend, and the first one's records in the root too; `flat`: all in the root; `subdirs`: directories only. */
export type Layout = 'both' | 'flat' | 'subdirs';

export interface TreeOptions {
  readonly layout: Layout;
  readonly readOnly: boolean;
  readonly uid: number;
  readonly gid: number;
  /** Bits that are taken from the permissions; null: the kernel's own 0750 and 0444. */
  readonly umask: number | null;
  /** Whether a directory `.joined` has each dump as one text, whatever the number of its parts. */
  readonly joined?: boolean;
  /** Whether a directory `.erased` has what is left of erased records. */
  readonly erased?: boolean;
  /** Time of everything that has none of its own, in nanoseconds since 1970. */
  readonly mountTimeNs: bigint;
  /** What is understood of a record, for further extended attributes: by names without `user.pstore.`. */
  readonly understand?: (kept: {
    readonly mounted: Mounted;
    readonly record: PstoreRecord;
  }) => ReadonlyMap<string, string>;
}

/** What stat() gives. */
export interface Attr {
  readonly ino: number;
  /** With S_IFDIR or S_IFREG. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Of mtime and ctime and atime alike, in nanoseconds since 1970. */
  readonly timeNs: bigint;
}

export interface Entry {
  readonly name: string;
  readonly ino: number;
  readonly isDirectory: boolean;
  /** As attr() gives it: a listing with attributes need not look for the record twice. */
  readonly attr: Attr;
  /** Where a listing that was cut off after this entry goes on. */
  readonly next: number;
}

export interface Statfs {
  readonly blockSize: number;
  readonly blocks: number;
  readonly freeBlocks: number;
  readonly files: number;
  readonly freeFiles: number;
}

export const ROOT_INO = 1;

export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
/** fs/pstore/inode.c: the root's mode; fs/pstore/inode.c: a record's mode. */
const DIRECTORY_MODE = 0o750;
const RECORD_MODE = 0o444;

const BLOCK_SIZE = 512;
/** Bytes of a name; and a character takes three bytes of UTF-8 at most. */
export const NAME_MAX = 255;
const SURELY_SHORT = NAME_MAX / 3;
const encoder = new TextEncoder();
/** Positions in a listing that each backend has for itself: its slots may grow while somebody lists. */
const LISTING_STRIDE = 2 ** 32;
/** Records whose content is kept open between reads. */
const OPEN_CONTENTS = 64;

export class Tree {
  readonly backends: readonly Mounted[];
  readonly options: TreeOptions;
  /** The backends, and after them those of each view. */
  readonly #shown: readonly Mounted[];
  readonly #views: readonly View[];
  readonly #inodes: Inodes;
  readonly #names: Names;
  readonly #contents = new Map<number, RecordContent>();

  constructor(backends: readonly Mounted[], options: TreeOptions) {
    if (backends.length > MAX_BACKENDS)
      throw new PstoreError('EINVAL', `${backends.length} sources are too many; at most ${MAX_BACKENDS}`);
    this.backends = backends;
    this.options = options;
    this.#views = viewsOf(
      backends.map(({ backend }) => backend),
      options,
    );
    const seen = this.#views.flatMap((view) => view.backends.map((backend, at) => ({ ...backends[at]!, backend })));
    this.#shown = [...backends, ...seen];
    // What a view shows is found later: its slots are none of the first ones.
    const firstSlots = [...backends.map(({ backend }) => backend.slots), ...seen.map(() => 0)];
    this.#inodes = new Inodes(this.#shown, firstSlots);
    this.#names = new Names(backends, this.#shown, options.layout === 'flat');
  }

  // ── inodes ──

  #recordOf(ino: number): { place: Place; record: PstoreRecord } | undefined {
    const place = this.#inodes.place(ino);
    const record = place && this.#shown[place.at]!.backend.record(place.slot);
    return record && { place, record };
  }

  /** The backend whose directory this is, or undefined. */
  #directory(ino: number): number | undefined {
    const at = ino - FIRST_DIRECTORY_INO;
    return this.options.layout !== 'flat' && at >= 0 && at < this.backends.length ? at : undefined;
  }

  #viewOf(ino: number): number {
    return this.#views.findIndex((view) => view.ino === ino);
  }

  /** Backends whose records stand in a directory. */
  #backendsIn(directory: number): number[] {
    const view = this.#viewOf(directory);
    if (view >= 0) return this.backends.map((_, at) => (view + 1) * this.backends.length + at);
    if (directory !== ROOT_INO) {
      const at = this.#directory(directory);
      return at === undefined ? [] : [at];
    }
    if (this.options.layout === 'flat') return this.backends.map((_, at) => at);
    return this.options.layout === 'both' && this.backends.length > 0 ? [0] : [];
  }

  isDirectory(ino: number): boolean {
    return ino === ROOT_INO || this.#viewOf(ino) >= 0 || this.#directory(ino) !== undefined;
  }

  // ── names ──

  #directoryNamed(name: string): number | undefined {
    const view = this.#views.find((one) => one.name === name);
    if (view) return view.ino;
    const at = this.options.layout === 'flat' ? -1 : this.backends.findIndex(({ label }) => label === name);
    return at < 0 ? undefined : FIRST_DIRECTORY_INO + at;
  }

  /**
   * @returns the inode number of a name in a directory, or 0 where there is none
   * @throws PstoreError ENAMETOOLONG for a name that no directory can have
   */
  lookup(directory: number, name: string): number {
    if (name.length > SURELY_SHORT && encoder.encode(name).length > NAME_MAX) {
      throw new PstoreError('ENAMETOOLONG', `a name of ${name.length} characters is longer than ${NAME_MAX} bytes`);
    }
    const subdirectory = directory === ROOT_INO ? this.#directoryNamed(name) : undefined;
    if (subdirectory !== undefined) return subdirectory;
    for (const at of this.#backendsIn(directory)) {
      const slot = this.#names.find(at, name);
      if (slot !== undefined) return this.#inodes.of(at, slot);
    }
    return 0;
  }

  /** @param path `/`, `/name` or `/label/name`. @returns the inode number, or 0 */
  resolve(path: string): number {
    let ino = ROOT_INO;
    for (const name of path.split('/')) {
      if (name !== '' && ino !== 0) ino = this.isDirectory(ino) ? this.lookup(ino, name) : 0;
    }
    return ino;
  }

  /** How many names the record in a backend has. */
  #linksOf(at: number): number {
    return this.options.layout === 'both' && at === 0 ? 2 : 1;
  }

  /** A directory's entries, `.` and `..` first. @param from 0, or the `next` of the entry after which to go on */
  *entries(directory: number, from = 0): Generator<Entry> {
    if (from <= 0) yield this.#directoryEntry('.', directory, 1);
    if (from <= 1) yield this.#directoryEntry('..', ROOT_INO, 2);
    if (directory === ROOT_INO && this.options.layout !== 'flat') {
      for (let at = Math.max(0, from - 2); at < this.backends.length; at++) {
        yield this.#directoryEntry(this.#shown[at]!.label, FIRST_DIRECTORY_INO + at, 3 + at);
      }
    }
    for (const [at, view] of directory === ROOT_INO ? this.#views.entries() : []) {
      const next = 3 + this.backends.length + at;
      if (from < next) yield this.#directoryEntry(view.name, view.ino, next);
    }
    for (const at of this.#backendsIn(directory)) {
      const { backend } = this.#shown[at]!;
      const first = (at + 1) * LISTING_STRIDE;
      for (let slot = Math.max(0, from - first); slot < backend.slots; slot++) {
        const record = backend.record(slot);
        if (!record) continue;
        const attr = this.#recordAttr(this.#inodes.of(at, slot), at, record);
        const name = this.#names.shown(at, record.name);
        // A dump may bear the name of a directory: it is found in its own one.
        if (directory === ROOT_INO && this.#directoryNamed(name) !== undefined) continue;
        yield { name, ino: attr.ino, isDirectory: false, attr, next: first + slot + 1 };
      }
    }
  }

  #directoryEntry(name: string, ino: number, next: number): Entry {
    return { name, ino, isDirectory: true, attr: this.#directoryAttr(ino), next };
  }

  // ── attributes ──

  /** @returns undefined for an inode that is no more */
  attr(ino: number): Attr | undefined {
    if (this.isDirectory(ino)) return this.#directoryAttr(ino);
    const found = this.#recordOf(ino);
    return found && this.#recordAttr(ino, found.place.at, found.record);
  }

  #recordAttr(ino: number, at: number, record: PstoreRecord): Attr {
    const { uid, gid, mountTimeNs } = this.options;
    return {
      ino,
      mode: S_IFREG | (RECORD_MODE & ~(this.options.umask ?? 0)),
      nlink: this.#linksOf(at),
      uid,
      gid,
      size: record.size,
      timeNs: record.mtimeNs ?? mountTimeNs,
    };
  }

  #directoryAttr(ino: number): Attr {
    const { umask, uid, gid, layout, mountTimeNs } = this.options;
    return {
      ino,
      mode: S_IFDIR | (umask === null ? DIRECTORY_MODE : 0o777 & ~umask),
      nlink: 2 + (ino === ROOT_INO ? (layout === 'flat' ? 0 : this.backends.length) + this.#views.length : 0),
      uid,
      gid,
      size: 0,
      timeNs: mountTimeNs,
    };
  }

  /** Extended attributes of a record, by name; none on directories. */
  xattrs(ino: number): ReadonlyMap<string, string> {
    const found = this.#recordOf(ino);
    if (!found) return new Map();
    const mounted = this.#shown[found.place.at]!;
    const { record } = found;
    return recordXattrs(mounted, record, this.options.understand?.({ mounted, record }));
  }

  statfs(): Statfs {
    let [bytes, freeBytes, files, freeFiles] = [0, 0, 0, 0];
    for (const { backend } of this.backends) {
      const space = backend.space();
      bytes += space.bytes;
      freeBytes += space.freeBytes;
      files += space.records;
      freeFiles += space.freeSlots;
    }
    return {
      blockSize: BLOCK_SIZE,
      blocks: Math.floor(bytes / BLOCK_SIZE),
      freeBlocks: Math.floor(freeBytes / BLOCK_SIZE),
      files,
      freeFiles,
    };
  }

  // ── contents ──

  /**
   * A record's bytes, for somebody who keeps them open: they can be read on after the record was erased.
   * What is opened is to be closed, where the content can be.
   * @throws PstoreError ENOENT when the record is gone, and what the backend throws
   */
  open(ino: number): RecordContent {
    const place = this.#inodes.place(ino);
    if (!place) throw new PstoreError('ENOENT', `inode ${ino} is no record any more`);
    return this.#shown[place.at]!.backend.open(place.slot);
  }

  /**
   * Fills `target` from byte `position` of a record on, for somebody who has not opened it.
   * @returns bytes given
   * @throws PstoreError ENOENT when the record is gone, and what the backend throws
   */
  read(ino: number, target: Uint8Array, position: number): number {
    let content = this.#contents.get(ino);
    if (!content || !this.#inodes.place(ino)) {
      this.#closeContent(ino);
      content = this.open(ino);
      this.#contents.set(ino, content);
      if (this.#contents.size > OPEN_CONTENTS) this.#closeContent(this.#contents.keys().next().value!);
    }
    return content.read(target, position);
  }

  /** Whether a record's backend counts what its readers get, so that nothing may be read ahead of them. */
  countsReads(ino: number): boolean {
    const place = this.#inodes.place(ino);
    return place !== undefined && this.#shown[place.at]!.backend.countsReads === true;
  }

  #closeContent(ino: number): void {
    this.#contents.get(ino)?.close?.();
    this.#contents.delete(ino);
  }

  // ── changing ──

  /**
   * Erases the record of this name, whichever of its names it is: all of them are gone at once.
   * @returns the inode number
   * @throws PstoreError ENOENT, EISDIR, EROFS, EPERM, EBUSY, EIO
   */
  unlink(directory: number, name: string): number {
    const ino = this.lookup(directory, name);
    if (ino === 0) throw new PstoreError('ENOENT', `there is no record ${name}`);
    if (this.isDirectory(ino)) throw new PstoreError('EISDIR', `${name} is the directory of a backend`);
    if (this.options.readOnly) throw new PstoreError('EROFS', `the mount is read-only: ${name} was not erased`);
    const { at, slot } = this.#inodes.place(ino)!;
    this.#shown[at]!.backend.erase(slot);
    this.#closeContent(ino);
    this.#refreshViews();
    return ino;
  }

  /** Whether there are directories of what is made of the records, which changes when one is erased. */
  get hasViews(): boolean {
    return this.#views.length > 0;
  }

  /** Whether a record may go by another name than one that is told: by its second one, or that of another record. */
  mayGoByOthers(ino: number): boolean {
    const { at } = this.#inodes.place(ino) ?? {};
    if (at === undefined) return false;
    return this.isInView(ino) || this.#linksOf(at) > 1 || this.#shown[at]!.backend.erasedWith !== undefined;
  }

  /** Whether a record is made of others. */
  isInView(ino: number): boolean {
    const place = this.#inodes.place(ino);
    return place !== undefined && place.at >= this.backends.length;
  }

  /** Inode numbers of the other records that go when this one is erased. */
  erasedWith(ino: number): number[] {
    const place = this.#inodes.place(ino);
    if (!place) return [];
    const { backend } = this.#shown[place.at]!;
    const slots = backend.erasedWith?.(place.slot) ?? [];
    return slots.filter((slot) => backend.record(slot)).map((slot) => this.#inodes.of(place.at, slot));
  }

  /**
   * Reads the headers of live sources again.
   * @param failed is told of a source that cannot be read: what was shown of it stays
   * @returns whether anything that is shown has changed
   */
  refresh(failed: (error: PstoreError) => void): boolean {
    let changed = false;
    for (const { backend, isLive = true } of this.backends) {
      if (!isLive) continue;
      try {
        if (backend.refresh?.()) changed = true;
      } catch (error) {
        if (!(error instanceof PstoreError)) throw error;
        failed(error);
      }
    }
    if (changed) {
      this.#refreshViews();
      for (const ino of [...this.#contents.keys()]) this.#closeContent(ino);
    }
    return changed;
  }

  #refreshViews(): void {
    for (const { backends } of this.#views) for (const backend of backends) backend.refresh();
  }

  close(): void {
    for (const ino of [...this.#contents.keys()]) this.#closeContent(ino);
    for (const { backend } of this.backends) backend.close();
  }
}
