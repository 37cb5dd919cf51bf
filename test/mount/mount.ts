// Mounts by the command itself, over both transports: what they show, what they refuse, and how they begin and end.

import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { encodeRecord } from '../../lib/compress/decompress.js';
import { partition } from '../builders/zone.js';
import { goldenImage, ROOT } from '../fixture-path.js';
import { goldenBytes, goldenCases, withoutSymbols } from '../golden.js';
import {
  call,
  type Ended,
  imageFile,
  isMounted,
  PROGRAM,
  pstorefuseBeside,
  SCRIPT,
  scratchFolder,
  shell,
  TRANSPORTS,
} from '../mounted.js';

// Most of the time is waiting.
t.jobs = 3;

const isRoot = process.getuid!() === 0;
const inCI = Boolean(process.env.CI);

// ── what every test needs ──

/** A dump as a kernel hands it over. */
function logText(length: number): string {
  let text = 'Oops#1 Part1\n';
  for (let i = 0; text.length < length; i++)
    text += `<6>[${i}.${(i * 7919) % 1_000_000}] usb ${i % 8}-${i % 3}: ready\n`;
  return text.slice(0, length);
}

interface Place {
  readonly folder: string;
  readonly mountPoint: string;
}

/** A folder with an empty directory in it; whatever is mounted there in the end is taken away. */
function place(t: Test, name = 'mnt'): Place {
  const folder = scratchFolder(t);
  const mountPoint = join(folder, name);
  mkdirSync(mountPoint);
  t.teardown(async () => {
    for (let tries = 0; tries < 5 && isMounted(mountPoint); tries++) await call('umount', ['-l', mountPoint]);
  });
  return { folder, mountPoint };
}

