import fc from 'fast-check';
import t from 'tap';
import { findBytes, native, nowNs, threads } from '../../lib/platform/browser.js';
import * as node from '../../lib/platform/node.js';

t.test('finding bytes, as Node does', async () => {
  const few = fc.uint8Array({ max: 2, maxLength: 40 });
  fc.assert(
    fc.property(few, fc.uint8Array({ max: 2, maxLength: 4 }), fc.nat({ max: 45 }), (bytes, needle, from) => {
      return findBytes(bytes, needle, from) === node.findBytes(bytes, needle, from);
    }),
  );
});

t.test('neither native deflate nor threads that can be waited for; a clock', async (t) => {
  t.equal(native, undefined);
  t.equal(threads, undefined);
  t.ok(Math.abs(Number(nowNs() / 1_000_000n) - Date.now()) < 2000);
});
