// What a program may import from pstorefuse/core: all that works on bytes, in Node as well as in a browser's page.

import { PstoreError } from './errors.js';
import type { Backend, BackendInfo, PstoreRecord } from './pstore/backend.js';
import { TextCache } from './pstore/cache.js';
import { recordBytes } from './pstore/content.js';
import { SourceKeys } from './pstore/keys.js';
import { isSourceKey, type SourceSpec, unknownBackend, unknownKey } from './source/grammar.js';
import { kindNamed } from './source/kinds.js';
import { openStorage } from './source/open-storage.js';
import { recognise as recogniseKind } from './source/recognise.js';
import { MemoryStorage } from './storage/memory.js';
import type { Storage } from './storage/storage.js';
import { SurvivingStorage } from './storage/surviving.js';
import { Tree, type TreeOptions } from './tree/tree.js';
import type { Warning } from './warnings.js';

export { ZONE_DIALECTS, type ZoneDialect, zoneDialectNamed } from './blk/dialects.js';
export { ZoneEngine } from './blk/engine.js';
export { layOut, type ZoneGeometry, type ZoneSizes } from './blk/geometry.js';
export { ZoneRegistry } from './blk/registration.js';
export { COMPRESSIONS, type Compression } from './compress/codec.js';
export { type CompressionChoice, type DecodedRecord, decodeRecord, encodeRecord } from './compress/decompress.js';
export { CODES, type ErrorCode, PstoreError } from './errors.js';
export { buildElfcorehdr, crashSegments, type MemoryMap, type MemoryRange, parseMemoryMap } from './fadump/elfcore.js';
export { type Abi, ALL_ABIS, abiName, DEFAULT_ABI, parseAbi } from './pstore/abi.js';
export type {
  Backend,
  BackendInfo,
  LostBytes,
  NewRecord,
  PstoreRecord,
  RecordContent,
  Repair,
  RepairedByte,
  SpaceUsage,
  ZoneInfo,
} from './pstore/backend.js';
export { TextCache } from './pstore/cache.js';
export { contentBytes } from './pstore/content.js';
export { ErasedRecords } from './pstore/erased-records.js';
export { type Dump, makeDump } from './pstore/front-end.js';
export { JoinedView } from './pstore/joined.js';
export { SourceKeys } from './pstore/keys.js';
export type { AnyKind, BackendKind, FolderContext, FolderKind, OpenContext } from './pstore/kind.js';
export { type FrontEnd, Reason, reasonName, reasonNumber } from './pstore/record-type.js';
export { KINDS, kindNamed } from './source/kinds.js';
export type { DumpFile, Firmware, FirmwareBlock, FirmwareDump, FirmwareStatus, Lockdown } from './storage/firmware.js';
export { MemoryStorage } from './storage/memory.js';
export { SliceStorage } from './storage/slice.js';
export type { Storage } from './storage/storage.js';
export {
  type Attr,
  type Entry,
  type Layout,
  type Mounted,
  ROOT_INO,
  S_IFDIR,
  S_IFREG,
  type Statfs,
  Tree,
  type TreeOptions,
} from './tree/tree.js';
export type { Crash } from './triage/crash.js';
export { Explainer, type ExplainOptions, type Explanation, explain, writer } from './triage/explain.js';
export { addDeviceDump, type Plan, planChunks, type Run } from './vmcore/add.js';
export { type Warning, type WarningCode, Warnings } from './warnings.js';

/** How an image is opened. All is found out that is not given. */
export interface OpenImageOptions {
  /** What to call the image in messages; the storage's own path, or `image`. */
  readonly name?: string;
  /** Name of its backend, as `pstore_blk` or `ramoops`. */
  readonly backend?: string;
  /** Keys of a SOURCE (man pstorefuse lists them): `{ kmsg_size: '64K', salvage: '' }`. */
  readonly keys?: Readonly<Record<string, string>>;
  /** Soft problems of the geometry become errors. */
  readonly strict?: boolean;
  /** Whether records may be erased and written. Bytes and storages that are given are read only without it. */
  readonly write?: boolean;
  /** Most bytes of decoded texts that are kept in memory; 64 MiB. */
  readonly cacheBytes?: number;
  /** Reads the files that keys name (`kallsyms=FILE`). Without it such keys are an error. */
  readonly readFile?: (path: string) => Uint8Array;
}

/** An open image: its records, and the file system that a mount of it would show. */
export class Pstore implements Iterable<PstoreRecord> {
  /** What it was recognised as: `pstore_blk`, `blkoops`, `ramoops`, …. */
  readonly kind: string;
  readonly backend: Backend;

