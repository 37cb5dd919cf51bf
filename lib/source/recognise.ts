// Of which kind an image is. Knows no file.

import { SEARCHED } from '../blk/detect.js';
import { PstoreError } from '../errors.js';
import { COMMON_KEYS, type SourceKeys } from '../pstore/keys.js';
import {
  type AnyKind,
  type BackendKind,
  type Finding,
  type FolderKind,
  HEAD,
  type OpenContext,
} from '../pstore/kind.js';
import type { Firmware } from '../storage/firmware.js';
import type { Folder } from '../storage/folder.js';
import {
  MAX_LISTED,
  partitionText,
  passedText,
  readPartitionTables,
  TABLE_WORDS,
  withoutOverlaps,
} from '../storage/partitions.js';
import { readRange, type Storage } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import { readTar } from '../storage/tar.js';
import { knows, type SourceSpec } from './grammar.js';
import { KINDS } from './kinds.js';
import { otherFormatSentence } from './other-formats.js';
import { shellWord, shownPath, typedPath } from './typed.js';

/** Above this another kind is the right one, unless the given one is as sure as MAYBE: an empty zone of it looks so. */
const LIKELY = 0.5;
const MAYBE = 0.4;

/**
 * What an image looks like that is hardly of the kind that was given by hand; undefined where that may be right.
 * @param hasFailed the given kind could not open it
 */
export function looksLike(
  { kind: given, path, keys }: SourceSpec,
  storage: SurvivingStorage,
  hasFailed = false,
): string | undefined {
  if (!hasFailed && given?.source === 'file' && (given.probe(storage)?.sure ?? 0) >= MAYBE) return undefined;
  const files = KINDS.filter((kind) => kind.source === 'file');
  const best = likeliest(
    files.filter((kind) => !hasFailed || kind !== given),
    storage,
    LIKELY,
  )?.kind;
  if (!best) return otherFormatSentence(storage, shownPath(path));
  const kept = keys.filter(([key]) => (COMMON_KEYS as readonly string[]).includes(key));
  const words = kept.map(([key, value]) => (value === '' ? `,${key}` : `,${key}=${value.replaceAll(',', ',,')}`));
  return `it looks like ${best.name}: take ${shellWord(`${best.name}:${typedPath(path)}${words.join('')}`)}`;
}

export interface Recognised {
  readonly kind: BackendKind;
  readonly finding: Finding<OpenContext>;
}

/** Nothing that another kind could find would outweigh it. */
const CERTAIN = 1;

/** @param least how sure a kind must at least be, and a little more */
export function likeliest(kinds: readonly BackendKind[], storage: SurvivingStorage, least = 0): Recognised | undefined {
  let best: Recognised | undefined;
  const head = readRange(storage, 0, HEAD);
  const isFirst = (kind: BackendKind) => kind.isAskedFirst?.(head) ?? false;
  for (const kind of [...kinds].sort((a, b) => Number(isFirst(b)) - Number(isFirst(a)))) {
    const finding = kind.probe(storage);
    if (finding && finding.sure > (best?.finding.sure ?? least)) best = { kind, finding };
    if (finding && finding.sure >= CERTAIN) break;
  }
  return best;
}

/** pstore/zone and blkoops: a smaller partition is refused. */
const MIN_PARTITION = 4096;

/** A key that only some kinds know tells which kind is meant; one that the image's own kind does not know is told later. */
function bestOf(files: readonly BackendKind[], spec: SourceSpec, storage: SurvivingStorage): Recognised | undefined {
  const meant = files.filter((kind) => spec.keys.every(([key]) => knows(kind, key)));
  const own = likeliest(meant, storage);
  return own && own.finding.sure >= MAYBE ? own : likeliest(files, storage);
}

/** @throws PstoreError EBADMSG when it is of none */
export function recognise(spec: SourceSpec, storage: SurvivingStorage, keys: SourceKeys): Recognised {
  const files = KINDS.filter((kind) => kind.source === 'file');
  // The files of a tar archive were looked at one by one: what is found across them is no image.
  const best = readTar(storage) ? undefined : bestOf(files, spec, storage);
  if (best && (storage.size >= MIN_PARTITION || best.finding.sure > LIKELY)) return best;
  const path = shownPath(spec.path);
  const other = otherFormatSentence(storage, path);
  if (other !== undefined) throw new PstoreError('EBADMSG', other, { path: spec.path });
  const disk = emptyDiskText(storage);
  if (disk !== undefined) throw new PstoreError('EBADMSG', `${path} ${disk}`, { path: spec.path });
  if (storage.size < MIN_PARTITION) {
    throw new PstoreError(
      'EBADMSG',
      `${path}: too few bytes for a crash-log partition (${storage.size}), which has at least ${MIN_PARTITION}`,
      { path: spec.path },
    );
  }
  const names = files.filter((kind) => kind.format).map(({ name }) => name);
  const given = keys.has('kmsg_size') || keys.has('record_size');
  const sizes = given ? '' : ', and give the sizes that its kernel had (kmsg_size=, …)';
  const searched =
    storage.size > SEARCHED
      ? ` (only the first ${SEARCHED >> 20} MiB were searched: offset= and size= name a part that lies after them)`
      : '';
  throw new PstoreError(
    'EBADMSG',
    `${path}: no signature of any known format is found in it${searched}; ${scanText(spec.path)} looks for images anywhere in it; if it is a fresh partition, name its backend (${names.join(', ')}) as in ${shellWord(`${names[0]}:${typedPath(spec.path)}`)}${sizes}`,
    { path: spec.path },
  );
}

/** The kind whose files stand in a folder. To be asked first: a platform dump may be any file. */
export function kindOfFiles(kinds: readonly AnyKind[], folder: Folder): BackendKind | undefined {
  return kinds.find((kind): kind is BackendKind => {
    return kind.source === 'file' && kind.folder !== undefined && probesFolder(kind.folder, folder);
  });
}

/** A folder with too many files is none of records. */
function probesFolder(kind: NonNullable<BackendKind['folder']>, folder: Folder): boolean {
  try {
    return kind.probe(folder) > 0;
  } catch (error) {
    if (error instanceof PstoreError && error.code === 'EFBIG') return false;
    throw error;
  }
}

/** The kind whose dumps a firmware, or a folder of saved ones, has. */
export function kindOfFirmware(kinds: readonly AnyKind[], firmware: Firmware): FolderKind | undefined {
  return kinds.find((kind): kind is FolderKind => kind.source === 'folder' && kind.probe(firmware) !== undefined);
}

function scanText(path: string): string {
  return `pstorefuse scan ${shellWord(typedPath(path))}`;
}

/** What is said of a disk in none of whose partitions anything is found; undefined for what is no disk. */
function emptyDiskText(disk: Storage): string | undefined {
  const [table] = readPartitionTables(disk);
  if (!table) return undefined;
  const list = table.partitions.map(partitionText);
  const more = list.length > MAX_LISTED ? `; ${list.length - MAX_LISTED} more` : '';
  const found = `its partitions are ${list.slice(0, MAX_LISTED).join('; ')}${more}`;
  const { passed } = withoutOverlaps(table.partitions);
  const untold = passed.length > 0 ? `; ${passedText(passed, table.kind)}` : '';
  return `is ${TABLE_WORDS[table.kind].whole}, in which no crash log is found; ${found}${untold}; part= names one, and ${scanText(disk.path)} looks at all of it`;
}
