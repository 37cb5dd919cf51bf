import t from 'tap';
import { mountAt, mountServed, readMounts } from '../../lib/storage/mountinfo.js';

const TEXT = `22 27 0:20 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
41 27 0:39 / /mnt/a\\040b\\134c\\011d\\012e rw,nosuid,nodev,relatime - fuse.pstorefuse /img\\040with\\043space.raw rw,user_id=0,group_id=0
42 41 0:40 / /mnt/x ro,nosuid shared:9 master:3 propagate_from:2 - fuse.pstorefuse pstorefuse ro,user_id=0
43 27 0:41 / /mnt/x rw - tmpfs  rw,size=10k
44 27 0:42 /sub /mnt/y rw - tmpfs none rw
`;

t.test('lines of mountinfo', (t) => {
  const entries = readMounts(TEXT);
  t.same(
    entries.map(({ id, mountPoint, type, source }) => [id, mountPoint, type, source]),
    [
      [22, '/sys', 'sysfs', 'sysfs'],
      [27, '/', 'ext4', '/dev/sda1'],
      [41, '/mnt/a b\\c\td\ne', 'fuse.pstorefuse', '/img with#space.raw'],
      [42, '/mnt/x', 'fuse.pstorefuse', 'pstorefuse'],
      [43, '/mnt/x', 'tmpfs', ''],
      [44, '/mnt/y', 'tmpfs', 'none'],
    ],
  );
  t.ok(entries[3]!.options.includes('ro'), 'an option of the mount');
  t.ok(entries[1]!.options.includes('errors=remount-ro'), 'an option of the file system');
  t.notOk(entries[2]!.options.includes('ro'));
  t.end();
});

t.test('of two mounts on one place the later one is on top', (t) => {
  t.equal(readMounts(TEXT).findLast(({ mountPoint }) => mountPoint === '/mnt/x')?.type, 'tmpfs');
  t.end();
});

t.test('the mount that a server serves', (t) => {
  const line = (minor: number, place: string, source: string, mode = 'rw', type = 'fuse.pstorefuse') =>
    `${minor} 27 0:${minor} / ${place} ${mode},nosuid - ${type} ${source} ${mode},user_id=0\n`;
  const mounts = readMounts(
    line(50, '/a', '/one.raw') +
      line(51, '/b', 'pstorefuse') +
      line(52, '/c', '/two.raw', 'ro') +
      line(53, '/d', '/twice.raw') +
      line(54, '/e', '/twice.raw') +
      line(55, '/f', '/other.raw', 'rw', 'fuse.other'),
  );
  const fuse = (minor: number) => ['pos:\t0\n', `pos:\t0\nino:\t90\nfuse_connection:\t${minor}\n`];
  for (const [image, fdinfos, place] of [
    ['/one.raw', [], '/a'],
    ['/one.raw', ['pos:\t0\nflags:\t02\n'], '/a'],
    ['/some.raw', fuse(51), '/b'],
    ['/twice.raw', fuse(53), '/d'],
    ['/twice.raw', [], undefined],
    ['/two.raw', [], undefined],
    ['/one.raw', fuse(99), undefined],
    ['/other.raw', fuse(55), undefined],
    ['/other.raw', [], undefined],
  ] as const) {
    t.equal(mountServed(image, fdinfos, mounts)?.mountPoint, place, `${image} ${fdinfos.join()}`);
  }
  t.end();
});

t.test('what is no line is passed over', (t) => {
  for (const text of ['', '\n', 'rubbish', '1 2 3:4 / /x rw', '1 2 - x y z', ' - ']) t.same(readMounts(text), [], text);
  t.end();
});

t.test('this machine', (t) => {
  t.equal(mountAt('/')?.mountPoint, '/');
  t.equal(mountAt('/proc')?.type, 'proc');
  t.equal(mountAt('/nothing/is/here'), undefined);
  t.end();
});
