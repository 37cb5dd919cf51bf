// Real mounts for tests: made by the command itself, touched only from other processes, with time limits, and taken
// away again whatever happens.

import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { goldenImage, ROOT } from './fixture-path.js';

/** What npm links. */
export const SCRIPT = join(ROOT, 'dist', 'bin', 'pstorefuse');
/** The same for who calls Node by himself. */
export const PROGRAM = join(ROOT, 'dist', 'bin', 'pstorefuse.js');

/** Every process that may touch a mount gets this long. */
const LIMIT_MS = 20_000;

export const TRANSPORTS = ['fuse-native', 'dev-fuse'] as const;

/** tap makes every Node that a test starts load its own modules, and write where only the test may: not ours. */
const PLAIN = ['/usr/bin/env', '-u', 'NODE_OPTIONS', `PSTOREFUSE_NODE=${process.execPath}`] as const;

function plain(program: string, args: readonly string[]): [string, string[]] {
  return [PLAIN[0], [...PLAIN.slice(1), program, ...args]];
}

/** Runs a program to its end. */
export function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; input?: string | Uint8Array } = {},
) {
  return spawnSync(...plain(program, args), {
    encoding: 'latin1',
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: 1 << 28,
    ...(options as { cwd?: string; input?: string }),
  });
}

/** Runs pstorefuse. */
export function pstorefuse(...args: string[]): SpawnSyncReturns<string> {
  return run(SCRIPT, args);
}

/** How a program ended, and what it said. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CallOptions {
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a program beside the test, to its end. */
export function call(program: string, args: readonly string[], options: CallOptions = {}): Promise<Ended> {
  const { input, ...rest } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(...plain(program, args), { ...rest, timeout: LIMIT_MS, killSignal: 'SIGKILL' });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('latin1').on('data', (text: string) => {
        said[name] += text;
      });
    }
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, ...said }));
    // A program may end without reading it.
    child.stdin.on('error', () => {}).end(input ?? '');
  });
}

/** Runs pstorefuse beside the test. */
export function pstorefuseBeside(args: readonly string[], options: CallOptions = {}): Promise<Ended> {
  return call(SCRIPT, args, options);
}

/** Does something with each, at most `width` at a time. */
export async function eachOf<T>(items: readonly T[], act: (item: T) => Promise<void>, width = 3): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await act(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** A shell command's output. @throws with what it said, when it fails */
export function shell(script: string, cwd?: string): string {
  const { status, stdout, stderr } = run('sh', ['-c', script], cwd === undefined ? {} : { cwd });
  if (status !== 0) throw new Error(`${script}\nstatus ${status}: ${stderr}`);
  return stdout;
}

/** A folder that is gone after the test. */
export function scratchFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'pstorefuse-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A golden image as a file of its own. */
export function imageFile(folder: string, golden: string, name = 'image.raw'): string {
  const path = join(folder, `${golden}.raw`);
  writeFileSync(path, goldenImage(golden, name));
  return path;
}

/** Mounts, and unmounts after the test. @returns the mount point */
export function mounted(t: Test, sources: readonly string[], options: readonly string[] = []): string {
  const mountPoint = join(scratchFolder(t), 'mnt');
  mkdirSync(mountPoint);
  t.teardown(() => unmountHard(mountPoint));
  const { status, stderr } = pstorefuse('mount', ...sources, mountPoint, ...options);
  if (status !== 0) throw new Error(`mount of ${sources.join(' ')}: status ${status}: ${stderr}`);
  return mountPoint;
}

export function isMounted(mountPoint: string): boolean {
  return readFileSync('/proc/self/mounts', 'latin1').includes(` ${mountPoint} `);
}

/** For the end of a test, however it went. */
export function unmountHard(mountPoint: string): void {
  if (isMounted(mountPoint)) run('umount', ['-l', mountPoint]);
}

/** Names of a folder, sorted. */
export function names(folder: string): string[] {
  return shell(`ls -1 '${folder}'`).split('\n').filter(Boolean).sort();
}

/** A program that runs beside the test, with its output and its end. */
export function beside(program: string, args: readonly string[]): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(...plain(program, args), {
      timeout: 60_000,
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const add = (text: Buffer) => {
      output += text.toString('latin1');
    };
    child.stdout.on('data', add);
    child.stderr.on('data', add);
    child.on('close', (status) => resolve({ status, output }));
  });
}
