import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { findMarks, type Mark } from '../../lib/blk/marks.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { FaultyStorage } from '../builders/faulty.js';
import { FORMATS, MACHINE_NAMES, MACHINES, partition } from '../builders/zone.js';

function marksOf(bytes: Uint8Array, until = bytes.length): Mark[] {
  return findMarks(new MemoryStorage(bytes), until);
}

t.test('what each kind of header is taken for', async (t) => {
  for (const abi of MACHINE_NAMES) {
    const endian = MACHINES[abi].little ? 'little' : 'big';
    for (const format of FORMATS) {
      const image = partition(16384, { format, abi }).kmsg(4096).dmesg(0, { body: 'text' }).dmesg(1, { erased: true });
      image.dmesg(2, { sig: 0x43474200, body: 'x' });
      const datalen = image.recordHeaderSize + 4;
      t.match(
        marksOf(image.bytes),
        [
          {
            offset: 0,
            type: 'dmesg',
            endian,
            generation: format,
            signed: true,
            magic: true,
            datalen,
            formatted: false,
          },
          { offset: 4096, signed: true, magic: true, datalen: 0, formatted: false },
          { offset: 8192, type: 'dmesg', generation: format, signed: false, magic: true },
        ],
        `${format} ${abi}`,
      );
      const fresh = partition(16384, { format, abi }).kmsg(8192).formatted();
      t.match(
        marksOf(fresh.bytes),
        [0, 8192].map((offset) => ({
          offset,
          endian,
          generation: format,
          signed: true,
          magic: false,
          formatted: true,
        })),
        `${format} ${abi}, formatted`,
      );
    }
    const rings = partition(16384, { abi })
      .pmsg(4096, ['abc'])
      .console(4096, ['d'])
      .tty(4096, ['ef'])
      .ftrace(4096, 2, [['g'], ['hi']]);
    t.match(
      marksOf(rings.bytes),
      [
        { offset: 0, type: 'pmsg', endian, generation: 'pstore_blk', datalen: 3, start: 3 },
        { offset: 4096, type: 'console', datalen: 1 },
        { offset: 8192, type: 'tty', datalen: 2 },
        { offset: 12288, type: 'ftrace', datalen: 1 },
        { offset: 14336, type: 'ftrace', datalen: 2 },
      ],
      abi,
    );
  }
});

t.test('a signature or a magic that is lost as a whole, with a record behind it', async (t) => {
  for (const abi of MACHINE_NAMES) {
    for (const format of FORMATS) {
      for (const [what, at, isSigned] of [
        ['signature', 0, false],
        ['magic', format === 'blkoops' ? 8 : 12, true],
      ] as const) {
        for (const byte of [0x00, 0x11, 0xff]) {
          const image = partition(8192, { format, abi }).kmsg(4096).dmesg(1, { body: 'text', counter: 3 });
          image.bytes.fill(byte, 4096 + at, 4096 + at + 4);
          t.match(
            marksOf(image.bytes),
            [{ offset: 4096, type: 'dmesg', signed: isSigned, magic: !isSigned, doubtful: false }],
            `${format} ${abi}: ${what} ${byte}`,
          );
        }
      }
    }
  }
  const text = partition(8192).kmsg(4096).dmesg(1, { magic: 0x20202020, seconds: -1, body: 'text' });
  t.match(marksOf(text.bytes), [{ offset: 4096, signed: true, magic: false, doubtful: true }], 'no record behind it');
  const none = partition(8192)
    .kmsg(4096)
    .dmesg(1, { sig: 0, counter: 1 << 24, body: 'text' });
  t.same(marksOf(none.bytes), [], 'a magic alone');
});

t.test('text and rubbish are no headers', async (t) => {
  for (const text of ['DBGC', 'GDBGCG', 'CGBD and DBGC', '\xe5\x3a\xfc\x4d', 'FBGC']) {
    const bytes = new Uint8Array(Buffer.from(text.padEnd(10), 'latin1'));
    t.same(marksOf(bytes), [], 'too short');
  }
  const alone = new Uint8Array(4096);
  alone.set(Buffer.from('e53afc4d', 'hex'), 100);
  t.same(marksOf(alone), [], 'a magic with nothing before it that was a signature');
});

