// The server process of test/mount/dev-fuse.ts: a tree over images, mounted and served through dev-fuse. Its arguments are
// a ServerPlan as JSON and the mount point; it writes `ready` to descriptor 1 when the mount answers.

import { openSync, readFileSync, writeSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { Deadlines } from '../../lib/mount/deadlines.js';
import { serveDevFuse } from '../../lib/mount/dev-fuse.js';
import { parseMountOptions } from '../../lib/mount/options.js';
import { makeMount } from '../../lib/mount/own-mount.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { kindNamed } from '../../lib/source/kinds.js';
import { FileStorage } from '../../lib/storage/file.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { type Layout, Tree } from '../../lib/tree/tree.js';
import { Warnings } from '../../lib/warnings.js';

export interface ServerPlan {
  readonly sources: readonly {
    readonly kind: string;
    /** A .gz is unpacked into memory, and can be written there. */
    readonly path: string;
    readonly keys?: Readonly<Record<string, string>>;
    readonly label?: string;
  }[];
  readonly layout?: Layout;
  readonly readOnly?: boolean;
  readonly updateMs?: number;
  /** Time of what has none, in nanoseconds. */
  readonly mountTimeNs?: string;
}

async function main(plan: ServerPlan, mountPoint: string): Promise<void> {
  const cache = new TextCache();
  const mounted = plan.sources.map(({ kind, path, keys = {}, label }) => {
    const storage = path.endsWith('.gz')
      ? new MemoryStorage(new Uint8Array(gunzipSync(readFileSync(path))), { path })
      : new FileStorage(path, openSync(path, plan.readOnly ? 'r' : 'r+'), !plan.readOnly, 'file');
    const opener = kindNamed(kind);
    if (opener?.source !== 'file') throw new Error(`${kind} is no backend of an image`);
    const backend = opener.open({
      path,
      storage: SurvivingStorage.over(storage),
      keys: SourceKeys.of(keys),
      warnings: new Warnings(),
      cache,
      readFile: (companion) => readFileSync(companion),
    });
    return { backend, label: label ?? backend.name };
  });
  const readOnly = plan.readOnly ?? false;
  const tree = new Tree(mounted, {
    layout: plan.layout ?? 'both',
    readOnly,
    uid: 0,
    gid: 0,
    umask: null,
    mountTimeNs: BigInt(plan.mountTimeNs ?? 0),
  });
  const mount = parseMountOptions([]);
  const fd = makeMount({ mountPoint, fsname: 'test', readOnly, mount });
  await serveDevFuse(fd, tree, {
    deadlines: new Deadlines(),
    readOnly,
    updateMs: plan.updateMs ?? 0,
    onReady: () => writeSync(1, 'ready\n'),
    onActivity: () => {},
    log: (line) => writeSync(2, `${line}\n`),
  });
}

if (process.argv[2] !== undefined) await main(JSON.parse(process.argv[2]), process.argv[3]!);
