import { createHash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import t from 'tap';
import { COMPRESSIONS, type Compression } from '../../lib/compress/codec.js';
import {
  beginsAsDump,
  type CompressionChoice,
  decodeRecord,
  decodeStart,
  encodeRecord,
  LIMIT_FACTOR,
  MAX_TEXT,
  mostStored,
} from '../../lib/compress/decompress.js';
import { inflateRaw } from '../../lib/compress/deflate.js';
import { ACCIDENT, ascii, isSame, joined, LONG, OOPS, shown, vector } from '../builders/texts.js';
import { goldenImage } from '../fixture-path.js';

const ZONE = 0x10000;
const LIMIT = LIMIT_FACTOR * ZONE;

/** The stored bytes of a dmesg zone: 12 bytes of buffer header (datalen at 4), 40 of record header. */
function stored(folder: string, zone: number): Uint8Array {
  const image = goldenImage(folder);
  const datalen = new DataView(image.buffer, image.byteOffset).getUint32(zone * ZONE + 4, true);
  return image.subarray(zone * ZONE + 52, zone * ZONE + 12 + datalen);
}

t.test("records that a kernel wrote, s1 (deflate) and s6 (lz4): the kernel's text", (t) => {
  for (const [folder, compression] of [
    ['s1', 'deflate'],
    ['s6-lz4', 'lz4'],
  ] as const) {
    for (const zone of [0, 1, 2]) {
      const text = shown(folder, `dmesg-pstore_blk-${zone}`);
      for (const choice of ['auto', compression] as const) {
        const record = decodeRecord(stored(folder, zone), choice, LIMIT);
        t.ok(isSame(record?.text, text), `${folder} ${zone} ${choice}`);
        t.equal(record?.compression, compression);
      }
    }
  }
  t.end();
});

t.test('a kernel of 6.6 or later takes any name for deflate, and its text says that it is one', (t) => {
  const dump = (version: string) => {
    const text = `Oops#1 Part1\n<4>[    9.1] CPU: 0 PID: 1 Comm: sh Not tainted ${version}-amd64 #1\n${'<4>[    9.2] more\n'.repeat(40)}`;
    return { text: ascii(text), stored: deflateRawSync(ascii(text)) };
  };
  for (const version of ['6.6.1', '6.12.57', '7.0.0']) {
    const { text, stored } = dump(version);
    for (const choice of ['lz4', 'zstd', 'lzo', '842'] as const) {
      const record = decodeRecord(stored, choice, LIMIT);
      t.ok(isSame(record?.text, text), `${version} ${choice}`);
      t.equal(record?.compression, 'deflate');
    }
    t.equal(decodeRecord(stored, 'none', LIMIT), undefined);
  }
  for (const version of ['6.5.13', '5.10.1', 'of no number']) {
    t.equal(decodeRecord(dump(version).stored, 'lz4', LIMIT), undefined, version);
  }
  t.end();
});

t.test('s7, written with lz4: not for a kernel with another one, but by auto', (t) => {
  // SHA-256 of what lib/lz4 of Linux 6.1 makes of them.
  const texts = [
    '0948a9ae409b7ac3f3683f5915b3d5cdaec8e8ec40cb9724db30773816b9e0ab',
    'f58051a09bb0334568d8d3d01f97a178f672e07a55a8339044d19b63843281ea',
    '9b343469ca11b8b63c96119e65dc8ce004030b258ad03723b12fcd75e25ef37e',
  ];
  for (const [zone, hash] of texts.entries()) {
    const bytes = stored('s7', zone);
    t.ok(isSame(bytes, shown('s7', `dmesg-pstore_blk-${zone}.enc.z`)));
    for (const choice of ['deflate', 'zstd', '842', 'none'] as const)
      t.equal(decodeRecord(bytes, choice, LIMIT), undefined);
    for (const [choice, name] of [
      ['auto', 'lz4'],
      ['lz4', 'lz4'],
      ['lz4hc', 'lz4hc'],
    ] as const) {
      const record = decodeRecord(bytes, choice, LIMIT);
      t.equal(record && createHash('sha256').update(record.text).digest('hex'), hash);
      t.equal(record?.compression, name);
    }
  }
  t.end();
});

t.test('auto finds what encodeRecord made, by any name, with and without the rest of a zone', (t) => {
  for (const compression of COMPRESSIONS) {
    const bytes = encodeRecord(OOPS, compression);
    for (const padding of [0, 1, 2, 3, 7, 8, 1000]) {
      const record = decodeRecord(joined(bytes, new Uint8Array(padding)), 'auto', LIMIT);
      t.ok(isSame(record?.text, OOPS), `${compression}, ${padding} zeros behind it`);
      t.equal(record?.compression, compression === 'lz4hc' ? 'lz4' : compression);
    }
    const followed = decodeRecord(joined(bytes, ascii('leftover')), 'auto', LIMIT);
    const isShown = ['deflate', 'zlib', '842'].includes(compression);
    t.equal(followed !== undefined, isShown, `${compression}: something else behind it as a kernel takes it`);
    t.equal(decodeRecord(bytes, 'auto', OOPS.length - 1), undefined, 'the limit holds');
    t.equal(decodeRecord(bytes, 'none', LIMIT), undefined);
  }
  t.end();
});

t.test('auto does not believe what does not begin as a dump; a name does', (t) => {
  const text = ascii('no dump at all\n'.repeat(20));
  for (const compression of COMPRESSIONS) {
    const bytes = encodeRecord(text, compression);
    const believed = compression === 'zlib' ? 'zlib' : undefined;
    t.equal(decodeRecord(bytes, 'auto', LIMIT)?.compression, believed, 'but for a text that a checksum proves');
    const record = decodeRecord(bytes, compression, LIMIT);
    t.equal(record?.proven, compression === 'zlib');
    t.ok(isSame(record?.text, text), compression);
    t.equal(record?.compression, compression);
  }
  t.end();
});

t.test('a wrong bit in the first words of a stream: the text of a log is a proof too', (t) => {
  const other = (text: Uint8Array) => text.map((byte, at) => (at === 4 ? byte ^ 4 : byte));
  const log = ascii(`Oops#1 Part1\n${'<4>[    1.000000] a line of the log\n'.repeat(50)}`);
  for (const compression of COMPRESSIONS) {
    const record = decodeRecord(encodeRecord(other(log), compression), 'auto', LIMIT);
    t.ok(isSame(record?.text, other(log)), compression);
    const text = other(ascii('Oops#1 Part1\n<4>[    1.000000] a line of the log\n'));
    const isShown = decodeRecord(encodeRecord(text, compression), 'auto', LIMIT) !== undefined;
    t.equal(isShown, compression === 'zlib', `${compression}: too little`);
  }
  t.end();
});

t.test('an lz4 block that is a whole deflate stream by accident', (t) => {
  const bytes = vector('accident.lz4');
  const accident = inflateRaw(bytes, LIMIT);
  t.equal(accident?.used, 10, 'it is one');
  t.equal(accident?.output.length, 136);
  const record = decodeRecord(bytes, 'auto', LIMIT);
  t.equal(record?.compression, 'lz4');
  t.ok(isSame(record?.text, ACCIDENT));
  // A kernel with deflate alone takes it for what it seems to be.
  t.equal(decodeRecord(bytes, 'deflate', LIMIT)?.text.length, 136);
  t.end();
});

t.test('a name treats bytes behind the stream as crypto/<name>.c does', (t) => {
  const ignored: CompressionChoice[] = ['deflate', 'zlib', '842'];
  for (const compression of COMPRESSIONS) {
    const bytes = encodeRecord(OOPS, compression);
    for (const trailer of [new Uint8Array(1), new Uint8Array(64), ascii('leftover')]) {
      const record = decodeRecord(joined(bytes, trailer), compression, LIMIT);
      t.equal(isSame(record?.text, OOPS), ignored.includes(compression), compression);
    }
    t.ok(isSame(decodeRecord(bytes, compression, LIMIT)?.text, OOPS));
  }
  t.end();
});

t.test('no algorithm takes another one’s record', (t) => {
  for (const written of COMPRESSIONS) {
    const bytes = encodeRecord(LONG.subarray(0, 20000), written);
    for (const read of COMPRESSIONS) {
      const same = written === read || (written.startsWith('lz4') && read.startsWith('lz4'));
      const record = decodeRecord(bytes, read satisfies Compression, LIMIT);
      t.equal(record !== undefined && beginsAsDump(record.text), same, `${written} as ${read}`);
    }
  }
  t.end();
});

t.test('what begins as a dump', (t) => {
  const yes = ['Oops#1 Part1\n', 'Panic#12 Part1', 'Emergency#3 Part2\n', 'Shutdown#1 Part1', 'Unknown#1 Part1'];
  const old = ['Restart#1 Part1\n', 'Halt#1 Part1\n', 'Poweroff#1 Part1\n', 'Kexec#2 Part10\n'];
  const no = [
    '',
    'Oops',
    'oops#1 Part1',
    ' Oops#1 Part1',
    'Oops# Part1',
    'Oops#1Part1',
    'Oops#1 part1',
    '#1 Part1',
    '<5>[ 0.0] Oops#1 Part1',
  ];
  for (const text of [...yes, ...old]) t.ok(beginsAsDump(ascii(text)), text);
  for (const text of no) t.notOk(beginsAsDump(ascii(text)), JSON.stringify(text));
  t.ok(beginsAsDump(OOPS));
  t.end();
});

t.test('a stream that is cut, damaged, or has something behind it: its beginning', async (t) => {
  for (const compression of ['deflate', 'lz4', 'lzo', '842'] as const) {
    const text = LONG;
    const stream = encodeRecord(text, compression);
    const start = (bytes: Uint8Array, limit = LIMIT) => decodeStart(bytes, limit)?.text;
    const isStart = (found: Uint8Array | undefined, least: number) =>
      found !== undefined && found.length >= least && isSame(found, text.subarray(0, found.length));
    t.ok(isSame(start(stream), text), `${compression}: the whole`);
    const behind = start(joined(stream, ascii('another record')))!;
    // Only lz4 cannot tell where it ends.
    t.ok(
      isStart(behind.subarray(0, compression === 'lz4' ? text.length - 64 : text.length), text.length - 64),
      'more behind it',
    );
    let before = 0;
    for (const part of [0.4, 0.7, 0.95]) {
      const found = start(stream.subarray(0, Math.floor(stream.length * part)));
      t.ok(isStart(found, before + 1), `${part} of it`);
      before = found?.length ?? 0;
    }
    t.ok(isStart(start(stream, before), 1), 'no more than the limit');
    t.ok(start(stream, before)!.length <= before);
    const cut = Math.floor(stream.length * 0.7);
    const damaged = start(joined(stream.subarray(0, cut), new Uint8Array(500).fill(0xff)))!;
    t.ok(damaged.length > 0 && isSame(damaged.subarray(0, 100), text.subarray(0, 100)), 'damaged');
    t.equal(start(encodeRecord(ascii('no dump at all'), compression)), undefined, 'no dump');
  }
  t.equal(decodeStart(new Uint8Array(1000).fill(0xff), LIMIT), undefined, 'no stream');
  t.equal(decodeStart(new Uint8Array(0), LIMIT), undefined);

  // zstd gives nothing of a block that is not whole; its blocks have 128 KiB.
  let log = 'Oops#1 Part1\n';
  for (let i = 0; log.length < 250_000; i++)
    log += `<6>[${i}.${(i * 7919) % 1_000_003}] device ${(i * 31) % 97} is ready\n`;
  const stream = encodeRecord(ascii(log), 'zstd');
  t.ok(isSame(decodeStart(joined(stream, ascii('more')), LIMIT)?.text, ascii(log)), 'zstd: more behind it');
  const half = decodeStart(stream.subarray(0, Math.floor(stream.length * 0.9)), LIMIT);
  t.ok(isSame(half?.text, ascii(log.slice(0, 131_072))), 'zstd: the whole blocks');
  t.equal(half?.compression, 'zstd');
});

t.test('a few kilobytes that stand for a text longer than any are none, and take no memory for it', (t) => {
  const bomb = (length: number): Uint8Array => {
    const text = new Uint8Array(length).fill(0x61);
    text.set(ascii('Oops#1 Part1\n'));
    return new Uint8Array(deflateRawSync(text));
  };
  const longest = bomb(MAX_TEXT);
  const tooLong = bomb(MAX_TEXT + 1);
  t.equal(decodeRecord(longest, 'auto', 1 << 30)?.text.length, MAX_TEXT);
  const before = process.memoryUsage().arrayBuffers;
  for (const choice of ['auto', 'deflate'] as const) t.equal(decodeRecord(tooLong, choice, 1 << 30), undefined);
  const start = decodeStart(tooLong, 1 << 30)!.text.length;
  t.ok(start <= MAX_TEXT && start > MAX_TEXT - 300, 'salvage gives what there is room for');
  const grown = process.memoryUsage().arrayBuffers - before;
  t.ok(grown < 4 * MAX_TEXT, `${grown} bytes`);
  t.equal(decodeRecord(new Uint8Array(mostStored(4096) + 1), '842', 4096), undefined, 'more than any codec stores');
  t.end();
});
