import { copyFileSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { blkoopsZone, firstLine, type PlannedRecord, writeBlkoopsImage } from '../builders/partition.js';
import { golden, goldenImage } from '../fixture-path.js';
import { goldenBytes, goldenCases, withoutSymbols } from '../golden.js';
import { cannotMount, TestMount } from './dev-fuse-mount.js';
import type { ServerPlan } from './dev-fuse-server.js';

const folder = mkdtempSync(join(tmpdir(), 'dev-fuse-images-'));
t.teardown(() => rmSync(folder, { recursive: true }));

/** A test over a mount that must end well: unmounted, exit status 0, nothing logged. */
function mounted(name: string, plan: () => ServerPlan, body: (t: Test, mount: TestMount) => Promise<void>): void {
  t.test(name, { skip: cannotMount, timeout: 60_000 }, async (t) => {
    const mount = await TestMount.make(plan());
    try {
      await body(t, mount);
    } finally {
      t.same(await mount.end(), { code: 0, log: '' }, 'umount ends the server, which had nothing to complain of');
    }
  });
}

/** An image of a golden folder that can be written. */
function imageOf(folderName: string): string {
  const path = join(folder, `${folderName}-${Math.random().toString(36).slice(2)}.raw`);
  writeFileSync(path, goldenImage(folderName));
  return path;
}

interface Seen {
  readonly ino: number;
  readonly size: number;
  readonly mode: number;
  readonly nlink: number;
  readonly mtime: string;
  readonly type: 'file' | 'directory';
  readonly base64?: string;
}

const WALK = `
import base64
seen = {}
for where, dirs, files in os.walk(root):
    for entry in os.scandir(where):
        s = os.stat(entry.path)
        kind = 'file' if entry.is_file() else 'directory'
        one = dict(ino=s.st_ino, size=s.st_size, mode=s.st_mode, nlink=s.st_nlink, mtime=str(s.st_mtime_ns), type=kind)
        assert entry.inode() == s.st_ino
        assert s.st_atime_ns == s.st_mtime_ns == s.st_ctime_ns
        if kind == 'file': one['base64'] = base64.b64encode(open(entry.path, 'rb').read()).decode()
        seen[os.path.relpath(entry.path, root)] = one
give(seen)
`;

const CASES = goldenCases('zone', 'rfc5', 'ramoops');

for (const layout of ['both', 'subdirs'] as const) {
  mounted(
    `every golden image in one mount, layout ${layout}`,
    () => ({
      sources: CASES.map(({ folder, backend, keys }) => ({
        kind: backend,
        path: golden(folder, 'image.raw.gz'),
        keys,
        label: folder,
      })),
      layout,
      mountTimeNs: '1700000000123456789',
    }),
    async (t, mount) => {
      const seen = await mount.python<Record<string, Seen>>(WALK);
      const expected = new Set<string>();
      for (const [at, { folder, files }] of CASES.entries()) {
        expected.add(folder);
        t.match(seen[folder], { type: 'directory', nlink: 2, mode: 0o40750, mtime: '1700000000123456789' }, folder);
        const inRoot = layout === 'both' && at === 0;
        for (const file of files) {
          const paths = inRoot ? [`${folder}/${file.name}`, file.name] : [`${folder}/${file.name}`];
          const inos = new Set(paths.map((path) => seen[path]?.ino));
          t.equal(inos.size, 1, `${file.name}: one inode`);
          for (const path of paths) {
            expected.add(path);
            const one = seen[path];
            if (!one) {
              t.fail(`${path} is missing`);
              continue;
            }
            const bytes = Buffer.from(one.base64!, 'base64');
            t.match(one, { type: 'file', mode: 0o100444, nlink: paths.length, size: bytes.length }, path);
            const kernel = goldenBytes(folder, file.name);
            if (file.name.startsWith('ftrace')) t.equal(withoutSymbols(bytes), withoutSymbols(kernel), path);
            else t.ok(bytes.equals(kernel), `${path}: bytes`);
            if (!file.name.startsWith('dmesg')) continue;
            const time = BigInt(file.mtime_sec) * 1_000_000_000n + BigInt(file.mtime_nsec);
            t.equal(one.mtime, String(time), `${path}: time to the nanosecond`);
          }
        }
      }
      t.same(Object.keys(seen).sort(), [...expected].sort(), 'nothing else');
    },
  );
}

mounted(
  'erasing by one name takes the other one away at once',
  () => ({ sources: [{ kind: 'pstore_blk', path: imageOf('s3') }] }),
  async (t, mount) => {
    const result = await mount.python<Record<string, unknown>>(`
import subprocess
sub = os.path.join(root, 'pstore_blk')
# Every name of both directories is in the kernel's cache now.
for where in (root, sub):
    for name in os.listdir(where): os.stat(os.path.join(where, name))
def gone(path):
    # Another process, and this one.
    other = subprocess.run([sys.executable, '-c', 'import os,sys; os.stat(sys.argv[1])', path], stderr=subprocess.PIPE)
    return [other.returncode != 0 and b'FileNotFoundError' in other.stderr, failure(lambda: os.stat(path))]
out = {}
os.unlink(os.path.join(root, 'dmesg-pstore_blk-0'))
out['by the root'] = gone(os.path.join(sub, 'dmesg-pstore_blk-0'))
os.unlink(os.path.join(sub, 'dmesg-pstore_blk-1'))
out['by the directory'] = gone(os.path.join(root, 'dmesg-pstore_blk-1'))
path = os.path.join(root, 'dmesg-pstore_blk-2')
whole = open(path, 'rb').read()
f = open(path, 'rb', buffering=0)
head = f.read(100)
os.unlink(os.path.join(sub, 'dmesg-pstore_blk-2'))
out['open, other name'] = gone(path)
# From the medium, not from the kernel's pages.
os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
out['open'] = [head + f.read() == whole, os.fstat(f.fileno()).st_nlink, os.fstat(f.fileno()).st_size == len(whole)]
out['root'] = sorted(os.listdir(root))
out['sub'] = sorted(os.listdir(sub))
out['again'] = failure(lambda: os.unlink(path))
give(out)
`);
    t.same(result, {
      'by the root': [true, 'ENOENT'],
      'by the directory': [true, 'ENOENT'],
      'open, other name': [true, 'ENOENT'],
      open: [true, 0, true],
      root: ['console-pstore_blk-0', 'ftrace-pstore_blk-0', 'pmsg-pstore_blk-0', 'pstore_blk'],
      sub: ['console-pstore_blk-0', 'ftrace-pstore_blk-0', 'pmsg-pstore_blk-0'],
      again: 'ENOENT',
    });
  },
);

t.test('an erase is in the image, as the kernel makes it', { skip: cannotMount }, async (t) => {
  const path = join(folder, 'erase.raw');
  writeFileSync(path, goldenImage('s5', 'image-before.raw'));
  const mount = await TestMount.make({ sources: [{ kind: 'pstore_blk', path }] });
  await mount.python(`give(os.unlink(os.path.join(root, 'dmesg-pstore_blk-1')))`);
  t.ok(readFileSync(path).equals(goldenImage('s5')), 'durable when the unlink has returned');
  t.same(await mount.end(), { code: 0, log: '' });
});

const CHANGES = `
d = os.path.join(root, 'blkoops')
f = os.path.join(root, 'dmesg-blkoops-0')
def opened(path, flags): os.close(os.open(path, flags))
# Each must be refused with the file being there and being looked at.
opened(f, os.O_RDONLY)
give({
    'create': failure(lambda: opened(os.path.join(root, 'new'), os.O_CREAT | os.O_WRONLY)),
    'create in a directory': failure(lambda: opened(os.path.join(d, 'new'), os.O_CREAT | os.O_RDWR)),
    'mknod': failure(lambda: os.mknod(os.path.join(root, 'new'))),
    'mkfifo': failure(lambda: os.mkfifo(os.path.join(d, 'new'))),
    'mkdir': failure(lambda: os.mkdir(os.path.join(root, 'new'))),
    'symlink': failure(lambda: os.symlink('x', os.path.join(root, 'new'))),
    'link': failure(lambda: os.link(f, os.path.join(root, 'new'))),
    'rename': failure(lambda: os.rename(f, os.path.join(root, 'new'))),
    'rename over a record': failure(lambda: os.rename(f, os.path.join(root, 'dmesg-blkoops-1'))),
    'rename a directory': failure(lambda: os.rename(d, os.path.join(root, 'new'))),
    'setxattr': failure(lambda: os.setxattr(f, 'user.x', b'1')),
    'setxattr, large': failure(lambda: os.setxattr(f, 'user.x', bytes(65536))),
    'setxattr of our own': failure(lambda: os.setxattr(f, 'user.pstore.type', b'1')),
    'removexattr': failure(lambda: os.removexattr(f, 'user.pstore.type')),
    'write': failure(lambda: opened(f, os.O_WRONLY)),
    'read and write': failure(lambda: opened(f, os.O_RDWR)),
    'append': failure(lambda: opened(f, os.O_WRONLY | os.O_APPEND)),
    'cut at opening': failure(lambda: opened(f, os.O_RDONLY | os.O_TRUNC)),
    'write and cut': failure(lambda: opened(f, os.O_WRONLY | os.O_TRUNC)),
    'truncate': failure(lambda: os.truncate(f, 0)),
    'truncate to the same size': failure(lambda: os.truncate(f, os.stat(f).st_size)),
    'chmod': failure(lambda: os.chmod(f, 0o644)),
    'chmod of a directory': failure(lambda: os.chmod(d, 0o700)),
    'chown': failure(lambda: os.chown(f, 1, 1)),
    'utimens': failure(lambda: os.utime(f, (1, 1))),
    'utimens, now': failure(lambda: os.utime(f)),
    'rmdir of a directory': failure(lambda: os.rmdir(d)),
    'rmdir of a record': failure(lambda: os.rmdir(f)),
    'rmdir of nothing': failure(lambda: os.rmdir(os.path.join(root, 'new'))),
    'unlink of a directory': failure(lambda: os.unlink(d)),
    'unlink of nothing': failure(lambda: os.unlink(os.path.join(root, 'new'))),
    'unlink': failure(lambda: os.unlink(os.path.join(root, 'dmesg-blkoops-2'))),
})
`;

/** What each gives when it may change, and when the mount is read-only. */
const REFUSED: Readonly<Record<string, readonly [string, string]>> = {
  create: ['EACCES', 'EROFS'],
  'create in a directory': ['EACCES', 'EROFS'],
  mknod: ['EACCES', 'EROFS'],
  mkfifo: ['EACCES', 'EROFS'],
  mkdir: ['EPERM', 'EROFS'],
  symlink: ['EPERM', 'EROFS'],
  link: ['EPERM', 'EROFS'],
  rename: ['EPERM', 'EROFS'],
  'rename over a record': ['EPERM', 'EROFS'],
  'rename a directory': ['EPERM', 'EROFS'],
  setxattr: ['ENOTSUP', 'EROFS'],
  'setxattr, large': ['ENOTSUP', 'EROFS'],
  'setxattr of our own': ['ENOTSUP', 'EROFS'],
  removexattr: ['ENOTSUP', 'EROFS'],
  write: ['EACCES', 'EROFS'],
  'read and write': ['EACCES', 'EROFS'],
  append: ['EACCES', 'EROFS'],
  'cut at opening': ['EACCES', 'EROFS'],
  'write and cut': ['EACCES', 'EROFS'],
  truncate: ['EACCES', 'EROFS'],
  'truncate to the same size': ['EACCES', 'EROFS'],
  chmod: ['EPERM', 'EROFS'],
  'chmod of a directory': ['EPERM', 'EROFS'],
  chown: ['EPERM', 'EROFS'],
  utimens: ['EPERM', 'EROFS'],
  'utimens, now': ['EPERM', 'EROFS'],
  'rmdir of a directory': ['EBUSY', 'EROFS'],
  'rmdir of a record': ['ENOTDIR', 'EROFS'],
  'rmdir of nothing': ['ENOENT', 'EROFS'],
  'unlink of a directory': ['EISDIR', 'EROFS'],
  'unlink of nothing': ['ENOENT', 'EROFS'],
  unlink: ['success', 'EROFS'],
};

/** Linux has one number for both; Python knows it by its other name. */
function posix(names: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(names).map(([k, v]) => [k, v === 'EOPNOTSUPP' ? 'ENOTSUP' : v]));
}

