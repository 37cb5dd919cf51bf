// The executable: built of the Node that runs this, and used where there is no Node.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { smokeFailures } from '../builders/smoke.js';
import { golden, goldenImage, ROOT } from '../fixture-path.js';

const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const canBuild = major * 100 + minor >= 2012 && readFileSync(process.execPath).includes(FUSE);
const canMount = process.getuid!() === 0 && existsSync('/dev/fuse');

t.setTimeout(390_000);
const folder = mkdtempSync(join(tmpdir(), 'pstorefuse-executable-test-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const executable = join(folder, 'pstorefuse');
const image = join(folder, 'v1.raw');
writeFileSync(image, goldenImage('v1'));

function run(...args: string[]) {
  // Neither node nor gzip is found.
  const options = {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
    env: { PATH: '/nowhere', TMPDIR: folder },
  } as const;
  const { status, stdout, stderr } = spawnSync(executable, args, options);
  return { status, stdout, stderr };
}

const NAMES = ['dmesg-blkoops-0', 'dmesg-blkoops-1', 'dmesg-blkoops-2'];

t.test(
  'it is built, and works by itself',
  { skip: !canBuild && 'this Node cannot be put into an executable' },
  async (t) => {
    const licence = join(folder, 'LICENSE');
    writeFileSync(licence, 'the licence of Node');
    const words = [join(ROOT, 'dist/scripts/build-executable.js'), '--licence', licence, '--output', executable];
    const built = spawnSync(process.execPath, words, { cwd: ROOT, encoding: 'utf8', timeout: 300_000 });
    t.equal(built.status, 0, built.stderr);
    if (spawnSync('setarch', ['-R', 'true']).status === 0) {
      const again = join(folder, 'again');
      const env = { ...process.env, TMPDIR: folder };
      spawnSync(process.execPath, [...words.slice(0, -1), again], { cwd: ROOT, env, timeout: 300_000 });
      t.ok(readFileSync(again).equals(readFileSync(executable)), 'built again it is the same, byte by byte');
      rmSync(again);
    }
    const listing = { status: 0, stdout: `${NAMES.join('\n')}\n`, stderr: '' };

    t.same(run('ls', image), listing);
    t.same(run('ls', golden('v1', 'image.raw.gz')), listing, 'it unpacks by itself');
    t.match(
      run('explain', image).stdout,
      /^BUG: unable to handle kernel NULL pointer dereference in lkdtm_EXCEPTION\n/,
    );
    t.equal(run('cat', image, NAMES[0]!).stdout, readFileSync(golden('v1', 'files', NAMES[0]!), 'utf8'));
    const exported = run('export', '-j2', image, golden('r1', 'image.raw.gz'));
    t.equal(exported.status, 0, exported.stderr);
    t.ok(exported.stdout.split('\n').length > NAMES.length, 'threads have read the images');
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    t.equal(run('--version').stdout, `${version}\n`);
    t.match(run('ls', image, '--no-such').stderr, /no-such/);
    for (const part of [/^pstorefuse$/m, /yargs 17/, /koffi/, /the licence of Node/])
      t.match(run('--licences').stdout, part);

    if (canMount) {
      const mountPoint = join(folder, 'mnt');
      mkdirSync(mountPoint);
      t.same(run(image, mountPoint), { status: 0, stdout: '', stderr: '' });
      const listed = spawnSync('ls', [mountPoint], { encoding: 'utf8', timeout: 30_000 }).stdout;
      t.same(run('umount', mountPoint), { status: 0, stdout: '', stderr: '' });
      t.equal(listed, `blkoops\n${NAMES.join('\n')}\n`);
    }
    t.equal(smokeFailures(executable), '');
    const left = readdirSync(folder).filter((name) => name.startsWith('.pstorefuse'));
    t.same(left, [], 'no file of it is left behind');
  },
);
