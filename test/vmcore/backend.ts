import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { PstoreError } from '../../lib/errors.js';
import type { Backend } from '../../lib/pstore/backend.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { kindNamed } from '../../lib/source/kinds.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import type { Storage } from '../../lib/storage/storage.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { vmcoredd } from '../../lib/vmcore/backend.js';
import { openCrashDump } from '../../lib/vmcore/crash-dump.js';
import { Warnings } from '../../lib/warnings.js';
import { howSure } from '../builders/how-sure.js';
import { recordsOf } from '../builders/open.js';
import {
  BE32,
  BE64,
  concat,
  deviceDump,
  elfHeaders,
  filteredCore,
  type KdumpLayout,
  kdump,
  kernelCore,
  LE32,
  LE64,
  MACHINES,
  note,
  prstatus,
  qemuCore,
  vmcoreinfo,
} from '../builders/vmcore.js';
import { golden, goldenImage, ROOT } from '../fixture-path.js';

const kind = vmcoredd;

t.equal(kindNamed('vmcoredd'), vmcoredd, 'it is registered');

function open(source: Uint8Array | Storage): Backend {
  const storage = source instanceof Uint8Array ? new MemoryStorage(source, { path: 'vmcore' }) : source;
  return kind.open({
    path: storage.path,
    storage: SurvivingStorage.over(storage),
    keys: new SourceKeys(),
    warnings: new Warnings(),
    cache: new TextCache(),
    readFile: () => new Uint8Array(0),
  });
}

const records = recordsOf;

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const bytesOf = (length: number, seed: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + seed) & 0xff);
const titles = (backend: Backend) => records(backend).map((record) => record.title);
/** What is said of damage: a core without device dumps has its own test. */
const codes = (backend: Backend) =>
  backend.warnings.list.map((warning) => warning.code).filter((code) => code !== 'no-records');

/** Storage that counts what is read, and fails a test that reads outside the file. */
class CountingStorage extends MemoryStorage {
  reads = 0;
  bytesRead = 0;
  override read(target: Uint8Array, offset: number): number {
    if (offset < 0 || offset + target.length > this.size) throw new RangeError(`read of ${target.length} at ${offset}`);
    this.reads++;
    this.bytesRead += target.length;
    return super.read(target, offset);
  }
}

interface Expect {
  device_dumps: {
    index: number;
    note_offset: number;
    note_size: number;
    name: string;
    data_length: number;
    data_sha256: string;
    padding_all_zero: boolean;
    driver_size: number;
    driver_data_sha256: string;
  }[];
  other_notes: { offset: number; descsz: number; type: number; name: string; type_name: string }[];
}

t.test('the golden vmcore: every dump and every other note as the kernel wrote it', (t) => {
  const expect = JSON.parse(readFileSync(golden('vmcoredd-1', 'expect.json'), 'utf8')) as Expect;
  const image = goldenImage('vmcoredd-1', 'vmcore-head.raw');
  const before = sha256(image);
  const storage = new CountingStorage(image, { path: 'vmcore-head.raw' });
  t.equal(howSure(kind, storage), 1);
  const backend = open(storage);
  t.equal(backend.slots, expect.device_dumps.length);
  t.ok(storage.bytesRead < 8192, `reads headers only: ${storage.bytesRead} bytes of ${image.length}`);
  for (const dump of expect.device_dumps) {
    const record = backend.record(dump.index)!;
    t.match(record, {
      slot: dump.index,
      id: dump.index,
      type: 'device',
      name: `device-vmcoredd-${dump.index}`,
      size: dump.data_length,
      offset: dump.note_offset,
      title: dump.name,
      mtimeNs: null,
      state: 'live',
    });
    t.equal(backend.find(record.name), dump.index);
    const data = contentBytes(backend.open(dump.index));
    t.equal(sha256(data), dump.data_sha256);
    t.equal(sha256(data.subarray(0, dump.driver_size)), dump.driver_data_sha256);
  }
  const info = backend.info();
  t.match(info, {
    format: 'vmcore',
    abi: { endian: 'little', wordBits: 64, align: 8 },
    geometry: { page_size: 4096 },
    confidence: { page_size: 1 },
    details: { machine: 'x86_64', 'kernel release': '6.1.192', 'device dumps': '7', 'other notes': '3' },
  });
  const zones = [...info.zones];
  t.same(
    zones.filter((zone) => zone.type === 'device').map(({ offset, size, state }) => ({ offset, size, state })),
    expect.device_dumps.map((dump) => ({ offset: dump.note_offset, size: dump.note_size, state: 'live' })),
  );
  t.same(
    zones.filter((zone) => zone.type === 'note').map(({ offset, reason }) => ({ offset, reason })),
    expect.other_notes.map((other) => ({
      offset: other.offset,
      reason: `${other.name} type ${other.type} (${other.type_name}), ${other.descsz} bytes`,
    })),
  );
  t.same(backend.warnings.list, []);
  t.equal(sha256(image), before, 'looking changes nothing');
  t.end();
});

