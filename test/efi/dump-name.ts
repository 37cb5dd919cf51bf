import fc from 'fast-check';
import t from 'tap';
import { dumpNameInFile, parseDumpName } from '../../lib/efi/dump-name.js';

t.test('names of all kernels, and what the kernel makes of odd ones', (t) => {
  const cases: [name: string, file: string | null, compressed?: boolean][] = [
    ['dump-type0-1-1372365217', 'dmesg 137236521701000'],
    ['dump-type0-2-1-1372365217', 'dmesg 137236521702001'],
    ['dump-type0-1-2-1372365299-D', 'dmesg 137236529901002'],
    ['dump-type0-1-2-1372365299-C', 'dmesg 137236529901002', true],
    ['dump-type0-1-2-1372365299-CC', 'dmesg 137236529901002', true],
    ['dump-type0-1-2-1372365299-c', 'dmesg 137236529901002'],
    ['dump-type0-1-2-1372365299-', 'dmesg 137236529901002'],
    ['dump-type1-1-1-1372365300-D', 'mce 137236530001001'],
    ['dump-type2-1-1-1372365301-D', 'console 137236530101001'],
    ['dump-type3-1-1-1-D', 'ftrace 101001'],
    ['dump-type6-1-1-1-D', 'powerpc-common 101001'],
    ['dump-type7-1-1-1372365302-D', 'pmsg 137236530201001'],
    ['dump-type8-1-1-1372365305-D', 'powerpc-opal 137236530501001'],
    ['dump-type9-1-1-1372365400-D', 'unknown 137236540001001'],
    ['dump-type0-123-7-1372365303-D', 'dmesg 137236530423007'],
    ['dump-type0-4-1234-1372365304-D', 'dmesg 137236530405234'],
    ['dump-type0-141-1-1640995213-C', 'dmesg 164099521441001', true],
    ['dump-type0-1--5-1372365401-D', 'dmesg 137236540100995'],
    ['dump-type0-1-1-0-D', 'dmesg 1001'],
    ['dump-type0-1-1-1372365307-Dtail', 'dmesg 137236530701001'],
    ['dump-type0-1-2-three', 'dmesg 201000'],
    ['dump-type 0-\t1- 1- 5-D', 'dmesg 501001'],
    ['dump-type4294967296-1-1-5-D', 'dmesg 501001'],
    ['dump-type0-1-1--1-D', 'dmesg 18446744073709452617'],
    ['dump-type0-x', null],
    ['dump-type-1-1-1-1-D', null],
    ['dump-type0-1', null],
    ['dump-type0--1-1-1', null],
    ['xdump-type0-1-1-1-D', null],
    ['Dump-type0-1-1-1-D', null],
    ['', null],
  ];
  for (const [name, file, compressed = false] of cases) {
    const parsed = parseDumpName(name);
    t.equal(parsed ? `${parsed.type} ${parsed.id}` : null, file, name);
    if (parsed) t.equal(parsed.compressed, compressed, name);
  }
  t.end();
});

t.test('numbers of any size give an id of 64 bits, and never more', (t) => {
  const number = fc.bigInt({ min: 0n, max: 10n ** 30n });
  fc.assert(
    fc.property(number, number, number, number, (type, part, count, time) => {
      const parsed = parseDumpName(`dump-type${type}-${part}-${count}-${time}-C`)!;
      return parsed.id >= 0n && parsed.id < 2n ** 64n && Number.isSafeInteger(parsed.part);
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 99 }), fc.integer({ min: 1, max: 999 }), fc.nat(), (part, count, time) => {
      const { id } = parseDumpName(`dump-type0-${part}-${count}-${time}-D`)!;
      return id / 100_000n === BigInt(time) && (id / 1000n) % 100n === BigInt(part) && id % 1000n === BigInt(count);
    }),
  );
  t.end();
});

t.test('a name inside the name of a file', (t) => {
  for (const [file, name] of [
    ['pstore-0-dump-type0-1-1-1640995208-C.bin', 'dump-type0-1-1-1640995208-C'],
    ['dump-type0-1-1372365217', 'dump-type0-1-1372365217'],
    ['a dump-type0-12-3-1372365217-D (copy).dat', 'dump-type0-12-3-1372365217-D'],
    ['dump-type0-1-1-1640995208-C-cfc8fc79-be2e-4ddc-97f0-9f98bfe298a0', 'dump-type0-1-1-1640995208-C'],
    ['dump-type0-1-1-1640995208.bin', 'dump-type0-1-1-1640995208'],
    ['dump-typeX-1-1-1', undefined],
    ['image.raw', undefined],
  ] as const) {
    t.equal(dumpNameInFile(file), name, file);
  }
  t.end();
});
