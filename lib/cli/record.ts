// pstorefuse record: writes a record through the engine, as a kernel would: ring, counter, first line.

import { nowNs } from '#platform';
import { COMPRESSIONS } from '../compress/codec.js';
import { LIMIT_FACTOR } from '../compress/decompress.js';
import { PstoreError } from '../errors.js';
import type { Backend, NewRecord } from '../pstore/backend.js';
import { recordBytes } from '../pstore/content.js';
import { reasonNumber } from '../pstore/record-type.js';
import { type Arguments, type Command, EXIT, openAll, sourceOptions, writerOf } from './command.js';
import { complain } from './print.js';
import { stdinChunks, stdinTail } from './stdin.js';

const TYPES = ['dmesg', 'console', 'pmsg', 'tty'] as const;
const STORED = [...COMPRESSIONS, 'none'];

export const record: Command = {
  usage: 'record <source>',
  summary: 'Write a record from standard input',
  examples: [
    ['$0 record mmcblk0p7.raw --reason oops < log', 'a dmesg record in the next zone of the ring'],
    ['$0 record mmcblk0p7.raw --type pmsg < text', 'append to the pmsg ring'],
  ],
  build: (yargs) =>
    sourceOptions(yargs)
      .option('type', { type: 'string', requiresArg: true, describe: `${TYPES.join(', ')}; default dmesg` })
      .option('reason', {
        type: 'string',
        requiresArg: true,
        describe: 'oops, panic, emergency, shutdown, oom (dmesg)',
      })
      .option('compress', {
        type: 'string',
        requiresArg: true,
        describe: `${STORED.join(', ')}; default deflate (dmesg)`,
      })
      .option('time', { type: 'string', requiresArg: true, describe: 'ISO time of the record; default now (dmesg)' })
      .option('part', {
        type: 'string',
        requiresArg: true,
        describe: 'which part of a dump it is: kernels keep only part 1 (dmesg)',
      }),
  run: (args) => {
    const type = args.choice('type', TYPES) ?? 'dmesg';
    const fixed = type === 'dmesg' ? dmesgOptions(args) : ringOptions(args);
    const opened = openAll(args, [args.text('source')!], 'must');
    try {
      const { backend } = opened.mounted[0]!;
      const write = writerOf(backend);
      if (type === 'dmesg') {
        const { bytes: data, total } = stdinTail(mostText(backend.space().bytes));
        if (total === 0) {
          const sentence = `standard input is empty: no record is written to ${backend.path}`;
          throw new PstoreError('EINVAL', sentence, { exit: EXIT.NO_INPUT });
        }
        const before = generations(backend);
        write({ ...fixed, type, data });
        sayWhatIsKept(backend, before, data, total);
      } else for (const data of stdinChunks()) write({ ...fixed, type, data });
    } finally {
      opened.close();
    }
    return EXIT.OK;
  },
};

/** No record's text is longer than this; the end of a longer log is what counts. */
function mostText(bytes: number): number {
  return LIMIT_FACTOR * bytes;
}

function generations(backend: Backend): number[] {
  return Array.from({ length: backend.slots }, (_, slot) => backend.generation(slot));
}

/** A log that is longer than a record is kept in part. @param before generations() before it was written */
function sayWhatIsKept(backend: Backend, before: readonly number[], log: Uint8Array, total: number): void {
  const slot = generations(backend).findIndex((generation, i) => generation !== before[i]);
  if (slot < 0 || !backend.record(slot)) return;
  const kept = keptOf(Buffer.from(recordBytes(backend, slot)), Buffer.from(log));
  if (kept === undefined || kept === total) return;
  complain(`${backend.path}: the last ${kept} of ${total} bytes are kept: the record has no room for more`);
}

/** Lines that stand in front of the log in a record, and the notice of ECC after it, have fewer bytes. */
const MAX_LINES = 200;

/** Bytes of the log's end that stand in a record's text; undefined where none is found. */
function keptOf(text: Buffer, log: Buffer): number | undefined {
  const mark = ' Part1\n';
  const from = text.subarray(0, MAX_LINES).indexOf(mark) + mark.length;
  for (let to = text.length; to >= Math.max(from, text.length - MAX_LINES); to--) {
    const part = text.subarray(from, to);
    if (part.length <= log.length && part.equals(log.subarray(log.length - part.length))) return part.length;
  }
  return undefined;
}

type Fixed = Pick<NewRecord, 'reason' | 'timeNs' | 'compress' | 'part'>;

function dmesgOptions(args: Arguments): Fixed {
  const name = args.text('reason');
  if (name === undefined) throw new PstoreError('EINVAL', 'give --reason oops, panic, emergency, shutdown or oom');
  const reason = reasonNumber(name);
  if (reason === undefined)
    throw new PstoreError('EINVAL', `--reason ${name}: known are oops, panic, emergency, shutdown, oom`);
  const time = args.text('time');
  return {
    reason,
    timeNs: time === undefined ? nowNs() : parseTime(time),
    compress: args.choice('compress', STORED) ?? 'deflate',
    part: partOf(args.text('part')),
  };
}

/** @throws PstoreError EINVAL */
function partOf(text = '1'): number {
  if (!/^[1-9]\d{0,5}$/.test(text))
    throw new PstoreError('EINVAL', `--part ${text}: give the number of the part, from 1`);
  return Number(text);
}

function ringOptions(args: Arguments): Fixed {
  for (const name of ['reason', 'time', 'compress', 'part']) {
    if (args.text(name) !== undefined) throw new PstoreError('EINVAL', `--${name} goes with --type dmesg only`);
  }
  return { reason: 0, timeNs: 0n, compress: 'none' };
}

/** ISO 8601 with up to nine decimals, or @SECONDS[.decimals]; without a zone it is UTC. @throws PstoreError EINVAL */
function parseTime(text: string): bigint {
  const seconds = /^@(-?\d{1,12})(?:\.(\d{1,9}))?$/.exec(text);
  if (seconds) return BigInt(seconds[1]!) * 1_000_000_000n + fraction(seconds[2]);
  const iso = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(?:[.,](\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?$/.exec(
    text,
  );
  const ms = iso ? Date.parse(`${iso[1]}T${iso[2] ?? '00:00'}${iso[4] ?? 'Z'}`) : Number.NaN;
  // Of a day that its month does not have, Date makes one of the next month.
  if (Number.isNaN(ms) || !isDay(iso![1]!)) {
    throw new PstoreError('EINVAL', `--time ${text}: give an ISO time such as 2026-11-21T08:15:00.25Z, or @SECONDS`);
  }
  return BigInt(ms) * 1_000_000n + fraction(iso![3]);
}

function isDay(date: string): boolean {
  return new Date(`${date}T00:00Z`).toISOString().startsWith(date);
}

function fraction(digits: string | undefined): bigint {
  return digits === undefined ? 0n : BigInt(digits.padEnd(9, '0'));
}
