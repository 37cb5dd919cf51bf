// The commands and queries of docs/fleet.md: what spreads export over processes and machines, and what asks the result.

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { noSlurm, startSlurm } from '../builders/slurm.js';
import { ROOT } from '../fixture-path.js';
import { imageFile, SCRIPT, scratchFolder } from '../mounted.js';

/** Schedulers and logins take their time on a busy machine. */
const LIMIT_MS = 240_000;

const folder = scratchFolder(t);
mkdirSync(join(folder, 'fleet'));
mkdirSync(join(folder, 'bin'));
symlinkSync(SCRIPT, join(folder, 'bin', 'pstorefuse'));
for (const golden of ['s3', 'v1', 'efi-oops3', 'r1', 'a64-s3', 'be-s2']) imageFile(join(folder, 'fleet'), golden);
writeFileSync(join(folder, 'fleet', 'bad.raw'), Buffer.alloc(65536, 0x55));

const { NODE_OPTIONS: _, ...plainEnv } = process.env;
const env = { ...plainEnv, PATH: `${folder}/bin:${process.env.PATH}`, PARALLEL_HOME: join(folder, 'parallel') };

function sh(script: string, extra: Readonly<Record<string, string>> = {}) {
  const options = { cwd: folder, env: { ...env, ...extra }, encoding: 'utf8', timeout: LIMIT_MS } as const;
  const { status, stdout, stderr } = spawnSync('sh', ['-c', script], { ...options, maxBuffer: 1 << 28 });
  return { status, stdout, stderr };
}

const lines = (text: string) => text.split('\n').filter(Boolean);
const doc = readFileSync(join(ROOT, 'docs', 'fleet.md'), 'utf8');

/** The command of the document that has these words. */
function documented(words: string): string {
  const found = doc.match(/^ {4}\S.*(?:\\\n.*)*$/gm)?.find((command) => command.includes(words));
  if (found === undefined) throw new Error(`docs/fleet.md has no command with ${words}`);
  return found.trim();
}

const whole = sh('find $PWD/fleet -name "*.raw" -print0 | sort -z | pstorefuse export --files-from - -0');
t.match(whole, { status: 1, stderr: /^$/ });
const expected = lines(whole.stdout).sort();

const isGnu = sh('parallel --version').stdout.startsWith('GNU parallel');
const noParallel = !isGnu && 'GNU parallel is not installed';

t.test('GNU parallel', { skip: noParallel }, async (t) => {
  const ended = sh(documented('| parallel -0 -j2').replace('find fleet', 'find $PWD/fleet'));
  t.equal(ended.status, 1, 'one job had a bad image');
  t.same(lines(readFileSync(join(folder, 'crashes.ndjson'), 'utf8')).sort(), expected, ended.stderr);
});

const SSHD = '/usr/sbin/sshd';
const noSsh = process.geteuid!() !== 0 || !existsSync(SSHD) || sh('command -v ssh ssh-keygen').status !== 0;

t.test(
  'GNU parallel on another machine',
  { skip: noParallel || (noSsh && 'no ssh server can be started') },
  async (t) => {
    // sshd serves this one login over a pipe: it needs no port.
    mkdirSync('/run/sshd', { recursive: true });
    const keys = sh('for name in host me; do ssh-keygen -q -t ed25519 -N "" -f $name || exit; done; cp me.pub allowed');
    t.equal(keys.status, 0, keys.stderr);
    chmodSync(join(folder, 'allowed'), 0o600);
    const server = [`HostKey ${folder}/host`, `AuthorizedKeysFile ${folder}/allowed`, 'StrictModes no', 'UsePAM no'];
    writeFileSync(join(folder, 'sshd.conf'), `${server.join('\n')}\nPermitRootLogin prohibit-password\n`);
    const client = [
      'Host node1',
      `  ProxyCommand ${SSHD} -i -f ${folder}/sshd.conf`,
      `  IdentityFile ${folder}/me`,
      '  IdentitiesOnly yes',
      '  StrictHostKeyChecking no',
      '  UserKnownHostsFile /dev/null',
      '  LogLevel ERROR',
    ];
    writeFileSync(join(folder, 'ssh.conf'), `${client.join('\n')}\n`);
    if (sh('ssh -F ssh.conf node1 true').status !== 0) {
      t.pass('another machine', { skip: 'sshd lets nobody in here' });
      return;
    }
    const command = documented('--sshlogin')
      .replace('--sshlogin 8/node1,8/node2', `--sshlogin "2/ssh -F ${folder}/ssh.conf node1"`)
      .replace('/srv/fleet', '$PWD/fleet')
      .replace('pstorefuse export', `PSTOREFUSE_NODE=${process.execPath} ${SCRIPT} export`);
    const ended = sh(command);
    t.same(lines(readFileSync(join(folder, 'crashes.ndjson'), 'utf8')).sort(), expected, ended.stderr);
  },
);

