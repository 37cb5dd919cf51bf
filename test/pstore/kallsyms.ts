import t from 'tap';
import { PstoreError } from '../../lib/errors.js';
import { parseKallsyms } from '../../lib/pstore/kallsyms.js';

const parse = (text: string) => parseKallsyms(new TextEncoder().encode(text), 'symbols');

const KALLSYMS = `0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000010 T startup_64
ffffffff81000040 t local
ffffffff81000040 T alias
ffffffff81000080 T last_text
ffffffff81000100 T _etext
ffffffff82000000 D data
ffffffff82000100 B _end
ffffffffc0002000 t second\t[beta]
ffffffffc0001000 t first\t[alpha]
ffffffffc0001020 t more\t[alpha]
`;

t.test('lookup', async (t) => {
  const symbols = parse(KALLSYMS);
  const table: [bigint, string | undefined, bigint?, bigint?, string?][] = [
    [0xffffffff81000000n, '_stext', 0n, 0x10n],
    [0xffffffff8100003fn, 'startup_64', 0x2fn, 0x30n],
    [0xffffffff81000041n, 'local', 1n, 0x40n],
    [0xffffffff820000ffn, 'data', 0xffn, 0x100n],
    [0xffffffff82000100n, undefined],
    [0xffffffff80ffffffn, undefined],
    [0x10n, undefined],
    [0xffffffffc0001021n, 'more', 1n, 0xfe0n, 'alpha'],
    [0xffffffffc0001ffen, 'more', 0xfden, 0xfe0n, 'alpha'],
    [0xffffffffc0002004n, 'second', 4n, 0x1000n, 'beta'],
    [0xffffffffc0003000n, undefined],
  ];
  for (const [address, name, offset, size, module] of table) {
    const found = symbols.lookup(address);
    t.same(found, name && { name, offset, size, module: module ?? null }, address.toString(16));
  }
});

t.test('System.map, 32-bit, CRLF, without bounds, unsorted', async (t) => {
  const symbols = parse('c0100200 T b\r\nc0100000 T a\r\n         U undefined_one\r\nrubbish\r\n');
  t.same(symbols.lookup(0xc0100004n), { name: 'a', offset: 4n, size: 0x200n, module: null });
  t.same(symbols.lookup(0xc0100204n), { name: 'b', offset: 4n, size: 0xe00n, module: null });
  t.equal(symbols.lookup(0xc0000000n), undefined);
});

t.test('many symbols, in any order, of which some share an address', async (t) => {
  const count = 5000;
  const lines = Array.from({ length: count }, (_, i) => {
    const address = 0x1000n + BigInt(((i * 7) % count) >> 1) * 16n;
    return `${address.toString(16)} T f${i}`;
  });
  const unsorted = parse(lines.join('\n'));
  const firsts = new Map<string, string>();
  for (const line of lines) {
    const [address, , name] = line.split(' ') as [string, string, string];
    if (!firsts.has(address)) firsts.set(address, name);
  }
  for (const [address, name] of firsts) {
    if (unsorted.lookup(BigInt(`0x${address}`) + 5n)?.name !== name) t.fail(`${address} is ${name}`);
  }
  t.equal(firsts.size, count / 2);
});

t.test('files that are none', async (t) => {
  for (const [text, sentence] of [
    ['', /no line such as/],
    ['hello\nworld\n', /no line such as/],
    ['0000000000000000 T _text\n0000000000000000 t a\n', /address 0 for all 2/],
  ] as const) {
    try {
      parse(text);
      t.fail('accepted');
    } catch (error) {
      t.ok(error instanceof PstoreError && error.code === 'EINVAL');
      t.match((error as Error).message, sentence);
    }
  }
});
