import fc from 'fast-check';
import t, { type Test } from 'tap';
import { pstoreBlk } from '../../lib/blk/pstore_blk.js';
import { deflateRaw } from '../../lib/compress/deflate.js';
import { PstoreError } from '../../lib/errors.js';
import type { Backend, NewRecord, PstoreRecord } from '../../lib/pstore/backend.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { Reason } from '../../lib/pstore/record-type.js';
import { ramoops } from '../../lib/ramoops/open.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { Warnings } from '../../lib/warnings.js';
import { asShown } from '../builders/as-shown.js';
import { ftraceBytes, join } from '../builders/ftrace.js';
import { howSure } from '../builders/how-sure.js';
import { Region, type RegionSizes } from '../builders/ramoops.js';
import { goldenImage } from '../fixture-path.js';
import { goldenBytes, goldenCases, withoutSymbols } from '../golden.js';

const K = 1024;

interface Options {
  writable?: boolean;
  cache?: TextCache;
  files?: Readonly<Record<string, Uint8Array>>;
}

type Keys = Readonly<Record<string, string | number | boolean>>;

function open(
  bytes: Uint8Array,
  keys: Keys = {},
  { writable = true, cache, files = {} }: Options = {},
): Required<Backend> {
  const backend = ramoops.open({
    path: 'region.img',
    storage: SurvivingStorage.over(new MemoryStorage(bytes, { path: 'region.img', writable })),
    keys: SourceKeys.of(keys),
    warnings: new Warnings('strict' in keys),
    cache: cache ?? new TextCache(),
    readFile: (path) => files[path]!,
  });
  return asShown(backend, keys) as Required<Backend>;
}

const ascii = (text: string) => new TextEncoder().encode(text);
const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

function listing(backend: Backend): PstoreRecord[] {
  return Array.from({ length: backend.slots }, (_, slot) => backend.record(slot)).filter(
    (record) => record !== undefined,
  );
}

const names = (backend: Backend) => listing(backend).map((record) => record.name);
const read = (backend: Backend, name: string) => contentBytes(backend.open(backend.find(name)!));
const text = (backend: Backend, name: string) => latin1(read(backend, name));
const codes = (backend: Backend) => backend.warnings.list.map((warning) => warning.code);
const states = (backend: Backend) =>
  [...backend.info().zones].map(({ type, index, state }) => `${type}${index} ${state}`).join(', ');

function throws(t: Test, code: string, message: RegExp, what: () => unknown): void {
  try {
    what();
    t.fail(`no ${code}`);
  } catch (error) {
    t.ok(error instanceof PstoreError, String(error));
    t.equal((error as PstoreError).code, code);
    t.match((error as PstoreError).message, message);
  }
}

const dump = (data: string, more: Partial<NewRecord> = {}): NewRecord => ({
  type: 'dmesg',
  reason: Reason.Oops,
  timeNs: 1_640_995_190_123_456_789n,
  compress: 'none',
  data: ascii(data),
  ...more,
});
const ring = (type: NewRecord['type'], data: Uint8Array, cpu?: number): NewRecord => ({
  type,
  reason: 0,
  timeNs: 0n,
  compress: 'none',
  data,
  ...(cpu === undefined ? {} : { cpu }),
});

// ── the kernel's own images ──

for (const golden of goldenCases('ramoops')) {
  for (const [how, keys] of [
    ["with the kernel's parameters", golden.keys],
    ['without any parameter', {}],
  ] as const) {
    t.test(`${golden.folder} ${how}`, async (t) => {
      const bytes = goldenImage(golden.folder);
      const before = Buffer.from(bytes);
      const backend = open(bytes, keys);
      t.same(names(backend), golden.files.map((file) => file.name).sort());
      for (const file of golden.files) {
        const record = backend.record(backend.find(file.name)!)!;
        const found = read(backend, file.name);
        const expected = goldenBytes(golden.folder, file.name);
        t.equal(record.size, found.length, `${file.name}: st_size is what reading gives`);
        if (record.type === 'ftrace') {
          t.equal(withoutSymbols(found), withoutSymbols(expected), `${file.name}: CPUs, timestamps and addresses`);
          continue;
        }
        t.ok(Buffer.from(found).equals(expected), `${file.name}: bytes`);
        const time = record.type === 'dmesg' ? BigInt(file.mtime_sec) * 1_000_000_000n + BigInt(file.mtime_nsec) : null;
        t.equal(record.mtimeNs, time, `${file.name}: time`);
      }
      t.ok([...backend.info().zones].length >= 8);
      t.ok(before.equals(bytes), 'looking changes nothing');
      t.notOk(
        codes(backend).some((code) => code.startsWith('geometry')),
        'no guess',
      );
    });
  }
}

t.test('r1-ftrace: what info says', async (t) => {
  const info = open(goldenImage('r1-ftrace')).info();
  t.match(info, {
    format: 'ramoops',
    abi: { endian: 'little', wordBits: 64 },
    geometry: { mem_size: 256 * K, record_size: 32 * K, cpus: 2, ecc: 0, order: 'ftrace-pmsg', dmesg_zones: 6 },
    sourceKeys:
      'mem_size=256K,record_size=32K,console_size=32K,ftrace_size=16K,pmsg_size=16K,cpus=2,ecc=0,order=ftrace-pmsg',
    counters: null,
    nextZone: 3,
    details: { 'ftrace by kernel': '6.1.192' },
  });
  t.same(info.kernelParameters, [
    'ramoops.mem_size=0x40000',
    'ramoops.record_size=0x8000',
    'ramoops.console_size=0x8000',
    'ramoops.ftrace_size=0x4000',
    'ramoops.pmsg_size=0x4000',
    'ramoops.ecc=0',
  ]);
  t.same(new Set(Object.values(info.confidence)), new Set([1]));
  const again = open(
    goldenImage('r1-ftrace'),
    Object.fromEntries(info.sourceKeys.split(',').map((key) => key.split('='))),
  );
  t.same(again.info().geometry, info.geometry, 'the keys open it the same way again');
});

