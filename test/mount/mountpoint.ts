// Where a mount point really is, which ones are refused, and the command that unmounts. Real mounts are in mount.ts.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { checkMountPoint, placeOf, unmountCommand } from '../../lib/mount/mountpoint.js';
import { ROOT } from '../fixture-path.js';
import { scratchFolder } from '../mounted.js';

const isRoot = process.geteuid!() === 0;
const PATH = process.env.PATH;
t.afterEach(() => {
  process.env.PATH = PATH;
});

t.test('the place that a path leads to', (t) => {
  const folder = realpathSync(scratchFolder(t));
  const at = (name: string) => join(folder, name);
  mkdirSync(at('a/b'), { recursive: true });
  const links = {
    absolute: at('a/b'),
    relative: 'a/b',
    again: 'relative',
    'a/up': '../a/b',
    slash: 'a/b//./',
    dangling: 'a/nothing/x',
    self: 'self',
    round: 'about',
    about: 'round',
    root: '/',
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, at(name));
  for (const [path, place] of [
    ['a/b', 'a/b'],
    ['a/b/', 'a/b'],
    ['a/b/../b/.', 'a/b'],
    ['absolute', 'a/b'],
    ['relative', 'a/b'],
    ['again', 'a/b'],
    ['again/c/d', 'a/b/c/d'],
    ['a/up', 'a/b'],
    ['slash', 'a/b'],
    ['dangling', 'a/nothing/x'],
    ['nothing/at/all', 'nothing/at/all'],
    // No end: the path as it is.
    ['self', 'self'],
    ['round/x', 'round/x'],
  ] as const) {
    t.equal(placeOf(at(path)), at(place), path);
    t.equal(placeOf(relative(process.cwd(), at(path))), at(place), `${path}, from here`);
  }
  // What stands before `..` is followed first.
  t.equal(placeOf(`${at('absolute')}/../c`), at('a/c'));
  t.equal(placeOf(`${at('nothing')}/../a/b`), at('a/b'));
  t.equal(placeOf('/../..'), '/');
  mkdirSync(at('a/mnt'));
  const options = { nonempty: false, images: [] };
  t.equal(checkMountPoint(`${at('relative')}/../mnt`, options), at('a/mnt'));
  t.equal(placeOf('/'), '/');
  t.equal(placeOf('/proc'), '/proc', 'a mount point');
  t.equal(placeOf(join(at('root'), at('a/up').slice(1))), at('a/b'));
  for (let n = 1; n <= 41; n++) symlinkSync(n === 1 ? 'a' : `${n - 1}`, at(`${n}`));
  t.equal(placeOf(at('40')), at('a'), 'as many links as the kernel follows');
  t.equal(placeOf(at('41')), at('41'), 'no more');
  t.end();
});

t.test('any links lead where realpath(3) says', (t) => {
  const folder = realpathSync(scratchFolder(t));
  const place = fc.constantFrom('', 'd', 'd/e', 'f');
  const end = fc.constantFrom('', '', '0', '1', '2', '3');
  const link = fc.record({ place, to: place, end, isRelative: fc.boolean() });
  let run = 0;
  let followed = 0;
  fc.assert(
    fc.property(fc.array(link, { minLength: 1, maxLength: 4 }), fc.array(end, { maxLength: 2 }), (links, more) => {
      const root = join(folder, `${run++}`);
      for (const name of ['d/e', 'f']) mkdirSync(join(root, name), { recursive: true });
      for (const [name, { place, to, end, isRelative }] of links.entries()) {
        const target = join(root, to, end);
        symlinkSync(isRelative ? relative(join(root, place), target) || '.' : target, join(root, place, `${name}`));
      }
      for (const [name, { place }] of links.entries()) {
        const path = join(root, place, `${name}`);
        for (const each of [path, join(path, ...more)].filter((each) => existsSync(each))) {
          followed++;
          assert.equal(placeOf(each), realpathSync.native(each));
        }
      }
    }),
    { numRuns: 100 },
  );
  t.ok(followed > 50, `${followed} were links`);
  t.end();
});

