// An archive as systemd-pstore lays it out (src/pstore/pstore.c of systemd 257), but never over an older file.

import { join } from 'node:path';
import { type Dump, type DumpPart, recordChunks } from '../triage/dump.js';
import {
  type ArchiveFiles,
  type Content,
  compareFile,
  contentOf,
  isOfZones,
  isWithin,
  refuseNoFolder,
} from './archive-files.js';
import type { Listed } from './command.js';

/** Records that are parts of dumps: a number of ten digits for the second, of three for the count, and the part. */
const EFI_NAME = /^dmesg-efi(?:_pstore)?-(\d+)/;
const ERST_NAME = /^dmesg-erst-(\d+)/;

/** The whole text of a dump, in its folder. */
const WHOLE = 'dmesg.txt';

interface Planned {
  readonly name: string;
  readonly content: Content;
  /** What an interrupted run has left of it is no record of its own. */
  readonly isOfZones?: boolean;
}

/**
 * Writes a dump, unless it is there.
 * @param files undefined: nothing is written
 * @returns the paths of what was, or would be, new
 */
export function archiveAsSystemd(dump: Dump<Listed>, folder: string, files: ArchiveFiles | undefined): string[] {
  const records = dump.parts.map(({ kept }) => {
    const content = contentOf(() => recordChunks(kept));
    return { name: kept.record.name, content, isOfZones: isOfZones(kept.record) };
  });
  const group = groupFolder(dump);
  if (group !== undefined) refuseNoFolder(folder, group);
  return group === undefined
    ? records.flatMap((record) => writeRecord(record, folder, files))
    : writeDump(
        { records, whole: { name: WHOLE, content: contentOf(() => wholeText(dump)) } },
        join(folder, group),
        files,
      );
}

/** `SECONDS/COUNT`, or the id; undefined for a record that stands in the folder itself. */
function groupFolder({ parts }: Dump): string | undefined {
  // Its newest part, which is erased last, names the dump.
  const { record } = parts.at(-1)!.kept;
  const [, erst] = ERST_NAME.exec(record.name) ?? [];
  if (erst !== undefined) return erst;
  const [, id] = EFI_NAME.exec(record.name) ?? [];
  if (id === undefined) return undefined;
  return id.length > 13 ? join(id.slice(0, 10), id.slice(-3)) : id;
}

/** Each part as it is, and a newline after it. */
function* wholeText({ parts }: Dump): Generator<Uint8Array> {
  for (const { kept } of parts as readonly DumpPart[]) {
    yield* recordChunks(kept);
    yield NEWLINE;
  }
}

const NEWLINE = Uint8Array.of(0x0a);

/** `path`, `path.1`, `path.2`, …. */
function* numbered(path: string): Generator<string> {
  yield path;
  for (let n = 1; ; n++) yield `${path}.${n}`;
}

function writeRecord(
  { name, content, isOfZones: zones }: Planned,
  folder: string,
  files: ArchiveFiles | undefined,
): string[] {
  for (const path of numbered(join(folder, name))) {
    const found = compareFile(path, content);
    if (found === 'other' && zones && isWithin(path, content)) return [];
    if (found === 'other') continue;
    files?.ensure(path, content);
    return found === 'same' ? [] : [path];
  }
  return [];
}

/** All files of a dump stand in one folder: the first one that has nothing other under their names. */
function writeDump(
  { records, whole }: { readonly records: readonly Planned[]; readonly whole: Planned },
  group: string,
  files: ArchiveFiles | undefined,
): string[] {
  for (const folder of numbered(group)) {
    const found = records.map(({ name, content }) => compareFile(join(folder, name), content));
    if (found.includes('other')) continue;
    const ofWhole = compareFile(join(folder, whole.name), whole.content);
    // Of a dump that is there, an interrupted run has erased some parts: what is left is no dump of its own.
    const isThere = ofWhole !== 'absent' && found.every((one) => one === 'same');
    if (ofWhole === 'other' && !isThere) continue;
    const wanted = isThere ? records : [...records, whole];
    const fresh = wanted.filter(({ name, content }) => compareFile(join(folder, name), content) === 'absent');
    for (const { name, content } of files ? wanted : []) files!.ensure(join(folder, name), content);
    return fresh.map(({ name }) => join(folder, name));
  }
  return [];
}
