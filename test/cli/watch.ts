// watch: new records are told of once, whatever happens to the image.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { goldenImage } from '../fixture-path.js';
import { call, PROGRAM, pstorefuse, pstorefuseBeside, SCRIPT, scratchFolder } from '../mounted.js';

const folder = scratchFolder(t);
process.chdir(folder);

const LIMIT_MS = 30_000;

/** A watch, its lines of output and the sentences on standard error as they come. */
class Watching {
  readonly child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #said: string[] = [];

  constructor(t: Test, ...args: string[]) {
    this.child = spawn(process.execPath, [PROGRAM, 'watch', '--interval', '0.1', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, TZ: 'UTC' },
    });
    t.teardown(() => this.child.kill('SIGKILL'));
    createInterface({ input: this.child.stdout! }).on('line', (line) => this.#lines.push(line));
    createInterface({ input: this.child.stderr! }).on('line', (line) => this.#said.push(line));
  }

  async #next(from: string[], what: string): Promise<string> {
    for (const end = Date.now() + LIMIT_MS; Date.now() < end; await sleep(20)) {
      const line = from.shift();
      if (line !== undefined) return line;
    }
    throw new Error(`no ${what} came`);
  }

  line = () => this.#next(this.#lines, 'line');
  sentence = () => this.#next(this.#said, 'sentence');

  ended(): Promise<number | null> {
    return this.child.exitCode === null
      ? new Promise((resolve) => this.child.on('close', resolve))
      : Promise.resolve(this.child.exitCode);
  }
}

const record = (image: string, text: string, time: string) =>
  call(SCRIPT, ['record', image, '--reason', 'oops', '--time', time], { input: text });

/** Long enough for it to have looked at what is there. */
async function begun(watching: Watching): Promise<void> {
  for (const end = Date.now() + LIMIT_MS; Date.now() < end; await sleep(50)) {
    const state = readFileSync(`/proc/${watching.child.pid}/stat`, 'latin1').split(') ')[1]!.charAt(0);
    const [, opened = '0'] = /rchar: (\d+)/.exec(readFileSync(`/proc/${watching.child.pid}/io`, 'latin1')) ?? [];
    if (state === 'S' && Number(opened) > 1_500_000) break;
  }
  await sleep(1500);
}

/** All at once: a file that is still empty is told of, too. */
function appear(path: string): void {
  writeFileSync(`${path}.new`, goldenImage('s2'));
  renameSync(`${path}.new`, path);
}

t.test('rotated, gone and there again', async (t) => {
  pstorefuse('format', 'a.raw', '--size', '1M', '--kmsg-size', '64K');
  await record('a.raw', '<4>[    1.000000] old\n', '2026-01-01T00:00:00Z');
  const watching = new Watching(t, '--ndjson', 'a.raw', 'b.raw');
  t.match(await watching.sentence(), /b\.raw: there is no such file.*; waiting for it/);
  await begun(watching);
  await record('a.raw', '<4>[    2.000000] new\n', '2026-01-01T00:00:02Z');
  t.match(JSON.parse(await watching.line()), { path: 'a.raw', names: ['dmesg-pstore_blk-1'], text: /new/ });

  appear('b.raw');
  t.match(await watching.sentence(), /b\.raw can be read again/);
  for (const id of [0, 1, 2])
    t.match(JSON.parse(await watching.line()), { path: 'b.raw', names: [`dmesg-pstore_blk-${id}`] });

  rmSync('b.raw');
  t.match(await watching.sentence(), /b\.raw: there is no such file/);
  appear('b.raw');
  t.match(await watching.sentence(), /b\.raw can be read again/);
  writeFileSync('c.raw', goldenImage('s3'));
  renameSync('c.raw', 'a.raw');
  const rotated = await Promise.all([1, 2, 3, 4, 5, 6].map(() => watching.line()));
  t.ok(
    rotated.every((line) => JSON.parse(line).path === 'a.raw'),
    'what came back is not told of again',
  );
  watching.child.kill('SIGTERM');
  t.equal(await watching.ended(), 0);
});

t.test('lines for people, and the end after so many', async (t) => {
  const watching = new Watching(t, '-n', '2', '--utc', 'd.raw');
  await watching.sentence();
  writeFileSync('d.raw', goldenImage('s2'));
  t.match(await watching.line(), /^TIME +WHAT +TITLE +COUNT +SIZE +NAME$/);
  t.match(
    await watching.line(),
    /^2021-09-14 09:39:05 +Oops +BUG: .* in lkdtm_EXCEPTION +1 +\d+K +dmesg-pstore_blk-0$/,
  );
  t.match(await watching.line(), /dmesg-pstore_blk-1$/);
  t.equal(await watching.ended(), 0);
});

t.test('a command for each', async (t) => {
  const command = 'echo "$PSTORE_NAME $PSTORE_KIND $PSTORE_TIME"; wc -c; test "$PSTORE_COUNT" != 3';
  const watching = new Watching(t, '-n', '3', '--exec', command, 'e.raw');
  await watching.sentence();
  writeFileSync('e.raw', goldenImage('s2'));
  for (const id of [0, 1, 2]) {
    t.match(await watching.line(), new RegExp(`^dmesg-pstore_blk-${id} null-deref 2021-09-14T09:39:0\\d\\.\\d{3}Z$`));
    const { stdout } = await pstorefuseBeside(['cat', 'e.raw', `dmesg-pstore_blk-${id}`]);
    t.equal(Number(await watching.line()), stdout.length);
  }
  t.equal(await watching.ended(), 1, 'one of them failed');
  const lazy = new Watching(t, '-n', '3', '--exec', 'true', 'f.raw');
  await lazy.sentence();
  writeFileSync('f.raw', goldenImage('s2'));
  t.equal(await lazy.ended(), 0, 'who does not read the text has not failed');
});

t.test('what cannot be', async (t) => {
  t.match(pstorefuse('watch', 'x.raw', '--interval', '0'), { status: 64, stderr: /give seconds/ });
  t.match(pstorefuse('watch', 'x.raw,nokey=1'), { status: 64, stderr: /unknown key/ });
  t.match(pstorefuse('watch', '-'), { status: 64, stderr: /is a pipe/ });
});
