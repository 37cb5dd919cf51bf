import t from 'tap';
import { open } from '../../lib/index.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { unsparsed, unwrapped } from '../../lib/source/medium.js';
import { openStorage } from '../../lib/source/open-storage.js';
import { parseSource, TextCache } from '../../lib/source/sources.js';
import { AndroidSparseStorage } from '../../lib/storage/android-sparse.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { Warnings } from '../../lib/warnings.js';
import { androidSparse, nandDump } from '../builders/disk.js';
import { logText, MtdDevice } from '../builders/mtdoops.js';
import { goldenImage } from '../fixture-path.js';

function dump(): MemoryStorage {
  const device = new MtdDevice({ size: 262144, recordSize: 8192 });
  for (let i = 0; i < 6; i++) device.oops(logText(8000, i), 1_600_000_000_000_000_000n + BigInt(i));
  return new MemoryStorage(nandDump(device.bytes, 2048, 64), { path: 'dump.nand' });
}

function left(file: MemoryStorage, keys: Record<string, string>): { size: number; codes: string[] } {
  const warnings = new Warnings();
  const { size } = unwrapped(file, SourceKeys.of(keys), warnings);
  return { size, codes: warnings.list.map(({ code }) => code) };
}

t.test('spare bytes are left out, unless a given size of records counts them', async (t) => {
  const file = dump();
  const without = { size: 262144, codes: ['spare-bytes'] };
  t.same(left(file, {}), without);
  t.same(left(file, { record_size: '8192' }), without);
  t.same(left(file, { kmsg_size: '65536' }), without);
  t.same(left(file, { record_size: '4224' }), { size: file.size, codes: [] }, 'two pages with their spare bytes');
  t.same(left(file, { oob: 'none' }), { size: file.size, codes: [] });
});

t.test('a dump of flash that was filled up to a whole sector is as it was', async (t) => {
  const { size, codes } = left(dump(), {});
  const file = dump();
  const bytes = new Uint8Array(Math.ceil((file.size - 2112) / 512) * 512);
  file.read(bytes.subarray(0, file.size - 2112), 0);
  t.same(left(new MemoryStorage(bytes, { path: 'dump.nand' }), {}), { size: size - 2048, codes });
});

t.test('the chunks of an Android sparse file are read once, however many of its regions are opened', async (t) => {
  const image = goldenImage('v2');
  const medium = new MemoryStorage(androidSparse(4096, [{ raw: image }]), { path: 'image.simg' });
  let headers = 0;
  const read = medium.read.bind(medium);
  medium.read = (target, offset) => {
    if (offset < 40) headers++;
    return read(target, offset);
  };
  const file = unsparsed(medium, new Warnings());
  t.ok(file instanceof AndroidSparseStorage);
  const before = headers;
  const options = { sharedKeys: [], mode: 'read', cache: new TextCache(), strict: false } as const;
  const notes = { isCopy: false, isUnsparsed: true, warnings: new Warnings() };
  const opened = openStorage(parseSource('blkoops:image.simg'), file, options, () => new Uint8Array(0), notes);
  t.ok(opened.backend.space().records > 0);
  t.equal(headers, before);
  const packed = new MemoryStorage(androidSparse(4096, [{ raw: image }]), { path: 'image.simg' });
  const asItIs = () => openStorage(parseSource('image.simg'), packed, options, () => new Uint8Array(0), notes);
  t.throws(asItIs, { code: 'EBADMSG' }, 'what was unpacked is not unpacked again');
});

t.test('memory that is named has no spare bytes, whatever it looks like', async (t) => {
  const bytes = nandDump(
    new Uint8Array(64 << 10).map((_, i) => i),
    2048,
    64,
  );
  bytes.set([0x44, 0x42, 0x47, 0x43, 0, 0, 0, 0, 0, 0, 0, 0]);
  const pstore = open(bytes, { backend: 'ramoops', keys: { console_size: String(bytes.length) } });
  t.notOk(pstore.warnings.some(({ code }) => code === 'spare-bytes'));
  pstore.close();
  const given = open(bytes, { backend: 'ramoops', keys: { oob: '2048+64', console_size: '64K' } });
  t.equal(given.info().geometry.mem_size, 64 << 10);
  given.close();
});

t.test('a partition inside the dump of a whole chip: the SOURCE that is printed shows all of it', async (t) => {
  const namesOf = (bytes: Uint8Array, keys: Record<string, string> = {}) => {
    const pstore = open(bytes, { keys });
    const names = [...pstore].map(({ name, size }) => `${name} ${size}`).sort();
    const said = pstore.warnings.map(({ message }) => message).join('\n');
    pstore.close();
    return { names, said };
  };
  for (const folder of ['s3', 'v1', 'v2']) {
    for (const [data, spare] of [[4096, 208] as const, [2048, 64] as const]) {
      const image = goldenImage(folder);
      const chip = Buffer.alloc((640 << 10) + image.length, 0xff);
      chip.set(image, 640 << 10);
      const dump = nandDump(chip, data, spare);
      const { said } = namesOf(dump);
      const typed = /, as in (?:pstore_blk|blkoops):image,(oob=[0-9+]+,offset=640K,size=[0-9]+K);/.exec(said)?.[1];
      t.ok(typed, `${folder}: ${said}`);
      const keys = Object.fromEntries((typed ?? '').split(',').map((key) => key.split('=') as [string, string]));
      t.same(namesOf(dump, keys).names, namesOf(image).names);
      t.equal(keys.oob, `${data}+${spare}`);
    }
  }
});

t.test('of a cut dump it is said that spare bytes were taken out before bytes were counted', async (t) => {
  const dump = nandDump(goldenImage('s3'), 2048, 64);
  const cut = dump.subarray(0, dump.length - 2711);
  const said =
    /^image: [0-9]+ bytes are not a multiple of 4096, .*; add ,salvage where .* \(bytes are counted after 64 spare bytes .* after each 2048, as with oob=2048\+64\)$/;
  t.throws(() => open(cut), { code: 'EBADMSG', message: said });
  t.throws(() => open(goldenImage('s3').subarray(0, 40201)), { message: /larger file$/ });
});
