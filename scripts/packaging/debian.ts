// The Debian packages: pstorefuse, which runs with the system's Node on every kind of machine, and pstorefuse-standalone,
// the executable, for one kind.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { filesBeside } from './beside.js';

/** A placeholder: who publishes the package stands here. */
const MAINTAINER = 'pstorefuse maintainers <pstorefuse@example.org>';
const HOMEPAGE = 'https://example.org/pstorefuse';
const SUGGESTS = 'qemu-utils, xz-utils, zstd, lz4, bzip2, u-boot-tools';
const OWN_PLACE = 'usr/share/pstorefuse';
const LIBRARY = 'usr/lib/pstorefuse';
const COMMAND = 'usr/bin/pstorefuse';
/** Where mount(8) looks for what mounts the type fuse.pstorefuse. */
const HELPER = 'usr/sbin/mount.fuse.pstorefuse';
const COMPLETIONS = {
  bash: 'usr/share/bash-completion/completions/pstorefuse',
  zsh: 'usr/share/zsh/vendor-completions/_pstorefuse',
  fish: 'usr/share/fish/vendor_completions.d/pstorefuse.fish',
};

const DESCRIPTION = ` When a Linux device dies, its kernel can leave its last words in a raw
 partition (pstore/blk), in a piece of RAM (ramoops), in flash (mtdoops), in
 a vmcore, or in firmware (EFI variables, ACPI ERST). With an image of that
 place, on any machine, pstorefuse shows each record as a file, explains the
 crash, archives records and erases them as the kernel would.
`;

export interface Contents {
  /** The folder that becomes the package's root. */
  readonly root: string;
  readonly version: string;
  /** Seconds since 1970: the date of all that is inside. */
  readonly date: number;
  /** Where koffi's binaries are, each by the name of its package; for the package that has no executable. */
  readonly koffi: readonly string[];
  /** The executable, and Debian's name of its kind of machine. */
  readonly executable?: { readonly file: string; readonly architecture: string };
}

/** Fills the root. @returns the name of the package's file */
export function layOutPackage(contents: Contents): string {
  const name = contents.executable ? 'pstorefuse-standalone' : 'pstorefuse';
  if (contents.executable) putExecutable(contents, contents.executable.file);
  else putScripts(contents);
  link(contents.root, HELPER, '../bin/pstorefuse');
  putUnits(contents);
  putManuals(contents);
  putCompletions(contents);
  putDocuments(contents, name);
  putControl(contents, name);
  return `${name}_${contents.version}_${contents.executable?.architecture ?? 'all'}.deb`;
}

function put(root: string, path: string, content: string | Uint8Array, mode = 0o644): void {
  const place = join(root, path);
  mkdirSync(dirname(place), { recursive: true, mode: 0o755 });
  writeFileSync(place, content);
  chmodSync(place, mode);
}

function link(root: string, path: string, target: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true, mode: 0o755 });
  symlinkSync(target, join(root, path));
}

function packed(content: string | Uint8Array): Uint8Array {
  return gzipSync(content, { level: 9 });
}

function putExecutable({ root }: Contents, file: string): void {
  put(root, `${LIBRARY}/pstorefuse`, '', 0o755);
  copyFileSync(file, join(root, LIBRARY, 'pstorefuse'));
  chmodSync(join(root, LIBRARY, 'pstorefuse'), 0o755);
  link(root, COMMAND, '../lib/pstorefuse/pstorefuse');
}

/**
 * As the npm package has them, without what only Node needs of scripts, and only we of maps; but koffi, which is made for kinds of
 * machines, in /usr/lib.
 */
