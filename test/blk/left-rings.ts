// Rings that a boot with other sizes has left, and the ones of the last kernel.

import t from 'tap';
import { fitOf, freshRings, ringsInFront } from '../../lib/blk/left-rings.js';
import type { Mark } from '../../lib/blk/marks.js';

const K = 1024;

function mark(type: Mark['type'], offset: number, datalen: number, more: Partial<Mark> = {}): Mark {
  const common = { endian: 'little', generation: 'pstore_blk', signed: true, magic: type === 'dmesg' } as const;
  return { ...common, type, offset, datalen, start: 0, formatted: false, doubtful: false, ...more };
}

const offsets = (marks: readonly Mark[]) => marks.map(({ offset }) => offset / K);

t.test('a ring into which something was written later is of an earlier boot', async (t) => {
  const pmsg = mark('pmsg', 0, 10 * K);
  t.same(offsets(freshRings([pmsg, mark('dmesg', 8 * K, 100)])), []);
  t.same(offsets(freshRings([pmsg, mark('console', 8 * K, 100)])), [8]);
  t.same(offsets(freshRings([pmsg, mark('dmesg', 12 * K, 100)])), [0]);
  t.same(offsets(freshRings([pmsg, mark('dmesg', 8 * K, 100, { magic: false, doubtful: true })])), [0], 'by a header');
  t.same(offsets(freshRings([pmsg, mark('dmesg', 8 * K, 100, { signed: false })])), [0], 'not by half of one');
  t.same(offsets(freshRings([mark('pmsg', 0, 10 * K, { signed: false })])), []);
  t.same(freshRings([]), []);
});

t.test('of several consoles', async (t) => {
  const full = { start: 5 };
  const [first, second] = [mark('console', 8 * K, 100), mark('console', 16 * K, 100)];
  const pmsg = mark('pmsg', 0, 8 * K - 12, full);
  t.same(offsets(ringsInFront([pmsg, first, second], 24 * K)), [0, 8], 'the one where pmsg ends');
  const ending = mark('console', 8 * K, 16 * K - 12, full);
  t.same(offsets(ringsInFront([ending, mark('console', 40 * K, 100)], 24 * K)), [8], 'none after the first dump');
  const short = mark('pmsg', 0, 100);
  const last = mark('console', 20 * K, 4 * K - 12, full);
  t.same(offsets(ringsInFront([short, first, last, mark('console', 21 * K + 512, 1)], 24 * K)), [0, 21.5], 'the last');
  t.same(offsets(ringsInFront([short, first, last], 24 * K)), [0, 20], 'the one that ends where dumps begin');
});

t.test('a ring after zones of a size', async (t) => {
  const zones = { base: 0, size: 16 * K };
  t.equal(fitOf({ offset: 40 * K, datalen: 100, start: 100 }, zones, 64 * K), 0, 'inside one');
  t.equal(fitOf({ offset: 48 * K, datalen: 100, start: 100 }, zones, 64 * K), 1);
  t.equal(fitOf({ offset: 48 * K, datalen: 16 * K - 12, start: 7 }, zones, 64 * K), 2, 'of a known size');
  t.equal(fitOf({ offset: 32 * K, datalen: 16 * K - 12, start: 7 }, zones, 64 * K), 0, 'with room for one more zone');
});
