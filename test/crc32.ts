import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { crc32 } from '../lib/crc32.js';

t.test('as zlib has it', (t) => {
  t.equal(crc32(Buffer.from('123456789')), 0xcbf4_3926);
  fc.assert(fc.property(fc.uint8Array(), (bytes) => crc32(bytes) === zlibCrc32(bytes)));
  t.end();
});
