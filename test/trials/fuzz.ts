// Runs the targets of fuzzing: damaged inputs by the thousand, kept where they reach code that no other has reached.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../fixture-path.js';
import { Coverage } from './coverage.js';
import { Random } from './random.js';
import { nextInput, type Target } from './targets.js';

/** Inputs that are run between two looks at what has run: each look takes longer than an input. */
const BATCH = 32;
/** Larger inputs are not kept in the repository. */
const MAX_KEPT = 4096;

export interface Finding {
  readonly target: string;
  readonly seed: number;
  readonly case: number;
  readonly why: string;
  readonly input: Uint8Array;
}

export interface FuzzOptions {
  readonly seed: number;
  /** What ends it, whichever comes first. */
  readonly milliseconds: number;
  readonly cases?: number;
  /** Whether inputs are kept that run new code. */
  readonly guided: boolean;
  /** An input that takes more of the processor than this is a finding; without it time is no matter. */
  readonly slowMs?: number;
}

export interface FuzzResult {
  readonly cases: number;
  readonly findings: readonly Finding[];
  /** Inputs beside the seeds that have run new code. */
  readonly kept: readonly Uint8Array[];
  readonly blocks: number;
}

/** Where inputs are kept that once found something, or run code that few do. */
const CORPUS = join(ROOT, 'test', 'fixtures', 'fuzz');

export function corpusOf(target: Target): Uint8Array[] {
  const folder = join(CORPUS, target.name);
  const files = existsSync(folder) ? readdirSync(folder).sort() : [];
  return files.map((file) => new Uint8Array(readFileSync(join(folder, file))));
}

/** Those that are small, beside those that are there. */
export function keepInCorpus(target: Target, inputs: readonly Uint8Array[]): void {
  const folder = join(CORPUS, target.name);
  const there = corpusOf(target).length;
  const small = inputs.filter(({ length }) => length > 0 && length <= MAX_KEPT);
  if (small.length > 0) mkdirSync(folder, { recursive: true });
  for (const [i, input] of small.entries()) writeFileSync(join(folder, String(there + i).padStart(3, '0')), input);
}

/** @returns why the input is a finding, or undefined */
async function tryInput(
  target: Target,
  input: Uint8Array,
  random: Random,
  slowMs: number,
): Promise<string | undefined> {
  const begin = process.cpuUsage();
  try {
    // Most targets are done when they return: those are not made to wait.
    const running = target.run(new Uint8Array(input), random);
    if (running) await running;
  } catch (error) {
    return error instanceof Error ? (error.stack ?? String(error)) : String(error);
  }
  const { user, system } = process.cpuUsage(begin);
  const took = (user + system) / 1000;
  return took > slowMs ? `it takes ${Math.round(took)} ms of the processor` : undefined;
}

export async function fuzz(
  target: Target,
  { seed, milliseconds, cases: most, guided, slowMs }: FuzzOptions,
): Promise<FuzzResult> {
  const end = performance.now() + milliseconds;
  const corpus: Uint8Array[] = [...target.seeds(), ...corpusOf(target)];
  const coverage = guided && !target.isSlow ? new Coverage() : undefined;
  const kept: Uint8Array[] = [];
  const findings: Finding[] = [];
  let cases = 0;
  /** Each case has a random number of its own, so that it can be run by itself. */
  const run = async (input: Uint8Array) => {
    const why = await tryInput(target, input, new Random(seed + cases), slowMs ?? Number.POSITIVE_INFINITY);
    if (why !== undefined) findings.push({ target: target.name, seed, case: cases, why, input });
    cases++;
  };
  if (!target.isSlow) for (const input of corpus) await run(input);
  coverage?.remember(coverage.news());
  while (performance.now() < end && cases < (most ?? Number.POSITIVE_INFINITY) && findings.length < 10) {
    const first = cases;
    const batch = Array.from({ length: target.isSlow ? 1 : BATCH }, (_, i) =>
      nextInput(corpus, new Random((seed ^ 0x5bd1e995) + cases + i)),
    );
    for (const input of batch) await run(input);
    if (!coverage || coverage.news().size === 0) continue;
    for (const [i, input] of batch.entries()) {
      const again = new Again(target, coverage, seed + first + i);
      const news = await again.newsOf(input);
      if (news.size === 0) continue;
      const small = await again.smallest(input, news);
      coverage.remember(news);
      corpus.push(small);
      kept.push(small);
    }
  }
  const blocks = coverage?.blocks ?? 0;
  coverage?.close();
  return { cases, findings, kept, blocks };
}

/** Shorter inputs that are tried in the place of one. */
const MAX_TRIES = 48;

/** Runs one input again and again, to know what of it matters. */
class Again {
  readonly #target: Target;
  readonly #coverage: Coverage;
  readonly #seed: number;

  constructor(target: Target, coverage: Coverage, seed: number) {
    this.#target = target;
    this.#coverage = coverage;
    this.#seed = seed;
  }

  async newsOf(input: Uint8Array): Promise<Set<string>> {
    await tryInput(this.#target, input, new Random(this.#seed), Number.POSITIVE_INFINITY);
    return this.#coverage.news();
  }

  /** A shorter input that runs the same new code: parts are left out, large ones first. */
  async smallest(input: Uint8Array, wanted: ReadonlySet<string>): Promise<Uint8Array> {
    let small = input;
    let tries = 0;
    for (let length = input.length >> 1; length > 0 && tries < MAX_TRIES; length >>= 1) {
      for (let at = 0; at + length <= small.length && tries < MAX_TRIES; tries++) {
        const shorter = Buffer.concat([small.subarray(0, at), small.subarray(at + length)]);
        const news = await this.newsOf(shorter);
        if ([...wanted].every((block) => news.has(block))) small = shorter;
        else at += length;
      }
    }
    return new Uint8Array(small);
  }
}
