// pstorefuse export: the records of any number of images, for other programs.

import { createReadStream } from 'node:fs';
import { availableParallelism } from 'node:os';
import { isatty } from 'node:tty';
import { fromSystem, PstoreError } from '../errors.js';
import { refuseMountOptions } from '../mount/options.js';
import { reasonOf } from '../storage/file.js';
import { type Arguments, type Command, EXIT, mountOptionsOf, sourceOptions } from './command.js';
import { ExportPool } from './export-pool.js';
import { type ExportOptions, errorPiece, exportImage, FORMATS, type ImageResult } from './export-records.js';
import { complain, isTerminal, print, printableText, relay } from './print.js';
import { countOf } from './select.js';

const STDERR = 2;

export const exportCommand: Command = {
  usage: 'export [source..]',
  summary: 'Give the records of any number of images, with all that explain tells, to other programs',
  examples: [
    ['$0 export --ndjson *.raw > crashes.ndjson', 'one object a record'],
    ['find . -name "*.raw" -print0 | $0 export --files-from - -0', 'any number of images'],
    ['$0 export --journal a.raw | systemd-journal-remote -o a.journal -', 'for journalctl --file'],
  ],
  details: [
    'The output begins before the last image is opened, and memory does not grow with their number. All processors ' +
      'work; the output has the order of the images, or with --unordered that in which they are done. An image that ' +
      'cannot be read is an object with error and code, and the exit status is then 1.',
    '--ndjson, the default: one object a line for each dump, its parts joined: the keys of explain --json, and path, ' +
      'size (bytes of the image), sha256 (of the image, with --hash), backend, type, count, state, compressed, mtimeNs ' +
      '(nanoseconds since 1970, as text), bytes (of the record), text (null above 64 MiB), base64 (the exact bytes ' +
      'where these are no UTF-8), warnings.',
    '--journal: the journal export format, one entry a dump. MESSAGE is the title and the text; fields with the facts ' +
      'begin with PSTORE_. --text: for people, each text after its title.',
    'With --files-from each line of a file, or of standard input (-), is a source, or a path just as it is where there ' +
      'is such a file; with -0 they end with NUL. On a terminal progress is told on standard error.',
  ],
  build: (yargs) =>
    sourceOptions(yargs)
      .option('ndjson', { type: 'boolean', describe: 'one object a record, one a line (default)' })
      .option('journal', { type: 'boolean', describe: 'the journal export format, for systemd-journal-remote' })
      .option('text', { type: 'boolean', describe: 'the texts, each after its title' })
      .option('files-from', {
        type: 'string',
        requiresArg: true,
        describe: 'a file with sources, one a line; -: stdin',
      })
      .option('0', { alias: 'null', type: 'boolean', describe: 'the sources in that file end with NUL' })
      .option('hash', { type: 'boolean', describe: 'the SHA-256 of each image, too' })
      .option('unordered', { type: 'boolean', describe: 'as images are done, not in their order' })
      .option('j', { alias: 'jobs', type: 'string', requiresArg: true, describe: 'threads; default: one a processor' }),
  run: async (args) => {
    const options = exportOptions(args);
    const given = args.list('source');
    const list = args.text('files-from');
    if (given.length === 0 && list === undefined) {
      throw new PstoreError('EINVAL', 'give sources, or a file with sources by --files-from');
    }
    const threads = countOf(args.text('j'), 'j') ?? availableParallelism();
    const progress = new Progress(list === undefined ? given.length : undefined);
    const write = isTerminal() ? writeHarmless() : print;
    try {
      if (threads <= 1 || (list === undefined && given.length === 1)) {
        for await (const source of sourcesOf(given, list, args.flag('0'), progress)) {
          progress.done(source, exportHere(source, options, write));
        }
      } else {
        await exportByThreads(sourcesOf(given, list, args.flag('0'), progress), {
          threads,
          ordered: !args.flag('unordered'),
          exporting: options,
          write,
          done: (source, result) => progress.done(source, result),
          died: (source, error) => errorPiece(source, error, options.format),
        });
      }
    } finally {
      progress.end();
    }
    return progress.failed > 0 ? EXIT.PARTLY : EXIT.OK;
  },
};

