// Fuzzes all that reads hostile bytes, and prints what was run and what was found. scripts/fuzz runs it.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fuzz, keepInCorpus } from '../test/trials/fuzz.js';
import { TARGETS } from '../test/trials/targets.js';
import { scriptOptions } from './options.js';

/** Looking at an image several times takes a second or two at most. */
const SLOW_MS = 5000;
/** Inputs of a target that a run adds to the corpus: the first ones run the most that is new. */
const MAX_KEPT = 24;

// What is mounted is unmounted at the end, however it comes.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

const { values: options } = scriptOptions('fuzz', {
  options: {
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '60' },
    target: { type: 'string', multiple: true },
    'no-coverage': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    findings: { type: 'string', default: 'fuzz-findings' },
  },
});

const chosen = TARGETS.filter(({ name }) => options.target?.some((part) => name.includes(part)) ?? true);
if (chosen.length === 0) {
  process.stderr.write(`fuzz: there is no such target; there are ${TARGETS.map(({ name }) => name).join(', ')}\n`);
  process.exit(64);
}
const seed = Number(options.seed);
const milliseconds = (Number(options.seconds) * 1000) / chosen.length;
let [cases, found] = [0, 0];
for (const target of chosen) {
  const result = await fuzz(target, { seed, milliseconds, guided: !options['no-coverage'], slowMs: SLOW_MS });
  cases += result.cases;
  found += result.findings.length;
  const kept = `${result.blocks} blocks of code, ${result.kept.length} inputs with news`;
  process.stdout.write(`${target.name.padEnd(32)} ${String(result.cases).padStart(8)} cases, ${kept}\n`);
  if (options.keep) keepInCorpus(target, result.kept.slice(0, MAX_KEPT));
  for (const finding of result.findings) {
    mkdirSync(options.findings, { recursive: true });
    const file = join(options.findings, `${finding.target}-${finding.seed}-${finding.case}`);
    writeFileSync(file, finding.input);
    process.stdout.write(`  FINDING case ${finding.case}, kept as ${file}: ${finding.why}\n`);
  }
}
process.stdout.write(`${cases} cases with seed ${seed}, ${found} findings\n`);
process.exit(found === 0 ? 0 : 1);
