// The Debian package: what is inside, and that its command works from where it is installed.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { layOutPackage } from '../../scripts/packaging/debian.js';
import { smokeFailures } from '../builders/smoke.js';
import { golden, ROOT } from '../fixture-path.js';

t.setTimeout(120_000);
process.chdir(ROOT);
const root = mkdtempSync(join(tmpdir(), 'pstorefuse-deb-test-'));
t.teardown(() => rmSync(root, { recursive: true, force: true }));
const koffi = readdirSync('node_modules/@koromix').map((name) => join('node_modules/@koromix', name));

t.test('it has what the system looks for, and its command runs', async (t) => {
  spawnSync(process.execPath, ['dist/scripts/licences.js']);
  t.equal(layOutPackage({ root, version: '1.2.3', date: 1_700_000_000, koffi }), 'pstorefuse_1.2.3_all.deb');
  const files = readdirSync(root, { recursive: true }) as string[];
  for (const path of [
    'usr/bin/pstorefuse',
    'usr/sbin/mount.fuse.pstorefuse',
    'usr/lib/systemd/system/pstorefuse-archive@.service',
    'usr/lib/systemd/system/pstorefuse@.service',
    'usr/share/man/man1/pstorefuse.1.gz',
    'usr/share/bash-completion/completions/pstorefuse',
    'usr/share/doc/pstorefuse/copyright',
    'usr/share/doc/pstorefuse/LICENCES.gz',
  ]) {
    t.ok(files.includes(path), path);
  }
  t.same(
    files.filter((path) => path.endsWith('.map')),
    [],
  );
  const listed = spawnSync(join(root, 'usr/bin/pstorefuse'), ['ls', golden('v1', 'image.raw.gz')], {
    encoding: 'utf8',
  });
  t.equal(listed.stdout, 'dmesg-blkoops-0\ndmesg-blkoops-1\ndmesg-blkoops-2\n');
  t.equal(listed.stderr, '');
  t.equal(smokeFailures(join(root, 'usr/bin/pstorefuse')), '');
  const parsed = spawnSync('sh', ['-n', join(root, 'usr/share/pstorefuse/dist/bin/pstorefuse')], { encoding: 'utf8' });
  t.same([parsed.status, parsed.stderr], [0, ''], 'a shell can read the script to its end');
});

/** The executable's stand-in: what is looked at here is what is around it. */
const STAND_IN = '#!/bin/sh\necho licences\n';

for (const name of ['pstorefuse', 'pstorefuse-standalone']) {
  const skip = spawnSync('lintian', ['--version']).status !== 0 && 'lintian is not installed';
  t.test(`lintian finds neither an error nor a warning in ${name}`, { skip }, async (t) => {
    const folder = join(root, name);
    mkdirSync(folder);
    const file = join(root, 'executable');
    writeFileSync(file, STAND_IN, { mode: 0o755 });
    const executable = name === 'pstorefuse' ? {} : { executable: { file, architecture: 'amd64' } };
    const deb = join(
      root,
      layOutPackage({ root: folder, version: '1.2.3', date: 1_700_000_000, koffi, ...executable }),
    );
    t.equal(spawnSync('dpkg-deb', ['--root-owner-group', '--build', folder, deb]).status, 0);
    const { stdout, stderr } = spawnSync('lintian', ['--allow-root', deb], { encoding: 'utf8', timeout: 100_000 });
    t.same([stdout, stderr], ['', '']);
  });
}
