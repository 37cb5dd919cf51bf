import fc from 'fast-check';
import t from 'tap';
import {
  type ElfNote,
  encodeDeviceDumpHeader,
  isDeviceDump,
  isVmcoreinfo,
  type NoteEnd,
  notePadding,
  noteTypeName,
  PADDED_TO_4,
  padded,
  walkNotes,
} from '../../lib/vmcore/note.js';
import {
  BE64,
  concat,
  deviceDump,
  LE32,
  LE64,
  MACHINES,
  type Machine,
  note,
  vmcoreinfo,
  Writer,
} from '../builders/vmcore.js';

/** Walks all of `bytes` from `start` on. */
function walk(bytes: Uint8Array, machine: Machine, start = 0, end = bytes.length): { notes: ElfNote[]; end: NoteEnd } {
  const walker = walkNotes(
    {
      bytes: (offset, length) => {
        if (offset < start || offset + length > end) throw new RangeError(`${length} bytes at ${offset}`);
        return bytes.subarray(offset, offset + length);
      },
    },
    start,
    end,
    machine.endian,
  );
  const notes: ElfNote[] = [];
  for (let step = walker.next(); ; step = walker.next()) {
    if (step.done) return { notes, end: step.value };
    notes.push(step.value);
  }
}

t.test('a length with its padding', (t) => {
  for (const [length, expected] of [
    [0, 0],
    [1, 4],
    [4, 4],
    [5, 8],
    [0xfffffffd, 0x100000000],
    [0xffffffff, 0x100000000],
  ] as const) {
    t.equal(padded(length, 4), expected);
  }
  t.end();
});

t.test('sizes, names and places', (t) => {
  const bytes = concat(
    note(BE64, 'CORE\0', 1, new Uint8Array(5)),
    note(BE64, '', 7, new Uint8Array(0)),
    vmcoreinfo(BE64, 'A=1'),
  );
  const { notes, end } = walk(concat(new Uint8Array(3), bytes), BE64, 3);
  t.same(notes, [
    { offset: 3, namesz: 5, descsz: 5, type: 1, name: 'CORE', descOffset: 23, descEnd: 28, next: 31 },
    { offset: 31, namesz: 0, descsz: 0, type: 7, name: '', descOffset: 43, descEnd: 43, next: 43 },
    { offset: 43, namesz: 11, descsz: 3, type: 0, name: 'VMCOREINFO', descOffset: 67, descEnd: 70, next: 71 },
  ]);
  t.same(end, { kind: 'end' });
  t.same(notes.map(isVmcoreinfo), [false, false, true]);
  t.same(notes.map(noteTypeName), ['PRSTATUS', undefined, 'VMCOREINFO']);
  t.equal(noteTypeName({ ...notes[0]!, name: '__proto__' }), undefined);
  const registers: [string, number, string | undefined][] = [
    ['LINUX', 0x400, 'ARM_VFP'],
    ['LINUX', 0x405, 'ARM_SVE'],
    ['LINUX', 0x300, 'S390_HIGH_GPRS'],
    ['LINUX', 0x202, 'X86_XSTATE'],
    ['CORE', 0x102, 'PPC_VSX'],
    ['LINUX', 0x700, undefined],
    ['QEMU', 0x400, undefined],
  ];
  for (const [name, type, meaning] of registers) t.equal(noteTypeName({ ...notes[0]!, name, type }), meaning);
  t.end();
});

t.test('how a walk ends', (t) => {
  const one = note(LE64, 'CORE\0', 1, new Uint8Array(6));
  const table: [string, Uint8Array, number, NoteEnd][] = [
    ['nothing', new Uint8Array(0), 0, { kind: 'end' }],
    ['whole', one, 1, { kind: 'end' }],
    ['without the padding of the last', one.subarray(0, -2), 1, { kind: 'end' }],
    ['cut in the descriptor', one.subarray(0, -3), 1, { kind: 'cut', offset: 0 }],
    ['cut in the name', one.subarray(0, 14), 1, { kind: 'cut', offset: 0 }],
    ['cut in the header', one.subarray(0, 11), 0, { kind: 'cut', offset: 0 }],
    ['zeros for a header', concat(one, new Uint8Array(12), one), 1, { kind: 'padding', offset: 28 }],
    ['fewer zeros than a header', concat(one, new Uint8Array(11)), 1, { kind: 'end' }],
    ['a header of ones', concat(one, new Uint8Array(12).fill(0xff)), 2, { kind: 'cut', offset: 28 }],
  ];
  for (const [label, bytes, count, end] of table) {
    const walked = walk(bytes, LE64);
    t.same([walked.notes.length, walked.end], [count, end], label);
  }
  t.end();
});

