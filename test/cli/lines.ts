import fc from 'fast-check';
import t from 'tap';
import { Lines } from '../../lib/cli/lines.js';

t.test('lines, however they come in pieces', async (t) => {
  const text = fc.string({ maxLength: 40 }).map((words) => words.replaceAll('\n', ' '));
  fc.assert(
    fc.property(fc.array(text, { maxLength: 20 }), text, fc.integer({ min: 1, max: 30 }), (lines, rest, length) => {
      const bytes = Buffer.from(lines.map((one) => `${one}\n`).join('') + rest);
      const reader = new Lines();
      const piece = Buffer.alloc(length);
      const found: string[] = [];
      // The same buffer for each piece, as a file is read.
      for (let at = 0; at < bytes.length; at += length) {
        found.push(...reader.take(piece.subarray(0, bytes.copy(piece, 0, at))));
      }
      t.same(found, lines);
      t.same([...new Lines().of([bytes])], rest === '' ? lines : [...lines, rest]);
      return reader.unfinished === Buffer.byteLength(rest);
    }),
  );
});

t.test('of a longer line the beginning is kept, and the next one is read', async (t) => {
  const reader = new Lines(10);
  const piece = Buffer.alloc(1 << 20, 'x');
  for (let i = 0; i < 64; i++) t.same([...reader.take(piece)], []);
  t.equal(reader.unfinished, 64 << 20);
  t.same([...reader.take(Buffer.from('\nnext\n\n'))], ['x'.repeat(10), 'next', '']);
  t.equal(reader.unfinished, 0);
});

t.test('bytes that are no UTF-8 stay apart in Latin-1', async (t) => {
  const bytes = Uint8Array.of(0xff, 0x0a, 0xfe, 0x0a);
  t.same([...new Lines(undefined, 'latin1').of([bytes])], ['\xff', '\xfe']);
});
