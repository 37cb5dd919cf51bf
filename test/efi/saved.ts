import t from 'tap';
import { efi } from '../../lib/efi/backend.js';
import { readSaved } from '../../lib/efi/saved.js';
import { readVmware } from '../../lib/efi/vmware.js';
import { PstoreError } from '../../lib/errors.js';
import type { FolderFile } from '../../lib/storage/folder.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { NodeFolder } from '../../lib/storage/node-folder.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import {
  CRASH,
  dmpstore,
  efivarExport,
  efivarfsFile,
  GLOBAL,
  type PlannedVariable,
  qemuJson,
  ubootFile,
  vmwareFile,
} from '../builders/efi.js';
import { codesOf, MemoryFolder, namesOf, openBytes, openFiles, sureOf, textOf } from '../builders/open.js';

const A = 'dump-type0-1-1-1640995208-D';
const B = 'dump-type0-2-1-1640995208-D';
const FILE_A = 'dmesg-efi_pstore-164099520801001';
const FILE_B = 'dmesg-efi_pstore-164099520802001';
const TEXT_A = 'Oops#1 Part1\n<6>[    1.000000] the end of a log\n';
const TEXT_B = 'Oops#1 Part2\n<6>[    0.500000] the beginning of it\n';
const LONG = TEXT_A + '<6>[    0.100000] a line\n'.repeat(300);
const ONE: PlannedVariable = { name: A, data: TEXT_A };
const ALL: readonly PlannedVariable[] = [
  { name: 'BootOrder', guid: GLOBAL, data: '\0\0' },
  ONE,
  { name: B, data: TEXT_B },
  { name: 'db', guid: GLOBAL, data: 'signed', attributes: 0x27 },
];

t.test('files of saved variables, whatever they are called', (t) => {
  const files: [what: string, bytes: Buffer, files: string[]][] = [
    ['efivar --export', efivarExport(ONE), [FILE_A]],
    ['dmpstore', dmpstore(ALL), [FILE_A, FILE_B]],
    ['U-Boot', ubootFile(ALL), [FILE_A, FILE_B]],
    ['QEMU', qemuJson(ALL), [FILE_A, FILE_B]],
    ['VMware', vmwareFile(ALL), [FILE_A, FILE_B]],
  ];
  for (const [what, bytes, names] of files) {
    t.ok(sureOf(efi, bytes) >= 0.9, what);
    const backend = openBytes(efi, bytes);
    t.same(namesOf(backend), names, what);
    t.equal(textOf(backend, FILE_A), TEXT_A, what);
    t.same(codesOf(backend), [], what);
    t.equal(backend.writable, false);
    t.throws(() => backend.erase(0), { code: 'EPERM', message: /is not erased: / }, what);
    t.ok(backend.info().details.erasing);
  }
  t.end();
});

t.test('a wrong checksum is told, and the text is shown', (t) => {
  for (const bytes of [efivarExport(ONE), dmpstore([ONE]), ubootFile([ONE])]) {
    const at = bytes.indexOf('the end');
    bytes.write('T', at);
    const backend = openBytes(efi, bytes);
    t.same(namesOf(backend), [FILE_A]);
    t.match(backend.warnings.list[0], { code: 'store-damaged', message: /checksum/ });
  }
  const cut = openBytes(efi, dmpstore(ALL).subarray(0, -10));
  t.same(namesOf(cut), [FILE_A, FILE_B]);
  t.match(cut.warnings.list[0]?.message, /no variable begins at offset/);

  const whole = efivarExport(ONE);
  const name = `${CRASH}-${A}`;
  for (const length of [whole.length - 1, whole.length - 20, 110, 60, 20, 5]) {
    const bytes = whole.subarray(0, length);
    const backends = [openBytes(efi, bytes, {}, name), openFiles(efi, new MemoryFolder({ [name]: bytes }))];
    for (const backend of [...backends, openFiles(efi, new MemoryFolder({ [`${A}-${CRASH}`]: bytes }))]) {
      t.same(namesOf(backend), [FILE_A], `${length}`);
      t.match(backend.warnings.list[0], { code: 'store-damaged', message: /was cut/ }, `${length}`);
      if (length > 100) t.ok(TEXT_A.startsWith(textOf(backend, FILE_A)), 'its text, as far as it is there');
    }
  }
  t.end();
});

