// What holes of a medium are, for every storage that stands over another one: a search leaves them out and misses nothing.

import { ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { PstoreError } from '../../lib/errors.js';
import { systemDeviceCalls } from '../../lib/mount/syscalls.js';
import { AndroidSparseStorage } from '../../lib/storage/android-sparse.js';
import { useDeviceCalls } from '../../lib/storage/device-calls.js';
import { FileStorage } from '../../lib/storage/file.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { occurrences } from '../../lib/storage/occurrences.js';
import { OverlayStorage } from '../../lib/storage/overlay.js';
import { ReadAheadStorage } from '../../lib/storage/read-ahead.js';
import { RevertingStorage } from '../../lib/storage/reverting.js';
import { ReadOnlyStorage, SliceStorage } from '../../lib/storage/slice.js';
import { SpareStorage } from '../../lib/storage/spare.js';
import { nextRun, readRange, type Storage, searchedPieces } from '../../lib/storage/storage.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { FlattenedStorage } from '../../lib/vmcore/flattened.js';
import { Warnings } from '../../lib/warnings.js';
import { androidSparse } from '../builders/disk.js';
import { flattened } from '../builders/flattened.js';
import { HugeStorage } from '../builders/huge.js';

const SIZE = 20_000;
const NEEDLE = Uint8Array.of(0xde, 0xad, 0xbe, 0xef, 0, 7);

/** Parts of a medium that hold something, apart from each other. */
const parts = fc
  .array(fc.record({ gap: fc.integer({ min: 1, max: 6000 }), length: fc.integer({ min: 1, max: 3000 }) }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((all) => {
    let end = 0;
    return all.map(({ gap, length }) => {
      const bytes = Uint8Array.from({ length }, (_, i) => 1 + (i % 250));
      if (length >= NEEDLE.length) bytes.set(NEEDLE, length % (length - NEEDLE.length + 1));
      const part = { offset: end + gap, bytes };
      end += gap + length;
      return part;
    });
  });

type Parts = readonly { readonly offset: number; readonly bytes: Uint8Array }[];

const holey = (all: Parts) => new HugeStorage(Math.max(SIZE, ...all.map((one) => one.offset + one.bytes.length)), all);

function written(storage: Storage): OverlayStorage {
  const overlay = new OverlayStorage(storage);
  overlay.write(NEEDLE, 4093);
  overlay.write(NEEDLE, storage.size - NEEDLE.length);
  return overlay;
}

function asChunks(all: Parts): AndroidSparseStorage {
  const block = 16;
  const chunks = all.flatMap(({ offset, bytes }, i) => {
    const raw = new Uint8Array(Math.ceil(bytes.length / block) * block);
    raw.set(bytes);
    return [{ skip: (offset % 5) + 1 }, { raw }, { fill: i % 2 === 0 ? 0xefbeadde : 0, blocks: 1 + (offset % 9) }];
  });
  return new AndroidSparseStorage(new MemoryStorage(androidSparse(block, chunks)));
}

const STORAGES: Readonly<Record<string, (all: Parts) => Storage>> = {
  'what tells of its holes itself': holey,
  'one that tells of none': (all) => new MemoryStorage(readRange(holey(all), 0, SIZE)),
  'a part': (all) => new SliceStorage(holey(all), 1000, 15_000),
  'one that is only read': (all) => new ReadOnlyStorage(holey(all)),
  'one that survives bad blocks': (all) => new SurvivingStorage(holey(all)),
  'read ahead': (all) => new ReadAheadStorage(holey(all)),
  'taken back': (all) => new RevertingStorage(holey(all)),
  'flash without its spare bytes': (all) => new SpareStorage(holey(all), { data: 512, spare: 16 }),
  'an overlay': (all) => written(holey(all)),
  'chunks of Android': asChunks,
  'a flattened dump': (all) =>
    new FlattenedStorage(new MemoryStorage(flattened(all.map(({ offset, bytes }) => [offset, bytes]))), new Warnings()),
};

/** What is wrong with the runs that a storage tells; undefined where nothing is. */
function wrongRuns(storage: Storage): string | undefined {
  const bytes = readRange(storage, 0, storage.size);
  let end = 0;
  for (;;) {
    const run = nextRun(storage, end);
    const hole = bytes.subarray(end, run?.from ?? storage.size);
    const other = hole.findIndex((byte, i) => byte !== hole[i % 4]);
    if (other >= 0) return `no hole at ${end + other}`;
    if (!run) return undefined;
    if (run.from < end || run.to <= run.from || run.to > storage.size) return `no run: ${run.from} to ${run.to}`;
    for (const inside of [run.from, run.to - 1]) {
      const rest = nextRun(storage, inside);
      if (rest?.from !== inside || rest.to > storage.size) return `asked at ${inside}, it begins elsewhere`;
    }
    end = run.to;
  }
}

function failing(): never {
  throw new PstoreError('ENOTSUP', 'no such thing here');
}

const placesIn = (bytes: Uint8Array) => {
  const found: number[] = [];
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = buffer.indexOf(NEEDLE); at >= 0; at = buffer.indexOf(NEEDLE, at + 1)) found.push(at);
  return found;
};

for (const [name, make] of Object.entries(STORAGES)) {
  t.test(`${name}: between runs stands one word again and again`, async (t) => {
    fc.assert(
      fc.property(parts, (all) => {
        const wrong = wrongRuns(make(all));
        if (wrong !== undefined) throw new Error(wrong);
      }),
    );
    t.equal(nextRun(make([]), 1 << 30), undefined, 'none begins after the end');
  });

  t.test(`${name}: a search that leaves out the holes finds what stands anywhere`, async () => {
    fc.assert(
      fc.property(parts, fc.integer({ min: 8, max: 5000 }), fc.nat(9000), fc.nat(SIZE), (all, length, from, end) => {
        const storage = make(all);
        const expected = placesIn(readRange(storage, 0, storage.size));
        const range = { from, end, length, overlap: NEEDLE.length - 1 };
        const found: number[] = [];
        for (const { bytes, offset } of searchedPieces(storage, range)) {
          found.push(...placesIn(bytes).map((at) => offset + at));
        }
        const isInside = (at: number) => at >= from && at < Math.min(end, storage.size);
        return (
          String(found.filter(isInside)) === String(expected.filter(isInside)) &&
          String([...occurrences(storage, NEEDLE, from, end)]) ===
            String(expected.filter((at) => at >= from && at + NEEDLE.length <= end))
        );
      }),
    );
  });
}

t.test('of data between holes hardly more is read than there is', async (t) => {
  const MiB = 1 << 20;
  const medium = new HugeStorage(
    100 * MiB,
    Array.from({ length: 200 }, (_, i) => ({ offset: i * (MiB / 2) + 300_000, bytes: new Uint8Array(4096).fill(1) })),
  );
  let parts = 0;
  for (const { bytes } of searchedPieces(medium, { length: MiB, overlap: 64 })) if (bytes.includes(1)) parts++;
  t.equal(parts, 200);
  t.ok(medium.bytesRead <= 3 * 200 * 4096, `${medium.bytesRead} bytes were read`);
});

t.test('a file of terabytes tells where its data are', async (t) => {
  useDeviceCalls(systemDeviceCalls);
  t.teardown(() => useDeviceCalls(() => undefined));
  const at = 3 * 2 ** 30;
  const make = (name: string, size: number, offsets: readonly number[]) => {
    const fd = openSync(join(t.testdirName, name), 'w+');
    ftruncateSync(fd, size);
    for (const offset of offsets) writeSync(fd, NEEDLE, 0, NEEDLE.length, offset);
    const storage = new FileStorage(name, fd, false, 'file');
    t.teardown(() => storage.close());
    return storage;
  };
  t.testdir({});
  const size = 2 ** 41;
  t.equal(nextRun(make('hole', size, []), 0), undefined);
  const sparse = make('sparse', size, [at, size - 8]);
  t.same([...occurrences(sparse, NEEDLE, 0, size)], [at, size - 8]);
  const run = nextRun(sparse, 5);
  t.ok(run && run.from <= at && run.to > at && run.to - run.from <= 1 << 21, 'a run of a few blocks');
  const grown = make('grown', 32 << 20, [64 << 20]);
  t.equal(grown.size, (64 << 20) + NEEDLE.length);
  writeSync(grown.fd, NEEDLE, 0, NEEDLE.length, 96 << 20);
  t.equal(nextRun(grown, (64 << 20) + 4096 - NEEDLE.length), undefined, 'what has been added since is no part of it');
  t.same(nextRun(grown, 0)?.to, grown.size);
  useDeviceCalls(() => ({ ...systemDeviceCalls()!, nextData: () => failing() }));
  t.same(nextRun(sparse, 5), { from: 5, to: size }, 'all is read where the file system does not tell');
  useDeviceCalls(() => undefined);
  t.same(nextRun(sparse, 5), { from: 5, to: size }, 'all is read where nobody can ask');
  t.same(nextRun(make('small', 1 << 20, []), 5), { from: 5, to: 1 << 20 });
});
