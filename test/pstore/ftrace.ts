import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { ABI_NAMES, DEFAULT_ABI } from '../../lib/pstore/abi.js';
import { type FtraceEncoding, findEncoding, ftraceText, mergeRings, oldStartCut } from '../../lib/pstore/ftrace.js';
import { parseKallsyms } from '../../lib/pstore/kallsyms.js';
import { type BuiltRecord, ftraceBytes, join, type Machine } from '../builders/ftrace.js';
import { golden, goldenImage } from '../fixture-path.js';

const LE64 = ABI_NAMES.le64!;
const BE64 = ABI_NAMES.be64!;
const LE32 = ABI_NAMES.le32!;
const BE32 = ABI_NAMES.be32!;
const ENCODINGS: Record<Machine, FtraceEncoding> = {
  '64': { recordSize: 24, wordBits: 64, cpu: 'ts' },
  '32': { recordSize: 16, wordBits: 32, cpu: 'ts' },
  arm: { recordSize: 16, wordBits: 32, cpu: 'ip' },
  thumb: { recordSize: 16, wordBits: 32, cpu: 'ip1' },
};

interface Expect {
  format: string;
  params: Record<string, number>;
}

/** The rings of a golden image: what stands in the zones' headers, read here without the engine. */
function goldenRings(folder: string): Uint8Array[] {
  const image = goldenImage(folder);
  const view = new DataView(image.buffer);
  const { format, params } = JSON.parse(readFileSync(golden(folder, 'expect.json'), 'utf8')) as Expect;
  const { pmsg_size = 0, console_size = 0, ftrace_size = 0, cpus = 1, mem_size = 0 } = params;
  const first = format === 'ramoops' ? mem_size - pmsg_size - ftrace_size : pmsg_size + console_size;
  return Array.from({ length: cpus }, (_, cpu) => {
    const zone = first + cpu * (ftrace_size / cpus);
    const [a, b] = [view.getUint32(zone + 4, true), view.getUint32(zone + 8, true)];
    const [start, datalen] = format === 'ramoops' ? [a, b] : [b, a];
    const data = image.subarray(zone + 12, zone + 12 + datalen);
    return join([data.subarray(start), data.subarray(0, start)]);
  });
}

/** The columns that do not depend on the kernel that shows them. */
function columns(text: string): string[] {
  return text.split('\n').map((line) => line.split('  ').slice(0, 2).join('  '));
}

for (const [folder, file, machine] of [
  ['s3', 'ftrace-pstore_blk-0', '64'],
  ['s16-smp4', 'ftrace-pstore_blk-0', '64'],
  ['r1-ftrace', 'ftrace-ramoops-0', '64'],
  ['i386-s3', 'ftrace-pstore_blk-0', '32'],
] as const) {
  t.test(`${folder}: the kernel's lines`, async (t) => {
    const rings = goldenRings(folder);
    for (const abi of [LE64, LE32]) t.same(findEncoding(rings, abi), ENCODINGS[machine], 'found from the data');
    const merged = mergeRings(rings, ENCODINGS[machine], 'little');
    const text = new TextDecoder().decode(ftraceText(merged, ENCODINGS[machine], 'little'));
    const expected = readFileSync(golden(folder, 'files', file), 'utf8');
    t.strictSame(columns(text), columns(expected), 'CPU, timestamp and addresses of every line');
    const table = symbolsOf(expected);
    const named = new TextDecoder().decode(
      ftraceText(merged, ENCODINGS[machine], 'little', { lookup: (address) => table.get(address) }),
    );
    t.equal(named, expected, 'with its symbols, the very file');
  });
}

/** Symbols of the addresses that stand in a text. */
function symbolsOf(text: string) {
  const table = new Map<bigint, { name: string; offset: bigint; size: bigint; module: string | null }>();
  for (const line of text.split('\n')) {
    const match = /ts:\d+ (\w+) {2}(\w+) {2}(\S+) <- ([^+\s]+)\+(0x\w+)\/(0x\w+)$/.exec(line);
    if (!match) continue;
    table.set(BigInt(`0x${match[2]}`), {
      name: match[4]!,
      offset: BigInt(match[5]!),
      size: BigInt(match[6]!),
      module: null,
    });
    const ip = BigInt(`0x${match[1]}`);
    if (!table.has(ip)) table.set(ip, { name: match[3]!, offset: 0n, size: 0n, module: null });
  }
  return table;
}

