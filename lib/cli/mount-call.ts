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

/** Called by such a name as mount(8) gives its helpers: `/sbin/mount.fuse.pstorefuse`. */
function hasHelperName(): boolean {
  return basename(process.argv[1] ?? '').startsWith('mount.');
}

/** mount(8) called us, by such a name or as mount.fuse does, through a shell: its own exit statuses hold then. */
export function isMountHelper(): boolean {
  return hasHelperName() || isMount(process.ppid) || isMount(parentOf(process.ppid));
}

function isMount(pid: number): boolean {
  return fromProc(pid, 'comm').trim() === 'mount';
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s*(\d+)$/m.exec(fromProc(pid, 'status'))?.[1] ?? 0);
}

function fromProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
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

/**
 * mount(8) calls its helpers with `-n`, `-v`, `-s` and `-t TYPE` too, which say nothing to us.
 * @returns undefined for `-f`: to mount(8) that is to do everything but the mount
 */
export function helperArguments(argv: readonly string[]): readonly string[] | undefined {
  if (!hasHelperName()) return argv;
  const isFlags = (arg: string) => /^-[fnvs]*t?$/.test(arg) && arg !== '-';
  if (argv.some((arg) => isFlags(arg) && arg.includes('f'))) return undefined;
  return argv.filter((arg, i) => !isFlags(arg) && !/^-[nvs]*t$/.test(argv[i - 1] ?? ''));
}
