// What speaks for a size of zones, and against it: the dumps of several kernels, replayed.

import t from 'tap';
import { MAINLINE, ZONE_DIALECTS } from '../../lib/blk/dialects.js';
import { countsOf, judgeZones, type Verdict, weightOf } from '../../lib/blk/last-kernel.js';
import type { Mark } from '../../lib/blk/marks.js';
import type { Written } from '../../lib/blk/written.js';

const K = 1024;
const rfc5 = ZONE_DIALECTS.find(({ name }) => name === 'rfc5')!;
const vendor = ZONE_DIALECTS.find(({ name }) => name === 'vendor')!;

/** A dump at so many KiB, in the order of time. */
type Dump = readonly [at: number, bytes: number, counter: number, reason?: number];

function judge(
  of: readonly Dump[],
  size: number,
  more: { dialect?: typeof rfc5; count?: number; blank?: boolean } = {},
) {
  const { dialect = rfc5, count = Math.floor(256 / size), blank = false } = more;
  const places = of.map(([at]) => at).sort((a, b) => a - b);
  const dumps: Written[] = of.map(([at, bytes, counter, reason = 2], i) => {
    const next = (places.find((other) => other > at) ?? 256) * K;
    const common = {
      type: 'dmesg',
      endian: 'little',
      generation: dialect.generation,
      signed: true,
      magic: true,
    } as const;
    const mark: Mark = { ...common, offset: at * K, datalen: bytes, start: 0, formatted: false, doubtful: false };
    return { mark, next, time: BigInt(i + 1), counter, reason, reach: Number.POSITIVE_INFINITY };
  });
  const own = dumps.map(({ mark }) => mark).sort((a, b) => a.offset - b.offset);
  const traces = { dumps: dumps.toReversed(), own, dialect, isBlank: () => blank };
  const zones = { base: 0, size: size * K, count };
  return judgeZones(zones, traces, (a: Verdict, b: Verdict) =>
    a.possible === b.possible ? weightOf(a) > weightOf(b) : a.possible,
  );
}

const OLD: readonly Dump[] = [
  [0, 5000, 1],
  [8, 5000, 2],
  [16, 5000, 3],
  [24, 5000, 4],
];

t.test('one kernel, and a second one', async (t) => {
  t.match(judge(OLD, 8), { possible: true, newest: true, chain: 3, counted: 4, aliens: 0 });
  const both: readonly Dump[] = [
    [0, 5000, 1],
    [24, 5000, 4],
    [32, 5000, 5],
    [12, 9000, 2],
  ];
  t.match(judge(both, 12), { possible: true, newest: true, chain: 0, counted: 1, aliens: 1 }, 'the last one');
  t.match(judge(both, 8), { possible: false, aliens: 1 }, 'a gap, and neighbours after it');
});

t.test('a counter that goes back', async (t) => {
  t.match(
    judge(
      [
        [0, 5000, 7],
        [8, 5000, 3],
      ],
      8,
      { count: 2 },
    ),
    { chain: 0, counted: 0 },
    'no chain',
  );
  t.equal(
    judge(
      [
        [0, 100, 9],
        [8, 100, 4],
        [12, 5000, 3],
      ],
      12,
    ).possible,
    false,
    'less than what recovery found',
  );
  t.equal(countsOf({ reason: 1 } as Written, vendor), undefined, "OOM's is not recovered");
  t.equal(countsOf({ reason: 2 } as Written, MAINLINE), 'Oops');
});

t.test('a dump into which another kernel has written', async (t) => {
  const into = (bytes: number): readonly Dump[] => [
    [0, 100, 1],
    [8, bytes, 2],
    [12, 100, 3],
  ];
  t.equal(judge(into(7000), 8).possible, false);
  t.equal(judge(into(3000), 8).possible, true, 'after its end');
});

t.test('where a kernel begins', async (t) => {
  const at = (zone: number): readonly Dump[] => [
    [0, 3000, 1],
    [zone, 5000, 2],
  ];
  t.equal(judge(at(16), 16).possible, true, 'right after what it found');
  t.equal(judge([...at(16), [4, 100, 3]], 16).possible, true);
  t.equal(judge([...at(32), [4, 100, 3]], 16).possible, false, 'not after a zone without signature');
  t.equal(judge(at(32), 16).possible, true, 'which may have lost it');
  t.equal(judge(at(32), 16, { blank: true }).possible, false, 'but nothing is left there');
  t.equal(judge(at(32), 16, { blank: true, dialect: MAINLINE }).possible, true, 'mainline passes over such');
});

t.test('nothing to judge', async (t) => {
  t.match(judge([], 8), { possible: false, aliens: 0 });
  t.match(judge([[0, 2 ** 32 - 1, 1]], 8), { possible: false, aliens: 1 }, 'a length that is no length');
  t.match(judge(OLD, 8, { count: 0 }), { possible: false, aliens: 4 });
  t.equal(judge([[0, 100, 1]], 8, { count: 1 }).possible, true, 'one zone');
});