  constructor(kind: string, backend: Backend) {
    this.kind = kind;
    this.backend = backend;
  }

  /** What is not as it should be in the image, but can be shown. Grows as records are looked at. */
  get warnings(): readonly Warning[] {
    return this.backend.warnings.list;
  }

  /** The records, in the order of a listing. */
  *[Symbol.iterator](): IterableIterator<PstoreRecord> {
    for (let slot = 0; slot < this.backend.slots; slot++) {
      const record = this.backend.record(slot);
      if (record) yield record;
    }
  }

  /**
   * All bytes of a record.
   * @param record one of the list, or its name
   * @throws PstoreError ENOENT where there is none of this name; EIO where the medium does not give it
   */
  read(record: PstoreRecord | string): Uint8Array {
    return recordBytes(this.backend, this.#slotOf(record));
  }

  /** Erases a record in the image, durably. @throws PstoreError EROFS without `write`; ENOENT, EPERM, EIO */
  erase(record: PstoreRecord | string): void {
    this.backend.erase(this.#slotOf(record));
  }

  /** What `info` prints: format, sizes and where they are known from, zones. */
  info(): BackendInfo {
    return this.backend.info();
  }

  /** The file system: inodes, names, links. `close()` of the tree closes the image, too. */
  tree(options: Partial<TreeOptions> = {}): Tree {
    const defaults: TreeOptions = {
      layout: 'flat',
      readOnly: !this.backend.writable,
      uid: 0,
      gid: 0,
      umask: null,
      mountTimeNs: 0n,
    };
    return new Tree([{ backend: this.backend, label: this.backend.name }], { ...defaults, ...options });
  }

  close(): void {
    this.backend.close();
  }

  #slotOf(record: PstoreRecord | string): number {
    if (typeof record !== 'string') return record.slot;
    const slot = this.backend.find(record);
    if (slot === undefined) throw new PstoreError('ENOENT', `${this.backend.path}: there is no record ${record}`);
    return slot;
  }
}

/**
 * Opens an image that is in memory, or on a storage of the program's own.
 * @throws PstoreError EBADMSG for bytes of no known format; EINVAL for impossible keys; EIO
 */
export function open(image: Uint8Array | Storage, options: OpenImageOptions = {}): Pstore {
  const { storage, spec } = imageOf(image, options);
  const { kind, backend } = openStorage(
    spec,
    storage,
    {
      sharedKeys: [],
      mode: options.write ? 'must' : 'read',
      cache: new TextCache(options.cacheBytes),
      strict: options.strict ?? false,
    },
    options.readFile ?? noFile,
  );
  return new Pstore(kind.name, backend);
}

/** Name of the backend that an image is of, or undefined where it is of none. Opens nothing. */
export function recognise(image: Uint8Array | Storage, options: OpenImageOptions = {}): string | undefined {
  const { storage, spec } = imageOf(image, options);
  try {
    return recogniseKind(spec, SurvivingStorage.opening(storage), new SourceKeys([...spec.keys])).kind.name;
  } catch (error) {
    if (error instanceof PstoreError && error.code === 'EBADMSG') return undefined;
    throw error;
  }
}

function imageOf(image: Uint8Array | Storage, options: OpenImageOptions): { storage: Storage; spec: SourceSpec } {
  // Bytes of another window are no instance of this one's Uint8Array.
  const bytes = ArrayBuffer.isView(image)
    ? new Uint8Array(image.buffer, image.byteOffset, image.byteLength)
    : undefined;
  if (!bytes && typeof (image as Storage | undefined)?.read !== 'function') {
    throw new PstoreError(
      'EINVAL',
      'an image is given as its bytes (a Uint8Array) or as a Storage; pstorefuse takes a path, too',
    );
  }
  const path = options.name ?? ('path' in image ? image.path : 'image');
  const storage = bytes ? new MemoryStorage(bytes, { path, writable: options.write ?? false }) : (image as Storage);
  const keys = Object.entries(options.keys ?? {});
  const foreign = keys.find(([key]) => !isSourceKey(key));
  if (foreign) throw unknownKey(path, foreign[0]);
  if (!options.write && !keys.some(([key]) => key === 'ro')) keys.push(['ro', '']);
  const kind = options.backend === undefined ? undefined : kindNamed(options.backend);
  if (options.backend !== undefined && kind?.source !== 'file') throw unknownBackend(`${path}: `, options.backend);
  return { storage, spec: { text: path, path, kind, keys } };
}

function noFile(path: string): never {
  throw new PstoreError('ENOENT', `${path} cannot be read: no readFile was given with the image`, { path });
}
