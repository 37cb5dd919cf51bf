import t from 'tap';
import { PstoreError } from '../../lib/errors.js';
import { mtdoops } from '../../lib/mtdoops/open.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { parseSource } from '../../lib/source/grammar.js';
import { openStorage } from '../../lib/source/open-storage.js';
import { type DeviceCalls, useDeviceCalls } from '../../lib/storage/device-calls.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { MtdStorage } from '../../lib/storage/mtd.js';
import { readRange } from '../../lib/storage/storage.js';
import { Warnings } from '../../lib/warnings.js';
import { logText, MtdDevice } from '../builders/mtdoops.js';

const BLOCK = 32 << 10;
const RECORD = 8 << 10;

/** Flash: it is only erased, in whole blocks. */
class Flash extends MemoryStorage {
  readonly fd = 42;

  override write(): never {
    throw new PstoreError('EROFS', 'flash');
  }
}

class Calls implements DeviceCalls {
  readonly erased: number[] = [];
  bad: readonly number[] = [];
  error: unknown;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  isBadBlock(fd: number, offset: number): boolean {
    if (fd !== 42) throw new Error('another descriptor');
    return this.bad.includes(offset / BLOCK);
  }

  eraseFlash(fd: number, offset: number, length: number): void {
    if (fd !== 42 || offset % BLOCK !== 0 || length !== BLOCK) throw new Error('no whole block');
    if (this.error) throw this.error;
    this.#bytes.fill(0xff, offset, offset + length);
    this.erased.push(offset / BLOCK);
  }

  lockExclusively = () => true;
  clearImmutable = () => false;
  nextData = () => undefined;
  openPlatformDump = () => -1;
  invalidatePlatformDump = () => {};
}

function device(records: number, { bad = [] as number[] } = {}) {
  const made = new MtdDevice({ size: 8 * BLOCK, recordSize: RECORD });
  for (let i = 0; i < records; i++) made.oops(logText(3000 + i, i), 1_600_000_000_000_000_000n + BigInt(i));
  const calls = new Calls(made.bytes);
  calls.bad = bad;
  useDeviceCalls(() => calls);
  const warnings = new Warnings();
  const flash = new Flash(made.bytes, { path: '/dev/mtd3' });
  const storage = new MtdStorage(flash, { eraseSize: BLOCK, hasBadBlocks: bad.length > 0 }, warnings);
  const options = { sharedKeys: [], mode: 'must', cache: new TextCache(), strict: false } as const;
  const spec = parseSource('mtdoops:/dev/mtd3', () => false);
  const open = () => openStorage(spec, storage, options, () => new Uint8Array(), { isCopy: false, warnings });
  return { bytes: made.bytes, calls, warnings, storage, open };
}

t.afterEach(() => useDeviceCalls(() => undefined));

t.test(
  'a block is erased with its last record, and until then its records are gone for this process alone',
  async (t) => {
    const { bytes, calls, warnings, open } = device(6);
    const before = bytes.slice();
    const { backend, keys } = open();
    t.equal(keys.text('erase_size'), String(BLOCK));
    const names = () => [...Array(backend.slots).keys()].flatMap((slot) => backend.record(slot)?.name ?? []);
    t.equal(names().length, 6);
    for (const id of [0, 2, 3]) backend.erase(backend.find(`dmesg-mtdoops-${id}`)!);
    t.same(bytes, before, 'not a byte has changed');
    t.same(names(), ['dmesg-mtdoops-1', 'dmesg-mtdoops-4', 'dmesg-mtdoops-5']);
    backend.refresh?.();
    t.same(names(), ['dmesg-mtdoops-1', 'dmesg-mtdoops-4', 'dmesg-mtdoops-5'], 'they do not come back');
    const told = warnings.list.filter(({ code }) => code === 'flash-shared');
    t.equal(told.length, 1, 'said once of each block');
    t.match(
      told[0]!.message,
      /\/dev\/mtd3: what was removed is there again at the next start, .* 32768 bytes at offset 0/,
    );
    t.equal(open().backend.space().records, 3, 'and for whoever looks through the same storage');
    backend.erase(backend.find('dmesg-mtdoops-1')!);
    t.same(calls.erased, [0]);
    t.notOk(
      warnings.list.some(({ code }) => code === 'flash-shared'),
      'that is no longer so',
    );
    t.ok(bytes.subarray(0, BLOCK).every((byte) => byte === 0xff));
    t.same(bytes.subarray(BLOCK), before.subarray(BLOCK), 'nothing else');
    t.same(names(), ['dmesg-mtdoops-4', 'dmesg-mtdoops-5']);
  },
);

t.test('bytes that nobody has removed keep a block', async (t) => {
  const { bytes, calls, storage } = device(1);
  bytes[BLOCK - 1] = 0x7f;
  storage.erase(0, RECORD);
  t.same(calls.erased, []);
  t.ok(readRange(storage, 0, RECORD).every((byte) => byte === 0xff));
  t.equal(readRange(storage, BLOCK - 1, 1)[0], 0x7f);
  storage.erase(RECORD, BLOCK - RECORD);
  t.same(calls.erased, [0]);
});

t.test('a range over several blocks', async (t) => {
  const { calls, storage } = device(12);
  storage.erase(RECORD, 2 * BLOCK);
  t.same(calls.erased, [1]);
  const seen = readRange(storage, RECORD, 2 * BLOCK);
  t.ok(seen.every((byte) => byte === 0xff));
  t.notOk(readRange(storage, 0, 16).every((byte) => byte === 0xff));
  t.notOk(readRange(storage, 2 * BLOCK + RECORD, 16).every((byte) => byte === 0xff));
});

t.test('bad blocks come from the device', async (t) => {
  const { open } = device(3, { bad: [2, 7] });
  const { keys, backend } = open();
  t.equal(keys.text('bad_blocks'), '2:7');
  t.match(backend.info().sourceKeys, 'bad_blocks=2:7');
});

t.test('a device that cannot be erased is only read', async (t) => {
  const { bytes } = device(1);
  const flash = new Flash(bytes, { path: '/dev/mtd4' });
  const storage = new MtdStorage(flash, { eraseSize: 0, hasBadBlocks: true });
  t.equal(storage.writable, false);
  t.same(storage.keys, []);
  t.same(readRange(storage, 0, 64), bytes.subarray(0, 64));
});

t.test('what cannot be done is said, and nothing is hidden by it', async (t) => {
  const { storage, calls, open } = device(4);
  const { backend } = open();
  for (const id of [0, 1, 2]) backend.erase(backend.find(`dmesg-mtdoops-${id}`)!);
  calls.error = Object.assign(new Error('EIO'), { code: 'EIO' });
  const slot = backend.find('dmesg-mtdoops-3')!;
  t.throws(() => backend.erase(slot), { code: 'EIO', message: /erase block at offset 0 could not be erased/ });
  t.ok(backend.record(slot));
  useDeviceCalls(() => undefined);
  t.throws(() => backend.erase(slot), {
    code: 'ENODEV',
    message: /^\/dev\/mtd3: erasing flash needs the npm package koffi/,
  });
  t.throws(() => storage.write(new Uint8Array(1), 0), { code: 'EROFS' });
  t.ok(mtdoops.keys.includes('erase_size'), 'the key that the device gives is one of the backend');
  t.ok(new SourceKeys([...storage.keys]).has('erase_size'));
});
