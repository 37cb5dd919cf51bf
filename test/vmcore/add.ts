import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { PstoreError } from '../../lib/errors.js';
import type { Backend } from '../../lib/pstore/backend.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import type { Storage } from '../../lib/storage/storage.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { addDeviceDump, type Plan, planChunks } from '../../lib/vmcore/add.js';
import { vmcoredd } from '../../lib/vmcore/backend.js';
import { Warnings } from '../../lib/warnings.js';
import {
  BE64,
  concat,
  deviceDump,
  elfHeaders,
  filteredCore,
  kdump,
  kernelCore,
  LE32,
  LE64,
  MACHINES,
  type Machine,
  note,
  prstatus,
  qemuCore,
  vmcoreinfo,
} from '../builders/vmcore.js';
import { goldenImage } from '../fixture-path.js';

const bytesOf = (length: number, seed: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + seed) & 0xff);

function open(image: Uint8Array): Backend {
  return vmcoredd.open({
    path: 'new',
    storage: SurvivingStorage.over(new MemoryStorage(image, { path: 'new' })),
    keys: new SourceKeys(),
    warnings: new Warnings(),
    cache: new TextCache(),
    readFile: () => new Uint8Array(0),
  });
}

function carryOut(plan: Plan, data: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  const dump = (target: Uint8Array, position: number) => {
    const part = data.subarray(position, position + target.length);
    target.set(part);
    return part.length;
  };
  for (const part of planChunks(plan, dump)) parts.push(part.slice());
  const image = concat(...parts);
  if (image.length !== plan.size) throw new Error(`${image.length} bytes, planned were ${plan.size}`);
  return image;
}

function add(image: Uint8Array, name: string, data: Uint8Array): { image: Uint8Array; plan: Plan } {
  const source = new MemoryStorage(image, { path: 'old', writable: false });
  const plan = addDeviceDump(source, name, data.length);
  return { image: carryOut(plan, data), plan };
}

/** The program headers, read independently of the code under test: [type, offset, filesz, memsz]. */
function segments(image: Uint8Array): { type: number; offset: number; filesz: number; memsz: number }[] {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const wide = image[4] === 2;
  const little = image[5] === 1;
  const word = (at: number) => (wide ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little));
  const phoff = word(wide ? 32 : 28);
  const count = view.getUint16(wide ? 56 : 44, little);
  return Array.from({ length: count }, (_, index) => {
    const at = phoff + index * (wide ? 56 : 32);
    return {
      type: view.getUint32(at, little),
      offset: word(at + (wide ? 8 : 4)),
      filesz: word(at + (wide ? 32 : 16)),
      memsz: word(at + (wide ? 40 : 20)),
    };
  });
}

const titles = (backend: Backend) => Array.from({ length: backend.slots }, (_, slot) => backend.record(slot)!.title);

t.test("the kernel's own file: its last dump taken out and added again gives it back byte for byte", (t) => {
  const image = goldenImage('vmcoredd-1', 'vmcore-head.raw');
  const [from, to] = [36864, 49152];
  const without = concat(image.subarray(0, from), image.subarray(to));
  const view = new DataView(without.buffer);
  const edit = (at: number) => view.setBigUint64(at, view.getBigUint64(at, true) - BigInt(to - from), true);
  for (const at of [64 + 32, 64 + 40, 120 + 8, 176 + 8, 232 + 8]) edit(at);
  const { image: again, plan } = add(without, 'text-registers', image.slice(from + 64, from + 64 + 9000));
  t.match(plan, { noteOffset: from, dataOffset: from + 64, storedSize: 12224, pageSize: 4096, size: image.length });
  t.equal(Buffer.compare(again, image), 0);
  t.end();
});

