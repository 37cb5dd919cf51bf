import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { dialectsOf } from '../../lib/blk/dialects.js';
import { allZones, kmsgZone, layOut, NO_ZONES, type ZoneSizes } from '../../lib/blk/geometry.js';
import type { PstoreError } from '../../lib/errors.js';
import { partition } from '../builders/zone.js';

const K = 1024;

t.test('where zones lie', async (t) => {
  // As fs/pstore/zone.c of Linux 6.1 places them.
  const table: [string, number, Partial<ZoneSizes>, string[], number, number][] = [
    ['dmesg only', 512 * K, { kmsgSize: 64 * K }, [], 0, 8],
    ['a remainder at the end is not used', 516 * K, { kmsgSize: 64 * K }, [], 0, 8],
    [
      'all kinds, two CPUs',
      256 * K,
      { kmsgSize: 32 * K, pmsgSize: 16 * K, consoleSize: 32 * K, ftraceSize: 16 * K, cpus: 2 },
      ['pmsg 0 16384', 'console 16384 32768', 'ftrace 49152 8192', 'ftrace 57344 8192'],
      64 * K,
      6,
    ],
    [
      'ftrace that does not divide: dmesg begins at an odd place',
      256 * K,
      { kmsgSize: 64 * K, ftraceSize: 64 * K, cpus: 3 },
      ['ftrace 0 21845', 'ftrace 21845 21845', 'ftrace 43690 21845'],
      0xffff,
      3,
    ],
    [
      'more ftrace zones than CPUs',
      64 * K,
      { kmsgSize: 4 * K, ftraceSize: 512, cpus: 30 },
      Array.from({ length: 30 }, (_, i) => `ftrace ${i * 17} 17`),
      510,
      15,
    ],
    [
      'tty stands behind console',
      64 * K,
      { consoleSize: 4 * K, ttySize: 4 * K, ftraceSize: 4 * K },
      ['console 0 4096', 'tty 4096 4096', 'ftrace 8192 4096'],
      12 * K,
      0,
    ],
    ['front zones only, all of it', 8 * K, { pmsgSize: 8 * K }, ['pmsg 0 8192'], 8 * K, 0],
  ];
  for (const [name, total, sizes, front, kmsgOffset, kmsgCount] of table) {
    const geometry = layOut(dialectsOf('pstore_blk')[0]!, total, { ...NO_ZONES, ...sizes }, 'image.raw');
    t.same(
      geometry.rings.map(({ type, offset, size }) => `${type} ${offset} ${size}`),
      front,
      name,
    );
    t.equal(geometry.kmsgOffset, kmsgOffset, name);
    t.equal(geometry.kmsgCount, kmsgCount, name);
  }
  t.match(kmsgZone(layOut(dialectsOf('blkoops')[0]!, 64 * K, { ...NO_ZONES, kmsgSize: 4 * K }, 'x'), 3), {
    type: 'dmesg',
    index: 3,
    offset: 12 * K,
    size: 4 * K,
  });
});

t.test('any sizes lie as the builder has them', async () => {
  const units = (max: number) => fc.nat({ max }).map((n) => n * 512);
  fc.assert(
    fc.property(
      units(20),
      units(20),
      units(5),
      units(60),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 40 }),
      (pmsg, console, tty, ftrace, cpus, kmsg) => {
        const total = Math.ceil((pmsg + console + tty + ftrace + 3 * kmsg * 512) / 4096) * 4096;
        const built = partition(total)
          .pmsg(pmsg)
          .console(console)
          .tty(tty)
          .ftrace(ftrace, cpus)
          .kmsg(kmsg * 512);
        const sizes = {
          pmsgSize: pmsg,
          consoleSize: console,
          ttySize: tty,
          ftraceSize: ftrace,
          cpus,
          kmsgSize: kmsg * 512,
        };
        const zones = [...allZones(layOut(dialectsOf('pstore_blk')[0]!, total, sizes, 'x'))];
        assert.deepEqual(
          zones.map(({ type, index, offset, size }) => ({ kind: type, index, offset, size })),
          built.places,
        );
      },
    ),
    { numRuns: 200 },
  );
});

t.test('sizes with which no kernel would register', async (t) => {
  const table: [string, 'pstore_blk' | 'blkoops', number, Partial<ZoneSizes>, RegExp][] = [
    ['too small a partition', 'pstore_blk', 4095, { kmsgSize: 512 }, /at least 4096/],
    ['no size at all', 'pstore_blk', 8192, {}, /no size is given/],
    ['not a multiple of 512', 'pstore_blk', 8192, { kmsgSize: 1000 }, /kmsg_size=1000 is not a multiple of 512$/],
    ['KiB for bytes', 'pstore_blk', 65536, { kmsgSize: 64 }, /did you mean kmsg_size=64K/],
    ['an odd pmsg', 'pstore_blk', 8192, { kmsgSize: 512, pmsgSize: 100 }, /pmsg_size=100/],
    ['an odd console', 'pstore_blk', 8192, { kmsgSize: 512, consoleSize: 513 }, /console_size=513/],
    ['an odd ftrace', 'pstore_blk', 8192, { kmsgSize: 512, ftraceSize: 1 }, /ftrace_size=1/],
    [
      'larger than the image',
      'pstore_blk',
      8192,
      { kmsgSize: 16384 },
      /kmsg_size=16384 is larger than the image of 8192/,
    ],
    ['front zones larger than the image', 'pstore_blk', 8192, { pmsgSize: 8192, consoleSize: 512 }, /take 8704 bytes/],
    [
      'no room for a dmesg zone',
      'pstore_blk',
      8192,
      { pmsgSize: 4096, kmsgSize: 8192 },
      /4096 bytes that the other zones leave/,
    ],
    ['no CPU', 'pstore_blk', 8192, { ftraceSize: 4096, cpus: 0 }, /cpus=0/],
    ['more CPUs than bytes', 'pstore_blk', 8192, { ftraceSize: 512, cpus: 512 }, /each of 512 CPUs only 1 bytes/],
    [
      'pmsg in blkoops',
      'blkoops',
      8192,
      { kmsgSize: 4096, pmsgSize: 512 },
      /pmsg_size=512: blkoops has dmesg zones only/,
    ],
    ['ftrace in blkoops', 'blkoops', 8192, { kmsgSize: 4096, ftraceSize: 512 }, /blkoops has dmesg zones only/],
    ['blkoops without dmesg', 'blkoops', 8192, {}, /no size is given/],
    [
      'more zones than are kept track of',
      'blkoops',
      2 ** 40,
      { kmsgSize: 512 },
      /more than 4194304; give a larger size/,
    ],
  ];
  for (const [name, generation, total, sizes, message] of table) {
    t.throws(
      () => layOut(dialectsOf(generation)[0]!, total, { ...NO_ZONES, ...sizes }, 'image.raw'),
      { code: 'EINVAL', message },
      name,
    );
    try {
      layOut(dialectsOf(generation)[0]!, total, { ...NO_ZONES, ...sizes }, 'image.raw');
    } catch (error) {
      t.match((error as PstoreError).message, /^image\.raw: /, 'names the file');
      t.equal((error as PstoreError).data.path, 'image.raw');
    }
  }
});
