// The command line: which command it is. What it does not need is not loaded: a mount must not wait for it.

import { launch } from '../mount/launch.js';
import { completePath } from '../mount/programs.js';
import { EXIT } from './exit.js';
import { helperArguments, helperStatus, isMountHelper, wantsForeground } from './mount-call.js';
import { complain, relay } from './print.js';

/** Where our own files are. */
export interface Installation {
  /** package.json, which has our version. */
  readonly packageFile: string;
  /** Script of the server. */
  readonly server: string;
  /** Loads all commands but mount. */
  commands(): typeof import('./commands.js');
}

/** Commands beside mount: a name is a command, and a file of that name is `./name`. */
export const COMMAND_NAMES = [
  'umount',
  'ls',
  'cat',
  'explain',
  'rm',
  'info',
  'record',
  'format',
  'tee',
  'repair',
  'vmcoredd-add',
] as const;

export type CommandName = (typeof COMMAND_NAMES)[number];

/** @param argv the arguments behind our name. @returns the exit status */
export async function main(argv: readonly string[], { packageFile, server, commands }: Installation): Promise<number> {
  completePath();
  if (!hasDirectory()) {
    complain('the current directory does not exist any more; change to another one');
    return EXIT.NO_INPUT;
  }
  const name = argv[0];
  const before = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  const asks = name === 'help' || before.some((arg) => ['-h', '--help', '-V', '--version'].includes(arg));
  if (name === undefined || asks || isCommand(name)) {
    const { commandsFor, runCommand } = commands();
    const words = name === 'help' ? [...argv.slice(1), '--help'] : argv;
    return await runCommand(words, await commandsFor(words[0]), packageFile);
  }
  const isHelper = isMountHelper();
  const args = isHelper ? helperArguments(argv) : argv;
  if (!args) return EXIT.OK;
  const status = await launch({
    server,
    args,
    foreground: wantsForeground(args),
    relay,
    complain,
  });
  return isHelper ? helperStatus(status) : status;
}

/** Without a current directory no relative path can be found, and some libraries do not even load. */
function hasDirectory(): boolean {
  try {
    process.cwd();
    return true;
  } catch {
    return false;
  }
}

export function isCommand(name: string): name is CommandName {
  return (COMMAND_NAMES as readonly string[]).includes(name);
}
