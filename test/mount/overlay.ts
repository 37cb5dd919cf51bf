// Images that are mounted with an overlay, by a model: whatever is removed there, and however the mounts end, the image
// stays as it is until the commit, and is then what removing in the image itself would have made of it.

import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { call, imageFile, isMounted, names, pstorefuseBeside, SCRIPT, scratchFolder, unmountHard } from '../mounted.js';

const IMAGES = [
  ['s1', 'image.raw'],
  ['v2', 'image.raw'],
  ['r2', 'image.raw'],
  ['mtdoops-1', 'image.raw'],
  ['efi-multi', 'image.raw'],
  ['erst-oops3', 'image.raw'],
] as const;
const STEPS = 6;

/** Numbers below `end`, the same in each run (mulberry32). */
function numbers(seed: number): (end: number) => number {
  let state = seed;
  return (end) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % end;
  };
}

const { SEED = '1' } = process.env;
const seed = SEED === 'random' ? Date.now() % 2 ** 31 : Number(SEED);

function serverOf(mountPoint: string): number | undefined {
  const words = (pid: string): string[] => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
    } catch {
      return [];
    }
  };
  const isServer = (all: string[]) => all.includes(mountPoint) && all.some((word) => word.endsWith('-server.js'));
  const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && isServer(words(name)));
  return pid === undefined ? undefined : Number(pid);
}

async function until(what: () => boolean): Promise<boolean> {
  for (const end = Date.now() + 60_000; Date.now() < end; ) {
    if (what()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

/** An image, its overlay, and a copy in which the same records are removed without one. */
class Model {
  readonly image: string;
  readonly overlay: string;
  readonly direct: string;
  readonly mountPoint: string;
  readonly before: Buffer;
  /** What is still there. */
  left: string[] = [];
  /** The SOURCE that info tells. */
  #found = '';
  readonly #t: Test;
  readonly #random: (end: number) => number;

  constructor(t: Test, golden: string, file: string, random: (end: number) => number) {
    const folder = scratchFolder(t);
    this.image = imageFile(folder, golden, file);
    this.overlay = join(folder, 'work.ovl');
    this.direct = join(folder, 'direct.raw');
    this.mountPoint = join(folder, 'mnt');
    this.before = readFileSync(this.image);
    this.#t = t;
    this.#random = random;
    writeFileSync(this.direct, this.before);
    mkdirSync(this.mountPoint);
    t.teardown(() => unmountHard(this.mountPoint));
  }

  /** With the sizes that were found: an image without any record does not tell them. */
  #source(path: string): string {
    return this.#found.replace(this.image, path);
  }

  get #overlaid(): string {
    return `${this.#source(this.image)},overlay=${this.overlay}`;
  }

  async start(): Promise<void> {
    const info = JSON.parse((await pstorefuseBeside(['info', '--json', this.image])).stdout);
    this.#found = info.source;
    const { stdout } = await pstorefuseBeside(['ls', this.image]);
    this.left = stdout.split('\n').filter(Boolean);
    this.#t.ok(this.left.length > 0);
  }

  #some(): string[] {
    const taken = this.left.filter(() => this.#random(4) === 0);
    this.left = this.left.filter((name) => !taken.includes(name));
    return taken;
  }

  /** @param end how the mount ends */
  async mount(end: 'umount' | 'kill'): Promise<void> {
    const { status, stderr } = await pstorefuseBeside([this.#overlaid, this.mountPoint, '-o', 'layout=flat']);
    this.#t.equal(status, 0, stderr);
    this.#t.same(names(this.mountPoint), [...this.left].sort(), 'what was removed before is gone');
    const some = this.#some();
    for (const name of some) {
      this.#t.match(await call('rm', ['-f', join(this.mountPoint, name)]), { status: 0, stderr: '' });
    }
    if (end === 'kill') process.kill(serverOf(this.mountPoint)!, 'SIGKILL');
    else await call('umount', [this.mountPoint]);
    this.#t.ok(await until(() => !isMounted(this.mountPoint) && serverOf(this.mountPoint) === undefined), end);
    await this.#removeDirectly(some);
  }

  async command(): Promise<void> {
    const some = this.#some();
    if (some.length === 0) return;
    this.#t.match(await pstorefuseBeside(['rm', this.#overlaid, ...some]), { status: 0 });
    await this.#removeDirectly(some);
  }

  async #removeDirectly(some: readonly string[]): Promise<void> {
    if (some.length > 0)
      this.#t.match(await pstorefuseBeside(['rm', this.#source(this.direct), ...some]), { status: 0 });
    this.#t.ok(readFileSync(this.image).equals(this.before), 'not a byte of the image has changed');
  }

  /** Killed at any moment, and then to its end. */
  async commit(): Promise<void> {
    const child = spawn(SCRIPT, ['overlay', 'commit', this.overlay, this.image], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('close', resolve));
    setTimeout(() => child.kill('SIGKILL'), this.#random(250));
    await ended;
    const { stderr } = await pstorefuseBeside(['overlay', 'commit', this.overlay, this.image]);
    this.#t.match(stderr, /^(|pstorefuse: .*work\.ovl.*there is no such file\n)$/s, 'committed, now or before');
    this.#t.ok(readFileSync(this.image).equals(readFileSync(this.direct)), 'as if there had been no overlay');
    const { stdout } = await pstorefuseBeside(['ls', this.#source(this.image)]);
    this.#t.same(stdout.split('\n').filter(Boolean).sort(), [...this.left].sort());
  }
}

t.test(`mounts, removals, kills and a commit (seed ${seed})`, async (t) => {
  for (const [i, [golden, file]] of IMAGES.entries()) {
    const random = numbers(seed * 101 + i);
    const model = new Model(t, golden, file, random);
    await model.start();
    for (let step = 0; step < STEPS; step++) {
      const what = random(5);
      if (what < 2) await model.mount('umount');
      else if (what < 4) await model.mount('kill');
      else await model.command();
    }
    await model.commit();
  }
});
