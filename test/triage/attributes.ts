// Attributes of records, as a tree gives them.

import t from 'tap';
import { open } from '../../lib/core.js';
import { RecordAttributes } from '../../lib/triage/attributes.js';
import { goldenImage } from '../fixture-path.js';

t.test('a title, a signature and a verdict for each log', async (t) => {
  const attributes = new RecordAttributes();
  const tree = open(goldenImage('s3')).tree({ understand: (kept) => attributes.of(kept) });
  const of = (name: string) => Object.fromEntries(tree.xattrs(tree.resolve(`/${name}`)));
  t.match(of('dmesg-pstore_blk-1'), {
    'user.pstore.reason': 'Oops',
    'user.pstore.summary': 'BUG: unable to handle kernel NULL pointer dereference in lkdtm_EXCEPTION',
    'user.pstore.signature': /^1:null-deref:[\da-f]{12}$/,
    'user.pstore.verdict': 'ok',
  });
  t.same(of('dmesg-pstore_blk-1'), of('dmesg-pstore_blk-1'), 'asked twice');
  t.equal(of('pmsg-pstore_blk-0')['user.pstore.summary'], undefined, 'what is no log has none');
});

t.test('an erased record is not told of as the one before it', async (t) => {
  const attributes = new RecordAttributes();
  const pstore = open(goldenImage('s2'), { write: true });
  const tree = pstore.tree({ understand: (kept) => attributes.of(kept) });
  const name = '/dmesg-pstore_blk-0';
  const ino = tree.resolve(name);
  t.equal(tree.xattrs(ino).has('user.pstore.summary'), true);
  pstore.erase('dmesg-pstore_blk-0');
  const data = new TextEncoder().encode('<4>[    1.000000] all is well\n');
  for (let n = 0; n < 20 && pstore.backend.find('dmesg-pstore_blk-0') === undefined; n++) {
    pstore.backend.write?.({ type: 'dmesg', reason: 2, timeNs: 1n, compress: 'none', data });
  }
  t.equal(tree.xattrs(tree.resolve(name)).get('user.pstore.summary'), 'no crash');
});
