// What the executable does where others would start Node with options.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createGunzip } from 'node:zlib';

/** As --expose-gc does: the server calls it when it has nothing to do. */
export function offerGarbageCollection(): void {
  setFlagsFromString('--expose-gc');
  globalThis.gc = runInNewContext('gc') as NodeJS.GCFunction;
}

/** Standard input unpacked. @returns the exit status */
export function gunzip(): Promise<number> {
  return new Promise((resolve) => {
    const output = process.stdin.pipe(createGunzip());
    output.on('error', () => resolve(1));
    output.on('end', () => process.stdout.write('', () => resolve(0)));
    output.pipe(process.stdout);
  });
}
