import fc from 'fast-check';
import t from 'tap';
import { MatchFinder } from '../../lib/compress/match-finder.js';
import { anyText, ascii, isSame, LONG } from '../builders/texts.js';

/** Cuts a text into stretches and puts it together again from the sequences. */
function rebuilt(text: Uint8Array, stretch: number, maxDistance: number): Uint8Array | undefined {
  const finder = new MatchFinder(text, { maxDistance, depth: 8 });
  const out = new Uint8Array(text.length);
  let length = 0;
  let valid = true;
  for (let from = 0; from < text.length; from += stretch) {
    const end = Math.min(from + stretch, text.length);
    const lastStart = end - 7;
    const lastEnd = end - 3;
    const rest = finder.sequences(from, lastStart, lastEnd, (start, literals, distance, count) => {
      out.set(text.subarray(start, start + literals), length);
      length += literals;
      valid &&= distance >= 1 && distance <= Math.min(maxDistance, length) && count >= 4;
      valid &&= start + literals < lastStart && start + literals + count <= lastEnd;
      for (let i = 0; i < count; i++, length++) out[length] = out[length - distance]!;
    });
    out.set(text.subarray(rest, end), length);
    length += end - rest;
  }
  return valid && length === text.length ? out : undefined;
}

t.test('sequences make the text again and keep the rules', (t) => {
  fc.assert(
    fc.property(
      anyText,
      fc.integer({ min: 1, max: 600 }),
      fc.integer({ min: 1, max: 500 }),
      (text, stretch, distance) => isSame(rebuilt(text, stretch, distance), text),
    ),
    { numRuns: 300 },
  );
  for (const stretch of [5000, 1 << 17, 1 << 20]) t.ok(isSame(rebuilt(LONG, stretch, 65535), LONG), `${stretch}`);
  t.end();
});

t.test('takes the longest match, also when it begins one byte later', (t) => {
  const text = ascii('abcd...bcdefghij---abcdefghij!!!');
  const found: string[] = [];
  const finder = new MatchFinder(text, { maxDistance: 100, depth: 8 });
  finder.sequences(0, text.length, text.length, (from, literals, distance, length) => {
    const at = from + literals;
    found.push(`${Buffer.from(text.subarray(at, at + length)).toString('latin1')} ${distance}`);
  });
  t.same(found, ['bcdefghij 13']);
  t.end();
});

t.test('texts of one byte, and of two that take turns, are nearly one match', (t) => {
  for (const text of [new Uint8Array(1 << 22), ascii('ab'.repeat(1 << 21))]) {
    let matched = 0;
    const finder = new MatchFinder(text, { maxDistance: 65535, depth: 256 });
    finder.sequences(0, text.length, text.length, (_from, _literals, _distance, length) => {
      matched += length;
    });
    t.ok(matched >= text.length - 32, `${matched} bytes of ${text.length}`);
  }
  t.end();
});
