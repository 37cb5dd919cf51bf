// pstorefuse verify: whether the files of an archive still are what its index says.

import { lstatSync, readdirSync } from 'node:fs';
import { join, normalize, relative } from 'node:path';
import { fromSystem, PstoreError } from '../errors.js';
import { reasonOf, sourceKind } from '../storage/file.js';
import { type Content, contentOf, fileChunks, noFolderAbove } from './archive-files.js';
import { INDEX_NAME, type IndexLine, MAX_LINE } from './archive-index.js';
import { type Command, EXIT } from './command.js';
import { sha256OfFile } from './hash.js';
import { Lines } from './lines.js';
import { json, print, printable } from './print.js';

export const verify: Command = {
  usage: 'verify <folder>',
  summary: 'Check the files of an archive against the hashes in its index',
  examples: [
    ['$0 verify /var/lib/pstorefuse', 'says which files were changed, are missing, or were never archived'],
    ['$0 verify --json archive', 'each file with its state, for programs'],
  ],
  details: [
    'FOLDER is one that archive has written. Each line of its index.ndjson names a file with its size and its SHA-256: ' +
      'a file is the same, changed, missing, or unreadable where the system does not let it be read. A file that no line ' +
      'names is unknown, and a line that cannot be read is a bad-line. Links are not followed, and nothing is written. ' +
      'The status is 0 where all are the same, else 65.',
    'The index itself is proven by its own SHA-256, which is printed: it is as good as the place where that was noted.',
  ],
  build: (yargs) => yargs.option('json', { type: 'boolean', describe: 'one object: the index, and each file' }),
  run: (args) => {
    const folder = args.text('folder')!;
    const { sha256, lines } = readIndex(folder);
    const checked = [...checkLines(folder, lines), ...unknownFiles(folder, lines)];
    const wrong = checked.filter(({ state }) => state !== 'same');
    if (args.flag('json')) {
      print(`${json({ folder, index: { sha256, lines: lines.length }, files: checked }, 1)}\n`);
    } else {
      for (const { state, path, reason } of wrong) print(`${state}  ${printable(path)}: ${printable(reason ?? '')}\n`);
      print(`${summary(checked.length - wrong.length, wrong.length)}\n`);
      print(`sha256  ${sha256}  ${printable(join(folder, INDEX_NAME))}\n`);
    }
    return wrong.length === 0 ? EXIT.OK : EXIT.DATA;
  },
};

type State = 'same' | 'changed' | 'missing' | 'unreadable' | 'unknown' | 'bad-line';

interface Checked {
  readonly state: State;
  /** From the folder on. */
  readonly path: string;
  /** What is not as it should be; null for `same`. */
  readonly reason: string | null;
}

/** A line of the index, or why it is none. */
type Line = (Pick<IndexLine, 'path'> & Pick<Content, 'size' | 'sha256'>) | string;

function summary(same: number, wrong: number): string {
  const files = (count: number) => `${count} ${count === 1 ? 'file' : 'files'}`;
  if (wrong === 0) return same === 0 ? 'the archive is empty' : `${files(same)}: as archived`;
  return `${files(same)} as archived, ${wrong} not`;
}

function readIndex(folder: string): { sha256: string; lines: readonly Line[] } {
  const path = join(folder, INDEX_NAME);
  if (sourceKind(folder) !== 'folder') {
    const sentence = `${folder} is a file; give the folder that archive wrote`;
    throw new PstoreError('ENOTDIR', sentence, { path: folder, exit: EXIT.NO_INPUT });
  }
  if (!isThere(path)) {
    const why = 'an archive of another layout, or no archive at all';
    throw new PstoreError(
      'ENOENT',
      `${folder} has no ${INDEX_NAME}: it is ${why}; give the folder that archive wrote`,
      {
        path,
      },
    );
  }
  return { sha256: sha256OfFile(path), lines: linesOf(fileChunks(path)) };
}

/** @throws PstoreError EACCES for what may not be looked at */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw fromSystem(error, `${path} cannot be looked at: ${reasonOf(error)}`, { path });
  }
}

