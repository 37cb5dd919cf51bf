// How much of a partition is read to find its sizes, and what is said of records that a kernel would not see.

import t from 'tap';
import { blkoops } from '../../lib/blk/blkoops.js';
import { pstoreBlk } from '../../lib/blk/pstore_blk.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import type { BackendKind } from '../../lib/pstore/kind.js';
import { withSalvage } from '../../lib/pstore/salvage.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { Warnings } from '../../lib/warnings.js';
import { asShown } from '../builders/as-shown.js';
import { FaultyStorage } from '../builders/faulty.js';
import { ftraceBytes } from '../builders/ftrace.js';
import { howSure } from '../builders/how-sure.js';
import { partition, type RecordSpec, type ZonePartition } from '../builders/zone.js';

/** Counts the bytes that are asked for. */
class CountingStorage extends MemoryStorage {
  count = 0;

  override read(target: Uint8Array, offset: number): number {
    const got = super.read(target, offset);
    this.count += got;
    return got;
  }
}

function kindOf({ format }: ZonePartition): BackendKind {
  return format === 'blkoops' ? blkoops : pstoreBlk;
}

function open(image: ZonePartition, keys: Readonly<Record<string, string>> = {}) {
  return openBytes(image, image.bytes, keys);
}

function openBytes(image: ZonePartition, bytes: Uint8Array, keys: Readonly<Record<string, string>>) {
  const storage = new CountingStorage(bytes, { path: 'image.raw' });
  const warnings = new Warnings();
  const opened = kindOf(image).open({
    path: 'image.raw',
    storage: SurvivingStorage.over(storage),
    keys: SourceKeys.of(keys),
    warnings,
    cache: new TextCache(),
    readFile: () => new Uint8Array(0),
  });
  const backend = asShown(opened, keys);
  const names: string[] = [];
  for (let slot = 0; slot < backend.slots; slot++)
    names.push(...(backend.record(slot) ? [backend.record(slot)!.name] : []));
  return { backend, storage, warnings: warnings.list, info: backend.info(), names };
}

/** Records of one CPU. */
function ftraceRing(cpu: number): Uint8Array[] {
  const times = Array.from({ length: 40 }, (_, i) => 2 * i + cpu);
  return times.map((time) =>
    ftraceBytes({ cpu, ts: BigInt(time), ip: 0x81000000n + BigInt(time), parent: 0x82000000n }, '64'),
  );
}

const MIB = 1 << 20;
const record = (i: number): RecordSpec => ({ body: `record ${i}\n`, seconds: 1_700_000_000 + i, counter: i + 1 });

function large(format: 'pstore_blk' | 'blkoops', kmsgSize: number, records: readonly number[], size = 24 * MIB) {
  const image = partition(size, { format });
  if (format === 'pstore_blk')
    image
      .pmsg(65536, ['pmsg text'])
      .console(131072, ['console text '.repeat(11_000)])
      .ftrace(0, 1);
  image.kmsg(kmsgSize);
  for (const i of records) image.dmesg(i, record(i));
  return image;
}

t.test('the beginning of a large image tells its sizes; the rest is not read', async (t) => {
  for (const format of ['pstore_blk', 'blkoops'] as const) {
    for (const [kmsgSize, count] of [
      [65536, 3],
      [65536, 100],
      [65536, 350],
      [MIB, 5],
      [12288, 700],
    ] as const) {
      const image = large(format, kmsgSize, [...Array(count).keys()]);
      const what = `${format}, ${count} zones of ${kmsgSize}`;
      const probe = new CountingStorage(image.bytes);
      t.equal(howSure(kindOf(image), probe), 1, what);
      t.equal(howSure(format === 'blkoops' ? pstoreBlk : blkoops, probe), 0, `${what}: the other one`);
      const found = open(image);
      const given = open(image, image.keys);
      t.same(found.names, given.names, what);
      t.same(found.warnings, given.warnings, `${what}: and says nothing else`);
      t.same(found.info.geometry, given.info.geometry, `${what}: its sizes`);
      t.equal(found.info.confidence.kmsg_size, 1, `${what}: which are sure`);
      t.ok(found.storage.count < 13 * MIB, `${what}: ${found.storage.count} bytes are read`);
    }
  }
});

