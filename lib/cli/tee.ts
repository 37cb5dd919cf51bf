// pstorefuse tee: standard input goes through to standard output, and the last of it is kept in a ring.

import { PstoreError } from '../errors.js';
import type { NewRecord } from '../pstore/backend.js';
import { type Command, EXIT, type Opened, openAll, sourceOptions, writerOf } from './command.js';
import { complain, OutputClosed, print } from './print.js';
import { stdinChunks } from './stdin.js';

const TYPES = ['tty', 'pmsg', 'console'] as const;
const NEWLINE = 10;
/** A line longer than this is kept in pieces. */
const LONGEST_LINE = 64 << 10;

export const tee: Command = {
  usage: 'tee <source>',
  summary: 'Pass standard input through, and keep the last of it in a ring',
  examples: [['some-installer | $0 tee --type tty mmcblk0p7.raw', 'what was on the terminal survives']],
  build: (yargs) =>
    sourceOptions(yargs).option('type', {
      type: 'string',
      requiresArg: true,
      describe: `${TYPES.join(', ')}; default tty`,
    }),
  run: (args) => {
    const type = args.choice('type', TYPES) ?? 'tty';
    // As with tee(1): what fails is said, and what comes through the pipe goes on.
    let failure: PstoreError | undefined;
    const succeeds = (act: () => void): boolean => {
      try {
        act();
        return true;
      } catch (error) {
        if (!(error instanceof PstoreError)) throw error;
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
      passThrough(
        (data) => {
          if (!succeeds(() => ring.write?.({ type, reason: 0, timeNs: 0n, compress: 'none', data }))) delete ring.write;
        },
        (data) => succeeds(() => print(data)),
      );
    } finally {
      ring.source?.close();
    }
    return failure?.exit ?? EXIT.OK;
  },
};

/**
 * Whole lines are kept at once: a line and its newline are one write, and a ring never ends in half a line for long.
 * @param show passes on what has come; false when nothing more can be passed on
 */
function passThrough(keep: (data: Uint8Array) => void, show: (data: Uint8Array) => boolean): void {
  let pending = new Uint8Array(0);
  let reader = true;
  for (const chunk of stdinChunks()) {
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