t.test('a damaged store of VMware: what is left of it, and that it is no more', (t) => {
  const part = (i: number) => `dump-type0-${i}-1-1640995208-D`;
  const plans = Array.from({ length: 6 }, (_, i) => ({ name: part(i + 1), data: `text ${i + 1}` }));
  const file = vmwareFile([ALL[0]!, ...plans, ALL[3]!]);
  t.same(codesOf(openBytes(efi, file)), []);
  const entry = file.indexOf(Buffer.from(part(3), 'utf16le')) - 28;
  const shown = (bytes: Uint8Array) => {
    const backend = openBytes(efi, bytes);
    t.match(backend.warnings.list[0]?.code, 'store-damaged');
    return namesOf(backend).map((name) => Number(name.slice(-5, -3)));
  };
  for (const [at, value] of [
    [entry + 20, 0xffff],
    [entry + 20, 5],
    [entry + 24, 0xffff_ffff],
    [entry + 24, 7],
  ] as const) {
    const damaged = Buffer.from(file);
    damaged.writeUInt32LE(value, at);
    t.same(shown(damaged), [1, 2, 4, 5, 6]);
  }
  t.same(shown(file.subarray(0, entry + 10)), [1, 2]);
  t.same(shown(file.subarray(0, entry)), [1, 2]);
  t.end();
});

t.test("bare data, with the name in the file's name", (t) => {
  for (const [bytes, path] of [
    [Buffer.from(TEXT_A), `/tmp/pstore-0-${A}.bin`],
    [efivarfsFile(ONE), `/tmp/${A}-${CRASH}`],
    [efivarfsFile({ ...ONE, attributes: 3 }), `${A} (copy)`],
  ] as const) {
    const backend = openBytes(efi, bytes, {}, path);
    t.same(namesOf(backend), [FILE_A], path);
    t.equal(textOf(backend, FILE_A), TEXT_A, path);
  }
  t.equal(sureOf(efi, Buffer.from(TEXT_A)), 0, 'nothing tells what it is');
  t.end();
});

t.test('a folder: efivarfs, old sysfs, and files of all kinds', (t) => {
  const folder = new MemoryFolder({
    [`BootOrder-${GLOBAL}`]: efivarfsFile(ALL[0]!),
    [`${A}-${CRASH}`]: efivarfsFile(ONE),
    [`${B}-${CRASH}/data`]: Buffer.from(TEXT_B),
    [`${B}-${CRASH}/attributes`]: Buffer.from('EFI_VARIABLE_NON_VOLATILE\n'),
    [`${B}-${CRASH}/raw_var`]: Buffer.alloc(2084),
    'export.bin': efivarExport({ name: 'dump-type0-3-1-1640995208-D', data: 'three' }),
    'shell.dmp': dmpstore([
      { name: 'dump-type0-4-1-1640995208-D', data: 'four' },
      { name: 'dump-type0-5-1-1640995208-D', data: 'five' },
    ]),
    'win-dump-type0-6-1-1640995208-D.bin': Buffer.from('six'),
    'notes.txt': Buffer.from('nothing of ours'),
    [`dump!type0-${CRASH}`]: efivarfsFile({ ...ONE, data: 'a slash in its name' }),
  });
  t.equal(efi.folder!.probe(folder), 1);
  const backend = openFiles(efi, folder);
  const id = (part: number) => `dmesg-efi_pstore-1640995208${String(part).padStart(2, '0')}001`;
  t.same(namesOf(backend), [1, 2, 3, 4, 5, 6].map(id));
  t.equal(textOf(backend, id(2)), TEXT_B);
  t.equal(textOf(backend, id(5)), 'five');
  t.match(backend.warnings.list[0]?.message, 'dump/type0 has the GUID of dumps');

  backend.erase(backend.find(id(1))!);
  t.notOk(folder.contents.has(`${A}-${CRASH}`), 'unlinking the file removes the variable');
  t.throws(() => backend.erase(backend.find(id(2))!), { code: 'EPERM', message: /del_var/ });
  t.throws(() => backend.erase(backend.find(id(4))!), { code: 'EPERM', message: /holds 2 variables/ });
  backend.erase(backend.find(id(6))!);
  t.same(namesOf(backend), [2, 3, 4, 5].map(id));
  t.equal(folder.contents.size, 8, 'nothing else is gone');
  t.end();
});

