import t from 'tap';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { unwrapped } from '../../lib/source/medium.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { Warnings } from '../../lib/warnings.js';
import { nandDump } from '../builders/disk.js';
import { logText, MtdDevice } from '../builders/mtdoops.js';

function dump(): MemoryStorage {
  const device = new MtdDevice({ size: 262144, recordSize: 8192 });
  for (let i = 0; i < 6; i++) device.oops(logText(8000, i), 1_600_000_000_000_000_000n + BigInt(i));
  return new MemoryStorage(nandDump(device.bytes, 2048, 64), { path: 'dump.nand' });
}

function left(file: MemoryStorage, keys: Record<string, string>): { size: number; codes: string[] } {
  const warnings = new Warnings();
  const { size } = unwrapped(file, SourceKeys.of(keys), warnings);
  return { size, codes: warnings.list.map(({ code }) => code) };
}

t.test('spare bytes are left out, unless a given size of records counts them', async (t) => {
  const file = dump();
  const without = { size: 262144, codes: ['spare-bytes'] };
  t.same(left(file, {}), without);
  t.same(left(file, { record_size: '8192' }), without);
  t.same(left(file, { kmsg_size: '65536' }), without);
  t.same(left(file, { record_size: '4224' }), { size: file.size, codes: [] }, 'two pages with their spare bytes');
  t.same(left(file, { oob: 'none' }), { size: file.size, codes: [] });
});