t.test('it cannot be erased, and answers only to its own names', (t) => {
  const backend = open(kernelCore(LE64, concat(deviceDump(LE64, 'a', bytesOf(10, 0)), prstatus(LE64))));
  t.equal(backend.writable, false);
  t.throws(() => backend.erase(0), { code: 'EPERM' });
  t.throws(() => backend.open(1), { code: 'ENOENT' });
  t.throws(() => backend.open(-1), { code: 'ENOENT' });
  t.throws(() => backend.open(0.5), { code: 'ENOENT' });
  t.equal(backend.record(1), undefined);
  for (const name of ['device-vmcoredd-1', 'device-vmcoredd-00', 'dmesg-vmcoredd-0', 'device-vmcoredd-0.enc.z', '']) {
    t.equal(backend.find(name), undefined, name);
  }
  t.same(backend.space(), { bytes: 4032, freeBytes: 0, records: 1, freeSlots: 0 });
  backend.close();
  t.end();
});

t.test('32- and 64-bit, both byte orders, pages of any size, and every writer', (t) => {
  for (const machine of MACHINES) {
    for (const page of [4096, 16384, 65536]) {
      const label = `${machine.bits} ${machine.endian} page ${page}`;
      const first = bytesOf(5000, 1);
      const notes = concat(
        deviceDump(machine, 'first', first, page),
        deviceDump(machine, 'second', bytesOf(page - 64, 2), page),
        prstatus(machine),
        vmcoreinfo(machine, `OSRELEASE=6.9\nPAGESIZE=${page}\n`),
      );
      const loads = [bytesOf(3000, 9), bytesOf(5001, 8)];
      const cores = {
        kernel: kernelCore(machine, notes, { page, loads: loads.map((data) => ({ data, shift: 0x800 })) }),
        filtered: filteredCore(machine, notes, loads),
        qemu: qemuCore(machine, notes, loads[0]!),
      };
      for (const [writer, core] of Object.entries(cores)) {
        const backend = open(core);
        t.same(titles(backend), ['first', 'second'], `${label} ${writer}`);
        const size = Math.ceil((5000 + 64) / page) * page - 64;
        t.same(
          records(backend).map((record) => record.size),
          [size, page - 64],
        );
        const data = contentBytes(backend.open(0));
        t.same(data.subarray(0, 5000), first);
        t.ok(data.subarray(5000).every((byte) => byte === 0));
        t.match(backend.info(), {
          geometry: { page_size: page },
          abi: { endian: machine.endian, wordBits: machine.bits },
        });
        t.same(codes(backend), []);
      }
    }
  }
  t.end();
});