for (const readOnly of [false, true]) {
  mounted(
    readOnly ? 'a read-only mount says EROFS' : 'what changes is refused, to root too',
    () => ({ sources: [{ kind: 'blkoops', path: imageOf('v1') }], readOnly }),
    async (t, mount) => {
      const expected = Object.fromEntries(Object.entries(REFUSED).map(([what, by]) => [what, by[readOnly ? 1 : 0]]));
      t.same(posix(await mount.python<Record<string, string>>(CHANGES)), expected);
      const { text, names } = await mount.python<{ text: number; names: string[] }>(`
give(dict(text=len(open(os.path.join(root, 'dmesg-blkoops-0'), 'rb').read()), names=sorted(os.listdir(root))))
`);
      t.equal(text, goldenBytes('v1', 'dmesg-blkoops-0').length, 'reading goes on');
      const left = ['blkoops', 'dmesg-blkoops-0', 'dmesg-blkoops-1'];
      t.same(names, readOnly ? [...left, 'dmesg-blkoops-2'] : left);
    },
  );
}

mounted(
  'extended attributes',
  () => ({ sources: [{ kind: 'pstore_blk', path: imageOf('s1') }] }),
  async (t, mount) => {
    const seen = await mount.python<Record<string, string>>(`
import ctypes
f = os.path.join(root, 'dmesg-pstore_blk-0')
libc = ctypes.CDLL(None, use_errno=True)
libc.getxattr.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
libc.listxattr.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
def raw(size, name=b'user.pstore.backend'):
    got = libc.getxattr(f.encode(), name, ctypes.create_string_buffer(size), size)
    return got if got >= 0 else errno.errorcode[ctypes.get_errno()]
def rawlist(size):
    got = libc.listxattr(f.encode(), ctypes.create_string_buffer(size), size)
    return got if got >= 0 else errno.errorcode[ctypes.get_errno()]
names = sorted(os.listxattr(f))
give(dict(
    names=names,
    values={name: os.getxattr(f, name).decode() for name in names},
    size=raw(0), exact=raw(10), short=raw(9), list=rawlist(0) == sum(len(n) + 1 for n in names), shortlist=rawlist(5),
    missing=failure(lambda: os.getxattr(f, 'user.pstore.nothing')),
    foreign=failure(lambda: os.getxattr(f, 'user.mime_type')),
    security=failure(lambda: os.getxattr(f, 'security.selinux')),
    acl=failure(lambda: os.getxattr(f, 'system.posix_acl_access')),
    directory=os.listxattr(root),
))
`);
    t.match(posix(seen), {
      values: {
        'user.pstore.backend': 'pstore_blk',
        'user.pstore.type': 'dmesg',
        'user.pstore.reason': 'Oops',
        'user.pstore.compression': 'deflate',
        'user.pstore.state': 'live',
      },
      size: 10,
      exact: 10,
      short: 'ERANGE',
      list: true,
      shortlist: 'ERANGE',
      missing: 'ENODATA',
      foreign: 'ENODATA',
      security: 'ENOTSUP',
      acl: 'ENOTSUP',
      directory: [],
    });
  },
);

