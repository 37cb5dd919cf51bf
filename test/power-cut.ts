// A part of what scripts/power-cut does: every change of the smaller specimens, cut off, torn and reordered.

import t from 'tap';
import { SPECIMENS } from './builders/specimens.js';
import { changesOf, cutPower } from './trials/power-cut.js';
import { Random } from './trials/random.js';

const SMALL = 128 << 10;

for (const { kind, name, bytes } of SPECIMENS) {
  if (bytes().length > SMALL) continue;
  t.test(`${kind}, ${name}`, async (t) => {
    for (const change of changesOf(bytes(), kind)) {
      const outcome = cutPower(bytes(), kind, change, new Random(1), 4);
      if (outcome) t.same([...new Set(outcome.wrong)], [], `${change.name}: ${outcome.states} states`);
    }
  });
}
