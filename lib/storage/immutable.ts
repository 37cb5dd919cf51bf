// Files that nobody may remove: efivarfs sets the flag on variables whose loss could keep a machine from starting.

import { statfsSync } from 'node:fs';

/** include/uapi/linux/magic.h */
const EFIVARFS_MAGIC = 0xde5e_81e4;

/**
 * Takes the flag off an open file.
 * @returns false where the file has no such flag
 * @throws whatever keeps it from being taken off
 */
export type ClearImmutable = (fd: number) => boolean;

let clear: ClearImmutable | undefined;

/** From now on the flag is taken off by a process that can make the system call. */
export function clearImmutableBy(act: ClearImmutable | undefined): void {
  clear = act;
}

/**
 * Makes a file removable whose flag stands in the way. Only in efivarfs, which sets the flag by itself; anywhere else a
 * person has set it, and means it.
 * @returns false where it has no such flag, or where nobody here can take it off
 */
export function makeRemovable(fd: number, path: string, isVariables: (path: string) => boolean = isEfivarfs): boolean {
  if (!clear || !isVariables(path)) return false;
  try {
    return clear(fd);
  } catch {
    // Whoever removes the file says why it cannot be removed, and what helps.
    return false;
  }
}

function isEfivarfs(path: string): boolean {
  // The kernel's number is unsigned, but a machine of 32 bits gives it with a sign.
  return statfsSync(path).type >>> 0 === EFIVARFS_MAGIC;
}
