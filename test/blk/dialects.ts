// Random images of each dialect, opened as a person would: without keys, and with the parameters of the image's kernel.

import t from 'tap';
import { blkoops } from '../../lib/blk/blkoops.js';
import { pstoreBlk } from '../../lib/blk/pstore_blk.js';
import { PstoreError } from '../../lib/errors.js';
import type { Backend } from '../../lib/pstore/backend.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { Reason } from '../../lib/pstore/record-type.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { SliceStorage } from '../../lib/storage/slice.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { Warnings } from '../../lib/warnings.js';
import { BLK_MAKERS, type BlkImage } from '../builders/blk-dialects.js';
import { dice } from '../builders/ramoops-dialects.js';
import { partition } from '../builders/zone.js';

const KINDS = [pstoreBlk, blkoops];

function openAs(image: Uint8Array, keys: Readonly<Record<string, string>>, writable = false): Backend | undefined {
  const { size, ...rest } = keys;
  const memory = new MemoryStorage(image, { path: 'image', writable });
  const storage = SurvivingStorage.opening(size === undefined ? memory : new SliceStorage(memory, 0, Number(size)));
  const all = { keys: SourceKeys.of(rest), warnings: new Warnings(), cache: new TextCache() };
  const found = KINDS.map((kind) => kind.probe(storage)).filter((finding) => finding !== undefined);
  const best = found.sort((a, b) => b.sure - a.sure)[0];
  const finding = keys.dialect === undefined ? best : keys.dialect === 'rfc5' ? blkoops : pstoreBlk;
  return finding?.open({ path: 'image', storage, ...all, readFile: () => new Uint8Array(0) });
}

function filesOf(backend: Backend): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (let slot = 0; slot < backend.slots; slot++) {
    const record = backend.record(slot);
    if (record) files.set(record.name, contentBytes(backend.open(slot)));
  }
  return files;
}

/** `right`, `warned` where it is wrong and said so, or `silent`. */
function judge({ image, files }: BlkImage, keys: Readonly<Record<string, string>>): 'right' | 'warned' | 'silent' {
  try {
    const backend = openAs(image.slice(), keys);
    if (!backend) return files.size === 0 ? 'right' : 'warned';
    const shown = filesOf(backend);
    const isRight =
      shown.size === files.size &&
      [...files].every(([name, bytes]) => Buffer.compare(shown.get(name) ?? Buffer.of(), bytes) === 0);
    if (isRight) return 'right';
    return backend.warnings.list.length > 0 ? 'warned' : 'silent';
  } catch (error) {
    if (!(error instanceof PstoreError)) throw error;
    return files.size === 0 ? 'right' : 'warned';
  }
}

/** More of them, from another seed, to measure: BLK_IMAGES=200 BLK_SEED=1 node dist/test/blk/dialects.js */
const images = Number(process.env.BLK_IMAGES ?? 40);
const seed = Number(process.env.BLK_SEED ?? 7);

/** Of every image. */
const FOUND = 0.95;

for (const [name, make] of Object.entries(BLK_MAKERS)) {
  t.test(`${name}: ${images} random images`, async (t) => {
    const counts = { right: 0, warned: 0, silent: 0 };
    let rightGiven = 0;
    for (let i = 0; i < images; i++) {
      const image = make(dice(seed * 1000 + i));
      const verdict = judge(image, {});
      const withKeys = judge(image, image.keys);
      counts[verdict]++;
      if (withKeys === 'right') rightGiven++;
      if (verdict !== 'right' || withKeys !== 'right') {
        t.comment(`${i}: ${verdict}, with keys ${withKeys}: ${JSON.stringify(image.keys)}, ${image.image.length}`);
      }
    }
    t.comment(`${name}: ${JSON.stringify(counts)}, with keys ${rightGiven} of ${images}`);
    t.equal(counts.silent, 0, 'no wrong listing without a warning');
    t.ok(counts.right >= Math.floor(images * FOUND), 'found without keys');
    t.equal(rightGiven, images, "right with the kernel's own parameters");
  });
}

const K = 1024;
const LOG = Buffer.from('<3>[    1.000000] the lift jammed\n');

/** An image of a vendor's tree that its own format made, opened for writing. */
function vendorImage(sizes: Readonly<Record<string, string>> = {}) {
  const image = new Uint8Array(256 * K);
  const keys = { dialect: 'vendor', kmsg_size: '64K', pmsg_size: '32K', ...sizes };
  pstoreBlk.format!(new MemoryStorage(image, { path: 'image' }), SourceKeys.of(keys));
  return { image, backend: openAs(image, keys, true)!, keys };
}

function dump(reason: number, seconds: number, compress = 'deflate') {
  return { type: 'dmesg' as const, reason, timeNs: BigInt(seconds) * 1_000_000_000n, compress, data: LOG };
}

