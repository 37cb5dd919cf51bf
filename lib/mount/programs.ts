// The programs of the system that a mount needs: found whatever PATH is, always called with a list of arguments.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const STANDARD = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** PATH with the standard places after it: mount(8) and units may start us with hardly any. */
export function searchPath(): string {
  const own = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...own, ...STANDARD.filter((folder) => !own.includes(folder))].join(delimiter);
}

/** From now on programs are found whatever PATH we were started with. */
export function completePath(): void {
  process.env.PATH = searchPath();
}

/** The environment for a program that we call. */
export function environment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: searchPath() };
}

/** Where a program is, or undefined. */
export function findProgram(...names: string[]): string | undefined {
  for (const name of names) {
    for (const folder of searchPath().split(delimiter)) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not in this folder.
      }
    }
  }
  return undefined;
}

export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}