t.test('encodings are found from the data', async (t) => {
  for (const [machine, abi] of [
    ['64', LE64],
    ['64', BE64],
    ['32', LE32],
    ['32', BE32],
    ['arm', LE32],
    ['arm', BE32],
    ['thumb', LE32],
  ] as const) {
    for (const cpus of machine === 'thumb' ? [2] : [1, 2, 4]) {
      const rings = Array.from({ length: cpus }, (_, cpu) => {
        const records = Array.from({ length: 40 }, (_, i) =>
          ftraceBytes(
            {
              cpu,
              ts: 70_001n + BigInt(i * 37 + cpu),
              ip: kernelAddress(machine, i),
              parent: kernelAddress(machine, i + 7),
            },
            machine,
            abi.endian === 'little',
          ),
        );
        return join([records[0]!.subarray(0, 5 + cpu), ...records]);
      });
      const swapped = { ...abi, wordBits: abi.wordBits === 64 ? 32 : 64 } as const;
      t.same(findEncoding(rings, abi), ENCODINGS[machine], `${machine} ${abi.endian} with ${cpus} CPUs`);
      t.same(findEncoding(rings, swapped), ENCODINGS[machine], 'whatever the word size was thought to be');
      t.equal(findEncoding(rings, swapped, true).wordBits, swapped.wordBits, 'unless it is certain');
    }
  }
  t.same(findEncoding([new Uint8Array(0)], DEFAULT_ABI), ENCODINGS['64'], 'nothing to go by');
  t.same(findEncoding([new Uint8Array(0)], BE32), ENCODINGS['32']);
});

t.test('damage in the records of a single CPU', async (t) => {
  for (const machine of ['64', '32', 'arm', 'thumb'] as const) {
    const records = Array.from({ length: 40 }, (_, i) =>
      ftraceBytes({ cpu: 0, ts: 70_001n + BigInt(i), ip: 0xc1000000n + BigInt(i * 16), parent: 0xc1200000n }, machine),
    );
    const ring = join(records);
    const { recordSize } = ENCODINGS[machine];
    ring[7 * recordSize - 8]! ^= 4;
    const expected = machine === 'thumb' ? ENCODINGS.arm : ENCODINGS[machine];
    const abi = machine === '64' ? LE64 : LE32;
    t.same(findEncoding([ring, new Uint8Array(0)], abi, true), expected, machine);
  }
});

t.test('a ring that all CPUs share', async (t) => {
  const ring = join(
    Array.from({ length: 60 }, (_, i) =>
      ftraceBytes({ cpu: i % 8, ts: BigInt(500 + i), ip: kernelAddress('64', i), parent: 0xffffffff81000123n }, '64'),
    ),
  );
  t.same(findEncoding([ring], LE32), ENCODINGS['64']);
});

t.test('the only ring where each CPU has its own holds nothing but CPU 0', async (t) => {
  // As 32-bit ARM has them: the CPU stands in `ip`, and the timestamps end in what looks like small numbers.
  const records = Array.from({ length: 10 }, (_, i) =>
    ftraceBytes({ cpu: 0, ts: 404_750_594n + BigInt(i), ip: 0xc0100000n + BigInt(i * 64), parent: 0xc0200000n }, 'arm'),
  );
  t.same(findEncoding([join(records)], LE32, true, false), ENCODINGS.arm);
});

function kernelAddress(machine: Machine, i: number): bigint {
  const step = BigInt(((i * 7919) % 4096) * (machine === 'thumb' ? 2 : 4));
  return (machine === '64' ? 0xffffffff81000000n : 0xc0100000n) + step;
}

t.test('CPU in ip: the timestamp and ip are printed as they are', async (t) => {
  const bytes = ftraceBytes({ cpu: 3, ts: 0xff_ffff_ffff_ffffn, ip: 0xc0101230n, parent: 0x80n }, 'arm', false);
  const text = new TextDecoder().decode(ftraceText(bytes, ENCODINGS.arm, 'big'));
  t.equal(text, 'CPU:3 ts:72057594037927935 c0101233  00000080  0xc0101233 <- 0x80\n');
});

