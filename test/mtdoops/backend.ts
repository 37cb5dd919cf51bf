import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { PstoreError } from '../../lib/errors.js';
import { mtdoops } from '../../lib/mtdoops/open.js';
import type { Backend } from '../../lib/pstore/backend.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { AndroidSparseStorage } from '../../lib/storage/android-sparse.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { readRange, type Storage } from '../../lib/storage/storage.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { Warnings } from '../../lib/warnings.js';
import { asShown } from '../builders/as-shown.js';
import { androidSparse } from '../builders/disk.js';
import { howSure } from '../builders/how-sure.js';
import { HugeStorage } from '../builders/huge.js';
import { type BuiltPage, logText, MtdDevice, pageBytes, userLog } from '../builders/mtdoops.js';
import { golden, goldenImage } from '../fixture-path.js';

type Keys = Record<string, string | number | boolean>;

function open(image: Uint8Array | Storage, keys: Keys = {}): Backend {
  const backend = mtdoops.open({
    path: 'flash.img',
    storage: SurvivingStorage.over(
      image instanceof Uint8Array ? new MemoryStorage(image, { path: 'flash.img' }) : image,
    ),
    keys: SourceKeys.of(keys),
    warnings: new Warnings(),
    cache: new TextCache(),
    readFile: () => {
      throw new Error('no companion files here');
    },
  });
  return asShown(backend, keys);
}

function shown(backend: Backend): { name: string; size: number; mtimeNs: bigint | null; count: number | null }[] {
  const records = [];
  for (let slot = 0; slot < backend.slots; slot++) {
    const record = backend.record(slot);
    if (record) records.push(record);
  }
  return records;
}

function text(backend: Backend, slot: number): string {
  return Buffer.from(contentBytes(backend.open(slot))).toString();
}

function codes(backend: Backend): string[] {
  return backend.warnings.list.map((warning) => warning.code);
}

function states(backend: Backend): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { state } of backend.info().zones) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

/** An image of pages at given places. */
function image(
  size: number,
  pages: Record<number, BuiltPage | Uint8Array>,
  { recordSize = 4096, endian = 'little' as 'little' | 'big', fill = 0xff } = {},
): Uint8Array {
  const bytes = new Uint8Array(size).fill(fill);
  for (const [page, what] of Object.entries(pages)) {
    bytes.set(what instanceof Uint8Array ? what : pageBytes(what, recordSize, endian), Number(page) * recordSize);
  }
  return bytes;
}

const record = (seq: number, over: Partial<BuiltPage> = {}): BuiltPage => ({
  seq,
  text: logText(4000, seq % 97),
  time: 1_600_000_000_000_000_000n + BigInt(seq),
  ...over,
});

// ── the golden image ──

interface Expected {
  record_size: number;
  page_count: number;
  states: { record: number; erased: number; other: number };
  newest_page: number;
  pages_oldest_first: number[];
  last_ready_line: string;
  mtd: { erasesize: number };
  pages: {
    page: number;
    offset: number;
    state: string;
    seq: number;
    timestamp_ns: number;
    text_length: number;
    text_sha256: string;
    file: string;
  }[];
}

/** expect.json with its nanoseconds as strings: they are beyond what a number holds. */
function expected(): Expected {
  return JSON.parse(
    readFileSync(golden('mtdoops-1', 'expect.json'), 'utf8').replace(/("timestamp_ns": )([0-9]+)/g, '$1"$2"'),
  ) as Expected;
}

for (const given of [false, true]) {
  t.test(`mtdoops-1, ${given ? 'sizes given' : 'nothing given'}`, async (t) => {
    const expect = expected();
    const bytes = goldenImage('mtdoops-1');
    const before = Buffer.from(bytes);
    const backend = open(bytes, given ? { record_size: expect.record_size, erase_size: expect.mtd.erasesize } : {});
    const records = expect.pages.filter((page) => page.state === 'record');
    t.match(
      shown(backend),
      records.map((page) => ({
        name: `dmesg-mtdoops-${page.page}`,
        type: 'dmesg',
        id: page.page,
        slot: page.page,
        size: page.text_length,
        mtimeNs: BigInt(page.timestamp_ns),
        count: page.seq,
        offset: page.offset,
        state: 'live',
      })),
    );
    t.equal(shown(backend).length, expect.states.record);
    for (const page of records) {
      const bytes = contentBytes(backend.open(page.page));
      t.equal(createHash('sha256').update(bytes).digest('hex'), page.text_sha256);
      t.equal(Buffer.compare(bytes, readFileSync(golden('mtdoops-1', page.file))), 0);
      t.equal(backend.find(`dmesg-mtdoops-${page.page}`), page.page);
    }
    const info = backend.info();
    t.match(info, {
      format: 'mtdoops',
      geometry: { record_size: expect.record_size, pages: expect.page_count },
      confidence: { record_size: 1, endian: 1 },
      kernelParameters: ['mtdoops.record_size=4096'],
      nextZone: 3,
    });
    t.equal(info.details['kernel says'], expect.last_ready_line);
    t.equal(info.details['newest record'], `page ${expect.newest_page}, seq 3`);
    t.equal(info.details['pages, oldest first'], expect.pages_oldest_first.join(' '));
    t.same(states(backend), { live: expect.states.record, erased: expect.states.erased });
    t.same(codes(backend), []);
    t.same(backend.space(), { bytes: 262144, freeBytes: 61 * 4096, records: 3, freeSlots: 61 });
    t.equal(Buffer.compare(bytes, before), 0, 'looking changes nothing');
  });
}