t.test('an export that has the name of its variable, in a folder', (t) => {
  const exports = { efivar: efivarExport(ONE), dmpstore: dmpstore([ONE]), large: efivarExport({ ...ONE, data: LONG }) };
  for (const [what, bytes] of Object.entries(exports)) {
    const folder = new MemoryFolder({ [`${A}-${CRASH}`]: bytes, [`BootOrder-${GLOBAL}`]: efivarExport(ALL[0]!) });
    const backend = openFiles(efi, folder);
    t.same(namesOf(backend), [FILE_A], what);
    t.equal(textOf(backend, FILE_A), what === 'large' ? LONG : TEXT_A, what);
    backend.erase(0);
    t.same(namesOf(backend), [], what);
  }
  t.end();
});

t.test('a folder without dumps, and folders of other things', (t) => {
  const plain = new MemoryFolder({ [`BootOrder-${GLOBAL}`]: efivarfsFile(ALL[0]!) });
  t.equal(efi.folder!.probe(plain), 1);
  t.same(namesOf(openFiles(efi, plain)), []);
  t.equal(efi.folder!.probe(new MemoryFolder({ a: Buffer.from('x'), 'b/c': Buffer.from('y') })), 0);
  t.equal(efi.folder!.probe(new MemoryFolder({})), 0);
  const readOnly = new MemoryFolder({ [`${A}-${CRASH}`]: efivarfsFile(ONE) });
  readOnly.writable = false;
  t.throws(() => openFiles(efi, readOnly).erase(0), { code: 'EROFS' });
  t.end();
});

t.test('what of a folder is not read is told', (t) => {
  const root = t.testdir({
    [`BootOrder-${GLOBAL}`]: '',
    [`${A}-${CRASH}`]: t.fixture('symlink', 'elsewhere'),
    [`win-${B}.bin`]: t.fixture('symlink', 'elsewhere'),
    'notes.txt': t.fixture('symlink', 'elsewhere'),
  });
  const links = openFiles(efi, new NodeFolder(root));
  t.same(namesOf(links), []);
  t.same(codesOf(links), ['store-damaged']);
  const link = 'is a link, which is not followed; 1 more is left out, too';
  t.match(links.warnings.list[0]?.message, `${A}-${CRASH} ${link}`);
  const only = new NodeFolder(t.testdir({ [`${A}-${CRASH}`]: t.fixture('symlink', 'elsewhere') }));
  t.equal(efi.folder!.probe(only), 0.9);

  const folder = new MemoryFolder({ [`${A}-${CRASH}`]: efivarfsFile(ONE), 'export.bin': efivarExport(ALL[2]!) });
  const { read } = folder;
  folder.read = (file: FolderFile, ...rest) => {
    if (file.name !== 'export.bin') return read.call(folder, file, ...rest);
    throw new PstoreError('EACCES', 'folder/export.bin cannot be opened: permission denied');
  };
  t.match(openFiles(efi, folder).warnings.list[0], { code: 'store-damaged', message: /permission denied/ });

  const large = new MemoryFolder({ [`${A}-${CRASH}`]: new Uint8Array((16 << 20) + 1) });
  t.match(openFiles(efi, large).warnings.list[0]?.message, /has 16777217 bytes, .* only the first 16777216 are shown/);
  const many = Array.from({ length: 4100 }, (_, i) => [`${i}`, Buffer.from('x')]);
  const crowded = new MemoryFolder({ ...Object.fromEntries(many), [`${A}-${CRASH}`]: efivarfsFile(ONE) });
  t.match(openFiles(efi, crowded).warnings.list[0]?.message, /only the first 4096 of 4100 are looked into/);
  t.end();
});

t.test('a folder of very many exports', (t) => {
  const count = 1500;
  const name = (i: number) => `dump-type0-1-${i}-1640995208-D`;
  const files = Array.from({ length: count }, (_, i) => [`${i}.efivar`, efivarExport({ name: name(i), data: 'text' })]);
  const backend = openFiles(efi, new MemoryFolder(Object.fromEntries(files)));
  t.equal(new Set(namesOf(backend)).size, count);
  t.end();
});

t.test('a name that fits no form is no option of a command', (t) => {
  const names = ['-rf', '--help', '.hidden', 'a/b'].map((name) => ({ name, data: 'x' }));
  const backend = openBytes(efi, dmpstore(names), { salvage: true });
  t.same(namesOf(backend).sort(), ['_-help.salvaged', '_hidden.salvaged', '_rf.salvaged', 'a_b.salvaged']);
  t.end();
});

