import fc from 'fast-check';
import t from 'tap';
import { PstoreError } from '../../lib/errors.js';
import type { FirmwareStatus } from '../../lib/storage/firmware.js';
import { type Scratch, Spool, type SpooledDump } from '../../lib/storage/spool.js';
import { type ScriptedDump, ScriptedFirmware } from '../builders/firmware.js';
import { fillPattern } from '../builders/platform-dump.js';

const MIB = 1 << 20;

/** A scratch file in memory that knows how large it was. */
class MemoryScratch implements Scratch {
  bytes = new Uint8Array(0);
  #reserve = new Uint8Array(0);
  closed = false;
  /** Bytes behind which nothing can be written. */
  room = Number.POSITIVE_INFINITY;

  write(bytes: Uint8Array, offset: number): void {
    const end = offset + bytes.length;
    if (end > this.room) throw new PstoreError('ENOSPC', 'no space left for the spool');
    if (end > this.bytes.length) {
      if (end > this.#reserve.length) {
        const larger = new Uint8Array(2 * end);
        larger.set(this.#reserve);
        this.#reserve = larger;
      }
      this.bytes = this.#reserve.subarray(0, end);
    }
    this.bytes.set(bytes, offset);
  }

  read(target: Uint8Array, offset: number): void {
    target.set(this.bytes.subarray(offset, offset + target.length));
  }

  close(): void {
    this.closed = true;
  }
}

function make(dumps: ScriptedDump[], limit = 4 * MIB) {
  const firmware = new ScriptedFirmware(dumps);
  const scratch = new MemoryScratch();
  const complaints: string[] = [];
  const spool = new Spool(
    firmware,
    () => scratch,
    (sentence) => complaints.push(sentence),
    limit,
  );
  return { firmware, scratch, complaints, spool };
}

function pattern(position: number, length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  fillPattern(bytes, position, seed);
  return bytes;
}

function isRight(dump: SpooledDump, position: number, length: number, size: number, seed = 1, reader = {}): boolean {
  const target = new Uint8Array(length);
  const got = dump.read(target, position, reader);
  const wanted = Math.max(0, Math.min(length, size - position));
  return got === wanted && Buffer.compare(target.subarray(0, got), pattern(position, wanted, seed)) === 0;
}

t.test('once from the beginning to the end: every byte is fetched once', async (t) => {
  const size = 3 * MIB + 12345;
  const { firmware, spool } = make([{ tag: 7n, size, block: 70_000 }]);
  const dump = spool.dump(7n);
  t.equal(dump.knownSize, undefined);
  const reader = {};
  for (let at = 0; at < size + 100_000; at += 100_000) {
    if (!isRight(dump, at, 100_000, size, 1, reader)) t.fail(`at ${at}`);
  }
  t.equal(dump.knownSize, size);
  t.equal(dump.read(new Uint8Array(10), size, reader), 0, 'the end, again and again');
  t.equal(dump.read(new Uint8Array(10), size + 5, reader), 0);
  t.equal(firmware.given, size);
  t.ok(isRight(dump, 0, size, size), 'all of it again');
  t.ok(isRight(dump, 2_500_000, 1000, size));
  t.equal(firmware.given, size, 'from the spool');
});

t.test('ends: exact, with an empty last block, of no bytes at all, on chunk boundaries', async (t) => {
  for (const size of [0, 1, 1023, MIB - 1, MIB, MIB + 1, 2 * MIB]) {
    for (const endsEmpty of [false, true]) {
      const { spool } = make([{ tag: 1n, size, block: 65_536, endsEmpty, empty: 3 }]);
      t.ok(isRight(spool.dump(1n), 0, size + 10, size), `${size} ${endsEmpty}`);
      const other = spool.dump(1n);
      t.equal(other.size(), size);
      t.ok(isRight(other, Math.max(0, size - 5), 10, size));
    }
  }
});

t.test('any reads in any order, whatever the spool has room for', async () => {
  const size = 5 * MIB + 77;
  const reads = fc.array(fc.tuple(fc.nat(size + 1000), fc.integer({ min: 0, max: 300_000 })), { maxLength: 12 });
  fc.assert(
    fc.property(
      reads,
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 1000, max: 300_000 }),
      fc.integer({ min: 0, max: 2 }),
      (reads, limit, block, readers) => {
        const { spool, scratch } = make([{ tag: 1n, size, block }], limit * MIB);
        const dump = spool.dump(1n);
        const who = [{}, {}, {}].slice(0, readers + 1);
        return (
          reads.every(([at, length], i) => isRight(dump, at, length, size, 1, who[i % who.length])) &&
          scratch.bytes.length <= limit * MIB
        );
      },
    ),
    { numRuns: 30 },
  );
});

