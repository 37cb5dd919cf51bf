// pstorefuse archive: records as files of a folder, where nothing is ever written over; erased only when they are there.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { CODES, PstoreError } from '../errors.js';
import type { Backend, PstoreRecord } from '../pstore/backend.js';
import {
  type Dump,
  type DumpPart,
  dumpChunks,
  dumpOfParts,
  dumpsOf,
  isLog,
  nameOf,
  recordChunks,
} from '../triage/dump.js';
import { writer } from '../triage/explain.js';
import { explainDump } from '../triage/explained.js';
import {
  ArchiveFiles,
  compareFile,
  contentOf,
  isInArchive,
  isOfZones,
  isWithin,
  noFolderAbove,
  refuseNoFolder,
} from './archive-files.js';
import { type ArchivedFile, ArchiveIndex } from './archive-index.js';
import { archiveAsSystemd } from './archive-systemd.js';
import { type Command, EXIT, type Listed, listRecords, openAll, sourceOptions } from './command.js';
import { jsonCrash } from './explain.js';
import { complain, OutputClosed, OutputFailed, print, printable } from './print.js';
import { nanosecondsText } from './when.js';

const LAYOUTS = ['pstorefuse', 'systemd'] as const;

export const archive: Command = {
  usage: 'archive <source..> <folder>',
  pattern: 'archive <source..>',
  summary: 'Keep records as files of a folder, where nothing is written over; with --erase, erase what is there',
  examples: [
    ['$0 archive /dev/mmcblk0p7 /var/lib/pstorefuse --erase', 'what a machine does at boot'],
    ['$0 archive --dry-run *.raw archive', 'which files there would be'],
  ],
  details: [
    'Each dump, its parts joined, is one file: FOLDER/MACHINE/DATE/TIME-NAME-HASH, with date and time in UTC, and the ' +
      'first digits of the SHA-256 of its bytes. MACHINE is the label of the source where one was given, else the name ' +
      'of the machine where the log tells it, else the label that a mount would give. What has no time is in undated/. ' +
      'The path of each new file is printed.',
    'FOLDER/index.ndjson has a line for each file: path, source, label, parts (name, part, mtimeNs, size, sha256 and ' +
      'first line of each record), size, sha256, when it was archived, and all that explain tells of it.',
    'A file has its name only when all of it is on the medium. A record is erased when its file, the folder and the ' +
      'line of the index are. However it was interrupted: run again, it goes on, and nothing is lost or doubled. While ' +
      'one process archives to a folder, another one is refused.',
    '--layout systemd writes the files that systemd-pstore writes: records under their names; those of efi and erst in ' +
      'folders (SECONDS/COUNT for efi, the id of the last part for erst) together with dmesg.txt, the whole text. Where ' +
      'something other is there already, the file or folder is called NAME.1 and so on. It has no index.',
  ],
  build: (yargs) =>
    sourceOptions(yargs)
      .option('erase', { type: 'boolean', describe: 'erase each record when it is in the archive' })
      .option('dry-run', { type: 'boolean', describe: 'write and erase nothing, only print the paths of the files' })
      .option('layout', { type: 'string', requiresArg: true, describe: `${LAYOUTS.join(' (default) or ')}` }),
  run: (args) => {
    const sources = args.list('source');
    const folder = sources.pop();
    if (folder === undefined || sources.length === 0) {
      throw new PstoreError('EINVAL', `give sources and then the folder of the archive: pstorefuse ${archive.usage}`);
    }
    refuseFile(folder);
    const dry = args.flag('dry-run');
    const layout = args.choice('layout', LAYOUTS) ?? 'pstorefuse';
    const erases = args.flag('erase') && !dry;
    const opened = openAll(args, sources, erases ? 'must' : 'read');
    const index = layout === 'systemd' || dry ? undefined : new ArchiveIndex(folder);
    try {
      const run = new ArchiveRun({ folder, index, dry, erases, asSystemd: layout === 'systemd' });
      for (const dump of dumpsOf(listRecords(opened.mounted))) run.take(dump);
      run.eraseWaiting();
      return run.status === EXIT.OK && opened.partly ? EXIT.PARTLY : run.status;
    } finally {
      index?.close();
      opened.close();
    }
  },
};

/** Of several images without a folder after them, as `*.raw` gives, the last one would be taken for it. */
function refuseFile(folder: string): void {
  let isFolder: boolean | undefined;
  try {
    isFolder = statSync(folder, { throwIfNoEntry: false })?.isDirectory();
  } catch {
    // What cannot be looked at is told of when it is made.
  }
  if (isFolder !== false) return;
  const sentence = `${folder} is a file; give the folder of the archive after the sources`;
  throw new PstoreError('ENOTDIR', sentence, { path: folder, exit: CODES.EEXIST.exit });
}