t.test('the compressed format: every layout of its headers', (t) => {
  for (const endian of ['little', 'big'] as const) {
    for (const layout of ['lp64', 'ilp32-align8', 'ilp32-align4', 'ilp32-time64'] as KdumpLayout[]) {
      for (const block of [4096, 16384, 65536]) {
        const bits = layout === 'lp64' ? 64 : 32;
        const machine = { bits, endian } as const;
        const notes = concat(deviceDump(machine, 'qed', bytesOf(100, 3), block), prstatus(machine));
        const image = kdump(endian, layout, notes, { block, machineName: bits === 64 ? 'x86_64' : 'i686' });
        t.equal(howSure(kind, new MemoryStorage(image)), 1);
        const backend = open(image);
        const label = `${endian} ${layout} ${block}`;
        t.same(titles(backend), ['qed'], label);
        t.same(contentBytes(backend.open(0)).subarray(0, 100), bytesOf(100, 3));
        t.match(
          backend.info(),
          { format: 'kdump', geometry: { page_size: block }, abi: { endian, wordBits: bits } },
          label,
        );
        t.same(codes(backend), []);
      }
    }
  }
  t.test('versions before 4 have no notes; a place outside the file is told', (t) => {
    const notes = deviceDump(LE64, 'x', bytesOf(1, 1));
    for (const version of [1, 2, 3]) {
      const backend = open(kdump('little', 'lp64', notes, { version }));
      t.equal(backend.slots, 0);
      t.match(backend.info().details, { 'header version': String(version), notes: /before version 4/ });
      t.same(codes(backend), []);
    }
    const outside = kdump('little', 'lp64', notes);
    new DataView(outside.buffer).setBigUint64(4096 + 48, 1n << 60n, true);
    t.same([open(outside).slots, codes(open(outside))], [0, ['header-damaged']]);
    const tooLong = open(kdump('little', 'lp64', notes, { notesSize: 1 << 30 }));
    t.same([titles(tooLong), codes(tooLong)], [['x'], ['note-damaged']]);
    t.end();
  });
  t.test('a compressed dump of 32 bits with a time of 64, told by its VMCOREINFO alone', (t) => {
    const text = Buffer.from('OSRELEASE=5.4.0\nPAGESIZE=4096\n');
    const image = kdump('little', 'ilp32-time64', text, { version: 3 });
    const view = new DataView(image.buffer, image.byteOffset);
    view.setBigUint64(4096 + 24, BigInt(4096 + 104), true);
    view.setUint32(4096 + 32, text.length, true);
    const dump = openCrashDump(new MemoryStorage(image), new Warnings());
    t.match(dump, { wordBits: 32, layout: 'ilp32-align8' });
    t.end();
  });

  t.test('cut and senseless ones are refused', (t) => {
    t.throws(() => open(Uint8Array.from(Buffer.from('KDUMP   '))), { code: 'EBADMSG', message: /ends after 8 bytes/ });
    const senseless = new Uint8Array(8192).fill(0xff);
    senseless.set(Buffer.from('KDUMP   '));
    t.throws(() => open(senseless), { code: 'EBADMSG', message: /makes no sense/ });
    t.end();
  });
  t.end();
});

t.test('heads of what QEMU 7.2 wrote (dump-guest-memory; the compressed ones put in order by makedumpfile -R)', (t) => {
  const ppc64 = [
    'CORE type 1 (PRSTATUS), 504 bytes',
    'CORE type 2 (PRFPREG), 264 bytes',
    'CORE type 256 (PPC_VMX), 544 bytes',
  ];
  const x86 = ['CORE type 1 (PRSTATUS), 144 bytes', 'QEMU type 0 (CPU state), 440 bytes'];
  const table = [
    { file: 'qemu-x86_64-head', format: 'vmcore', endian: 'little', page: 4096, offset: 528, notes: x86 },
    { file: 'qemu-ppc64-head', format: 'vmcore', endian: 'big', page: 4096, offset: 304, notes: ppc64 },
    { file: 'qemu-i386-kdump-head', format: 'kdump', endian: 'little', page: 4096, offset: 4200, notes: x86 },
    { file: 'qemu-ppc64-kdump-head', format: 'kdump', endian: 'big', page: 65536, offset: 65640, notes: ppc64 },
  ];
  for (const { file, format, endian, page, offset, notes } of table) {
    const image = new Uint8Array(gunzipSync(readFileSync(join(ROOT, 'test', 'fixtures', 'vmcore', `${file}.raw.gz`))));
    t.equal(howSure(kind, new MemoryStorage(image)), 1);
    const backend = open(image);
    t.equal(backend.slots, 0);
    const info = backend.info();
    t.match(info, { format, abi: { endian, wordBits: 64 }, geometry: { page_size: page } }, file);
    const zones = [...info.zones];
    t.equal(zones[0]!.offset, offset);
    t.same(
      zones.slice(0, notes.length).map((zone) => zone.reason),
      notes,
    );
    t.same(codes(backend), [], 'nothing to warn of');
  }
  t.end();
});

