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
  t.end();
});