t.test('probe: sure of its own, and of nothing else', async (t) => {
  t.equal(howSure(mtdoops, new MemoryStorage(goldenImage('mtdoops-1'))), 0.9);
  t.equal(howSure(mtdoops, new MemoryStorage(image(65536, { 5: record(9) }, { endian: 'big' }))), 0.7);
  for (const folder of ['s1', 's3', 'r1', 'v1', 'be-s2']) {
    t.equal(howSure(mtdoops, new MemoryStorage(goldenImage(folder))), 0, folder);
  }
  const accident = image(65536, { 5: record(9) });
  accident.set([0x91, 0x02, 0x00, 0xc4], 5 * 4096 + 16);
  t.equal(howSure(mtdoops, new MemoryStorage(accident)), 0.15, 'a header without a text is no device by itself');
  for (const size of [0, 1, 15, 16, 4095, 4096]) t.equal(howSure(mtdoops, new MemoryStorage(new Uint8Array(size))), 0);
});

// ── rings as a kernel fills them ──

t.test('a ring that wrapped', async (t) => {
  const device = new MtdDevice();
  for (let i = 0; i < 150; i++) device.oops(logText(4000, i % 90), BigInt(i) * 1_000_000_007n);
  const backend = open(device.bytes, { erase_size: '64K' });
  t.same(
    shown(backend).map(({ name }) => name),
    [...device.order].sort((a, b) => a - b).map((page) => `dmesg-mtdoops-${page}`),
  );
  t.equal(backend.info().nextZone, device.next);
  t.equal(backend.info().details['pages, oldest first'], device.order.join(' '));
  t.equal(backend.info().details['kernel says'], `mtdoops: ready ${device.next}, 151 (no erase)`);
  t.equal(text(backend, 3), logText(4000, (64 + 64 + 3) % 90));
});

t.test('the power went before the next block was erased', async (t) => {
  const pages = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [i, record(i + 1)]));
  // Page 15 is the newest: page 16, the next, is still in use.
  for (let i = 0; i < 16; i++) pages[i] = record(65 + i);
  const bytes = image(262144, pages);
  const known = open(bytes, { erase_size: 65536 });
  t.equal(known.info().nextZone, 16);
  t.equal(known.info().details['kernel says'], 'mtdoops: ready 16, 81');
  for (let i = 0; i < 3; i++) pages[16 + i] = record(81 + i);
  const inside = image(262144, pages);
  t.equal(open(inside, { erase_size: 65536 }).info().nextZone, 32, 'on to the next block');
  const unknown = open(inside);
  t.equal(unknown.info().nextZone, null, 'which the image does not tell');
  t.match(unknown.info().details['next record'], /seq 84, at the next start of an erase block.*erase_size=/);
  t.equal(open(image(4096 * 64, { 63: record(5) }, { fill: 0 })).info().nextZone, 0, 'page 0 always begins one');
});

t.test('any number of oopses, reboots and sizes: as the kernel left it', async () => {
  const devices = fc.record({
    recordSize: fc.constantFrom(4096, 8192, 16384),
    eraseSize: fc.constantFrom(16384, 65536),
    endian: fc.constantFrom('little' as const, 'big' as const),
    fill: fc.constantFrom(0xff, 0),
    firstSeq: fc.constantFrom(1, 0x3ffffff0, 0x7ffffff0, 0xbffffff0, 0xfffffff0),
    oopses: fc.integer({ min: 2, max: 60 }),
    old: fc.integer({ min: 0, max: 60 }),
  });
  fc.assert(
    fc.property(devices, ({ oopses, old, firstSeq, ...options }) => {
      // The kernel takes 0xC0000000 itself for newer than nothing, and finds the record before it after a boot.
      fc.pre(firstSeq + oopses - 1 !== 0xc0000000);
      const device = new MtdDevice({ ...options, size: 262144 }, firstSeq);
      const texts = new Map<number, string>();
      for (let i = 0; i < oopses; i++) {
        const log = logText(options.recordSize - 17, i % 50);
        // Up to `old` records are of a kernel without times.
        texts.set(device.oops(log, i < old ? null : BigInt(i)), log);
      }
      const backend = open(device.bytes, { erase_size: options.eraseSize });
      const info = backend.info();
      return (
        info.geometry.record_size === options.recordSize &&
        info.abi?.endian === options.endian &&
        info.nextZone === device.next &&
        info.details['pages, oldest first'] === device.order.slice(-64).join(' ') &&
        shown(backend).length === device.order.length &&
        device.order.every((page) => text(backend, page) === texts.get(page))
      );
    }),
    { numRuns: 60 },
  );
});

