// pstorefuse info: everything that is known of a source and its zones, and why a zone is not shown.

import type { BackendInfo, ZoneInfo } from '../backend/backend.js';
import { inUnits } from '../backend/zone-source.js';
import { abiName } from '../format/abi.js';
import { type Command, EXIT, type Opened, openAll, sourceOptions } from './command.js';
import { json, print, printable } from './print.js';

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
      .option('all', { type: 'boolean', describe: 'each unused zone too' }),
  run: (args) => {
    const opened = openAll(args, args.list('source'), 'read');
    try {
      if (args.flag('json')) {
        const objects = opened.mounted.map(jsonInfo);
        print(`${json(objects.length === 1 ? objects[0] : objects, 1)}\n`);
      } else {
        for (const [i, mounted] of opened.mounted.entries()) {
          if (i > 0) print('\n');
          printInfo(mounted, args.flag('all'));
        }
      }
    } finally {
      opened.close();
    }
    return opened.partly ? EXIT.PARTLY : EXIT.OK;
  },
};

type Mounted = Opened['mounted'][number];

function sourceOf({ backend, source }: Mounted, { sourceKeys }: BackendInfo): string {
  const path = backend.path.replaceAll(',', ',,');
  const place = source.spec.keys
    .filter(([key]) => key === 'offset' || key === 'size')
    .map(([key, value]) => `,${key}=${value}`);
  return `${source.kind.name}:${path}${place.join('')}${sourceKeys === '' ? '' : `,${sourceKeys}`}`;
}

function jsonInfo(mounted: Mounted): Record<string, unknown> {
  const { backend, label, source } = mounted;
  const found = backend.info();
  const zones = [...found.zones];
  return {
    backend: backend.name,
    label,
    path: backend.path,
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
    warnings: backend.warnings.list,
    ...(Object.keys(found.details).length > 0 && { details: found.details }),
  };
}

function printInfo(mounted: Mounted, all: boolean): void {
  const lines = [...infoLines(mounted)];
  const width = Math.max(...lines.map(([label]) => label.length)) + 2;
  for (const [label, text] of lines) print(`${printable(`${label}:`.padEnd(width))}${printable(text)}\n`);
  printZones(mounted.backend.info().zones, all);
  for (const { message } of mounted.backend.warnings.list) print(`warning: ${printable(message)}\n`);
}

/** Label and value. */
function* infoLines(mounted: Mounted): Generator<readonly [string, string]> {
  const { backend, source } = mounted;
  const found = backend.info();
  yield ['file', `${backend.path} (${source.identity.to - source.identity.from} bytes)`];
  yield ['backend', `${backend.name}, format ${found.format}`];
  if (found.abi) {
    const { endian, wordBits, align } = found.abi;
    const machine = `${endian}-endian, ${wordBits} bits, 64-bit integers aligned to ${align}`;
    yield ['machine', `${machine} (abi=${abiName(found.abi)})`];
  }
  for (const [key, value] of Object.entries(found.geometry)) yield [key, geometryText(value, found.confidence[key])];
  if (found.counters) yield ['counters', `oops ${found.counters.oops}, panic ${found.counters.panic}`];
  if (found.nextZone !== null) yield ['next zone', String(found.nextZone)];
  yield* Object.entries(found.details);
  yield ['source', sourceOf(mounted, found)];
  if (found.kernelParameters.length > 0) yield ['kernel parameters', found.kernelParameters.join(' ')];
}

function geometryText(value: number | string, confidence: number | undefined): string {
  const units = typeof value === 'number' && value >= 1024 ? inUnits(value) : String(value);
  const exact = units === String(value) ? units : `${value} (${units})`;
  if (confidence === undefined || confidence >= 1) return exact;
  return `${exact}, ${confidence >= 0.5 ? 'very likely' : 'a guess'}`;
}

/** A line a zone; runs of unused zones are one line. */
function printZones(zones: Iterable<ZoneInfo>, all: boolean): void {
  print(`  ${'zone'.padEnd(11)}${'index'.padStart(7)}${'offset'.padStart(14)}${'size'.padStart(12)}  state\n`);
  let run: { first: ZoneInfo; last: ZoneInfo; count: number } | undefined;
  const flush = () => {
    if (!run) return;
    const { first, last, count } = run;
    const indexes = count === 1 ? `${first.index}` : `${first.index}-${last.index}`;
    print(zoneLine({ ...first, reason: null }, indexes, count === 1 ? first.size : first.size * count));
    run = undefined;
  };
  for (const zone of zones) {
    const quiet = !all && zone.state === 'unused';
    if (quiet && run && run.first.type === zone.type) run = { ...run, last: zone, count: run.count + 1 };
    else {
      flush();
      if (quiet) run = { first: zone, last: zone, count: 1 };
      else print(zoneLine(zone, String(zone.index), zone.size));
    }
  }
  flush();
}

function zoneLine(zone: ZoneInfo, index: string, size: number): string {
  const place = `${index.padStart(7)}${String(zone.offset).padStart(14)}${String(size).padStart(12)}`;
  const reason = zone.reason === null ? '' : `: ${printable(zone.reason)}`;
  return `  ${printable(zone.type).padEnd(11)}${place}  ${zone.state}${reason}\n`;
}
