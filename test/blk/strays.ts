import t from 'tap';
import { blkoops } from '../../lib/blk/blkoops.js';
import { pstoreBlk } from '../../lib/blk/pstore_blk.js';
import { withSalvage } from '../../lib/pstore/salvage.js';
import { codesOf, namesOf, openBytes, sureOf, textOf } from '../builders/open.js';
import { blkoopsZone } from '../builders/partition.js';
import { partition } from '../builders/zone.js';

const K = 1024;
const text = (n: number) => `Oops#${n} Part1\n${`<6>[    ${n}.000001] valve ${n} jammed after the turn\n`.repeat(20)}`;
/** Where an earlier boot's headers stand: no zones of any size that explains the newer ones begin there. */
const BEFORE = 0x32a00;
const RING = 0x47200;
const LINE = '[    9.000001] console of an earlier boot\n';

/** Six zones of 64 KiB, three of them used; after them stand headers of a boot that had zones of 16 KiB, and a console. */
function image(): Uint8Array {
  const now = partition(384 * K).kmsg(64 * K);
  for (const n of [0, 1, 2]) now.dmesg(n, { seconds: 1_700_000_100 + n, counter: n + 3, body: text(n) });
  const before = partition(256 * K).kmsg(16 * K);
  before.dmesg(0, { seconds: 1_600_000_000, counter: 1, body: text(8) });
  before.dmesg(1, { seconds: 1_600_000_001, counter: 2, erased: true, body: text(9) });
  now.bytes.set(before.bytes.subarray(0, 32 * K), BEFORE);
  now.ring({ kind: 'console', index: 0, offset: RING, size: 16 * K }, [LINE.repeat(1000)]);
  return now.bytes;
}

t.test('headers that no zone explains are warned of, listed by info and shown by salvage', async (t) => {
  const backend = openBytes(pstoreBlk, image());
  t.same(
    namesOf(backend),
    ['dmesg-pstore_blk-0', 'dmesg-pstore_blk-1', 'dmesg-pstore_blk-2'],
    'a listing has what a kernel shows',
  );
  t.same(codesOf(backend), ['header-stray']);
  const { message } = backend.warnings.list[0]!;
  t.match(message, /3 headers of zones belong to none .*0x32a00, 0x36a00, 0x47200.*salvage shows what they hold/);
  t.equal(backend.info().details['other headers'], '0x32a00, 0x36a00, 0x47200');
  t.equal(backend.space().freeSlots, 3, 'they are no free places');

  const salvaged = withSalvage(openBytes(pstoreBlk, image()));
  t.same(namesOf(salvaged).sort(), [
    'console-pstore_blk-0.salvaged',
    'dmesg-pstore_blk-0',
    'dmesg-pstore_blk-1',
    'dmesg-pstore_blk-2',
    'dmesg-pstore_blk-6.salvaged',
  ]);
  t.equal(textOf(salvaged, 'dmesg-pstore_blk-6.salvaged'), text(8));
  const ring = textOf(salvaged, 'console-pstore_blk-0.salvaged');
  t.equal(ring.length, 16 * K - 12);
  t.ok(LINE.repeat(1000).endsWith(ring), 'a ring that has come round is shown from its oldest byte on');
  const slot = salvaged.find('dmesg-pstore_blk-6.salvaged')!;
  t.equal(salvaged.record(slot)!.mtimeNs, 1_600_000_000_123_456_789n);
  t.throws(() => salvaged.erase(slot), { code: 'EPERM' });
});

t.test('a record that is written leaves them alone', async (t) => {
  const bytes = image();
  const backend = openBytes(pstoreBlk, bytes, { kmsg_size: 64 * K, pmsg_size: 0, console_size: 0, ftrace_size: 0 });
  backend.write!({
    type: 'dmesg',
    reason: 2,
    timeNs: 1_700_000_200n * 10n ** 9n,
    compress: 'none',
    data: Buffer.from(text(5)),
  });
  t.same(namesOf(backend), ['dmesg-pstore_blk-0', 'dmesg-pstore_blk-1', 'dmesg-pstore_blk-2', 'dmesg-pstore_blk-3']);
});

t.test('a record at an odd place is no less a stray', async (t) => {
  const now = partition(64 * K).kmsg(4 * K);
  for (const n of [0, 1, 2]) now.dmesg(n, { seconds: 1_700_000_100 + n, counter: n + 3, body: 'Oops#1 Part1\nnow\n' });
  const before = partition(4 * K).kmsg(4 * K);
  before.dmesg(0, { seconds: 1_600_000_000, counter: 1, body: text(8) });
  now.bytes.set(before.bytes.subarray(0, 2 * K), 24 * K - 1);
  const backend = openBytes(pstoreBlk, now.bytes);
  t.equal(namesOf(backend).length, 3);
  t.match(backend.warnings.list, [{ code: 'header-stray', offset: 24 * K - 1 }]);
});

t.test('records of the other generation are told', async (t) => {
  const bytes = new Uint8Array(64 * K);
  bytes.set(blkoopsZone({ text: 'Oops#1 Part1\nof the kernel with blkoops\n' }), 0);
  const ring = partition(64 * K).kmsg(4 * K);
  ring.ring({ kind: 'console', index: 0, offset: 28 * K, size: 8 * K }, ['a line\n']);
  bytes.set(ring.bytes.subarray(28 * K, 36 * K), 28 * K);
  const [warning] = openBytes(pstoreBlk, bytes).warnings.list.filter(({ code }) => code === 'header-stray');
  t.match(warning?.message, /1 header of a record as blkoops writes them, .* source blkoops:\S+ shows what they hold/);
  const [other] = openBytes(blkoops, bytes).warnings.list.filter(({ code }) => code === 'header-stray');
  t.notOk(other, 'to the other one its own are none');
});

t.test('of two generations with as many records it is the one that begins the image', async (t) => {
  const made = (first: 'blkoops' | 'pstore_blk') => {
    const bytes = new Uint8Array(64 * K);
    const record = { seconds: 1_700_000_000, counter: 1, body: text(1) };
    const other = first === 'blkoops' ? 'pstore_blk' : 'blkoops';
    bytes.set(
      partition(8 * K, { format: first })
        .kmsg(8 * K)
        .dmesg(0, record).bytes,
      0,
    );
    bytes.set(
      partition(8 * K, { format: other })
        .kmsg(8 * K)
        .dmesg(0, record).bytes,
      24 * K,
    );
    return sureOf(blkoops, bytes) - sureOf(pstoreBlk, bytes);
  };
  t.ok(made('blkoops') > 0);
  t.ok(made('pstore_blk') < 0);
});
