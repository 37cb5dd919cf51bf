// The bytecode of our bundles: each case starts a Node with a cache folder of its own, as a person does.

import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { cacheFolder } from '../../lib/cli/bytecode.js';
import { ROOT } from '../fixture-path.js';
import { imageFile, run, scratchFolder } from '../mounted.js';

const PROGRAM = join(ROOT, 'dist', 'bin', 'pstorefuse.js');

/** From so many images on, V8 is told to optimise less. */
const MANY = 16;

interface Place {
  readonly cache: string;
  readonly ours: string;
  /** Lists the records of an image, given so many times. @returns what is printed */
  list(times?: number): string;
}

function place(t: Test): Place {
  const folder = scratchFolder(t);
  const image = imageFile(folder, 'v1');
  const cache = join(folder, 'cache');
  mkdirSync(cache);
  const copies = Array.from({ length: MANY }, (_, i) => {
    const path = join(folder, `${i}.raw`);
    writeFileSync(path, readFileSync(image));
    return path;
  });
  const list = (times = 1) => {
    const args = [`XDG_CACHE_HOME=${cache}`, process.execPath, PROGRAM, 'ls', ...copies.slice(0, times)];
    const { status, stdout, stderr } = run('/usr/bin/env', args);
    if (status !== 0 || stderr !== '') throw new Error(`ls ended with ${status}: ${stderr}`);
    return stdout;
  };
  return { cache, ours: join(cache, 'pstorefuse'), list };
}

/** The file that holds the bytecode of the commands: our own, or one of Node's compile cache. */
function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => statSync(path).isFile());
}

t.test('it is made at the first start, and any damage to it is noticed', async (t) => {
  const { ours, list } = place(t);
  const expected = list();
  t.match(expected, /dmesg-blkoops-0/);
  t.equal(statSync(ours).mode & 0o777, 0o700, 'in a folder that is only ours');
  const made = files(ours);
  t.ok(made.length > 0, 'it is made');
  t.equal(list(), expected, 'it is used');
  t.same(files(ours), made, 'and not made again');
  const whole = made.map((path) => readFileSync(path));
  const damages: [string, (bytes: Buffer) => Buffer][] = [
    ['empty', () => Buffer.alloc(0)],
    ['cut', (bytes) => bytes.subarray(0, bytes.length >> 1)],
    ['rubbish', (bytes) => Buffer.alloc(bytes.length, 0x5a)],
    ...[0, 0.1, 0.5, 0.7, 0.9, 0.999].map((at): [string, (bytes: Buffer) => Buffer] => [
      `bytes changed from ${at} on`,
      (bytes) => {
        const changed = Buffer.from(bytes);
        const from = Math.floor(bytes.length * at);
        for (let i = from; i < Math.min(from + 64, bytes.length); i++) changed[i]! ^= 0x41;
        return changed;
      },
    ]),
  ];
  for (const [what, damage] of damages) {
    for (const [i, path] of made.entries()) writeFileSync(path, damage(whole[i]!));
    t.equal(list(), expected, what);
  }
});

t.test('what a start with many images makes serves one with a single image, and the other way round', async (t) => {
  const { ours, list } = place(t);
  list(MANY);
  const made = files(ours).map((path) => [path, statSync(path).ino]);
  list();
  list(MANY);
  t.same(
    files(ours).map((path) => [path, statSync(path).ino]),
    made,
    'it is not made again',
  );
});

t.test('nothing is taken from a place that others can write', async (t) => {
  const { ours, list } = place(t);
  const expected = list();
  const [file] = files(ours);
  chmodSync(ours, 0o777);
  const before = readFileSync(file!);
  writeFileSync(file!, 'not bytecode');
  t.equal(list(), expected);
  t.equal(readFileSync(file!, 'latin1'), 'not bytecode', 'nor written there');
  chmodSync(ours, 0o700);
  writeFileSync(file!, before);
  t.equal(cacheFolder({ XDG_CACHE_HOME: join(ours, '..') }), ours);
  const linked = scratchFolder(t);
  symlinkSync(ours, join(linked, 'pstorefuse'));
  t.equal(cacheFolder({ XDG_CACHE_HOME: linked }), undefined, 'a link');
  t.equal(cacheFolder({}), undefined, 'no home');
  t.equal(cacheFolder({ HOME: 'relative', XDG_CACHE_HOME: 'relative' }), undefined);
  t.equal(cacheFolder({ HOME: '/proc/nothing' }), undefined, 'a home that cannot be written');
});
