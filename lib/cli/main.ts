// The command line: which command it is. What it does not need is not loaded: a mount must not wait for it.

import { type Script, startMount } from '../mount/launch.js';
import { completePath } from '../mount/programs.js';
import type { Command } from './command.js';
import { EXIT } from './exit.js';
import { complain } from './print.js';

/** All commands but mount, and what runs one of them. */
export interface Commands {
  /** The one command that is called, or all of them for the help. */
  commandsFor(name: string | undefined): Promise<Command[]>;
  /** @returns the exit status */
  runCommand(argv: readonly string[], commands: readonly Command[], packageFile: string): Promise<number>;
}

/** Where our own files are. */
export interface Installation {
  /** package.json, which has our version. */
  readonly packageFile: string;
  /** Our shell script, which makes mounts. */
  readonly script: Script;
  /** By which name we were called. */
  readonly name: string;
  /** Loads all commands but mount. */
  commands(): Commands;
}

/** Commands beside mount: a name is a command, and a file of that name is `./name`. */
export const COMMAND_NAMES = [
  'umount',
  'ls',
  'cat',
  'explain',
  'archive',
  'export',
  'report',
  'verify',
  'watch',
  'completion',
  'rm',
  'info',
  'record',
  'format',
  'tee',
  'repair',
  'undelete',
  'overlay',
  'scan',
  'vmcoredd-add',
] as const;

export type CommandName = (typeof COMMAND_NAMES)[number];

/** @param argv the arguments after our name. @returns the exit status */
export async function main(argv: readonly string[], installation: Installation): Promise<number> {
  completePath();
  if (!isNewEnough()) return EXIT.UNAVAILABLE;
  if (!hasDirectory()) return EXIT.NO_INPUT;
  const name = argv[0];
  const before = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  const asks = name === 'help' || before.some((arg) => ['-h', '--help', '-V', '--version'].includes(arg));
  if (name === undefined || asks || isCommand(name)) {
    const { commandsFor, runCommand } = installation.commands();
    const words = name === 'help' ? [...argv.slice(1), '--help'] : argv;
    return await runCommand(words, await commandsFor(words[0]), installation.packageFile);
  }
  return await startMount(installation.script, installation.name, argv);
}

const OLDEST_NODE = 20;

/** An older Node lacks functions that we call: it is said, instead of a bug that is none. */
export function isNewEnough(): boolean {
  const { node } = process.versions;
  if (Number.parseInt(node, 10) >= OLDEST_NODE) return true;
  complain(`Node ${OLDEST_NODE} or later is needed, this is ${node}; PSTOREFUSE_NODE=PATH names another one`);
  return false;
}

/** Without a current directory no relative path can be found, and some libraries do not even load: it is said. */
export function hasDirectory(): boolean {
  try {
    process.cwd();
    return true;
  } catch {
    complain('the current directory does not exist any more; change to another one');
    return false;
  }
}

export function isCommand(name: string): name is CommandName {
  return (COMMAND_NAMES as readonly string[]).includes(name);
}