/** Mounts, and says nothing. */
async function mount(t: Test, args: readonly string[]): Promise<void> {
  const { status, stdout, stderr } = await pstorefuseBeside(args);
  t.match({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' }, 'the command mounts and says nothing');
}

async function unmount(t: Test, mountPoint: string): Promise<void> {
  t.match(await call('umount', [mountPoint]), { status: 0, stderr: '' }, 'unmounts');
  t.ok(await until(() => areGone(mountPoint)), 'and the server ends');
}

/** A Python program in a process of its own: `root` is the mount, `give` hands a value back. */
async function python<T>(script: string, root: string, ...args: string[]): Promise<T> {
  const prelude = `
import errno, json, os, stat, sys
root = sys.argv[1]
args = sys.argv[2:]
def give(value): print(json.dumps(value))
def failure(act):
    try: act()
    except OSError as e: return errno.errorcode[e.errno]
`;
  const { status, stdout, stderr } = await call('python3', ['-c', prelude + script, root, ...args]);
  if (status !== 0) throw new Error(`python ended with ${status}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

async function until(what: () => boolean, seconds = 8): Promise<boolean> {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
    if (what()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

/** The processes of a mount: the server, and the shell beside it. */
function processesOf(mountPoint: string): { supervisor: number | undefined; server: number | undefined } {
  const pids = processes((words) => words.includes(mountPoint));
  const server = pids.find(({ words }) => words.some((word) => word.endsWith('-server.js')))?.pid;
  const isShell = (words: string[]) => words[0] === '/bin/sh' && words[1]!.endsWith('/pstorefuse');
  const parent = server === undefined ? undefined : Number(/^PPid:\s*(\d+)$/m.exec(fromProc(server, 'status'))?.[1]);
  return { server, supervisor: pids.find(({ pid, words }) => isShell(words) && pid === (parent ?? pid))?.pid };
}

function processes(isMeant: (words: string[]) => boolean): { pid: number; words: string[] }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), words: fromProc(Number(name), 'cmdline').split('\0') }))
    .filter(({ words }) => isMeant(words));
}

/** A file of a process that may have ended. */
function fromProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

function areGone(mountPoint: string): boolean {
  if (isMounted(mountPoint)) return false;
  const { supervisor, server } = processesOf(mountPoint);
  return supervisor === undefined && server === undefined;
}

interface Seen {
  readonly type: 'file' | 'directory';
  readonly dType: string;
  readonly ino: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: string;
  readonly dev: number;
  readonly text?: string;
}

/** Everything below the root, as readdir, stat and read give it. */
const WALK = `
import base64
seen = {}
for where, dirs, files in os.walk(root):
    for entry in os.scandir(where):
        s = os.stat(entry.path)
        kind = 'file' if stat.S_ISREG(s.st_mode) else 'directory'
        d_type = 'file' if entry.is_file(follow_symlinks=False) else 'directory' if entry.is_dir(follow_symlinks=False) else '?'
        assert entry.inode() == s.st_ino, entry.path
        one = dict(type=kind, dType=d_type, ino=s.st_ino, mode=s.st_mode, nlink=s.st_nlink, uid=s.st_uid, gid=s.st_gid,
                   size=s.st_size, mtime=str(s.st_mtime_ns), dev=s.st_dev)
        if kind == 'file':
            with open(entry.path, 'rb') as f: one['text'] = base64.b64encode(f.read()).decode()
        seen[os.path.relpath(entry.path, root)] = one
s = os.stat(root)
seen['.'] = dict(type='directory', dType='directory', ino=s.st_ino, mode=s.st_mode, nlink=s.st_nlink, uid=s.st_uid,
                 gid=s.st_gid, size=s.st_size, mtime=str(s.st_mtime_ns), dev=s.st_dev)
give(seen)
`;

type Walked = Record<string, Seen>;

/** A golden folder's file, as a path of the mount shows it. */
function sameAsKernel(
  t: Test,
  folder: string,
  file: { name: string; mtime_sec: number; mtime_nsec: number },
  seen: Seen | undefined,
  by: string,
): void {
  if (!seen) {
    t.fail(`${folder}: ${file.name} is missing`);
    return;
  }
  const bytes = Buffer.from(seen.text!, 'base64');
  const expected = goldenBytes(folder, file.name);
  t.match(seen, { type: 'file', dType: 'file', mode: 0o100444, uid: 0, gid: 0, size: bytes.length }, file.name);
  if (file.name.startsWith('ftrace')) t.equal(withoutSymbols(bytes), withoutSymbols(expected), `${file.name}: lines`);
  else t.ok(bytes.equals(expected), `${folder}/${file.name}: bytes`);
  if (!file.name.startsWith('dmesg')) return;
  const exact = BigInt(file.mtime_sec) * 1_000_000_000n + BigInt(file.mtime_nsec);
  const time = by === 'fuse-native' ? (exact / 1_000_000n) * 1_000_000n : exact;
  t.equal(seen.mtime, String(time), `${file.name}: time`);
}

for (const transport of TRANSPORTS) {
  const by = ['--transport', transport];
  const test = (name: string, body: (t: Test) => Promise<void>) =>
    t.test(`${name} (${transport})`, { buffered: true, skip: !isRoot && "these mounts are root's" }, body);

  // ── what is shown ──

  test('every golden image shows exactly the files of the kernel', async (t) => {
    const { folder, mountPoint } = place(t);
    const cases = goldenCases('zone', 'rfc5');
    const sources = cases.map((golden) => {
      const keys = Object.entries(golden.keys).map(([key, value]) => `,${key}=${value}`);
      return `${golden.backend}:${imageFile(folder, golden.folder)},label=${golden.folder}${keys.join('')}`;
    });
    const began = Date.now();
    await mount(t, [...sources, mountPoint, '-o', 'layout=subdirs', ...by]);
    const seen = await python<Walked>(WALK, mountPoint);
    const ended = Date.now();
    const expected = new Set(['.']);
    for (const golden of cases) {
      expected.add(golden.folder);
      t.match(seen[golden.folder], { type: 'directory', dType: 'directory', mode: 0o40750, nlink: 2, uid: 0, gid: 0 });
      for (const file of golden.files) {
        const path = `${golden.folder}/${file.name}`;
        expected.add(path);
        sameAsKernel(t, golden.folder, file, seen[path], transport);
        t.equal(seen[path]?.nlink, 1, `${path}: one name`);
        const ms = Number(BigInt(seen[path]!.mtime) / 1_000_000n);
        if (!file.name.startsWith('dmesg')) t.ok(began - 2 <= ms && ms <= ended, `${path}: the time of the mount`);
      }
    }
    t.same(new Set(Object.keys(seen)), expected, 'and nothing else');
    t.match(seen['.'], { mode: 0o40750, nlink: 2 + cases.length });
    const listed = JSON.parse((await pstorefuseBeside(['ls', '--json', ...sources])).stdout);
    for (const { label, name, size } of listed)
      t.equal(seen[`${label}/${name}`]?.size, size, 'ls agrees with the mount');
    await unmount(t, mountPoint);
    for (const golden of cases) {
      const image = readFileSync(join(folder, `${golden.folder}.raw`));
      t.ok(image.equals(goldenImage(golden.folder)), `${golden.folder}: looking changes no byte`);
    }
  });

  test('the layouts of a mount', async (t) => {
    const { folder, mountPoint } = place(t);
    const sources = [imageFile(folder, 'v1'), imageFile(folder, 's2')];
    const records = (backend: string) => [0, 1, 2].map((id) => `dmesg-${backend}-${id}`);
    const below = ['blkoops', 'pstore_blk'].flatMap((label) => [
      label,
      ...records(label).map((name) => `${label}/${name}`),
    ]);
    for (const [layout, expected] of [
      ['both', [...below, ...records('blkoops')]],
      ['flat', [...records('blkoops'), ...records('pstore_blk')]],
    ] as const) {
      await mount(t, [...sources, mountPoint, '-o', `ro,layout=${layout}`, ...by]);
      const seen = await python<Walked>(WALK, mountPoint);
      t.same(Object.keys(seen).sort(), ['.', ...expected].sort(), layout);
      t.equal(seen['.']!.nlink, layout === 'flat' ? 2 : 4, `${layout}: links of the root`);
      if (layout === 'both') {
        for (const name of records('blkoops')) {
          t.match(seen[name], { nlink: 2, ino: seen[`blkoops/${name}`]!.ino }, 'one inode, two names');
        }
        t.equal(seen['pstore_blk/dmesg-pstore_blk-0']!.nlink, 1);
      }
      const inos = Object.entries(seen).filter(([path]) => path.includes('/') || layout === 'flat');
      t.equal(new Set(inos.map(([, { ino }]) => ino)).size, inos.length, 'every record has its own inode');
      t.equal(new Set(Object.values(seen).map(({ dev }) => dev)).size, 1, 'one file system');
      await unmount(t, mountPoint);
    }
  });

  // ── erasing ──

  for (const [golden, name] of [
    ['s5', 'dmesg-pstore_blk-1'],
    ['v3', 'dmesg-blkoops-1'],
  ] as const) {
    const backend = golden === 's5' ? 'pstore_blk' : 'blkoops';
    test(`rm in ${golden}, by each name, leaves the kernel's image`, async (t) => {
      for (const [path, twin] of [
        [name, `${backend}/${name}`],
        [`${backend}/${name}`, name],
      ] as const) {
        const { folder, mountPoint } = place(t);
        const image = imageFile(folder, golden, 'image-before.raw');
        await mount(t, [image, mountPoint, ...by]);
        const gone = await python<unknown>(
          `
import subprocess
path, twin = (os.path.join(root, name) for name in args)
assert os.stat(path).st_ino == os.stat(twin).st_ino
os.unlink(path)
other = subprocess.run(['stat', twin], stderr=subprocess.PIPE).stderr.decode()
give([failure(lambda: os.stat(path)), failure(lambda: os.stat(twin)), 'No such file' in other,
      failure(lambda: os.unlink(twin)), failure(lambda: open(twin)), os.path.basename(path) in os.listdir(root),
      os.path.basename(path) in os.listdir(os.path.join(root, '${backend}'))])
`,
          mountPoint,
          path,
          twin,
        );
        t.same(gone, ['ENOENT', 'ENOENT', true, 'ENOENT', 'ENOENT', false, false], `both names go with ${path}`);
        t.ok(
          readFileSync(image).equals(goldenImage(golden)),
          'on the medium at once, byte for byte as the kernel leaves it',
        );
        await unmount(t, mountPoint);
      }
    });
  }

  test('who has a record open reads on after it was erased', async (t) => {
    const { folder, mountPoint } = place(t);
    const image = imageFile(folder, 'v1');
    await mount(t, [image, mountPoint, ...by]);
    const read = await python<string[]>(
      `
import base64
texts = []
for opened, erased in (('dmesg-blkoops-0', 'dmesg-blkoops-0'), ('dmesg-blkoops-1', 'blkoops/dmesg-blkoops-1'),
                       ('blkoops/dmesg-blkoops-2', 'dmesg-blkoops-2')):
    fd = os.open(os.path.join(root, opened), os.O_RDONLY)
    text = os.read(fd, 1000)
    os.unlink(os.path.join(root, erased))
    assert failure(lambda: os.stat(os.path.join(root, opened))) == 'ENOENT'
    while True:
        more = os.read(fd, 5000)
        if not more: break
        text += more
    again = os.pread(fd, 100, 50)
    assert again == text[50:150]
    os.close(fd)
    texts.append(base64.b64encode(text).decode())
give(texts)
`,
      mountPoint,
    );
    for (const [id, text] of read.entries()) {
      const expected = goldenBytes('v1', `dmesg-blkoops-${id}`);
      t.ok(Buffer.from(text, 'base64').equals(expected), `record ${id} to its end, as it was`);
    }
    t.equal((await pstorefuseBeside(['ls', image])).stdout, '', 'all three are erased in the image');
    await unmount(t, mountPoint);
  });

  test('who has a record of a live image open reads on when its place is written again', async (t) => {
    const { folder, mountPoint } = place(t);
    const image = imageFile(folder, 's2');
    await mount(t, [`${image},kmsg_size=64K,update_ms=100`, mountPoint, ...by]);
    const said = await python<unknown[]>(
      `
import time
path = os.path.join(root, 'dmesg-pstore_blk-0')
def read(name):
    with open(name, 'rb') as f: return f.read()
before = read(path)
fd = os.open(path, os.O_RDONLY)
text = os.read(fd, 1000)
# A machine that knows nothing of us writes the record of zone 2 to zone 0.
with open(args[0], 'r+b') as image:
    image.seek(131072)
    zone = image.read(65536)
    image.seek(0)
    image.write(zone)
time.sleep(0.3)
after = read(path)
while True:
    more = os.read(fd, 4096)
    if not more: break
    text += more
give([after != before, after == read(os.path.join(root, 'dmesg-pstore_blk-2')), text == before])
`,
      mountPoint,
      image,
    );
    t.same(said, [true, true, true], 'a new opener gets the new record, the old one the old to its end');
    await unmount(t, mountPoint);
  });

  // ── refusing ──

  const REFUSED = `
record = os.path.join(root, 'dmesg-blkoops-0')
below = os.path.join(root, 'blkoops', 'dmesg-blkoops-0')
directory = os.path.join(root, 'blkoops')
new = os.path.join(root, 'new')
give({
    'create': failure(lambda: os.open(new, os.O_CREAT | os.O_WRONLY)),
    'create below': failure(lambda: os.open(os.path.join(directory, 'new'), os.O_CREAT | os.O_WRONLY)),
    'mknod': failure(lambda: os.mknod(new, 0o644)),
    'mkfifo': failure(lambda: os.mkfifo(new)),
    'mkdir': failure(lambda: os.mkdir(new)),
    'symlink': failure(lambda: os.symlink('x', new)),
    'link': failure(lambda: os.link(record, new)),
    'rename': failure(lambda: os.rename(record, new)),
    'rename over': failure(lambda: os.rename(record, os.path.join(root, 'dmesg-blkoops-1'))),
    'rename to a hidden name': failure(lambda: os.rename(record, os.path.join(root, '.fuse_hidden0000000000000001'))),
    'rename a directory': failure(lambda: os.rename(directory, new)),
    'open to write': failure(lambda: os.open(record, os.O_WRONLY)),
    'open to read and write': failure(lambda: os.open(below, os.O_RDWR)),
    'open to append': failure(lambda: os.open(record, os.O_WRONLY | os.O_APPEND)),
    'open to cut': failure(lambda: os.open(record, os.O_RDONLY | os.O_TRUNC)),
    'truncate': failure(lambda: os.truncate(record, 0)),
    'chmod': failure(lambda: os.chmod(record, 0o600)),
    'chmod a directory': failure(lambda: os.chmod(directory, 0o700)),
    'chown': failure(lambda: os.chown(record, 1, 1)),
    'utimens': failure(lambda: os.utime(record, (0, 0))),
    'setxattr': failure(lambda: os.setxattr(record, 'user.x', b'1')),
    'removexattr': failure(lambda: os.removexattr(record, 'user.pstore.backend')),
    'getxattr of none': failure(lambda: os.getxattr(record, 'user.none')),
    'rmdir': failure(lambda: os.rmdir(directory)),
    'rmdir of a record': failure(lambda: os.rmdir(record)),
    'unlink of a directory': failure(lambda: os.unlink(directory)),
    'unlink of nothing': failure(lambda: os.unlink(new)),
    'stat of nothing': failure(lambda: os.stat(new)),
    'stat of a long name': failure(lambda: os.stat(os.path.join(root, 'é' * 128))),
    'stat of a name just short enough': failure(lambda: os.stat(os.path.join(root, 'é' * 127))),
    'a record as a directory': failure(lambda: os.stat(os.path.join(record, 'x'))),
    'listing of a record': failure(lambda: os.listdir(record)),
})
`;

  test('what a mount refuses, and how', async (t) => {
    const { folder, mountPoint } = place(t);
    const image = imageFile(folder, 'v1');
    await mount(t, [image, mountPoint, ...by]);
    const refused = await python<Record<string, string>>(REFUSED, mountPoint);
    const same = {
      'getxattr of none': 'ENODATA',
      'rmdir of a record': 'ENOTDIR',
      'unlink of a directory': 'EISDIR',
      'unlink of nothing': 'ENOENT',
      'stat of nothing': 'ENOENT',
      'stat of a long name': 'ENAMETOOLONG',
      'stat of a name just short enough': 'ENOENT',
      'a record as a directory': 'ENOTDIR',
      'listing of a record': 'ENOTDIR',
    };
    t.same(refused, {
      ...same,
      create: 'EACCES',
      'create below': 'EACCES',
      mknod: 'EACCES',
      mkfifo: 'EACCES',
      mkdir: 'EPERM',
      symlink: 'EPERM',
      link: 'EPERM',
      rename: 'EPERM',
      'rename over': 'EPERM',
      'rename to a hidden name': 'EPERM',
      'rename a directory': 'EPERM',
      'open to write': 'EACCES',
      'open to read and write': 'EACCES',
      'open to append': 'EACCES',
      'open to cut': 'EACCES',
      truncate: 'EACCES',
      chmod: 'EPERM',
      'chmod a directory': 'EPERM',
      chown: 'EPERM',
      utimens: 'EPERM',
      setxattr: 'ENOTSUP',
      removexattr: 'ENOTSUP',
      rmdir: 'EBUSY',
    });
    t.ok(readFileSync(image).equals(goldenImage('v1')), 'nothing was changed');
    const rm = await call('sh', ['-c', 'rm -rf "$1"/*', 'sh', mountPoint]);
    t.not(rm.status, 0, 'rm -rf MOUNTPOINT/* says that the directory stays');
    t.match(rm.stderr, /blkoops.*busy/i);
    t.equal((await pstorefuseBeside(['ls', image])).stdout, '', 'and erases the records');
    await unmount(t, mountPoint);

    copyFileSync(image, join(folder, 'ro.raw'));
    writeFileSync(image, goldenImage('v1'));
    await mount(t, [image, mountPoint, '-o', 'ro', ...by]);
    const readOnly = await python<Record<string, string>>(REFUSED, mountPoint);
    const changes = Object.keys(refused).filter((what) => !(what in same));
    t.same(
      changes.map((what) => [what, readOnly[what]]),
      changes.map((what) => [what, 'EROFS']),
      'on a read-only mount all that changes is EROFS',
    );
    t.equal(
      await python(`give(failure(lambda: os.unlink(os.path.join(root, 'dmesg-blkoops-0'))))`, mountPoint),
      'EROFS',
    );
    t.match(shell(`grep ' ${mountPoint} ' /proc/self/mounts`), / ro,/);
    await unmount(t, mountPoint);
    t.ok(readFileSync(image).equals(goldenImage('v1')));
  });

  test('a source that can only be read: unlink says EROFS', async (t) => {
    const { folder, mountPoint } = place(t);
    const packed = join(folder, 'v1.gz');
    writeFileSync(packed, gzipSync(goldenImage('v1')));
    await mount(t, [packed, mountPoint, ...by]);
    const said = await python(
      `
give([failure(lambda: os.unlink(os.path.join(root, 'dmesg-blkoops-0'))), len(os.listdir(root))])
`,
      mountPoint,
    );
    t.same(said, ['EROFS', 4], 'and it is still there');
    await unmount(t, mountPoint);
  });

  test('many compressed records, which several threads decode', async (t) => {
    const { folder, mountPoint } = place(t);
    const count = 200;
    const image = partition(count * 65536).kmsg(65536);
    const texts = Array.from({ length: 7 }, (_, i) => logText(90_000 + 1000 * i));
    const stored = texts.map((text) => encodeRecord(Buffer.from(text), '842'));
    for (let i = 0; i < count; i++)
      image.dmesg(i, { body: stored[i % 7]!, compressed: 1, counter: i + 1, seconds: 1_700_000_000 + i });
    const path = join(folder, 'image.raw');
    writeFileSync(path, image.bytes);
    await mount(t, [path, mountPoint, '-o', 'cache=4M', ...by]);
    const [sizes, wrong] = await python<[number[], number[]]>(
      `
folder = os.path.join(root, 'pstore_blk')
names = ['dmesg-pstore_blk-%d' % i for i in range(${count})]
assert sorted(names) == sorted(os.listdir(folder))
sizes = [os.stat(os.path.join(folder, name)).st_size for name in names]
texts = [open(os.path.join(folder, name), 'rb').read() for name in names]
give([sizes, [i for i in range(len(texts)) if texts[i] != texts[i % 7] or len(texts[i]) != sizes[i]]])
`,
      mountPoint,
    );
    t.same(
      sizes,
      Array.from({ length: count }, (_, i) => texts[i % 7]!.length),
      'their sizes',
    );
    t.same(wrong, [], 'and each one its own text');
    await unmount(t, mountPoint);
  });

  // ── options ──

  test('owner, modes and names of the mount; statfs, and extended attributes', async (t) => {
    const { folder, mountPoint } = place(t);
    const options = 'uid=1000,gid=1001,umask=027,fsname=my crash log,noexec,noatime';
    await mount(t, [imageFile(folder, 's2'), mountPoint, '-o', options, ...by]);
    const seen = await python<Walked>(WALK, mountPoint);
    const owner = { uid: 1000, gid: 1001 };
    t.match(seen, { '.': { ...owner, mode: 0o40750 }, 'dmesg-pstore_blk-0': { ...owner, mode: 0o100440 } });
    const line = shell(`grep '${mountPoint}' /proc/self/mountinfo`);
    t.match(line, /nosuid,nodev,noexec,noatime - fuse\.pstorefuse my\\040crash\\040log .*allow_other/);
    const said = await python(
      `
s = os.statvfs(root)
record = os.path.join(root, 'pstore_blk', 'dmesg-pstore_blk-2')
give([s.f_bsize, s.f_blocks, s.f_bfree, s.f_files, s.f_ffree, s.f_namemax,
      {name: os.getxattr(record, name).decode() for name in sorted(os.listxattr(record))}])
`,
      mountPoint,
    );
    const attributes = {
      'user.pstore.backend': 'pstore_blk',
      'user.pstore.count': '3',
      'user.pstore.offset': '131072',
      'user.pstore.reason': 'Oops',
      'user.pstore.signature': '1:null-deref:c9552b5914f5',
      'user.pstore.state': 'live',
      'user.pstore.summary': 'BUG: unable to handle kernel NULL pointer dereference in lkdtm_EXCEPTION',
      'user.pstore.type': 'dmesg',
      'user.pstore.verdict': 'ok',
    };
    // 8 zones of 64 KiB, three of them in use.
    t.same(said, [512, 1024, 640, 3, 5, 255, attributes]);
    await unmount(t, mountPoint);
  });

  test('names with blanks, commas, quotes and newlines', async (t) => {
    const { folder, mountPoint } = place(t, `a 'b' "c" $(d) \\e\nf,g`);
    const image = join(folder, `i 'm', "a" $(g)\ne;.raw`);
    writeFileSync(image, goldenImage('v1'));
    await mount(t, [image.replaceAll(',', ',,'), mountPoint, ...by]);
    t.same(await python(`give(sorted(os.listdir(root))[0])`, mountPoint), 'blkoops');
    t.match(await pstorefuseBeside(['umount', mountPoint]), { status: 0, stderr: '' });
    t.ok(await until(() => areGone(mountPoint)));
  });

  test('timeout= unmounts what nobody uses, and only that', async (t) => {
    const { folder, mountPoint } = place(t);
    const image = imageFile(folder, 'v1');
    await mount(t, [image, mountPoint, '-o', 'timeout=1', ...by]);
    const used = await python<number>(
      `
import time
for n in range(16):
    # A name that the kernel has not asked for yet.
    os.path.exists(os.path.join(root, 'name%d' % n))
    time.sleep(0.25)
give(len(os.listdir(root)))
`,
      mountPoint,
    );
    t.equal(used, 4, 'while it is used it stays');
    t.ok(await until(() => areGone(mountPoint)), 'then it goes');
    // What follows is the same for both.
    if (transport === 'dev-fuse') return;

    await mount(t, [image, mountPoint, '-o', 'timeout=1', ...by]);
    process.kill(processesOf(mountPoint).server!, 'SIGKILL');
    t.ok(await until(() => areGone(mountPoint)));
    await mount(t, [image, mountPoint, ...by]);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    t.ok(isMounted(mountPoint), 'the timer of a server that has died does not end the next mount');
    await unmount(t, mountPoint);
  });

  // ── how it begins ──

  test('the command returns when the mount answers, and lets go of its output', async (t) => {
    const { folder, mountPoint } = place(t);
    const image = imageFile(folder, 'v1');
    const script = 'out=$("$@" 2>&1); status=$?; ls "$0"; echo "status $status, said: $out"';
    const ended = await call('sh', ['-c', script, mountPoint, process.execPath, PROGRAM, image, mountPoint, ...by]);
    t.equal(ended.stdout, 'blkoops\ndmesg-blkoops-0\ndmesg-blkoops-1\ndmesg-blkoops-2\nstatus 0, said: \n');
    await unmount(t, mountPoint);
    const from = join(folder, 'elsewhere');
    shell(`mkdir '${from}' && mount -t tmpfs none '${from}'`);
    const inIt = await pstorefuseBeside(['../v1.raw', '../mnt', ...by], { cwd: from });
    t.match(inIt, { status: 0, stderr: '' }, 'by relative paths');
    t.match(await call('umount', [from]), { status: 0, stderr: '' }, 'where it was called from is not in use');
    t.match(shell(`grep ' ${mountPoint} ' /proc/self/mounts`), image, 'the source is an absolute path');
    const freed = await pstorefuseBeside(['umount', mountPoint]);
    t.match(freed, { status: 0, stdout: '', stderr: '' }, 'umount returns when the image is free');
    const bare = await call('env', ['-i', process.execPath, PROGRAM, image, mountPoint, ...by]);
    t.match(bare, { status: 0, stderr: '' }, 'with no environment at all');
    t.ok(isMounted(mountPoint));
    const lost = await call('env', ['-i', 'PATH=/nowhere', process.execPath, PROGRAM, 'umount', mountPoint]);
    t.match(lost, { status: 0, stderr: '' }, 'with a PATH that leads nowhere');
    t.ok(await until(() => areGone(mountPoint)));
  });

  test('some sources fail: the rest is mounted, and the exit status says so', async (t) => {
    const { folder, mountPoint } = place(t);
    const sources = ['nothing.raw', imageFile(folder, 'v1')];
    const partly = await pstorefuseBeside([...sources, mountPoint, ...by], { cwd: folder });
    const missing = 'pstorefuse: nothing.raw: there is no such file\n';
    t.match(partly, { status: 1, stderr: `${missing}pstorefuse: ${mountPoint}: mounted without nothing.raw\n` });
    t.equal(await python(`give(len(os.listdir(root)))`, mountPoint), 4, 'the first that opened is the first backend');
    await unmount(t, mountPoint);
    const strict = await pstorefuseBeside([...sources, mountPoint, '--strict', ...by], { cwd: folder });
    t.match(strict, { status: 66, stderr: 'pstorefuse: nothing.raw: there is no such file\n' });
    t.notOk(isMounted(mountPoint));
  });

  test('a mount whose server does not answer is unmounted, by a link to it too', async (t) => {
    const { folder, mountPoint } = place(t);
    const image = imageFile(folder, 'v1');
    symlinkSync('mnt', join(folder, 'link'));
    for (const name of ['mnt', 'link']) {
      await mount(t, [image, mountPoint, '-o', 'ro', ...by]);
      const { server } = processesOf(mountPoint);
      process.kill(server!, 'SIGSTOP');
      const ended = await pstorefuseBeside(['umount', join(folder, name)]);
      process.kill(server!, 'SIGCONT');
      t.match(ended, { status: 0, stderr: '' }, name);
      t.ok(await until(() => areGone(mountPoint)), 'and the server ends');
    }
  });

  test('one writer at a time; a mount point is used once', async (t) => {
    const { folder, mountPoint } = place(t);
    const other = place(t).mountPoint;
    const image = imageFile(folder, 'v1');
    await mount(t, [image, mountPoint, ...by]);
    const second = await pstorefuseBeside([image, other, ...by]);
    const advice = 'remove records there, or umount it first; take ro to look at it only';
    const stderr = `pstorefuse: ${image} is mounted read-write on ${mountPoint}: ${advice}\n`;
    t.same(second, { status: 75, stdout: '', stderr });
    const remove = await pstorefuseBeside(['rm', image, 'dmesg-blkoops-0']);
    const umount = `pstorefuse: ${image} is mounted read-write on ${mountPoint}: umount it first\n`;
    t.same(remove, { status: 75, stdout: '', stderr: umount }, 'a command is a writer, too');
    const again = await pstorefuseBeside([imageFile(folder, 's2'), mountPoint, ...by]);
    t.match(again, { status: 73, stdout: '' });
    t.match(again.stderr, /^pstorefuse: .* is in use: .*v1\.raw is mounted there already; umount it first\n$/);
    await mount(t, [image, other, '-o', 'ro', ...by]);
    t.equal(await python(`give(len(os.listdir(root)))`, other), 4, 'looking at it is free');
    await unmount(t, other);
    await unmount(t, mountPoint);
  });

  test('an image that shrinks while it is mounted', async (t) => {
    const { folder, mountPoint } = place(t);
    const image = imageFile(folder, 'v2');
    await mount(t, [image, mountPoint, ...by]);
    truncateSync(image, 70_000);
    const said = await python<unknown[]>(
      `
def read(name):
    with open(os.path.join(root, name), 'rb') as f: return f.read()
give([len(read('dmesg-blkoops-0')) > 10000, failure(lambda: read('dmesg-blkoops-1')), failure(lambda: read('dmesg-blkoops-2')),
      failure(lambda: os.unlink(os.path.join(root, 'dmesg-blkoops-0'))),
      failure(lambda: os.unlink(os.path.join(root, 'dmesg-blkoops-2'))), sorted(os.listdir(root))])
`,
      mountPoint,
    );
    const left = ['blkoops', 'dmesg-blkoops-1', 'dmesg-blkoops-2'];
    t.same(said, [true, 'EIO', 'EIO', null, 'EIO', left], 'what is left can be read and erased, the rest says EIO');
    t.equal(readFileSync(image).length, 70_000, 'it did not grow again');
    t.ok(processesOf(mountPoint).server !== undefined, 'the server lives');
    await unmount(t, mountPoint);
  });

  // ── how it ends ──

  test('signals unmount', async (t) => {
    for (const [who, signal] of [
      ['supervisor', 'SIGTERM'],
      ['server', 'SIGINT'],
      ['server', 'SIGHUP'],
      ['server', 'SIGTERM'],
      ['server', 'SIGKILL'],
    ] as const) {
      const { folder, mountPoint } = place(t);
      const image = imageFile(folder, 'v1');
      await mount(t, [image, mountPoint, ...by]);
      process.kill(processesOf(mountPoint)[who]!, signal);
      t.ok(await until(() => areGone(mountPoint)), `${signal} to the ${who}`);
      t.match(await pstorefuseBeside(['rm', image, 'dmesg-blkoops-0']), { status: 0 }, 'the image is free');
    }
  });

  test('the command is killed while it mounts: no server stays, and the image is free', async (t) => {
    const { folder, mountPoint } = place(t);
    const image = imageFile(folder, 'v1');
    for (const delayMs of [0, 30, 60, 90, 120, 180, 250]) {
      for (const command of [[SCRIPT], [process.execPath, PROGRAM]]) {
        const [program, ...args] = [...command, image, mountPoint, ...by];
        const child = spawn(program!, args, { stdio: 'ignore', env: { ...process.env, NODE_OPTIONS: '' } });
        const ended = new Promise<number | null>((resolve) => child.on('close', (status) => resolve(status)));
        await new Promise((resolve) => setTimeout(resolve, delayMs));
        child.kill('SIGKILL');
        if ((await ended) === 0) await unmount(t, mountPoint);
        const isGone = await until(() => areGone(mountPoint), 5);
        t.ok(isGone, `after ${delayMs} ms, ${command.length === 1 ? 'the script' : 'Node'}`);
      }
    }
    t.match(await pstorefuseBeside(['rm', image, 'dmesg-blkoops-0']), { status: 0, stderr: '' }, 'nobody has the lock');
  });

  test('a dead mount is taken away first', async (t) => {
    const { folder, mountPoint } = place(t);
    const image = imageFile(folder, 'v1');
    const kill = async () => {
      const { supervisor, server } = processesOf(mountPoint);
      for (const pid of [supervisor, server]) process.kill(pid!, 'SIGKILL');
      t.ok(await until(() => processesOf(mountPoint).server === undefined));
      t.equal(await python(`give(failure(lambda: os.listdir(root)))`, mountPoint), 'ENOTCONN', 'it is dead');
    };
    await mount(t, [image, mountPoint, ...by]);
    await kill();
    await mount(t, [image, mountPoint, ...by]);
    t.equal(await python(`give(len(os.listdir(root)))`, mountPoint), 4, 'the next mount answers');
    await kill();
    t.match(await pstorefuseBeside(['umount', mountPoint]), { status: 0, stderr: '' }, 'umount of a dead mount');
    t.notOk(isMounted(mountPoint));
  });

  test('-f stays in front', async (t) => {
    for (const [end, options] of [
      ['SIGINT', ['-f']],
      ['SIGTERM', ['--foreground']],
      ['umount', ['-d']],
    ] as const) {
      const { folder, mountPoint } = place(t);
      const image = imageFile(folder, 'v1');
      const ended = pstorefuseBeside([...options, image, mountPoint, ...by]);
      t.ok(await until(() => isMounted(mountPoint) && processesOf(mountPoint).server !== undefined));
      t.equal(await python(`give(len(os.listdir(root)))`, mountPoint), 4);
      if (end === 'umount') await unmount(t, mountPoint);
      else process.kill(frontOf(mountPoint), end);
      const { status, stdout, stderr } = await ended;
      t.match({ status, stdout }, { status: 0, stdout: '' }, `${end}: ends well`);
      if (options[0] === '-d') t.match(stderr, /pstorefuse:mount .*the mount answers/, '-d says what is done');
      else t.equal(stderr, '');
      t.ok(areGone(mountPoint), `${end}: unmounted`);
    }
  });

  test('the server ends with its own mount, whatever is mounted next, and not before its last user', async (t) => {
    const { folder, mountPoint } = place(t);
    const next = place(t).mountPoint;
    const image = imageFile(folder, 'v1');
    await mount(t, [image, mountPoint, ...by]);
    // It gets the number that the mount before had.
    shell(`umount '${mountPoint}' && mount -t tmpfs next '${next}'`);
    t.ok(await until(() => areGone(mountPoint)), 'the server ends');
    t.ok(isMounted(next));
    shell(`umount '${next}'`);

    await mount(t, [image, mountPoint, ...by]);
    // A name that the kernel has not asked for yet.
    const use = `cd '${mountPoint}' && umount -l . && sleep 1 && head -c 6 blkoops/dmesg-blkoops-1`;
    t.equal(shell(use), 'Oops#2', 'a program that was there before umount -l reads on');
    t.ok(await until(() => areGone(mountPoint)), 'and then the server ends');
  });

  test('umount waits for nobody, and says who is in the way', async (t) => {
    const { folder, mountPoint } = place(t);
    await mount(t, [imageFile(folder, 'v1'), mountPoint, ...by]);
    const user = call('sh', [
      '-c',
      'cd "$1" && : >"$2/in" && while [ -e "$2/in" ]; do sleep 0.05; done',
      'sh',
      mountPoint,
      folder,
    ]);
    t.ok(await until(() => readdirSync(folder).includes('in')));
    const busy = await pstorefuseBeside(['umount', mountPoint]);
    t.match(busy, {
      status: 75,
      stderr: /^pstorefuse: .* is in use by a program; end it, or leave the directory[^\n]*\n$/,
    });
    t.ok(isMounted(mountPoint));
    shell(`rm '${folder}/in'`);
    await user;
    await unmount(t, mountPoint);
  });

  test('in the foreground it is said when a signal has unmounted, and a program still uses it', async (t) => {
    const { folder, mountPoint } = place(t);
    const inFront = pstorefuseBeside([imageFile(folder, 'v1'), mountPoint, '-f', ...by]);
    t.ok(await until(() => isMounted(mountPoint)));
    t.equal(await python(`give(len(os.listdir(root)))`, mountPoint), 4);
    const stay = 'cd "$1" && : >"$2/in" && while [ -e "$2/in" ]; do sleep 0.05; done';
    const user = call('sh', ['-c', stay, 'sh', mountPoint, folder]);
    t.ok(await until(() => readdirSync(folder).includes('in')));
    const [command] = processes((words) => words.includes(SCRIPT) && words.includes(mountPoint));
    process.kill(command!.pid, 'SIGINT');
    t.ok(await until(() => !isMounted(mountPoint)));
    await new Promise((resolve) => setTimeout(resolve, 3000));
    shell(`rm '${folder}/in'`);
    await user;
    const { stderr } = await inFront;
    const said = `pstorefuse: ${mountPoint} is unmounted; waiting for the programs that still use it\n`;
    t.equal(stderr, said);
    t.ok(areGone(mountPoint));
  });

  test('what is mounted above or below is left alone', async (t) => {
    const { folder, mountPoint } = place(t);
    const image = imageFile(folder, 'v1');
    await mount(t, [image, mountPoint, ...by]);
    shell(`mount -t tmpfs none '${mountPoint}' && sleep 0.6 && umount '${mountPoint}'`);
    t.equal(await python(`give(len(os.listdir(root)))`, mountPoint), 4, 'hidden for a while, it goes on');
    await unmount(t, mountPoint);
    t.ok(await until(() => areGone(mountPoint)));
    if (transport === 'fuse-native') return;
    shell(`mount -t tmpfs none '${mountPoint}'`);
    await mount(t, ['nothing.raw', image, mountPoint, ...by].slice(1));
    process.kill(processesOf(mountPoint).supervisor!, 'SIGTERM');
    t.ok(await until(() => processesOf(mountPoint).server === undefined));
    t.ok(isMounted(mountPoint), 'only our own mount was taken away');
    shell(`umount '${mountPoint}'`);
  });

  test('without FUSE', async (t) => {
    const { folder, mountPoint } = place(t);
    const image = imageFile(folder, 'v1');
    const args = [process.execPath, PROGRAM, image, mountPoint, ...by];
    const none = `mkdir d && mount -t tmpfs none d && for n in null:3 zero:5; do mknod "d/\${n%:*}" c 1 "\${n#*:}"; done && mount --move d /dev`;
    const other = 'mount --bind /dev/null /dev/fuse';
    for (const [script, said] of [
      [none, /^pstorefuse: there is no \/dev\/fuse: [^\n]*\n$/],
      [other, /^pstorefuse: \/dev\/fuse is not the device of FUSE[^\n]*\n$/],
    ] as const) {
      const ended = await call('unshare', ['-m', 'sh', '-c', `cd "$0" && ${script} && exec "$@"`, folder, ...args]);
      t.match(ended, { status: 69, stdout: '', stderr: said });
    }
    t.ok(readFileSync(image).equals(goldenImage('v1')));
  });
}

