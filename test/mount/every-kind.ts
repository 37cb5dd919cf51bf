// One source of every kind at once in one tree: walked, read and erased end to end.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { buildFadump } from '../builders/fadump.js';
import { secondTextImage } from '../builders/mtdoops.js';
import { dumpBytes, SYSDUMP } from '../builders/platform-dump.js';
import { goldenImage } from '../fixture-path.js';
import { goldenBytes, goldenCases } from '../golden.js';
import { imageFile, mounted, names, pstorefuse, run, scratchFolder, shell, TRANSPORTS } from '../mounted.js';

const VIEWS = Object.fromEntries(goldenCases('zone', 'rfc5', 'ramoops').map((golden) => [golden.folder, golden.files]));

/** Looks at all files and opens them, removes one, and looks at them by their names and by a new listing. */
const GONE_TOGETHER = `
import os, sys
def listed(): return [os.path.join(at, name) for at, _, files in os.walk(".") for name in files]
def look(path):
    try: return os.stat(path).st_size, open(path, "rb").read()
    except FileNotFoundError: return None
before = {path: (os.open(path, os.O_RDONLY), look(path)) for path in listed()}
os.unlink(sys.argv[1])
by_name = {path: look(path) for path in before}
now = listed()
for path, (fd, seen) in before.items():
    if (path in now) != (by_name[path] is not None): print("stale:", path)
    if path in now and look(path) != by_name[path]: print("other bytes:", path)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    # libfuse takes a new dump of the same name for the old one.
    if path in now and sys.argv[2] == "fuse-native": continue
    if os.pread(fd, 1 << 20, 0) != seen[1]: print("not read on:", path)
print("as it is")
`;

for (const transport of TRANSPORTS) {
  t.test(`nine kinds in one tree (${transport})`, (t) => {
    const folder = scratchFolder(t);
    const vmcore = join(folder, 'vmcore');
    writeFileSync(vmcore, goldenImage('vmcoredd-1', 'vmcore-head.raw'));
    const fadump = join(folder, 'fadump.bin');
    writeFileSync(fadump, buildFadump({ endian: 'big', layout: 'new' }));
    const dumps = join(folder, 'dumps');
    mkdirSync(dumps);
    const dump = dumpBytes({ name: SYSDUMP, sections: [3000n], data: 5000 });
    writeFileSync(join(dumps, 'saved'), dump);
    const images = Object.fromEntries(
      ['v1', 's3', 'r2', 'mtdoops-1', 'efi-rec4096', 'erst-oops3'].map((golden) => [golden, imageFile(folder, golden)]),
    );
    const sources = [
      images.v1!,
      images.s3!,
      images.r2!,
      images['mtdoops-1']!,
      images['efi-rec4096']!,
      images['erst-oops3']!,
      vmcore,
      fadump,
      `platform-dump:${dumps}`,
    ];
    const mountPoint = mounted(t, sources, ['--transport', transport]);

    const labels = [
      'blkoops',
      'efi_pstore',
      'erst',
      'fadump',
      'mtdoops',
      'platform-dump',
      'pstore_blk',
      'ramoops',
      'vmcoredd',
    ];
    const linked = VIEWS.v1!.map(({ name }) => name);
    t.same(names(mountPoint), [...labels, ...linked].sort(), 'a directory each, the first one linked into the root');
    t.same(names(join(mountPoint, 'pstore_blk')), VIEWS.s3!.map(({ name }) => name).sort());
    t.same(names(join(mountPoint, 'ramoops')), VIEWS.r2!.map(({ name }) => name).sort());
    t.same(names(join(mountPoint, 'mtdoops')), ['dmesg-mtdoops-0', 'dmesg-mtdoops-1', 'dmesg-mtdoops-2']);
    t.equal(names(join(mountPoint, 'efi_pstore')).length, 8);
    t.equal(names(join(mountPoint, 'erst')).length, 7);
    t.equal(names(join(mountPoint, 'vmcoredd')).length, 7);
    t.same(names(join(mountPoint, 'fadump')), ['header-fadump-0', 'raw-fadump-0', 'regs-fadump-0']);
    t.same(names(join(mountPoint, 'platform-dump')), [SYSDUMP]);

    // One walk over everything, read to the end.
    shell(`cp -r '${mountPoint}' '${folder}/copy'`);
    for (const { name } of VIEWS.v1!)
      t.ok(readFileSync(join(folder, 'copy', name)).equals(goldenBytes('v1', name)), name);
    for (const { name } of VIEWS.r2!) {
      t.ok(readFileSync(join(folder, 'copy', 'ramoops', name)).equals(goldenBytes('r2', name)), name);
    }
    t.ok(readFileSync(join(folder, 'copy', 'platform-dump', SYSDUMP)).equals(dump), 'the platform dump');
    t.equal(readdirSync(join(folder, 'copy', 'vmcoredd')).length, 7);

    const removed = run('sh', ['-c', `rm -rf '${mountPoint}'/* 2>&1`]).stdout;
    t.match(removed, /vmcoredd/, 'rm says what stays');
    t.same(names(mountPoint), labels, 'the directories stay');
    for (const label of labels.filter((name) => name !== 'vmcoredd'))
      t.same(names(join(mountPoint, label)), [], `${label} is empty`);
    t.equal(names(join(mountPoint, 'vmcoredd')).length, 7, 'device dumps cannot be erased');
    t.equal(pstorefuse('umount', mountPoint).status, 0);

    for (const image of Object.values(images))
      t.equal(pstorefuse('ls', image).stdout, '', `${image} holds no live record`);
    t.same(readdirSync(dumps), [], 'the platform dump is gone');
    t.ok(readFileSync(vmcore).equals(goldenImage('vmcoredd-1', 'vmcore-head.raw')), 'the vmcore is as it was');
    t.end();
  });

  for (const layout of ['both', 'flat', 'subdirs']) {
    t.test(`what is gone or other with a record that is erased, is so at once (${transport}, ${layout})`, (t) => {
      const folder = scratchFolder(t);
      const fadump = join(folder, 'fadump.bin');
      writeFileSync(fadump, buildFadump({ endian: 'big', layout: 'new' }));
      const phone = join(folder, 'phone.raw');
      writeFileSync(phone, secondTextImage());
      const efi = imageFile(folder, 'efi-oops3');
      const options = ['--transport', transport, '-o', `layout=${layout},joined`];
      for (const [source, label, name] of [
        [fadump, 'fadump', 'header-fadump-0'],
        [phone, 'mtdoops', 'dmesg-mtdoops-3'],
        [efi, 'efi_pstore', 'dmesg-efi_pstore-164099521610003'],
      ] as const) {
        const mountPoint = mounted(t, [source], options);
        const path = layout === 'subdirs' ? join(label, name) : name;
        t.equal(
          shell(`cd '${mountPoint}' && python3 -c '${GONE_TOGETHER}' '${path}' ${transport}`),
          'as it is\n',
          name,
        );
        t.equal(pstorefuse('umount', mountPoint).status, 0);
      }
      t.end();
    });
  }
}
