// pstorefuse info: everything that is known of a source and its zones, and why a zone is not shown.

import { PstoreError } from '../errors.js';
import type { BackendInfo } from '../pstore/backend.js';
import { infoFacts } from '../pstore/info-facts.js';
import { sourceText } from '../pstore/keys.js';
import { zoneRuns } from '../pstore/zone-runs.js';
import { dumpsOf, isLog, nameOf } from '../triage/dump.js';
import { crashOf } from '../triage/explained.js';
import { type Command, EXIT, listRecords, type Opened, openAll, sourceOptions, warn } from './command.js';
import { besideLabel } from './fold.js';
import { hashesOf, hashLines, jsonHashes } from './info-hash.js';
import { json, print, printable } from './print.js';
import { terminalColumns } from './table.js';

export const info: Command = {
  usage: 'info <source..>',
  summary: 'Explain a source: format, machine, geometry, counters, each zone',
  examples: [
    ['$0 info mmcblk0p7.raw', 'for reading'],
    ['$0 info --json mmcblk0p7.raw', 'for programs'],
  ],
  build: (yargs) =>
    sourceOptions(yargs)
      .option('json', { type: 'boolean', describe: 'an object, or an array of them for several sources' })
      .option('all', { type: 'boolean', describe: 'each unused zone too' })
      .option('hash', { type: 'boolean', describe: 'SHA-256 of the file and of each record, too' })
      .option('dt', { type: 'boolean', describe: 'only the device tree node for what was found (ramoops)' }),
  run: (args) => {
    // Warnings are part of the answer: in the object, or all of them after the page they belong to.
    const opened = openAll(args, args.list('source'), 'read', { quiet: true });
    try {
      if (args.flag('dt')) {
        for (const { backend } of opened.mounted) print(deviceTreeOf(backend));
      } else if (args.flag('json')) {
        const objects = opened.mounted.map((mounted) => ({
          ...jsonInfo(mounted),
          ...(args.flag('hash') && { sha256: jsonHashes(hashesOf(mounted)) }),
        }));
        print(`${json(args.list('source').length === 1 ? objects[0] : objects, 1)}\n`);
      } else {
        for (const [i, mounted] of opened.mounted.entries()) {
          if (i > 0) print('\n');
          printInfo(mounted, args.flag('all'));
          if (args.flag('hash')) printHashes(mounted);
          warn(mounted.source, { most: Number.POSITIVE_INFINITY });
        }
      }
    } finally {
      opened.close();
    }
    return opened.partly ? EXIT.PARTLY : EXIT.OK;
  },
};

type Mounted = Opened['mounted'][number];

/** @throws PstoreError ENOTSUP for a family that no device tree tells of */
function deviceTreeOf(backend: Mounted['backend']): string {
  const { deviceTree } = backend.info();
  if (deviceTree !== undefined) return deviceTree;
  throw new PstoreError('ENOTSUP', `${backend.path}: a device tree has no node for ${backend.name}`);
}

function sourceOf({ source }: Mounted, { sourceKeys }: BackendInfo): string {
  const keys = source.keys.flag('salvage')
    ? [sourceKeys, 'salvage'].filter((part) => part !== '').join(',')
    : sourceKeys;
  return sourceText(source.kind.name, source.spec.path, source.keys, keys);
}

function jsonInfo(mounted: Mounted): Record<string, unknown> {
  const { backend, label, source } = mounted;
  const found = backend.info();
  const { from } = source.identity;
  const zones = Array.from(found.zones, (zone) => ({ ...zone, offset: from + zone.offset }));
  const crashes = Object.fromEntries(titlesOf(mounted));
  const details = { ...found.details, ...(Object.keys(crashes).length > 0 && { crashes }) };
  const warnings = backend.warnings.list.map((warning) => {
    return { ...warning, offset: warning.offset === null ? null : from + warning.offset };
  });
  return {
    backend: backend.name,
    label,
    path: source.spec.path,
    size: source.identity.to - source.identity.from,
    format: found.format,
    abi: found.abi,
    geometry: found.geometry,
    confidence: found.confidence,
    kernelParameters: found.kernelParameters,
    source: sourceOf(mounted, found),
    counters: found.counters,
    nextZone: found.nextZone,
    zones,
    warnings,
    ...(Object.keys(details).length > 0 && { details }),
  };
}

function printInfo(mounted: Mounted, all: boolean): void {
  const columns = terminalColumns();
  const lines = [...infoLines(mounted)];
  const width = Math.max(...lines.map(([label]) => label.length)) + 2;
  for (const [label, ...words] of lines) {
    for (const line of besideLabel(`${label}:`.padEnd(width), words, columns)) print(`${line}\n`);
  }
  printZones(mounted, all, columns);
}

/** Titles by names: each dump has the name by which `cat` prints the whole of it. */
function* titlesOf(mounted: Mounted): Generator<readonly [name: string, title: string]> {
  const logs = [...listRecords([mounted])].filter(({ record }) => isLog(record));
  for (const dump of dumpsOf(logs)) {
    const crash = crashOf(dump);
    if (crash) yield [nameOf(dump), crash.title];
  }
}

/** More crashes are better listed than told of before the zones. */
const MAX_TITLES = 16;

function* titleLines(mounted: Mounted): Generator<readonly [string, ...string[]]> {
  let count = 0;
  for (const [name, title] of titlesOf(mounted)) {
    if (count++ === MAX_TITLES) {
      yield ['crash', '…', 'and', 'more:', 'pstorefuse', 'ls', 'lists', 'them'];
      return;
    }
    yield ['crash', `${name}:`, ...title.split(' ')];
  }
}

/** Label, and the words of the value. */
function* infoLines(mounted: Mounted): Generator<readonly [string, ...string[]]> {
  const { backend } = mounted;
  const found = backend.info();
  const words = (label: string, text: string): readonly [string, ...string[]] => [label, ...text.split(' ')];
  yield* fileLines(mounted);
  for (const [label, text] of infoFacts(backend.name, found)) yield words(label, text);
  yield* titleLines(mounted);
  yield ['source', sourceOf(mounted, found)];
  if (found.kernelParameters.length > 0) yield ['kernel parameters', ...found.kernelParameters];
}

function printHashes(mounted: Mounted): void {
  for (const line of hashLines(hashesOf(mounted), mounted.source.spec.path)) print(`${printable(line)}\n`);
}

function* fileLines({ source }: Mounted): Generator<readonly [string, ...string[]]> {
  const { from, to, whole } = source.identity;
  yield ['file', source.spec.path, ...(source.kind.source === 'file' ? [`(${whole} bytes)`] : [])];
  if (to - from === whole) return;
  yield ['part', ...`${to - from} bytes from offset ${from} on`.split(' ')];
}

function printZones({ backend, source }: Mounted, all: boolean, columns: number): void {
  const { from, to } = source.identity;
  const digits = Math.max(6, String(to).length);
  const row = (type: string, index: string, offset: string, size: string) =>
    `  ${type.padEnd(8)}${index.padStart(7)}  ${offset.padStart(digits)}  ${size.padStart(digits)}  `;
  print(`${row('zone', 'index', 'offset', 'size')}state\n`);
  for (const { first, last, size, reason } of zoneRuns(backend.info().zones, all)) {
    const index = first === last ? `${first.index}` : `${first.index}-${last.index}`;
    const label = row(printable(first.type), index, String(from + first.offset), String(size));
    const words = [reason === null ? first.state : `${first.state}:`, ...(reason?.split(' ') ?? [])];
    for (const line of besideLabel(label, words, columns)) print(`${line}\n`);
  }
}
