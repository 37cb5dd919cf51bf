// Loaded before each test file: property tests take the same cases in each run, so that what passed once passes again.
// `SEED=random scripts/test` takes others each time, `SEED=4711 scripts/test` those of that number.

import fc from 'fast-check';

const seed = process.env.SEED ?? '1';
if (seed !== 'random') fc.configureGlobal({ seed: Number(seed) });
