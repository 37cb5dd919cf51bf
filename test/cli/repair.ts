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
  t.match(pstorefuse('repair', image), { status: 0, stdout: `${image}: nothing to repair\n`, stderr: '' });
  t.match(pstorefuse('repair', image, '--json'), { status: 0, stdout: '[]\n', stderr: '' });
  t.end();
});

t.test('what is beyond repair is named, with its place, and stays as it is', (t) => {
  const image = imageFile(scratchFolder(t), 'r4-none');
  const before = readFileSync(image);
  const { status, stdout, stderr } = pstorefuse('repair', image);
  t.equal(status, 1, 'a part could not be done');
  t.match(stdout, /^(dmesg zone 1: offset \d+: 0x[0-9a-f]{2} -> 0x[0-9a-f]{2}\n)+$/);
  const damaged = 'stay damaged: more of them are wrong than ECC can repair';
  t.same(stderr.trimEnd().split('\n'), [
    `pstorefuse: ${image}: dmesg zone 1: bytes 33420-33547, 33932-34059 ${damaged}`,
    `pstorefuse: ${image}: dmesg zone 2: bytes 65548-65675 ${damaged}`,
  ]);
  const after = readFileSync(image);
  for (const [from, to] of [
    [33420, 33548],
    [33932, 34060],
    [65548, 65676],
  ] as const) {
    t.ok(after.subarray(from, to).equals(before.subarray(from, to)));
  }
  const again = pstorefuse('repair', image);
  t.match(again, { status: 1, stdout: '', stderr });
  t.end();
});

t.test('offsets are those of the file, also in a part of it', (t) => {
  const image = join(scratchFolder(t), 'memory.raw');
  writeFileSync(image, Buffer.concat([Buffer.alloc(8192), goldenImage('r3'), goldenImage('r4-none')]));
  const part = (from: number) => `${image},offset=${from},size=256K`;
  const changes = JSON.parse(pstorefuse('repair', part(8192), '--json').stdout) as { offset: number }[];
  t.same(
    changes.map(({ offset }) => offset - 8192),
    [35899, 35911, 35934, 35935, 35993],
  );
  t.ok(
    readFileSync(image)
      .subarray(8192, 8192 + (256 << 10))
      .equals(goldenImage('r2')),
  );
  t.equal(pstorefuse('repair', part(8192)).stdout, `${image}: nothing to repair\n`);
  const second = 8192 + (256 << 10);
  const { stderr } = pstorefuse('repair', part(second));
  t.match(stderr, `pstorefuse: ${image}: dmesg zone 2: bytes ${second + 65548}-${second + 65675} stay damaged`);
  t.end();
});

t.test('an image without ECC, and one that cannot be written', (t) => {
  const folder = scratchFolder(t);
  for (const golden of ['r1', 's1']) {
    const { status, stderr } = pstorefuse('repair', imageFile(folder, golden));
    t.equal(status, 65);
    t.match(stderr, /^pstorefuse: .* no ECC.*\n$/);
  }
  const packed = join(folder, 'packed.raw.gz');
  writeFileSync(packed, readFileSync(join(process.cwd(), 'test/fixtures/golden/r3/image.raw.gz')));
  t.equal(pstorefuse('repair', packed).status, 77);
  t.end();
});
