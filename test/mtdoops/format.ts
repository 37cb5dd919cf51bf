import fc from 'fast-check';
import t from 'tap';
import {
  isNewerSeq,
  type MtdoopsDevice,
  mtdoopsEndian,
  nextPage,
  nextSeq,
  readMtdoopsHeader,
  seqDistance,
  textLength,
} from '../../lib/mtdoops/format.js';
import { pageBytes } from '../builders/mtdoops.js';

const ENDIANS = ['little', 'big'] as const;

t.test('headers as they stand in images', async (t) => {
  // Bytes of the header, byte order, what it is.
  const table: [string, 'little' | 'big', Record<string, unknown>][] = [
    [
      '01000000 005e005d 83bbba2d2d24a416',
      'little',
      { state: 'record', seq: 1, version: 2, textOffset: 16, timestampNs: 0x16a4242d2dbabb83n },
    ],
    [
      '00000001 5d005e00 16a4242d2dbabb83',
      'big',
      { state: 'record', seq: 1, version: 2, textOffset: 16, timestampNs: 0x16a4242d2dbabb83n },
    ],
    [
      'feffffff 005d005d 3c343e5b20202020',
      'little',
      { state: 'record', seq: 0xfffffffe, version: 1, textOffset: 8, timestampNs: null },
    ],
    ['00000002 5d005d00 3c343e5b20202020', 'big', { state: 'record', seq: 2, version: 1, textOffset: 8 }],
    ['01000000 005e005d ffffffffffffffff', 'little', { state: 'record', timestampNs: -1n }],
    ['ffffffff ffffffff ffffffffffffffff', 'little', { state: 'blank' }],
    ['ffffffff ffffffff 0000000000000000', 'big', { state: 'blank' }],
    ['ffffffff 005e005d 0000000000000000', 'little', { state: 'bad-seq', version: 2 }],
    ['07000000 005d005d 0000000000000000', 'big', { state: 'other-endian', version: 1 }],
    ['07000000 015e005d 0000000000000000', 'little', { state: 'bad-magic', version: 2, magic: 0x5d005e01 }],
    ['07000000 005d005c 0000000000000000', 'little', { state: 'bad-magic', version: 1 }],
    ['07000000 ffffffff 0000000000000000', 'little', { state: 'other' }],
    ['00000000 00000000 0000000000000000', 'little', { state: 'other' }],
    ['3c343e5b 20202020 302e303030303030', 'little', { state: 'other' }],
  ];
  for (const [hex, endian, expected] of table) {
    t.match(readMtdoopsHeader(Buffer.from(hex.replaceAll(' ', ''), 'hex'), endian), expected, hex);
  }
});

t.test('too few bytes for a header', async (t) => {
  const page = pageBytes({ seq: 5, text: 'x', time: 3n }, 4096, 'little');
  for (let length = 0; length < 16; length++) t.equal(readMtdoopsHeader(page.subarray(0, length), 'little'), undefined);
  t.equal(mtdoopsEndian(page.subarray(0, 7)), undefined);
  const old = pageBytes({ seq: 5, text: 'x', time: null }, 4096, 'little');
  t.equal(readMtdoopsHeader(old.subarray(0, 7), 'little'), undefined);
  t.match(readMtdoopsHeader(old.subarray(0, 8), 'little'), { state: 'record', seq: 5 });
});

t.test('a header that the builder writes reads back', async () => {
  const seqs = fc.integer({ min: 0, max: 0xfffffffe });
  const times = fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
  fc.assert(
    fc.property(seqs, times, fc.constantFrom(...ENDIANS), (seq, time, endian) => {
      const bytes = pageBytes({ seq, text: '', time }, 4096, endian);
      const header = readMtdoopsHeader(bytes, endian)!;
      return (
        header.state === 'record' &&
        header.seq === seq &&
        header.timestampNs === time &&
        header.textOffset === (time === null ? 8 : 16) &&
        mtdoopsEndian(bytes) === endian
      );
    }),
    { numRuns: 300 },
  );
});

t.test('any bytes give a state and never an error', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), fc.constantFrom(...ENDIANS), (bytes, endian) => {
      const header = readMtdoopsHeader(bytes, endian);
      return header === undefined ? bytes.length < 16 : bytes.length >= 8;
    }),
    { numRuns: 500 },
  );
});