t.test('the numbers wrap', async (t) => {
  const device = new MtdDevice({}, 0xfffffffc);
  for (let i = 0; i < 6; i++) device.oops(logText(4000, i), 1n);
  const backend = open(device.bytes);
  t.same(
    shown(backend).map(({ count }) => count),
    [0xfffffffc, 0xfffffffd, 0xfffffffe, 0, 1, 2],
  );
  t.equal(backend.info().details['newest record'], 'page 5, seq 2');
  t.equal(backend.info().details['kernel says'], 'mtdoops: ready 6, 3 (no erase)');
  const last = open(image(65536, { 0: record(0xfffffffe) }), { record_size: 4096 });
  t.equal(last.info().details['next record'], 'page 1, seq 0');
});

// ── single pages ──

t.test('both headers in one image, both byte orders', async (t) => {
  for (const endian of ['little', 'big'] as const) {
    const bytes = image(
      65536,
      { 0: record(1, { time: null, text: 'old\n' }), 1: record(2, { text: 'new\n' }) },
      { endian },
    );
    const backend = open(bytes);
    t.match(shown(backend), [
      { name: 'dmesg-mtdoops-0', size: 4, mtimeNs: null, count: 1 },
      { name: 'dmesg-mtdoops-1', size: 4, mtimeNs: 1_600_000_000_000_000_002n, count: 2 },
    ]);
    t.equal(text(backend, 0), 'old\n');
    t.equal(text(backend, 1), 'new\n');
    t.equal(backend.info().abi?.endian, endian);
  }
});

t.test('where the text ends', async (t) => {
  const remnant = Buffer.from('\0remains of an oops that became a panic\n');
  const full = 'y'.repeat(4080);
  const backend = open(
    image(65536, {
      0: record(1, { text: '' }),
      1: record(2, { text: 'panic\n', tail: remnant }),
      2: record(3, { text: full }),
      3: record(4, { text: 'no end\n', tail: new Uint8Array(0) }),
      4: record(5, { time: null, text: `${full}12345678` }),
    }),
  );
  t.same(
    shown(backend).map(({ size }) => size),
    [0, 6, 4080, 4080, 4088],
  );
  t.equal(text(backend, 0), '');
  t.equal(text(backend, 1), 'panic\n');
  t.equal(text(backend, 2), full);
  t.equal(contentBytes(backend.open(3))[7], 0xff, 'else at the end of the page');
  t.equal(text(backend, 4), `${full}12345678`);
  const reasons = [...backend.info().zones].map((zone) => zone.reason);
  t.equal(reasons[0], null);
  t.match(reasons[1], /remains of another text/);
  t.match(reasons[3], /no NUL ends the text/);
  t.match(reasons[4], /the newest record; no NUL/);
});

/** The text and the second text as one record's text: what the first NUL divides, the page's builder does not know. */
function withSecond(seq: number, log: string, heading: string, second: Uint8Array): BuiltPage {
  const text = Buffer.concat([Buffer.from(log + heading), second]);
  return record(seq, { text, tail: new Uint8Array(0) });
}

t.test('the second text of a page', async (t) => {
  const log = logText(2000, 3);
  const second = userLog(20);
  const heading = '\n```\n#### LOG TYPE:LAST LOGCAT\n#####2024-01-02 03:04:05\t\n```c\t\n';
  const asText = Buffer.from('\x0003-01 00:00:01.000   900  1000 I Store: shelf 3 moved\n');
  const bytes = image(16 * 4096, {
    0: withSecond(1, log, '-- log of the services --\n', second),
    1: withSecond(2, log, heading, second),
    2: record(3, { text: log, tail: asText }),
    3: record(4, { text: log, tail: Buffer.from('\0[   12.345678] the rest of an older log\n\0') }),
    4: record(5),
  });
  const storage = new MemoryStorage(bytes, { path: 'flash.img' });
  const backend = open(storage, { record_size: 4096 });
  const pages = [0, 1, 2, 3, 4].map((page) => `dmesg-mtdoops-${page}`);
  t.same(
    shown(backend).map(({ name }) => name),
    [...pages, 'logcat-mtdoops-0', 'logcat-mtdoops-1', 'logcat-mtdoops-2'],
  );
  const read = (name: string) => Buffer.from(contentBytes(backend.open(backend.find(name)!)));
  t.same(read('logcat-mtdoops-0'), second, 'from the beginning of its first record');
  t.same(read('logcat-mtdoops-1'), Buffer.concat([Buffer.from(heading.slice(5)), second]), 'from its heading');
  t.same(read('logcat-mtdoops-2'), asText.subarray(1));
  t.same(read('dmesg-mtdoops-2').toString(), log);
  t.equal(read('dmesg-mtdoops-0').toString(), `${log}-- log of the services --\nl${String.fromCharCode(second[1]!)}`);
  t.match([...backend.info().zones][0]!.reason, /a second text of \d+ bytes follows it: logcat-mtdoops-0/);
  t.match(text(open(bytes, { record_size: 4096, salvage: true }), 32 + 3), /the rest of an older log/);

  backend.erase(backend.find('logcat-mtdoops-0')!);
  t.equal(backend.find('logcat-mtdoops-0'), undefined);
  t.match(read('dmesg-mtdoops-0').toString(), log, 'the kernel log stays');
  t.equal(open(bytes, { record_size: 4096 }).find('logcat-mtdoops-0'), undefined);
  backend.erase(backend.find('dmesg-mtdoops-1')!);
  t.equal(backend.find('logcat-mtdoops-1'), undefined, 'the page is blank');
  t.same(bytes.subarray(4096, 8192), new Uint8Array(4096).fill(0xff));
});

