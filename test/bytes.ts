import { test } from 'tap';
import { firstOther, u8, u16, u24, u32, uint } from '../lib/bytes.js';

const BYTES = Uint8Array.of(0x01, 0x82, 0x03, 0x84, 0x05);

test('numbers are little-endian and unsigned', (t) => {
  t.equal(u8(BYTES, 1), 0x82);
  t.equal(u16(BYTES, 0), 0x8201);
  t.equal(u24(BYTES, 0), 0x038201);
  t.equal(u32(BYTES, 0), 0x84038201);
  t.equal(uint(BYTES, 0, 5), 0x0584038201);
  t.equal(uint(BYTES, 0, 0), 0);
  t.end();
});

test('beyond the end there are zeros', (t) => {
  t.equal(u8(BYTES, 5), 0);
  t.equal(u8(BYTES, -1), 0);
  t.equal(u32(BYTES, 3), 0x0584);
  t.equal(uint(BYTES, 3, 8), 0x0584);
  t.end();
});

test('the first byte that is another', (t) => {
  t.equal(firstOther(Uint8Array.of(0, 0, 5, 0), 0), 2);
  t.equal(firstOther(Uint8Array.of(5, 5), 5), -1);
  t.equal(firstOther(new Uint8Array(0), 0), -1);
  const room = new Uint8Array(512);
  for (const value of [0, 0x41, 0xff]) {
    for (let begin = 0; begin < 5; begin++) {
      for (const length of [1, 63, 64, 65, 66, 67, 200]) {
        const bytes = room.subarray(begin, begin + length).fill(value);
        t.equal(firstOther(bytes, value), -1, `${length} bytes from ${begin} on`);
        for (let at = 0; at < length; at++) {
          bytes[at]! ^= 0x80;
          if (firstOther(bytes, value) !== at) t.fail(`${at} of ${length} bytes from ${begin} on`);
          bytes[at]! ^= 0x80;
        }
      }
    }
  }
  t.end();
});