/** The command itself, which stays in front. */
function frontOf(mountPoint: string): number {
  return processes((words) => words.includes(mountPoint) && words.includes(SCRIPT))[0]!.pid;
}

// ── other users, and mount(8) ──

/** Why a test that needs programs of the package fuse3 cannot be run here; in CI it must be. */
function missing(...programs: string[]): string | false {
  const lacks = programs.find((program) => !shell(`command -v ${program} || true`));
  if (!isRoot) return 'only root can become another user';
  return lacks !== undefined && !inCI && `${lacks} is not installed (package fuse3)`;
}

t.test('a user who is not root', { buffered: true, skip: missing('fusermount', 'setpriv', 'unshare') }, async (t) => {
  const folder = scratchFolder(t);
  const image = imageFile(folder, 'v3', 'image-before.raw');
  const script = `
    set -e
    cd "$3"; chmod 755 .; mkdir home program foreign; touch node
    chown 65534:65534 home; mv v3.raw home/v3.raw; chown 65534:65534 home/v3.raw
    mount --bind "$1" node; mount --bind "$2" program
    mknod -m 666 fuse c 10 229; mount --bind fuse /dev/fuse
    mkdir roots; cp home/v3.raw .; "$1" program/dist/bin/pstorefuse.js v3.raw roots
    trap "umount -l roots" EXIT
    setpriv --reuid 65534 --regid 65534 --clear-groups env PATH=/nowhere /bin/sh -c '
      PATH=/usr/bin:/bin
      p() { PATH=/nowhere "$node" "$program" "$@"; echo "status $?"; }
      node=$PWD/node; program=$PWD/program/dist/bin/pstorefuse.js; cd home; mkdir mnt
      p v3.raw mnt
      stat -c "%n %u:%g %a" mnt mnt/dmesg-blkoops-0
      head -c 12 mnt/dmesg-blkoops-0; echo
      rm -f mnt/blkoops/dmesg-blkoops-1; echo "rm $?"; ls mnt
      p umount mnt; ls mnt | wc -l
      p v3.raw mnt -o allow_other
      p v3.raw mnt -o allow_root
      p v3.raw mnt --transport fuse-native; ls mnt; p umount mnt
      p v3.raw ..
      p v3.raw ../foreign
      p umount ../roots
    '`;
  const { stdout, stderr } = await call('unshare', ['-m', 'sh', '-c', script, 'sh', process.execPath, ROOT, folder]);
  t.same(stdout.split('\n'), [
    'status 0',
    'mnt 65534:65534 750',
    'mnt/dmesg-blkoops-0 65534:65534 444',
    'Oops#1 Part1',
    'rm 0',
    'blkoops',
    'dmesg-blkoops-0',
    'dmesg-blkoops-2',
    'status 0',
    '0',
    'status 77',
    'status 64',
    'status 0',
    'blkoops',
    'dmesg-blkoops-0',
    'dmesg-blkoops-2',
    'status 0',
    'status 73',
    'status 77',
    'status 77',
    '',
  ]);
  t.same(stderr.split('\n').filter(Boolean).length, 5, stderr);
  t.match(stderr, /^pstorefuse: \.\.\/roots was mounted by root, who alone can unmount it$/m);
  t.match(stderr, /^pstorefuse: -o allow_other is for root only/m);
  t.match(stderr, /^pstorefuse: -o allow_root: only libfuse can do that/m);
  t.match(stderr, /^pstorefuse: the mount point \.\. holds the image/m);
  t.match(stderr, /^pstorefuse: the mount point \.\.\/foreign belongs to somebody else/m);
  t.ok(readFileSync(join(folder, 'home', 'v3.raw')).equals(goldenImage('v3')), `${image}: as the kernel leaves it`);
});

