import { deflateRawSync, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { open } from '../../lib/core.js';
import { PstoreError } from '../../lib/errors.js';
import { erst } from '../../lib/erst/backend.js';
import { readErstHeader } from '../../lib/erst/format.js';
import { QemuFile } from '../../lib/erst/place.js';
import type { Backend } from '../../lib/pstore/backend.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { JoinedView } from '../../lib/pstore/joined.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { changedBytes } from '../builders/changed.js';
import { cperRecord, erstFile, type PlannedSlot, SECTION } from '../builders/erst.js';
import { HugeStorage } from '../builders/huge.js';
import { codesOf, MemoryFolder, namesOf, openBytes, openFiles, recordsOf, sureOf, textOf } from '../builders/open.js';

const TEXT = `Oops#1 Part1\n${'<4>[    2.000000] a line that repeats\n'.repeat(20)}`;
const slot = (id: bigint, more: Partial<PlannedSlot['record']> = {}): PlannedSlot => ({
  record: { id, data: TEXT, ...more },
});

t.test('a text that compresses well, in a store with large slots', async (t) => {
  const text = `Oops#1 Part1\n${'<6>[    1.000000] a line of the log\n'.repeat(1500)}`;
  const data = deflateRawSync(text);
  t.ok(data.length < text.length / 16);
  const record = { id: 5n, data, section: SECTION.dmesgZ };
  const backend = openBytes(erst, erstFile([null, { record }], 32768, 8));
  t.same(namesOf(backend), ['dmesg-erst-5']);
  t.equal(textOf(backend, 'dmesg-erst-5'), text);
});

t.test('sections of all kinds', (t) => {
  const file = erstFile([
    slot(5n),
    slot(4n, { section: SECTION.dmesgZ, data: deflateRawSync(TEXT) }),
    slot(3n, { section: SECTION.dmesgZ, data: deflateSync(TEXT) }),
    slot(2n, { section: SECTION.mce, data: Buffer.alloc(128), seconds: null }),
    slot(1n, { section: '22222222-2222-2222-2222-222222222222', data: 'who knows' }),
    slot(0xffff_ffff_ffff_fffen, { section: SECTION.dmesgZ, data: 'no stream' }),
  ]);
  const backend = openBytes(erst, file);
  t.same(namesOf(backend), [
    'dmesg-erst-3',
    'dmesg-erst-4',
    'dmesg-erst-5',
    'dmesg-erst-18446744073709551614.enc.z',
    'mce-erst-2',
    'unknown-erst-1',
  ]);
  for (const id of [3, 4, 5]) t.equal(textOf(backend, `dmesg-erst-${id}`), TEXT);
  t.match(recordsOf(backend)[0], { compressed: 'zlib', reason: 'Oops', count: 1, part: 1, size: TEXT.length });
  t.equal(recordsOf(backend)[0]!.mtimeNs, 1_640_995_200_000_000_000n);
  t.same(codesOf(backend), ['record-hidden'], 'later kernels cannot read zlib streams');
  t.match(backend.space(), { records: 6, freeSlots: 1, freeBytes: 8192 });
  t.end();
});

t.test('erased records are known, and not shown', (t) => {
  const file = erstFile([slot(1n), { ...slot(2n), erased: true }, null, slot(3n)], 4096, 16);
  const backend = openBytes(erst, file);
  t.same(namesOf(backend), ['dmesg-erst-1', 'dmesg-erst-3']);
  t.same(
    [...backend.info().zones].map(({ state, offset }) => [state, offset]),
    [
      ['live', 4096],
      ['erased', 8192],
      ['live', 16384],
    ],
  );
  const before = Buffer.from(file);
  backend.erase(backend.find('dmesg-erst-3')!);
  t.same(changedBytes(before, file), [20, 24 + 8 * 4], 'the count and the map');
  backend.erase(0);
  t.equal(file.readUInt32LE(20), 0);
  t.equal(openBytes(erst, file).space().freeSlots, 15);
  t.end();
});

t.test('the map decides: what it has, and what it does not', (t) => {
  const file = erstFile([{ ...slot(7n), mapId: 9n }, slot(8n)]);
  file.fill(0, 2 * 8192, 2 * 8192 + 200);
  const backend = openBytes(erst, file, { salvage: true });
  t.same(
    namesOf(backend),
    ['dmesg-erst-9', 'unknown-erst-8.salvaged'],
    'where no record begins, there is nothing but bytes',
  );
  const zones = [...backend.info().zones];
  t.match(zones[0]?.reason, 'it says of itself that its id is 7');
  t.match(zones[1]?.reason, 'the map has a record here, but none begins');
  file.writeUInt32LE(5, 20);
  t.match(
    openBytes(erst, file).warnings.list[0]?.message,
    /its header counts 5 records, its map has 2: those are shown$/,
  );
  t.end();
});

t.test('a slot that is used again between listing and erasing is left alone', (t) => {
  const file = erstFile([slot(1n)]);
  const backend = openBytes(erst, file);
  file.writeBigUInt64LE(2n, 24 + 8);
  const before = Buffer.from(file);
  backend.erase(0);
  t.same(changedBytes(before, file), []);
  t.end();
});

t.test('no slot is free: the next crash is not recorded', (t) => {
  const full = openBytes(erst, erstFile([1n, 2n, 3n, 4n, 5n, 6n, 7n].map((id) => slot(id))));
  t.match(full.warnings.list, [{ code: 'store-full', message: /all 7 slots hold a record/ }]);
  t.end();
});

t.test('bare records: one, several, in a folder, and behind a lost header', (t) => {
  const one = cperRecord(slot(1n).record);
  const two = cperRecord(slot(2n).record);
  t.same(namesOf(openBytes(erst, one)), ['dmesg-erst-1']);
  const both = openBytes(erst, Buffer.concat([two, one]));
  t.same(namesOf(both), ['dmesg-erst-1', 'dmesg-erst-2']);
  t.throws(() => both.erase(0), { code: 'EPERM' });
  t.ok(sureOf(erst, one) > 0.5);

  const headless = erstFile([slot(1n), { ...slot(2n), erased: true }]);
  headless.fill(0, 0, 8);
  const found = openBytes(erst, headless);
  t.same(namesOf(found), ['dmesg-erst-1', 'dmesg-erst-2']);
  t.match(found.warnings.list[0]?.message, /which records were erased cannot be told/);

  const folder = new MemoryFolder({
    a: one,
    b: two,
    c: Buffer.from('other'),
    'd/e': one,
    many: Buffer.concat([one, two]),
  });
  t.equal(erst.folder!.probe(folder), 0.9);
  const backend = openFiles(erst, folder);
  t.same(namesOf(backend), ['dmesg-erst-1', 'dmesg-erst-1.2', 'dmesg-erst-2', 'dmesg-erst-2.2']);
  backend.erase(backend.find('dmesg-erst-1')!);
  t.notOk(folder.contents.has('a'));
  t.throws(() => backend.erase(backend.find('dmesg-erst-1.2')!), { code: 'EPERM', message: /many holds 2 records/ });
  t.end();
});

t.test('the records of a folder are read again when somebody asks', (t) => {
  const folder = new MemoryFolder({ one: cperRecord({ id: 1n, data: TEXT }) });
  const backend = openFiles(erst, folder);
  t.equal(textOf(backend, 'dmesg-erst-1'), TEXT);
  const other = openFiles(erst, folder);
  folder.contents.set('one', cperRecord({ id: 1n, data: TEXT.replaceAll('line', 'LINE') }));
  t.match(textOf(other, 'dmesg-erst-1'), /a LINE that/, 'the bytes that are there now');
  t.end();
});

t.test('slots in a hole are not read', (t) => {
  const size = 4 * 2 ** 30;
  const recordSize = 4096;
  const start = erstFile([slot(1n)], recordSize, 8).subarray(0, 64);
  const map = (8 * size) / recordSize + recordSize;
  start.writeUInt32LE(map, 12);
  start.fill(0, 24);
  const storage = new HugeStorage(size, [
    { offset: 0, bytes: start },
    { offset: map + recordSize, bytes: cperRecord({ id: 9n, data: TEXT }) },
  ]);
  const place = new QemuFile(SurvivingStorage.over(storage), readErstHeader(storage)!);
  const before = storage.bytesRead;
  const { records } = place.list();
  t.match(
    records.map(({ id, isErased }) => ({ id, isErased })),
    [{ id: 9n, isErased: true }],
  );
  t.ok(storage.bytesRead - before < map + 4 * recordSize, `${storage.bytesRead - before} bytes read`);
  t.end();
});

t.test('a slot of any size is read only where somebody asks for its bytes', (t) => {
  const [recordSize, length] = [2 ** 29, 2 ** 28];
  const start = erstFile([slot(1n), slot(2n), slot(3n)], 4096, 8).subarray(0, 64);
  start.writeUInt32LE(recordSize, 8);
  start.writeUInt32LE(recordSize, 12);
  const records = [
    cperRecord({ id: 1n, data: TEXT, length }),
    cperRecord({ id: 2n, data: TEXT, length, section: SECTION.dmesgZ }),
    Buffer.from('no record'),
  ];
  const parts = records.map((bytes, i) => ({ offset: (i + 1) * recordSize, bytes }));
  const storage = new HugeStorage(8 * recordSize, [{ offset: 0, bytes: start }, ...parts]);
  const { backend } = open(storage, { keys: { salvage: '' } });
  const [text, compressed, none] = recordsOf(backend);
  t.match([text?.size, compressed?.size, none?.size], [length - 200, length - 200, recordSize - 200]);
  t.match([text?.name, compressed?.name], ['dmesg-erst-1', 'dmesg-erst-2.enc.z']);
  t.match([...backend.info().zones].length, 3);
  const bytes = new Uint8Array(TEXT.length);
  backend.open(text!.slot).read(bytes, 0);
  t.equal(Buffer.from(bytes).toString(), TEXT);
  // Only how a compressed record begins is looked at, and no more of that than has room for the longest text.
  t.ok(storage.bytesRead < 64 << 20, `${storage.bytesRead} bytes read`);
  t.end();
});

t.test('of a part that is longer than any kernel makes it the joined text has the beginning', (t) => {
  const [recordSize, length] = [2 ** 27, 2 ** 26];
  const start = erstFile([slot(1n), slot(2n)], 4096, 8).subarray(0, 64);
  start.writeUInt32LE(recordSize, 8);
  start.writeUInt32LE(recordSize, 12);
  const parts = [1, 2].map((part) => ({
    offset: part * recordSize,
    bytes: cperRecord({ id: BigInt(part), data: `Oops#1 Part${part}\n<4>[    1.000000] part ${part}\n`, length }),
  }));
  const storage = new HugeStorage(8 * recordSize, [{ offset: 0, bytes: start }, ...parts]);
  const joined = new JoinedView(open(storage).backend);
  const text = Buffer.from(contentBytes(joined.open(0)));
  t.equal(text.length, joined.record(0)?.size);
  t.ok(text.length < 2 * (16 << 20) + 200);
  for (const part of [1, 2]) {
    t.ok(
      text.includes(
        `[pstorefuse: ${length - 200 - (16 << 20)} more bytes of part ${part} are left out; its own record`,
      ),
    );
  }
  t.ok(storage.bytesRead < 160 << 20, `${storage.bytesRead} bytes read`);
  t.end();
});

t.test('a damaged record ends where the blank bytes begin, wherever that is', (t) => {
  for (const last of [0, 1, 100, (64 << 10) - 200, (64 << 10) - 199, 65_536, 131_072 - 201, 131_072 - 200]) {
    const file = erstFile([slot(1n, { length: 2 ** 30 })], 131_072, 4);
    file.fill(0xff, 131_072 + 200, 2 * 131_072);
    if (last > 0) file[131_072 + 200 + last - 1] = 0x41;
    t.equal(recordsOf(openBytes(erst, file, { salvage: true }))[0]?.size, last);
  }
  t.end();
});

t.test('a cut file', (t) => {
  const file = erstFile([slot(1n), slot(2n), slot(3n)]);
  const backend = openBytes(erst, file.subarray(0, 3 * 8192 + 100));
  t.same(namesOf(backend), ['dmesg-erst-1', 'dmesg-erst-2']);
  t.match(
    backend.warnings.list[0]?.message,
    /the file was cut after 24676 bytes, and 1 of its records with it: copy it again/,
  );
  t.throws(() => openBytes(erst, Buffer.alloc(8192)), { code: 'EBADMSG' });
  t.equal(sureOf(erst, Buffer.alloc(8192)), 0);
  t.end();
});

function isSane(backend: Backend): boolean {
  const records = recordsOf(backend);
  if (new Set(records.map(({ name }) => name)).size !== records.length) return false;
  return records.every(({ name, slot, size }) => {
    if (!/^(?:dmesg|mce|unknown)-erst-[0-9.]+(?:\.enc\.z)?(?:\.salvaged)?(?:\.[0-9]+)?$/.test(name)) return false;
    return backend.find(name) === slot && contentBytes(backend.open(slot)).length === size;
  });
}

t.test('a file that ends inside a slot gives the record that is there as a whole', (t) => {
  const file = erstFile([slot(1n), slot(2n), slot(3n)], 4096);
  const end = 2 * 4096 + 200 + TEXT.length;
  const whole = openBytes(erst, file.subarray(0, end));
  t.same(namesOf(whole), ['dmesg-erst-1', 'dmesg-erst-2']);
  t.equal(textOf(whole, 'dmesg-erst-2'), TEXT);
  const said = (backend: Backend) => backend.warnings.list.map(({ message }) => message).join('\n');
  t.match(said(whole), /the file was cut after \d+ bytes, and 1 of its records with it: copy it again$/);
  const torn = openBytes(erst, file.subarray(0, end - 1), { salvage: true });
  t.same(namesOf(torn), ['dmesg-erst-1', 'dmesg-erst-2.salvaged']);
  t.match(said(torn), /, and 2 of its records with it/);
  const last = openBytes(erst, file.subarray(0, end + 4096));
  t.same(namesOf(last), ['dmesg-erst-1', 'dmesg-erst-2', 'dmesg-erst-3']);
  t.match(said(last), /^[^,]*: the file was cut after \d+ bytes: copy it again$/, 'nor is it said that it is full');
  const slack = openBytes(erst, file.subarray(0, file.length - 1));
  t.same(namesOf(slack), namesOf(last));
  t.match(said(slack), /its size of 32767 bytes is no multiple of its slots' 4096/);
  t.end();
});

t.test('whatever the bytes are', (t) => {
  const planned = fc.record({
    id: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    data: fc.uint8Array({ maxLength: 200 }),
    section: fc.constantFrom(...Object.values(SECTION)),
    length: fc.option(fc.nat(2 ** 32 - 1), { nil: undefined }),
    seconds: fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
  });
  const damage = fc.array(fc.tuple(fc.nat(40_000), fc.nat(255)), { maxLength: 8 });
  const header = fc.array(fc.tuple(fc.nat(100), fc.nat(255)), { maxLength: 3 });
  fc.assert(
    fc.property(fc.array(planned, { maxLength: 6 }), damage, header, fc.nat(40_000), (list, wrong, first, size) => {
      const file = erstFile(
        list.map((record) => ({ record })),
        4096,
        8,
      );
      const image = Uint8Array.from(file.subarray(0, Math.max(300, size)));
      for (const [at, value] of [...wrong, ...first]) image[at % image.length] = value;
      const before = Uint8Array.from(image);
      for (const salvage of [false, true]) {
        try {
          const backend = openBytes(erst, image, { salvage });
          [...backend.info().zones];
          if (!isSane(backend)) return false;
        } catch (error) {
          if (!(error instanceof PstoreError)) throw error;
        }
      }
      return before.every((byte, i) => byte === image[i]);
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('what is salvaged of several records with one number is found by its name', (t) => {
  const lines = Array.from({ length: 200 }, (_, i) => `<4>[    2.${i}] line ${i * 7919} of ${i % 13}\n`);
  const whole = deflateRawSync(`Oops#1 Part1\n${lines.join('')}`);
  const z = { section: SECTION.dmesgZ, data: whole.subarray(0, whole.length >> 1) };
  const store = open(erstFile([slot(7n), slot(7n, z), slot(7n, z), slot(8n, z)]), {
    backend: 'erst',
    keys: { salvage: '' },
  });
  const names = [...store].map(({ name }) => name);
  t.ok(names.includes('dmesg-erst-7.3.enc.z.salvaged') && names.includes('dmesg-erst-8.enc.z.salvaged'), names.join());
  for (const record of store) t.equal(store.backend.find(record.name), record.slot, record.name);
  t.end();
});
