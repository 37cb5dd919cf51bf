import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { findProgram } from '../../lib/mount/programs.js';
import { imageFile, PROGRAM, pstorefuse, run, scratchFolder, shell } from '../mounted.js';

const TYPES = ['tty', 'pmsg', 'console'] as const;
const SIZES = ['--tty-size', '4K', '--pmsg-size', '4K', '--console-size', '8K'];

for (const backend of ['pstore_blk', 'ramoops']) {
  t.test(`${backend}: what goes through is kept, the last of it`, (t) => {
    const image = join(scratchFolder(t), 'image.raw');
    const dmesg = backend === 'ramoops' ? ['--record-size', '8K'] : ['--kmsg-size', '8K'];
    const made = pstorefuse('format', image, '--backend', backend, '--size', '64K', ...dmesg, ...SIZES);
    t.equal(made.status, 0, made.stderr);
    // The kinds of ramoops' zones cannot be told while they are empty.
    const keys = backend === 'ramoops' ? ',record_size=8K,console_size=8K,pmsg_size=4K,tty_size=4K' : '';
    const source = image + keys;
    const written: Record<string, string> = {};
    for (const type of TYPES) {
      const lines = Array.from({ length: 300 }, (_, i) => `${type} line ${i}: a few words\n`).join('');
      const { status, stdout, stderr } = run(process.execPath, [PROGRAM, 'tee', '--type', type, source], {
        input: lines,
      });
      t.equal(status, 0, stderr);
      t.equal(stderr, '', 'nothing is said when all is well');
      t.equal(stdout, lines, 'standard output is standard input');
      written[type] = lines;
    }
    for (const type of TYPES) {
      const kept = pstorefuse('cat', source, `${type}-${backend}-0`).stdout;
      t.ok(kept.length > 4000 && written[type]!.endsWith(kept), `${type}: the last ${kept.length} bytes`);
    }
    t.end();
  });
}

t.test('a line without a newline at the end is kept, and a reader that leaves does not matter', (t) => {
  const image = join(scratchFolder(t), 'image.raw');
  pstorefuse('format', image, '--size', '64K', '--tty-size', '4K', '--kmsg-size', '8K');
  shell(`(seq 1 2000; printf 'login: ') | '${process.execPath}' '${PROGRAM}' tee '${image}' | head -n 1`);
  t.match(pstorefuse('cat', image, 'tty-pstore_blk-0').stdout, /1999\n2000\nlogin: $/);
  t.end();
});

t.test('any text is kept as the ring keeps it', (t) => {
  const image = join(scratchFolder(t), 'image.raw');
  let all = Buffer.alloc(0);
  pstorefuse('format', image, '--size', '64K', '--tty-size', '4K', '--kmsg-size', '8K');
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 6000 }), (bytes) => {
      run(process.execPath, [PROGRAM, 'tee', '--type', 'tty', image], { input: bytes });
      all = Buffer.concat([all, bytes]);
      const area = 4096 - 12;
      const kept = Buffer.from(pstorefuse('cat', image, 'tty-pstore_blk-0').stdout, 'latin1');
      return kept.equals(all.subarray(Math.max(0, all.length - area)));
    }),
    { numRuns: 8, endOnFailure: true },
  );
  t.end();
});

t.test('without a tty zone it is said what to give, and nothing is written', (t) => {
  const image = join(scratchFolder(t), 'image.raw');
  pstorefuse('format', image, '--size', '64K', '--kmsg-size', '8K');
  const before = readFileSync(image);
  const { status, stdout, stderr } = run(process.execPath, [PROGRAM, 'tee', image], { input: 'text\n' });
  t.not(status, 0);
  t.equal(stdout, 'text\n', 'the text goes through all the same');
  t.match(stderr, /^pstorefuse: .*image\.raw.*tty_size=.*\n$/);
  t.ok(readFileSync(image).equals(before));
  t.end();
});

t.test('a source that cannot be written to is told, and what comes through the pipe goes on', (t) => {
  const folder = scratchFolder(t);
  const vmcore = imageFile(folder, 'vmcoredd-1', 'vmcore-head.raw');
  const input = Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`).join('');
  for (const [source, status, said] of [
    [join(folder, 'nothing.raw'), 66, /there is no such file/],
    [folder, 66, /is a directory/],
    [`${join(folder, 'x.raw')},tty_siz=4K`, 64, /did you mean tty_size\?/],
    [vmcore, 65, /nothing can be recorded in a source of vmcoredd/],
  ] as const) {
    const ended = run(process.execPath, [PROGRAM, 'tee', source], { input });
    t.equal(ended.status, status, ended.stderr);
    t.match(ended.stderr, said);
    t.match(ended.stderr, /^pstorefuse: [^\n]+\n$/, 'once');
    t.ok(ended.stdout === input, 'nothing of it is lost');
  }
  const usage = run(process.execPath, [PROGRAM, 'tee', '--type', 'x', vmcore], { input });
  t.match(usage, { status: 64, stdout: '' }, 'a wrong option is told before anything is read');
  t.end();
});

t.test('what cannot be passed on is kept', (t) => {
  const image = join(scratchFolder(t), 'image.raw');
  pstorefuse('format', image, '--size', '64K', '--tty-size', '4K', '--kmsg-size', '8K');
  const line = `seq 1 2000 | '${process.execPath}' '${PROGRAM}' tee '${image}' >/dev/full; echo $?`;
  const { stdout, stderr } = run('sh', ['-c', line]);
  t.equal(stdout, '74\n');
  t.match(stderr, /^pstorefuse: the output cannot be written: no space is left\n$/);
  t.match(pstorefuse('cat', image, 'tty-pstore_blk-0').stdout, /1999\n2000\n$/);
  t.end();
});

t.test('a line that is not finished is kept when nothing more comes', (t) => {
  const image = join(scratchFolder(t), 'image.raw');
  pstorefuse('format', image, '--size', '64K', '--tty-size', '4K', '--kmsg-size', '8K');
  // The input stays open while another process looks.
  const line =
    `(printf 'one\\nlogin: '; sleep 3; '${process.execPath}' '${PROGRAM}' cat '${image}' tty-pstore_blk-0 >&2) | ` +
    `'${process.execPath}' '${PROGRAM}' tee '${image}' > /dev/null`;
  t.equal(run('sh', ['-c', line]).stderr, 'one\nlogin: ');
  t.end();
});

const noScript = findProgram('script') === undefined && 'script of util-linux is not installed';

t.test('--pty: the command has a terminal, and its exit status is ours', { skip: noScript }, (t) => {
  const image = join(scratchFolder(t), 'image.raw');
  pstorefuse('format', image, '--size', '64K', '--tty-size', '4K', '--kmsg-size', '8K');
  const command = `test -t 1 && echo "it's a terminal: $0"; exit 7`;
  const ended = run(process.execPath, [PROGRAM, 'tee', '--pty', image, '--', 'sh', '-c', command, 'a  b'], {
    input: '',
  });
  t.match(ended, { status: 7, stderr: '' });
  t.equal(ended.stdout, "it's a terminal: a  b\r\n");
  t.equal(pstorefuse('cat', image, 'tty-pstore_blk-0').stdout, ended.stdout);
  for (const words of [
    ['--pty', image],
    [image, '--', 'true'],
  ]) {
    t.match(run(process.execPath, [PROGRAM, 'tee', ...words], { input: '' }), { status: 64, stderr: /go together/ });
  }
  t.end();
});
