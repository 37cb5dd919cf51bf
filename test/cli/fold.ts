// Folding: no line is longer than the terminal, no word is cut, and none is lost.

import fc from 'fast-check';
import t from 'tap';
import { besideLabel, foldedHelp } from '../../lib/cli/fold.js';

t.test('a long line of a help goes on below the text of its column', (t) => {
  const help = ['Options:', '  -a, --all  one two three four  [boolean]', '', 'Keys: one, two, three, four, five.'];
  t.same(foldedHelp(help.join('\n'), 26).split('\n'), [
    'Options:',
    '  -a, --all  one two three',
    '             four',
    '             [boolean]',
    '',
    'Keys: one, two, three,',
    'four, five.',
  ]);
  t.same(foldedHelp('  an example of a command  what it does', 30).split('\n'), [
    '  an example of a command',
    '      what it does',
  ]);
  t.equal(foldedHelp(help.join('\n'), 80), help.join('\n'), 'what fits stays as it is');
  t.end();
});

t.test('any words', (t) => {
  const words = fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1, maxLength: 30 });
  const label = fc.stringMatching(/^ {0,2}[a-z]{1,30} {2,4}$/);
  fc.assert(
    fc.property(words, label, fc.integer({ min: 20, max: 60 }), (words, label, columns) => {
      const text = label + words.join(' ');
      const help = foldedHelp(text, columns);
      t.same(help.split(/\s+/), text.split(/\s+/));
      if (label.trimEnd().length <= columns) t.ok(help.split('\n').every((line) => line.length <= columns));
      const beside = besideLabel(label, words, columns).join('\n');
      t.same(beside.split(/\s+/), text.split(/\s+/));
    }),
    { numRuns: 200 },
  );
  t.end();
});
