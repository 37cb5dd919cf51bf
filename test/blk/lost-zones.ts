// Headers that are lost, and zones that were never written: the other dumps keep their numbers, or a warning says that
// they may not.

import t from 'tap';
import { blkoops } from '../../lib/blk/blkoops.js';
import { isFirstZone } from '../../lib/blk/first-zone.js';
import type { Mark } from '../../lib/blk/marks.js';
import { pstoreBlk } from '../../lib/blk/pstore_blk.js';
import type { Backend } from '../../lib/pstore/backend.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { codesOf, namesOf, openBytes } from '../builders/open.js';
import { partition, type RecordSpec, type ZonePartition } from '../builders/zone.js';
import { goldenImage } from '../fixture-path.js';

const K = 1024;
const LINES = '<6>[    1.000001] valve 7 jammed after the turn\n';
const dump = (n: number, length = 3000): RecordSpec => ({
  body: `Oops#${n} Part1\n${LINES.repeat(length / 48)}`,
  seconds: 1_700_000_000 + 60 * n,
  counter: n,
});

const open = (image: ZonePartition, keys = {}) =>
  openBytes(image.format === 'blkoops' ? blkoops : pstoreBlk, image.bytes, keys);
const isGuessed = (backend: Backend) => codesOf(backend).includes('geometry-guess');

function dumps(zones: readonly number[], { format = 'pstore_blk' as ZonePartition['format'], front = 0 } = {}) {
  const image = partition(front + 128 * K, { format });
  if (format === 'pstore_blk') image.pmsg(front).console(0).ftrace(0, 1);
  image.kmsg(8 * K);
  zones.forEach((index, i) => {
    image.dmesg(index, dump(i + 1));
  });
  return image;
}

t.test('any single header of a real image is lost', async (t) => {
  const images = { s1: 64 * K, s2: 64 * K, s3: 32 * K, 'n-s3': 32 * K, v1: 64 * K, v2: 64 * K, 's16-smp4': 32 * K };
  for (const [name, size] of Object.entries(images)) {
    const kind = name.startsWith('v') ? blkoops : pstoreBlk;
    const whole = openBytes(kind, goldenImage(name));
    const first = Number(whole.info().geometry.kmsg_offset);
    for (const index of [0, 1, 2]) {
      for (const length of [16, 24, 48, 64, 512]) {
        const bytes = goldenImage(name).slice();
        bytes.fill(0, first + index * size, first + index * size + length);
        const backend = openBytes(kind, bytes);
        const names = namesOf(whole).filter((name) => !name.endsWith(`-${index}`) || !name.startsWith('dmesg'));
        // RFC v5 looks no further.
        const shown = kind === blkoops ? names.slice(0, index) : names;
        const what = `${name}: ${length} bytes of zone ${index}`;
        const isRight = JSON.stringify(namesOf(backend)) === JSON.stringify(shown);
        t.ok(isRight || isGuessed(backend), `${what} is not passed over in silence`);
        if (length <= 48 || index > 0) t.same(namesOf(backend), shown, what);
      }
    }
  }
});

t.test('a lost header between two others does not make the zones larger', async (t) => {
  for (const format of ['pstore_blk', 'blkoops'] as const) {
    for (const length of [16, 60, 512]) {
      const image = dumps([0, 1, 2], { format });
      image.bytes.fill(0, 8 * K, 8 * K + length);
      const backend = open(image);
      t.equal(backend.info().geometry.kmsg_size, 8 * K, `${format}, ${length}`);
    }
  }
  const gap = dumps([0, 2]);
  t.equal(open(gap).info().geometry.kmsg_size, 8 * K, 'the fill tells it where nothing was lost');
});