t.test('a user who has no FUSE', { buffered: true, skip: missing('setpriv', 'unshare') }, async (t) => {
  const cases: [string, number, string][] = [
    [
      'mknod -m 600 fuse c 10 229; mount --bind fuse /dev/fuse',
      77,
      '/dev/fuse may not be opened; root can allow it with chmod 666 /dev/fuse',
    ],
    [
      'touch fuse; chmod 666 fuse; mount --bind fuse /dev/fuse',
      69,
      '/dev/fuse is not the device of FUSE (character device 10, 229)',
    ],
    [
      'mknod -m 666 fuse c 10 229; mount --bind fuse /dev/fuse; touch none; for place in $(which -a fusermount fusermount3); do mount --bind none "$place"; done',
      69,
      'a user who is not root needs the program fusermount to mount, and it is not there; install the package fuse3',
    ],
  ];
  for (const [hide, status, said] of cases) {
    const folder = scratchFolder(t);
    imageFile(folder, 'v1');
    const script = `
      set -e
      cd "$3"; chmod 755 .; mkdir -m 777 mnt; mkdir program; touch node; chmod 644 v1.raw
      mount --bind "$1" node; mount --bind "$2" program
      ${hide}
      exec setpriv --reuid 65534 --regid 65534 --clear-groups ./node program/dist/bin/pstorefuse.js v1.raw mnt -o ro`;
    const ended = await call('unshare', ['-m', 'sh', '-c', script, 'sh', process.execPath, ROOT, folder]);
    const stderr = `pstorefuse: ${said}; pstorefuse ls, cat and info work without a mount\n`;
    t.same(ended, { status, stdout: '', stderr });
  }
});

