import fc from 'fast-check';
import t from 'tap';
import { guidBytes, guidText, isGuidAt } from '../lib/guid.js';

t.test('the first three fields are little-endian', (t) => {
  const bytes = new Uint8Array(Buffer.from('79fcc8cf2ebedc4d97f09f98bfe298a0', 'hex'));
  t.equal(guidText(bytes), 'cfc8fc79-be2e-4ddc-97f0-9f98bfe298a0');
  t.same(guidBytes('cfc8fc79-be2e-4ddc-97f0-9f98bfe298a0'), bytes);
  const inside = Buffer.concat([Buffer.alloc(3), bytes]);
  t.equal(isGuidAt(inside, 3, bytes), true);
  for (const at of [-1, 0, 2, 4, 19, 1000]) t.equal(isGuidAt(inside, at, bytes), false, String(at));
  t.end();
});

t.test('there and back', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      return Buffer.from(bytes).equals(guidBytes(guidText(bytes)));
    }),
  );
  t.end();
});
