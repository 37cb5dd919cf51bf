// Cuts the power in every change of every family, and prints what is found afterwards. scripts/power-cut runs it.

import { SPECIMENS } from '../test/builders/specimens.js';
import { changesOf, cutPower } from '../test/trials/power-cut.js';
import { Random } from '../test/trials/random.js';
import { scriptOptions } from './options.js';

const { values: options } = scriptOptions('power-cut', {
  options: {
    seed: { type: 'string', default: '1' },
    shuffles: { type: 'string', default: '64' },
    /** Families; all without it. */
    kind: { type: 'string', multiple: true },
  },
});

const random = new Random(Number(options.seed));
let [states, wrong] = [0, 0];
process.stdout.write(`${'change'.padEnd(56)} states    old    new  other  wrong\n`);
for (const { kind, name, bytes } of SPECIMENS) {
  if (options.kind?.includes(kind) === false) continue;
  const image = bytes();
  for (const change of changesOf(image, kind)) {
    const outcome = cutPower(image, kind, change, random, Number(options.shuffles));
    if (!outcome) continue;
    states += outcome.states;
    wrong += outcome.wrong.length;
    const counts = [outcome.states, outcome.old, outcome.new, outcome.other, outcome.wrong.length];
    const columns = counts.map((count) => String(count).padStart(6)).join(' ');
    process.stdout.write(`${`${kind} ${name}: ${change.name}`.padEnd(56)} ${columns}\n`);
    for (const sentence of new Set(outcome.wrong)) process.stdout.write(`  WRONG ${sentence}\n`);
  }
}
process.stdout.write(`${states} states with seed ${options.seed}, ${wrong} wrong\n`);
process.exit(wrong === 0 ? 0 : 1);
