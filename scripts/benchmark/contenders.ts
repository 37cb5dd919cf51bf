// What is compared: file systems that show the same files, each mounted and unmounted by a program of its own.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FileSet } from './images.js';

export interface Contender {
  readonly name: string;
  /** Mounts; returns when the program that mounts has returned. */
  mount(set: FileSet, at: string): void;
  /** Where the files are after mount(). */
  folder(set: FileSet, at: string): string;
  unmount(at: string): void;
}

export function run(program: string, args: readonly string[], input?: string): string {
  const { status, stdout, stderr, error } = spawnSync(program, [...args], {
    encoding: 'utf8',
    input,
    maxBuffer: 1 << 30,
    env: environment(),
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr || stdout}`);
  return stdout;
}

/** Settings of Node that a developer's machine may have would count for every start of it. */
export function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('NODE_')));
}

function mounted(name: string, start: (set: FileSet, at: string) => readonly string[]): Contender {
  return {
    name,
    mount: (set, at) => {
      const [program, ...args] = start(set, at);
      run(program!, args);
    },
    folder: (_, at) => at,
    unmount: (at) => {
      for (let tries = 0; ; tries++) {
        const { status, stderr } = spawnSync('umount', [at], { encoding: 'utf8' });
        if (status === 0) break;
        if (tries === 50) throw new Error(stderr);
        spawnSync('sleep', ['0.1']);
      }
      waitForEnd(at);
    },
  };
}

/** Until no process serves this mount point any more: it would take time from the next one. */
function waitForEnd(at: string): void {
  for (let tries = 0; processesOf(at).length > 0 && tries < 200; tries++) spawnSync('sleep', ['0.01']);
}

/** Processes with the mount point among their arguments, without ourselves. */
export function processesOf(at: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(at);
      } catch {
        return false;
      }
    });
}

export function pstorefuse(name: string, command: string, transport: string, options: readonly string[]): Contender {
  return mounted(name, ({ image }, at) => [
    process.execPath,
    command,
    image,
    at,
    '--transport',
    transport,
    ...options.flatMap((option) => ['-o', option]),
  ]);
}

/** @param command path of the command pstorefuse */
export function contenders(command: string): Contender[] {
  return [
    pstorefuse('dev-fuse', command, 'dev-fuse', []),
    pstorefuse('dev-fuse,ro', command, 'dev-fuse', ['ro']),
    pstorefuse('fuse-native', command, 'fuse-native', []),
    mounted('squashfuse', ({ squashfs }, at) => ['squashfuse', squashfs, at]),
    mounted('squashfuse_ll', ({ squashfs }, at) => ['squashfuse_ll', squashfs, at]),
    mounted('bindfs', ({ folder }, at) => ['bindfs', folder, at]),
    { name: 'plain', mount: () => {}, folder: ({ folder }) => folder, unmount: () => {} },
  ];
}

/** The names of a set with its folder in front, for xargs -0. */
export function pathList(set: FileSet, folder: string): string {
  return set.names.map((name) => `${join(folder, name)}\0`).join('');
}
