// The files inside of the executable.

import { closeSync, constants, openSync, unlinkSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Since Node 20.12; the declarations are older. */
interface SingleExecutable {
  getAsset(name: string): ArrayBuffer;
}

/** Node's own: the module of that name is ours in the executable. */
const require = createRequire(import.meta.url);

export function asset(name: string): Uint8Array {
  return new Uint8Array((require('node:sea') as SingleExecutable).getAsset(name));
}

export function textAsset(name: string): string {
  return Buffer.from(asset(name)).toString();
}

/** The shared object of an asset, loaded. It must be a file for that, which has no name any more when we are done. */
export function loadedAsset(name: string): unknown {
  const bytes = asset(name);
  let reason: unknown;
  for (const folder of places()) {
    try {
      return loadedFrom(folder, bytes);
    } catch (error) {
      // Read-only, full, or mounted with noexec: another one may do.
      reason = error;
    }
  }
  throw new Error(`no folder can hold it for the time of loading: ${(reason as Error).message}`);
}

/** Folders that may hold a program, the best first. */
function places(): string[] {
  const own = [process.env.XDG_RUNTIME_DIR, process.env.XDG_CACHE_HOME].filter((folder) => folder !== undefined);
  return [tmpdir(), ...own, '/var/tmp', '/dev/shm', '/run', process.cwd(), dirname(process.execPath)];
}

function loadedFrom(folder: string, bytes: Uint8Array): unknown {
  const path = join(folder, `.pstorefuse-${process.pid}-${Date.now().toString(36)}.node`);
  const { O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants;
  const fd = openSync(path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, 0o600);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    const module = { exports: {} };
    process.dlopen(module, path);
    return module.exports;
  } finally {
    unlinkSync(path);
    closeSync(fd);
  }
}
