// Files that nobody may remove: efivarfs sets the flag on variables whose loss could keep a machine from starting.

import { statfsSync } from 'node:fs';
import { deviceCalls } from './device-calls.js';

/** include/uapi/linux/magic.h */
const EFIVARFS_MAGIC = 0xde5e_81e4;

/**
 * Makes a file removable whose flag stands in the way. Only in efivarfs, which sets the flag by itself; anywhere else a
 * person has set it, and means it.
 * @returns false where it has no such flag, or where nobody here can take it off
 */
export function makeRemovable(fd: number, path: string, isVariables: (path: string) => boolean = isEfivarfs): boolean {
  const calls = deviceCalls();
  if (!calls || !isVariables(path)) return false;
  try {
    return calls.clearImmutable(fd);
  } catch {
    // Whoever removes the file says why it cannot be removed, and what helps.
    return false;
  }
}

function isEfivarfs(path: string): boolean {
  // The kernel's number is unsigned, but a machine of 32 bits gives it with a sign.
  return statfsSync(path).type >>> 0 === EFIVARFS_MAGIC;
}
