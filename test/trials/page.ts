// The core as it runs in a browser's page: bundled for one, in a context that has nothing of Node.

import { createContext, runInContext, Script } from 'node:vm';
import { buildSync } from 'esbuild';
import type * as Core from '../../lib/core.js';
import { ROOT } from '../fixture-path.js';

let script: Script | undefined;

function compiled(): Script {
  const bundle = buildSync({
    entryPoints: [`${ROOT}/dist/lib/core.js`],
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'iife',
    globalName: 'core',
    // Only the script of a thread has a place of its own, and a page starts none.
    logOverride: { 'empty-import-meta': 'silent' },
  });
  return new Script(bundle.outputFiles[0]!.text, { filename: 'core.js' });
}

/** What a page has beside the language that the core may use. Memory that threads share is rarely allowed in one. */
export function page(): { core: typeof Core; global: Record<string, unknown> } {
  script ??= compiled();
  const global = createContext({ TextEncoder, TextDecoder, performance: { now: () => 0 } });
  runInContext('delete globalThis.SharedArrayBuffer; delete globalThis.Atomics;', global);
  script.runInContext(global);
  return { core: global.core as typeof Core, global: global as Record<string, unknown> };
}
