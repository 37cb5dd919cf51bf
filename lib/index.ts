// What a program may import from the package pstorefuse: the core, and what Node adds to it: files, folders, mounts.

import { type OpenImageOptions, open as openInMemory, Pstore } from './core.js';
import { systemDeviceCalls } from './mount/syscalls.js';
import { TextCache } from './pstore/cache.js';
import { isSourceKey, unknownBackend, unknownKey } from './source/grammar.js';
import { kindNamed } from './source/kinds.js';
import { openSource } from './source/sources.js';
import { useDeviceCalls } from './storage/device-calls.js';
import type { Storage } from './storage/storage.js';

export * from './core.js';
export { type LibraryMount, type MountOptions, mount } from './mount/mount-command.js';
export type { SourceSpec } from './source/grammar.js';
export { type OpenOptions, type OpenSource, openSource, openSources, parseSource } from './source/sources.js';
export { openImage } from './storage/file.js';
export { FirmwareFolder, openFirmware } from './storage/firmware-folder.js';

// koffi is loaded only when a device needs it.
useDeviceCalls(systemDeviceCalls);

/**
 * Opens the image of a crash-log partition or region, a vmcore, or a folder of saved dumps.
 * @param source a path, just as it is; or bytes, or a storage
 * @throws PstoreError ENOENT, EACCES, EIO; EBADMSG for bytes of no known format; EINVAL for impossible keys; with
 *   `write`, EBUSY where somebody else writes, and EROFS
 */
export function open(source: string | Uint8Array | Storage, options: OpenImageOptions = {}): Pstore {
  if (typeof source !== 'string') return openInMemory(source, options);
  const keys = Object.entries(options.keys ?? {});
  const foreign = keys.find(([key]) => !isSourceKey(key));
  if (foreign) throw unknownKey(source, foreign[0]);
  const kind = options.backend === undefined ? undefined : kindNamed(options.backend);
  if (options.backend !== undefined && !kind) throw unknownBackend(`${source}: `, options.backend);
  const opened = openSource(
    { text: source, path: source, kind, keys },
    {
      sharedKeys: [],
      mode: options.write ? 'must' : 'read',
      cache: new TextCache(options.cacheBytes),
      strict: options.strict ?? false,
    },
  );
  return new Pstore(opened.kind.name, opened.backend);
}