t.test("a write keeps the dialect: the vendors'", async (t) => {
  const { image, backend, keys } = vendorImage();
  const view = new DataView(image.buffer);
  backend.write!(dump(Reason.Oops, 10, 'none'));
  backend.write!(dump(Reason.Oom, 11, 'none'));
  backend.write!({ ...dump(0, 0), type: 'pmsg', data: Buffer.from('a word of user space\n') });
  backend.write!({ ...dump(Reason.Panic, 12), data: Buffer.from('<3>[    1.000000] the same line\n'.repeat(50)) });
  t.throws(() => backend.write!(dump(Reason.Shutdown, 13)), {
    code: 'EINVAL',
    message: /pstore-blk keeps records of reason OOM, Oops and Panic only, not Shutdown/,
  });
  const reasons = [0, 1, 2].map((index) => view.getUint32(index * 64 * K + 12 + 32, true));
  t.same(reasons, [3, 1, 2], 'by their numbers in the vendors’ kernels');
  t.same([view.getUint8(2 * 64 * K + 52), view.getUint8(2 * 64 * K + 12 + 24)], [0x48, 1], 'deflate is zlib there');
  t.equal(image[64 * K + 12 + 40 + 200], 0xff, 'only what is used of a zone is written');
  t.equal(view.getUint32(3 * 64 * K, true), 0x43474243, 'pmsg stands after the last dmesg zone');
  const names = ['dmesg-pstore-blk-0', 'dmesg-pstore-blk-1', 'dmesg-pstore-blk-2', 'pmsg-pstore-blk-0'];
  for (const opened of [openAs(image, {})!, openAs(image, keys)!]) {
    t.same([...filesOf(opened).keys()].sort(), names);
    t.same(opened.info().counters, { oops: 1, panic: 1, oom: 1 });
    t.match(opened.info().kernelParameters, ['blkoops.dmesg_size=64', /^blkoops.pmsg_size=/]);
    t.match(opened.info().sourceKeys, /,dialect=vendor$/);
  }
  const shown = filesOf(openAs(image, {})!);
  t.match(Buffer.from(shown.get('dmesg-pstore-blk-1')!).toString(), /^OOM: Total 1 times\nOOM#2 Part1\n/);
  const writable = openAs(image, {}, true)!;
  writable.erase(writable.find('dmesg-pstore-blk-1')!);
  t.equal(filesOf(openAs(image, {})!).has('dmesg-pstore-blk-1'), false);
  t.equal(view.getUint32(64 * K, true), 0x43474244, 'the signature stays');
});

t.test('a ring at the far end of a large partition', async (t) => {
  for (const size of [12 << 20, 130 << 20]) {
    const image = new Uint8Array(size);
    const keys = { dialect: 'vendor', kmsg_size: '64K', pmsg_size: '64K' };
    pstoreBlk.format!(new MemoryStorage(image, { path: 'image' }), SourceKeys.of(keys));
    const backend = openAs(image, keys, true)!;
    for (const second of [1, 2]) backend.write!(dump(Reason.Oops, second));
    backend.write!({ ...dump(0, 0), type: 'pmsg', data: Buffer.from('a word of user space\n') });
    // As a kernel leaves it, which has signed no zone but those that it wrote.
    image.fill(0xff, 2 * 64 * K, size - 64 * K);
    t.same([...filesOf(openAs(image, {})!).keys()], ['dmesg-pstore-blk-0', 'dmesg-pstore-blk-1', 'pmsg-pstore-blk-0']);
  }
});

t.test('where the ring of an image ends is never guessed for a write', async (t) => {
  const { image } = vendorImage({ pmsg_size: '0' });
  const opened = openAs(image, { dialect: 'vendor', kmsg_size: '64K' }, true)!;
  t.throws(() => opened.write!(dump(Reason.Oops, 10)), {
    code: 'EINVAL',
    message: /give pmsg_size= as the kernel had/,
  });
  openAs(image, { dialect: 'vendor', kmsg_size: '64K', pmsg_size: '0' }, true)!.write!(dump(Reason.Oops, 10));
  t.same([...filesOf(openAs(image, {})!).keys()], ['dmesg-pstore-blk-0']);
});

t.test('a dump whose header has another reason than its text', async (t) => {
  const image = new Uint8Array(64 * K);
  const keys = { kmsg_size: '16K', pmsg_size: '16K' };
  pstoreBlk.format!(new MemoryStorage(image, { path: 'image' }), SourceKeys.of(keys));
  for (const second of [1, 2, 3])
    openAs(image, { ...keys, dialect: 'mainline' }, true)!.write!(dump(Reason.Oops, second));
  t.same(openAs(image, {})!.warnings.list, []);
  image[2 * 16 * K + 12 + 32] = 1;
  t.match(openAs(image, {})!.warnings.list, [
    { code: 'record-reason', message: /dmesg zone 1 at offset 32768 has the reason 1 \(Panic\).* reason Oops/ },
  ]);
});

t.test('dialects that are given', async (t) => {
  const image = new Uint8Array(64 * K);
  const open = (kind: typeof pstoreBlk, dialect: string) => () =>
    kind.format!(new MemoryStorage(image, { path: 'image' }), SourceKeys.of({ kmsg_size: '16K', dialect }));
  t.throws(open(pstoreBlk, 'rfc5'), {
    code: 'EINVAL',
    message: /pstore_blk has mainline, vendor; for rfc5 put blkoops:/,
  });
  t.throws(open(blkoops, 'rfc6'), { code: 'EINVAL', message: /dialect=rfc6: blkoops has rfc5$/ });
  t.doesNotThrow(open(blkoops, 'rfc5'));
  const rings = SourceKeys.of({ kmsg_size: '16K', console_size: '4K', dialect: 'vendor' });
  t.throws(() => pstoreBlk.format!(new MemoryStorage(image, { path: 'image' }), rings), {
    code: 'EINVAL',
    message: /console_size=4096: pstore-blk has dmesg and pmsg zones only; leave it out/,
  });
});

t.test('no module of RFC v5 has parameters', async (t) => {
  const image = new Uint8Array(64 * K);
  blkoops.format!(new MemoryStorage(image, { path: 'image' }), SourceKeys.of({ kmsg_size: '16K' }));
  const { kernelParameters, details } = openAs(image, { kmsg_size: '16K', dialect: 'rfc5' })!.info();
  t.same(kernelParameters, []);
  t.match(details['kernel parameters'], /^none: blkoops has no parameter/);
});

t.test('dump_oops=no and max_reason of mainline', async (t) => {
  const image = new Uint8Array(64 * K);
  const keys = { kmsg_size: '16K', pmsg_size: '0', dialect: 'mainline' };
  pstoreBlk.format!(new MemoryStorage(image, { path: 'image' }), SourceKeys.of(keys));
  const refused = (more: Readonly<Record<string, string>>, reason: number) =>
    t.throws(() => openAs(image, { ...keys, ...more }, true)!.write!(dump(reason, 1)), { code: 'EINVAL' });
  refused({ dump_oops: 'no' }, Reason.Oops);
  refused({ max_reason: '0' }, Reason.Emergency);
  openAs(image, { ...keys, max_reason: '0' }, true)!.write!(dump(Reason.Oops, 1));
  openAs(image, { ...keys, max_reason: '5' }, true)!.write!(dump(Reason.Shutdown, 2));
});

t.test('a record that is older than the newest is replaced by the next: said', async (t) => {
  const image = new Uint8Array(64 * K);
  const keys = { kmsg_size: '16K', pmsg_size: '0', dialect: 'mainline' };
  pstoreBlk.format!(new MemoryStorage(image, { path: 'image' }), SourceKeys.of(keys));
  const backend = openAs(image, keys, true)!;
  for (const second of [100, 101]) backend.write!(dump(Reason.Oops, second));
  t.same(backend.warnings.list, []);
  backend.write!(dump(Reason.Oops, 50));
  t.match(backend.warnings.list, [
    { code: 'ring-same-second', offset: 2 * 16 * K, message: /zone 2 is not the newest one.* next record replaces it/ },
  ]);
  t.equal(openAs(image, {})!.info().nextZone, 2, 'as it is then');
});

t.test('a fresh image without rings may be of either: said when it is written to', async (t) => {
  const image = new Uint8Array(256 * K);
  const keys = { kmsg_size: '64K', pmsg_size: '0' };
  pstoreBlk.format!(new MemoryStorage(image, { path: 'image' }), SourceKeys.of({ ...keys, dialect: 'vendor' }));
  const listed = openAs(image.slice(), keys)!;
  t.same(
    listed.warnings.list.map(({ code }) => code),
    [],
    'an empty listing is right for both',
  );
  t.match(listed.info().details['layout found'], /^a guess: .*\(dialect=vendor\); give dialect= before/);
  const writer = openAs(image.slice(), keys, true)!;
  writer.write!(dump(Reason.Oops, 10));
  t.match(writer.warnings.list[0], { code: 'geometry-guess', message: /written as mainline: .*dialect=vendor/ });
  for (const dialect of ['vendor', 'mainline']) {
    const own = image.slice();
    const sure = openAs(own, { ...keys, dialect }, true)!;
    sure.write!(dump(Reason.Oops, 10));
    t.same(sure.warnings.list, [], `${dialect} was given`);
    t.notMatch(openAs(own, keys)!.info().details['layout found'] ?? '', /guess/, 'its dump tells');
  }
});

t.test(
  "given sizes of a vendor's partition put the ring where its kernel has it, not where an older one had it",
  async (t) => {
    const image = partition(128 * K).kmsg(8 * K);
    for (const index of [0, 1]) image.dmesg(index, { body: `OOM#${index + 1} Part1\n`, counter: index + 1, reason: 1 });
    image.ring({ kind: 'pmsg', index: 0, offset: 64 * K, size: 16 * K }, ['left of an earlier boot\n']);
    const zones = (keys: Readonly<Record<string, string>>) =>
      openAs(image.bytes.slice(), keys)!.info().geometry.kmsg_zones;
    t.equal(zones({ dialect: 'vendor' }), 8);
    t.equal(zones({ dialect: 'vendor', kmsg_size: '8K', pmsg_size: '32K' }), 12);
    t.equal(zones({ dialect: 'vendor', kmsg_size: '8K', pmsg_size: '0' }), 16);
  },
);
