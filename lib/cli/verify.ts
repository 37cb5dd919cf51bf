// pstorefuse verify: whether the files of an archive still are what its index says.

import { createHash } from 'node:crypto';
import { lstatSync, readdirSync } from 'node:fs';
import { join, normalize, relative } from 'node:path';
import { fromSystem, PstoreError } from '../errors.js';
import { reasonOf, sourceKind } from '../storage/file.js';
import { type Content, contentOf, fileChunks, noFolderAbove } from './archive-files.js';
import { fieldsOfLine, INDEX_NAME, type IndexLine, MAX_LINE } from './archive-index.js';
import { type Command, EXIT } from './command.js';
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
    const path = join(folder, INDEX_NAME);
    const index = new IndexReader(openIndex(folder));
    const shown = args.flag('json') ? new JsonOutput(folder) : new PeopleOutput(path);
    const files = new FileChecks(folder);
    let wrong = 0;
    for (const checked of checkAll(folder, index, files)) {
      if (checked.state !== 'same') wrong++;
      shown.push(checked);
    }
    shown.end(index.facts());
    return wrong === 0 ? EXIT.OK : EXIT.DATA;
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

interface IndexFacts {
  readonly sha256: string;
  readonly lines: number;
}

/** What is printed as it is found: an index may have millions of lines. */
class PeopleOutput {
  readonly #index: string;
  #same = 0;
  #wrong = 0;

  constructor(index: string) {
    this.#index = index;
  }

  push({ state, path, reason }: Checked): void {
    if (state === 'same') this.#same++;
    else this.#wrong++;
    if (state !== 'same') print(`${state}  ${printable(path)}: ${printable(reason ?? '')}\n`);
  }

  end({ sha256 }: IndexFacts): void {
    print(`${summary(this.#same, this.#wrong)}\n`);
    print(`sha256  ${sha256}  ${printable(this.#index)}\n`);
  }
}

class JsonOutput {
  #separator = '\n';

  constructor(folder: string) {
    print(`{\n "folder": ${json(folder)},\n "files": [`);
  }

  push(checked: Checked): void {
    print(`${this.#separator}  ${json(checked)}`);
    this.#separator = ',\n';
  }

  end(index: IndexFacts): void {
    print(`${this.#separator === '\n' ? '' : '\n '}],\n "index": ${json(index)}\n}\n`);
  }
}

function summary(same: number, wrong: number): string {
  const files = (count: number) => `${count} ${count === 1 ? 'file' : 'files'}`;
  if (wrong === 0) return same === 0 ? 'the archive is empty' : `${files(same)}: as archived`;
  return `${files(same)} as archived, ${wrong} not`;
}

/** The path of the index of an archive. */
function openIndex(folder: string): string {
  const path = join(folder, INDEX_NAME);
  if (sourceKind(folder) !== 'folder') {
    const sentence = `${folder} is a file; give the folder that archive wrote`;
    throw new PstoreError('ENOTDIR', sentence, { path: folder, exit: EXIT.NO_INPUT });
  }
  if (!isThere(path)) {
    const why = 'it is an archive of another layout, or no archive at all';
    throw new PstoreError('ENOENT', `${folder} has no ${INDEX_NAME}: ${why}; give the folder that archive wrote`, {
      path,
    });
  }
  return path;
}

/** @throws PstoreError EACCES for what may not be looked at */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw fromSystem(error, `${path} cannot be looked at: ${reasonOf(error)}`, { path });
  }
}

/** Gives the lines of an index, one after the other, and hashes it on the way. */
class IndexReader {
  readonly #path: string;
  readonly #hash = createHash('sha256');
  #lines = 0;

  constructor(path: string) {
    this.#path = path;
  }

