import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import {
  buildElfcorehdr,
  crashSegments,
  type MemoryMap,
  parseMemoryMap,
  withoutReserved,
} from '../../lib/fadump/elfcore.js';
import { ROOT } from '../fixture-path.js';

const parse = (value: unknown) => parseMemoryMap(new TextEncoder().encode(JSON.stringify(value)), 'map.json');

/** [base, end] pairs. */
type Pair = readonly [number, number];
const range = ([base, end]: Pair) => ({ base: BigInt(base), size: BigInt(end - base) });

t.test('the split around the reserved area', (t) => {
  const table: [string, Pair, Pair | null, Pair[]][] = [
    ['no reserved area', [10, 20], null, [[10, 20]]],
    ['below', [10, 20], [0, 5], [[10, 20]]],
    ['touching below', [10, 20], [5, 10], [[10, 20]]],
    ['over the beginning', [10, 20], [5, 15], [[15, 20]]],
    ['at the beginning', [10, 20], [10, 15], [[15, 20]]],
    [
      'inside',
      [10, 20],
      [12, 15],
      [
        [10, 12],
        [15, 20],
      ],
    ],
    ['at the end', [10, 20], [15, 20], [[10, 15]]],
    ['over the end', [10, 20], [15, 25], [[10, 15]]],
    ['touching above', [10, 20], [20, 25], [[10, 20]]],
    ['above', [10, 20], [25, 30], [[10, 20]]],
    ['the same', [10, 20], [10, 20], []],
    ['over all', [10, 20], [5, 25], []],
    ['from the beginning over the end', [10, 20], [10, 25], []],
    ['from below to the end', [10, 20], [5, 20], []],
    ['one byte at the beginning', [10, 20], [10, 11], [[11, 20]]],
    ['one byte at the end', [10, 20], [19, 20], [[10, 19]]],
    ['all but one at the beginning', [10, 20], [11, 20], [[10, 11]]],
    ['all but one at the end', [10, 20], [10, 19], [[19, 20]]],
  ];
  for (const [label, [start, end], reserved, parts] of table) {
    t.same(withoutReserved(BigInt(start), BigInt(end), reserved && range(reserved)), parts.map(range), label);
  }
  t.end();
});

function mapOf(regions: Pair[], destination: number, memory: Pair[], reserved: Pair | null): MemoryMap {
  return {
    bootMemory: { destination: BigInt(destination), regions: regions.map(range) },
    memory: memory.map(range),
    reserved: reserved && range(reserved),
    cpuNotes: null,
    vmcoreinfo: null,
  };
}

