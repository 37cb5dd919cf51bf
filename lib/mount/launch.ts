// What stands between the server of a mount and the command that has started it, bin/pstorefuse: how it is started, and
// what it says when the mount answers.

import { spawn } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { environment } from './programs.js';

/** The server writes the exit status of the command here, and closes it: bin/pstorefuse waits for that. */
const READY_FD = 3;
/** Where the command is a Node that has started bin/pstorefuse: it is broken as soon as that Node is gone. */
const STARTER_FD = 4;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const NOT_STARTED = 70;

/** In the environment of bin/pstorefuse and of the server. */
export const Variable = {
  /** The Node that is to be taken. */
  NODE: 'PSTOREFUSE_NODE',
  /** By which name we were called, and by which process. */
  NAME: 'PSTOREFUSE_NAME',
  PARENT: 'PSTOREFUSE_PARENT',
  /** Set where STARTER_FD is open. */
  STARTER: 'PSTOREFUSE_STARTER',
  /** Set where somebody waits at READY_FD. */
  WAITING: 'PSTOREFUSE_WAITING',
  /** The text of bin/pstorefuse, where it is not a file: as an argument it would fill the list of processes. */
  SCRIPT: 'PSTOREFUSE_SCRIPT',
} as const;

const EVALUATE = `script=$${Variable.SCRIPT}; unset ${Variable.SCRIPT}; eval "$script"`;

/** The script bin/pstorefuse: a path, or its text and where it would stand. */
export type Script = string | { readonly text: string; readonly path: string };

/**
 * For who starts us as `node pstorefuse.js`: hands a mount to the script bin/pstorefuse.
 * @param name by which we were called
 * @returns the exit status of the command
 */
export function startMount(script: Script, name: string, args: readonly string[]): Promise<number> {
  const [shell, text] =
    typeof script === 'string' ? [[script], undefined] : [['-c', EVALUATE, script.path], script.text];
  const child = spawn('/bin/sh', [...shell, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ignore', 'pipe'],
    env: {
      ...environment(),
      [Variable.NODE]: process.execPath,
      [Variable.NAME]: name,
      [Variable.PARENT]: String(process.ppid),
      [Variable.STARTER]: '1',
      [Variable.SCRIPT]: text,
    },
  });
  for (const signal of SIGNALS) process.on(signal, () => child.kill('SIGTERM'));
  return new Promise((resolve) => {
    child.on('error', () => resolve(NOT_STARTED));
    child.on('exit', (status) => resolve(status ?? NOT_STARTED));
  });
}

/** For the server: the descriptors that nobody reads from any more when the command that waits is killed. */
export function startersFds(): number[] {
  if (process.env[Variable.WAITING] === undefined) return [];
  return process.env[Variable.STARTER] === undefined ? [READY_FD] : [READY_FD, STARTER_FD];
}

/**
 * Tells the command how it ends, and lets go of its terminal.
 * @returns false when it was killed in the meantime: then nobody knows of this mount
 */
export function tellStarter(status: number): boolean {
  if (process.env[Variable.WAITING] === undefined) return true;
  try {
    if (process.env[Variable.STARTER] !== undefined) writeSync(STARTER_FD, '\n');
    writeSync(READY_FD, `${status}\n`);
  } catch {
    return false;
  }
  delete process.env[Variable.WAITING];
  // Standard error becomes /dev/null, as the others are: whoever reads it waits for its end.
  closeSync(2);
  openSync('/dev/null', 'w');
  closeSync(READY_FD);
  if (process.env[Variable.STARTER] !== undefined) closeSync(STARTER_FD);
  return true;
}
