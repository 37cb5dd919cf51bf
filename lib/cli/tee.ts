// pstorefuse tee: standard input, or what a command prints on a terminal of its own, goes through to standard output, and
// the last of it is kept in a ring.

import { spawn } from 'node:child_process';
import { PstoreError } from '../errors.js';
import { environment, findProgram } from '../mount/programs.js';
import type { NewRecord } from '../pstore/backend.js';
import { reasonOf } from '../storage/file.js';
import { type Arguments, type Command, EXIT, type Opened, openAll, sourceOptions, writerOf } from './command.js';
import { complain, OutputClosed, OutputFailed, print } from './print.js';
import { orSilence, stdinAsItComes } from './stdin.js';

const TYPES = ['tty', 'pmsg', 'console'] as const;
const NEWLINE = 10;
/** A line longer than this is kept in pieces. */
const LONGEST_LINE = 64 << 10;
/** A line that is not finished after so long is kept: a prompt may be the last that there is. */
const SILENCE_MS = 100;

export const tee: Command = {
  usage: 'tee <source> [--pty -- <command..>]',
  pattern: 'tee <source> [command..]',
  summary: 'Pass standard input through, and keep the last of it in a ring',
  examples: [
    ['some-installer | $0 tee --type tty mmcblk0p7.raw', 'what was on the terminal survives'],
    ['$0 tee --pty mmcblk0p7.raw -- some-installer', 'the same, and the command has a terminal'],
  ],
  build: (yargs) =>
    sourceOptions(yargs)
      .option('type', {
        type: 'string',
        requiresArg: true,
        describe: `${TYPES.join(', ')}; default tty`,
      })
      .option('pty', { type: 'boolean', describe: 'run the command after -- with a terminal (util-linux: script)' }),
  run: async (args) => {
    const type = args.choice('type', TYPES) ?? 'tty';
    const input = inputOf(args);
    // As with tee(1): what fails is said, and what comes through the pipe goes on.
    let failure: PstoreError | OutputFailed | undefined;
    const succeeds = (act: () => void): boolean => {
      try {
        act();
        return true;
      } catch (error) {
        if (!(error instanceof PstoreError || error instanceof OutputFailed)) throw error;
        complain(error.message);
        failure ??= error;
        return false;
      }
    };
    const ring: { source?: Opened; write?: (record: NewRecord) => void } = {};
    succeeds(() => {
      ring.source = openAll(args, [args.text('source')!], 'must');
      ring.write = writerOf(ring.source.mounted[0]!.backend);
    });
    try {
      await passThrough(
        input.chunks,
        (data) => {
          if (!succeeds(() => ring.write?.({ type, reason: 0, timeNs: 0n, compress: 'none', data }))) delete ring.write;
        },
        (data) => succeeds(() => print(data)),
      );
    } finally {
      ring.source?.close();
    }
    const status = await input.status();
    return failure?.exit ?? status;
  },
};

/** What goes through, and the exit status of who made it. */
interface Input {
  readonly chunks: AsyncIterable<Uint8Array>;
  status(): Promise<number>;
}

/** @throws PstoreError EINVAL for a command without --pty and the other way round; ENOENT without the program script */
function inputOf(args: Arguments): Input {
  const command = args.list('command');
  const isPty = args.flag('pty');
  if (isPty !== command.length > 0) {
    throw new PstoreError('EINVAL', `--pty and a command after -- go together: pstorefuse ${tee.usage}`);
  }
  if (!isPty) return { chunks: stdinAsItComes(), status: async () => EXIT.OK };
  const script = findProgram('script');
  if (script === undefined) {
    const sentence =
      'tee --pty needs the program script, which is not installed: it is a part of util-linux (bsdutils)';
    throw new PstoreError('ENOENT', sentence, { exit: EXIT.UNAVAILABLE });
  }
  return onTerminal(script, command);
}

/** Runs a command on a terminal of its own; script(1) passes on what is typed, the window's size, and the exit status. */
function onTerminal(script: string, command: readonly string[]): Input {
  const line = command.map(quoted).join(' ');
  const child = spawn(script, ['--quiet', '--return', '--flush', '--command', line, '/dev/null'], {
    stdio: ['inherit', 'pipe', 'inherit'],
    env: { ...environment(), SHELL: '/bin/sh' },
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', (error) =>
      reject(new PstoreError('EIO', `${script} cannot be run: ${reasonOf(error)}`, { cause: error })),
    );
    child.once('close', (status) => resolve(status ?? EXIT.SOFTWARE));
  });
  ended.catch(() => {});
  return { chunks: child.stdout, status: () => ended };
}

/** As one word for a shell. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * Whole lines are kept at once: a line and its newline are one write. A line that is not finished is kept when nothing
 * more comes for a while.
 * @param show passes on what has come; false when nothing more can be passed on
 */
async function passThrough(
  chunks: AsyncIterable<Uint8Array>,
  keep: (data: Uint8Array) => void,
  show: (data: Uint8Array) => boolean,
): Promise<void> {
  let pending = new Uint8Array(0);
  let reader = true;
  for await (const chunk of orSilence(chunks, SILENCE_MS)) {
    if (chunk === undefined) {
      if (pending.length > 0) keep(pending);
      pending = new Uint8Array(0);
      continue;
    }
    try {
      if (reader) reader = show(chunk);
    } catch (error) {
      // Whoever read along has left; what is kept is the point.
      if (!(error instanceof OutputClosed)) throw error;
      reader = false;
    }
    const text = new Uint8Array(pending.length + chunk.length);
    text.set(pending);
    text.set(chunk, pending.length);
    const end = text.length > LONGEST_LINE ? text.length : text.lastIndexOf(NEWLINE) + 1;
    if (end > 0) keep(text.subarray(0, end));
    pending = text.slice(end);
  }
  if (pending.length > 0) keep(pending);
}
