// pstorefuse ls: the records of sources, as the mount would show them.

import { JoinedView } from '../pstore/joined.js';
import type { Mounted } from '../tree/tree.js';
import type { Listed } from './command.js';
import { type Arguments, type Command, EXIT, listRecords, openAll, sourceOptions } from './command.js';
import { erasedOf } from './erased.js';
import { json, print, printable } from './print.js';

export const ls: Command = {
  usage: 'ls <source..>',
  summary: 'List the records of a source',
  examples: [
    ['$0 ls mmcblk0p7.raw', 'what a mount of this image would show'],
    ['$0 ls --json mmcblk0p7.raw', 'the same for programs'],
  ],
  build: (yargs) =>
    sourceOptions(yargs)
      .option('json', { type: 'boolean', describe: 'an array of objects' })
      .option('joined', { type: 'boolean', describe: 'each dump once, its parts joined' })
      .option('erased', { type: 'boolean', describe: 'what is left of erased records instead' })
      .option('l', { alias: 'long', type: 'boolean', describe: 'size, time, reason and count too' }),
  run: (args) => {
    const opened = openAll(args, args.list('source'), 'read');
    try {
      const mounted = args.flag('erased') ? opened.mounted.map(erasedOf) : opened.mounted;
      const records = listRecords(args.flag('joined') ? mounted.map(joined) : mounted);
      if (args.flag('json')) printJson(records);
      else printNames(records, opened.mounted.length > 1, args);
    } finally {
      opened.close();
    }
    return opened.partly ? EXIT.PARTLY : EXIT.OK;
  },
};

function joined(mounted: Mounted): Mounted {
  return { ...mounted, backend: new JoinedView(mounted.backend) };
}

/** One record as `ls --json` gives it. */
export function jsonRecord({ mounted, record }: Listed): Record<string, unknown> {
  const { name, type, id, id64, size, mtimeNs, reason, count, compressed, state, offset, title } = record;
  return {
    name,
    backend: mounted.backend.name,
    label: mounted.label,
    type,
    id: id64 === undefined ? id : String(id64),
    size,
    mtimeNs: mtimeNs === null ? null : String(mtimeNs),
    reason,
    count,
    compressed,
    state,
    offset: offset + (mounted.base ?? 0),
    title,
  };
}

function printJson(records: Iterable<Listed>): void {
  let separator = '[\n';
  let lines = '';
  for (const each of records) {
    lines += separator + json(jsonRecord(each));
    separator = ',\n';
    if (lines.length > 1 << 16) {
      print(lines);
      lines = '';
    }
  }
  print(separator === '[\n' ? '[]\n' : `${lines}\n]\n`);
}

function printNames(records: Iterable<Listed>, several: boolean, args: Arguments): void {
  for (const { mounted, record } of records) {
    const name = several ? `${mounted.label}/${record.name}` : record.name;
    const title = record.title === null ? '' : ` (${printable(record.title)})`;
    print(args.flag('l') ? `${longLine(record)} ${name}${title}\n` : `${name}\n`);
  }
}

function longLine(record: Listed['record']): string {
  const time = record.mtimeNs === null ? '-' : localTime(record.mtimeNs);
  const count = record.count === null ? '' : `#${record.count}`;
  const reason = record.reason === null ? '-' : `${record.reason}${count}`;
  return `${String(record.size).padStart(10)} ${time.padEnd(19)} ${reason.padEnd(12)}`;
}

/** `2021-09-14 09:39:05`, in the local time zone as `ls -l` has it. */
export function localTime(ns: bigint): string {
  const date = new Date(Number(ns / 1_000_000n));
  if (Number.isNaN(date.getTime())) return `${ns / 1_000_000_000n} s`;
  const two = (n: number) => String(n).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
