// ls and cat for people and for programs: tables on a terminal, selection, groups, colours.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { call, imageFile, PROGRAM, pstorefuseBeside, scratchFolder } from '../mounted.js';

const folder = scratchFolder(t);
process.chdir(folder);
for (const name of ['s3', 's2', 'efi-oops3']) imageFile(folder, name);
process.env.TZ = 'UTC';

async function good(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await pstorefuseBeside(args);
  t.match({ status, stderr }, { status: 0, stderr: '' }, args.join(' '));
  return stdout;
}

/** What a terminal of so many columns gets. */
async function onTerminal(columns: number, line: string, env = {}): Promise<string> {
  const command = `stty cols ${columns} rows 50; ${process.execPath} ${PROGRAM} ${line}`;
  const { status, stdout } = await call('script', ['-q', '-e', '-c', command, '/dev/null'], {
    env: { ...process.env, TERM: 'xterm', NO_COLOR: '1', ...env },
  });
  t.equal(status, 0, line);
  return stdout.replaceAll('\r\n', '\n');
}

t.test('a table on a terminal, names in a pipe', async (t) => {
  const narrow = await onTerminal(80, 'ls s3.raw');
  t.match(
    narrow,
    /^TIME +WHAT +COUNT +SIZE +NAME\n {4}TITLE\n2021-12-31 23:59:59 +Panic +1 +24K +dmesg-pstore_blk-2\n/,
  );
  for (const line of narrow.split('\n')) t.ok(line.length <= 80, line);
  const wide = await onTerminal(200, 'ls s3.raw efi-oops3.raw');
  t.match(
    wide,
    / +Oops +BUG: unable to handle kernel NULL pointer dereference in lkdtm_EXCEPTION +3 +24K +dmesg-efi_pstore-\d+\.joined +efi-oops3\.raw\n/,
  );
  t.equal(wide.trimEnd().split('\n').length, 1 + 6 + 3, 'each dump once');
  t.equal((await onTerminal(200, 'ls --all efi-oops3.raw')).trimEnd().split('\n').length, 1 + 44, 'each part');
  t.match(
    await onTerminal(200, 'ls -r --iso --utc -n 2 s3.raw'),
    /^.*\n2021-12-31T23:59:59Z +Oops.*\n2021-12-31T23:59:59Z +Panic.*\n$/,
  );
  t.equal((await good('ls', 's3.raw')).split('\n').length, 7);
  t.match(await good('ls', 's3.raw'), /^console-pstore_blk-0\ndmesg-pstore_blk-0\n/);
});

t.test('a terminal is told of an empty list, a pipe is not', async (t) => {
  await good('format', 'fresh.raw', '--size', '1M', '--kmsg-size', '64K');
  for (const line of ['ls fresh.raw', 'ls --group fresh.raw', 'explain fresh.raw', 'cat --all fresh.raw']) {
    t.match(await onTerminal(200, line), /^pstorefuse: fresh.raw: there is no record; pstorefuse info says/, line);
    t.equal(await good(...line.split(' ')), '', line);
  }
  t.match(await onTerminal(200, 'ls --type mce s3.raw'), /^pstorefuse: s3.raw: no record is as was asked for\n$/);
  t.match(await onTerminal(200, 'ls --erased fresh.raw'), /^pstorefuse: fresh.raw: there is no erased record\n$/);
});

t.test('that the next crash is not recorded is said of a store, and not with each of its records', async (t) => {
  imageFile(folder, 'erst-oops3');
  const full = /all 7 slots hold a record: the next crash is not recorded/;
  for (const command of ['ls', 'info']) t.match(await pstorefuseBeside([command, 'erst-oops3.raw']), { stderr: full });
  const [name = ''] = (await pstorefuseBeside(['ls', 'erst-oops3.raw'])).stdout.split('\n');
  await good('cat', 'erst-oops3.raw', name);
  await good('explain', 'erst-oops3.raw', name);
  await good('rm', '--dry-run', 'erst-oops3.raw', name);
});