t.test('a second text counts for the size of a record', async (t) => {
  const bytes = image(2 << 20, { 0: withSecond(7, logText(9000, 3), '\n', userLog(900)) }, { recordSize: 1 << 20 });
  const backend = open(bytes);
  const second = backend.record(backend.find('logcat-mtdoops-0')!)!;
  t.equal(second.size, userLog(900).length);
});

t.test("without neighbours a record with a second text is of phones' size", async (t) => {
  const image = new Uint8Array(8 << 20).fill(0xff);
  const tail = new Uint8Array(0);
  const body = Buffer.concat([Buffer.from(logText(6000, 1)), userLog(40)]);
  image.set(pageBytes({ seq: 3, text: body, time: 1n, tail }, 16384, 'little'), 4 << 20);
  const backend = open(image);
  t.same(codes(backend), ['geometry-guess']);
  t.ok(backend.find('dmesg-mtdoops-2'));
});

t.test('the last page and the first are neighbours', async (t) => {
  const bytes = new Uint8Array(262144).fill(0xff);
  for (const [at, seq] of [
    [0, 3],
    [131072, 2],
  ] as const) {
    bytes.set(pageBytes({ seq, text: logText(9000, seq), time: 1n }, 131072, 'little'), at);
  }
  t.match(open(bytes).info().geometry, { record_size: 131072, pages: 2 });
});

t.test('a device whose beginning is erased', async (t) => {
  const bytes = image(16 << 20, { 3000: record(9), 3001: record(10) });
  t.ok(howSure(mtdoops, new MemoryStorage(bytes)) > 0.7);
  for (const keys of [{}, { record_size: 4096 }] as Keys[]) {
    t.same(
      shown(open(bytes, keys)).map(({ name }) => name),
      ['dmesg-mtdoops-3000', 'dmesg-mtdoops-3001'],
    );
  }
  t.equal(howSure(mtdoops, new MemoryStorage(new Uint8Array(16 << 20).fill(0xff))), 0);
});

t.test('pages that are no records', async (t) => {
  const garbage = Buffer.from('left by something else, in a bad block or before mtdoops');
  const flipped = pageBytes(record(7, { text: 'nearly readable text\n' }), 4096, 'little');
  flipped[5]! ^= 0x01;
  const log = '<6>[    1.000000] one\n<6>[    1.000001] two\n<4>[    1.000002] three\n';
  const lost = pageBytes(record(10, { text: log }), 4096, 'little');
  lost.fill(0, 4, 8);
  const blankHeader = new Uint8Array(4096).fill(0xff);
  blankHeader.set(Buffer.from('behind'), 100);
  const bytes = image(65536, {
    0: record(1),
    1: new Uint8Array(4096),
    2: new Uint8Array(4096).map((_, i) => garbage[i % garbage.length]!),
    3: flipped,
    4: pageBytes(record(0xffffffff, { text: 'a number that is never used\n' }), 4096, 'little'),
    5: blankHeader,
    6: pageBytes(record(9, { text: 'from another machine\n' }), 4096, 'big'),
    7: record(8),
    8: lost,
  });
  const backend = open(bytes, { erase_size: 32768 });
  t.same(
    shown(backend).map(({ name }) => name),
    ['dmesg-mtdoops-0', 'dmesg-mtdoops-7'],
  );
  t.same(
    [...backend.info().zones].slice(0, 9).map(({ state }) => state),
    ['live', 'other', 'other', 'bad-magic', 'bad-seq', 'blank-header', 'other-endian', 'live', 'bad-magic'],
  );
  const reasons = [...backend.info().zones].map(({ reason }) => reason ?? '');
  t.match(reasons[1], /^zeros/);
  t.match(reasons[2], /begins with the bytes 6c 65 66 74.*a text/);
  t.match(reasons[3], /0x5d005f00 where 0x5d005e00 should be/);
  t.match(reasons[5], /bytes follow from 100 on/);
  t.match(reasons[8], /0x00000000 where 0x5d005e00 should be/, 'a log tells that there was a header');
  t.same(codes(backend), Array(4).fill('page-damaged'));
  t.equal(backend.info().details['newest record'], 'page 7, seq 8');

  const salvaged = open(bytes, { salvage: true });
  t.match(shown(salvaged), [
    { name: 'dmesg-mtdoops-0' },
    { name: 'dmesg-mtdoops-3.salvaged', state: 'salvaged', size: 21, mtimeNs: null, count: null },
    { name: 'dmesg-mtdoops-4.salvaged', size: 28 },
    { name: 'dmesg-mtdoops-6.salvaged', size: 21 },
    { name: 'dmesg-mtdoops-7' },
    { name: 'dmesg-mtdoops-8.salvaged', size: log.length },
  ]);
  t.equal(text(salvaged, 8), log);
  t.equal(text(salvaged, 3), 'nearly readable text\n');
  t.equal(text(salvaged, 6), 'from another machine\n');
  t.equal(salvaged.find('dmesg-mtdoops-3.salvaged'), 3);
  t.equal(salvaged.find('dmesg-mtdoops-3'), undefined);
  t.throws(() => salvaged.erase(3), { code: 'EPERM' });
});