t.test('symbols as %ps and %pS', async (t) => {
  const symbols = parseKallsyms(
    new TextEncoder().encode(
      'ffffffff81000000 T _stext\nffffffff81000100 T f\nffffffff81000180 T g\nffffffffc0000000 t m\t[mod]\n' +
        'ffffffffc0000040 t n\t[mod]\nffffffff82000000 T _end\n',
    ),
  );
  const text = (ip: bigint, parent: bigint) =>
    new TextDecoder().decode(
      ftraceText(ftraceBytes({ cpu: 0, ts: 1n, ip, parent }, '64'), ENCODINGS['64'], 'little', symbols),
    );
  const head = 'CPU:0 ts:1 ';
  t.equal(
    text(0xffffffff81000100n, 0xffffffff81000100n),
    `${head}ffffffff81000100  ffffffff81000100  f <- f+0x0/0x80\n`,
  );
  t.equal(
    text(0xffffffffc0000004n, 0xffffffffc0000044n),
    `${head}ffffffffc0000004  ffffffffc0000044  m [mod] <- n+0x4/0xfc0 [mod]\n`,
  );
  t.equal(text(0x10n, 0xffffffffa0000000n), `${head}00000010  ffffffffa0000000  0x10 <- 0xffffffffa0000000\n`);
});

/** The kernel's rule, word for word: zone by zone, head against head. */
function mergeOneByOne(rings: BuiltRecord[][]): BuiltRecord[] {
  let merged: BuiltRecord[] = [];
  for (const ring of rings) {
    const [a, b] = [[...merged], [...ring]];
    const out: BuiltRecord[] = [];
    while (a.length > 0 && b.length > 0) out.push((a[0]!.ts < b[0]!.ts ? a : b).shift()!);
    merged = [...out, ...a, ...b];
  }
  return merged;
}

const record = (high: bigint) =>
  fc.record({
    cpu: fc.nat(255),
    ts: fc.oneof(fc.bigInt(0n, 12n), fc.bigInt(high, high + 5n)),
    ip: fc.bigInt(0n, 0xffffffffn),
    parent: fc.bigInt(0n, 0xffffffffn),
  });

t.test('merging follows the rule, sorted rings or not', async (t) => {
  for (const [machine, endian] of [
    ['64', 'little'],
    ['32', 'big'],
    ['arm', 'little'],
  ] as const) {
    fc.assert(
      fc.property(
        fc.array(fc.array(record((1n << 32n) - 2n), { maxLength: 12 }), { maxLength: 7 }),
        fc.nat(15),
        (rings, partial) => {
          const own = machine === 'arm' ? rings.map((ring) => ring.map((r) => ({ ...r, cpu: r.cpu & 3 }))) : rings;
          const bytes = own.map((ring, i) =>
            join([
              new Uint8Array((partial * i) % ENCODINGS[machine].recordSize).fill(0xee),
              ...ring.map((r) => ftraceBytes(r, machine, endian === 'little')),
            ]),
          );
          const expected = join(mergeOneByOne(own).map((r) => ftraceBytes(r, machine, endian === 'little')));
          return Buffer.compare(mergeRings(bytes, ENCODINGS[machine], endian), expected) === 0;
        },
      ),
      { numRuns: 200 },
    );
  }
  t.pass('agrees with zone by zone');
});

t.test('thousands of rings merge', async (t) => {
  const one = ftraceBytes({ cpu: 0, ts: 5n, ip: 1n, parent: 2n }, '64');
  const rings = Array.from({ length: 4096 }, () => join(Array.from({ length: 8 }, () => one)));
  t.equal(mergeRings(rings, ENCODINGS['64'], 'little').length, 4096 * 8 * 24);
});

t.test('start beyond datalen: records go on while their timestamps do', async (t) => {
  const records = [5n, 6n, 4n, 7n, 8n, 9n, 3n, 12n].map((ts) =>
    ftraceBytes({ cpu: 1, ts, ip: 16n, parent: 32n }, 'arm'),
  );
  const data = join([...records, new Uint8Array(16).fill(0xff), new Uint8Array(16)]);
  const cut = (start: number, datalen: number) => oldStartCut(data, start, datalen, ENCODINGS.arm, 'little').length;
  t.equal(cut(96, 64), 96, 'up to start');
  t.equal(cut(100, 70), 96, 'whole records only');
  t.equal(cut(128, 64), 96, 'an older timestamp ends it');
  t.equal(cut(64, 10), 32, 'and also the first of those behind datalen');
  t.equal(cut(160, 128), 128, 'bytes that were never written are no record');
  t.equal(cut(4096, 128), 128, 'a start beyond the area is cut');
  t.equal(cut(16, 0), 16);
});
