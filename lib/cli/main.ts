// The command line: which command it is. What it does not need is not loaded: a mount must not wait for it.

import { launch } from '../mount/launch.js';
import { completePath } from '../mount/programs.js';
import type { Command } from './command.js';
import { EXIT } from './exit.js';
import { helperArguments, helperStatus, isMountHelper, wantsForeground } from './mount-call.js';
import { complain, relay } from './print.js';

/** Where our own files are. */
export interface Installation {
  /** package.json, which has our version. */
  readonly packageFile: string;
  /** Script of the server. */
  readonly server: string;
}

/** Commands beside mount: a name is a command, and a file of that name is `./name`. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  umount: async () => (await import('./umount.js')).umount,
  ls: async () => (await import('./ls.js')).ls,
  cat: async () => (await import('./cat.js')).cat,
  rm: async () => (await import('./rm.js')).rm,
  info: async () => (await import('./info.js')).info,
  record: async () => (await import('./record.js')).record,
  format: async () => (await import('./format.js')).format,
  tee: async () => (await import('./tee.js')).tee,
  repair: async () => (await import('./repair.js')).repair,
  'vmcoredd-add': async () => (await import('./vmcoredd-add.js')).vmcoreddAdd,
};

/** @param argv the arguments behind our name. @returns the exit status */
export async function main(argv: readonly string[], { packageFile, server }: Installation): Promise<number> {
  completePath();
  const name = argv[0];
  const before = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  const asks = before.some((arg) => ['-h', '--help', '-V', '--version'].includes(arg));
  if (name === undefined || asks || Object.hasOwn(COMMANDS, name)) {
    const { runCommand } = await import('./parse.js');
    return await runCommand(argv, await commandsFor(name), packageFile);
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

/** The one command that is called, or all of them for the help. */
async function commandsFor(name: string | undefined): Promise<Command[]> {
  if (name !== undefined && Object.hasOwn(COMMANDS, name)) return [await COMMANDS[name]!()];
  const { mountCommand } = await import('./mount.js');
  if (name === 'mount') return [mountCommand(false)];
  const others = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  return [mountCommand(false), ...others];
}
