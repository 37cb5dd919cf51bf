// pstorefuse scan: finds images of every kind anywhere in a file or device, and says what to type to open them.

import { PstoreError } from '../errors.js';
import { inUnits } from '../pstore/geometry.js';
import { SourceKeys, sourceText } from '../pstore/keys.js';
import { openMedium } from '../source/files.js';
import { placed, unsparsed, withoutSpare } from '../source/medium.js';
import { emptyFile, openStorage } from '../source/open-storage.js';
import { otherFormatSentence } from '../source/other-formats.js';
import { type FoundRegion, Scan } from '../source/scan.js';
import { parseSource, type SourceSpec, TextCache } from '../source/sources.js';
import { STANDARD_INPUT, shellWord, shownPath, typedPath } from '../source/typed.js';
import { readCompanion } from '../storage/path.js';
import { SliceStorage } from '../storage/slice.js';
import { pieces, type Storage } from '../storage/storage.js';
import { SurvivingStorage } from '../storage/surviving.js';
import { dumpsOf, nameOf } from '../triage/dump.js';
import { crashOf } from '../triage/explained.js';
import { Warnings } from '../warnings.js';
import { type Command, EXIT, type Listed, listRecords } from './command.js';
import { folded } from './fold.js';
import { complain, isTerminal, json, print } from './print.js';
import { bytesText, ScanProgress } from './scan-progress.js';
import { clockText } from './when.js';

export const scan: Command = {
  usage: 'scan <file>',
  summary: 'Find crash logs of every kind anywhere in a file or device',
  examples: [
    ['$0 scan /dev/mmcblk0', 'partitions, regions and stores, and what to type to open each'],
    ['$0 scan --all --json memory.bin', 'those at odd places, too, for programs'],
  ],
  build: (yargs) =>
    yargs
      .option('all', { type: 'boolean', describe: 'headers at multiples of 4 bytes, not of 512' })
      .option('json', { type: 'boolean', describe: 'an array of objects, one a region' }),
  run: (args) => {
    const spec = parseSource(args.text('file')!);
    const regions = scanFile(spec, args.flag('all') ? 4 : 512);
    if (args.flag('json')) print(`${json(regions.map(jsonRegion), 1)}\n`);
    else for (const region of regions) printRegion(region, spec);
    if (regions.length === 0) {
      const advice = args.flag('all') ? '' : '; --all looks at places that are no multiples of 512, too';
      complain(`${shownPath(spec.path)}: no crash log of any known format is found in it${advice}`);
    }
    return EXIT.OK;
  },
};

/** A region, and what is in it. */
interface Shown extends FoundRegion {
  readonly source: string;
  /** Null where it could not be opened. */
  readonly records: number | null;
  readonly newest: readonly Newest[];
  /** Why it could not be opened, or null. */
  readonly problem: string | null;
}

interface Newest {
  readonly name: string;
  readonly time: string | null;
  readonly title: string | null;
}

/** A region that cannot be opened is hardly one. */
const NOT_OPENED = 0.4;
/** Newest dumps of which the titles are told. */
const TOLD = 3;

/** @throws PstoreError as opening a SOURCE does; EINVAL for one with a backend, or with keys that say how it is read */
function scanFile(spec: SourceSpec, align: 512 | 4): Shown[] {
  const { path, kind } = spec;
  const named = shownPath(path);
  const keys = new SourceKeys(spec.keys);
  const other = keys.names().find((key) => !PLACE_KEYS.includes(key));
  if (kind) throw new PstoreError('EINVAL', `${spec.text}: scan looks for every backend; leave out ${kind.name}:`);
  if (other !== undefined) throw new PstoreError('EINVAL', `${spec.text}: scan has no use for the key ${other}`);
  const warnings = new Warnings();
  const { storage: medium } = openMedium(path, { mode: 'read' }, new Map(), warnings);
  try {
    if (medium.size === 0) throw emptyFile(named);
    const file = unsparsed(medium, warnings);
    const image = withoutSpare(file, keys, warnings);
    const part = placed(image, keys, warnings);
    // Where offsets count from in what is printed to be typed.
    const whole = placed(image, new SourceKeys(spec.keys.filter(([key]) => key === 'part')), new Warnings());
    const begin = keys.size('offset') ?? 0;
    const progress = new ScanProgress(part.size);
    const scanner = new Scan(part, { align, onProgress: (done) => progress.at(done) });
    const found = scanner.regions();
    progress.end();
    const other = found.length === 0 ? otherFormatSentence(new SurvivingStorage(part), named) : undefined;
    if (other !== undefined) throw new PstoreError('EBADMSG', other, { path });
    for (const { message } of warnings.list) complain(`warning: ${message}`);
    if (scanner.isIncomplete) complain(`warning: ${named} is full of headers: not all of them were looked at`);
    return found.map((region) => shown({ ...region, offset: region.offset + begin }, spec, file, whole));
  } finally {
    medium.close();
  }
}

/** Keys that say which part of a file is meant. */
const PLACE_KEYS = ['oob', 'part', 'offset', 'size', 'ro'];

/**
 * @param file the medium, or what it describes as an Android sparse file
 * @param whole what offsets count in: the file without spare bytes, or a partition of that
 */