t.test('r3 and r4-none: what ECC found', async (t) => {
  const r3 = open(goldenImage('r3'));
  t.equal(r3.record(r3.find('dmesg-ramoops-1')!)!.ecc, '5 Corrected bytes, 0 unrecoverable blocks');
  t.equal(r3.record(r3.find('dmesg-ramoops-0')!)!.ecc, 'No errors detected');
  const r4 = open(goldenImage('r4-none'));
  t.equal(
    states(r4),
    'dmesg0 live, dmesg1 ecc-damaged, dmesg2 invalid, dmesg3 unused, dmesg4 unused, dmesg5 unused, console0 live, pmsg0 live',
  );
  t.same(new Set(codes(r4)), new Set(['ecc-corrected', 'ecc-lost', 'header-damaged']));
  const salvaged = open(goldenImage('r4-none'), { salvage: true });
  t.ok(names(salvaged).includes('dmesg-ramoops-2.salvaged'), 'a lost first line');
  t.match(text(salvaged, 'dmesg-ramoops-2.salvaged'), /Panic#3 Part1\n/);
});

t.test('repair puts back what r3 lost, and says what it changed', async (t) => {
  const bytes = goldenImage('r3');
  const { changes: repaired, lost } = open(bytes).repair();
  t.same(lost, []);
  t.same(
    repaired.map(({ zone }) => zone),
    new Array(5).fill('dmesg zone 1'),
  );
  for (const { offset, from, to } of repaired) t.same([goldenImage('r3')[offset], bytes[offset]], [from, to]);
  t.ok(Buffer.from(goldenImage('r2')).equals(bytes), 'r3 is r2 again');
  const backend = open(bytes);
  t.equal(backend.record(backend.find('dmesg-ramoops-1')!)!.ecc, 'No errors detected');
  t.same(backend.repair(), { changes: [], lost: [] });
  throws(t, 'ENOTSUP', /has no ECC/, () => open(goldenImage('r1')).repair());
  throws(t, 'EROFS', /read-only/, () => open(goldenImage('r3'), {}, { writable: false }).repair());
});

// ── writing, by the independent builder ──

const SIZES: RegionSizes = { mem: 64 * K, record: 8 * K, console: 8 * K, ftrace: 4 * K, pmsg: 4 * K, cpus: 2 };
const keysOf = (sizes: RegionSizes): Keys => ({
  mem_size: sizes.mem,
  record_size: sizes.record,
  console_size: sizes.console ?? 0,
  ftrace_size: sizes.ftrace ?? 0,
  pmsg_size: sizes.pmsg ?? 0,
  tty_size: sizes.tty ?? 0,
  cpus: sizes.cpus ?? 1,
  ecc: sizes.ecc ?? 0,
  order: sizes.pmsgFirst || sizes.tty ? 'pmsg-ftrace' : 'ftrace-pmsg',
  ...(sizes.big ? { abi: 'be32' } : {}),
});

t.test('what is written are the bytes of the independent builder, and reads back', async (t) => {
  for (const ecc of [0, 4, 16, 33]) {
    for (const big of [false, true]) {
      const sizes = { ...SIZES, ecc, big };
      const [model, region] = [new Region(sizes), new Region(sizes)];
      const backend = open(region.bytes, keysOf(sizes));
      const notice = ecc > 0 ? '\nECC: No errors detected\n' : '';
      const log = '<4>[    1.000000] one\n<4>[    2.000000] two\n';
      backend.write(dump(log));
      model.dump(0, '====1640995190.123456-D\n', ascii(`Oops#1 Part1\n${log}`));
      backend.write(
        dump(log.repeat(99), { compress: 'deflate', reason: Reason.Panic, timeNs: 1_700_000_000_000_000_000n }),
      );
      model.dump(1, '====1700000000.000000-C\n', deflateRaw(ascii(`Panic#2 Part1\n${log.repeat(99)}`)));
      const lines = Array.from({ length: 500 }, (_, i) => ascii(`line ${i} of the console\n`));
      for (const line of lines) backend.write(ring('console', line));
      model.ring('console', Uint8Array.from(lines.flatMap((line) => [...line])));
      backend.write(ring('pmsg', ascii('hello')));
      backend.write(ring('pmsg', new Uint8Array(0)));
      model.ring('pmsg', ascii('hello'));
      const machine = big ? '32' : '64';
      for (const cpu of [0, 1]) {
        const records = Array.from({ length: 3 }, (_, i) =>
          ftraceBytes({ cpu, ts: BigInt(10 * i + cpu), ip: 0xc1000000n, parent: 0xc1000010n }, machine, !big),
        );
        for (const record of records) backend.write(ring('ftrace', record, cpu));
        const stream = Uint8Array.from(records.flatMap((record) => [...record]));
        model.ring('ftrace', stream, cpu);
      }
      t.ok(Buffer.from(model.bytes).equals(region.bytes), `bytes with ecc ${ecc}, ${big ? 'big' : 'little'}-endian`);
      for (const view of [backend, open(region.bytes, keysOf(sizes)), open(region.bytes)]) {
        t.same(names(view), [
          'console-ramoops-0',
          'dmesg-ramoops-0',
          'dmesg-ramoops-1',
          'ftrace-ramoops-0',
          'pmsg-ramoops-0',
        ]);
        t.equal(text(view, 'dmesg-ramoops-0'), `Oops#1 Part1\n${log}${notice}`);
        t.equal(text(view, 'dmesg-ramoops-1'), `Panic#2 Part1\n${log.repeat(99)}${notice}`);
        t.match(view.record(view.find('dmesg-ramoops-1')!), {
          compressed: 'deflate',
          reason: 'Panic',
          mtimeNs: 1_700_000_000_000_000_000n,
        });
        t.equal(view.record(view.find('dmesg-ramoops-0')!)!.mtimeNs, 1_640_995_190_123_456_000n, 'to the microsecond');
        t.equal(text(view, 'pmsg-ramoops-0'), `hello${notice}`);
        t.equal(
          text(view, 'console-ramoops-0'),
          latin1(model.kept('console', Uint8Array.from(lines.flatMap((line) => [...line])))) + notice,
        );
        t.match(
          text(view, 'ftrace-ramoops-0'),
          /^CPU:0 ts:0 c1000000 {2}c1000010 {2}0xc1000000 <- 0xc1000010\nCPU:1 ts:1 /,
        );
        t.equal(text(view, 'ftrace-ramoops-0').split('\n').length, 7);
      }
    }
  }
});

t.test('dumps go on behind the newest and come round', async (t) => {
  const region = new Region(SIZES);
  const backend = open(region.bytes, keysOf(SIZES));
  t.equal(backend.info().nextZone, 0);
  for (let i = 0; i < 7; i++) backend.write(dump(`log ${i}\n`, { timeNs: BigInt(i + 1) * 1_000_000_000n }));
  t.match(text(backend, 'dmesg-ramoops-0'), /log 6\n$/, 'six zones: the seventh dump is in the first again');
  t.equal(backend.info().nextZone, 1);
  t.equal(open(region.bytes, keysOf(SIZES)).info().nextZone, 1, 'also after it was opened again');
});

t.test('a dump that is too long keeps its newest whole lines', async (t) => {
  const region = new Region(SIZES);
  const backend = open(region.bytes, keysOf(SIZES));
  const lines = Array.from({ length: 2000 }, (_, i) => `line ${i}\n`).join('');
  backend.write(dump(lines));
  const shown = text(backend, 'dmesg-ramoops-0');
  t.match(shown, /^Oops#1 Part1\nline \d+\n/);
  t.ok(shown.endsWith('line 1999\n') && shown.length > 8000 && lines.includes(shown.slice(13)));
});

t.test('erasing empties the zone and renews the parity of its header, nothing else', async (t) => {
  for (const ecc of [0, 16]) {
    const sizes = { ...SIZES, ecc };
    const [model, region] = [new Region(sizes), new Region(sizes)];
    for (const one of [model, region]) {
      one.dump(1, '====1.000000-D\n', ascii('Oops#1 Part1\nx\n'));
      one.ring('console', ascii('[    1.000000] a\n'));
      one.ring('pmsg', ascii('b\n'));
      for (const cpu of [0, 1])
        one.ring('ftrace', ftraceBytes({ cpu, ts: 1n, ip: 1n << 40n, parent: 2n << 40n }, '64'), cpu);
    }
    const backend = open(region.bytes, keysOf(sizes));
    const slot = backend.find('dmesg-ramoops-1')!;
    const content = backend.open(slot);
    const traced = backend.open(backend.find('ftrace-ramoops-0')!);
    const generation = backend.generation(slot);
    for (const name of names(backend)) backend.erase(backend.find(name)!);
    for (const [type, id] of [
      ['dmesg', 1],
      ['console', 0],
      ['pmsg', 0],
      ['ftrace', 0],
      ['ftrace', 1],
    ] as const)
      model.erase(type, id);
    t.ok(Buffer.from(model.bytes).equals(region.bytes), `bytes with ecc ${ecc}`);
    t.same(names(backend), []);
    t.match(latin1(contentBytes(content)), /^Oops#1 Part1\nx\n/, 'an open file reads on');
    t.match(latin1(contentBytes(traced)), /^CPU:1 ts:1 .*\nCPU:0 ts:1 .*\n$/);
    t.equal(backend.generation(slot), generation);
    t.match(states(backend), /dmesg0 unused, dmesg1 erased/);
    backend.erase(slot);
    t.ok(Buffer.from(model.bytes).equals(region.bytes), 'erasing nothing is no error');
  }
});

t.test('a dump that was replaced in the meantime is not erased', async (t) => {
  const region = new Region(SIZES);
  region.dump(0, '====1.000000-D\n', ascii('Oops#1 Part1\nx\n'));
  const backend = open(region.bytes, keysOf(SIZES));
  const slot = backend.find('dmesg-ramoops-0')!;
  const generation = backend.generation(slot);
  region.dump(0, '====2.000000-D\n', ascii('Oops#1 Part1\ny\n'));
  const before = Buffer.from(region.bytes);
  backend.erase(slot);
  t.ok(before.equals(region.bytes));
  t.equal(backend.refresh(), false, 'what is shown was looked at again');
  t.match(text(backend, 'dmesg-ramoops-0'), /y\n$/);
  region.dump(0, '====3.000000-D\n', ascii('Oops#1 Part1\nz\n'));
  t.equal(backend.refresh(), true);
  t.ok(backend.generation(slot) > generation);
  t.match(text(backend, 'dmesg-ramoops-0'), /z\n$/);
  region.dump(2, '====4.000000-D\n', ascii('Oops#2 Part1\n'));
  region.ring('pmsg', ascii('new\n'));
  t.equal(backend.refresh(), true);
  t.same(names(backend), ['dmesg-ramoops-0', 'dmesg-ramoops-2', 'pmsg-ramoops-0']);
  t.equal(backend.refresh(), false);
});

t.test('a tty zone, given', async (t) => {
  const sizes: RegionSizes = { mem: 32 * K, record: 8 * K, pmsg: 4 * K, tty: 4 * K, ftrace: 4 * K };
  const [model, region] = [new Region(sizes), new Region(sizes)];
  const backend = open(region.bytes, {
    tty_size: '4K',
    pmsg_size: '4K',
    record_size: '8K',
    console_size: 0,
    ftrace_size: '4K',
    ecc: 0,
    cpus: 1,
  });
  backend.write(ring('tty', ascii('a line\n')));
  model.ring('tty', ascii('a line\n'));
  t.ok(Buffer.from(model.bytes).equals(region.bytes));
  t.equal(text(backend, 'tty-ramoops-0'), 'a line\n');
  t.match(backend.info().sourceKeys, /tty_size=4K/);
});

t.test('refused writes', async (t) => {
  const region = new Region(SIZES);
  const backend = open(region.bytes, keysOf(SIZES));
  const before = Buffer.from(region.bytes);
  throws(t, 'EINVAL', /none of CPU 2/, () => backend.write(ring('ftrace', ascii('x'), 2)));
  throws(t, 'ENOSPC', /no tty zone/, () => backend.write(ring('tty', ascii('x'))));
  throws(t, 'EINVAL', /reason Emergency is not kept: max_reason is 2/, () =>
    open(region.bytes, { ...keysOf(SIZES), max_reason: 2 }).write(dump('x', { reason: Reason.Emergency })),
  );
  for (const [keys, most] of [
    [{ dump_oops: 1 }, Reason.Oops],
    [{ dump_oops: 0 }, Reason.Panic],
    [{ dump_oops: 0, max_reason: 3 }, Reason.Emergency],
  ] as const) {
    const backend = open(region.bytes.slice(), { ...keysOf(SIZES), ...keys });
    backend.write(dump('x', { reason: most }));
    const message = new RegExp(`max_reason is ${most}`);
    throws(t, 'EINVAL', message, () => backend.write(dump('x', { reason: most + 1 })));
  }
  throws(t, 'EROFS', /read-only/, () => open(region.bytes, keysOf(SIZES), { writable: false }).write(dump('x')));
  region.ring('pmsg', ascii('x'));
  const readOnly = open(region.bytes, keysOf(SIZES), { writable: false });
  throws(t, 'EROFS', /read-only/, () => readOnly.erase(readOnly.find('pmsg-ramoops-0')!));
  throws(t, 'ENOENT', /no record in slot 1/, () => backend.open(1));
  region.erase('pmsg');
  before[region.zone('pmsg').offset + 12] = 0x78;
  t.ok(before.equals(region.bytes), 'nothing was written');
});

t.test('a guess never places a write, but serves reading and erasing', async (t) => {
  const region = new Region({ mem: 64 * K, record: 8 * K });
  region.dump(0, '====1.000000-D\n', ascii('Oops#1 Part1\nx\n'));
  const backend = open(region.bytes);
  t.ok(codes(backend).includes('geometry-guess'));
  throws(t, 'EINVAL', /a guess never places a write; give .*console_size=/, () => backend.write(dump('x')));
  throws(t, 'EINVAL', /give console_size=/, () => backend.write(ring('console', ascii('x'))));
  t.same(names(backend), ['dmesg-ramoops-0']);
  backend.erase(backend.find('dmesg-ramoops-0')!);
  t.same(names(open(region.bytes, { record_size: '8K' })), []);
  const sure = open(region.bytes, { record_size: '8K', console_size: 0, pmsg_size: 0, ftrace_size: 0 });
  t.same(codes(sure), []);
  sure.write(dump('x'));
  t.same(names(sure), ['dmesg-ramoops-0']);
});

t.test('a formatted image of zones that are all alike: what is to be given is said', async (t) => {
  const image = new Uint8Array(128 * K);
  ramoops.format!(new MemoryStorage(image), SourceKeys.of({ record_size: '32K', console_size: '32K' }));
  const guess = 'ramoops:region.img,mem_size=128K,record_size=32K,console_size=0,ftrace_size=0,pmsg_size=0,ecc=0';
  const advice = `give console_size=, pmsg_size= as the kernel had them, in place of the guess ${guess}`;
  throws(t, 'EINVAL', new RegExp(`no console zone is found in it; ${advice}$`), () =>
    open(image).write(ring('console', ascii('x'))),
  );
  throws(t, 'EINVAL', new RegExp(`dmesg zones lie is only a guess, .*; ${advice}$`), () =>
    open(image).write(dump('x')),
  );
  const sure = open(image, { console_size: '32K', pmsg_size: 0 });
  t.same(codes(sure), []);
  sure.write(ring('console', ascii('[    1.000000] x\n')));
  t.equal(listing(sure)[0]!.offset, 96 * K);
  // The keys of a part of a larger file belong to the SOURCE.
  throws(t, 'EINVAL', /the guess ramoops:region\.img,offset=4K,mem_size=128K,/, () =>
    open(new Region({ mem: 128 * K, record: 32 * K }).bytes, { offset: '4K' }).write(dump('x')),
  );
});

// ── sizes ──

t.test('sizes that ramoops rounds', async (t) => {
  const region = new Region({ mem: 128 * K, record: 16 * K, console: 16 * K });
  region.dump(0, '====1.000000-D\n', ascii('Oops#1 Part1\nx\n'));
  const backend = open(region.bytes, { record_size: '24K', console_size: 20000, pmsg_size: 0, ftrace_size: 0 });
  t.same(
    backend.warnings.list.map(({ code, message }) => [code, message]),
    [
      [
        'geometry-rounded',
        'region.img: record_size=24K is no power of two: ramoops rounds it down to 16K, as is done here',
      ],
      [
        'geometry-rounded',
        'region.img: console_size=20000 is no power of two: ramoops rounds it down to 16K, as is done here',
      ],
    ],
  );
  t.match(backend.info().geometry, { record_size: 16 * K, console_size: 16 * K });
  t.same(names(backend), ['dmesg-ramoops-0']);
});

t.test('sizes that do not fit are said and obeyed, or refused', async (t) => {
  const wrong = { ...goldenCases('ramoops').find(({ folder }) => folder === 'r1')!.keys, record_size: '65536' };
  const backend = open(goldenImage('r1'), wrong);
  t.match(backend.warnings.list[0], {
    code: 'geometry-mismatch',
    message:
      /record_size=32K fits this image \(8 of 8 zone headers, for 8 zones\), record_size=64K does not \(5 of 8 zone headers, for 5 zones\)/,
  });
  t.equal(backend.info().geometry.record_size, 65536);
  throws(t, 'EINVAL', /record_size=32K fits this image/, () => open(goldenImage('r1'), { ...wrong, strict: true }));
  const partly = open(goldenImage('r2'), { record_size: '16K' });
  t.ok(codes(partly).includes('geometry-mismatch'));
  const noEcc = open(goldenImage('r2'), {
    ...goldenCases('ramoops').find(({ folder }) => folder === 'r2')!.keys,
    ecc: 0,
  });
  t.match(noEcc.warnings.list[0]!.message, /the parity in this image is that of ecc=16, not of ecc=0/);
  t.notMatch(text(noEcc, 'pmsg-ramoops-0'), /ECC:/, 'obeyed');
  const otherEcc = open(goldenImage('r2'), {
    ...goldenCases('ramoops').find(({ folder }) => folder === 'r2')!.keys,
    ecc: 8,
  });
  t.match(otherEcc.warnings.list[0]!.message, /the parity in this image is that of ecc=16, not of ecc=8/);
});

t.test('only a wrong ecc= given: said, the zones are found all the same, and nothing is written', async (t) => {
  for (const ecc of [0, 8]) {
    const backend = open(goldenImage('r2').slice(), { ecc });
    t.match(backend.warnings.list[0]!.message, `the parity in this image is that of ecc=16, not of ecc=${ecc}`);
    t.match(backend.info().geometry, { record_size: 32 * K, console_size: 32 * K, pmsg_size: 16 * K, ecc });
    throws(t, 'EINVAL', /the given keys do not fit this image/, () => backend.write(dump('x')));
    throws(t, 'EINVAL', /not of ecc=/, () => open(goldenImage('r2'), { ecc, strict: true }));
  }
  t.same(codes(open(goldenImage('r2'), { ecc: 16 })), []);
  t.same(codes(open(goldenImage('r1'), { ecc: 0 })), []);
  t.match(open(goldenImage('r1'), { ecc: 16 }).warnings.list[0]!.message, 'that of ecc=0, not of ecc=16');
});

t.test('sizes that cannot be, and images that are none', async (t) => {
  const image = new Region(SIZES).bytes;
  for (const [keys, message] of [
    [{ ...keysOf(SIZES), record_size: '128K' }, /record_size=131072 is larger than/],
    [{ ...keysOf(SIZES), console_size: '1M' }, /the region has 65536/],
    [{ ...keysOf(SIZES), cpus: 0 }, /cpus=0: give a whole number from 1/],
    [{ ...keysOf(SIZES), ecc: 128 }, /ecc=128: give a whole number from 0 to 127/],
    [{ record_size: '8K', kmsg_size: '4K' }, /two words for one size/],
    [{ record_size: '-5' }, /give a number of bytes/],
    [{ order: 'none' }, /known are ftrace-pmsg, pmsg-ftrace/],
  ] as const) {
    throws(t, 'EINVAL', message, () => open(image, keys));
  }
  throws(t, 'EBADMSG', /no signature of a ramoops zone .* give record_size=/, () => open(new Uint8Array(8192)));
  throws(t, 'EBADMSG', /too few bytes.*\(10\)/, () => open(new Uint8Array(10)));
  throws(t, 'EBADMSG', /too few bytes.*\(0\)/, () => open(new Uint8Array(0)));
  const fresh = open(new Uint8Array(8192), { kmsg_size: '4K' });
  t.same([names(fresh), codes(fresh)], [[], ['image-fresh']]);
  throws(t, 'EINVAL', /a guess never places a write/, () => fresh.write(dump('x')));
  const whole = open(new Uint8Array(8192).fill(0xff), {
    record_size: '4K',
    console_size: 0,
    pmsg_size: 0,
    ftrace_size: 0,
  });
  whole.write(dump('x'));
  t.same(names(whole), ['dmesg-ramoops-0'], 'a zone without signature gets one with its first record');
});

t.test('format makes zones that hold nothing and tell their geometry', async (t) => {
  for (const sizes of [
    { ...SIZES },
    { ...SIZES, ecc: 16, cpus: 3 },
    { ...SIZES, ecc: 5, big: true },
    { mem: 50_000, record: 4 * K, console: 2 * K, pmsg: K, pmsgFirst: true, ftrace: 2 * K, ecc: 32 },
    { mem: 32 * K, record: 8 * K, pmsg: 4 * K, tty: 4 * K, ftrace: 4 * K },
  ] as RegionSizes[]) {
    const bytes = new Uint8Array(sizes.mem);
    ramoops.format!(new MemoryStorage(bytes), SourceKeys.of(keysOf(sizes)));
    const model = new Region(sizes, 0xff);
    t.ok(Buffer.from(model.bytes).equals(bytes), JSON.stringify(sizes));
    const backend = open(bytes, keysOf(sizes));
    t.same([names(backend), codes(backend)], [[], []]);
    t.notMatch(states(backend), /bad|invalid|damaged/);
    t.equal(howSure(ramoops, new MemoryStorage(bytes)) > 0, true);
  }
  throws(t, 'EINVAL', /give at least one of record_size/, () =>
    ramoops.format!(new MemoryStorage(new Uint8Array(4096)), SourceKeys.of({})),
  );
  throws(t, 'EINVAL', /mem_size=8192/, () =>
    ramoops.format!(new MemoryStorage(new Uint8Array(4096)), SourceKeys.of({ mem_size: 8192, record_size: 4096 })),
  );
});

t.test('probing', async (t) => {
  const probe = (bytes: Uint8Array) => howSure(ramoops, new MemoryStorage(bytes));
  for (const { folder } of goldenCases('ramoops')) t.equal(probe(goldenImage(folder)), 1, folder);
  for (const { folder } of goldenCases('zone', 'rfc5')) t.ok(probe(goldenImage(folder)) < 0.5, folder);
  t.equal(probe(new Uint8Array(4096)), 0);
  t.equal(probe(new Uint8Array(5)), 0);
  t.equal(probe(goldenImage('r2').slice(0, 5000)), 1, 'cut within the first dump');
  const region = new Region(SIZES);
  t.ok(probe(region.bytes) <= 0.5, 'nothing but headers, which pstore_blk has too');
  t.ok(probe(new Region({ ...SIZES, ecc: 16 }).bytes) > 0.9, 'their parity only ramoops has');
  region.ring('console', ascii('[    1.000000] a\n'));
  t.ok(probe(region.bytes) > 0, 'no dumps yet');
  const dumps = goldenImage('r1').slice();
  dumps[0]! ^= 2;
  const asZones = howSure(pstoreBlk, new MemoryStorage(dumps));
  t.ok(probe(dumps) > asZones, 'the first signature became that of a console zone of pstore_blk');
  const noDmesg = new Region({ mem: 8 * K, record: 0, console: 8 * K });
  noDmesg.ring('console', ascii('[    1.000000] a\n'));
  t.ok(probe(noDmesg.bytes) > 0.5);
});

// ── damage ──

t.test('warnings of what a kernel does not show', (t) => {
  const region = new Region({ mem: 128 * K, record: 8 * K });
  for (let id = 0; id < 16; id++)
    region.dump(id, `====${id + 1}.000000-D\n`, ascii(`Oops#${id} Part1\nreadable text\n`));
  const view = new DataView(region.bytes.buffer);
  const keys = keysOf({ mem: 128 * K, record: 8 * K });
  region.bytes[region.zone('dmesg', 15).offset + 12] = 0x2d;
  const said = (more: object) => open(region.bytes, { ...keys, ...more });
  const messages = (backend: Backend) => {
    names(backend);
    return backend.warnings.list.map(({ message }) => message);
  };
  for (const more of [{}, { salvage: true }]) {
    t.match(messages(said(more)), [
      /: --salvage shows what can be read of dmesg zone 15 at offset 122880, which is not shown: the line .* is damaged; a kernel passes over it$/,
    ]);
  }
  view.setUint32(region.zone('dmesg', 1).offset, 0x12345678, true);
  t.match(
    messages(said({}))[0],
    /--salvage shows .* zone 1 .*, which has the signature 0x12345678; a kernel passes over it$/,
  );
  for (let id = 1; id < 15; id++) view.setUint32(region.zone('dmesg', id).offset, 0x12345678 + id, true);
  const many = messages(said({})).filter((message) => message.includes('signature'));
  t.match(many, [
    /: --salvage shows .* 14 zones; dmesg zone 1 at offset 8192 is the first of them: they have no signature of ramoops/,
  ]);
  t.equal(many.length, 1);
  t.end();
});

t.test('zones that a kernel does not show, and salvage', async (t) => {
  const region = new Region(SIZES);
  const oops = ascii('Oops#1 Part1\n<4>[    1.000000] a readable text\n');
  for (const id of [0, 1, 2, 3]) region.dump(id, `====${id + 1}.000000-D\n`, oops);
  region.dump(4, '====5.000000-C\n', deflateRaw(oops));
  region.dump(5, '====6.000000-C\n', ascii(''));
  region.ring('console', ascii('[    1.000000] a console line\n'));
  region.ring('pmsg', ascii('what user space said\n'));
  const view = new DataView(region.bytes.buffer);
  view.setUint32(region.zone('dmesg', 1).offset, 0x12345678, true);
  region.header('dmesg', 2, 0, 0xfffffffb);
  region.bytes[region.zone('dmesg', 3).offset + 12] = 0x2d;
  view.setUint32(region.zone('dmesg', 4).offset, 0x12345678, true);
  region.header('console', 0, 77, 30);
  region.header('pmsg', 0, 0, 1 << 20);
  const keys = keysOf(SIZES);
  const before = Buffer.from(region.bytes);
  const plain = open(region.bytes, keys);
  t.same(names(plain), ['dmesg-ramoops-0']);
  t.same(
    new Set(codes(plain)),
    new Set(['zone-invalid', 'zone-overtop', 'zone-start-beyond-datalen', 'header-damaged', 'record-short']),
  );
  t.equal(
    states(plain),
    'dmesg0 live, dmesg1 bad-signature, dmesg2 overtop, dmesg3 invalid, dmesg4 bad-signature, dmesg5 invalid, ' +
      'console0 invalid, ftrace0 unused, ftrace1 unused, pmsg0 overtop',
  );
  for (const { state, reason } of plain.info().zones) t.equal(reason === null, state === 'live' || state === 'unused');
  const salvaged = open(region.bytes, { ...keys, salvage: true });
  t.same(names(salvaged), [
    'console-ramoops-0.salvaged',
    'dmesg-ramoops-0',
    'dmesg-ramoops-1.salvaged',
    'dmesg-ramoops-2.salvaged',
    'dmesg-ramoops-3.salvaged',
    'dmesg-ramoops-4.salvaged',
    'pmsg-ramoops-0.salvaged',
  ]);
  for (const id of [1, 2, 3, 4]) t.equal(text(salvaged, `dmesg-ramoops-${id}.salvaged`), latin1(oops), `zone ${id}`);
  t.equal(text(salvaged, 'console-ramoops-0.salvaged'), '[    1.000000] a console line\n');
  t.equal(text(salvaged, 'pmsg-ramoops-0.salvaged'), 'what user space said\n');
  t.match(salvaged.record(salvaged.find('dmesg-ramoops-4.salvaged')!), {
    compressed: 'deflate',
    mtimeNs: 5_000_000_000n,
  });
  throws(t, 'EPERM', /salvaged from a damaged place/, () => salvaged.erase(salvaged.find('dmesg-ramoops-1.salvaged')!));
  t.ok(before.equals(region.bytes));
});

t.test('a cut image', async (t) => {
  const sizes: RegionSizes = { mem: 64 * K, record: 8 * K, console: 8 * K, pmsg: 8 * K };
  const region = new Region(sizes);
  region.dump(0, '====1.000000-D\n', ascii('Oops#1 Part1\nx\n'));
  region.ring('console', ascii('[    1.000000] a console line\n'));
  region.ring('pmsg', ascii('what user space said\n'.repeat(300)));
  const cut = region.bytes.slice(0, 60 * K);
  for (const keys of [keysOf(sizes), {}]) {
    const plain = open(cut, keys);
    t.same(names(plain), ['console-ramoops-0', 'dmesg-ramoops-0']);
    t.ok(codes(plain).includes('zone-truncated'));
    t.match(states(plain), /pmsg0 truncated/);
    const salvaged = open(cut, { ...keys, salvage: true });
    t.ok(names(salvaged).includes('pmsg-ramoops-0.salvaged'));
    t.match(text(salvaged, 'pmsg-ramoops-0.salvaged'), /^(what user space said\n)+/);
  }
  throws(t, 'ENOSPC', /beyond the end of the image/, () => open(cut, keysOf(sizes)).write(ring('pmsg', ascii('x'))));
});

t.test('ftrace is salvaged where no ring is live', async (t) => {
  const sizes: RegionSizes = { mem: 64 * K, record: 8 * K, ftrace: 16 * K, cpus: 2 };
  const region = new Region(sizes);
  const stream = (cpu: number, count: number) =>
    join(
      Array.from({ length: count }, (_, i) =>
        ftraceBytes({ cpu, ts: BigInt(i), ip: 0xffffffff81000000n, parent: 0xffffffff82000000n }, '64'),
      ),
    );
  for (const cpu of [0, 1]) region.ring('ftrace', stream(cpu, 20), cpu);
  const whole = text(open(region.bytes, keysOf(sizes)), 'ftrace-ramoops-0');
  t.equal(whole.match(/\n/g)?.length, 40);
  const salvaged = (bytes: Uint8Array) => open(bytes, { ...keysOf(sizes), salvage: true });
  const damaged = region.bytes.slice();
  damaged[region.zone('ftrace', 0).offset + 3] = 0;
  t.match(names(salvaged(damaged)), ['ftrace-ramoops-0'], 'one ring is damaged: what a kernel shows');
  damaged[region.zone('ftrace', 1).offset + 3] = 0;
  t.same(names(open(damaged, keysOf(sizes))), []);
  const found = salvaged(damaged);
  t.same(names(found), ['ftrace-ramoops-0.salvaged']);
  t.equal(text(found, 'ftrace-ramoops-0.salvaged'), whole);
  throws(t, 'EPERM', /salvaged/, () => found.erase(found.find('ftrace-ramoops-0.salvaged')!));
  // Cut within the first ring: its first ten records.
  const cut = salvaged(region.bytes.slice(0, region.zone('ftrace', 0).offset + 12 + 10 * 24 + 5));
  t.equal(text(cut, 'ftrace-ramoops-0.salvaged').match(/^CPU:0 /gm)?.length, 10);
  const round = new Region(sizes);
  round.ring('ftrace', stream(0, 500));
  const whereTo = round.zone('ftrace', 0).offset + 4000;
  t.same(names(salvaged(round.bytes.slice(0, whereTo))), [], 'no telling where a record begins');
});

t.test('an image that is cut within a compressed record, with ECC: what is there of its text', async (t) => {
  const name = 'dmesg-ramoops-2';
  const whole = text(open(goldenImage('r2')), name).replace(/\nECC: .*\n$/, '');
  const shown = (to: number) => text(open(goldenImage('r2').slice(0, to), { salvage: true }), `${name}.salvaged`);
  const [less, more] = [shown(72_000), shown(75_000)];
  t.ok(less.length > 1000 && more.length > less.length + 1000);
  for (const part of [less, more]) t.ok(whole.startsWith(part));
});

t.test('mem_size: the beginning of a larger image, and a region larger than any image', async (t) => {
  const region = new Region(SIZES);
  region.dump(0, '====1.000000-D\n', ascii('Oops#1 Part1\nx\n'));
  region.ring('console', ascii('[    1.000000] a console line\n'));
  const large = new Uint8Array(256 * K);
  for (const at of [0, 128 * K]) large.set(region.bytes, at);
  const backend = open(large, { mem_size: '64K' });
  t.same(names(backend), ['console-ramoops-0', 'dmesg-ramoops-0']);
  t.same(codes(backend), []);
  const huge = open(region.bytes, { ...keysOf(SIZES), mem_size: '1T', record_size: '512G', salvage: true });
  t.match(states(huge), /^dmesg0 truncated/);
  t.equal(huge.space().bytes > 2 ** 39, true);
});

t.test('a dump whose line lies across the end of the ring', async (t) => {
  const region = new Region(SIZES);
  const { area, offset } = region.zone('dmesg');
  const line = ascii('====1.000000-D\nOops#1 Part1\n');
  const start = area - 5;
  region.bytes.set(line.subarray(0, 5), offset + 12 + start);
  region.bytes.set(line.subarray(5), offset + 12);
  region.header('dmesg', 0, start, area);
  const backend = open(region.bytes, keysOf(SIZES));
  const shown = read(backend, 'dmesg-ramoops-0');
  t.match(latin1(shown), /^Oops#1 Part1\n\0+$/);
  t.equal(shown.length, area - 15);
});

t.test('records that do not decompress, and times that cannot be', async (t) => {
  const region = new Region(SIZES);
  region.dump(0, '====1.000000-C\n', ascii('no stream at all'));
  region.dump(1, '====-5.000000-D\n', ascii('Oops#1 Part1\n'));
  region.dump(2, '====5.1000000-D\n', ascii('Oops#1 Part1\n'));
  region.dump(3, '====99999999999999.0-D\n', ascii('Oops#1 Part1\n'));
  region.dump(4, '====0.5-D\n', ascii(''));
  region.dump(5, '====7.000001\n', ascii('an old kernel\n'));
  const backend = open(region.bytes, keysOf(SIZES));
  t.same(
    listing(backend).map(({ name, state, mtimeNs, size }) => [name, state, mtimeNs, size]),
    [
      ['dmesg-ramoops-0.enc.z', 'undecodable', 1_000_000_000n, 16],
      ['dmesg-ramoops-1', 'live', null, 13],
      ['dmesg-ramoops-2', 'live', 5_999_999_000n, 13],
      ['dmesg-ramoops-3', 'live', null, 13],
      ['dmesg-ramoops-4', 'live', null, 0],
      ['dmesg-ramoops-5', 'live', 7_000_001_000n, 14],
    ],
  );
  t.equal(text(backend, 'dmesg-ramoops-0.enc.z'), 'no stream at all');
  t.equal(backend.find('dmesg-ramoops-0'), undefined);
  t.equal(codes(backend).filter((code) => code === 'record-time').length, 3);
  t.match(states(backend), /dmesg0 undecodable/);
  const none = open(goldenImage('r1'), { compress: 'lz4' });
  t.equal(none.record(none.find('dmesg-ramoops-0.enc.z')!)!.state, 'undecodable', 'as a kernel with lz4 only');
});

t.test('ftrace of one zone for all CPUs, of any kernel, with ECC, with symbols', async (t) => {
  const sizes: RegionSizes = { mem: 32 * K, record: 8 * K, ftrace: 8 * K, ecc: 16, version: 0x50a20 };
  const region = new Region(sizes);
  const records = [4, 1, 3].map((cpu, i) =>
    ftraceBytes({ cpu, ts: BigInt(i), ip: 0xffffffff81000004n, parent: 0xffffffff81000012n }, '64'),
  );
  region.ring('ftrace', Uint8Array.from(records.flatMap((record) => [...record])));
  region.bytes[region.zone('ftrace').offset + 20]! ^= 0xff;
  const kallsyms = ascii('ffffffff81000000 T _stext\nffffffff81000010 T there\nffffffff81000020 T _end\n');
  const backend = open(region.bytes, { kallsyms: 'symbols' }, { files: { symbols: kallsyms } });
  const record = backend.record(backend.find('ftrace-ramoops-0')!)!;
  t.equal(
    text(backend, record.name).split('\n')[0],
    'CPU:4 ts:0 ffffffff81000004  ffffffff81000012  _stext <- there+0x2/0x10',
  );
  t.equal(record.size, text(backend, record.name).length, 'no notice at the end');
  t.equal(record.ecc, '1 Corrected bytes, 0 unrecoverable blocks');
  t.match(backend.info().details, {
    'ftrace by kernel': '5.10.32',
    'ftrace ECC': '1 Corrected bytes, 0 unrecoverable blocks',
  });
});

t.test('a small cache, and a record that changes under an open file', async (t) => {
  const region = new Region({ ...SIZES, ecc: 16 });
  const log = ascii(`Oops#1 Part1\n${'<4>[    1.000000] a line\n'.repeat(50)}`);
  region.dump(0, '====1.000000-C\n', deflateRaw(log));
  const cache = new TextCache(10);
  const backend = open(region.bytes, {}, { cache });
  const content = backend.open(backend.find('dmesg-ramoops-0')!);
  t.equal(latin1(contentBytes(content)), `${latin1(log)}\nECC: No errors detected\n`, 'decoded again');
  region.dump(0, '====1.000000-C\n', deflateRaw(ascii('Oops#1 Part1\nshort\n')));
  cache.set('another', new Uint8Array(20));
  throws(t, 'EIO', /changed while it was in use/, () => contentBytes(content));
});

t.test(
  'one dump without headers that fills its record (Linux 2.6.35 to 3.4): the record is as large as its text',
  async (t) => {
    const line = '====1300000000.45\n';
    const lines = '<4>[   12.345678] a line of the log\n'.repeat(500);
    for (const recordSize of [4096, 8192, 16384]) {
      const whole = line + lines.slice(0, recordSize - line.length);
      for (const rest of [undefined, 0, 0xff]) {
        const image = new Uint8Array(rest === undefined ? recordSize : 4 * recordSize).fill(rest ?? 0);
        image.set(ascii(whole));
        const backend = open(image);
        t.same(names(backend), ['dmesg-ramoops-0']);
        t.equal(text(backend, 'dmesg-ramoops-0'), whole.slice(line.length), `${recordSize}, then ${rest}`);
      }
    }
  },
);

t.test('a boot loader signed only the zones that it used: their number tells no dialect', async (t) => {
  const image = new Uint8Array(1024 * K);
  const put = (offset: number, data: string) => {
    new Uint32Array(image.buffer, offset, 3).set([0x43474244, data.length, data.length]);
    image.set(ascii(data), offset + 12);
  };
  put(0, '====1700000000.000045-D\nOops#1 Part1\n<4>[    1.000000] it broke here\n');
  put(0xd0000, '[    1.000000] a line of the console\n');
  put(0xe0000, 'a line of user space\n');
  const sizes = { record_size: '16K', console_size: '64K', ftrace_size: 0, pmsg_size: '128K', ecc: 0 };
  const backend = open(image, sizes);
  t.same(names(backend), ['console-ramoops-0', 'dmesg-ramoops-0', 'pmsg-ramoops-0']);
});

t.test('space', async (t) => {
  const region = new Region(SIZES);
  region.dump(0, '====1.000000-D\n', ascii('x'));
  region.ring('ftrace', new Uint8Array(24), 1);
  t.same(open(region.bytes, keysOf(SIZES)).space(), { bytes: 64 * K, freeBytes: 54 * K, records: 2, freeSlots: 7 });
});

t.test('mutated images: no crash, no hang, nothing changed', async (t) => {
  const images = ['r1-ftrace', 'r2'].map((folder) => goldenImage(folder));
  const small = new Region({ ...SIZES, ecc: 16 });
  small.dump(0, '====1.000000-D\n', ascii('Oops#1 Part1\nx\n'));
  small.ring('console', ascii('[    1.000000] a\n'));
  images.push(small.bytes);
  const mutation = fc.record({
    image: fc.nat(images.length - 1),
    keep: fc.option(fc.nat(1000), { freq: 4 }),
    salvage: fc.boolean(),
    zones: fc.array(fc.record({ zone: fc.nat(12), at: fc.nat(40), value: fc.constantFrom(0, 1, 0x7f, 0x80, 0xff) }), {
      maxLength: 12,
    }),
    bytes: fc.array(fc.record({ at: fc.nat(0xffffff), value: fc.nat(255) }), { maxLength: 30 }),
  });
  fc.assert(
    fc.property(mutation, ({ image, keep, salvage, zones, bytes }) => {
      const own = images[image]!.slice();
      const step = image === 2 ? 8 * K : 32 * K;
      for (const { zone, at, value } of zones) if (zone * step + at < own.length) own[zone * step + at] = value;
      for (const { at, value } of bytes) own[at % own.length] = value;
      const cut = keep === null ? own : own.subarray(0, Math.floor((own.length * keep) / 1000));
      const before = Buffer.from(cut);
      try {
        const backend = open(cut, { salvage });
        for (const record of listing(backend)) {
          if (contentBytes(backend.open(record.slot)).length !== record.size) return false;
          if (backend.find(record.name) !== record.slot) return false;
        }
        [...backend.info().zones];
        backend.space();
        backend.refresh();
      } catch (error) {
        if (!(error instanceof PstoreError)) throw error;
      }
      return before.equals(cut);
    }),
    { numRuns: 70, seed: 7 },
  );
  t.pass('survived');
});
