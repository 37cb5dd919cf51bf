// Many processes on mounts, by each transport and layout, live or not, some of them killed. What they find is compared
// with a model: their own, which knows what each record says. scripts/stress runs it.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { partition } from '../test/builders/zone.js';
import { ROOT } from '../test/fixture-path.js';
import { pstorefuse, unmountHard } from '../test/mounted.js';
import { Random } from '../test/trials/random.js';
import { scriptOptions } from './options.js';

const { values: options } = scriptOptions('stress', {
  options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string', default: '1' } },
});

const CLIENT = join(ROOT, 'dist', 'test', 'builders', 'stress-client.js');
const CLIENTS = 6;
const ZONES = 6000;
const ZONE_SIZE = 4096;
const SAMPLE_MS = 1000;
/** What memory may grow by from a quarter of the time on, as a factor. */
const FLAT = 1.2;
const random = new Random(Number(options.seed));
const work = mkdtempSync(join(tmpdir(), 'pstorefuse-stress-'));

/** One way to mount. */
interface Round {
  readonly transport: string;
  readonly layout: string;
  readonly isLive: boolean;
}

const ROUNDS: readonly Round[] = ['dev-fuse', 'fuse-native'].flatMap((transport) =>
  ['both', 'subdirs'].flatMap((layout) => [false, true].map((isLive) => ({ transport, layout, isLive }))),
);

function image(path: string): void {
  const built = partition(ZONES * ZONE_SIZE).kmsg(ZONE_SIZE);
  for (let id = 0; id < ZONES; id++) {
    built.dmesg(id, {
      body: `Oops#1 Part1\nrecord ${id} of pstore_blk\n`,
      counter: id + 1,
      seconds: 1_700_000_000 + id,
    });
  }
  writeFileSync(path, built.bytes);
}

function serverOf(path: string): number | undefined {
  for (const pid of readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      if (words.includes('pstorefuse-server') && words.includes(path)) return Number(pid);
    } catch {
      // It has ended in the meantime.
    }
  }
  return undefined;
}

interface Use {
  readonly mebibytes: number;
  readonly descriptors: number;
  readonly threads: number;
}

function useOf(pid: number): Use {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  return {
    mebibytes: Math.round(field('VmRSS') / 1024),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    threads: field('Threads'),
  };
}

/** A client that lists, reads and erases; some are killed in the middle of it. @returns what is wrong */
async function client(mountPoint: string, end: number): Promise<string[]> {
  const wrong: string[] = [];
  while (Date.now() < end) {
    const seconds = Math.max(1, Math.min(10, Math.ceil((end - Date.now()) / 1000)));
    const child = spawn(process.execPath, [CLIENT, mountPoint, String(seconds), String(random.next())], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said = await ended(child, random.oneIn(3) ? random.below(seconds * 1000) : undefined);
    wrong.push(...said.split('\n').filter((line) => line.startsWith('WRONG')));
  }
  return wrong;
}

function ended(child: ChildProcess, killAfterMs: number | undefined): Promise<string> {
  let said = '';
  child.stdout!.setEncoding('latin1').on('data', (text: string) => {
    said += text;
  });
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  return new Promise((resolve) => {
    child.on('close', () => {
      clearTimeout(timer);
      resolve(said);
    });
  });
}

async function stress({ transport, layout, isLive }: Round, milliseconds: number): Promise<string[]> {
  const name = `${transport}-${layout}${isLive ? '-live' : ''}`;
  const path = join(work, `${name}.raw`);
  const mountPoint = join(work, name);
  mkdirSync(mountPoint);
  image(path);
  const keys = `kmsg_size=4K${isLive ? ',update_ms=200' : ''}`;
  const words = [`pstore_blk:${path},${keys}`, mountPoint, '--transport', transport, '-o', `layout=${layout}`];
  const mounted = pstorefuse('mount', ...words);
  if (mounted.status !== 0) return [`it does not mount: ${mounted.stderr}`];
  const pid = serverOf(path);
  if (pid === undefined) return ['its server is not to be found'];
  const uses: Use[] = [];
  const sampler = setInterval(() => uses.push(useOf(pid)), SAMPLE_MS);
  const end = Date.now() + milliseconds;
  const wrong = (await Promise.all(Array.from({ length: CLIENTS }, () => client(mountPoint, end)))).flat();
  clearInterval(sampler);
  if (pstorefuse('umount', mountPoint).status !== 0) wrong.push('it does not unmount');
  unmountHard(mountPoint);
  await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
  if (serverOf(path) !== undefined) wrong.push('its server is left');
  wrong.push(...growth(uses));
  const last = uses.at(-1);
  const memory = uses.map(({ mebibytes }) => mebibytes);
  const range = `${Math.min(...memory)} to ${Math.max(...memory)} MiB`;
  process.stdout.write(`${name.padEnd(28)} ${range}, at the end ${JSON.stringify(last)}, ${wrong.length} wrong\n`);
  return wrong;
}

/**
 * Memory, descriptors and threads stay what they were when the first quarter was over. Memory goes up and down between two
 * collections of garbage: what is compared is the middle of the second quarter and of the last one.
 */
function growth(uses: readonly Use[]): string[] {
  const quarter = Math.floor(uses.length / 4);
  const settled = uses[quarter];
  const last = uses.at(-1);
  if (!settled || !last || quarter === 0) return [];
  const wrong: string[] = [];
  const before = middle(uses.slice(quarter, 2 * quarter));
  const after = middle(uses.slice(-quarter));
  if (after > before * FLAT) wrong.push(`memory: ${before} to ${after} MiB`);
  if (last.descriptors > settled.descriptors + 2)
    wrong.push(`descriptors: ${settled.descriptors} to ${last.descriptors}`);
  if (last.threads > settled.threads + 2) wrong.push(`threads: ${settled.threads} to ${last.threads}`);
  return wrong;
}

function middle(uses: readonly Use[]): number {
  const sorted = uses.map(({ mebibytes }) => mebibytes).sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}

let wrong = 0;
try {
  for (const round of ROUNDS) {
    const found = await stress(round, (Number(options.minutes) * 60_000) / ROUNDS.length);
    for (const sentence of found) process.stdout.write(`  WRONG ${sentence}\n`);
    wrong += found.length;
  }
} finally {
  execFileSync('sync');
  rmSync(work, { recursive: true, force: true });
}
process.stdout.write(`${options.minutes} minutes with seed ${options.seed}, ${wrong} wrong\n`);
process.exit(wrong === 0 ? 0 : 1);
