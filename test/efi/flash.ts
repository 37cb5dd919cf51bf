import { randomBytes } from 'node:crypto';
import { deflateRawSync, deflateSync } from 'node:zlib';
import t from 'tap';
import { efi } from '../../lib/efi/backend.js';
import { guidBytes } from '../../lib/guid.js';
import { changedBytes } from '../builders/changed.js';
import { CRASH, firmwareVolume, GLOBAL, type PlannedVariable, storeRecord, variableStore } from '../builders/efi.js';
import { codesOf, namesOf, openBytes, recordsOf, sureOf, textOf } from '../builders/open.js';

const A = 'dump-type0-1-1-1640995208-D';
const B = 'dump-type0-2-1-1640995208-D';
const C = 'dump-type0-3-1-1640995208-D';
const FILE_A = 'dmesg-efi_pstore-164099520801001';
const FILE_B = 'dmesg-efi_pstore-164099520802001';
const FILE_C = 'dmesg-efi_pstore-164099520803001';

const text = (part: number) => `Oops#1 Part${part}\n<6>[    1.000000] part ${part} of a log\n`;
const VARIABLES: readonly PlannedVariable[] = [
  { name: 'BootOrder', guid: GLOBAL, data: '\0\0\x01\0' },
  { name: A, data: text(1) },
  { name: B, data: text(2) },
];

t.test('every layout of a store, wherever it stands', (t) => {
  const stores: Record<string, Buffer> = {
    authenticated: firmwareVolume(variableStore(VARIABLES)),
    plain: firmwareVolume(variableStore(VARIABLES, { layout: 'plain' })),
    $VSS: firmwareVolume(variableStore(VARIABLES, { layout: 'plain', signature: '$VSS' })),
    '$VSS, authenticated': firmwareVolume(variableStore(VARIABLES, { signature: '$VSS' })),
    '$SVS of Apple, packed': firmwareVolume(
      variableStore(VARIABLES, { layout: 'apple', signature: '$SVS', packed: true }),
    ),
    'without a volume': variableStore(VARIABLES),
    '$VSS without a volume': variableStore(VARIABLES, { layout: 'plain', signature: '$VSS' }),
  };
  for (const [what, bytes] of Object.entries(stores)) {
    const backend = openBytes(efi, bytes);
    t.same(namesOf(backend), [FILE_A, FILE_B], what);
    t.equal(textOf(backend, FILE_B), text(2), what);
    t.equal(backend.record(0)?.reason, 'Oops');
    t.equal(sureOf(efi, bytes), 1);
    backend.erase(backend.find(FILE_A)!);
    t.same(namesOf(openBytes(efi, bytes)), [FILE_B], `${what}: erased`);
  }
  const volume = firmwareVolume(variableStore(VARIABLES));
  for (const offset of [8, 4096, 0x12340, (1 << 18) - 20, 3 << 20]) {
    const image = Buffer.concat([randomBytes(offset), volume, randomBytes(5000)]);
    const backend = openBytes(efi, image);
    t.same(namesOf(backend), [FILE_A, FILE_B], `at ${offset}`);
    t.equal(backend.record(0)?.offset, offset + 72 + 28 + 60 + 20 + 4 + ((-4 - 20) & 3));
  }
  const headless = Buffer.from(volume);
  headless.fill(0, 16, 44);
  t.same(namesOf(openBytes(efi, headless)), [FILE_A, FILE_B], 'behind a lost header');
  t.same(codesOf(openBytes(efi, headless)), ['store-damaged']);
  const two = Buffer.concat([volume, firmwareVolume(variableStore([{ name: C, data: text(3) }]))]);
  t.same(namesOf(openBytes(efi, two)), [FILE_A, FILE_B, FILE_C], 'two volumes');
  t.end();
});

