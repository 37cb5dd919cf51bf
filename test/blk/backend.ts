import assert from 'node:assert/strict';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { blkoops } from '../../lib/blk/blkoops.js';
import { pstoreBlk } from '../../lib/blk/pstore_blk.js';
import { COMPRESSIONS } from '../../lib/compress/codec.js';
import { encodeRecord } from '../../lib/compress/decompress.js';
import type { Backend, NewRecord } from '../../lib/pstore/backend.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { Reason } from '../../lib/pstore/record-type.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { Warnings } from '../../lib/warnings.js';
import { asShown } from '../builders/as-shown.js';
import { FaultyStorage } from '../builders/faulty.js';
import { ftraceBytes, join } from '../builders/ftrace.js';
import { howSure } from '../builders/how-sure.js';
import {
  FORMATS,
  latin1,
  MACHINE_NAMES,
  MACHINES,
  PlainRing,
  partition,
  type RecordSpec,
  type ZonePartition,
} from '../builders/zone.js';
import { goldenImage } from '../fixture-path.js';
import { type GoldenCase, type GoldenFile, goldenBytes, goldenCases, withoutSymbols } from '../golden.js';

function open(kind: string, bytes: Uint8Array, keys: Readonly<Record<string, string>>, writable = true): Backend {
  const storage = new MemoryStorage(bytes, { path: 'image.raw', writable });
  const backend = (kind === 'blkoops' ? blkoops : pstoreBlk).open({
    path: 'image.raw',
    storage: SurvivingStorage.over(storage),
    keys: SourceKeys.of(keys),
    warnings: new Warnings('strict' in keys),
    cache: new TextCache(),
    readFile: () => new Uint8Array(0),
  });
  return asShown(backend, keys);
}

function listing(backend: Backend) {
  const records = [];
  for (let slot = 0; slot < backend.slots; slot++) {
    const record = backend.record(slot);
    if (record) records.push(record);
  }
  return records;
}

function sameAsKernel(t: Test, backend: Backend, { folder }: GoldenCase, files: readonly GoldenFile[]): void {
  const records = listing(backend);
  t.same(
    records.map((record) => record.name),
    files.map((file) => file.name).sort(),
    'names',
  );
  for (const file of files) {
    const slot = backend.find(file.name);
    if (slot === undefined) continue;
    const record = backend.record(slot)!;
    const bytes = contentBytes(backend.open(slot));
    const expected = goldenBytes(folder, file.name);
    t.equal(record.size, bytes.length, `${file.name}: st_size is what reading gives`);
    if (record.type === 'ftrace') {
      t.equal(withoutSymbols(bytes), withoutSymbols(expected), `${file.name}: CPUs, timestamps and addresses`);
      continue;
    }
    t.ok(Buffer.from(bytes).equals(expected), `${file.name}: bytes`);
    const time = record.type === 'dmesg' ? BigInt(file.mtime_sec) * 1_000_000_000n + BigInt(file.mtime_nsec) : null;
    t.equal(record.mtimeNs, time, `${file.name}: time`);
  }
}

