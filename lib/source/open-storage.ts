// Opens an image that is there as bytes on a medium, whatever that is. Knows no file.

import { PstoreError } from '../errors.js';
import type { Backend } from '../pstore/backend.js';
import type { TextCache } from '../pstore/cache.js';
import { canonicalKey, SourceKeys } from '../pstore/keys.js';
import type { AnyKind, BackendKind, OpenContext } from '../pstore/kind.js';
import { withSalvage } from '../pstore/salvage.js';
import { MtdStorage } from '../storage/mtd.js';
import { RevertingStorage } from '../storage/reverting.js';
import { ReadOnlyStorage, SliceStorage } from '../storage/slice.js';
import type { Storage } from '../storage/storage.js';
import { SurvivingStorage } from '../storage/surviving.js';
import { Warnings } from '../warnings.js';
import { findInDisk } from './disk.js';
import { keysOf, knows, type SourceSpec } from './grammar.js';
import { isOobOfPart, oobKeys, placed, spareNote, unsparsed, withoutSpare } from './medium.js';
import { looksLike, recognise } from './recognise.js';
import { shownPath } from './typed.js';

export interface OpenOptions {
  /** Keys of `-o`, which apply to every source that knows them; a key after the SOURCE wins. */
  readonly sharedKeys: readonly (readonly [string, string])[];
  /** How the image is opened. With `try` one that belongs to another user is only read, unless `writesForeign` is given. */
  readonly mode: 'read' | 'try' | 'must';
  readonly writesForeign?: boolean | undefined;
  readonly cache: TextCache;
  /** Soft problems of geometry become errors. */
  readonly strict: boolean;
  /** Put over the medium, which is then only read: what is written goes elsewhere. */
  readonly overlay?: ((medium: Storage) => Storage) | undefined;
}

/** The keys of `-o` that the source does not give itself. */
export function sharedKeysFor(spec: SourceSpec, { sharedKeys }: OpenOptions): OpenOptions['sharedKeys'] {
  const own = new Set(spec.keys.map(([key]) => canonicalKey(key)));
  return sharedKeys.filter(([key]) => !own.has(canonicalKey(key)));
}

/** An image that is open. */
export interface OpenImage {
  readonly kind: BackendKind;
  readonly backend: Backend;
  readonly keys: SourceKeys;
  /** The part of the medium that is in use. */
  readonly storage: Storage;
  /** The same as its first byte in the whole image, and bytes; spare ones of a partition are counted. */
  readonly from: number;
  readonly size: number;
  /** Bytes of the whole image, without what wraps it. */
  readonly whole: number;
}

/** Collects what is not as it should be in a source, as strictly as the command or the source says. */
export function warningsFor(spec: SourceSpec, { strict }: OpenOptions): Warnings {
  return new Warnings(strict || new SourceKeys([...spec.keys]).flag('strict'));
}

/** What was found out about a medium before it is looked at. */
export interface MediumNotes {
  /** Its bytes were unpacked or came through a pipe: that they cannot be written is no news. */
  readonly isCopy: boolean;
  /** It is no Android sparse file any more: its chunks were read, which takes long where there are many. */
  readonly isUnsparsed?: boolean;
  readonly warnings: Warnings;
}

export function emptyFile(path: string): PstoreError {
  return new PstoreError('EBADMSG', `${path}: the file is empty`, { path });
}

/**
 * @param readFile for the files that keys name
 * @throws PstoreError EBADMSG when the image is not what it should be, EINVAL for impossible keys
 */
