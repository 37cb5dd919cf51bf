import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, copyFileSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { type FileStorage, openImage } from '../../lib/storage/file.js';
import { hasQemuLock } from '../../lib/storage/qemu.js';

const folder = t.testdir();
const path = join(folder, 'image.raw');
writeFileSync(path, new Uint8Array(4096));

async function ended(child: ChildProcess, how: () => void): Promise<void> {
  const exit = once(child, 'exit');
  how();
  await exit;
}

t.test("QEMU's own locks, as /proc/locks lists them", (t) => {
  const dev = 0x08 * 256 + 0x11;
  const list = (lock: string) =>
    `1: FLOCK  ADVISORY  WRITE 812 00:1a:77 0 EOF\n${lock}\n3: POSIX  ADVISORY  READ 9 08:11:4711 100 101\n`;
  t.equal(hasQemuLock(list('2: OFDLCK ADVISORY  READ -1 08:11:4711 100 101'), dev, 4711), true);
  t.equal(hasQemuLock(list('2: OFDLCK ADVISORY  READ -1 08:11:4711 203 203'), dev, 4711), true);
  t.equal(hasQemuLock(list('2: OFDLCK ADVISORY  READ -1 08:11:4711 0 EOF'), dev, 4711), false, 'no lock of QEMU');
  t.equal(hasQemuLock(list('2: OFDLCK ADVISORY  READ -1 08:11:4712 100 101'), dev, 4711), false, 'another file');
  t.equal(hasQemuLock(list('2: OFDLCK ADVISORY  READ -1 08:12:4711 100 101'), dev, 4711), false, 'another device');
  t.equal(hasQemuLock(list(''), dev, 4711), false, 'locks of other kinds');
  t.end();
});

/** What block/file-posix.c does with an image that a machine may write: shared locks on single bytes. */
const LIKE_QEMU = `
import fcntl, struct, sys
open('/proc/self/comm', 'w').write('qemu-system-x86')
image = open(sys.argv[1], 'r+b')
for byte in (100, 101, 201, 203):
    fcntl.fcntl(image, 37, struct.pack('hhqqi4x', fcntl.F_RDLCK, 0, byte, 1, 0))
print('locked', flush=True)
sys.stdin.read()
`;

t.test('an image that QEMU has open is looked at, and not written', async (t) => {
  const machine = spawn('python3', ['-c', LIKE_QEMU, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  const started = await Promise.race([once(machine.stdout!, 'data'), once(machine, 'error').then(() => undefined)]);
  if (!started) {
    t.pass('python3 is not there to make such locks', { skip: true });
    return;
  }
  for (const mode of ['must', 'try'] as const) {
    t.throws(() => openImage(path, { mode }), {
      code: 'EBUSY',
      message: /in use by QEMU: shut that machine down first.*; the key force writes to it all the same$/,
    });
    openImage(path, { mode, force: true }).close();
  }
  const reader = openImage(path, { mode: 'read' });
  t.equal((reader as FileStorage).isInUse(true), true);
  await ended(machine, () => machine.stdin!.end());
  t.equal((reader as FileStorage).isInUse(true), false);
  reader.close();
  openImage(path, { mode: 'must' }).close();
});

t.test('a machine that has the image open without a lock is told by its name', async (t) => {
  // As acpi-erst has its file: mapped, and not locked.
  const machine = join(folder, 'qemu-system-none');
  copyFileSync('/bin/sleep', machine, 0);
  const child = spawn(machine, ['60'], { stdio: ['ignore', 'ignore', 'ignore', openFor(path)] });
  await once(child, 'spawn');
  t.throws(() => openImage(path, { mode: 'must' }), { code: 'EBUSY', message: /in use by QEMU/ });
  const reader = openImage(path, { mode: 'read' }) as FileStorage;
  t.equal(reader.isInUse(false), false, 'of an image that is no memory only the locks are looked at');
  // Who reads remembers for a second which machines there are.
  await sleep(1100);
  t.equal(reader.isInUse(true), true);
  await ended(child, () => child.kill('SIGKILL'));
  t.equal(reader.isInUse(true), false);
  reader.close();
});

function openFor(file: string): number {
  const fd = openSync(file, 'r+');
  t.teardown(() => closeSync(fd));
  return fd;
}
