import t from 'tap';
import { open } from '../../lib/core.js';
import { goldenImage } from '../fixture-path.js';

const whole = () => goldenImage('vmcoredd-1', 'vmcore-head.raw');
const texts = (bytes: Uint8Array) => {
  const store = open(bytes);
  return { store, all: new Map([...store].map((record) => [record.name, store.read(record)])) };
};

t.test('a device dump whose header is lost costs itself only, and the others keep their names', (t) => {
  const { store, all } = texts(whole());
  for (const { name, offset } of store) {
    for (const fill of [0, 0xff, 0x41]) {
      const bytes = whole();
      bytes.fill(fill, offset, offset + 20);
      const now = texts(bytes);
      t.same(
        [...now.all.keys()],
        [...all.keys()].filter((other) => other !== name),
        `${name}, ${fill}`,
      );
      for (const [other, text] of now.all) t.ok(Buffer.compare(text, all.get(other)!) === 0, other);
      t.match(now.store.warnings[0], { code: 'note-damaged', offset });
      t.equal(now.store.info().details['device dumps'], String(all.size - 1));
      t.ok([...now.store.info().zones].some((zone) => zone.offset === offset && zone.state === 'invalid'));
    }
  }
  t.end();
});

t.test('sizes that lead past the segment', (t) => {
  const { store, all } = texts(whole());
  const [first] = store;
  const bytes = whole();
  bytes.fill(0xff, first!.offset + 4, first!.offset + 8);
  const now = texts(bytes);
  for (const [name, text] of all) {
    if (name !== first!.name) t.ok(Buffer.compare(text, now.all.get(name) ?? new Uint8Array(0)) === 0, name);
  }
  t.ok(now.store.warnings.length > 0);
  t.end();
});
