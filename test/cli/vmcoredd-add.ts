import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { goldenImage } from '../fixture-path.js';
import { PROGRAM, pstorefuse, run, scratchFolder } from '../mounted.js';

function add(vmcore: string, output: string, name: string, input: string | Uint8Array) {
  return run(process.execPath, [PROGRAM, 'vmcoredd-add', vmcore, '--name', name, '--output', output], { input });
}

/** The golden vmcore's head, with the memory behind it as a hole. */
function goldenVmcore(folder: string): string {
  const path = join(folder, 'vmcore');
  writeFileSync(path, goldenImage('vmcoredd-1', 'vmcore-head.raw'));
  truncateSync(path, 72_351_744);
  return path;
}

t.test('a dump is added behind the others, and the vmcore itself stays as it is', (t) => {
  const folder = scratchFolder(t);
  const vmcore = goldenVmcore(folder);
  const sum = createHash('sha256').update(readFileSync(vmcore)).digest('hex');
  const output = join(folder, 'vmcore.new');
  const dump = Buffer.from('firmware log of a network card\n'.repeat(300));
  const { status, stdout, stderr } = add(vmcore, output, 'eth1-firmware', dump);
  t.equal(status, 0, stderr);
  t.equal(stdout + stderr, '');
  t.equal(createHash('sha256').update(readFileSync(vmcore)).digest('hex'), sum);
  const listed = JSON.parse(pstorefuse('ls', '--json', output).stdout) as {
    name: string;
    title: string;
    size: number;
  }[];
  const before = JSON.parse(pstorefuse('ls', '--json', vmcore).stdout) as object[];
  t.same(
    listed.slice(0, 7),
    before.map((record) => ({ ...record, path: output })),
    'the earlier dumps are where they were',
  );
  t.equal(listed[7]!.title, 'eth1-firmware');
  const text = pstorefuse('cat', output, 'device-vmcoredd-7').stdout;
  t.equal(text, dump.toString('latin1').padEnd(listed[7]!.size, '\0'), 'the data, and zeros to the end of the page');
  t.ok(statSync(output).blocks * 512 < 1 << 20, 'what is a hole stays a hole');
  t.end();
});

t.test('a name that is longer than the note has room for', (t) => {
  const folder = scratchFolder(t);
  const output = join(folder, 'vmcore.new');
  const { status, stderr } = add(goldenVmcore(folder), output, 'n'.repeat(45), 'data');
  t.equal(status, 0);
  t.match(stderr, /^pstorefuse: warning: --name has 45 bytes: the first 43 are the name.*\n$/);
  const listed = JSON.parse(pstorefuse('ls', '--json', output).stdout) as { title: string }[];
  t.equal(listed.at(-1)!.title, 'n'.repeat(43));
  t.end();
});

t.test('what the kernel refuses leaves no file', (t) => {
  const folder = scratchFolder(t);
  const vmcore = goldenVmcore(folder);
  const output = join(folder, 'vmcore.new');
  for (const [name, input, status] of [
    ['', 'data', 64],
    ['empty', '', 64],
  ] as const) {
    const refused = add(vmcore, output, name, input);
    t.equal(refused.status, status, refused.stderr);
    t.match(refused.stderr, /^pstorefuse: .*\n$/);
    t.notOk(existsSync(output));
  }
  writeFileSync(output, 'mine');
  const there = add(vmcore, output, 'name', 'data');
  t.equal(there.status, 73);
  t.match(there.stderr, /^pstorefuse: .*vmcore\.new is there already.*\n$/);
  t.equal(readFileSync(output, 'latin1'), 'mine');
  writeFileSync(join(folder, 'no-core'), 'this is no vmcore'.repeat(500));
  t.equal(add(join(folder, 'no-core'), join(folder, 'x'), 'name', 'data').status, 65);
  t.end();
});

t.test('a command as the collector: what it prints is the dump; when it fails, nothing is added', (t) => {
  const folder = scratchFolder(t);
  const vmcore = goldenVmcore(folder);
  const output = join(folder, 'vmcore.new');
  const collect = (...command: string[]) =>
    pstorefuse('vmcoredd-add', vmcore, '--name', 'eth1', '--output', output, '--', ...command);
  for (const [command, status, message] of [
    [['sh', '-c', 'echo half; exit 3'], 74, /sh ended with status 3; nothing was added/],
    [['sh', '-c', 'kill -9 $$'], 74, /sh ended by SIGKILL; nothing was added/],
    [['/no/such/collector'], 66, /cannot be run: there is no such command; nothing was added/],
    [['true'], 64, /must have data/],
  ] as const) {
    const failed = collect(...command);
    t.equal(failed.status, status, failed.stderr);
    t.match(failed.stderr, message);
    t.same(readdirSync(folder), ['vmcore'], 'no file, and no part of one');
  }
  const { status, stderr } = collect('printf', '%s', '--registers of eth1');
  t.equal(status, 0, stderr);
  t.match(pstorefuse('cat', output, 'device-vmcoredd-7').stdout, /^--registers of eth1\0/);
  t.end();
});
