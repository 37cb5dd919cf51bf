// Texts are told from images.

import t from 'tap';
import { isLogText } from '../../lib/triage/text.js';

t.test('a text is told from an image', async (t) => {
  const text = new TextEncoder().encode('[    1.000000] a line\n'.repeat(20));
  const padded = new Uint8Array(4096);
  padded.set(text);
  const image = new Uint8Array(4096).fill(0xff);
  image.set(text, 512);
  t.ok(isLogText(text));
  t.ok(isLogText(padded), 'with zeros that were never written');
  t.ok(isLogText(new TextEncoder().encode('\u00fcberhitzt\n')));
  t.notOk(isLogText(image));
  t.notOk(isLogText(new Uint8Array(4096)), 'zeros');
  t.notOk(isLogText(new Uint8Array(0)));
});