t.test('names: cut, unterminated, duplicate, empty, and with bytes of every kind', (t) => {
  const table: [string | Uint8Array, string | null][] = [
    ['twin', 'twin'],
    ['twin', 'twin'],
    ['', null],
    ['a/b', 'a/b'],
    ['two\nlines\ttab', 'two\\x0alines\\x09tab'],
    ['before\0behind', 'before'],
    ['x'.repeat(44), 'x'.repeat(44)],
    [Uint8Array.from([0xff, 0x41, 0xc3]), '\\xffA\\xc3'],
    ['Gerät', 'Gerät'],
    ['\u202eevil\u2028', '\\xe2\\x80\\xaeevil\\xe2\\x80\\xa8'],
    ['\x1b[31m\x7f', '\\x1b[31m\\x7f'],
    ['..', '..'],
  ];
  const notes = concat(...table.map(([name]) => deviceDump(LE64, name, bytesOf(4032, 0x55))));
  const backend = open(kernelCore(LE64, notes));
  t.same(
    titles(backend),
    table.map(([, title]) => title),
  );
  t.same(new Set(records(backend).map((record) => record.name)).size, table.length);
  t.same(codes(backend), []);
  t.end();
});

t.test('a device dump is one by type and name both; padding and lengths are walked over', (t) => {
  const desc = concat(new Uint8Array(44).fill(0x41), bytesOf(8, 1));
  const notes = concat(
    note(LE64, 'LINUX\0', 0x700, desc),
    note(LE64, 'LINUX', 0x700, desc),
    note(LE64, 'LINUX\0\0\0\0\0\0\0', 0x700, desc),
    note(LE64, 'CORE\0', 0x700, desc),
    note(LE64, 'LINUX\0\0\0', 0x701, desc),
    note(LE64, 'LINUXX\0', 0x700, desc),
    note(LE64, '', 0x700, desc),
    note(LE64, 'VMCOREINFO\0', 0, bytesOf(7, 1)),
    note(LE64, 'LINUX\0\0\0', 0x700, concat(new Uint8Array(44), bytesOf(3, 1))),
    note(LE64, 'LINUX\0\0\0', 0x700, new Uint8Array(44)),
    note(LE64, 'CORE\0', 1, deviceDump(LE64, 'inside', bytesOf(1, 1))),
  );
  const backend = open(kernelCore(LE64, notes));
  t.same(
    records(backend).map((record) => record.size),
    [8, 8, 8, 3, 0],
  );
  t.same(
    [...backend.info().zones].map((zone) => zone.type).join(' '),
    'device device device note note note note note device device note',
  );
  t.same(codes(backend), []);
  t.end();
});

t.test('several note segments, in the order of the program headers', (t) => {
  const one = concat(prstatus(LE64), deviceDump(LE64, 'one', bytesOf(1, 1)));
  const two = concat(deviceDump(LE64, 'two', bytesOf(1, 1)), prstatus(LE64));
  const file = new Uint8Array(40000);
  file.set(two, 4096);
  file.set(one, 16384);
  file.set(
    elfHeaders(LE64, [
      { type: 4, offset: 16384, filesz: one.length },
      { type: 1, offset: 0, filesz: 40000 },
      { type: 4, offset: 0, filesz: 0 },
      { type: 4, offset: 4096, filesz: two.length },
    ]),
  );
  const backend = open(file);
  t.same(titles(backend), ['one', 'two']);
  t.same(codes(backend), []);
  t.end();
});

t.test('zeros end the notes', (t) => {
  const notes = concat(deviceDump(LE64, 'one', bytesOf(1, 1)), prstatus(LE64), new Uint8Array(64));
  const backend = open(kernelCore(LE64, notes));
  t.equal(backend.slots, 1);
  t.match([...backend.info().zones].at(-1), { type: 'padding', size: 64, state: 'unused' });
  t.same(codes(backend), []);
  t.end();
});

