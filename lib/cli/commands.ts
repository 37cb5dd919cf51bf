// All commands, each loaded when it is called.

import type { Command } from './command.js';
import { type CommandName, isCommand } from './main.js';

export { runCommand } from './parse.js';

const COMMANDS: Readonly<Record<CommandName, () => Promise<Command>>> = {
  umount: async () => (await import('./umount.js')).umount,
  ls: async () => (await import('./ls.js')).ls,
  cat: async () => (await import('./cat.js')).cat,
  explain: async () => (await import('./explain.js')).explain,
  archive: async () => (await import('./archive.js')).archive,
  export: async () => (await import('./export.js')).exportCommand,
  report: async () => (await import('./report.js')).report,
  verify: async () => (await import('./verify.js')).verify,
  watch: async () => (await import('./watch.js')).watch,
  completion: async () => (await import('./completion.js')).completionCommand(() => commandsFor(undefined)),
  rm: async () => (await import('./rm.js')).rm,
  info: async () => (await import('./info.js')).info,
  record: async () => (await import('./record.js')).record,
  format: async () => (await import('./format.js')).format,
  tee: async () => (await import('./tee.js')).tee,
  repair: async () => (await import('./repair.js')).repair,
  undelete: async () => (await import('./undelete.js')).undelete,
  overlay: async () => (await import('./overlay.js')).overlay,
  scan: async () => (await import('./scan.js')).scan,
  'vmcoredd-add': async () => (await import('./vmcoredd-add.js')).vmcoreddAdd,
};

/** The one command that is called, or all of them for the help. */
export async function commandsFor(name: string | undefined): Promise<Command[]> {
  if (name !== undefined && isCommand(name)) return [await COMMANDS[name]()];
  const { mountCommand } = await import('./mount.js');
  if (name === 'mount') return [mountCommand()];
  const others = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  return [mountCommand(), ...others];
}
