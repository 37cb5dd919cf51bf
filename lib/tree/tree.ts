// The pstorefs: inodes and names over any number of backends. Complete without FUSE; a record is one inode with one
// name or two, and holds nothing that its backend cannot give again.

import type { Backend, PstoreRecord, RecordContent } from '../backend/backend.js';
import { PstoreError } from '../errors.js';
import { recordXattrs } from './xattr.js';

/** `both`: a directory a backend, and the first one's records in the root too; `flat`: all in the root; `subdirs`: directories only. */
export type Layout = 'both' | 'flat' | 'subdirs';

export interface Mounted {
  readonly backend: Backend;
  /** Name of its directory: unique. */
  readonly label: string;
}

export interface TreeOptions {
  readonly layout: Layout;
  readonly readOnly: boolean;
  readonly uid: number;
  readonly gid: number;
  /** Bits that are taken from the permissions; null: the kernel's own 0750 and 0444. */
  readonly umask: number | null;
  /** Time of everything that has none of its own, in nanoseconds since 1970. */
  readonly mountTimeNs: bigint;
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
  /** Where a listing that was cut off behind this entry goes on. */
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
const FIRST_DIRECTORY_INO = 2;
const FIRST_RECORD_INO = 1024;
/** A mount with more backends than this is a mistake. */
export const MOST_BACKENDS = FIRST_RECORD_INO - FIRST_DIRECTORY_INO;

export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
/** fs/pstore/inode.c: the root's mode; fs/pstore/inode.c: a record's mode. */
const DIRECTORY_MODE = 0o750;
const RECORD_MODE = 0o444;

const BLOCK_SIZE = 512;
/** Records whose content is kept open between reads. */
const OPEN_CONTENTS = 64;

/** A record that was erased while somebody may still have it open. */
interface Orphan {
  readonly attr: Attr;
  readonly content: RecordContent;
}

interface Place {
  readonly at: number;
  readonly slot: number;
}

export class Tree {
  readonly backends: readonly Mounted[];
  readonly options: TreeOptions;
  /** First inode number of each backend's slots. */
  readonly #bases: number[] = [];
  readonly #firstSlots: number[];
  /** Inode numbers of slots that were reused, or came later. */
  readonly #laterInos = new Map<string, number>();
  readonly #laterPlaces = new Map<number, Place & { generation: number }>();
  readonly #orphans = new Map<number, Orphan>();
  readonly #contents = new Map<number, RecordContent>();
  #nextIno = FIRST_RECORD_INO;

  constructor(backends: readonly Mounted[], options: TreeOptions) {
    if (backends.length > MOST_BACKENDS) throw new PstoreError('EINVAL', `${backends.length} sources are too many`);
    this.backends = backends;
    this.options = options;
    this.#firstSlots = backends.map(({ backend }) => backend.slots);
    for (const slots of this.#firstSlots) {
      this.#bases.push(this.#nextIno);
      this.#nextIno += slots;
    }
  }

  // ── inodes ──

  #inoOf(at: number, slot: number): number {
    const generation = this.backends[at]!.backend.generation(slot);
    if (generation === 0 && slot < this.#firstSlots[at]!) return this.#bases[at]! + slot;
    const key = `${at}:${slot}:${generation}`;
    let ino = this.#laterInos.get(key);
    if (ino === undefined) {
      ino = this.#nextIno++;
      this.#laterInos.set(key, ino);
      this.#laterPlaces.set(ino, { at, slot, generation });
    }
    return ino;
  }

  /** Where an inode's record is kept, while it is the same record. */
  #placeOf(ino: number): Place | undefined {
    const later = this.#laterPlaces.get(ino);
    if (later) {
      if (this.backends[later.at]!.backend.generation(later.slot) === later.generation) return later;
      this.#laterPlaces.delete(ino);
      this.#laterInos.delete(`${later.at}:${later.slot}:${later.generation}`);
      return undefined;
    }
    let at = this.#bases.length - 1;
    while (at >= 0 && this.#bases[at]! > ino) at--;
    if (at < 0) return undefined;
    const slot = ino - this.#bases[at]!;
    if (slot >= this.#firstSlots[at]! || this.backends[at]!.backend.generation(slot) !== 0) return undefined;
    return { at, slot };
  }

  #recordOf(ino: number): { place: Place; record: PstoreRecord } | undefined {
    const place = this.#placeOf(ino);
    const record = place && this.backends[place.at]!.backend.record(place.slot);
    return record && { place, record };
  }

  /** The backend whose directory this is, or undefined. */
  #directory(ino: number): number | undefined {
    const at = ino - FIRST_DIRECTORY_INO;
    return this.options.layout !== 'flat' && at >= 0 && at < this.backends.length ? at : undefined;
  }

