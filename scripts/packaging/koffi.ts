// koffi's binaries for the kinds of machines that Debian has: npm installs only the one of this machine.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** As Node calls them: amd64, arm64, armhf, i386 and riscv64. */
const MACHINES = ['x64', 'arm64', 'arm', 'ia32', 'riscv64'];

interface LockFile {
  readonly packages: Readonly<Record<string, { readonly version: string; readonly integrity: string }>>;
}

/** @param cache where those are put that are not there yet. @returns folders of packages */
export function koffiFolders(cache: string): string[] {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as LockFile;
  return MACHINES.map((machine) => {
    const name = `koffi-linux-${machine}`;
    const place = `node_modules/@koromix/${name}`;
    if (existsSync(place)) return place;
    const locked = packages[place];
    if (!locked) throw new Error(`package-lock.json does not have ${place}`);
    return fetched(name, locked, cache);
  });
}

/** A package as npm hands it out, when it is the one that package-lock.json has. */
function fetched(name: string, { version, integrity }: { version: string; integrity: string }, cache: string): string {
  const folder = join(cache, name);
  mkdirSync(folder, { recursive: true });
  const words = ['pack', '--json', '--silent', '--pack-destination', cache, `@koromix/${name}@${version}`];
  const [{ filename }] = JSON.parse(execFileSync('npm', words, { encoding: 'utf8' })) as [{ filename: string }];
  const tarball = join(cache, filename);
  const digest = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`;
  if (digest !== integrity) throw new Error(`${filename} is not what package-lock.json has: ${digest}`);
  execFileSync('tar', ['xzf', tarball, '-C', folder, '--strip-components=1']);
  return folder;
}
