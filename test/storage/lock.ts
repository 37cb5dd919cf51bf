import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { systemDeviceCalls } from '../../lib/mount/syscalls.js';
import { useDeviceCalls } from '../../lib/storage/device-calls.js';
import { openImage } from '../../lib/storage/file.js';

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
    useDeviceCalls(systemDeviceCalls);
    const locked = openImage(path, { mode: 'must' });
    t.throws(() => openImage(path, { mode: 'must' }), { code: 'EBUSY' }, 'the system call does it, too');
    locked.close();
    openImage(path, { mode: 'read' }).close();
  } finally {
    useDeviceCalls(() => undefined);
    process.env.PATH = PATH;
  }
  openImage(path, { mode: 'must' }).close();
});
