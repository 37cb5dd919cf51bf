// Frames of stacks: what they are told from, and that no line makes a pattern look at the same blanks again and again.

import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { parseFrames } from '../../lib/triage/frame.js';

const LINES: readonly string[] = [
  '? board_read+0x1/0x20 [board]',
  '<TASK> board_read+0x1/0x20',
  '<TASK>    board_read+0x1/0x20',
  '(board_read+0x1/0x20)',
  '[<ffffffff81000000>] board_read+0x1/0x20',
  'board_read (drivers/board.c:12) board',
  'board_read drivers/board.c:12 [inline]',
  '[<     inline     >] board_read drivers/board.c:12',
  'board_read from board_poll+0x10c/0x12c',
];

t.test('any number of blanks may stand in front', async (t) => {
  for (const line of LINES) {
    const frames = parseFrames(line);
    t.equal(frames[0]?.name, 'board_read', line);
    for (const blanks of [' ', '\t', ' '.repeat(1900)]) t.same(parseFrames(blanks + line), frames, line);
  }
  for (const line of ['x', 'inline', ' from ', 'a from b: (']) t.same(parseFrames(' '.repeat(2000) + line), []);
});

/** Two runs of blanks with nothing between them that must be there. */
const TWO_RUNS = /\\s[*+](?:\(\?:[^()]*\)\?)?\\{1,2}s[*+]/;

t.test(
  'no pattern has two unbounded runs of blanks side by side: they would try each way to share the blanks',
  async (t) => {
    t.match('^\\s*(?:<A> )?\\s*', TWO_RUNS);
    const folder = new URL('../../../lib/triage/', import.meta.url);
    for (const name of readdirSync(folder)) {
      const lines = readFileSync(new URL(name, folder), 'utf8').split('\n');
      t.same(
        lines.filter((line) => TWO_RUNS.test(line)),
        [],
        name,
      );
    }
  },
);