t.test('a vmcore of the kernel: it is as if the dump had been there from the beginning', (t) => {
  for (const machine of MACHINES) {
    for (const page of [4096, 16384]) {
      const rest = [prstatus(machine), vmcoreinfo(machine, `PAGESIZE=${page}\n`)];
      const loads = [
        { data: bytesOf(10000, 1) },
        { data: bytesOf(5000, 2), shift: 0x800 },
        { data: bytesOf(100, 3), shift: 0x123 },
      ];
      let image = kernelCore(machine, concat(...rest), { page, loads });
      const dumps: Uint8Array[] = [];
      for (const [name, size] of [
        ['first', 6000],
        ['second', page - 64],
        ['third', page - 63],
        ['fourth', 1],
      ] as const) {
        const added = add(image, name, bytesOf(size, size));
        dumps.push(deviceDump(machine, name, bytesOf(size, size), page));
        image = added.image;
        t.equal(added.plan.storedSize + 44, Math.ceil((64 + size) / page) * page - 20, 'descsz');
        const whole = kernelCore(machine, concat(...dumps, ...rest), { page, loads });
        t.equal(Buffer.compare(image, whole), 0, `${machine.bits} ${machine.endian} ${page} ${name}`);
      }
    }
  }
  t.end();
});

t.test('names: what the note has room for', (t) => {
  const core = kernelCore(LE64, prstatus(LE64));
  const table: [string, string][] = [
    ['a', 'a'],
    ['x'.repeat(44), 'x'.repeat(43)],
    ['y'.repeat(43), 'y'.repeat(43)],
    ['before\0behind', 'before'],
    ['two\nlines', 'two\\x0alines'],
  ];
  for (const [name, title] of table) {
    const { image, plan } = add(core, name, bytesOf(10, 1));
    t.equal(open(image).record(0)!.title, title);
    t.ok(plan.name.length <= 44);
  }
  t.end();
});

t.test('what the kernel refuses, and what cannot be added to', (t) => {
  const core = new MemoryStorage(kernelCore(LE64, concat(deviceDump(LE64, 'one', bytesOf(5, 1)), prstatus(LE64))));
  const table: [string, Storage, string, number, string, RegExp][] = [
    ['no name', core, '', 10, 'EINVAL', /must have a name/],
    ['a name of zeros', core, '\0a', 10, 'EINVAL', /must have a name/],
    ['no data', core, 'a', 0, 'EINVAL', /must have data/],
    ['less than no data', core, 'a', -1, 'EINVAL', /must have data/],
    ['half a byte', core, 'a', 1.5, 'EINVAL', /must have data/],
    ['too long for a note', core, 'a', 2 ** 32 - 63, 'EFBIG', /32 bits/],
    ['compressed', new MemoryStorage(kdump('little', 'lp64', prstatus(LE64))), 'a', 1, 'ENOTSUP', /compressed/],
    ['no ELF file', new MemoryStorage(new Uint8Array(5000)), 'a', 1, 'EBADMSG', /no vmcore/],
    [
      'no notes',
      new MemoryStorage(elfHeaders(LE64, [{ type: 1, offset: 0, filesz: 0 }])),
      'a',
      1,
      'EBADMSG',
      /no segment of notes/,
    ],
    [
      'cut notes',
      new MemoryStorage(kernelCore(LE64, prstatus(LE64)).slice(0, 4200)),
      'a',
      1,
      'EBADMSG',
      /the file ends at 4200, inside the note segment of program header 0 .*: copy all of it; a dump can be added to/,
    ],
    [
      'cut program headers',
      new MemoryStorage(
        concat(elfHeaders(LE64, [{ type: 4, offset: 64, filesz: 20 }], { phnum: 2 }), new Uint8Array(50)),
      ),
      'a',
      1,
      'EBADMSG',
      /of 2 program headers only 1 are in the file/,
    ],
    [
      'damaged notes',
      new MemoryStorage(kernelCore(LE64, note(LE64, 'CORE\0', 1, new Uint8Array(8), { descsz: 500 }))),
      'a',
      1,
      'EBADMSG',
      /are damaged; a dump/,
    ],
    [
      'memory across the notes',
      new MemoryStorage(
        concat(
          elfHeaders(LE64, [
            { type: 4, offset: 176, filesz: 356 },
            { type: 1, offset: 200, filesz: 100 },
          ]),
          prstatus(LE64),
        ),
      ),
      'a',
      1,
      'EBADMSG',
      /from 200 to 300 lies across the notes from 176 to 532/,
    ],
    [
      'offsets that overflow',
      new MemoryStorage(
        concat(
          elfHeaders(LE64, [
            { type: 4, offset: 176, filesz: 356 },
            { type: 1, offset: 1n << 63n, filesz: 1n << 63n },
          ]),
          prstatus(LE64),
        ),
      ),
      'a',
      1,
      'EFBIG',
      /beyond what an offset can say/,
    ],
    [
      'offsets beyond 32 bits',
      new MemoryStorage(
        concat(
          elfHeaders(LE32, [
            { type: 4, offset: 116, filesz: 164 },
            { type: 1, offset: 0xfffff000, filesz: 10 },
          ]),
          prstatus(LE32),
        ),
      ),
      'a',
      5000,
      'EFBIG',
      /beyond what an offset can say/,
    ],
  ];
  for (const [label, storage, name, size, code, message] of table) {
    t.throws(() => addDeviceDump(storage, name, size), { code, message }, label);
  }
  t.end();
});

