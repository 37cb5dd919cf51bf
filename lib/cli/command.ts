// What a command is, and what all commands share: options, opening sources, saying what is wrong.

import type { Argv } from 'yargs';
import { PstoreError } from '../errors.js';
import { type MountOptions, parseMountOptions, refuseMountOptions } from '../mount/options.js';
import type { Backend, NewRecord, PstoreRecord } from '../pstore/backend.js';
import { ErasedRecords } from '../pstore/erased-records.js';
import { COMMON_KEYS } from '../pstore/keys.js';
import { KINDS } from '../source/kinds.js';
import { didYouMean } from '../source/nearest.js';
import { labelled, type OpenOptions, type OpenSource, openSources, TextCache } from '../source/sources.js';
import type { Mounted } from '../tree/tree.js';
import { type Dump, dumpNamed, dumpOfOne } from '../triage/dump.js';
import { EXIT } from './exit.js';
import { optimiseLess } from './optimise.js';
import { complain, hasPrinted, isTerminal } from './print.js';

export { EXIT };

export interface Command {
  /** As yargs writes it: `cat <source> <name..>`. */
  readonly usage: string;
  /** What yargs is to parse, where that differs. */
  readonly pattern?: string;
  readonly summary: string;
  /** Paragraphs that the help and the manual page have after the options. */
  readonly details?: readonly string[];
  readonly examples: readonly (readonly [string, string])[];
  build(yargs: Argv): Argv;
  /** @returns the exit status */
  run(args: Arguments): number | Promise<number>;
}

/** What yargs parsed: the getters check the type, since yargs makes an array of what is given twice. */
export class Arguments {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  /** @throws PstoreError EINVAL for an option that was given twice, and for an empty value */
  text(name: string): string | undefined {
    const value = this.#values[name];
    if (value === undefined) return undefined;
    if (Array.isArray(value)) throw new PstoreError('EINVAL', `--${name} is given twice`);
    if (value === '') throw new PstoreError('EINVAL', `the value that is given for ${name} is empty`);
    return String(value);
  }