t.test('which of two numbers is newer, as find_next_position() decides', async (t) => {
  const table: [number, number, boolean][] = [
    [2, 1, true],
    [1, 2, false],
    [1, 1, false],
    [0, 0xfffffffe, true],
    [0x3fffffff, 0xc0000001, true],
    [0x40000000, 0xc0000001, false],
    [0x3fffffff, 0xc0000000, false],
    [0xbfffffff, 1, true],
    // The one number that is never taken for newer.
    [0xc0000000, 0xbfffffff, false],
    [0xc0000001, 0xbfffffff, true],
    [0xc0000001, 0x80000000, false],
    [0xc0000001, 0x80000001, true],
    [0xfffffffe, 0, false],
  ];
  for (const [seq, newest, expected] of table) {
    t.equal(isNewerSeq(seq, newest), expected, `${seq.toString(16)} after ${newest.toString(16)}`);
  }
});

t.test('numbers wrap without 0xffffffff', async (t) => {
  t.equal(nextSeq(1), 2);
  t.equal(nextSeq(0xfffffffd), 0xfffffffe);
  t.equal(nextSeq(0xfffffffe), 0);
  t.equal(seqDistance(0xfffffffe, 0), 1);
  t.equal(seqDistance(0xfffffffd, 2), 4);
  t.equal(seqDistance(3, 3), 0);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xfffffffe }), fc.integer({ min: 0, max: 40 }), (from, steps) => {
      let to = from;
      for (let i = 0; i < steps; i++) to = nextSeq(to);
      return seqDistance(from, to) === steps;
    }),
    { numRuns: 200 },
  );
});

t.test('the next page', async (t) => {
  const device = (over: Partial<MtdoopsDevice> = {}): MtdoopsDevice => ({
    pages: 64,
    recordSize: 4096,
    eraseSize: 65536,
    isBad: () => false,
    ...over,
  });
  const all = () => true;
  const none = () => false;
  const badBlocks = (...blocks: number[]) => ({ isBad: (at: number) => blocks.includes(Math.floor(at / 65536)) });
  t.same(nextPage(device(), null, none), { page: 0, erases: false });
  t.same(nextPage(device(), null, all), { page: 0, erases: true });
  t.same(nextPage(device(), 2, none), { page: 3, erases: false });
  t.same(nextPage(device(), 63, none), { page: 0, erases: false });
  t.same(nextPage(device(), 2, all), { page: 16, erases: true }, 'on to the next block');
  t.same(nextPage(device(), 15, all), { page: 16, erases: true }, 'which it is already');
  t.same(nextPage(device(), 50, all), { page: 0, erases: true }, 'the last block: on to the first');
  t.same(nextPage(device(badBlocks(1, 2)), 2, all), { page: 48, erases: true }, 'bad blocks are passed over');
  t.same(nextPage(device(badBlocks(3)), 40, all), { page: 0, erases: true });
  t.same(nextPage(device(badBlocks(0, 1, 2, 3)), 40, all), { page: null, erases: true });
  t.same(nextPage(device(badBlocks(1)), 20, none), { page: 21, erases: false }, 'not looked at without an erase');
  t.same(nextPage(device({ eraseSize: null }), 2, all), { page: null, erases: true }, 'not known');
  t.same(nextPage(device({ eraseSize: null }), 63, all), { page: 0, erases: true }, 'page 0 begins a block');
  t.same(
    nextPage(device({ recordSize: 12288, pages: 21 }), 0, all),
    { page: 5, erases: true },
    'a record that does not divide the block: (65536 - 12288) / 12288 pages on, rounded down',
  );
});

t.test('where a text ends', async (t) => {
  const bytes = Buffer.from('header..text\0rest\0');
  t.equal(textLength(bytes, 8), 4);
  t.equal(textLength(bytes, 13), 4);
  t.equal(textLength(bytes.subarray(0, 12), 8), 4, 'without a NUL at the end');
  t.equal(textLength(bytes, 12), 0);
  t.equal(textLength(bytes, 100), 0);
});
