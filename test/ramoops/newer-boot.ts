// Regions that an earlier boot has used with other sizes, or that lost a header: what a kernel did last must decide.

import { deflateRawSync } from 'node:zlib';
import t from 'tap';
import { open } from '../../lib/core.js';
import { Detection, detectRam } from '../../lib/ramoops/detect.js';
import { layOutRam, NO_RAM_ZONES } from '../../lib/ramoops/geometry.js';
import { findRamMarks } from '../../lib/ramoops/marks.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { Region, ringOver } from '../builders/ramoops.js';
import { dice } from '../builders/ramoops-dialects.js';
import { readAll } from '../builders/store.js';

const K = 1024;
const OLD = { mem: 128 * K, record: 16 * K, console: 8 * K, pmsg: 8 * K } as const;

const lines = (bytes: number) =>
  Buffer.from('[    1.000000] the pump has stopped\n'.repeat(1 + bytes / 36).slice(0, bytes));

function noise(seed: number, bytes: number): Uint8Array {
  const roll = dice(seed);
  return Uint8Array.from({ length: bytes }, () => roll(256));
}

function olderRegion(ecc = 0): Region {
  const region = new Region({ ...OLD, ecc });
  region.dump(1, '====1600000000.000001-D\n', Buffer.from('Oops#1 Part1\nold\n'));
  region.ring('console', lines(3000));
  region.ring('pmsg', Buffer.from('an old line of a program\n'));
  return region;
}

function opened(image: Uint8Array) {
  return open(new MemoryStorage(image, { path: 'region.img', writable: false }));
}

function detected(image: Uint8Array) {
  return detectRam(new MemoryStorage(image, { path: 'region.img', writable: false }), {})!;
}

t.test('one ring over older zones: its parity proves it, however many headers are left of them', async (t) => {
  const { bytes } = olderRegion();
  ringOver(bytes, 16, lines(1000));
  const { sizes } = detected(bytes);
  t.match(sizes, { dialect: { name: 'android-3.4' }, consoleSize: 128 * K, recordSize: 0, ecc: 16 });
  t.same([...readAll(opened(bytes)).keys()], ['console-ramoops-0']);
});

t.test('an empty ring over older zones: nothing tells which was later, so the sizes are only guesses', async (t) => {
  const { bytes } = olderRegion();
  ringOver(bytes, 16, new Uint8Array(0));
  t.ok(detected(bytes).confidence.recordSize < 1);
  t.match(
    opened(bytes).warnings.map(({ message }) => message),
    [/record_size=16K, console_size=8K, .* give what the kernel had/],
  );
});

t.test('a sound header of which ECC makes another: another kernel has written it, which is said', async (t) => {
  const { bytes } = olderRegion(8);
  ringOver(bytes, 0, lines(98));
  t.ok(detected(bytes).confidence.recordSize < 1);
});

t.test('a header that is lost in the middle of a row makes no coarser zones of it', async (t) => {
  for (const lost of [9, 10, 21]) {
    const region = new Region({ mem: 256 * K, record: 4 * K, console: 8 * K, pmsg: 16 * K });
    for (const { offset, area } of region.zones) region.bytes.set(noise(offset, area), offset + 12);
    region.dump(0, '====1600000000.000001-D\n', Buffer.from('Oops#1 Part1\nnew\n'));
    region.bytes.set(noise(lost, 12), region.zone('dmesg', lost).offset);
    t.match(detected(region.bytes).sizes, { recordSize: 4 * K, consoleSize: 8 * K, pmsgSize: 16 * K }, `zone ${lost}`);
  }
});

t.test('bytes at the end that may be unused ones of the region leave its size open', async (t) => {
  const region = new Region({ mem: 640 * K, record: 4 * K, console: 256 * K, pmsg: 64 * K });
  region.ring('console', lines(300 * K));
  region.ring('pmsg', Buffer.from('a line of a program\n'.repeat(4 * K)));
  const bytes = new Uint8Array(896 * K);
  bytes.set(region.bytes);
  const { confidence, sizes } = detected(bytes);
  t.match([confidence.memSize, sizes.consoleSize, confidence.recordSize], [0.5, 256 * K, 1]);
});