t.test('a store without any header is told by its dumps, and only read', (t) => {
  const lost = 'the header of the store is lost';
  for (const layout of ['authenticated', 'plain'] as const) {
    const bytes = firmwareVolume(variableStore(VARIABLES, { layout }));
    // The headers of the volume and of the store.
    bytes.fill(0, 0, 100);
    const backend = openBytes(efi, bytes);
    t.same(namesOf(backend), [FILE_A, FILE_B], layout);
    t.equal(textOf(backend, FILE_B), text(2));
    t.same(codesOf(backend), ['store-damaged'], 'no warning of a full store, whose size nobody knows');
    const before = Buffer.from(bytes);
    t.throws(() => backend.erase(0), { code: 'EPERM', message: new RegExp(lost) });
    t.same(bytes, before);
  }
  const program = Buffer.concat([randomBytes(1000), guidBytes(CRASH), randomBytes(1000)]);
  t.equal(sureOf(efi, program), 0, 'a program that has the GUID in it is no store');
  t.end();
});

t.test('states: what the firmware shows, and what is erased', (t) => {
  const states = (list: readonly (readonly [string, number, number])[]) => {
    const variables = list.map(([name, state, part]) => ({ name, state, data: text(part) }));
    return openBytes(efi, firmwareVolume(variableStore(variables)), { salvage: true });
  };
  const shown = states([
    [A, 0x3f, 1],
    [B, 0x3e, 2],
    [C, 0x3d, 3],
  ]);
  t.same(namesOf(shown), [FILE_A, FILE_B], 'a deletion that has begun is none yet');
  const renewed = states([
    [A, 0x3e, 1],
    [A, 0x3f, 2],
  ]);
  t.same(namesOf(renewed), [FILE_A]);
  t.equal(textOf(renewed, FILE_A), text(2), 'the newer copy');
  const torn = states([
    [A, 0x7f, 1],
    [B, 0x3f, 2],
    [C, 0x00, 3],
  ]);
  t.same(namesOf(torn), [`${FILE_A}.salvaged`, FILE_B, `${FILE_C}.salvaged`]);
  t.same(
    [...torn.info().zones].map(({ state }) => state),
    ['salvaged', 'live', 'salvaged'],
  );
  t.throws(() => torn.erase(0), { code: 'EPERM' });
  t.end();
});

t.test('after a header that is none the next one is found', (t) => {
  const image = firmwareVolume(variableStore([...VARIABLES, { name: C, data: text(3) }]));
  const at = image.indexOf(Buffer.from(B, 'utf16le')) - 60;
  image.fill(0xff, at + 2, at + 44);
  const plain = openBytes(efi, image);
  t.same(namesOf(plain), [FILE_A, FILE_C]);
  t.equal(textOf(plain, FILE_C), text(3));
  t.same(codesOf(plain), ['store-damaged']);
  t.match(plain.warnings.list[0]?.message, `no whole variable stands at offset ${at}`);
  t.match(plain.warnings.list[0]?.message, 'does not see the 1 variables that are found after it');
  t.match([...plain.info().zones].at(-1)?.reason, /it stands after a damaged header/);
  t.end();
});

t.test('sizes that lead past other variables hide none of them', (t) => {
  for (const [layout, packed] of [
    ['authenticated', false],
    ['plain', false],
    ['plain', true],
  ] as const) {
    const signature = packed ? '$VSS' : undefined;
    const store = variableStore([...VARIABLES, { name: C, data: text(3) }], { layout, packed, signature });
    const image = firmwareVolume(store);
    const sizeAt = image.indexOf(Buffer.from(A, 'utf16le')) - 20;
    const right = image.readUInt32LE(sizeAt);
    t.equal(right, text(1).length);
    // Into the next variable, past all of them, into the free space, beyond the store.
    for (const size of [0, right - 4, right + 40, right + 200, 0x3000, 0x7f00, 0xffff_ffff]) {
      image.writeUInt32LE(size, sizeAt);
      const backend = openBytes(efi, image);
      const names = namesOf(backend);
      t.ok(names.includes(FILE_B) && names.includes(FILE_C), `${layout}, ${signature}: ${size} for ${right}`);
      t.ok(backend.warnings.list.length > 0, 'which is said');
      t.equal(textOf(backend, FILE_C), text(3));
    }
  }
  t.end();
});