interface RunOptions {
  readonly folder: string;
  readonly index: ArchiveIndex | undefined;
  readonly dry: boolean;
  readonly erases: boolean;
  readonly asSystemd: boolean;
}

/** One dump after the other: one that cannot be archived is told of, and keeps none of the others. */
class ArchiveRun {
  #isHeard = true;
  /** Whether something is in the archive, of which at least the list could not be written. */
  #isDone = false;
  #failure: { readonly exit: number } | undefined;
  readonly #options: RunOptions;
  readonly #files: ArchiveFiles;
  /** Slots of records that are in the archive, and to be erased. */
  readonly #archived = new Map<Backend, Set<number>>();
  /** Archived, but others that would be erased with them may not be. */
  readonly #waiting: Dump<Listed>[] = [];

  constructor(options: RunOptions) {
    this.#options = options;
    this.#files = new ArchiveFiles(options.folder);
  }

  /** The exit status: that of the last failure where nothing is done. */
  get status(): number {
    if (!this.#failure) return EXIT.OK;
    return this.#isDone ? EXIT.PARTLY : this.#failure.exit;
  }

  take(dump: Dump<Listed>): void {
    const { asSystemd, dry, folder } = this.#options;
    try {
      if (asSystemd) this.#told(archiveAsSystemd(dump, folder, dry ? undefined : this.#files));
      else this.#archive(dump);
    } catch (error) {
      // Nothing of it is erased.
      this.#fail(error);
      return;
    }
    this.#isDone = true;
    if (this.#options.erases) this.#eraseOrWait(dump);
  }

  #eraseOrWait(dump: Dump<Listed>): void {
    for (const { kept } of dump.parts) {
      const { backend } = kept.mounted;
      if (!this.#archived.has(backend)) this.#archived.set(backend, new Set());
      this.#archived.get(backend)!.add(kept.record.slot);
    }
    if (this.#notArchivedWith(dump) === undefined) this.#erase(dump);
    else this.#waiting.push(dump);
  }

  /** A record that would be erased with this dump, and is not in the archive. */
  #notArchivedWith({ parts }: Dump<Listed>): string | undefined {
    for (const { kept } of parts) {
      const { backend } = kept.mounted;
      const others = backend.erasedWith?.(kept.record.slot) ?? [];
      const other = others.find((slot) => !this.#archived.get(backend)?.has(slot) && backend.record(slot));
      if (other !== undefined) return backend.record(other)!.name;
    }
    return undefined;
  }

  /** All is archived that can be: erases what has waited for that. */
  eraseWaiting(): void {
    for (const dump of this.#waiting) {
      const other = this.#notArchivedWith(dump);
      const [{ kept }] = dump.parts;
      if (other === undefined) this.#erase(dump);
      else {
        const { path } = kept.mounted.backend;
        complain(`${path}: ${kept.record.name} is not erased, because ${other} would go with it and is not archived`);
      }
    }
  }

  #fail(error: unknown): void {
    if (!(error instanceof PstoreError)) throw error;
    this.#failure = error;
    complain(error.message);
  }

  #told(paths: readonly string[]): void {
    if (!this.#isHeard) return;
    try {
      for (const path of paths) print(`${printable(path)}\n`);
    } catch (error) {
      // The list cannot be written any more: the archive is the point.
      if (!(error instanceof OutputClosed || error instanceof OutputFailed)) throw error;
      this.#isHeard = false;
      if (error instanceof OutputClosed) return;
      this.#failure = error;
      complain(error.message);
    }
  }

  #archive(dump: Dump<Listed>): void {
    const { index } = this.#options;
    const { label } = dump.parts[0].kept.mounted;
    const parts = dump.parts.map((part) => ({ part, facts: partFacts(part) }));
    // An interrupted run may have erased a few parts of a dump that it had archived: the others are there, too.
    const missing = parts.filter(({ facts }) => !this.#has(index?.fileOf(label, facts)));
    if (missing.length === 0 || this.#isRest(dump)) return;
    const rest = missing.length === parts.length ? dump : dumpOfParts(missing.map(({ part }) => part));
    this.#write(
      rest,
      missing.map(({ facts }) => facts),
    );
  }

  /** A file that somebody has removed, or changed, does not hold its record any more. */
  #has(file: ArchivedFile | undefined): boolean {
    return file !== undefined && isInArchive(this.#options.folder, file);
  }

  /** Of a record of several zones, an interrupted run may have erased some: the archive has all of it. */
  #isRest({ parts: [{ kept }] }: Dump<Listed>): boolean {
    const { folder, index } = this.#options;
    if (!isOfZones(kept.record)) return false;
    const path = index?.newestOf(kept.mounted.label, kept.record.name);
    return (
      path !== undefined &&
      !noFolderAbove(folder, path) &&
      isWithin(
        join(folder, path),
        contentOf(() => recordChunks(kept)),
      )
    );
  }

  #write(dump: Dump<Listed>, parts: readonly PartFacts[]): void {
    const { folder, index, dry } = this.#options;
    const content = contentOf(() => dumpChunks(dump));
    const { kept } = dump.parts[0];
    const explained = isLog(kept.record) ? explainDump(dump) : undefined;
    const crash = explained && writer(explained.explanation, explained.reason ?? undefined);
    const machine = machineOf(kept, crash?.machine ?? explained?.explanation.machine ?? null);
    const paths = [HASH_DIGITS, 64].map((digits) =>
      join(machine, placeOf(kept.record, nameOf(dump), content.sha256.slice(0, digits))),
    );
    refuseNoFolder(folder, paths[0]!);
    const path = paths.find((candidate) => compareFile(join(folder, candidate), content) !== 'other');
    if (path === undefined) throw new PstoreError('EEXIST', `${folder}: a file of the archive was changed; remove it`);
    if (dry && compareFile(join(folder, path), content) === 'same') return;
    if (!dry) {
      this.#files.ensure(join(folder, path), content);
      index?.add({
        path,
        label: kept.mounted.label,
        ...describe(kept),
        size: content.size,
        sha256: content.sha256,
        archived: new Date().toISOString(),
        parts,
        ...(explained && { ...jsonCrash(explained, crash), path }),
      } as Parameters<ArchiveIndex['add']>[0]);
    }
    this.#told([join(folder, path)]);
  }

