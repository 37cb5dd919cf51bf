import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type FileStorage, openImage } from '../../lib/storage/file.js';
import { hasQemuLock } from '../../lib/storage/lock.js';

const path = join(t.testdir(), 'image.raw');
writeFileSync(path, new Uint8Array(4096));

/** Another process that holds the writer's lock until it is told to end. */
async function otherWriter(): Promise<ChildProcess> {
  const module = new URL('../../lib/storage/file.js', import.meta.url).href;
  const program = `
    const { openImage } = await import(${JSON.stringify(module)});
    openImage(${JSON.stringify(path)}, { mode: 'must' });
    console.log('locked');
    process.stdin.resume();
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout!, 'data');
  return child;
}

async function ended(child: ChildProcess, how: () => void): Promise<void> {
  const exit = once(child, 'exit');
  how();
  await exit;
}

t.test('one writer at a time, in one process', async (t) => {
  const first = openImage(path, { mode: 'must' });
  t.throws(() => openImage(path, { mode: 'must' }), { code: 'EBUSY' });
  t.throws(() => openImage(path, { mode: 'try' }), { code: 'EBUSY' }, 'not silently read-only');
  const reader = openImage(path, { mode: 'read' });
  t.equal(reader.size, 4096, 'readers take no lock');
  reader.close();
  first.close();
  openImage(path, { mode: 'must' }).close();
});

t.test('another process that writes is named', async (t) => {
  const child = await otherWriter();
  const writer = `image\\.raw is being written by process ${child.pid} \\(.*`;
  for (const [mode, advice] of [
    ['must', 'try again when that has ended'],
    ['try', 'take ro to look at it only'],
  ] as const) {
    const message = new RegExp(`${writer}; ${advice}$`);
    t.throws(() => openImage(path, { mode }), { code: 'EBUSY', message }, mode);
  }
  openImage(path, { mode: 'read' }).close();
  await ended(child, () => child.stdin!.end());
  openImage(path, { mode: 'must' }).close();
});

t.test('the lock dies with its process, however that ends', async () => {
  const child = await otherWriter();
  await ended(child, () => child.kill('SIGKILL'));
  openImage(path, { mode: 'must' }).close();
});

t.test('without the program flock', async (t) => {
  const { PATH } = process.env;
  process.env.PATH = '/nonexistent';
  try {
    t.throws(() => openImage(path, { mode: 'must' }), {
      code: 'ENODEV',
      message: /flock \(package util-linux\) is needed/,
    });
    openImage(path, { mode: 'read' }).close();
  } finally {
    process.env.PATH = PATH;
  }
  openImage(path, { mode: 'must' }).close();
});

// ── QEMU ──

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
      message: /in use by QEMU: shut that machine down first/,
    });
  }
  const reader = openImage(path, { mode: 'read' });
  t.equal((reader as FileStorage).isInUse, true);
  await ended(machine, () => machine.stdin!.end());
  t.equal((reader as FileStorage).isInUse, false);
  reader.close();
  openImage(path, { mode: 'must' }).close();
});
