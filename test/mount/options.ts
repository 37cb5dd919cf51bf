import t from 'tap';
import { PstoreError } from '../../lib/errors.js';
import { MOUNT_OPTIONS, type MountOptions, parseBackends, parseMountOptions } from '../../lib/mount/options.js';

const DEFAULTS: MountOptions = {
  readOnly: false,
  layout: 'both',
  backends: null,
  uid: null,
  gid: null,
  umask: null,
  allowOther: false,
  allowRoot: false,
  nonempty: false,
  fsname: null,
  cache: 64 << 20,
  strict: false,
  writesForeign: false,
  joined: false,
  erased: false,
  idleSeconds: null,
  transport: 'auto',
  kernelFlags: [],
  sourceKeys: [],
};

t.test('what options mean', (t) => {
  const cases: [string | string[], Partial<MountOptions>][] = [
    [[], {}],
    ['', {}],
    [',ro,', { readOnly: true }],
    ['ro', { readOnly: true }],
    ['ro,rw', { writesForeign: true }],
    [['ro', 'rw'], { writesForeign: true }],
    ['rw,ro', { readOnly: true }],
    ['layout=both', {}],
    ['layout=flat', { layout: 'flat' }],
    ['layout=flat,layout=subdirs', { layout: 'subdirs' }],
    ['backend=a', { backends: ['a'] }],
    ['backend=a:b', { backends: ['a', 'b'] }],
    ['backend=a:b,all', {}],
    ['backend=all', {}],
    ['uid=0,gid=0', { uid: 0, gid: 0 }],
    ['uid=1000,gid=4294967294', { uid: 1000, gid: 4_294_967_294 }],
    ['umask=022', { umask: 0o022 }],
    ['umask=0', { umask: 0 }],
    ['umask=7777', { umask: 0o777 }],
    ['allow_other', { allowOther: true }],
    ['allow_root', { allowRoot: true }],
    ['nonempty', { nonempty: true }],
    ['fsname=a=b', { fsname: 'a=b' }],
    ['fsname=a,,b', { fsname: 'a,b' }],
    ['cache=1M', { cache: 1 << 20 }],
    ['cache=0', { cache: 0 }],
    ['strict', { strict: true }],
    ['timeout=1', { idleSeconds: 1 }],
    ['transport=dev-fuse', { transport: 'dev-fuse' }],
    ['transport=fuse-native', { transport: 'fuse-native' }],
    ['context=system_u:object_r:tmp_t:s0,ro', { kernelFlags: ['context=system_u:object_r:tmp_t:s0'], readOnly: true }],
    ['nosuid,nodev,noexec,noatime', { kernelFlags: ['nosuid', 'nodev', 'noexec', 'noatime'] }],
    ['kmsg_size=64K', { sourceKeys: [['kmsg_size', '64K']] }],
    ['dmesg_size=64K', { sourceKeys: [['kmsg_size', '64K']] }],
    ['kmsg_size=64K,dmesg_size=64K', { sourceKeys: [['kmsg_size', '64K']] }],
    [
      'salvage,update_ms=100',
      {
        sourceKeys: [
          ['salvage', ''],
          ['update_ms', '100'],
        ],
      },
    ],
    [
      'size=1M,offset=0x1000',
      {
        sourceKeys: [
          ['size', '1M'],
          ['offset', '0x1000'],
        ],
      },
    ],
    // What mount(8) and fstab hand on.
    ['defaults,nofail,_netdev,auto,noauto,user,nouser,users,owner,group,comment=hello', {}],
    ['x-systemd.automount,x-foo=a=b,X-mount.mkdir=0755,user=fred,nosymfollow,mand,iversion', {}],
  ];
  for (const [given, expected] of cases) {
    t.same(parseMountOptions([given].flat()), { ...DEFAULTS, ...expected }, JSON.stringify(given));
  }
  t.end();
});

t.test('what is refused', (t) => {
  const cases: [string, RegExp][] = [
    ['foo', /there is no option foo/],
    ['foo=1', /there is no option foo/],
    ['ro,foo', /there is no option foo; man pstorefuse lists them$/],
    ['alow_other', /there is no option alow_other; did you mean allow_other\?$/],
    ['recordsize=64K', /there is no option recordsize; did you mean record_size\?$/],
    ['xattr', /there is no option xattr/],
    ['toString', /there is no option toString/],
    ['__proto__=1', /there is no option __proto__/],
    ['remount', /cannot be remounted/],
    ['layout', /-o layout: a value is missing/],
    ['layout=', /a value is missing/],
    ['layout=tree', /layout=tree: known are both, flat, subdirs/],
    ['transport=x', /transport=x: known are auto, dev-fuse, fuse-native/],
    ['ro=1', /the option ro takes no value/],
    ['ro=', /the option ro takes no value/],
    ['nosuid=yes', /the option nosuid takes no value/],
    ['uid=root', /uid=root: give the number, not a name; "id -u root" shows it$/],
    ['gid=adm', /gid=adm: give the number, not a name; "getent group adm" shows it$/],
    ['gid=1x', /gid=1x: give a whole number/],
    ['uid=-1', /uid=-1/],
    ['uid=4294967295', /uid=4294967295/],
    ['umask=8', /umask=8: give an octal number/],
    ['umask=00777', /umask=00777/],
    ['cache=lots', /cache=lots: give a number of bytes/],
    ['timeout=0', /timeout=0: give a whole number from 1/],
    ['timeout=1.5', /timeout=1\.5/],
    ['kmsg_size=64K,kmsg_size=32K', /the key kmsg_size is given twice/],
    ['kmsg_size=64K,dmesg_size=32K', /the key dmesg_size is given twice/],
  ];
  for (const [given, said] of cases) {
    try {
      parseMountOptions([given]);
      t.fail(given);
    } catch (error) {
      t.ok(error instanceof PstoreError && error.code === 'EINVAL', given);
      t.match((error as Error).message, said, given);
      t.notMatch((error as Error).message, /\n/);
    }
  }
  t.throws(() => parseMountOptions(['kmsg_size=64K', 'kmsg_size=32K']), /given twice/, 'in two -o as well');
  t.end();
});

t.test('names of backends', (t) => {
  t.same(parseBackends('a,b', ','), ['a', 'b']);
  t.same(parseBackends('a:b', ':'), ['a', 'b']);
  t.same(parseBackends('all', ','), null);
  t.same(parseBackends('a', ','), ['a']);
  t.end();
});

t.test('every option of the specification is known', (t) => {
  const own = ['ro', 'rw', 'layout', 'backend', 'all', 'uid', 'gid', 'umask', 'allow_other', 'allow_root', 'nonempty'];
  for (const name of [...own, 'fsname', 'cache', 'strict', 'timeout']) t.ok(MOUNT_OPTIONS.includes(name), name);
  const taken = 'default_permissions,nosuid,nodev,noexec,noatime,auto_unmount';
  t.doesNotThrow(() => parseMountOptions([taken]));
  t.end();
});