  /** The first in time first: the last one gives a dump its name. */
  #erase({ parts }: Dump<Listed>): void {
    for (const { kept } of parts) {
      try {
        kept.mounted.backend.erase(kept.record.slot);
      } catch (error) {
        this.#fail(error);
      }
    }
  }
}

/** This many digits of the hash are enough to tell texts of the same name and second apart. */
const HASH_DIGITS = 8;

type PartFacts = ReturnType<typeof partFacts>;

function partFacts({ kept, facts }: DumpPart<Listed>) {
  const head = facts?.head;
  const { name, mtimeNs } = kept.record;
  const { size, sha256 } = contentOf(() => recordChunks(kept));
  return {
    name,
    part: head?.part ?? null,
    mtimeNs: nanosecondsText(mtimeNs),
    size,
    sha256,
    head: head === undefined ? null : `${head.reason}#${head.count} Part${head.part}`,
  };
}

function describe({ mounted, record }: Listed): object {
  const { type, reason, count, compressed, state, mtimeNs } = record;
  return {
    source: mounted.backend.path,
    backend: mounted.backend.name,
    type,
    reason,
    count,
    compressed,
    state,
    mtimeNs: nanosecondsText(mtimeNs),
  };
}

/** A label that was given wins: whoever gave it knows. */
function machineOf({ mounted }: Listed, machine: string | null): string {
  const { label, backend } = mounted;
  const isGiven = label.replace(/\.\d+$/, '') !== backend.name;
  return fileName(isGiven || machine === null ? label : machine);
}

/** `2021-12-31/235957-NAME-HASH`, in UTC. */
function placeOf({ mtimeNs }: PstoreRecord, name: string, hash: string): string {
  const date = new Date(Number((mtimeNs ?? 0n) / 1_000_000n));
  if (mtimeNs === null || Number.isNaN(date.getTime())) return join('undated', `${fileName(name)}-${hash}`);
  const [day = '', time = ''] = date.toISOString().split('T');
  return join(day, `${time.slice(0, 8).replaceAll(':', '')}-${fileName(name)}-${hash}`);
}

/** Most characters of a name, so that what stands around it has room. */
const MAX_NAME = 120;

/** What an image calls something, as the name of a file. */
function fileName(text: string): string {
  const plain = text.replace(/[^\w.+@-]/g, '_').replace(/^[.-]/, '_');
  return plain.slice(0, MAX_NAME) || '_';
}
