// pstorefuse watch: tells of records as they come.

import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { PstoreError } from '../errors.js';
import { refuseMountOptions } from '../mount/options.js';
import { type Dump, dumpChunks, dumpsOf, isLog, timeOf } from '../triage/dump.js';
import { writer } from '../triage/explain.js';
import { crashOf, explainDump } from '../triage/explained.js';
import { colorOption, isColored, painter } from './color.js';
import { type Arguments, type Command, EXIT, type Listed, mountOptionsOf, sourceOptions } from './command.js';
import { dumpPiece } from './export-records.js';
import { columnsOf, type Row } from './ls-table.js';
import { complain, print, printable } from './print.js';
import { clockOf, clockOptions, countOf } from './select.js';
import { Table } from './table.js';
import { type Seen, WatchedSource } from './watched.js';

const DEFAULT_SECONDS = 1;
const STDERR = 2;

export const watch: Command = {
  usage: 'watch <source..>',
  summary: 'Tell of new records as they come',
  examples: [
    ['$0 watch /dev/mmcblk0p7', 'a line for each new record'],
    ['$0 watch --ndjson *.raw', 'the objects of export'],
    ['$0 watch image.raw --exec \'mail -s "$PSTORE_TITLE" lab\'', 'the text is on standard input'],
  ],
  details: [
    'What is there at the beginning is not new. A source may go, come again, or be replaced by another file: that is ' +
      'told on standard error, and a record that was told of is not told of again. What a source holds that was not ' +
      'there at the beginning is new when it comes. A file that is being written is looked at when it has not changed ' +
      'for one interval, or at the latest after three. A ring (console, pmsg, …) is told of when it appears.',
    '--exec runs a command by sh -c for each dump, one after the other, with the text on its standard input and in its ' +
      'environment PSTORE_PATH, PSTORE_NAME, PSTORE_TYPE, PSTORE_REASON, PSTORE_COUNT, PSTORE_TIME, PSTORE_TITLE, ' +
      'PSTORE_KIND, PSTORE_FUNCTION, PSTORE_SIGNATURE, PSTORE_KERNEL, PSTORE_MACHINE and PSTORE_VERDICT: what is not ' +
      'known is empty. The values come from an image: quote them, and let no shell evaluate them.',
    'It ends with -n records, or by SIGINT or SIGTERM, with status 0; with 1 where a command of --exec failed.',
  ],
  build: (yargs) =>
    colorOption(clockOptions(sourceOptions(yargs)))
      .option('ndjson', { type: 'boolean', describe: 'one object a line, as export has it' })
      .option('exec', { type: 'string', requiresArg: true, describe: 'a command for each record, instead of a line' })
      .option('interval', { type: 'string', requiresArg: true, describe: `seconds between looks (${DEFAULT_SECONDS})` })
      .option('n', { type: 'string', requiresArg: true, describe: 'end after so many' }),
  run: async (args) => {
    refuseMountOptions(args.list('o'));
    const { sourceKeys: sharedKeys, strict } = mountOptionsOf(args);
    const options = { sharedKeys, mode: 'read', strict } as const;
    const interval = intervalOf(args);
    const sources = args.list('source').map((text) => new WatchedSource(text, options));
    const output = new Output(args, sources.length > 1);
    const stopped = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stopped.abort());
    // Whoever sees nothing would not know that it works.
    if (isatty(STDERR)) complain(`watching ${args.list('source').join(' ')}: new records are told; Ctrl-C ends it`);
    while (!stopped.signal.aborted && !output.isDone) {
      for (const source of sources) {
        if (!output.isDone) source.look((seen) => output.show(seen), complain);
      }
      if (!output.isDone) await sleep(interval * 1000, undefined, { signal: stopped.signal }).catch(() => {});
    }
    return output.failed ? EXIT.PARTLY : EXIT.OK;
  },
};

function intervalOf(args: Arguments): number {
  const text = args.text('interval') ?? String(DEFAULT_SECONDS);
  const seconds = /^\d{1,6}(?:\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  if (seconds > 0) return seconds;
  throw new PstoreError('EINVAL', `--interval ${text}: give seconds, such as 0.5 or 10`);
}

/** Where new records are told of. */
class Output {
  failed = false;
  readonly #args: Arguments;
  readonly #several: boolean;
  readonly #command: string | undefined;
  readonly #most: number;
  #count = 0;
  #head = '';

  constructor(args: Arguments, several: boolean) {
    this.#args = args;
    this.#several = several;
    this.#command = args.text('exec');
    this.#most = countOf(args.text('n'), 'n') ?? Number.POSITIVE_INFINITY;
  }

  get isDone(): boolean {
    return this.#count >= this.#most;
  }

  show({ source, records }: Seen): void {
    const dumps = dumpsOf(records).slice(0, this.#most - this.#count);
    this.#count += dumps.length;
    const asObjects = this.#args.flag('ndjson');
    for (const dump of asObjects ? dumps : []) print(dumpPiece(dump, source, 'ndjson'));
    const command = this.#command;
    if (command !== undefined) for (const dump of dumps) this.#run(command, dump);
    else if (!asObjects) this.#printLines(dumps);
  }

  #printLines(dumps: readonly Dump<Listed>[]): void {
    const paint = painter(isColored(this.#args));
    const rows: Row[] = dumps.map((dump) => ({ dump, crash: crashOf(dump), matches: [] }));
    const table = new Table(columnsOf(clockOf(this.#args), paint, this.#several), rows);
    const head = table.head().join('\n');
    // Only where the columns stand elsewhere than before.
    if (head !== this.#head) print(`${paint(head, 'head')}\n`);
    this.#head = head;
    for (const row of rows) print(`${table.lines(row).join('\n')}\n`);
  }

  #run(command: string, dump: Dump<Listed>): void {
    const { error, status, signal } = spawnSync('sh', ['-c', command], {
      input: Buffer.concat([...dumpChunks(dump)]),
      stdio: ['pipe', 'inherit', 'inherit'],
      env: { ...process.env, ...variables(dump) },
    });
    // A command need not read its input.
    const isUnread = (error as NodeJS.ErrnoException | undefined)?.code === 'EPIPE';
    if (status === 0 && (!error || isUnread)) return;
    this.failed = true;
    const how =
      status === null ? (signal === null ? String(error?.message) : `was ended by ${signal}`) : `ended with ${status}`;
    complain(`${command} ${how}, for ${dump.parts[0].kept.record.name}`);
  }
}

/** A variable of the environment has no NUL, and has its limits. */
const MAX_VALUE = 4096;

function variables(dump: Dump<Listed>): Record<string, string> {
  const { mounted, record } = dump.parts.at(-1)!.kept;
  const explained = isLog(record) ? explainDump(dump) : undefined;
  const crash = explained && writer(explained.explanation, explained.reason ?? undefined);
  const { kernel, machine, verdict } = crash ?? explained?.explanation ?? {};
  const values = {
    PATH: mounted.backend.path,
    NAME: record.name,
    TYPE: record.type,
    REASON: record.reason,
    COUNT: record.count,
    TIME: timeOf(record),
    TITLE: crash?.title,
    KIND: crash?.kind,
    FUNCTION: crash?.function,
    SIGNATURE: crash?.signature,
    KERNEL: kernel,
    MACHINE: machine,
    VERDICT: verdict,
  };
  const shown = (value: unknown) => printable(String(value ?? '')).slice(0, MAX_VALUE);
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`PSTORE_${name}`, shown(value)]));
}