  /** Backends whose records stand in a directory. */
  #backendsIn(directory: number): number[] {
    if (directory !== ROOT_INO) {
      const at = this.#directory(directory);
      return at === undefined ? [] : [at];
    }
    if (this.options.layout === 'flat') return this.backends.map((_, at) => at);
    return this.options.layout === 'both' && this.backends.length > 0 ? [0] : [];
  }

  isDirectory(ino: number): boolean {
    return ino === ROOT_INO || this.#directory(ino) !== undefined;
  }

  // ── names ──

  /** A file's name as it stands in the tree: in layout flat a later backend of the same name goes by its label. */
  #shownName(at: number, name: string): string {
    const { backend, label } = this.backends[at]!;
    if (!this.#goesByLabel(at)) return name;
    const swapped = name.replace(`-${backend.name}-`, `-${label}-`);
    return swapped === name ? `${label}-${name}` : swapped;
  }

  #goesByLabel(at: number): boolean {
    const { backend } = this.backends[at]!;
    return (
      this.options.layout === 'flat' &&
      this.backends.findIndex((candidate) => candidate.backend.name === backend.name) !== at
    );
  }

  #findSlot(at: number, shown: string): number | undefined {
    const { backend, label } = this.backends[at]!;
    if (!this.#goesByLabel(at)) return backend.find(shown);
    const swapped = backend.find(shown.replace(`-${label}-`, `-${backend.name}-`));
    if (swapped !== undefined) return swapped;
    return shown.startsWith(`${label}-`) ? backend.find(shown.slice(label.length + 1)) : undefined;
  }

  /** @returns the inode number of a name in a directory, or 0 where there is none */
  lookup(directory: number, name: string): number {
    if (directory === ROOT_INO && this.options.layout !== 'flat') {
      const at = this.backends.findIndex((mounted) => mounted.label === name);
      if (at >= 0) return FIRST_DIRECTORY_INO + at;
    }
    for (const at of this.#backendsIn(directory)) {
      const slot = this.#findSlot(at, name);
      if (slot !== undefined) return this.#inoOf(at, slot);
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

  /** A directory's entries, `.` and `..` first. @param from 0, or the `next` of the entry behind which to go on */
  *entries(directory: number, from = 0): Generator<Entry> {
    if (from <= 0) yield this.#directoryEntry('.', directory, 1);
    if (from <= 1) yield this.#directoryEntry('..', ROOT_INO, 2);
    let position = 2;
    if (directory === ROOT_INO && this.options.layout !== 'flat') {
      for (const [at, { label }] of this.backends.entries()) {
        if (from <= position) yield this.#directoryEntry(label, FIRST_DIRECTORY_INO + at, position + 1);
        position++;
      }
    }
    for (const at of this.#backendsIn(directory)) {
      const { backend } = this.backends[at]!;
      for (let slot = Math.max(0, from - position); slot < backend.slots; slot++) {
        const record = backend.record(slot);
        if (!record) continue;
        const attr = this.#recordAttr(this.#inoOf(at, slot), at, record);
        const name = this.#shownName(at, record.name);
        yield { name, ino: attr.ino, isDirectory: false, attr, next: position + slot + 1 };
      }
      position += backend.slots;
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
    return found ? this.#recordAttr(ino, found.place.at, found.record) : this.#orphans.get(ino)?.attr;
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
      nlink: ino === ROOT_INO && layout !== 'flat' ? 2 + this.backends.length : 2,
      uid,
      gid,
      size: 0,
      timeNs: mountTimeNs,
    };
  }

  /** Extended attributes of a record, by name; none on directories. */
  xattrs(ino: number): ReadonlyMap<string, string> {
    const found = this.#recordOf(ino);
    return found ? recordXattrs(this.backends[found.place.at]!, found.record) : new Map();
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

  /** @throws PstoreError ENOENT when the record is gone, and what the backend throws */
  content(ino: number): RecordContent {
    const open = this.#contents.get(ino);
    if (open && this.#placeOf(ino)) return open;
    const orphan = this.#orphans.get(ino);
    if (orphan) return orphan.content;
    const place = this.#placeOf(ino);
    if (!place) throw new PstoreError('ENOENT', `inode ${ino} is no record any more`);
    const content = this.backends[place.at]!.backend.open(place.slot);
    this.#contents.set(ino, content);
    if (this.#contents.size > OPEN_CONTENTS) this.#contents.delete(this.#contents.keys().next().value!);
    return content;
  }

  /** Fills `target` from byte `position` of a record on. @returns bytes given */
  read(ino: number, target: Uint8Array, position: number): number {
    return this.content(ino).read(target, position);
  }

  // ── changing ──

  /**
   * Erases the record of this name, whichever of its names it is: all of them are gone at once.
   * @param keep whether the erased record can still be read by its inode, until forget()
   * @returns the inode number
   * @throws PstoreError ENOENT, EISDIR, EROFS, EPERM, EBUSY, EIO
   */
  unlink(directory: number, name: string, keep = false): number {
    const ino = this.lookup(directory, name);
    if (ino === 0) throw new PstoreError('ENOENT', `there is no record ${name}`);
    if (this.isDirectory(ino)) throw new PstoreError('EISDIR', `${name} is the directory of a backend`);
    if (this.options.readOnly) throw new PstoreError('EROFS', `the mount is read-only: ${name} was not erased`);
    const { at, slot } = this.#placeOf(ino)!;
    const { backend } = this.backends[at]!;
    const orphan = keep ? { attr: { ...this.attr(ino)!, nlink: 0 }, content: this.content(ino) } : undefined;
    backend.erase(slot);
    this.#contents.delete(ino);
    if (orphan) this.#orphans.set(ino, orphan);
    return ino;
  }

  /** Nobody has the inode open or knows its number any more. */
  forget(ino: number): void {
    this.#orphans.delete(ino);
  }

  /** Reads headers again where the sources may have changed. @returns whether anything that is shown has */
  refresh(): boolean {
    let changed = false;
    for (const { backend } of this.backends) {
      if (backend.refresh?.()) changed = true;
    }
    if (changed) this.#contents.clear();
    return changed;
  }

  close(): void {
    for (const { backend } of this.backends) backend.close();
  }
}