for (const golden of goldenCases('zone', 'rfc5')) {
  t.test(`${golden.folder} with the kernel's parameters`, (t) => {
    const bytes = goldenImage(golden.folder);
    const before = Buffer.from(bytes);
    const backend = open(golden.backend, bytes, golden.keys);
    sameAsKernel(t, backend, golden, golden.files);
    [...backend.info().zones];
    t.ok(before.equals(bytes), 'looking changes nothing');
    t.same(backend.warnings.list, []);
    t.end();
  });

  t.test(`${golden.folder} without any parameter`, (t) => {
    if (golden.folder === 's7') {
      const backend = open(golden.backend, goldenImage('s7'), {});
      const texts = listing(backend).map((record) => [record.name, record.compressed, record.state]);
      t.same(texts, [
        ['dmesg-pstore_blk-0', 'lz4', 'live'],
        ['dmesg-pstore_blk-1', 'lz4', 'live'],
        ['dmesg-pstore_blk-2', 'lz4', 'live'],
      ]);
      t.match(Buffer.from(contentBytes(backend.open(2))).toString('latin1'), /^Panic#3 Part1\n/);
      return t.end();
    }
    sameAsKernel(t, open(golden.backend, goldenImage(golden.folder), {}), golden, golden.files);
    t.end();
  });
}

// ── what a kernel left after an unlink ──

for (const [folder, name] of [
  ['s5', 'dmesg-pstore_blk-1'],
  ['v3', 'dmesg-blkoops-1'],
] as const) {
  t.test(`${folder}: erasing leaves the kernel's own bytes`, async (t) => {
    const golden = goldenCases('zone', 'rfc5').find((each) => each.folder === folder)!;
    for (const keys of [golden.keys, {}]) {
      const bytes = goldenImage(folder, 'image-before.raw');
      const backend = open(golden.backend, bytes, keys);
      backend.erase(backend.find(name)!);
      t.ok(Buffer.from(bytes).equals(goldenImage(folder)));
      t.equal(backend.find(name), undefined);
      sameAsKernel(t, backend, golden, golden.files);
    }
  });
}

for (const folder of ['s9-ff', 's9-00']) {
  t.test(`${folder}: a fresh partition is empty with sizes, and an error without`, async (t) => {
    const golden = goldenCases('zone').find((each) => each.folder === folder)!;
    const bytes = goldenImage(folder, 'image-before.raw');
    const backend = open('pstore_blk', bytes, golden.keys);
    t.same(listing(backend), []);
    t.same(golden.filesBefore, []);
    t.same(
      backend.warnings.list.map(({ code }) => code),
      ['image-fresh'],
    );
    t.throws(() => open('pstore_blk', bytes, {}), {
      code: 'EBADMSG',
      message: /no zone signature is found in it; .* give kmsg_size=/,
    });
  });
}

// ── partitions of the builder ──

function openImage(image: ZonePartition, keys: Readonly<Record<string, string>> = image.keys, bytes = image.bytes) {
  return open(image.format, bytes, { abi: image.abi, ...keys });
}

function textOf(backend: Backend, name: string): string {
  const slot = backend.find(name);
  assert(slot !== undefined, `${name} is shown`);
  return Buffer.from(contentBytes(backend.open(slot))).toString('latin1');
}

function newRecord(more: Partial<NewRecord>): NewRecord {
  return {
    type: 'dmesg',
    reason: 2,
    timeNs: 1_700_000_000_123_456_789n,
    compress: 'none',
    data: new Uint8Array(0),
    ...more,
  };
}

const LOG = Array.from(
  { length: 60 },
  (_, i) => `<6>[${String(i).padStart(5)}.000000] usb 1-${i}: new device number ${i * 7}\n`,
).join('');

t.test("round trip: every format, machine and compression, and the bytes are the builder's", async (t) => {
  for (const format of FORMATS) {
    for (const abi of MACHINE_NAMES) {
      for (const compress of ['none', ...COMPRESSIONS] as const) {
        const image = partition(65536, { format, abi }).kmsg(8192);
        const bytes = image.bytes.slice();
        const writer = openImage(image, image.keys, bytes);
        const text = `Panic#1 Part1\n${LOG}`;
        writer.write!(newRecord({ reason: Reason.Panic, compress, data: latin1(LOG) }));
        const body = compress === 'none' ? latin1(text) : encodeRecord(latin1(text), compress);
        image.dmesg(0, {
          body,
          seconds: 1_700_000_000,
          nanoseconds: 123_456_789,
          counter: 1,
          reason: 1,
          compressed: compress === 'none' ? 0 : 1,
        });
        const what = `${format} ${abi} ${compress}`;
        assert.deepEqual(bytes, image.bytes, what);
        const shownText = `${compress === 'none' ? `${format === 'blkoops' ? 'blkoops: ' : ''}Panic: Total 1 times\n` : ''}${text}`;
        for (const reader of [writer, openImage(image), openImage(image, { ...image.keys, compress })]) {
          assert.equal(textOf(reader, `dmesg-${format}-0`), shownText, what);
          const found = { mtimeNs: 1_700_000_000_123_456_789n, reason: 'Panic', count: 1, state: 'live' };
          const { mtimeNs, reason, count, state, compressed } = listing(reader)[0]!;
          assert.deepEqual({ mtimeNs, reason, count, state }, found, what);
          const kept = compress === 'none' ? [null] : compress === 'lz4hc' ? ['lz4', 'lz4hc'] : [compress];
          assert(kept.includes(compressed as never), `${what}: ${compressed}`);
        }
        if (compress === 'deflate') {
          assert.equal(Buffer.from(inflateRawSync(body)).toString('latin1'), text);
          assert.deepEqual(Buffer.from(body), deflateRawSync(text, { windowBits: 11, memLevel: 8 }));
        }
      }
      t.pass(`${format} ${abi}`);
    }
  }
});

t.test('a dump that is too long: its newest whole lines', async (t) => {
  const image = partition(65536).kmsg(4096);
  const backend = openImage(image);
  const lines = Array.from({ length: 500 }, (_, i) => `<6>[${i}] line ${i}`);
  for (const compress of ['none', 'deflate'])
    backend.write!(newRecord({ compress, data: latin1(`${lines.join('\n')}\n`) }));
  for (const [id, least] of [
    [0, 150],
    [1, 250],
  ] as const) {
    const text = textOf(backend, `dmesg-pstore_blk-${id}`).split('\n');
    const kept = text.slice(text.indexOf(`Oops#${id + 1} Part1`) + 1, -1);
    t.ok(kept.length > least, `${kept.length} lines`);
    t.same(kept, lines.slice(-kept.length));
  }
});

t.test('rings that are written through the backend', async (t) => {
  for (const abi of MACHINE_NAMES) {
    const image = partition(65536, { abi }).pmsg(4096).console(4096).tty(4096).ftrace(8192, 2).kmsg(8192);
    const bytes = image.bytes.slice();
    const backend = openImage(image, image.keys, bytes);
    const area = 4096 - 12;
    for (const [n, type] of (['pmsg', 'console', 'tty'] as const).entries()) {
      const ring = new PlainRing(area);
      for (let i = 0; i < 3 + n; i++) {
        const chunk = latin1(`${type} ${i} `.repeat(100 + 40 * i));
        backend.write!(newRecord({ type, data: chunk }));
        ring.write(chunk);
      }
      t.equal(textOf(backend, `${type}-pstore_blk-0`), Buffer.from(ring.text()).toString('latin1'));
      image.ring(image.places[n]!, ring);
    }
    const machine = MACHINES[abi].word === 8 ? '64' : '32';
    for (const cpu of [0, 1]) {
      const records = [0, 1, 2].map((i) =>
        ftraceBytes(
          { cpu, ts: BigInt(100 + 2 * i + cpu), ip: 0xc0000000n + BigInt(i), parent: 0xc1000000n },
          machine,
          MACHINES[abi].little,
        ),
      );
      backend.write!(newRecord({ type: 'ftrace', cpu, data: join(records) }));
      image.ring(image.places[3 + cpu]!, [join(records)]);
    }
    t.same(
      textOf(backend, 'ftrace-pstore_blk-0').match(/^CPU:\d ts:\d+/gm),
      [0, 1, 2].flatMap((i) => [`CPU:0 ts:${100 + 2 * i}`, `CPU:1 ts:${101 + 2 * i}`]),
    );
    t.ok(Buffer.from(bytes).equals(image.bytes), `${abi}: the bytes are the builder's`);
    for (const { type, slot } of listing(backend)) {
      backend.erase(slot);
      t.equal(backend.record(slot), undefined);
      for (const place of image.places.filter(({ kind }) => kind === type)) image.erase(place);
      t.ok(Buffer.from(bytes).equals(image.bytes), `${abi}: ${type} erased`);
    }
  }
});

t.test('what a listing shows of odd records', async (t) => {
  const odd: [string, RecordSpec, object | undefined, string | undefined, string[]][] = [
    ['no bytes: the added line alone', { body: '' }, { size: 20, state: 'live' }, 'Oops: Total 7 times\n', []],
    ['compressed, no bytes', { body: '', compressed: 1 }, undefined, undefined, ['record-short']],
    ['shorter than its header', { body: 'text', datalen: 12 }, undefined, undefined, ['record-short']],
    ['a counter beyond 2^31', { body: 'x\n', counter: 0xffffffff }, { count: -1 }, 'Oops: Total -1 times\nx\n', []],
    ['an unknown reason', { body: 'x\n', reason: 9 }, { reason: 'Unknown' }, 'Unknown: Total 7 times\nx\n', []],
    ['reason 0', { body: 'x\n', reason: 0 }, { reason: 'Unknown' }, 'Unknown: Total 7 times\nx\n', []],
    ['emergency', { body: 'x\n', reason: 3 }, { reason: 'Emergency' }, 'Emergency: Total 7 times\nx\n', []],
    ['shutdown', { body: 'x\n', reason: 4 }, { reason: 'Shutdown' }, 'Shutdown: Total 7 times\nx\n', []],
    [
      'does not decompress',
      { body: 'no deflate', compressed: 1 },
      { state: 'undecodable', name: 'dmesg-pstore_blk-0.enc.z', compressed: null },
      'no deflate',
      [],
    ],
    [
      'flag 2, and it does',
      { body: deflateRawSync('Oops#1 Part1\ntext\n'), compressed: 2 },
      { compressed: 'deflate' },
      'Oops#1 Part1\ntext\n',
      ['record-flag'],
    ],
    [
      'flag 2, and it does not',
      { body: 'plain\n', compressed: 2 },
      { compressed: null, state: 'live' },
      'Oops: Total 7 times\nplain\n',
      ['record-flag'],
    ],
    ['no time', { body: '', seconds: 0 }, { mtimeNs: null }, undefined, []],
    ['a time before 1970', { body: '', seconds: -5 }, { mtimeNs: null }, undefined, ['record-time']],
    [
      'too many nanoseconds',
      { body: '', nanoseconds: 1_000_000_000 },
      { mtimeNs: 1_700_000_000_999_999_999n },
      undefined,
      ['record-time'],
    ],
    [
      'negative nanoseconds',
      { body: '', nanoseconds: -1 },
      { mtimeNs: 1_700_000_000_000_000_000n },
      undefined,
      ['record-time'],
    ],
    [
      'a far future',
      { body: '', seconds: 1n << 40n },
      { mtimeNs: (1n << 40n) * 1_000_000_000n + 123_456_789n },
      undefined,
      [],
    ],
  ];
  for (const [name, spec, record, text, warnings] of odd) {
    const image = partition(16384)
      .kmsg(4096)
      .dmesg(0, { counter: 7, ...spec })
      .dmesg(1, { body: 'the next\n', counter: 8 });
    const backend = openImage(image);
    const first = listing(backend).filter(({ id }) => id === 0);
    if (record) t.match(first, [record], name);
    else t.same(first, [], name);
    if (text !== undefined && first[0]) {
      t.equal(textOf(backend, first[0].name), text, name);
      t.equal(first[0].size, text.length, name);
    }
    t.same(
      backend.warnings.list.map(({ code }) => code).filter((code) => code !== 'ring-same-second'),
      warnings,
      name,
    );
    t.equal(textOf(backend, 'dmesg-pstore_blk-1'), 'Oops: Total 8 times\nthe next\n', 'the others are shown');
  }
});

t.test('RFC v5 calls everything that is not an oops a panic', async (t) => {
  const image = partition(16384, { format: 'blkoops' }).kmsg(4096);
  for (const [i, reason] of [1, 2, 4].entries()) image.dmesg(i, { body: 'x\n', reason, counter: i });
  const backend = openImage(image);
  t.same(
    [0, 1, 2].map((id) => textOf(backend, `dmesg-blkoops-${id}`)),
    ['blkoops: Panic: Total 0 times\nx\n', 'blkoops: Oops: Total 1 times\nx\n', 'blkoops: Panic: Total 2 times\nx\n'],
  );
  t.same(
    listing(backend).map(({ reason }) => reason),
    ['Panic', 'Oops', 'Panic'],
  );
});

t.test('a ring whose start is behind its datalen hides nothing', async (t) => {
  const trace = (cpu: number) =>
    [0, 1, 2].map((i) => ftraceBytes({ cpu, ts: BigInt(10 * i + cpu), ip: 0x81000000n, parent: 0x82000000n }, '64'));
  const image = partition(65536)
    .pmsg(4096, { data: 'shown, and not', datalen: 5, start: 10 })
    .console(4096, ['console']);
  image.ftrace(8192, 2, [{ data: join([...trace(0), ...trace(0)]), datalen: 48, start: 72 }, trace(1)]).kmsg(8192);
  image.dmesg(0, { body: 'text\n' });
  const backend = openImage(image);
  t.equal(textOf(backend, 'pmsg-pstore_blk-0'), 'shown');
  t.equal(textOf(backend, 'console-pstore_blk-0'), 'console');
  t.same(
    textOf(backend, 'ftrace-pstore_blk-0').match(/CPU:0/g)!.length,
    3,
    'whole records up to start, while times go on',
  );
  t.ok(backend.find('dmesg-pstore_blk-0'));
  t.same(
    backend.warnings.list.map(({ code }) => code),
    ['zone-start-beyond-datalen', 'zone-start-beyond-datalen'],
  );
});

t.test('names that are found, and names that are not', async (t) => {
  const image = partition(65536)
    .pmsg(4096, ['x'])
    .console(4096)
    .ftrace(0, 1)
    .kmsg(8192)
    .dmesg(0, { body: 'x' })
    .dmesg(2, { body: 'x', compressed: 1 });
  const backend = openImage(image);
  for (const { name, slot } of listing(backend)) t.equal(backend.find(name), slot, name);
  t.same(
    listing(backend).map(({ name }) => name),
    ['dmesg-pstore_blk-0', 'dmesg-pstore_blk-2.enc.z', 'pmsg-pstore_blk-0'],
  );
  for (const name of [
    'dmesg-pstore_blk-1',
    'dmesg-pstore_blk-2',
    'dmesg-pstore_blk-0.enc.z',
    'dmesg-pstore_blk-00',
    'dmesg-pstore_blk-7',
    'dmesg-pstore_blk--1',
    'dmesg-blkoops-0',
    'pmsg-pstore_blk-1',
    'console-pstore_blk-0',
    'tty-pstore_blk-0',
    'dmesg-pstore_blk-',
    '-pstore_blk-0',
    '',
    'dmesg-pstore_blk-0.salvaged',
    'dmesg-pstore_blk-9999999999999999',
  ]) {
    t.equal(backend.find(name), undefined, name);
  }
  t.equal(backend.record(-1), undefined);
  t.equal(backend.record(backend.slots), undefined);
  t.throws(() => backend.open(0), { code: 'ENOENT' });
});

t.test('salvage shows what a kernel skips, and lets nobody erase it', async (t) => {
  const text = 'Oops#1 Part1\n<1>[    1.0] BUG: something\n';
  const image = partition(65536)
    .pmsg(4096, { data: 'lost pmsg text of a kind\n', datalen: 99999, start: 0 })
    .console(0)
    .ftrace(0, 1)
    .kmsg(8192);
  image
    .dmesg(0, { body: text })
    .dmesg(1, { body: text, sig: 0x43474245 })
    .dmesg(2, { body: text, datalen: 99999 })
    .dmesg(3, { body: text, erased: true });
  t.same(
    listing(openImage(image)).map(({ name }) => name),
    ['dmesg-pstore_blk-0'],
  );
  const backend = openImage(image, { ...image.keys, salvage: '' });
  t.same(
    listing(backend).map(({ name, state }) => [name, state]),
    [
      ['dmesg-pstore_blk-0', 'live'],
      ['dmesg-pstore_blk-1.salvaged', 'salvaged'],
      ['dmesg-pstore_blk-2.salvaged', 'salvaged'],
      ['pmsg-pstore_blk-0.salvaged', 'salvaged'],
    ],
  );
  t.equal(textOf(backend, 'dmesg-pstore_blk-1.salvaged'), text);
  t.equal(textOf(backend, 'pmsg-pstore_blk-0.salvaged'), 'lost pmsg text of a kind\n');
  for (const { slot, state } of listing(backend))
    if (state === 'salvaged') t.throws(() => backend.erase(slot), { code: 'EPERM' });
  backend.write!(newRecord({ type: 'pmsg', data: latin1('new') }));
  t.equal(textOf(backend, 'pmsg-pstore_blk-0'), 'new');
});

t.test('records behind the zone where RFC v5 stops are not passed over in silence', async (t) => {
  const image = partition(65536, { format: 'blkoops' }).kmsg(8192).dmesg(0, { body: 'one\n' });
  for (const index of [2, 3]) image.dmesg(index, { body: 'Oops#2 Part1\nhidden text\n' });
  const backend = openImage(image);
  t.same(
    listing(backend).map(({ name }) => name),
    ['dmesg-blkoops-0'],
  );
  t.match(backend.warnings.list, [
    {
      code: 'zone-invalid',
      offset: 8192,
      message: /zone 1 at offset 8192 has no signature, .*; 2 zones after it that hold data/,
    },
  ]);
  const salvaged = openImage(image, { ...image.keys, salvage: '' });
  t.same(
    listing(salvaged).map(({ name }) => name),
    ['dmesg-blkoops-0', 'dmesg-blkoops-2.salvaged', 'dmesg-blkoops-3.salvaged'],
  );
});

t.test('a zone that the end of the image cuts is said, and salvaged', (t) => {
  const table = [
    { folder: 's3', size: 110592, index: 1, offset: 98304, length: 32768 },
    { folder: 's3', size: 100000, index: 1, offset: 98304, length: 32768 },
    // The last page's missing bytes would make the zone whole.
    { folder: 's3', size: 131000, index: 1, offset: 98304, length: 32768 },
    { folder: 'v1', size: 151552, index: 2, offset: 131072, length: 65536 },
    { folder: 'v1', size: 152000, index: 2, offset: 131072, length: 65536 },
  ];
  for (const { folder, size, index, offset, length } of table) {
    const { backend: kind, keys } = goldenCases('zone', 'rfc5').find((each) => each.folder === folder)!;
    const whole = open(kind, goldenImage(folder), keys);
    const name = `dmesg-${kind}-${index}`;
    for (const given of [keys, {}]) {
      const cut = goldenImage(folder).subarray(0, size);
      const backend = open(kind, cut, { ...given, salvage: '' });
      const names = listing(backend).map((record) => record.name);
      const kept = listing(whole).map((record) => record.name);
      const lost = new Set(kept.filter((other) => other.startsWith('dmesg') && Number(other.split('-')[2]) >= index));
      t.same(
        names,
        kept.flatMap((other) => (other === name ? [`${name}.salvaged`] : lost.has(other) ? [] : [other])),
      );
      const slot = backend.find(`${name}.salvaged`)!;
      t.equal(backend.find(name), undefined);
      t.throws(() => backend.erase(slot), { code: 'EPERM' });
      const text = Buffer.from(contentBytes(whole.open(whole.find(name)!)));
      const salvaged = Buffer.from(contentBytes(backend.open(slot)));
      if (size === 100000) t.ok(salvaged.length > 1000 && text.subarray(0, salvaged.length).equals(salvaged));
      else t.ok(text.equals(salvaged));
      t.match(backend.warnings.list.at(-1), {
        code: 'zone-truncated',
        message: new RegExp(`^image\\.raw: the image ends inside dmesg zone ${index} at offset ${offset}, `),
      });
      t.match([...backend.info().zones].at(-1), { index, type: 'dmesg', offset, size: length, state: 'truncated' });
      if (size % 4096 !== 0) continue;
      const shown = open(kind, cut, given);
      t.same(
        listing(shown).map((record) => record.name),
        names.filter((other) => !other.endsWith('.salvaged')),
        'without salvage as a kernel with the shorter partition',
      );
      t.equal(shown.warnings.list.length, 1);
    }
  }
  // Erased before it was cut: nothing to be salvaged. And where no zone was, none is missing.
  const image = partition(32768)
    .kmsg(8192)
    .dmesg(0, { body: 'one\n' })
    .dmesg(1, { body: 'Oops#1 Part1\n', erased: true });
  const erased = open('pstore_blk', image.bytes.subarray(0, 12288), { ...image.keys, salvage: '' });
  t.same(
    listing(erased).map(({ name }) => name),
    ['dmesg-pstore_blk-0'],
  );
  const none = open('pstore_blk', image.bytes.subarray(0, 20480), { ...image.keys, salvage: '' });
  t.notOk(none.warnings.list.some(({ code }) => code === 'zone-truncated'));
  t.end();
});

t.test('a partition inside a larger image is suspected when no key is given', (t) => {
  const within = (folder: string, offset: number, boot = false) => {
    const image = goldenImage(folder);
    const disk = new Uint8Array(offset + image.length + 4096);
    disk.set(image, offset);
    if (boot) disk.set([0x55, 0xaa], 510);
    return disk;
  };
  const writes = [
    newRecord({ type: 'dmesg', reason: Reason.Oops }),
    newRecord({ type: 'pmsg' }),
    newRecord({ type: 'console' }),
  ];
  const table: [string, string, Uint8Array, string, boolean][] = [
    ['pmsg behind 1 MiB', 'pstore_blk', within('s3', 1 << 20), '1M', true],
    ['pmsg behind 4 KiB', 'pstore_blk', within('s3', 4096), '4K', true],
    ['blkoops behind 1 MiB', 'blkoops', within('v1', 1 << 20), '1M', true],
    ['blkoops whose zone 0 is lost', 'blkoops', within('v1', 0).fill(0, 0, 64), '64K', false],
    ['blkoops behind erased bytes', 'blkoops', within('v1', 65536), '64K', true],
    ['the same on a disk with partitions', 'blkoops', within('v1', 65536, true), '64K', true],
    ['a partition alone', 'pstore_blk', goldenImage('s3'), '0', false],
  ];
  for (const [name, kind, bytes, place, isSuspected] of table) {
    const suspicion = new RegExp(`header stands at ${place}, .* if this is a larger image, give offset=${place} `);
    const backend = open(kind, bytes, {});
    const said = backend.warnings.list.filter(({ message }) => suspicion.test(message));
    t.equal(said.length, isSuspected ? 1 : 0, name);
    if (!isSuspected) continue;
    t.equal(said[0]!.code, 'geometry-guess');
    t.ok(
      Object.values(backend.info().confidence).every((confidence) => confidence < 0.5),
      `${name}: a guess`,
    );
    const before = Buffer.from(bytes);
    for (const record of writes) t.throws(() => backend.write!(record), { code: 'EINVAL', message: suspicion });
    t.ok(before.equals(bytes), `${name}: nothing is written`);
    const known: Record<string, string>[] = [{ offset: '0' }, { kmsg_size: kind === 'blkoops' ? '64K' : '32K' }];
    for (const keys of known) {
      t.notOk(
        open(kind, bytes, keys).warnings.list.some(({ message }) => suspicion.test(message)),
        `${name}: whoever gives ${Object.keys(keys)} knows`,
      );
    }
  }
  t.end();
});

t.test('info explains every zone', async (t) => {
  const image = partition(131072)
    .pmsg(4096, { data: 'x', datalen: 99999, start: 0 })
    .console(4096, { data: '\0\0\0text', datalen: 7, start: 7 });
  image
    .tty(4096, { data: 'text', datalen: 2, start: 4 })
    .ftrace(8192, 2, [{ data: '', datalen: 0, start: 0 }])
    .kmsg(8192);
  const specs: [RecordSpec | undefined, string, RegExp | null][] = [
    [{ body: 'x' }, 'live', null],
    [{ body: 'x', erased: true, counter: 5 }, 'erased', /counter 5 was erased/],
    [undefined, 'unused', null],
    [{ body: 'x', datalen: 99999 }, 'overtop', /datalen 99999 is larger than the data area of 8180/],
    [{ body: 'x', magic: 1 }, 'invalid', /magic/],
    [{ body: 'x', sig: 0x12345678 }, 'bad-signature', /begins with the bytes 78 56 34 12/],
    [{ body: 'x', datalen: 4 }, 'invalid', /leave no record after the header/],
    [{ body: 'x', compressed: 1 }, 'undecodable', /\.enc\.z/],
  ];
  for (const [i, [spec]] of specs.entries()) if (spec) image.dmesg(i, spec);
  const info = openImage(image).info();
  const zones = [...info.zones];
  t.match(zones.slice(0, 5), [
    { type: 'pmsg', state: 'overtop', offset: 0, size: 4096 },
    { type: 'console', state: 'live', reason: 'begins with 3 bytes that were never written' },
    { type: 'tty', state: 'live', reason: /start 4 is after datalen 2/ },
    { type: 'ftrace', index: 0, state: 'erased', size: 4096 },
    { type: 'ftrace', index: 1, state: 'unused' },
  ]);
  for (const [i, [, state, reason]] of specs.entries()) {
    const zone = zones[5 + i]!;
    t.match(zone, { type: 'dmesg', index: i, offset: 20480 + i * 8192, size: 8192, state });
    if (reason) t.match(zone.reason, reason);
    else t.equal(zone.reason, null);
  }
  t.match(info, { format: 'pstore_blk', counters: { oops: 5, panic: 0 }, nextZone: 8 });
  t.match(info.geometry, {
    total_size: 131072,
    kmsg_size: 8192,
    ftrace_size: 8192,
    cpus: 2,
    kmsg_offset: 20480,
    kmsg_zones: 13,
  });
  t.same(info.kernelParameters, [], 'no kernel has a tty zone');
  t.match(info.details, { 'kernel parameters': /^none: a tty zone is made by pstorefuse only$/ });
});

t.test('parameters of pstore_blk are told where it has such sizes: multiples of 4 KiB', (t) => {
  const told = (sizes: Readonly<Record<string, string>>) => {
    const storage = new MemoryStorage(new Uint8Array(65536));
    pstoreBlk.format!(storage, SourceKeys.of(sizes));
    return open('pstore_blk', storage.bytes, sizes).info();
  };
  t.same(told({ kmsg_size: '1536', pmsg_size: '4K' }).kernelParameters, []);
  t.match(told({ kmsg_size: '1536' }).details['kernel parameters'], /^kmsg_size=1536 is no multiple of 4 KiB/);
  t.match(told({ kmsg_size: '4K', pmsg_size: '2560' }).details['kernel parameters'], /^pmsg_size=2560 /);
  const sizes = { kmsg_size: '8K', pmsg_size: '4K', console_size: '12K', ftrace_size: '16K' };
  const parameters = ['kmsg_size=8', 'pmsg_size=4', 'console_size=12', 'ftrace_size=16'];
  t.same(
    told(sizes).kernelParameters,
    parameters.map((one) => `pstore_blk.${one}`),
  );
  const kept = (keys: Record<string, string>) => told({ ...sizes, ...keys });
  const max = (keys: Record<string, string>) => kept(keys).kernelParameters.slice(parameters.length);
  t.same(max({ dump_oops: 'no' }), ['pstore_blk.max_reason=1']);
  t.same(max({ dump_oops: 'yes' }), ['pstore_blk.max_reason=2']);
  t.same(max({ max_reason: '0', dump_oops: 'no' }), ['pstore_blk.max_reason=0']);
  const vendor = open('pstore_blk', new Uint8Array(65536), { kmsg_size: '8K', dialect: 'vendor', dump_oops: 'no' });
  t.equal(vendor.info().kernelParameters.at(-1), 'blkoops.dump_oops=0');
  t.match(kept({ dump_oops: 'no' }).sourceKeys, /,dump_oops=no(,|$)/);
  t.notMatch(kept({}).sourceKeys, /dump_oops|max_reason/);
  const details = ['sizes found', 'layout', 'layout found'];
  t.same(Object.keys(told({ kmsg_size: '8K' }).details), [...details, 'word size'], 'no record tells it');
  t.same(Object.keys(told({ kmsg_size: '8K', abi: 'i386' }).details), details);
  t.end();
});

t.test('kmsg_size=0 for an image with dmesg records', (t) => {
  const image = partition(65536).kmsg(8192);
  for (const index of [0, 1, 2]) image.dmesg(index, { body: 'x', seconds: 7 + index, counter: index + 1 });
  const rings = (console_size: string) => ({
    ...{ kmsg_size: '0', pmsg_size: '0', tty_size: '0', ftrace_size: '0' },
    console_size,
  });
  const said = open('pstore_blk', image.bytes, rings('4K')).warnings.list;
  t.match(said, [{ code: 'geometry-mismatch', message: /zones of 8 KiB fit .* 2 record headers.* kmsg_size=0/ }]);
  t.throws(() => open('pstore_blk', image.bytes, { ...rings('4K'), strict: '' }), { code: 'EINVAL' });
  const { warnings } = open('pstore_blk', image.bytes, rings('64K'));
  t.notOk(
    warnings.list.some(({ message }) => message.includes('kmsg_size')),
    'what lies inside of a ring is no zone',
  );
  t.end();
});

t.test('a formatted image beyond what is searched for headers', (t) => {
  const size = 130 << 20;
  for (const kind of [pstoreBlk, blkoops]) {
    const storage = new MemoryStorage(new Uint8Array(size));
    kind.format!(storage, SourceKeys.of({ kmsg_size: '768K' }));
    t.equal(howSure(kind, storage), 0.8, kind.name);
    t.match(
      open(kind.name, storage.bytes, { no_cap: '' }).info().sourceKeys,
      kind === pstoreBlk ? /,no_cap$/ : /768K$/,
    );
  }
  t.end();
});

t.test('a ring of records whose times do not go on', async (t) => {
  const records = (...seconds: number[]) => {
    const image = partition(16384).kmsg(4096);
    seconds.forEach((second, i) => {
      image.dmesg(i, { body: 'x', seconds: second, counter: i + 1 });
    });
    return openImage(image).warnings.list.map(({ code }) => code);
  };
  t.same(records(1, 2, 3), []);
  t.same(records(5, 5, 5), [], 'one second, but the ring is not full yet');
  t.same(records(5, 6, 3, 4), []);
  t.same(records(5, 5, 5, 5), ['ring-same-second']);
  t.same(records(7, 5, 6, 7), ['ring-same-second'], 'zone 0 is the newest, and would be the next');
  t.same(records(3, 9, 4, 5), ['ring-same-second'], 'the clock went back');
});

t.test('a read-only source', async (t) => {
  const image = partition(16384).kmsg(4096).dmesg(0, { body: 'x' });
  const backend = open('pstore_blk', image.bytes, image.keys, false);
  t.throws(() => backend.erase(0), { code: 'EROFS' });
  t.throws(() => backend.write!(newRecord({})), { code: 'EROFS' });
  t.equal(backend.writable, false);
});

t.test('a write that does not reach the medium is an error', async (t) => {
  const image = partition(16384).pmsg(4096).console(0).ftrace(0, 1).kmsg(4096);
  const storage = new FaultyStorage(new MemoryStorage(image.bytes));
  const backend = pstoreBlk.open({
    path: 'image.raw',
    storage: SurvivingStorage.over(storage),
    keys: SourceKeys.of(image.keys),
    warnings: new Warnings(),
    cache: new TextCache(),
    readFile: () => new Uint8Array(0),
  });
  storage.there = false;
  t.throws(() => backend.write!(newRecord({ data: latin1('x') })), { code: 'EIO', message: /could not be written/ });
  t.throws(() => backend.write!(newRecord({ type: 'pmsg', data: latin1('x') })), { code: 'EIO' });
});

t.test('a record that the medium does not give any more keeps its name, and reading it is an error', (t) => {
  const text = 'Oops#1 Part1\n<1>[    1.0] BUG: something that goes on and on and on\n';
  const image = partition(16384).kmsg(4096);
  image.dmesg(0, { body: deflateRawSync(text), compressed: 1 }).dmesg(1, { body: 'Oops#2 Part1\n' });
  const faults: ((storage: FaultyStorage) => void)[] = [
    (storage) => {
      storage.end = 70;
    },
    (storage) => {
      storage.broken = [{ offset: 60, length: 1, code: 'EIO' }];
    },
  ];
  for (const fail of faults) {
    const storage = new FaultyStorage(new MemoryStorage(image.bytes));
    const backend = pstoreBlk.open({
      path: 'image.raw',
      storage: SurvivingStorage.over(storage),
      keys: SourceKeys.of(image.keys),
      warnings: new Warnings(),
      cache: new TextCache(),
      readFile: () => new Uint8Array(0),
    });
    fail(storage);
    t.match(backend.record(0), { name: 'dmesg-pstore_blk-0', state: 'live', compressed: null });
    t.equal(backend.find('dmesg-pstore_blk-0'), 0);
    t.equal(backend.find('dmesg-pstore_blk-0.enc.z'), undefined);
    t.throws(() => contentBytes(backend.open(0)), { code: 'EIO', message: /cut while in use|reading fails/ });
    t.match([...backend.info().zones][0], { state: 'truncated' });
    t.equal(backend.warnings.list.length, 1);
    storage.end = image.bytes.length;
    storage.broken = [];
    t.throws(() => contentBytes(backend.open(0)), { code: 'EIO', message: /list again/ }, 'its size was not known');
    t.equal(textOf(backend, 'dmesg-pstore_blk-0'), text);
  }
  t.end();
});

t.test('what is shown while another writer is at work', async (t) => {
  const image = partition(65536)
    .pmsg(4096)
    .console(0)
    .ftrace(0, 1)
    .kmsg(8192)
    .dmesg(0, { body: deflateRawSync('Oops#1 Part1\nold\n'), compressed: 1 });
  const reader = openImage(image);
  const writer = openImage(image);
  t.equal(reader.refresh!(), false);
  const old = reader.open(reader.find('dmesg-pstore_blk-0')!);
  t.equal(textOf(reader, 'dmesg-pstore_blk-0'), 'Oops#1 Part1\nold\n');
  const generation = reader.generation(0);
  writer.erase(writer.find('dmesg-pstore_blk-0')!);
  t.equal(reader.refresh!(), true);
  t.equal(reader.find('dmesg-pstore_blk-0'), undefined);
  t.not(reader.generation(0), generation);
  t.equal(Buffer.from(contentBytes(old)).toString(), 'Oops#1 Part1\nold\n', 'an open file reads on');
  for (let i = 0; i < 7; i++)
    writer.write!(
      newRecord({
        compress: 'deflate',
        data: latin1(`new ${i}\n`.repeat(20)),
        timeNs: BigInt(1_700_000_001 + i) * 1_000_000_000n,
      }),
    );
  writer.write!(newRecord({ type: 'pmsg', data: latin1('pmsg') }));
  t.equal(reader.refresh!(), true);
  t.equal(listing(reader).length, 8);
  t.equal(textOf(reader, 'pmsg-pstore_blk-0'), 'pmsg');
  t.equal(textOf(reader, 'dmesg-pstore_blk-1'), textOf(writer, 'dmesg-pstore_blk-1'));
  t.equal(reader.refresh!(), false);
});

t.test('space', async (t) => {
  const image = partition(65536).pmsg(4096, ['x']).console(4096).ftrace(0, 1).kmsg(8192).dmesg(1, { body: 'x' });
  t.same(openImage(image).space(), { bytes: 8192 + 7 * 8192, freeBytes: 4096 + 6 * 8192, records: 2, freeSlots: 7 });
});

t.test('format makes an image that tells its own geometry', async (t) => {
  for (const abi of MACHINE_NAMES) {
    const image = partition(131072, { abi }).pmsg(8192).console(4096).tty(512).ftrace(16384, 3).kmsg(16384).formatted();
    const bytes = new Uint8Array(131072);
    pstoreBlk.format!(new MemoryStorage(bytes), SourceKeys.of({ ...image.keys, abi }));
    t.ok(Buffer.from(bytes).equals(image.bytes), abi);
    t.same(listing(open('pstore_blk', bytes, {})), []);
    const old = partition(131072, { abi, format: 'blkoops' }).kmsg(16384).formatted();
    blkoops.format!(new MemoryStorage(bytes), SourceKeys.of({ kmsg_size: '16K', abi }));
    t.ok(Buffer.from(bytes).equals(old.bytes), `blkoops ${abi}`);
    t.same(listing(open('blkoops', bytes, {})), []);
  }
  const impossible: Record<string, string>[] = [
    {},
    { kmsg_size: '1000' },
    { kmsg_size: '256K' },
    { pmsg_size: '128K', kmsg_size: '4K' },
  ];
  for (const keys of impossible) {
    const bytes = new Uint8Array(131072).fill(7);
    t.throws(() => pstoreBlk.format!(new MemoryStorage(bytes), SourceKeys.of(keys)), { code: 'EINVAL' });
    t.ok(
      bytes.every((byte) => byte === 7),
      'nothing is written',
    );
  }
  const odd = new MemoryStorage(new Uint8Array(5000));
  t.throws(() => pstoreBlk.format!(odd, SourceKeys.of({ kmsg_size: '512' })), {
    code: 'EINVAL',
    message: /multiple of 4096/,
  });
  t.ok(odd.bytes.every((byte) => byte === 0));
});

t.test('sizes of the whole', async (t) => {
  const table: [number, Record<string, string>, string, RegExp][] = [
    [0, {}, 'EBADMSG', /the file is empty/],
    [4095, {}, 'EBADMSG', /too few bytes.*\(4095\)/],
    [5000, { kmsg_size: '512' }, 'EBADMSG', /not a multiple of 4096/],
    [4096, {}, 'EBADMSG', /no zone signature/],
    [8192, { kmsg_size: '64' }, 'EINVAL', /did you mean kmsg_size=64K/],
    [8192, { kmsg_size: '8K', cpus: '0' }, 'EINVAL', /cpus=0/],
    [8192, { kmsg_size: '8K', compress: 'rar' }, 'EINVAL', /compress=rar: known are auto, none, deflate/],
    [8192, { kmsg_size: '8K', max_reason: '9' }, 'EINVAL', /max_reason=9/],
  ];
  for (const format of FORMATS) {
    for (const [size, keys, code, message] of table) {
      t.throws(
        () => open(format, new Uint8Array(size).fill(0xff), keys),
        { code, message },
        `${format}: ${size} ${JSON.stringify(keys)}`,
      );
    }
  }
  const large = new Uint8Array((128 << 20) + 8192);
  const capped = open('pstore_blk', large, { kmsg_size: '1M' });
  t.match(capped.info().geometry, { total_size: 128 << 20, kmsg_zones: 128 });
  t.same(
    capped.warnings.list.map(({ code }) => code),
    ['image-capped', 'image-fresh'],
  );
  t.match(open('pstore_blk', large, { kmsg_size: '1M', no_cap: '' }).info().geometry, {
    total_size: (128 << 20) + 8192,
  });
  t.match(open('blkoops', large, { kmsg_size: '1M' }).info().geometry, { total_size: (128 << 20) + 8192 });
});

t.test('any lengths of any text come back', async () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...FORMATS),
      fc.constantFrom(...MACHINE_NAMES),
      fc.constantFrom('none', ...COMPRESSIONS),
      fc.array(fc.string({ maxLength: 60 }), { maxLength: 80 }),
      (format, abi, compress, lines) => {
        const image = partition(16384, { format, abi }).kmsg(4096);
        const backend = openImage(image);
        const log = Buffer.from(lines.map((line) => `${line.replaceAll('\n', ' ')}\n`).join(''));
        backend.write!(newRecord({ compress, data: log }));
        const again = openImage(image);
        const { slot } = listing(again)[0]!;
        const bytes = Buffer.from(contentBytes(again.open(slot)));
        assert.deepEqual(bytes, Buffer.from(contentBytes(backend.open(slot))));
        const text = bytes.subarray(bytes.indexOf('Oops#1 Part1\n') + 'Oops#1 Part1\n'.length);
        assert(log.subarray(log.length - text.length).equals(text), 'the newest lines');
        assert(text.length === log.length || log[log.length - text.length - 1] === 10, 'whole ones');
      },
    ),
    { numRuns: 150 },
  );
});