/** A region that `before` has used, and after it a kernel with other sizes. Sizes are in KiB: record, console, pmsg. */
function reused(before: readonly number[], now: readonly number[], { dumps = 0, ecc = 0 } = {}): Uint8Array {
  const region = ([record, console, pmsg]: readonly number[], own: number) =>
    new Region({ mem: 256 * K, record: record! * K, console: console! * K, pmsg: pmsg! * K, ecc: own });
  const [old, last] = [region(before, ecc), region(now, 0)];
  for (let i = 0; i < dumps; i++) old.dump(i, `====160000000${i}.000001-D\n`, Buffer.from('Oops#1 Part1\nold\n'));
  if (before[1]! > 0) old.ring('console', lines(3000));
  if (before[2]! > 0 && dumps > 0)
    old.ring('pmsg', Buffer.from('01-02 03:04:05 an old line of a program\n'.repeat(20)));
  last.dump(0, '====1700000010.000001-D\n', Buffer.from('Oops#1 Part1\nnew\n'));
  last.ring('console', lines(2000));
  if (now[2]! > 0) last.ring('pmsg', Buffer.from('01-02 03:04:05 a line of a program\n'.repeat(30)));
  const view = new DataView(last.bytes.buffer);
  for (const { offset } of last.zones) {
    const used = 12 + view.getUint32(offset + 8, true);
    old.bytes.set(last.bytes.subarray(offset, offset + used), offset);
  }
  return old.bytes;
}

t.test('a kernel that has run uses its rings: sizes by which none is in use are of another boot', async (t) => {
  for (const [before, now] of [
    [
      [4, 8, 0],
      [64, 32, 16],
    ],
    [
      [16, 0, 0],
      [32, 16, 32],
    ],
    [
      [8, 4, 16],
      [64, 32, 16],
    ],
  ] as const) {
    const [record, console, pmsg] = now;
    const expected = { recordSize: record * K, consoleSize: console * K, pmsgSize: pmsg * K };
    t.match(detected(reused(before, now, { dumps: 3 })).sizes, expected, now.join());
  }
});

t.test('parity of an earlier boot does not hide that this one had none', async (t) => {
  for (const [before, now] of [
    [
      [16, 0, 0],
      [8, 16, 64],
    ],
    [
      [64, 32, 16],
      [32, 16, 32],
    ],
  ] as const) {
    const [record, console, pmsg] = now;
    const expected = { recordSize: record * K, consoleSize: console * K, pmsgSize: pmsg * K, ecc: 0 };
    t.match(detected(reused(before, now, { ecc: 16 })).sizes, expected, now.join());
  }
});

t.test('what holds no lines of a console is no second console, though a header stands behind it', async (t) => {
  const region = new Region({ mem: 128 * K, record: 8 * K, console: 8 * K, pmsg: 32 * K });
  region.ring('console', lines(2000));
  region.ring('pmsg', Buffer.from('01-02 03:04:05 a line of a program\n'.repeat(30)));
  const bytes = new Uint8Array(136 * K);
  bytes.set(region.bytes);
  bytes.set(Buffer.from('DBGC'), region.zone('pmsg').offset + 8 * K);
  const sizes = { record_size: '8K', console_size: '8K', ftrace_size: '0', pmsg_size: '32K', ecc: '0' };
  const records = readAll(open(bytes, { backend: 'ramoops', keys: { dialect: 'mediatek', ...sizes } }));
  t.same([...records.keys()].sort(), ['console-ramoops-0', 'pmsg-ramoops-0']);
});

t.test('a ring whose parity stands in the image is not one that goes on behind it', async (t) => {
  const region = new Region({ mem: 896 * K, record: 128 * K, console: 32 * K, pmsg: 92 * K, ecc: 16 });
  region.dump(0, '====1700000010.000001-D\n', Buffer.from('Oops#1 Part1\nnew\n'));
  region.ring('console', lines(2000));
  region.ring('pmsg', Buffer.from('01-02 03:04:05 a line of a program\n'.repeat(10)));
  for (const more of [0, 512, 100 * K, 896 * K]) {
    const { pmsgSize } = detected(Buffer.concat([region.bytes, new Uint8Array(more)])).sizes;
    t.equal(pmsgSize, 92 * K, `${more} bytes behind it`);
  }
});

t.test('zones over whose header something was written may be those of another boot', async (t) => {
  const region = new Region(OLD);
  const storage = new MemoryStorage(region.bytes, { path: 'region.img', writable: false });
  const given = { memSize: 128 * K, recordSize: 16 * K, consoleSize: 8 * K, pmsgSize: 8 * K };
  const geometry = layOutRam({ ...NO_RAM_ZONES, ...given }, 'region.img');
  const isStrange = () => new Detection(storage, findRamMarks(storage)).evidence.fit(geometry).isStrange;
  region.ring('console', lines(2000));
  t.notOk(isStrange());
  region.bytes.set(lines(100), region.zone('dmesg', 3).offset);
  t.ok(isStrange());
});