t.test('a job array of Slurm', { skip: noSlurm }, async (t) => {
  const slurmFolder = join(folder, 'slurm');
  mkdirSync(slurmFolder);
  const slurm = await startSlurm(slurmFolder);
  t.teardown(() => slurm.stop());
  const conf = { SLURM_CONF: slurm.conf };
  // The node tells the controller of itself some time after both have begun.
  for (let i = 0; i < 60 && !/idle/.test(sh('sinfo -h', conf).stdout); i++) sh('sleep 1');
  const split = sh(documented('| split').replace('/srv/fleet', '$PWD/fleet'));
  t.equal(split.status, 0, split.stderr);
  const ended = sh(documented('sbatch'), conf);
  t.equal(ended.status, 0, `${ended.stderr} ${sh('cat slurm/*.log').stdout.slice(-2000)}`);
  sh(documented('cat part.'));
  t.same(lines(readFileSync(join(folder, 'crashes.ndjson'), 'utf8')).sort(), expected);
});

interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

/** Runs the queries of the document one after the other. undefined where there is no DuckDB for this machine. */
async function queried(queries: readonly string[]): Promise<Table[] | undefined> {
  const duckdb = await import('@duckdb/node-api').catch(() => undefined);
  if (!duckdb) return undefined;
  const connection = await (await duckdb.DuckDBInstance.create(':memory:')).connect();
  const tables: Table[] = [];
  for (const query of queries) {
    const reader = await connection.runAndReadAll(query.replaceAll("'crashes.ndjson'", `'${folder}/asked.ndjson'`));
    tables.push({ columns: reader.columnNames(), rows: reader.getRowsJson() as unknown[][] });
  }
  connection.closeSync();
  return tables;
}

t.test('queries', async (t) => {
  const fresh = { path: 'new.raw', type: 'dmesg', time: '2025-03-04T01:02:03.000Z', signature: '1:bug:0123456789ab' };
  const added = [
    { ...fresh, title: 'kernel BUG in board_read', machine: 'board-7' },
    { ...fresh, title: 'kernel BUG in board_read', machine: 'board-7', time: '2025-03-05T01:02:03.000Z' },
  ];
  writeFileSync(
    join(folder, 'asked.ndjson'),
    [...expected, ...added.map((line) => JSON.stringify(line)), ''].join('\n'),
  );
  const queries = [...doc.matchAll(/```sql\n([\s\S]*?)```/g)].map(([, query]) => query!);
  t.equal(queries.length, 4, 'the view and three questions');
  const tables = await queried(queries);
  if (!tables) {
    t.pass('queries', { skip: '@duckdb/node-api is not installed' });
    return;
  }
  const objects = expected
    .map((line) => JSON.parse(line))
    .filter(({ type, signature }) => type === 'dmesg' && signature);
  const [, byDay, news, machines] = tables as [Table, Table, Table, Table];
  t.same(byDay.columns, ['day', 'crashes', 'signatures', 'images']);
  t.same(byDay.rows.at(-1), ['2025-03-05', '1', '1', '1']);
  const sum = byDay.rows.reduce((total, [, crashes]) => total + Number(crashes), 0);
  t.equal(sum, objects.length + 2, 'every crash is of one day');
  t.match(news.rows, [['1:bug:0123456789ab', 'kernel BUG in board_read', '2', '1', /^2025-03-04/]]);
  t.equal(news.rows.length, 1, 'what was seen before is not new');
  const count = new Map<string, number>();
  for (const { machine, path } of objects) count.set(machine ?? path, (count.get(machine ?? path) ?? 0) + 1);
  for (const [machine, crashes] of machines.rows) {
    if (machine !== 'board-7') t.equal(Number(crashes), count.get(String(machine)), String(machine));
  }
  t.equal(machines.rows.length, count.size + 1);
});
