// Makes a Debian package: scripts/build-deb runs it, and says what it takes.

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { scriptOptions } from './options.js';
import { layOutPackage } from './packaging/debian.js';
import { koffiFolders } from './packaging/koffi.js';

const { values: options } = scriptOptions('build-deb', {
  options: {
    executable: { type: 'string' },
    architecture: { type: 'string', default: 'amd64' },
    output: { type: 'string', default: join('dist', 'release') },
  },
});

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
/** The date of all that is inside: with the same sources, the same package. */
const date = Number(
  process.env.SOURCE_DATE_EPOCH ?? execFileSync('git', ['log', '-1', '--format=%ct'], { encoding: 'utf8' }),
);
const work = mkdtempSync(join(tmpdir(), 'pstorefuse-deb-'));
try {
  process.umask(0o022);
  const root = join(work, 'root');
  mkdirSync(root);
  chmodSync(root, 0o755);
  const { executable: file, architecture } = options;
  const koffi = file === undefined ? koffiFolders(join(work, 'koffi')) : [];
  const contents = {
    root,
    version,
    date,
    koffi,
    ...(file === undefined ? {} : { executable: { file, architecture } }),
  };
  const output = join(options.output, layOutPackage(contents));
  mkdirSync(dirname(output), { recursive: true });
  // What several threads pack differs from what one does.
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(date), DPKG_DEB_THREADS_MAX: '1' };
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', '--build', root, output], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  process.stdout.write(`${output}: ${(statSync(output).size / 1e6).toFixed(1)} MB\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