function putScripts({ root, koffi }: Contents): void {
  for (const file of readdirSync('dist/bin').filter((name) => /\.js$|^pstorefuse$|^package\.json$/.test(name))) {
    const text = readFileSync(join('dist/bin', file), 'latin1');
    const source = text
      .replace(/^#!\/usr\/bin\/env node\n/, '')
      .replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n')
      .replace(/\n\*\/; require.*\n$/, '\n');
    put(root, `${OWN_PLACE}/dist/bin/${file}`, Buffer.from(source, 'latin1'), file === 'pstorefuse' ? 0o755 : 0o644);
  }
  for (const name of filesBeside()) put(root, `${OWN_PLACE}/dist/bin/${name}`, readFileSync(join('dist/bin', name)));
  put(root, `${OWN_PLACE}/package.json`, readFileSync('package.json'));
  link(root, COMMAND, '../share/pstorefuse/dist/bin/pstorefuse');
  for (const folder of koffi) {
    const place = `${LIBRARY}/node_modules/@koromix/${basename(folder)}`;
    put(root, `${place}/package.json`, readFileSync(join(folder, 'package.json')));
    // Its folder has the calling convention in its name (linux_armhf); our loader looks for Node's name of the machine.
    const made = readdirSync(folder).find((name) => name.startsWith('linux_'))!;
    const binary = readFileSync(join(folder, made, 'koffi.node'));
    put(root, `${place}/${basename(folder).replace('koffi-linux-', 'linux_')}/koffi.node`, binary);
  }
  link(root, `${OWN_PLACE}/node_modules`, '../../lib/pstorefuse/node_modules');
}

function putUnits({ root }: Contents): void {
  for (const unit of readdirSync('systemd')) {
    const text = readFileSync(join('systemd', unit), 'utf8').replaceAll('/usr/bin/env pstorefuse', `/${COMMAND}`);
    put(root, `usr/lib/systemd/system/${unit}`, text);
  }
}

function putManuals({ root }: Contents): void {
  for (const folder of ['man', 'dist/man']) {
    for (const page of readdirSync(folder)) {
      const section = page.slice(page.lastIndexOf('.') + 1);
      put(root, `usr/share/man/man${section}/${page}.gz`, packed(readFileSync(join(folder, page))));
    }
  }
  link(root, 'usr/share/man/man8/mount.fuse.pstorefuse.8.gz', '../man1/pstorefuse-mount.1.gz');
}

function putCompletions({ root }: Contents): void {
  for (const [shell, path] of Object.entries(COMPLETIONS)) {
    put(root, path, execFileSync(process.execPath, ['dist/bin/pstorefuse.js', 'completion', shell]));
  }
}

function putDocuments({ root, version, date, executable }: Contents, name: string): void {
  const place = `usr/share/doc/${name}`;
  const when = new Date(date * 1000).toUTCString().replace('GMT', '+0000');
  const entry = `${name} (${version}) unstable; urgency=medium\n\n  * What is new stands in CHANGELOG.md.gz.\n\n -- ${MAINTAINER}  ${when}\n`;
  put(root, `${place}/changelog.gz`, packed(entry));
  put(root, `${place}/CHANGELOG.md.gz`, packed(readFileSync('CHANGELOG.md')));
  put(root, `${place}/README.md.gz`, packed(readFileSync('README.md')));
  for (const file of readdirSync('docs').filter((document) => document.endsWith('.md'))) {
    put(root, `${place}/docs/${file}`, readFileSync(join('docs', file)));
  }
  put(root, `${place}/copyright`, copyright(executable !== undefined));
  const licences = executable
    ? execFileSync(executable.file, ['--licences'], { maxBuffer: 1 << 24 })
    : readFileSync('dist/LICENCES');
  put(root, `${place}/LICENCES.gz`, packed(licences));
}

function copyright(isExecutable: boolean): string {
  const own = readFileSync('LICENSE', 'utf8').trimEnd();
  const koffi = readFileSync('node_modules/koffi/LICENSE.txt', 'utf8').trimEnd();
  const inside = isExecutable ? 'Node, koffi and the packages' : 'the packages';
  return `This is pstorefuse. Its own licence:

${own}

The licences of ${inside} that are bundled with it stand in LICENCES.gz,
beside this file. koffi, which makes the system calls of a mount:

${koffi}
`;
}

function putControl({ root, version, executable }: Contents, name: string): void {
  const fields = {
    Package: name,
    Version: version,
    Architecture: executable?.architecture ?? 'all',
    Maintainer: MAINTAINER,
    'Installed-Size': String(Math.ceil(sizeOf(root) / 1024)),
    Depends: executable ? 'fuse3, libc6 (>= 2.28), libgcc-s1, libstdc++6' : 'fuse3, libc6 (>= 2.28), nodejs (>= 20)',
    Suggests: SUGGESTS,
    ...(executable ? { Provides: 'pstorefuse', Conflicts: 'pstorefuse', Replaces: 'pstorefuse' } : {}),
    Section: 'utils',
    Priority: 'optional',
    Homepage: HOMEPAGE,
    Description: `show crash records of Linux (pstore) as files${executable ? ', with Node inside' : ''}`,
  };
  const lines = Object.entries(fields).map(([key, value]) => `${key}: ${value}\n`);
  put(root, 'DEBIAN/control', lines.join('') + DESCRIPTION);
  put(root, `usr/share/lintian/overrides/${name}`, overrides(name));
  put(root, 'DEBIAN/md5sums', checksums(root));
}

/** For `dpkg --verify`, which tells what has changed since. */
function checksums(root: string): string {
  const paths = filesIn(root).filter((path) => !path.startsWith(join(root, 'DEBIAN')));
  const digest = (path: string) => createHash('md5').update(readFileSync(path)).digest('hex');
  return paths.map((path) => `${digest(path)}  ${relative(root, path)}\n`).join('');
}

/** What lintian asks of packages that Debian builds, and why it is otherwise here. */
function overrides(name: string): string {
  return readFileSync(`scripts/packaging/${name}.lintian-overrides`, 'utf8');
}

function sizeOf(folder: string): number {
  return filesIn(folder).reduce((sum, path) => sum + statSync(path).size, 0);
}

/** Regular files at any depth; links are not followed. */
function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesIn(path) : entry.isFile() ? [path] : [];
  });
}