  *lines(): Generator<Line> {
    const cutter = new Lines(MAX_LINE);
    for (const bytes of fileChunks(this.#path)) {
      this.#hash.update(bytes);
      for (const text of cutter.take(bytes)) {
        this.#lines++;
        yield lineOf(text);
      }
    }
    if (cutter.unfinished === 0) return;
    this.#lines++;
    yield 'it is cut off: archive was stopped there, or is at work; run archive again';
  }

  /** Of all that was read: it is called when there is no more line. */
  facts(): IndexFacts {
    return { sha256: this.#hash.digest('hex'), lines: this.#lines };
  }
}

const SHA256 = /^[\da-f]{64}$/;

function lineOf(text: string): Line {
  const line = fieldsOfLine(text);
  if (!line) return 'it is no line that archive writes';
  const { path, size, sha256 } = line;
  if (typeof path !== 'string' || !Number.isSafeInteger(size) || typeof sha256 !== 'string' || !SHA256.test(sha256)) {
    return 'it lacks path, size or sha256';
  }
  // A line must not have files looked at that are none of the archive's.
  const isInside = normalize(path) === path && !/^(?:\/|\.\.(?:\/|$))|\0/.test(path);
  return isInside ? { path, size: size as number, sha256 } : `its path ${path} is not in the folder`;
}

/** So many bad lines are told one by one, and then how many more there are. */
const MAX_BAD_LINES = 1000;

function* checkAll(folder: string, index: IndexReader, files: FileChecks): Generator<Checked> {
  let number = 0;
  let bad = 0;
  for (const line of index.lines()) {
    number++;
    if (typeof line !== 'string') {
      const isAgain = files.has(line.path);
      const checked = { path: line.path, ...files.check(line) };
      // A file that had been removed was archived anew: two lines, one file.
      if (!isAgain || checked.state !== 'same') yield checked;
    } else if (++bad <= MAX_BAD_LINES) yield { state: 'bad-line', path: INDEX_NAME, reason: `line ${number}: ${line}` };
  }
  if (bad > MAX_BAD_LINES) {
    const more = `and ${bad - MAX_BAD_LINES} more lines are bad`;
    yield { state: 'bad-line', path: INDEX_NAME, reason: more };
  }
  for (const file of filesIn(folder, folder)) {
    if (file.path !== INDEX_NAME && !files.has(file.path)) yield file;
  }
}

type Verdict = Omit<Checked, 'path'>;

/** No file can have a name that is too long. */
const isTooLong = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENAMETOOLONG';

/** @throws Error that does not come from the system: it is a bug of ours */
function whyUnreadable(error: unknown): string {
  if (error instanceof PstoreError) return error.message;
  if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
  return `it cannot be looked at: ${reasonOf(error)}`;
}

/** Checks the files that lines name. It remembers files that are there, and of those no more than the disk holds. */
export class FileChecks {
  readonly #folder: string;
  /** The SHA-256 by path, once it was needed: many lines may name one file. */
  readonly #known = new Map<string, string | undefined>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Whether a line has named a file that is there. */
  has(path: string): boolean {
    return this.#known.has(path);
  }

  /** One file that cannot be looked at keeps none of the others from being checked. */
  check(line: Exclude<Line, string>): Verdict {
    try {
      const above = noFolderAbove(this.#folder, line.path);
      if (above?.isLink) return { state: 'changed', reason: `${above.path} is a link now, and no folder` };
      if (above) return { state: 'missing', reason: `${above.path} is no folder` };
      return this.#checkFile(line);
    } catch (error) {
      return { state: isTooLong(error) ? 'missing' : 'unreadable', reason: whyUnreadable(error) };
    }
  }

  #checkFile({ path, size, sha256 }: Exclude<Line, string>): Verdict {
    const place = join(this.#folder, path);
    const stats = lstatSync(place, { throwIfNoEntry: false });
    if (!stats) return { state: 'missing', reason: 'the file is not there' };
    const known = this.#known.get(path);
    this.#known.set(path, known);
    if (!stats.isFile()) return { state: 'changed', reason: 'it is no regular file any more' };
    if (stats.size !== size) return { state: 'changed', reason: `it has ${stats.size} bytes, the index says ${size}` };
    const found = known ?? contentOf(() => fileChunks(place)).sha256;
    this.#known.set(path, found);
    if (found === sha256) return { state: 'same', reason: null };
    return { state: 'changed', reason: `its SHA-256 is ${found}, the index says ${sha256}` };
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
