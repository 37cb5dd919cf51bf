// explain, as a person and as a program call it: logs from pipes and files, records of images.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { goldenImage } from '../fixture-path.js';
import { PROGRAM, pstorefuseBeside } from '../mounted.js';
import { KASAN, X86_OOPS } from '../triage/logs.js';

const folder = mkdtempSync(join(tmpdir(), 'pstorefuse-explain-'));
process.chdir(folder);
t.teardown(() => rmSync(folder, { recursive: true }));

const explain = (...args: string[]) => pstorefuseBeside(['explain', ...args]);

async function crashes(...args: string[]) {
  const { status, stdout, stderr } = await explain('--json', ...args);
  t.match({ status, stderr }, { status: 0, stderr: '' }, args.join(' '));
  return JSON.parse(stdout);
}

t.test('a file of text: the last crash, the first, all', async (t) => {
  writeFileSync('console.log', KASAN + X86_OOPS);
  t.match(await crashes('console.log'), [{ path: 'console.log', names: [], title: /board_read$/, kind: 'null-deref' }]);
  t.match(await crashes('--first', 'console.log'), [{ kind: 'kasan', crashes: 2 }]);
  t.match(await crashes('--all', 'console.log'), [{ kind: 'kasan' }, { kind: 'null-deref', crashes: 2 }]);
  writeFileSync('console.log.gz', gzipSync(KASAN));
  t.match(await crashes('console.log.gz', 'console.log'), [{ kind: 'kasan' }, { kind: 'null-deref' }]);
});

t.test('a text in letters of two bytes, as the shell of Windows writes it', async (t) => {
  const little = Buffer.from(`\ufeff${X86_OOPS.replaceAll('\n', '\r\n')}`, 'utf16le');
  writeFileSync('little.log', little);
  writeFileSync('big.log', Buffer.from(little).swap16());
  for (const name of ['little.log', 'big.log']) {
    t.match(await crashes(name), [{ kind: 'null-deref', comm: 'sensor poll', verdict: 'ok' }], name);
  }
  const args = [PROGRAM, 'explain', '--json', '-'];
  t.match(JSON.parse(execFileSync(process.execPath, args, { input: little, encoding: 'utf8' })), [
    { kind: 'null-deref' },
  ]);
});

t.test('a text without a crash', async (t) => {
  writeFileSync('quiet.log', '[    1.000000] all is well\n');
  t.match(await crashes('quiet.log'), [{ title: null, function: null, frames: [], verdict: 'ok' }]);
  t.match((await explain('quiet.log')).stdout, /^no crash\n {2}in +quiet\.log\n/);
});

t.test('for people', async (t) => {
  const { stdout } = await explain('console.log');
  t.match(stdout, /^BUG: unable to handle kernel NULL pointer dereference in board_read\n {2}in +console\.log\n/);
  t.match(stdout, /^ {2}taint +WO: warning was issued before; module from outside the tree was loaded$/m);
  t.match(stdout, /^ {2}also +1 more crash in this text; --all shows them$/m);
  t.match(stdout, /^ {2}stack +board_read\+0x6\/0x20 \[board\]\n {12}board_work\.cold\+0x18\/0x23 \[board\]$/m);
});

t.test('JSON holds nothing that a terminal would obey', async (t) => {
  const comm = 'a\u202eb\u2066c\u009bd\u200fe';
  writeFileSync('turned.log', X86_OOPS.replaceAll('sensor poll', comm));
  const { stdout } = await explain('--json', 'turned.log');
  t.match(stdout, /"comm":\s?"a\\u202eb\\u2066c\\u009bd\\u200fe"/);
  t.notMatch(Buffer.from(stdout, 'latin1').toString(), /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/);
  t.equal(JSON.parse(stdout)[0].comm, comm, 'and is the same to a program');
});

