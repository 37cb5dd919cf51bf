// pstorefuse mount: the server's side of it. The parent, which starts the server and waits for it, is mount/launch.ts.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { PstoreError } from '../errors.js';
import { parseMountOptions, TRANSPORTS } from '../mount/options.js';
import { serve } from '../mount/server.js';
import { type Arguments, type Command, EXIT, mountOptionsOf, sourceOptions } from './command.js';
import { complain } from './print.js';

/** First argument of the server: whether it has got the descriptor of /dev/fuse. */
export const WITH_FUSE = 'fuse';
export const WITHOUT_FUSE = 'no-fuse';

/** @param hasFuse whether descriptor 4 is /dev/fuse */
export function mountCommand(hasFuse: boolean): Command {
  return {
    usage: 'mount <source..>',
    summary: 'Mount sources: [mount] SOURCE... MOUNTPOINT',
    examples: [
      ['$0 mmcblk0p7.raw /mnt', 'every record becomes a file; rm erases it in the image'],
      ['$0 ramoops:mem.bin,ecc=16 pmsg.raw /mnt -o layout=subdirs', 'several sources, a directory each'],
    ],
    build: (yargs) =>
      sourceOptions(yargs)
        .positional('source', { type: 'string', array: true, describe: 'sources, and behind them the mount point' })
        .option('f', { alias: 'foreground', type: 'boolean', describe: 'stay in the foreground' })
        .option('d', { alias: 'debug', type: 'boolean', describe: 'say what is done, and stay in the foreground' })
        .option('s', { type: 'boolean', describe: 'accepted for the sake of other FUSE programs' })
        .option('transport', { choices: TRANSPORTS, describe: 'how to reach the kernel' }),
    run: (args) => runServer(args, hasFuse),
  };
}

async function runServer(args: Arguments, hasFuse: boolean): Promise<number> {
  const positional = args.list('source');
  const mountPoint = positional.pop();
  if (mountPoint === undefined || positional.length === 0) {
    throw new PstoreError('EINVAL', 'give a source and a mount point: pstorefuse SOURCE... MOUNTPOINT');
  }
  if (args.flag('d')) {
    const { default: debug } = await import('debug');
    debug.enable(process.env.DEBUG ?? 'pstorefuse:*');
  }
  const transport = args.text('transport');
  const base = mountOptionsOf(args);
  const mount =
    transport === undefined ? base : { ...base, transport: parseMountOptions([`transport=${transport}`]).transport };
  const complete = await serve({
    sources: positional,
    mountPoint,
    mount,
    hasFuse,
    report: {
      warning: (_, { message }) => complain(`warning: ${message}`),
      failure: ({ error }) => complain(error.message),
      log: complain,
    },
  });
  return complete ? EXIT.OK : EXIT.PARTLY;
}

/** Options whose value is the next argument. */
const WITH_VALUE = new Set(['-o', '--transport', '--backend']);

/** Whether the arguments ask for the foreground: found without a parser, because the parent has to be quick. */
export function wantsForeground(argv: readonly string[]): boolean {
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!;
    if (arg === '--') return false;
    if (WITH_VALUE.has(arg)) i++;
    else if (arg === '--foreground' || arg === '--debug' || /^-[dfs]*[df][dfs]*$/.test(arg)) return true;
  }
  return false;
}

/** mount(8) called us, as mount.fuse or as mount.fuse.pstorefuse: its own exit statuses hold then. */
export function isMountHelper(): boolean {
  if (basename(process.argv[1] ?? '').startsWith('mount.')) return true;
  try {
    return readFileSync(`/proc/${process.ppid}/comm`, 'latin1').trim() === 'mount';
  } catch {
    return false;
  }
}