t.test('dumps of several tags in turns', async (t) => {
  const size = 2 * MIB + 5;
  const tags = [1n, 2n, 2n ** 64n - 1n];
  const { firmware, spool, scratch } = make(
    tags.map((tag, i) => ({ tag, size, seed: i + 1, block: 5000 * (i + 1) })),
    4 * MIB,
  );
  const dumps = tags.map((tag) => spool.dump(tag));
  const readers = tags.map(() => ({}));
  for (let at = 0; at < size; at += 40_000) {
    dumps.forEach((dump, i) => {
      if (!isRight(dump, at, 40_000, size, i + 1, readers[i])) t.fail(`dump ${i} at ${at}`);
    });
  }
  for (const tag of tags) t.equal(firmware.starts.get(tag), 1, 'no sequence had to begin again');
  t.ok(scratch.bytes.length <= 4 * MIB);
});

t.test('what was dropped is fetched again, with a new sequence', async (t) => {
  const size = 10 * MIB;
  const { firmware, spool, scratch } = make([{ tag: 1n, size }], 2 * MIB);
  const dump = spool.dump(1n);
  t.equal(dump.size(), size);
  t.equal(firmware.given, size);
  const reader = {};
  for (let at = 0; at < 2 * MIB; at += MIB / 8) t.ok(isRight(dump, at, MIB / 8, size, 1, reader));
  t.equal(firmware.given, size, 'the beginning was kept while the size was found out');
  for (let at = 0; at < size; at += MIB) t.ok(isRight(dump, at, 10, size, 1, reader));
  t.equal(firmware.starts.get(1n), 2, 'one more pass');
  t.ok(scratch.bytes.length <= 2 * MIB);
});

t.test('backwards: as many passes as the spool has to be filled, not one a read', async (t) => {
  const size = 12 * MIB;
  const { firmware, spool } = make([{ tag: 1n, size }], 4 * MIB);
  const dump = spool.dump(1n);
  const reader = {};
  for (let at = size - 65_536; at >= 0; at -= 65_536) {
    if (!isRight(dump, at, 65_536, size, 1, reader)) t.fail(`at ${at}`);
  }
  t.ok(firmware.starts.get(1n)! <= 5, `${firmware.starts.get(1n)} passes`);
});

t.test('two readers far from each other share the spool', async (t) => {
  const size = 24 * MIB;
  const { firmware, spool } = make([{ tag: 1n, size }], 8 * MIB);
  const dump = spool.dump(1n);
  const [a, b] = [{}, {}];
  for (let at = 0; at < size / 2; at += 65_536) {
    if (!isRight(dump, at, 65_536, size, 1, a)) t.fail(`a at ${at}`);
    if (!isRight(dump, size / 2 + at, 65_536, size, 1, b)) t.fail(`b at ${at}`);
  }
  t.ok(firmware.starts.get(1n)! <= 8, `${firmware.starts.get(1n)} passes for 384 reads`);
});

t.test('no room: reading goes on without a spool', async (t) => {
  const size = 4 * MIB;
  const { spool, scratch, complaints } = make([{ tag: 1n, size }], 8 * MIB);
  scratch.room = 1.5 * MIB;
  const dump = spool.dump(1n);
  t.ok(isRight(dump, 0, size, size));
  t.ok(isRight(dump, 3 * MIB, 100, size));
  t.ok(isRight(dump, 100, 100, size));
  t.equal(complaints.length, 1, 'said once');
  t.match(complaints[0], /no space left.*fetched from the firmware again/);

  const firmware = new ScriptedFirmware([{ tag: 1n, size }]);
  const none: string[] = [];
  const noScratch = () => {
    throw new PstoreError('EACCES', 'the folder cannot be written');
  };
  const without = new Spool(firmware, noScratch, (sentence) => none.push(sentence));
  t.ok(isRight(without.dump(1n), 5, size, size));
  t.equal(none.length, 1);
});