function shown(region: FoundRegion, spec: SourceSpec, file: Storage, whole: Storage): Shown {
  const { kind, offset } = region;
  const size = goesOn(region, whole) ? null : region.size;
  const isWhole = offset === 0 && (size === null || size === whole.size);
  const place: [string, string][] = isWhole ? [] : [['offset', `0x${offset.toString(16)}`]];
  if (!isWhole && size !== null) place.push(['size', inUnits(size)]);
  const kept = spec.keys.filter(([key]) => key === 'oob' || key === 'part');
  const keys = [...kept, ...place];
  const source = sourceText(kind.name, spec.path, new SourceKeys(keys), '');
  const opened = { ...spec, text: source, kind, keys };
  const options = { sharedKeys: [], mode: 'read', cache: new TextCache(), strict: false } as const;
  try {
    const notes = { isCopy: false, isUnsparsed: true, warnings: new Warnings() };
    const { backend } = openStorage(opened, new KeptOpen(file), options, readCompanion, notes);
    try {
      const records = [...listRecords([{ backend, label: backend.name }])];
      return { ...region, source, records: records.length, newest: newestOf(records), problem: null };
    } finally {
      backend.close();
    }
  } catch (error) {
    if (!(error instanceof PstoreError)) throw error;
    const sure = Math.min(region.sure, NOT_OPENED);
    return { ...region, sure, source, records: null, newest: [], problem: error.message };
  }
}

/** Whether what is blank up to the end belongs to it, too: where its kernel would write the next records. */
function goesOn({ kind, offset, size }: FoundRegion, whole: Storage): boolean {
  if (size === null || !kind.anywhere?.fillsTheRest) return false;
  const from = offset + size;
  if (whole.size - from > MAX_BLANK) return false;
  let blank: number | undefined;
  for (const { bytes } of pieces(SurvivingStorage.over(whole), { from, length: BLANK_STEP })) {
    blank ??= bytes[0];
    if ((blank !== 0 && blank !== 0xff) || bytes.some((byte) => byte !== blank)) return false;
  }
  return true;
}

const BLANK_STEP = 64 << 10;
/** pstore_blk takes no more of a partition. */
const MAX_BLANK = 128 << 20;

/** A medium that outlives those who open a part of it. */
class KeptOpen extends SliceStorage {
  override close(): void {}
  constructor(medium: Storage) {
    super(medium, 0);
  }
}

/** The newest dumps, each with the title of what crashed. */
function newestOf(records: readonly Listed[]): Newest[] {
  const live = records.filter(({ record }) => record.type === 'dmesg' && record.state === 'live');
  const newest = live.toSorted((a, b) => compare(b.record, a.record)).slice(0, TOLD * PARTS_EACH);
  return dumpsOf(newest)
    .slice(0, TOLD)
    .map((dump) => {
      const { mtimeNs } = dump.parts[0].kept.record;
      const time = mtimeNs === null ? null : clockText(mtimeNs, { utc: false, iso: false });
      return { name: nameOf(dump), time, title: crashOf(dump)?.title ?? null };
    });
}

/** A dump of EFI may have so many parts, of which each is a record. */
const PARTS_EACH = 150;

function compare(a: Listed['record'], b: Listed['record']): number {
  const [first, second] = [a.mtimeNs ?? 0n, b.mtimeNs ?? 0n];
  return first === second ? (a.count ?? 0) - (b.count ?? 0) : first < second ? -1 : 1;
}

function jsonRegion({ kind, offset, size, sure, source, records, newest, problem }: Shown): object {
  return { backend: kind.name, offset, size, confidence: rounded(sure), records, newest, source, problem };
}

const rounded = (value: number) => Math.round(value * 100) / 100;

/** What is printed to be typed works: nothing is, where the region could not be opened. */
function printRegion(region: Shown, { path }: SourceSpec): void {
  const { kind, offset, size, sure, source, records, newest, problem } = region;
  const length = size === null ? 'up to where it ends' : bytesText(size);
  print(`0x${offset.toString(16).padStart(8, '0')}  ${kind.name}, ${length}, confidence ${rounded(sure)}\n`);
  if (problem !== null) printFolded(`cannot be opened: ${problem}`);
  else printFolded(records === 0 ? 'no record' : records === 1 ? '1 record' : `${records} records`);
  for (const { name, time, title } of newest) {
    printFolded(`${name}${time === null ? '' : ` of ${time}`}: ${title ?? 'no crash is told of in it'}`);
  }
  if (problem !== null) return;
  const typed = path === STANDARD_INPUT ? source.replace(`:${path}`, `:${typedPath(path)}`) : source;
  print(`    pstorefuse ls ${shellWord(typed)}\n`);
}

const INDENT = '    ';

/** What a terminal is too narrow for goes on in the next line, a little further in. */
function printFolded(text: string): void {
  const columns = isTerminal() ? process.stdout.columns || 80 : Number.POSITIVE_INFINITY;
  const lines = folded(text.split(' '), columns - 2 * INDENT.length);
  print(`${lines.map((line, i) => `${INDENT}${i === 0 ? '' : INDENT}${line}`).join('\n')}\n`);
}