t.test('mount points', (t) => {
  const folder = realpathSync(scratchFolder(t));
  const at = (name: string) => join(folder, name);
  for (const name of ['empty', 'full/sub', 'empty2']) mkdirSync(at(name), { recursive: true });
  for (const name of ['file', 'full/one', 'empty2/image.raw']) writeFileSync(at(name), '');
  for (const [name, target] of [
    ['link', 'empty'],
    ['to-file', 'file'],
    ['loop', 'loop'],
  ])
    symlinkSync(target!, at(name!));
  const check = (path: string, { nonempty = false, images = [] as string[] } = {}) =>
    checkMountPoint(path, { nonempty, images: images.map(at) });
  t.equal(check(at('empty')), at('empty'));
  t.equal(check(at('link')), at('empty'), 'the real path');
  t.equal(check(relative(process.cwd(), at('empty'))), at('empty'), 'the absolute path');
  t.equal(check(at('full'), { nonempty: true }), at('full'));
  t.equal(check(at('empty'), { images: ['empty2/image.raw', 'file'] }), at('empty'), 'images beside it');
  t.equal(check(at('full/sub'), { images: ['full/one'] }), at('full/sub'), 'and above it');
  const refused = (
    path: string,
    expected: { code: RegExp | string; exit?: number; message?: RegExp },
    more: Parameters<typeof check>[1] = {},
  ) => t.throws(() => check(path, more), expected, path);
  refused(at('nothing'), { code: 'ENOENT', message: /nothing does not exist; make it first/ });
  refused(at('file'), { code: 'ENOTDIR', message: /file is not a directory$/ });
  refused(at('to-file'), { code: 'ENOTDIR' });
  refused(at('file/x'), { code: /^E/, message: /file\/x cannot be used: / });
  refused(at('loop'), { code: /^E/, message: /loop cannot be used: / });
  refused(at('full'), {
    code: 'ENOTEMPTY',
    message: /full is not empty; take an empty directory, or the option nonempty/,
  });
  const hides = {
    code: 'EBUSY',
    exit: 73,
    message: /holds the image .*one, which it would hide; take another directory/,
  };
  refused(at('full'), hides, { nonempty: true, images: ['file', 'full/one'] });
  refused(folder, hides, { nonempty: true, images: ['full/one'] });
  refused(at('full'), hides, { images: ['full/one'] });
  t.end();
});

const PROGRAM = join(ROOT, 'dist', 'lib', 'mount', 'mountpoint.js');
const NOBODY = 65534;

function cannotBeNobody(): string | false {
  if (!isRoot) return 'only root can become another user';
  const { status } = spawnSync('/usr/bin/test', ['-r', PROGRAM], { uid: NOBODY, gid: NOBODY });
  return status !== 0 && 'another user cannot read this program';
}

t.test('directories of another user', { skip: cannotBeNobody() }, (t) => {
  const folder = realpathSync(scratchFolder(t));
  const script = `
    const { checkMountPoint } = await import(process.argv[1]);
    for (const path of process.argv.slice(2)) {
      try { console.log(checkMountPoint(path, { nonempty: true, images: [] })); }
      catch (error) { console.log(error.code, error.message); }
    }`;
  const modes = { open: 0o777, sticky: 0o1777, foreign: 0o755, unread: 0o733 };
  chmodSync(folder, 0o755);
  for (const [name, mode] of Object.entries(modes)) {
    mkdirSync(join(folder, name));
    chmodSync(join(folder, name), mode);
  }
  const said = (uid: number, ...names: string[]) => {
    const args = ['--input-type=module', '-e', script, PROGRAM, ...names];
    const options = { cwd: folder, uid, gid: uid, env: { PATH: '/bin' }, encoding: 'utf8' } as const;
    return spawnSync(process.execPath, args, options).stdout.trimEnd().split('\n');
  };
  const refusal = (name: string) =>
    `EACCES the mount point ${name} belongs to somebody else; take a directory of your own`;
  const [open, sticky, foreign, unread] = Object.keys(modes).map((name) => join(folder, name));
  t.same(said(NOBODY, ...Object.keys(modes)), [open, refusal('sticky'), refusal('foreign'), unread]);
  chownSync(sticky!, NOBODY, NOBODY);
  t.same(said(NOBODY, 'sticky'), [sticky], 'and who has a sticky one');
  t.same(said(0, 'sticky', 'foreign'), [sticky, foreign], 'root may');
  t.end();
});

t.test('the command that unmounts', (t) => {
  const folder = scratchFolder(t);
  writeFileSync(join(folder, 'fusermount'), '', { mode: 0o755 });
  process.env.PATH = folder;
  const standard = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  const older = standard.some((place) => existsSync(join(place, 'fusermount3'))) ? 'fusermount3' : 'fusermount';
  const commands = () => [false, true].map((lazy) => unmountCommand(lazy)?.join(' '));
  if (isRoot) {
    t.same(commands(), ['umount -i -c', 'umount -i -c -l']);
    process.seteuid!(NOBODY);
  }
  t.teardown(() => isRoot && process.seteuid!(0));
  t.same(commands(), [`${older} -u`, `${older} -u -z`]);
  if (isRoot) process.seteuid!(0);
  writeFileSync(join(folder, 'fusermount3'), '', { mode: 0o755 });
  if (isRoot) process.seteuid!(NOBODY);
  t.same(commands(), ['fusermount3 -u', 'fusermount3 -u -z'], 'the newer one where both are');
  t.end();
});
