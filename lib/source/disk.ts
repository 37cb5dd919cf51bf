// An image of a whole disk, or a tar archive: the partition or file in it that is meant, or those that hold something.

import { PstoreError } from '../errors.js';
import {
  MAX_LISTED,
  type Partition,
  type PartitionTable,
  partitionText,
  passedText,
  readPartitionTables,
  TABLE_WORDS,
  withoutOverlaps,
} from '../storage/partitions.js';
import { SliceStorage } from '../storage/slice.js';
import { SpareStorage } from '../storage/spare.js';
import type { Storage } from '../storage/storage.js';
import { SurvivingStorage } from '../storage/surviving.js';
import { readTar } from '../storage/tar.js';
import type { Warnings } from '../warnings.js';
import { findSpare } from './find-spare.js';
import { knows, type SourceSpec } from './grammar.js';
import { KINDS } from './kinds.js';
import { likeliest } from './recognise.js';
import { shellWord, shownPath, typedPath } from './typed.js';

/** A partition in which something is found. */
interface Hit {
  readonly partition: Partition;
  /** The name of the backend. */
  readonly kind: string;
}

/** The tables of partitions, or of files, that an image may have, as readPartitionTables() gives them. */
function tablesOf(disk: Storage): readonly PartitionTable[] {
  const surviving = new SurvivingStorage(disk);
  const archive = readTar(surviving);
  return archive ? [archive] : readPartitionTables(surviving);
}

/** Whether it is a disk with a partition table, or a tar archive. */
export function hasTable(disk: Storage): boolean {
  return tablesOf(disk).length > 0;
}

/** The partition's bytes; fewer than its table says where the disk was cut. */
function partitionStorage(disk: Storage, { offset, size }: Partition): SliceStorage {
  return new SliceStorage(disk, offset, Math.min(size, disk.size - offset));
}

/** As fstab and the kernel's own parameters name a partition. */
const TAGGED = /^(PARTUUID|PARTLABEL)=(.*)$/;

/**
 * The partition that the key `part` names: by its number, its label, or its PARTUUID.
 * @throws PstoreError EBADMSG where there is no partition table, EINVAL where no partition or more than one is named so
 */
export function namedPartition(disk: Storage, name: string, warnings: Warnings): SliceStorage {
  const [table] = tablesOf(disk);
  if (!table) {
    const sentence = `${disk.path} has no partition table (GPT or MBR) and is no tar archive, so part=${name} names nothing; leave it out`;
    throw new PstoreError('EBADMSG', sentence, { path: disk.path });
  }
  const byNumber = table.partitions.filter(({ number }) => String(number) === name);
  const [, tag, wanted = name] = TAGGED.exec(name) ?? [];
  const named = table.partitions.filter(
    (partition) =>
      (tag !== 'PARTUUID' && partition.name === wanted) ||
      (tag !== 'PARTLABEL' && partition.partUuid === wanted.toLowerCase()),
  );
  const [found, another] = byNumber.length > 0 ? byNumber : named;
  if (!found || another) {
    const { part } = TABLE_WORDS[table.kind];
    const what = another ? `more than one ${part} is called` : `no ${part} is called`;
    const list = table.partitions.map(partitionText).slice(0, MAX_LISTED).join('; ');
    throw new PstoreError('EINVAL', `${disk.path}: ${what} ${name}; its ${table.kind} has ${list || 'none'}`, {
      path: disk.path,
    });
  }
  warnOfTable(disk, table, warnings);
  if (found.offset + found.size > disk.size) {
    const sentence = `the image ends at ${disk.size}, inside the ${TABLE_WORDS[table.kind].part} ${partitionText(found)}; it was cut`;
    warnings.add('image-capped', `${disk.path}: ${sentence}`);
  }
  return partitionStorage(disk, found);
}

/** What was looked into, table by table. */
interface Search {
  readonly table: PartitionTable;
  readonly hits: readonly Hit[];
  /** Partitions that were not looked into, since they overlap others that were. */
  readonly passed: readonly Partition[];
}

/**
 * Looks into every partition, but at no byte of the disk twice: a hostile table may put a thousand over one another.
 * @param recognise the name of the backend whose records a part of the disk holds
 * @returns the table in the reading in which most is found, and what is found; undefined without a table
 */
