// How a mount was called: by a person, or by mount(8), which has arguments and exit statuses of its own.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Variable } from '../mount/launch.js';
import { EXIT } from './exit.js';

/** Called by such a name as mount(8) gives its helpers: `/sbin/mount.fuse.pstorefuse`. */
function hasHelperName(): boolean {
  return basename(process.env[Variable.NAME] ?? '').startsWith('mount.');
}

/** mount(8) called us, by such a name or as mount.fuse does, through a shell: its own exit statuses hold then. */
export function isMountHelper(): boolean {
  const parent = Number(process.env[Variable.PARENT] ?? 0);
  return hasHelperName() || isMount(parent) || isMount(parentOf(parent));
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
