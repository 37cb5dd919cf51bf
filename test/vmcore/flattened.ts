import fc from 'fast-check';
import t from 'tap';
import { PstoreError } from '../../lib/errors.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { readRange } from '../../lib/storage/storage.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { addDeviceDump, planChunks } from '../../lib/vmcore/add.js';
import { vmcoredd } from '../../lib/vmcore/backend.js';
import { FlattenedStorage } from '../../lib/vmcore/flattened.js';
import { Warnings } from '../../lib/warnings.js';
import { flattened } from '../builders/flattened.js';
import { howSure } from '../builders/how-sure.js';
import { concat, deviceDump, kdump, kernelCore, MACHINES, prstatus } from '../builders/vmcore.js';

function open(image: Uint8Array, warnings = new Warnings()) {
  const storage = SurvivingStorage.over(new MemoryStorage(image, { path: 'flat' }));
  return vmcoredd.open({
    path: 'flat',
    storage,
    keys: new SourceKeys(),
    warnings,
    cache: new TextCache(),
    readFile: () => new Uint8Array(0),
  });
}

/** The file in pieces of one size, the first one also at the end: makedumpfile writes its headers twice. */
function inPieces(image: Uint8Array, size: number): Uint8Array {
  const pieces: [number, Uint8Array][] = [];
  for (let at = 0; at < image.length; at += size) pieces.push([at, image.subarray(at, at + size)]);
  const first = pieces[0]!;
  return flattened([[0, new Uint8Array(first[1].length).fill(0xee)], ...pieces.slice(1), first]);
}

t.test('pieces in any order; where they overlap, the last one counts', (t) => {
  const piece = fc.tuple(fc.nat(200), fc.uint8Array({ maxLength: 60 }));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), fc.nat(260), fc.nat(80), (pieces, from, length) => {
      const expected = new Uint8Array(Math.max(0, ...pieces.map(([at, { length }]) => (length > 0 ? at + length : 0))));
      for (const [at, bytes] of pieces) if (bytes.length > 0) expected.set(bytes, at);
      const storage = new FlattenedStorage(new MemoryStorage(flattened(pieces), { path: 'flat' }), new Warnings());
      return (
        storage.size === expected.length &&
        Buffer.compare(readRange(storage, from, length), expected.subarray(from, from + length)) === 0
      );
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('many pieces of one byte, none of which follows another', (t) => {
  const count = 5000;
  const pieces = Array.from({ length: count }, (_, i) => [2 * ((i * 7) % count), new Uint8Array([i % 251])] as const);
  const storage = new FlattenedStorage(new MemoryStorage(flattened(pieces), { path: 'flat' }), new Warnings());
  const expected = new Uint8Array(2 * count - 1);
  for (const [at, bytes] of pieces) expected.set(bytes, at);
  t.same(readRange(storage, 0, 2 * count), expected);
  t.same(storage.nextRun(1), { from: 2, to: 3 });
  t.equal(storage.nextRun(2 * count - 1), undefined);
  t.end();
});

t.test('cores and compressed dumps inside, of every machine', (t) => {
  const data = new Uint8Array(3000).fill(0x61);
  for (const machine of MACHINES) {
    const notes = concat(deviceDump(machine, 'one', data), prstatus(machine));
    const dumps = [kernelCore(machine, notes, { loads: [{ data: new Uint8Array(9000).fill(7) }] })];
    if (machine.bits === 64) dumps.push(kdump(machine.endian, 'lp64', notes));
    for (const dump of dumps) {
      for (const size of [100, 4096, 1 << 20]) {
        const warnings = new Warnings();
        const backend = open(inPieces(dump, size), warnings);
        t.equal(howSure(vmcoredd, new MemoryStorage(inPieces(dump, size))), 1);
        t.equal(backend.slots, 1);
        t.same(contentBytes(backend.open(0)).subarray(0, 3000), data);
        t.same(warnings.list, []);
      }
    }
  }
  t.end();
});

t.test('a dump is added to what is inside, and the result is not flattened', (t) => {
  const [machine] = MACHINES;
  const core = kernelCore(machine!, concat(deviceDump(machine!, 'one', new Uint8Array(10)), prstatus(machine!)));
  const data = new Uint8Array(100).fill(5);
  const added = (image: Uint8Array) => {
    const plan = addDeviceDump(new MemoryStorage(image, { path: 'old' }), 'two', data.length);
    const dump = (target: Uint8Array, position: number) => {
      target.set(data.subarray(position, position + target.length));
      return target.length;
    };
    return concat(...Array.from(planChunks(plan, dump), (part) => part.slice()));
  };
  t.equal(Buffer.compare(added(inPieces(core, 512)), added(core)), 0);
  t.end();
});

t.test('cut anywhere: what is there is shown, and it is said', (t) => {
  const [machine] = MACHINES;
  const core = kernelCore(machine!, concat(deviceDump(machine!, 'one', new Uint8Array(5000)), prstatus(machine!)));
  const file = inPieces(core, 1000);
  for (let length = 0; length < file.length; length += 331) {
    const warnings = new Warnings();
    try {
      open(file.subarray(0, length), warnings);
      t.match(warnings.list[0]?.message, /is cut: it ends at \d+ without its end mark/);
    } catch (error) {
      if (!(error instanceof PstoreError)) throw error;
      t.equal(error.code, 'EBADMSG');
    }
  }
  t.end();
});

t.test('pieces that make no sense, and headers that are unknown', (t) => {
  const storage = (bytes: Uint8Array) => new MemoryStorage(bytes, { path: 'flat' });
  const warnings = new Warnings();
  const odd = new FlattenedStorage(
    storage(
      flattened([
        [10, new Uint8Array(5).fill(1)],
        [-7, new Uint8Array(1)],
      ]),
    ),
    warnings,
  );
  t.equal(odd.size, 15);
  t.match(warnings.list, [{ code: 'header-damaged', message: /1 bytes for -7/ }]);
  for (const [at, message] of [
    [23, /of type 0/],
    [31, /version 0/],
  ] as const) {
    const bytes = flattened([]);
    bytes[at] = 0;
    t.throws(() => new FlattenedStorage(storage(bytes), new Warnings()), { code: 'EBADMSG', message });
  }
  t.throws(() => odd.write(), { code: 'EROFS' });
  t.end();
});