t.test('segments: boot memory where it was copied to, and what is above its top', (t) => {
  /** Results: [base, end, file offset]. */
  const table: [string, MemoryMap, [number, number, number][]][] = [
    [
      'one region',
      mapOf([[0, 100]], 1000, [[0, 2000]], null),
      [
        [0, 100, 1000],
        [100, 2000, 100],
      ],
    ],
    [
      'memory that begins at the top',
      mapOf([[0, 100]], 1000, [[100, 200]], null),
      [
        [0, 100, 1000],
        [100, 200, 100],
      ],
    ],
    ['memory that ends at the top', mapOf([[0, 100]], 1000, [[50, 100]], null), [[0, 100, 1000]]],
    ['memory that ends below the top', mapOf([[0, 100]], 1000, [[20, 99]], null), [[0, 100, 1000]]],
    [
      'one byte above the top',
      mapOf([[0, 100]], 1000, [[50, 101]], null),
      [
        [0, 100, 1000],
        [100, 101, 100],
      ],
    ],
    [
      'two regions with a hole: offsets go on, and the top is that of the last',
      mapOf(
        [
          [0, 100],
          [300, 350],
        ],
        1000,
        [
          [0, 200],
          [250, 500],
          [600, 700],
        ],
        null,
      ),
      [
        [0, 100, 1000],
        [300, 350, 1100],
        [350, 500, 350],
        [600, 700, 600],
      ],
    ],
    [
      'the first region does not begin at 0',
      mapOf(
        [
          [50, 100],
          [100, 150],
          [200, 210],
        ],
        5000,
        [[0, 400]],
        null,
      ),
      [
        [50, 100, 5000],
        [100, 150, 5050],
        [200, 210, 5100],
        [210, 400, 210],
      ],
    ],
    [
      'cut at the top and split by the reserved area',
      mapOf([[0, 100]], 400, [[0, 1000]], [400, 600]),
      [
        [0, 100, 400],
        [100, 400, 100],
        [600, 1000, 600],
      ],
    ],
    [
      'the reserved area begins below the top',
      mapOf([[0, 100]], 400, [[0, 1000]], [50, 600]),
      [
        [0, 100, 400],
        [600, 1000, 600],
      ],
    ],
    [
      'the reserved area takes a range whole',
      mapOf(
        [[0, 100]],
        400,
        [
          [0, 300],
          [400, 500],
        ],
        [400, 500],
      ),
      [
        [0, 100, 400],
        [100, 300, 100],
      ],
    ],
    [
      'the reserved area over two ranges',
      mapOf(
        [[0, 100]],
        400,
        [
          [0, 450],
          [460, 800],
        ],
        [400, 500],
      ),
      [
        [0, 100, 400],
        [100, 400, 100],
        [500, 800, 500],
      ],
    ],
    [
      'neighbours are not joined',
      mapOf(
        [[0, 100]],
        400,
        [
          [100, 200],
          [200, 300],
        ],
        null,
      ),
      [
        [0, 100, 400],
        [100, 200, 100],
        [200, 300, 200],
      ],
    ],
    ['no memory', mapOf([[0, 100]], 400, [], null), [[0, 100, 400]]],
  ];
  for (const [label, map, segments] of table) {
    t.same(
      crashSegments(map).map(({ base, size, offset }) => [Number(base), Number(base + size), Number(offset)]),
      segments,
      label,
    );
  }
  t.end();
});

t.test('every byte of memory is in the core once, but reserved ones and those below the top', (t) => {
  const pairs = fc
    .uniqueArray(fc.nat(200), { minLength: 2, maxLength: 12 })
    .map((points) => points.sort((a, b) => a - b))
    .map((points) => {
      const found: Pair[] = [];
      for (let i = 0; i + 1 < points.length; i += 2) found.push([points[i]!, points[i + 1]!]);
      return found;
    });
  fc.assert(
    fc.property(pairs, pairs, fc.tuple(fc.nat(200), fc.nat(100)), (regions, memory, [at, size]) => {
      const reserved: Pair | null = size === 0 ? null : [at, at + size];
      const top = regions.at(-1)![1];
      const covered = new Map<number, number>();
      for (const segment of crashSegments(mapOf(regions, 1000, memory, reserved))) {
        if (segment.size <= 0n) throw new Error('an empty segment');
        for (let i = 0n; i < segment.size; i++) {
          const address = Number(segment.base + i);
          if (covered.has(address)) throw new Error(`${address} twice`);
          covered.set(address, Number(segment.offset + i));
        }
      }
      let copied = 1000;
      for (const [from, to] of regions) {
        for (let address = from; address < to; address++) {
          if (covered.get(address) !== copied++) throw new Error(`boot memory ${address}`);
          covered.delete(address);
        }
      }
      for (const [from, to] of memory) {
        for (let address = from; address < to; address++) {
          const wanted = address >= top && !(reserved && address >= reserved[0] && address < reserved[1]);
          if ((covered.get(address) === address) !== wanted) throw new Error(`memory ${address}`);
          covered.delete(address);
        }
      }
      if (covered.size > 0) throw new Error('memory that is not there');
    }),
    { numRuns: 300 },
  );
  t.end();
});

