// pstorefuse ls: the records of sources. For a program as a mount would show them; for people what crashed, when and where.

import { recordPieces } from '../pstore/content.js';
import { JoinedView } from '../pstore/joined.js';
import type { Mounted } from '../tree/tree.js';
import { colorOption, isColored } from './color.js';
import type { Listed } from './command.js';
import { type Arguments, type Command, EXIT, listRecords, openAll, sayIfNothing, sourceOptions } from './command.js';
import { erasedOf } from './erased.js';
import { isTerminal, json, print, printable } from './print.js';
import {
  clockOf,
  clockOptions,
  isSelected,
  type Match,
  matchesIn,
  ordered,
  selectionOf,
  selectionOptions,
} from './select.js';
import { clockText, nanosecondsText } from './when.js';

export const ls: Command = {
  usage: 'ls <source..>',
  summary: 'List the records of sources: what crashed, when, where',
  examples: [
    ['$0 ls mmcblk0p7.raw', 'a table on a terminal; in a pipe the names that a mount of this image would show'],
    ['$0 ls --json mmcblk0p7.raw', 'the same for programs'],
    ['$0 ls --since yesterday --reason panic *.raw', 'panics of the last days in many images'],
    ['$0 ls --group *.raw', 'what crashed how often, and on how many images'],
  ],
  details: [
    'On a terminal ls prints a table: each dump once, whatever the number of its parts, the newest first. In a pipe it ' +
      'prints the names of all records in the order of a mount, one a line, in front of them the label of the source ' +
      'where there are several. --table, --color=always, --utc, --iso, --all and --group print the table into a pipe, too.',
    'MODULE is the module of the function in the title. An option that selects by time leaves out what has no time.',
    'With -g a pipe gets NAME:LINE:TEXT of each line found.',
    '--group prints a line for each signature: how many crashes have it, when it was first and last seen, on how many ' +
      'images. A crash that both a record and a console tell of counts once.',
    '--json prints an array of objects, --ndjson one object a line: name, backend, label, type, id, size, mtimeNs ' +
      '(nanoseconds since 1970, as text), reason, count, compressed, state, offset, title (what the source itself calls ' +
      'it) and path (of the source); with -g also matches (line, text); with --group signature, kind, count, first, ' +
      'last, titles, images.',
  ],
  build: (yargs) =>
    colorOption(clockOptions(selectionOptions(sourceOptions(yargs))))
      .option('json', { type: 'boolean', describe: 'an array of objects' })
      .option('ndjson', { type: 'boolean', describe: 'one object a line' })
      .option('joined', { type: 'boolean', describe: 'each dump once, its parts joined' })
      .option('erased', { type: 'boolean', describe: 'what is left of erased records instead' })
      .option('l', { alias: 'long', type: 'boolean', describe: 'size, time, reason and count too' })
      .option('table', { type: 'boolean', describe: 'the table for people, in a pipe too' })
      .option('all', { type: 'boolean', describe: 'the table, with each part of a dump by itself' })
      .option('group', {
        type: 'boolean',
        describe: 'crashes by signature: how many, first and last, on how many images',
      }),
  run: async (args) => {
    const selection = selectionOf(args);
    const format = args.oneOf(['json', 'ndjson']);
    const look = { clock: clockOf(args), colored: isColored(args) };
    const opened = openAll(args, args.list('source'), 'read');
    try {
      const wanted = args.flag('erased') ? opened.mounted.map(erasedOf) : opened.mounted;
      const mounted = args.flag('joined') ? wanted.map(joined) : wanted;
      const records = selected(listRecords(mounted), args);
      const several = opened.mounted.length > 1;
      // What understands texts is not loaded for a list of names.
      const table = () => import('./ls-table.js');
      if (args.flag('group')) (await table()).printGroups(records, selection, look, format);
      else if (format) printObjects(found(records, args), format);
      else if (wantsTable(args))
        (await table()).printTable(records, selection, look, { several, all: args.flag('all') });
      else printNames(found(records, args), several, args);
      sayIfNothing(mounted, args.flag('erased') ? 'erased record' : 'record');
    } finally {
      opened.close();
    }
    return opened.partly ? EXIT.PARTLY : EXIT.OK;
  },
};

