import t, { type Test } from 'tap';
import type { Backend } from '../../lib/backend/backend.js';
import { blkoops } from '../../lib/backend/blkoops.js';
import { TextCache } from '../../lib/backend/cache.js';
import { contentBytes } from '../../lib/backend/content.js';
import { SourceKeys } from '../../lib/backend/keys.js';
import { pstoreBlk } from '../../lib/backend/pstore_blk.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { Warnings } from '../../lib/warnings.js';
import { goldenImage } from '../fixture-path.js';
import { type GoldenCase, type GoldenFile, goldenBytes, goldenCases, withoutSymbols } from '../golden.js';

function open(kind: string, bytes: Uint8Array, keys: Readonly<Record<string, string>>, writable = true): Backend {
  const storage = new MemoryStorage(bytes, { path: 'image.raw', writable });
  return (kind === 'blkoops' ? blkoops : pstoreBlk).open({
    path: 'image.raw',
    storage,
    keys: SourceKeys.of(keys),
    warnings: new Warnings(),
    cache: new TextCache(),
    readFile: () => new Uint8Array(0),
  });
}

function listing(backend: Backend) {
  const records = [];
  for (let slot = 0; slot < backend.slots; slot++) {
    const record = backend.record(slot);
    if (record) records.push(record);
  }
  return records;
}

function sameAsKernel(t: Test, backend: Backend, { folder }: GoldenCase, files: readonly GoldenFile[]): void {
  const records = listing(backend);
  t.same(
    records.map((record) => record.name),
    files.map((file) => file.name).sort(),
    'names',
  );
  for (const file of files) {
    const slot = backend.find(file.name);
    if (slot === undefined) continue;
    const record = backend.record(slot)!;
    const bytes = contentBytes(backend.open(slot));
    const expected = goldenBytes(folder, file.name);
    t.equal(record.size, bytes.length, `${file.name}: st_size is what reading gives`);
    if (record.type === 'ftrace') {
      t.equal(withoutSymbols(bytes), withoutSymbols(expected), `${file.name}: CPUs, timestamps and addresses`);
      continue;
    }
    t.ok(Buffer.from(bytes).equals(expected), `${file.name}: bytes`);
    const time = record.type === 'dmesg' ? BigInt(file.mtime_sec) * 1_000_000_000n + BigInt(file.mtime_nsec) : null;
    t.equal(record.mtimeNs, time, `${file.name}: time`);
  }
}

for (const golden of goldenCases('zone', 'rfc5')) {
  t.test(`${golden.folder} with the kernel's parameters`, (t) => {
    const bytes = goldenImage(golden.folder);
    const before = Buffer.from(bytes);
    const backend = open(golden.backend, bytes, golden.keys);
    sameAsKernel(t, backend, golden, golden.files);
    [...backend.info().zones];
    t.ok(before.equals(bytes), 'looking changes nothing');
    t.same(backend.warnings.list, []);
    t.end();
  });

  t.test(`${golden.folder} without any parameter`, (t) => {
    if (golden.folder === 's7') {
      const backend = open(golden.backend, goldenImage('s7'), {});
      const texts = listing(backend).map((record) => [record.name, record.compressed, record.state]);
      t.same(texts, [
        ['dmesg-pstore_blk-0', 'lz4', 'live'],
        ['dmesg-pstore_blk-1', 'lz4', 'live'],
        ['dmesg-pstore_blk-2', 'lz4', 'live'],
      ]);
      t.match(Buffer.from(contentBytes(backend.open(2))).toString('latin1'), /^Panic#3 Part1\n/);
      return t.end();
    }
    sameAsKernel(t, open(golden.backend, goldenImage(golden.folder), {}), golden, golden.files);
    t.end();
  });
}