t.test('all of it is read where the beginning leaves a doubt', async (t) => {
  // The beginning has only every other header: what is behind it tells the size.
  const image = large(
    'pstore_blk',
    65536,
    [...Array(350).keys()].filter((i) => i % 2 === 0 || i > 100),
  );
  const { storage, info } = open(image);
  t.match(info.geometry, { kmsg_size: 65536 });
  t.ok(storage.count > 24 * MIB, `${storage.count} bytes are read`);

  const bare = large('pstore_blk', 65536, []);
  bare.dmesg(200, record(1)).dmesg(201, record(2)).dmesg(203, record(3));
  t.match(open(bare).info.geometry, { kmsg_size: 65536 }, 'headers behind the beginning only');
});

t.test('a damaged signature far behind the beginning is told', async (t) => {
  const image = large('pstore_blk', 65536, [...Array(350).keys()]).dmesg(300, { ...record(300), sig: 0x43474344 });
  const { offset } = image.kmsgZones[300]!;
  for (const keys of [{}, image.keys]) {
    t.same(open(image, keys).warnings, [
      {
        code: 'zone-invalid',
        message: `image.raw: dmesg zone 300 at offset ${offset} has the signature 0x43474344 where 0x43474244 should be; a kernel skips it, and salvage shows what can be read of it`,
        offset,
      },
    ]);
  }
});

t.test('records behind the zone where blkoops stops are counted, wherever they stand', async (t) => {
  for (const [keys, size] of [
    [{}, 24 * MIB],
    [{ kmsg_size: '65536' }, 24 * MIB],
    [{}, MIB],
  ] as const) {
    const zones = size / 65536;
    const image = large('blkoops', 65536, [0, 1, 2, 4, zones - 2, zones - 1], size).dmesg(5, { ...record(5), sig: 7 });
    const { names, warnings } = open(image, keys);
    t.same(names, ['dmesg-blkoops-0', 'dmesg-blkoops-1', 'dmesg-blkoops-2']);
    t.match(
      warnings.filter(({ offset }) => offset === 3 * 65536),
      [
        {
          code: 'zone-invalid',
          message: /dmesg zone 3 at offset 196608 has no signature.*; 4 zones after it that hold data can be/,
        },
      ],
    );
  }
  const full = large('blkoops', 65536, [...Array(MIB / 65536).keys()], MIB);
  t.same(open(full).warnings, [], 'where no zone is without a signature, nothing is hidden');
});

t.test('what was erased behind that zone is not promised to salvage', async (t) => {
  const said = (erased: readonly number[]) => {
    const image = large('blkoops', 65536, [0, 1, 2, 4, 6], MIB);
    for (const index of erased) image.erase(image.kmsgZones[index]!);
    return open(image).warnings.find(({ code }) => code === 'zone-invalid')?.message;
  };
  t.match(said([]), /; 2 zones after it that hold data can be seen with salvage$/);
  t.match(said([4]), /; 1 zone after it that holds data can be seen with salvage, and 1 zone after it was erased$/);
  t.match(said([4, 6]), /stops looking; 2 zones after it were erased$/);
});

t.test('kmsg_size=0 where there are dmesg zones', async (t) => {
  const bare = partition(MIB).kmsg(65536).dmesg(0, record(0)).dmesg(1, record(1)).dmesg(2, record(2));
  t.throws(() => open(bare, { kmsg_size: '0' }), {
    code: 'EINVAL',
    message:
      'image.raw: zones of 64 KiB fit this image, and kmsg_size=0 leaves none; give kmsg_size=64K, or leave it out',
  });
  const image = large('pstore_blk', 65536, [0, 1, 2], MIB);
  const { names, warnings, info } = open(image, { kmsg_size: '0' });
  t.same(names, ['console-pstore_blk-0', 'pmsg-pstore_blk-0'], 'it is obeyed');
  t.match(warnings, [{ code: 'geometry-mismatch', message: /zones of 64 KiB fit .*; give kmsg_size=64K$/ }]);
  t.match(info.geometry, { pmsg_size: 65536, console_size: 131072 }, 'no other zone reaches into them');
});

