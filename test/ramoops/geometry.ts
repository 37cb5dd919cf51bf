import t from 'tap';
import { PstoreError } from '../../lib/errors.js';
import {
  layOutRam,
  NO_RAM_ZONES,
  type RamSizes,
  ramZones,
  roundDownToPowerOfTwo,
  zoneLayout,
} from '../../lib/ramoops/geometry.js';

const K = 1024;

const lay = (sizes: Partial<RamSizes>) => layOutRam({ ...NO_RAM_ZONES, ...sizes }, 'image');
const places = (sizes: Partial<RamSizes>) =>
  [...ramZones(lay(sizes))]
    .map(({ type, id, offset, size }) => `${type}${id}@${offset.toString(16)}+${size.toString(16)}`)
    .join(' ');

t.test('places', async (t) => {
  const table: [string, Partial<RamSizes>, string][] = [
    [
      'r1',
      { memSize: 256 * K, recordSize: 32 * K, consoleSize: 32 * K, pmsgSize: 32 * K },
      'dmesg0@0+8000 dmesg1@8000+8000 dmesg2@10000+8000 dmesg3@18000+8000 dmesg4@20000+8000 dmesg5@28000+8000 console0@30000+8000 pmsg0@38000+8000',
    ],
    [
      'r2: the dmesg zones share what is left',
      { memSize: 256 * K, recordSize: 32 * K, consoleSize: 32 * K, pmsgSize: 16 * K },
      'dmesg0@0+8aaa dmesg1@8aaa+8aaa dmesg2@11554+8aaa dmesg3@19ffe+8aaa dmesg4@22aa8+8aaa dmesg5@2b552+8aaa console0@33ffc+8000 pmsg0@3bffc+4000',
    ],
    [
      'ftrace zones are even, and pmsg follows them',
      { memSize: 0x10000, consoleSize: 0x4000, ftraceSize: 0x1000, cpus: 3, pmsgSize: 0x1000 },
      'console0@0+4000 ftrace0@4000+554 ftrace1@4554+554 ftrace2@4aa8+554 pmsg0@4ffc+1000',
    ],
    [
      'the later order',
      {
        memSize: 0x8000,
        recordSize: 0x2000,
        consoleSize: 0x2000,
        ftraceSize: 0x2000,
        cpus: 2,
        pmsgSize: 0x2000,
        order: 'pmsg-ftrace',
      },
      'dmesg0@0+2000 console0@2000+2000 pmsg0@4000+2000 ftrace0@6000+1000 ftrace1@7000+1000',
    ],
    [
      'tty stands behind pmsg, in the later order',
      { memSize: 0x8000, recordSize: 0x2000, ttySize: 0x2000, ftraceSize: 0x2000, pmsgSize: 0x2000 },
      'dmesg0@0+2000 pmsg0@2000+2000 tty0@4000+2000 ftrace0@6000+2000',
    ],
    [
      'sizes are rounded down to powers of two, the region is not',
      { memSize: 0x9006, recordSize: 0x5fff, consoleSize: 0x1001 },
      'dmesg0@0+4002 dmesg1@4002+4002 console0@8004+1000',
    ],
    [
      'no dmesg zones where nothing is left',
      { memSize: 0x2000, recordSize: 0x1000, consoleSize: 0x2000 },
      'console0@0+2000',
    ],
  ];
  for (const [name, sizes, expected] of table) t.equal(places(sizes), expected, name);
});

t.test('ECC places, as the golden images have them', async (t) => {
  const framed = { frame: 'header', data: 12 };
  for (const [size, area, parity] of [
    [0x8aaa, 31518, 3968],
    [0x8000, 29092, 3664],
    [0x4000, 14532, 1840],
  ] as const) {
    t.same(zoneLayout(size, 16), { ...framed, area, blockParity: 12 + area, headerParity: size - 16 });
    t.equal(12 + area + parity, size);
  }
  t.same(zoneLayout(100, 0), { ...framed, area: 88, blockParity: 100, headerParity: 100 });
  t.equal(zoneLayout(12, 0), undefined);
  t.equal(zoneLayout(28, 16), undefined);
  t.equal(zoneLayout(44, 16), undefined);
  t.same(zoneLayout(46, 16), { ...framed, area: 2, blockParity: 14, headerParity: 30 });
});

t.test('powers of two', async (t) => {
  for (const [size, power] of [
    [0, 0],
    [0.5, 0],
    [1, 1],
    [3, 2],
    [4096, 4096],
    [2 ** 31 - 1, 2 ** 30],
    [2 ** 40 - 1, 2 ** 39],
    [2 ** 49, 2 ** 49],
  ] as const) {
    t.equal(roundDownToPowerOfTwo(size), power);
  }
});

t.test('sizes with which ramoops would not come up', async (t) => {
  const table: [Partial<RamSizes>, RegExp][] = [
    [{ memSize: 4096 }, /give at least one of record_size/],
    [{ memSize: 4096, recordSize: 8192 }, /record_size=8192 is larger than the 4096 bytes/],
    [{ memSize: 4096, consoleSize: 8192 }, /console, ftrace, pmsg and tty are 8192 bytes, the region has 4096/],
    [{ memSize: 4096, recordSize: 4096, ecc: 128 }, /0 to 127 parity bytes/],
    [{ memSize: 4096, recordSize: 4096, ecc: -1 }, /0 to 127 parity bytes/],
    [{ memSize: 4096, recordSize: 4096, cpus: 0 }, /at least one CPU/],
    [{ memSize: 4096, ftraceSize: 4096, cpus: 1000 }, /ftrace zone of 4 bytes has no room for a header and data/],
    [{ memSize: 2 ** 41, recordSize: 4096 }, /gives 536870912 zones, more than 1048576; give mem_size=/],
    [{ memSize: 4096, recordSize: 64, ecc: 64 }, /dmesg zone of 64 bytes has no room for a header, 64 parity bytes/],
  ];
  for (const [sizes, message] of table) {
    try {
      lay(sizes);
      t.fail(`accepted ${JSON.stringify(sizes)}`);
    } catch (error) {
      t.ok(error instanceof PstoreError && error.code === 'EINVAL');
      t.match((error as Error).message, message);
    }
  }
});