t.test('the header: byte for byte', (t) => {
  const map = parse({
    boot_memory: { destination: '0x1000', regions: [{ base: 0, size: 256 }] },
    memory: [],
    cpu_notes: { base: '0x5000', size: 100 },
  });
  const built = buildElfcorehdr(map, 'big', { base: 0x6000n, size: 32n });
  t.equal(
    Buffer.from(built)
      .toString('hex')
      .match(/.{1,32}/g)!
      .join('\n'),
    [
      '7f454c46020201000000000000000000',
      '00040015000000010000000000000000',
      '00000000000000400000000000000000',
      '00000001004000380003000000000000',
      '00000004000000000000000000005000',
      '00000000000000000000000000005000',
      '00000000000000640000000000000064',
      '00000000000000000000000400000000',
      '00000000000060000000000000000000',
      '00000000000060000000000000000020',
      '00000000000000200000000000000000',
      '00000001000000070000000000001000',
      'c0000000000000000000000000000000',
      '00000000000001000000000000000100',
      '0000000000000000',
    ].join('\n'),
  );
  const little = buildElfcorehdr(map, 'little', null);
  t.same([little[5], little[48], little.length], [1, 2, built.length]);
  const replaced = buildElfcorehdr({ ...map, vmcoreinfo: { base: 0x7000n, size: 8n } }, 'big', { base: 1n, size: 1n });
  t.equal(new DataView(replaced.buffer).getBigUint64(120 + 8), 0x7000n, 'the map goes before the crash info header');
  t.end();
});

t.test('more ranges than a core can have', (t) => {
  const memory = Array.from({ length: 65535 }, (_, i) => ({ base: 1000 + 2 * i, size: 1 }));
  const map = parse({ boot_memory: { destination: 0, regions: [{ base: 0, size: 1 }] }, memory });
  t.throws(() => buildElfcorehdr(map, 'big', null), { code: 'EINVAL', message: /65538 segments/ });
  t.end();
});

t.test('numbers and order as a person writes them', (t) => {
  const map = parse({
    boot_memory: {
      destination: 4096,
      regions: [
        { base: '0x100', size: '16' },
        { base: 0, size: 10 },
      ],
    },
    memory: [
      { base: '18446744073709551600', size: 16 },
      { base: '0xFFFF', size: '0x1' },
    ],
    reserved: null,
  });
  t.same(map, {
    bootMemory: {
      destination: 4096n,
      regions: [
        { base: 0n, size: 10n },
        { base: 256n, size: 16n },
      ],
    },
    memory: [
      { base: 0xffffn, size: 1n },
      { base: (1n << 64n) - 16n, size: 16n },
    ],
    reserved: null,
    cpuNotes: null,
    vmcoreinfo: null,
  });
  t.end();
});