t.test('zones that begin where none can: the partition begins elsewhere', async (t) => {
  const image = partition(MIB).kmsg(65536);
  for (const i of [0, 1, 2, 3]) image.dmesg(i, record(i));
  const cut = openBytes(image, image.bytes.slice(1000, 1000 + 15 * 65536), {});
  t.same(cut.names, ['dmesg-pstore_blk-0', 'dmesg-pstore_blk-1', 'dmesg-pstore_blk-2']);
  t.match(cut.info.geometry, { kmsg_size: 65536, pmsg_size: 0, ftrace_size: 0, kmsg_offset: 64536 });
  const said = /the first zone header stands at 64536, which is no multiple of 512: .*; give offset= and size= of the/;
  t.match(cut.warnings, [{ code: 'geometry-guess', offset: 64536, message: said }]);
  t.equal(cut.info.sourceKeys, 'kmsg_size=64K', 'which shows the same');
  t.throws(
    () => cut.backend.write!({ type: 'dmesg', reason: 2, timeNs: 0n, compress: 'none', data: new Uint8Array(9) }),
    {
      code: 'EINVAL',
      message: said,
    },
  );
  // What a division among five CPUs leaves is no sign of that.
  const five = partition(MIB).ftrace(8192, 5).kmsg(65536);
  for (const i of [0, 1, 2, 3]) five.dmesg(i, record(i));
  const { info, warnings } = openBytes(five, five.bytes, {});
  t.same(warnings, []);
  t.match(info.geometry, { ftrace_size: 8192, kmsg_offset: 8190 });
});

t.test('a wrapped ftrace ring tells the word size by its older records, too', async (t) => {
  const ring = (cpu: number) =>
    Array.from({ length: 500 }, (_, i) =>
      ftraceBytes({ cpu, ts: BigInt(i), ip: 0xc0100000n + BigInt(i), parent: 0xc0200000n }, '32', false),
    );
  const rings = [undefined, undefined, ring(2), undefined, ring(4)];
  const image = partition(65536, { abi: 'be32' })
    .console(4096, ['text\n'])
    .ftrace(39 * 512, 5, rings);
  t.match(openBytes(image, image.bytes, {}).info.abi, { endian: 'big', wordBits: 32 });
});

t.test('what nothing tells is no certainty', async (t) => {
  const unwritten = partition(65536).pmsg(4608).console(0).ftrace(2560, 3).kmsg(8192);
  for (const i of [0, 1, 2]) unwritten.dmesg(i, record(i));
  t.ok(openBytes(unwritten, unwritten.bytes, {}).info.confidence.pmsg_size! < 1, 'nothing in front was written');
  const full = ['x'.repeat(4000), 'y'.repeat(2000)];
  const noDmesg = partition(65536).pmsg(4096, full).console(4096, full).ftrace(8192, 1).kmsg(8192);
  const { confidence } = openBytes(noDmesg, noDmesg.bytes, {}).info;
  t.match(confidence, { pmsg_size: 1, console_size: 1 }, 'full rings tell their sizes');
  t.ok(confidence.ftrace_size! < 1, 'but not what follows them');
});

t.test('blkoops has no rings to write to', async (t) => {
  const image = large('blkoops', 65536, [0, 1, 2], MIB);
  const { backend } = open(image);
  for (const type of ['pmsg', 'console', 'tty', 'ftrace'] as const) {
    const data = new Uint8Array(8);
    t.throws(() => backend.write!({ type, reason: 2, timeNs: 0n, compress: 'none', data }), {
      code: 'EINVAL',
      message: `image.raw: blkoops has dmesg zones only; ${type} is kept by pstore_blk and ramoops`,
    });
  }
});