t.test('headers across the borders of what is read at a time', async (t) => {
  for (let at = (1 << 20) - 60; at < (1 << 20) + 4; at += 3) {
    const image = partition(8192).kmsg(4096).dmesg(0, { body: 'x' });
    const bytes = new Uint8Array(3 << 20);
    bytes.set(image.bytes.subarray(0, 60), at);
    t.match(marksOf(bytes), [{ offset: at, magic: true, signed: true }]);
  }
});

t.test('nothing behind the given offset is looked for', async (t) => {
  const image = partition(32768).kmsg(4096);
  for (let i = 0; i < 8; i++) image.dmesg(i, {});
  t.same(
    marksOf(image.bytes, 8192 + 1).map(({ offset }) => offset),
    [0, 4096, 8192],
  );
});

t.test('a block that cannot be read hides its own headers only', async (t) => {
  const image = partition(32768).kmsg(4096);
  for (let i = 0; i < 8; i++) image.dmesg(i, {});
  const storage = new FaultyStorage(new MemoryStorage(image.bytes));
  storage.broken = [{ offset: 8200, length: 512, code: 'EIO' }];
  t.same(
    findMarks(SurvivingStorage.over(storage), storage.size).map(({ offset }) => offset),
    [0, 4096, 12288, 16384, 20480, 24576, 28672],
  );
  storage.there = false;
  t.throws(() => findMarks(SurvivingStorage.over(storage), storage.size), { code: 'EAGAIN' });
});

t.test('any bytes: offsets lie in the image and go up', async () => {
  const words = fc.constantFrom(
    '44424743',
    '47424344',
    '43474244',
    'e53afc4d',
    '4dfc3ae5',
    '00000000',
    'ffffffff',
    '47',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(words, fc.uint8Array({ maxLength: 9 })), { maxLength: 300 }), (parts) => {
      const bytes = new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part as string, 'hex'))));
      const offsets = marksOf(bytes).map(({ offset }) => offset);
      assert.deepEqual(
        offsets,
        [...new Set(offsets)].sort((a, b) => a - b),
      );
      for (const offset of offsets) assert(offset >= 0 && offset + 16 <= bytes.length);
    }),
    { numRuns: 300 },
  );
});

t.test('words like a signature in a text hide no zone after it', async (t) => {
  const image = partition(1 << 20).kmsg(65536);
  for (let id = 0; id < 16; id++) image.dmesg(id, { body: 'text', counter: id });
  // A signature and a magic, in either order, over and over.
  [0x43474244, 0x44424743, 0x4dfc3ae5, 0xe53afc4d].forEach((word, i) => {
    const bytes = Buffer.alloc(30_000);
    for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(word, at);
    image.bytes.set(bytes, (i + 1) * 65536 + 4096);
  });
  const found = findMarks(new MemoryStorage(image.bytes), image.bytes.length);
  for (let id = 0; id < 16; id++) {
    t.ok(
      found.some(({ offset, signed, magic }) => offset === id * 65536 && signed && magic),
      `zone ${id}`,
    );
  }
});

t.test('an image of nothing but signatures has few marks, and a zone in it is found', async (t) => {
  const bytes = Buffer.alloc(4 << 20, Buffer.from('44424743', 'hex'));
  const image = partition(65536).kmsg(65536).dmesg(0, { body: 'text' });
  const at = (3 << 20) + 512 * 7;
  bytes.set(image.bytes.subarray(0, 4096), at);
  const found = marksOf(bytes);
  t.ok(found.length < 4 * 1024, `${found.length}`);
  t.ok(found.some(({ offset, signed, magic }) => offset === at && signed && magic));
});

t.test('what is made of the signatures of one front-end has no more marks than any kernel makes rings', async (t) => {
  for (const [word, name] of [
    ['44424743', 'records'],
    ['46424743', 'consoles'],
  ] as const) {
    const bytes = Buffer.alloc(13 << 20, Buffer.from(word, 'hex'));
    const image = partition(65536).kmsg(65536).dmesg(0, { body: 'text' });
    const at = (12 << 20) + 512 * 7;
    bytes.set(image.bytes.subarray(0, 4096), at);
    const found = marksOf(bytes);
    t.ok(found.length <= 8192 + 1, `${found.length} ${name}`);
    t.ok(found.some(({ offset, signed, magic }) => offset === at && signed && magic));
  }
});
