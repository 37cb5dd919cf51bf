// pstorefuse vmcoredd-add: a copy of a vmcore with one more device dump in it, by the kernel's rules.

import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, readSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fromSystem, PstoreError } from '../errors.js';
import { openImage, reasonOf } from '../storage/file.js';
import { writeFully, writeNewFile } from '../storage/new-file.js';
import { openScratch } from '../storage/scratch.js';
import { addDeviceDump, planChunks } from '../vmcore/add.js';
import { type Command, EXIT } from './command.js';
import { complain } from './print.js';
import { stdinChunks } from './stdin.js';

export const vmcoreddAdd: Command = {
  usage: 'vmcoredd-add <vmcore> --name <name> --output <new> [-- <command..>]',
  pattern: 'vmcoredd-add <vmcore> [command..]',
  summary: 'Copy a vmcore with one more device dump, read from standard input or from a command',
  examples: [
    ['$0 vmcoredd-add vmcore --name eth0-firmware --output vmcore.new < dump', 'the vmcore itself stays as it is'],
    [
      '$0 vmcoredd-add vmcore --name eth0 --output new -- ethtool -d eth0',
      'what the command prints is the dump; if it fails, nothing is added',
    ],
  ],
  build: (yargs) =>
    yargs
      .option('name', {
        type: 'string',
        requiresArg: true,
        describe: 'of the device, at most 43 bytes',
      })
      .option('output', {
        type: 'string',
        requiresArg: true,
        describe: 'the new vmcore: must not exist',
      }),
  run: (args) => {
    const name = args.text('name');
    const output = args.text('output');
    if (name === undefined || output === undefined) {
      throw new PstoreError('EINVAL', `give --name and --output: pstorefuse ${vmcoreddAdd.usage}`);
    }
    const vmcore = openImage(args.text('vmcore')!, { mode: 'read' });
    let dump: Dump | undefined;
    try {
      dump = collect(args.list('command'));
      const plan = addDeviceDump(vmcore, name, dump.size);
      const given = Buffer.byteLength(name);
      if (plan.name.length < given) {
        complain(`warning: --name has ${given} bytes: the first ${plan.name.length} are the name, no more are stored`);
      }
      writeNewFile(output, plan.size, planChunks(plan, dump.read));
    } finally {
      dump?.close();
      vmcore.close();
    }
    return EXIT.OK;
  },
};

interface Dump {
  readonly size: number;
  read(target: Uint8Array, position: number): number;
  close(): void;
}

/**
 * The dump, in a temporary file: the plan needs its size before the first byte is written.
 * @param command the collector, whose standard output is the dump; none: standard input is
 */
function collect(command: readonly string[]): Dump {
  const fd = openScratch();
  try {
    if (command.length > 0) runCollector(command, fd);
    else fill(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return {
    size: fstatSync(fd).size,
    read: (target, position) => readSync(fd, target, 0, target.length, position),
    close: () => closeSync(fd),
  };
}

function fill(fd: number): void {
  for (const chunk of stdinChunks()) {
    try {
      writeFully(fd, chunk, null);
    } catch (error) {
      throw notKept(error);
    }
  }
}

function notKept(error: unknown): PstoreError {
  return fromSystem(error, `the dump cannot be kept in ${tmpdir()}: ${reasonOf(error)}`);
}

/** As the kernel's callback: when the collector fails, nothing is added. */
function runCollector([program = '', ...args]: readonly string[], fd: number): void {
  const { error, status, signal } = spawnSync(program, args, { stdio: ['inherit', fd, 'inherit'] });
  if (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such command' : reasonOf(error);
    throw new PstoreError('ENOENT', `${program} cannot be run: ${why}; nothing was added`, { cause: error });
  }
  if (status === 0) return;
  const how = signal === null ? `with status ${status}` : `by ${signal}`;
  throw new PstoreError('EIO', `${program} ended ${how}; nothing was added`);
}
