// pstorefuse mount: the server's side of it. bin/pstorefuse starts it, and waits for it.

import { PstoreError } from '../errors.js';
import { detachDead } from '../mount/mountpoint.js';
import { MOUNT_OPTIONS, parseTransport, TRANSPORTS } from '../mount/options.js';
import { serve } from '../mount/server.js';
import { didYouMean, nearest } from '../source/nearest.js';
import { parseSource } from '../source/sources.js';
import { sourceKind } from '../storage/file.js';
import { type Arguments, type Command, EXIT, mountOptionsOf, sourceOptions, warn } from './command.js';
import { COMMAND_NAMES } from './main.js';
import { complain } from './print.js';

/** What may stand first that is no source. */
const WORDS: readonly string[] = ['mount', 'help', ...COMMAND_NAMES];

/** What the server's process is to do beside serving. */
export interface Hooks {
  /** Called when the mount answers, with the exit status. @returns false when nobody waits for it any more */
  onReady(status: number): boolean;
  /** Called when the mount has answered, and there is time for other things. */
  onIdle(): void;
  /** Only what a killed server has left behind is taken away. */
  readonly isCleaningUp: boolean;
}

/** For the help: nothing is mounted by it. */
const NO_HOOKS: Hooks = { onReady: () => true, onIdle: () => {}, isCleaningUp: false };

export function mountCommand(hooks = NO_HOOKS): Command {
  return {
    usage: '[mount] <source..> <mountpoint>',
    // yargs takes the first word for the command's name.
    pattern: 'mount <source..>',
    summary: 'Mount sources: [mount] SOURCE... MOUNTPOINT',
    examples: [
      ['$0 mmcblk0p7.raw /mnt', 'every record becomes a file'],
      ['$0 ramoops:mem.bin,ecc=16 pmsg.raw /mnt', 'a directory for each source'],
      ['$0 mmcblk0p7.raw /mnt -o ro,uid=1000', 'nothing is erased'],
    ],
    build: (yargs) =>
      sourceOptions(yargs)
        .option('f', { alias: 'foreground', type: 'boolean', describe: 'stay in the foreground' })
        .option('d', { alias: 'debug', type: 'boolean', describe: 'the same, and say what is done' })
        .option('s', { type: 'boolean', describe: 'accepted, as by other FUSE programs' })
        .option('transport', { type: 'string', requiresArg: true, describe: TRANSPORTS.join(', ') })
        .epilogue(`Options of the mount, which may also stand after -o: ${MOUNT_OPTIONS.join(', ')}.`),
    run: (args) => runServer(args, hooks),
  };
}

async function runServer(args: Arguments, hooks: Hooks): Promise<number> {
  const positional = args.list('source');
  const mountPoint = positional.pop()!;
  if (hooks.isCleaningUp) {
    detachDead(mountPoint);
    return EXIT.OK;
  }
  if (positional.length === 0) throw new PstoreError('EINVAL', alone(mountPoint));
  const [first] = positional;
  // `catt image.raw NAME` is no mount, nor is `lss image.raw`, nor a mistyped command with a folder after it.
  const isMount = positional.length > 1 && isFolder(mountPoint) && nearest(first!, WORDS) === undefined;
  if (!isMount && /^[a-z][a-z-]*$/i.test(first!) && isMissing(first!)) {
    throw new PstoreError('EINVAL', noCommand(first!));
  }
  if (positional.some((source) => IS_STANDARD_INPUT.test(source))) {
    throw new PstoreError('EINVAL', 'a mount has no standard input: copy it into a file first, and mount that');
  }
  const transport = args.text('transport');
  const base = mountOptionsOf(args);
  return await serve({
    sources: positional,
    mountPoint,
    mount: transport === undefined ? base : { ...base, transport: parseTransport(transport) },
    hooks,
    report: {
      warnings: warn,
      failure: ({ error }) => complain(error.message),
      log: complain,
      debug: args.flag('d') ? await debugOutput() : undefined,
    },
  });
}

/** As a SOURCE; what serves the mount goes on without it. */
const IS_STANDARD_INPUT = /^([a-z_-]+:)?-(,|$)/;

/** What a single argument was taken for, when it is all there is. */
function alone(word: string): string {
  const form = 'pstorefuse SOURCE... MOUNTPOINT';
  const { path } = parseSource(word);
  if (isMissing(path)) return noCommand(word);
  return `${word} is taken for a source, and the mount point after it is missing: ${form}`;
}

function noCommand(word: string): string {
  if (WORDS.includes(word)) return `the command ${word} stands before its options: pstorefuse ${word} …`;
  const advice = didYouMean(word, WORDS, 'see pstorefuse --help');
  return `${word} is neither a command nor a file; ${advice}`;
}

function isMissing(path: string): boolean {
  try {
    sourceKind(path);
    return false;
  } catch (error) {
    return error instanceof PstoreError && error.code === 'ENOENT';
  }
}

function isFolder(path: string): boolean {
  try {
    return sourceKind(path) === 'folder';
  } catch {
    return false;
  }
}

async function debugOutput(): Promise<(line: string) => void> {
  const { default: debug } = await import('debug');
  debug.enable(process.env.DEBUG ?? 'pstorefuse:*');
  const log = debug('pstorefuse:mount');
  return (line) => log('%s', line);
}
