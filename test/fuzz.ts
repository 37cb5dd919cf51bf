// A slice of the fuzzing that scripts/fuzz does: a fixed seed, a second or two for each target.

import t from 'tap';
import { fuzz } from './trials/fuzz.js';
import { TARGETS } from './trials/targets.js';

const SEED = 20_261;
/** All targets together stay below a minute. */
const TOGETHER_MS = 40_000;

for (const target of TARGETS) {
  t.test(target.name, async (t) => {
    const { findings, cases } = await fuzz(target, {
      seed: SEED,
      milliseconds: TOGETHER_MS / TARGETS.length,
      guided: false,
    });
    for (const { why, case: number } of findings) t.fail(`case ${number} of seed ${SEED}: ${why}`);
    t.ok(cases > 0, `${cases} cases`);
  });
}
