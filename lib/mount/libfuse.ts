// Loads the npm package fuse-native, and libfuse 2 for it: the system's own, or the one that the package brings.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type Fuse from 'fuse-native';
import { PstoreError } from '../errors.js';
import { WITHOUT_A_MOUNT } from './device.js';

const require = createRequire(import.meta.url);

/** dlopen(3): keeps the library when Node closes it again. */
const RTLD_NODELETE = 0x1000;
/** @throws PstoreError ENODEV where it is not installed */
function packageFolder(): string {
  try {
    return dirname(require.resolve('fuse-native/package.json'));
  } catch (error) {
    const sentence =
      'the transport fuse-native needs the npm package fuse-native; install it with "npm install fuse-native"';
    throw new PstoreError('ENODEV', sentence, { cause: error });
  }
}

/** @throws PstoreError ENODEV when there is no FUSE here */
export function loadFuse(): typeof Fuse {
  const bundled = join(packageFolder(), 'prebuilds', `linux-${process.arch}`, 'libfuse.so');
  try {
    return require('fuse-native') as typeof Fuse;
  } catch {
    // No libfuse.so.2 on the system: the package's own one is loaded into the process, where the addon then finds it.
  }
  try {
    const { RTLD_NOW } = (require('node:os') as typeof import('node:os')).constants.dlopen;
    if (existsSync(bundled)) process.dlopen({ exports: {} } as NodeJS.Module, bundled, RTLD_NOW | RTLD_NODELETE);
  } catch {
    // "did not self-register": it is no addon, but it is loaded.
  }
  try {
    return require('fuse-native') as typeof Fuse;
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0];
    throw new PstoreError(
      'ENODEV',
      `libfuse 2 cannot be loaded (${reason}); install the package libfuse2, or libfuse2t64; ${WITHOUT_A_MOUNT}`,
      { cause: error },
    );
  }
}
