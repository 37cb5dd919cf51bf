import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { decodeRecord, decodeStart } from '../../lib/compress/decompress.js';
import { adler32, zlib } from '../../lib/compress/zlib.js';
import { anyText, ascii, isSame, joined, LONG, OOPS } from '../builders/texts.js';

const LIMIT = 1 << 20;

function packed(text: Uint8Array, windowBits = 12): Uint8Array {
  return new Uint8Array(deflateSync(text, { windowBits, memLevel: 4 }));
}

t.test('the checksum (examples from its definition)', async (t) => {
  t.equal(adler32(ascii('Wikipedia')), 0x11e60398);
  t.equal(adler32(new Uint8Array(0)), 1);
  t.equal(adler32(new Uint8Array(200_000).fill(255)), referenceAdler(new Uint8Array(200_000).fill(255)));
});

function referenceAdler(bytes: Uint8Array): number {
  let [low, high] = [1n, 0n];
  for (const byte of bytes) {
    low += BigInt(byte);
    high += low;
  }
  return Number((high % 65521n) * 65536n + (low % 65521n));
}

t.test('reads any window and level, and proves the text', async (t) => {
  for (const windowBits of [9, 10, 12, 15]) {
    const result = zlib.decompress(packed(LONG, windowBits), LONG.length);
    t.ok(isSame(result?.output, LONG), `2^${windowBits}`);
    t.equal(result?.proven, true);
  }
  for (const level of [0, 1, 9]) {
    t.ok(isSame(zlib.decompress(new Uint8Array(deflateSync(OOPS, { level })), LIMIT)?.output, OOPS));
  }
  t.same([...zlib.compress(OOPS).subarray(0, 2)], [0x48, 0x89], 'written as kernels did');
});

t.test('a header that kernels do not take, a wrong byte of text or checksum, a cut', async (t) => {
  const stream = packed(OOPS);
  const changed = (at: number, value: number) => stream.map((byte, i) => (i === at ? value : byte));
  t.equal(zlib.decompress(changed(0, 0x49), LIMIT), undefined, 'another method');
  t.equal(zlib.decompress(changed(1, stream[1]! ^ 1), LIMIT), undefined, 'a wrong check of the header');
  t.equal(zlib.decompress(joined(Uint8Array.of(0x48, 0xab), stream.subarray(2)), LIMIT), undefined, 'a dictionary');
  t.equal(zlib.decompress(joined(Uint8Array.of(0x88, 0x1c), stream.subarray(2)), LIMIT), undefined, 'a window of 2^16');
  for (let at = 1; at <= 4; at++) {
    t.equal(zlib.decompress(changed(stream.length - at, stream.at(-at)! ^ 4), LIMIT), undefined);
    t.equal(zlib.decompress(stream.subarray(0, -at), LIMIT), undefined);
  }
  t.equal(zlib.decompress(stream, OOPS.length - 1), undefined, 'the limit holds');
});

t.test('any text that a checksum proves is shown, whatever follows it in the zone', async () => {
  fc.assert(
    fc.property(anyText, fc.uint8Array({ maxLength: 50 }), (text, rest) => {
      const record = decodeRecord(joined(packed(text), rest), 'auto', LIMIT);
      return record?.compression === 'zlib' && record.proven && isSame(record.text, text);
    }),
  );
});

t.test('salvage: what a cut or damaged stream begins with', async (t) => {
  const stream = packed(LONG);
  const cut = decodeStart(stream.subarray(0, stream.length >> 1), LIMIT);
  t.equal(cut?.compression, 'zlib');
  t.equal(cut?.proven, false);
  t.ok(cut && cut.text.length > LONG.length / 3 && isSame(cut.text, LONG.subarray(0, cut.text.length)));
  const wrongChecksum = stream.map((byte, i) => (i === stream.length - 1 ? byte ^ 1 : byte));
  t.ok(isSame(decodeStart(wrongChecksum, LIMIT)?.text, LONG));
  const wrongHeader = stream.map((byte, i) => (i < 2 ? 0xff : byte));
  t.ok(isSame(decodeStart(wrongHeader, LIMIT)?.text, LONG));
});