t.test('an empty ring ends where the parity of its header does', async (t) => {
  const region = new Region({ mem: 240 * K, record: 32 * K, console: 128 * K, pmsg: 80 * K, ecc: 16 });
  region.dump(0, '====1700000010.000001-D\n', Buffer.from('Oops#1 Part1\nnew\n'));
  region.ring('console', lines(2000));
  const { pmsgSize, memSize } = detected(Buffer.concat([region.bytes, new Uint8Array(600 * K)])).sizes;
  t.same([pmsgSize, memSize], [80 * K, 240 * K]);
});

t.test('a ring of any size over many older zones ends at the next header that holds something', async (t) => {
  const expected = { recordSize: 48 * K, consoleSize: 96 * K, pmsgSize: 64 * K, dialect: { name: 'rockchip' } };
  t.match(detected(reused([6, 0, 0], [48, 96, 64])).sizes, expected);
});

t.test('parity speaks for sizes by which a header is left over', async (t) => {
  const region = new Region({ mem: 0x110000, record: 128 * K, console: 512 * K, pmsg: 320 * K, ecc: 32 });
  for (const id of [0, 1]) region.dump(id, `====170000001${id}.000001-D\n`, Buffer.from('Oops#1 Part1\nnew\n'));
  region.ring('console', lines(303));
  // Of an earlier boot's ftrace zone.
  const view = new DataView(region.bytes.buffer, 0x95000);
  view.setUint32(0, (0x43474244 ^ 0x601c0) >>> 0, true);
  t.match(detected(region.bytes).sizes, { recordSize: 128 * K, consoleSize: 512 * K, ecc: 32 });
});

/** A region with ECC, in which some of an earlier kernel's zones stand where it has zones for dumps. */
function withParity(place: (region: Region) => void): Uint8Array {
  const region = new Region({ mem: 256 * K, record: 8 * K, console: 16 * K, ecc: 16 });
  region.dump(0, '====1700000010.000001-D\n', Buffer.from('Oops#1 Part1\nnew\n'));
  region.ring('console', lines(3000));
  place(region);
  return region.bytes;
}

t.test('dumps of an earlier boot without parity do not hide that the last one had it, however many', async (t) => {
  // With zeros for parity ECC would make an unsigned zone of such a header.
  const old = new Region({ mem: 256 * K, record: 8 * K }, 0xff);
  const bytes = withParity((region) => {
    for (const id of [4, 8, 12, 16, 20, 24]) {
      old.dump(id, '====1600000000.000001-D\n', Buffer.from('Oops#1 Part1\nold\n'));
      const { offset, size } = old.zone('dmesg', id);
      region.bytes.set(old.bytes.subarray(offset, offset + size), offset);
    }
  });
  t.match(detected(bytes).sizes, { recordSize: 8 * K, consoleSize: 16 * K, ecc: 16 });
});

t.test('nor does a ring of such a boot', async (t) => {
  const bytes = withParity((region) => {
    const { offset } = region.zone('dmesg', 20);
    region.bytes.set(noise(1, 8 * K - 12), offset + 12);
    const header = new DataView(region.bytes.buffer, offset);
    header.setUint32(4, 515, true);
    header.setUint32(8, 3604, true);
  });
  t.match(detected(bytes).sizes, { recordSize: 8 * K, consoleSize: 16 * K, ecc: 16 });
});

/** What the second boot signs and writes, over what the first one left. */
function rebooted(old: Region, next: Region): Uint8Array {
  const bytes = old.bytes.slice();
  const view = new DataView(next.bytes.buffer);
  for (const { offset } of next.zones) {
    const end = offset + 12 + view.getUint32(offset + 8, true);
    bytes.set(next.bytes.subarray(offset, end), offset);
  }
  return bytes;
}

const dumpsAt = (region: Region, seconds: number, bytes: readonly number[]) => {
  for (const [id, length] of bytes.entries())
    region.dump(
      id,
      `====${seconds + id}.000001-D\n`,
      Buffer.concat([Buffer.from(`Oops#${id + 1} Part1\n`), lines(length)]),
    );
};

t.test('zones that a kernel would have written to before later ones are those of an earlier boot', async (t) => {
  for (const older of [[], [500, 500, 500, 500, 500, 500, 500]]) {
    const old = new Region({ mem: 512 * K, record: 8 * K, console: 8 * K });
    dumpsAt(old, 1_600_000_000, older);
    const next = new Region({ mem: 512 * K, record: 32 * K, console: 32 * K });
    dumpsAt(next, 1_610_000_000, [12_000, 11_000, 13_500]);
    next.ring('console', lines(30_000));
    t.match(detected(rebooted(old, next)).sizes, { recordSize: 32 * K, consoleSize: 32 * K }, `${older.length} dumps`);
  }
});