mounted(
  'statfs',
  () => ({ sources: [{ kind: 'pstore_blk', path: imageOf('s1') }] }),
  async (t, mount) => {
    const statfs = `
s = os.statvfs(root)
give([s.f_bsize, s.f_frsize, s.f_blocks, s.f_bfree, s.f_bavail, s.f_files, s.f_ffree, s.f_namemax])
`;
    // 512 KiB, zones of 64 KiB, three records.
    t.same(await mount.python(statfs), [512, 512, 1024, 640, 640, 3, 5, 255]);
    await mount.python(`give(os.unlink(os.path.join(root, 'dmesg-pstore_blk-1')))`);
    t.same(await mount.python(statfs), [512, 512, 1024, 768, 768, 2, 6, 255]);
  },
);

/** Records of many sizes, and each text different. */
function* manyRecords(count: number): Generator<PlannedRecord> {
  for (let i = 0; i < count; i++) {
    yield {
      seconds: BigInt(1_600_000_000 + i),
      nanoseconds: BigInt(i),
      counter: i,
      text: `record ${i}\n`.repeat(i % 200),
    };
  }
}

mounted(
  'ten thousand records: listed once each, also in pieces, and read by four at once',
  () => {
    const path = join(folder, 'many.raw');
    writeBlkoopsImage(path, 4096, 10_240, manyRecords(10_000));
    return { sources: [{ kind: 'blkoops', path, keys: { kmsg_size: '4096' } }], readOnly: true };
  },
  async (t, mount) => {
    const listing = await mount.python<Record<string, unknown>>(`
import ctypes
from concurrent.futures import ProcessPoolExecutor
names = os.listdir(root)
sizes = {name: os.stat(os.path.join(root, name)).st_size for name in names}
def hashed(names): return [hashlib.sha256(open(os.path.join(root, name), 'rb').read()).hexdigest() for name in names]
names.sort(key=lambda name: int(name.rsplit('-', 1)[1]) if '-' in name else -1)
with ProcessPoolExecutor(4) as pool: readers = list(pool.map(hashed, [names[1:2001]] * 4))
class dirent(ctypes.Structure):
    _fields_ = [('ino', ctypes.c_uint64), ('off', ctypes.c_int64), ('len', ctypes.c_uint16), ('type', ctypes.c_uint8), ('name', ctypes.c_char * 256)]
libc = ctypes.CDLL(None)
libc.opendir.restype = ctypes.c_void_p
libc.readdir.restype = ctypes.POINTER(dirent)
libc.telldir.restype = ctypes.c_long
libc.readdir.argtypes = libc.telldir.argtypes = [ctypes.c_void_p]
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
d = libc.opendir(root.encode())
def following():
    e = libc.readdir(d)
    return (e.contents.name.decode(), e.contents.type) if e else None
first = [following() for _ in range(5)]
for _ in range(4000): following()
at = libc.telldir(d)
once = [following() for _ in range(50)]
libc.seekdir(d, at)
give(dict(
    count=len(names), unique=len(set(names)), last=names[-1], sizes=sum(sizes.values()),
    same=all(reader == readers[0] for reader in readers), hash=hashlib.sha256(''.join(readers[0]).encode()).hexdigest(),
    first=first, again=[following() for _ in range(50)] == once,
))
`);
    const { createHash } = await import('node:crypto');
    const sha = (text: string) => createHash('sha256').update(text).digest('hex');
    const texts = [...manyRecords(10_000)].map((record) => firstLine(record) + record.text);
    t.same(listing, {
      count: 10_001,
      unique: 10_001,
      last: 'dmesg-blkoops-9999',
      sizes: texts.reduce((sum, text) => sum + text.length, 0),
      same: true,
      hash: sha(texts.slice(0, 2000).map(sha).join('')),
      first: [
        ['.', 4],
        ['..', 4],
        ['blkoops', 4],
        ['dmesg-blkoops-0', 8],
        ['dmesg-blkoops-1', 8],
      ],
      again: true,
    });
  },
);