t.test('bad blocks', async (t) => {
  // Block 1 went bad with records in it; the kernel does not look at them when it starts.
  const pages: Record<number, BuiltPage> = { 0: record(5), 1: record(6), 4: record(90), 5: record(91) };
  const bytes = image(65536, pages);
  const told = open(bytes, { record_size: 4096, erase_size: 16384, bad_blocks: '1' });
  t.equal(told.info().details['newest record'], 'page 1, seq 6');
  t.equal(told.info().nextZone, 2);
  t.equal(shown(told).length, 4, 'the leftovers can be read all the same');
  t.match([...told.info().zones][4]?.reason, /in a bad block/);
  t.equal(open(bytes).info().details['newest record'], 'page 5, seq 91', 'the image alone does not tell');

  const ring = new MtdDevice({ size: 65536, eraseSize: 16384, bad: [1, 3] });
  for (let i = 0; i < 11; i++) ring.oops(logText(4000, i), 1n);
  // Into the bad block 1 without a look, back from the bad block 3 over page 0.
  const after = open(ring.bytes, { erase_size: 16384, bad_blocks: '1:3' });
  t.equal(after.info().sourceKeys, 'record_size=4096,erase_size=16384,bad_blocks=1:3,abi=le64');
  t.equal(after.info().nextZone, 11);

  t.throws(() => open(bytes, { bad_blocks: '1' }), { code: 'EINVAL', message: /erase_size=/ });
  t.throws(() => open(bytes, { erase_size: 16384, bad_blocks: '4' }), { code: 'EINVAL', message: /from 0 to 3/ });
  t.throws(() => open(bytes, { erase_size: 16384, bad_blocks: 'x' }), { code: 'EINVAL' });
});

t.test('a time before 1970 is damage', async (t) => {
  const backend = open(image(65536, { 0: record(1, { time: -5n }), 1: record(2, { time: 0n }) }));
  t.match(shown(backend), [{ mtimeNs: null }, { mtimeNs: 0n }]);
  t.same(codes(backend), ['record-time']);
});

// ── geometry ──

/** A log from a kernel's first message on. */
function wholeLog(room: number): string {
  const first = '<5>[    0.000000] Linux version 6.1.192 (builder@example) (gcc 12.2.0) #1 SMP\n';
  return first + logText(room - first.length, 1);
}

t.test('the record size is found', async (t) => {
  const long = (seq: number) => record(seq, { text: logText(8000, seq) });
  const cases: [string, Uint8Array, number, number, string[]][] = [
    ['one page that is full', image(65536, { 0: record(1) }), 4096, 0.7, ['geometry-guess']],
    ['one page that is not', image(65536, { 0: record(1, { text: 'short\n' }) }), 4096, 0.4, ['geometry-guess']],
    ['one large page', image(65536, { 0: long(1) }, { recordSize: 8192 }), 8192, 0.7, ['geometry-guess']],
    ['large pages', image(65536, { 0: long(1), 1: long(2), 2: long(3) }, { recordSize: 8192 }), 8192, 1, []],
    [
      'large pages with short texts: their numbers tell',
      image(65536, { 0: record(1), 1: record(2), 2: record(3) }, { recordSize: 8192 }),
      8192,
      1,
      [],
    ],
    ['every other page erased', image(65536, { 0: record(1), 2: record(3), 4: record(5), 6: record(7) }), 4096, 1, []],
    ['a block erased between two pages', image(65536, { 0: record(1), 7: record(2) }), 4096, 0.7, ['geometry-guess']],
    ['pages of 12 KiB', image(12288 * 5, { 1: long(1), 2: long(2), 3: long(3) }, { recordSize: 12288 }), 12288, 1, []],
    [
      'one text that is the whole log, and happens to end where a page could',
      image(131072, { 0: record(1, { text: wholeLog(11900) }) }, { recordSize: 16384 }),
      16384,
      0.4,
      ['geometry-guess'],
    ],
    [
      'the same as the end of a longer log',
      image(131072, { 0: record(1, { text: logText(12200, 1) }) }, { recordSize: 12288 }),
      12288,
      0.7,
      ['geometry-guess'],
    ],
    [
      'whole logs on pages of 12 KiB: their numbers tell',
      image(
        12288 * 5,
        { 0: record(1, { text: wholeLog(9000) }), 1: record(2, { text: wholeLog(11900) }), 2: record(3) },
        { recordSize: 12288 },
      ),
      12288,
      1,
      [],
    ],
    [
      'old small pages among large ones, which are more',
      image(
        131072,
        {
          0: long(8),
          1: long(9),
          2: long(10),
          3: long(11),
          4: pageBytes(record(2), 4096, 'little'),
          5: pageBytes(record(3), 4096, 'little'),
        },
        { recordSize: 8192 },
      ),
      8192,
      0,
      [],
    ],
  ];
  for (const [name, bytes, size, confidence, warned] of cases) {
    const backend = open(bytes);
    t.equal(backend.info().geometry.record_size, size, name);
    if (confidence > 0) t.equal(backend.info().confidence.record_size, confidence, `${name}: confidence`);
    if (confidence > 0) t.same(codes(backend), warned, `${name}: warnings`);
  }
});

