import t from 'tap';
import { PstoreError } from '../../lib/errors.js';
import { ABI_NAMES, ALL_ABIS, abiName, Fields, parseAbi } from '../../lib/pstore/abi.js';

t.test('every name gives a machine, and every machine has a short name that gives it back', (t) => {
  for (const abi of ALL_ABIS) t.same(parseAbi(abiName(abi)), abi);
  for (const name of Object.keys(ABI_NAMES)) t.ok(ALL_ABIS.includes(parseAbi(name)), name);
  t.same(parseAbi('i386'), { endian: 'little', wordBits: 32, align: 4 });
  t.same(parseAbi('mips'), { endian: 'big', wordBits: 32, align: 8 });
  t.throws(() => parseAbi('vax'), { code: 'EINVAL' });
  t.throws(() => parseAbi('constructor'), PstoreError);
  t.end();
});

t.test('integers in both byte orders', (t) => {
  const bytes = Uint8Array.from([0xfe, 2, 3, 4, 5, 6, 7, 0x88]);
  const little = new Fields(bytes, 'little');
  const big = new Fields(bytes, 'big');
  t.equal(little.u16(0), 0x02fe);
  t.equal(big.u16(0), 0xfe02);
  t.equal(little.u32(0), 0x040302fe);
  t.equal(big.u32(0), 0xfe020304);
  t.equal(big.s32(0), 0xfe020304 - 2 ** 32);
  t.equal(little.u64(0), 0x88070605040302fen);
  t.equal(little.s64(0), 0x88070605040302fen - (1n << 64n));
  t.throws(() => little.u32(5), RangeError);
  t.end();
});