t.test('colours where they are wanted', async (t) => {
  t.match(await onTerminal(80, 'ls s3.raw', { NO_COLOR: '' }), /\x1b\[1;31mPanic/);
  t.notMatch(await onTerminal(80, 'ls s3.raw'), /\x1b/);
  t.notMatch(await onTerminal(80, 'ls --color never s3.raw', { NO_COLOR: '' }), /\x1b/);
  t.match(await good('ls', '--color=always', 's3.raw'), /\x1b\[32m2021/);
  t.match(await good('ls', '--color', 's3.raw'), /\x1b\[32m2021/);
  t.match(await pstorefuseBeside(['ls', '--color=pink', 's3.raw']), {
    status: 64,
    stderr: /known are auto, always, never/,
  });
  t.match(
    await onTerminal(80, 'cat s3.raw dmesg-pstore_blk-0', { NO_COLOR: '' }),
    /<1>\x1b\[32m\[ +\d+\.\d+\]\x1b\[0m\x1b\[7;31m BUG/,
  );
});

t.test('selection', async (t) => {
  const names = async (...args: string[]) =>
    (await good('ls', 's3.raw', ...args)).replaceAll('-pstore_blk', '').trim().split('\n');
  t.same(await names('--since', '2021-12-31 23:59:58', '--until=2021-12-31 23:59:59.1'), ['dmesg-1']);
  t.same(await names('--since', '-2h'), ['']);
  t.same(await names('--reason', 'panic,emergency'), ['dmesg-2']);
  t.same(await names('--type', 'pmsg,Console'), ['console-0', 'pmsg-0']);
  t.same(await names('-n', '2'), ['dmesg-2', 'dmesg-1']);
  t.same(await names('-rn2'), ['dmesg-1', 'dmesg-2']);
  t.match(await names('-g', 'ip: 0010:lkdtm_exc', '--reason', 'oops'), [
    /^dmesg-0:\d+:<4>\[ +9.79\d+\] RIP: 0010:lkdtm_EXCEPTION/,
  ]);
  t.same(await names('-g', 'IP: 0010:lkdtm_exc'), [''], 'with capitals the case counts');
  t.match(await pstorefuseBeside(['ls', 's3.raw', '--type', 'dmesg,foo']), {
    status: 64,
    stderr: /--type foo: known are dmesg, console, .*dump\n/,
  });
  t.match(await pstorefuseBeside(['ls', 's3.raw', '--reason', 'foo']), {
    status: 64,
    stderr: /--reason foo: known are panic, oops, emergency, shutdown, oom, .*unknown\n/,
  });
  t.match(await pstorefuseBeside(['ls', 's3.raw', '-g', '(']), { status: 64, stderr: /this is no pattern/ });
  t.match(await pstorefuseBeside(['ls', 's3.raw', '-n', 'x']), { status: 64, stderr: /-n x: give a whole number/ });
  t.match(await pstorefuseBeside(['ls', 's3.raw', '--since', 'x']), { status: 64, stderr: /this is no time/ });
  t.match(
    await good('ls', '--table', '-g', 'RIP: 0010:lkdtm', '--reason', 'oops', 's3.raw'),
    /\n {4}\d+: <4>\[ +9\.79/,
  );
});

t.test('several images', async (t) => {
  const objects = JSON.parse(await good('ls', '--json', 's3.raw', 's2.raw'));
  const lines = (await good('ls', '--ndjson', 's3.raw', 's2.raw')).trimEnd().split('\n');
  t.same(
    lines.map((line) => JSON.parse(line)),
    objects,
  );
  t.same([...new Set(objects.map(({ path }: { path: string }) => path))], ['s3.raw', 's2.raw']);
  t.match(JSON.parse(await good('ls', '--json', '-g', 'Kernel panic', 's3.raw', '--type', 'dmesg')), [
    { name: 'dmesg-pstore_blk-2', matches: [{ text: /Kernel panic - not syncing/ }] },
  ]);
});

t.test('groups', async (t) => {
  const groups = JSON.parse(await good('ls', '--group', '--json', 's3.raw', 's2.raw', 'efi-oops3.raw'));
  t.match(groups[0], { kind: 'null-deref', images: 3, first: '2021-09-14T09:39:05Z', last: '2022-01-01T00:00:16Z' });
  const panic = groups.find(({ kind }: { kind: string }) => kind === 'panic');
  t.match(panic, { count: 1, images: 1 }, 'the console tells of the same panic');
  t.match(
    await good('ls', '--group', 's3.raw'),
    /^SIGNATURE +COUNT +FIRST +LAST +IMAGES +TITLES\n1:null-deref:[\da-f]{12} +2 /,
  );
});

t.test('cat of all, and what a terminal must not get', async (t) => {
  const names = (await good('ls', 's3.raw')).trim().split('\n');
  t.equal(await good('cat', '--all', 's3.raw'), await good('cat', 's3.raw', ...names));
  t.match(await pstorefuseBeside(['cat', 's3.raw']), { status: 64, stderr: /give names of records, or --all/ });
  t.match(await pstorefuseBeside(['cat', '--all', 's3.raw', 'x']), { status: 64 });
  t.match(await onTerminal(80, 'cat --all s3.raw'), /^==> console-pstore_blk-0 <==\n/);
  await good('format', 'hostile.raw', '--size', '1M', '--kmsg-size', '64K');
  const hostile = '<4>[    1.000000] a\x1b[2J\u202eb\u2066c\n';
  writeFileSync(join(folder, 'log'), hostile);
  await pstorefuseBeside(['record', 'hostile.raw', '--reason', 'oops'], { input: hostile });
  const shown = await onTerminal(80, 'cat hostile.raw dmesg-pstore_blk-0');
  t.match(shown, /a\\x1b\[2J\\u202eb\\u2066c\n/);
  t.ok(
    Buffer.from(await good('cat', 'hostile.raw', 'dmesg-pstore_blk-0'), 'latin1').includes(hostile),
    'exact in a pipe',
  );
});