t.test('every error names the field', (t) => {
  const regions = [{ base: 0, size: 1 }];
  const good = { boot_memory: { destination: 0, regions }, memory: [] as unknown[] };
  const table: [unknown, RegExp][] = [
    [[], /the file must be an object with boot_memory, memory/],
    [null, /the file must be an object/],
    [{ memory: [] }, /boot_memory must be an object with destination, regions, and it is missing/],
    [{ boot_memory: good.boot_memory }, /memory must be an array of objects with base, size, and it is missing/],
    [{ ...good, extra: 1 }, /extra is not known: known are boot_memory/],
    [{ ...good, boot_memory: { ...good.boot_memory, dest: 1 } }, /boot_memory\.dest is not known/],
    [{ ...good, boot_memory: { regions } }, /boot_memory\.destination must be a number of bytes.*it is missing/],
    [
      { ...good, boot_memory: { destination: 0, regions: [] } },
      /boot_memory\.regions must be 1 to 128 regions, and there are 0/,
    ],
    [
      {
        ...good,
        boot_memory: { destination: 0, regions: Array.from({ length: 129 }, (_, i) => ({ base: i, size: 1 })) },
      },
      /there are 129/,
    ],
    [
      { ...good, boot_memory: { destination: '0xffffffffffffffff', regions: [{ base: 0, size: 2 }] } },
      /boot_memory\.destination must be an address/,
    ],
    [{ ...good, memory: {} }, /memory must be an array/],
    [{ ...good, memory: [5] }, /memory\[0\] must be an object with base, size/],
    [{ ...good, memory: [{ base: 0 }] }, /memory\[0\]\.size must be a number.*missing/],
    [{ ...good, memory: [{ base: -1, size: 1 }] }, /memory\[0\]\.base must be .*it is -1/],
    [{ ...good, memory: [{ base: 1.5, size: 1 }] }, /memory\[0\]\.base/],
    [{ ...good, memory: [{ base: 2 ** 60, size: 1 }] }, /memory\[0\]\.base/],
    [{ ...good, memory: [{ base: '64K', size: 1 }] }, /memory\[0\]\.base must be .*it is "64K"/],
    [{ ...good, memory: [{ base: '0x10000000000000000', size: 1 }] }, /memory\[0\]\.base/],
    [{ ...good, memory: [{ base: '18446744073709551616', size: 1 }] }, /memory\[0\]\.base/],
    [
      { ...good, memory: [{ base: '0xffffffffffffffff', size: 2 }] },
      /memory\[0\]\.size must be a size with which the range ends/,
    ],
    [{ ...good, memory: [{ base: 0, size: 0 }] }, /memory\[0\]\.size must be at least 1/],
    [{ ...good, memory: [{ base: 0, size: 1, end: 1 }] }, /memory\[0\]\.end is not known/],
    [
      {
        ...good,
        memory: [
          { base: 10, size: 10 },
          { base: 0, size: 11 },
        ],
      },
      /memory\[0\] must be a range that does not overlap memory\[1\]/,
    ],
    [
      { ...good, boot_memory: { destination: 0, regions: [...regions, ...regions] } },
      /boot_memory\.regions\[1\] must be a range that does not overlap/,
    ],
    [{ ...good, reserved: [] }, /reserved must be an object/],
    [{ ...good, cpu_notes: { base: 0 } }, /cpu_notes\.size/],
    [{ ...good, vmcoreinfo: { size: 1 } }, /vmcoreinfo\.base/],
  ];
  for (const [value, message] of table) t.throws(() => parse(value), { code: 'EINVAL', message }, String(message));
  t.throws(() => parseMemoryMap(new TextEncoder().encode('{'), 'map.json'), {
    code: 'EINVAL',
    message: /^map\.json: a memory map is JSON/,
  });
  for (const [text, why] of [
    [Uint8Array.of(0xff, 0xfe), 'its bytes are no UTF-8'],
    [new Uint8Array(0), 'it is empty'],
    [new TextEncoder().encode('{"a":1,}'), 'see its character 7'],
    [
      new TextEncoder().encode('['.repeat(1000)),
      /^[^:]*: [^:]*: (?:see its character 1000|it breaks off, or is written wrongly)$/,
    ],
  ] as const) {
    const message = typeof why === 'string' ? `map.json: a memory map is JSON, and this is none: ${why}` : why;
    t.throws(() => parseMemoryMap(text, 'map.json'), { code: 'EINVAL', message });
  }
  t.end();
});

t.test("the document's example is one", (t) => {
  const text = readFileSync(join(ROOT, 'docs', 'fadump-memory.md'), 'utf8');
  const example = /```json\n(.*?)```/s.exec(text)![1]!;
  const map = parseMemoryMap(new TextEncoder().encode(example), 'example');
  t.same(
    crashSegments(map).map(({ base, size, offset }) =>
      [base, size, offset].map((value) => value.toString(16)).join(' '),
    ),
    [
      '0 10000000 40000000',
      '20000000 8000000 50000000',
      '28000000 18000000 28000000',
      '60000000 a0000000 60000000',
      '200000000 80000000 200000000',
    ],
  );
  t.end();
});
