// How a mount was called: what the parent has to know of the arguments before it starts the server, which parses them.
// It loads next to nothing, because it has to be quick.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { EXIT } from './exit.js';

/** Options whose value is the next argument. */
const WITH_VALUE = new Set(['-o', '--transport', '--backend']);

/** Whether the arguments ask for the foreground: found without a parser, because the parent has to be quick. */
export function wantsForeground(argv: readonly string[]): boolean {
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!;
    if (arg === '--') return false;
    if (WITH_VALUE.has(arg)) i++;
    else if (arg === '--foreground' || arg === '--debug' || /^-[dfs]*[df][dfs]*o?$/.test(arg)) return true;
  }
  return false;
}

/** mount(8) called us, as mount.fuse or as mount.fuse.pstorefuse: its own exit statuses hold then. */
export function isMountHelper(): boolean {
  if (basename(process.argv[1] ?? '').startsWith('mount.')) return true;
  try {
    return readFileSync(`/proc/${process.ppid}/comm`, 'latin1').trim() === 'mount';
  } catch {
    return false;
  }
}

/** mount(8): exit statuses of its helpers. */
const INVOCATION = 1;
const MOUNT_FAILURE = 32;
const SOME_SUCCEEDED = 64;

export function helperStatus(status: number): number {
  if (status === EXIT.PARTLY) return SOME_SUCCEEDED;
  if (status === EXIT.USAGE) return INVOCATION;
  return status === EXIT.OK ? status : MOUNT_FAILURE;
}

/** mount(8) calls its helpers with `-n`, `-v`, `-s` and `-t TYPE` too, which say nothing to us. */
export function withoutHelperFlags(argv: readonly string[]): string[] {
  return argv.filter((arg, i) => !/^-[nvst]+$/.test(arg) && !/^-[nvs]*t$/.test(argv[i - 1] ?? ''));
}