t.test('standard input: an image is opened, a text is read as one, and no byte of either is lost', (t) => {
  const { bytes, text } = { bytes: goldenImage('s3'), text: KASAN.repeat(100) + X86_OOPS };
  const piped = (input: Uint8Array | string, ...args: string[]) =>
    JSON.parse(execFileSync(process.execPath, [PROGRAM, 'explain', '--json', ...args], { input, encoding: 'utf8' }));
  writeFileSync('piped.raw', bytes);
  const file = execFileSync(process.execPath, [PROGRAM, 'explain', '--json', 'piped.raw'], { encoding: 'utf8' });
  const same = JSON.parse(file).map((crash: object) => ({ ...crash, path: 'standard input' }));
  t.ok(same.length > 0 && same[0].title);
  t.same(piped(bytes, '-'), same);
  t.same(piped(gzipSync(bytes), '-'), same);
  t.match(piped(text), [{ path: '-', kind: 'null-deref', crashes: 101 }]);
  t.match(piped(''), [{ title: null, reasons: ['The text is empty.'] }]);
  t.end();
});

t.test('the records of an image, and one of them', async (t) => {
  writeFileSync('s3.raw', goldenImage('s3'));
  const all = await crashes('s3.raw');
  t.match(
    all.map(({ names: [name], title }: { names: string[]; title: string }) => `${name}: ${title}`),
    [
      'console-pstore_blk-0: kernel panic: sysrq triggered crash',
      'dmesg-pstore_blk-0: BUG: unable to handle kernel NULL pointer dereference in lkdtm_EXCEPTION',
      'dmesg-pstore_blk-1: BUG: unable to handle kernel NULL pointer dereference in lkdtm_EXCEPTION',
      'dmesg-pstore_blk-2: kernel panic: sysrq triggered crash',
    ],
  );
  t.equal(all[1].signature, all[2].signature, 'the same crash twice');
  t.match(await crashes('s3.raw', 'dmesg-pstore_blk-1'), [
    { reason: 'Oops', comm: 'init', pid: 31, kernel: '6.1.192' },
  ]);
  t.match(await explain('s3.raw', 'dmesg-pstore_blk-9'), { status: 66, stderr: /there is no record/ });
});

t.test('a source as the help spells it', async (t) => {
  writeFileSync('s3.raw', goldenImage('s3'));
  const all = await crashes('s3.raw');
  const titles = (found: { title: string }[]) => found.map(({ title }) => title);
  t.same(titles(await crashes('pstore_blk:s3.raw')), titles(all), 'with its backend');
  t.same(titles(await crashes('s3.raw,ro')), titles(all), 'with a key');
  t.match(await explain('nothing:s3.raw'), { status: 64, stderr: /unknown backend "nothing"/ });
  t.match(await explain('s3.raw,nothing'), { status: 64, stderr: /unknown key "nothing"/ });
  writeFileSync('a,ro.log', X86_OOPS);
  t.match(await crashes('a,ro.log'), [{ kind: 'null-deref' }], 'a file of that very name is a text');
});

t.test('what is not there', async (t) => {
  t.match(await explain('nothing.log'), { status: 66, stderr: /nothing\.log: there is no such file/ });
  t.match(await explain('--vmlinux', 'console.log', 'console.log'), { status: 65, stderr: /this is no ELF file/ });
});

function compiler(): string | undefined {
  for (const name of ['cc', 'gcc', 'clang']) {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return name;
    } catch {
      // Not installed.
    }
  }
  return undefined;
}

const cc = compiler();
t.test('lines of source', { skip: cc === undefined && 'no C compiler is installed' }, async (t) => {
  writeFileSync('board.c', 'int board_read(int *p)\n{\n  return *p;\n}\nint main(void) { return board_read(0); }\n');
  execFileSync(cc!, ['-g', '-O0', '-o', 'vmlinux', 'board.c']);
  writeFileSync(
    'built.log',
    X86_OOPS.replaceAll(' [board]', '').replace('board_read+0x6/0x20', 'board_read+0x4/0x7fff'),
  );
  const [crash] = await crashes('--vmlinux', 'vmlinux', 'built.log');
  t.match(crash.frames[0], { function: 'board_read', source: /board\.c:[123]$/ });
  t.equal(crash.frames[1].source, null, 'a function that the vmlinux does not have');
});