t.test(
  'mount(8), by mount.fuse and by fstab',
  { buffered: true, skip: missing('mount.fuse', 'unshare') },
  async (t) => {
    const folder = scratchFolder(t);
    imageFile(folder, 'v1');
    mkdirSync(join(folder, 'mnt'));
    // mount.fuse looks for the program where root's programs are: in a private mount namespace that is ours.
    const script = `
    cd "$3"; mount -t tmpfs none /usr/local/sbin
    ln -s "$2" /usr/local/sbin/pstorefuse; export PSTOREFUSE_NODE="$1"
    image=$3/v1.raw; mnt=$3/mnt
    try() { mount "$@"; echo "status $?"; }
    try -t fuse.pstorefuse "$image" "$mnt" -o ro,nofail,noauto,_netdev,user,x-foo,x-systemd.automount,comment=hello,kmsg_size=64K,umask=022
    ls "$mnt"; stat -c %a "$mnt"; grep -c " $mnt fuse.pstorefuse ro," /proc/self/mounts; umount "$mnt"
    try -t fuse.pstorefuse "$image" "$3/nothing"
    try -t fuse.pstorefuse "$3/nothing.raw" "$mnt"
    try -t fuse.pstorefuse "$image" "$mnt" -o frob
    printf '%s %s fuse.pstorefuse ro,nofail,uid=12,x-systemd.requires=x 0 0\\n' "$image" "$mnt" >fstab
    mount --bind fstab /etc/fstab
    try "$mnt"; stat -c %u "$mnt"; umount "$mnt"
    try -a -t fuse.pstorefuse; ls "$mnt" | wc -l; umount "$mnt"
  `;
    const { stdout, stderr } = await call('unshare', [
      '-m',
      'sh',
      '-c',
      script,
      'sh',
      process.execPath,
      SCRIPT,
      folder,
    ]);
    const listing = ['blkoops', 'dmesg-blkoops-0', 'dmesg-blkoops-1', 'dmesg-blkoops-2'];
    t.same(stdout.split('\n'), [
      ...['status 0', ...listing, '755', '1'],
      ...['status 32', 'status 32', 'status 1'],
      ...['status 0', '12', 'status 0', '4', ''],
    ]);
    t.match(stderr, /the mount point .*nothing does not exist/);
    t.match(stderr, /nothing\.raw: there is no such file/);
    t.match(stderr, /there is no option frob/);
  },
);