t.test('what the firmware refuses', async (t) => {
  const table: [FirmwareStatus, string, RegExp][] = [
    ['in-progress', 'EAGAIN', /still being made/],
    ['already-open', 'EALREADY', /somebody else/],
    ['not-authorised', 'EPERM', /not authorised/],
    ['no-such-dump', 'ENOENT', /not there any more/],
    ['hardware-error', 'EIO', /hardware error/],
  ];
  for (const [refusal, code, message] of table) {
    const { firmware, spool } = make([{ tag: 9n, size: 3 * MIB, block: 100_000 }]);
    const dump = spool.dump(9n);
    firmware.dumps[0]!.refusal = refusal;
    t.throws(() => dump.read(new Uint8Array(10), 0, {}), { code, message }, refusal);
    t.throws(() => dump.size(), { code });
    firmware.dumps[0]!.refusal = undefined;
    t.ok(isRight(dump, 0, 150_000, 3 * MIB), 'and it goes on when that is over');
    firmware.dumps[0]!.refusal = refusal;
    t.throws(() => dump.read(new Uint8Array(10), MIB, {}), { code });
    t.ok(isRight(dump, 10, 50_000, 3 * MIB), 'what is in the spool can be read');
    firmware.dumps[0]!.refusal = undefined;
    t.equal(dump.size(), 3 * MIB);
    t.equal(firmware.starts.get(9n), 1, 'the same sequence');
  }
});

t.test('firmware that does not keep its word', async (t) => {
  const broken = (answer: (call: number) => { status: 'more' | 'complete'; bytes: number }) => {
    let call = 0;
    const firmware = new ScriptedFirmware([]);
    firmware.next = () => ({ ...answer(call++), sequence: 5n });
    return new Spool(firmware, () => new MemoryScratch(), t.fail).dump(1n);
  };
  t.throws(() => broken(() => ({ status: 'more', bytes: 0 })).size(), { code: 'EIO', message: /never an end/ });
  t.throws(() => broken(() => ({ status: 'more', bytes: 1e9 })).size(), { code: 'EIO', message: /in a buffer of/ });
  t.throws(() => broken(() => ({ status: 'complete', bytes: -1 })).size(), { code: 'EIO' });
  t.throws(() => broken(() => ({ status: 'more', bytes: Number.NaN })).size(), { code: 'EIO' });
  const { firmware, spool } = make([{ tag: 1n, size: 3 * MIB }], 0);
  const dump = spool.dump(1n);
  t.equal(dump.size(), 3 * MIB);
  firmware.dumps[0]!.size = 2 * MIB;
  t.throws(() => dump.read(new Uint8Array(3 * MIB), 0, {}), { code: 'EIO', message: /where it gave 3145728 before/ });
});

t.test('a dump that is gone: what is open reads on, as far as the spool goes', async (t) => {
  const size = 2 * MIB;
  const { firmware, spool } = make([
    { tag: 1n, size },
    { tag: 2n, size: 6 * MIB, seed: 2 },
  ]);
  const dump = spool.dump(1n);
  const reader = {};
  dump.openReader();
  t.ok(isRight(dump, 0, size, size, 1, reader));
  firmware.dumps.shift();
  dump.remove();
  const other = spool.dump(2n);
  t.ok(isRight(other, 0, 6 * MIB, 6 * MIB, 2));
  t.ok(isRight(dump, 0, size, size, 1, reader), 'another dump does not push it out');
  dump.closeReader(reader);
  t.equal(dump.chunks.size, 0, 'until it is closed');
  t.throws(() => dump.read(new Uint8Array(10), 0, reader), { code: 'EIO', message: /was removed/ });
  t.ok(isRight(other, 0, 6 * MIB, 6 * MIB, 2));
  t.equal(other.chunks.size, 4, 'its room is used again');
});

t.test('drain goes to the end, again where it must', async (t) => {
  const { firmware, spool } = make([{ tag: 1n, size: 3 * MIB }]);
  const dump = spool.dump(1n);
  t.equal(firmware.invalidate(1n), 'in-progress');
  t.ok(isRight(dump, 0, 10, 3 * MIB));
  dump.drain();
  t.equal(firmware.starts.get(1n), 1);
  dump.drain();
  t.equal(firmware.starts.get(1n), 2);
  t.equal(firmware.invalidate(1n), 'complete');
});

t.test('close lets go of the scratch file', async (t) => {
  const { spool, scratch } = make([{ tag: 1n, size: 10 }]);
  spool.close();
  t.notOk(scratch.closed, 'there was none yet');
  isRight(spool.dump(1n), 0, 10, 10);
  spool.close();
  t.ok(scratch.closed);
});
