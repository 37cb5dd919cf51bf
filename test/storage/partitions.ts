import fc from 'fast-check';
import t from 'tap';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { readPartitionTables } from '../../lib/storage/partitions.js';
import { gptDisk, mbrDisk } from '../builders/disk.js';

const tables = (bytes: Uint8Array) => readPartitionTables(new MemoryStorage(bytes));

t.test('a GPT, with sectors of any size', async (t) => {
  for (const sectorSize of [512, 1024, 2048, 4096]) {
    const disk = gptDisk(128, sectorSize, [
      { name: 'boot', first: 40, count: 4 },
      { name: 'pstore', first: 48, count: 16 },
    ]);
    const partUuid = '33221100-5544-7766-8899-aabbccddee02';
    const pstore = { number: 2, name: 'pstore', partUuid, offset: 48 * sectorSize, size: 16 * sectorSize };
    t.match(tables(disk), [{ kind: 'GPT', sectorSize, partitions: [{ name: 'boot' }, pstore], damage: undefined }]);
    disk[sectorSize + 60]! ^= 1;
    t.match(tables(disk), [{ partitions: [{}, pstore], damage: /first copy is damaged/ }]);
    disk.fill(0, sectorSize, 2 * sectorSize);
    t.match(tables(disk), [{ partitions: [{}, pstore], damage: /first copy is lost/ }]);
    disk.fill(0, 0, 6 * sectorSize);
    t.match(tables(disk), [{ partitions: [{}, pstore], damage: /first copy is lost/ }], 'all before it is lost');
  }
});

t.test('an MBR, with logical partitions', async (t) => {
  const disk = mbrDisk(
    1000,
    512,
    [
      { first: 8, count: 100 },
      { first: 200, count: 50 },
    ],
    [
      { first: 301, count: 99 },
      { first: 501, count: 200 },
    ],
  );
  const [table] = tables(disk);
  t.match(table, { kind: 'MBR', sectorSize: 512 });
  t.same(
    table!.partitions.map(({ number, offset, size, partUuid }) => [number, offset / 512, size / 512, partUuid]),
    [
      [1, 8, 100, '1234abcd-01'],
      [2, 200, 50, '1234abcd-02'],
      [5, 301, 99, '1234abcd-05'],
      [6, 501, 200, '1234abcd-06'],
    ],
  );
  t.ok(tables(mbrDisk(100, 4096, [{ first: 8, count: 50 }])).some(({ sectorSize }) => sectorSize === 4096));
});

t.test('what is no partition table', async (t) => {
  t.same(tables(new Uint8Array(8192)), []);
  t.same(tables(new Uint8Array(0)), []);
  const boot = Buffer.alloc(8192, 0x33);
  boot.writeUInt16BE(0x55aa, 510);
  t.same(tables(boot), [], 'a boot sector with code');
});

t.test('any damage gives partitions that begin inside the disk, or none', async () => {
  const disks = [
    gptDisk(128, 512, [{ name: 'a', first: 40, count: 8 }]),
    mbrDisk(128, 512, [{ first: 8, count: 8 }], [{ first: 41, count: 8 }]),
  ];
  const damage = fc.array(fc.tuple(fc.nat(1100), fc.nat(255)), { maxLength: 12 });
  fc.assert(
    fc.property(fc.constantFrom(...disks), damage, fc.nat(70_000), (disk, places, length) => {
      const bytes = new Uint8Array(disk.subarray(0, length));
      for (const [at, value] of places) if (at < bytes.length) bytes[at] = value;
      return tables(bytes).every(({ partitions }) =>
        partitions.every(({ offset, size }) => offset > 0 && offset < bytes.length && size > 0),
      );
    }),
  );
});
