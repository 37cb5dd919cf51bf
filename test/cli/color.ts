// Colours of a log: nothing is lost or moved, wherever its pieces end.

import fc from 'fast-check';
import t from 'tap';
import { LogPainter, painter } from '../../lib/cli/color.js';

function painted(pieces: readonly string[]): string {
  const log = new LogPainter(painter(true));
  return pieces.map((piece) => log.push(piece)).join('') + log.end();
}

t.test('the levels of dmesg', async (t) => {
  t.equal(
    painted(['<4>[    1.000000] warn\n<6>info\nOops#1 Part1\n<1>[    2.000000] bad']),
    '<4>\x1b[32m[    1.000000]\x1b[0m\x1b[1m warn\x1b[0m\n<6>info\nOops#1 Part1\n' +
      '<1>\x1b[32m[    2.000000]\x1b[0m\x1b[7;31m bad\x1b[0m',
  );
  t.equal(painter(false)('text', 'error'), 'text');
  t.equal(painted(['<11>facility']), '<11>\x1b[31mfacility\x1b[0m', 'the bits above the level are a facility');
});

t.test('any pieces of any text', async () => {
  const line = fc.oneof(
    fc.string({ maxLength: 100 }),
    fc.constantFrom('<3>[    1.000000] a', '<4>b', '\n', '<', '[  '),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 20 }), (pieces) => {
      const plain = pieces.join('').replaceAll('\x1b', '');
      const clean = pieces.map((piece) => piece.replaceAll('\x1b', ''));
      return painted(clean).replaceAll(/\x1b\[[\d;]+m/g, '') === plain;
    }),
  );
});
