import t from 'tap';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { openCrashDump } from '../../lib/vmcore/crash-dump.js';
import { memoryOf } from '../../lib/vmcore/physical-memory.js';
import { Warnings } from '../../lib/warnings.js';

const HEADER_SIZE = 56;

/** An ELF core of 64 bits, little-endian, with these segments of memory. */
function core(loads: readonly { virtual: bigint; physical: bigint; size: bigint }[]): Uint8Array {
  const bytes = new Uint8Array(64 + loads.length * HEADER_SIZE);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 4, true);
  view.setUint16(18, 62, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, HEADER_SIZE, true);
  view.setUint16(56, loads.length, true);
  for (const [index, { virtual, physical, size }] of loads.entries()) {
    const at = 64 + index * HEADER_SIZE;
    view.setUint32(at, 1, true);
    view.setBigUint64(at + 16, virtual, true);
    view.setBigUint64(at + 24, physical, true);
    view.setBigUint64(at + 32, size, true);
  }
  return bytes;
}

t.test('the segment of a virtual address, whatever the order of the segments', (t) => {
  const base = 0xffff_8880_0000_0000n;
  const many = Array.from({ length: 2000 }, (_, i) => {
    const number = BigInt((i * 7) % 2000);
    return { virtual: base + number * 0x3000n, physical: (2000n - number) * 0x4000n, size: 0x2000n };
  });
  // It lies around the first ones, and has what stands between them.
  const around = { virtual: base, physical: 0x4000_0000n, size: 0x9000n };
  const unknown = { virtual: 0n, physical: 0x5000_0000n, size: 0x1000n };
  const storage = new MemoryStorage(core([unknown, around, ...many]), { path: 'vmcore' });
  const elf = memoryOf(openCrashDump(storage, new Warnings())).elf!;
  for (const number of [1n, 2n, 999n, 1999n]) {
    const address = base + number * 0x3000n + 0x1234n;
    t.equal(elf.physical(address), Number((2000n - number) * 0x4000n + 0x1234n));
  }
  t.equal(elf.physical(base + 0x5800n), 0x4000_5800);
  t.equal(elf.physical(base + 999n * 0x3000n + 0x2000n), undefined, 'between two');
  t.equal(elf.physical(base - 1n), undefined);
  t.equal(elf.physical(0x10n), undefined, 'a segment without a virtual address');
  t.end();
});
