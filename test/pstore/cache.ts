import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { TextCache } from '../../lib/pstore/cache.js';

t.test('the least recently used text goes first', async (t) => {
  const cache = new TextCache(30);
  for (const key of ['a', 'b', 'c']) cache.set(key, new Uint8Array(10));
  t.equal(cache.bytes, 30);
  cache.get('a');
  cache.set('d', new Uint8Array(5));
  t.equal(cache.get('b'), undefined);
  t.ok(cache.get('a') && cache.get('c') && cache.get('d'));
  t.equal(cache.bytes, 25);
  cache.set('huge', new Uint8Array(1000));
  t.equal(cache.bytes, 1000, 'the newest stays, however large: it is about to be read');
  cache.set('e', new Uint8Array(1));
  t.equal(cache.bytes, 1);
  cache.delete('e');
  cache.delete('e');
  t.equal(cache.bytes, 0);
  cache.set('empty', new Uint8Array(0));
  t.same(cache.get('empty'), new Uint8Array(0));
});

t.test('any use: bytes are counted right, and within the limit but for the newest', async () => {
  const use = fc.tuple(
    fc.constantFrom('set', 'get', 'delete'),
    fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    fc.nat({ max: 60 }),
  );
  fc.assert(
    fc.property(fc.array(use, { maxLength: 60 }), (uses) => {
      const cache = new TextCache(100);
      let newest = 0;
      for (const [what, key, size] of uses) {
        if (what === 'set') {
          cache.set(key, new Uint8Array(size));
          newest = size;
          assert.equal(cache.get(key)!.length, size);
        } else if (what === 'get') cache.get(key);
        else cache.delete(key);
        assert(cache.bytes <= Math.max(100, newest));
      }
      const left = ['a', 'b', 'c', 'd', 'e'].reduce((sum, key) => sum + (cache.get(key)?.length ?? 0), 0);
      assert.equal(cache.bytes, left);
    }),
  );
});