t.test('device dumps', (t) => {
  for (const machine of MACHINES) {
    const built = deviceDump(machine, 'name', new Uint8Array(100).fill(9), 512);
    t.same(encodeDeviceDumpHeader(Buffer.from('name'), 512 - 64, machine.endian), built.subarray(0, 64));
    t.ok(isDeviceDump(walk(built, machine).notes[0]!));
  }
  const names: [string, number, boolean][] = [
    ['LINUX\0\0\0', 0x700, true],
    ['LINUX\0', 0x700, true],
    ['LINUX', 0x700, true],
    ['LINUX\0\0\0', 0x701, false],
    ['CORE\0', 0x700, false],
    ['LINUX\0X', 0x700, false],
    ['\0LINUX', 0x700, false],
    ['linux\0\0\0', 0x700, false],
    [`LINUX${'\0'.repeat(70)}`, 0x700, false],
    ['', 0x700, false],
  ];
  for (const [name, type, yes] of names) {
    t.equal(isDeviceDump(walk(note(LE32, name, type, new Uint8Array(50)), LE32).notes[0]!), yes, JSON.stringify(name));
  }
  t.end();
});

t.test('notes that were written one behind the other are found again', (t) => {
  const any = fc.record({
    name: fc.string({ maxLength: 20, unit: fc.constantFrom('a', 'B', '\0', 'ÿ') }),
    type: fc.integer({ min: 1, max: 0xffffffff }),
    desc: fc.uint8Array({ maxLength: 50 }),
  });
  fc.assert(
    fc.property(fc.constantFrom(...MACHINES), fc.array(any, { maxLength: 20 }), (machine, wanted) => {
      const bytes = concat(...wanted.map(({ name, type, desc }) => note(machine, name, type, desc)));
      const { notes, end } = walk(bytes, machine);
      t.same(end, { kind: 'end' });
      t.same(
        notes.map((found) => [
          found.name,
          found.type,
          Buffer.from(bytes.subarray(found.descOffset, found.descEnd)).toString('hex'),
        ]),
        wanted.map(({ name, type, desc }) => [name.replace(/\0+$/, ''), type, Buffer.from(desc).toString('hex')]),
      );
    }),
    { numRuns: 100 },
  );
  t.end();
});

t.test('any bytes: a walk ends, and stays inside', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(LE64, BE64), (bytes, machine) => {
      const { notes } = walk(bytes, machine);
      if (notes.length > bytes.length / 12) throw new Error('more notes than fit');
      for (const found of notes) if (found.next < found.offset + 12) throw new Error('a walk that goes back');
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('notes padded to 8, in any way, where those padded to 4 make no sense', (t) => {
  type Shape = readonly [name: string, type: number, desc: Uint8Array];
  const notes: Shape[] = [
    ['CORE\0', 1, new Uint8Array(12).fill(1)],
    ['LINUX\0\0\0', 0x700, new Uint8Array(45).fill(0x61)],
    ['VMCOREINFO\0', 0, Buffer.from('PAGESIZE=4096\n')],
    ['CORE\0', 1, new Uint8Array(20).fill(2)],
  ];
  const header = ([name, type, desc]: Shape) =>
    new Writer('little').u32(name.length).u32(desc.length).u32(type).text(name);
  const to8 = (length: number) => new Uint8Array(-length & 7);
  const ways: Record<string, (shape: Shape) => Uint8Array> = {
    'as the gABI says': (shape) => header(shape).align(8).raw(shape[2]).align(8).done(),
    'each part': (shape) => header(shape).raw(to8(shape[0].length)).raw(shape[2]).raw(to8(shape[2].length)).done(),
    'each note': (shape) => header(shape).align(4).raw(shape[2]).align(8).done(),
  };
  const source = (bytes: Uint8Array) => ({
    bytes: (offset: number, length: number) => bytes.subarray(offset, offset + length),
  });
  for (const [way, padded] of Object.entries(ways)) {
    const bytes = concat(...notes.map(padded));
    const padding = notePadding(source(bytes), 0, bytes.length, 'little');
    t.not(padding, PADDED_TO_4, way);
    t.same(
      [...walkNotes(source(bytes), 0, bytes.length, 'little', padding)].map(({ name, descOffset, descEnd }) => [
        name,
        Buffer.from(bytes.subarray(descOffset, descEnd)).toString('hex'),
      ]),
      notes.map(([name, , desc]) => [name.replace(/\0+$/, ''), Buffer.from(desc).toString('hex')]),
      way,
    );
    const size = encodeDeviceDumpHeader(new Uint8Array(43), 8, 'little', padding).length;
    t.equal(size, way === 'as the gABI says' ? 68 : 64);
  }
  const narrow = concat(
    note(LE64, 'CORE\0', 1, new Uint8Array(12).fill(1)),
    note(LE64, 'CORE\0', 2, new Uint8Array(3)),
  );
  t.equal(notePadding(source(narrow), 0, narrow.length, 'little'), PADDED_TO_4);
  t.equal(notePadding(source(new Uint8Array(99).fill(7)), 0, 99, 'little'), PADDED_TO_4, 'none makes sense');
  t.end();
});
