// Every bad input is answered with one clear sentence on standard error, and changes no byte of any image.

import { createHash } from 'node:crypto';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { goldenImage, ROOT } from '../fixture-path.js';
import { call, type Ended, eachOf, PROGRAM, pstorefuseBeside, shell } from '../mounted.js';

const folder = mkdtempSync(join(tmpdir(), 'pstorefuse-bad-'));
chmodSync(folder, 0o755);
process.chdir(folder);

const S1 = goldenImage('s1');
const V1 = goldenImage('v1');
const FILES: Record<string, Uint8Array> = {
  's1.raw': S1,
  'v1.raw': V1,
  empty: new Uint8Array(0),
  'small-s1': S1.subarray(0, 2000),
  'small-v1': V1.subarray(0, 4095),
  'uneven-s1': S1.subarray(0, 70_000),
  'uneven-v1': V1.subarray(0, 70_000),
  zeros: new Uint8Array(1 << 20),
  text: Buffer.from('no image, but a text\n'.repeat(1000)),
  'cut.gz': readFileSync(new URL(import.meta.url)).subarray(0, 100),
  packed: gzipSync(V1),
  'image.xz': Buffer.concat([Buffer.from('fd377a585a00', 'hex'), gzipSync(V1)]),
  'image.zst': Buffer.concat([Buffer.from('28b52ffd', 'hex'), gzipSync(V1)]),
  'two\nlines': V1.subarray(0, 4000),
};
for (const [name, bytes] of Object.entries(FILES)) writeFileSync(name, bytes);
for (const name of ['mnt', 'full', 'folder', 'holds']) mkdirSync(name);
writeFileSync('full/file', '');
writeFileSync('holds/v1.raw', V1);
symlinkSync('s1.raw', 'link');
linkSync('s1.raw', 'hard');
symlinkSync('loop', 'loop');
shell('mkfifo fifo');
const server = createServer();
await new Promise<void>((resolve) => server.listen('socket', resolve));
t.teardown(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

/** All bytes that stand in the folder. */
function fingerprint(): string {
  const hash = createHash('sha256');
  for (const entry of readdirSync('.', { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    hash.update(`${path} ${entry.isFile() ? statSync(path).size : ''}\n`);
    if (entry.isFile()) hash.update(readFileSync(path));
  }
  return hash.digest('hex');
}

const before = fingerprint();

/** One sentence of ours, one line, that says what it is about. */
function complains(t: Test, ended: Ended, status: number, said: RegExp, names: string): void {
  t.equal(ended.status, status, `exit status; ${ended.stderr}`);
  t.match(ended.stderr, said);
  t.match(ended.stderr, /^pstorefuse: [^\n]+\n$/, 'one line with our name in front');
  t.ok(ended.stderr.includes(names), `names ${names}`);
  t.equal(ended.stdout, '', 'nothing on standard output');
}

const LOCKED = /is being written by another process/;

type Case = [args: string, status: number, said: RegExp, names?: string];

async function table(t: Test, cases: readonly Case[]): Promise<void> {
  await eachOf(cases, async ([line, status, said, names]) => {
    const args = line.split(' ').filter((word) => word !== '');
    let ended = await pstorefuseBeside(args);
    // Another case may hold the lock of the same image just now.
    for (let tries = 0; tries < 20 && LOCKED.test(ended.stderr) && !said.test(ended.stderr); tries++) {
      ended = await pstorefuseBeside(args);
    }
    t.test(line, (t) => {
      complains(t, ended, status, said, names ?? args[1] ?? '');
      t.end();
    });
  });
}

t.test('images', (t) =>
  table(t, [
    ['ls nothing', 66, /there is no such file/],
    ['ls s1.raw/x', 66, /there is no such file/],
    ['ls folder', 66, /is a directory, not an image/],
    ['ls empty', 65, /the file is empty/],
    ['ls small-s1', 65, /too few bytes.*\(2000\)/],
    ['ls pstore_blk:small-s1,kmsg_size=512', 65, /too few bytes.*\(2000\)/, 'small-s1'],
    ['ls small-v1', 65, /too few bytes.*\(4095\)/],
    ['ls blkoops:small-v1,kmsg_size=512', 65, /too few bytes.*\(4095\)/, 'small-v1'],
    ['ls uneven-s1', 65, /70000 bytes are not a multiple of 4096.*pstorefuse scan/],
    ['ls uneven-v1', 65, /70000 bytes are not a multiple of 4096/],
    ['ls zeros', 65, /no signature/],
    ['ls text', 65, /text is a text: pstorefuse explain tells/],
    ['ls pstore_blk:zeros', 65, /no zone signature.*kmsg_size=/, 'zeros'],
    ['ls cut.gz', 65, /too few bytes.*\(100\)/],
    ['ls socket', 66, /is a socket/],
    ['ls /dev/null', 66, /is a character device/],
    ['rm fifo x', 77, /is a pipe and can only be read/],
    ['format fifo --size 1M --kmsg-size 64K', 66, /is a FIFO/],
    ['format /dev/null --size 1M --kmsg-size 64K --force', 66, /is a character device/],
    ['ls ramoops:v1.raw', 65, /; it looks like blkoops: take blkoops:v1\.raw$/m, 'v1.raw'],
    ['rm pstore_blk:v1.raw,kmsg_size=64K x', 65, /; it looks like blkoops: take blkoops:v1\.raw$/m, 'v1.raw'],
    ['ls v1.raw --backend ramoops', 66, /none of the sources is of ramoops: v1\.raw is of blkoops$/m],
    ['v1.raw mnt -o backend=ramoops', 66, /none of the sources is of ramoops: v1\.raw is of blkoops$/m, 'v1.raw'],
    ['ls platform-dump:s1.raw', 66, /s1\.raw is no folder/, 's1.raw'],
    ['explain s1.raw/x', 66, /there is no such file: s1\.raw is a file, not a folder/],
    ['archive s1.raw v1.raw', 73, /v1\.raw is a file; give the folder of the archive after the sources$/m, 'v1.raw'],
    ['archive --layout systemd s1.raw v1.raw', 73, /v1\.raw is a file; give the folder/, 'v1.raw'],
    ['archive --dry-run s1.raw v1.raw', 73, /v1\.raw is a file; give the folder/, 'v1.raw'],
    ['verify s1.raw', 66, /s1\.raw is a file; give the folder that archive wrote/],
    ['verify nothing', 66, /nothing: there is no such file/],
    ['ls ./s1.raw/', 66, /there is no such file: \.\/s1\.raw is a file, not a folder/],
    [
      'rm pstore_blk:packed,kmsg_size=4K x',
      77,
      /packed is compressed and can only be read; unpack it first \(gunzip\)$/m,
      'packed',
    ],
    ['ls image.xz', 65, /image\.xz is damaged: its xz data cannot be unpacked/],
    ['ls image.zst', 65, /image\.zst is damaged: its zstd data cannot be unpacked/],
    ['ls s1.raw link', 64, /are the same file; give it once/, 'link'],
    ['ls s1.raw hard', 64, /are the same file/, 'hard'],
  ]),
);

t.test('keys and sizes', (t) =>
  table(t, [
    ['ls s1.raw,foo=1', 64, /unknown key "foo"/],
    ['ls s1.raw,kmsg_size=64K,kmsg_size=64K', 64, /given twice/],
    ['ls s1.raw,kmsg_size=64K,dmesg_size=64K', 64, /given twice/],
    ['ls s1.raw,recordsize=64K', 64, /unknown key "recordsize"; did you mean record_size\?$/m],
    ['ls rom:s1.raw', 64, /unknown backend "rom"; known are pstore_blk, blkoops, ramoops/],
    ['ls ramops:s1.raw', 64, /unknown backend "ramops"; did you mean ramoops\?$/m],
    ['ls --backend ram s1.raw', 64, /unknown backend "ram"; did you mean ramoops\?$/m, 'ram'],
    ['ls s1.raw,kmsg_size=1000', 64, /kmsg_size=1000 is not a multiple of 512/, 's1.raw'],
    ['ls s1.raw,kmsg_size=64', 64, /did you mean kmsg_size=64K/, 's1.raw'],
    ['ls s1.raw,kmsg_size=1M', 64, /larger than the image/, 's1.raw'],
    ['ls s1.raw,kmsg_size=64K,pmsg_size=512K', 64, /s1\.raw/, 's1.raw'],
    ['ls s1.raw,kmsg_size=-4096', 64, /give a number of bytes/, 's1.raw'],
    ['ls s1.raw,cpus=0', 64, /cpus=0/, 's1.raw'],
    ['ls s1.raw,offset=1M', 64, /offset=1048576 lies after its end/, 's1.raw'],
    ['ls s1.raw,kmsg_size=128K --strict', 64, /zones of 64 KiB fit this image/, 's1.raw'],
    ['ls s1.raw -o foo', 64, /there is no option foo; man pstorefuse lists them/, 'foo'],
    ['s1.raw mnt -o remount,ro', 64, /-o remount: .* cannot be remounted; umount it, and mount it again/, 'remount'],
    ['ls s1.raw -o kmgs_size=64K', 64, /there is no option kmgs_size; did you mean kmsg_size\?$/m, 'kmgs_size'],
    ['ls s1.raw -o kmsg_size=64K,kmsg_size=32K', 64, /given twice/, 'kmsg_size'],
  ]),
);

t.test('arguments', (t) =>
  table(t, [
    ['', 64, /a command or a source is missing/, '--help'],
    ['nothing', 64, /nothing is neither a command nor a file/, 'nothing'],
    ['s1.raw', 64, /s1\.raw is taken for a source, and the mount point after it is missing/, 's1.raw'],
    ['ls s1.raw --json=yes', 64, /--json=yes: the option --json takes no value$/m, '--json=yes'],
    ['ls s1.raw --strict=1', 64, /--strict=1: the option --strict takes no value$/m, '--strict=1'],
    ['s1.raw mnt --salvage=', 64, /--salvage=: the option --salvage takes no value$/m, '--salvage='],
    ['-o ro ls s1.raw', 64, /the command ls stands before its options: pstorefuse ls /, 'pstorefuse ls'],
    ['lss s1.raw', 64, /lss is neither a command nor a file; did you mean ls\?$/m, 'lss'],
    ['catt s1.raw dmesg-pstore_blk-0', 64, /catt is neither a command nor a file; did you mean cat\?$/m, 'catt'],
    ['mont s1.raw mnt', 64, /mont is neither a command nor a file; did you mean mount\?$/m, 'mont'],
    ['ls', 64, /not enough arguments.*pstorefuse ls <source..>/, 'ls'],
    ['cat s1.raw', 64, /give names of records, or --all; pstorefuse ls shows them/],
    ['cat --erased s1.raw', 64, /give names of records, or --all; pstorefuse ls --erased shows them/],
    ['ls --foo s1.raw', 64, /there is no option --foo; pstorefuse ls --help lists them/, '--foo'],
    ['ls -la s1.raw', 64, /there is no option -a; pstorefuse ls --help lists them/, '-a'],
    ['ls -json s1.raw', 64, /there is no option -json; did you mean --json\?$/m, '-json'],
    ['ls -n s1.raw', 64, /not enough arguments \(0 of 1\): s1\.raw is taken for the value of -n; it goes/, '-n'],
    ['ls -o s1.raw', 64, /not enough arguments \(0 of 1\): s1\.raw is taken for the value of -o; it goes/, '-o'],
    ['format --size 1M', 64, /not enough arguments \(0 of 1\); it goes/, 'format'],
    ['rm -i s1.raw', 64, /not enough arguments \(1 of 2\); it goes: pstorefuse rm/, 'rm'],
    ['ls s1.raw --jsn', 64, /there is no option --jsn; did you mean --json\?$/m, '--jsn'],
    ['format new.raw --siz 1M', 64, /there is no option --siz; did you mean --size\?$/m, '--siz'],
    ['format new.raw --kmsg=1K', 64, /there is no option --kmsg; did you mean --kmsg-size\?$/m, '--kmsg'],
    ['repair s1.raw -x', 64, /there is no option -x; pstorefuse repair --help lists them/, '-x'],
    ['s1.raw mnt --foregroun', 64, /there is no option --foregroun; did you mean --foreground\?$/m, '--foregroun'],
    ['rm --all s1.raw', 64, /there is no option --all; pstorefuse rm --help lists them/, '--all'],
    ['overlay status text', 65, /text is no overlay .*give the file that overlay=FILE made/, 'text'],
    ['overlay show x', 64, /overlay show: known are status, diff, commit, discard/, 'show'],
    ['ls s1.raw -o', 64, /a value is missing after -o/, '-o'],
    ['umount a b', 64, /there is no place for b/, 'b'],
    ['cat s1.raw dmesg-pstore_blk-9', 66, /there is no record dmesg-pstore_blk-9; did you mean dmesg-pstore_blk-0, /],
    ['cat s1.raw xyz', 66, /there is no record xyz; pstorefuse ls shows what there is/],
    ['ls --json --ndjson s1.raw', 64, /give one of --json, --ndjson$/m, '--json'],
    ['export --text --ndjson s1.raw', 64, /give one of --ndjson, --journal, --text$/m, '--text'],
    ['LS s1.raw', 64, /LS is neither a command nor a file; did you mean ls\?$/m, 'LS'],
    ['ls -n -5 s1.raw', 64, /-n -5: give a whole number/, '-n'],
    ['cat s1.raw ../v1.raw', 66, /there is no record/],
    ['rm s1.raw dmesg-pstore_blk-9', 66, /there is no record/],
    ['rm s1.raw,ro dmesg-pstore_blk-0', 77, /the key ro is given, so nothing is written/, 's1.raw'],
    ['rm s1.raw dmesg-pstore_blk-0 -o ro', 77, /the key ro is given, so nothing is written/],
    ['record s1.raw', 64, /give --reason/, '--reason'],
    ['record s1.raw --reason bang', 64, /--reason bang: known are oops, panic/, 'bang'],
    ['record s1.raw --reason oops --compress foo', 64, /--compress foo: known are deflate/, 'foo'],
    ['record s1.raw --reason oops --time yesterday', 64, /--time yesterday: give an ISO time/, 'yesterday'],
    ['record s1.raw --reason oops --time 2024-02-30T00:00:00Z', 64, /--time 2024-02-30T00:00:00Z: give/, '2024'],
    ['record s1.raw --type x', 64, /--type x: known are dmesg/, '--type'],
    ['record s1.raw --type pmsg --reason oops', 64, /--reason goes with --type dmesg only/, '--reason'],
    ['record folder --reason oops', 66, /is a directory/],
    ['format s1.raw', 73, /is there and not blank; take --force/],
    ['format s1.raw --size 4M', 73, /not blank/],
    ['format s1.raw --force --size 4M --kmsg-size 1000', 64, /not a multiple of 512/],
    ['format s1.raw --force --size 5000 --kmsg-size 512', 64, /multiple of 4096/],
    ['format new.raw', 64, /does not exist: give its --size/],
    ['format new.raw --size 1M', 64, /new\.raw/],
    ['format ramoops:new.raw --size 1M', 64, /say --backend ramoops new\.raw; .* say \.\/ramoops:new\.raw$/m],
    ['format efi:new.fd --size 1M --kmsg-size 64K', 64, /no image of efi can be made, only of pstore_blk/],
    ['format new.raw --size 1M --backend vmcoredd', 64, /--backend vmcoredd: known are pstore_blk/, 'vmcoredd'],
    ['format new.raw --size 1M --kmsg-size 64K --ecc 16', 64, /has no key ecc/, 'ecc'],
    ['format new.raw --size 1M --kmsg-size 64K --dmesg-size 64K', 64, /given twice/, 'dmesg_size'],
    ['format nowhere/new.raw --size 1M --kmsg-size 64K', 73, /new\.raw cannot be made: its folder does not exist$/m],
    ['vmcoredd-add s1.raw', 64, /give --name and --output/, '--name'],
    ['vmcoredd-add s1.raw --name x', 64, /give --name and --output/, '--output'],
    ['umount mnt', 64, /mnt is not mounted/],
    ['umount /proc', 64, /mounted, but not by pstorefuse \(proc\)/],
  ]),
);

t.test('mount points', (t) =>
  table(t, [
    ['v1.raw nothing', 66, /the mount point nothing does not exist; make it first/, 'nothing'],
    ['v1.raw s1.raw', 73, /the mount point s1\.raw is not a directory/, 's1.raw'],
    ['v1.raw full', 73, /the mount point full is not empty/, 'full'],
    [
      'v1.raw s1.raw/x',
      73,
      /the mount point s1\.raw\/x cannot be used: a part of the path is no directory$/m,
      's1.raw',
    ],
    [`v1.raw ${'x'.repeat(256)}`, 64, /cannot be used: the name is too long$/m, 'xxx'],
    ['holds/v1.raw holds', 73, /the mount point holds holds the image .*holds\/v1\.raw/, 'holds'],
    ['nothing.raw mnt', 66, /there is no such file/, 'nothing.raw'],
    ['zeros mnt', 65, /no signature/, 'zeros'],
    ['- mnt', 64, /a mount has no standard input: copy it into a file first, and mount that$/m, 'standard input'],
    ['mount pstore_blk:-,ro v1.raw mnt', 64, /a mount has no standard input/, 'standard input'],
    ['s1.raw link mnt', 64, /are the same file/, 'link'],
    ['v1.raw mnt -o foo', 64, /there is no option foo/, 'foo'],
    ['v1.raw mnt -o uid=root', 64, /uid=root: give the number, not a name; "id -u root" shows it/, 'uid'],
    ['v1.raw mnt -o gid=adm', 64, /gid=adm: give the number, not a name; "getent group adm" shows it/, 'gid'],
    ['v1.raw mnt --transport x', 64, /transport=x: known are auto, dev-fuse, fuse-native/, 'transport'],
    ['nothing.raw v1.raw mnt --strict', 66, /there is no such file/, 'nothing.raw'],
  ]),
);

t.test('an empty value is said to be one', async (t) => {
  for (const [command, option] of [
    ['report s1.raw', 'output'],
    ['ls s1.raw', 'type'],
    ['explain s1.raw', 'vmlinux'],
    ['export', 'files-from'],
    ['format new.raw', 'size'],
    ['rm s1.raw dmesg-pstore_blk-0', 'backend'],
  ] as const) {
    const ended = await pstorefuseBeside([...command.split(' '), `--${option}`, '']);
    complains(t, ended, 64, /the value that is given for [a-z-]+ is empty/, option);
  }
  complains(t, await pstorefuseBeside(['report', 's1.raw', '--output']), 64, /missing after --output; /, 'report');
});

t.test('an empty name is said to be one', async (t) => {
  for (const command of ['cat', 'rm', 'explain']) {
    const ended = await pstorefuseBeside([command, 's1.raw', '']);
    complains(t, ended, 64, /s1\.raw: the name of a record is empty; pstorefuse ls shows the names/, 's1.raw');
  }
});

t.test('a name with a newline does not make two lines of it', async (t) => {
  const ended = await pstorefuseBeside(['ls', 'two\nlines']);
  complains(t, ended, 65, /two\\x0alines: too few bytes.*\(4000\)/, 'two');
});

t.test('no permission', async (t) => {
  const skip = process.getuid!() !== 0 && 'only root can become another user';
  for (const [args, said] of [
    ['ls shut.raw', /shut\.raw cannot be opened: permission denied/],
    ['rm open.raw dmesg-blkoops-0', /open\.raw cannot be opened for writing: permission denied/],
    ['ls shut/v1.raw', /shut\/v1\.raw cannot be looked at: permission denied/],
    ['format shut/new.raw --size 1M --kmsg-size 64K', /shut\/new\.raw/],
  ] as const) {
    const ended = skip ? undefined : await asNobody(args);
    t.test(args, { skip }, (t) => {
      complains(t, ended!, 77, said, args.split(' ')[1]!);
      t.end();
    });
  }
});

t.test('what cannot be made has one status, whatever keeps it from being made', async (t) => {
  const skip = process.getuid!() !== 0 && 'only root can become another user';
  for (const args of [
    'archive open.raw archive',
    'archive open.raw .',
    'archive --layout systemd open.raw .',
    'report open.raw -o new.html',
    'format new.raw --size 1M --kmsg-size 64K',
    'rm open.raw,overlay=new.ovl dmesg-blkoops-0',
  ]) {
    const ended = skip ? undefined : await asNobody(args);
    t.test(args, { skip }, async (t) => {
      t.match(ended, { status: 73, stdout: '' });
      for (const line of ended!.stderr.trimEnd().split('\n')) t.match(line, /cannot be made: permission denied$/);
    });
  }
  complains(t, await pstorefuseBeside(['rm', 's1.raw,overlay=no/x', 'y']), 73, /its folder does not exist/, 'no/x');
  complains(t, await pstorefuseBeside(['report', 's1.raw', '-o', 'no/x']), 73, /its folder does not exist/, 'no/x');
});

/** In a folder of its own, where the user finds Node and the program wherever they are: in a private mount namespace. */
async function asNobody(args: string): Promise<Ended> {
  const script = `
    set -e
    mkdir -p rights/shut rights/program; cd rights
    cp ../v1.raw shut.raw; cp ../v1.raw open.raw; cp ../v1.raw shut/v1.raw
    chmod 600 shut.raw; chmod 644 open.raw; chmod 700 shut
    touch node; mount --bind "$1" node; mount --bind "$2" program
    shift 2
    exec setpriv --reuid 65534 --regid 65534 --clear-groups ./node program/dist/bin/pstorefuse.js "$@"`;
  const ended = await call('unshare', ['-m', 'sh', '-c', script, 'sh', process.execPath, ROOT, ...args.split(' ')]);
  rmSync('rights', { recursive: true, force: true });
  return ended;
}

t.test('a closed standard output', async (t) => {
  const lines = ['ls s1.raw', 'cat s1.raw dmesg-pstore_blk-0 dmesg-pstore_blk-1', '--help'];
  await eachOf(lines, async (line) => {
    const args = [process.execPath, PROGRAM, ...line.split(' ')];
    const left = await call('sh', ['-c', '{ "$0" "$@"; echo "status $?" >&2; } | head -0', ...args]);
    t.match(left, { stdout: '', stderr: 'status 0\n' }, `${line}: a reader that has left`);
    const closed = await call('sh', ['-c', 'exec "$0" "$@" >&-', ...args]);
    t.match(closed, { status: 0, stderr: '' }, `${line}: none at all`);
  });
  await eachOf(
    ['ls s1.raw', 'cat --all s1.raw', 'export s1.raw v1.raw', 'explain s1.raw', 'report s1.raw'],
    async (line) => {
      const args = [process.execPath, PROGRAM, ...line.split(' ')];
      const full = await call('sh', ['-c', 'exec "$0" "$@" >/dev/full', ...args]);
      complains(t, full, 74, /the output cannot be written: no space is left/, 'output');
    },
  );
});

t.test('a page is not for a terminal', async (t) => {
  const command = `'${process.execPath}' '${PROGRAM}' report s1.raw`;
  const { status, stdout } = await call('script', ['-q', '-e', '-c', command, '/dev/null']);
  t.equal(status, 64);
  t.match(
    stdout.replace(/\s+/g, ' '),
    /^pstorefuse: the page is not for a terminal; give -o report\.html, or redirect/,
  );
});

t.test('a current directory that is gone', async (t) => {
  for (const line of ['ls s1.raw', 's1.raw mnt']) {
    const script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"';
    const ended = await call('sh', ['-c', script, 'sh', process.execPath, PROGRAM, ...line.split(' ')]);
    complains(t, ended, 66, /the current directory does not exist any more; change to another one/, 'directory');
  }
});

t.test('no byte has changed, and nothing was made', (t) => {
  t.equal(fingerprint(), before);
  t.end();
});
