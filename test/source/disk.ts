// Partitions that overlap; and images in tar archives: of every kind they are found where they stand, or the archive is
// named, never an empty listing.

import t from 'tap';
import { open } from '../../lib/core.js';
import { type BuiltPartition, gptDisk, mbrDisk, nandDump } from '../builders/disk.js';
import { HugeStorage } from '../builders/huge.js';
import { logText, MtdDevice } from '../builders/mtdoops.js';
import { SPECIMENS } from '../builders/specimens.js';
import { tarArchive } from '../builders/tar.js';
import { goldenImage } from '../fixture-path.js';

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

t.test('of many files the first are named', async (t) => {
  const image = { name: 'part.raw', bytes: SPECIMENS[0]!.bytes() };
  const bytes = tarArchive(Array.from({ length: 30 }, (_, i) => ({ ...image, name: `${i}.raw` })));
  t.throws(() => open(bytes, { name: 'x.tar' }), {
    message: /several of its files hold something: .*part=4; 26 more: extract it \(tar -x\), and give the folder$/,
  });
});

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

const SECTORS = 4096;
/** Sixty partitions that all reach to the end of the disk. */
const over: readonly BuiltPartition[] = Array.from({ length: 60 }, (_, i) => ({
  first: 304 + 8 * i,
  count: 3504 - 8 * i,
}));

for (const [table, disk] of [
  ['GPT', () => gptDisk(SECTORS, 512, over)],
  ['MBR', () => mbrDisk(SECTORS, 512, [], over)],
] as const) {
  t.test(`${table}: partitions over one another are not looked into one by one, and that is said`, async (t) => {
    const bytes = disk();
    bytes.set(goldenImage('v2'), over.at(-1)!.first * 512);
    const medium = new HugeStorage(bytes.length, [{ offset: 0, bytes }]);
    const store = open(medium);
    t.ok(medium.bytesRead < 30 * bytes.length, `${medium.bytesRead} bytes were read`);
    const ended = store.warnings.find(({ code }) => code === 'search-ended');
    t.match(ended?.message, /partition table .*: not looked into, since it overlaps another one: partition .*; part=/);
    const named = open(bytes, { keys: { part: /part=(\d+)/.exec(ended!.message)![1]! } });
    t.ok(named, 'part= opens one all the same');
    const message = /no crash log is found; .* not looked into, since it overlaps another one: /;
    t.throws(() => open(disk()), { code: 'EBADMSG', message }, 'where nothing is found, too');
  });
}

t.test('a partition over all others does not hide what is in them', async (t) => {
  const image = goldenImage('v2');
  const count = image.length / 512;
  const bytes = gptDisk(count + 400, 512, [
    { name: 'all', first: 100, count: count + 200 },
    { name: 'pstore', first: 200, count, bytes: image },
  ]);
  const store = open(bytes);
  t.match(store.warnings, [
    { code: 'search-ended', message: /overlaps another one: partition 1; part=1 opens/ },
    { code: 'partition-found', message: /partition 2 "pstore"/ },
  ]);
});

t.test('a partition by its PARTUUID or label, as fstab and the kernel name it', async (t) => {
  const image = goldenImage('v2');
  const count = image.length / 512;
  const disk = gptDisk(count + 200, 512, [{ name: 'crash', first: 64, count }]);
  disk.set(image, 64 * 512);
  const sizeOf = (part: string) => [...open(disk, { keys: { part } })].length;
  const uuid = '33221100-5544-7766-8899-aabbccddee01';
  const wanted = sizeOf('1');
  for (const part of ['crash', 'PARTLABEL=crash', uuid, `PARTUUID=${uuid.toUpperCase()}`]) {
    t.equal(sizeOf(part), wanted, part);
  }
  for (const part of ['PARTUUID=crash', `PARTLABEL=${uuid}`, 'PARTUUID=1']) {
    t.throws(() => sizeOf(part), { code: 'EINVAL', message: /no partition is called/ });
  }
});

t.test('the dump of a chip in a partition that is larger', async (t) => {
  const image = goldenImage('v2');
  const wanted = [...open(image)].map(({ name, size }) => [name, size]);
  for (const [data, spare] of [
    [512, 16],
    [2048, 112],
    [4096, 224],
  ] as const) {
    const dump = nandDump(image, data, spare);
    const count = Math.ceil(dump.length / 512) + 3;
    const disk = gptDisk(count + 200, 512, [{ name: 'pstore', first: 100, count }]);
    disk.set(dump, 100 * 512);
    const given: Record<string, string>[] = [{}, { part: 'pstore' }, { part: '1', oob: `${data}+${spare}` }];
    for (const keys of given) {
      const store = open(disk, { keys });
      t.same(
        Array.from(store, ({ name, size }) => [name, size]),
        wanted,
        `${data}+${spare} ${Object.keys(keys)}`,
      );
    }
  }
  // Records that begin at no multiple of 4096 before the spare bytes are out.
  const device = new MtdDevice({ size: 262144, recordSize: 4096 });
  for (let i = 0; i < 4; i++) device.oops(logText(4000, i), 1_600_000_000_000_000_000n + BigInt(i));
  device.bytes.copyWithin(65536 + 4096, 0, 16384).fill(0xff, 0, 16384);
  const dump = nandDump(device.bytes, 2048, 64);
  const disk = gptDisk(1000, 512, [{ name: 'oops', first: 100, count: dump.length / 512 }]);
  disk.set(dump, 100 * 512);
  t.same(
    Array.from(open(disk), ({ id }) => id),
    [17, 18, 19, 20],
  );
});