t.test('a zone that was erased as a whole leaves a gap in the counters', async (t) => {
  const erased = (format: ZonePartition['format'], counters: readonly number[], { lost = [1], length = 3000 } = {}) => {
    const image = partition(64 * K, { format }).kmsg(8 * K);
    const reason = format === 'blkoops' ? 2 : 3;
    counters.forEach((counter, i) => {
      image.dmesg(i, {
        ...dump(i + 1, length),
        body: `Oops#${i} Part1\n${LINES.repeat(length / 48)}`,
        counter,
        reason,
      });
    });
    for (const index of lost) image.bytes.fill(0xff, index * 8 * K, (index + 1) * 8 * K);
    return openBytes(format === 'blkoops' ? blkoops : pstoreBlk, image.bytes, {
      dialect: format === 'blkoops' ? 'rfc5' : 'vendor',
    });
  };
  for (const format of ['pstore_blk', 'blkoops'] as const) {
    const backend = erased(format, [1, 2, 3]);
    t.same(codesOf(backend), ['geometry-guess'], format);
    t.match(
      backend.warnings.list[0]?.message,
      'between the dumps at 0 and 16384, whose counters are 1 and 3, a dump is missing: kmsg_size=16K may be wrong',
    );
    t.same(codesOf(erased(format, [1, 2, 3, 4, 5], { lost: [1, 3] })), ['geometry-guess'], 'two of them');
    t.same(codesOf(erased(format, [1, 1, 2])), [], 'the counters have no gap');
    t.same(codesOf(erased(format, [1, 3], { lost: [] })), ['geometry-guess'], 'any size may be too large');
    t.same(codesOf(erased(format, [1, 3], { lost: [], length: 6000 })), [], 'but for one that a dump needs');
    t.same(codesOf(erased(format, [1, 3, 4, 5], { lost: [] })), [], 'most counters go on');
    t.same(codesOf(erased(format, [5, 3, 4], { lost: [] })), [], 'the ring has gone round');
  }
});

t.test('what stood on the medium before is no zone that lost its header', async (t) => {
  const sizeOf = (image: ZonePartition) => open(image).info().geometry.kmsg_size;
  // A header could stand at 16 KiB, and between it and the dump before it is nothing.
  const used = [
    { zones: 2, places: [16, 28], what: 'it goes on after that' },
    { zones: 2, places: [8, 12, 16, 20, 24, 28], what: 'also where smaller zones would begin' },
    { zones: 2, places: [8, 24], what: 'nothing is where one of the smaller zones would begin' },
    { zones: 3, places: [16, 48], what: 'more than one header would be lost' },
  ];
  for (const { zones, places, what } of used) {
    const image = partition(256 * K, { format: 'blkoops', fill: 0 }).kmsg(32 * K);
    for (let i = 0; i < zones; i++) image.dmesg(i, dump(i + 1));
    for (const at of places) image.bytes.fill(0x9b, at * K, (at + 2) * K);
    t.equal(sizeOf(image), 32 * K, what);
  }
});

t.test('zones before the first header', async (t) => {
  const none = open(dumps([0, 1, 2]));
  t.same(codesOf(none), []);
  const refused = open(dumps([2, 3, 4], { front: 8 * K }));
  t.same(codesOf(refused), ['geometry-guess']);
  const { message, offset } = refused.warnings.list[0]!;
  t.match(message, /whether other dmesg zones stand before the one at 24576, which is shown as zone 0, is not known/);
  t.match(message, /give kmsg_size=, pmsg_size=, console_size= and ftrace_size= as the kernel had them$/);
  t.equal(offset, 24 * K);
  t.throws(() => refused.write!({ type: 'dmesg', reason: 2, timeNs: 1n, compress: 'none', data: new Uint8Array(9) }), {
    code: 'EINVAL',
    message: /a guess never places a write/,
  });
  const given = { pmsg_size: 8 * K, console_size: 0, ftrace_size: 0 };
  const known = open(dumps([2, 3, 4], { front: 8 * K }), given);
  t.same(namesOf(known), ['dmesg-pstore_blk-2', 'dmesg-pstore_blk-3', 'dmesg-pstore_blk-4']);
  t.same(codesOf(known), []);
  const lost = dumps([0, 1, 2], { front: 24 * K });
  lost.bytes.fill(0, 24 * K, 24 * K + 40);
  t.same(namesOf(open(lost)), ['dmesg-pstore_blk-1', 'dmesg-pstore_blk-2'], 'the beginning of its text is left');
});