function linesOf(chunks: Iterable<Uint8Array>): Line[] {
  const cutter = new Lines(MAX_LINE);
  const lines: Line[] = [];
  for (const bytes of chunks) for (const text of cutter.take(bytes)) lines.push(lineOf(text));
  if (cutter.unfinished > 0) lines.push('it is cut off: archive was stopped there, or is at work; run archive again');
  return lines;
}

const SHA256 = /^[\da-f]{64}$/;

function lineOf(text: string): Line {
  let line: { path?: unknown; size?: unknown; sha256?: unknown } | null;
  try {
    line = JSON.parse(text);
  } catch {
    return 'it is no JSON';
  }
  const { path, size, sha256 } = line ?? {};
  if (typeof path !== 'string' || typeof size !== 'number' || typeof sha256 !== 'string' || !SHA256.test(sha256)) {
    return 'it lacks path, size or sha256';
  }
  // A line must not have files looked at that are none of the archive's.
  const isInside = normalize(path) === path && !/^(?:\/|\.\.(?:\/|$))|\0/.test(path);
  return isInside ? { path, size, sha256 } : `its path ${path} is not in the folder`;
}

function* checkLines(folder: string, lines: readonly Line[]): Generator<Checked> {
  for (const [i, line] of lines.entries()) {
    if (typeof line === 'string') yield { state: 'bad-line', path: INDEX_NAME, reason: `line ${i + 1}: ${line}` };
    else yield { path: line.path, ...check(folder, line) };
  }
}

type Verdict = Omit<Checked, 'path'>;

/** One file that cannot be looked at keeps none of the others from being checked. */
function check(folder: string, line: Exclude<Line, string>): Verdict {
  try {
    const above = noFolderAbove(folder, line.path);
    if (above?.isLink) return { state: 'changed', reason: `${above.path} is a link now, and no folder` };
    if (above) return { state: 'missing', reason: `${above.path} is no folder` };
    return checkFile(join(folder, line.path), line);
  } catch (error) {
    return { state: isTooLong(error) ? 'missing' : 'unreadable', reason: whyUnreadable(error) };
  }
}

/** No file can have a name that is too long. */
const isTooLong = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENAMETOOLONG';

/** @throws Error that does not come from the system: it is a bug of ours */
function whyUnreadable(error: unknown): string {
  if (error instanceof PstoreError) return error.message;
  if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
  return `it cannot be looked at: ${reasonOf(error)}`;
}

function checkFile(path: string, { size, sha256 }: Pick<Content, 'size' | 'sha256'>): Verdict {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (!stats) return { state: 'missing', reason: 'the file is not there' };
  if (!stats.isFile()) return { state: 'changed', reason: 'it is no regular file any more' };
  if (stats.size !== size) return { state: 'changed', reason: `it has ${stats.size} bytes, the index says ${size}` };
  const found = contentOf(() => fileChunks(path)).sha256;
  if (found === sha256) return { state: 'same', reason: null };
  return { state: 'changed', reason: `its SHA-256 is ${found}, the index says ${sha256}` };
}

function* unknownFiles(folder: string, lines: readonly Line[]): Generator<Checked> {
  const known = new Set(lines.map((line) => (typeof line === 'string' ? '' : line.path)));
  known.add(INDEX_NAME);
  for (const file of filesIn(folder, folder)) {
    if (!known.has(file.path)) yield file;
  }
}

/** Everything that is no folder, links too, without following any; and each folder that cannot be read. */
function* filesIn(folder: string, root: string): Generator<Checked> {
  let entries: ReturnType<typeof listed>;
  try {
    entries = listed(folder);
  } catch (error) {
    yield { state: 'unreadable', path: relative(root, folder) || '.', reason: whyUnreadable(error) };
    return;
  }
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesIn(path, root);
    else yield { state: 'unknown', path: relative(root, path), reason: 'no line of the index names it' };
  }
}

const listed = (folder: string) =>
  readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
