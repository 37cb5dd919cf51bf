import t from 'tap';
import { PageTables, type PagingRules } from '../../lib/vmcore/page-tables.js';

/** Memory of a few tables. */
function tables(entries: Readonly<Record<number, bigint>>) {
  return {
    read(target: Uint8Array, address: number): number {
      const entry = entries[address];
      if (entry === undefined) return 0;
      new DataView(target.buffer, target.byteOffset).setBigUint64(0, entry, true);
      return target.length;
    },
  };
}

const X86: PagingRules = {
  kind: 'x86',
  pageShift: 12,
  addressBits: 48,
  frameMask: 0x000f_ffff_ffff_f000n,
  wide: 'no',
};

t.test('x86-64: small and large pages, four and five levels', (t) => {
  const address = 0xffff_8880_0123_4567n;
  const index = (level: number) => Number((address >> BigInt(12 + 9 * level)) & 0x1ffn) * 8;
  const four = {
    [0x1000 + index(3)]: 0x2003n,
    [0x2000 + index(2)]: 0x3003n,
    [0x3000 + index(1)]: 0x4003n,
    [0x4000 + index(0)]: 0x8000_0000_0abc_d003n,
  };
  t.equal(new PageTables(tables(four), 0x1000, X86, 'little').physical(address), 0x0abcd567);
  const large = { ...four, [0x3000 + index(1)]: 0x4000_0083n };
  t.equal(new PageTables(tables(large), 0x1000, X86, 'little').physical(address), 0x4003_4567);
  const absent = { ...four, [0x4000 + index(0)]: 0x0abc_d002n };
  t.equal(new PageTables(tables(absent), 0x1000, X86, 'little').physical(address), undefined);
  const five = { ...four, [0x9000 + index(4)]: 0x1003n };
  const rules = { ...X86, addressBits: 57 };
  t.equal(new PageTables(tables(five), 0x9000, rules, 'little').physical(address), 0x0abcd567);
  t.equal(new PageTables(tables({}), 0x1000, X86, 'little').physical(address), undefined, 'no table there');
  t.end();
});

t.test('arm64: pages of 64 KiB, blocks, and physical addresses of 52 bits', (t) => {
  const address = 0xffff_8000_1234_5678n;
  const rules: PagingRules = {
    kind: 'arm64',
    pageShift: 16,
    addressBits: 48,
    frameMask: 0xffff_ffff_0000n,
    wide: 'lpa',
  };
  const top = Number((address >> 42n) & 0x3fn) * 8;
  const middle = Number((address >> 29n) & 0x1fffn) * 8;
  const last = Number((address >> 16n) & 0x1fffn) * 8;
  const walk = (entries: Record<number, bigint>) =>
    new PageTables(tables({ [0x10000 + top]: 0x20003n, ...entries }), 0x10000, rules, 'little').physical(address);
  t.equal(walk({ [0x20000 + middle]: 0x30003n, [0x30000 + last]: 0x7_0003n }), 0x7_5678);
  t.equal(walk({ [0x20000 + middle]: 0x30003n, [0x30000 + last]: 0x7_2003n }), 2 * 2 ** 48 + 0x7_5678);
  t.equal(walk({ [0x20000 + middle]: 0x4000_0001n }), 0x4000_0000 + 0x1234_5678);
  t.end();
});
