// A process that lists, reads and erases records of a mount at random, in all its directories, and says what it erased.
// Arguments: mount point, seconds, seed. Any error but ENOENT, any wrong byte and any stale name ends it with 1.

import { readdirSync, readFileSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

const [mountPoint = '', seconds = '1', seed = '1'] = process.argv.slice(2);
let state = Number(seed) * 2654435761;

function random(below: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}

function codeOf(action: () => void): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

function check(condition: boolean, what: string): void {
  if (condition) return;
  console.log(`WRONG ${what}`);
  process.exit(1);
}

const tops = readdirSync(mountPoint, { withFileTypes: true });
const directories = tops.filter((entry) => entry.isDirectory()).map(({ name }) => join(mountPoint, name));
const folders = [mountPoint, ...directories];
/** The first backend's directory is the one whose records have two names. */
const twin = directories.find((folder) =>
  readdirSync(folder).some((name) => codeOf(() => statSync(join(mountPoint, name))) === undefined),
);

// However slow the machine is, each of us has erased something in the end, or there is nothing left.
const deadline = Date.now() + Number(seconds) * 1000;
let hasErased = false;
while (Date.now() < deadline || !hasErased) {
  const folder = folders[random(folders.length)]!;
  const names = readdirSync(folder).filter((name) => name.startsWith('dmesg-'));
  if (names.length === 0) {
    hasErased = true;
    continue;
  }
  for (let i = 0; i < 20; i++) {
    const name = names[random(names.length)]!;
    const path = join(folder, name);
    if (random(20) > 0) {
      let text = '';
      const code = codeOf(() => {
        text = readFileSync(path, 'latin1');
      });
      check(code === undefined || code === 'ENOENT', `${path}: ${code} on reading`);
      const id = name.split('-').at(-1);
      if (code === undefined) check(text.endsWith(`record ${id} of ${name.split('-')[1]}\n`), `${path}: ${text}`);
      continue;
    }
    const code = codeOf(() => unlinkSync(path));
    check(code === undefined || code === 'ENOENT', `${path}: ${code} on erasing`);
    hasErased = true;
    if (code === undefined) console.log(`ERASED ${name}`);
    const others = folder === mountPoint || folder === twin ? [mountPoint, twin!] : [folder];
    for (const other of others) {
      const stale = codeOf(() => statSync(join(other, name)));
      check(stale === 'ENOENT', `${join(other, name)} is still there: ${stale}`);
    }
  }
}