t.test('a dump that fails, or a file that was cut meanwhile, is an error and no file', (t) => {
  const image = kernelCore(LE64, prstatus(LE64), { loads: [{ data: bytesOf(5000, 1) }] });
  const plan = addDeviceDump(new MemoryStorage(image), 'a', 100);
  t.throws(() => [...planChunks(plan, () => 50)], {
    code: 'EIO',
    message: /the dump gave 50 of 100/,
  });
  const cut = new MemoryStorage(image.slice(0, 5000), { path: 'old' });
  t.throws(() => [...planChunks({ ...plan, source: cut }, (target) => target.length)], {
    code: 'EIO',
    message: /old gave/,
  });
  t.end();
});

t.test('filtered vmcores: nothing is aligned, and all that was there is there', (t) => {
  for (const machine of MACHINES) {
    const loads = [bytesOf(3001, 1), bytesOf(0, 2), bytesOf(7777, 3), bytesOf(5, 4)];
    const old = concat(
      filteredCore(machine, concat(deviceDump(machine, 'old', bytesOf(9, 1)), prstatus(machine)), loads),
      bytesOf(99, 5),
    );
    const { image } = add(old, 'new', bytesOf(300, 9));
    const backend = open(image);
    t.same(titles(backend), ['old', 'new']);
    t.same(contentBytes(backend.open(1)).subarray(0, 300), bytesOf(300, 9));
    const before = segments(old);
    const after = segments(image);
    t.equal(after[0]!.filesz, before[0]!.filesz + 4096);
    t.equal(after[0]!.memsz, after[0]!.filesz);
    for (let i = 1; i < before.length; i++) {
      const [was, is] = [before[i]!, after[i]!];
      t.same([is.filesz, is.memsz, is.offset % 4096], [was.filesz, was.memsz, was.offset % 4096]);
      t.same(image.subarray(is.offset, is.offset + is.filesz), loads[i - 1]);
      t.ok(is.offset >= was.offset + 4096);
    }
    t.same(image.subarray(-99), bytesOf(99, 5), 'what no header speaks of');
  }
  t.end();
});

t.test('cores of QEMU, with sections and without', (t) => {
  for (const machine of [LE64, BE64, LE32]) {
    const old = qemuCore(machine, prstatus(machine), bytesOf(5000, 1));
    const { image } = add(old, 'new', bytesOf(10, 1));
    t.same(titles(open(image)), ['new']);
    const load = segments(image)[1]!;
    t.same(image.subarray(load.offset, load.offset + 5000), bytesOf(5000, 1));
    t.same(image.subarray(0, machine.bits === 64 ? 192 : 132), old.subarray(0, machine.bits === 64 ? 192 : 132));
  }
  t.end();
});

t.test('segments that show the same bytes go on doing so', (t) => {
  const memory = bytesOf(10000, 1);
  const head = elfHeaders(LE64, [
    { type: 4, offset: 4096, filesz: 356 },
    { type: 1, offset: 8192, filesz: 10000 },
    { type: 1, offset: 10000, filesz: 100 },
    { type: 1, offset: 8192, filesz: 10000 },
    { type: 1, offset: 0, filesz: 0 },
    { type: 1, offset: 12000, filesz: 20000 },
  ]);
  const old = new Uint8Array(32000);
  old.set(head);
  old.set(prstatus(LE64), 4096);
  old.set(memory, 8192);
  const { image } = add(old, 'new', bytesOf(5000, 1));
  t.same(
    segments(image).map(({ offset }) => offset),
    [4096, 16384, 18192, 16384, 0, 20192],
  );
  t.same(image.subarray(16384, 26384), memory);
  t.equal(image.length, 32000 + 8192);
  t.end();
});