mounted(
  'a large record, in reads of 1 MiB and of odd sizes; and a time before 1970',
  () => {
    const path = join(folder, 'large.raw');
    const text = Buffer.alloc(7_654_321, 'All the bytes of a large record. ');
    writeBlkoopsImage(path, 8 << 20, 2, [{ seconds: 0n, text }]);
    return {
      sources: [{ kind: 'blkoops', path, keys: { kmsg_size: '8M' } }],
      mountTimeNs: '-1500000001',
      layout: 'flat',
    };
  },
  async (t, mount) => {
    const expected = Buffer.concat([
      Buffer.from(firstLine({ text: '' })),
      Buffer.alloc(7_654_321, 'All the bytes of a large record. '),
    ]);
    const seen = await mount.python<Record<string, unknown>>(`
import mmap, random
f = os.path.join(root, 'dmesg-blkoops-0')
fd = os.open(f, os.O_RDONLY)
size = os.fstat(fd).st_size
whole = os.read(fd, size + 10)
direct = os.open(f, os.O_RDONLY | os.O_DIRECT)
buffer = mmap.mmap(-1, 1 << 20)
pieces, at = b'', 0
while (got := os.preadv(direct, [buffer], at)) > 0:
    pieces += buffer[:got]
    at += got
random.seed(1)
odd = all(os.pread(fd, n, p) == whole[p:p + n] for p, n in ((random.randrange(size + 100), random.randrange(300000)) for _ in range(50)))
mapped = mmap.mmap(fd, size, prot=mmap.PROT_READ)
give(dict(
    sha=hashlib.sha256(whole).hexdigest(), size=size, direct=pieces == whole, odd=odd, mapped=mapped[:] == whole,
    behind=len(os.pread(fd, 10, size)), far=len(os.pread(fd, 10, 1 << 62)),
    mtime=str(os.stat(f).st_mtime_ns), root=str(os.stat(root).st_mtime_ns), blocks=os.stat(f).st_blocks,
))
`);
    const { createHash } = await import('node:crypto');
    t.same(seen, {
      sha: createHash('sha256').update(expected).digest('hex'),
      size: expected.length,
      direct: true,
      odd: true,
      mapped: true,
      behind: 0,
      far: 0,
      mtime: '-1500000001',
      root: '-1500000001',
      blocks: Math.ceil(expected.length / 512),
    });
  },
);

