// pstorefuse repair: writes into an image what its ECC can repair, and says what that was.

import { PstoreError } from '../errors.js';
import type { LostBytes } from '../pstore/backend.js';
import { type Command, EXIT, openAll, sourceOptions } from './command.js';
import { DryRun } from './dry-run.js';
import { complain, json, print, printable } from './print.js';

export const repair: Command = {
  usage: 'repair <source>',
  summary: 'Write into a ramoops image what its ECC can repair',
  examples: [['$0 repair ramoops:mem.bin', 'each repaired byte is named, and what stays beyond repair']],
  build: (yargs) =>
    sourceOptions(yargs)
      .option('dry-run', { type: 'boolean', describe: 'only say what would be repaired' })
      .option('json', { type: 'boolean', describe: 'an array of {zone, offset, from, to}' }),
  run: (args) => {
    const dry = args.flag('dry-run') ? new DryRun() : undefined;
    const opened = openAll(args, [args.text('source')!], 'must', dry && { overlay: dry.overlay });
    try {
      const { backend, source } = opened.mounted[0]!;
      if (!backend.repair) {
        throw new PstoreError('ENOTSUP', `${backend.path}: a source of ${backend.name} has no ECC to repair it by`);
      }
      const { path } = source.spec;
      const inFile = <T extends { offset: number }>(place: T): T => ({
        ...place,
        offset: source.identity.from + place.offset,
      });
      const repaired = backend.repair();
      const changes = repaired.changes.map(inFile);
      const lost = repaired.lost.map(inFile);
      if (args.flag('json')) print(`${json(changes, 1)}\n`);
      else {
        for (const { zone, offset, from, to } of changes)
          print(`${zone}: offset ${offset}: ${hex(from)} -> ${hex(to)}\n`);
        if (changes.length + lost.length === 0) print(`${printable(path)}: nothing to repair\n`);
      }
      complainOfLost(path, lost);
      return lost.length === 0 ? EXIT.OK : EXIT.PARTLY;
    } finally {
      opened.close();
    }
  },
};

/** What stays as it was, a line a zone. */
function complainOfLost(path: string, lost: readonly LostBytes[]): void {
  const places = new Map<string, string[]>();
  for (const { zone, offset, length } of lost) {
    const ranges = places.get(zone) ?? [];
    ranges.push(`${offset}-${offset + length - 1}`);
    places.set(zone, ranges);
  }
  for (const [zone, ranges] of places) {
    const more = ranges.length > MAX_RANGES ? ` and ${ranges.length - MAX_RANGES} more places` : '';
    const where = `bytes ${ranges.slice(0, MAX_RANGES).join(', ')}${more}`;
    complain(`${path}: ${zone}: ${where} stay damaged: more of them are wrong than ECC can repair`);
  }
}

/** Places in a zone that are told. */
const MAX_RANGES = 20;

function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, '0')}`;
}
