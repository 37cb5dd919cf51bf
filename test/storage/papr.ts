import { openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PstoreError } from '../../lib/errors.js';
import { tagsOf } from '../../lib/platform-dump/backend.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { type DeviceCalls, useDeviceCalls } from '../../lib/storage/device-calls.js';
import { openFirmware } from '../../lib/storage/firmware-folder.js';
import { PaprFirmware } from '../../lib/storage/papr.js';
import { Spool } from '../../lib/storage/spool.js';
import { fillPattern } from '../builders/platform-dump.js';

/** The kernel's device: a descriptor for each dump gives it once; only one at a time. */
class Device implements DeviceCalls {
  readonly folder: string;
  readonly open = new Map<number, bigint>();
  readonly invalidated: bigint[] = [];
  refusal: string | undefined;

  constructor(folder: string, dumps: ReadonlyMap<bigint, Uint8Array>) {
    this.folder = folder;
    for (const [tag, bytes] of dumps) writeFileSync(join(folder, String(tag)), bytes);
  }

  openPlatformDump(_device: number, tag: bigint): number {
    if (this.refusal !== undefined) throw this.#error(this.refusal);
    const fd = openSync(join(this.folder, String(tag)), 'r');
    this.open.set(fd, tag);
    return fd;
  }

  invalidatePlatformDump(fd: number, tag: bigint): void {
    if (this.open.get(fd) !== tag) throw this.#error('EINVAL');
    if (this.refusal !== undefined) throw this.#error(this.refusal);
    this.invalidated.push(tag);
  }

  #error(name: string): PstoreError {
    return new PstoreError('EIO', 'ioctl', { cause: Object.assign(new Error(name), { code: name }) });
  }

  lockExclusively = () => true;
  clearImmutable = () => false;
  nextData = () => undefined;
  isBadBlock = () => false;
  eraseFlash = () => {};
}

const bytes = new Uint8Array(700_000);
fillPattern(bytes, 0, 7);
const dumps = new Map([
  [5n, bytes],
  [2n ** 63n + 1n, bytes.subarray(0, 3)],
]);

t.afterEach(() => useDeviceCalls(() => undefined));

t.test('a dump is fetched from its beginning, as often as it is asked for, and removed after its end', async (t) => {
  const device = new Device(t.testdir({}), dumps);
  useDeviceCalls(() => device);
  const firmware = openFirmware('/dev/zero', [...dumps.keys()]);
  t.ok(firmware instanceof PaprFirmware);
  t.same(
    firmware.tags().map(({ tag, size }) => [tag, size]),
    [...dumps.keys()].map((tag) => [tag, null]),
  );
  const memory = new Uint8Array(1 << 20);
  const scratch = {
    write: (from: Uint8Array, offset: number) => memory.set(from, offset),
    read: (target: Uint8Array, offset: number) => target.set(memory.subarray(offset, offset + target.length)),
    close: () => {},
  };
  const spool = new Spool(firmware, () => scratch, t.fail);
  const dump = spool.dump(5n);
  const piece = new Uint8Array(1000);
  t.equal(firmware.invalidate(5n), 'in-progress');
  t.equal(dump.read(piece, 600_000, {}), 1000);
  t.same(piece, bytes.subarray(600_000, 601_000));
  t.equal(firmware.invalidate(5n), 'in-progress', 'it has not given its last byte');
  t.equal(dump.size(), bytes.length);
  t.equal(firmware.next(5n, 0n, new Uint8Array(2048)).bytes, 2048, 'from the beginning again');
  t.equal(firmware.invalidate(5n), 'in-progress');
  dump.drain();
  dump.drain();
  t.equal(firmware.invalidate(5n), 'complete');
  t.same(device.invalidated, [5n]);
  t.same(
    firmware.tags().map(({ tag }) => tag),
    [2n ** 63n + 1n],
  );
  t.equal(firmware.invalidate(5n), 'no-such-dump');
  t.equal(firmware.next(5n, 0n, new Uint8Array(2048)).status, 'no-such-dump');
  spool.close();
  firmware.close();
});

t.test('what the driver answers', async (t) => {
  const device = new Device(t.testdir({}), dumps);
  useDeviceCalls(() => device);
  const firmware = new PaprFirmware('/dev/zero', [5n]);
  const buffer = new Uint8Array(1024);
  t.throws(() => firmware.next(5n, 0n, new Uint8Array(1023)), { code: 'EINVAL' });
  t.equal(firmware.next(5n, 1000n, buffer).status, 'hardware-error', 'it cannot begin in the middle');
  for (const [name, status] of [
    ['EINPROGRESS', 'in-progress'],
    ['EALREADY', 'already-open'],
    ['EPERM', 'not-authorised'],
    ['EIO', 'hardware-error'],
  ] as const) {
    device.refusal = name;
    t.equal(firmware.next(5n, 0n, buffer).status, status);
  }
  device.refusal = 'EFAULT';
  t.throws(() => firmware.next(5n, 0n, buffer), { message: 'ioctl' });
  firmware.close();
  useDeviceCalls(() => undefined);
  t.throws(() => new PaprFirmware('/dev/zero', [5n]), { code: 'ENODEV', message: /npm package koffi/ });
});

t.test('the key tag', async (t) => {
  t.same(tagsOf(SourceKeys.of({})), []);
  t.same(tagsOf(SourceKeys.of({ tag: '0x10:7:18446744073709551615' })), [16n, 7n, 2n ** 64n - 1n]);
  for (const wrong of ['', 'x', '1:', '-1', '18446744073709551616', '0x10000000000000000', '1,2']) {
    t.throws(() => tagsOf(SourceKeys.of({ tag: wrong })), { code: 'EINVAL' }, wrong);
  }
  t.throws(() => tagsOf(SourceKeys.of({ tag: Array(257).fill('1').join(':') })), { code: 'EINVAL' });
});