export function openStorage(
  spec: SourceSpec,
  whole: Storage,
  options: OpenOptions,
  readFile: OpenContext['readFile'],
  { isCopy, isUnsparsed = false, warnings }: MediumNotes = { isCopy: false, warnings: warningsFor(spec, options) },
): OpenImage {
  const { path } = spec;
  const shared = sharedKeysFor(spec, options);
  const all = new SourceKeys([...shared, ...spec.keys]);
  if (whole.size === 0) throw emptyFile(shownPath(path));
  // Memory has no spare bytes of flash, whatever its bytes look like.
  const isMemory = spec.kind?.source === 'file' && spec.kind.isMemory === true && !all.has('oob');
  const medium = isUnsparsed ? whole : unsparsed(whole, warnings);
  const isPlain = isMemory || isOobOfPart(medium, all);
  const image = isPlain ? medium : withoutSpare(medium, all, warnings);
  const isPlaced = ['part', 'offset', 'size'].some((key) => all.has(key));
  const found = isPlaced ? undefined : findInDisk(spec, image, options.mode, warnings);
  const cut = found?.storage ?? placed(image, all, warnings);
  // What was written into a partition may be the dump of a chip.
  const isPart = found !== undefined || (all.has('part') && !all.has('offset') && !all.has('size'));
  const asked = isPart && !isMemory && image === medium ? withoutSpare(cut, all, warnings, true) : cut;
  const part = all.flag('ro') && asked.writable ? new ReadOnlyStorage(asked) : asked;
  const storage = SurvivingStorage.opening(part.writable ? new RevertingStorage(part) : part, warnings);
  storage.checkReadable();
  const look = <T>(at: () => T) => orUnread(storage, () => orSpare(image, at));
  const { kind, finding } = look(() =>
    spec.kind ? { kind: spec.kind as BackendKind, finding: spec.kind as BackendKind } : recognise(spec, storage, all),
  );
  const told = found?.keys ?? [...keysOfFlash(whole, kind), ...oobKeys(image, all)];
  const keys = knownKeys(kind, shared, spec, told);
  if (options.mode === 'try' && !whole.writable && !all.flag('ro') && !isCopy) {
    warnings.add('read-only', `${path} cannot be written: its records can be read, but not erased`);
  }
  const opened = look(() =>
    finding.open({ path: storage.path, storage, keys, warnings, cache: options.cache, readFile }),
  );
  const backend = keys.flag('salvage') ? withSalvage(opened, options.cache) : opened;
  if (spec.kind && backend.space().records === 0) checkKind(spec, storage, options, warnings);
  storage.settle();
  return {
    kind,
    backend,
    keys,
    storage: part,
    from: cut instanceof SliceStorage ? cut.base : 0,
    size: cut.size,
    whole: image.size,
  };
}

/** What flash says of itself, as far as a kind asks for it. */
function keysOfFlash(whole: Storage, kind: BackendKind): readonly (readonly [string, string])[] {
  return whole instanceof MtdStorage ? whole.keys.filter(([key]) => knows(kind, key)) : [];
}

/** What is missed in an image may stand in the blocks that cannot be read: then it is no wrong image. @throws PstoreError */
function orUnread<T>(storage: SurvivingStorage, look: () => T): T {
  try {
    return look();
  } catch (error) {
    const { path, lostBytes } = storage;
    if (!(error instanceof PstoreError) || error.code !== 'EBADMSG' || lostBytes === 0) throw error;
    const sentence = `${path}: ${lostBytes} bytes that were looked at cannot be read; copy it with ddrescue, which tries again`;
    throw new PstoreError('EIO', `${sentence} (without them: ${error.message})`, { path, cause: error });
  }
}

/** Sizes in what is said of an image count no spare bytes: that is said, too. @throws PstoreError */
function orSpare<T>(image: Storage, look: () => T): T {
  try {
    return look();
  } catch (error) {
    const note = spareNote(image);
    if (!(error instanceof PstoreError) || error.code !== 'EBADMSG' || note === undefined) throw error;
    throw new PstoreError('EBADMSG', `${error.message} (${note})`, { ...error.data, cause: error });
  }
}

/** An image of another kind looks like an empty one, by given sizes: shown so, but nothing is written over it. */
function checkKind(spec: SourceSpec, storage: SurvivingStorage, options: OpenOptions, warnings: Warnings): void {
  const advice = looksLike(spec, storage);
  if (advice === undefined) return;
  const sentence = `${spec.path}: no record of ${spec.kind!.name} is found in it`;
  if (options.mode === 'must') throw new PstoreError('EBADMSG', sentence, { path: spec.path });
  warnings.addFirst('geometry-mismatch', `${sentence}; ${advice}`);
}

/** The keys of `-o` that this kind knows, and those of the source. */
export function knownKeys(
  kind: AnyKind,
  shared: readonly (readonly [string, string])[],
  spec: SourceSpec,
  found: readonly (readonly [string, string])[] = [],
): SourceKeys {
  const foreign = spec.keys.find(([key]) => !knows(kind, key));
  if (foreign) {
    throw new PstoreError(
      'EINVAL',
      `${spec.text}: ${spec.path} is a source of ${kind.name}, which has no key ${foreign[0]}; ${keysOf(kind)}`,
    );
  }
  const keys = new SourceKeys([...shared.filter(([key]) => knows(kind, key)), ...found, ...spec.keys]);
  updateMsOf(keys);
  return keys;
}

const DAY_MS = 86_400_000;

/** Milliseconds; undefined for a source whose state at mount is shown. @throws PstoreError EINVAL */
export function updateMsOf(keys: SourceKeys): number | undefined {
  return keys.number('update_ms', 1, DAY_MS);
}