t.test('tables of headers behind the notes move too', (t) => {
  const notes = prstatus(LE64);
  const headers = elfHeaders(
    LE64,
    [
      { type: 4, offset: 64, filesz: notes.length },
      { type: 1, offset: 1000, filesz: 500 },
    ],
    {
      phoff: 500,
    },
  );
  const old = new Uint8Array(1500).fill(0xab);
  old.set(headers.subarray(0, 64));
  old.set(notes, 64);
  old.set(headers.subarray(500), 500);
  const { image } = add(old, 'new', bytesOf(10, 1));
  t.same(titles(open(image)), ['new']);
  const load = segments(image)[1]!;
  t.same([load.offset % 4096, load.filesz], [1000, 500]);
  t.ok(image.subarray(load.offset, load.offset + 500).every((byte) => byte === 0xab));
  t.end();
});

t.test('several note segments: behind the last device dump, else in front of all notes', (t) => {
  const file = (first: Uint8Array, second: Uint8Array) => {
    const bytes = new Uint8Array(40000);
    bytes.set(first, 4096);
    bytes.set(second, 20480);
    bytes.set(
      elfHeaders(LE64, [
        { type: 4, offset: 4096, filesz: first.length },
        { type: 4, offset: 20480, filesz: second.length },
      ]),
    );
    return bytes;
  };
  const dump = deviceDump(LE64, 'old', bytesOf(1, 1));
  const other = prstatus(LE64);
  const inSecond = add(file(other, concat(dump, other)), 'new', bytesOf(1, 1));
  t.same([titles(open(inSecond.image)), inSecond.plan.noteOffset], [['old', 'new'], 20480 + 4096]);
  const inFirst = add(file(concat(dump, other), other), 'new', bytesOf(1, 1));
  t.same([titles(open(inFirst.image)), inFirst.plan.noteOffset], [['old', 'new'], 8192]);
  const none = add(file(other, other), 'new', bytesOf(1, 1));
  t.same([titles(open(none.image)), none.plan.noteOffset], [['new'], 4096]);
  t.end();
});

t.test('a dump whose end is not padded, at the end of its segment and of the file', (t) => {
  const bare = note(LE64, 'LINUX\0\0\0', 0x700, new Uint8Array(47).fill(0x61)).subarray(0, 20 + 47);
  const old = concat(elfHeaders(LE64, [{ type: 4, offset: 120, filesz: bare.length }]), bare);
  const { image, plan } = add(old, 'new', bytesOf(10, 1));
  const backend = open(image);
  t.same([backend.slots, backend.record(0)!.size, backend.record(1)!.size], [2, 3, 4032]);
  t.equal(plan.size, old.length + 1 + 4096, 'the zeros behind the data are there');
  t.same(backend.warnings.list, []);
  t.end();
});

t.test('what is planned holds for any core', (t) => {
  const load = fc.record({ data: fc.uint8Array({ maxLength: 300 }), shift: fc.nat(511) });
  fc.assert(
    fc.property(
      fc.constantFrom(...MACHINES),
      fc.boolean(),
      fc.nat(3),
      fc.array(load, { maxLength: 4 }),
      fc.integer({ min: 1, max: 2000 }),
      (machine: Machine, filtered, dumps, loads, size) => {
        const page = 512;
        const notes = concat(
          ...Array.from({ length: dumps }, (_, i) => deviceDump(machine, `dump ${i}`, bytesOf(i * 300, i), page)),
          prstatus(machine),
          vmcoreinfo(machine, `PAGESIZE=${page}\n`),
        );
        const old = filtered
          ? filteredCore(
              machine,
              notes,
              loads.map(({ data }) => data),
            )
          : kernelCore(machine, notes, { page, loads });
        const { image, plan } = add(old, 'new', bytesOf(size, 1));
        const [was, is] = [open(old), open(image)];
        const wanted = [...titles(was), 'new'];
        if (titles(is).join() !== wanted.join()) throw new Error(`${titles(is)}`);
        if ([...is.info().zones].length !== [...was.info().zones].length + 1) throw new Error('notes');
        if (is.warnings.list.length > 0) throw new Error(is.warnings.list[0]!.message);
        const stored = contentBytes(is.open(dumps));
        if (stored.length !== plan.storedSize || Buffer.compare(stored.subarray(0, size), bytesOf(size, 1)) !== 0) {
          throw new Error('data');
        }
        const after = segments(image);
        segments(old).forEach(({ type, offset, filesz }, i) => {
          if (type !== 1) return;
          const there = after[i]!;
          const bytes = image.subarray(there.offset, there.offset + there.filesz);
          if (Buffer.compare(bytes, old.subarray(offset, offset + filesz)) !== 0) throw new Error(`segment ${i}`);
          if (there.offset % page !== offset % page) throw new Error(`segment ${i} is elsewhere in its page`);
        });
      },
    ),
    { numRuns: 150 },
  );
  t.end();
});

