// Stands in the place of node:module in the executable, where no module can be loaded from a file.

import { loadedAsset } from './assets.js';
import * as threads from './worker-threads.js';

/** esbuild leaves this one as it is: Node's, which knows only Node's own modules. */
declare const require: NodeJS.Require;

function load(name: string): unknown {
  if (name === 'node:worker_threads') return threads;
  if (name === 'koffi') return loadedAsset('koffi.node');
  if (name === 'fuse-native') throw new Error('the executable has only the transport dev-fuse');
  return require(name);
}

function resolve(name: string): string {
  throw new Error(`${name} is not a file in the executable`);
}

export function createRequire(): NodeJS.Require {
  return Object.assign(load, { resolve }) as unknown as NodeJS.Require;
}
