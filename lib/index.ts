// What a program may import from the package pstorefuse.

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
} from './backend/backend.js';
export { TextCache } from './backend/cache.js';
export { contentBytes } from './backend/content.js';
export { SourceKeys } from './backend/keys.js';
export { KINDS, kindNamed } from './backend/registry.js';
export { CODES, type ErrorCode, PstoreError } from './errors.js';
export { type Abi, ALL_ABIS, abiName, DEFAULT_ABI, parseAbi } from './format/abi.js';
export { type FrontEnd, Reason, reasonName, reasonNumber } from './format/record-type.js';
export { type OpenOptions, type OpenSource, openSource, openSources, parseSource, type SourceSpec } from './sources.js';
export { openImage } from './storage/file.js';
export { MemoryStorage } from './storage/memory.js';
export { SliceStorage } from './storage/slice.js';
export type { Storage } from './storage/storage.js';
export { type Attr, type Entry, type Layout, type Mounted, Tree, type TreeOptions } from './tree/tree.js';
export { type Warning, type WarningCode, Warnings } from './warnings.js';
export { ZoneEngine } from './zone/engine.js';
export { layOut, type ZoneGeometry, type ZoneSizes } from './zone/geometry.js';
export { ZoneRegistry } from './zone/registration.js';
