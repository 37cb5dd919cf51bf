// A mount for programs that use the library: the command makes it, in processes of its own, so that it goes on when the
// program ends, and a program that reads from its own mount does not wait for itself.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { CODES, type ErrorCode, PstoreError } from '../errors.js';
import { environment } from './programs.js';

export interface MountOptions {
  /** Options of the mount, as after `-o`: `{ ro: '', layout: 'flat' }`. */
  readonly options?: Readonly<Record<string, string>>;
  /** `auto`, `dev-fuse` or `fuse-native`. */
  readonly transport?: string;
  /** The command, where the program is not run from the package's own folder: a bundle must say where it is. */
  readonly command?: string;
}

/** A mount that answers. */
export interface LibraryMount {
  readonly mountPoint: string;
  /** What the command said: a warning a line; which sources could not be opened. */
  readonly messages: readonly string[];
  /** Unmounts, and waits until the images are free again. @throws PstoreError as the command says it */
  unmount(): Promise<void>;
}

/** The mount answers, but without some of its sources. */
const PARTLY = 1;

/**
 * Mounts sources, as `pstorefuse SOURCE... MOUNTPOINT` does.
 * @param sources each a SOURCE: `[BACKEND:]PATH[,key=value]...`; a comma in a path is written twice
 * @returns when the mount answers
 * @throws PstoreError with the sentence of the command, and a code for its exit status
 */
export async function mount(
  sources: string | readonly string[],
  mountPoint: string,
  { options = {}, transport, command = defaultCommand() }: MountOptions = {},
): Promise<LibraryMount> {
  const words = Object.entries(options).map(([key, value]) => (value === '' ? key : `${key}=${value}`));
  const { status, messages } = await run(command, [
    'mount',
    ...(words.length > 0 ? ['-o', words.map((word) => word.replaceAll(',', ',,')).join(',')] : []),
    ...(transport === undefined ? [] : ['--transport', transport]),
    '--',
    ...(typeof sources === 'string' ? [sources] : sources),
    mountPoint,
  ]);
  if (status !== 0 && status !== PARTLY) throw failure(status, messages, mountPoint);
  return {
    mountPoint,
    messages,
    async unmount() {
      const ended = await run(command, ['umount', '--', mountPoint]);
      if (ended.status !== 0) throw failure(ended.status, ended.messages, mountPoint);
    },
  };
}

function defaultCommand(): string {
  return fileURLToPath(new URL('../../bin/pstorefuse.js', import.meta.url));
}

function run(command: string, args: readonly string[]): Promise<{ status: number; messages: string[] }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [command, ...args], { env: environment() }, (error, _, stderr) => {
      const status = typeof error?.code === 'number' ? error.code : error ? CODES.EUNKNOWN.exit : 0;
      resolve({ status, messages: stderr.split('\n').filter((line) => line !== '') });
    });
  });
}

function failure(status: number, messages: readonly string[], path: string): PstoreError {
  const code = (Object.keys(CODES) as ErrorCode[]).find((name) => CODES[name].exit === status) ?? 'EUNKNOWN';
  const last = messages.at(-1)?.replace(/^pstorefuse: (?:error: )?/, '');
  return new PstoreError(code, last ?? `${path}: the command ended with status ${status}`, { path, exit: status });
}