t.test('an odd page, a bad one, and no neighbours', async (t) => {
  const two = (long: number) => {
    const pages = { 1: record(1, { text: logText(8150, 1) }), 3: record(2, { text: logText(long, 2) }) };
    return image(32768, pages, { recordSize: 8192 });
  };
  const bad = two(6000);
  // Nothing of a page is in the block after it: not even where the bytes of a bad one look like a log of user space.
  bad.fill(0, 16384, 24576);
  bad.set(Buffer.from('l\0junk'), 16400);
  for (const bytes of [two(6000), bad]) {
    const found = open(bytes);
    t.same(
      shown(found).map(({ name }) => name),
      ['dmesg-mtdoops-1', 'dmesg-mtdoops-3'],
    );
    t.equal(found.info().geometry.record_size, 8192);
  }
});

t.test('a device inside a larger image, from whose beginning pages would be counted', async (t) => {
  const before = 320 << 10;
  const pages = { 80: record(1), 81: record(2), 82: record(3) };
  const inside = image(before + 65536, pages);
  t.same(codes(open(inside)), [], 'erased flash before it may be its own');
  inside.fill(0, 0, before);
  t.same(codes(open(inside)), [], 'and so may zeros');
  inside.fill(0x5a, 0, before);
  const found = open(inside);
  t.match(found.warnings.list, [
    { code: 'geometry-guess', message: /first record stands at 327680, .* give offset= / },
  ]);
  t.equal(shown(found)[0]?.name, 'dmesg-mtdoops-80');
  inside.fill(0xff, 131072, before);
  t.same(codes(open(inside)), [], 'a bad block');
});

t.test('a size that does not fit is reported, then obeyed', async (t) => {
  const bytes = goldenImage('mtdoops-1');
  const backend = open(bytes, { record_size: '8K' });
  t.match(backend.warnings.list, [
    {
      code: 'geometry-mismatch',
      message: /records of 4096 bytes fit this image \(3 valid pages\), records of 8192 bytes do not \(2\)/,
    },
  ]);
  t.same(
    shown(backend).map(({ name }) => name),
    ['dmesg-mtdoops-0', 'dmesg-mtdoops-1'],
  );
  const short = image(65536, { 0: record(1), 1: record(2), 2: record(3) }, { recordSize: 8192 });
  t.same(codes(open(short, { record_size: 4096 })), ['geometry-mismatch'], 'as many pages, but the numbers speak');
  t.same(codes(open(short, { record_size: 8192 })), []);
  t.same(codes(open(image(65536, { 0: record(1) }), { record_size: 8192 })), [], 'one record speaks against nothing');
});

t.test('the byte order: found, given, contradicted', async (t) => {
  const mixed = image(65536, { 0: record(1), 1: record(2) });
  mixed.set(pageBytes(record(3), 4096, 'big'), 8192);
  const backend = open(mixed);
  t.equal(backend.info().abi?.endian, 'little');
  t.equal(shown(backend).length, 2);
  t.ok(backend.info().confidence.endian! < 1);
  const big = open(mixed, { abi: 'mips' });
  t.equal(big.info().abi?.endian, 'big');
  t.same(
    shown(big).map(({ name }) => name),
    ['dmesg-mtdoops-2'],
  );
  t.ok(codes(big).includes('geometry-mismatch'));
});

t.test('an area that was never written', async (t) => {
  for (const fill of [0xff, 0]) {
    const bytes = new Uint8Array(65536).fill(fill);
    t.throws(() => open(bytes), { code: 'EBADMSG', message: /record_size=/ });
    const backend = open(bytes, { record_size: 4096 });
    t.same(shown(backend), []);
    t.equal(backend.info().nextZone, 0);
    t.equal(backend.info().details['kernel says'], `mtdoops: ready 0, 1${fill === 0 ? '' : ' (no erase)'}`);
    t.same(codes(backend), []);
    t.same(states(backend), { [fill === 0 ? 'other' : 'erased']: 16 });
  }
});