t.test('a live image shows what another writes to it', { skip: cannotMount, timeout: 60_000 }, async (t) => {
  const path = join(folder, 'live.raw');
  writeBlkoopsImage(path, 4096, 8, [
    { seconds: 10n, text: 'first\n' },
    { seconds: 11n, text: 'second\n' },
  ]);
  const image = openSync(path, 'r+');
  const mount = await TestMount.make({
    sources: [{ kind: 'blkoops', path, keys: { kmsg_size: '4096' } }],
    updateMs: 50,
  });
  const client = mount.python<Record<string, unknown>>(
    `
import time
f, sub = os.path.join(root, 'dmesg-blkoops-0'), os.path.join(root, 'blkoops')
held = open(f, 'rb', buffering=0)
before = os.fstat(held.fileno())
seen = [sorted(os.listdir(root)), open(f).read(), failure(lambda: os.stat(os.path.join(root, 'dmesg-blkoops-2')))]
open(args[0], 'w').close()
while os.path.exists(args[0]): time.sleep(0.005)
time.sleep(0.1)
give(dict(
    seen=seen,
    after=[sorted(os.listdir(root)), open(f).read(), open(os.path.join(sub, 'dmesg-blkoops-2')).read()],
    held=held.read().decode(), same=os.fstat(held.fileno()).st_ino == before.st_ino,
    other=os.stat(f).st_ino != before.st_ino,
))
`,
    join(folder, 'go'),
  );
  for (;;) {
    try {
      readFileSync(join(folder, 'go'));
      break;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  writeSync(image, blkoopsZone({ seconds: 12n, counter: 2, text: 'in its place\n' }), 0, undefined, 0);
  writeSync(image, blkoopsZone({ seconds: 13n, counter: 3, text: 'third\n' }), 0, undefined, 8192);
  rmSync(join(folder, 'go'));
  const total = (counter: number) => firstLine({ counter, text: '' });
  t.same(await client, {
    seen: [['blkoops', 'dmesg-blkoops-0', 'dmesg-blkoops-1'], `${total(1)}first\n`, 'ENOENT'],
    after: [
      ['blkoops', 'dmesg-blkoops-0', 'dmesg-blkoops-1', 'dmesg-blkoops-2'],
      `${total(2)}in its place\n`,
      `${total(3)}third\n`,
    ],
    held: `${total(1)}first\n`,
    same: true,
    other: true,
  });
  t.same(await mount.end(), { code: 0, log: '' });
});

mounted(
  'two who erase in both directories at once, while others list',
  () => {
    const path = join(folder, 'race.raw');
    writeBlkoopsImage(path, 4096, 512, manyRecords(400));
    return { sources: [{ kind: 'blkoops', path, keys: { kmsg_size: '4096' } }] };
  },
  async (t, mount) => {
    const seen = await mount.python<Record<string, unknown>>(`
from multiprocessing import Process, Queue
sub = os.path.join(root, 'blkoops')
def erase(where, out):
    erased, wrong = 0, []
    for i in range(400):
        name = 'dmesg-blkoops-%d' % i
        try:
            os.unlink(os.path.join(where, name)); erased += 1
        except OSError as error:
            if error.errno != errno.ENOENT: wrong.append(errno.errorcode[error.errno])
        for place in (root, sub):
            path = os.path.join(place, name)
            # The other one's unlink, by which the record is gone, may not have come back yet.
            if os.path.exists(path): time.sleep(0.1)
            if os.path.exists(path): wrong.append('stale ' + name)
    out.put([erased, wrong])
def read(out):
    wrong, n = [], 1
    while n > 0:
        n = 0
        for entry in os.scandir(sub):
            n += 1
            try: open(entry.path, 'rb').read()
            except OSError as error:
                if error.errno != errno.ENOENT: wrong.append(errno.errorcode[error.errno])
    out.put([0, wrong])
out = Queue()
workers = [Process(target=erase, args=(where, out)) for where in (root, sub)]
workers += [Process(target=read, args=(out,)) for _ in range(2)]
for worker in workers: worker.start()
results = [out.get() for _ in workers]
for worker in workers: worker.join()
give(dict(erased=sum(r[0] for r in results), wrong=sum((r[1] for r in results), []), left=os.listdir(root)))
`);
    t.same(seen, { erased: 400, wrong: [], left: ['blkoops'] });
  },
);

t.test(
  'an image that is cut while it is mounted gives EIO, and the mount lives on',
  { skip: cannotMount },
  async (t) => {
    const path = join(folder, 'cut.raw');
    copyFileSync(imageOf('v2'), path);
    const mount = await TestMount.make({ sources: [{ kind: 'blkoops', path }] });
    writeFileSync(path, readFileSync(path).subarray(0, 8192));
    const seen = await mount.python(`
give([failure(lambda: open(os.path.join(root, 'dmesg-blkoops-%d' % i), 'rb').read()) for i in (1, 2)] + sorted(os.listdir(root)))
`);
    t.same(seen, ['EIO', 'EIO', 'blkoops', 'dmesg-blkoops-0', 'dmesg-blkoops-1', 'dmesg-blkoops-2']);
    const { code, log } = await mount.end();
    t.equal(code, 0);
    t.match(log, /cut\.raw was cut while in use: offset \d+ lies after its end/, 'the log says why');
  },
);

t.test('a server that dies leaves no client hanging', { skip: cannotMount }, async (t) => {
  const mount = await TestMount.make({ sources: [{ kind: 'blkoops', path: imageOf('v1') }] });
  mount.kill();
  // What was asked before it was dead is aborted.
  t.match(await mount.python(`give(failure(lambda: os.stat(root)))`), /^(ENOTCONN|ECONNABORTED)$/);
  t.equal((await mount.end()).code, null);
});
