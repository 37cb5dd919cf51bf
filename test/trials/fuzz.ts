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
const MOST_KEPT = 4096;

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

export function keepInCorpus({ name }: Target, inputs: readonly Uint8Array[]): void {
  const folder = join(CORPUS, name);
  const small = inputs.filter(({ length }) => length > 0 && length <= MOST_KEPT);
  if (small.length > 0) mkdirSync(folder, { recursive: true });
  for (const [i, input] of small.entries()) writeFileSync(join(folder, String(i).padStart(3, '0')), input);
}

/** @returns why the input is a finding, or undefined */
function tryInput(target: Target, input: Uint8Array, random: Random, slowMs: number): string | undefined {
  const begin = process.cpuUsage();
  try {
    target.run(Uint8Array.from(input), random);
  } catch (error) {
    return error instanceof Error ? (error.stack ?? String(error)) : String(error);
  }
  const { user, system } = process.cpuUsage(begin);
  const took = (user + system) / 1000;
  return took > slowMs ? `it takes ${Math.round(took)} ms of the processor` : undefined;
}

export function fuzz(target: Target, { seed, milliseconds, cases: most, guided, slowMs }: FuzzOptions): FuzzResult {
  const end = performance.now() + milliseconds;
  const corpus: Uint8Array[] = [...target.seeds(), ...corpusOf(target)];
  const coverage = guided ? new Coverage() : undefined;
  const kept: Uint8Array[] = [];
  const findings: Finding[] = [];
  let cases = 0;
  /** Each case has a random number of its own, so that it can be run by itself. */
  const run = (input: Uint8Array) => {
    const why = tryInput(target, input, new Random(seed + cases), slowMs ?? Number.POSITIVE_INFINITY);
    if (why !== undefined) findings.push({ target: target.name, seed, case: cases, why, input });
    cases++;
  };
  for (const input of corpus) run(input);
  coverage?.hasNews();
  while (performance.now() < end && cases < (most ?? Number.POSITIVE_INFINITY) && findings.length < 10) {
    const batch = Array.from({ length: BATCH }, (_, i) =>
      nextInput(corpus, new Random((seed ^ 0x5bd1e995) + cases + i)),
    );
    for (const input of batch) run(input);
    if (!coverage?.hasNews()) continue;
    // One of them has run something new; the smallest is the cheapest to go on with.
    const smallest = batch.reduce((a, b) => (b.length < a.length ? b : a));
    corpus.push(smallest);
    kept.push(smallest);
  }
  const blocks = coverage?.blocks ?? 0;
  coverage?.close();
  return { cases, findings, kept, blocks };
}