t.test('given sizes are no other dialect, because of a header where its second console might begin', async (t) => {
  const old = new Region({ mem: 512 * K, record: 8 * K, console: 64 * K });
  const next = new Region({ mem: 512 * K, record: 8 * K, console: 64 * K, pmsg: 64 * K });
  dumpsAt(next, 1_610_000_000, [3000]);
  next.ring('console', lines(10_000));
  next.ring('pmsg', lines(1000));
  const keys = { record_size: '8K', console_size: '64K', ftrace_size: '0', pmsg_size: '64K', ecc: '0' };
  const storage = new MemoryStorage(rebooted(old, next), { path: 'region.img', writable: false });
  t.same([...readAll(open(storage, { keys })).keys()].sort(), [
    'console-ramoops-0',
    'dmesg-ramoops-0',
    'pmsg-ramoops-0',
  ]);
});

t.test('headers whose lengths are overwritten are those of ramoops, wherever the first one stands', async (t) => {
  const bytes = new Uint8Array(256 * K);
  for (const at of [64 * K, 192 * K])
    bytes.set([0x44, 0x42, 0x47, 0x43, ...noise(at, 3), 0x4c, ...noise(at + 1, 3), 0x52], at);
  t.throws(() => opened(bytes), /2 headers of ramoops zones stand in it, .*found existing invalid buffer/);
});

t.test('a row of older headers in a console is no second console', async (t) => {
  const old = new Region({ mem: 512 * K, record: 32 * K, console: 64 * K });
  old.ring('console', lines(18_000));
  const next = new Region({ mem: 512 * K, record: 4 * K, console: 128 * K, pmsg: 128 * K });
  dumpsAt(next, 1_610_000_000, [3000, 2000]);
  next.ring('console', lines(29_893));
  t.same([...readAll(opened(rebooted(old, next))).keys()].sort(), [
    'console-ramoops-0',
    'dmesg-ramoops-0',
    'dmesg-ramoops-1',
  ]);
});

t.test(
  'a dump that is newer than all in the zones speaks against zones that a ring more in use speaks for',
  async (t) => {
    const old = new Region({ mem: 512 * K, record: 32 * K, console: 16 * K, pmsg: 8 * K });
    dumpsAt(old, 1_600_000_000, [20_000, 8000, 7000]);
    old.ring('pmsg', Buffer.from('a line of a program\n'.repeat(200)));
    old.ring('console', lines(14_000));
    const next = new Region({ mem: 512 * K, record: 16 * K, console: 64 * K });
    dumpsAt(next, 1_610_000_000, [10_300, 3700]);
    next.ring('console', lines(6000));
    t.match(detected(rebooted(old, next)).sizes, { recordSize: 16 * K, consoleSize: 64 * K, pmsgSize: 0 });
  },
);

t.test('a dump whose text no zone of its size has room for is one of larger zones', async (t) => {
  const old = new Region({ mem: 512 * K, record: 4 * K, console: 8 * K, pmsg: 128 * K });
  dumpsAt(old, 1_600_000_000, [3000, 3400, 2000]);
  const next = new Region({ mem: 512 * K, record: 16 * K, console: 64 * K, pmsg: 128 * K });
  const log = Array.from({ length: 1000 }, (_, i) => `<4>[    1.${100_000 + 4 * i}] pump ${i % 9} has stopped\n`);
  const text = deflateRawSync(`Panic#1 Part1\n${log.join('')}`, { windowBits: 11 });
  t.ok(text.length < 3900);
  next.dump(0, '====1610000000.000001-C\n', text);
  next.ring('console', lines(60_000));
  next.ring('pmsg', Buffer.from('a line of a program\n'.repeat(900)));
  t.match(detected(rebooted(old, next)).sizes, { recordSize: 16 * K, consoleSize: 64 * K, pmsgSize: 128 * K });
});

t.test('zones that explain all headers, of which a kernel would have passed over some, are only guesses', async (t) => {
  const old = new Region({ mem: 512 * K, record: 16 * K, console: 64 * K });
  const next = new Region({ mem: 512 * K, record: 32 * K, console: 64 * K });
  dumpsAt(next, 1_610_000_000, [9000, 9500, 8300]);
  next.ring('console', lines(50_000));
  t.ok(detected(rebooted(old, next)).confidence.recordSize < 1);
});