t.test('rings whose signature is damaged are told, and salvaged', async (t) => {
  const image = partition(262_144)
    .pmsg(4096, ['pmsg text, and more of it\n'])
    .console(4096, [`${'console line\n'.repeat(400)}the last one\n`])
    .ftrace(16_384, 2, [ftraceRing(0), ftraceRing(1)])
    .kmsg(16_384)
    .dmesg(0, record(0))
    .dmesg(1, record(1))
    .dmesg(2, record(2));
  const whole = open(image, image.keys);
  t.same(whole.warnings, []);
  const texts = (opened: ReturnType<typeof open>, name: string) =>
    Buffer.from(contentBytes(opened.backend.open(opened.backend.find(name)!))).toString('latin1');
  for (const { kind, index, offset } of image.places.filter((place) => place.kind !== 'dmesg')) {
    const bytes = image.bytes.slice();
    bytes[offset + 1]! ^= 0x10;
    const plain = openBytes(image, bytes, image.keys);
    t.match(plain.warnings, [
      {
        code: 'zone-invalid',
        offset,
        message: new RegExp(`: ${kind} zone ${index} at offset ${offset} has the signature`),
      },
    ]);
    const name = `${kind}-pstore_blk-0`;
    t.equal(plain.names.includes(name), kind === 'ftrace', `${kind}: what a kernel shows`);
    const salvaged = openBytes(image, bytes, { ...image.keys, salvage: '' });
    t.same(
      salvaged.names.filter((one) => one.endsWith('.salvaged')),
      [`${name}.salvaged`],
    );
    t.equal(texts(salvaged, `${name}.salvaged`), texts(whole, name), `${kind}: all of it, oldest first`);
    if (kind === 'ftrace') t.ok(texts(plain, name).length < texts(whole, name).length, 'one CPU is missing else');
  }
});

t.test('with salvage, too, a block that cannot be read spoils no more than its own record', async (t) => {
  const image = partition(65_536)
    .pmsg(4096, ['pmsg text, and more of it\n'])
    .console(4096, ['console text, and more of it\n'])
    .ftrace(8192, 2, [ftraceRing(0), ftraceRing(1)])
    .kmsg(8192);
  for (const i of [0, 1, 2])
    image.dmesg(i, { body: `Oops#1 Part1\n<6>[    1.0] line ${i}\n`, seconds: 17 + i, sig: 7 });
  for (const { offset } of image.places.filter(({ kind }) => kind !== 'dmesg')) image.bytes[offset + 1]! ^= 0x10;
  const list = (broken: number | undefined) => {
    const storage = new FaultyStorage(new MemoryStorage(image.bytes, { path: 'image.raw' }));
    const keys = SourceKeys.of({ ...image.keys, abi: 'le64', salvage: '' });
    const context = {
      path: 'image.raw',
      storage: SurvivingStorage.over(storage),
      keys,
      warnings: new Warnings(),
      cache: new TextCache(),
    };
    const backend = withSalvage(pstoreBlk.open({ ...context, readFile: () => new Uint8Array(0) }));
    if (broken !== undefined) storage.broken = [{ offset: broken, length: 512, code: 'EIO', on: 'read' }];
    const names: string[] = [];
    for (let slot = 0; slot < backend.slots; slot++) names.push(...[backend.record(slot)?.name ?? []].flat());
    t.ok([...backend.info().zones].length > 0);
    return names;
  };
  const whole = list(undefined);
  t.equal(new Set(whole).size, whole.length, 'each name once');
  t.equal(whole.length, 6, 'all of it is salvaged');
  for (let at = 0; at < 65_536; at += 512) {
    const missing = whole.length - list(at).length;
    t.ok(missing <= 1, `block at ${at}: ${missing} missing`);
  }
});