t.test('impossible keys', async (t) => {
  const bytes = goldenImage('mtdoops-1');
  const table: [Keys, RegExp][] = [
    [{ record_size: 0 }, /multiple of 4096/],
    [{ record_size: 4097 }, /multiple of 4096/],
    [{ record_size: 64 }, /did you mean 64K/],
    [{ record_size: '512K' }, /larger than the image/],
    [{ record_size: '8M' }, /at most 4 MiB/],
    [{ record_size: -1 }, /bytes/],
    [{ record_size: '64K', erase_size: '32K' }, /smaller than record_size/],
    [{ erase_size: 0 }, /erase_size=0 does not fit/],
    [{ erase_size: '1M' }, /does not fit/],
    [{ abi: 'vax' }, /unknown abi/],
  ];
  for (const [keys, message] of table)
    t.throws(() => open(bytes, keys), { code: 'EINVAL', message }, JSON.stringify(keys));
  for (const size of [0, 1, 4095]) t.throws(() => open(new Uint8Array(size)), { code: 'EBADMSG', message: /too few/ });
});

// ── erasing ──

t.test('erase blanks the page, and nothing else', async (t) => {
  const bytes = goldenImage('mtdoops-1');
  const before = Buffer.from(bytes);
  let syncs = 0;
  const storage = new MemoryStorage(bytes);
  storage.sync = () => {
    syncs++;
  };
  const backend = open(storage);
  const content = backend.open(1);
  const generation = backend.generation(1);
  backend.erase(1);
  t.equal(syncs, 1);
  t.ok(bytes.subarray(4096, 8192).every((byte) => byte === 0xff));
  bytes.set(before.subarray(4096, 8192), 4096);
  t.equal(Buffer.compare(bytes, before), 0, 'the rest is as it was');
  bytes.fill(0xff, 4096, 8192);
  t.equal(backend.record(1), undefined);
  t.equal(backend.find('dmesg-mtdoops-1'), undefined);
  t.equal(backend.generation(1), generation);
  t.throws(() => backend.open(1), { code: 'ENOENT' });
  t.equal(contentBytes(content).length, 4054, 'what was open reads on');
  t.equal(Buffer.compare(contentBytes(content), readFileSync(golden('mtdoops-1', 'files', 'page-1'))), 0);
  backend.erase(1);
  t.equal(syncs, 1, 'erasing what is erased writes nothing');
  t.same(
    shown(open(bytes)).map(({ name }) => name),
    ['dmesg-mtdoops-0', 'dmesg-mtdoops-2'],
  );
});

t.test('a page that was written again is left alone', async (t) => {
  const bytes = goldenImage('mtdoops-1');
  const backend = open(bytes);
  bytes.set(pageBytes(record(66), 4096, 'little'), 4096);
  const reused = Buffer.from(bytes);
  t.throws(() => backend.open(1), { code: 'EIO', message: /changed while it was in use; list again/ });
  backend.erase(1);
  t.equal(Buffer.compare(bytes, reused), 0);
  t.ok(backend.refresh?.());
  t.equal(backend.record(1)?.count, 66);
  backend.erase(1);
  t.equal(backend.record(1), undefined);
});

t.test('read-only', async (t) => {
  const bytes = goldenImage('mtdoops-1');
  const before = Buffer.from(bytes);
  const asked = open(new MemoryStorage(bytes, { writable: false }));
  t.notOk(asked.writable);
  t.throws(() => asked.erase(1), { code: 'EROFS' });
  t.equal(Buffer.compare(bytes, before), 0);
});

t.test('refresh reads headers only, and sees what is new, reused and gone', async (t) => {
  const device = new MtdDevice();
  for (let i = 0; i < 3; i++) device.oops(logText(4000, i), BigInt(i));
  let most = 0;
  const storage = new MemoryStorage(device.bytes);
  const read = storage.read.bind(storage);
  storage.read = (target, offset) => {
    most = Math.max(most, target.length);
    return read(target, offset);
  };
  const backend = open(storage);
  const generations = [0, 1, 2].map((slot) => backend.generation(slot));
  shown(backend).map(({ size }) => size);
  most = 0;
  t.notOk(backend.refresh?.());
  device.oops('a new one\n', 9n);
  device.bytes.fill(0xff, 0, 4096);
  t.ok(backend.refresh?.());
  t.ok(most <= 16, 'no text is read');
  t.same(
    shown(backend).map(({ name, size }) => `${name} ${size > 0}`),
    ['dmesg-mtdoops-1 true', 'dmesg-mtdoops-2 true', 'dmesg-mtdoops-3 true'],
  );
  t.equal(text(backend, 3), 'a new one\n');
  t.not(backend.generation(0), generations[0]);
  t.equal(backend.generation(1), generations[1]);
});

// ── large, cut and damaged images ──

t.test('a large image is not read to list it', async (t) => {
  // 4 GiB of which a few pages exist: reads are counted.
  const first = goldenImage('mtdoops-1');
  let bytesRead = 0;
  const storage: Storage = {
    path: 'large.img',
    size: 2 ** 32,
    writable: false,
    read(target, offset) {
      bytesRead += target.length;
      target.fill(0xff);
      if (offset < first.length) target.set(first.subarray(offset, offset + target.length));
      return target.length;
    },
    write() {},
    sync() {},
    close() {},
  };
  const backend = open(storage);
  t.equal(shown(backend).length, 3);
  t.ok(bytesRead < 2 ** 32 / 100, `${bytesRead} bytes of 4 GiB were read`);
  t.match(backend.info().details['device size'], /8 MiB/);
});