t.test('bad input: a clear error, or what is left and a warning', (t) => {
  const dumps = concat(deviceDump(LE64, 'one', bytesOf(1, 1)), deviceDump(LE64, 'two', bytesOf(1, 1)));
  t.test('not a core', (t) => {
    const text = Uint8Array.from(Buffer.from('hello, this is no core at all'.repeat(10)));
    t.equal(howSure(kind, new MemoryStorage(text)), 0);
    t.throws(() => open(text), { code: 'EBADMSG', message: /no vmcore/ });
    t.throws(() => open(new Uint8Array(0)), { code: 'EBADMSG' });
    const executable = elfHeaders(LE64, [], { type: 2 });
    t.equal(howSure(kind, new MemoryStorage(executable)), 0);
    t.throws(() => open(executable), { code: 'EBADMSG', message: /e_type is 2/ });
    const classless = kernelCore(LE64, dumps);
    classless[4] = 7;
    t.throws(() => open(classless), { code: 'EBADMSG', message: /class is 7/ });
    const orderless = kernelCore(LE64, dumps);
    orderless[5] = 0;
    t.throws(() => open(orderless), { code: 'EBADMSG', message: /byte order is 0/ });
    const strange = kernelCore(LE64, dumps);
    new DataView(strange.buffer).setUint16(54, 8, true);
    t.throws(() => open(strange), { code: 'EBADMSG', message: /e_phentsize is 8/ });
    t.same(open(elfHeaders(LE64, [])).slots, 0, 'a core without segments is empty');
    t.end();
  });
  t.test('segments and sizes that overflow', (t) => {
    const file = (segments: { offset: bigint; filesz: bigint }[]) => {
      const bytes = new Uint8Array(16384);
      bytes.set(dumps, 4096);
      bytes.set(
        elfHeaders(
          LE64,
          segments.map((segment) => ({ type: 4, ...segment })),
        ),
      );
      return bytes;
    };
    const table: [string, { offset: bigint; filesz: bigint }[], string[], string[]][] = [
      ['behind the end', [{ offset: 16384n, filesz: 100n }], [], ['note-damaged']],
      ['far behind the end', [{ offset: (1n << 64n) - 1n, filesz: (1n << 64n) - 1n }], [], ['note-damaged']],
      ['longer than the file', [{ offset: 4096n, filesz: (1n << 64n) - 1n }], ['one', 'two'], ['note-damaged']],
      [
        'the same twice',
        [
          { offset: 4096n, filesz: 8192n },
          { offset: 4096n, filesz: 8192n },
        ],
        ['one', 'two'],
        ['note-damaged'],
      ],
      [
        'one inside the other',
        [
          { offset: 4096n, filesz: 8192n },
          { offset: 8192n, filesz: 10n },
        ],
        ['one', 'two'],
        ['note-damaged'],
      ],
      [
        'the inner one first',
        [
          { offset: 8192n, filesz: 4096n },
          { offset: 4096n, filesz: 8192n },
        ],
        ['two'],
        ['note-damaged'],
      ],
      [
        'neighbours',
        [
          { offset: 8192n, filesz: 4096n },
          { offset: 4096n, filesz: 4096n },
        ],
        ['two', 'one'],
        [],
      ],
    ];
    for (const [label, segments, expected, warned] of table) {
      const backend = open(new CountingStorage(file(segments)));
      t.same(titles(backend), expected, label);
      t.same(codes(backend), warned, label);
    }
    t.end();
  });
  t.test('notes whose sizes lie', (t) => {
    const lies: [string, Uint8Array, string[], number][] = [
      [
        'descsz beyond the segment',
        note(LE64, 'LINUX\0\0\0', 0x700, new Uint8Array(60), { descsz: 0xffffffff }),
        [''],
        1,
      ],
      ['descsz too small', concat(note(LE64, 'LINUX\0\0\0', 0x700, new Uint8Array(43)), prstatus(LE64)), [], 1],
      ['namesz beyond', note(LE64, 'LINUX\0\0\0', 0x700, new Uint8Array(60), { namesz: 0xffffffff }), [], 1],
      ['cut in a note header', concat(prstatus(LE64), Uint8Array.of(1, 2, 3, 4)), [], 1],
      ['a few zeros at the end', concat(prstatus(LE64), new Uint8Array(8)), [], 0],
    ];
    for (const [label, notes, expected, warned] of lies) {
      const core = concat(elfHeaders(LE64, [{ type: 4, offset: 120, filesz: notes.length }]), notes);
      const backend = open(new CountingStorage(core));
      t.same(
        records(backend).map((record) => record.title ?? ''),
        expected,
        label,
      );
      t.same(codes(backend).length, warned, label);
      t.doesNotThrow(() => [...backend.info().zones]);
    }
    const cut = open(concat(elfHeaders(LE64, [{ type: 4, offset: 120, filesz: 100 }]), dumps));
    t.match(records(cut), [{ title: 'one', size: 36 }]);
    t.match(cut.warnings.list, [
      { code: 'note-damaged', offset: 120, message: /the note segment of program header 0 ends at 220/ },
    ]);
    t.end();
  });
  t.test('a small core cut at every byte', (t) => {
    for (const core of [
      kernelCore(LE64, concat(note(LE64, 'LINUX\0\0\0', 0x700, new Uint8Array(50)), prstatus(LE64)), { page: 64 }),
      kernelCore(BE32, concat(note(BE32, 'LINUX\0\0\0', 0x700, new Uint8Array(50)), prstatus(BE32)), { page: 64 }),
      kdump('big', 'lp64', note(BE64, 'LINUX\0\0\0', 0x700, new Uint8Array(50)), { block: 512 }),
    ]) {
      for (let length = 0; length < core.length; length++) {
        const storage = new CountingStorage(core.slice(0, length), { path: 'cut' });
        try {
          const backend = open(storage);
          const all = records(backend);
          for (const record of all) t.equal(contentBytes(backend.open(record.slot)).length, record.size);
          if (![...backend.info().zones].some((zone) => zone.state === 'other') && core.length === length)
            t.fail('lost');
          if (all.length === 0 && length > 128) t.not(backend.warnings.list.length, 0, `cut at ${length} is told`);
        } catch (error) {
          if (!(error instanceof PstoreError) || error.code !== 'EBADMSG') t.fail(`cut at ${length}: ${error}`);
        }
      }
    }
    t.end();
  });
  t.test('more program headers than e_phnum can count', (t) => {
    const bytes = new Uint8Array(16384);
    bytes.set(dumps, 4096);
    const segments = [
      { type: 1, offset: 0, filesz: 0 },
      { type: 4, offset: 4096, filesz: 8192 },
    ];
    const head = elfHeaders(LE64, segments, { phnum: 0xffff, shoff: 1024 });
    bytes.set(head);
    new DataView(bytes.buffer).setUint32(1024 + 44, 2, true);
    t.same([titles(open(bytes)), open(bytes).info().details['program headers']], [['one', 'two'], '2']);
    new DataView(bytes.buffer).setUint32(1024 + 44, 0xffffffff, true);
    const garbage = open(bytes);
    t.same(titles(garbage).slice(0, 2), ['one', 'two']);
    t.ok(codes(garbage).includes('header-damaged'));
    t.end();
  });
  t.end();
});

