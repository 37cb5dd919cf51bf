import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import {
  BUFFER_HEADER_SIZE,
  dmesgHeaderSize,
  isNanoseconds,
  readBufferHeader,
  readDmesgHeader,
  writeBufferHeader,
  writeDmesgHeader,
  zoneSignature,
} from '../../lib/blk/format.js';
import { parseAbi } from '../../lib/pstore/abi.js';
import { FORMATS, MACHINE_NAMES, MACHINES, recordHeader } from '../builders/zone.js';

const hex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));

t.test('signatures', async (t) => {
  const table: [Parameters<typeof zoneSignature>[0], string][] = [
    ['dmesg', '44424743'],
    ['console', '46424743'],
    ['ftrace', '47424743'],
    ['pmsg', '43424743'],
    ['tty', '4d424743'],
  ];
  for (const [type, bytes] of table) {
    const header = writeBufferHeader({ sig: zoneSignature(type), datalen: 0, start: 0 }, 'blkoops', parseAbi('x86_64'));
    t.equal(Buffer.from(header).toString('hex'), `${bytes}00000000`, type);
  }
});

t.test('buffer headers', async (t) => {
  const table: [string, 'blkoops' | 'pstore_blk', 'le64' | 'be32', object][] = [
    ['44424743 e11a0000 00000000', 'pstore_blk', 'le64', { sig: 0x43474244, datalen: 6881, start: 0 }],
    ['43474244 00001ae1 00000005', 'pstore_blk', 'be32', { sig: 0x43474244, datalen: 6881, start: 5 }],
    ['44424743 e11a0000', 'blkoops', 'le64', { sig: 0x43474244, datalen: 6881, start: 0 }],
    ['43474244 00001ae1', 'blkoops', 'be32', { sig: 0x43474244, datalen: 6881, start: 0 }],
    ['44424743 fbffffff ffffffff', 'pstore_blk', 'le64', { datalen: 4294967291, start: 4294967295 }],
  ];
  for (const [bytes, generation, abi, expected] of table) {
    const header = readBufferHeader(hex(bytes), generation, parseAbi(abi));
    t.match(header, expected, bytes);
    t.same(writeBufferHeader(header, generation, parseAbi(abi)), hex(bytes), `${bytes} written`);
  }
  t.same(BUFFER_HEADER_SIZE, { blkoops: 8, pstore_blk: 12 });
});

t.test('dmesg headers as they stand in images', async (t) => {
  // The first bytes behind the buffer header of zone 0: s1 (x86_64), i386-s3, be-s2 (mips), v1 (RFC v5), arm-v2.
  const table: [string, string, Record<string, unknown>][] = [
    [
      'le64',
      'e53afc4d 00000000 05f15365 00000000 6ad18e2f 00000000 01000000 03000000 02000000 00000000',
      { magic: 0x4dfc3ae5, seconds: 0x6553f105n, nanoseconds: 0x2f8ed16an, compressed: 1, counter: 3, reason: 2 },
    ],
    [
      'le32-align4',
      'e53afc4d 05f15365 00000000 6ad18e2f 01000000 03000000 02000000',
      { magic: 0x4dfc3ae5, seconds: 0x6553f105n, nanoseconds: 0x2f8ed16an, compressed: 1, counter: 3, reason: 2 },
    ],
    [
      'be32',
      '4dfc3ae5 00000000 00000000 6553f105 2f8ed16a 00000000 01000000 00000003 00000001 00000000',
      { magic: 0x4dfc3ae5, seconds: 0x6553f105n, nanoseconds: 0x2f8ed16an, compressed: 1, counter: 3, reason: 1 },
    ],
    [
      'be64',
      '4dfc3ae5 00000000 00000000 6553f105 00000000 2f8ed16a 00000000 ffffffff 00000001 00000000',
      { seconds: 0x6553f105n, nanoseconds: 0x2f8ed16an, compressed: 0, counter: -1 },
    ],
    [
      'le32',
      'e53afc4d ffffffff 05f15365 00000000 6ad18e2f ffffffff 00ffffff 03000000 02000000 ffffffff',
      { seconds: 0x6553f105n, nanoseconds: 0x2f8ed16an, compressed: 0, counter: 3, reason: 2 },
    ],
    [
      'le64',
      'e53afc4d ffffffff fbffffffffffffff ffffffff00000080 02000000 00000000 06000000 00000000',
      { seconds: -5n, nanoseconds: -0x7fffffff00000001n, compressed: 2, counter: 0, reason: 6 },
    ],
  ];
  for (const [abi, bytes, expected] of table) {
    t.match(readDmesgHeader(hex(bytes), parseAbi(abi)), expected, `${abi} ${bytes}`);
  }
});

t.test('sizes and offsets are those of the C structs, and writing is the inverse of reading', async (t) => {
  t.same(
    MACHINE_NAMES.map((name) => dmesgHeaderSize(parseAbi(name))),
    [40, 40, 28, 40, 40, 28],
  );
  const header = fc.record({
    magic: fc.nat({ max: 0xffffffff }),
    seconds: fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
    nanoseconds: fc.bigInt({ min: -(1n << 31n), max: (1n << 31n) - 1n }),
    compressed: fc.nat({ max: 255 }),
    counter: fc.integer(),
    reason: fc.nat({ max: 0xffffffff }),
  });
  fc.assert(
    fc.property(fc.constantFrom(...MACHINE_NAMES), header, fc.constantFrom(0, 0xff), (name, value, padding) => {
      const abi = parseAbi(name);
      const bytes = writeDmesgHeader(value, abi, padding);
      assert.deepEqual([...bytes], recordHeader(MACHINES[name], value, padding));
      assert.deepEqual(readDmesgHeader(bytes, abi), { ...value });
    }),
    { numRuns: 300 },
  );
  const lengths = fc.record({
    sig: fc.nat({ max: 0xffffffff }),
    datalen: fc.nat({ max: 0xffffffff }),
    start: fc.nat({ max: 0xffffffff }),
  });
  fc.assert(
    fc.property(fc.constantFrom(...MACHINE_NAMES), fc.constantFrom(...FORMATS), lengths, (name, format, value) => {
      const bytes = writeBufferHeader(value, format, parseAbi(name));
      assert.equal(bytes.length, BUFFER_HEADER_SIZE[format]);
      const expected = format === 'blkoops' ? { ...value, start: 0 } : { ...value };
      assert.deepEqual(readBufferHeader(bytes, format, parseAbi(name)), expected);
    }),
  );
});

t.test('nanoseconds', async (t) => {
  for (const [value, is] of [
    [0n, true],
    [999_999_999n, true],
    [1_000_000_000n, false],
    [-1n, false],
  ] as const) {
    t.equal(isNanoseconds(value), is, String(value));
  }
});