t.test('cut at every boundary', async (t) => {
  const bytes = goldenImage('mtdoops-1').slice(0, 4096 * 4);
  for (let size = 4096; size < bytes.length; size += size % 4096 < 40 || size % 4096 > 4090 ? 1 : 509) {
    const backend = open(bytes.slice(0, size), { record_size: 4096 });
    const whole = Math.floor(size / 4096);
    t.equal(shown(backend).length, Math.min(3, whole), `${size} bytes`);
    t.equal([...backend.info().zones].filter(({ state }) => state === 'live').length, Math.min(3, whole));
    const rest = size % 4096;
    if (rest >= 100 && whole < 3) {
      t.ok(codes(backend).includes('zone-truncated'));
      const salvaged = open(bytes.slice(0, size), { record_size: 4096, salvage: true });
      t.match(shown(salvaged).at(-1), { name: `dmesg-mtdoops-${whole}.salvaged`, size: Math.min(rest - 16, 4054) });
    }
  }
});

t.test('an image that shrinks while it is in use', async (t) => {
  const storage = new MemoryStorage(goldenImage('mtdoops-1'));
  const backend = open(storage);
  Object.defineProperty(storage, 'bytes', { value: storage.bytes.slice(0, 4100) });
  t.throws(() => contentBytes(backend.open(1)), PstoreError);
  t.ok(backend.refresh?.());
  t.equal(shown(backend).length, 1);
  t.ok(codes(backend).includes('image-shrunk'));
});

t.test('mutated images: never a crash, never a change', async (t) => {
  const good = goldenImage('mtdoops-1').slice(0, 65536);
  const device = new MtdDevice({ size: 65536, eraseSize: 16384, endian: 'big' });
  for (let i = 0; i < 30; i++) device.oops(logText(4000, i), i % 2 ? null : 5n);
  const flips = fc.array(fc.tuple(fc.nat(65535), fc.nat(255)), { minLength: 1, maxLength: 40 });
  const nearHeader = fc.array(fc.tuple(fc.nat(15), fc.nat(15), fc.nat(255)), { maxLength: 20 });
  fc.assert(
    fc.property(fc.boolean(), flips, nearHeader, fc.boolean(), (first, anywhere, headers, salvage) => {
      const bytes = (first ? good : device.bytes).slice();
      for (const [at, value] of anywhere) bytes[at] = value;
      for (const [page, at, value] of headers) bytes[page * 4096 + at] = value;
      const before = Buffer.from(bytes);
      let backend: Backend;
      try {
        backend = open(bytes, { salvage });
      } catch (error) {
        return error instanceof PstoreError;
      }
      for (const { name, size } of shown(backend)) {
        const slot = backend.find(name)!;
        if (contentBytes(backend.open(slot)).length !== size || size > 65536) return false;
      }
      backend.info();
      states(backend);
      backend.space();
      return Buffer.compare(bytes, before) === 0;
    }),
    { numRuns: 150 },
  );
  t.pass();
});

t.test('slots and names that are not there', async (t) => {
  const backend = open(goldenImage('mtdoops-1'));
  for (const slot of [-1, 3, 64, 1e9, 0.5, Number.NaN]) {
    t.equal(backend.record(slot), undefined);
    t.throws(() => backend.open(slot), { code: 'ENOENT' });
  }
  for (const name of [
    'dmesg-mtdoops-3',
    'dmesg-mtdoops-00',
    'console-mtdoops-0',
    'dmesg-mtdoops-',
    'x',
    'dmesg-mtdoops-99999',
  ]) {
    t.equal(backend.find(name), undefined, name);
  }
  backend.close();
});

t.test('the pages of a hole are what they are in a file without holes, and are not read', async (t) => {
  const golden = goldenImage('mtdoops-1');
  const size = 16 << 20;
  const at = 8 << 20;
  const parts = [
    { offset: 0, bytes: new Uint8Array(golden) },
    { offset: at, bytes: new Uint8Array(golden) },
  ];
  const dense = new Uint8Array(size);
  for (const { offset, bytes } of parts) dense.set(bytes, offset);
  for (const keys of [{}, { record_size: 8192 }] as Keys[]) {
    const holey = new HugeStorage(size, parts);
    const [one, other] = [open(dense, keys), open(holey, keys)];
    t.same(shown(other), shown(one));
    t.ok(holey.bytesRead < at, `${holey.bytesRead} bytes were read`);
    t.same(states(other), states(one));
  }
  const blank = androidSparse(4096, [{ raw: golden }, { fill: 0xffffffff, blocks: 512 }, { fill: 1, blocks: 512 }]);
  const sparse = new AndroidSparseStorage(new MemoryStorage(blank));
  const unpacked = open(readRange(sparse, 0, sparse.size));
  t.same(states(open(sparse)), states(unpacked));
  t.same(shown(open(sparse)), shown(unpacked));
});