t.test('hostile bytes never crash it, and it never reads outside the file', (t) => {
  const base = kernelCore(LE64, concat(note(LE64, 'LINUX\0\0\0', 0x700, new Uint8Array(60)), prstatus(LE64)), {
    page: 256,
  });
  const compressed = kdump('little', 'lp64', note(LE64, 'LINUX\0\0\0', 0x700, new Uint8Array(60)), { block: 512 });
  const edit = fc.tuple(fc.nat(900), fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat(255)));
  fc.assert(
    fc.property(fc.constantFrom(base, compressed), fc.array(edit, { maxLength: 12 }), (image, edits) => {
      const bytes = image.slice();
      for (const [at, value] of edits) bytes[at % bytes.length] = value;
      try {
        const backend = open(new CountingStorage(bytes));
        for (const record of records(backend)) {
          const content = contentBytes(backend.open(record.slot));
          if (content.length !== record.size) throw new Error('size');
        }
        [...backend.info().zones];
      } catch (error) {
        if (!(error instanceof PstoreError)) throw error;
      }
    }),
    { numRuns: 1000 },
  );
  t.end();
});

t.test('what a writer put in comes out again', (t) => {
  const dump = fc.record({ name: fc.uint8Array({ maxLength: 44 }), data: fc.uint8Array({ maxLength: 300 }) });
  fc.assert(
    fc.property(fc.constantFrom(...MACHINES), fc.array(dump, { maxLength: 5 }), fc.nat(3), (machine, dumps, others) => {
      const notes = concat(
        ...dumps.map(({ name, data }) => {
          const desc = new Uint8Array(44 + data.length);
          desc.set(name);
          desc.set(data, 44);
          return note(machine, 'LINUX\0\0\0', 0x700, desc);
        }),
        ...Array.from({ length: others }, () => prstatus(machine)),
      );
      const backend = open(filteredCore(machine, notes, [bytesOf(100, 1)]));
      if (backend.slots !== dumps.length) throw new Error(`${backend.slots} of ${dumps.length}`);
      dumps.forEach(({ data }, slot) => {
        if (Buffer.compare(contentBytes(backend.open(slot)), data) !== 0) throw new Error(`dump ${slot}`);
      });
      if ([...backend.info().zones].length !== dumps.length + others) throw new Error('zones');
    }),
    { numRuns: 100 },
  );
  t.end();
});