t.test('without koffi', { buffered: true, skip: missing('unshare') }, async (t) => {
  const { folder, mountPoint } = place(t);
  const image = imageFile(folder, 'v1');
  const hide = `for d in "$1"/node_modules/koffi "$1"/node_modules/@koromix; do mount -t tmpfs none "$d"; done; shift; exec "$@"`;
  const run = (...args: string[]) => call('unshare', ['-m', 'sh', '-c', hide, 'sh', ROOT, SCRIPT, ...args]);
  const refused = await run(image, mountPoint);
  t.match(refused, {
    status: 69,
    stderr: /^pstorefuse: a mount needs the npm package koffi, [^\n]*npm install koffi[^\n]*\n$/,
  });
  t.match(await run('ls', image), { status: 0, stdout: /dmesg-blkoops-0/, stderr: '' });
  t.match(await run('rm', image, 'dmesg-blkoops-0'), { status: 0, stderr: '' }, 'with the lock');
});

t.test('root without CAP_SYS_ADMIN', { buffered: true, skip: missing('setpriv') }, async (t) => {
  const { folder, mountPoint } = place(t);
  const bounded = [
    '--bounding-set',
    '-sys_admin',
    '--inh-caps',
    '-sys_admin',
    SCRIPT,
    imageFile(folder, 'v1'),
    mountPoint,
  ];
  const { status, stderr } = await call('setpriv', bounded);
  t.equal(status, 69);
  t.match(
    stderr,
    /^pstorefuse: the kernel does not let this root mount anything[^\n]*--device \/dev\/fuse --cap-add SYS_ADMIN[^\n]*\n$/,
  );
  const native = await call('setpriv', [...bounded, '--transport', 'fuse-native']);
  t.match(native, { status: 69, stderr: /--device \/dev\/fuse --cap-add SYS_ADMIN\n$/ });
  t.notOk(isMounted(mountPoint));
});