function wantsTable(args: Arguments): boolean {
  if (args.flag('l')) return false;
  const asks = ['table', 'all', 'utc', 'iso'].some((name) => args.flag(name));
  return asks || isTerminal() || args.text('color') === 'always';
}

function joined(mounted: Mounted): Mounted {
  return { ...mounted, backend: new JoinedView(mounted.backend) };
}

/** In the order of the mount. */
function* selected(records: Iterable<Listed>, args: Arguments): Generator<Listed> {
  const selection = selectionOf(args);
  for (const each of records) if (isSelected(selection, each.record)) yield each;
}

interface Found extends Listed {
  /** Lines that were searched for; undefined where none were. */
  readonly matches?: readonly Match[];
}

/** Those with the pattern in them, in the order of the mount; in that of time where it matters which ones are shown. */
function found(records: Iterable<Listed>, args: Arguments): Iterable<Found> {
  const selection = selectionOf(args);
  const { pattern, most, oldestFirst } = selection;
  const matching = pattern ? searched(records, pattern) : records;
  return most === undefined && !oldestFirst ? matching : ordered(selection, [...matching], ({ record }) => record);
}

function* searched(records: Iterable<Listed>, pattern: RegExp): Generator<Found> {
  for (const each of records) {
    const { mounted, record } = each;
    const chunks = record.state === 'undecodable' ? [] : recordPieces(mounted.backend, record.slot);
    const matches = matchesIn(pattern, chunks);
    if (matches.length > 0) yield { ...each, matches };
  }
}

/** One record as `ls --json` gives it. */
function jsonRecord({ mounted, record }: Listed): Record<string, unknown> {
  const { name, type, id, id64, size, mtimeNs, reason, count, compressed, state, offset, title } = record;
  return {
    name,
    backend: mounted.backend.name,
    label: mounted.label,
    type,
    id: id64 === undefined ? id : String(id64),
    size,
    mtimeNs: nanosecondsText(mtimeNs),
    reason,
    count,
    compressed,
    state,
    offset: offset + (mounted.base ?? 0),
    title,
    path: mounted.backend.path,
  };
}

/** Output is written in pieces of about so many characters. */
const PIECE = 1 << 16;

function printObjects(records: Iterable<Found>, format: 'json' | 'ndjson'): void {
  const [begin, between, end] = format === 'json' ? ['[\n', ',\n', '\n]\n'] : ['', '\n', '\n'];
  let separator = begin;
  let lines = '';
  let count = 0;
  for (const each of records) {
    lines += separator + json({ ...jsonRecord(each), ...(each.matches && { matches: each.matches }) });
    separator = between;
    count++;
    if (lines.length <= PIECE) continue;
    print(lines);
    lines = '';
  }
  if (count > 0) print(lines + end);
  else if (format === 'json') print('[]\n');
}

function printNames(records: Iterable<Found>, several: boolean, args: Arguments): void {
  const clock = clockOf(args);
  for (const { mounted, record, matches } of records) {
    const name = several ? `${mounted.label}/${record.name}` : record.name;
    const title = record.title === null ? '' : ` (${printable(record.title)})`;
    if (args.flag('l')) print(`${longLine(record, clock)} ${name}${title}\n`);
    else if (!matches) print(`${name}\n`);
    for (const { line, text } of matches ?? []) print(`${name}:${line}:${text}\n`);
  }
}

function longLine(record: Listed['record'], clock: ReturnType<typeof clockOf>): string {
  const time = record.mtimeNs === null ? '-' : clockText(record.mtimeNs, clock);
  const count = record.count === null ? '' : `#${record.count}`;
  const reason = record.reason === null ? '-' : `${record.reason}${count}`;
  return `${String(record.size).padStart(10)} ${time.padEnd(19)} ${reason.padEnd(12)}`;
}
