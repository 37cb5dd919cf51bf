// Images in tar archives: of every kind they are found where they stand, or the archive is named, never an empty listing.

import t from 'tap';
import { open } from '../../lib/core.js';
import { SPECIMENS } from '../builders/specimens.js';
import { tarArchive } from '../builders/tar.js';

const text = { name: 'notes.txt', bytes: Buffer.from('no image\n') };

for (const specimen of SPECIMENS) {
  const image = { name: 'part.raw', bytes: specimen.bytes() };
  const names = (bytes: Uint8Array, keys = {}) => [...open(bytes, { name: 'x.tar', keys })].map(({ name }) => name);

  t.test(`${specimen.kind}, ${specimen.name}`, async (t) => {
    const wanted = names(image.bytes);
    const store = open(tarArchive([text, image]), { name: 'x.tar' });
    t.same(
      Array.from(store, ({ name }) => name),
      wanted,
    );
    const message = new RegExp(`x.tar is a tar archive: file 2 "part.raw" .*take ${specimen.kind}:x.tar,part=2`);
    t.match(store.warnings[0], { code: 'partition-found', message });
    t.same(names(tarArchive([text, image]), { part: 'part.raw' }), wanted);
    t.throws(() => names(tarArchive([image, { ...image, name: 'b.raw' }])), {
      code: 'EBADMSG',
      message: /several of its files hold something: .*part=1; .*part=2/,
    });
  });
}

t.test('without an image in it', async (t) => {
  for (const files of [
    [text],
    [{ name: 'folder', bytes: Buffer.alloc(0), type: '5' }],
    [{ name: 'disk.img', bytes: new Uint8Array(1 << 20) }],
  ]) {
    const bytes = tarArchive(files);
    t.throws(() => open(bytes, { name: 'x.tar' }), { code: 'EBADMSG', message: /x\.tar is a tar archive: extract it/ });
  }
});
