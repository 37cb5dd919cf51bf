// Whose files are run, and with whose rights: a stranger's folder does not decide what root runs, and a user namespace is
// enough for a mount.

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { goldenImage, ROOT } from '../fixture-path.js';
import { call, imageFile, SCRIPT, scratchFolder, shell, unmountHard } from '../mounted.js';

const isRoot = process.getuid!() === 0;
const NOBODY = 65534;

/** Programs that pstorefuse or its helpers start, and packages that they load. */
const PROGRAMS = ['node', 'sh', 'flock', 'gzip', 'xz', 'mount', 'umount', 'fusermount3', 'fusermount', 'readlink'];
const PACKAGES = ['koffi', '@koromix/koffi-linux-x64', 'yargs', 'debug', 'fuse-native', 'pstorefuse'];

t.test("root in a stranger's folder, with a stranger's home", { skip: isRoot ? false : 'for root' }, async (t) => {
  const folder = scratchFolder(t);
  const marker = join(folder, 'was-run');
  const home = join(folder, 'home');
  mkdirSync(join(home, '.cache', 'pstorefuse'), { recursive: true });
  for (const name of PROGRAMS) {
    writeFileSync(join(home, name), `#!/bin/sh\necho ${name} >> '${marker}'\n`);
    chmodSync(join(home, name), 0o755);
  }
  for (const name of PACKAGES) {
    mkdirSync(join(home, 'node_modules', name), { recursive: true });
    const program = `require('node:fs').appendFileSync(${JSON.stringify(marker)}, ${JSON.stringify(`${name}\n`)});`;
    writeFileSync(join(home, 'node_modules', name, 'index.js'), program);
  }
  writeFileSync(join(home, 'package.json'), '{ "type": "commonjs", "imports": { "#platform": "./index.js" } }');
  imageFile(home, 'v1');
  writeFileSync(join(home, 'v2.raw.gz'), gzipSync(goldenImage('v2')));
  mkdirSync(join(home, 'mnt'));
  shell(`chown -R ${NOBODY}:${NOBODY} '${home}'`);
  t.teardown(() => unmountHard(join(home, 'mnt')));
  const env = { ...process.env, HOME: home, XDG_CACHE_HOME: undefined };
  for (const args of [
    ['ls', 'v1.raw'],
    ['info', 'v2.raw.gz'],
    ['cat', 'v1.raw', 'dmesg-blkoops-0'],
    ['v1.raw', 'mnt'],
    ['umount', 'mnt'],
    ['v1.raw', 'mnt', '-o', 'ro'],
    ['umount', 'mnt'],
  ]) {
    const { status, stderr } = await call(SCRIPT, args, { cwd: home, env });
    t.equal(status, 0, `${args.join(' ')}: ${stderr}`);
  }
  t.notOk(existsSync(marker), 'nothing that lies there was run');
  t.same(readdirSync(join(home, '.cache', 'pstorefuse')), [], 'and nothing is kept there to be run the next time');
});

const unshare = ['-Urm', '--propagation', 'private'];
const hasNamespaces = spawnSync('unshare', [...unshare, 'true']).status === 0;

t.test('a mount in a user namespace', { skip: isRoot && hasNamespaces ? false : 'there are none here' }, async (t) => {
  const folder = scratchFolder(t);
  imageFile(folder, 'v1');
  mkdirSync(join(folder, 'mnt'));
  chownSync(join(folder, 'mnt'), NOBODY, NOBODY);
  chownSync(join(folder, 'v1.raw'), NOBODY, NOBODY);
  // What is root there is nobody outside, who has a device of FUSE in a namespace of mounts of its own.
  const script = `
    set -e
    cd "$3"; chmod 755 .; touch node; mkdir program; mount --bind "$1" node; mount --bind "$2" program
    mknod -m 666 fuse c 10 229; mount --bind fuse /dev/fuse
    exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups unshare ${unshare.join(' ')} sh -c '
      p() { ./node program/dist/bin/pstorefuse.js "$@"; echo "status $?"; }
      p v1.raw mnt; ls mnt; rm mnt/dmesg-blkoops-1; echo "rm $?"; ls mnt; p umount mnt; ls mnt
    '`;
  const { stdout, stderr } = await call('unshare', ['-m', 'sh', '-c', script, 'sh', process.execPath, ROOT, folder]);
  t.equal(stderr, '');
  const before = ['blkoops', 'dmesg-blkoops-0', 'dmesg-blkoops-1', 'dmesg-blkoops-2'];
  const after = before.filter((name) => name !== 'dmesg-blkoops-1');
  t.same(stdout.split('\n'), ['status 0', ...before, 'rm 0', ...after, 'status 0', '']);
});
