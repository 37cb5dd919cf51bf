// archive --erase, killed at random calls and run again: what is in the archive then, against what was in the images.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { open } from '../../lib/core.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { goldenImage } from '../fixture-path.js';
import { PROGRAM } from '../mounted.js';
import type { Random } from './random.js';

/** Dumps in parts, records of a partition, and records with names of 64 bits. */
const GOLDEN = ['efi-oops3', 's3', 'erst-oops3'] as const;
const HOW = ['before', 'middle', 'after'] as const;
const DIE_AT = fileURLToPath(new URL('die-at.js', import.meta.url));
/** Each run must come to its end within this, on a busy machine, too. */
const LIMIT_MS = 120_000;

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

export interface Outcome {
  readonly kills: number;
  /** Calls that change files in a run that is not killed. */
  readonly calls: number;
  /** Sentences: what was lost, doubled or half written, and where the run had been killed. */
  readonly wrong: readonly string[];
}

/** Name and hash of each record. */
function recordsOf(bytes: Uint8Array, name: string): string[] {
  const store = open(new MemoryStorage(bytes, { path: name }), { name });
  return [...store].map((record) => `${record.name} ${sha256(store.read(record))}`);
}

/** @param point undefined for a run to the end. @returns whether it was killed, and what it said */
function archive(args: readonly string[], point?: { at: number; how: string }, count?: string) {
  const dying = point && { DIE_AT: String(point.at), DIE_HOW: point.how };
  const env = { PATH: process.env.PATH, ...dying, ...(count === undefined ? {} : { DIE_COUNT: count }) };
  const run = spawnSync(process.execPath, ['--import', DIE_AT, PROGRAM, 'archive', '--erase', ...args], {
    encoding: 'utf8',
    timeout: LIMIT_MS,
    env,
  });
  return { killed: run.signal === 'SIGKILL', ok: run.status === 0, said: run.stderr };
}

/**
 * Archives again and again, each time killed once to five times before it may come to its end.
 * @param folder for the images and archives; what is in it is taken away
 */
export function surviveKills(folder: string, kills: number, random: Random, layout: readonly string[] = []): Outcome {
  mkdirSync(folder, { recursive: true });
  const images = GOLDEN.map((name) => ({ path: join(folder, `${name}.raw`), bytes: goldenImage(name) }));
  const expected = images.flatMap(({ bytes, path }) => recordsOf(bytes, path)).sort();
  const wrong: string[] = [];
  let calls = 0;
  for (let done = 0, round = 0; done < kills; round++) {
    for (const { path, bytes } of images) writeFileSync(path, bytes);
    const target = join(folder, 'archive');
    const args = [...layout, ...images.map(({ path }) => path), target];
    const points: string[] = [];
    for (let times = round === 0 ? 0 : 1 + random.below(5); times > 0 && done < kills; times--) {
      const point = { at: 1 + random.below(calls), how: random.pick(HOW) };
      // What is left for a run after another was killed is less: one that comes to its end before is no kill.
      if (!archive(args, point).killed) break;
      done++;
      points.push(`${point.how} ${point.at}`);
    }
    const count = join(folder, 'count');
    const last = archive(args, undefined, count);
    if (round === 0) calls = Number(readFileSync(count, 'utf8'));
    const faults = last.ok ? faultsOf(target, images, expected, layout) : [`the last run failed: ${last.said}`];
    wrong.push(...faults.map((fault) => `killed ${points.join(', ')}: ${fault}`));
    rmSync(target, { recursive: true, force: true });
  }
  for (const { path } of images) rmSync(path);
  return { kills, calls, wrong };
}

/** One image, and a kill at each of the last calls, in which its last records are erased. @returns what was wrong */
export function surviveLateKills(
  folder: string,
  golden: string,
  late: number,
  layout: readonly string[] = [],
): string[] {
  mkdirSync(folder, { recursive: true });
  const [image, target, count] = [join(folder, 'image.raw'), join(folder, 'archive'), join(folder, 'count')];
  const bytes = goldenImage(golden);
  const expected = recordsOf(bytes, image).sort();
  const args = [...layout, image, target];
  const wrong: string[] = [];
  writeFileSync(image, bytes);
  archive(args, undefined, count);
  const calls = Number(readFileSync(count, 'utf8'));
  for (let at = calls; at > calls - late; at--) {
    rmSync(target, { recursive: true, force: true });
    writeFileSync(image, bytes);
    if (!archive(args, { at, how: 'before' }).killed) wrong.push(`was not killed before ${at}`);
    const last = archive(args);
    const faults = last.ok ? faultsOf(target, [{ path: image }], expected, layout) : [last.said];
    wrong.push(...faults.map((fault) => `killed before ${at}: ${fault}`));
  }
  return wrong;
}

function faultsOf(
  target: string,
  images: readonly { path: string }[],
  expected: readonly string[],
  layout: readonly string[],
): string[] {
  const faults: string[] = [];
  for (const { path } of images) {
    const left = recordsOf(readFileSync(path), path);
    if (left.length > 0) faults.push(`${path}: ${left.length} records were not erased`);
  }
  const names = readdirSync(target, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => statSync(join(target, name)).isFile()).sort();
  const hashes = new Map(files.map((file) => [file, sha256(readFileSync(join(target, file)))]));
  for (const file of files) if (file.endsWith('.part')) faults.push(`${file} was left behind`);
  const kept = layout.length > 0 ? keptAsSystemd(hashes) : keptByIndex(target, hashes, faults);
  if (kept.sort().join('\n') !== expected.join('\n')) {
    const lost = expected.filter((record) => !kept.includes(record));
    faults.push(`${kept.length} of ${expected.length} records; lost: ${lost.join(', ') || 'none'}`);
  }
  return faults;
}

const keptAsSystemd = (hashes: ReadonlyMap<string, string>): string[] =>
  [...hashes]
    .filter(([file]) => !file.endsWith('dmesg.txt'))
    .map(([file, hash]) => `${file.split('/').at(-1)} ${hash}`);

function keptByIndex(target: string, hashes: ReadonlyMap<string, string>, faults: string[]): string[] {
  const lines = readFileSync(join(target, 'index.ndjson'), 'utf8').split('\n').filter(Boolean);
  const index = lines.map(
    (line) => JSON.parse(line) as { path: string; sha256: string; parts: { name: string; sha256: string }[] },
  );
  const told = [...index.map(({ path }) => path), 'index.ndjson'].sort();
  if (told.join('\n') !== [...hashes.keys()].join('\n')) faults.push('the index and the files differ');
  for (const { path, sha256: hash } of index) if (hashes.get(path) !== hash) faults.push(`${path} is not whole`);
  return index.flatMap(({ parts }) => parts.map((part) => `${part.name} ${part.sha256}`));
}
