import t from 'tap';
import {
  ftraceVersionCode,
  kernelVersion,
  mayFollowDumpLine,
  readDumpLine,
  readRamHeader,
  writeDumpLine,
  writeRamHeader,
} from '../../lib/ramoops/format.js';

const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

t.test('the header, in both byte orders', async (t) => {
  const header = { sig: 0x43474244, start: 0x01020304, size: 0xfffffffb };
  for (const [endian, hex] of [
    ['little', '4442474304030201fbffffff'],
    ['big', '4347424401020304fffffffb'],
  ] as const) {
    t.equal(Buffer.from(writeRamHeader(header, endian)).toString('hex'), hex);
    t.same(readRamHeader(Buffer.from(hex, 'hex'), endian), header);
  }
});

t.test('the signature of an ftrace zone names the kernel', async (t) => {
  const table: [number, string | undefined][] = [
    [0x43474244, undefined],
    [0x43474244 ^ 0x601c0, '6.1.192'],
    [0x43474244 ^ 0x30a31, '3.10.49'],
    [0x43474244 ^ 0x504ff, '5.4.255'],
    [0x43474244 ^ 3, undefined],
    [0x43474244 ^ 0x200000, undefined],
    [0, undefined],
  ];
  for (const [sig, version] of table) {
    const code = ftraceVersionCode(sig >>> 0);
    t.equal(code === undefined ? undefined : kernelVersion(code), version, (sig >>> 0).toString(16));
  }
});

t.test('the first line of a dump', async (t) => {
  const table: [string, { seconds: bigint; microseconds: bigint; compressed: boolean; length: number } | undefined][] =
    [
      ['====1640995194.380563-C\nX', { seconds: 1640995194n, microseconds: 380563n, compressed: true, length: 24 }],
      ['====1640995194.380563-D\nX', { seconds: 1640995194n, microseconds: 380563n, compressed: false, length: 24 }],
      ['====12.000001\nOops', { seconds: 12n, microseconds: 1n, compressed: false, length: 14 }],
      ['====-3.5-D\nX', { seconds: -3n, microseconds: 5n, compressed: false, length: 11 }],
      ['==== 7. 8-Q \t\r\n\xa0X', { seconds: 7n, microseconds: 8n, compressed: false, length: 16 }],
      ['====1.2-C\n\nX', { seconds: 1n, microseconds: 2n, compressed: true, length: 10 }],
      ['====1.2-CX', { seconds: 1n, microseconds: 2n, compressed: true, length: 9 }],
      ['====1.2-\0', { seconds: 1n, microseconds: 2n, compressed: false, length: 7 }],
      [
        '====1.99999999999999999999-D\n',
        { seconds: 1n, microseconds: 99999999999999999999n, compressed: false, length: 29 },
      ],
      ['====1.2-D', { seconds: 1n, microseconds: 2n, compressed: false, length: 9 }],
      ['===1.2-D\n', undefined],
      ['====1-D\n', undefined],
      ['====.2-D\n', undefined],
      [' ====1.2-D\n', undefined],
      ['====1.-2-D\n', undefined],
      ['', undefined],
    ];
  for (const [line, expected] of table) t.same(readDumpLine(latin1(line)), expected, JSON.stringify(line));
});

t.test('the first line as it is written', async (t) => {
  const table: [bigint, boolean, string][] = [
    [1640995194_380563999n, true, '====1640995194.380563-C\n'],
    [1_000_000_000n, false, '====1.000000-D\n'],
    [0n, false, '====0.000000-D\n'],
    [-1n, true, '====-1.999999-C\n'],
  ];
  for (const [time, compressed, line] of table) {
    t.equal(new TextDecoder().decode(writeDumpLine(time, compressed)), line);
  }
});

t.test('a compressed record that begins with white space would lose that byte to the line', async (t) => {
  for (let first = 0; first < 256; first++) {
    const isSpace = [9, 10, 11, 12, 13, 32, 0xa0].includes(first);
    t.equal(mayFollowDumpLine(Uint8Array.of(first, 1)), !isSpace, `0x${first.toString(16)}`);
  }
});
