// Loaded before a program by `node --import`: kills the program by SIGKILL at one of the calls by which it changes files.
// DIE_AT is the number of the call, DIE_HOW says whether `before` it, `after` it, or in the `middle` of a long write.
// At the end of a program that lived, its number of such calls stands in the file DIE_COUNT.

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const CHANGES = [
  'writeSync',
  'fsyncSync',
  'fdatasyncSync',
  'linkSync',
  'unlinkSync',
  'renameSync',
  'mkdirSync',
  'rmdirSync',
  'rmSync',
  'ftruncateSync',
] as const;

/** Shorter writes reach a file as a whole or not at all. */
const LONG = 512;

const at = Number(process.env.DIE_AT ?? -1);
const how = process.env.DIE_HOW ?? 'before';
let calls = 0;

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  for (;;); // The signal comes before this returns to anybody.
}

type Call = (...args: unknown[]) => unknown;
const all = fs as unknown as Record<string, Call>;
for (const name of CHANGES) {
  const real = all[name]!;
  all[name] = (...args) => {
    // What is printed changes no file.
    if (name === 'writeSync' && Number(args[0]) <= 2) return real(...args);
    const isThis = ++calls === at;
    if (isThis && how === 'before') die();
    if (isThis && how === 'middle' && name === 'writeSync') {
      const [fd, bytes, from, length, position] = args as [number, Uint8Array, number, number, number];
      if (length > LONG) real(fd, bytes, from, length >> 1, position);
      die();
    }
    const result = real(...args);
    if (isThis) die();
    return result;
  };
}
syncBuiltinESMExports();

const count = process.env.DIE_COUNT;
const { writeFileSync } = fs;
if (count !== undefined) process.on('exit', () => writeFileSync(count, String(calls)));
