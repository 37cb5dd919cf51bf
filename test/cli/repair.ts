import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { goldenImage } from '../fixture-path.js';
import { imageFile, pstorefuse, scratchFolder } from '../mounted.js';

t.test('what ECC can repair is repaired on request, byte by byte', (t) => {
  // r3 is r2 with five bytes flipped by hand.
  const image = imageFile(scratchFolder(t), 'r3');
  t.equal(pstorefuse('cat', image, 'dmesg-ramoops-1').status, 0);
  t.ok(readFileSync(image).equals(goldenImage('r3')), 'looking repairs nothing');
  const { status, stdout, stderr } = pstorefuse('repair', image, '--json');
  t.equal(status, 0, stderr);
  const changes = JSON.parse(stdout) as { zone: string; offset: number; from: number; to: number }[];
  t.same(
    changes.map(({ zone, offset }) => [zone, offset]),
    [35899, 35911, 35934, 35935, 35993].map((offset) => ['dmesg zone 1', offset]),
  );
  t.ok(readFileSync(image).equals(goldenImage('r2')), 'the image is what it was before the flips');
  t.equal(pstorefuse('repair', image).stdout, '', 'nothing is left to repair');
  t.end();
});

t.test('an image without ECC, and one that cannot be written', (t) => {
  const folder = scratchFolder(t);
  for (const golden of ['r1', 's1']) {
    const { status, stderr } = pstorefuse('repair', imageFile(folder, golden));
    t.equal(status, 69);
    t.match(stderr, /^pstorefuse: .* no ECC.*\n$/);
  }
  const packed = join(folder, 'packed.raw.gz');
  writeFileSync(packed, readFileSync(join(process.cwd(), 'test/fixtures/golden/r3/image.raw.gz')));
  t.equal(pstorefuse('repair', packed).status, 77);
  t.end();
});
