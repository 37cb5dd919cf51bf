// The files that sources name: opened once, unpacked where they are packed, taken in where they are pipes.

import { PstoreError } from '../errors.js';
import { deviceFact, type FileOptions, FileStorage, openImage, sourceKind } from '../storage/file.js';
import { MtdStorage } from '../storage/mtd.js';
import { identityOf as identityOfPath, isFifo } from '../storage/path.js';
import { isBrokenPlace, type Storage } from '../storage/storage.js';
import { type Packed, packedAs, refuseWriting, takeFromPipe, unpack } from '../storage/unpack.js';
import type { Warnings } from '../warnings.js';
import { STANDARD_INPUT, shownPath } from './typed.js';

/** Files that are open for other sources: the writer's lock is on a descriptor, and parts of one file share it. */
export type OpenFiles = Map<string, Medium & { readonly storage: FileStorage }>;

export interface Medium {
  readonly storage: Storage;
  /** Its bytes are in a temporary file, so that it can only be read. */
  readonly isCopy: boolean;
}

/** @throws PstoreError as openImage(); EROFS for `must` where the bytes are not the file's own */
export function openMedium(path: string, options: FileOptions, files: OpenFiles, warnings: Warnings): Medium {
  const { mode } = options;
  const comesOnce = isPipe(path);
  // Says what a path is that is no image, before it is looked at further.
  if (!comesOnce) sourceKind(path);
  const key = `${mode} ${identityOf(path)}`;
  const open = files.get(key);
  if (open?.storage.share()) return open;
  const medium = comesOnce ? fromPipe(path, mode, warnings) : fromFile(path, options, warnings);
  const { storage, isCopy } = medium;
  if (storage instanceof FileStorage) files.set(key, { storage, isCopy });
  return medium;
}

function fromPipe(path: string, mode: 'read' | 'try' | 'must', warnings: Warnings): Medium {
  const isStdin = path === STANDARD_INPUT;
  const named = shownPath(path);
  if (mode === 'must') {
    throw new PstoreError('EROFS', `${named} is a pipe and can only be read; copy it into a file first`, { path });
  }
  return { storage: takeFromPipe(isStdin ? null : path, warnings), isCopy: true };
}

function fromFile(path: string, options: FileOptions, warnings: Warnings): Medium {
  const storage = openImage(path, options);
  if (storage.kind === 'flash') return { storage: flashOf(storage, warnings), isCopy: false };
  let packed: Packed | undefined;
  try {
    packed = packedAs(storage);
  } catch (error) {
    // A first block that cannot be read is told, or survived, by those who look into the image.
    if (!isBrokenPlace(error)) {
      storage.close();
      throw error;
    }
  }
  if (!packed) return { storage, isCopy: false };
  storage.close();
  if (options.mode === 'must') refuseWriting(path, packed);
  return { storage: unpack(path, packed, warnings), isCopy: true };
}

function flashOf(device: FileStorage, warnings: Warnings): MtdStorage {
  try {
    return new MtdStorage(
      device,
      { eraseSize: deviceFact(device, 'erasesize'), hasBadBlocks: hasBad(device) },
      warnings,
    );
  } catch (error) {
    device.close();
    throw error;
  }
}

/** Old kernels do not count them: then each block is asked. */
function hasBad(device: FileStorage): boolean {
  try {
    return deviceFact(device, 'bad_blocks') > 0;
  } catch {
    return true;
  }
}

/** As identityOf() of a path, for standard input too. */
export function identityOf(path: string): string {
  return path === STANDARD_INPUT ? shownPath(path) : identityOfPath(path);
}

/** Whether a path names what is read once, from its beginning to its end. */
export function isPipe(path: string): boolean {
  return path === STANDARD_INPUT || isFifo(path);
}
