import { execFileSync, spawnSync } from 'node:child_process';
import t from 'tap';
import { shellWord } from '../../lib/source/typed.js';

const isMissing = spawnSync('bash', ['--version']).error !== undefined;

t.test('a shell takes a word as it was meant', { skip: isMissing && 'bash is not installed' }, async (t) => {
  for (const word of ['a b', "it's", 'two\nlines', "a\\n'\n\\", 'esc\x1b[31m', '\t$HOME', 'ramoops:./a,,b']) {
    const written = shellWord(word);
    t.match(written, /^[ -~]+$/, 'it is one line, and nothing in it is obeyed by a terminal');
    t.equal(execFileSync('bash', ['-c', `printf %s ${written}`], { encoding: 'utf8' }), word);
  }
  // As paths keep a byte that is no UTF-8.
  const written = shellWord('a\udcff');
  t.equal(execFileSync('bash', ['-c', `printf %s ${written}`]).toString('latin1'), 'a\xff');
});