/** A file of which only some pieces are stored. */
class SparseStorage implements Storage {
  readonly path = 'sparse';
  readonly writable = false;
  readonly size: number;
  bytesRead = 0;
  readonly #fd: number;
  constructor(fd: number, size: number) {
    this.#fd = fd;
    this.size = size;
  }
  read(target: Uint8Array, offset: number): number {
    this.bytesRead += target.length;
    return readSync(this.#fd, target, 0, target.length, offset);
  }
  write(): void {
    throw new PstoreError('EROFS', 'read-only');
  }
  sync(): void {}
  close(): void {}
}

t.test('a sparse vmcore of 100 GiB with dumps of 2 GiB lists at once', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vmcoredd-'));
  const fd = openSync(join(folder, 'vmcore'), 'w+');
  const size = 100 * 2 ** 30;
  try {
    ftruncateSync(fd, size);
    const count = 46;
    const each = 2 ** 31;
    writeSync(fd, elfHeaders(LE64, [{ type: 4, offset: 4096, filesz: count * each + 356 }]), 0, null, 0);
    const head = deviceDump(LE64, 'huge', new Uint8Array(0)).subarray(0, 64);
    new DataView(head.buffer).setUint32(4, each - 20, true);
    for (let i = 0; i < count; i++) writeSync(fd, head, 0, 64, 4096 + i * each);
    writeSync(fd, prstatus(LE64), 0, null, 4096 + count * each);
    const storage = new SparseStorage(fd, size);
    const backend = open(storage);
    const listed = records(backend);
    t.equal(listed.length, count);
    t.ok(listed.every((record) => record.size === each - 64 && record.title === 'huge'));
    t.ok(storage.bytesRead < 64 << 10, `${storage.bytesRead} bytes read`);
    const end = new Uint8Array(16);
    t.equal(backend.open(45).read(end, each - 64 - 8), 8, 'the end of the last dump');
    t.same(codes(backend), []);
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
  t.end();
});

t.test('a segment of 100 GiB of zeros holds no notes, and takes no time', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vmcoredd-'));
  const fd = openSync(join(folder, 'vmcore'), 'w+');
  try {
    ftruncateSync(fd, 100 * 2 ** 30);
    writeSync(fd, elfHeaders(LE64, [{ type: 4, offset: 4096, filesz: 99 * 2 ** 30 }]), 0, null, 0);
    const storage = new SparseStorage(fd, 100 * 2 ** 30);
    t.equal(open(storage).slots, 0);
    t.ok(storage.bytesRead < 256 << 10);
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
  t.end();
});

t.test('a program header table of 100 GiB is read up to a limit', (t) => {
  const head = elfHeaders(LE64, [], { phnum: 0xffff, shoff: 64 + 4096 });
  const section = new Uint8Array(64);
  section.fill(0xff, 44, 48);
  const storage: Storage = {
    path: 'sparse',
    size: 100 * 2 ** 30,
    writable: false,
    read(target, offset) {
      target.fill(0);
      target.set((offset === 0 ? head : offset === 4160 ? section : new Uint8Array(0)).subarray(0, target.length));
      return target.length;
    },
    write() {},
    sync() {},
    close() {},
  };
  const backend = open(storage);
  t.equal(backend.slots, 0);
  t.match(backend.warnings.list.at(-1), { code: 'header-damaged', message: /only the first 1048576 are read/ });
  t.end();
});

t.test('a million notes, a third of them device dumps', (t) => {
  const three = concat(
    note(LE64, 'LINUX\0\0\0', 0x700, new Uint8Array(48).fill(0x61)),
    note(LE64, 'CORE\0', 1, new Uint8Array(4)),
    note(LE64, '', 9, new Uint8Array(0)),
  );
  const times = 333_334;
  const notes = Buffer.alloc(three.length * times, three);
  const storage = new CountingStorage(
    concat(elfHeaders(LE64, [{ type: 4, offset: 120, filesz: notes.length }]), notes),
  );
  const backend = open(storage);
  t.equal(backend.slots, times);
  t.match(backend.record(times - 1), { size: 4, name: `device-vmcoredd-${times - 1}` });
  t.ok(storage.reads < 2000, `${storage.reads} reads`);
  let zones = 0;
  for (const _ of backend.info().zones) zones++;
  t.equal(zones, 4097, 'so many are listed, and how many more there are');
  t.end();
});

t.test('more notes than are walked are told, not listed', (t) => {
  const tiny = note(LE64, '', 9, new Uint8Array(0));
  const notes = Buffer.alloc(12 * ((1 << 22) + 5), tiny);
  const backend = open(concat(elfHeaders(LE64, [{ type: 4, offset: 120, filesz: notes.length }]), notes));
  t.match(backend.warnings.list, [
    { code: 'note-damaged', message: /more than 4194304 notes/, offset: 120 + 12 * (1 << 22) },
  ]);
  t.end();
});

const noReadelf = existsSync('/usr/bin/readelf') ? false : 'readelf is not installed (Debian package binutils)';

t.test('the same dumps by readelf', { skip: noReadelf }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vmcoredd-'));
  try {
    for (const machine of [LE64, BE64, LE32, BE32]) {
      const notes = concat(
        deviceDump(machine, 'a', bytesOf(5, 1)),
        deviceDump(machine, 'b', bytesOf(5000, 1)),
        prstatus(machine),
      );
      const core = kernelCore(machine, notes);
      const path = join(folder, 'core');
      const fd = openSync(path, 'w');
      writeSync(fd, core);
      closeSync(fd);
      const output = execFileSync('readelf', ['-nW', path], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
      const sizes = [...output.matchAll(/LINUX\s+0x([0-9a-f]+)/g)].map((match) => Number.parseInt(match[1]!, 16) - 44);
      t.same(
        records(open(core)).map((record) => record.size),
        sizes,
        `${machine.bits} ${machine.endian}`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  t.end();
});

/** /proc/kcore's descriptor, or why it cannot be read. */
function openKcore(): number | string {
  try {
    const fd = openSync('/proc/kcore', 'r');
    if (readSync(fd, new Uint8Array(64), 0, 64, 0) === 64) return fd;
    closeSync(fd);
    return '/proc/kcore gives no bytes here';
  } catch (error) {
    return `/proc/kcore cannot be read here (${(error as NodeJS.ErrnoException).code})`;
  }
}

const kcore = openKcore();

t.test('the notes of /proc/kcore', { skip: typeof kcore === 'string' ? kcore : false }, (t) => {
  const fd = kcore as number;
  try {
    const backend = open(new SparseStorage(fd, Number.MAX_SAFE_INTEGER));
    t.equal(backend.slots, 0);
    const reasons = [...backend.info().zones].map((zone) => zone.reason ?? '');
    t.ok(
      reasons.some((reason) => reason.startsWith('CORE type 1')),
      reasons.join('; '),
    );
  } finally {
    closeSync(fd);
  }
  t.end();
});
