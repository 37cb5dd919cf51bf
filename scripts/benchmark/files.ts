// The rows that compare file systems of the same files: listing, stat, reading, the first listing of a mount.

import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Contender, environment, pathList, processesOf, run } from './contenders.js';
import type { FileSet } from './images.js';
import type { Operations } from './operations.js';
import { median, type Row, time } from './table.js';

const READERS = 4;
const BASE = 'squashfuse_ll';

/** One measurement of one contender: milliseconds, or microseconds, by row. */
type Sample = Readonly<Record<string, number>>;

const TITLES: Readonly<Record<string, string>> = {
  ls: 'ls -l of all, cold',
  stat: 'stat of all, cold',
  'stat-warm': 'stat of all, warm',
  'stat-cpu': 'processor time of the server for stat of all, cold',
  cat: 'cat of all, cold',
  'cat-warm': 'cat of all, warm',
  'cat-cpu': 'processor time of the server for cat of all, cold',
  readers: `${READERS} readers at once, cold`,
  large: 'cat of one large record, cold',
  'op-stat': 'one stat(2) by one client, cold',
  'op-stat-warm': 'one stat(2) by one client, warm',
  'op-cat': 'open(2), read(2), close(2) of one file by one client, cold',
  'op-cat-warm': 'the same, warm',
};

const TARGETS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  ls: { 'dev-fuse': 0.5, 'fuse-native': 2 },
  stat: { 'dev-fuse': 1, 'fuse-native': 2 },
  'stat-warm': { 'fuse-native': 2 },
  'stat-cpu': {},
  'cat-cpu': {},
  cat: { 'dev-fuse': 1, 'fuse-native': 2 },
  'cat-warm': { 'dev-fuse': 0.8, 'fuse-native': 2 },
  readers: { 'dev-fuse': 0.7, 'fuse-native': 2 },
  large: { 'dev-fuse': 1, 'fuse-native': 2 },
  'op-stat': { 'dev-fuse': 1.2 },
  'op-stat-warm': {},
  'op-cat': { 'dev-fuse': 1 },
  'op-cat-warm': { 'dev-fuse': 1 },
};

/** What a row is called on the command line: some are measured together. */
function rowOf(id: string): string {
  return id.startsWith('op-') ? 'op' : id.replace(/-cpu$/, '');
}

function fresh<T>(contender: Contender, set: FileSet, at: string, work: (folder: string) => T): T {
  contender.mount(set, at);
  try {
    return work(contender.folder(set, at));
  } finally {
    contender.unmount(at);
  }
}

/** proc(5): a tick of /proc/PID/stat in milliseconds, on every machine that Node runs on. */
const TICK_MS = 10;

/** Milliseconds that the servers of a mount have run, which says more than the clock where others use the machine. */
function processorTime(at: string): number {
  return processesOf(at).reduce((sum, pid) => {
    // Behind the name in parentheses: state is field 3, utime and stime are 14 and 15.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  }, 0);
}

function xargs(list: string, program: readonly string[]): void {
  const [name, ...args] = program;
  const { status } = spawnSync('xargs', ['-0', '-a', list, name!, ...args], { stdio: 'ignore', env: environment() });
  if (status !== 0) throw new Error(`${program.join(' ')} of ${list} failed`);
}

/** @param lists files with the paths for each reader */
async function readAtOnce(lists: readonly string[]): Promise<void> {
  const ends = lists.map(
    (list) =>
      new Promise<void>((resolve, reject) => {
        const child = spawn('xargs', ['-0', '-a', list, 'cat'], { stdio: 'ignore', env: environment() });
        child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`cat of ${list} failed`))));
      }),
  );
  await Promise.all(ends);
}

