// The command line of the server, which is a mount's with a word in front.

import { WITH_FUSE } from '../mount/launch.js';
import { mountCommand } from './mount.js';
import { runCommand } from './parse.js';

/** @param argv the arguments of a mount, behind the word that says whether there is a descriptor of /dev/fuse */
export async function serverMain(argv: readonly string[], packageFile: string): Promise<number> {
  const [fuse, ...rest] = argv;
  const args = rest[0] === 'mount' ? rest : ['mount', ...rest];
  return await runCommand(args, [mountCommand(fuse === WITH_FUSE)], packageFile);
}