t.test('hostile bytes: a plan or a clear error, never a crash', (t) => {
  const base = qemuCore(LE64, concat(deviceDump(LE64, 'one', bytesOf(5, 1), 64), prstatus(LE64)), bytesOf(100, 1));
  const edit = fc.tuple(fc.nat(500), fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat(255)));
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 8 }), (edits) => {
      const bytes = base.slice();
      for (const [at, value] of edits) bytes[at] = value;
      const source = new MemoryStorage(bytes);
      try {
        const plan = addDeviceDump(source, 'x', 10);
        if (plan.size > 4 * bytes.length + 16384) return;
        carryOut(plan, bytesOf(10, 1));
      } catch (error) {
        if (!(error instanceof PstoreError)) throw error;
      }
    }),
    { numRuns: 1000 },
  );
  t.end();
});

t.test('a vmcore of 100 GiB is planned from its headers', (t) => {
  const head = kernelCore(LE64, prstatus(LE64));
  const size = 100 * 2 ** 30;
  const segment = elfHeaders(LE64, [
    { type: 4, offset: 4096, filesz: 356 },
    { type: 1, offset: 8192, filesz: size - 8192 },
  ]);
  head.set(segment);
  let bytesRead = 0;
  const storage: Storage = {
    path: 'huge',
    size,
    writable: false,
    read(target, offset) {
      bytesRead += target.length;
      target.fill(0);
      target.set(head.subarray(offset, offset + target.length));
      return target.length;
    },
    write() {},
    sync() {},
    close() {},
  };
  const plan = addDeviceDump(storage, 'new', 3 * 2 ** 30);
  t.equal(plan.size, size + 3 * 2 ** 30 + 4096);
  t.ok(bytesRead < 16384, `${bytesRead} bytes read`);
  t.ok(plan.runs.length < 20);
  t.end();
});

const noReadelf = existsSync('/usr/bin/readelf') ? false : 'readelf is not installed (Debian package binutils)';

t.test('readelf agrees with what was added', { skip: noReadelf }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vmcoredd-add-'));
  const readelf = (option: string, image: Uint8Array) => {
    const path = join(folder, 'core');
    writeFileSync(path, image);
    return execFileSync('readelf', [option, path], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  };
  try {
    for (const machine of MACHINES) {
      const old = kernelCore(machine, concat(deviceDump(machine, 'old', bytesOf(1, 1)), prstatus(machine)), {
        loads: [{ data: bytesOf(6000, 1), shift: 0x800 }],
      });
      const { image } = add(old, 'new', bytesOf(5000, 1));
      const notes = [...readelf('-nW', image).matchAll(/^\s+(LINUX|CORE)\s+0x([0-9a-f]+)/gm)];
      t.same(
        notes.map((match) => `${match[1]} ${Number.parseInt(match[2]!, 16)}`),
        ['LINUX 4076', 'LINUX 8172', `CORE ${machine.bits === 64 ? 336 : 144}`],
      );
      const programs = [...readelf('-lW', image).matchAll(/^\s+(NOTE|LOAD)\s+0x([0-9a-f]+)/gm)];
      t.same(
        programs.map((match) => `${match[1]} ${Number.parseInt(match[2]!, 16)}`),
        ['NOTE 4096', `LOAD ${segments(old)[1]!.offset + 8192}`],
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  t.end();
});
