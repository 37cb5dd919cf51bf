// The flush modes: which bytes reach the medium, in which order, and that they are there when flush() returns.

import t from 'tap';
import { type Flush, FlushMode, flush } from '../../lib/blk/flush.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { FaultyStorage } from '../builders/faulty.js';

const ZONE = { type: 'pmsg', index: 0, offset: 512, size: 512 } as const;
const HEADER = new Uint8Array(12).fill(1);

function flushed(what: Flush) {
  const medium = new MemoryStorage(new Uint8Array(2048));
  const storage = new FaultyStorage(medium);
  flush(storage, ZONE, what);
  return { writes: storage.writes, syncs: storage.syncs, bytes: medium.bytes };
}

t.test('what is written', (t) => {
  const piece = (from: number, length: number) => ({ from, bytes: new Uint8Array(length).fill(2) });
  for (const [name, what, writes] of [
    ['NONE', { mode: FlushMode.None }, []],
    ['META', { mode: FlushMode.Meta, header: HEADER }, [[512, 12]]],
    ['ALL', { mode: FlushMode.All, bytes: new Uint8Array(512).fill(3) }, [[512, 512]]],
    [
      'PART, the header last: it never tells of more than is there',
      { mode: FlushMode.Part, header: HEADER, pieces: [piece(490, 10), piece(0, 3)] },
      [
        [1014, 10],
        [524, 3],
        [512, 12],
      ],
    ],
    ['PART of nothing', { mode: FlushMode.Part, header: HEADER, pieces: [piece(5, 0)] }, [[512, 12]]],
  ] as [string, Flush, [number, number][]][]) {
    const done = flushed(what);
    t.same(
      done.writes.map(({ offset, length }) => [offset, length]),
      writes,
      name,
    );
    t.equal(done.syncs, what.mode === FlushMode.None ? 0 : 1, `${name}: brought to the medium once`);
    t.ok(
      done.bytes.every((byte, at) => byte === 0 || (at >= 512 && at < 1024)),
      `${name}: inside of the zone`,
    );
  }
  t.end();
});

t.test('a power cut between the writes leaves the old header', (t) => {
  const medium = new MemoryStorage(new Uint8Array(2048));
  const storage = new FaultyStorage(medium);
  storage.cutPowerAfter(1);
  const pieces = [{ from: 0, bytes: new Uint8Array(4).fill(2) }];
  t.throws(() => flush(storage, ZONE, { mode: FlushMode.Part, header: HEADER, pieces }), { code: 'EIO' });
  t.same([medium.bytes[512], medium.bytes[524]], [0, 2]);
  t.end();
});