function searchPartitions(disk: Storage, recognise: (part: SliceStorage) => string | undefined): Search | undefined {
  let best: Search | undefined;
  for (const table of tablesOf(disk)) {
    const { apart, passed } = withoutOverlaps(table.partitions);
    const hits = apart.flatMap((partition): Hit[] => {
      const kind = recognise(partitionStorage(disk, partition));
      return kind === undefined ? [] : [{ partition, kind }];
    });
    if (!best || hits.length > best.hits.length) best = { table, hits, passed };
  }
  return best;
}

function warnOfPassed(disk: Storage, { table, passed }: Search, warnings: Warnings): void {
  const [first] = passed;
  if (!first) return;
  const sentence = `${disk.path} is ${TABLE_WORDS[table.kind].whole}: ${passedText(passed, table.kind)}`;
  warnings.add('search-ended', sentence, first.offset);
}

/** What was found in a disk, and what to type. */
function hitText(path: string, { partition, kind }: Hit, table: PartitionTable): string {
  return `${TABLE_WORDS[table.kind].part} ${partitionText(partition)} is of ${kind}: take ${shellWord(`${kind}:${typedPath(path)},part=${partition.number}`)}`;
}

/** What was found in a disk without the key part=. */
export interface Found {
  readonly storage: SliceStorage;
  /** The keys that would have named it. */
  readonly keys: readonly (readonly [string, string])[];
}

/** A kind that is not as sure as this has not found its records in a partition. */
const FOUND = 0.69;

/** Of more files of an archive than this nobody takes them one by one. */
const MAX_FILES = 4;

/** A larger partition is no dump of a chip. */
const MAX_DUMP = 256 << 20;

/** The kind of a partition that holds the dump of a chip, with spare bytes, where none is told before these are out. */
function kindOfDump(part: SliceStorage, kindOf: (part: Storage) => string | undefined): string | undefined {
  const shape = part.size <= MAX_DUMP ? findSpare(new SurvivingStorage(part), true) : undefined;
  return shape && kindOf(new SpareStorage(part, shape));
}

/**
 * Looks into the partitions of a disk, or the files of an archive; the table, not the whole, tells where an image begins.
 * @returns undefined where there is no partition table, or no partition holds anything
 * @throws PstoreError EBADMSG where several do, or where something is to be written
 */
export function findInDisk(
  spec: SourceSpec,
  disk: Storage,
  mode: 'read' | 'try' | 'must',
  warnings: Warnings,
): Found | undefined {
  const files = KINDS.filter((kind) => kind.source === 'file');
  const kinds = files.filter((kind) => (spec.kind ? kind === spec.kind : spec.keys.every(([key]) => knows(kind, key))));
  const kindOf = (part: Storage) => likeliest(kinds, SurvivingStorage.opening(part), FOUND)?.kind.name;
  let search = searchPartitions(disk, kindOf);
  if (search?.hits.length === 0) search = searchPartitions(disk, (part) => kindOfDump(part, kindOf));
  if (search) warnOfPassed(disk, search, warnings);
  const [hit, another] = search?.hits ?? [];
  if (!search || !hit) return undefined;
  const { path } = spec;
  const { table } = search;
  const { whole, part } = TABLE_WORDS[table.kind];
  if (another || mode === 'must') {
    const shown = search.hits.slice(0, table.kind === 'tar' ? MAX_FILES : MAX_LISTED);
    const left = search.hits.length - shown.length;
    const more =
      left === 0
        ? ''
        : table.kind === 'tar'
          ? `; ${left} more: extract it (tar -x), and give the folder`
          : `; ${left} more`;
    const list = `${shown.map((each) => hitText(path, each, table)).join('; ')}${more}`;
    const why = another ? `several of its ${part}s hold something` : `to write, name the ${part}`;
    const passed = search.passed.length > 0 ? `; ${passedText(search.passed, table.kind)}` : '';
    throw new PstoreError('EBADMSG', `${shownPath(path)} is ${whole}: ${why}: ${list}${passed}`, { path });
  }
  warnings.add('partition-found', `${shownPath(path)} is ${whole}: ${hitText(path, hit, table)}`);
  warnOfTable(disk, table, warnings);
  return { storage: partitionStorage(disk, hit.partition), keys: [['part', String(hit.partition.number)]] };
}

function warnOfTable(disk: Storage, { kind, damage }: PartitionTable, warnings: Warnings): void {
  if (damage !== undefined) warnings.add('medium-damaged', `${disk.path}: the ${kind} is damaged: ${damage}`);
}