function exportOptions(args: Arguments): ExportOptions {
  refuseMountOptions(args.list('o'));
  const { sourceKeys, backends, strict, cache } = mountOptionsOf(args);
  return {
    format: args.oneOf(FORMATS) ?? 'ndjson',
    hash: args.flag('hash'),
    sharedKeys: sourceKeys,
    backends,
    strict,
    cache,
  };
}

function exportHere(source: string, options: ExportOptions, write: (piece: Uint8Array) => void): ImageResult {
  const pieces = exportImage(source, options);
  let next = pieces.next();
  for (; !next.done; next = pieces.next()) write(next.value);
  return next.value;
}

async function exportByThreads(
  sources: AsyncIterable<string>,
  options: ConstructorParameters<typeof ExportPool>[0],
): Promise<void> {
  const pool = new ExportPool(options);
  try {
    for await (const source of sources) await pool.take(source);
    await pool.end();
  } finally {
    await pool.close();
  }
}

/** Escape sequences of images must not reach a terminal. */
function writeHarmless(): (piece: Uint8Array) => void {
  const show = printableText();
  return (piece) => print(show(piece));
}

async function* sourcesOf(
  given: readonly string[],
  list: string | undefined,
  byNul: boolean,
  progress: Progress,
): AsyncGenerator<string> {
  yield* given;
  if (list === undefined) return;
  let count = given.length;
  for await (const source of linesOf(list, byNul ? '\0' : '\n')) {
    count++;
    yield source;
  }
  progress.total = count;
}

/** As they come: the list may be written by a program that is still looking for images. */
async function* linesOf(list: string, end: string): AsyncGenerator<string> {
  const stream = list === '-' ? process.stdin : createReadStream(list);
  let rest = '';
  try {
    for await (const text of stream.setEncoding('utf8')) {
      const lines = (rest + text).split(end);
      rest = lines.pop()!;
      for (const line of lines) if (line !== '') yield line;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined || error instanceof PstoreError) throw error;
    throw fromSystem(error, `--files-from ${list} cannot be read: ${reasonOf(error)}`, { path: list });
  }
  if (rest !== '') yield rest;
}

/** Milliseconds between two lines of progress. */
const STEP_MS = 500;

/** How far it is, on a terminal's standard error. */
class Progress {
  /** Images in all; undefined as long as nobody knows. */
  total: number | undefined;
  failed = 0;
  #count = 0;
  readonly #begin = performance.now();
  readonly #isShown = isatty(STDERR);
  #told = this.#begin;

  constructor(total: number | undefined) {
    this.total = total;
  }

  done(source: string, { failed, warnings }: ImageResult): void {
    this.#count++;
    if (failed) this.failed++;
    if (warnings.length > 0) this.#clear();
    for (const warning of warnings) complain(`warning: ${warning.includes(source) ? '' : `${source}: `}${warning}`);
    const now = performance.now();
    if (!this.#isShown || now - this.#told < STEP_MS) return;
    this.#told = now;
    relay(Buffer.from(`\r\x1b[K${this.#line(now)}`));
  }

  #line(now: number): string {
    const rate = (this.#count * 1000) / Math.max(1, now - this.#begin);
    const left = this.total === undefined ? undefined : (this.total - this.#count) / rate;
    const of = this.total === undefined ? '' : ` of ${this.total}`;
    const eta = left === undefined ? '' : `, ${minutes(left)} left`;
    const failed = this.failed === 0 ? '' : `, ${this.failed} failed`;
    return `${this.#count}${of} images, ${rate.toFixed(1)} a second${eta}${failed}`;
  }

  #clear(): void {
    if (this.#isShown) relay(Buffer.from('\r\x1b[K'));
  }

  end(): void {
    if (!this.#isShown || this.#count < 2) return;
    this.#clear();
    this.total = undefined;
    complain(this.#line(performance.now()));
  }
}

function minutes(seconds: number): string {
  const whole = Math.ceil(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