for (const transport of TRANSPORTS) {
  const title = `a mount stays when the node of /dev/fuse goes (${transport})`;
  t.test(title, { buffered: true, skip: !isRoot && 'mknod is for root' }, async (t) => {
    const { folder, mountPoint } = place(t);
    const script = `mknod "$1/fuse" c 10 229; mount --bind "$1/fuse" /dev/fuse; rm "$1/fuse"
      "$2" --transport ${transport} "$3" "$4" && sleep 1 && ls "$4/blkoops" && umount "$4"`;
    const args = ['-m', 'sh', '-c', script, 'sh', folder, SCRIPT, imageFile(folder, 'v1'), mountPoint];
    t.match(await call('unshare', args), { status: 0, stdout: /^dmesg-blkoops-0\n/, stderr: '' });
  });
}

t.test('called by the name of a helper of mount(8)', { buffered: true, skip: missing('unshare') }, async (t) => {
  const { folder, mountPoint } = place(t);
  const image = imageFile(folder, 'v1');
  const helper = join(folder, 'mount.fuse.pstorefuse');
  shell(`ln -s '${SCRIPT}' '${helper}'`);
  const run = (...args: string[]): Promise<Ended> => call(helper, args);
  t.match(await run(image, mountPoint, '-f', '-o', 'ro'), { status: 0, stderr: '' }, '-f: all but the mount');
  t.notOk(isMounted(mountPoint));
  const flags = ['-n', '-v', '-s', '-t', 'fuse.pstorefuse', '-o', 'ro'];
  t.match(await run(image, mountPoint, ...flags), { status: 0, stderr: '' });
  t.ok(isMounted(mountPoint));
  t.match(await run(image, mountPoint, '-o', 'ro'), { status: 32, stderr: /is in use/ });
  await unmount(t, mountPoint);
  t.match(await run(image, join(folder, 'nothing')), { status: 32 });
  t.match(await run(image, mountPoint, '-o', 'frob'), { status: 1 });
  t.match(
    await run(join(folder, 'nothing.raw'), image, mountPoint, '-o', 'ro'),
    { status: 64 },
    'some failed, some succeeded',
  );
  await unmount(t, mountPoint);
});