t.test('of very many variables the first dumps are kept, and the others counted', (t) => {
  const many = [...Array.from({ length: 5000 }, () => ({ name: 'a', guid: GLOBAL, data: '' })), ...ALL];
  const storage = (bytes: Buffer) => SurvivingStorage.over(new MemoryStorage(bytes, { path: 'file' }));
  for (const bytes of [dmpstore(many), ubootFile(many), qemuJson(many)]) {
    const { dumps, others, count } = readSaved(storage(bytes), 'file')!.variables;
    t.same([dumps.length, others, count], [2, 5002, 5004]);
  }
  const { variables } = readVmware(storage(vmwareFile(many, 1 << 20)))!;
  t.same([variables.dumps.length, variables.others], [2, 5002]);
  const dumps = readSaved(storage(dmpstore(Array.from({ length: 5000 }, () => ONE))), 'file')!.variables;
  t.same([dumps.dumps.length, dumps.others], [4096, 904]);
  t.end();
});

t.test('a text that no QEMU writes is not parsed', (t) => {
  const front = '{"version":2,"variables":[';
  const texts: [string, RegExp][] = [
    [`${front}${'{},'.repeat(70_000)}{}]}`, /it has 70003 lists and objects, .*nothing of it is read/],
    [`${front}${'['.repeat(70_000)}`, /it has 70002 lists and objects/],
    [
      qemuJson(ALL)
        .toString()
        .padEnd((4 << 20) + 1),
      /it has 4194305 bytes, and no store of QEMU has more than 4194304/,
    ],
  ];
  for (const [text, sentence] of texts) {
    const backend = openBytes(efi, Buffer.from(text));
    t.same(namesOf(backend), []);
    t.match(backend.warnings.list[0], { code: 'store-damaged', message: sentence });
    const another = `{"somebody": "${' '.repeat(32)}", ${text.slice(1)}`;
    t.equal(sureOf(efi, Buffer.from(another)), 0, 'another text is none of ours');
  }
  t.end();
});

t.test('a text is parsed once while it is recognised and opened', (t) => {
  const { parse } = JSON;
  let parsed = 0;
  t.teardown(() => {
    JSON.parse = parse;
  });
  JSON.parse = (text, reviver) => {
    parsed++;
    return parse(text, reviver);
  };
  const storage = SurvivingStorage.opening(new MemoryStorage(qemuJson(ALL), { path: 'file' }));
  t.equal(efi.probe(storage)?.sure, 0.9);
  t.equal(efi.probe(storage)?.sure, 0.9);
  t.equal(parsed, 1);
  t.end();
});

/** Remembers the longest read of each file. */
class CountedFolder extends MemoryFolder {
  longest = 0;

  override read(file: FolderFile, length: number, offset = 0): Uint8Array {
    const bytes = super.read(file, length, offset);
    this.longest = Math.max(this.longest, bytes.length);
    return bytes;
  }
}

t.test('large files of a folder are not kept, but read when somebody asks', (t) => {
  const text = `Oops#1 Part1\n${'a long line of a log\n'.repeat(1000)}`;
  const dump = (part: number) => ({ name: `dump-type0-${part}-1-1640995208-D`, data: text });
  const folder = new CountedFolder({
    [`${dump(1).name}-${CRASH}`]: efivarfsFile(dump(1)),
    [`${dump(2).name}-${CRASH}/data`]: Buffer.from(text),
  });
  const one = openFiles(efi, folder);
  t.ok(folder.longest <= 4096, `${folder.longest} bytes read at once`);
  folder.contents.set('shell.dmp', dmpstore([dump(3), dump(4)]));
  folder.contents.set('win-dump-type0-5-1-1640995208-D.bin', Buffer.from(text));
  folder.contents.set('qemu.json', qemuJson([dump(6)]));
  one.refresh?.();
  const names = [1, 2, 3, 4, 5, 6].map((part) => `dmesg-efi_pstore-16409952080${part}001`);
  t.same(namesOf(one), names);
  for (const name of names) t.equal(textOf(one, name), text);
  const moved = openFiles(efi, folder);
  folder.contents.set('shell.dmp', dmpstore([dump(4), dump(3)]).fill('x', 100, 200));
  t.match(textOf(moved, names[2]!), 'xxx', 'the bytes that are there now');
  t.end();
});