t.test("the copy in the spare area of a reclaim that was cut off is nobody's, but can be salvaged", (t) => {
  const store = variableStore(VARIABLES.slice(0, 2), { size: 0x2000 });
  const image = firmwareVolume(store, 0x9000);
  const spare = firmwareVolume(variableStore(VARIABLES, { size: 0x2000 }), 0x3000);
  image.set(spare, 0x5000);
  t.same(namesOf(openBytes(efi, image)), [FILE_A]);
  t.same(namesOf(openBytes(efi, image, { salvage: true })), [FILE_A, `${FILE_A}.salvaged`, `${FILE_B}.salvaged`]);
  t.end();
});

t.test('what is found by the GUID of dumps ends where another one begins', (t) => {
  const size = 0x8000;
  const store = variableStore([], { size });
  const part = (i: number) => `dump-type0-${i}-1-5-D`;
  let at = 0x100;
  for (let i = 1; i <= 9; i++) {
    const record = storeRecord({ name: part(i), data: text(i) });
    record.writeUInt32LE(size - at - 200, 40);
    store.set(record, at);
    at += Math.ceil(record.length / 4) * 4;
  }
  const backend = openBytes(efi, firmwareVolume(store), { salvage: true });
  const found = recordsOf(backend);
  t.same(
    found.map(({ name }) => name),
    Array.from({ length: 9 }, (_, i) => `dmesg-efi_pstore-50${i + 1}001.salvaged`),
  );
  for (const { name, size } of found.slice(0, -1)) {
    t.ok(size <= text(1).length + 3, `${name} has ${size} bytes`);
    t.ok(textOf(backend, name).startsWith(text(Number(name.slice(19, 20)))));
  }
  t.match([...backend.info().zones][0]?.reason, /it is cut where another record begins in its data/);
  t.end();
});

t.test('what was compressed by kernels of all times', (t) => {
  const log = `Panic#1 Part1\n${'<4>[    2.000000] a line that repeats\n'.repeat(40)}`;
  const stored = [
    ['deflate', deflateRawSync(log, { windowBits: 15 })],
    ['deflate', deflateRawSync(log, { windowBits: 11 })],
    ['zlib', deflateSync(log, { windowBits: 12 })],
  ] as const;
  for (const [compression, data] of stored) {
    const image = firmwareVolume(variableStore([{ name: 'dump-type0-1-1-5-C', data }]));
    const backend = openBytes(efi, image);
    t.same(namesOf(backend), ['dmesg-efi_pstore-501001'], compression);
    t.equal(textOf(backend, 'dmesg-efi_pstore-501001'), log);
    const record = backend.record(0);
    t.match(record, { compressed: compression, reason: 'Panic', count: 1, part: 1, size: log.length, state: 'live' });
  }
  const bad = openBytes(efi, firmwareVolume(variableStore([{ name: 'dump-type0-1-1-5-C', data: 'no stream at all' }])));
  t.same(namesOf(bad), ['dmesg-efi_pstore-501001.enc.z']);
  t.equal(textOf(bad, 'dmesg-efi_pstore-501001.enc.z'), 'no stream at all');
  t.equal(bad.find('dmesg-efi_pstore-501001'), undefined);
  t.match(bad.record(0), { state: 'undecodable', part: 1, count: 1, reason: null });
  t.end();
});

t.test('two dumps of one id are both shown', (t) => {
  const variables = [
    { name: 'dump-type0-141-1-1640995213-D', data: text(141) },
    { name: 'dump-type0-41-1-1640995214-D', data: text(41) },
  ];
  const backend = openBytes(efi, firmwareVolume(variableStore(variables)));
  t.same(namesOf(backend), ['dmesg-efi_pstore-164099521441001', 'dmesg-efi_pstore-164099521441001.2']);
  t.equal(
    textOf(backend, 'dmesg-efi_pstore-164099521441001'),
    text(141),
    'the first in the store is the one that a kernel shows',
  );
  t.match(backend.warnings.list[0]?.message, /a kernel shows only one of them/);
  t.end();
});