  /** @throws PstoreError EINVAL for a value that is none of `choices` */
  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value !== undefined) checkChoice(name, value, choices);
    return value as T | undefined;
  }

  /**
   * Several values, with commas between them, in small letters as `choices` has them.
   * @throws PstoreError EINVAL for a value that is none of `choices`
   */
  choices(name: string, choices: readonly string[]): readonly string[] | undefined {
    const values = this.text(name)?.toLowerCase().split(',');
    for (const value of values ?? []) checkChoice(name, value, choices);
    return values;
  }

  /** Which of several flags is given. @throws PstoreError EINVAL for more than one */
  oneOf<T extends string>(names: readonly T[]): T | undefined {
    const given = names.filter((name) => this.flag(name));
    if (given.length <= 1) return given[0];
    throw new PstoreError('EINVAL', `give one of ${names.map((name) => `--${name}`).join(', ')}`);
  }

  list(name: string): string[] {
    const value = this.#values[name];
    if (value === undefined) return [];
    return (Array.isArray(value) ? value : [value]).map(String);
  }

  /** All but one option. */
  without(name: string): Arguments {
    return new Arguments({ ...this.#values, [name]: undefined });
  }

  flag(name: string): boolean {
    const value = this.#values[name];
    return Array.isArray(value) ? value.at(-1) === true : value === true;
  }
}

/** @throws PstoreError EINVAL for a value of an option that is none of `choices` */
function checkChoice(name: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return;
  throw new PstoreError('EINVAL', `--${name} ${value}: known are ${choices.join(', ')}`);
}

/** The options that every command with a SOURCE has. */
export function sourceOptions(yargs: Argv): Argv {
  const described = 'keys of the source: kmsg_size=64K,ecc=16';
  return openingOptions(yargs.option('o', { type: 'string', requiresArg: true, describe: described }));
}

/** The same without `-o`, where that means something else: keys then stand after each SOURCE. */
export function openingOptions(yargs: Argv): Argv {
  const backends = KINDS.map(({ name }) => name).join(', ');
  return yargs
    .option('backend', { type: 'string', requiresArg: true, describe: 'only these, in this order: a,b or all' })
    .option('strict', {
      type: 'boolean',
      describe: 'refuse sizes that do not fit, unknown keys, one source that fails',
    })
    .option('salvage', { type: 'boolean', describe: 'show also what a kernel skips' })
    .option('no-cap', { type: 'boolean', describe: 'read pstore_blk beyond 128 MiB' })
    .epilogue(`A source is [BACKEND:]PATH[,key=value]... with one of the backends ${backends}.`)
    .epilogue(`Keys: ${COMMON_KEYS.join(', ')}, and those of the backend: see man pstorefuse.`);
}

/** `-o` and its like, as one set of options. */
export function mountOptionsOf(args: Arguments): MountOptions {
  const texts = args.list('o');
  for (const flag of ['strict', 'salvage', 'no_cap']) if (args.flag(flag.replace('_', '-'))) texts.push(flag);
  const backend = args.text('backend');
  if (backend !== undefined) texts.push(`backend=${backend.replaceAll(',', ':')}`);
  return parseMountOptions(texts);
}

/** Sources of a command that are open: each with its label. */
export interface Opened {
  readonly mounted: readonly (Mounted & { readonly source: OpenSource })[];
  /** Whether some sources failed. */
  readonly partly: boolean;
  close(): void;
}

/** From so many on optimiseLess() gains more than it takes, which is some milliseconds. */
const MANY_SOURCES = 16;

interface OpeningOptions {
  readonly quiet?: boolean;
  readonly ofRecords?: boolean;
  readonly overlay?: OpenOptions['overlay'];
}

/**
 * Opens the sources of a command, says what is not as it should be, and what failed.
 * @param quiet warnings are the command's own matter
 * @param ofRecords the command is about records that are there: what becomes of the next crash is not said
 * @param overlay put over each medium, which is then only read
 * @throws PstoreError when none can be opened, or one fails and `--strict` is given
 */
export function openAll(
  args: Arguments,
  sources: readonly string[],
  mode: 'read' | 'must',
  { quiet = false, ofRecords = false, overlay }: OpeningOptions = {},
): Opened {
  refuseMountOptions(args.list('o'));
  if (sources.length >= MANY_SOURCES) optimiseLess();
  const options = mountOptionsOf(args);
  // `ro` of a mount is a key of sources, too.
  const sharedKeys = options.readOnly ? [...options.sourceKeys, ['ro', ''] as const] : options.sourceKeys;
  const { opened, failed } = openSources(
    sources,
    { sharedKeys, mode, cache: new TextCache(options.cache), strict: options.strict, overlay },
    options.backends,
  );
  const close = () => {
    // What was found out only when records were read.
    for (const [i, source] of opened.entries())
      if (!quiet && said[i] !== undefined) warn(source, { from: said[i], ofRecords });
    for (const { backend } of opened) backend.close();
  };
  const said: number[] = [];
  for (const { error } of failed) complain(error.message);
  for (const source of opened) {
    if (!quiet) warn(source, { ofRecords });
    said.push(source.backend.warnings.list.length);
  }
  return { mounted: labelled(opened), partly: failed.length > 0, close };
}

/** The warnings of an open source from the given one on: the first `most`, and how many more there are. */
export function warn(
  { backend }: OpenSource,
  { from = 0, most = MAX_WARNINGS, ofRecords = false }: { from?: number; most?: number; ofRecords?: boolean } = {},
): void {
  const { dropped } = backend.warnings;
  const list = backend.warnings.list.slice(from).filter(({ code }) => !ofRecords || code !== 'store-full');
  for (const { message } of list.slice(0, most)) complain(`warning: ${message}`);
  const more = Math.max(0, list.length - most) + dropped;
  if (more > 0) complain(`warning: ${backend.path}: ${more} more warning${more === 1 ? '' : 's'}; see pstorefuse info`);
}

const MAX_WARNINGS = 10;

/** @throws PstoreError ENOTSUP where this kind of backend takes no records */
export function writerOf(backend: Backend): (record: NewRecord) => void {
  if (backend.write) return (record) => backend.write!(record);
  const which = KINDS.filter((kind) => kind.source === 'file' && kind.format).map(({ name }) => name);
  const sentence = `nothing can be recorded in a source of ${backend.name}; only ${which.join(', ')} take records`;
  throw new PstoreError('ENOTSUP', `${backend.path}: ${sentence}`, { path: backend.path });
}

/** A record and where it is. */
export interface Listed {
  readonly mounted: Mounted;
  readonly record: PstoreRecord;
}

/** All records, in the order of the mount. */
export function* listRecords(mounted: readonly Mounted[]): Generator<Listed> {
  for (const each of mounted) {
    for (let slot = 0; slot < each.backend.slots; slot++) {
      const record = each.backend.record(slot);
      if (record) yield { mounted: each, record };
    }
  }
}

/** Who looks at a terminal is told that a list is empty, and is no list that did not come. */
export function sayIfNothing(mounted: readonly Mounted[], kind = 'record'): void {
  if (hasPrinted() || !isTerminal() || mounted.length === 0) return;
  const paths = mounted.map(({ backend }) => backend.path).join(', ');
  const isAnyThere = !listRecords(mounted).next().done;
  const advice = kind === 'record' ? '; pstorefuse info says what is in it' : '';
  complain(isAnyThere ? `${paths}: no ${kind} is as was asked for` : `${paths}: there is no ${kind}${advice}`);
}

/**
 * Does something with each record that is named, and says of which it could not be done.
 * @returns the exit status: 0, or 1 where a part is done, or that of the last failure where nothing is
 */
export function withEach(names: readonly string[], opened: Opened, act: (found: Listed) => void): number {
  return withEachName(names, (name) => act(findRecord(opened.mounted, name)));
}

/** As withEach(), by the names alone. */
export function withEachName(names: readonly string[], act: (name: string) => void): number {
  let failures = 0;
  let last: PstoreError | undefined;
  for (const name of names) {
    try {
      act(name);
    } catch (error) {
      if (!(error instanceof PstoreError)) throw error;
      complain(error.message);
      failures++;
      last = error;
    }
  }
  if (!last) return EXIT.OK;
  return failures === names.length ? last.exit : EXIT.PARTLY;
}

/**
 * `NAME`, or `LABEL/NAME` where there are several sources.
 * @throws PstoreError ENOENT, and EINVAL for an empty name
 */
export function findRecord(mounted: readonly Mounted[], name: string): Listed {
  const slash = name.indexOf('/');
  const candidates = slash < 0 ? mounted : mounted.filter(({ label }) => label === name.slice(0, slash));
  for (const each of candidates) {
    const slot = each.backend.find(slash < 0 ? name : name.slice(slash + 1));
    const record = slot === undefined ? undefined : each.backend.record(slot);
    if (record) return { mounted: each, record };
  }
  throw notFound(candidates.length === 0 ? mounted : candidates, name);
}

/**
 * The record of a name, or all parts of the dump that has it, the newest part last: it names the dump.
 * @throws PstoreError as findRecord()
 */
export function findDump(mounted: readonly Mounted[], name: string): Dump<Listed> {
  const slash = name.indexOf('/');
  const candidates = slash < 0 ? mounted : mounted.filter(({ label }) => label === name.slice(0, slash));
  for (const each of candidates) {
    const dump = dumpNamed(listRecords([each]), name.slice(slash + 1));
    if (dump) return dump;
  }
  return dumpOfOne(findRecord(mounted, name));
}

/** More names than this are not compared with one that is not there. */
const MAX_COMPARED = 10_000;

function notFound(mounted: readonly Mounted[], name: string): PstoreError {
  const places = mounted.map(({ backend }) => backend.path).join(', ');
  const isErased = mounted.some(({ backend }) => backend instanceof ErasedRecords);
  const [what, list] = isErased ? ['erased record', 'pstorefuse ls --erased'] : ['record', 'pstorefuse ls'];
  if (name === '')
    return new PstoreError('EINVAL', `${places}: the name of a record is empty; ${list} shows the names`);
  const advice = didYouMean(name.slice(name.indexOf('/') + 1), namesIn(mounted), `${list} shows what there is`);
  return new PstoreError('ENOENT', `${places}: there is no ${what} ${name}; ${advice}`);
}

function* namesIn(mounted: readonly Mounted[]): Generator<string> {
  let count = 0;
  for (const { record } of listRecords(mounted)) {
    if (count++ === MAX_COMPARED) return;
    yield record.name;
  }
}
