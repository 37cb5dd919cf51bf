// A kind's backend over bytes in memory, or over files of a folder in memory, as openSource() opens it.

import { PstoreError } from '../../lib/errors.js';
import type { Backend, PstoreRecord } from '../../lib/pstore/backend.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import type { BackendKind } from '../../lib/pstore/kind.js';
import type { Folder, FolderFile } from '../../lib/storage/folder.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { Warnings } from '../../lib/warnings.js';

type Keys = Readonly<Record<string, string | number | boolean>>;

/** Bytes as a kind is shown them. */
export function surviving(bytes: Uint8Array, path = 'image.raw'): SurvivingStorage {
  return SurvivingStorage.over(new MemoryStorage(bytes, { path }));
}

/** How sure a kind is of some bytes; 0 where it does not know them. */
export function sureOf(kind: BackendKind, bytes: Uint8Array): number {
  return kind.probe(surviving(bytes))?.sure ?? 0;
}

export function openBytes(kind: BackendKind, bytes: Uint8Array, keys: Keys = {}, path = 'image.raw'): Backend {
  return kind.open({
    path,
    storage: surviving(bytes, path),
    keys: SourceKeys.of(keys),
    warnings: new Warnings(),
    cache: new TextCache(),
    readFile: () => new Uint8Array(0),
  });
}

export class MemoryFolder implements Folder {
  readonly path = 'folder';
  writable = true;
  readonly contents: Map<string, Uint8Array>;

  constructor(files: Readonly<Record<string, Uint8Array>>) {
    this.contents = new Map(Object.entries(files));
  }

  files(): FolderFile[] {
    return [...this.contents].map(([name, bytes]) => ({ name, size: bytes.length, mtimeNs: 0n, identity: name }));
  }

  read({ name }: FolderFile, length: number, offset = 0): Uint8Array {
    const bytes = this.contents.get(name);
    if (!bytes) throw new PstoreError('ENOENT', `${name} is gone`);
    return bytes.subarray(offset, offset + length);
  }

  remove({ name }: FolderFile): void {
    this.contents.delete(name);
  }
}

export function openFiles(kind: BackendKind, folder: Folder, keys: Keys = {}): Backend {
  return kind.folder!.open({
    path: folder.path,
    folder,
    keys: SourceKeys.of(keys),
    warnings: new Warnings(),
    cache: new TextCache(),
  });
}

/** All records, in the order of their slots. */
export function recordsOf(backend: Backend): PstoreRecord[] {
  return Array.from({ length: backend.slots }, (_, slot) => backend.record(slot)).filter(
    (record) => record !== undefined,
  );
}

export function namesOf(backend: Backend): string[] {
  return recordsOf(backend).map(({ name }) => name);
}

export function textOf(backend: Backend, name: string): string {
  return Buffer.from(contentBytes(backend.open(backend.find(name)!))).toString('latin1');
}

export function codesOf(backend: Backend): string[] {
  return backend.warnings.list.map(({ code }) => code);
}
