// The command line of the server, which is a mount's.

import { tellStarter } from '../mount/launch.js';
import { EXIT } from './exit.js';
import { hasDirectory, isNewEnough } from './main.js';
import { mountCommand } from './mount.js';
import { helperArguments, helperStatus, isMountHelper } from './mount-call.js';
import { runCommand } from './parse.js';

/** First argument: take away what a server of this mount that was killed has left behind. */
const CLEAN_UP = '--clean-up';

/**
 * @param argv the arguments of a mount
 * @param onIdle called when the mount has answered, and there is time for other things
 * @returns the exit status, which the command that waits has been told
 */
export async function serverMain(argv: readonly string[], packageFile: string, onIdle: () => void): Promise<number> {
  const statusOf = isMountHelper() ? helperStatus : (status: number) => status;
  const onReady = (status: number) => tellStarter(statusOf(status));
  let status: number = EXIT.UNAVAILABLE;
  if (isNewEnough()) status = hasDirectory() ? await run(argv, packageFile, { onReady, onIdle }) : EXIT.NO_INPUT;
  onReady(status);
  return statusOf(status);
}

async function run(
  argv: readonly string[],
  packageFile: string,
  hooks: { onReady: (status: number) => boolean; onIdle: () => void },
): Promise<number> {
  const isCleaningUp = argv[0] === CLEAN_UP;
  const args = helperArguments(isCleaningUp ? argv.slice(1) : argv);
  // -f of mount(8): all but the mount.
  if (!args) return EXIT.OK;
  const words = args[0] === 'mount' ? args : ['mount', ...args];
  return await runCommand(words, [mountCommand({ ...hooks, isCleaningUp })], packageFile);
}
