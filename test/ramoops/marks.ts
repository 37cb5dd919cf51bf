// Headers of zones anywhere in an image: what the fast search of large files finds, and what it leaves alone.

import t from 'tap';
import { MarkScan, type RamMarks } from '../../lib/ramoops/marks.js';
import { scan } from '../../lib/ramoops/region.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { Region } from '../builders/ramoops.js';
import { dice } from '../builders/ramoops-dialects.js';

const SIG = 0x43474244;
/** Linux 6.1.9 and 5.10.7. */
const KERNELS = [0x060109, 0x050a07];

function header(bytes: Uint8Array, at: number, sig: number, little: boolean): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(at, sig, little);
  view.setUint32(at + 4, 0, little);
  view.setUint32(at + 8, 16, little);
}

function marksOf(bytes: Uint8Array, withDamaged: boolean): RamMarks {
  const marks = new MarkScan(bytes.length);
  marks.add(bytes, 0, withDamaged);
  return marks.result();
}

t.test('the fast search finds each sound header that the thorough one finds', async (t) => {
  for (let seed = 1; seed <= 60; seed++) {
    const roll = dice(seed);
    const bytes = Uint8Array.from({ length: 16384 + 2 * roll(8) + (seed % 2) }, () => roll(256));
    const little = roll(2) === 0;
    for (let n = 0; n < 6; n++) {
      const sig = roll(2) === 0 ? SIG : (SIG ^ KERNELS[roll(2)]!) >>> 0;
      header(bytes, n === 0 ? 0 : 2 * roll((bytes.length - 12) / 2), sig, little);
    }
    const [fast, thorough] = [marksOf(bytes, false), marksOf(bytes, true)];
    t.same([fast.endian, [...fast.plain]], [thorough.endian, [...thorough.plain]], `seed ${seed}`);
    t.same([...fast.ftrace], [...thorough.ftrace], `seed ${seed}`);
  }
});

t.test('in a large file an ftrace header counts where it stands first, or near others', async (t) => {
  const near = 6 << 20;
  const bytes = new Uint8Array(64 << 20);
  const ftrace = (at: number, kernel = KERNELS[0]!) => header(bytes, at, (SIG ^ kernel) >>> 0, true);
  ftrace(0);
  ftrace(20 << 20);
  header(bytes, (40 << 20) + 2048, SIG, true);
  ftrace(40 << 20);
  // Bytes that look like a header of another kernel stand between those of one.
  ftrace((40 << 20) + 4098, KERNELS[1]);
  ftrace((40 << 20) + near);
  header(bytes, 60 << 20, SIG, true);
  ftrace((60 << 20) + near / 2 - 512);
  // That of another processor, and what only looks like one.
  ftrace((60 << 20) + near / 2 + 10_922);
  ftrace((60 << 20) + 20_002, KERNELS[1]);
  const { marks } = scan(new MemoryStorage(bytes, { path: 'memory', writable: false }));
  t.same(
    [...marks.ftrace.keys()].map((at) => Math.round(at / (1 << 20))),
    [0, 40, 46, 63, 63],
  );
});

t.test('a word of memory that looks like the only ftrace header of its kernel is none', async (t) => {
  const region = new Region({ mem: 0x39000, record: 0x8000, console: 0x8000, ftrace: 0x1000, version: KERNELS[0]! });
  const file = new Uint8Array(0x80000);
  file.set(region.bytes);
  header(file, 0x45ffc, (SIG ^ KERNELS[1]!) >>> 0, true);
  file.fill(0, 0x46000, 0x46008);
  const found = () => [...scan(new MemoryStorage(file, { path: 'memory', writable: false })).marks.ftrace.keys()];
  t.same(found(), [region.zone('ftrace').offset]);
  // One whose lengths are possible is no accident: the others of its kernel may be lost.
  new DataView(file.buffer).setUint32(0x45ffc + 8, 2400, true);
  t.same(found(), [region.zone('ftrace').offset, 0x45ffc]);
});
