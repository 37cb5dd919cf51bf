import assert from 'node:assert/strict';
import { inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { COMPRESSIONS } from '../../lib/compress/codec.js';
import { decodeRecord } from '../../lib/compress/decompress.js';
import { makeDump } from '../../lib/pstore/front-end.js';
import { Reason } from '../../lib/pstore/record-type.js';

const log = (lines: number) =>
  new TextEncoder().encode(Array.from({ length: lines }, (_, i) => `<4>[${i}] line ${i}\n`).join(''));
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

t.test('not compressed: the first line, then the newest whole lines that fit', async (t) => {
  const short = makeDump(Reason.Oops, 1, log(2), 4096, 'none');
  t.equal(text(short.bytes), 'Oops#1 Part1\n<4>[0] line 0\n<4>[1] line 1\n');
  t.equal(short.compressed, false);
  const long = makeDump(Reason.Panic, 12, log(500), 1000, 'none');
  t.match(text(long.bytes), /^Panic#12 Part1\n<4>\[\d+\] line \d+\n[\s\S]*line 499\n$/);
  t.ok(long.bytes.length <= 1000 && long.bytes.length > 980);
});

t.test('compressed: no more text than a kernel has room for when it decompresses', async (t) => {
  for (const [compress, most] of [
    ['deflate', 6666],
    ['lz4', 4031],
    ['lz4hc', 4031],
    ['lzo', 4317],
    ['zstd', 4077],
    ['842', 4000],
  ] as const) {
    const { bytes, compressed } = makeDump(Reason.Oops, 1, log(5000), 4000, compress);
    t.ok(compressed && bytes.length <= 4000, compress);
    const decoded = decodeRecord(bytes, compress, 100_000)!;
    t.match(text(decoded.text), /^Oops#1 Part1\n<4>\[\d+\] line \d+\n[\s\S]*line 4999\n$/);
    t.ok(decoded.text.length <= most && decoded.text.length > most - 30, `${decoded.text.length} of ${most}`);
  }
});

t.test('text that does not get smaller is stored as it is', async (t) => {
  const noise = Uint8Array.from({ length: 300 }, (_, i) => (i * i * 31 + (i >> 2) * 17) & 255);
  const { bytes, compressed } = makeDump(Reason.Oops, 1, noise, 4000, 'deflate');
  t.equal(compressed, false);
  t.equal(bytes.length, 313);
});

t.test('lines that do not fit', async (t) => {
  const line = new TextEncoder().encode(`${'a'.repeat(50)}${'b'.repeat(50)}`);
  const table: [string, Uint8Array, number, string][] = [
    ['one line longer than the room: its newest bytes', line, 13 + 40, `Oops#1 Part1\n${'b'.repeat(40)}`],
    ['the same with a newline', new Uint8Array([...line, 10]), 13 + 40, `Oops#1 Part1\n${'b'.repeat(39)}\n`],
    ['no room for any of it', line, 13, 'Oops#1 Part1\n'],
    ['no room for the first line', line, 6, 'Oops#1'],
    ['no room', line, 0, ''],
    ['nothing to say', new Uint8Array(0), 100, 'Oops#1 Part1\n'],
    ['exactly enough', new TextEncoder().encode('one\ntwo\n'), 13 + 8, 'Oops#1 Part1\none\ntwo\n'],
    ['a byte less', new TextEncoder().encode('one\ntwo\n'), 13 + 7, 'Oops#1 Part1\ntwo\n'],
    ['cut between lines', new TextEncoder().encode('one\ntwo\n'), 13 + 4, 'Oops#1 Part1\ntwo\n'],
  ];
  for (const [name, bytes, room, expected] of table) {
    t.same(makeDump(Reason.Oops, 1, bytes, room, 'none'), { bytes: Buffer.from(expected), compressed: false }, name);
  }
});

t.test('any log: it fits, and is the end of the log', async () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ maxLength: 90 }), { maxLength: 200 }),
      fc.integer({ min: 60, max: 5000 }),
      fc.constantFrom('none' as const, ...COMPRESSIONS),
      (lines, room, compress) => {
        const bytes = Buffer.from(lines.map((line) => `${line.replaceAll('\n', ' ')}\n`).join(''));
        const dump = makeDump(Reason.Panic, 7, bytes, room, compress);
        assert(dump.bytes.length <= room);
        const whole = dump.compressed ? decodeRecord(dump.bytes, compress, 100_000)!.text : dump.bytes;
        assert.equal(text(whole.subarray(0, 14)), 'Panic#7 Part1\n');
        const kept = Buffer.from(whole.subarray(14));
        assert(bytes.subarray(bytes.length - kept.length).equals(kept));
        if (kept.length < bytes.length && bytes[bytes.length - kept.length - 1] !== 10) {
          assert(kept.indexOf(10) === kept.length - 1, 'only a line that does not fit is cut');
        }
        if (!dump.compressed && kept.length < bytes.length)
          assert(whole.length > room - 360, 'hardly anything is wasted');
      },
    ),
    { numRuns: 200 },
  );
});

t.test('a record that the backend does not take is written as another block, shorter, or as it is', async (t) => {
  // As ramoops: the first byte is lost where it is white space.
  const takes = (record: Uint8Array) => !/\s/.test(String.fromCharCode(record[0] ?? 0));
  const longer = makeDump(Reason.Shutdown, 1, log(9), 4000, 'deflate', takes);
  t.equal(makeDump(Reason.Shutdown, 1, log(9), 4000, 'deflate').bytes[0], 0x0b);
  t.ok(longer.compressed && takes(longer.bytes));
  t.equal(text(inflateRawSync(longer.bytes)), `Shutdown#1 Part1\n${text(log(9))}`);

  for (const compress of COMPRESSIONS) {
    const lines = text(log(40));
    let asked = 0;
    const never = makeDump(Reason.Oops, 1, log(40), 4000, compress, () => ++asked < 0);
    t.same([never.compressed, text(never.bytes)], [false, `Oops#1 Part1\n${lines}`], `${compress}: as it is`);
    t.ok(asked > 0);
    // Where not all fits in any case, lines are left out until a record is taken.
    let refusals = 2;
    const most = makeDump(Reason.Oops, 1, log(5000), 4000, compress, () => --refusals < 0);
    const decoded = decodeRecord(most.bytes, compress, 100_000)!;
    t.match(text(decoded.text), /^Oops#1 Part1\n<4>\[\d+\] line \d+\n[\s\S]*line 4999\n$/, compress);
    const plain = decodeRecord(makeDump(Reason.Oops, 1, log(5000), 4000, compress).bytes, compress, 100_000)!;
    const leftOut = plain.text.length - decoded.text.length;
    t.ok(leftOut > 0 && leftOut < 60, `${compress}: ${leftOut} bytes left out`);
  }
});

t.test('whatever the log, ramoops takes what is written, and nothing is lost that fits', async () => {
  const takes = (record: Uint8Array) => ![9, 10, 11, 12, 13, 32, 0xa0].includes(record[0] ?? 0);
  fc.assert(
    fc.property(
      fc.string({ maxLength: 60 }).map((line) => new TextEncoder().encode(`${line}\n`)),
      fc.constantFrom(...COMPRESSIONS),
      fc.integer({ min: 1, max: 5 }),
      (bytes, compress, reason) => {
        const dump = makeDump(reason, 1, bytes, 2000, compress, takes);
        const whole = dump.compressed ? decodeRecord(dump.bytes, compress, 9999)?.text : dump.bytes;
        return (!dump.compressed || takes(dump.bytes)) && text(whole!).endsWith(text(bytes));
      },
    ),
    { numRuns: 2000 },
  );
});
