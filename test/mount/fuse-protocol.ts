import { endianness } from 'node:os';
import t from 'tap';
import {
  ATTR,
  ATTR_OUT,
  DIRENT,
  ENTRY_OUT,
  Frame,
  GETXATTR_IN,
  GETXATTR_OUT,
  IN_HEADER,
  INIT_OUT,
  OPEN_OUT,
  Opcode,
  OUT_HEADER,
  opcodeName,
  padded,
  READ_IN,
  SETATTR_IN,
  STATFS_OUT,
} from '../../lib/mount/fuse-protocol.js';

const LITTLE = endianness() === 'LE';

/** A field's bytes in the machine's order, from the way that a little-endian machine writes them. */
function ordered(hex: string): string {
  return LITTLE ? hex : Buffer.from(hex, 'hex').reverse().toString('hex');
}

t.test('sizes of the structures, by sizeof on a 64-bit machine', (t) => {
  t.same(
    {
      IN_HEADER: IN_HEADER.size,
      OUT_HEADER: OUT_HEADER.size,
      INIT_OUT: INIT_OUT.size,
      ATTR: ATTR.length,
      ENTRY_OUT: ENTRY_OUT.size,
      ATTR_OUT: ATTR_OUT.size,
      OPEN_OUT: OPEN_OUT.size,
      READ_IN: READ_IN.size,
      SETATTR_IN: SETATTR_IN.size,
      GETXATTR_IN: GETXATTR_IN.size,
      GETXATTR_OUT: GETXATTR_OUT.size,
      STATFS_OUT: STATFS_OUT.size,
      DIRENT: DIRENT.name,
    },
    {
      IN_HEADER: 40,
      OUT_HEADER: 16,
      INIT_OUT: 64,
      ATTR: 88,
      ENTRY_OUT: 128,
      ATTR_OUT: 104,
      OPEN_OUT: 16,
      READ_IN: 40,
      SETATTR_IN: 88,
      GETXATTR_IN: 8,
      GETXATTR_OUT: 8,
      STATFS_OUT: 80,
      DIRENT: 24,
    },
  );
  t.end();
});

t.test('64-bit fields', (t) => {
  const cases: [number, string][] = [
    [0, '0000000000000000'],
    [1, '0100000000000000'],
    [0xffff_ffff, 'ffffffff00000000'],
    [0x1_0000_0000, '0000000001000000'],
    [Number.MAX_SAFE_INTEGER, 'ffffffffffff1f00'],
  ];
  const frame = new Frame(16);
  for (const [value, hex] of cases) {
    frame.setU64(8, value);
    t.equal(frame.bytes.toString('hex', 8), ordered(hex), `${value} is written`);
    t.equal(frame.u64(8), value, `${value} is read`);
  }
  frame.setU64(0, -1);
  t.equal(frame.bytes.toString('hex', 0, 8), 'ffffffffffffffff', '−1 as the kernel counts');
  t.ok(frame.u64(0) >= 2 ** 63, 'larger numbers stay larger');
  frame.copy64(8, frame, 0);
  t.equal(frame.bytes.toString('hex', 8), 'ffffffffffffffff');
  t.end();
});

t.test('times', (t) => {
  const cases: [bigint, string, number][] = [
    [0n, '0000000000000000', 0],
    [1n, '0000000000000000', 1],
    [1_700_000_000_123_456_789n, '00f1536500000000', 123_456_789],
    [-1n, 'ffffffffffffffff', 999_999_999],
    [-1_000_000_000n, 'ffffffffffffffff', 0],
    [-1_500_000_001n, 'feffffffffffffff', 499_999_999],
    [4_294_967_296_000_000_005n, '0000000001000000', 5],
  ];
  const frame = new Frame(ATTR.length);
  for (const [timeNs, seconds, nanoseconds] of cases) {
    frame.setAttr(0, { ino: 7, mode: 0o100444, nlink: 2, uid: 3, gid: 4, size: 513, timeNs });
    for (const [s, ns] of [
      [ATTR.atime, ATTR.atimensec],
      [ATTR.mtime, ATTR.mtimensec],
      [ATTR.ctime, ATTR.ctimensec],
    ] as const) {
      t.equal(frame.bytes.toString('hex', s, s + 8), ordered(seconds), `${timeNs}: seconds`);
      t.equal(frame.u32(ns), nanoseconds, `${timeNs}: nanoseconds`);
    }
  }
  t.same(
    [frame.u64(ATTR.ino), frame.u64(ATTR.size), frame.u64(ATTR.blocks), frame.u32(ATTR.mode), frame.u32(ATTR.nlink)],
    [7, 513, 2, 0o100444, 2],
  );
  t.same([frame.u32(ATTR.uid), frame.u32(ATTR.gid), frame.u32(ATTR.rdev)], [3, 4, 0]);
  t.end();
});

t.test('time-outs', (t) => {
  const frame = new Frame(16);
  for (const [ms, seconds, nanoseconds] of [
    [0, 0, 0],
    [1, 0, 1e6],
    [1500, 1, 5e8],
    [86_400_000, 86_400, 0],
  ] as const) {
    frame.setTimeout(0, 8, ms);
    t.same([frame.u64(0), frame.u32(8)], [seconds, nanoseconds], `${ms} ms`);
  }
  t.end();
});

t.test('padding and names', (t) => {
  t.same([0, 1, 7, 8, 9, 24, 25].map(padded), [0, 8, 8, 8, 16, 24, 32]);
  t.equal(opcodeName(Opcode.READDIRPLUS), 'READDIRPLUS');
  t.equal(opcodeName(4711), 'opcode 4711');
  t.end();
});
