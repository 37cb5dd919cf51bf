import fc from 'fast-check';
import t from 'tap';
import {
  type ElfBits,
  type ElfHeader,
  elfHeaderSize,
  encodeElfHeader,
  isCore,
  machineName,
  programHeaderSize,
  readElfHeader,
  readProgramHeader,
  readSectionHeader,
  sectionHeaderSize,
  setElfTables,
  setSectionOffset,
  writeProgramHeader,
} from '../lib/elf.js';
import { Fields } from '../lib/pstore/abi.js';
import { elfHeaders, MACHINES } from './builders/vmcore.js';

t.test('headers that another builder made', (t) => {
  for (const machine of MACHINES) {
    const bytes = elfHeaders(machine, [{ type: 4, offset: 0x1234, filesz: 10, memsz: 20, paddr: 30 }], {
      ehsize: 8,
      eMachine: 21,
    });
    const header = readElfHeader(bytes, 'x');
    t.match(header, {
      bits: machine.bits,
      endian: machine.endian,
      type: 4,
      machine: 21,
      ehsize: 8,
      phnum: 1,
      shnum: 0,
    });
    t.equal(header.phoff, BigInt(elfHeaderSize(machine.bits)));
    t.equal(header.phentsize, programHeaderSize(machine.bits));
    t.same(readProgramHeader(new Fields(bytes, machine.endian), Number(header.phoff), machine.bits), {
      type: 4,
      flags: 0,
      offset: 0x1234n,
      vaddr: 0n,
      paddr: 30n,
      filesz: 10n,
      memsz: 20n,
      align: 0n,
    });
    t.ok(isCore(bytes));
    t.notOk(isCore(elfHeaders(machine, [], { type: 2 })));
    t.notOk(isCore(bytes.subarray(0, 17)));
  }
  t.equal(machineName(62), 'x86_64');
  t.equal(machineName(9999), 'e_machine 9999');
  t.end();
});

t.test('what is no ELF header is said with its place', (t) => {
  const good = elfHeaders(MACHINES[0]!, []);
  const edited = (at: number, value: number) => Uint8Array.from(good, (byte, index) => (index === at ? value : byte));
  const table: [Uint8Array, RegExp][] = [
    [new Uint8Array(0), /no ELF file/],
    [edited(1, 0x65), /no ELF file/],
    [edited(4, 3), /class is 3/],
    [edited(5, 0), /byte order is 0/],
    [good.subarray(0, 4), /class is missing/],
    [good.subarray(0, 5), /byte order is missing/],
    [good.subarray(0, 63), /after 63 bytes, inside its ELF header of 64/],
  ];
  for (const [bytes, message] of table) {
    t.throws(() => readElfHeader(bytes, 'some file'), { code: 'EBADMSG', message });
    t.throws(() => readElfHeader(bytes, 'some file'), { message: /^some file: / });
  }
  t.end();
});

const bits = fc.constantFrom<ElfBits[]>(32, 64);
const endian = fc.constantFrom('little' as const, 'big' as const);
const half = fc.nat(0xffff);
const word = (size: ElfBits) => fc.bigInt({ min: 0n, max: (1n << BigInt(size)) - 1n });

t.test('an ELF header goes there and back', (t) => {
  const header = bits.chain((size) =>
    fc.record<ElfHeader>({
      bits: fc.constant(size),
      endian,
      osabi: fc.nat(255),
      type: half,
      machine: half,
      entry: word(size),
      phoff: word(size),
      shoff: word(size),
      flags: fc.nat(0xffffffff),
      ehsize: half,
      phentsize: half,
      phnum: half,
      shentsize: half,
      shnum: half,
      shstrndx: half,
    }),
  );
  fc.assert(
    fc.property(header, (value) => {
      const bytes = encodeElfHeader(value);
      t.strictSame(readElfHeader(bytes, 'x'), { ...value });
      setElfTables(new Fields(bytes, value.endian), value.bits, 5n, 6n);
      t.strictSame(readElfHeader(bytes, 'x'), { ...value, phoff: 5n, shoff: 6n });
    }),
    { numRuns: 100 },
  );
  t.end();
});

t.test('program headers go there and back, and nothing beside them is touched', (t) => {
  const program = (size: ElfBits) =>
    fc.record({
      type: fc.nat(0xffffffff),
      flags: fc.nat(0xffffffff),
      offset: word(size),
      vaddr: word(size),
      paddr: word(size),
      filesz: word(size),
      memsz: word(size),
      align: word(size),
    });
  fc.assert(
    fc.property(
      bits.chain((size) => fc.tuple(fc.constant(size), program(size))),
      endian,
      ([size, value], order) => {
        const bytes = new Uint8Array(programHeaderSize(size) + 6).fill(0xa5);
        const fields = new Fields(bytes, order);
        writeProgramHeader(fields, 3, size, value);
        t.strictSame(readProgramHeader(fields, 3, size), { ...value });
        t.same([...bytes.subarray(0, 3), ...bytes.subarray(-3)], [0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5]);
      },
    ),
    { numRuns: 100 },
  );
  t.end();
});

t.test('section headers: the offset alone changes', (t) => {
  for (const size of [32, 64] as const) {
    const bytes = new Uint8Array(sectionHeaderSize(size)).map((_, index) => index);
    const fields = new Fields(bytes, 'big');
    const before = readSectionHeader(fields, 0, size);
    t.equal(before.type, 0x04050607);
    t.equal(before.info, size === 32 ? 0x1c1d1e1f : 0x2c2d2e2f);
    t.equal(before.size, size === 32 ? 0x14151617n : 0x2021222324252627n);
    setSectionOffset(fields, 0, size, 77n);
    t.same(readSectionHeader(fields, 0, size), { ...before, offset: 77n });
  }
  t.end();
});
