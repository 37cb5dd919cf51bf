// The tables of ls: a line for each dump, or for each signature.

import type { Crash } from '../triage/crash.js';
import { type Dump, dumpChunks, dumpOfOne, dumpsOf, isLog, nameOf } from '../triage/dump.js';
import { crashOf } from '../triage/explained.js';
import { type Group, Groups } from '../triage/groups.js';
import { isHarmless, moduleOf, severityOf, whatOf } from '../triage/severity.js';
import { type Paint, painter } from './color.js';
import type { Listed } from './command.js';
import { json, print, printable } from './print.js';
import { type Match, matchesIn, ordered, type Selection } from './select.js';
import { type Column, Table } from './table.js';
import { type Clock, clockText } from './when.js';

/** How a table looks. */
export interface Look {
  readonly clock: Clock;
  readonly colored: boolean;
}

/** A line of the table. */
export interface Row {
  readonly dump: Dump<Listed>;
  readonly crash: Crash | undefined;
  readonly matches: readonly Match[];
}

const recordOf = (dump: Dump<Listed>) => dump.parts[0].kept.record;

/** Dumps with the pattern in them, sorted and cut: what is not shown is not explained. */
function rowsOf(dumps: readonly Dump<Listed>[], selection: Selection): Row[] {
  const { pattern, most } = selection;
  const rows: Row[] = [];
  for (const dump of ordered({ ...selection, most: pattern ? undefined : most }, dumps, recordOf)) {
    const isText = recordOf(dump).state !== 'undecodable';
    const matches = pattern && isText ? matchesIn(pattern, dumpChunks(dump)) : [];
    if (pattern && matches.length === 0) continue;
    rows.push({ dump, crash: crashOf(dump), matches });
  }
  const { oldestFirst } = selection;
  return pattern && most !== undefined ? (oldestFirst ? rows.slice(-most) : rows.slice(0, most)) : rows;
}

export function printTable(
  records: Iterable<Listed>,
  selection: Selection,
  { clock, colored }: Look,
  { several, all }: { readonly several: boolean; readonly all: boolean },
): void {
  const dumps = all ? Array.from(records, dumpOfOne) : dumpsOf(records);
  const rows = rowsOf(dumps, selection);
  if (rows.length === 0) return;
  const paint = painter(colored);
  const table = new Table(columnsOf(clock, paint, several), rows);
  for (const line of table.head()) print(`${paint(line, 'head')}\n`);
  for (const row of rows) {
    print(`${table.lines(row).join('\n')}\n`);
    for (const { line, text } of row.matches) {
      print(`    ${line}: ${marked(printable(text), selection.pattern!, paint)}\n`);
    }
  }
}

export function columnsOf(clock: Clock, paint: Paint, several: boolean): Column<Row>[] {
  const columns: Column<Row>[] = [
    {
      head: 'TIME',
      cell: ({ dump }) => timeText(recordOf(dump).mtimeNs, clock),
      paint: (text) => paint(text, 'time'),
    },
    {
      head: 'WHAT',
      cell: ({ dump }) => whatOf(dump),
      paint: (text, { dump, crash }) => paint(text, severityOf(dump, crash)),
    },
    {
      head: 'TITLE',
      below: 1,
      cell: titleText,
      paint: (text, { dump, crash }) => paint(text, crash && severityOf(dump, crash)),
    },
    { head: 'MODULE', below: 1, cell: ({ crash }) => moduleOf(crash) },
    { head: 'COUNT', isRight: true, cell: ({ dump }) => String(recordOf(dump).count ?? '') },
    { head: 'SIZE', isRight: true, cell: ({ dump }) => sizeText(sizeOf(dump)) },
    { head: 'NAME', below: 3, cell: ({ dump }) => nameOf(dump) },
  ];
  if (several) columns.push({ head: 'IMAGE', below: 2, cell: ({ dump }) => dump.parts[0].kept.mounted.backend.path });
  return columns;
}

function titleText({ dump, crash }: Row): string {
  if (crash) return crash.title;
  const { title, state } = recordOf(dump);
  if (title !== null) return title;
  return state === 'undecodable' ? 'cannot be decompressed' : '';
}

function sizeOf({ parts }: Dump): number {
  return parts.reduce((sum, { kept }) => sum + kept.record.size, 0);
}

/** As `ls -h` has it. */
function sizeText(bytes: number): string {
  if (bytes < 1024) return String(bytes);
  const power = Math.min(4, Math.floor(Math.log2(bytes) / 10));
  const scaled = bytes / 1024 ** power;
  return `${scaled < 10 ? scaled.toFixed(1) : Math.round(scaled)}${'KMGT'.charAt(power - 1)}`;
}

const timeText = (ns: bigint | null, clock: Clock): string => (ns === null ? '-' : clockText(ns, clock));

/** The words that were found, in colour. */
function marked(text: string, pattern: RegExp, paint: Paint): string {
  return text.replace(new RegExp(pattern.source, `${pattern.flags}g`), (found) => paint(found, 'match'));
}

export function printGroups(
  records: Iterable<Listed>,
  selection: Selection,
  { clock, colored }: Look,
  format: 'json' | 'ndjson' | undefined,
): void {
  const groups = new Groups();
  const dumps = dumpsOf([...records].filter(({ record }) => isLog(record)));
  for (const { dump, crash } of rowsOf(dumps, { ...selection, most: undefined })) {
    const { mounted, record } = dump.parts[0].kept;
    groups.add({ crash, image: mounted.backend.path, timeNs: record.mtimeNs });
  }
  const list = groups.list().slice(0, selection.most);
  if (selection.oldestFirst) list.reverse();
  if (format === 'json') print(list.length === 0 ? '[]\n' : `[\n${list.map(jsonGroup).join(',\n')}\n]\n`);
  if (format === 'ndjson') print(list.map((group) => `${jsonGroup(group)}\n`).join(''));
  if (format !== undefined || list.length === 0) return;
  const paint = painter(colored);
  const table = new Table(groupColumns(clock, paint), list);
  for (const line of table.head()) print(`${paint(line, 'head')}\n`);
  for (const group of list) print(`${table.lines(group).join('\n')}\n`);
}

function groupColumns(clock: Clock, paint: Paint): Column<Group>[] {
  return [
    { head: 'SIGNATURE', cell: ({ signature }) => signature ?? 'no crash' },
    { head: 'COUNT', isRight: true, cell: ({ count }) => String(count) },
    { head: 'FIRST', cell: ({ firstNs }) => timeText(firstNs, clock), paint: (text) => paint(text, 'time') },
    { head: 'LAST', below: 2, cell: ({ lastNs }) => timeText(lastNs, clock), paint: (text) => paint(text, 'time') },
    { head: 'IMAGES', isRight: true, cell: ({ images }) => String(images.size) },
    {
      head: 'TITLES',
      below: 1,
      cell: ({ titles }) => titles.join('; '),
      paint: (text, { kind }) => paint(text, isHarmless(kind) ? 'warning' : 'error'),
    },
  ];
}

function jsonGroup({ signature, kind, count, firstNs, lastNs, titles, images }: Group): string {
  const iso = (ns: bigint | null) => (ns === null ? null : clockText(ns, { utc: true, iso: true }));
  return json({ signature, kind, count, first: iso(firstNs), last: iso(lastNs), titles, images: images.size });
}
