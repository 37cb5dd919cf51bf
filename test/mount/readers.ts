// The contract with the programs that already read /sys/fs/pstore: the real ones where Debian has them.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { goldenBytes, goldenCases, withoutSymbols } from '../golden.js';
import { imageFile, mounted, names, pstorefuse, run, scratchFolder, shell, TRANSPORTS } from '../mounted.js';

const SYSTEMD_PSTORE = ['/usr/lib/systemd/systemd-pstore', '/lib/systemd/systemd-pstore'].find(existsSync);
const S3 = goldenCases('zone').find(({ folder }) => folder === 's3')!;
/** Device numbers and file types as one read of a directory gives them, without stat. */
const D_TYPES = `
import os, sys
for entry in sorted(os.scandir(sys.argv[1]), key=lambda e: e.name):
    print(entry.name, 'DIR' if entry.is_dir(follow_symlinks=False) else 'REG' if entry.is_file(follow_symlinks=False) else '?')
`;
const ONE_READ = `
import os, sys
for name in sys.argv[1:]:
    fd = os.open(name, os.O_RDONLY)
    size = os.fstat(fd).st_size
    data = os.read(fd, size + 4096)
    print(os.path.basename(name), size, len(data))
`;

for (const transport of TRANSPORTS) {
  const by = ['--transport', transport];

  t.test(
    `systemd-pstore empties a mount into its archive (${transport})`,
    { skip: !SYSTEMD_PSTORE && 'systemd is not installed' },
    (t) => {
      const folder = scratchFolder(t);
      const image = imageFile(folder, 's3');
      const mountPoint = mounted(t, [image], by);
      const archive = join(folder, 'archive');
      // systemd 252 knows /sys/fs/pstore only: the mount is bound there, where nobody else sees it.
      const script = `mkdir '${archive}' && mount --bind '${mountPoint}' /sys/fs/pstore &&
      mkdir -p /var/lib/systemd/pstore && mount --bind '${archive}' /var/lib/systemd/pstore && '${SYSTEMD_PSTORE}'`;
      const { status, stderr } = run('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script]);
      t.equal(status, 0, `systemd-pstore ends well: ${stderr}`);
      // Its own addition: the parts of dmesg, joined.
      const archived = readdirSync(archive).filter((name) => name !== 'dmesg.txt');
      t.same(archived.sort(), S3.files.map(({ name }) => name).sort(), 'all records are in the archive');
      for (const { name } of S3.files) {
        const got = readFileSync(join(archive, name));
        const expected = goldenBytes('s3', name);
        if (name.startsWith('ftrace')) t.equal(withoutSymbols(got), withoutSymbols(expected), name);
        else t.ok(got.equals(expected), `${name} is byte-identical`);
      }
      t.same(names(mountPoint), ['pstore_blk'], 'no record is left in the mount');
      t.equal(pstorefuse('umount', mountPoint).status, 0);
      t.equal(pstorefuse('ls', image).stdout, '', 'the image holds no live record');
      t.end();
    },
  );

  t.test(`find, grep, cp, tar and rsync (${transport})`, (t) => {
    const folder = scratchFolder(t);
    const mountPoint = mounted(t, [imageFile(folder, 's3')], by);
    const found = shell(`find '${mountPoint}' -type f -links 2 | wc -l`);
    t.equal(found.trim(), String(2 * S3.files.length), 'find: each record twice, with two links');
    const hits = shell(`grep -rl 'pmsg line 1 of 30' '${mountPoint}'`).trim().split('\n');
    t.equal(hits.length, 2, 'grep -r: the pmsg file under both names');
    const sums = (where: string) =>
      S3.files.map(({ name }) =>
        createHash('sha256')
          .update(readFileSync(join(where, name)))
          .digest('hex'),
      );
    shell(`cp -a '${mountPoint}' '${folder}/cp' && mkdir '${folder}/tar' '${folder}/rsync'`);
    shell(`tar -C '${mountPoint}' -cf - . | tar -C '${folder}/tar' -xf -`);
    shell(`rsync -aH '${mountPoint}/' '${folder}/rsync/'`);
    for (const copy of ['cp', 'tar', 'rsync']) {
      const where = join(folder, copy);
      t.same(sums(where), sums(join(where, 'pstore_blk')), `${copy}: both names have the same bytes`);
      for (const { name, mtime_sec } of S3.files) {
        const root = statSync(join(where, name));
        t.equal(
          root.ino,
          statSync(join(where, 'pstore_blk', name)).ino,
          `${copy}: ${name} is still one inode with two names`,
        );
        if (name.startsWith('dmesg'))
          t.equal(Math.floor(root.mtimeMs / 1000), mtime_sec, `${copy}: ${name} keeps its time`);
      }
      t.ok(
        readFileSync(join(where, 'dmesg-pstore_blk-0')).equals(goldenBytes('s3', 'dmesg-pstore_blk-0')),
        `${copy}: bytes`,
      );
    }
    t.end();
  });

  t.test(`a reader that trusts d_type, and one that makes exactly one read() (${transport})`, (t) => {
    const mountPoint = mounted(t, [imageFile(scratchFolder(t), 's3')], by);
    const types = run('python3', ['-c', D_TYPES, mountPoint]).stdout.trim().split('\n');
    t.same(types, [...S3.files.map(({ name }) => `${name} REG`), 'pstore_blk DIR'].sort());
    const paths = S3.files.map(({ name }) => join(mountPoint, name));
    for (const line of run('python3', ['-c', ONE_READ, ...paths])
      .stdout.trim()
      .split('\n')) {
      const [name, size, got] = line.split(' ');
      t.equal(got, size, `${name}: one read gives the whole file`);
    }
    t.end();
  });

  t.test(`kdumpst's loop ends in layout flat (${transport})`, (t) => {
    const mountPoint = mounted(t, [imageFile(scratchFolder(t), 'r1')], [...by, '-o', 'layout=flat']);
    // It removes what has ramoops in its name until find has nothing left: a directory of that name would never go.
    const rounds = shell(`n=0; while [ -n "$(find '${mountPoint}' -name '*ramoops*')" ] && [ $n -lt 5 ]; do
      find '${mountPoint}' -name '*ramoops*' -exec rm -f {} +; n=$((n + 1)); done; echo $n`);
    t.equal(rounds.trim(), '1');
    t.same(names(mountPoint), []);
    t.end();
  });

  t.test(`rasdaemon's, abrt's, ChromeOS's and Android's rules (${transport})`, (t) => {
    const folder = scratchFolder(t);
    const mountPoint = mounted(t, [imageFile(folder, 'r1'), imageFile(folder, 's3')], by);
    t.ok(
      names(join(mountPoint, 'pstore_blk')).every((name) => name.includes('-pstore_blk-')),
      'rasdaemon: a directory a backend',
    );
    const device = (path: string) => shell(`stat -c %d '${path}'`).trim();
    t.not(device(mountPoint), device(folder), 'ChromeOS: a device number of its own');
    for (const id of [0, 1, 2]) {
      const first = shell(`head -n 1 '${mountPoint}/dmesg-ramoops-${id}'`);
      t.match(first, /^(Panic|Oops)#[0-9]+ Part[0-9]+\n$/, 'abrt, ChromeOS: reason, count and part in the first line');
    }
    t.match(
      shell(`file='${mountPoint}/console-ramoops-0'; [ -f "$file" ] && tail -c 1 "$file" | od -An -c`),
      /\\n/,
      'a final newline',
    );
    t.equal(shell(`tail -c +11 '${mountPoint}/pmsg-ramoops-0' | head -c 5`).length, 5, 'Android: lseek in pmsg');
    t.end();
  });
}