t.test('a store that is nearly full', (t) => {
  const full = (size: number) => openBytes(efi, firmwareVolume(variableStore(VARIABLES, { size })));
  t.same(codesOf(full(0x4000)), []);
  t.match(full(0x1800).warnings.list[0], { code: 'store-full', message: /the next crash is not recorded/ });
  t.equal(full(0x1800).space().freeSlots, 0);
  const small = firmwareVolume(variableStore(VARIABLES, { size: 0x1800 }));
  const empty = firmwareVolume(variableStore([], { size: 0x8000 }));
  for (const image of [Buffer.concat([small, empty]), Buffer.concat([empty, small])]) {
    t.same(codesOf(openBytes(efi, image)), ['store-full'], 'beside an empty one');
    t.equal(openBytes(efi, image).space().freeSlots, 0);
  }
  const unused = firmwareVolume(variableStore([], { size: 0x1000 }));
  const roomy = firmwareVolume(variableStore(VARIABLES));
  t.same(codesOf(openBytes(efi, Buffer.concat([unused, roomy]))), [], 'the small one is not where dumps are');
  t.end();
});

t.test('what is written again meanwhile is not erased', (t) => {
  const image = firmwareVolume(variableStore(VARIABLES));
  const backend = openBytes(efi, image);
  const at = image.indexOf(Buffer.from(A, 'utf16le'));
  image.write('B', at - 10, 'latin1');
  const before = Buffer.from(image);
  backend.erase(backend.find(FILE_A)!);
  t.same(changedBytes(before, image), []);
  t.same(namesOf(backend), [FILE_B], 'it is not there any more');
  t.equal(backend.refresh!(), false);
  t.end();
});

t.test('refresh: what came and what went', (t) => {
  const image = Buffer.concat([firmwareVolume(variableStore(VARIABLES))]);
  const backend = openBytes(efi, image);
  t.equal(backend.refresh!(), false);
  const generations = [0, 1].map((slot) => backend.generation(slot));
  image.set(firmwareVolume(variableStore([...VARIABLES, { name: C, data: text(3) }])));
  t.equal(backend.refresh!(), true);
  t.same(namesOf(backend), [FILE_A, FILE_B, FILE_C]);
  t.same(
    [0, 1].map((slot) => backend.generation(slot)),
    generations,
  );
  image[image.indexOf(Buffer.from(A, 'utf16le')) - 58] = 0x3d;
  t.equal(backend.refresh!(), true);
  t.same(namesOf(backend), [FILE_B, FILE_C]);
  t.end();
});

t.test('stores that are known, but not read, are named', (t) => {
  const volume = firmwareVolume(variableStore([]));
  volume.fill(0, 16, 32);
  volume.fill(0xff, 72);
  const nvar = Buffer.concat([volume, Buffer.from('a3b9f5ce6d477f499fdce98143e0422c', 'hex')]);
  for (const [bytes, what] of [
    [nvar, /holds AMI Aptio's NVAR store, which is not read/],
    [Buffer.concat([volume, Buffer.from('EVSA')]), /Phoenix's EVSA/],
    [Buffer.concat([volume, Buffer.from('_FDC')]), /Insyde's _FDC/],
    [Buffer.concat([Buffer.from('QFI\xfb', 'latin1'), Buffer.alloc(100)]), /qcow2.*qemu-img convert -O raw/],
  ] as const) {
    t.throws(() => openBytes(efi, bytes), { code: 'ENOTSUP', message: what });
    t.equal(sureOf(efi, bytes), 0.1);
  }
  const inside = Buffer.concat([
    volume,
    Buffer.from('_FDC'),
    Buffer.alloc(60),
    variableStore(VARIABLES, { signature: '$VSS', layout: 'plain' }),
  ]);
  t.same(namesOf(openBytes(efi, inside)), [FILE_A, FILE_B], "a $VSS store inside Insyde's is read");
  t.throws(() => openBytes(efi, randomBytes(10_000)), { code: 'EBADMSG' });
  t.end();
});
