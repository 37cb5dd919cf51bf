// Positions and sizes that no medium can have: refused where an extent is made, and never read.

import t from 'tap';
import { AndroidSparseStorage } from '../../lib/storage/android-sparse.js';
import { Extent } from '../../lib/storage/extent.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { ReadAheadStorage } from '../../lib/storage/read-ahead.js';
import { SliceStorage } from '../../lib/storage/slice.js';
import { readRange, type Storage } from '../../lib/storage/storage.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';

const IMPOSSIBLE = [-1, -4096, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53];
const medium = new MemoryStorage(new Uint8Array(100).fill(7), { path: 'image.raw' });

t.test('an extent has a position and a length that can be', async (t) => {
  for (const wrong of IMPOSSIBLE) {
    t.throws(() => Extent.at(medium, wrong, 1), { code: 'EBADMSG', message: /^image\.raw is damaged/ }, `at ${wrong}`);
    t.throws(() => Extent.at(medium, 0, wrong), { code: 'EBADMSG' }, `of ${wrong} bytes`);
  }
  t.throws(() => Extent.at(medium, 2 ** 53 - 1, 2 ** 53 - 1), { code: 'EBADMSG' }, 'its end can be, too');
  t.throws(() => Extent.at(medium, 10, 5).after(6), { code: 'EBADMSG' });
  t.match(Extent.at(medium, 10, 5).after(2), { offset: 12, length: 3 });
  t.equal(Extent.isOne(new Uint8Array(1)), false);
});

t.test('no storage gives a byte of a place that cannot be', async (t) => {
  const storages: readonly Storage[] = [
    medium,
    new SliceStorage(medium, 10, 50),
    new SurvivingStorage(medium),
    new ReadAheadStorage(medium),
  ];
  for (const storage of storages) {
    for (const wrong of IMPOSSIBLE) {
      t.equal(storage.read(new Uint8Array(8), wrong), 0, `${storage.constructor.name} at ${wrong}`);
      t.equal(readRange(storage, wrong, 8).length, 0);
    }
  }
  t.throws(() => new SliceStorage(medium, Number.NaN), { code: 'EINVAL' });
  t.throws(() => new AndroidSparseStorage(medium), { code: 'EBADMSG' });
});
