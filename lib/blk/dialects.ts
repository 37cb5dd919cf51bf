// The dialects of pstore/blk as data: how each family of kernels divides a partition into zones, and what it writes there.
// To add one: an entry here, and a maker in test/builders/blk-dialects.ts.

import { PstoreError } from '../errors.js';
import type { FrontEnd } from '../pstore/record-type.js';
import type { Generation } from './format.js';

export interface ZoneDialect {
  /** As `dialect=` has it. */
  readonly name: string;
  /** Which kernels write it. */
  readonly kernels: string;
  /** The rule by which it is told from the others, for `info`. */
  readonly rule: string;
  /** Whose headers its zones have. */
  readonly generation: Generation;
  /** The backend's name, as it stands in file names. */
  readonly backend: string;
  /** The kinds of zones, in the order of the partition. */
  readonly order: readonly FrontEnd[];
  /** A dump is written with the whole zone that it has, or only its headers and bytes: what was there before stays. */
  readonly flushes: 'zone' | 'used';
  /** At a dmesg zone without a signature recovery ends, and the next record goes there; or it looks at the others, too. */
  readonly unsigned: 'ends' | 'is skipped';
  /** A dump goes to the next zone where the medium calls one broken. */
  readonly triesNextZone: boolean;
  /** What a new zone is filled with before a dump comes into it. */
  readonly fill: number;
  /** What stands before the reason in the line that reading adds to a dump. */
  readonly linePrefix: string;
  /** The reasons' names by their number in the header. */
  readonly reasons: readonly (string | undefined)[];
  /** The name of every other number. */
  readonly otherReason: string;
  /** The reasons that are stored; undefined where `max_reason` decides. */
  readonly keeps: readonly string[] | undefined;
  /** The reasons that have a counter of their own. */
  readonly counts: readonly string[];
  /** Recovery takes the counter of every record that is no oops for the one of the panics. */
  readonly othersCountAsPanics: boolean;
  /** `deflate` makes zlib streams. */
  readonly deflatesAsZlib: boolean;
  /** No more than 128 MiB of the partition are used. */
  readonly isCapped: boolean;
  /** Module parameters of the sizes, in KiB; undefined where no module has such. */
  readonly parameters: { readonly module: string; readonly sizes: Readonly<Record<string, string>> } | undefined;
}

/** pstore/blk as posted in January 2019: fs/pstore/blkzone.c of RFC v5. */
const RFC5: ZoneDialect = {
  name: 'rfc5',
  kernels: 'pstore/blk as posted in January 2019',
  rule: 'buffer headers of 8 bytes; dmesg zones only',
  generation: 'blkoops',
  backend: 'blkoops',
  order: ['dmesg'],
  flushes: 'used',
  unsigned: 'ends',
  triesNextZone: false,
  fill: 0xff,
  linePrefix: 'blkoops: ',
  reasons: [undefined, 'Panic', 'Oops'],
  otherReason: 'Panic',
  keeps: ['Panic', 'Oops'],
  counts: ['Panic', 'Oops'],
  othersCountAsPanics: true,
  deflatesAsZlib: false,
  isCapped: false,
  parameters: undefined,
};

/** fs/pstore/blkzone.c and blkoops.c of OpenIPC/linux@8c2c6b15 (4.9); its include/linux/kmsg_dump.h has the reasons. */
const VENDOR: ZoneDialect = {
  ...RFC5,
  name: 'vendor',
  kernels: "vendors' trees of Linux 4.9 (Allwinner Tina, OpenIPC)",
  rule: 'buffer headers of 12 bytes; the dmesg zones, then pmsg',
  generation: 'pstore_blk',
  backend: 'pstore-blk',
  order: ['dmesg', 'pmsg'],
  linePrefix: '',
  reasons: [undefined, 'OOM', 'Panic', 'Oops'],
  otherReason: 'Unknown',
  keeps: ['OOM', 'Panic', 'Oops'],
  counts: ['Panic', 'Oops', 'OOM'],
  deflatesAsZlib: true,
  parameters: { module: 'blkoops', sizes: { dmesg_size: 'kmsgSize', pmsg_size: 'pmsgSize' } },
};

/** fs/pstore/zone.c and blk.c since Linux 5.8. The tty zone is made by our own format only. */
export const MAINLINE: ZoneDialect = {
  name: 'mainline',
  kernels: 'Linux 5.8 and later',
  rule: 'buffer headers of 12 bytes; pmsg, console, ftrace, then the dmesg zones',
  generation: 'pstore_blk',
  backend: 'pstore_blk',
  order: ['pmsg', 'console', 'tty', 'ftrace', 'dmesg'],
  flushes: 'zone',
  unsigned: 'is skipped',
  triesNextZone: true,
  fill: 0,
  linePrefix: '',
  reasons: [undefined, 'Panic', 'Oops', 'Emergency', 'Shutdown'],
  otherReason: 'Unknown',
  keeps: undefined,
  counts: ['Panic', 'Oops'],
  othersCountAsPanics: false,
  deflatesAsZlib: false,
  isCapped: true,
  parameters: {
    module: 'pstore_blk',
    sizes: { kmsg_size: 'kmsgSize', pmsg_size: 'pmsgSize', console_size: 'consoleSize', ftrace_size: 'ftraceSize' },
  },
};

/** Of two that explain an image as well, the first is taken. */
export const ZONE_DIALECTS: readonly ZoneDialect[] = [MAINLINE, RFC5, VENDOR];

/** The dialects whose zones have these headers, the likeliest first. */
export function dialectsOf(generation: Generation): readonly ZoneDialect[] {
  return ZONE_DIALECTS.filter((dialect) => dialect.generation === generation);
}

/** @throws PstoreError EINVAL for one that is not known, or whose headers are another generation's */
export function zoneDialectNamed(name: string, generation: Generation): ZoneDialect {
  const named = ZONE_DIALECTS.find((dialect) => dialect.name === name);
  if (named?.generation === generation) return named;
  const known = dialectsOf(generation).map((dialect) => dialect.name);
  const hint = named ? `; for ${name} put ${named.generation}: before the path` : '';
  throw new PstoreError('EINVAL', `dialect=${name}: ${generation} has ${known.join(', ')}${hint}`);
}

/** Whether the dmesg zones begin where the partition does. */
export function isDmesgFirst({ order }: ZoneDialect): boolean {
  return order[0] === 'dmesg';
}

/** The reason's name as its kernels print it. */
export function reasonText(dialect: ZoneDialect, reason: number): string {
  return dialect.reasons[reason] ?? dialect.otherReason;
}