/** All rows of one contender. Cold: just mounted, the image in the page cache. */
async function sample(contender: Contender, { set, work, wanted, operations }: FilesPlan): Promise<Sample> {
  const at = join(work, 'mnt');
  const list = join(work, 'paths');
  const folder = contender.folder(set, at);
  writeFileSync(list, pathList(set, folder));
  const result: Record<string, number> = {};
  if (wanted.has('ls')) {
    result.ls = fresh(contender, set, at, () => time(() => run('ls', ['-l', folder])));
  }
  if (wanted.has('stat') || wanted.has('stat-warm')) {
    fresh(contender, set, at, () => {
      const before = processorTime(at);
      result.stat = time(() => xargs(list, ['stat', '-c', '%s']));
      result['stat-cpu'] = processorTime(at) - before;
      result['stat-warm'] = time(() => xargs(list, ['stat', '-c', '%s']));
    });
  }
  if (wanted.has('cat') || wanted.has('cat-warm')) {
    fresh(contender, set, at, () => {
      const before = processorTime(at);
      result.cat = time(() => xargs(list, ['cat']));
      result['cat-cpu'] = processorTime(at) - before;
      result['cat-warm'] = time(() => xargs(list, ['cat']));
    });
  }
  for (const operation of ['stat', 'cat'] as const) {
    if (!operations || !wanted.has('op')) continue;
    const [cold, warm] = fresh(contender, set, at, () => operations.each(operation, list));
    Object.assign(result, { [`op-${operation}`]: cold, [`op-${operation}-warm`]: warm });
  }
  if (wanted.has('readers')) {
    const lists = Array.from({ length: READERS }, (_, i) => `${list}.${i}`);
    for (const [i, path] of lists.entries()) {
      writeFileSync(path, pathList({ ...set, names: set.names.filter((_, at) => at % READERS === i) }, folder));
    }
    contender.mount(set, at);
    const start = performance.now();
    await readAtOnce(lists);
    result.readers = performance.now() - start;
    contender.unmount(at);
  }
  return result;
}

export interface FilesPlan {
  readonly set: FileSet;
  readonly large: FileSet;
  readonly rounds: number;
  readonly work: string;
  readonly wanted: ReadonlySet<string>;
  /** The client of rows of single operations, where there is a compiler. */
  readonly operations: Operations | undefined;
}

export async function fileRows(all: readonly Contender[], plan: FilesPlan): Promise<Row[]> {
  const { set, large, rounds, work, wanted, operations } = plan;
  const rows = Object.keys(TITLES).filter(
    (id) => wanted.has(rowOf(id)) && (operations !== undefined || rowOf(id) !== 'op'),
  );
  if (rows.length === 0) return [];
  const samples = new Map<string, Record<string, number[]>>();
  for (const file of [set.image, set.squashfs, large.image, large.squashfs])
    run('dd', [`if=${file}`, 'of=/dev/null', 'bs=1M']);
  for (let round = 0; round < rounds; round++) {
    for (const contender of all) {
      const once = {
        ...(await sample(contender, plan)),
        ...(wanted.has('large') ? readLarge(contender, large, work) : {}),
      };
      for (const [id, ms] of Object.entries(once)) {
        const row = samples.get(id) ?? {};
        row[contender.name] ??= [];
        row[contender.name]!.push(ms);
        samples.set(id, row);
      }
    }
  }
  const counted = `${set.names.length} files of ${Math.round(set.bytes / set.names.length / 1024)} KiB`;
  return rows.map((id) => ({
    id,
    title: `${TITLES[id]} (${id === 'large' ? `${Math.round(large.bytes / 2 ** 20)} MiB, the note of a vmcore` : counted})`,
    values: Object.fromEntries(Object.entries(samples.get(id)!).map(([name, values]) => [name, median(values)])),
    base: BASE,
    unit: rowOf(id) === 'op' ? 'µs' : 'ms',
    targets: TARGETS[id]!,
  }));
}

function readLarge(contender: Contender, large: FileSet, work: string): Sample {
  const at = join(work, 'mnt');
  const file = join(contender.folder(large, at), large.names[0]!);
  return { large: fresh(contender, large, at, () => time(() => read(file))) };
}

function read(file: string): void {
  const { status } = spawnSync('cat', [file], { stdio: 'ignore' });
  if (status !== 0) throw new Error(`${file} cannot be read`);
}

/** Mount to first ls, against the start of Node. */
export function firstListing(all: readonly Contender[], set: FileSet, rounds: number, work: string): Row {
  const at = join(work, 'mnt');
  const samples: Record<string, number[]> = { 'node -e 0': [], 'node that starts node': [] };
  const twice = 'require("node:child_process").spawnSync(process.execPath, ["-e", "0"])';
  for (let round = 0; round < rounds; round++) {
    samples['node -e 0']!.push(time(() => run(process.execPath, ['-e', '0'])));
    samples['node that starts node']!.push(time(() => run(process.execPath, ['-e', twice])));
    for (const contender of all) {
      if (contender.name === 'plain') continue;
      samples[contender.name] ??= [];
      samples[contender.name]!.push(
        time(() => {
          contender.mount(set, at);
          run('ls', [contender.folder(set, at)]);
        }),
      );
      contender.unmount(at);
    }
  }
  return {
    id: 'first-ls',
    title: `mount to first ls (${set.names.length} records)`,
    values: Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, median(values)])),
    base: 'node -e 0',
    unit: 'ms',
    targets: { 'dev-fuse': 2.5 },
  };
}

/** `Name: n kB` of /proc/PID/status, in bytes. */
export function statusOf(pid: number, name: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
}
