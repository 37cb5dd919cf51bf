// What a program may import from the package pstorefuse.

export { ZoneEngine } from './blk/engine.js';
export { layOut, type ZoneGeometry, type ZoneSizes } from './blk/geometry.js';
export { ZoneRegistry } from './blk/registration.js';
export { CODES, type ErrorCode, PstoreError } from './errors.js';
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
export { SourceKeys } from './pstore/keys.js';
export { type FrontEnd, Reason, reasonName, reasonNumber } from './pstore/record-type.js';
export { KINDS, kindNamed } from './source/kinds.js';
export {
  type OpenOptions,
  type OpenSource,
  openSource,
  openSources,
  parseSource,
  type SourceSpec,
} from './source/sources.js';
export { openImage } from './storage/file.js';
export { MemoryStorage } from './storage/memory.js';
export { SliceStorage } from './storage/slice.js';
export type { Storage } from './storage/storage.js';
export { type Attr, type Entry, type Layout, type Mounted, Tree, type TreeOptions } from './tree/tree.js';
export { type Warning, type WarningCode, Warnings } from './warnings.js';