t.test('whether there is room for a zone before the first one', async (t) => {
  const ring = (offset: number, datalen: number, start: number): Mark => ({
    ...{ type: 'console', endian: 'little', generation: 'pstore_blk', signed: true, magic: false },
    ...{ offset, datalen, start, formatted: false, doubtful: false },
  });
  const is = (base: number, marks: readonly Mark[], bytes = new Uint8Array(64 * K)) =>
    isFirstZone({ base, size: 8 * K }, marks, new MemoryStorage(bytes));
  t.ok(is(0, []), 'at the beginning');
  t.ok(is(8 * K - 512, []), 'no room');
  t.notOk(is(8 * K, []), 'room for one');
  t.ok(is(16 * K, [ring(8 * K, 100, 100)]), 'a ring begins there');
  t.notOk(is(16 * K, [ring(0, 100, 100)]), 'a ring that is hardly used');
  t.ok(is(16 * K, [ring(0, 9000, 9000)]), 'one that reaches into it');
  t.ok(is(16 * K, [ring(0, 16 * K - 12, 5)]), 'a full one');
  t.notOk(is(16 * K, [ring(0, 1e9, 1e9)]), 'one whose length is damaged');
  t.notOk(is(16 * K, [{ ...ring(8 * K, 100, 100), signed: false }]), 'no ring');
  t.ok(is(16 * K, [], new Uint8Array(64 * K).fill(0x41)), 'text goes on over the place');
});

t.test('a partition of RFC v5 or a vendor that begins further on is listed from its first header', async (t) => {
  for (const format of ['blkoops', 'pstore_blk'] as const) {
    const inner = partition(64 * K, { format }).kmsg(8 * K);
    const word = format === 'blkoops' ? 2 : 3;
    for (const i of [0, 1, 2]) inner.dmesg(i, { ...dump(i + 1), reason: word });
    for (const at of [512, 4 * K, 20 * K, 64 * K]) {
      const image = new Uint8Array(at + 64 * K).fill(0x5a, 0, at);
      image.set(inner.bytes, at);
      const bytes = image.subarray(0, image.length & -4096);
      const keys = { dialect: format === 'blkoops' ? 'rfc5' : 'vendor' };
      const backend = openBytes(format === 'blkoops' ? blkoops : pstoreBlk, bytes, keys);
      t.same(namesOf(backend).length, 3, `${format} at ${at}`);
      t.ok(namesOf(backend).at(-1)?.endsWith('-2'));
      t.match(backend.info().sourceKeys, new RegExp(`^offset=${at === 512 ? 512 : `${at / K}K`},size=6[04]K,`));
      const placed = openBytes(format === 'blkoops' ? blkoops : pstoreBlk, bytes, { ...keys, offset: 0 });
      t.same(namesOf(placed), [], 'offset= says where it begins');
      const said = backend.warnings.list.find(({ code }) => code === 'geometry-guess');
      t.match(said?.message, /first zone header stands at .*, not at the beginning|is no multiple of/);
    }
  }
});

t.test('a partition that another kernel used before, with other sizes', async (t) => {
  const used = (before: number, now: number, count: number, fill = 0xff) => {
    const old = partition(128 * K, { fill }).kmsg(before);
    for (let i = 0; i < old.kmsgZones.length; i++) old.dmesg(i, dump(i + 1, before / 4));
    const image = partition(128 * K, { fill }).kmsg(now);
    image.bytes.set(old.bytes);
    for (let i = 0; i < count; i++) image.dmesg(i, dump(100 + i, now / 4));
    return image;
  };
  for (const [before, now, count] of [
    [4, 16, 2],
    [4, 16, 5],
    [16, 4, 1],
    [16, 4, 3],
    [8, 12, 2],
    [32, 8, 1],
    [4, 32, 1],
  ] as const) {
    const image = used(before * K, now * K, count);
    const [found, given] = [open(image), open(image, image.keys)];
    const isRight = JSON.stringify(namesOf(found)) === JSON.stringify(namesOf(given));
    const what = `${count} dumps in zones of ${now} KiB after those of ${before}`;
    t.ok(isRight || codesOf(found).length > 0, `${what}: not wrong in silence`);
    if (count > 1 && now > before) t.ok(isRight, `${what}: right`);
  }
});
