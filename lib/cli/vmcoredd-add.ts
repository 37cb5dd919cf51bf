// pstorefuse vmcoredd-add: a copy of a vmcore with one more device dump in it, by the kernel's rules.

import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromSystem, PstoreError } from '../errors.js';
import { openImage, reasonNotMade, reasonOf } from '../storage/file.js';
import { addDeviceDump, planChunks } from '../vmcore/add.js';
import { type Command, EXIT } from './command.js';
import { complain } from './print.js';
import { stdinChunks } from './stdin.js';

export const vmcoreddAdd: Command = {
  usage: 'vmcoredd-add <vmcore> --name <name> --output <new>',
  pattern: 'vmcoredd-add <vmcore>',
  summary: 'Copy a vmcore with one more device dump, read from standard input',
  examples: [
    ['$0 vmcoredd-add vmcore --name eth0-firmware --output vmcore.new < dump', 'the vmcore itself stays as it is'],
  ],
  build: (yargs) =>
    yargs
      .option('name', {
        type: 'string',
        requiresArg: true,
        describe: 'of the device, at most 44 bytes',
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
      throw new PstoreError('EINVAL', `give --name and --output: pstorefuse ${vmcoreddAdd.usage} < dump`);
    }
    const vmcore = openImage(args.text('vmcore')!, { mode: 'read' });
    const dump = spoolStdin();
    try {
      const plan = addDeviceDump(vmcore, name, dump.size);
      const given = Buffer.byteLength(name);
      if (plan.name.length < given) {
        complain(`warning: --name has ${given} bytes: the first ${plan.name.length} are the name, no more are stored`);
      }
      writeNew(output, plan.size, planChunks(plan, vmcore, dump.read));
    } finally {
      dump.close();
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

/** The plan needs the size before the first byte is written: what comes through a pipe is kept in a temporary file. */
function spoolStdin(): Dump {
  const path = join(tmpdir(), `pstorefuse-${process.pid}-dump`);
  try {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    unlinkSync(path);
    for (const chunk of stdinChunks()) writeFully(fd, chunk, null);
    return {
      size: fstatSync(fd).size,
      read: (target, position) => readSync(fd, target, 0, target.length, position),
      close: () => closeSync(fd),
    };
  } catch (error) {
    throw fromSystem(error, `the dump cannot be kept in ${tmpdir()}: ${reasonOf(error)}`);
  }
}

/** Zeros are left out, so that a sparse vmcore stays sparse. A file that could not be finished does not stay. */
function writeNew(path: string, size: number, chunks: Iterable<Uint8Array>): void {
  let fd: number;
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  } catch (error) {
    const there = (error as NodeJS.ErrnoException).code === 'EEXIST';
    const why = there ? 'is there already; name a new file' : `cannot be made: ${reasonNotMade(error)}`;
    throw new PstoreError('EEXIST', `${path} ${why}`, { path, cause: error });
  }
  try {
    ftruncateSync(fd, size);
    let position = 0;
    for (const chunk of chunks) {
      if (chunk.some((byte) => byte !== 0)) writeFully(fd, chunk, position);
      position += chunk.length;
    }
  } catch (error) {
    unlinkSync(path);
    throw fromSystem(error, `${path} cannot be written: ${reasonOf(error)}`, { path });
  } finally {
    closeSync(fd);
  }
}

function writeFully(fd: number, bytes: Uint8Array, position: number | null): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, position === null ? null : position + done);
  }
}
